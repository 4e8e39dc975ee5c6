//! Events on their way to a collector: bounded, and kept until the collector has taken them.

use std::collections::VecDeque;

use crate::config::OnFull;

/// An event that waits: its line, and its form for the collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The record in OTLP's JSON.
    pub record: String,
}

/// Events that wait, oldest first. A batch that is on its way counts as waiting.
#[derive(Clone, Debug)]
pub struct Queue {
    events: VecDeque<Waiting>,
    bytes: usize,
    most_events: usize,
    most_bytes: usize,
    on_full: OnFull,
    /// How many of the oldest are on their way. Until the answer has come it stays so, even when all of them had to make room:
    /// else the answer would be taken for that of a later batch.
    sending: Option<usize>,
    retry: Retry,
}

/// When the next batch may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Retry {
    failures: u32,
    not_before_ms: u64,
    /// How often the batch at the front was found to be wrong.
    refused: u32,
}

/// The longest pause between two tries, and the first.
const LONGEST_PAUSE_MS: u64 = 30_000;
const FIRST_PAUSE_MS: u64 = 500;
/// The longest pause that a collector can ask for.
const LONGEST_ASKED_MS: u64 = 300_000;
/// How often a batch is sent that the collector finds wrong, before it is given up.
const REFUSALS: u32 = 3;

/// What a collector makes of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is taken, less that many records.
    Taken {
        /// How many records were not taken.
        rejected: u64,
    },
    /// It may be taken later, after so many milliseconds where the collector says so.
    Later(Option<u64>),
    /// It is wrong, and would be so later (400, 413).
    Wrong,
}

impl Queue {
    /// A queue of at most that many events and bytes.
    #[must_use]
    pub fn new(most_events: usize, most_bytes: usize, on_full: OnFull) -> Self {
        Self {
            events: VecDeque::new(),
            bytes: 0,
            most_events,
            most_bytes,
            on_full,
            sending: None,
            retry: Retry::default(),
        }
    }

    /// Takes over other bounds. What waits is kept, as far as it fits. Gives how many events were lost.
    pub fn resize(&mut self, most_events: usize, most_bytes: usize, on_full: OnFull) -> u64 {
        (self.most_events, self.most_bytes, self.on_full) = (most_events, most_bytes, on_full);
        self.trim()
    }

    /// How many events wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Whether a call has to be denied, as no event about it could be kept.
    #[must_use]
    pub fn closes(&self) -> bool {
        self.on_full == OnFull::FailClosed && self.is_full(0)
    }

    fn is_full(&self, more: usize) -> bool {
        self.events.len() >= self.most_events || self.bytes.saturating_add(more) > self.most_bytes
    }

    /// Takes an event. Gives how many were lost by it: this one or older ones.
    pub fn push(&mut self, event: Waiting) -> u64 {
        let size = event.record.len();
        if size > self.most_bytes {
            return 1;
        }
        if self.on_full != OnFull::DropOldest && self.is_full(size) {
            return 1;
        }
        self.bytes = self.bytes.saturating_add(size);
        self.events.push_back(event);
        self.trim()
    }

    /// Drops the oldest until the bounds hold. One that is on its way may arrive all the same.
    fn trim(&mut self) -> u64 {
        let mut lost = 0;
        while self.events.len() > self.most_events || self.bytes > self.most_bytes {
            if !self.drop_front() {
                break;
            }
            lost += 1;
        }
        lost
    }

    fn drop_front(&mut self) -> bool {
        let Some(event) = self.events.pop_front() else { return false };
        self.bytes = self.bytes.saturating_sub(event.record.len());
        self.sending = self.sending.map(|sending| sending.saturating_sub(1));
        true
    }

    /// The batch that is to go now: at most that many of the oldest events. None while one is on its way, while the pause
    /// after a failure lasts, and where none waits.
    pub fn next_batch(&mut self, most: usize, now_ms: u64) -> Option<Vec<&Waiting>> {
        // a clock that was set back ends a pause
        let waits =
            self.retry.not_before_ms > now_ms && self.retry.not_before_ms.saturating_sub(now_ms) <= LONGEST_ASKED_MS;
        if self.sending.is_some() || waits || self.events.is_empty() {
            return None;
        }
        let count = self.events.len().min(most.max(1));
        self.sending = Some(count);
        Some(self.events.iter().take(count).collect())
    }

    /// Whether a batch is on its way.
    #[must_use]
    pub fn is_sending(&self) -> bool {
        self.sending.is_some()
    }

    /// Whether the collector has been failing.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.retry.failures
    }

    /// Notes what came of the batch that was on its way. Gives how many events are lost for good.
    pub fn answered(&mut self, answer: Answer, now_ms: u64, chance: u64) -> u64 {
        let sent = self.sending.take().unwrap_or(0);
        match answer {
            Answer::Taken { rejected } => {
                self.retry = Retry::default();
                let gone = self.drop_many(sent);
                rejected.min(gone)
            }
            Answer::Wrong if self.retry.refused.saturating_add(1) >= REFUSALS => {
                self.retry = Retry::default();
                self.drop_many(sent)
            }
            Answer::Wrong => {
                self.retry.refused = self.retry.refused.saturating_add(1);
                self.pause(None, now_ms, chance);
                0
            }
            Answer::Later(asked) => {
                self.pause(asked, now_ms, chance);
                0
            }
        }
    }

    fn drop_many(&mut self, count: usize) -> u64 {
        let mut gone = 0;
        for _ in 0..count {
            gone += u64::from(self.drop_front());
        }
        gone
    }

    /// Twice as long at each failure in a row, and up to a quarter less by chance, so that a fleet does not come back together.
    fn pause(&mut self, asked: Option<u64>, now_ms: u64, chance: u64) {
        let doubled = FIRST_PAUSE_MS.saturating_mul(1 << self.retry.failures.min(16)).min(LONGEST_PAUSE_MS);
        let less = chance.checked_rem((doubled / 4).max(1)).unwrap_or(0);
        let pause = doubled.saturating_sub(less).max(asked.unwrap_or(0).min(LONGEST_ASKED_MS));
        self.retry.failures = self.retry.failures.saturating_add(1);
        self.retry.not_before_ms = now_ms.saturating_add(pause);
    }

    /// Gives up all that waits: the plugin goes. Gives how many events that are.
    pub fn give_up(&mut self) -> u64 {
        let count = self.events.len();
        self.sending = None;
        self.drop_many(count)
    }
}
