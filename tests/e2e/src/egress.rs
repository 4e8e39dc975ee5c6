//! What the end-to-end tests of egress-audit share: an Envoy as the sidecar of a workload, with clusters named as Istio names them,
//! and the events that it tells.

use std::collections::HashMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::task::Poll;

use harness::{
    Bootstrap, Envoy, EnvoyOptions, FailurePolicy, H2Client, Listener, PluginConfig, RawClient, Request, Response,
    Upstream, WasmPlugin, envoy_binaries, static_cluster, wasm_path,
};
use serde_json::{Value, json};

/// The HTTP plugin's name, as Istio would give it.
pub const PLUGIN: &str = "istio-system.egress-audit";
/// The network plugin's name.
pub const TLS_PLUGIN: &str = "istio-system.egress-audit-tls";
/// The tags that Istio is told to take for labels.
pub const TAGS: [&str; 11] =
    ["policy", "rule", "decision", "reason", "mode", "opening", "result", "hash", "version", "state", "kind"];
/// The cluster of an outside service that the mesh knows.
pub const OPENAI: &str = "outbound|80||api.openai.com";
/// The same for TLS that the application speaks itself.
pub const OPENAI_TLS: &str = "outbound|443||api.openai.com";
/// The cluster of a service inside the mesh.
pub const MEMORY: &str = "outbound|80||memory.devmentor-app.svc.cluster.local";
/// Where Istio sends what it does not know.
pub const PASSTHROUGH: &str = "PassthroughCluster";

/// The configuration of the issue that this filter comes from, for HTTP on port 80, folded as little as possible.
#[must_use]
pub fn config(mode: &str) -> Value {
    json!({
        "mode": "report",
        "policies": [{
            "name": "ai-gateway",
            "selector": {"matchLabels": {"app": "ai-gateway"}},
            "mode": mode,
            "allow": [
                {"id": "openai", "hosts": ["api.openai.com"], "ports": [80, 443],
                 "match": [{"method": {"exact": "POST"}, "uri": {"prefix": "/v1/"}}]},
                {"id": "anthropic", "hosts": ["*.anthropic.com"]},
            ],
            "deny": [{"id": "no-uploads", "hosts": ["api.openai.com"], "match": [{"uri": {"prefix": "/v1/files"}}]}],
        }],
        "default": "deny", "ipLiterals": "deny", "sniMismatch": "deny",
        "audit": {"fold": "0s"},
        "export": {"accessLog": true},
    })
}

/// A node as Istio makes it: the sidecar of this workload.
#[must_use]
pub fn node(app: &str) -> Value {
    json!({
        "id": format!("sidecar~10.0.0.7~{app}-7d9f.devmentor-app~devmentor-app.svc.cluster.local"),
        "cluster": format!("{app}.devmentor-app"),
        "metadata": {
            "NAMESPACE": "devmentor-app",
            "WORKLOAD_NAME": app,
            "SERVICE_ACCOUNT": app,
            "LABELS": {"app": app, "version": "v1"},
        },
    })
}

/// How a sidecar is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The plugin's configuration.
    pub config: PluginConfig,
    /// The workload's label `app`.
    pub app: &'static str,
    /// Worker threads.
    pub workers: u32,
    /// Whether hosts that the mesh does not know are let through.
    pub allow_any: bool,
    /// More clusters, or others in place of the usual ones.
    pub clusters: Vec<Value>,
    /// Where connections to the listener `tls` go.
    pub tls_to: &'static str,
    /// Where the service behind that listener is; without, the outside upstream.
    pub tls_upstream: Option<SocketAddr>,
    /// More of the bootstrap.
    pub bootstrap: Value,
    /// The environment of the plugins' VM.
    pub env: Vec<(&'static str, &'static str)>,
}

impl Setup {
    /// One worker of ai-gateway's sidecar with this configuration.
    pub fn new(config: impl Into<PluginConfig>) -> Self {
        Self {
            config: config.into(),
            app: "ai-gateway",
            workers: 1,
            allow_any: true,
            clusters: Vec::new(),
            tls_to: OPENAI_TLS,
            tls_upstream: None,
            bootstrap: json!({}),
            env: Vec::new(),
        }
    }

