//! One configuration at work, shared by the streams that began under it, and what both kinds of streams do with a decision.

use std::cell::Cell;
use std::rc::Rc;

use egress_core::config::{Mode, PathShown, Percent};
use egress_core::confusable::{Lookalikes, mixes_scripts};
use egress_core::decide::{Call, Outcome, verdict};
use egress_core::event::{Event, Facts, Stamp};
use egress_core::workload::Workload;
use egress_core::{Decision, Policy, Reason, decide, load};
use filter_config::NothingKept;
use filter_host::property;
use filter_runtime::{Loader, Store, adopt, random_id};
use proxy_wasm::types::Action;

use crate::known;
use crate::meters::Meters;
use crate::recorder::{Recorder, now_ms};

/// The version of what is kept in shared data. To be raised when an older image could not read what a newer one keeps.
const FORMAT: u32 = 1;
/// Where access logs find a word on a call: `%FILTER_STATE(wasm.runtime_control.egress:PLAIN)%`.
const FILTER_STATE: &[u8] = b"runtime_control.egress";

/// A policy, and all that goes with it.
pub(crate) struct Instance {
    pub(crate) policy: Policy,
    pub(crate) workload: Workload,
    pub(crate) meters: Meters,
    pub(crate) recorder: Rc<Recorder>,
    /// What tells this configuration from others in the same VM.
    pub(crate) number: u64,
    lookalikes: Lookalikes,
    store: Store,
    chance: Cell<u64>,
}

/// A call that is told of: the decision, and the kind that it is folded with.
pub(crate) struct Judged {
    pub(crate) decision: Decision,
    /// None where no event is told, as others stand for it.
    pub(crate) key: Option<Vec<u8>>,
    /// The event's name, where the client was told it.
    pub(crate) event_id: Option<String>,
}

impl Instance {
    /// Loads a configuration, keeps what is good of it and tells what came of it.
    pub(crate) fn configure(configuration: &[u8], plugin: &str) -> Self {
        let store = Store::new(plugin, FORMAT);
        let workload = known::workload();
        let loaded = load(configuration, &store, &workload);
        let loader = Loader { filter: "egress_audit", version: env!("CARGO_PKG_VERSION"), plugin };
        adopt(loader, &store, &loaded);
        Self::of(loaded.policy, workload, plugin, store)
    }

    /// What runs where no configuration ever came: an empty one.
    pub(crate) fn unconfigured() -> Self {
        let policy = load(b"", &NothingKept, &Workload::default()).policy;
        Self::of(policy, Workload::default(), "", Store::new("", FORMAT))
    }

    fn of(policy: Policy, workload: Workload, plugin: &str, store: Store) -> Self {
        let number = random_id();
        let recorder = Recorder::of(plugin, known::node_id().as_deref(), &policy.settings, number);
        let lookalikes = Lookalikes::of(policy.allowed.iter());
        Self {
            policy,
            workload,
            meters: Meters::default(),
            recorder,
            number,
            lookalikes,
            store,
            chance: Cell::new(number | 1),
        }
    }

    /// Decides on a call, and counts it. None where it is nobody's business.
    pub(crate) fn judge(&self, call: &Call, parts: &[&[u8]]) -> Option<Judged> {
        let mut decision = match decide(&self.policy, call) {
            Outcome::Exempt(exemption) => {
                self.meters.exempted(exemption);
                return None;
            }
            Outcome::Judged(decision) => decision,
        };
        if decision.mode == Mode::Enforce && !decision.against && self.recorder.audit.borrow().closes() {
            (decision.against, decision.reason, decision.rule) = (true, Reason::AuditUnavailable, None);
        }
        self.meters.decided(&decision);
        let key = if self.is_told(&decision) { Some(self.key(&decision, parts)) } else { None };
        Some(Judged { decision, key, event_id: None })
    }

    /// Whether an event is told of a call: always of one that is denied or would be, and of a host that is new here.
    fn is_told(&self, decision: &Decision) -> bool {
        let share = self.policy.settings.audit.sample_allowed;
        let whole = share == Percent::ALL || decision.against;
        if whole || decision.host.as_ref().is_some_and(|host| !self.recorder.knows(host)) {
            return true;
        }
        // xorshift64 (Marsaglia 2003): no secret, only no pattern
        let mut chance = self.chance.get();
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        self.chance.set(chance);
        let told = chance % u64::from(Percent::ALL.0) < u64::from(share.0);
        if !told {
            self.meters.sampled_out();
        }
        told
    }

    /// What makes calls one kind, but for the status: each part behind its length, so that no two kinds are spelled the same.
    /// Places of policies and rules mean something within one configuration only, and streams outlive it.
    fn key(&self, decision: &Decision, parts: &[&[u8]]) -> Vec<u8> {
        let place = |place: Option<usize>| {
            place.map_or(u32::MAX, |place| u32::try_from(place).unwrap_or(u32::MAX)).to_le_bytes()
        };
        let mut key = Vec::with_capacity(160);
        key.extend_from_slice(&self.number.to_le_bytes());
        key.extend_from_slice(&place(decision.guard));
        key.extend_from_slice(&place(decision.rule));
        key.extend_from_slice(&[
            decision.reason as u8,
            decision.mode as u8,
            u8::from(decision.against),
            decision.sni_host as u8,
        ]);
        key.extend_from_slice(&decision.port.unwrap_or(0).to_le_bytes());
        let host = decision.host.as_ref().map(host_bytes).unwrap_or_default();
        let fixed = [
            &*host,
            decision.server_name.as_deref().unwrap_or_default(),
            decision.principal.as_deref().unwrap_or_default().as_bytes(),
        ];
        for part in fixed.iter().chain(parts) {
            key.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
            key.extend_from_slice(part);
        }
        key
    }

