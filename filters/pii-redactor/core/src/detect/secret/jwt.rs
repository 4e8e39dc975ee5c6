//! JSON web tokens: three parts in base64 for URLs (RFC 7515, 7.1), five where it is encrypted (RFC 7516), the first of which is a
//! JSON object with a member `alg`.

use super::{Entity, Found, View, Word, is_url64, whole};
use crate::detect::FAR;

/// How long a header is looked at, in bytes.
const HEADER: usize = 4096;

pub(super) fn look(view: &View<'_>, word: Word) -> Option<Found> {
    // What begins with `{"` or with `{` and white space.
    if word.length < 3 || !(view.is(0, b"eyJ") || view.is(0, b"eyA") || view.is(0, b"ewo") || view.is(0, b"ew0")) {
        return None;
    }
    let far = view.far();
    let end = parts(&far);
    view.join(&far);
    end.map(|end| whole(end, Entity::Jwt, 98))
}

fn parts(view: &View<'_>) -> Option<usize> {
    let header = view.run(0, HEADER, is_url64);
    if view.byte(header) != Some(b'.') || !is_header(view.slice(0, header)) {
        return None;
    }
    let (mut end, mut dots) = (header, 0);
    while dots < 4 && view.byte(end) == Some(b'.') {
        let length = view.run(end + 1, FAR, is_url64);
        // The second part is empty where the key of an encrypted one is agreed on, the third where there is no signature.
        if length == 0 && dots != 0 && !(dots == 1 && view.slice(end - 1, end) != b".") {
            break;
        }
        end += 1 + length;
        dots += 1;
    }
    (dots >= 2 && end > header + 4).then_some(end)
}

/// Whether a header says which algorithm was used.
fn is_header(encoded: &[u8]) -> bool {
    let text = decode(encoded);
    let text = text.trim_ascii();
    text.starts_with(b"{") && text.ends_with(b"}") && text.windows(5).any(|part| part == b"\"alg\"")
}

/// Base64 for URLs, without padding.
pub(super) fn decode(encoded: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(encoded.len() / 4 * 3 + 3);
    let (mut bits, mut count) = (0_u32, 0);
    for digit in encoded {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'-' | b'+' => 62,
            b'_' | b'/' => 63,
            _ => break,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    bytes
}
