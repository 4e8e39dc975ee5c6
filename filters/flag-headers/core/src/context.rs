//! What a flag is evaluated for: the context of one request, or of one OFREP call.

use std::borrow::Cow;
use std::collections::HashMap;

use filter_request::{Identity, Request, Source, Verified, resolve};
use unleash_yggdrasil::state::{EnrichedContext, PropertiesRef};

use crate::inspect::Needs;
use crate::load::Settings;

/// Unleash's context. Text that is empty or not UTF-8 counts as none: an empty id would put all users without one into the
/// same bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context<'c> {
    /// The user's id.
    pub user_id: Option<Cow<'c, str>>,
    /// The session's id.
    pub session_id: Option<Cow<'c, str>>,
    /// The environment.
    pub environment: Option<Cow<'c, str>>,
    /// The application.
    pub app_name: Option<Cow<'c, str>>,
    /// The time (RFC 3339); none for now.
    pub current_time: Option<Cow<'c, str>>,
    /// The client's address, without port.
    pub remote_address: Option<Cow<'c, str>>,
    /// The proxy's host name, for the strategy `applicationHostname`.
    pub hostname: Option<Cow<'c, str>>,
    /// Everything else.
    pub properties: HashMap<Cow<'c, str>, Cow<'c, str>>,
}

impl Context<'_> {
    pub(crate) fn of_flag<'e>(&'e self, flag: &'e str) -> EnrichedContext<'e> {
        EnrichedContext {
            user_id: self.user_id.as_deref(),
            session_id: self.session_id.as_deref(),
            environment: self.environment.as_deref(),
            app_name: self.app_name.as_deref(),
            current_time: self.current_time.as_deref(),
            remote_address: self.remote_address.as_deref(),
            properties: Some(PropertiesRef::Cows(&self.properties)).filter(|_| !self.properties.is_empty()),
            external_results: None,
            toggle_name: flag,
            runtime_hostname: self.hostname.as_deref(),
        }
    }
}

/// What a proxy knows beside the request's headers.
pub trait Proxy: Verified {
    /// The client's address, perhaps with a port.
    fn remote_address(&self) -> Option<String>;
}

/// The context of a request, as far as any flag needs it.
#[must_use]
pub fn of_request<'c>(
    settings: &'c Settings,
    needs: &'c Needs,
    request: &Request<'c>,
    proxy: &dyn Proxy,
) -> Context<'c> {
    let found = |source: &Source| resolve(std::slice::from_ref(source), request, proxy).and_then(text);
    let mut context = settings.context();
    if needs.user_id {
        context.user_id = resolve(&settings.identity, request, proxy).and_then(text);
    }
    if needs.session_id {
        context.session_id = settings.session_id.as_ref().and_then(found);
    }
    if needs.remote_address && settings.remote_address {
        context.remote_address = proxy.remote_address().map(|address| Cow::Owned(without_port(&address).to_owned()));
    }
    let wanted = settings.properties.iter().filter(|(name, _)| needs.properties.contains(name));
    context.properties =
        wanted.filter_map(|(name, source)| Some((Cow::Borrowed(name.as_str()), found(source)?))).collect();
    context
}

fn text(identity: Identity<'_>) -> Option<Cow<'_, str>> {
    match identity.id {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    }
}

/// The address of `10.0.0.1:4711` and `[::1]:4711`.
fn without_port(address: &str) -> &str {
    if let Some(bracketed) = address.strip_prefix('[') {
        return bracketed.split(']').next().unwrap_or_default();
    }
    match address.rsplit_once(':') {
        Some((host, _)) if !host.contains(':') => host,
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lose_their_port() {
        let cases =
            [("10.0.0.1:4711", "10.0.0.1"), ("10.0.0.1", "10.0.0.1"), ("[::1]:80", "::1"), ("::1", "::1"), ("", "")];
        for (address, expected) in cases {
            assert_eq!(without_port(address), expected);
        }
    }
}
