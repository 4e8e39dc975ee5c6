//! International names in their ASCII form (`bücher.example` is `xn--bcher-kva.example`), for the letters that most names use.
//!
//! The full tables of UTS #46 weigh as much as the rest of the filter, for names that are nearly always written in ASCII: a
//! TLS client and an HTTP client have to send the ASCII form (RFC 6066, section 3; RFC 9110, section 4.2.3). So here stands
//! the part of UTS #46 that only lowers case, folds full-width forms and dots, and takes out what is not seen. What is beyond
//! it is refused, never guessed: a name that this turns into ASCII is turned into the same by the whole of UTS #46, which a
//! test shows for every character and for the published vectors.

use std::fmt::Write;

/// Blocks of letters whose only mapping is to lower case, from the first to the last, and no combining marks among them.
/// Right-to-left scripts are left out: a name in them has to pass more rules than a mapping.
const LETTERS: &[(u32, u32)] = &[
    (0x00c0, 0x00d6), // Latin-1, capital
    (0x00d8, 0x00de), // less the multiplication sign
    (0x00df, 0x00f6), // Latin-1, small
    (0x00f8, 0x00ff), // less the division sign
    (0x0100, 0x012f), // Latin Extended-A, less İ, ligatures, middle dots, ŉ and ſ
    (0x0131, 0x0131),
    (0x0134, 0x013e),
    (0x0141, 0x0148),
    (0x014a, 0x017e),
    (0x01cd, 0x01dc), // Latin Extended-B with caron, as in Pinyin
    (0x0218, 0x021b), // Romanian
    (0x0386, 0x0386), // Greek
    (0x0388, 0x038a),
    (0x038c, 0x038c),
    (0x038e, 0x03a1),
    (0x03a3, 0x03ce),
    (0x0400, 0x0481), // Cyrillic
    (0x048a, 0x04bf),
    (0x04c1, 0x052f),
    (0x0531, 0x0556), // Armenian
    (0x0561, 0x0586),
    (0x0e01, 0x0e30), // Thai, its letters
    (0x10d0, 0x10fa), // Georgian
    (0x1e00, 0x1e99), // Latin Extended Additional
    (0x1ea0, 0x1eff),
    (0x3041, 0x3096), // Hiragana
    (0x30a1, 0x30fa), // Katakana
    (0x30fc, 0x30fe),
    (0x3105, 0x312f), // Bopomofo
    (0x3400, 0x4dbf), // CJK
    (0x4e00, 0x9fff),
    (0xac00, 0xd7a3), // Hangul
];

/// A name with its labels in ASCII, in lower case; none where that takes more than is here, and where there is no such form.
#[must_use]
pub fn to_ascii(name: &str) -> Option<String> {
    let mut mapped = String::with_capacity(name.len());
    for letter in name.chars() {
        map(letter, &mut mapped)?;
    }
    let mut ascii = String::with_capacity(mapped.len());
    for (place, label) in mapped.split('.').enumerate() {
        if place > 0 {
            ascii.push('.');
        }
        // of a name that is in ASCII already every label passes as it is; otherwise one that became an encoded form by mapping
        // would be two names
        if !name.is_ascii() && hyphens(label) {
            return None;
        }
        if label.is_ascii() {
            ascii.push_str(label);
        } else {
            let _written = write!(ascii, "xn--{}", encode(label)?);
        }
    }
    Some(ascii)
}

/// Whether hyphens stand where UTS #46 allows none (section 4.1, validity criteria 2 and 3). Encoded forms (`xn--`) are among
/// those.
fn hyphens(label: &str) -> bool {
    label.starts_with('-') || label.ends_with('-') || label.chars().skip(2).take(2).eq(['-', '-'])
}

fn map(letter: char, to: &mut String) -> Option<()> {
    match letter {
        '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}' => {}
        '。' | '．' | '｡' => to.push('.'),
        // full-width forms of ASCII
        '！'..='～' => to.push(char::from_u32(u32::from(letter).checked_sub(0xfee0)?)?.to_ascii_lowercase()),
        _ if letter.is_ascii() => to.push(letter.to_ascii_lowercase()),
        _ if LETTERS.iter().any(|(first, last)| (*first..=*last).contains(&u32::from(letter))) => {
            to.extend(letter.to_lowercase());
        }
        _ => return None,
    }
    Some(())
}

