//! What is told of a call: one line of JSON, in the names of OpenTelemetry where it has some.
//!
//! The shape is `event.schema.json`, checked in beside this crate; `schema` in each event names its version. A field that can't be told
//! is left out. No header's value is told but the host and the request's id, and no body.

use std::fmt::Write;

use filter_config::serde_json::{self, Value, json};

use crate::config::{Mode, PathShown};
use crate::decide::Decision;
use crate::policy::Policy;
use crate::workload::Workload;

/// The version of the shape. To be raised by whatever a reader could trip over.
pub const SCHEMA: &str = "runtime-control.egress-audit/1";
/// The event's name.
pub const NAME: &str = "egress_audit";

/// What kind of traffic a call is, as it is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// An HTTP request.
    #[default]
    Http,
    /// A connection that begins TLS.
    Tls,
    /// Any other connection.
    Tcp,
}

impl Protocol {
    /// As it is told.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tls => "tls",
            Self::Tcp => "tcp",
        }
    }
}

/// What is known of one call in the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The kind of traffic.
    pub protocol: Protocol,
    /// The Host header or `:authority`, as it was sent.
    pub authority: Option<Vec<u8>>,
    /// The method.
    pub method: Option<Vec<u8>>,
    /// The path with its query, as it was sent.
    pub target: Option<Vec<u8>>,
    /// The request's id.
    pub request_id: Option<Vec<u8>>,
    /// Whether the handshake carried an encrypted ClientHello.
    pub encrypted_hello: bool,
    /// The address that the client connected to, and its port.
    pub destination: Option<std::net::SocketAddr>,
    /// The cluster that the proxy chose.
    pub cluster: Option<Vec<u8>>,
    /// The answer's status; none where there was none.
    pub status: Option<u16>,
    /// Envoy's response flags, as a number.
    pub flags: Option<u64>,
    /// How many bytes of body, or of the connection, the client sent.
    pub sent: u64,
    /// How many came back.
    pub received: u64,
    /// How long the call took, in milliseconds.
    pub duration_ms: Option<u64>,
}

/// What makes an event one of its own, beside the facts of the call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Its name, which the client was told where the call was denied.
    pub id: String,
    /// When it is told, in milliseconds since 1970.
    pub time_ms: u64,
    /// How many calls it stands for.
    pub count: u64,
    /// Since when it stands for them, in milliseconds since 1970; none where it stands for the one that was just seen.
    pub since_ms: Option<u64>,
    /// Whether no call to this host was seen before.
    pub first_seen: bool,
    /// The allowed name that this host looks like, without being it.
    pub lookalike_of: Option<String>,
    /// Whether a part of the name mixes scripts.
    pub mixed_script: bool,
}

/// An event: all that is told of a call, or of several that differ in nothing that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    fields: Vec<(&'static str, Field)>,
    /// How much it matters.
    pub severity: Severity,
}

/// What a field holds. An event for each request is written in the proxy, so this is no tree of JSON values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// A text.
    Text(String),
    /// One of the program's own words.
    Word(&'static str),
    /// A whole number.
    Number(u64),
    /// A truth.
    Truth(bool),
}

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A call passed as it may.
    Information,
    /// A call was denied, or would be.
    Warning,
}

/// Text from bytes that a client may choose, cut where it is very long.
const LONGEST_TEXT: usize = 2048;

fn text(bytes: &[u8]) -> Field {
    let cut = bytes.get(..LONGEST_TEXT).unwrap_or(bytes);
    Field::Text(String::from_utf8_lossy(cut).into_owned())
}

/// A text, where there is any.
fn word(text: &str) -> Option<Field> {
    (!text.is_empty()).then(|| Field::Text(text.to_owned()))
}

