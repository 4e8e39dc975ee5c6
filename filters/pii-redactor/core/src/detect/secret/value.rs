//! Whether what stands beside a name is a secret: how random it looks, and whether it only stands for one.

use crate::detect::is_word;

/// How many bits a character of a random value carries at least (Shannon).
const BITS: f32 = 3.5;

/// How long a random value is at least.
const LENGTH: usize = 8;

/// Words that stand where a secret goes. A value that holds one of them is none.
const EXAMPLES: [&str; 16] = [
    "example",
    "your",
    "changeme",
    "change-me",
    "change_me",
    "placeholder",
    "redacted",
    "dummy",
    "sample",
    "insert",
    "replace",
    "xxxx",
    "****",
    "....",
    "://",
    "undefined",
];

/// How far into a value such words are looked for, in bytes.
const SEARCHED: usize = 48;

/// Whether a value only shows where one goes: a variable, a template, a call, a path, or the same few characters again.
pub(in crate::detect) fn is_placeholder(value: &[u8]) -> bool {
    let Some(first) = value.first() else { return true };
    let second = value.get(1).copied().unwrap_or_default();
    let opens = match first {
        b'$' => second == b'{' || second == b'(' || second == b'_' || second.is_ascii_alphabetic(),
        b'{' | b'<' | b'[' | b'(' => true,
        b'%' => value.ends_with(b"%") || second == b'(' || second == b's',
        b'/' => value.iter().skip(1).any(|byte| *byte == b'/'),
        b'.' | b'~' => second == b'/' || second == b'.',
        b'@' | b'&' | b'*' => {
            value.iter().skip(1).all(|byte| is_word(*byte) || *byte == b'_') && !value.iter().any(u8::is_ascii_digit)
        }
        _ => false,
    };
    let beginning = value.get(..SEARCHED).unwrap_or(value);
    opens || has_template(value) || kinds(value) <= 2 || EXAMPLES.iter().any(|word| has(beginning, word.as_bytes()))
}

fn has_template(value: &[u8]) -> bool {
    [&b"${"[..], b"{{", b"<%", b"$(", b"}}"].iter().any(|sign| value.windows(2).any(|part| part == *sign))
}

/// How many different bytes there are.
fn kinds(value: &[u8]) -> u32 {
    let mut seen = [0_u128; 2];
    for byte in value {
        if let Some(half) = seen.get_mut(usize::from(byte >> 7)) {
            *half |= 1 << (byte & 127);
        }
    }
    seen.iter().map(|half| half.count_ones()).sum()
}

fn has(value: &[u8], word: &[u8]) -> bool {
    value.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}

/// Whether a value looks random: long enough, of many different characters, with digits or capital letters within, and not made of
/// words.
pub(in crate::detect) fn is_random(value: &[u8]) -> bool {
    let digits = value.iter().any(u8::is_ascii_digit);
    let mixed = value.iter().any(u8::is_ascii_uppercase) && value.iter().any(u8::is_ascii_lowercase);
    let file = value.contains(&b'/') && value.contains(&b'.');
    let words = if digits { is_words(value) } else { word_bytes(value) * 2 > value.len() };
    value.len() >= LENGTH && (digits || mixed) && !file && !words && bits(value) >= BITS
}

/// Whether a value may be a password that a person made up: six characters, and not of one kind only.
pub(super) fn is_password(value: &[u8], quoted: bool) -> bool {
    if value.len() < 6 || !value.is_ascii() && value.len() < 9 {
        return false;
    }
    // A sentence may end behind it.
    let value = value.strip_suffix(b"!").or_else(|| value.strip_suffix(b"?")).unwrap_or(value);
    let has = |kind: fn(&u8) -> bool| value.iter().any(kind);
    let digits = has(u8::is_ascii_digit);
    let letters = has(u8::is_ascii_alphabetic);
    let signs = has(|byte| !is_word(*byte) && !matches!(byte, b'-' | b'_' | b'.' | b',' | b'/' | b'\'' | b'(' | b')'));
    let joined = quoted && letters && has(|byte| matches!(byte, b'-' | b'_' | b'.'));
    let mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && !is_words(value);
    digits || (letters && (signs || joined || mixed))
}

/// Whether it is an expression of code: a call, an element, a path of names.
pub(super) fn is_code(value: &[u8], quoted: bool) -> bool {
    let constant = value.contains(&b'_') && value.iter().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'));
    if quoted {
        return constant && is_words(value);
    }
    let value = value.strip_prefix(b"&").or_else(|| value.strip_prefix(b"*")).unwrap_or(value);
    let opens = value.iter().position(|byte| matches!(byte, b'(' | b'[' | b'{'));
    let called =
        opens.and_then(|at| value.get(..at)).is_some_and(|part| !part.is_empty() && part.iter().all(is_in_path));
    let path = value.contains(&b'.') && value.split(|byte| *byte == b'.').all(is_name);
    let scoped = value.windows(2).any(|part| part == b"::") && value.iter().all(is_in_path);
    constant && is_words(value) || called || path || scoped
}

/// Whether a byte may stand in a path of names: `a.b`, `a::b`, `a->b`, `a?.b`.
fn is_in_path(byte: &u8) -> bool {
    is_word(*byte) || matches!(byte, b'_' | b'.' | b'$' | b'?' | b'!' | b':' | b'>' | b'-')
}

/// Whether a part of a path is a name, as code has them.
fn is_name(part: &[u8]) -> bool {
    part.first().is_some_and(|first| first.is_ascii_alphabetic() || *first == b'_')
        && part.iter().all(|byte| is_word(*byte) || *byte == b'_')
        && (part.len() < 8 || is_words(part))
}

/// Whether most of a value is words.
fn is_words(value: &[u8]) -> bool {
    let letters = value.iter().filter(|byte| is_word(**byte)).count();
    word_bytes(value) * 10 >= letters * 7
}

/// How many bytes of a value are words: four letters and more in a row that are small but for the first, or five capital ones.
fn word_bytes(value: &[u8]) -> usize {
    let (mut sum, mut small, mut capitals) = (0, 0, 0);
    for byte in value.iter().chain(b".") {
        match byte {
            b'a'..=b'z' => small += 1,
            b'A'..=b'Z' if small == 0 => capitals += 1,
            _ => {
                sum += word_length(small, capitals);
                (small, capitals) = (0, usize::from(byte.is_ascii_uppercase()));
            }
        }
    }
    sum
}

/// How long a word of small letters behind capital ones is; 0 where it is too short for one.
fn word_length(small: usize, capitals: usize) -> usize {
    match (small, capitals) {
        (0, 5..) => capitals,
        (4.., 0) => small,
        (3.., 1..) => small + 1,
        _ => 0,
    }
}

/// How many bits a character carries: the entropy of how often each comes.
fn bits(value: &[u8]) -> f32 {
    let mut counts = [0_u16; 256];
    for byte in value {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count = count.saturating_add(1);
        }
    }
    let length = value.len() as f32;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f32::from(*count) / length)
        .map(|part| -part * part.log2())
        .sum()
}
