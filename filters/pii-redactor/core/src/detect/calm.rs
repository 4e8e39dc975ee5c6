//! Words that begin nothing, told apart from others in one pass over their letters: almost all of a text is made of them.
//!
//! A calm word has letters only, all of them small but perhaps the first, and what follows it can't be part of a value. No detector
//! asks for such a word, but for names of months, and words that say that a secret follows: these are not calm.

use super::CONTEXT;

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

/// How long the calm word is that begins at a place where a word begins; none where it is none, or can't be told yet.
#[must_use]
pub fn calm(text: &[u8], at: usize) -> Option<usize> {
    // near the beginning the name of a field may say what the text is
    if at < CONTEXT {
        return None;
    }
    let rest = text.get(at..)?;
    let (first, small) = rest.split_first()?;
    let count = small.iter().take(LONGEST).take_while(|byte| byte.is_ascii_lowercase()).count();
    let ends = matches!(small.get(count)?, b' ' | b',' | b';' | b'!' | b'?' | b')' | b'\n');
    if !ends || !first.is_ascii_alphabetic() || (count == 0 && first.is_ascii_uppercase()) {
        return None;
    }
    let word = rest.get(..=count)?;
    if let (Some([first, rest @ ..]), Some(last)) = (word.first_chunk::<3>(), word.last_chunk::<3>()) {
        let [second, third] = *rest;
        if MONTHS.contains(&[first | 0x20, second, third]) || TELLING_ENDS.contains(&[last[0] | 0x20, last[1], last[2]])
        {
            return None;
        }
    }
    Some(word.len())
}
