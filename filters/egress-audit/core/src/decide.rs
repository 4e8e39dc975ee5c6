//! The decision for one call.
//!
//! In this order: calls that stay inside the mesh are exempt (`scope: external`). What is no host, or no handshake, is denied.
//! A rule under `deny` outweighs all else; then a handshake that names another host than the request; then rules under
//! `allow`; then, for an address, `ipLiterals`; then `default`. What a denial does is up to the mode of the policy that it comes
//! from; where it comes from no rule, of the strongest policy that is for the workload, or of the configuration where none is.
//! A denial by a policy that only reports hides none by one that enforces.

use std::borrow::Cow;

use filter_request::Request;

use crate::config::{DefaultAction, IpLiterals, Mode, Scope, SniMismatch, Undecidable};
use crate::host::{Authority, Host, Invalid};
use crate::policy::{Closeness, Guard, Policy};
use crate::reason::Reason;
use crate::scope::{Leads, Proxy, plainly};

/// What a call is.
#[derive(Clone, Copy, Debug)]
pub enum Kind<'a> {
    /// An HTTP request.
    Request(&'a Request<'a>),
    /// A connection whose client begins TLS; what it asks for in clear.
    Tls(Option<&'a [u8]>),
    /// A connection whose client begins TLS and does not go on so.
    Malformed,
    /// A connection whose client begins HTTP.
    Http,
    /// A connection whose client sends something else.
    Tcp,
    /// A connection on which the server sends first.
    ServerFirst,
}

/// One call.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// What it is.
    pub kind: Kind<'a>,
    /// What the proxy knows about it.
    pub proxy: &'a dyn Proxy,
}

/// What a handshake and a request say of the same call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SniHost {
    /// Only one of the two can be seen.
    Unseen,
    /// The same host.
    Same,
    /// Different hosts.
    Mismatch,
    /// The handshake names none.
    SniAbsent,
}

impl SniHost {
    /// As it is told; none where there is nothing to tell.
    #[must_use]
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Unseen => None,
            Self::Same => Some("same"),
            Self::Mismatch => Some("mismatch"),
            Self::SniAbsent => Some("sni_absent"),
        }
    }
}

/// What is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The call is nobody's business here: inside the mesh, or the mode is `off`.
    Exempt(Exemption),
    /// It is told of, and allowed or denied.
    Judged(Decision),
}

/// Why a call is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exemption {
    /// The mode of all that could be for it is `off`.
    Off,
    /// It stays inside the mesh.
    Internal,
    /// The server speaks first, so that nothing names a host.
    ServerFirst,
    /// A connection of HTTP that the proxy takes apart: its requests are looked at one by one.
    Requests,
}

impl Exemption {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 4] = [Self::Off, Self::Internal, Self::ServerFirst, Self::Requests];

    /// As it is counted.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Internal => "internal",
            Self::ServerFirst => "server_first",
            Self::Requests => "requests",
        }
    }
}

/// A decision, and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the rules deny the call; what comes of that is up to the mode.
    pub against: bool,
    /// The mode that counts.
    pub mode: Mode,
    /// Why.
    pub reason: Reason,
    /// The policy that it comes from, by its place.
    pub guard: Option<usize>,
    /// The rule that it comes from, by its place.
    pub rule: Option<usize>,
    /// The host that the rules were held against; none where there is none.
    pub host: Option<Host>,
    /// The port.
    pub port: Option<u16>,
    /// Whether handshake and request agree.
    pub sni_host: SniHost,
    /// The name in the handshake, as it was sent.
    pub server_name: Option<Vec<u8>>,
    /// The peer's identity, where it was asked for.
    pub principal: Option<String>,
}

/// What comes of a decision, in a word.
#[must_use]
pub fn verdict(against: bool, mode: Mode) -> &'static str {
    match (against, mode) {
        (true, Mode::Enforce) => "deny",
        (true, Mode::Report) => "would_deny",
        _ => "allow",
    }
}

impl Decision {
    /// Whether the call must not pass.
    #[must_use]
    pub fn denies(&self) -> bool {
        self.against && self.mode == Mode::Enforce
    }

