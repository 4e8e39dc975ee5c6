//! What the end-to-end tests of canary-router share: an Envoy with two versions of a service behind it, routes as a
//! VirtualService makes them, and the arm that the core gives a user, to compare with.

pub mod ai;
pub mod egress;
pub mod egress_tls;
pub mod flags;
pub mod pii;

use canary_core::{Policy, decide, load};
use filter_config::NothingKept;
use filter_request::{Pairs, Request as CoreRequest, Stated};
use harness::{
    Bootstrap, Envoy, EnvoyOptions, FailurePolicy, JwtIssuer, JwtNeed, Listener, PluginConfig, RawClient, Request,
    Response, Upstream, WasmPlugin, envoy_binaries, route_on_header, route_to, virtual_hosts, wasm_path,
};
use serde_json::{Value, json};

/// The plugin's name, as Istio would give it.
pub const PLUGIN: &str = "istio-system.canary-router";
/// The host of all rules.
pub const HOST: &str = "devmentor.local";
/// The issuer of the tokens.
pub const ISSUER: &str = "https://auth.devmentor.local";
/// The tags that Istio is told to take for labels.
pub const TAGS: [&str; 7] = ["rule", "arm", "reason", "status_class", "hash", "version", "state"];

/// A configuration with a rule for `/api/ai` that gives v2 this weight, and one that is off for `/api/auth`.
#[must_use]
pub fn config(weight: f64) -> Value {
    json!({
        "identity": [
            {"jwt": {"issuer": ISSUER, "claim": "sub"}},
            {"header": "x-user-id"},
            {"cookie": "uid"},
            {"query": "uid"},
        ],
        "echo": true,
        "rules": [{
            "name": "ai-gateway",
            "hosts": [HOST],
            "match": [{"uri": {"prefix": "/api/ai"}}],
            "salt": "ai-gateway-canary",
            "baseline": "v1",
            "arms": [{"name": "v2", "weight": weight}],
            "overrides": [
                {"arm": "v2", "headers": {"x-env": {"exact": "canary"}}},
                {"arm": "v2", "users": ["qa-1"]},
                {"arm": "v1", "users": ["vip-7"]},
            ],
        }, {
            "name": "auth-service",
            "mode": "off",
            "hosts": [HOST],
            "match": [{"uri": {"prefix": "/api/auth"}}],
            "salt": "auth-service-canary",
            "baseline": "v1",
            "arms": [{"name": "v2", "weight": 50}],
        }],
    })
}

/// `value` with something else at a JSON pointer.
#[must_use]
pub fn with(mut value: Value, pointer: &str, change: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let parent = if parent.is_empty() { &mut value } else { value.pointer_mut(parent).expect("a parent") };
    match parent {
        Value::Array(list) => match name.parse::<usize>() {
            Ok(index) => list[index] = change,
            Err(_) => list.push(change),
        },
        other => other[name] = change,
    }
    value
}

/// How the mesh of a test is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The plugin's configuration; without, no plugin is attached.
    pub config: Option<PluginConfig>,
    /// Worker threads.
    pub workers: u32,
    /// Names that Envoy itself removes before any filter.
    pub native_strip: Vec<&'static str>,
    /// The route for requests without an arm.
    pub default_route: Value,
}

impl Setup {
    /// One worker, the plugin with this configuration, v1 for requests without an arm.
    pub fn new(config: impl Into<PluginConfig>) -> Self {
        Self { config: Some(config.into()), workers: 1, native_strip: Vec::new(), default_route: route_to("v1") }
    }

    /// The same without the plugin.
    #[must_use]
    pub fn without_plugin() -> Self {
        Self { config: None, ..Self::new("") }
    }

    fn listener(&self, issuer: &JwtIssuer) -> Listener {
        let routes = virtual_hosts([
            route_on_header("x-canary-arm", "v2", "v2"),
            route_on_header("x-canary-arm", "v1", "v1"),
            self.default_route.clone(),
        ]);
        let listener = Listener::http("main", routes).max_headers(2000, 8192).jwt(issuer, JwtNeed::OptionalOrInvalid);
        let listener =
            if self.native_strip.is_empty() { listener } else { listener.early_header_removal(&self.native_strip) };
        match &self.config {
            Some(config) => listener.wasm(&plugin(config.clone())),
            None => listener,
        }
    }
}

/// The plugin as it is attached in Istio.
pub fn plugin(config: impl Into<PluginConfig>) -> WasmPlugin {
    WasmPlugin::new(PLUGIN, wasm_path("canary-router")).failure_policy(FailurePolicy::FailOpen).config(config)
}

