//! When Unleash is asked, what comes of its answers, and how old flags may grow.
//!
//! One worker of the proxy asks, and all read what came of it from shared data: a small [`Sync`] that changes at every poll,
//! and the flags themselves, which change seldom. Nothing here calls anything: time and answers come in, a new [`Sync`]
//! comes out.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use filter_config::serde_json::{Value, json};
use filter_config::{authority_of_cluster, choice};

use crate::config::Unleash;
use crate::flag::Selector;
use crate::serve::Origin;
use crate::subset::select;

choice! {
    /// What came of a poll.
    pub enum Poll {
        /// Flags, other than before.
        Updated = "updated",
        /// The same flags as before.
        NotModified = "not_modified",
        /// The token is not accepted (401) or not of the right kind (403).
        Unauthorized = "unauthorized",
        /// No connection, or a server that says so itself (503).
        Unavailable = "unavailable",
        /// No answer in time (504).
        Timeout = "timeout",
        /// Any other status.
        Status = "status",
        /// The answer broke off.
        Truncated = "truncated",
        /// The answer is longer than is read.
        TooLarge = "too_large",
        /// The answer is not what was asked for.
        Garbage = "garbage",
        /// The proxy has no such cluster.
        NoCluster = "no_cluster",
        /// The cluster has no hosts, or the proxy refused the call.
        Refused = "refused",
        /// The proxy told of no answer.
        Lost = "lost",
    }
}

impl Poll {
    /// Whether Unleash has confirmed what is served.
    #[must_use]
    pub fn is_good(self) -> bool {
        matches!(self, Self::Updated | Self::NotModified)
    }
}

/// Milliseconds since 1970.
pub type Millis = u64;

/// The milliseconds of a time.
#[must_use]
pub fn millis(time: SystemTime) -> Millis {
    time.duration_since(UNIX_EPOCH).ok().and_then(|since| u64::try_from(since.as_millis()).ok()).unwrap_or(0)
}

fn of_duration(duration: impl Into<Duration>) -> Millis {
    u64::try_from(duration.into().as_millis()).unwrap_or(Millis::MAX)
}

/// Where the proxy stands with Unleash, as all its workers see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sync {
    /// Which flags are stored: a number of their own for each change; 0 for none.
    pub generation: u64,
    /// The configuration of exposed flags that they were cut down for.
    pub exposure: String,
    /// The `etag` of the answer that they come from.
    pub etag: Option<String>,
    /// When Unleash last confirmed them.
    pub confirmed: Millis,
    /// When it was last asked.
    pub asked: Millis,
    /// When it is to be asked next.
    pub next: Millis,
    /// How often in a row that failed.
    pub failures: u64,
    /// What came of the last poll.
    pub last: Option<Poll>,
    /// The last failure, in words; none since the last good poll.
    pub error: Option<String>,
    /// Whether Unleash knows of this proxy.
    pub registered: bool,
}

fn interval(unleash: &Unleash) -> Millis {
    of_duration(unleash.refresh).max(1)
}

/// How many intervals a row of failures can make of one, at most.
const SLOWEST: u64 = 10;