    /// Whether it passes only because of the mode, and that is to be told.
    #[must_use]
    pub fn would_deny(&self) -> bool {
        self.against && self.mode == Mode::Report
    }
}

/// Where a call goes, as far as can be seen.
struct Seen<'a> {
    /// What the client names.
    named: Result<Option<Authority>, Invalid>,
    request: Option<&'a Request<'a>>,
    leads: Leads,
    server_name: Option<Cow<'a, [u8]>>,
    sni_host: SniHost,
}

/// Decides on a call.
#[must_use]
pub fn decide(policy: &Policy, call: &Call) -> Outcome {
    let settings = &policy.settings;
    if settings.mode == Mode::Off {
        return Outcome::Exempt(Exemption::Off);
    }
    // what hands a connection on as it is has chosen a cluster by the time that its first bytes come
    if matches!(call.kind, Kind::Http) && call.proxy.cluster().is_none() {
        return Outcome::Exempt(Exemption::Requests);
    }
    let principal = if policy.asks_peer { call.proxy.principal() } else { None };
    let applies = |guard: &Guard| guard.peers.as_ref().is_none_or(|peers| peers.hold(principal.as_deref()));
    let seen = look(policy, call);
    let named = seen.named.as_ref().ok().and_then(Option::as_ref);
    if settings.scope == Scope::External {
        if matches!(call.kind, Kind::ServerFirst) {
            return Outcome::Exempt(Exemption::ServerFirst);
        }
        let readable = seen.named.is_ok();
        if readable && settings.inside.holds(&seen.leads, named.map(|named| &named.host), call.proxy) {
            return Outcome::Exempt(Exemption::Internal);
        }
    }
    let (host, absent) = target(&seen, named, call.proxy);
    let port = port(&seen, named, call.proxy);
    let judge = Judge { policy, applies: &applies, host: host.as_ref(), port, request: seen.request };
    let (against, reason, guard, rule) = judge.judge(&seen, call.kind, absent);
    let by = guard.or_else(|| judge.strongest());
    let mode = by.and_then(|by| policy.guards.get(by)).map_or(settings.mode, |guard| guard.mode);
    Outcome::Judged(Decision {
        against,
        mode,
        reason,
        guard: by,
        rule,
        host,
        port,
        sni_host: seen.sni_host,
        server_name: seen.server_name.map(Cow::into_owned),
        principal,
    })
}

fn look<'a>(policy: &Policy, call: &Call<'a>) -> Seen<'a> {
    let leads = Leads::of(call.proxy.cluster().as_deref());
    let unnamed =
        |named| Seen { named, request: None, leads: leads.clone(), server_name: None, sni_host: SniHost::Unseen };
    match call.kind {
        Kind::Request(request) => {
            let named = match request.authority {
                b"" => Ok(None),
                authority => Authority::parse(authority).map(Some),
            };
            let server_name = call.proxy.server_name();
            let absent = server_name.as_ref().is_some_and(Vec::is_empty);
            let server_name = server_name.filter(|_| !absent);
            let host = named.as_ref().ok().and_then(Option::as_ref).map(|named| &named.host);
            let sni_host = match (&server_name, host) {
                (Some(name), Some(host)) if Host::parse(named_by_mesh(name)).as_ref() == Ok(host) => SniHost::Same,
                (Some(_), _) => SniHost::Mismatch,
                (None, _) if absent => SniHost::SniAbsent,
                (None, _) => SniHost::Unseen,
            };
            Seen { named, request: Some(request), leads, server_name: server_name.map(Cow::Owned), sni_host }
        }
        Kind::Tls(None) => Seen { sni_host: SniHost::SniAbsent, ..unnamed(Ok(None)) },
        Kind::Tls(Some(name)) => {
            let named = Host::parse(name).map(|host| Some(Authority { host, port: None }));
            // where the proxy knows the service, the client should mean the same one
            let sni_host = match (&leads, &named) {
                (Leads::Service { host, .. }, Ok(Some(named))) if *host == named.host => SniHost::Same,
                (Leads::Service { host: host @ Host::Name(_), .. }, _) if !policy.settings.inside.names(host) => {
                    SniHost::Mismatch
                }
                _ => SniHost::Unseen,
            };
            Seen { named, server_name: Some(Cow::Borrowed(name)), sni_host, ..unnamed(Ok(None)) }
        }
        Kind::Malformed | Kind::Http | Kind::Tcp | Kind::ServerFirst => unnamed(Ok(None)),
    }
}

