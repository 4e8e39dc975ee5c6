//! Envoy's bootstrap as JSON: listeners with their filters, clusters, stats tags.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::jwt::JwtIssuer;
use crate::pki::{Identity, Pki};
use crate::wasm::WasmPlugin;

const TYPE: &str = "type.googleapis.com";

/// Whether a request needs a valid token to pass the JWT filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwtNeed {
    /// No token passes, a bad one is answered 401: Istio's RequestAuthentication.
    Optional,
    /// No token passes and a bad one passes unverified.
    OptionalOrInvalid,
    /// Only a valid token passes.
    Required,
}

/// Whether a TLS listener asks for a client certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCert {
    /// Connections without one are refused (mTLS STRICT).
    Required,
    /// One is asked for and verified if given (mTLS PERMISSIVE).
    Optional,
    /// None is asked for.
    None,
}

/// One of a listener's filters.
#[derive(Clone, Debug)]
enum Filter {
    Native(Value),
    Wasm(WasmPlugin),
}

/// A listener on 127.0.0.1 with a port of the kernel's choice; ask [`Envoy::addr`](crate::Envoy::addr) for it.
///
/// Filters stand in the order of the calls; the router, or the TCP proxy, comes last by itself.
#[derive(Clone, Debug)]
pub struct Listener {
    name: String,
    http: bool,
    filters: Vec<Filter>,
    network: Vec<Filter>,
    hcm: Value,
    transport: Option<Value>,
    extra: Value,
}

