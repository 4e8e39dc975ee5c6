//! How long a run of plain bytes is, eight bytes at a time: most of a body is one.
//!
//! What tells whether one of eight bytes is a certain one, or small, without a look at each: Hacker's Delight, 6-1.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Whether one of the bytes is `byte`.
const fn has(eight: u64, byte: u8) -> u64 {
    let other = eight ^ (ONES * byte as u64);
    other.wrapping_sub(ONES) & !other & HIGHS
}

/// Whether one of the bytes is below 0x20.
const fn has_control(eight: u64) -> u64 {
    eight.wrapping_sub(ONES * 0x20) & !eight & HIGHS
}

/// How many bytes are before the first that ends the run. `may_end` may say so of eight without such a one, never the other way.
fn run(bytes: &[u8], may_end: impl Fn(u64) -> bool, ends: impl Fn(u8) -> bool) -> usize {
    let (eights, _) = bytes.as_chunks::<8>();
    let whole = eights.iter().take_while(|eight| !may_end(u64::from_le_bytes(**eight))).count() * 8;
    let rest = bytes.get(whole..).unwrap_or_default();
    whole + rest.iter().position(|byte| ends(*byte)).unwrap_or(rest.len())
}

/// How many bytes of a JSON string stand for themselves.
#[must_use]
pub fn of_string(bytes: &[u8]) -> usize {
    run(
        bytes,
        |eight| has_control(eight) | has(eight, b'"') | has(eight, b'\\') != 0,
        |byte| byte < 0x20 || matches!(byte, b'"' | b'\\'),
    )
}

/// How many bytes of a text are normalized as they are.
#[must_use]
pub fn of_text(bytes: &[u8]) -> usize {
    run(bytes, |eight| eight & HIGHS | has(eight, b'%') != 0, |byte| byte >= 0x80 || byte == b'%')
}

/// How many bytes are small letters, up to `most` or a few more.
#[must_use]
pub fn of_small_letters(bytes: &[u8], most: usize) -> usize {
    let mut count = 0;
    while let Some(eight) = bytes.get(count..).and_then(<[u8]>::first_chunk) {
        let others = !small_letters(u64::from_le_bytes(*eight)) & HIGHS;
        // the first byte is the lowest
        count += (others.trailing_zeros() / 8) as usize;
        if others != 0 || count >= most {
            return count;
        }
    }
    let rest = bytes.get(count..).unwrap_or_default();
    count + rest.iter().take_while(|byte| byte.is_ascii_lowercase()).count()
}

/// The highest bit of each of eight bytes that is a small letter.
const fn small_letters(eight: u64) -> u64 {
    let low = eight & !HIGHS;
    let from_a = low + ONES * (0x80 - b'a' as u64);
    let beyond_z = low + ONES * (0x80 - b'z' as u64 - 1);
    from_a & !beyond_z & !eight & HIGHS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_letters_are_counted_up_to_the_first_other_byte() {
        for end in 0..=u8::MAX {
            for at in 0..20 {
                let mut bytes = *b"azbycxdwevfugthsirjqkpl";
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = end;
                }
                let expected = if end.is_ascii_lowercase() { bytes.len() } else { at };
                assert_eq!(of_small_letters(&bytes, 100), expected, "{end} at {at}");
            }
        }
    }

    #[test]
    fn a_run_ends_where_its_first_end_is() {
        for end in [b'"', b'\\', 0x1f, 0, b'%', 0x80, 0xff, b' ', b'!', b'z', 0x7f] {
            for at in 0..40 {
                for length in at + 1..42 {
                    let mut bytes = vec![b'a'; length];
                    if let Some(place) = bytes.get_mut(at) {
                        *place = end;
                    }
                    let string = end < 0x20 || matches!(end, b'"' | b'\\');
                    assert_eq!(of_string(&bytes), if string { at } else { length }, "{end} at {at} of {length}");
                    let text = end >= 0x80 || end == b'%';
                    assert_eq!(of_text(&bytes), if text { at } else { length }, "{end} at {at} of {length}");
                }
            }
        }
    }
}