    /// Tells access logs of a decision.
    pub(crate) fn set_state(&self, judged: &Judged) {
        if !self.policy.settings.export.access_log {
            return;
        }
        let plain = judged.event_id.is_none();
        let set = if plain {
            self.meters.with_word(
                &judged.decision,
                || self.word(judged),
                |word| property::set(FILTER_STATE, word.as_bytes()),
            )
        } else {
            property::set(FILTER_STATE, self.word(judged).as_bytes())
        };
        if set.is_err() {
            self.meters.host_failed();
        }
    }

    /// What access logs are told of a decision.
    fn word(&self, judged: &Judged) -> String {
        let decision = &judged.decision;
        let (guard, rule) = self.policy.names(decision.guard, decision.rule);
        let verdict = verdict(decision.against, decision.mode);
        let (reason, mode) = (decision.reason.as_str(), decision.mode.as_str());
        let (guard, rule) = (guard.unwrap_or("none"), rule.unwrap_or("none"));
        let id = judged.event_id.as_deref().unwrap_or("none");
        format!("decision={verdict} reason={reason} policy={guard} rule={rule} mode={mode} event_id={id}")
    }

    /// Counts a call that is over with those of its kind; where it is the first of them, tells an event, for which `facts` is
    /// asked.
    pub(crate) fn ended(
        &self,
        judged: Judged,
        status: Option<u16>,
        sent: u64,
        received: u64,
        facts: impl FnOnce() -> Facts,
    ) {
        let Judged { decision, key, event_id } = judged;
        let Some(mut key) = key else { return };
        finish_key(&mut key, status);
        if self.recorder.audit.borrow_mut().counted(&key, sent, received) {
            return;
        }
        let settings = &self.policy.settings;
        let now = now_ms();
        let first_seen = self.recorder.is_first(decision.host.as_ref(), settings, &self.store, &self.meters);
        let strange = decision.host.as_ref().filter(|_| decision.reason != Reason::RuleAllow);
        let lookalike_of = strange.and_then(|host| self.lookalikes.of_host(host)).map(str::to_owned);
        let mixed_script = strange.is_some_and(mixes_scripts);
        if lookalike_of.is_some() || mixed_script {
            self.meters.looks_alike();
        }
        let facts = Facts { status, sent, received, ..facts() };
        let id = event_id.unwrap_or_else(|| self.recorder.audit.borrow_mut().event_id(&key));
        let stamp = Stamp { id, time_ms: now, count: 1, since_ms: None, first_seen, lookalike_of, mixed_script };
        let event = Event::new(&self.policy, &self.workload, &decision, &facts, &stamp);
        let lines = self.recorder.audit.borrow_mut().tell(&key, event, now);
        self.recorder.log(settings, &lines);
    }

    /// What becomes of a call that the host does not let the filter look at: where anything is enforced, it does not pass.
    pub(crate) fn unreadable(&self) -> Action {
        let enforced = self.policy.guards.iter().any(|guard| guard.mode == Mode::Enforce);
        if enforced || self.policy.settings.mode == Mode::Enforce { Action::Pause } else { Action::Continue }
    }

    /// The name of the event that a denied call belongs to.
    pub(crate) fn event_id(&self, key: &[u8], status: Option<u16>) -> String {
        let mut key = key.to_vec();
        finish_key(&mut key, status);
        self.recorder.audit.borrow_mut().event_id(&key)
    }

    /// How much of a path makes a kind of its own: as much as is told.
    pub(crate) fn told_path<'p>(&self, path: &'p [u8], query: &'p [u8]) -> (&'p [u8], &'p [u8]) {
        match self.policy.settings.audit.path {
            PathShown::None => (b"", b""),
            PathShown::Path => (path, b""),
            PathShown::Query => (path, query),
        }
    }

    /// What the tick brings: what was counted for long enough is told, and all counts go to the host.
    pub(crate) fn tick(&self, now_ms: u64) {
        let lines = self.recorder.audit.borrow_mut().tick(now_ms);
        self.recorder.log(&self.policy.settings, &lines);
        self.recorder.write_gathered();
        self.take_tally();
        self.meters.flush(&self.policy);
    }

    /// This configuration ends in this worker. What waits for the collector is lost where no other one comes.
    pub(crate) fn end(&self) {
        if self.recorder.is_last(self.number) {
            let lines = self.recorder.audit.borrow_mut().flush(now_ms());
            self.recorder.log(&self.policy.settings, &lines);
            self.recorder.write_gathered();
            self.recorder.audit.borrow_mut().give_up();
            self.take_tally();
        }
        self.meters.flush(&self.policy);
    }

    fn take_tally(&self) {
        let mut audit = self.recorder.audit.borrow_mut();
        let pending = audit.queue.as_ref().map_or(0, egress_core::queue::Queue::len);
        self.meters.take(std::mem::take(&mut audit.tally), pending);
    }
}

fn host_bytes(host: &egress_core::host::Host) -> std::borrow::Cow<'_, [u8]> {
    match host {
        egress_core::host::Host::Name(name) => name.as_bytes().into(),
        address @ egress_core::host::Host::Address(_) => address.to_string().into_bytes().into(),
    }
}

fn finish_key(key: &mut Vec<u8>, status: Option<u16>) {
    key.extend_from_slice(&status.unwrap_or(0).to_le_bytes());
}