impl Listener {
    /// An HTTP listener (HTTP/1.1 and h2c by itself) with these virtual hosts, a list as in a RouteConfiguration: [`virtual_hosts`].
    pub fn http(name: &str, virtual_hosts: Value) -> Self {
        Self::new(name, true).hcm(json!({
            "@type": format!("{TYPE}/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
            "stat_prefix": name,
            "codec_type": "AUTO",
            "route_config": {"name": name, "virtual_hosts": virtual_hosts},
        }))
    }

    /// A TCP listener that proxies to `cluster`.
    pub fn tcp(name: &str, cluster: &str) -> Self {
        Self::new(name, false).hcm(json!({
            "@type": format!("{TYPE}/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"),
            "stat_prefix": name,
            "cluster": cluster,
        }))
    }

    fn new(name: &str, http: bool) -> Self {
        Self {
            name: name.into(),
            http,
            filters: Vec::new(),
            network: Vec::new(),
            hcm: json!({}),
            transport: None,
            extra: json!({}),
        }
    }

    /// The same under another name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// Appends an HTTP filter: `{"name": …, "typed_config": …}`.
    #[must_use]
    pub fn http_filter(mut self, filter: Value) -> Self {
        self.filters.push(Filter::Native(filter));
        self
    }

    /// Appends a Wasm HTTP filter whose configuration comes by ECDS from a file, so that [`Envoy::update_plugin`](crate::Envoy::update_plugin) can change it.
    /// The same plugin on several listeners is one resource and one update.
    #[must_use]
    pub fn wasm(mut self, plugin: &WasmPlugin) -> Self {
        self.filters.push(Filter::Wasm(plugin.clone()));
        self
    }

    /// Appends a network filter, before the connection manager or TCP proxy.
    #[must_use]
    pub fn network_filter(mut self, filter: Value) -> Self {
        self.network.push(Filter::Native(filter));
        self
    }

    /// Appends a Wasm network filter by ECDS. It needs a name of its own: one resource cannot be an HTTP and a network filter.
    #[must_use]
    pub fn network_wasm(mut self, plugin: &WasmPlugin) -> Self {
        self.network.push(Filter::Wasm(plugin.clone()));
        self
    }

    /// Appends Envoy's own JWT filter with the issuer's key, as Istio does: the verified payload is at
    /// `metadata.filter_metadata["envoy.filters.http.jwt_authn"].payload`. Call it before [`wasm`](Self::wasm).
    #[must_use]
    pub fn jwt(self, issuer: &JwtIssuer, need: JwtNeed) -> Self {
        let provider = json!({"provider_name": "test"});
        let any = |other: &str| json!({"requires_any": {"requirements": [provider, {other: {}}]}});
        let requires = match need {
            JwtNeed::Optional => any("allow_missing"),
            JwtNeed::OptionalOrInvalid => any("allow_missing_or_failed"),
            JwtNeed::Required => provider.clone(),
        };
        self.http_filter(json!({
            "name": "envoy.filters.http.jwt_authn",
            "typed_config": {
                "@type": format!("{TYPE}/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication"),
                "providers": {"test": {
                    "issuer": issuer.issuer(),
                    "local_jwks": {"inline_string": issuer.jwks().to_string()},
                    "forward": true,
                    "payload_in_metadata": "payload",
                }},
                "rules": [{"match": {"prefix": "/"}, "requires": requires}],
            },
        }))
    }

    /// Raises the limits on request headers: their number (Envoy: 100) and their size in KiB (Envoy: 60). Over them Envoy answers 431 before any filter.
    #[must_use]
    pub fn max_headers(self, count: u32, kib: u32) -> Self {
        self.hcm(json!({"common_http_protocol_options": {"max_headers_count": count}, "max_request_headers_kb": kib}))
    }

    /// Removes these request headers before any filter: the safety net under a fail-open filter. Calls add up.
    #[must_use]
    pub fn early_header_removal(mut self, names: &[&str]) -> Self {
        let mutations: Vec<_> = names.iter().map(|name| json!({"remove": name})).collect();
        let extension = json!({
            "name": "envoy.http.early_header_mutation.header_mutation",
            "typed_config": {
                "@type": format!("{TYPE}/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"),
                "mutations": mutations,
            },
        });
        append(&mut self.hcm, "early_header_mutation_extensions", extension);
        self
    }

    /// Writes an access log line per request to Envoy's stdout: [`Envoy::logs`](crate::Envoy::logs) has it. A newline is added.
    #[must_use]
    pub fn access_log_stdout(self, format: &str) -> Self {
        self.access_log("stream.v3.StdoutAccessLog", "stdout", json!({}), format)
    }

    /// Writes an access log line per request to a file. A newline is added.
    #[must_use]
    pub fn access_log_file(self, path: &Path, format: &str) -> Self {
        self.access_log("file.v3.FileAccessLog", "file", json!({"path": path}), format)
    }

    fn access_log(mut self, kind: &str, name: &str, mut config: Value, format: &str) -> Self {
        config["@type"] = format!("{TYPE}/envoy.extensions.access_loggers.{kind}").into();
        config["log_format"] = json!({"text_format_source": {"inline_string": format!("{format}\n")}});
        append(
            &mut self.hcm,
            "access_log",
            json!({"name": format!("envoy.access_loggers.{name}"), "typed_config": config}),
        );
        self
    }

    /// Terminates TLS with `server`'s certificate and verifies client certificates against `pki`'s CA.
    #[must_use]
    pub fn tls(mut self, pki: &Pki, server: &Identity, client: ClientCert) -> Self {
        let mut common = json!({
            "tls_certificates": certificate(server),
            "alpn_protocols": ["h2", "http/1.1"],
        });
        if client != ClientCert::None {
            common["validation_context"] = json!({"trusted_ca": {"inline_string": pki.ca_pem()}});
        }
        self.transport = Some(json!({
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": format!("{TYPE}/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"),
                "common_tls_context": common,
                "require_client_certificate": client == ClientCert::Required,
            },
        }));
        self
    }

    /// Merges JSON into the connection manager's configuration (or the TCP proxy's): objects merge, all else replaces.
    #[must_use]
    pub fn hcm(mut self, extra: Value) -> Self {
        merge(&mut self.hcm, extra);
        self
    }

    /// Merges JSON into the listener: objects merge, all else replaces.
    #[must_use]
    pub fn json(mut self, extra: Value) -> Self {
        merge(&mut self.extra, extra);
        self
    }

