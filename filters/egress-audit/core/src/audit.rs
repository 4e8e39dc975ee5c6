//! What becomes of events: which calls are counted with others, what is chained and told, and what waits for the collector.
//!
//! One audit is one worker's. It outlives configurations, so that an update neither breaks a chain nor loses what waits.

use crate::chain::Chain;
use crate::event::{Event, Field, Severity, timestamp};
use crate::fold::{Fold, Folded};
use crate::otlp;
use crate::policy::Settings;
use crate::queue::Queue;

/// A line to log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How much it matters.
    pub severity: Severity,
    /// The event.
    pub text: String,
}

/// How many there were of each, since it was last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events told.
    pub told: u64,
    /// Calls that were counted with an earlier one.
    pub folded: u64,
    /// Events that are lost for the collector.
    pub lost: u64,
}

/// One worker's audit.
#[derive(Debug)]
pub struct Audit {
    id: String,
    ids: u64,
    chain: Chain,
    chained: bool,
    fold: Fold<Event>,
    /// What waits for the collector, where there is one.
    pub queue: Option<Queue>,
    /// How many there were of each.
    pub tally: Tally,
}

/// Fields that are one call's alone, and not told of several.
const OF_ONE: [&str; 8] =
    ["time", "count", "since", "sent.bytes", "received.bytes", "duration_ms", "request_id", "first_seen"];

impl Audit {
    /// An audit as these settings want it. No other worker's has its name, which chains go by, and its id, which events go by.
    #[must_use]
    pub fn new(name: String, id: String, settings: &Settings) -> Self {
        let mut audit = Self {
            ids: 0,
            chain: Chain::new(name),
            chained: false,
            fold: Fold::new(0, 1),
            queue: None,
            tally: Tally::default(),
            id,
        };
        audit.adopt(settings, 0);
        audit
    }

    /// Goes on as other settings want it. Gives what was counted under the ones before.
    pub fn adopt(&mut self, settings: &Settings, now_ms: u64) -> Vec<Line> {
        let lines = self.flush(now_ms);
        let window = u64::try_from(std::time::Duration::from(settings.audit.fold).as_millis()).unwrap_or(u64::MAX);
        self.fold = Fold::new(window, size(settings.audit.fold_capacity.0));
        self.chained = settings.audit.chain;
        let export = &settings.export;
        let bounds = (size(export.buffer_events.0), size(export.buffer_bytes.0), export.on_full);
        match (&mut self.queue, &export.otlp) {
            (Some(queue), Some(_)) => self.tally.lost += queue.resize(bounds.0, bounds.1, bounds.2),
            (None, Some(_)) => self.queue = Some(Queue::new(bounds.0, bounds.1, bounds.2)),
            (queue, None) => {
                self.tally.lost += queue.take().map_or(0, |mut queue| queue.give_up());
            }
        }
        lines
    }

    /// The name of the event that a call of this kind belongs to: a new one, or that of the call that it will be counted with.
    pub fn event_id(&mut self, key: &[u8]) -> String {
        if let Some(id) = self.fold.first_of(key).and_then(|first| first.text("event_id")) {
            return id.to_owned();
        }
        self.ids = self.ids.saturating_add(1);
        format!("{}-{:x}", self.id, self.ids)
    }

    /// Counts a call with an earlier one of its kind. Tells whether there is one; else an event has to be told.
    pub fn counted(&mut self, key: &[u8], sent: u64, received: u64) -> bool {
        let counted = self.fold.count(key, sent, received);
        self.tally.folded += u64::from(counted);
        counted
    }

    /// Tells an event, the first of its kind.
    pub fn tell(&mut self, key: &[u8], mut event: Event, now_ms: u64) -> Vec<Line> {
        let room = if self.fold.folds() { self.fold.begin(key, event.clone(), now_ms) } else { None };
        let mut lines: Vec<Line> = room.iter().map(|folded| self.tell_counted(folded, now_ms)).collect();
        lines.push(self.line(&mut event, now_ms));
        lines
    }

    /// Tells what was counted for long enough.
    pub fn tick(&mut self, now_ms: u64) -> Vec<Line> {
        let over = self.fold.over(now_ms);
        over.iter().map(|folded| self.tell_counted(folded, now_ms)).collect()
    }

    /// Tells all that was counted: the audit may end.
    pub fn flush(&mut self, now_ms: u64) -> Vec<Line> {
        let all = self.fold.drain();
        all.iter().map(|folded| self.tell_counted(folded, now_ms)).collect()
    }

    /// Gives up what waits for the collector: nobody is left to send it.
    pub fn give_up(&mut self) {
        self.tally.lost = self.tally.lost.saturating_add(self.queue.as_mut().map_or(0, Queue::give_up));
    }

    /// Whether a call has to be denied, as nothing could be told about it.
    #[must_use]
    pub fn closes(&self) -> bool {
        self.queue.as_ref().is_some_and(Queue::closes)
    }

    fn tell_counted(&mut self, folded: &Folded<Event>, now_ms: u64) -> Line {
        let mut event = folded.first.without(&OF_ONE);
        event.put("time", Field::Text(timestamp(now_ms)));
        event.put("count", Field::Number(folded.more));
        event.put("since", Field::Text(timestamp(folded.since_ms)));
        event.put("sent.bytes", Field::Number(folded.sent));
        event.put("received.bytes", Field::Number(folded.received));
        self.line(&mut event, now_ms)
    }

    fn line(&mut self, event: &mut Event, now_ms: u64) -> Line {
        let text = if self.chained { self.chain.add(event) } else { event.line() };
        self.tally.told += 1;
        if let Some(queue) = &mut self.queue {
            self.tally.lost += queue.push(otlp::record(event, &text, now_ms));
        }
        Line { severity: event.severity, text }
    }
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
