//! What is counted beside flags: where values came from, polls, reports of usage, OFREP answers, refused host calls.

use filter_runtime::{Counter, metric_name, set_gauge};
use flag_core::inspect::{KINDS, Trap};
use flag_core::serve::Origin;
use flag_core::sync::Poll;

/// The counters of one configuration in one worker.
#[derive(Default)]
pub(crate) struct Meters {
    served: [Counter; Origin::ALL.len()],
    polls: [Counter; Poll::ALL.len()],
    reports_taken: Counter,
    reports_refused: Counter,
    ofrep: [Counter; CLASSES.len()],
    host_failures: Counter,
}

/// The classes of OFREP answers.
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];
impl Meters {
    pub(crate) fn served(&self, origin: Origin) {
        count(&self.served, Origin::ALL, origin);
    }

    pub(crate) fn polled(&self, poll: Poll) {
        count(&self.polls, Poll::ALL, poll);
    }

    pub(crate) fn reported(&self, taken: bool) {
        if taken { self.reports_taken.increment() } else { self.reports_refused.increment() }
    }

    pub(crate) fn answered(&self, status: u16) {
        let class = usize::from(status / 100).saturating_sub(2);
        self.ofrep.get(class).inspect(|counter| counter.increment());
    }

    pub(crate) fn host_failed(&self) {
        self.host_failures.increment();
    }

    pub(crate) fn flush(&self) {
        for (counter, origin) in self.served.iter().zip(Origin::ALL) {
            counter.flush(|| name("served_total", &[("source", origin.as_str())]));
        }
        for (counter, poll) in self.polls.iter().zip(Poll::ALL) {
            counter.flush(|| name("polls_total", &[("result", poll.as_str())]));
        }
        for (counter, class) in self.ofrep.iter().zip(CLASSES) {
            counter.flush(|| name("ofrep_answers_total", &[("status_class", class)]));
        }
        self.reports_taken.flush(|| name("usage_reports_total", &[("result", "accepted")]));
        self.reports_refused.flush(|| name("usage_reports_total", &[("result", "failed")]));
        self.host_failures.flush(|| name("host_failures_total", &[]));
    }
}

/// What holds for the proxy as a whole, told by the worker that leads.
pub(crate) struct Standing {
    /// Seconds since Unleash confirmed what is served; none where it never did.
    pub(crate) age: Option<u64>,
    /// Unleash's number of the state.
    pub(crate) revision: Option<u64>,
    /// Where values come from.
    pub(crate) origin: Origin,
}

impl Standing {
    pub(crate) fn tell(&self) {
        set_gauge("runtime_control_flag_headers_leader", 1);
        if let Some(age) = self.age {
            set_gauge("runtime_control_flag_headers_state_age_seconds", age);
        }
        if let Some(revision) = self.revision {
            set_gauge("runtime_control_flag_headers_revision", revision);
        }
        tell_origin(self.origin);
    }
}

/// Tells where values come from in a proxy that asks no Unleash, so that nobody leads.
pub(crate) fn tell_without_unleash(origin: Origin) {
    set_gauge("runtime_control_flag_headers_leader", 0);
    tell_origin(origin);
}

fn tell_origin(origin: Origin) {
    for other in Origin::ALL {
        set_gauge(&name("serving", &[("source", other.as_str())]), u64::from(*other == origin));
    }
}

/// Tells how many traps of each kind the served definitions hold.
pub(crate) fn tell_traps(traps: &[Trap]) {
    for kind in KINDS {
        let found = traps.iter().filter(|trap| trap.kind == kind).count();
        set_gauge(&name("definition_warnings", &[("kind", kind)]), u64::try_from(found).unwrap_or(u64::MAX));
    }
}

/// Tells how long an update held this worker, in microseconds.
pub(crate) fn tell_hold(step: &str, microseconds: u64) {
    set_gauge(&name("update_hold_microseconds", &[("step", step)]), microseconds);
}

fn name(what: &str, tags: &[(&str, &str)]) -> String {
    metric_name(&format!("runtime_control_flag_headers_{what}"), tags)
}

fn count<T: PartialEq>(counters: &[Counter], all: &[T], one: T) {
    let place = all.iter().position(|other| *other == one);
    place.and_then(|place| counters.get(place)).inspect(|counter| counter.increment());
}