    fn plugins(&self) -> impl Iterator<Item = (&WasmPlugin, bool)> {
        let wasm = |network| {
            move |filter| match filter {
                &Filter::Native(_) => None,
                Filter::Wasm(plugin) => Some((plugin, network)),
            }
        };
        self.filters.iter().filter_map(wasm(false)).chain(self.network.iter().filter_map(wasm(true)))
    }

    fn render(&self, dir: &Path) -> Value {
        let filters = |list: &[Filter], kind: &str| -> Vec<Value> {
            let render = |filter: &Filter| match filter {
                Filter::Native(json) => json.clone(),
                Filter::Wasm(plugin) => json!({
                    "name": plugin.name,
                    "config_discovery": {
                        "config_source": {
                            "path_config_source": {"path": ecds_path(dir, &plugin.name)},
                            "initial_fetch_timeout": "20s",
                        },
                        "type_urls": [format!("{TYPE}/envoy.extensions.filters.{kind}.wasm.v3.Wasm")],
                    },
                }),
            };
            list.iter().map(render).collect()
        };
        let mut last = self.hcm.clone();
        let mut chain = filters(&self.network, "network");
        if self.http {
            let mut http = filters(&self.filters, "http");
            http.push(json!({
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": format!("{TYPE}/envoy.extensions.filters.http.router.v3.Router")},
            }));
            last["http_filters"] = http.into();
            chain.push(json!({"name": "envoy.filters.network.http_connection_manager", "typed_config": last}));
        } else {
            chain.push(json!({"name": "envoy.filters.network.tcp_proxy", "typed_config": last}));
        }
        let mut filter_chain = json!({"filters": chain});
        if let Some(transport) = &self.transport {
            filter_chain["transport_socket"] = transport.clone();
        }
        let mut listener = json!({
            "name": self.name,
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
            "filter_chains": [filter_chain],
        });
        merge(&mut listener, self.extra.clone());
        listener
    }
}

/// The whole bootstrap. The admin listens on a free port of 127.0.0.1.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    listeners: Vec<Listener>,
    clusters: Vec<Value>,
    tags: Vec<String>,
    extra: Value,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self::new()
    }
}

impl Bootstrap {
    /// No listener, no cluster; node and cluster are called `harness`.
    pub fn new() -> Self {
        Self { listeners: Vec::new(), clusters: Vec::new(), tags: Vec::new(), extra: json!({}) }
    }

    /// Adds a listener.
    #[must_use]
    pub fn listener(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Adds a cluster of one HTTP/1.1 (or TCP) host.
    #[must_use]
    pub fn cluster(self, name: &str, addr: SocketAddr) -> Self {
        self.cluster_json(static_cluster(name, addr))
    }

    /// Adds any cluster.
    #[must_use]
    pub fn cluster_json(mut self, cluster: Value) -> Self {
        self.clusters.push(cluster);
        self
    }

    /// Makes `tag=.=value;.` in the names of Wasm metrics a label, as Istio does for its `extraStatTags`.
    #[must_use]
    pub fn stats_tags(mut self, tags: &[&str]) -> Self {
        self.tags.extend(tags.iter().map(ToString::to_string));
        self
    }

    /// Merges JSON into the bootstrap (such as `node.metadata`): objects merge, all else replaces.
    #[must_use]
    pub fn json(mut self, extra: Value) -> Self {
        merge(&mut self.extra, extra);
        self
    }

    /// Each plugin once, and whether it is a network filter.
    pub(crate) fn plugins(&self) -> Vec<(&WasmPlugin, bool)> {
        let mut all: Vec<(&WasmPlugin, bool)> = Vec::new();
        for (plugin, network) in self.listeners.iter().flat_map(Listener::plugins) {
            if !all.iter().any(|(known, _)| known.name == plugin.name) {
                all.push((plugin, network));
            }
        }
        all
    }

    pub(crate) fn listener_names(&self) -> Vec<String> {
        self.listeners.iter().map(|listener| listener.name.clone()).collect()
    }

    /// The bootstrap, with the plugins' ECDS files expected in `dir`.
    pub fn render(&self, dir: &Path) -> Value {
        let tags: Vec<_> =
            self.tags.iter().map(|tag| json!({"tag_name": tag, "regex": format!(r"({tag}=\.=(.*?);\.;)")})).collect();
        let mut bootstrap = json!({
            "node": {"id": "harness", "cluster": "harness"},
            "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
            "static_resources": {
                "listeners": self.listeners.iter().map(|listener| listener.render(dir)).collect::<Vec<_>>(),
                "clusters": self.clusters,
            },
            "stats_config": {"stats_tags": tags},
            // Without a limit Envoy warns at each start.
            "overload_manager": {"resource_monitors": [{
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": {
                    "@type": format!("{TYPE}/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"),
                    "max_active_downstream_connections": 100_000,
                },
            }]},
        });
        merge(&mut bootstrap, self.extra.clone());
        bootstrap
    }
}

