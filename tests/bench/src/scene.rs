//! What is measured: the requests, canary-router's configuration, and the Envoys that differ in nothing but one filter.

use std::path::PathBuf;

use harness::{Bootstrap, Envoy, EnvoyOptions, JwtIssuer, JwtNeed, Listener, Result, WasmPlugin, virtual_hosts};
use serde_json::{Value, json};

use crate::load;
use crate::machine::Cores;

const HOST: &str = "app.devmentor.local";
const ARM_HEADER: &str = "x-canary-arm";
/// How many rules the issue asks the floors for.
pub(crate) const RULES: usize = 10;

/// One kind of request, and what answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scene {
    Direct,
    Hop,
    Header,
    Unmatched,
}

impl Scene {
    pub(crate) const ALL: [Self; 4] = [Self::Direct, Self::Header, Self::Hop, Self::Unmatched];
    /// Those that the floors are about.
    pub(crate) const DIRECT: [Self; 2] = [Self::Direct, Self::Header];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Direct => "Direct response, id from the token",
            Self::Hop => "Through an upstream, id from the token",
            Self::Header => "Direct response, id from a header, no token",
            Self::Unmatched => "Direct response, no rule matches",
        }
    }

    /// The listener. Whether a rule matches is up to the request, but the filter that decides nothing has to be told.
    fn listener(self) -> &'static str {
        match self {
            Self::Direct | Self::Header => "direct",
            Self::Hop => "hop",
            Self::Unmatched => "unmatched",
        }
    }

    /// The request's bytes: a browser's call to an API, with what gateways and tracing add.
    fn request(self, people: &People, user: &str) -> Vec<u8> {
        let path = match self {
            Self::Unmatched => "/assets/app.3f9c2d.js",
            _ => "/api/chat/sessions/7f3a9c/messages?limit=50&before=1763",
        };
        let who = match self {
            Self::Header => format!("x-user-id: {user}\r\n"),
            _ => format!("authorization: Bearer {}\r\n", people.token(user)),
        };
        format!(
            "GET {path} HTTP/1.1\r\n\
             host: {HOST}\r\n\
             user-agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\n\
             accept: application/json, text/plain, */*\r\n\
             accept-language: en-GB,en;q=0.9,de;q=0.8\r\n\
             accept-encoding: gzip, deflate, br, zstd\r\n\
             referer: https://{HOST}/chat/7f3a9c\r\n\
             cookie: theme=dark; consent=2026-01-11; session=s%3AvY2mQ8r0nJ4tZk1c.9Qq3b7l2; locale=en\r\n\
             x-request-id: 5b0c2f1e-6a55-4c44-9d0e-3a7d1c9e8f21\r\n\
             traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\
             x-forwarded-for: 203.0.113.7\r\n\
             x-forwarded-proto: https\r\n\
             sec-fetch-mode: cors\r\n\
             {who}\r\n"
        )
        .into_bytes()
    }
}

/// The users, and who vouches for them.
pub(crate) struct People {
    issuer: JwtIssuer,
}

impl People {
    pub(crate) fn new() -> Self {
        Self { issuer: JwtIssuer::new("https://auth.devmentor.local") }
    }

    /// A token as an identity provider issues it, with more in it than the id.
    fn token(&self, user: &str) -> String {
        self.issuer.token(json!({
            "sub": user,
            "aud": ["devmentor-app", "devmentor-api"],
            "iat": 1_763_000_000,
            "email": format!("{user}@devmentor.local"),
            "email_verified": true,
            "name": "Ada Lovelace",
            "scope": "openid profile chat:read chat:write",
            "sid": "0c9a7b66-0d3f-4b5c-8f7f-f1a2f7a1d1b0",
        }))
    }
}

/// canary-router's configuration: three sources of an id, and that many rules of which the last is the request's.
fn configuration(people: &People, rules: usize) -> Value {
    let others = (1..rules).map(other_rule);
    let last = json!({
        "name": "chat",
        "hosts": [HOST],
        "match": [{"uri": {"prefix": "/api/chat/"}}],
        "salt": "chat-2026",
        "baseline": "v1",
        "arms": [{"name": "v2", "weight": 10}],
    });
    json!({
        "armHeader": ARM_HEADER,
        "identity": [
            {"jwt": {"issuer": people.issuer.issuer(), "claim": "sub"}},
            {"header": "x-user-id"},
            {"cookie": "uid"},
        ],
        "rules": others.chain([last]).collect::<Vec<_>>(),
    })
}

/// A rule that is not the request's, for one of the reasons that there are in life.
fn other_rule(number: usize) -> Value {
    let (hosts, way) = match number % 5 {
        0 => (json!([format!("shop-{number}.devmentor.local")]), json!({"uri": {"prefix": "/"}})),
        1 => (json!(["*.partners.devmentor.local"]), json!({"uri": {"prefix": "/api/"}})),
        2 => (json!([HOST]), json!({"uri": {"prefix": format!("/api/billing-{number}/")}})),
        3 => (json!([HOST]), json!({"uri": {"exact": format!("/api/search/{number}")}, "method": {"exact": "POST"}})),
        _ => (
            json!([HOST]),
            json!({"uri": {"prefix": "/api/"}, "headers": {"x-tenant": {"exact": format!("tenant-{number}")}}}),
        ),
    };
    json!({
        "name": format!("rule-{number}"),
        "hosts": hosts,
        "match": [way],
        "salt": format!("rule-{number}"),
        "baseline": "v1",
        "arms": [{"name": "v2", "weight": 10}],
    })
}