    /// Virtual hosts as Istio makes them for outbound HTTP.
    fn hosts(&self) -> Value {
        let host = |name: &str, domains: &[&str], cluster: &str| json!({"name": name, "domains": domains, "routes": [{"match": {"prefix": "/"}, "route": {"cluster": cluster, "timeout": "0s"}}]});
        let mut memory = vec![
            "memory",
            "memory.devmentor-app",
            "memory.devmentor-app.svc",
            "memory.devmentor-app.svc.cluster.local",
        ];
        memory.push("10.96.0.9");
        let unknown = if self.allow_any {
            host("allow_any", &["*"], PASSTHROUGH)
        } else {
            json!({"name": "block_all", "domains": ["*"], "routes": [{"name": "block_all", "match": {"prefix": "/"}, "direct_response": {"status": 502}}]})
        };
        json!([
            host("api.openai.com:80", &["api.openai.com", "api.openai.com:80", "api.openai.com."], OPENAI),
            host("memory", &memory, MEMORY),
            unknown,
        ])
    }
}

/// The HTTP plugin as it is attached in Istio.
pub fn plugin(config: impl Into<PluginConfig>) -> WasmPlugin {
    WasmPlugin::new(PLUGIN, wasm_path("egress-audit")).failure_policy(FailurePolicy::FailReload).config(config)
}

/// The network plugin as it is attached in Istio: the same module, and so the same VM.
pub fn tls_plugin(config: impl Into<PluginConfig>) -> WasmPlugin {
    WasmPlugin::new(TLS_PLUGIN, wasm_path("egress-audit")).failure_policy(FailurePolicy::FailReload).config(config)
}

/// A sidecar with egress-audit in it, and what stands for the world outside and for the mesh.
pub struct Sidecar {
    /// The proxy.
    pub envoy: Envoy,
    /// Everything outside of the mesh.
    pub outside: Upstream,
    /// A service inside.
    pub inside: Upstream,
}

impl Sidecar {
    /// Starts one.
    pub async fn start(binary: &Path, setup: &Setup) -> Self {
        Self::start_with(binary, setup, |listeners| listeners).await
    }

    /// Starts one whose listeners are made from the usual ones.
    pub async fn start_with(binary: &Path, setup: &Setup, listeners: impl Fn(Vec<Listener>) -> Vec<Listener>) -> Self {
        let (outside, inside) = (Upstream::start("outside"), Upstream::start("inside"));
        let log = "ACCESS %REQ(:AUTHORITY)% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% [%FILTER_STATE(wasm.runtime_control.egress:PLAIN)%]";
        let with_env =
            |plugin| setup.env.iter().fold(plugin, |plugin: WasmPlugin, (name, value)| plugin.env(name, value));
        let http_plugin = with_env(plugin(setup.config.clone()));
        let network_plugin = with_env(tls_plugin(setup.config.clone()));
        let http = Listener::http("outbound", setup.hosts()).access_log_stdout(log).wasm(&http_plugin);
        let tls = Listener::tcp("tls", setup.tls_to).access_log_stdout(log).network_wasm(&network_plugin);
        let mut bootstrap = Bootstrap::new().stats_tags(&TAGS);
        for listener in listeners(vec![http, tls]) {
            bootstrap = bootstrap.listener(listener);
        }
        let known = |name: &str| setup.clusters.iter().any(|cluster| cluster["name"] == name);
        for (name, to) in [(OPENAI, &outside), (PASSTHROUGH, &outside), (MEMORY, &inside)] {
            if !known(name) {
                bootstrap = bootstrap.cluster(name, to.addr());
            }
        }
        if ![OPENAI, PASSTHROUGH, MEMORY].contains(&setup.tls_to) && !known(setup.tls_to) {
            let to = setup.tls_upstream.unwrap_or(outside.addr());
            bootstrap = bootstrap.cluster_json(static_cluster(setup.tls_to, to));
        }
        for cluster in &setup.clusters {
            bootstrap = bootstrap.cluster_json(cluster.clone());
        }
        bootstrap = bootstrap.json(json!({"node": node(setup.app)})).json(setup.bootstrap.clone());
        let options = EnvoyOptions::new(binary, bootstrap).concurrency(setup.workers);
        Self { envoy: Envoy::start(options).await.expect("an envoy"), outside, inside }
    }

    /// Sends one request over a connection of its own.
    pub async fn ask(&self, request: &Request) -> Response {
        let mut client = RawClient::connect(self.envoy.addr("outbound")).await.expect("a connection");
        client.send(request).await.expect("an answer")
    }

