//! What in a text is a value: which detectors are asked at a place, and what they answer.
//!
//! A detector is a function of a [`View`] alone: it says what begins at this place, or a little after it. It never guesses:
//! form, range and checksum first, then the words before it. Each family says where its rules come from.

mod bank;
mod calm;
mod checksum;
mod crypto;
mod custom;
mod date;
mod document;
mod email;
mod entity;
mod form;
mod identity;
mod network;
mod phone;
mod secret;
mod view;

pub use self::{
    calm::calm,
    custom::Patterns,
    entity::{Entity, EntitySet},
    view::{CONTEXT, FAR, NEAR, View, is_word},
};

/// A value that was found: where, as offsets from the view's place, and how sure that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
    /// The kind.
    pub entity: Entity,
    /// How sure, from 0 to 100: a checksum over many digits or an unmistakable form is 90 and more; a form with its words 70
    /// and more; less is a guess.
    pub confidence: u8,
}

/// A word at the view's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// Its length in bytes: letters and digits of ASCII. [`NEAR`] where it is longer than that.
    pub length: usize,
    /// Whether it has a digit.
    pub digits: bool,
    /// Whether it has a letter.
    pub letters: bool,
    /// The byte behind it; none where the text ends, or where the word is longer than is seen.
    pub next: Option<u8>,
}

impl Word {
    /// The word at the view's place; its length is 0 where there is none.
    #[must_use]
    pub fn at(view: &View<'_>) -> Self {
        let mut word = Self { length: 0, digits: false, letters: false, next: None };
        for byte in view.near() {
            match byte {
                b'0'..=b'9' => word.digits = true,
                b'a'..=b'z' | b'A'..=b'Z' => word.letters = true,
                _ => break,
            }
            word.length += 1;
        }
        if word.length < NEAR {
            word.next = view.byte(word.length);
        }
        word
    }
}

/// Asks the detectors of `wanted` kinds what begins at the view's place: a word (the byte before is of none), or a sign at which a
/// value may begin ([`is_sign`]). Nothing that was found counts while [`View::short`].
pub fn look(view: &View<'_>, wanted: EntitySet, found: &mut Vec<Found>) {
    let Some(first) = view.byte(0) else { return };
    if !is_word(first) {
        return look_at_sign(view, first, wanted, found);
    }
    let word = Word::at(view);
    email::look(view, word, wanted, found);
    secret::look(view, word, wanted, found);
    network::look(view, word, wanted, found);
    if word.digits || first.is_ascii_digit() {
        crypto::look(view, word, wanted, found);
        if !form::continues(view) {
            bank::look(view, word, wanted, found);
            identity::look(view, word, wanted, found);
            document::look(view, word, wanted, found);
            phone::look(view, word, wanted, found);
        }
    } else {
        identity::look_at_letters(view, word, wanted, found);
        document::look_at_letters(view, word, wanted, found);
    }
    date::look(view, word, wanted, found);
}

/// Whether a value may begin at this sign: `+` and `(` of telephones, `-` of PEM, `:` of IPv6.
#[must_use]
pub const fn is_sign(byte: u8) -> bool {
    matches!(byte, b'+' | b'(' | b'-' | b':')
}

/// What begins at a sign.
fn look_at_sign(view: &View<'_>, sign: u8, wanted: EntitySet, found: &mut Vec<Found>) {
    match sign {
        b'+' | b'(' => phone::look_at_sign(view, wanted, found),
        b'-' => secret::look_at_dash(view, wanted, found),
        b':' => network::look_at_colon(view, wanted, found),
        _ => {}
    }
}