/// The host in the name by which sidecars call a gateway's services (`outbound_.443_._.api.openai.com`); any other name as it is.
fn named_by_mesh(name: &[u8]) -> &[u8] {
    let rest = name.strip_prefix(b"outbound_.");
    let parts = rest.and_then(|rest| std::str::from_utf8(rest).ok()).map(|rest| rest.splitn(3, "_."));
    parts.and_then(|mut parts| parts.nth(2)).map_or(name, str::as_bytes)
}

/// The host to hold rules against, and whether that is for want of a name: then it is the service that the proxy chose, or the
/// address.
fn target(seen: &Seen, named: Option<&Authority>, proxy: &dyn Proxy) -> (Option<Host>, bool) {
    if let Some(named) = named {
        return (Some(named.host.clone()), false);
    }
    if seen.named.is_err() {
        return (None, false);
    }
    match &seen.leads {
        Leads::Service { host, .. } => (Some(host.clone()), false),
        Leads::Services { .. } | Leads::Address | Leads::Nowhere | Leads::Unknown => {
            (proxy.destination().map(|at| Host::Address(plainly(at.ip()))), true)
        }
    }
}

/// The port of the service that the proxy chose. Where the proxy goes wherever the client went, the port of that; else the one
/// in the request, or what a request without one means (RFC 9110, section 4.2).
fn port(seen: &Seen, named: Option<&Authority>, proxy: &dyn Proxy) -> Option<u16> {
    let of_destination = || proxy.destination().map(|at| at.port());
    let of_request = || {
        let implied = seen.request.map(|request| if request.scheme == b"https" { 443 } else { 80 });
        named.and_then(|named| named.port).or(implied)
    };
    match &seen.leads {
        Leads::Service { port, .. } | Leads::Services { port } => port.or_else(of_request).or_else(of_destination),
        Leads::Address => of_destination().or_else(of_request),
        Leads::Nowhere | Leads::Unknown => of_request().or_else(of_destination),
    }
}

/// A verdict: whether it is against the call, why, and by which policy and rule.
type Verdict = (bool, Reason, Option<usize>, Option<usize>);

/// What rules say of one call.
struct Judge<'a> {
    policy: &'a Policy,
    applies: &'a dyn Fn(&Guard) -> bool,
    host: Option<&'a Host>,
    port: Option<u16>,
    request: Option<&'a Request<'a>>,
}

/// The rules that hold, the closest of each kind.
#[derive(Default)]
struct Found<'a> {
    deny: Option<Held<'a>>,
    allow: Option<Held<'a>>,
    /// Those that would hold if the request were one of theirs, which can't be seen.
    perhaps_deny: Option<Held<'a>>,
    perhaps_allow: Option<Held<'a>>,
}

/// A rule that holds, ordered by what makes it the one to be told. Denials of a stronger mode come first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Held<'a> {
    mode: Mode,
    closeness: Closeness,
    name: std::cmp::Reverse<(&'a str, &'a str)>,
    rule: usize,
}

impl<'a> Judge<'a> {
    fn judge(&self, seen: &Seen, kind: Kind, absent: bool) -> Verdict {
        let verdict = self.judge_from(Mode::Off, seen, kind, absent);
        let mode = |guard: Option<usize>| guard.and_then(|guard| self.policy.guards.get(guard)).map(|guard| guard.mode);
        // what a weaker policy says against a call must not stand before what the strongest says against it
        if let (true, _, by @ Some(_), _) = verdict
            && let Some(strongest) = mode(self.strongest()).filter(|strongest| mode(by) < Some(*strongest))
        {
            return Some(self.judge_from(strongest, seen, kind, absent)).filter(|verdict| verdict.0).unwrap_or(verdict);
        }
        verdict
    }

