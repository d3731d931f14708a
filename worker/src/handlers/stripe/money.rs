//! Amounts as customers read them.
//!
//! Only text: rows keep minor units.

/// Currencies that Stripe counts in whole units.
const WITHOUT_MINOR: [&str; 16] =
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf"];

/// Currencies that it counts in thousandths.
const WITH_THREE: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];

/// `20.00 USD` of 2000 and `usd`.
pub(super) fn spoken(amount: i64, currency: &str) -> String {
    let currency = currency.to_ascii_lowercase();
    let digits = match currency.as_str() {
        code if WITHOUT_MINOR.contains(&code) => 0,
        code if WITH_THREE.contains(&code) => 3,
        _ => 2,
    };
    let sign = if amount < 0 { "-" } else { "" };
    let unit = 10_u64.pow(digits);
    let (whole, minor) = (amount.unsigned_abs() / unit, amount.unsigned_abs() % unit);
    let code = currency.to_ascii_uppercase();
    match digits {
        0 => format!("{sign}{whole} {code}"),
        digits => format!("{sign}{whole}.{minor:0width$} {code}", width = digits as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::spoken;

    #[test]
    fn amounts_are_written_as_their_currency_does() {
        let written = [(2000, "usd"), (2000, "JPY"), (1234, "kwd"), (5, "eur"), (-150, "eur")]
            .map(|(amount, currency)| spoken(amount, currency));
        assert_eq!(written, ["20.00 USD", "2000 JPY", "1.234 KWD", "0.05 EUR", "-1.50 EUR"]);
    }
}