/// An Envoy with canary-router in front of two versions of a service.
pub struct Mesh {
    /// The proxy.
    pub envoy: Envoy,
    /// The stable version.
    pub v1: Upstream,
    /// The new one.
    pub v2: Upstream,
    /// Who signs the tokens.
    pub issuer: JwtIssuer,
}

impl Mesh {
    /// Starts one with this Envoy.
    pub async fn start(binary: &std::path::Path, setup: &Setup) -> Self {
        Self::start_with(binary, setup, |listener| vec![listener]).await
    }

    /// Starts one whose listeners are made from the usual one.
    pub async fn start_with(
        binary: &std::path::Path,
        setup: &Setup,
        listeners: impl Fn(Listener) -> Vec<Listener>,
    ) -> Self {
        let (v1, v2) = (Upstream::start("v1"), Upstream::start("v2"));
        let issuer = JwtIssuer::new(ISSUER);
        let bootstrap = listeners(setup.listener(&issuer)).into_iter().fold(Bootstrap::new(), Bootstrap::listener);
        let bootstrap = bootstrap.stats_tags(&TAGS).cluster("v1", v1.addr()).cluster("v2", v2.addr());
        let options = EnvoyOptions::new(binary, bootstrap).concurrency(setup.workers);
        let envoy = Envoy::start(options).await.expect("an envoy");
        Self { envoy, v1, v2, issuer }
    }

    /// A connection to it.
    pub async fn client(&self) -> RawClient {
        RawClient::connect(self.envoy.addr("main")).await.expect("a connection")
    }

    /// Sends one request over a connection of its own.
    pub async fn ask(&self, request: Request) -> Response {
        self.client().await.send(&request).await.expect("an answer")
    }

    /// Gives the plugin another configuration and waits until it serves.
    pub async fn configure(&self, config: impl Into<PluginConfig>) {
        self.envoy.update_plugin(PLUGIN, config).await.expect("an update").accepted().expect("taken");
    }

    /// Who serves users `0..count`, in their order.
    pub async fn served(&self, count: usize) -> Vec<String> {
        self.record(false);
        let answers = harness::run_many(self.envoy.addr("main"), count, 16, user).await.expect("answers");
        self.record(true);
        answers.iter().map(served_by).collect()
    }

    /// Whether the upstreams keep what they get.
    pub fn record(&self, on: bool) {
        self.v1.record(on);
        self.v2.record(on);
    }

    /// Fails if a VM was lost, a callback into one failed, or the first override no longer holds.
    pub async fn assert_whole(&self) {
        self.assert_whole_without_overrides().await;
        let answer = self.ask(ai().header("x-env", "canary")).await;
        assert_eq!(answer.served_by(), "v2", "the filter is gone: {answer:?}");
    }

    /// Fails if a VM was lost, or a callback into one failed.
    pub async fn assert_whole_without_overrides(&self) {
        for line in self.envoy.logs().lines() {
            let lost = ["failed to call", "Function: proxy_on", "panicked", "VM failed", "terminated"];
            assert!(!lost.iter().any(|text| line.contains(text)), "{line}");
        }
        let stats = self.envoy.stats().await.expect("stats");
        assert_eq!(stats.counter("runtime_control_canary_router_host_failures_total", &[]), 0);
    }
}

fn served_by(answer: &Response) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.served_by()
}

/// `GET /api/ai/chat`.
#[must_use]
pub fn ai() -> Request {
    Request::get("/api/ai/chat").host(HOST)
}

/// `GET /api/ai/chat` of user `n`, known by a header.
#[must_use]
pub fn user(n: usize) -> Request {
    ai().header("x-user-id", format!("user-{n}"))
}

/// Runs a test with each Envoy of `ENVOY_BINARIES`.
pub async fn each(setup: Setup, test: impl AsyncFn(Mesh)) {
    for binary in envoy_binaries() {
        test(Mesh::start(&binary, &setup).await).await;
    }
}

/// What the core, run here, decides for `GET /api/ai/chat` of a user known by a header.
#[must_use]
pub fn core_arm(policy: &Policy, id: &[u8]) -> String {
    let text: [(&[u8], &[u8]); 4] =
        [(b":method", b"GET"), (b":authority", HOST.as_bytes()), (b":path", b"/api/ai/chat"), (b"x-user-id", id)];
    let headers = Pairs::from_list(&text);
    let decision = decide(policy, &CoreRequest::new(&headers), &Stated::default(), &|| None).expect("a rule");
    let arm = decision.arm.expect("an arm");
    policy.rules[decision.rule].arms[arm].as_str().to_owned()
}

/// The policy of a configuration without mistakes.
#[must_use]
pub fn policy(config: &Value) -> Policy {
    let loaded = load(config.to_string().as_bytes(), &NothingKept);
    assert!(loaded.report.is_clean(), "{:?}", loaded.report);
    loaded.policy
}
