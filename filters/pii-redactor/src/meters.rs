//! What is counted: values by kind, what became of requests and answers, bytes, and how long text was held.

use std::cell::RefCell;
use std::collections::HashMap;

use filter_runtime::{Counter, metric_name};
use foldhash::fast::RandomState;
use pii_core::session::{Direction, Tally};

/// The counters of one configuration, by their full names: each combination of tags that ever counted.
#[derive(Default)]
pub(crate) struct Meters {
    counters: RefCell<HashMap<String, Counter, RandomState>>,
}

impl Meters {
    fn add(&self, what: &str, tags: &[(&str, &str)], count: u64) {
        if count == 0 {
            return;
        }
        let name = metric_name(&format!("runtime_control_pii_redactor_{what}"), tags);
        self.counters.borrow_mut().entry(name).or_default().add(count);
    }

    /// A body, or a request without one, that is looked at.
    pub(crate) fn looked_at(&self, rule: &str, direction: Direction, mode: &str) {
        self.add("bodies_total", &[("rule", rule), ("direction", direction.word()), ("mode", mode)], 1);
    }

    /// A request that passes though a rule is for it.
    pub(crate) fn passed(&self, rule: &str, reason: &str) {
        self.add("passed_total", &[("rule", rule), ("reason", reason)], 1);
    }

    /// A request or answer that was stopped.
    pub(crate) fn blocked(&self, rule: &str, direction: Direction, reason: &str) {
        self.add("blocked_total", &[("rule", rule), ("direction", direction.word()), ("reason", reason)], 1);
    }

    /// What was found and put back in a request and its answer.
    pub(crate) fn tally(&self, tally: &Tally, mode: &str) {
        for ((direction, entity, action), count) in &tally.found {
            let tags = [
                ("entity", entity.as_str()),
                ("direction", direction.word()),
                ("action", action.as_str()),
                ("mode", mode),
            ];
            self.add("found_total", &tags, *count);
        }
        self.add("restored_total", &[], tally.restored);
        self.add("restore_misses_total", &[], tally.missed);
    }

    /// How many bytes were looked at.
    pub(crate) fn bytes(&self, direction: Direction, count: u64) {
        self.add("bytes_total", &[("direction", direction.word())], count);
    }

    /// How long text was held for what might come.
    pub(crate) fn held(&self, direction: Direction, milliseconds: u64) {
        self.add("held_total", &[("direction", direction.word())], 1);
        self.add("held_milliseconds_total", &[("direction", direction.word())], milliseconds);
    }

    /// The host refused a call.
    pub(crate) fn host_failed(&self) {
        self.add("host_failures_total", &[], 1);
    }

    pub(crate) fn flush(&self) {
        for (name, counter) in self.counters.borrow().iter() {
            counter.flush(|| name.clone());
        }
    }
}
