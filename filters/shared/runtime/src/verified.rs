//! What the proxy has verified about the current request, asked for at most once each.

use std::cell::OnceCell;

use filter_host::property;
use filter_request::{Pairs, Verified};

/// Where Istio's JWT filter (and Envoy's, with `payload_in_metadata: payload`) puts the claims of a verified token.
const CLAIMS: &[u8] = b"metadata\0filter_metadata\0envoy.filters.http.jwt_authn\0payload";
const MUTUAL_TLS: &[u8] = b"connection\0mtls";
const PEER_URI: &[u8] = b"connection\0uri_san_peer_certificate";

/// The current request's verified facts, from the host.
#[derive(Debug, Default)]
pub struct HostVerified {
    claims: OnceCell<Option<Pairs>>,
    peer: OnceCell<bool>,
}

impl Verified for HostVerified {
    fn claims(&self) -> Option<&Pairs> {
        // the whole payload is one call; its claims one by one would be one each
        self.claims.get_or_init(|| property::get(CLAIMS).map(Pairs::from_serialized)).as_ref()
    }

    fn peer(&self) -> bool {
        *self.peer.get_or_init(|| {
            let mutual = property::get(MUTUAL_TLS).is_some_and(|value| value.first() == Some(&1));
            mutual && property::get(PEER_URI).is_some_and(|uri| !uri.is_empty())
        })
    }
}