    /// The verdict, without what policies of a weaker mode have against the call.
    fn judge_from(&self, weakest: Mode, seen: &Seen, kind: Kind, absent: bool) -> Verdict {
        let settings = &self.policy.settings;
        let counts = |held: &Held| held.mode >= weakest;
        let broken = |guard: &Guard| guard.broken && guard.mode >= weakest && (self.applies)(guard);
        if let Some(guard) = self.place_of_strongest(broken) {
            return (true, Reason::PolicyBroken, Some(guard), None);
        }
        if seen.named.is_err() {
            return (true, Reason::HostInvalid, None, None);
        }
        if matches!(kind, Kind::Malformed) {
            return (true, Reason::HelloMalformed, None, None);
        }
        let found = self.find();
        let of = |against: bool, reason: Reason, held: Held| {
            (against, reason, self.policy.rules.get(held.rule).map(|rule| rule.guard), Some(held.rule))
        };
        if let Some(held) = found.deny.filter(counts) {
            return of(true, Reason::RuleDeny, held);
        }
        if seen.sni_host == SniHost::Mismatch && settings.sni_mismatch == SniMismatch::Deny {
            return (true, Reason::SniMismatch, None, None);
        }
        if let Some(held) = found.perhaps_deny.filter(counts) {
            return of(true, Reason::L7Unenforceable, held);
        }
        if let Some(held) = found.allow {
            return of(false, Reason::RuleAllow, held);
        }
        if let Some(held) = found.perhaps_allow.filter(counts) {
            return of(true, Reason::L7Unenforceable, held);
        }
        let address = matches!(self.host, Some(Host::Address(_)) | None);
        let reason = if absent { Reason::HostAbsent } else { Reason::IpLiteral };
        match settings.ip_literals {
            IpLiterals::Deny if address => (true, reason, None, None),
            IpLiterals::Allow if address => (false, reason, None, None),
            _ => self.default(),
        }
    }

    fn default(&self) -> Verdict {
        let by = self.strongest();
        let guard = by.and_then(|by| self.policy.guards.get(by));
        match guard.map_or(self.policy.settings.default, |guard| guard.default) {
            DefaultAction::Allow => (false, Reason::DefaultAllow, by, None),
            DefaultAction::Deny => (true, Reason::DefaultDeny, by, None),
        }
    }

    /// The policy whose word counts where no rule has one: the strongest mode; of equals, one that denies by default, then the
    /// first by name.
    fn strongest(&self) -> Option<usize> {
        self.place_of_strongest(self.applies)
    }

    fn place_of_strongest(&self, wanted: impl Fn(&Guard) -> bool) -> Option<usize> {
        let guards = self.policy.guards.iter().enumerate().filter(|(_, guard)| wanted(guard));
        guards.max_by_key(|(_, guard)| (guard.mode, guard.default, std::cmp::Reverse(&guard.name))).map(|(at, _)| at)
    }

    fn find(&self) -> Found<'a> {
        let mut found = Found::default();
        let Some(host) = self.host else { return found };
        let policy = self.policy;
        policy.targets.find(host, &mut |target| {
            let Some(rule) = policy.rules.get(target.rule) else { return };
            let Some(guard) = policy.guards.get(rule.guard).filter(|guard| (self.applies)(guard)) else { return };
            let Some(closeness) = rule.closeness(target.closeness, self.port, self.request) else { return };
            let name = std::cmp::Reverse((guard.name.as_str(), rule.id.as_str()));
            let open = self.request.is_none() && !rule.ways.is_empty();
            let place = match (open, policy.settings.undecidable) {
                (true, Undecidable::Deny) if rule.denies => &mut found.perhaps_deny,
                (true, Undecidable::Deny) => &mut found.perhaps_allow,
                (true, Undecidable::Allow) if rule.denies => return,
                _ if rule.denies => &mut found.deny,
                _ => &mut found.allow,
            };
            // of those that allow, the mode does not matter
            let against = rule.denies || (open && policy.settings.undecidable == Undecidable::Deny);
            let mode = if against { guard.mode } else { Mode::Off };
            let held = Held { mode, closeness, name, rule: target.rule };
            *place = (*place).max(Some(held));
        });
        found
    }
}