impl Sync {
    /// Reads what [`Sync::write`] wrote; anything else as nothing.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Self {
        let value: Value = filter_config::serde_json::from_slice(bytes).unwrap_or_default();
        let number = |key: &str| value.get(key).and_then(Value::as_u64).unwrap_or(0);
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        Self {
            generation: number("generation"),
            exposure: text("exposure").unwrap_or_default(),
            etag: text("etag"),
            confirmed: number("confirmed"),
            asked: number("asked"),
            next: number("next"),
            failures: number("failures"),
            last: text("last").and_then(|word| Poll::ALL.iter().copied().find(|poll| poll.as_str() == word)),
            error: text("error"),
            registered: value.get("registered").and_then(Value::as_bool).unwrap_or(false),
        }
    }

    /// As it is kept.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let value = json!({
            "generation": self.generation, "exposure": self.exposure, "etag": self.etag, "confirmed": self.confirmed,
            "asked": self.asked, "next": self.next, "failures": self.failures,
            "last": self.last.map(Poll::as_str), "error": self.error, "registered": self.registered,
        });
        value.to_string().into_bytes()
    }

    /// Whether it is time to ask. A configuration that exposes other flags than are stored asks at once, and so does a clock
    /// that was set back.
    #[must_use]
    pub fn is_due(&self, now: Millis, unleash: &Unleash, exposure: &str) -> bool {
        let slowest = interval(unleash).saturating_mul(SLOWEST.saturating_add(2));
        let longest = slowest.saturating_add(of_duration(unleash.timeout));
        let waiting = self.asked > 0 && self.exposure == exposure;
        now >= self.next || self.next > now.saturating_add(longest) || !waiting
    }

    /// The `etag` to ask with: none where other flags are wanted than are stored.
    #[must_use]
    pub fn etag_for(&self, exposure: &str) -> Option<&str> {
        self.etag.as_deref().filter(|_| self.exposure == exposure && self.generation > 0)
    }

    /// Notes that Unleash is being asked. Whoever asks and is never answered is found out by time.
    pub fn asking(&mut self, now: Millis, unleash: &Unleash, exposure: &str, chance: u64) {
        self.asked = now;
        if self.exposure != exposure {
            exposure.clone_into(&mut self.exposure);
            // what is stored is not what that answer holds
            self.etag = None;
        }
        // should the answer get lost, the next poll comes as after a failure
        self.next = now.saturating_add(of_duration(unleash.timeout)).saturating_add(self.pause(unleash, chance));
    }

    /// Notes what came of asking.
    pub fn answered(&mut self, now: Millis, outcome: &Outcome, unleash: &Unleash, chance: u64) {
        self.last = Some(outcome.poll);
        if outcome.poll.is_good() {
            self.confirmed = now;
            self.failures = 0;
            self.error = None;
        } else {
            self.failures = self.failures.saturating_add(1);
            self.error.clone_from(&outcome.error);
        }
        self.next = now.saturating_add(self.pause(unleash, chance));
    }

    /// How long to wait: the interval, one more for each failure in a row, and up to a tenth more or less by chance, so that
    /// a fleet that began together does not ask together.
    fn pause(&self, unleash: &Unleash, chance: u64) -> Millis {
        let whole = interval(unleash).saturating_mul(self.failures.saturating_add(1).min(SLOWEST));
        let spread = (whole / 5).max(1);
        whole.saturating_sub(spread / 2).saturating_add(chance % spread)
    }

    /// Where values come from now: `live` as long as polls are good and come in time, then `stale`, then `default`.
    #[must_use]
    pub fn origin(&self, now: Millis, unleash: &Unleash, bootstrap: bool) -> Origin {
        if self.generation == 0 {
            return if bootstrap { Origin::Bootstrap } else { Origin::Default };
        }
        let age = now.saturating_sub(self.confirmed);
        let in_time = of_duration(unleash.refresh).saturating_mul(2).saturating_add(of_duration(unleash.timeout));
        if age > of_duration(unleash.max_stale) && age > in_time {
            Origin::Default
        } else if self.failures > 0 || age > in_time {
            Origin::Stale
        } else {
            Origin::Live
        }
    }

    /// Unleash's own number of the state, from an `etag` such as `"76d8bb0e:42:v1"`; none in any other.
    #[must_use]
    pub fn revision(&self) -> Option<u64> {
        self.etag.as_deref()?.trim_start_matches("W/").trim_matches('"').split(':').nth(1)?.parse().ok()
    }
}

/// What the proxy handed over of an answer.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Its status; none where the answer broke off before.
    pub status: Option<u16>,
    /// Its `etag`.
    pub etag: Option<String>,
    /// How long its body is.
    pub length: usize,
    /// Its body; not to be read where it is too long.
    pub body: Vec<u8>,
}

