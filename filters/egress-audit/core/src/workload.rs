//! Whose calls these are: the workload that the proxy belongs to, as the mesh tells it.

/// The workload behind a proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    /// The pod's namespace.
    pub namespace: String,
    /// The workload's name, such as that of its Deployment.
    pub name: String,
    /// The pod's service account.
    pub service_account: String,
    /// The pod's name.
    pub pod: String,
    /// The pod's labels.
    pub labels: Vec<(String, String)>,
    /// What kind of proxy it is.
    pub kind: ProxyKind,
}

/// What kind of proxy it is, by the first part of Istio's node id (`sidecar~10.0.0.7~…`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyKind {
    /// Beside one workload: what it calls is the workload's, and comes to it without TLS of the mesh.
    Sidecar,
    /// For many workloads, or unknown: who calls is told by the peer's certificate, where there is one.
    #[default]
    Gateway,
}

impl Workload {
    /// The value of a label.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The kind by a node's id.
    #[must_use]
    pub fn kind_of(node: &str) -> ProxyKind {
        if node.starts_with("sidecar~") { ProxyKind::Sidecar } else { ProxyKind::Gateway }
    }
}

/// The service account in a mesh identity, as `namespace/name`: `spiffe://cluster.local/ns/devmentor-app/sa/ai-gateway`.
#[must_use]
pub fn account_of(principal: &str) -> Option<String> {
    let (_, rest) = principal.strip_prefix("spiffe://")?.split_once("/ns/")?;
    let (namespace, account) = rest.split_once("/sa/")?;
    Some(format!("{namespace}/{account}"))
}
