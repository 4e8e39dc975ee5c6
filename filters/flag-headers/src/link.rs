//! The way to Unleash and to the other workers: one worker asks and stores, all follow what is stored.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use filter_host::headers::Map;
use filter_host::{Failure, callout, headers, property};
use filter_runtime::{Lease, Store, event, hex_id, now, random_id};
use flag_core::boundary::selectors;
use flag_core::config::Unleash;
use flag_core::engine::Compiled;
use flag_core::flag::Selector;
use flag_core::sync::{self, Answer, Millis, Outcome, Poll, Sync, millis};
use flag_core::usage::{self, Usage};
use serde_json::json;

use crate::instance::Instance;
use crate::meters::{Standing, tell_hold, tell_traps};

/// How long a worker leads without a sign of life. Under two polls, even at the quickest.
const TERM: Duration = Duration::from_millis(1900);
/// How often a worker hands its counts over to the one that reports them.
const GATHER: Millis = 5_000;
/// How long past its time an answer is waited for, and a poll.
const OVERDUE: Millis = 5_000;

/// Where things stand in shared data.
const LEASE: &str = "leader";
const NEWEST: &str = "newest";
const GATHERED: &str = "usage.gathered";
const SENDING: &str = "usage.sending";

/// One worker's link.
pub(crate) struct Link {
    unleash: Unleash,
    instance: Rc<Instance>,
    store: Store,
    lease: Lease,
    selectors: Vec<Selector>,
    exposure: String,
    /// Keys in shared data, which go with the Unleash that is asked.
    sync_key: String,
    flags_key: String,
    address: Address,
    on_the_way: HashMap<callout::Token, (Millis, Ask)>,
    /// The flags that were stored last, compiled, and their generation.
    compiled: Option<(u64, Rc<Compiled>)>,
    gathered: Millis,
    reported: Millis,
}

/// What every request to Unleash begins with.
struct Address {
    cluster: String,
    authority: String,
    token: Option<String>,
    instance: String,
    connection: String,
}

/// A request that is on its way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    Flags { with_etag: bool },
    Registration,
    Report,
}

/// Notes which configuration is the newest, by its fingerprint: it decides what Unleash is asked for.
///
/// A stream keeps the root context that it began under, so former configurations tick on beside it, for hours at times. And
/// going back to one of those calls its root context into service again, without telling it so.
pub(crate) fn supersede(store: &Store, fingerprint: &str) {
    if store.get(NEWEST).as_deref() != Some(fingerprint.as_bytes())
        && let Err(failure) = store.put(NEWEST, fingerprint.as_bytes())
    {
        log::warn!("a former configuration may ask unleash for other flags: {failure}");
    }
}

/// Whether a configuration is the newest.
pub(crate) fn is_newest(store: &Store, fingerprint: &str) -> bool {
    store.get(NEWEST).is_none_or(|newest| newest == fingerprint.as_bytes())
}

impl Link {
    pub(crate) fn new(unleash: Unleash, store: Store, instance: Rc<Instance>) -> Self {
        let selectors: Vec<Selector> = selectors(&instance.policy.flags).cloned().collect();
        let source = sync::source_of(&unleash);
        Self {
            exposure: sync::exposure_of(&selectors),
            sync_key: format!("sync.{source}"),
            flags_key: format!("flags.{source}"),
            lease: Lease::new(store.clone(), LEASE, random_id(), TERM),
            address: Address::of(&unleash),
            on_the_way: HashMap::new(),
            compiled: None,
            gathered: millis(now()),
            reported: millis(now()),
            selectors,
            unleash,
            instance,
            store,
        }
    }

    pub(crate) fn tick(&mut self) {
        self.follow();
        let time = now();
        let leads = self.may_lead(millis(time)) && self.lease.hold(time);
        if !leads && self.instance.leads.get() {
            self.lease.release();
        }
        if leads != self.instance.leads.replace(leads) {
            event(log::Level::Info, "flags_leader", json!({"filter": "flag_headers", "leads": leads}));
        }
        self.gather(millis(time), GATHER);
        if leads {
            self.lead(millis(time));
        }
    }

    /// Whether this configuration is the newest, or that one does not ask: a proxy can have tried one that it does not run.
    fn may_lead(&self, time: Millis) -> bool {
        let overdue = time > self.instance.sync.borrow().next.saturating_add(OVERDUE);
        overdue || is_newest(&self.store, &self.instance.fingerprint)
    }

    /// This configuration ends in this worker.
    pub(crate) fn end(&mut self) {
        self.gather(millis(now()), 0);
        if self.instance.leads.replace(false) {
            self.lease.release();
        }
    }

