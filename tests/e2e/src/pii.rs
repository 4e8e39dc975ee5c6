//! What the end-to-end tests of pii-redactor share: a sidecar with TLS origination (the application speaks HTTP to it) before an API
//! that answers in the recorded shapes of the real ones.

use std::path::{Path, PathBuf};

use harness::{
    Bootstrap, Envoy, EnvoyOptions, FailurePolicy, H2Client, Listener, PluginConfig, RawClient, Request, Response,
    WasmPlugin, envoy_binaries, http2_cluster, route_to, static_cluster, virtual_hosts, wasm_path,
};
use serde_json::{Value, json};

use crate::ai::Ai;

/// The plugin's name, as Istio would give it.
pub const PLUGIN: &str = "istio-system.pii-redactor";
/// The tags that Istio is told to take for labels.
pub const TAGS: [&str; 9] = ["rule", "direction", "mode", "reason", "entity", "action", "hash", "version", "state"];

/// A configuration that knows the paths of the APIs by itself.
#[must_use]
pub fn config(mode: &str) -> Value {
    json!({"mode": mode, "entities": {"preset": "default@1"}})
}

/// How a sidecar is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The plugin's configuration; none for no plugin.
    pub config: Option<PluginConfig>,
    /// Plugins before it.
    pub before: Vec<WasmPlugin>,
    /// Whether the API is asked in HTTP/2.
    pub http2: bool,
    /// The environment of the plugin's VM.
    pub env: Vec<(&'static str, &'static str)>,
    /// More of the HTTP connection manager.
    pub manager: Value,
}

impl Setup {
    /// The plugin with this configuration, before an API in HTTP/1.1.
    pub fn new(config: impl Into<PluginConfig>) -> Self {
        Self { config: Some(config.into()), before: Vec::new(), http2: false, env: Vec::new(), manager: json!({}) }
    }

    /// The same in HTTP/2.
    #[must_use]
    pub fn http2(mut self) -> Self {
        self.http2 = true;
        self
    }
}

/// The plugin as it is attached in Istio.
pub fn plugin(config: impl Into<PluginConfig>) -> WasmPlugin {
    WasmPlugin::new(PLUGIN, wasm_path("pii-redactor")).failure_policy(FailurePolicy::FailReload).config(config)
}

/// A sidecar with pii-redactor in it, and the API.
pub struct Sidecar {
    /// The proxy.
    pub envoy: Envoy,
    /// The API.
    pub ai: Ai,
}

impl Sidecar {
    /// Starts one.
    pub async fn start(binary: &Path, setup: &Setup) -> Self {
        Self::start_with(binary, setup, |listener| listener).await
    }

    /// Starts one whose listener is made from the usual one, before the plugins are put into it.
    pub async fn start_with(binary: &Path, setup: &Setup, change: impl Fn(Listener) -> Listener) -> Self {
        let ai = Ai::start();
        let cluster = if setup.http2 {
            http2_cluster("ai", ai.upstream.addr())
        } else {
            static_cluster("ai", ai.upstream.addr())
        };
        let log = "ACCESS %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%";
        let mut route = route_to("ai");
        route["route"]["timeout"] = json!("0s");
        let mut listener =
            Listener::http("main", virtual_hosts([route])).access_log_stdout(log).hcm(setup.manager.clone());
        listener = change(listener);
        for before in &setup.before {
            listener = listener.wasm(before);
        }
        if let Some(config) = &setup.config {
            let plugin = setup.env.iter().fold(plugin(config.clone()), |plugin, (name, value)| plugin.env(name, value));
            listener = listener.wasm(&plugin);
        }
        let bootstrap = Bootstrap::new().stats_tags(&TAGS).listener(listener).cluster_json(cluster);
        let envoy = Envoy::start(EnvoyOptions::new(binary, bootstrap)).await.expect("an envoy");
        Self { envoy, ai }
    }

    /// Sends one request over a connection of its own.
    ///
    /// # Errors
    /// When the answer does not come whole.
    pub async fn try_ask(&self, request: &Request) -> harness::Result<Response> {
        RawClient::connect(self.envoy.addr("main")).await.expect("a connection").send(request).await
    }

    /// The same, when it has to come whole.
    pub async fn ask(&self, request: &Request) -> Response {
        self.try_ask(request).await.expect("an answer")
    }

    /// The same over HTTP/2.
    ///
    /// # Errors
    /// When the answer does not come whole.
    pub async fn try_ask_http2(&self, request: &Request) -> harness::Result<Response> {
        H2Client::connect(self.envoy.addr("main")).await.expect("a connection").send(request).await
    }

    /// The same, when it has to come whole.
    pub async fn ask_http2(&self, request: &Request) -> Response {
        self.try_ask_http2(request).await.expect("an answer")
    }

    /// Waits for an event after a mark in the log.
    pub async fn found_after(&self, mark: usize) -> Value {
        let line = self.envoy.logs().wait_after(mark, |line| event(line).is_some()).await;
        event(&line.expect("an event")).expect("an event")
    }

    /// Gives the plugin another configuration and waits until it serves.
    pub async fn configure(&self, config: impl Into<PluginConfig>) {
        self.envoy.update_plugin(PLUGIN, config).await.expect("an update").accepted().expect("taken");
    }

    /// Fails if a VM was lost, a callback into one failed, or one of `values` was logged.
    pub async fn assert_whole(&self, values: &[&str]) {
        for line in self.envoy.logs().lines() {
            let lost = ["failed to call", "Function: proxy_on", "panicked", "VM failed", "terminated"];
            assert!(!lost.iter().chain(values).any(|text| line.contains(text)), "{line}");
        }
        let stats = self.envoy.stats().await.expect("stats");
        assert_eq!(stats.counter("runtime_control_pii_redactor_host_failures_total", &[]), 0);
    }
}

/// The event in a line of the log.
#[must_use]
pub fn event(line: &str) -> Option<Value> {
    let event: Value = serde_json::from_str(line.get(line.find('{')?..)?.trim_end()).ok()?;
    (event["event"] == "pii_found").then_some(event)
}

/// Runs a test with each Envoy of `ENVOY_BINARIES`, one after the other.
pub async fn each(setup: Setup, test: impl AsyncFn(Sidecar)) {
    each_binary(async |binary| test(Sidecar::start(&binary, &setup).await).await).await;
}

/// The same for a test that starts its own.
pub async fn each_binary(test: impl AsyncFn(PathBuf)) {
    for binary in envoy_binaries() {
        test(binary).await;
    }
}

/// A chat of OpenAI's.
#[must_use]
pub fn chat(content: &str) -> Value {
    json!({"model": "gpt-5", "messages": [{"role": "user", "content": content}]})
}

/// A POST of a document.
pub fn post(path: &str, body: &Value) -> Request {
    Request::post(path, body.to_string()).host("api.openai.com").header("content-type", "application/json")
}
