//! Folding: events that differ in nothing that counts are told once, and then their number.
//!
//! The first call of a kind is told at once. Those after it are counted, and told as one event when the time is over. How many
//! kinds are counted at a time is bounded; beyond that the one that began first is told before its time, so no call is left
//! out.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;

/// What makes calls one kind: everything that is told, but time, size, duration and request id.
pub type Key = Box<[u8]>;

/// Calls of one kind that are being counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded<T> {
    /// The first of them, which was told.
    pub first: T,
    /// When that was, in milliseconds since 1970.
    pub since_ms: u64,
    /// How many came after it.
    pub more: u64,
    /// How many bytes those sent.
    pub sent: u64,
    /// How many bytes came back for those.
    pub received: u64,
}

/// The kinds that are being counted.
#[derive(Clone, Debug)]
pub struct Fold<T> {
    window_ms: u64,
    capacity: usize,
    kinds: HashMap<Key, Folded<T>, RandomState>,
    /// The kinds in the order in which they began.
    order: VecDeque<Key>,
}

impl<T> Fold<T> {
    /// Counts for that long, and that many kinds at a time. A time of 0 counts nothing.
    #[must_use]
    pub fn new(window_ms: u64, capacity: usize) -> Self {
        Self { window_ms, capacity: capacity.max(1), kinds: HashMap::default(), order: VecDeque::new() }
    }

    /// Whether anything is counted.
    #[must_use]
    pub fn folds(&self) -> bool {
        self.window_ms > 0
    }

    /// The first of the calls that a call would be counted with.
    #[must_use]
    pub fn first_of(&self, key: &[u8]) -> Option<&T> {
        self.kinds.get(key).map(|folded| &folded.first)
    }

    /// Counts a call, if its kind is being counted. Tells whether it was.
    pub fn count(&mut self, key: &[u8], sent: u64, received: u64) -> bool {
        let Some(folded) = self.kinds.get_mut(key) else { return false };
        folded.more = folded.more.saturating_add(1);
        folded.sent = folded.sent.saturating_add(sent);
        folded.received = folded.received.saturating_add(received);
        true
    }

    /// Begins to count a kind, whose first call has been told. Gives what has to make room.
    pub fn begin(&mut self, key: &[u8], first: T, now_ms: u64) -> Option<Folded<T>> {
        if self.window_ms == 0 {
            return None;
        }
        let key: Key = key.into();
        let out = match self.kinds.remove(&key) {
            // it begins anew
            Some(before) => {
                self.order.retain(|other| *other != key);
                Some(before)
            }
            None if self.kinds.len() >= self.capacity => self.take_oldest(),
            None => None,
        };
        self.order.push_back(key.clone());
        self.kinds.insert(key, Folded { first, since_ms: now_ms, more: 0, sent: 0, received: 0 });
        out.filter(|folded| folded.more > 0)
    }

    fn take_oldest(&mut self) -> Option<Folded<T>> {
        let key = self.order.pop_front()?;
        self.kinds.remove(&key)
    }

    /// Takes out the kinds whose time is over, and gives those of which there is something to tell. A clock that was set back
    /// ends them all.
    pub fn over(&mut self, now_ms: u64) -> Vec<Folded<T>> {
        let mut over = Vec::new();
        while let Some(since) = self.order.front().and_then(|key| self.kinds.get(key)).map(|folded| folded.since_ms) {
            if now_ms >= since && now_ms - since < self.window_ms {
                break;
            }
            over.extend(self.take_oldest().filter(|folded| folded.more > 0));
        }
        over
    }

    /// Takes out all.
    pub fn drain(&mut self) -> Vec<Folded<T>> {
        let mut all = Vec::new();
        while let Some(folded) = self.take_oldest() {
            all.extend(Some(folded).filter(|folded| folded.more > 0));
        }
        all
    }
}
