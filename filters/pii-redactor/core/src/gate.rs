//! Whether a request is guarded: by a flag that flag-headers decided in the same proxy, or by a header from a peer that is
//! believed.
//!
//! Filter state comes first: no client can write it. A header counts only where its sender is named by the configuration; of
//! anyone else it is as if it were not there. Where nothing is known, `whenMissing` decides.

use filter_config::schema::Definitions;
use filter_config::serde_json::{Value, json};
use filter_config::{Path, Read, Report, shown};
use filter_request::{HeaderName, Pairs};

use crate::config::{WhenMissing, WrittenGate};

/// What the header of a flag's value begins with.
const FLAG: &str = "x-flag-";

/// An identity proved by mutual TLS (SPIFFE, a URI SAN), part by part; `*` is any one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal(String);

impl Principal {
    const SCHEME: &'static str = "spiffe://";

    /// Reads an identity; none where it is none. The trust domain has to be given.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(Self::SCHEME)?.split('/');
        let domain = parts.next().is_some_and(|domain| !domain.is_empty() && !domain.contains('*'));
        let mut parts = parts.peekable();
        let path = parts.peek().is_some();
        let plain = |part: &str| !part.is_empty() && (part == "*" || !part.contains(['*', '?', '#']));
        let graphic = text.bytes().all(|byte| byte.is_ascii_graphic());
        (domain && path && graphic && parts.all(plain)).then(|| Self(text.to_owned()))
    }

    /// Whether a peer is meant.
    #[must_use]
    pub fn holds(&self, peer: &str) -> bool {
        let mut given = peer.split('/');
        let same = self.0.split('/').all(|part| match given.next() {
            Some(other) => part == other || (part == "*" && !other.is_empty()),
            None => false,
        });
        same && given.next().is_none()
    }
}

impl Read for Principal {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let text = String::read(value, at, report)?;
        let read = Self::parse(&text);
        if read.is_none() {
            let allowed =
                "is not an identity such as spiffe://cluster.local/ns/web/sa/web; * may stand for a whole part";
            report.error(at, format!("{} {allowed}", shown(value)));
        }
        read
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({"type": "string", "pattern": r"^spiffe://[^/*]+(/(\*|[^/*?#]+))+$"})
    }
}

/// Who decides whether a request is guarded.
#[derive(Clone, Debug)]
pub struct Gate {
    /// The flag's name as filter state has it.
    pub flag: Option<String>,
    /// The header that is believed from some.
    pub header: Option<HeaderName>,
    /// The peers that it is believed from.
    pub principals: Vec<Principal>,
    /// Whether it is believed from anyone.
    pub any_peer: bool,
    /// What happens where nothing is known.
    pub when_missing: WhenMissing,
}

/// Where a decision about a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// There is no gate.
    Always,
    /// Filter state.
    State,
    /// A header that is believed.
    Header,
    /// Nothing: what stands for it counts.
    Missing,
}

impl Source {
    /// As events and metrics tell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::State => "state",
            Self::Header => "header",
            Self::Missing => "missing",
        }
    }
}

/// Whether a request is guarded, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is.
    pub guarded: bool,
    /// Who says so.
    pub source: Source,
}

impl Verdict {
    /// What holds without a gate.
    pub const ALWAYS: Self = Self { guarded: true, source: Source::Always };
}

/// What the proxy knows, asked for only when a decision needs it: each is a host call.
pub trait Known {
    /// The filter state of flag-headers (`runtime_control.flags`); none where it wrote none.
    fn flags(&self) -> Option<Vec<u8>>;
    /// The identity of the peer, if it proved one by mutual TLS.
    fn principal(&self) -> Option<String>;
}

impl Gate {
    /// Decides about a request.
    #[must_use]
    pub fn decide(&self, headers: &Pairs, known: &dyn Known) -> Verdict {
        let state = || decision(&known.flags()?, self.flag.as_deref()?);
        if let Some(guarded) = self.flag.as_ref().and_then(|_| state()) {
            return Verdict { guarded, source: Source::State };
        }
        let believed = || self.any_peer || known.principal().is_some_and(|peer| self.believes(&peer));
        let said = self.header.as_ref().and_then(|header| said(headers, header));
        if let Some(guarded) = said.filter(|_| believed()) {
            return Verdict { guarded, source: Source::Header };
        }
        Verdict { guarded: self.when_missing == WhenMissing::Redact, source: Source::Missing }
    }

    fn believes(&self, peer: &str) -> bool {
        self.principals.iter().any(|principal| principal.holds(peer))
    }
}

/// What filter state says of a flag, named as headers have it. The form is flag-headers': `a=true,b=true;variant=blue`, in the
/// grammar of W3C Baggage. None where it says nothing, or two things.
#[must_use]
pub fn decision(state: &[u8], flag: &str) -> Option<bool> {
    let member = |member: &[u8]| {
        let pair = member.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        pair.strip_prefix(flag.as_bytes())?.strip_prefix(b"=").map(truth)
    };
    agreed(state.split(|byte| *byte == b',').filter_map(member))
}

/// What the copies of a header say. None where there is none, or they differ, or one is no decision.
fn said(headers: &Pairs, name: &HeaderName) -> Option<bool> {
    agreed(headers.all(name.as_str().as_bytes()).map(truth))
}

fn agreed(mut all: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let first = all.next()?;
    if all.all(|other| other == first) { first } else { None }
}

fn truth(word: &[u8]) -> Option<bool> {
    match word {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

/// A flag's name as headers and filter state carry it: in lower case, and bytes outside `[a-z0-9._-]` as `%xx`.
#[must_use]
pub fn encoded(flag: &str) -> String {
    let mut name = String::with_capacity(flag.len());
    for byte in flag.bytes() {
        let lower = byte.to_ascii_lowercase();
        if lower.is_ascii_alphanumeric() || matches!(lower, b'.' | b'_' | b'-') {
            name.push(char::from(lower));
        } else {
            name.push_str(&format!("%{byte:02x}"));
        }
    }
    name
}

impl Read for Gate {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let written = WrittenGate::read(value, at, report)?;
        let believed = written.trust_any_peer || !written.from_principals.is_empty();
        if written.flag.is_none() && written.header.is_none() {
            report.error(at, "holds none of flag, header; one is needed");
            return None;
        }
        if written.header.is_some() && !believed {
            let message = "is believed from nobody: name the peers in fromPrincipals, or set trustAnyPeer";
            report.error(&at.field("header"), message);
            return None;
        }
        let flag = written.flag.map(|flag| encoded(&flag.0));
        let of_flag = flag.as_deref().filter(|_| believed);
        let of_flag = of_flag.and_then(|flag| HeaderName::parse(&format!("{FLAG}{flag}")));
        Some(Self {
            header: written.header.or(of_flag),
            flag,
            principals: written.from_principals,
            any_peer: written.trust_any_peer,
            when_missing: written.when_missing,
        })
    }

    fn schema(definitions: &mut Definitions) -> Value {
        WrittenGate::schema(definitions)
    }
}
