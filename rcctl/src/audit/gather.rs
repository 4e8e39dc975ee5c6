//! What the events of logs say, put together by who called and what was called. How much is kept is bounded.

use std::collections::{BTreeMap, BTreeSet};

use egress_core::Reason;
use egress_core::event::SCHEMA;
use egress_core::host::Host;
use egress_core::workload::account_of;
use filter_config::Name;
use serde_json::{Map, Value};

use super::yaml::shown;

/// Whose calls they are. What is not known is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Caller {
    /// The namespace of the proxy's pod.
    pub(crate) namespace: String,
    /// The workload of the proxy's pod.
    pub(crate) workload: String,
    /// The peer's identity, at a gateway.
    pub(crate) principal: String,
}

/// What could be seen of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Seen {
    /// The name in a handshake.
    Tls,
    /// Requests.
    Http,
    /// Bytes.
    Tcp,
}

impl Seen {
    /// As events name it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Http => "http",
            Self::Tcp => "tcp",
        }
    }
}

/// Where calls went.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Target {
    /// The host.
    pub(crate) host: Host,
    /// The port, where it is known.
    pub(crate) port: Option<u16>,
    /// What could be seen.
    pub(crate) seen: Seen,
}

/// Calls, put together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sums {
    /// How many they were.
    pub(crate) calls: u64,
    /// How many of them passed only because of the mode, and were told so.
    pub(crate) would: u64,
    /// The first time; empty where no event told a time.
    pub(crate) first: String,
    /// The last time; empty where no event told a time.
    pub(crate) last: String,
    /// The reasons that were told, and what was odd.
    pub(crate) why: BTreeSet<String>,
}

impl Sums {
    /// Adds others.
    pub(crate) fn add(&mut self, other: &Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.would = self.would.saturating_add(other.would);
        for time in [&other.first, &other.last] {
            self.mark(time);
        }
        self.why.extend(other.why.iter().cloned());
    }

    fn mark(&mut self, time: &str) {
        if !time.is_empty() && (self.first.is_empty() || *time < *self.first) {
            time.clone_into(&mut self.first);
        }
        if *time > *self.last {
            time.clone_into(&mut self.last);
        }
    }

    /// In words, such as `12 calls, 2026-… to 2026-…`.
    pub(crate) fn told(&self) -> String {
        let times = match (self.first.as_str(), self.last.as_str()) {
            ("", _) => String::new(),
            (first, last) if first == last => format!(", {first}"),
            (first, last) => format!(", {first} to {last}"),
        };
        let would = if self.would > 0 { format!(" ({} would be denied)", self.would) } else { String::new() };
        format!("{}{would}{times}", counted(self.calls, "call"))
    }