impl Event {
    /// Puts an event together.
    #[must_use]
    pub fn new(policy: &Policy, workload: &Workload, decision: &Decision, facts: &Facts, stamp: &Stamp) -> Self {
        use Field::{Number, Text, Truth, Word};
        let mut fields: Vec<(&'static str, Field)> = Vec::with_capacity(40);
        let mut put = |name: &'static str, value: Option<Field>| fields.extend(value.map(|value| (name, value)));
        let (guard, rule) = policy.names(decision.guard, decision.rule);
        put("schema", Some(Word(SCHEMA)));
        put("time", Some(Text(timestamp(stamp.time_ms))));
        put("event_id", word(&stamp.id));
        put("decision", Some(Word(if decision.denies() { "deny" } else { "allow" })));
        put("would_deny", (decision.mode != Mode::Observe).then(|| Truth(decision.would_deny())));
        put("reason_code", Some(Word(decision.reason.as_str())));
        put("mode", Some(Word(decision.mode.as_str())));
        put("policy", guard.and_then(word));
        put("rule_id", rule.and_then(word));
        put("count", Some(Number(stamp.count)));
        put("since", stamp.since_ms.map(|since| Text(timestamp(since))));
        put("network.protocol.name", Some(Word(facts.protocol.as_str())));
        put("server.address", decision.host.as_ref().map(|host| Text(host.to_string())));
        put("server.port", decision.port.map(|port| Number(port.into())));
        put("http.request.header.host", facts.authority.as_deref().map(text));
        put("tls.client.server_name", decision.server_name.as_deref().map(text));
        put("sni_host", decision.sni_host.as_str().map(Word));
        put("tls.client.encrypted_hello", facts.encrypted_hello.then_some(Truth(true)));
        put("http.request.method", facts.method.as_deref().map(text));
        let (path, query) = told_path(policy.settings.audit.path, facts.target.as_deref());
        put("url.path", path.map(text));
        put("url.query", query.map(text));
        put("http.response.status_code", facts.status.map(|status| Number(status.into())));
        put("envoy.response_flags", facts.flags.map(Number));
        put("envoy.cluster", facts.cluster.as_deref().filter(|name| !name.is_empty()).map(text));
        put("network.peer.address", facts.destination.map(|at| Text(at.ip().to_string())));
        put("network.peer.port", facts.destination.map(|at| Number(at.port().into())));
        put("sent.bytes", Some(Number(facts.sent)));
        put("received.bytes", Some(Number(facts.received)));
        put("duration_ms", facts.duration_ms.map(Number));
        put("request_id", facts.request_id.as_deref().map(text));
        put("k8s.namespace.name", word(&workload.namespace));
        put("k8s.workload.name", word(&workload.name));
        put("k8s.pod.name", word(&workload.pod));
        put("k8s.service_account.name", word(&workload.service_account));
        put("client.principal", decision.principal.as_deref().and_then(word));
        put("first_seen", stamp.first_seen.then_some(Truth(true)));
        put("lookalike_of", stamp.lookalike_of.as_deref().and_then(word));
        put("mixed_script", stamp.mixed_script.then_some(Truth(true)));
        let warns = decision.denies() || decision.would_deny() || stamp.lookalike_of.is_some() || stamp.mixed_script;
        Self { fields, severity: if warns { Severity::Warning } else { Severity::Information } }
    }

    /// Adds a field.
    pub fn put(&mut self, name: &'static str, value: Field) {
        self.fields.push((name, value));
    }

    /// The same without some fields.
    #[must_use]
    pub fn without(&self, names: &[&str]) -> Self {
        let fields = self.fields.iter().filter(|(name, _)| !names.contains(name)).cloned().collect();
        Self { fields, severity: self.severity }
    }

    /// The text of a field.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| *field == name).and_then(|(_, value)| match value {
            Field::Text(text) => Some(text.as_str()),
            Field::Word(word) => Some(*word),
            Field::Number(_) | Field::Truth(_) => None,
        })
    }

    /// All fields in their order.
    #[must_use]
    pub fn fields(&self) -> &[(&'static str, Field)] {
        &self.fields
    }

    /// The event as one line of JSON.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = String::with_capacity(1280);
        line.push_str("{\"event\":");
        quote(NAME, &mut line);
        for (name, value) in &self.fields {
            line.push_str(",\"");
            line.push_str(name);
            line.push_str("\":");
            match value {
                Field::Text(text) => quote(text, &mut line),
                Field::Word(word) => quote(word, &mut line),
                Field::Number(number) => {
                    // writing to a string does not fail
                    let _written = write!(line, "{number}");
                }
                Field::Truth(true) => line.push_str("true"),
                Field::Truth(false) => line.push_str("false"),
            }
        }
        line.push('}');
        line
    }
}

