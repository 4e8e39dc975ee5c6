//! Private keys in PEM (RFC 7468, and PGP's armour, RFC 9580): from `-----BEGIN … PRIVATE KEY-----` to the END, or as far as its
//! base64 goes. Lines are parted by what stands for a line break in text, in JSON within text, and in code.

use super::{Entity, Found, View, is_base64, whole};
use crate::detect::FAR;

/// How long a line of base64 is at least that is not the last one.
const LINE: usize = 16;

pub(super) fn look(view: &View<'_>) -> Option<Found> {
    if !view.is(0, b"-----BEGIN ") {
        return None;
    }
    let far = view.far();
    let end = label(&far).and_then(|start| body(&far, start));
    view.join(&far);
    end.map(|end| whole(end, Entity::PrivateKey, 99))
}

/// Where the label of a private key ends.
fn label(view: &View<'_>) -> Option<usize> {
    let length = view.run(11, 48, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ');
    let label = view.slice(11, 11 + length);
    let private = label.windows(11).any(|part| part == b"PRIVATE KEY");
    (private && view.is(11 + length, b"-----")).then_some(11 + length + 5)
}

/// Where the key ends; none where there is nothing of a key.
fn body(view: &View<'_>, start: usize) -> Option<usize> {
    let (mut place, mut end, mut short, mut digits) = (start, None, 0, 0);
    while place < FAR {
        place += gap(view, place);
        if view.byte(place) == Some(b'-') {
            return closing(view, place).filter(|_| digits >= 4).or(end);
        }
        let length = view.run(place, FAR, |byte| is_base64(byte) || byte == b'=');
        if length == 0 {
            break;
        }
        if let Some(line) = header(view, place + length) {
            place = line;
            continue;
        }
        // The last line of a key is short, and so is a checksum of PGP behind it. What follows is no key any more.
        short = if length < LINE { short + 1 } else { 0 };
        digits += length;
        place += length;
        if short > 2 {
            break;
        }
        if length >= LINE || (end.is_some() && is_line_end(view, place)) {
            end = Some(place);
        }
    }
    end
}

/// How long what parts two lines is: white space, `\n` and `\r` as they are written in code, quotes and signs that join strings.
fn gap(view: &View<'_>, start: usize) -> usize {
    let mut place = start;
    loop {
        match view.byte(place) {
            Some(b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b',') => place += 1,
            Some(b'+') if matches!(view.byte(place + 1), Some(b' ' | b'\n' | b'\r')) => place += 1,
            Some(b'\\') => match view.byte(place + 1) {
                Some(b'n' | b'r' | b't' | b'\n' | b'\r') => place += 2,
                Some(b'\\' | b'"') => place += 1,
                _ => return place - start,
            },
            _ => return place - start,
        }
    }
}

/// Whether a line ends here.
fn is_line_end(view: &View<'_>, place: usize) -> bool {
    matches!(view.byte(place), None | Some(b'\n' | b'\r' | b'\\' | b'"' | b'\''))
}

/// The place behind a header (`Proc-Type: 4,ENCRYPTED`, `Version: …`), whose name ends at `place` or goes on behind a hyphen.
fn header(view: &View<'_>, place: usize) -> Option<usize> {
    let name = view.run(place, 24, |byte| byte.is_ascii_alphabetic() || byte == b'-');
    if view.byte(place + name) != Some(b':') {
        return None;
    }
    let value = view.run(place + name, 200, |byte| !matches!(byte, b'\n' | b'\r' | b'\\'));
    Some(place + name + value)
}

/// Where `-----END …-----` ends.
fn closing(view: &View<'_>, place: usize) -> Option<usize> {
    if !view.is(place, b"-----END ") {
        return None;
    }
    let length = view.run(place + 9, 48, |byte| byte != b'-' && byte != b'\n');
    let dashes = view.run(place + 9 + length, 5, |byte| byte == b'-');
    Some(place + 9 + length + dashes)
}
