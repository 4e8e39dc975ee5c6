//! Which calls stay inside the mesh.
//!
//! A client can write any host into a request, so where the proxy itself knows where a call leads, that counts:
//!
//! | the proxy sends it to | inside the mesh |
//! |---|---|
//! | a service (`outbound\|443\|\|api.openai.com`) | when `internal` names that service, and it is not one of `egressGateways` |
//! | wherever the address leads, or nowhere (`PassthroughCluster`, `BlackHoleCluster`, no cluster), or to one of several services (`outbound\|443\|\|*.openai.com`) | when `internal` names the host, or the host is one bare word, and the address is a private one or one of `internal`; without a name, when the address is one of `internal` |
//! | a cluster of another name (an Envoy without Istio) | when `internal` names the host, or it is one bare word; without a name, by the address |

use std::net::{IpAddr, SocketAddr};

use crate::host::{Host, plain};
use crate::index::Index;
use crate::pattern::Pattern;

/// What the proxy knows about a call, asked for only when a decision needs it.
pub trait Proxy {
    /// The name of the cluster that it chose.
    fn cluster(&self) -> Option<Vec<u8>>;
    /// The address that the client connected to.
    fn destination(&self) -> Option<SocketAddr>;
    /// The name in the handshake of a connection whose TLS ended in this proxy; an empty one where that names none, or
    /// where the listener has no `tls_inspector` to read it (Istio's have).
    fn server_name(&self) -> Option<Vec<u8>>;
    /// The identity of the peer that is connected by mutual TLS.
    fn principal(&self) -> Option<String>;
}

/// Where a cluster leads, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leads {
    /// To a service that the mesh knows.
    Service {
        /// Its host.
        host: Host,
        /// Its port.
        port: Option<u16>,
    },
    /// To one of several services, which its name does not tell apart (`*.openai.com`).
    Services {
        /// Their port.
        port: Option<u16>,
    },
    /// To the address that the client connected to.
    Address,
    /// Nowhere: the proxy answers itself, or closes the connection.
    Nowhere,
    /// Its name does not tell.
    Unknown,
}

impl Leads {
    /// Reads the name of a cluster, as Istio makes them.
    #[must_use]
    pub fn of(cluster: Option<&[u8]>) -> Self {
        let Some(cluster) =
            cluster.and_then(|cluster| std::str::from_utf8(cluster).ok()).filter(|name| !name.is_empty())
        else {
            return Self::Nowhere;
        };
        if matches!(cluster, "PassthroughCluster" | "BlackHoleCluster" | "InboundPassthroughCluster") {
            return Self::Address;
        }
        // gateways between networks write it so that it can stand in a handshake
        let separator = if cluster.starts_with("outbound_.") { "_." } else { "|" };
        let mut parts = cluster.splitn(4, separator);
        let (Some("outbound"), Some(port), Some(_subset), Some(host)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Self::Unknown;
        };
        let port = port.parse().ok();
        match Host::parse(host.as_bytes()) {
            Ok(host) => Self::Service { host, port },
            Err(_) => Self::Services { port },
        }
    }
}

/// What is inside the mesh.
#[derive(Clone, Debug, Default)]
pub struct Inside {
    internal: Index<()>,
    egress_gateways: Index<()>,
}

impl Inside {
    /// What these patterns name.
    #[must_use]
    pub fn new(internal: &[Pattern], egress_gateways: &[Pattern]) -> Self {
        let index = |patterns: &[Pattern]| {
            let mut index = Index::default();
            patterns.iter().for_each(|pattern| index.add(pattern, ()));
            index
        };
        Self { internal: index(internal), egress_gateways: index(egress_gateways) }
    }

    /// Whether a service is one of the mesh, egress gateways among them: many names lead through it.
    #[must_use]
    pub fn names(&self, service: &Host) -> bool {
        finds(&self.internal, service)
    }

    /// Whether a call stays inside. `host` is what the client names, none where it names none.
    #[must_use]
    pub fn holds(&self, leads: &Leads, host: Option<&Host>, proxy: &dyn Proxy) -> bool {
        let names = |host: &Host| finds(&self.internal, host) || host.name().is_some_and(|name| !name.contains('.'));
        let address = || proxy.destination().map(|destination| plainly(destination.ip()));
        let by_address = || address().is_some_and(|address| finds(&self.internal, &Host::Address(address)));
        match (leads, host) {
            (Leads::Service { host: service, .. }, _) => {
                finds(&self.internal, service) && !finds(&self.egress_gateways, service)
            }
            (Leads::Address | Leads::Nowhere | Leads::Services { .. }, Some(host @ Host::Name(_))) => {
                names(host)
                    && address()
                        .is_some_and(|address| is_private(address) || finds(&self.internal, &Host::Address(address)))
            }
            (Leads::Address | Leads::Nowhere | Leads::Services { .. }, Some(host @ Host::Address(_))) => {
                finds(&self.internal, host) && by_address()
            }
            (Leads::Unknown, Some(host)) => names(host),
            (Leads::Address | Leads::Nowhere | Leads::Services { .. } | Leads::Unknown, None) => by_address(),
        }
    }
}

fn finds(index: &Index<()>, host: &Host) -> bool {
    let mut found = false;
    index.find(host, &mut |()| found = true);
    found
}

/// An address in its plainest form.
#[must_use]
pub fn plainly(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => plain(v6),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Addresses that are nobody's on the internet: RFC 1918, RFC 6598, RFC 4193, loopback. Not link-local ones, where clouds keep
/// credentials.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            v4.is_private() || v4.is_loopback() || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.segments().first().is_some_and(|first| first & 0xfe00 == 0xfc00),
    }
}
