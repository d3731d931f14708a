//! A dead letter's fingerprint: the same for failures of one cause, so that a heap of them is seen as a few.
//!
//! What varies from event to event in a message (ids, numbers, quoted values) is replaced before it is hashed. Changing
//! the rules starts new groups for old causes; nothing else depends on them.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Sixteen hex digits over where a failure came from and what it said.
pub fn fingerprint(source: &str, kind: &str, class: &str, message: &str) -> String {
    let mut hash = Sha256::new();
    for part in [source, kind, class, &normalised(message)] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex::encode(hash.finalize().get(..8).unwrap_or_default())
}

/// The message without what varies: quoted parts become `…`, UUIDs, long hex strings and numbers `#`.
fn normalised(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    let mut rest = message;
    let mut before = ' ';
    while let Some(next) = rest.chars().next() {
        let taken = if let Some(length) = quoted(rest, next, before) {
            text.push('…');
            length
        } else if in_word(next) {
            let length = rest.find(|c| !in_word(c)).unwrap_or(rest.len());
            word(rest.get(..length).unwrap_or_default(), &mut text);
            length
        } else {
            text.push(next);
            next.len_utf8()
        };
        let (seen, left) = rest.split_at(taken);
        before = seen.chars().next_back().unwrap_or(' ');
        rest = left;
    }
    text
}

/// The length of the quotation that begins here, if one does. An apostrophe within a word begins none.
fn quoted(rest: &str, quote: char, before: char) -> Option<usize> {
    let close = match quote {
        '"' | '`' => quote,
        '\'' if !before.is_alphanumeric() => quote,
        '“' => '”',
        '«' => '»',
        _ => return None,
    };
    let inner = rest.get(quote.len_utf8()..)?;
    inner.find(close).map(|end| quote.len_utf8() + end + close.len_utf8())
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '-' || c == '_'
}

fn word(word: &str, text: &mut String) {
    let hex =
        word.len() >= 8 && word.bytes().all(|b| b.is_ascii_hexdigit()) && word.bytes().any(|b| b.is_ascii_digit());
    if hex || Uuid::try_parse(word).is_ok() {
        text.push('#');
        return;
    }
    let mut digits = false;
    for c in word.chars() {
        if !c.is_numeric() {
            text.push(c);
        } else if !digits {
            text.push('#');
        }
        digits = c.is_numeric();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_varies_is_passed_over_and_the_sentence_stays() {
        for (message, expected) in [
            ("member 4711 not found", "member # not found"),
            ("member 0190b1a2-77aa-7bbb-8ccc-0123456789ab not found", "member # not found"),
            ("digest deadbeef00 differs in user_789", "digest # differs in user_#"),
            ("value \"a 'b' c\" of `name` isn't one of 'x'", "value … of … isn't one of …"),
            ("an open \"quotation stays", "an open \"quotation stays"),
            ("/data/user/id is missing", "/data/user/id is missing"),
            ("12.5 % of “größe” at 2024-01-15T10:30:00Z", "#.# % of … at #-#-#T#:#:#Z"),
        ] {
            assert_eq!(normalised(message), expected);
        }
    }

    #[test]
    fn one_cause_has_one_fingerprint_and_another_source_type_or_class_another() {
        let of = fingerprint;
        let first = of("faithflow", "member.updated", "not_found", "member 1 not found");
        assert_eq!(first.len(), 16);
        assert_eq!(first, of("faithflow", "member.updated", "not_found", "member 22 not found"));
        assert_ne!(first, of("platform", "member.updated", "not_found", "member 1 not found"));
        assert_ne!(first, of("faithflow", "member.deleted", "not_found", "member 1 not found"));
        assert_ne!(first, of("faithflow", "member.updated", "gone", "member 1 not found"));
        assert_ne!(of("a", "bc", "", ""), of("ab", "c", "", ""), "the parts do not run together");
    }
}
