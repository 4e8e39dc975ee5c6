//! What bodies are made of: words without personal data, the same with a value in each kB, and text full of escapes.

use std::fmt::Write;

/// The distance from one value to the next, in bytes.
const EVERY: usize = 1000;

/// Words as they stand in technical prose; nothing of it is anybody's. Numbers come with the words around them, since any two in
/// a row could be a telephone's.
const WORDS: [&str; 62] = [
    "The",
    "mesh",
    "knows",
    "where",
    "each",
    "call",
    "goes,",
    "but",
    "not",
    "what",
    "it",
    "says;",
    "that",
    "takes",
    "a",
    "reader.",
    "In 2019 nobody",
    "asked",
    "for",
    "this,",
    "and",
    "today",
    "every",
    "service",
    "sends",
    "text",
    "to",
    "models",
    "outside.",
    "When",
    "an",
    "answer",
    "comes",
    "back",
    "after 3 seconds",
    "(or 40 of them),",
    "its",
    "stream",
    "is",
    "read",
    "again:",
    "chunk",
    "by",
    "chunk,",
    "word",
    "by",
    "word.",
    "Retries",
    "of",
    "status 503 are",
    "rare",
    "at 0.2% per hour.",
    "Deployment",
    "names",
    "follow",
    "team/service-name",
    "as",
    "before.",
    "Who",
    "would",
    "have",
    "thought?",
];

/// The inside of JSON strings: line breaks, quotes, letters written as escapes, surrogate pairs, and Chinese, Japanese and
/// Korean as they are.
const ESCAPED: [&str; 20] = [
    r"line one\nline two ",
    r#"she said \"yes\" "#,
    r"\tindented\t",
    r"M\u00fcnchen ",
    r"caf\u00e9 ",
    r"C:\\temp\\file ",
    r"\ud83d\ude00 ",
    r"\u4f60\u597d ",
    r"a\/b ",
    r"done.\r\n\r\n",
    "请求在离开代理之前被检查。",
    "每个事件只读一次,",
    "流式响应不会被缓冲。",
    "この文章には個人情報がありません。",
    "モデルの応答も同じように読まれます、",
    "응답은 한 번만 읽습니다. ",
    "값이 없는 문장입니다. ",
    "plain words between ",
    "größer und kleiner ",
    "déjà vu ",
];

/// Text for the inside of a JSON string.
pub(crate) struct Text {
    pub(crate) bytes: Vec<u8>,
    /// How many values are in it, no two alike.
    pub(crate) values: usize,
}

impl Text {
    /// Prose without anything to be found.
    pub(crate) fn prose(size: usize) -> Self {
        Self::of(&WORDS, size, usize::MAX)
    }

    /// The same with a value in each kB: a mail address, a telephone number, a card and a bank account in turns.
    pub(crate) fn values(size: usize) -> Self {
        Self::of(&WORDS, size, EVERY)
    }

    /// Escapes, and what stands in more than one byte.
    pub(crate) fn escapes(size: usize) -> Self {
        Self::of(&ESCAPED, size, usize::MAX)
    }

    fn of(words: &[&str], size: usize, every: usize) -> Self {
        let mut text = String::with_capacity(size + 100);
        let (mut random, mut next, mut values) = (Random(88_172_645_463_325_252), every, 0);
        while text.len() < size {
            text.push_str(words[random.below(words.len())]);
            if !text.ends_with([' ', ',', '。', '、']) {
                text.push(' ');
            }
            if text.len() >= next {
                // writing to a string cannot fail
                let _ = write!(text, "{} ", value(values));
                values += 1;
                next += every;
            }
        }
        Self { bytes: text.into_bytes(), values }
    }

    /// The words of a stream's events.
    pub(crate) fn words(count: usize) -> impl Iterator<Item = &'static str> {
        let mut random = Random(88_172_645_463_325_252);
        (0..count).map(move |_| WORDS[random.below(WORDS.len())])
    }
}

/// One of endlessly many values, each with right checksums.
fn value(number: usize) -> String {
    match number % 4 {
        0 => format!("user{number}@example.com"),
        1 => format!("+49151{number:08}"),
        2 => card(number),
        _ => account(number),
    }
}

/// A card's number: the last digit is Luhn's (ISO/IEC 7812-1).
fn card(number: usize) -> String {
    let body = format!("4000{number:011}");
    let sum: u32 = body.bytes().rev().enumerate().map(|(place, digit)| luhn(place, u32::from(digit - b'0'))).sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

/// What a digit adds to Luhn's sum, by its place before the last digit.
fn luhn(place: usize, digit: u32) -> u32 {
    let doubled = if place.is_multiple_of(2) { 2 * digit } else { digit };
    doubled / 10 + doubled % 10
}

/// A German IBAN: the digits after the country make it 1 modulo 97 (ISO 13616).
fn account(number: usize) -> String {
    let body = format!("37040044{number:010}");
    // D is 13 and E is 14
    let remainder = format!("{body}131400").bytes().fold(0, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97);
    format!("DE{:02}{body}", 98 - remainder)
}

/// Marsaglia's xorshift: the same text at every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_the_inside_of_json_strings_and_hold_what_they_say() {
        for (text, values) in [(Text::prose(5_000), 0), (Text::values(5_000), 5), (Text::escapes(5_000), 0)] {
            let inside = String::from_utf8(text.bytes).unwrap();
            assert!(serde_json::from_str::<String>(&format!("\"{inside}\"")).is_ok());
            assert!((5_000..5_100).contains(&inside.len()));
            assert_eq!((text.values, inside.matches('[').count()), (values, 0));
        }
    }

    #[test]
    fn values_have_the_checksums_of_published_examples() {
        assert_eq!(account(532_013_000), "DE89370400440532013000");
        assert_eq!(card(0), "4000000000000002");
    }
}