/// What came of a poll, and what there is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// In a word.
    pub poll: Poll,
    /// What went wrong, in words.
    pub error: Option<String>,
    /// The flags to store from now on, and the `etag` they came with.
    pub update: Option<(String, Option<String>)>,
}

impl Outcome {
    /// A poll that failed.
    #[must_use]
    pub fn failed(poll: Poll, error: impl Into<String>) -> Self {
        Self { poll, error: Some(error.into()), update: None }
    }

    /// A poll that could not begin, as the proxy has no cluster of that name.
    #[must_use]
    pub fn no_cluster(cluster: &str) -> Self {
        let hint = "is not known to this proxy: is the service there, and does a Sidecar resource hide it?";
        Self::failed(Poll::NoCluster, format!("cluster {cluster} {hint}"))
    }
}

/// Reads an answer.
#[must_use]
pub fn read_answer(answer: &Answer, unleash: &Unleash, asked_with_etag: bool, selectors: &[Selector]) -> Outcome {
    let Some(status) = answer.status else {
        return Outcome::failed(Poll::Truncated, "the answer broke off");
    };
    let limit = unleash.max_bytes.0;
    match status {
        200 if u64::try_from(answer.length).unwrap_or(u64::MAX) > limit => {
            Outcome::failed(Poll::TooLarge, format!("the answer has {} bytes and {limit} are read", answer.length))
        }
        200 => match select(&answer.body, selectors) {
            Ok(subset) => Outcome { poll: Poll::Updated, error: None, update: Some((subset, answer.etag.clone())) },
            Err(wrong) => Outcome::failed(Poll::Garbage, format!("the answer is {wrong}")),
        },
        304 if asked_with_etag => Outcome { poll: Poll::NotModified, error: None, update: None },
        304 => Outcome::failed(Poll::Garbage, "the answer says not modified and was not asked so"),
        401 => Outcome::failed(Poll::Unauthorized, format!("401: the token in {} is not accepted", unleash.token_env)),
        403 => {
            let message = format!("403: the token in {} is not a backend token", unleash.token_env);
            Outcome::failed(Poll::Unauthorized, message)
        }
        503 => Outcome::failed(Poll::Unavailable, "503: no connection, or unleash is not ready"),
        504 => Outcome::failed(Poll::Timeout, "no answer in time"),
        other => Outcome::failed(Poll::Status, format!("status {other}")),
    }
}

/// The name of the proxy's cluster that leads to Unleash, as Istio makes it of a service.
#[must_use]
pub fn cluster_of(unleash: &Unleash) -> String {
    match (&unleash.service, &unleash.cluster) {
        (Some(service), _) => service.cluster(),
        (None, cluster) => cluster.clone().unwrap_or_default(),
    }
}

/// The `:authority` of requests to Unleash.
#[must_use]
pub fn authority_of(unleash: &Unleash) -> String {
    match (&unleash.authority, &unleash.service) {
        (Some(authority), _) => authority.clone(),
        (None, Some(service)) => service.authority(),
        (None, None) => authority_of_cluster(&cluster_of(unleash)).to_owned(),
    }
}

/// What tells stored flags of one Unleash from those of another: flags of a former one are never served as live.
#[must_use]
pub fn source_of(unleash: &Unleash) -> String {
    let parts =
        json!([cluster_of(unleash), authority_of(unleash), unleash.path, unleash.token_env, unleash.app_name.0]);
    filter_config::fingerprint(&parts)
}

/// What tells one set of exposed flags from another.
#[must_use]
pub fn exposure_of(selectors: &[Selector]) -> String {
    let text = |selector: &Selector| match selector {
        Selector::Name(name) => format!("={name}"),
        Selector::Prefix(prefix) => format!("^{prefix}"),
    };
    filter_config::fingerprint(&json!(selectors.iter().map(text).collect::<Vec<_>>()))
}