    /// Serves what is stored by now, and as fresh as it is.
    pub(crate) fn follow(&mut self) {
        let stored = self.stored();
        let time = millis(now());
        if stored.generation > 0
            && self.compiled.as_ref().is_none_or(|(generation, _)| *generation != stored.generation)
        {
            self.compile();
        }
        let bootstrap = self.instance.policy.bootstrap.is_some();
        if self.compiled.is_some() {
            let origin = stored.origin(time, &self.unleash, bootstrap);
            let compiled = self.compiled.as_ref().map(|(_, compiled)| Rc::clone(compiled));
            let compiled = compiled.filter(|_| origin != flag_core::serve::Origin::Default);
            let serving = self.instance.serving();
            let same = match (&serving.served.compiled, &compiled) {
                (Some(left), Some(right)) => Rc::ptr_eq(left, right),
                (None, None) => true,
                _ => false,
            };
            if !same || serving.served.origin != origin {
                self.instance.serve(origin, compiled);
            }
        }
        self.instance.sync.replace(stored);
    }

    fn stored(&self) -> Sync {
        self.store.get(&self.sync_key).map(|bytes| Sync::read(&bytes)).unwrap_or_default()
    }

    /// Compiles the stored flags; what can't be compiled leaves what is served.
    fn compile(&mut self) {
        let began = now();
        let Some(bytes) = self.store.get(&self.flags_key) else { return };
        let Some((generation, document)) = bytes.split_first_chunk::<8>() else { return };
        let document = std::str::from_utf8(document).unwrap_or_default();
        if let Ok(compiled) = Compiled::compile(document) {
            tell_hold("compile", microseconds_since(began));
            self.compiled = Some((u64::from_le_bytes(*generation), Rc::new(compiled)));
        }
    }

    fn lead(&mut self, time: Millis) {
        let stored = self.instance.sync.borrow().clone();
        Standing {
            age: (stored.confirmed > 0).then(|| time.saturating_sub(stored.confirmed) / 1000),
            revision: stored.revision(),
            origin: self.instance.serving().served.origin,
        }
        .tell();
        self.give_up(time);
        let asking = self.waits(|ask| matches!(ask, Ask::Flags { .. }));
        if !asking && stored.is_due(time, &self.unleash, &self.exposure) {
            self.ask(time, &stored);
        }
        let interval = millis_of(self.unleash.metrics_interval);
        if interval > 0 && time.saturating_sub(self.reported) >= interval {
            self.reported = time;
            self.report(time);
        }
    }

    fn waits(&self, wanted: impl Fn(Ask) -> bool) -> bool {
        self.on_the_way.values().any(|(_, ask)| wanted(*ask))
    }

    /// Waits no longer for answers that the proxy owes: it tells of a timeout itself.
    fn give_up(&mut self, time: Millis) {
        let limit = millis_of(self.unleash.timeout).saturating_add(OVERDUE);
        let mut lost = None;
        self.on_the_way.retain(|_, (at, ask)| {
            let overdue = time.saturating_sub(*at) > limit;
            if overdue && matches!(ask, Ask::Flags { .. }) {
                lost = Some(*at);
            }
            !overdue
        });
        if let Some(at) = lost {
            self.settle(at, Outcome::failed(Poll::Lost, "the proxy told of no answer"));
        }
    }

    fn ask(&mut self, time: Millis, stored: &Sync) {
        let etag = stored.etag_for(&self.exposure);
        let mut extra = vec![("accept", "application/json")];
        extra.extend(etag.map(|etag| ("if-none-match", etag)));
        let sent = self.address.send(&self.unleash, "GET", "/client/features", &extra, b"");
        let with_etag = etag.is_some();
        self.change(|sync| sync.asking(time, &self.unleash, &self.exposure, random_id()));
        match sent {
            Ok(token) => drop(self.on_the_way.insert(token, (time, Ask::Flags { with_etag }))),
            Err(Failure::BadArgument) => self.settle(time, Outcome::no_cluster(&self.address.cluster)),
            Err(failure) => {
                let cluster = &self.address.cluster;
                let outcome = Outcome::failed(Poll::Refused, format!("cluster {cluster} has no hosts ({failure})"));
                self.settle(time, outcome);
            }
        }
    }

    pub(crate) fn answered(&mut self, token: u32, length: usize) {
        let status = headers::get(Map::CalloutResponse, b":status").ok().flatten();
        let status = status.and_then(|status| std::str::from_utf8(&status).ok()?.parse::<u16>().ok());
        let Some((at, ask)) = self.on_the_way.remove(&callout::Token(token)) else { return };
        match ask {
            Ask::Flags { with_etag } => self.take_flags(at, with_etag, status, length),
            Ask::Registration if status.is_some_and(is_success) => self.change(|sync| sync.registered = true),
            Ask::Report => {
                let taken = status.is_some_and(is_success);
                self.instance.meters.reported(taken);
                if taken && let Err(failure) = self.store.put(SENDING, b"") {
                    log::warn!("a report of usage will be sent twice: {failure}");
                }
            }
            Ask::Registration => {}
        }
    }

