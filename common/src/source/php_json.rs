//! The same JSON as PHP's `json_encode` writes it: compact, `/` as `\/`, everything outside ASCII as `\uXXXX`.
//!
//! Works on the text, so that numbers keep their spelling (`0.0` stays `0.0`).

use std::fmt::Write;

/// The body as PHP would have written it; `None` where it is not UTF-8 or already looks like that.
pub(super) fn normalised(body: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let mut out = String::with_capacity(text.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        match c {
            c if !c.is_ascii() => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}").ok()?;
                }
            }
            '/' if quoted && !escaped => out.push_str("\\/"),
            '"' if !escaped => {
                quoted = !quoted;
                out.push('"');
            }
            ' ' | '\t' | '\r' | '\n' if !quoted => {}
            other => out.push(other),
        }
        escaped = quoted && !escaped && c == '\\';
    }
    (out.as_bytes() != body).then(|| out.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_comes_out_as_php_writes_it() {
        let raw = "{\n  \"contact\": {\"id\": 1, \"sourceURL\": \"https://x.io/p\", \"fields\": [{\"fieldName\": \"Prénom\", \
                   \"value\": \"Zoë\"}]}\n}";
        let php = r#"{"contact":{"id":1,"sourceURL":"https:\/\/x.io\/p","fields":[{"fieldName":"Pr\u00e9nom","value":"Zo\u00eb"}]}}"#;
        assert_eq!(normalised(raw.as_bytes()).as_deref(), Some(php.as_bytes()));
        assert_eq!(normalised(php.as_bytes()), None);
    }

    #[test]
    fn escapes_and_numbers_keep_their_spelling() {
        let raw = r#"{"a": "q\"/\\", "b": 0.0, "c": "😀"}"#;
        let php = r#"{"a":"q\"\/\\","b":0.0,"c":"\ud83d\ude00"}"#;
        assert_eq!(normalised(raw.as_bytes()).as_deref(), Some(php.as_bytes()));
    }
}
