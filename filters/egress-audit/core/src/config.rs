//! The configuration of an instance as it is written, field by field. [`crate::load()`] says what runs of it.

use filter_config::{Duration, Entries, Name, Service, Whole, choice, object};
use filter_request::RequestMatch;

use crate::pattern::Pattern;

choice! {
    /// What is done with a decision.
    pub enum Mode {
        /// Nothing, and nothing is told: the kill switch.
        Off = "off",
        /// Calls pass and are told.
        Observe = "observe",
        /// The same, and what would be denied is told so (`would_deny`).
        Report = "report",
        /// What is denied does not pass.
        Enforce = "enforce",
    }
}

choice! {
    /// Which calls are looked at.
    pub enum Scope {
        /// Those that leave the mesh. Calls inside it, and connections on which the server speaks first, are left alone.
        External = "external",
        /// All of them.
        All = "all",
    }
}

choice! {
    /// What becomes of a call that no rule names.
    pub enum DefaultAction {
        /// It is allowed.
        Allow = "allow",
        /// It is denied, as far as the mode goes.
        Deny = "deny",
    }
}

choice! {
    /// What becomes of a call to an address that no rule names.
    pub enum IpLiterals {
        /// It is denied, also where `default` or a rule for `*` allows.
        Deny = "deny",
        /// As for a name that no rule names.
        Default = "default",
        /// It is allowed.
        Allow = "allow",
    }
}

choice! {
    /// What becomes of a call whose handshake names another host than its request.
    pub enum SniMismatch {
        /// It is denied.
        Deny = "deny",
        /// It is told (`sni_host: mismatch`), and the rules decide.
        Report = "report",
    }
}

choice! {
    /// What becomes of a connection of which only the host can be seen, where a rule for that host asks for more.
    pub enum Undecidable {
        /// It is denied.
        Deny = "deny",
        /// The rules decide by host and port alone: those that allow hold, those that deny don't.
        Allow = "allow",
    }
}

choice! {
    /// How much of a request's path is told.
    pub enum PathShown {
        /// All of it, without the query.
        Path = "path",
        /// The query as well, which may hold secrets.
        Query = "query",
        /// Nothing.
        None = "none",
    }
}

choice! {
    /// What becomes of events while the collector is away and the buffer is full. Each event that is lost is counted.
    pub enum OnFull {
        /// The oldest makes room.
        DropOldest = "drop_oldest",
        /// New ones are not taken.
        BlockNew = "block_new",
        /// New ones are not taken, and calls that a policy in `enforce` is for are denied (`audit_unavailable`).
        FailClosed = "fail_closed",
    }
}

object! {
    /// One rule: which calls it is for. All that is named has to hold.
    pub struct WrittenRule {
        /// The rule's name in events, metrics and answers; no two rules of a policy share one.
        "id" id: Name;
        /// The hosts: a name, `*.name` (all below it), a `*` within a part, an address, a network, `*` for every name.
        "hosts" hosts: Vec<Pattern>;
        /// The ports; none for all.
        "ports" ports: Vec<Whole<1, 65535>> = [];
        /// The requests, as Istio's `HTTPMatchRequest`; one has to match. None for all. Of TLS from the application none of this can be
        /// seen: `undecidable`.
        "match" ways: Vec<RequestMatch> = [];
    }
}

object! {
    /// The workloads that a policy is for. All that is named has to hold.
    pub struct Selector {
        /// Labels of the pod that the proxy belongs to.
        "matchLabels" match_labels: filter_config::Keyed<String, String> = {};
        /// Service accounts, `namespace/name`: of the proxy's own pod; at a gateway, of the peer that is connected by mutual TLS.
        "serviceAccounts" service_accounts: Vec<String> = [];
        /// Identities of the peer that is connected by mutual TLS (URI SAN), such as `spiffe://cluster.local/ns/devmentor-app/sa/ai-gateway`.
        "principals" principals: Vec<String> = [];
    }
}

object! {
    /// Rules for some workloads, and what is done with them.
    pub struct WrittenPolicy {
        /// The policy's name, in events and metrics; no two share one.
        "name" name: Name;
        /// The workloads; without, all.
        "selector" selector: Option<Selector>;
        /// What is done with its decisions; without, what the configuration's `mode` says.
        "mode" mode: Option<Mode>;
        /// What becomes of calls that no rule names; without, what the configuration's `default` says.
        "default" default: Option<DefaultAction>;
        /// What is allowed.
        "allow" allow: Entries<WrittenRule> = [];
        /// What is denied. It outweighs what is allowed, in every policy.
        "deny" deny: Entries<WrittenRule> = [];
    }
}

object! {
    /// What a client is told whose call was denied.
    pub struct DenialSettings {
        /// The status.
        "status" status: Whole<400, 599> = 403;
        /// How to ask for access.
        "help" help: String = "ask the owners of this mesh's egress policy to allow this host";
    }
}

