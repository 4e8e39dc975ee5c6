//! The chain of events: each names the one before by its SHA-256, so that an edit, a gap or another order shows.
//!
//! A chain is one worker's. It proves what lies inside it; that its end is missing it can't tell, and someone who can write
//! the log anew from some point on can write the rest of the chain anew too. `rcctl audit verify` reads chains.

use sha2::{Digest, Sha256};

use crate::event::{Event, Field};

/// Where a chain stands.
#[derive(Clone, Debug)]
pub struct Chain {
    id: String,
    next: u64,
    before: String,
}

/// What the first event of a chain names as the one before.
pub const START: &str = "0000000000000000000000000000000000000000000000000000000000000000";

impl Chain {
    /// A chain of that name, without an event yet.
    #[must_use]
    pub fn new(id: String) -> Self {
        Self { id, next: 0, before: START.to_owned() }
    }

    /// Adds an event, and gives its line.
    pub fn add(&mut self, event: &mut Event) -> String {
        event.put("chain_id", Field::Text(self.id.clone()));
        event.put("seq", Field::Number(self.next));
        event.put("prev_hash", Field::Text(std::mem::take(&mut self.before)));
        let line = event.line();
        self.before = hash(&line);
        self.next = self.next.saturating_add(1);
        line
    }
}

/// The name of a line, by which the next event knows it.
#[must_use]
pub fn hash(line: &str) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(line.as_bytes()) {
        for half in [byte >> 4, byte & 0x0f] {
            text.extend(char::from_digit(half.into(), 16));
        }
    }
    text
}
