//! What the end-to-end tests of flag-headers share: an Envoy with a service behind it, an Unleash that answers what a test
//! tells it to, and the routes that OFREP needs.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use harness::{
    Bootstrap, Envoy, EnvoyOptions, FailurePolicy, JwtIssuer, JwtNeed, Listener, PluginConfig, RawClient, Recorded,
    Reply, Request, Response, TIMEOUT, Upstream, WasmPlugin, envoy_binaries, wasm_path,
};
use serde_json::{Value, json};
use tokio::task::{JoinSet, LocalSet};

/// The plugin's name, as Istio would give it.
pub const PLUGIN: &str = "istio-system.flag-headers";
/// The host of the platform.
pub const HOST: &str = "devmentor.local";
/// The host that the filter answers for itself.
pub const FLAGS_HOST: &str = "flags.runtime-control.local";
/// The issuer of the tokens.
pub const ISSUER: &str = "https://auth.devmentor.local";
/// The token for Unleash in the proxy's environment.
pub const TOKEN: &str = "default:development.end-to-end-token";
/// The tags that Istio is told to take for labels.
pub const TAGS: [&str; 12] = [
    "flag",
    "result",
    "reason",
    "source",
    "fault",
    "kind",
    "status_class",
    "hash",
    "version",
    "state",
    "step",
    "leader",
];

/// The configuration of the tests: three flags for the platform, one typed flag, Unleash in a cluster of that name.
#[must_use]
pub fn config() -> Value {
    json!({
        "unleash": {"cluster": "unleash", "appName": "devmentor-gateway", "refresh": "1s", "timeout": "1s"},
        "identity": [{"jwt": {"issuer": ISSUER, "claim": "sub"}}, {"header": "x-user-id"}],
        "context": {
            "environment": "development", "sessionId": {"cookie": "sid"}, "remoteAddress": true,
            "properties": {"plan": {"header": "x-plan"}},
        },
        "flags": [
            {"name": "new-ui-enabled", "default": false},
            {"name": "ai-safety-pii", "default": true},
            {"name": "ai-provider-openai-enabled", "default": true, "variant": true},
            {"name": "ai-timeout-seconds", "payload": {"type": "number", "default": 30}},
        ],
        "ofrep": {"hosts": [FLAGS_HOST]},
        "debug": {"hosts": [FLAGS_HOST]},
    })
}

/// What Unleash answers: `new-ui-enabled` for these users, `ai-safety-pii` off, a variant for every user, a timeout of 45.
#[must_use]
pub fn features(users: &[&str]) -> Value {
    let for_users = json!([{"contextName": "userId", "operator": "IN", "values": users}]);
    json!({"version": 2, "features": [
        {"name": "new-ui-enabled", "type": "release", "enabled": true, "project": "default",
         "strategies": [{"name": "flexibleRollout", "constraints": for_users,
                         "parameters": {"rollout": "100", "stickiness": "default", "groupId": "new-ui-enabled"}}]},
        {"name": "ai-safety-pii", "type": "kill-switch", "enabled": false, "project": "default", "strategies": [{"name": "default"}]},
        {"name": "ai-provider-openai-enabled", "enabled": true, "strategies": [{"name": "default"}],
         "variants": [{"name": "gpt-large", "weight": 1000, "stickiness": "default"}]},
        {"name": "ai-timeout-seconds", "enabled": true, "strategies": [{"name": "default"}],
         "variants": [{"name": "slow", "weight": 1000, "payload": {"type": "number", "value": "45"}}]},
        {"name": "secret-flag", "enabled": true, "strategies": [{"name": "default"}]},
    ], "segments": [], "meta": {"revisionId": 7}})
}

/// The configuration of the tests with these flags in `bootstrap`, and no Unleash.
#[must_use]
pub fn bootstrapped(features: Value) -> Value {
    let mut config = config();
    if let Value::Object(fields) = &mut config {
        fields.remove("unleash");
        fields.insert("bootstrap".to_owned(), features);
    }
    config
}

type Answer = Box<dyn Fn(&Recorded) -> Reply + Send>;

/// A stand-in for Unleash, for the faults that a real one does not show.
pub struct FakeUnleash {
    /// What it is asked.
    pub upstream: Upstream,
    answer: Arc<Mutex<Answer>>,
}

impl FakeUnleash {
    /// Starts one that answers with a document.
    #[must_use]
    pub fn start(document: &Value) -> Self {
        let upstream = Upstream::start("unleash");
        let answer: Arc<Mutex<Answer>> = Arc::new(Mutex::new(Box::new(|_| Reply::new(500))));
        let shared = Arc::clone(&answer);
        upstream.respond(move |asked| shared.lock().expect("no test panicked with it")(asked));
        let fake = Self { upstream, answer };
        fake.serve(document);
        fake
    }

