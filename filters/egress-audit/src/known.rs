//! What the proxy knows: of the workload that it belongs to, and of the current call.

use std::cell::OnceCell;
use std::net::SocketAddr;

use egress_core::scope::Proxy;
use egress_core::workload::{ProxyKind, Workload};
use filter_host::property;
use filter_request::Pairs;
use filter_runtime::peer_principal;

const CLUSTER: &[u8] = b"xds\0cluster_name";
const DESTINATION: &[u8] = b"destination\0address";
const SERVER_NAME: &[u8] = b"connection\0requested_server_name";
const TLS_VERSION: &[u8] = b"connection\0tls_version";
const PROTOCOL: &[u8] = b"request\0protocol";

/// Whether the current context is one of a request. A connection's knows no protocol.
pub(crate) fn is_request() -> bool {
    property::get(PROTOCOL).is_some()
}

/// The id of the node, as the control plane knows it.
pub(crate) fn node_id() -> Option<String> {
    node("id").filter(|id| !id.is_empty())
}

/// The workload, from the metadata that Istio gives each proxy.
pub(crate) fn workload() -> Workload {
    let metadata = |name: &str| node(&format!("metadata\0{name}")).unwrap_or_default();
    let labels = of_node("metadata\0LABELS").map(Pairs::from_serialized).unwrap_or_default();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let id = node_id().unwrap_or_default();
    // sidecar~10.0.0.7~ai-gateway-7d9f.devmentor-app~devmentor-app.svc.cluster.local
    let pod = id.split('~').nth(2).and_then(|pod| pod.rsplit_once('.')).map(|(pod, _)| pod.to_owned());
    Workload {
        namespace: metadata("NAMESPACE"),
        name: metadata("WORKLOAD_NAME"),
        service_account: metadata("SERVICE_ACCOUNT"),
        pod: pod.unwrap_or_default(),
        labels: labels.iter().map(|(name, value)| (text(name), text(value))).collect(),
        kind: Workload::kind_of(&id),
    }
}

/// The name in the handshake, as far as the listener itself has read it.
pub(crate) fn server_name() -> Option<Vec<u8>> {
    property::get(SERVER_NAME).filter(|name| !name.is_empty())
}

fn of_node(path: &str) -> Option<Vec<u8>> {
    property::get(format!("xds\0node\0{path}").as_bytes()).or_else(|| property::get(format!("node\0{path}").as_bytes()))
}

fn node(path: &str) -> Option<String> {
    of_node(path).and_then(|text| String::from_utf8(text).ok())
}

/// The current call. The host is asked once for each thing that a decision needs.
pub(crate) struct HostProxy {
    kind: ProxyKind,
    cluster: OnceCell<Option<Vec<u8>>>,
    destination: OnceCell<Option<SocketAddr>>,
}

impl HostProxy {
    pub(crate) fn new(kind: ProxyKind) -> Self {
        Self { kind, cluster: OnceCell::new(), destination: OnceCell::new() }
    }
}

impl Proxy for HostProxy {
    fn cluster(&self) -> Option<Vec<u8>> {
        self.cluster.get_or_init(|| property::get(CLUSTER)).clone()
    }

    fn destination(&self) -> Option<SocketAddr> {
        let ask = || std::str::from_utf8(&property::get(DESTINATION)?).ok()?.parse().ok();
        *self.destination.get_or_init(ask)
    }

    /// What an application says to its own sidecar comes without TLS.
    fn server_name(&self) -> Option<Vec<u8>> {
        if self.kind == ProxyKind::Sidecar {
            return None;
        }
        server_name().or_else(|| property::get(TLS_VERSION).filter(|version| !version.is_empty()).map(|_| Vec::new()))
    }

    fn principal(&self) -> Option<String> {
        peer_principal()
    }
}
