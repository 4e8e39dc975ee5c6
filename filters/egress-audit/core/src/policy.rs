//! What an instance runs: settings, the policies that are for this workload, and their rules, found by host.

use filter_config::Name;
use filter_request::{Request, RequestMatch, StringMatch, matches_any};

use crate::config::{
    AuditSettings, DefaultAction, DenialSettings, ExportSettings, IpLiterals, Mode, Scope, SniMismatch, Undecidable,
};
use crate::index::Index;
use crate::pattern::{Label, Pattern};
use crate::scope::Inside;

/// The settings of an instance, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is done where no policy says so.
    pub mode: Mode,
    /// Which calls are looked at.
    pub scope: Scope,
    /// What is inside the mesh.
    pub inside: Inside,
    /// What becomes of calls that no rule names, where no policy says so.
    pub default: DefaultAction,
    /// What becomes of calls to addresses.
    pub ip_literals: IpLiterals,
    /// What becomes of calls whose handshake and request differ.
    pub sni_mismatch: SniMismatch,
    /// What becomes of calls that a rule can't be held against.
    pub undecidable: Undecidable,
    /// What a client is told.
    pub denial: DenialSettings,
    /// What is told, and how often.
    pub audit: AuditSettings,
    /// Where events go.
    pub export: ExportSettings,
}

/// A policy that may be for this workload's calls.
#[derive(Clone, Debug)]
pub struct Guard {
    /// Its name.
    pub name: Name,
    /// What is done with its decisions.
    pub mode: Mode,
    /// What becomes of calls that no rule names.
    pub default: DefaultAction,
    /// The peers that it is for; none for all.
    pub peers: Option<Peers>,
    /// Whether it can't be read: it denies whatever it is for.
    pub broken: bool,
}

/// Peers by their identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peers {
    /// Whole identities; none for any.
    pub principals: Vec<String>,
    /// Service accounts; none for any.
    pub accounts: Vec<String>,
}

impl Peers {
    /// Whether a peer is one of them.
    #[must_use]
    pub fn hold(&self, principal: Option<&str>) -> bool {
        let Some(principal) = principal else { return false };
        let account = || crate::workload::account_of(principal);
        (self.principals.is_empty() || self.principals.iter().any(|one| one == principal))
            && (self.accounts.is_empty() || account().is_some_and(|account| self.accounts.contains(&account)))
    }
}

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its policy, by its place in [`Policy::guards`].
    pub guard: usize,
    /// Its name.
    pub id: Name,
    /// Whether it denies.
    pub denies: bool,
    /// The ports; none for all.
    pub ports: Vec<u16>,
    /// The requests; none for all.
    pub ways: Vec<RequestMatch>,
}

/// One host pattern of a rule.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The rule, by its place in [`Policy::rules`].
    pub rule: usize,
    /// How closely the pattern names hosts.
    pub closeness: HostCloseness,
}

/// What an instance runs.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Its settings.
    pub settings: Settings,
    /// The policies that may be for this workload, less those that are off.
    pub guards: Vec<Guard>,
    /// Their rules.
    pub rules: Vec<Rule>,
    /// The rules by the hosts that they name.
    pub targets: Index<Target>,
    /// The hosts that rules allow.
    pub allowed: Vec<Pattern>,
    /// Whether a decision depends on the peer.
    pub asks_peer: bool,
}

/// How closely a pattern names hosts: one host, then a form, then all below a name or in a network, then every name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostCloseness {
    kind: u8,
    /// Parts of a name, or bits of an address.
    depth: usize,
    /// How many letters are given.
    letters: usize,
}

impl HostCloseness {
    /// That of a pattern.
    #[must_use]
    pub fn of(pattern: &Pattern) -> Self {
        let letters = |label: &Label| match label {
            Label::Any => 0,
            Label::Around(before, after) => before.len().saturating_add(after.len()),
            Label::Exact(part) => part.len().saturating_add(1),
        };
        match pattern {
            Pattern::Any => Self { kind: 0, depth: 0, letters: 0 },
            Pattern::Network(network) => {
                let kind = if pattern.single().is_some() { 3 } else { 1 };
                Self { kind, depth: network.length.into(), letters: 0 }
            }
            Pattern::Name { below, labels } => {
                let kind = match (below, pattern.single()) {
                    (true, _) => 1,
                    (false, None) => 2,
                    (false, Some(_)) => 3,
                };
                Self { kind, depth: labels.len(), letters: labels.iter().map(letters).sum() }
            }
        }
    }
}

/// How closely a rule names a call. The closest rule is the one that is told; of equals, the first by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Closeness {
    host: HostCloseness,
    path: (u8, usize),
    others: usize,
    ports: bool,
}

impl Rule {
    /// How closely the rule names a call on this port; none where it is not for it.
    #[must_use]
    pub fn closeness(&self, host: HostCloseness, port: Option<u16>, request: Option<&Request>) -> Option<Closeness> {
        if !self.is_for_port(port) {
            return None;
        }
        let plain = Closeness { host, path: (0, 0), others: 0, ports: !self.ports.is_empty() };
        let Some(request) = request.filter(|_| !self.ways.is_empty()) else { return Some(plain) };
        let matching = self.ways.iter().filter(|way| matches_any(std::slice::from_ref(*way), request));
        matching.map(|way| Closeness { path: path_closeness(way.uri.as_ref()), others: conditions(way), ..plain }).max()
    }

    /// Whether it is for a port. One that is not known is none of those that a rule names.
    #[must_use]
    pub fn is_for_port(&self, port: Option<u16>) -> bool {
        self.ports.is_empty() || port.is_some_and(|port| self.ports.contains(&port))
    }
}

fn path_closeness(uri: Option<&StringMatch>) -> (u8, usize) {
    match uri {
        None => (0, 0),
        Some(uri) => match (&uri.exact, &uri.prefix) {
            (Some(exact), _) => (3, exact.len()),
            (None, Some(prefix)) => (2, prefix.len()),
            (None, None) => (1, 0),
        },
    }
}

fn conditions(way: &RequestMatch) -> usize {
    let texts = [&way.method, &way.scheme, &way.authority].into_iter().flatten().count();
    texts
        .saturating_add(way.headers.0.len())
        .saturating_add(way.without_headers.0.len())
        .saturating_add(way.query_params.0.len())
}

impl Policy {
    /// The name of a rule's policy and of the rule.
    #[must_use]
    pub fn names(&self, guard: Option<usize>, rule: Option<usize>) -> (Option<&str>, Option<&str>) {
        let guard = guard.and_then(|guard| self.guards.get(guard)).map(|guard| guard.name.as_str());
        let rule = rule.and_then(|rule| self.rules.get(rule)).map(|rule| rule.id.as_str());
        (guard, rule)
    }
}
