//! How often each exposed flag was used, for the proxy's metrics and for Unleash.

use std::cell::{Cell, RefCell};

use filter_runtime::{Counter, metric_name};
use flag_core::engine::Reason;
use flag_core::serve::{Outcome, PayloadFault, Served};
use flag_core::sync::Millis;
use flag_core::usage::{Usage, Uses};

/// The most flags with metrics of their own; the others share one. A prefix can expose thousands.
const OWN_METRICS: usize = 200;

/// The uses of the flags that are served, in their order.
pub(crate) struct Tally {
    flags: Vec<FlagTally>,
    /// What was counted before other flags were served, and is not gathered yet.
    earlier: RefCell<Usage>,
    since: Cell<Millis>,
}

struct FlagTally {
    uses: RefCell<Uses>,
    /// By value (false, true) and then by reason, in the order of [`Reason::ALL`].
    evaluations: Vec<Counter>,
    type_faults: Counter,
    length_faults: Counter,
}

impl Tally {
    pub(crate) fn of(served: &Served) -> Self {
        let flag = |_| FlagTally {
            uses: RefCell::default(),
            evaluations: std::iter::repeat_with(Counter::default).take(Reason::ALL.len().saturating_mul(2)).collect(),
            type_faults: Counter::default(),
            length_faults: Counter::default(),
        };
        Self { flags: served.exposed.iter().map(flag).collect(), earlier: RefCell::default(), since: Cell::new(0) }
    }

    /// Counts one use of the flag at a place.
    pub(crate) fn count(&self, index: usize, outcome: &Outcome) {
        let Some(flag) = self.flags.get(index) else { return };
        let row = if outcome.enabled { Reason::ALL.len() } else { 0 };
        let reason = outcome.reason as usize;
        flag.evaluations.get(row.saturating_add(reason)).inspect(|counter| counter.increment());
        match outcome.payload_fault {
            Some(PayloadFault::Type) => flag.type_faults.increment(),
            Some(PayloadFault::Length) => flag.length_faults.increment(),
            None => {}
        }
        // what a peer decided, it has counted
        if outcome.reason == Reason::Given {
            return;
        }
        let mut uses = flag.uses.borrow_mut();
        let side = if outcome.enabled { &mut uses.yes } else { &mut uses.no };
        *side = side.saturating_add(1);
        if let Some(variant) = &outcome.variant {
            match uses.variants.get_mut(variant) {
                Some(count) => *count = count.saturating_add(1),
                None => drop(uses.variants.insert(variant.clone(), 1)),
            }
        }
    }

    /// Tells the host what has gathered.
    pub(crate) fn flush(&self, served: &Served) {
        for (index, (flag, exposed)) in self.flags.iter().zip(&served.exposed).enumerate() {
            let label = if index < OWN_METRICS { exposed.headers.name.as_str() } else { "other" };
            let named = |what: &str, tags: &[(&str, &str)]| {
                let tags: Vec<(&str, &str)> = [("flag", label)].into_iter().chain(tags.iter().copied()).collect();
                metric_name(&format!("runtime_control_flag_headers_{what}"), &tags)
            };
            let rows =
                ["false", "true"].into_iter().flat_map(|value| Reason::ALL.iter().map(move |reason| (value, reason)));
            for ((value, reason), counter) in rows.zip(&flag.evaluations) {
                counter.flush(|| named("evaluations_total", &[("result", value), ("reason", reason.as_str())]));
            }
            flag.type_faults.flush(|| named("payload_faults_total", &[("fault", "type")]));
            flag.length_faults.flush(|| named("payload_faults_total", &[("fault", "length")]));
        }
    }

    /// Takes over what another tally has not gathered yet.
    pub(crate) fn inherit(&self, before: &Self, served: &Served) {
        let usage = before.gather(served, before.since.get());
        self.since.set(usage.since);
        self.earlier.replace(usage);
    }

    /// Takes what was counted since the last time.
    pub(crate) fn gather(&self, served: &Served, now: Millis) -> Usage {
        let mut usage = self.earlier.take();
        let since = self.since.replace(now);
        let uses =
            self.flags.iter().zip(&served.exposed).map(|(flag, exposed)| (exposed.name.clone(), flag.uses.take()));
        let flags = uses.filter(|(_, uses)| uses.yes > 0 || uses.no > 0).collect();
        usage.merge(&Usage { since: if since > 0 { since } else { now }, flags });
        usage
    }
}
