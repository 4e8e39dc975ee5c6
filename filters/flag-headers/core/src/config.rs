//! The configuration of an instance, field by field. [`crate::load()`] says what runs of it.

use filter_config::serde_json::{Value, json};
use filter_config::{
    Duration, Entries, Keyed, Path, Read, Report, Service, Whole, choice, object, schema::Definitions, shown,
};
use filter_request::{HeaderName, HostPattern, RequestMatch, Source, Trust, host_matches};

use crate::flag::Flag;

choice! {
    /// What is done with evaluated flags.
    pub enum Mode {
        /// Nothing is evaluated: the kill switch. Headers of clients are still removed.
        Off = "off",
        /// They are evaluated, counted and logged; nothing is set.
        Report = "report",
        /// They are set.
        Enforce = "enforce",
    }
}

choice! {
    /// Which of a request's flag headers are removed before any is set.
    pub enum Strip {
        /// Those of the flags of this configuration; none where no header carries flags.
        Owned = "owned",
        /// Every `x-flag-*`, `x-flagvariant-*` and `x-flagpayload-*`, of other instances too.
        All = "all",
    }
}

object! {
    /// Where flags come from, and how often.
    pub struct Unleash {
        /// The Service of Unleash, or of Unleash Edge in front of it.
        "service" service: Option<Service>;
        /// The proxy's cluster that leads to it, by its name.
        "cluster" cluster: Option<String>;
        /// The host that requests name. Without, that of the service, or the cluster's name.
        "authority" authority: Option<String>;
        /// The path under which Unleash has its API.
        "path" path: String = "/api";
        /// The environment variable of the proxy that holds the token.
        "tokenEnv" token_env: String = "UNLEASH_API_TOKEN";
        /// Who asks, as Unleash shows it; also `appName` of every evaluation.
        "appName" app_name: AppName;
        /// How often it is asked, when it answers.
        "refresh" refresh: Duration = "15s";
        /// How long it has to answer.
        "timeout" timeout: Duration = "2s";
        /// How long flags are served that could not be refreshed. After it, defaults are.
        "maxStale" max_stale: Duration = "1h";
        /// How often it is told how often flags were used; `0s` for never.
        "metricsInterval" metrics_interval: Duration = "60s";
        /// The longest answer that is read, in bytes. Envoy itself cuts one off that is over 32 MiB.
        "maxBytes" max_bytes: Whole<1024, 33_554_432> = 16_777_216;
    }
    exactly one of ["service", "cluster"]
}

/// An application's name, which goes to Unleash in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppName(pub String);

impl Read for AppName {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let text = String::read(value, at, report)?;
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            return Some(Self(text));
        }
        report.error(at, format!("{} is not printable ascii text", shown(value)));
        None
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({"type": "string", "pattern": "^[ -~]+$"})
    }
}

object! {
    /// What flags are evaluated for, beside the user's id.
    pub struct ContextSettings {
        /// `environment` of every evaluation.
        "environment" environment: Option<String>;
        /// Where `sessionId` stands.
        "sessionId" session_id: Option<Source>;
        /// Whether `remoteAddress` is the client's address, as the proxy knows it.
        "remoteAddress" remote_address: bool = false;
        /// Where each property stands, by its name. An empty one counts as none.
        "properties" properties: Keyed<String, Source> = {};
    }
}

object! {
    /// Which headers carry flags.
    pub struct HeaderSettings {
        /// Whether each flag has a header of its own, `x-flag-<flag>`.
        "each" each: bool = true;
        /// One header for all flags, such as `x-feature-flags`.
        "all" all: Option<HeaderName>;
        /// Whether `x-flags-source` is set.
        "source" source: bool = true;
        /// Which headers of clients are removed.
        "strip" strip: Strip = "owned";
    }
}

impl HeaderSettings {
    /// Whether any header is set at all.
    #[must_use]
    pub fn carries(&self) -> bool {
        self.each || self.all.is_some() || self.source
    }
}

/// A host that the filter answers for itself: never every host.
#[derive(Clone, Debug)]
pub struct OwnHost(pub HostPattern);

fn is_own(hosts: &[OwnHost], host: &[u8]) -> bool {
    hosts.iter().any(|own| host_matches(std::slice::from_ref(&own.0), host))
}

impl Ofrep {
    /// Whether the filter answers for a host (in lower case, without its port).
    #[must_use]
    pub fn answers(&self, host: &[u8]) -> bool {
        is_own(&self.hosts, host)
    }
}

impl Debug {
    /// Whether the filter answers for a host and path.
    #[must_use]
    pub fn answers(&self, host: &[u8], path: &[u8]) -> bool {
        path == self.path.0.as_bytes() && is_own(&self.hosts, host)
    }
}

impl Read for OwnHost {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let host = HostPattern::read(value, at, report)?;
        if host == HostPattern::Any {
            report.error(at, "* would answer for every host, public ones too; name the host");
            return None;
        }
        Some(Self(host))
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({"type": "string", "pattern": r"^((\*\.)?[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])$"})
    }
}

/// A path that begins with a slash, without one at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPrefix(pub String);

impl Read for PathPrefix {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let text = String::read(value, at, report)?;
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'));
        if plain && text.starts_with('/') {
            return Some(Self(text.trim_end_matches('/').to_owned()));
        }
        report.error(at, format!("{} is not a path: / first, and no ?, # or space", shown(value)));
        None
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({"type": "string", "pattern": r"^/[!-~]*$"})
    }
}

object! {
    /// Answers OpenFeature's remote evaluation protocol (OFREP).
    pub struct Ofrep {
        /// The hosts for which the filter answers.
        "hosts" hosts: Vec<OwnHost>;
        /// What comes before `/evaluate/flags`.
        "pathPrefix" path_prefix: PathPrefix = "/ofrep/v1";
        /// The longest request body that is read, in bytes.
        "maxBytes" max_bytes: Whole<1, 1_048_576> = 65_536;
    }
}

object! {
    /// Shows current flag values.
    pub struct Debug {
        /// The hosts for which the filter answers.
        "hosts" hosts: Vec<OwnHost>;
        /// The path.
        "path" path: PathPrefix = "/runtime-control/flags";
    }
}

object! {
    /// The configuration of flag-headers.
    pub struct Config {
        /// The Unleash that flags come from; without, they come from `bootstrap` alone.
        "unleash" unleash: Option<Unleash>;
        /// Flags for the time before the first answer, as `/api/client/features` has them.
        "bootstrap" bootstrap: Option<Value>;
        /// What is done with evaluated flags.
        "mode" mode: Mode = "enforce";
        /// From whom flag headers are taken over.
        "trust" trust: Trust = "edge";
        /// The hosts whose requests get flags, as in a VirtualService; none for all.
        "hosts" hosts: Vec<HostPattern> = [];
        /// The requests that get flags, as Istio's `HTTPMatchRequest`; one has to match. None for all.
        "match" ways: Vec<RequestMatch> = [];
        /// Where a user's id may stand; the first that has one counts.
        "identity" identity: Vec<Source> = [];
        /// What flags are evaluated for, beside the user's id.
        "context" context: ContextSettings = {};
        /// The flags that are exposed; nothing else of Unleash ever is.
        "flags" flags: Entries<Flag> = [];
        /// Which headers carry them.
        "headers" headers: HeaderSettings = {};
        /// Whether they also go to the proxy's filter state, as `wasm.runtime_control.flags`.
        "filterState" filter_state: bool = true;
        /// Answers OpenFeature's remote evaluation protocol.
        "ofrep" ofrep: Option<Ofrep>;
        /// Shows current flag values.
        "debug" debug: Option<Debug>;
    }
}