    /// The same over HTTP/2.
    pub async fn ask_http2(&self, request: &Request) -> Response {
        let client = H2Client::connect(self.envoy.addr("outbound")).await.expect("a connection");
        client.send(request).await.expect("an answer")
    }

    /// Waits for an event that is as wanted.
    pub async fn event(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        self.event_after(0, wanted).await
    }

    /// The same of events that are told after a mark in the log.
    pub async fn event_after(&self, mark: usize, wanted: impl Fn(&Value) -> bool) -> Value {
        let line = self.envoy.logs().wait_after(mark, |line| event(line).is_some_and(|event| wanted(&event))).await;
        event(&line.expect("an event")).expect("an event")
    }

    /// All events so far.
    pub fn events(&self) -> Vec<Value> {
        self.envoy.logs().lines().iter().filter_map(|line| event(line)).collect()
    }

    /// Waits until the events so far are as wanted.
    pub async fn until_events(&self, wanted: impl Fn(&[Value]) -> bool) {
        let logs = self.envoy.logs();
        let (mut mark, mut events) = (0, Vec::new());
        loop {
            let lines = logs.lines_after(mark);
            mark += lines.len();
            events.extend(lines.iter().filter_map(|line| event(line)));
            if wanted(&events) {
                return;
            }
            let news = logs.wait_after(mark, |_| true).await;
            assert!(news.is_ok(), "{} events, but not as wanted: {events:#?}", events.len());
        }
    }

    /// Gives the HTTP plugin another configuration and waits until it serves.
    pub async fn configure(&self, config: impl Into<PluginConfig>) {
        self.envoy.update_plugin(PLUGIN, config).await.expect("an update").accepted().expect("taken");
    }

    /// Fails if a VM was lost, or a callback into one failed.
    pub async fn assert_whole(&self) {
        for line in self.envoy.logs().lines() {
            let lost = ["failed to call", "Function: proxy_on", "panicked", "VM failed", "terminated"];
            assert!(!lost.iter().any(|text| line.contains(text)), "{line}");
        }
        let stats = self.envoy.stats().await.expect("stats");
        assert_eq!(stats.counter("runtime_control_egress_audit_host_failures_total", &[]), 0);
    }
}

/// Fails if an event in the log does not name the one before it in its chain.
pub fn chains_hold(sidecar: &Sidecar) {
    let mut chains: HashMap<String, (u64, String)> = HashMap::new();
    for line in sidecar.envoy.logs().lines() {
        let Some((text, event)) = text(&line).zip(event(&line)) else { continue };
        let id = event["chain_id"].as_str().expect("a chain").to_owned();
        let (seq, before) = chains.remove(&id).unwrap_or((0, egress_core::chain::START.to_owned()));
        assert_eq!((event["seq"].as_u64(), event["prev_hash"].as_str()), (Some(seq), Some(before.as_str())), "{text}");
        chains.insert(id, (seq + 1, egress_core::chain::hash(text)));
    }
    assert!(!chains.is_empty(), "no event at all");
}

/// The text of the event in a line of the log.
fn text(line: &str) -> Option<&str> {
    line.get(line.find("{\"event\":\"egress_audit\"")?..).map(str::trim_end)
}

/// The event in a line of the log.
#[must_use]
pub fn event(line: &str) -> Option<Value> {
    serde_json::from_str(text(line)?).ok()
}

/// Runs a test with each Envoy of `ENVOY_BINARIES`, one after the other, so that it may count on servers of its own.
pub async fn each(setup: Setup, test: impl AsyncFn(Sidecar)) {
    for binary in envoy_binaries() {
        test(Sidecar::start(&binary, &setup).await).await;
    }
}

/// The same all at once, for a test that shares nothing among them: most of the time they wait for the next tick.
pub async fn each_at_once(setup: Setup, test: impl AsyncFn(Sidecar)) {
    let setup = &setup;
    each_binary(async |binary| test(Sidecar::start(&binary, setup).await).await).await;
}

/// The same as [`each_at_once`] for a test that starts its own.
pub async fn each_binary(test: impl AsyncFn(PathBuf)) {
    let mut running: Vec<_> = envoy_binaries().into_iter().map(|binary| Box::pin(test(binary))).collect();
    poll_fn(|context| {
        running.retain_mut(|test| test.as_mut().poll(context).is_pending());
        if running.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
