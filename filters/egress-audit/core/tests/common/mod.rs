//! What the tests of the core share: configurations, workloads, calls, kept parts in memory, and peers' vectors.

#![allow(dead_code, reason = "no test uses all of it")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use egress_core::decide::{Exemption, Kind};
use egress_core::host::Host;
use egress_core::pattern::Pattern;
use egress_core::scope::Proxy;
use egress_core::workload::{ProxyKind, Workload};
use egress_core::{Call, Decision, Loaded, Outcome, Policy, Reason, decide, load};
use filter_config::{Kept, NothingKept};
use filter_request::{Pairs, Request};
use serde_json::{Value, json};

/// A configuration with one policy, for one workload.
pub fn example() -> Value {
    json!({
        "mode": "report", "scope": "external", "internal": ["*.svc.cluster.local", "*.local"],
        "policies": [{
            "name": "ai-gateway", "selector": {"matchLabels": {"app": "ai-gateway"}}, "mode": "enforce",
            "allow": [
                {"id": "openai", "hosts": ["api.openai.com"], "ports": [443],
                 "match": [{"method": {"exact": "POST"}, "uri": {"prefix": "/v1/"}}]},
                {"id": "anthropic", "hosts": ["*.anthropic.com"]},
            ],
            "deny": [{"id": "no-uploads", "hosts": ["api.openai.com"], "match": [{"uri": {"prefix": "/v1/files"}}]}],
        }],
        "default": "deny", "ipLiterals": "deny", "sniMismatch": "deny",
        "export": {
            "otlp": {"service": {"name": "otel-collector", "namespace": "observability", "port": 4318}, "path": "/v1/logs"},
            "onFull": "drop_oldest",
        },
    })
}

/// A value with other values at some JSON pointers; `-` is behind a list's end.
pub fn with(mut value: Value, changes: &[(&str, Value)]) -> Value {
    for (pointer, change) in changes {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = if parent.is_empty() { &mut value } else { value.pointer_mut(parent).unwrap() };
        match parent {
            Value::Object(fields) => {
                fields.insert(name.to_owned(), change.clone());
            }
            Value::Array(list) if name == "-" => list.push(change.clone()),
            Value::Array(list) => list[name.parse::<usize>().unwrap()] = change.clone(),
            _ => panic!("{pointer} leads nowhere"),
        }
    }
    value
}

/// The workload that the example's policy is for.
pub fn ai_gateway() -> Workload {
    Workload {
        namespace: "devmentor-app".to_owned(),
        name: "ai-gateway".to_owned(),
        service_account: "ai-gateway".to_owned(),
        pod: "ai-gateway-7d4b9".to_owned(),
        labels: vec![("app".to_owned(), "ai-gateway".to_owned()), ("version".to_owned(), "v1".to_owned())],
        kind: ProxyKind::Sidecar,
    }
}

pub fn loaded(config: &Value) -> Loaded {
    loaded_for(config, &ai_gateway())
}

pub fn loaded_for(config: &Value, workload: &Workload) -> Loaded {
    load(config.to_string().as_bytes(), &NothingKept, workload)
}

/// What runs of a configuration without mistakes.
pub fn policy(config: &Value) -> Policy {
    policy_for(config, &ai_gateway())
}

pub fn policy_for(config: &Value, workload: &Workload) -> Policy {
    let loaded = loaded_for(config, workload);
    assert!(loaded.report.is_clean(), "{:?}", loaded.report);
    loaded.policy
}

/// What a proxy knows, as a test states it.
#[derive(Clone, Debug, Default)]
pub struct Stated {
    pub cluster: Option<String>,
    pub destination: Option<SocketAddr>,
    pub server_name: Option<String>,
    pub principal: Option<String>,
}

impl Proxy for Stated {
    fn cluster(&self) -> Option<Vec<u8>> {
        self.cluster.clone().map(String::into_bytes)
    }

    fn destination(&self) -> Option<SocketAddr> {
        self.destination
    }

    fn server_name(&self) -> Option<Vec<u8>> {
        self.server_name.clone().map(String::into_bytes)
    }

    fn principal(&self) -> Option<String> {
        self.principal.clone()
    }
}

impl Stated {
    /// A call that goes wherever its address leads.
    pub fn address(destination: &str) -> Self {
        Self {
            cluster: Some("PassthroughCluster".to_owned()),
            destination: Some(destination.parse().unwrap()),
            ..Self::default()
        }
    }

    /// A call to a service that the mesh knows.
    pub fn service(host: &str, port: u16) -> Self {
        Self {
            cluster: Some(format!("outbound|{port}||{host}")),
            destination: Some("203.0.113.7:443".parse().unwrap()),
            ..Self::default()
        }
    }

    pub fn peer(self, principal: &str) -> Self {
        Self { principal: Some(principal.to_owned()), ..self }
    }