object! {
    /// What is told, and how often.
    pub struct AuditSettings {
        /// How much of a path is told.
        "path" path: PathShown = "path";
        /// Events that differ in nothing but time, size and request id are told once, and their number when this much time has
        /// passed; `0s` for each by itself.
        "fold" fold: Duration = "60s";
        /// How many different events are folded at a time. Beyond, the oldest is told before its time.
        "foldCapacity" fold_capacity: Whole<16, 65_536> = 2048;
        /// Of how many percent of the allowed calls events are told. Denied ones always are.
        "sampleAllowed" sample_allowed: Percent = 100;
        /// How many hosts are remembered, to mark one that is seen for the first time. Beyond, the oldest is forgotten.
        "firstSeenCapacity" first_seen_capacity: Whole<16, 16_384> = 4096;
        /// Whether each event names the one before (`chain_id`, `seq`, `prev_hash`), so that `rcctl audit verify` finds edits and gaps.
        "chain" chain: bool = true;
    }
}

object! {
    /// A collector that takes OTLP over HTTP.
    pub struct Otlp {
        /// The Service of the collector.
        "service" service: Option<Service>;
        /// The proxy's cluster that leads to it, by its name.
        "cluster" cluster: Option<String>;
        /// The host that requests name. Without, that of the service, or the cluster's name.
        "authority" authority: Option<String>;
        /// The path.
        "path" path: String = "/v1/logs";
        /// The environment variable of the proxy whose content is sent as `authorization`; without, none is.
        "authorizationEnv" authorization_env: Option<String>;
        /// How long it has to answer.
        "timeout" timeout: Duration = "5s";
        /// How long events are gathered before a batch goes out.
        "interval" interval: Duration = "1s";
        /// How many events a batch holds at most.
        "batch" batch: Whole<1, 4096> = 512;
    }
    exactly one of ["service", "cluster"]
}

object! {
    /// Where events go.
    pub struct ExportSettings {
        /// Whether they go to the proxy's log: denied and `would_deny` as warnings, others as information.
        "log" log: bool = true;
        /// Whether a word on each call goes to filter state, for access logs: `%FILTER_STATE(wasm.runtime_control.egress:PLAIN)%`. It
        /// costs each call about 3 µs, so it is for access logs that print it.
        "accessLog" access_log: bool = false;
        /// The collector.
        "otlp" otlp: Option<Otlp>;
        /// How many events wait for the collector, in each worker.
        "bufferEvents" buffer_events: Whole<16, 1_000_000> = 10_000;
        /// How many bytes of events wait for the collector, in each worker.
        "bufferBytes" buffer_bytes: Whole<65_536, 268_435_456> = 16_777_216;
        /// What becomes of events when that is full.
        "onFull" on_full: OnFull = "drop_oldest";
    }
}

object! {
    /// The configuration of egress-audit.
    pub struct Config {
        /// What is done with decisions where a policy does not say.
        "mode" mode: Mode = "observe";
        /// Which calls are looked at.
        "scope" scope: Scope = "external";
        /// What is inside the mesh: names of services, and networks for calls of which no name is known.
        "internal" internal: Vec<Pattern> = [
            "*.svc.cluster.local", "*.local", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8",
            "::1", "fc00::/7"
        ];
        /// Services inside the mesh that lead out of it. Calls through them are external.
        "egressGateways" egress_gateways: Vec<Pattern> = ["istio-egress*.*.svc.cluster.local"];
        /// Rules for workloads.
        "policies" policies: Entries<WrittenPolicy> = [];
        /// What becomes of a call that no rule names.
        "default" default: DefaultAction = "deny";
        /// What becomes of a call to an address that no rule names.
        "ipLiterals" ip_literals: IpLiterals = "deny";
        /// What becomes of a call whose handshake names another host than its request.
        "sniMismatch" sni_mismatch: SniMismatch = "report";
        /// What becomes of a connection of which only the host can be seen, where a rule for that host asks for more.
        "undecidable" undecidable: Undecidable = "deny";
        /// What a client is told whose call was denied.
        "denial" denial: DenialSettings = {};
        /// What is told, and how often.
        "audit" audit: AuditSettings = {};
        /// Where events go.
        "export" export: ExportSettings = {};
    }
}

/// Percent, with decimals, in parts of a million so that no rounding comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(pub u32);

impl Percent {
    /// All.
    pub const ALL: Self = Self(1_000_000);
}

impl filter_config::Read for Percent {
    fn read(
        value: &filter_config::serde_json::Value,
        at: &filter_config::Path,
        report: &mut filter_config::Report,
    ) -> Option<Self> {
        let number = value.as_f64().filter(|number| (0.0..=100.0).contains(number));
        if number.is_none() {
            report.error(at, format!("{} is not a number from 0 to 100", filter_config::shown(value)));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 1,000,000")]
        number.map(|number| Self((number * 10_000.0).round() as u32))
    }

    fn schema(_: &mut filter_config::schema::Definitions) -> filter_config::serde_json::Value {
        filter_config::serde_json::json!({"type": "number", "minimum": 0, "maximum": 100})
    }
}