/// A text as a JSON string (RFC 8259, section 7). Line and paragraph separators and control characters of C1 are escaped as well:
/// some readers of logs take them for the end of a line.
pub(crate) fn quote(text: &str, line: &mut String) {
    line.push('"');
    let plain = |byte: u8| byte.is_ascii() && !byte.is_ascii_control() && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        line.push_str(text);
    } else {
        for letter in text.chars() {
            match letter {
                '"' => line.push_str("\\\""),
                '\\' => line.push_str("\\\\"),
                _ if letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}') => {
                    let _written = write!(line, "\\u{:04x}", u32::from(letter));
                }
                _ => line.push(letter),
            }
        }
    }
    line.push('"');
}

/// The path and the query, as far as they are told.
fn told_path(shown: PathShown, target: Option<&[u8]>) -> (Option<&[u8]>, Option<&[u8]>) {
    let Some(target) = target.filter(|_| shown != PathShown::None) else { return (None, None) };
    let whole = target.split(|byte| *byte == b'#').next().unwrap_or_default();
    let mark = whole.iter().position(|byte| *byte == b'?');
    let (path, query) = match mark.and_then(|at| whole.split_at_checked(at)) {
        Some((path, query)) => (path, query.get(1..)),
        None => (whole, None),
    };
    (Some(path), query.filter(|_| shown == PathShown::Query))
}

/// A time as RFC 3339 writes it, in UTC: `2026-11-25T22:14:12.345Z`.
#[must_use]
pub fn timestamp(time_ms: u64) -> String {
    let (seconds, milliseconds) = (time_ms / 1000, time_ms % 1000);
    let (day, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(day);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z")
}

/// The date of a day since 1970, in the proleptic Gregorian calendar, counted in eras of 400 years that begin in March.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days.saturating_add(719_468);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day.saturating_sub(day / 1460).saturating_add(day / 36_524).saturating_sub(day / 146_096)) / 365;
    let of_year = day.saturating_sub((365 * year).saturating_add(year / 4).saturating_sub(year / 100));
    let month = (5 * of_year).saturating_add(2) / 153;
    let day = of_year.saturating_sub((153 * month).saturating_add(2) / 5).saturating_add(1);
    let (month, next) = if month < 10 { (month.saturating_add(3), 0) } else { (month.saturating_sub(9), 1) };
    (era.saturating_mul(400).saturating_add(year).saturating_add(next), month, day)
}

/// The fields that every event has.
const ALWAYS: [&str; 11] = [
    "event",
    "schema",
    "time",
    "event_id",
    "decision",
    "reason_code",
    "mode",
    "count",
    "network.protocol.name",
    "sent.bytes",
    "received.bytes",
];