    pub fn sni(self, name: &str) -> Self {
        Self { server_name: Some(name.to_owned()), ..self }
    }
}

/// A public address.
pub fn outside() -> Stated {
    Stated::address("203.0.113.7:443")
}

/// A call, as a test states it.
#[derive(Clone, Debug)]
pub enum Stating {
    /// An HTTP request: method, authority and path, and more headers.
    Http(&'static str, String, &'static str),
    Tls(Option<String>),
    Malformed,
    Tcp,
    ServerFirst,
}

pub fn get(authority: &str) -> Stating {
    Stating::Http("GET", authority.to_owned(), "/")
}

pub fn tls(name: &str) -> Stating {
    Stating::Tls(Some(name.to_owned()))
}

/// What comes of a call.
pub fn outcome(policy: &Policy, call: &Stating, proxy: &Stated) -> Outcome {
    let of = |kind| decide(policy, &Call { kind, proxy });
    match call {
        Stating::Http(method, authority, path) => {
            let list =
                [(":method", *method), (":authority", authority.as_str()), (":path", *path), (":scheme", "http")];
            let headers = Pairs::from_list(&list);
            of(Kind::Request(&Request::new(&headers)))
        }
        Stating::Tls(name) => of(Kind::Tls(name.as_deref().map(str::as_bytes))),
        Stating::Malformed => of(Kind::Malformed),
        Stating::Tcp => of(Kind::Tcp),
        Stating::ServerFirst => of(Kind::ServerFirst),
    }
}

/// The decision about a call that is not exempt.
pub fn decision(policy: &Policy, call: &Stating, proxy: &Stated) -> Decision {
    match outcome(policy, call, proxy) {
        Outcome::Judged(decision) => decision,
        Outcome::Exempt(exemption) => panic!("{call:?} is exempt: {exemption:?}"),
    }
}

/// Why a call is exempt; none where it is judged.
pub fn exemption(policy: &Policy, call: &Stating, proxy: &Stated) -> Option<Exemption> {
    match outcome(policy, call, proxy) {
        Outcome::Judged(_) => None,
        Outcome::Exempt(exemption) => Some(exemption),
    }
}

/// What is told of a decision: whether it is against the call, the mode, the reason, and the names of policy and rule.
pub type Told = (bool, &'static str, Reason, Option<String>, Option<String>);

pub fn summary(policy: &Policy, decision: &Decision) -> Told {
    let (guard, rule) = policy.names(decision.guard, decision.rule);
    (decision.against, decision.mode.as_str(), decision.reason, guard.map(str::to_owned), rule.map(str::to_owned))
}

/// Kept parts in memory.
#[derive(Debug, Default)]
pub struct Memory(pub RefCell<BTreeMap<String, Value>>);

impl Memory {
    /// Loads a configuration and keeps what is to be kept.
    pub fn load(&self, config: &Value) -> Loaded {
        self.load_text(&config.to_string())
    }

    pub fn load_text(&self, config: &str) -> Loaded {
        let loaded = load(config.as_bytes(), self, &ai_gateway());
        for keep in &loaded.keep {
            let mut parts = self.0.borrow_mut();
            match &keep.value {
                Some(value) => parts.insert(keep.part.clone(), value.clone()),
                None => parts.remove(&keep.part),
            };
        }
        loaded
    }
}

impl Kept for Memory {
    fn kept(&self, part: &str) -> Option<Value> {
        self.0.borrow().get(part).cloned()
    }
}

/// Mistakes as they are told.
pub fn told(mistakes: &[filter_config::Mistake]) -> Vec<String> {
    mistakes.iter().map(ToString::to_string).collect()
}

pub fn host(text: &str) -> Host {
    Host::parse(text.as_bytes()).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"))
}

pub fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap_or_else(|wrong| panic!("{text} {wrong}"))
}

/// A file of published vectors, as it stands in the package of a crate that the tests depend on: the version and the checksum
/// of what is read are those of `Cargo.lock`, and nothing of it is copied here.
pub fn vectors(package: &str, file: &str) -> String {
    let output = |command: &mut Command| {
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    // only what this machine needs, so that nothing has to be fetched for others
    let host = output(Command::new(rustc).args(["--print", "host-tuple"]));
    let metadata = output(
        Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--filter-platform", host.trim()])
            .current_dir(env!("CARGO_MANIFEST_DIR")),
    );
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    // the one that this crate depends on, should there be several versions
    let own = packages.iter().find(|one| one["name"] == "egress-core").unwrap();
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let node = nodes.iter().find(|node| node["id"] == own["id"]).unwrap();
    let dependencies = node["dependencies"].as_array().unwrap();
    let found = packages.iter().find(|one| one["name"] == package && dependencies.contains(&one["id"])).unwrap();
    let manifest = found["manifest_path"].as_str().unwrap();
    let path = Path::new(manifest).parent().unwrap().join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