    /// Answers polls with a document and its `etag` from now on, and takes what is posted.
    pub fn serve(&self, document: &Value) {
        let body = document.to_string();
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        let etag = format!("\"{:08x}:{}:v1\"", hasher.finish() as u32, body.len());
        self.answer_with(move |asked| {
            if asked.method == "POST" {
                return Reply::new(202);
            }
            if asked.headers.text("if-none-match").as_deref() == Some(etag.as_str()) {
                return Reply::new(304).header("etag", &etag);
            }
            Reply::text(&body).header("content-type", "application/json").header("etag", &etag)
        });
    }

    /// Answers as a test wants from now on.
    pub fn answer_with(&self, answer: impl Fn(&Recorded) -> Reply + Send + 'static) {
        *self.answer.lock().expect("no test panicked with it") = Box::new(answer);
    }
}

/// The plugin as it is attached in Istio, its token from the proxy's environment.
pub fn plugin(config: impl Into<PluginConfig>) -> WasmPlugin {
    let mut plugin =
        WasmPlugin::new(PLUGIN, wasm_path("flag-headers")).failure_policy(FailurePolicy::FailOpen).config(config);
    plugin.host_env.push("UNLEASH_API_TOKEN".to_owned());
    plugin
}

/// The routes of a mesh: OFREP is held back by the fault filter until flag-headers has answered, as
/// wasmplugins/flag-headers.yaml has it; everything else goes to the service.
#[must_use]
pub fn virtual_hosts() -> Value {
    let fault = |delay: Value| {
        let kind = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault";
        let all = json!({"numerator": 100});
        let mut fault = json!({"@type": kind, "abort": {"http_status": 503, "percentage": all}});
        if !delay.is_null() {
            fault["delay"] = json!({"fixed_delay": delay, "percentage": all});
        }
        json!({"envoy.filters.http.fault": fault})
    };
    let waiting = json!({"prefix": "/", "headers": [{"name": "x-ofrep-waits", "present_match": true}]});
    json!([
        {"name": "flags", "domains": [FLAGS_HOST, format!("{FLAGS_HOST}:*")], "routes": [
            {"match": waiting, "route": {"cluster": "app"}, "typed_per_filter_config": fault(json!("10s"))},
            {"match": {"prefix": "/"}, "route": {"cluster": "app"}, "typed_per_filter_config": fault(Value::Null)},
        ]},
        {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "app"}}]},
    ])
}

/// Envoy's fault filter, which those routes need behind flag-headers. Without their say it does nothing.
#[must_use]
pub fn fault_filter() -> Value {
    let kind = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault";
    json!({"name": "envoy.filters.http.fault", "typed_config": {"@type": kind}})
}

/// How the mesh of a test is set up.
pub struct Setup {
    /// The plugin's configuration.
    pub config: PluginConfig,
    /// Worker threads.
    pub workers: u32,
    /// Where Unleash is; none for a proxy that has no such cluster.
    pub unleash: Option<SocketAddr>,
    /// The token in the proxy's environment.
    pub token: String,
    /// Where the service is; none for one that answers 200 and keeps what it gets.
    pub app: Option<SocketAddr>,
    /// Changes the listener.
    pub listener: fn(Listener) -> Listener,
    /// More clusters.
    pub clusters: Vec<Value>,
}

impl Setup {
    /// One worker, and Unleash at an address.
    pub fn new(config: impl Into<PluginConfig>, unleash: Option<SocketAddr>) -> Self {
        let token = TOKEN.to_owned();
        let clusters = Vec::new();
        Self { config: config.into(), workers: 1, unleash, token, app: None, listener: |listener| listener, clusters }
    }
}

/// An Envoy with flag-headers in front of a service.
pub struct Mesh {
    /// The proxy.
    pub envoy: Envoy,
    /// The service.
    pub app: Upstream,
    /// Who signs the tokens.
    pub issuer: JwtIssuer,
    /// The token in the proxy's environment.
    pub token: String,
}

impl Mesh {
    /// Starts one with this Envoy.
    pub async fn start(binary: &Path, setup: &Setup) -> Self {
        Self::start_with(binary, setup, |listener| vec![listener]).await
    }