    fn take_flags(&mut self, at: Millis, with_etag: bool, status: Option<u16>, length: usize) {
        let began = now();
        let etag = headers::get(Map::CalloutResponse, b"etag").ok().flatten();
        let within = u64::try_from(length).is_ok_and(|length| length <= self.unleash.max_bytes.0);
        let read = status == Some(200) && within;
        let answer = Answer {
            status,
            etag: etag.and_then(|etag| String::from_utf8(etag).ok()),
            length,
            body: if read { callout::response_body(0, length).unwrap_or_default() } else { Vec::new() },
        };
        let mut outcome = sync::read_answer(&answer, &self.unleash, with_etag, &self.selectors);
        drop(answer);
        if outcome.poll == Poll::Unauthorized && self.address.token.is_none() {
            let name = &self.unleash.token_env;
            outcome.error = Some(format!("{} in the environment of the proxy", missing(name)));
        }
        if read {
            tell_hold("select", microseconds_since(began));
        }
        self.settle(at, outcome);
    }

    /// Stores what came of a poll, and serves it.
    fn settle(&mut self, asked: Millis, mut outcome: Outcome) {
        if self.stored().exposure != self.exposure {
            // another configuration has asked since: these are not the flags that it exposes
            return;
        }
        let time = millis(now());
        let update = outcome.update.take();
        let mut generation = None;
        if let Some((document, _)) = &update {
            let before = self.store.get(&self.flags_key).unwrap_or_default();
            let before = before.split_first_chunk::<8>().map(|(number, text)| (u64::from_le_bytes(*number), text));
            match before {
                Some((number, text)) if text == document.as_bytes() => generation = Some(number),
                _ => {
                    let number = before.map_or(time, |(number, _)| number.saturating_add(1).max(time));
                    let bytes = [&number.to_le_bytes()[..], document.as_bytes()].concat();
                    match self.store.put(&self.flags_key, &bytes) {
                        Ok(()) => generation = Some(number),
                        Err(failure) => {
                            outcome = Outcome::failed(Poll::Refused, format!("flags could not be stored: {failure}"))
                        }
                    }
                }
            }
        }
        let news = generation.is_some() && generation != Some(self.instance.sync.borrow().generation);
        let mut before = None;
        self.change(|sync| {
            before = sync.last;
            // another worker has asked since, and was answered
            if sync.confirmed > asked && !outcome.poll.is_good() {
                before = Some(outcome.poll);
                return;
            }
            if let (Some(generation), Some((_, etag))) = (generation, &update) {
                sync.generation = generation;
                sync.etag.clone_from(etag);
            }
            sync.answered(time, &outcome, &self.unleash, random_id());
        });
        self.instance.meters.polled(outcome.poll);
        self.follow();
        self.tell(&outcome, before, news);
        let registered = self.instance.sync.borrow().registered;
        let registering = self.waits(|ask| ask == Ask::Registration);
        if outcome.poll.is_good() && !registered && !registering {
            self.register(time);
        }
    }

    /// Tells what came of a poll. A row of the same failures is one line, whoever asks and under whichever configuration.
    fn tell(&self, outcome: &Outcome, before: Option<Poll>, news: bool) {
        if !outcome.poll.is_good() && before != Some(outcome.poll) {
            let fields = json!({
                "filter": "flag_headers", "result": outcome.poll.as_str(), "error": outcome.error,
                "cluster": self.address.cluster,
            });
            event(log::Level::Warn, "flags_poll_failed", fields);
        }
        if outcome.poll.is_good() && before.is_some_and(|before| !before.is_good()) {
            event(log::Level::Info, "flags_poll_recovered", json!({"filter": "flag_headers"}));
        }
        if news && let Some((_, compiled)) = &self.compiled {
            tell_traps(&compiled.traps);
            let revision = self.instance.sync.borrow().revision();
            let known = compiled.names().count();
            event(
                log::Level::Info,
                "flags_updated",
                json!({"filter": "flag_headers", "revision": revision, "flags": known}),
            );
            for trap in &compiled.traps {
                let fields =
                    json!({"filter": "flag_headers", "flag": trap.flag, "kind": trap.kind, "message": trap.message});
                event(log::Level::Warn, "flag_definition", fields);
            }
        }
    }

    fn register(&mut self, time: Millis) {
        let body =
            usage::registration(&self.unleash.app_name.0, &self.address.instance, self.unleash.refresh.into(), time);
        if let Ok(token) = self.post("/client/register", &body) {
            self.on_the_way.insert(token, (time, Ask::Registration));
        }
    }