/// The JSON Schema of events.
#[must_use]
pub fn schema() -> Value {
    let string = || json!({"type": "string"});
    let whole = || json!({"type": "integer", "minimum": 0});
    let port = || json!({"type": "integer", "minimum": 0, "maximum": 65535});
    let yes = || json!({"const": true});
    let time =
        || json!({"type": "string", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"});
    let words = |words: Vec<&str>| json!({"enum": words});
    let reasons = crate::Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    let fields = [
        ("event", json!({"const": NAME}), "The event's kind."),
        ("schema", json!({"const": SCHEMA}), "The version of this schema."),
        ("time", time(), "When the event was told, in UTC."),
        (
            "event_id",
            string(),
            "The event's name; a denied client is told it. An event that counts further calls has that of the event for the first of them.",
        ),
        ("decision", words(vec!["allow", "deny"]), "Whether the call passed."),
        (
            "would_deny",
            json!({"type": "boolean"}),
            "Whether it passed only because the mode is `report`. Left out in `observe`.",
        ),
        ("reason_code", words(reasons), "Why."),
        ("mode", words(vec!["observe", "report", "enforce"]), "The mode that counted."),
        ("policy", string(), "The policy that decided; none where no policy is for the workload."),
        ("rule_id", string(), "The rule that decided; none where no rule did."),
        ("count", json!({"type": "integer", "minimum": 1}), "How many calls the event stands for."),
        ("since", time(), "Only in events that count further calls: since when."),
        ("network.protocol.name", words(vec!["http", "tls", "tcp"]), "What could be seen of the call."),
        (
            "server.address",
            string(),
            "The host that rules were held against, in its one spelling: the name that the client gave, else the service that the proxy chose, else the address.",
        ),
        ("server.port", port(), "The port."),
        ("http.request.header.host", string(), "Host or `:authority` as the client sent it."),
        ("tls.client.server_name", string(), "The name in the TLS handshake (SNI) as the client sent it."),
        (
            "sni_host",
            words(vec!["same", "mismatch", "sni_absent"]),
            "How handshake and request, or handshake and service, agree.",
        ),
        ("tls.client.encrypted_hello", yes(), "The handshake carried an encrypted ClientHello, or pretended to."),
        ("http.request.method", string(), "The method."),
        ("url.path", string(), "The path, without query."),
        ("url.query", string(), "The query; only where `audit.path` is `query`."),
        ("http.response.status_code", whole(), "The answer's status."),
        ("envoy.response_flags", whole(), "Envoy's response flags, as a number."),
        ("envoy.cluster", string(), "The cluster that the proxy chose."),
        ("network.peer.address", string(), "The address that the client connected to."),
        ("network.peer.port", port(), "Its port."),
        ("sent.bytes", whole(), "Bytes that the client sent: of bodies, or of the connection."),
        ("received.bytes", whole(), "Bytes that came back."),
        ("duration_ms", whole(), "How long the call took."),
        ("request_id", string(), "The request's `x-request-id`."),
        ("k8s.namespace.name", string(), "The namespace of the proxy's pod."),
        ("k8s.workload.name", string(), "The workload of the proxy's pod."),
        ("k8s.pod.name", string(), "The proxy's pod."),
        ("k8s.service_account.name", string(), "The service account of the proxy's pod."),
        ("client.principal", string(), "The peer's identity, where a policy asks for it."),
        ("first_seen", yes(), "No call to this host was seen before, as far as is remembered."),
        ("lookalike_of", string(), "The allowed name that this one looks like, without being it."),
        ("mixed_script", yes(), "A part of the name mixes scripts that no language mixes."),
        ("chain_id", string(), "The chain that the event is part of: one for each worker of a proxy."),
        ("seq", whole(), "Its place in the chain, from 0."),
        (
            "prev_hash",
            json!({"type": "string", "pattern": "^[0-9a-f]{64}$"}),
            "SHA-256 of the line of the event before, and zeros for the first.",
        ),
    ];
    let property = |(name, mut schema, meaning): (&str, Value, &str)| {
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("description".to_owned(), Value::String(meaning.to_owned()));
        }
        (name.to_owned(), schema)
    };
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "egress-audit event",
        "type": "object",
        "additionalProperties": false,
        "required": ALWAYS,
        "properties": fields.map(property).into_iter().collect::<serde_json::Map<_, _>>(),
    })
}
