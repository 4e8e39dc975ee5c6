//! Addresses in networks: IPv4 (four octets), IPv6 (RFC 4291, with the ranges that IANA has given out), hardware addresses
//! (IEEE 802), and the credentials in URLs (RFC 3986, 3.2.1).
//!
//! What is nobody's is not found: loopback, unspecified, broadcast, multicast, masks. A version with four parts looks like an
//! address: the word before it, and what follows, tell.

mod url;

use core::net::{Ipv4Addr, Ipv6Addr};

use super::{Entity, EntitySet, Found, View, Word, is_word};

/// Words before four numbers that make them a version, or the number of a section.
const VERSIONS: [&str; 25] = [
    "\u{a7}", "v", "ver", "release", "released", "rev", "revision", "build", "firmware", "section", "sec", "chapter",
    "figure", "fig", "table", "step", "clause", "appendix", "oid", "chrome", "chromium", "safari", "edg", "opr",
    "electron",
];

/// What follows a version.
const BEHIND_VERSIONS: [&str; 10] =
    ["alpha", "beta", "rc", "dev", "snapshot", "release", "pre", "build", "final", "ga"];

/// How long an IPv6 address is at most, in characters: six groups and an IPv4 address.
const V6: usize = 45;

pub(super) fn look(view: &View<'_>, word: Word, wanted: EntitySet, found: &mut Vec<Found>) {
    let hex = word.length <= 4;
    match word.next {
        Some(b'.') if hex && word.digits => dotted(view, word, wanted, found),
        Some(b':') => {
            url::look(view, word, wanted, found);
            if hex {
                v6(view, word, wanted, found);
                mac(view, word, wanted, found);
            }
        }
        Some(b'-') if word.length == 2 => mac(view, word, wanted, found),
        Some(b'+') => url::look(view, word, wanted, found),
        _ => {}
    }
}

pub(super) fn look_at_colon(view: &View<'_>, wanted: EntitySet, found: &mut Vec<Found>) {
    if view.before().is_some_and(|byte| is_word(byte) || byte == b':') || !wanted.has(Entity::IpAddress) {
        return;
    }
    if view.is_any_case(0, b"::ffff:") {
        found.extend(v6_at(view));
    }
}

/// What begins with a number and a dot: an IPv4 address, or a hardware address in groups of four.
fn dotted(view: &View<'_>, word: Word, wanted: EntitySet, found: &mut Vec<Found>) {
    if word.length == 4 {
        return mac(view, word, wanted, found);
    }
    if word.letters || !wanted.has(Entity::IpAddress) {
        return;
    }
    let Some((address, end)) = v4(view) else { return };
    if is_someone(address) && !is_version(view, end) && !is_section(view, address, end) {
        found.push(Found { start: 0, end, entity: Entity::IpAddress, confidence: 85 });
    }
}

/// Four octets without leading zeros at the place, and where they end; none where more parts stand before or behind.
fn v4(view: &View<'_>) -> Option<(Ipv4Addr, usize)> {
    if view.before() == Some(b'.') && view.back(2).is_some_and(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut octets = [0; 4];
    let mut end = 0;
    for (part, octet) in octets.iter_mut().enumerate() {
        if part > 0 {
            (view.byte(end) == Some(b'.')).then_some(())?;
            end += 1;
        }
        let length = view.run(end, 4, |byte| byte.is_ascii_digit());
        *octet = number(view.slice(end, end + length))?;
        end += length;
    }
    let more = view.byte(end) == Some(b'.') && view.byte(end + 1).is_some_and(|byte| byte.is_ascii_digit());
    (view.ends(end) && !more).then_some((Ipv4Addr::from(octets), end))
}

/// A number of one to three digits that is an octet.
fn number(digits: &[u8]) -> Option<u8> {
    if digits.is_empty() || (digits.len() > 1 && digits.first() == Some(&b'0')) {
        return None;
    }
    digits.iter().try_fold(0_u8, |sum, digit| sum.checked_mul(10)?.checked_add(digit - b'0'))
}

/// Whether an address is of a host. Not so: 0/8, 127/8, multicast and reserved (from 224 on), and whole networks (`10.0.0.0`).
fn is_someone(address: Ipv4Addr) -> bool {
    let [first, rest @ ..] = address.octets();
    first != 0 && first != 127 && first < 224 && rest != [0; 3]
}

/// Whether four numbers are a version: by the word before, by a sign of comparison before, or by what stands behind.
fn is_version(view: &View<'_>, end: usize) -> bool {
    let before = view.before();
    let compared = match before {
        Some(b'^' | b'~') => true,
        Some(b'=') => matches!(view.back(2), Some(b'=' | b'~' | b'>' | b'<' | b'!' | b'^')),
        Some(b'-' | b'_') => view.byte(end) == Some(b'.') && view.byte(end + 1).is_some_and(is_word),
        _ => false,
    };
    compared || is_behind_version(view) || is_before_version(view, end)
}

/// Whether four numbers count sections: small ones from 1 on at the beginning of a line, and a title behind a dot.
fn is_section(view: &View<'_>, address: Ipv4Addr, end: usize) -> bool {
    matches!(view.before(), None | Some(b'\n'))
        && address.octets().iter().all(|number| (1..=40).contains(number))
        && view.is(end, b". ")
        && view.byte(end + 2).is_some_and(|byte| byte.is_ascii_uppercase())
}

fn is_behind_version(view: &View<'_>) -> bool {
    let Some(word) = view.words_before().next() else { return false };
    let tail = word.len().checked_sub(7).and_then(|start| word.get(start..));
    tail.is_some_and(|tail| tail.eq_ignore_ascii_case(b"version"))
        || VERSIONS.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(word))
}

