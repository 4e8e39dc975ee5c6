//! The bytes of a body on their way: what is held, what is replaced, what may go.

use core::ops::Range;
use std::collections::BTreeMap;

/// Held bytes of a body, and what is to stand in place of some of them.
#[derive(Debug, Default)]
pub struct Outlet {
    raw: Vec<u8>,
    /// Where the first held byte is in the body.
    base: u64,
    /// By where they begin: where they end, and what comes instead.
    edits: BTreeMap<u64, (u64, Vec<u8>)>,
    edited: u64,
}

impl Outlet {
    /// Adds bytes. Returns where in the body they begin.
    pub fn push(&mut self, bytes: &[u8]) -> u64 {
        let at = self.end();
        self.raw.extend_from_slice(bytes);
        at
    }

    /// Where the body ends so far.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.base + self.raw.len() as u64
    }

    /// Where what is held begins.
    #[must_use]
    pub const fn start(&self) -> u64 {
        self.base
    }

    /// Held bytes.
    #[must_use]
    pub fn slice(&self, range: &Range<u64>) -> &[u8] {
        self.raw.get(self.place(range.start)..self.place(range.end)).unwrap_or_default()
    }

    /// Sets what comes instead of some bytes.
    pub fn replace(&mut self, range: Range<u64>, bytes: Vec<u8>) {
        self.edited += 1;
        match self.edits.get_mut(&range.start) {
            // behind what was put before it
            Some((end, before)) if *end == range.start => {
                *end = range.end;
                before.extend(bytes);
            }
            _ => drop(self.edits.insert(range.start, (range.end, bytes))),
        }
    }

    /// Puts bytes before the one at `at`.
    pub fn insert(&mut self, at: u64, bytes: Vec<u8>) {
        self.edits.insert(at, (at, bytes));
    }

    /// Whether something in a range is replaced.
    #[must_use]
    pub fn is_edited(&self, range: Range<u64>) -> bool {
        self.edits.range(range).next().is_some()
    }

    /// How many replacements there were.
    #[must_use]
    pub const fn edited(&self) -> u64 {
        self.edited
    }

    /// Lets all bytes before `until` go, with what was replaced. None is ever lost: what is not let go now goes later.
    pub fn release(&mut self, until: u64, out: &mut Vec<u8>) {
        let until = until.clamp(self.base, self.end());
        let mut at = self.base;
        while let Some(entry) = self.edits.first_entry() {
            if *entry.key() >= until {
                break;
            }
            let (start, (end, bytes)) = entry.remove_entry();
            if start < at {
                continue;
            }
            out.extend_from_slice(self.slice(&(at..start)));
            out.extend_from_slice(&bytes);
            at = end;
        }
        out.extend_from_slice(self.slice(&(at..until)));
        let gone = self.place(until.max(at));
        self.raw.drain(..gone);
        self.base = until.max(at).min(self.base + gone as u64);
    }

    fn place(&self, raw: u64) -> usize {
        usize::try_from(raw.saturating_sub(self.base)).unwrap_or(usize::MAX).min(self.raw.len())
    }
}