/// The parameters of RFC 3492, section 5.
const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;
const SKEW: u32 = 38;
const DAMP: u32 = 700;
const FIRST_BIAS: u32 = 72;
const FIRST_NUMBER: u32 = 0x80;

/// Punycode (RFC 3492, section 6.3) of one label.
fn encode(label: &str) -> Option<String> {
    let mut code: String = label.chars().filter(char::is_ascii).collect();
    let basic = u32::try_from(code.len()).ok()?;
    if basic > 0 {
        code.push('-');
    }
    let (mut number, mut delta, mut bias, mut handled) = (FIRST_NUMBER, 0_u32, FIRST_BIAS, basic);
    let length = u32::try_from(label.chars().count()).ok()?;
    while handled < length {
        let next = label.chars().map(u32::from).filter(|letter| *letter >= number).min()?;
        delta = delta.checked_add(next.checked_sub(number)?.checked_mul(handled.checked_add(1)?)?)?;
        number = next;
        for letter in label.chars().map(u32::from) {
            if letter < number {
                delta = delta.checked_add(1)?;
            }
            if letter == number {
                put(delta, bias, &mut code)?;
                bias = adapted(delta, handled.checked_add(1)?, handled == basic)?;
                delta = 0;
                handled = handled.checked_add(1)?;
            }
        }
        delta = delta.checked_add(1)?;
        number = number.checked_add(1)?;
    }
    Some(code)
}

/// A number in digits of varying weight.
fn put(number: u32, bias: u32, code: &mut String) -> Option<()> {
    let (mut rest, mut place) = (number, BASE);
    loop {
        let threshold = threshold(place, bias);
        if rest < threshold {
            code.push(digit(rest)?);
            return Some(());
        }
        let over = rest.checked_sub(threshold)?;
        let radix = BASE.checked_sub(threshold)?;
        code.push(digit(threshold.checked_add(over.checked_rem(radix)?)?)?);
        rest = over.checked_div(radix)?;
        place = place.checked_add(BASE)?;
    }
}

fn threshold(place: u32, bias: u32) -> u32 {
    place.saturating_sub(bias).clamp(T_MIN, T_MAX)
}

fn digit(value: u32) -> Option<char> {
    char::from_digit(if value < 26 { value.checked_add(10)? } else { value.checked_sub(26)? }, BASE)
}

fn adapted(delta: u32, points: u32, first: bool) -> Option<u32> {
    let mut delta = if first { delta / DAMP } else { delta / 2 };
    delta = delta.checked_add(delta.checked_div(points)?)?;
    let mut bias = 0_u32;
    while delta > (BASE - T_MIN) * T_MAX / 2 {
        delta /= BASE - T_MIN;
        bias = bias.checked_add(BASE)?;
    }
    bias.checked_add((BASE - T_MIN + 1).checked_mul(delta)?.checked_div(delta.checked_add(SKEW)?)?)
}

/// The letters of an encoded label (RFC 3492, section 6.2), its `xn--` taken off; none where it is no such code.
#[must_use]
pub fn decode(code: &str) -> Option<String> {
    let (basic, digits) = code.rsplit_once('-').filter(|(basic, _)| !basic.is_empty()).unwrap_or(("", code));
    let mut letters: Vec<char> = basic.chars().collect();
    let (mut number, mut at, mut bias) = (FIRST_NUMBER, 0_u32, FIRST_BIAS);
    let mut digits = digits.chars().peekable();
    while digits.peek().is_some() {
        let (before, mut weight, mut place) = (at, 1_u32, BASE);
        loop {
            let value = match digits.next()? {
                letter @ 'a'..='z' => u32::from(letter).checked_sub(u32::from('a'))?,
                letter @ '0'..='9' => u32::from(letter).checked_sub(u32::from('0'))?.checked_add(26)?,
                _ => return None,
            };
            at = at.checked_add(value.checked_mul(weight)?)?;
            let threshold = threshold(place, bias);
            if value < threshold {
                break;
            }
            weight = weight.checked_mul(BASE.checked_sub(threshold)?)?;
            place = place.checked_add(BASE)?;
        }
        let points = u32::try_from(letters.len()).ok()?.checked_add(1)?;
        bias = adapted(at.checked_sub(before)?, points, before == 0)?;
        number = number.checked_add(at.checked_div(points)?)?;
        at = at.checked_rem(points)?;
        letters.insert(usize::try_from(at).ok()?, char::from_u32(number)?);
        at = at.checked_add(1)?;
    }
    Some(letters.into_iter().collect())
}
