//! Base58: numbers to the base 58 in the alphabet of Bitcoin or of Ripple.

use sha2::{Digest, Sha256};

use super::keccak;

/// The digits of Bitcoin and its kin.
const BITCOIN: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// The digits of the XRP ledger (<https://xrpl.org/docs/references/protocol/data-types/base58-encodings>).
const RIPPLE: &[u8; 58] = b"rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz";

/// The first bytes of what is an address: Bitcoin (0, 5; its tests 111, 196), Litecoin (48, 50), Dogecoin (30, 22), Tron (65), Dash
/// (76, 16).
const VERSIONS: [u8; 11] = [0, 5, 111, 196, 48, 50, 30, 22, 65, 76, 16];

/// The first two bytes of Zcash: t1, t3.
const ZCASH: [[u8; 2]; 2] = [[0x1c, 0xb8], [0x1c, 0xbd]];

/// Whether a word is an address with a checksum of four bytes.
pub(super) fn is_address(word: &[u8]) -> bool {
    match word.first() {
        Some(b'r') => checked::<25>(word, RIPPLE).is_some_and(|bytes| bytes.first() == Some(&0)),
        Some(b't') => {
            checked::<26>(word, BITCOIN).is_some_and(|bytes| ZCASH.iter().any(|version| bytes.starts_with(version)))
        }
        Some(b'1' | b'2' | b'3' | b'7' | b'9' | b'A' | b'D' | b'L' | b'M' | b'T' | b'X' | b'm' | b'n') => {
            let first = checked::<25>(word, BITCOIN).and_then(|bytes| bytes.first().copied());
            first.is_some_and(|version| VERSIONS.contains(&version))
        }
        _ => false,
    }
}

/// Whether a word is 32 bytes, as a public key is.
pub(super) fn is_key(word: &[u8]) -> bool {
    decode::<32>(word, BITCOIN).is_some()
}

/// Whether a word is an address of Monero: blocks of eleven digits for eight bytes, the last of seven digits for five; its first byte
/// is a network, its last four are a Keccak-256 checksum (<https://docs.getmonero.org/public-address/standard-address/>).
pub(super) fn is_monero(word: &[u8]) -> bool {
    let mut bytes = Vec::with_capacity(77);
    for block in word.chunks(11) {
        let decoded = match block.len() {
            11 => block_of::<8>(block),
            _ => block_of::<5>(block),
        };
        let Some(decoded) = decoded else { return false };
        bytes.extend(decoded);
    }
    let Some((body, check)) = bytes.split_last_chunk::<4>() else { return false };
    matches!(body.first(), Some(18 | 19 | 42)) && keccak::hash(body).starts_with(check)
}

fn block_of<const SIZE: usize>(block: &[u8]) -> Option<Vec<u8>> {
    number::<SIZE>(block, BITCOIN).map(Vec::from)
}

/// The bytes, where the last four are the beginning of the SHA-256 of the SHA-256 of the others.
fn checked<const SIZE: usize>(word: &[u8], digits: &[u8; 58]) -> Option<[u8; SIZE]> {
    let bytes = decode::<SIZE>(word, digits)?;
    let (body, check) = bytes.split_last_chunk::<4>()?;
    Sha256::digest(Sha256::digest(body)).starts_with(check).then_some(bytes)
}

/// The bytes, of which as many are zero at the beginning as digits are.
fn decode<const SIZE: usize>(word: &[u8], digits: &[u8; 58]) -> Option<[u8; SIZE]> {
    let bytes = number::<SIZE>(word, digits)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let leading = word.iter().take_while(|digit| digits.first() == Some(digit)).count();
    (zeros == leading).then_some(bytes)
}

/// The number, big end first; none where it does not fit.
fn number<const SIZE: usize>(word: &[u8], digits: &[u8; 58]) -> Option<[u8; SIZE]> {
    let mut bytes = [0; SIZE];
    for digit in word {
        let mut carry = digits.iter().position(|known| known == digit)?;
        for byte in bytes.iter_mut().rev() {
            carry += usize::from(*byte) * 58;
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
        (carry == 0).then_some(())?;
    }
    Some(bytes)
}