/// A filter to measure.
#[derive(Clone, Debug)]
pub(crate) enum Filter {
    None,
    Empty(PathBuf),
    SameCalls(PathBuf),
    CanaryRouter(PathBuf, usize),
}

impl Filter {
    fn plugin(&self, people: &People, scene: Scene) -> Option<WasmPlugin> {
        let unmatched = scene == Scene::Unmatched;
        // one name for each configuration: two listeners with the same plugin share what Envoy fetches
        let named = |wasm: &PathBuf| WasmPlugin::new(if unmatched { "unmatched" } else { "matched" }, wasm);
        match self {
            Self::None => None,
            Self::Empty(wasm) => Some(named(wasm)),
            Self::SameCalls(wasm) => Some(named(wasm).config(if unmatched { "unmatched" } else { "matched" })),
            Self::CanaryRouter(wasm, rules) => Some(named(wasm).json(configuration(people, *rules))),
        }
    }

    /// The body that tells which route a request took.
    fn body(&self, scene: Scene) -> &'static str {
        match (self, scene) {
            (Self::None | Self::Empty(_), _) | (_, Scene::Unmatched) => "default",
            (Self::SameCalls(_) | Self::CanaryRouter(..), _) => "v2",
        }
    }
}

/// Routes as a VirtualService makes them: one for each arm, then one for all else.
fn routes(to: impl Fn(&str) -> (&'static str, Value)) -> Value {
    let route = |arm: &str, headers: Value| {
        let (kind, target) = to(arm);
        json!({"match": {"prefix": "/", "headers": headers}, kind: target})
    };
    let arm = |arm: &str| route(arm, json!([{"name": ARM_HEADER, "string_match": {"exact": arm}}]));
    virtual_hosts([arm("v2"), arm("v1"), route("default", json!([]))])
}

/// One Envoy with one filter.
pub(crate) struct Proxy {
    filter: Filter,
    pub(crate) envoy: Envoy,
}

/// What all Envoys share.
pub(crate) struct World {
    pub(crate) binary: PathBuf,
    pub(crate) cores: Cores,
    people: People,
    upstreams: Vec<(&'static str, std::net::SocketAddr)>,
    user: String,
}

impl World {
    pub(crate) fn new(binary: PathBuf, cores: Cores) -> Result<Self> {
        let upstreams = ["v2", "v1", "default"].into_iter().map(|name| Ok((name, load::serve(name)?)));
        let upstreams = upstreams.collect::<Result<_>>()?;
        Ok(Self { binary, cores, people: People::new(), upstreams, user: String::new() })
    }

    /// Starts an Envoy with a listener for each scene.
    pub(crate) async fn start(&self, filter: &Filter, log_level: &str) -> Result<Proxy> {
        let direct = routes(|arm| ("direct_response", json!({"status": 200, "body": {"inline_string": arm}})));
        let hop = routes(|arm| ("route", json!({"cluster": arm})));
        let listener = |scene: Scene, hosts: &Value| {
            let listener = Listener::http(scene.listener(), hosts.clone()).jwt(&self.people.issuer, JwtNeed::Optional);
            let plugin = filter.plugin(&self.people, scene);
            plugin.iter().fold(listener, Listener::wasm)
        };
        let mut bootstrap = Bootstrap::new()
            .listener(listener(Scene::Direct, &direct))
            .listener(listener(Scene::Hop, &hop))
            .listener(listener(Scene::Unmatched, &direct));
        for (name, address) in &self.upstreams {
            bootstrap = bootstrap.cluster(name, *address);
        }
        let options = EnvoyOptions::new(&self.binary, bootstrap)
            .launcher(&self.cores.launcher())
            .log_level("warning", &format!("wasm:{log_level}"));
        Ok(Proxy { filter: filter.clone(), envoy: Envoy::start(options).await? })
    }

    /// Looks for a user to whom canary-router gives the arm that [`Filter::SameCalls`] always gives: with 10 % in it, every
    /// tenth has it.
    pub(crate) fn find_user(&mut self, canary_router: &Proxy) -> Result<()> {
        for number in 0..1000 {
            let user = format!("5f0c1b7e-{number:04}-4d2a-9b1e-1f6c2d3e4a5b");
            if self.ask(canary_router, Scene::Direct, &user)? == canary_router.filter.body(Scene::Direct) {
                self.user = user;
                return Ok(());
            }
        }
        Err(harness::Error::new("of 1000 users canary-router sent none to v2"))
    }

    fn ask(&self, proxy: &Proxy, scene: Scene, user: &str) -> Result<String> {
        load::ask(proxy.envoy.addr(scene.listener()), &scene.request(&self.people, user))
    }

    /// Sends one request and gives the answer's body.
    pub(crate) fn ask_once(&self, proxy: &Proxy, scene: Scene) -> Result<String> {
        self.ask(proxy, scene, &self.user)
    }

    /// Connections that send a scene's request to an Envoy and expect the answer of the right route.
    pub(crate) fn lane(&self, proxy: &Proxy, scene: Scene) -> Result<load::Lane> {
        let request = scene.request(&self.people, &self.user);
        load::Lane::open(proxy.envoy.addr(scene.listener()), &request, proxy.filter.body(scene))
    }
}
