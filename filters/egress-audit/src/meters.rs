//! What is counted: decisions, calls that are exempt, what connections begin with, events and what becomes of them.

use std::cell::RefCell;
use std::collections::HashMap;

use egress_core::audit::Tally;
use egress_core::config::Mode;
use egress_core::decide::{Exemption, verdict};
use egress_core::{Decision, Policy, Reason};
use filter_runtime::{Counter, SharedGauge, metric_name};
use foldhash::fast::RandomState;

/// The counters of one configuration.
#[derive(Default)]
pub(crate) struct Meters {
    decisions: RefCell<HashMap<Decided, Counted, RandomState>>,
    exempt: [Counter; Exemption::ALL.len()],
    connections: [Counter; Opening::ALL.len()],
    batches: [Counter; Batch::ALL.len()],
    events: Counter,
    folded: Counter,
    lost: Counter,
    sampled_out: Counter,
    first_seen: Counter,
    forgotten: Counter,
    lookalikes: Counter,
    host_failures: Counter,
    pending: SharedGauge,
}

/// What tells one counter of decisions from another.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Decided {
    guard: Option<usize>,
    rule: Option<usize>,
    reason: Reason,
    mode: Mode,
    against: bool,
}

impl From<&Decision> for Decided {
    fn from(decision: &Decision) -> Self {
        let Decision { guard, rule, reason, mode, against, .. } = *decision;
        Self { guard, rule, reason, mode, against }
    }
}

/// A decision's counter, and what access logs are told of it, once it was asked for.
#[derive(Default)]
struct Counted {
    counter: Counter,
    word: Option<String>,
}

/// What a connection begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    Tls,
    TlsWithoutName,
    TlsMalformed,
    EncryptedHello,
    Http,
    Other,
    ServerFirst,
    Silent,
}

impl Opening {
    const ALL: [Self; 8] = [
        Self::Tls,
        Self::TlsWithoutName,
        Self::TlsMalformed,
        Self::EncryptedHello,
        Self::Http,
        Self::Other,
        Self::ServerFirst,
        Self::Silent,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::TlsWithoutName => "tls_without_name",
            Self::TlsMalformed => "tls_malformed",
            Self::EncryptedHello => "encrypted_hello",
            Self::Http => "http",
            Self::Other => "other",
            Self::ServerFirst => "server_first",
            Self::Silent => "silent",
        }
    }
}

/// What came of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Batch {
    Taken,
    Later,
    Refused,
    NoCluster,
}

impl Batch {
    const ALL: [Self; 4] = [Self::Taken, Self::Later, Self::Refused, Self::NoCluster];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Later => "retried",
            Self::Refused => "refused",
            Self::NoCluster => "no_cluster",
        }
    }
}

fn name(what: &str, tags: &[(&str, &str)]) -> String {
    metric_name(&format!("runtime_control_egress_audit_{what}"), tags)
}

/// How the absence of a policy or rule is written.
const NONE: &str = "none";

impl Meters {
    pub(crate) fn decided(&self, decision: &Decision) {
        self.decisions.borrow_mut().entry(decision.into()).or_default().counter.increment();
    }

    /// Does something with what access logs are told of a decision, which is made once.
    pub(crate) fn with_word<T>(
        &self,
        decision: &Decision,
        make: impl FnOnce() -> String,
        then: impl FnOnce(&str) -> T,
    ) -> T {
        let mut decisions = self.decisions.borrow_mut();
        then(decisions.entry(decision.into()).or_default().word.get_or_insert_with(make))
    }

    pub(crate) fn exempted(&self, exemption: Exemption) {
        count(&self.exempt, &Exemption::ALL, exemption);
    }

    pub(crate) fn opened(&self, opening: Opening) {
        count(&self.connections, &Opening::ALL, opening);
    }

    pub(crate) fn batch(&self, batch: Batch) {
        count(&self.batches, &Batch::ALL, batch);
    }

    pub(crate) fn sampled_out(&self) {
        self.sampled_out.increment();
    }

    pub(crate) fn first_seen(&self, forgotten: bool) {
        self.first_seen.increment();
        self.forgotten.add(u64::from(forgotten));
    }

    pub(crate) fn looks_alike(&self) {
        self.lookalikes.increment();
    }

    pub(crate) fn host_failed(&self) {
        self.host_failures.increment();
    }

    /// Takes over what the audit has counted, and how many events wait.
    pub(crate) fn take(&self, tally: Tally, pending: usize) {
        self.events.add(tally.told);
        self.folded.add(tally.folded);
        self.lost.add(tally.lost);
        self.pending.set(&name("export_pending", &[]), i64::try_from(pending).unwrap_or(i64::MAX));
    }

    pub(crate) fn flush(&self, policy: &Policy) {
        for (decided, counted) in self.decisions.borrow().iter() {
            counted.counter.flush(|| decided.name(policy));
        }
        flush(&self.exempt, &Exemption::ALL, |one| name("exempt_total", &[("reason", one.as_str())]));
        flush(&self.connections, &Opening::ALL, |one| name("connections_total", &[("opening", one.as_str())]));
        flush(&self.batches, &Batch::ALL, |one| name("export_batches_total", &[("result", one.as_str())]));
        let plain = [
            (&self.events, "events_total"),
            (&self.folded, "events_folded_total"),
            (&self.lost, "events_lost_total"),
            (&self.sampled_out, "events_sampled_out_total"),
            (&self.first_seen, "first_seen_total"),
            (&self.forgotten, "first_seen_forgotten_total"),
            (&self.lookalikes, "lookalikes_total"),
            (&self.host_failures, "host_failures_total"),
        ];
        for (counter, what) in plain {
            counter.flush(|| name(what, &[]));
        }
    }
}

impl Decided {
    fn name(&self, policy: &Policy) -> String {
        let (guard, rule) = policy.names(self.guard, self.rule);
        let tags = [
            ("policy", guard.unwrap_or(NONE)),
            ("rule", rule.unwrap_or(NONE)),
            ("decision", verdict(self.against, self.mode)),
            ("reason", self.reason.as_str()),
            ("mode", self.mode.as_str()),
        ];
        name("decisions_total", &tags)
    }
}

fn count<T: PartialEq, const N: usize>(counters: &[Counter; N], all: &[T; N], one: T) {
    let place = all.iter().position(|other| *other == one);
    place.and_then(|place| counters.get(place)).inspect(|counter| counter.increment());
}

fn flush<T: Copy, const N: usize>(counters: &[Counter; N], all: &[T; N], name: impl Fn(T) -> String) {
    for (one, counter) in all.iter().zip(counters) {
        counter.flush(|| name(*one));
    }
}
