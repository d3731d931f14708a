//! PayPal: RSA-SHA256 over `{transmission-id}|{transmission-time}|{webhook id}|{crc32 of the body}`, all of it in headers
//! but the webhook's id, which we know.

use url::Url;

use super::{
    super::super::{certificate::RsaDigest, place::Place, reading::Reading, refused::Refused},
    Claim, decoded,
};

pub(super) const ID: Place = Place::header("paypal-transmission-id");
pub(super) const SIGNATURE: Place = Place::header("paypal-transmission-sig");
const TIME: Place = Place::header("paypal-transmission-time");
const CERTIFICATE: Place = Place::header("paypal-cert-url");
const ALGORITHM: Place = Place::header("paypal-auth-algo");

pub(super) fn claim(
    reading: &Reading<'_>,
    webhook_id: &str,
    certificate: impl FnOnce(&str) -> Result<Url, Refused>,
) -> Result<Claim, Refused> {
    let header = |place: Place| match place.find(reading) {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err(Refused::malformed(format!("{place} is missing"))),
        Err(Refused::PartWrong { place, why }) => Err(Refused::malformed(format!("{place}: {why}"))),
        Err(other) => Err(other),
    };
    if ALGORITHM.find(reading).ok().flatten().is_some_and(|name| !name.eq_ignore_ascii_case("SHA256withRSA")) {
        return Err(Refused::malformed("its algorithm must be SHA256withRSA"));
    }
    let (id, time) = (header(ID)?, header(TIME)?);
    let separated = |text: &str| text.contains('|');
    if separated(&id) || separated(&time) {
        return Err(Refused::malformed("the transmission's id and time must not contain `|`"));
    }
    let signed = format!("{id}|{time}|{webhook_id}|{}", crc32(reading.body()));
    Ok(Claim {
        certificate: certificate(&header(CERTIFICATE)?)?,
        digest: RsaDigest::Sha256,
        signature: decoded(&header(SIGNATURE)?)?,
        signed: vec![signed.into_bytes()],
        time: time.into_owned(),
    })
}

/// What each byte does to the checksum of IEEE 802.3, its bits the other way round.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut sum, mut bit) = (byte as u32, 0);
        while bit < 8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xEDB8_8320 } else { sum >> 1 };
            bit += 1;
        }
        #[allow(clippy::indexing_slicing)] // the loop ends at 256, and is run by the compiler
        {
            table[byte] = sum;
        }
        byte += 1;
    }
    table
};

fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        let [low, ..] = sum.to_le_bytes();
        // A byte is always one of 256.
        TABLE.get(usize::from(low ^ byte)).copied().unwrap_or_default() ^ (sum >> 8)
    };
    !bytes.iter().fold(u32::MAX, step)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_the_one_of_zip_and_ethernet() {
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(super::crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(super::crc32(b""), 0);
    }
}
