//! Words that begin nothing, told apart from others in one pass over their letters: almost all of a text is made of them.
//!
//! A calm number is short, and stands alone in a sentence. A calm word has letters only, all of them small but perhaps the first, and what follows it can't be part of a value. No detector
//! asks for such a word, but for names of months, and words that say that a secret follows: these are not calm.

use super::CONTEXT;
use crate::runs;

/// The longest calm word, in bytes. Tokens without digits are longer.
const LONGEST: usize = 24;

/// How words end that say that a secret follows, as [`super::secret`] knows them: `password`, `passphrase`, `pass`, `secret`,
/// `token`, `credentials`, `auth`, `key`, `bearer`, `basic`, `sig`, `passe`, `senha` …
const TELLING_ENDS: &[[u8; 3]] = &[
    *b"swd", *b"ord", *b"pwd", *b"ase", *b"ode", *b"ass", *b"ort", *b"ret", *b"ken", *b"ial", *b"als", *b"uth",
    *b"key", *b"rer", *b"sic", *b"sig", *b"sse", *b"nha",
];

/// How months begin.
const MONTHS: &[[u8; 3]] =
    &[*b"jan", *b"feb", *b"mar", *b"apr", *b"may", *b"jun", *b"jul", *b"aug", *b"sep", *b"oct", *b"nov", *b"dec"];

/// Three letters in one byte: those of a list are looked for only where one of them may be it.
const fn mixed(letters: &[u8; 3]) -> u8 {
    let [first, second, third] = *letters;
    first.wrapping_mul(37) ^ second.wrapping_mul(11) ^ third
}

/// Which bytes the lists' letters make.
const MAYBE: [bool; 256] = {
    let mut maybe = [false; 256];
    let mut lists = [TELLING_ENDS, MONTHS].as_slice();
    while let Some((list, others)) = lists.split_first() {
        let mut rest = *list;
        while let Some((letters, more)) = rest.split_first() {
            if let Some((place, _)) = maybe.split_at_mut(mixed(letters) as usize).1.split_first_mut() {
                *place = true;
            }
            rest = more;
        }
        lists = others;
    }
    maybe
};

fn is_in(list: &[[u8; 3]], letters: &[u8; 3]) -> bool {
    MAYBE.get(usize::from(mixed(letters))) == Some(&true) && list.contains(letters)
}

/// Whether what follows a word can't be part of a value; for a dot that depends on what follows it.
const fn ends(byte: u8) -> bool {
    matches!(byte, b' ' | b',' | b';' | b'!' | b'?' | b')' | b'\n' | b'"')
}

/// The longest calm number, in digits. Those of people have more.
const DIGITS: usize = 5;

/// How words begin that may follow the day of a date: months in six languages, and what stands before them.
const BEHIND_DAYS: &[[u8; 3]] = &[
    *b"jan", *b"feb", *b"mar", *b"apr", *b"may", *b"jun", *b"jul", *b"aug", *b"sep", *b"oct", *b"nov", *b"dec",
    *b"okt", *b"dez", *b"mrz", *b"aou", *b"mai", *b"avr", *b"jui", *b"jan", *b"ene", *b"abr", *b"ago", *b"dic",
    *b"gen", *b"mag", *b"giu", *b"lug", *b"set", *b"ott", *b"fev", *b"out", *b"de ", *b"of ",
];

/// How long the calm number is: a short one by itself, in a sentence.
fn number(text: &[u8], at: usize, rest: &[u8]) -> Option<usize> {
    let count = rest.iter().take(DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
    let (first, second) = (*text.get(at.checked_sub(2)?)?, *text.get(at - 1)?);
    let alone = second == b' ' && (first.is_ascii_lowercase() || first == b',');
    let calm = match rest.get(count..count + 4)? {
        [b' ', word @ ..] => {
            // a month may begin with a letter that is none of ASCII
            let letters =
                word.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b' ') && word.first() != Some(&b' ');
            letters && (count > 2 || !BEHIND_DAYS.iter().any(|start| start == word))
        }
        [b',' | b';' | b')', b' ' | b'\n', ..] => true,
        _ => false,
    };
    (alone && calm && count <= DIGITS).then_some(count)
}

/// How long the calm word is that begins at a place where a word begins; none where it is none, or can't be told yet.
#[must_use]
pub fn calm(text: &[u8], at: usize) -> Option<usize> {
    // near the beginning the name of a field may say what the text is
    if at < CONTEXT {
        return None;
    }
    let rest = text.get(at..)?;
    let (first, small) = rest.split_first()?;
    if first.is_ascii_digit() {
        return number(text, at, rest);
    }
    let count = runs::of_small_letters(small, LONGEST);
    let end = *small.get(count)?;
    let ended = ends(end) || (end == b'.' && matches!(small.get(count + 1)?, b' ' | b'\n'));
    let lone_capital = count == 0 && first.is_ascii_uppercase();
    if !ended || count > LONGEST || !first.is_ascii_alphabetic() || lone_capital {
        return None;
    }
    let word = rest.get(..=count)?;
    if let (Some([first, second, third]), Some([before, middle, last])) =
        (word.first_chunk::<3>(), word.last_chunk::<3>())
        && (is_in(MONTHS, &[first | 0x20, *second, *third]) || is_in(TELLING_ENDS, &[before | 0x20, *middle, *last]))
    {
        return None;
    }
    Some(word.len())
}
