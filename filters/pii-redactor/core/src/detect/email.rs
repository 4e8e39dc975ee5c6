//! Addresses for mail: a local part (the dot-atom of RFC 5321 with the signs that are in use, and letters of Latin, Greek and
//! Cyrillic by RFC 6531), `@`, and a dotted domain whose last label is a top level domain that exists.
//!
//! A quoted local part (`"john doe"@…`) and a domain in brackets are no address here.

mod tld;

use super::{CONTEXT, Entity, EntitySet, Found, View, Word, is_word};

/// How long a local part is at most (RFC 5321, 4.5.3.1.1).
const LOCAL: usize = 64;

/// How long a domain is at most (RFC 1035).
const DOMAIN: usize = 253;

/// How long a label may be, in bytes: 63 in ASCII, and more where UTF-8 stands for its ASCII form.
const LABEL: usize = 126;

/// How many labels are looked at.
const LABELS: usize = 12;

pub(super) fn look(view: &View<'_>, word: Word, wanted: EntitySet, found: &mut Vec<Found>) {
    if !word.next.is_some_and(|next| next == b'@' || is_local(next)) || !wanted.has(Entity::Email) {
        return;
    }
    let Some(at) = local(view, word.length).filter(|at| !is_covered(view, *at)) else { return };
    let Some(end) = domain(view, at + 1) else { return };
    if is_login(view, at, end) || is_image_scale(view, at + 1, end) || is_in_password(view) {
        return;
    }
    found.push(Found { start: 0, end, entity: Entity::Email, confidence: 95 });
}

/// Whether a byte may stand in a local part: the signs in use, and the bytes of letters from U+00C0 to U+053F.
fn is_local(byte: u8) -> bool {
    is_word(byte)
        || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-' | b'\'' | b'~')
        || matches!(byte, 0x80..=0xbf | 0xc3..=0xd4)
}

/// Where the `@` behind a local part stands.
fn local(view: &View<'_>, from: usize) -> Option<usize> {
    let mut last = b'a';
    for place in from..=LOCAL {
        let byte = view.byte(place)?;
        if byte == b'@' {
            return (last != b'.').then_some(place);
        }
        if !is_local(byte) || (byte == b'.' && last == b'.') {
            return None;
        }
        last = byte;
    }
    None
}

/// Whether the word before belongs to the same local part, which is then found from there.
fn is_covered(view: &View<'_>, at: usize) -> bool {
    if !view.before().is_some_and(is_local) {
        return false;
    }
    let length = (2..=LOCAL).take_while(|count| view.back(*count).is_some_and(is_word)).count();
    length > 0 && length + 1 + at <= LOCAL
}

/// Where the longest domain from `start` on ends: two labels at least, the last of which is a top level domain.
fn domain(view: &View<'_>, start: usize) -> Option<usize> {
    let mut label = start;
    let mut best = None;
    for _ in 0..LABELS {
        let length = view.run(label, LABEL, |byte| is_word(byte) || byte == b'-' || byte >= 0x80);
        let bytes = view.slice(label, label + length);
        if length == 0 || length == LABEL || label + length > start + DOMAIN || bytes.starts_with(b"-") {
            break;
        }
        if label > start {
            best = top_level(bytes).map(|length| label + length).or(best);
        }
        if view.byte(label + length) != Some(b'.') {
            break;
        }
        label += length + 1;
    }
    best
}

/// How much of a label is a top level domain: all of it, or what stands before another script or a hyphen, which goes on with
/// the sentence.
fn top_level(label: &[u8]) -> Option<usize> {
    if tld::is_top_level(label) {
        return Some(label.len());
    }
    let plain = label.iter().take_while(|byte| is_word(**byte)).count();
    let (name, rest) = label.split_at_checked(plain)?;
    (!rest.is_empty() && tld::is_top_level(name)).then_some(plain)
}

/// Whether it is a login of a code forge: `git@github.com:team/project`.
fn is_login(view: &View<'_>, at: usize, end: usize) -> bool {
    view.slice(0, at).eq_ignore_ascii_case(b"git") && matches!(view.byte(end), Some(b':' | b'/'))
}

/// Whether it is the name of an image for dense screens: `icon@2x.zip`.
fn is_image_scale(view: &View<'_>, start: usize, end: usize) -> bool {
    matches!(view.slice(start, end), [b'1'..=b'9', b'x', b'.', rest @ ..] if !rest.contains(&b'.'))
}

/// Whether the place is in the password of an address (`scheme://user:password@host`): that is another kind's to find.
fn is_in_password(view: &View<'_>) -> bool {
    let mut colon = false;
    for count in 1..CONTEXT - 1 {
        match view.back(count) {
            None | Some(b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b'<' | b'>') => return false,
            Some(b':') => colon = true,
            Some(b'/') => {
                return colon && view.back(count + 1) == Some(b'/') && view.back(count + 2) == Some(b':');
            }
            Some(_) => {}
        }
    }
    false
}
