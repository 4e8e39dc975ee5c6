//! Events as a proxy tells them, by the code that tells them there.

use std::net::SocketAddr;

use egress_core::chain::Chain;
use egress_core::decide::Kind;
use egress_core::event::{Event, Facts, Protocol, Stamp};
use egress_core::otlp;
use egress_core::scope::Proxy;
use egress_core::workload::{ProxyKind, Workload};
use egress_core::{Call, Outcome, Policy, decide, load};
use filter_config::NothingKept;
use filter_request::{Pairs, Request};
use serde_json::{Value, json};

/// The configuration that calls are decided by.
pub fn config() -> Value {
    json!({
        "mode": "report",
        "policies": [{
            "name": "ai-gateway",
            "selector": {"matchLabels": {"app": "ai-gateway"}},
            "allow": [
                {"id": "openai", "hosts": ["api.openai.com"], "ports": [80, 443]},
                {"id": "anthropic", "hosts": ["*.anthropic.com"]},
            ],
            "deny": [{"id": "no-uploads", "hosts": ["files.openai.com"]}],
        }],
    })
}

/// What a call is.
pub enum What<'a> {
    /// A request with this authority and path.
    Http(&'a str, &'a str),
    /// A handshake with this name.
    Tls(Option<&'a str>),
}

struct Where(String, Option<SocketAddr>);

impl Proxy for Where {
    fn cluster(&self) -> Option<Vec<u8>> {
        Some(self.0.clone().into_bytes())
    }

    fn destination(&self) -> Option<SocketAddr> {
        self.1
    }

    fn server_name(&self) -> Option<Vec<u8>> {
        None
    }

    fn principal(&self) -> Option<String> {
        None
    }
}

/// One worker of a proxy.
pub struct Worker {
    policy: Policy,
    pub workload: Workload,
    chain: Option<Chain>,
    now: u64,
    told: u64,
}

/// An event, and its line.
pub struct Told {
    pub event: Event,
    pub line: String,
    pub time: u64,
}

impl Worker {
    pub fn new(workload: &str, config: &Value, chain: Option<&str>) -> Self {
        let workload = Workload {
            namespace: "devmentor-app".to_owned(),
            name: workload.to_owned(),
            service_account: workload.to_owned(),
            pod: format!("{workload}-0"),
            labels: vec![("app".to_owned(), workload.to_owned())],
            kind: ProxyKind::Sidecar,
        };
        let loaded = load(config.to_string().as_bytes(), &NothingKept, &workload);
        assert!(loaded.report.errors.is_empty(), "{:?}", loaded.report.errors);
        let chain = chain.map(|id| Chain::new(id.to_owned()));
        Self { policy: loaded.policy, workload, chain, now: 1_764_108_000_000, told: 0 }
    }

    /// Tells a call to wherever the client connected.
    pub fn tell(&mut self, what: &What, port: u16, count: u64) -> Told {
        let address = SocketAddr::from(([203, 0, 113, 7], port));
        self.tell_of(what, "PassthroughCluster", Some(address), count)
    }

    pub fn tell_of(&mut self, what: &What, cluster: &str, address: Option<SocketAddr>, count: u64) -> Told {
        let mut facts = Facts { destination: address, sent: 100, received: 2000, ..Facts::default() };
        let mut headers = Vec::new();
        if let What::Http(authority, path) = what {
            headers = vec![(":method", "GET"), (":authority", *authority), (":path", *path)];
            facts.authority = Some(authority.as_bytes().to_vec());
            facts.method = Some(b"GET".to_vec());
            facts.target = Some(path.as_bytes().to_vec());
            facts.status = Some(200);
        }
        let headers = Pairs::from_list(&headers);
        let request = Request::new(&headers);
        let kind = match what {
            What::Http(..) => Kind::Request(&request),
            What::Tls(name) => {
                facts.protocol = Protocol::Tls;
                Kind::Tls(name.map(str::as_bytes))
            }
        };
        let proxy = Where(cluster.to_owned(), address);
        let Outcome::Judged(decision) = decide(&self.policy, &Call { kind, proxy: &proxy }) else {
            panic!("the call is exempt")
        };
        self.now += 1000;
        self.told += 1;
        let stamp = Stamp { id: format!("e-{:x}", self.told), time_ms: self.now, count, ..Stamp::default() };
        let mut event = Event::new(&self.policy, &self.workload, &decision, &facts, &stamp);
        let line = match &mut self.chain {
            Some(chain) => chain.add(&mut event),
            None => event.line(),
        };
        Told { event, line, time: self.now }
    }

    /// A request of the exporter with these events.
    pub fn export(&self, told: &[Told]) -> String {
        let (start, end) = otlp::envelope(&self.workload, "instance", "0.1.0");
        let records = told.iter().map(|told| otlp::record(&told.event, &told.line, told.time).record);
        format!("{start}{}{end}", records.collect::<Vec<_>>().join(","))
    }
}