    /// Hands this worker's counts over.
    fn gather(&mut self, time: Millis, period: Millis) {
        if self.unleash.metrics_interval == filter_config::Duration::from_secs(0)
            || time.saturating_sub(self.gathered) < period
        {
            return;
        }
        self.gathered = time;
        let serving = self.instance.serving();
        let usage = serving.tally.gather(&serving.served, time);
        if !usage.is_empty() {
            self.merge(GATHERED, &usage);
        }
    }

    fn merge(&self, key: &str, usage: &Usage) {
        let merged = self.store.update(key, |stored| {
            let mut all = stored.map(Usage::read).unwrap_or_default();
            all.merge(usage);
            Some(all.write())
        });
        if let Err(failure) = merged {
            log::warn!("counts of flag uses are lost: {failure}");
        }
    }

    /// Sends what all workers have counted, together with what was not taken before.
    fn report(&mut self, time: Millis) {
        if self.waits(|ask| ask == Ask::Report) {
            return;
        }
        let mut taken = None;
        let outcome = self.store.update(GATHERED, |stored| {
            taken = stored.map(Usage::read);
            taken.is_some().then(Vec::new)
        });
        if let (Ok(true), Some(usage)) = (outcome, &taken) {
            self.merge(SENDING, usage);
        }
        let Some(sending) = self.store.get(SENDING) else { return };
        let body = Usage::read(&sending).report(&self.unleash.app_name.0, &self.address.instance, time);
        match self.post("/client/metrics", &body) {
            Ok(token) => drop(self.on_the_way.insert(token, (time, Ask::Report))),
            Err(_) => self.instance.meters.reported(false),
        }
    }

    fn post(&self, path: &str, body: &serde_json::Value) -> filter_host::Result<callout::Token> {
        let extra = [("content-type", "application/json")];
        self.address.send(&self.unleash, "POST", path, &extra, body.to_string().as_bytes())
    }

    fn change(&self, mut change: impl FnMut(&mut Sync)) {
        let changed = self.store.update(&self.sync_key, |stored| {
            let mut sync = stored.map(Sync::read).unwrap_or_default();
            change(&mut sync);
            Some(sync.write())
        });
        if let Err(failure) = changed {
            log::warn!("where this proxy stands with unleash could not be stored: {failure}");
        }
    }
}

impl Address {
    fn of(unleash: &Unleash) -> Self {
        let token = std::env::var(&unleash.token_env).ok().map(|token| token.trim().to_owned());
        let token = token.filter(|token| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()));
        if token.is_none() {
            log::warn!("{} in the environment of the proxy", missing(&unleash.token_env));
        }
        let node = property::get(b"xds\0node\0id").or_else(|| property::get(b"node\0id"));
        let node = node.and_then(|node| String::from_utf8(node).ok());
        let node = node.filter(|node| !node.is_empty() && node.bytes().all(|byte| byte.is_ascii_graphic()));
        Self {
            cluster: sync::cluster_of(unleash),
            authority: sync::authority_of(unleash),
            token,
            instance: node.unwrap_or_else(|| hex_id(random_id())),
            connection: format!("{}{}", hex_id(random_id()), hex_id(random_id())),
        }
    }

    fn send(
        &self,
        unleash: &Unleash,
        method: &str,
        path: &str,
        extra: &[(&str, &str)],
        body: &[u8],
    ) -> filter_host::Result<callout::Token> {
        let path = format!("{}{path}", unleash.path.trim_end_matches('/'));
        let interval = millis_of(unleash.refresh).to_string();
        let sdk = usage::sdk();
        let mut headers = vec![
            (":method", method),
            (":path", &path),
            (":authority", &self.authority),
            ("user-agent", &sdk),
            ("unleash-appname", &unleash.app_name.0),
            ("unleash-instanceid", &self.instance),
            ("unleash-connection-id", &self.connection),
            ("unleash-sdk", &sdk),
            ("unleash-interval", &interval),
            ("unleash-client-spec", usage::specification()),
        ];
        headers.extend(self.token.as_deref().map(|token| ("authorization", token)));
        headers.extend(extra);
        let headers: Vec<(&[u8], &[u8])> =
            headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        callout::dispatch(&self.cluster, &headers, body, unleash.timeout.into())
    }
}

fn missing(name: &str) -> String {
    format!("no token: {name} is not set, or is no token,")
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

fn millis_of(duration: filter_config::Duration) -> Millis {
    u64::try_from(Duration::from(duration).as_millis()).unwrap_or(Millis::MAX)
}

fn microseconds_since(began: SystemTime) -> u64 {
    now().duration_since(began).ok().and_then(|held| u64::try_from(held.as_micros()).ok()).unwrap_or(0)
}
