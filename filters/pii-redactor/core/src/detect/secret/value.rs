//! Whether what stands beside a name is a secret: how random it looks, and whether it only stands for one.

use crate::detect::is_word;

/// How many bits a character of a random value carries at least (Shannon).
const BITS: f32 = 3.5;

/// The same where there are but sixteen characters: a random digit carries 4 bits, and few of them less.
const HEX_BITS: f32 = 2.8;

/// How many hexadecimal digits a random value has at least.
const HEX_LENGTH: usize = 16;

/// How long a random value is at least.
const LENGTH: usize = 8;

/// How long a value is at least that stands in a sentence, where nothing but its looks says that it is one.
const IN_SENTENCE: usize = 10;

/// How long a key in base64 is at least that may begin as a path does.
const KEY: usize = 32;

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
        b'/' => value.iter().skip(1).any(|byte| *byte == b'/') && !is_key(value),
        b'.' | b'~' => second == b'/' || second == b'.',
        b'@' | b'&' | b'*' => {
            value.iter().skip(1).all(|byte| is_word(*byte) || *byte == b'_') && !value.iter().any(u8::is_ascii_digit)
        }
        _ => false,
    };
    let beginning = value.get(..SEARCHED).unwrap_or(value);
    opens || has_template(value) || kinds(value) <= 2 || EXAMPLES.iter().any(|word| has(beginning, word.as_bytes()))
}

/// Whether a value is a key in base64, and no path of directories.
fn is_key(value: &[u8]) -> bool {
    let has = |kind: fn(&u8) -> bool| value.iter().any(kind);
    value.len() >= KEY
        && value.iter().all(|byte| is_word(*byte) || matches!(byte, b'/' | b'+' | b'='))
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && word_bytes(value) * 4 < value.len()
}

/// Whether the last characters of a token are all the same: a mask (`ghp_xxxx…`).
pub(in crate::detect) fn is_masked(token: &[u8]) -> bool {
    token.last_chunk::<12>().is_some_and(|tail| kinds(tail) == 1)
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
    if is_random_hex(value) {
        return true;
    }
    let file = value.contains(&b'/') && value.contains(&b'.');
    let words = if digits { is_words(value) } else { word_bytes(value) * 2 > value.len() };
    value.len() >= LENGTH && (digits || mixed) && !file && !words && bits(value) >= BITS
}

/// Whether a value is of hexadecimal digits, letters among them, that are no pattern.
fn is_random_hex(value: &[u8]) -> bool {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    value.len() >= HEX_LENGTH
        && (1..value.len()).contains(&digits)
        && value.iter().all(u8::is_ascii_hexdigit)
        && bits(value) >= HEX_BITS
}

/// Whether a value in a sentence is a token or a password by its looks alone: letters, digits and capitals in turns, or what has
/// small and capital letters, digits and signs.
pub(super) fn is_made_up(value: &[u8]) -> bool {
    // A sentence may end behind it.
    let value = value.strip_suffix(b"!").or_else(|| value.strip_suffix(b"?")).unwrap_or(value);
    let plain = value.iter().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b':' | b'@' | b'(' | b')'));
    let [small, capitals, digits, signs] = Class::ALL.map(|class| value.iter().any(|byte| Class::of(*byte) == class));
    if !digits || !(small || capitals) || word_bytes(value) * 2 >= value.len() && !signs {
        return false;
    }
    let turns =
        value.iter().zip(value.iter().skip(1)).filter(|(one, next)| Class::of(**one) != Class::of(**next)).count();
    let token = small && capitals && value.len() >= IN_SENTENCE && turns * 4 >= value.len();
    let password = small && capitals && signs && plain && value.len() >= LENGTH;
    is_random_hex(value) || token && value.iter().all(is_in_token) || password
}

/// Whether a value has small and capital letters, and two digits.
pub(super) fn has_classes(value: &[u8]) -> bool {
    let has = |kind: fn(&u8) -> bool| value.iter().any(kind);
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) && digits >= 2
}

fn is_in_token(byte: &u8) -> bool {
    is_word(*byte) || matches!(byte, b'-' | b'_' | b'+' | b'/' | b'=')
}

/// The classes of characters that rules for passwords count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Small,
    Capital,
    Digit,
    Sign,
    /// What names and words are joined with.
    Joint,
}

impl Class {
    const ALL: [Self; 4] = [Self::Small, Self::Capital, Self::Digit, Self::Sign];

    const fn of(byte: u8) -> Self {
        match byte {
            b'a'..=b'z' => Self::Small,
            b'A'..=b'Z' => Self::Capital,
            b'0'..=b'9' => Self::Digit,
            b'-' | b'_' | b'.' | b',' | b'/' | b'\'' | b'(' | b')' | b':' => Self::Joint,
            _ => Self::Sign,
        }
    }
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
