//! Text of logs in YAML and on a terminal. A log holds words of clients, so none of them goes there as it stands.

/// The longest text that is shown, in characters.
const LONGEST: usize = 120;

/// Words that YAML 1.1 reads as something else than text.
const WORDS: [&str; 10] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n", "nan"];

/// A text on one line, for a comment or a terminal: ASCII, with everything else escaped, and cut where it is long.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::new();
    for (count, letter) in text.chars().enumerate() {
        if count == LONGEST {
            shown.push_str("...");
            break;
        }
        match letter {
            ' '..='~' if letter != '\\' => shown.push(letter),
            _ => shown.extend(letter.escape_default()),
        }
    }
    shown
}

/// A text as a scalar: plain where no reader of YAML could take it for anything else, else in quotes, as in JSON.
pub(crate) fn scalar(text: &str) -> String {
    let plain = text.starts_with(|letter: char| letter.is_ascii_lowercase())
        && text.ends_with(|letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'/'))
        && !WORDS.contains(&text);
    if plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn what_is_shown_is_one_line_of_ascii() {
        assert_eq!(shown("a b\n\u{1b}[31m\u{2028}ü\\"), "a b\\n\\u{1b}[31m\\u{2028}\\u{fc}\\\\");
        assert_eq!(shown(&"x".repeat(500)).len(), LONGEST + 3);
    }

    #[test]
    fn every_scalar_comes_back() {
        for text in ["api.openai.com", "off", "1.2", "y", "", "a: b", "*.x", "x\n- y", "\u{2028}", "a #b", "0x1f", "-"]
        {
            let back: Value = serde_saphyr::from_str(&format!("[{}]", scalar(text))).unwrap();
            assert_eq!(back, serde_json::json!([text]));
        }
    }
}
