//! A Kubernetes Service, and how the proxy calls the cluster that leads to it.

use crate::{Whole, object};

object! {
    /// A Kubernetes Service.
    pub struct Service {
        /// Its name.
        "name" name: String;
        /// Its namespace.
        "namespace" namespace: String;
        /// Its port.
        "port" port: Whole<1, 65535>;
        /// The domain of the cluster's services.
        "domain" domain: String = "cluster.local";
    }
}

impl Service {
    /// Its full host name.
    #[must_use]
    pub fn host(&self) -> String {
        format!("{}.{}.svc.{}", self.name, self.namespace, self.domain)
    }

    /// The name of the proxy's cluster that leads to it, as Istio makes it of a service.
    #[must_use]
    pub fn cluster(&self) -> String {
        format!("outbound|{}||{}", self.port.0, self.host())
    }

    /// The `:authority` of requests to it.
    #[must_use]
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host(), self.port.0)
    }
}

/// The `:authority` of requests to a cluster: the last part of `outbound|443||eu.unleash.example` is a host.
#[must_use]
pub fn authority_of_cluster(cluster: &str) -> &str {
    cluster.rsplit('|').next().unwrap_or_default()
}
