//! Secrets: tokens with a form of their own (their prefixes are what issuers document for secret scanning), JSON web tokens, keys in
//! PEM, and what stands beside a name such as `password`. The table of all is in the README of the filter.

mod hosts;
mod jwt;
mod models;
mod named;
mod pem;
pub(in crate::detect) mod value;

use super::{Entity, EntitySet, Found, View, Word, is_word};

/// How many bytes of a token before a place make it one inside of it.
const INSIDE: usize = 64;

pub(super) fn look(view: &View<'_>, word: Word, wanted: EntitySet, found: &mut Vec<Found>) {
    let before = found.len();
    if matches!(view.byte(0), Some(b'A' | b'G' | b'S' | b'd'..=b'h' | b'n' | b'p' | b'r' | b's' | b'w'..=b'y'))
        && !is_inside(view)
    {
        found.extend(token(view, word).filter(|found| !value::is_masked(view.slice(found.start, found.end))));
    }
    match word.next {
        Some(b'~') => found.extend(hosts::azure_client(view, word)),
        Some(b'/' | b'+') => found.extend(hosts::aws_secret(view)),
        _ if word.length == 40 => found.extend(hosts::aws_secret(view)),
        _ => {}
    }
    named::look(view, word, found);
    keep_wanted(before, wanted, found);
}

/// A token with a form of its own.
fn token(view: &View<'_>, word: Word) -> Option<Found> {
    let special = match view.byte(0)? {
        b'A' => hosts::aws_id(view, word).or_else(|| hosts::google_key(view, word)),
        b'G' => hosts::google_client(view, word),
        b'e' => jwt::look(view, word),
        b'g' => hosts::forge(view, word),
        b'h' => hosts::slack_hook(view, word),
        b'n' => hosts::npm(view, word),
        b'p' => hosts::pypi(view, word),
        b'r' => hosts::stripe(view, word),
        b's' => models::sk(view, word).or_else(|| hosts::stripe(view, word)),
        b'w' => hosts::stripe_hook(view, word),
        b'x' => hosts::slack(view, word),
        b'y' => hosts::google_access(view, word),
        _ => None,
    };
    special.or_else(|| models::others(view, word))
}

/// Whether the place is far inside of what may be one token: none begins there. So a text made of beginnings is not read from each.
fn is_inside(view: &View<'_>) -> bool {
    let is_part = |byte| is_url64(byte) || byte == b'.';
    view.before().is_some_and(is_part) && (2..=INSIDE).all(|count| view.back(count).is_some_and(is_part))
}

pub(super) fn look_at_dash(view: &View<'_>, wanted: EntitySet, found: &mut Vec<Found>) {
    if wanted.has(Entity::PrivateKey) {
        found.extend(pem::look(view));
    }
}

/// Takes out what nobody asked for. A value that has two names (a password in a connection string) keeps the one that is wanted.
fn keep_wanted(from: usize, wanted: EntitySet, found: &mut Vec<Found>) {
    let mut place = 0;
    found.retain(|found| {
        place += 1;
        place <= from || wanted.has(found.entity)
    });
}

/// What begins here and goes on to `end`.
fn whole(end: usize, entity: Entity, confidence: u8) -> Found {
    Found { start: 0, end, entity, confidence }
}

/// A token that has as many bytes of a kind behind its prefix as `least` at least, and what more of them follow.
fn tail(view: &View<'_>, from: usize, least: usize, kind: impl Fn(u8) -> bool) -> Option<usize> {
    let far = view.far();
    let length = far.run(from, super::FAR, kind);
    view.join(&far);
    (length >= least).then_some(from + length)
}

/// Whether a byte is of base64 in its form for URLs.
const fn is_url64(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'-' | b'_')
}

/// Whether a byte is of base64, without its padding.
const fn is_base64(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'+' | b'/')
}
