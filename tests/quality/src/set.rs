//! The labelled set: the same texts for the same seed, on every machine.

use pii_core::detect::Entity;
use sha2::{Digest, Sha256};

use crate::negatives::{self, KINDS};
use crate::random::Random;
use crate::text::{Text, positive, record};

/// The seed of the published figures.
pub const SEED: u64 = 20_260_302;

/// How many texts there are of each sort.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Texts with a value, for each kind.
    pub positives: usize,
    /// Texts without, for each kind of negative.
    pub negatives: usize,
    /// Records with several values.
    pub records: usize,
    /// Long texts, put together from short ones.
    pub documents: usize,
}

impl Default for Size {
    fn default() -> Self {
        Self { positives: 100, negatives: 40, records: 150, documents: 60 }
    }
}

/// What a customer's record may hold.
const RECORD: [Entity; 12] = [
    Entity::Email,
    Entity::Phone,
    Entity::NationalPhone,
    Entity::CreditCard,
    Entity::Iban,
    Entity::UsSsn,
    Entity::DateOfBirth,
    Entity::Passport,
    Entity::DrivingLicence,
    Entity::BankAccount,
    Entity::IpAddress,
    Entity::Secret,
];

/// Makes the set.
#[must_use]
pub fn generate(seed: u64, size: Size) -> Vec<Text> {
    let random = &mut Random::new(seed);
    let mut texts = Vec::new();
    for entity in Entity::ALL {
        texts.extend((0..size.positives).map(|_| positive(*entity, random)));
    }
    for kind in 0..KINDS.len() {
        texts.extend((0..size.negatives).map(|_| negatives::negative(kind, random)));
    }
    for _ in 0..size.records {
        let count = random.between(3, 6);
        let first = random.below(RECORD.len());
        let entities: Vec<Entity> =
            (0..count).filter_map(|at| RECORD.get((first + at * 5) % RECORD.len()).copied()).collect();
        texts.push(record(&entities, random));
    }
    texts.extend((0..size.documents).map(|_| document(random)));
    texts
}

/// Ten to twenty short texts below each other, with values and without.
fn document(random: &mut Random) -> Text {
    let mut text = Text::default();
    for _ in 0..random.between(10, 20) {
        let part = if random.percent(50) {
            let entity = random.pick(Entity::ALL);
            positive(entity, random)
        } else {
            let kind = random.below(KINDS.len());
            negatives::negative(kind, random)
        };
        text.append(&part);
        text.text.push_str("\n\n");
    }
    text
}

/// A fingerprint of a set: SHA-256 of its texts and labels.
#[must_use]
pub fn fingerprint(texts: &[Text]) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text.text.as_bytes());
        for label in &text.labels {
            hash.update(format!("\0{} {} {}", label.start, label.end, label.entity.name()));
        }
        hash.update([0xff]);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
