//! Bech32 and bech32m: a prefix, `1`, and digits to the base 32 of which the last six are a checksum (BIP 173, BIP 350).

const DIGITS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// What the checksum of bech32 comes to, and that of bech32m.
const PLAIN: u32 = 1;
const CHANGED: u32 = 0x2bc8_30a3;

/// Prefixes of Bitcoin and Litecoin, where the first digit says which checksum counts; and of Cardano, Cosmos, BNB.
const SEGWIT: [&[u8]; 5] = [b"bc", b"tb", b"bcrt", b"ltc", b"tltc"];
const OTHERS: [&[u8]; 4] = [b"addr", b"stake", b"cosmos", b"bnb"];

/// Whether a word is an address.
pub(super) fn is_address(word: &[u8]) -> bool {
    let Some(place) = word.iter().take(7).rposition(|byte| *byte == b'1') else { return false };
    let Some((prefix, rest)) = word.split_at_checked(place) else { return false };
    let is_one_of = |names: &[&[u8]]| names.iter().any(|name| name.eq_ignore_ascii_case(prefix));
    let segwit = is_one_of(&SEGWIT);
    if !(segwit || is_one_of(&OTHERS)) || is_mixed(word) {
        return false;
    }
    let Some(values) = rest.iter().skip(1).map(value).collect::<Option<Vec<u32>>>() else { return false };
    let expected = if segwit && values.first().is_some_and(|version| *version > 0) { CHANGED } else { PLAIN };
    values.len() >= 6 + 8 && checksum(&prefix.to_ascii_lowercase(), &values) == expected
}

fn is_mixed(word: &[u8]) -> bool {
    word.iter().any(u8::is_ascii_lowercase) && word.iter().any(u8::is_ascii_uppercase)
}

fn value(digit: &u8) -> Option<u32> {
    let lower = digit.to_ascii_lowercase();
    DIGITS.iter().zip(0..).find(|(known, _)| **known == lower).map(|(_, value)| value)
}

/// The remainder of prefix and values by the polynomial of BIP 173.
fn checksum(prefix: &[u8], values: &[u32]) -> u32 {
    let high = prefix.iter().map(|byte| u32::from(byte >> 5));
    let low = prefix.iter().map(|byte| u32::from(byte & 31));
    high.chain([0]).chain(low).chain(values.iter().copied()).fold(1, step)
}

fn step(sum: u32, value: u32) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let top = sum >> 25;
    let next = (sum & 0x01ff_ffff) << 5 ^ value;
    GENERATOR.iter().zip(0..).filter(|(_, bit)| top >> bit & 1 == 1).fold(next, |sum, (part, _)| sum ^ part)
}
