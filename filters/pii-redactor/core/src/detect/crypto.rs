//! Addresses of cryptocurrencies, by their checksums: base58check (double SHA-256), bech32 and bech32m (BIP 173, BIP 350), Ethereum
//! (EIP-55), Monero (Keccak). One of Solana has no checksum: it needs a word.

mod base58;
mod bech32;
mod keccak;

use super::{Entity, EntitySet, Found, View, Word};

/// Words beside an address of Solana.
const SOLANA: [&str; 4] = ["solana", "sol", "phantom", "spl"];

pub(super) fn look(view: &View<'_>, word: Word, wanted: EntitySet, found: &mut Vec<Found>) {
    if word.length < 14 || word.length > 120 || !word.letters || !wanted.has(Entity::CryptoAddress) {
        return;
    }
    if let Some(confidence) = confidence(view, view.slice(0, word.length)) {
        found.push(Found { start: 0, end: word.length, entity: Entity::CryptoAddress, confidence });
    }
}

/// How sure it is that a word is an address; none where it is not.
fn confidence(view: &View<'_>, word: &[u8]) -> Option<u8> {
    if let [b'0', b'x', digits @ ..] = word {
        return (digits.len() == 40).then(|| ethereum(digits)).flatten();
    }
    match word.len() {
        25..=36 if base58::is_address(word) => Some(99),
        95 | 106 if base58::is_monero(word) => Some(99),
        32..=44 if view.context(&SOLANA) && base58::is_key(word) => Some(75),
        _ if bech32::is_address(word) => Some(99),
        _ => None,
    }
}

/// Forty hexadecimal digits. In one case only they have no checksum; in mixed case with another one than EIP-55's they may be of a
/// chain with its own rule (EIP-1191).
fn ethereum(digits: &[u8]) -> Option<u8> {
    if !digits.iter().all(u8::is_ascii_hexdigit) || digits.iter().all(|digit| *digit == b'0') {
        return None;
    }
    let lower = digits.to_ascii_lowercase();
    if digits == lower || digits == digits.to_ascii_uppercase() {
        return Some(85);
    }
    let hash = keccak::hash(&lower);
    let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let right = digits
        .iter()
        .zip(nibbles)
        .all(|(digit, nibble)| digit.is_ascii_digit() || digit.is_ascii_uppercase() == (nibble >= 8));
    Some(if right { 99 } else { 60 })
}