    /// Starts one whose listeners are made from the usual one.
    pub async fn start_with(binary: &Path, setup: &Setup, listeners: impl Fn(Listener) -> Vec<Listener>) -> Self {
        let app = Upstream::start("app");
        let issuer = JwtIssuer::new(ISSUER);
        let listener = Listener::http("main", virtual_hosts())
            .jwt(&issuer, JwtNeed::OptionalOrInvalid)
            .wasm(&plugin(setup.config.clone()))
            .http_filter(fault_filter());
        let listeners = listeners((setup.listener)(listener));
        let bootstrap = listeners.into_iter().fold(Bootstrap::new(), Bootstrap::listener);
        let bootstrap = bootstrap.stats_tags(&TAGS).cluster("app", setup.app.unwrap_or_else(|| app.addr()));
        let bootstrap = setup.unleash.into_iter().fold(bootstrap, |bootstrap, addr| bootstrap.cluster("unleash", addr));
        let bootstrap = setup.clusters.iter().cloned().fold(bootstrap, Bootstrap::cluster_json);
        let options =
            EnvoyOptions::new(binary, bootstrap).concurrency(setup.workers).env("UNLEASH_API_TOKEN", &setup.token);
        let envoy = Envoy::start(options).await.expect("an envoy");
        Self { envoy, app, issuer, token: setup.token.clone() }
    }

    /// A connection to it.
    pub async fn client(&self) -> RawClient {
        RawClient::connect(self.envoy.addr("main")).await.expect("a connection")
    }

    /// Sends one request over a connection of its own.
    pub async fn ask(&self, request: Request) -> Response {
        self.client().await.send(&request).await.expect("an answer")
    }

    /// The headers with which a request reaches the service.
    pub async fn seen(&self, request: Request) -> harness::Headers {
        let answer = self.ask(request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        self.app.take_one().headers
    }

    /// The value of a header with which a request of a user reaches the service.
    pub async fn flag(&self, user: &str, header: &str) -> Option<String> {
        self.seen(home(user)).await.text(header)
    }

    /// Waits until flags are served from a source (`live`, `stale`, …).
    pub async fn serves(&self, source: &str) {
        for _ in 0..3000 {
            if self.flag("nobody", "x-flags-source").await.as_deref() == Some(source) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never {source}: {}", self.envoy.logs().tail(30));
    }

    /// What the debug page says.
    pub async fn debug(&self, query: &str) -> Value {
        let answer = self.ask(Request::get(&format!("/runtime-control/flags{query}")).host(FLAGS_HOST)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json().expect("json")
    }

    /// Waits until the debug page is as wanted, and gives it. To look at it is no use of a flag.
    pub async fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let page = self.debug("").await;
            if wanted(&page) {
                return page;
            }
            assert!(began.elapsed() < TIMEOUT, "never {what}: {page:#}\n{}", self.envoy.logs().tail(30));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// An OFREP call with a context.
    pub async fn ofrep(&self, flag: &str, context: Value) -> Response {
        let path = if flag.is_empty() {
            "/ofrep/v1/evaluate/flags".to_owned()
        } else {
            format!("/ofrep/v1/evaluate/flags/{flag}")
        };
        self.ask(Request::post(&path, json!({"context": context}).to_string()).host(FLAGS_HOST)).await
    }

    /// Gives the plugin another configuration and waits until it serves.
    pub async fn configure(&self, config: impl Into<PluginConfig>) {
        self.envoy.update_plugin(PLUGIN, config).await.expect("an update").accepted().expect("taken");
    }

    /// Fails if a VM was lost, a callback into one failed, the host refused a call, or the token was told.
    pub async fn assert_whole(&self) {
        for line in self.envoy.logs().lines() {
            let lost = ["failed to call", "Function: proxy_on", "panicked", "VM failed", "terminated", &self.token];
            assert!(!lost.iter().any(|text| !text.is_empty() && line.contains(text)), "{line}");
        }
        let stats = self.envoy.stats().await.expect("stats");
        assert_eq!(stats.counter("runtime_control_flag_headers_host_failures_total", &[]), 0);
    }
}

/// `GET /api/projects` of a user, known by a header.
#[must_use]
pub fn home(user: &str) -> Request {
    Request::get("/api/projects").host(HOST).header("x-user-id", user)
}

/// Runs a test with each Envoy of `ENVOY_BINARIES`.
pub async fn each(setup: Setup, test: impl AsyncFn(Mesh)) {
    for binary in envoy_binaries() {
        test(Mesh::start(&binary, &setup).await).await;
    }
}

/// Runs a test with all Envoys of `ENVOY_BINARIES` at the same time: for tests that wait more than they work.
pub async fn at_once<F: Future<Output = ()> + 'static>(test: impl Fn(PathBuf) -> F) {
    let all = async {
        let mut runs = JoinSet::new();
        for binary in envoy_binaries() {
            runs.spawn_local(test(binary));
        }
        while let Some(run) = runs.join_next().await {
            if let Err(failed) = run {
                std::panic::resume_unwind(failed.into_panic());
            }
        }
    };
    LocalSet::new().run_until(all).await;
}

/// Waits for something that sends no event; `what` names it where it never comes.
pub async fn until(what: &str, check: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !check().await {
        assert!(began.elapsed() < TIMEOUT, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