    /// The reasons in words.
    pub(crate) fn reasons(&self) -> String {
        self.why.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// The calls of one caller.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls {
    /// Calls to names that passed.
    pub(crate) passed: BTreeMap<Target, Sums>,
    /// Calls to names that passed though no rule allows them.
    pub(crate) unruled: BTreeMap<Target, Sums>,
    /// Calls to names that did not pass, or that a rule is against, or that are odd.
    pub(crate) refused: BTreeMap<Target, Sums>,
    /// Calls to addresses, without a name.
    pub(crate) addresses: BTreeMap<Target, Sums>,
    /// Service accounts of the proxy's pod, as `namespace/name`.
    pub(crate) accounts: BTreeSet<String>,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// Calls by who called.
    pub(crate) callers: BTreeMap<Caller, Calls>,
    /// All calls.
    pub(crate) all: Sums,
    /// How many events there were.
    pub(crate) events: u64,
    /// Events of another version of the schema, and one of the versions.
    pub(crate) foreign: (u64, String),
    /// Events that name no host, or none that is one, by what they name.
    pub(crate) strange: BTreeMap<String, u64>,
    /// Events whose caller has a name that is none.
    pub(crate) nobody: BTreeMap<String, u64>,
    /// Calls beyond what is kept.
    pub(crate) beyond: u64,
    /// The rules that were told, with their policy.
    pub(crate) rules: BTreeSet<(String, String)>,
    kept: usize,
}

/// How many different targets, and how many rules, are kept. A client can call as many hosts as it likes.
const MOST: usize = 100_000;
/// How many texts that are no hosts are kept.
const MOST_STRANGE: usize = 100;

/// Whether a text is a time as events have it. Such times are in order as texts.
pub(crate) fn is_time(text: &str) -> bool {
    const FORM: &[u8] = b"dddd-dd-ddTdd:dd:dd.dddZ";
    let fits = |(byte, form): (u8, &u8)| if *form == b'd' { byte.is_ascii_digit() } else { byte == *form };
    text.len() == FORM.len() && text.bytes().zip(FORM).all(fits)
}

/// A number and a word, such as `1 call` and `2 calls`.
pub(crate) fn counted(number: u64, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

/// Adds calls to others.
pub(crate) fn merge(into: &mut BTreeMap<Target, Sums>, from: BTreeMap<Target, Sums>) {
    from.into_iter().for_each(|(target, sums)| into.entry(target).or_default().add(&sums));
}

impl Gathered {
    /// Takes an event.
    pub(crate) fn take(&mut self, fields: &Map<String, Value>) {
        let word = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
        if word("schema") != SCHEMA {
            self.foreign.0 += 1;
            self.foreign.1 = shown(word("schema"));
            return;
        }
        self.events += 1;
        let calls = fields.get("count").and_then(Value::as_u64).unwrap_or(1).max(1);
        let would = fields.get("would_deny") == Some(&Value::Bool(true));
        let mut sums = Sums { calls, would: if would { calls } else { 0 }, ..Sums::default() };
        for time in ["since", "time"].map(word).into_iter().filter(|time| is_time(time)) {
            sums.mark(time);
        }
        self.all.add(&sums);
        let (policy, rule) = (word("policy"), word("rule_id"));
        if Name::allows(policy) && Name::allows(rule) && self.rules.len() < MOST {
            self.rules.insert((policy.to_owned(), rule.to_owned()));
        }
        let reason = Reason::ALL.iter().find(|reason| reason.as_str() == word("reason_code"));
        sums.why.extend(reason.map(|reason| reason.as_str().to_owned()));
        let Some(caller) = caller(&word) else {
            let name = format!("{}/{}", word("k8s.namespace.name"), word("k8s.workload.name"));
            return count(&mut self.nobody, format!("{name} {}", word("client.principal")).trim(), calls);
        };
        let Ok(host) = Host::parse(word("server.address").as_bytes()) else {
            let named = ["server.address", "http.request.header.host", "tls.client.server_name"].map(word);
            let named = named.into_iter().find(|text| !text.is_empty()).unwrap_or("nothing");
            return count(&mut self.strange, named, calls);
        };
        let port = fields.get("server.port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
        let seen = match word("network.protocol.name") {
            "http" => Seen::Http,
            "tls" => Seen::Tls,
            _ => Seen::Tcp,
        };
        let target = Target { host, port: port.filter(|port| *port > 0), seen };
        let odd = oddities(fields);
        let refused = word("decision") != "allow" || !odd.is_empty() || reason == Some(&Reason::RuleDeny);
        let ruled = matches!(reason, Some(Reason::RuleAllow | Reason::DefaultAllow));
        sums.why.extend(odd);
        let account = format!("{}/{}", caller.namespace, word("k8s.service_account.name"));
        let calls_of = self.callers.entry(caller).or_default();
        if !account.starts_with('/') && account.split('/').all(Name::allows) && calls_of.accounts.len() < MOST_STRANGE {
            calls_of.accounts.insert(account);
        }
        let targets = match &target.host {
            Host::Address(_) => &mut calls_of.addresses,
            Host::Name(_) if refused => &mut calls_of.refused,
            Host::Name(_) if ruled => &mut calls_of.passed,
            Host::Name(_) => &mut calls_of.unruled,
        };
        match targets.get_mut(&target) {
            Some(known) => known.add(&sums),
            None if self.kept < MOST => {
                self.kept += 1;
                targets.insert(target, sums);
            }
            None => self.beyond = self.beyond.saturating_add(sums.calls),
        }
    }
}

/// The caller, where its names are such as Kubernetes allows.
fn caller<'v>(word: &dyn Fn(&str) -> &'v str) -> Option<Caller> {
    let fits = |text: &&str| {
        let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        text.is_empty() || (Name::allows(text) && ends(text.as_bytes().first()) && ends(text.as_bytes().last()))
    };
    let namespace = Some(word("k8s.namespace.name")).filter(fits)?;
    let workload = Some(word("k8s.workload.name")).filter(fits)?;
    let identity = |text: &&str| text.is_empty() || (text.len() <= 512 && account_of(text).is_some() && graphic(text));
    let principal = Some(word("client.principal")).filter(identity)?;
    Some(Caller { namespace: namespace.to_owned(), workload: workload.to_owned(), principal: principal.to_owned() })
}

fn graphic(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
}

/// Why somebody should look at a host before it is allowed.
fn oddities(fields: &Map<String, Value>) -> Vec<String> {
    let mut odd = Vec::new();
    if let Some(name) = fields.get("lookalike_of").and_then(Value::as_str) {
        odd.push(format!("looks like {}", shown(name)));
    }
    if fields.get("mixed_script") == Some(&Value::Bool(true)) {
        odd.push("mixes scripts".to_owned());
    }
    if fields.get("sni_host").and_then(Value::as_str) == Some("mismatch") {
        odd.push("the handshake names another host".to_owned());
    }
    odd
}

fn count(texts: &mut BTreeMap<String, u64>, text: &str, calls: u64) {
    let text = if texts.len() < MOST_STRANGE { shown(text) } else { "others".to_owned() };
    let known = texts.entry(text).or_default();
    *known = known.saturating_add(calls);
}
