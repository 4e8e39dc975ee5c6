//! What the tests of detectors share: a scan of a whole text, place by place, as the filter does it, with nothing merged.

#![allow(dead_code, reason = "each test file uses what it needs")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

use pii_core::detect::{Entity, EntitySet, Found, View, is_sign, is_word, look};

/// All that is found in `text`, of every kind, in the order of the places at which it was found. What overlaps stays.
pub fn found_in(text: &str) -> Vec<(Entity, String)> {
    values(text, EntitySet::all())
}

/// All that is found of some kinds, asked for alone.
pub fn found_of(text: &str, entities: &[Entity]) -> Vec<(Entity, String)> {
    values(text, entities.iter().copied().collect())
}

/// The places at which detectors are asked: where a word begins, and signs.
pub fn places(text: &[u8]) -> impl Iterator<Item = usize> {
    (0..text.len()).filter(|at| {
        let begins = *at == 0 || !is_word(text[at - 1]);
        is_sign(text[*at]) || (is_word(text[*at]) && begins)
    })
}

/// What is found at a place of a text that ends where its bytes end; places of values are those in the text.
pub fn found_at(text: &[u8], at: usize, wanted: EntitySet) -> Vec<Found> {
    let view = View::new(text, at, true);
    let mut found = Vec::new();
    look(&view, wanted, &mut found);
    assert!(!view.short(), "a text that is whole is never short");
    found.iter().map(|found| Found { start: at + found.start, end: at + found.end, ..*found }).collect()
}

/// All that is found in a text, with its places.
pub fn scan(text: &[u8], wanted: EntitySet) -> Vec<Found> {
    places(text).flat_map(|at| found_at(text, at, wanted)).collect()
}

/// Any split decides the same: at each place, every beginning of the text either asks for more or says what the whole does.
pub fn assert_no_split_matters(text: &str, wanted: EntitySet) {
    let bytes = text.as_bytes();
    for at in places(bytes) {
        let whole = found_at(bytes, at, wanted);
        for end in at + 1..=bytes.len() {
            let view = View::new(&bytes[..end], at, false);
            let mut found = Vec::new();
            look(&view, wanted, &mut found);
            let found: Vec<_> =
                found.iter().map(|found| Found { start: at + found.start, end: at + found.end, ..*found }).collect();
            assert!(view.short() || found == whole, "{text:?} from {at}, cut at {end}: {found:?}, whole {whole:?}");
        }
    }
}

fn values(text: &str, wanted: EntitySet) -> Vec<(Entity, String)> {
    let found = scan(text.as_bytes(), wanted);
    found
        .iter()
        .map(|found| (found.entity, String::from_utf8_lossy(&text.as_bytes()[found.start..found.end]).into_owned()))
        .collect()
}
