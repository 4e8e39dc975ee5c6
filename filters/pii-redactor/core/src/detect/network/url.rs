//! The credentials in a URL: `scheme://user:password@host`, `scheme://:password@host`, `scheme://token@host`.
//!
//! The text is normalized, so that a password that was percent-encoded may hold `@` and `/` by now: it goes on to the last `@`
//! before the path, and a `/` is of the password unless only a port stands before it.

use super::super::{
    Entity, EntitySet, Found, View, Word, is_word,
    secret::value::{is_placeholder, is_random},
};

/// How long the name of a scheme is at most (`postgresql+psycopg2`).
const SCHEME: usize = 32;

/// How long a user may be.
const USER: usize = 128;

/// How long a token is at least that stands alone before the host.
const TOKEN: usize = 16;

pub(super) fn look(view: &View<'_>, word: Word, wanted: EntitySet, found: &mut Vec<Found>) {
    if !wanted.has(Entity::UrlCredentials)
        || word.length > SCHEME
        || !view.byte(0).is_some_and(|byte| byte.is_ascii_alphabetic())
    {
        return;
    }
    let scheme = word.length + view.run(word.length, SCHEME, |byte| is_word(byte) || matches!(byte, b'+'));
    if !view.is(scheme, b"://") {
        return;
    }
    let start = scheme + 3;
    let value = value(view, start);
    found.extend(value.map(|(end, confidence)| Found { start, end, entity: Entity::UrlCredentials, confidence }));
}

/// Where the credentials that begin at `start` end, and how sure that is. A user may be an address for mail.
fn value(view: &View<'_>, start: usize) -> Option<(usize, u8)> {
    let alone = start + view.run(start, USER, is_user);
    let mut user = alone;
    if view.byte(alone) == Some(b'@') {
        user += 1 + view.run(alone + 1, USER, is_user);
    }
    let pair = (view.byte(user) == Some(b':')).then(|| password(view, user + 1)).flatten();
    match pair {
        Some(end) => (!is_example(view, start, user, end)).then_some((end, 92)),
        None if user > alone => is_token(view.slice(start, alone)).then_some((alone, 75)),
        None => None,
    }
}

fn is_user(byte: u8) -> bool {
    is_text(byte) && !matches!(byte, b':' | b'@' | b'/' | b'?' | b'#' | b'[' | b'(')
}

/// Whether a byte may stand in what was written by hand before a host.
fn is_text(byte: u8) -> bool {
    byte > b' ' && byte != 0x7f && !matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\')
}

/// Where the password from `start` on ends: at the last `@` before the path.
fn password(view: &View<'_>, start: usize) -> Option<usize> {
    let mut last = None;
    let mut port = true;
    let mut place = start;
    while let Some(byte) = view.byte(place).filter(|byte| is_text(*byte)) {
        match byte {
            b'@' => last = Some(place),
            b'/' | b'?' | b'#' if port || last.is_some() => break,
            _ => port &= byte.is_ascii_digit(),
        }
        place += 1;
    }
    last.filter(|end| *end > start && *end + 1 < place)
}

/// Whether user and password only show where they go.
fn is_example(view: &View<'_>, start: usize, user: usize, end: usize) -> bool {
    let (user, password) = (view.slice(start, user), view.slice(user + 1, end));
    let names = [&b"user"[..], b"username", b"login", b"usr"];
    let words = [&b"password"[..], b"passwd", b"pass", b"pwd", b"pw", b"secret"];
    let is = |names: &[&[u8]], value: &[u8]| names.iter().any(|name| name.eq_ignore_ascii_case(value));
    is_placeholder(password) || (is(&names, user) && is(&words, password))
}

/// Whether what stands alone before a host is a token and no name.
fn is_token(value: &[u8]) -> bool {
    value.len() >= TOKEN && is_random(value)
}
