//! What is measured: the requests, and the Envoys that differ in nothing but one filter.

use std::path::PathBuf;

use harness::{
    Bootstrap, Envoy, EnvoyOptions, Headers, JwtIssuer, JwtNeed, Listener, PluginConfig, Result, Upstream, WasmPlugin,
    virtual_hosts,
};
use serde_json::{Value, json};

use crate::load;
use crate::machine::Cores;

pub(crate) const HOST: &str = "app.devmentor.local";
pub(crate) const ISSUER: &str = "https://auth.devmentor.local";
/// Where the claims of a verified token stand: a property's path, its segments parted as the filter `same-calls` takes them.
pub(crate) const CLAIMS: &str = "metadata/filter_metadata/envoy.filters.http.jwt_authn/payload";
pub(crate) const ARM_HEADER: &str = "x-canary-arm";
/// The listener behind which a service keeps what reaches it.
const SEEN: &str = "seen";

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
    /// Those that mean something to a filter that looks at every request.
    pub(crate) const SEEN_BY_ALL: [Self; 3] = [Self::Direct, Self::Header, Self::Hop];
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
    fn request(self, people: &People, visitor: &Visitor) -> Vec<u8> {
        let path = match self {
            Self::Unmatched => "/assets/app.3f9c2d.js",
            _ => "/api/chat/sessions/7f3a9c/messages?limit=50&before=1763",
        };
        let who = match self {
            Self::Header => format!("x-user-id: {}\r\n", visitor.user),
            _ => format!("authorization: Bearer {}\r\n", people.token(&visitor.user)),
        };
        let more = visitor.headers;
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
             {more}{who}\r\n"
        )
        .into_bytes()
    }
}

/// Who asks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Visitor {
    /// The user's id.
    pub(crate) user: String,
    /// Lines of headers beside the usual ones.
    pub(crate) headers: &'static str,
}

/// The users, and who vouches for them.
pub(crate) struct People {
    issuer: JwtIssuer,
}

impl People {
    pub(crate) fn new() -> Self {
        Self { issuer: JwtIssuer::new(ISSUER) }
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

/// A filter to measure.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// The module; none for no filter.
    pub(crate) wasm: Option<PathBuf>,
    /// Its configuration.
    pub(crate) config: PluginConfig,
    /// Another one for requests that no rule is for, where the filter has to be told.
    pub(crate) unmatched: Option<PluginConfig>,
    /// The arm that it chooses for requests that a rule is for.
    pub(crate) arm: Option<&'static str>,
}

impl Filter {
    /// One without configuration.
    pub(crate) fn bare(wasm: PathBuf) -> Self {
        Self { wasm: Some(wasm), ..Self::default() }
    }

    /// The plugin, or the one for requests that no rule is for.
    pub(crate) fn plugin(&self, unmatched: bool) -> Option<WasmPlugin> {
        let config = self.unmatched.as_ref().filter(|_| unmatched).unwrap_or(&self.config);
        // one name for each configuration: two listeners with the same plugin share what Envoy fetches
        let name = if unmatched { "unmatched" } else { "matched" };
        Some(WasmPlugin::new(name, self.wasm.as_ref()?).config(config.clone()))
    }

    /// The body that tells which route a request took.
    pub(crate) fn body(&self, scene: Scene) -> &'static str {
        self.arm.filter(|_| scene != Scene::Unmatched).unwrap_or("default")
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
    pub(crate) filter: Filter,
    pub(crate) envoy: Envoy,
}

/// What all Envoys share.
pub(crate) struct World {
    pub(crate) binary: PathBuf,
    pub(crate) cores: Cores,
    people: People,
    /// Whose requests are sent.
    pub(crate) visitor: Visitor,
    upstreams: Vec<(&'static str, std::net::SocketAddr)>,
    seen: Upstream,
}

impl World {
    pub(crate) fn new(binary: PathBuf, cores: Cores) -> Result<Self> {
        let upstreams = ["v2", "v1", "default"].into_iter().map(|name| Ok((name, load::serve(name)?)));
        let upstreams = upstreams.collect::<Result<_>>()?;
        let (people, visitor) = (People::new(), Visitor::default());
        Ok(Self { binary, cores, people, visitor, upstreams, seen: Upstream::start(SEEN) })
    }

    /// Starts an Envoy with a listener for each scene, and one in front of a service that keeps what reaches it.
    pub(crate) async fn start(&self, filter: &Filter, log_level: &str) -> Result<Proxy> {
        let direct = routes(|arm| ("direct_response", json!({"status": 200, "body": {"inline_string": arm}})));
        let hop = routes(|arm| ("route", json!({"cluster": arm})));
        let seen = routes(|_| ("route", json!({"cluster": SEEN})));
        let listener = |name: &str, hosts: &Value| {
            let listener = Listener::http(name, hosts.clone()).jwt(&self.people.issuer, JwtNeed::Optional);
            let plugin = filter.plugin(name == Scene::Unmatched.listener());
            plugin.iter().fold(listener, Listener::wasm)
        };
        let mut bootstrap = Bootstrap::new()
            .listener(listener(Scene::Direct.listener(), &direct))
            .listener(listener(Scene::Hop.listener(), &hop))
            .listener(listener(Scene::Unmatched.listener(), &direct))
            .listener(listener(SEEN, &seen))
            .cluster(SEEN, self.seen.addr())
            // as Istio names a sidecar
            .json(json!({"node": {"id": "sidecar~10.0.0.7~app-7d9f.devmentor-app~devmentor-app.svc.cluster.local"}}));
        for (name, address) in &self.upstreams {
            bootstrap = bootstrap.cluster(name, *address);
        }
        let options = EnvoyOptions::new(&self.binary, bootstrap)
            .launcher(&self.cores.launcher())
            .log_level("warning", &format!("wasm:{log_level}"));
        Ok(Proxy { filter: filter.clone(), envoy: Envoy::start(options).await? })
    }

    /// Sends one request and gives the answer's body.
    pub(crate) fn ask(&self, proxy: &Proxy, scene: Scene) -> Result<String> {
        load::ask(proxy.envoy.addr(scene.listener()), &scene.request(&self.people, &self.visitor))
    }

    /// The headers with which a request reaches a service.
    pub(crate) fn seen(&self, proxy: &Proxy) -> Result<Headers> {
        load::ask(proxy.envoy.addr(SEEN), &Scene::Hop.request(&self.people, &self.visitor))?;
        let mut requests = self.seen.take_requests();
        requests.pop().map(|request| request.headers).ok_or_else(|| harness::Error::new("no request reached a service"))
    }

    /// Connections that send a scene's request to an Envoy and expect the answer of the right route.
    pub(crate) fn lane(&self, proxy: &Proxy, scene: Scene) -> Result<load::Lane> {
        let request = scene.request(&self.people, &self.visitor);
        load::Lane::open(proxy.envoy.addr(scene.listener()), &request, proxy.filter.body(scene))
    }
}
