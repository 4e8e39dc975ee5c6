//! How flags are written as headers: names, and values that a header can carry.

use filter_config::serde_json::Value;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::flag::Payload;

/// What the header of a flag's value begins with.
pub const FLAG: &str = "x-flag-";
/// What the header of a flag's variant begins with.
pub const VARIANT: &str = "x-flagvariant-";
/// What the header of a flag's payload begins with.
pub const PAYLOAD: &str = "x-flagpayload-";
/// The header that says where flags come from.
pub const SOURCE: &str = "x-flags-source";

/// A flag's name as headers carry it: in lower case, and bytes outside `[a-z0-9._-]` as `%xx`. The digits are in lower
/// case too, as HTTP/2 has header names.
#[must_use]
pub fn encoded(flag: &str) -> String {
    let mut name = String::with_capacity(flag.len());
    for byte in flag.bytes() {
        let lower = byte.to_ascii_lowercase();
        if lower.is_ascii_alphanumeric() || matches!(lower, b'.' | b'_' | b'-') {
            name.push(char::from(lower));
        } else {
            name.push_str(&format!("%{byte:02x}"));
        }
    }
    name
}

/// What the W3C's Baggage can't hold in a value, and `%` itself. A space is fine inside a header's value, but not at its
/// ends.
const TEXT: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b',').add(b';').add(b'\\').add(b'%');

/// Text as a header's value: percent-encoded by the rule of W3C Baggage for values, so that any library for it decodes it.
#[must_use]
pub fn encoded_text(text: &str) -> String {
    utf8_percent_encode(text, TEXT).to_string()
}

/// A payload as a header's value: text percent-encoded, a number as it is, JSON on one line of ASCII.
#[must_use]
pub fn encoded_payload(payload: &Payload) -> String {
    match payload {
        Payload::Text(text) => encoded_text(text),
        Payload::Number(number) => number.to_string(),
        Payload::Json(value) => ascii_json(value),
    }
}

/// JSON in which every character beyond ASCII stands as `\uXXXX`: outside of its strings there are none.
fn ascii_json(value: &Value) -> String {
    let text = value.to_string();
    if text.is_ascii() && !text.contains('\u{7f}') {
        return text;
    }
    let mut ascii = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() && character != '\u{7f}' {
            ascii.push(character);
        } else {
            let mut units = [0; 2];
            character.encode_utf16(&mut units).iter().for_each(|unit| ascii.push_str(&format!("\\u{unit:04x}")));
        }
    }
    ascii
}

/// The headers of one flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagHeaders {
    /// The name inside of the header names; also its key in the header for all.
    pub name: String,
    /// Of its value.
    pub flag: String,
    /// Of its variant's name.
    pub variant: String,
    /// Of its payload.
    pub payload: String,
}

impl FlagHeaders {
    /// The headers of a flag of this name.
    #[must_use]
    pub fn of(flag: &str) -> Self {
        let name = encoded(flag);
        Self {
            flag: format!("{FLAG}{name}"),
            variant: format!("{VARIANT}{name}"),
            payload: format!("{PAYLOAD}{name}"),
            name,
        }
    }
}

/// `_` as `-`: many servers fold both into one variable, so `x_flag_a` would be believed for `x-flag-a`.
#[must_use]
pub fn folded(name: &[u8]) -> Vec<u8> {
    name.iter().map(|byte| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use filter_config::serde_json::json;

    #[test]
    fn names_are_tokens_of_headers() {
        let cases = [
            ("new-ui-enabled", "new-ui-enabled"),
            ("New.UI_2", "new.ui_2"),
            ("a b/c", "a%20b%2fc"),
            ("José", "jos%c3%a9"),
            ("50%", "50%25"),
        ];
        for (flag, expected) in cases {
            assert_eq!(encoded(flag), expected);
        }
    }

    #[test]
    fn values_are_ascii_on_one_line() {
        let text = |text: &str| encoded_payload(&Payload::Text(text.to_owned()));
        let cases = [("plain-1/x", "plain-1/x"), (" a,b;c\n", "%20a%2Cb%3Bc%0A"), ("100%", "100%25"), ("é", "%C3%A9")];
        for (value, expected) in cases {
            assert_eq!(text(value), expected);
        }
        assert_eq!(
            encoded_payload(&Payload::Json(json!({"a": ["é", "😀", "\n"]}))),
            r#"{"a":["\u00e9","\ud83d\ude00","\n"]}"#
        );
        assert_eq!(encoded_payload(&Payload::Number(30.into())), "30");
    }
}