fn is_before_version(view: &View<'_>, end: usize) -> bool {
    matches!(view.byte(end), Some(b'-' | b'+' | b'.'))
        && BEHIND_VERSIONS.iter().any(|name| view.is_any_case(end + 1, name.as_bytes()))
}

/// An IPv6 address that begins with a word.
fn v6(view: &View<'_>, word: Word, wanted: EntitySet, found: &mut Vec<Found>) {
    if !wanted.has(Entity::IpAddress) || !view.slice(0, word.length).iter().all(u8::is_ascii_hexdigit) {
        return;
    }
    let inside =
        view.before() == Some(b':') && view.back(2).is_some_and(|byte| byte.is_ascii_hexdigit() || byte == b':');
    if !inside && (word.length == 4 || view.slice(0, word.length) == b"64") {
        found.extend(v6_at(view));
    }
}

/// The IPv6 address at the place, with its zone.
fn v6_at(view: &View<'_>) -> Option<Found> {
    let length = view.run(0, V6 + 1, |byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'));
    if length > V6 || !view.ends(length) {
        return None;
    }
    let text = core::str::from_utf8(view.slice(0, length)).ok()?;
    let text = text.trim_end_matches('.');
    let text = if text.ends_with("::") { text } else { text.trim_end_matches(':') };
    let address: Ipv6Addr = text.parse().ok()?;
    let end = text.len() + if text.len() == length { zone(view, length) } else { 0 };
    is_someone_v6(address).then_some(Found { start: 0, end, entity: Entity::IpAddress, confidence: 92 })
}

/// How long the zone behind an address is (RFC 4007: `%eth0`).
fn zone(view: &View<'_>, at: usize) -> usize {
    if view.byte(at) != Some(b'%') {
        return 0;
    }
    let length = view.run(at + 1, 32, |byte| is_word(byte) || matches!(byte, b'-' | b'_'));
    if length == 0 { 0 } else { length + 1 }
}

/// Whether an address is of a host or a home, and in a range that has been given out (the registry "Internet Protocol Version 6
/// Address Space" of IANA): so `dead::beef` in code is none. Large networks (`2001:db8::`) are nobody's.
fn is_someone_v6(address: Ipv6Addr) -> bool {
    let [first, second, rest @ ..] = address.segments();
    match first {
        0 => address.to_ipv4_mapped().is_some_and(is_someone),
        0x64 => second == 0xff9b,
        0x2000..=0x3fff | 0xfc00..=0xfdff | 0xfe80..=0xfeff => rest != [0; 6],
        _ => false,
    }
}

/// A hardware address: six pairs parted by colons or hyphens, or three groups of four parted by dots.
fn mac(view: &View<'_>, word: Word, wanted: EntitySet, found: &mut Vec<Found>) {
    let (groups, Some(sign)) = (if word.length == 2 { 6 } else { 3 }, word.next) else { return };
    let fits = word.length == 2 || (word.length == 4 && sign == b'.');
    if !fits || !wanted.has(Entity::MacAddress) || !view.slice(0, word.length).iter().all(u8::is_ascii_hexdigit) {
        return;
    }
    if view.before() == Some(sign) && view.back(2).is_some_and(|byte| byte.is_ascii_hexdigit()) {
        return;
    }
    let Some(end) = mac_end(view, word.length, groups, sign) else { return };
    if !is_same(view.slice(0, end), b'0') && !is_same(view.slice(0, end), b'f') {
        found.push(Found { start: 0, end, entity: Entity::MacAddress, confidence: 92 });
    }
}

fn mac_end(view: &View<'_>, size: usize, groups: usize, sign: u8) -> Option<usize> {
    let mut end = size;
    for _ in 1..groups {
        let whole = view.byte(end) == Some(sign) && view.run(end + 1, size, |byte| byte.is_ascii_hexdigit()) == size;
        whole.then_some(())?;
        end += size + 1;
    }
    let more = view.byte(end) == Some(sign) && view.byte(end + 1).is_some_and(|byte| byte.is_ascii_hexdigit());
    (view.ends(end) && !more).then_some(end)
}

/// Whether all digits are the same one.
fn is_same(address: &[u8], digit: u8) -> bool {
    address.iter().filter(|byte| is_word(**byte)).all(|byte| byte.to_ascii_lowercase() == digit)
}