/// The file a plugin's configuration comes from.
pub(crate) fn ecds_path(dir: &Path, plugin: &str) -> std::path::PathBuf {
    let safe = |char: char| if char.is_ascii_alphanumeric() || "-_.".contains(char) { char } else { '_' };
    dir.join(format!("ecds-{}.json", plugin.chars().map(safe).collect::<String>()))
}

/// One virtual host for every domain with these routes, in order.
pub fn virtual_hosts(routes: impl IntoIterator<Item = Value>) -> Value {
    json!([{"name": "all", "domains": ["*"], "routes": routes.into_iter().collect::<Vec<_>>()}])
}

/// A route of everything to `cluster`.
pub fn route_to(cluster: &str) -> Value {
    json!({"match": {"prefix": "/"}, "route": {"cluster": cluster}})
}

/// A route of requests whose `header` is exactly `value` to `cluster`.
pub fn route_on_header(header: &str, value: &str, cluster: &str) -> Value {
    json!({
        "match": {"prefix": "/", "headers": [{"name": header, "string_match": {"exact": value}}]},
        "route": {"cluster": cluster},
    })
}

/// A cluster of one HTTP/1.1 (or TCP) host.
pub fn static_cluster(name: &str, addr: SocketAddr) -> Value {
    let endpoint =
        json!({"address": {"socket_address": {"address": addr.ip().to_string(), "port_value": addr.port()}}});
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}]},
    })
}

/// A cluster of one host that is spoken to in HTTP/2 without TLS.
pub fn http2_cluster(name: &str, addr: SocketAddr) -> Value {
    let mut cluster = static_cluster(name, addr);
    cluster["typed_extension_protocol_options"] = json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": format!("{TYPE}/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"),
        "explicit_http_config": {"http2_protocol_options": {}},
    }});
    cluster
}

/// Lets a cluster speak TLS to its hosts: SNI `server_name`, whose certificate must come from `pki`'s CA and be valid for it. `identity` is what
/// Envoy shows, if asked.
pub fn with_tls(mut cluster: Value, pki: &Pki, server_name: &str, identity: Option<&Identity>) -> Value {
    let mut common = json!({"validation_context": {
        "trusted_ca": {"inline_string": pki.ca_pem()},
        "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": server_name}}],
    }});
    if let Some(identity) = identity {
        common["tls_certificates"] = certificate(identity);
    }
    cluster["transport_socket"] = json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": format!("{TYPE}/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"),
            "common_tls_context": common,
            "sni": server_name,
        },
    });
    cluster
}

fn certificate(identity: &Identity) -> Value {
    json!([{
        "certificate_chain": {"inline_string": identity.cert_pem},
        "private_key": {"inline_string": identity.key_pem},
    }])
}

/// Merges `extra` into `base`: objects key by key, all else replaces.
pub fn merge(base: &mut Value, extra: Value) {
    match (base, extra) {
        (Value::Object(base), Value::Object(extra)) => {
            for (key, value) in extra {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, extra) => *base = extra,
    }
}

fn append(object: &mut Value, key: &str, item: Value) {
    if let Value::Object(object) = object {
        push(object, key, item);
    }
}

fn push(object: &mut Map<String, Value>, key: &str, item: Value) {
    match object.entry(key).or_insert_with(|| json!([])) {
        Value::Array(list) => list.push(item),
        other => *other = json!([item]),
    }
}
