//! What the proxy has verified about the current request, asked for only when a decision needs it.

use std::cell::OnceCell;

use filter_host::property;
use filter_request::Verified;

/// Where Istio's JWT filter (and Envoy's, with `payload_in_metadata: payload`) puts the claims of a verified token, each
/// under its name.
const CLAIMS: &[u8] = b"metadata\0filter_metadata\0envoy.filters.http.jwt_authn\0payload\0";
const ISSUER: &[u8] = b"metadata\0filter_metadata\0envoy.filters.http.jwt_authn\0payload\0iss";
const MUTUAL_TLS: &[u8] = b"connection\0mtls";
const PEER_URI: &[u8] = b"connection\0uri_san_peer_certificate";

/// The identity that the peer of the current stream has proved by mutual TLS: its URI SAN, such as
/// `spiffe://cluster.local/ns/web/sa/web`. None where there is no such peer.
#[must_use]
pub fn peer_principal() -> Option<String> {
    let mutual = property::get(MUTUAL_TLS).is_some_and(|value| value.first() == Some(&1));
    let uri = property::get(PEER_URI).filter(|_| mutual)?;
    String::from_utf8(uri).ok().filter(|uri| !uri.is_empty())
}

/// The current request's verified facts, from the host.
#[derive(Debug, Default)]
pub struct HostVerified {
    issuer: OnceCell<Option<Vec<u8>>>,
    peer: OnceCell<bool>,
}

impl Verified for HostVerified {
    fn issuer(&self) -> Option<&[u8]> {
        self.issuer.get_or_init(|| property::get(ISSUER)).as_deref()
    }

    fn claim(&self, name: &str) -> Option<Vec<u8>> {
        property::get(&[CLAIMS, name.as_bytes()].concat())
    }

    fn peer(&self) -> bool {
        *self.peer.get_or_init(|| {
            let mutual = property::get(MUTUAL_TLS).is_some_and(|value| value.first() == Some(&1));
            // one that is no text is an identity as well
            mutual && property::get(PEER_URI).is_some_and(|uri| !uri.is_empty())
        })
    }
}
