//! One text, from its first byte to its last, in whatever pieces: what in it is a value, and what can't become one any more.
//!
//! A place at which a value may begin is asked once enough has come to tell. Until then all from there on is held. Values that
//! overlap are one: the longest of them gives its kind (of two as long the surest, then the first), and all bytes of all of them
//! are replaced, so that no end of a shorter one stays.

use crate::{
    detect::{Found, View},
    detectors::{Detectors, Hit, Kind},
    text::{Run, Text},
};

/// How long a chain of overlapping values may get, in bytes, before it is ended.
const CHAIN: usize = 64 * 1024;

/// See the module.
#[derive(Debug, Default)]
pub struct Scanner {
    text: Text,
    /// The next place to be asked.
    at: usize,
    /// Values that others may still overlap, and from where to where they reach.
    open: Vec<Hit>,
    reach: Option<(usize, usize)>,
    found: Vec<Found>,
    new: Vec<Hit>,
}

impl Scanner {
    /// Begins a new text. `context` are words that count as standing before it: the name of the field.
    pub fn begin(&mut self, context: &[u8]) {
        self.text.begin(context);
        self.at = self.text.bytes().len();
        self.open.clear();
        self.reach = None;
    }

    /// Says that what comes next stands elsewhere in the body.
    pub const fn next_piece(&mut self) {
        self.text.next_piece();
    }

    /// The text, for the ranges of the hits that were told since the last [`Scanner::tidy`].
    #[must_use]
    pub const fn text(&self) -> &Text {
        &self.text
    }

    /// Says that the next byte stands for these ranges of the body as well, in earlier pieces.
    pub fn heads(&mut self, ranges: &[core::ops::Range<u64>]) {
        self.text.heads(ranges);
    }

    /// Adds decoded bytes.
    pub fn push(&mut self, run: Run<'_>) {
        self.text.push(run);
    }

    /// Looks at what has come, and tells the values that are certain. `whole` says that nothing more comes.
    pub fn scan(&mut self, detectors: &Detectors, whole: bool, hits: &mut Vec<Hit>) {
        if whole {
            self.text.finish();
        }
        let length = self.text.bytes().len();
        while self.at < length {
            // where values are open, what follows them ends them
            let end = self.reach.map_or(length, |(_, end)| end.min(length).max(self.at + 1));
            self.at = detectors.next_place(self.text.bytes(), self.at, end);
            if self.at < end {
                if !self.ask(detectors, whole) {
                    return;
                }
                self.at += 1;
            }
            self.close(false, hits);
        }
        if whole {
            self.close(true, hits);
        }
    }

    /// Where in the body what is not certain begins; none where all is.
    #[must_use]
    pub fn held_from(&self) -> Option<u64> {
        let first = self.reach.map_or(self.at, |(start, _)| start.min(self.at));
        self.text.raw_start_from(first).or_else(|| self.text.partial())
    }

    /// Drops text that is not needed any more. Places told before mean nothing after.
    pub fn tidy(&mut self) {
        let first = self.reach.map_or(self.at, |(start, _)| start.min(self.at));
        let gone = self.text.drop_before(first);
        if gone > 0 {
            self.at -= gone;
            self.reach = self.reach.map(|(start, end)| (start - gone, end - gone));
            for hit in &mut self.open {
                hit.start -= gone;
                hit.end -= gone;
            }
        }
    }

    /// Asks at the place. Whether enough has come to tell.
    fn ask(&mut self, detectors: &Detectors, whole: bool) -> bool {
        let view = View::new(self.text.bytes(), self.at, whole);
        self.new.clear();
        detectors.look(self.text.bytes(), self.at, &view, &mut self.found, &mut self.new);
        if view.short() {
            return false;
        }
        for hit in &self.new {
            if hit.end > hit.start && detectors.counts(self.text.bytes(), hit) {
                let (start, end) = self.reach.unwrap_or((hit.start, hit.end));
                self.reach = Some((start.min(hit.start), end.max(hit.end)));
                self.open.push(*hit);
            }
        }
        true
    }

    /// Tells the values that nothing can overlap any more.
    fn close(&mut self, whole: bool, hits: &mut Vec<Hit>) {
        let Some((start, end)) = self.reach else { return };
        if whole || self.at >= end || self.at.saturating_sub(start) > CHAIN {
            resolve(&mut self.open, hits);
            self.reach = None;
        }
    }
}

/// Makes one value of those that overlap.
fn resolve(open: &mut Vec<Hit>, hits: &mut Vec<Hit>) {
    let placeholders: Vec<Hit> = open.iter().filter(|hit| hit.kind == Kind::Placeholder).copied().collect();
    if !placeholders.is_empty() {
        // what stands for a value is no part of another; they are in their order, and none overlaps another
        open.retain(|hit| {
            let next = placeholders.partition_point(|other| other.end <= hit.start);
            hit.kind == Kind::Placeholder || !placeholders.get(next).is_some_and(|other| overlaps(hit, other))
        });
    }
    open.sort_by_key(|hit| (hit.start, core::cmp::Reverse(hit.end)));
    let mut best: Option<(Hit, Hit)> = None;
    for hit in open.drain(..) {
        match &mut best {
            Some((span, strongest)) if overlaps(span, &hit) => {
                span.end = span.end.max(hit.end);
                if rank(&hit) > rank(strongest) {
                    *strongest = hit;
                }
            }
            _ => {
                hits.extend(best.take().map(told));
                best = Some((hit, hit));
            }
        }
    }
    hits.extend(best.map(told));
}

fn told((span, strongest): (Hit, Hit)) -> Hit {
    Hit { start: span.start, end: span.end, ..strongest }
}

const fn overlaps(one: &Hit, other: &Hit) -> bool {
    one.start < other.end && other.start < one.end
}

const fn rank(hit: &Hit) -> (usize, u8) {
    (hit.end - hit.start, hit.confidence)
}
