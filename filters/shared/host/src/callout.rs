//! Requests of the filter's own, to a cluster that the proxy knows.
//!
//! The SDK panics at an answer to a callout that it did not dispatch itself: its table of them, by which it finds the
//! context to call, is closed to others. So this one call goes through the SDK. It panics at any status but success,
//! `BadArgument` and `InternalFailure`, and Envoy answers with no other where the arguments lie in the VM's memory.

use std::time::Duration;

use crate::{Failure, Result, abi, body};

const RESPONSE_BODY: u32 = 4;

/// A callout on its way: `on_http_call_response` gives the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token(pub u32);

/// Sends a request to a cluster. `:method`, `:path` and `:authority` have to be among the headers, which have to be UTF-8.
///
/// The answer comes to `on_http_call_response` of the context that sent it, and never where that is gone by then. A cluster
/// that refuses or is too late answers as well, with a 503 or 504 by the proxy. One that is cut off answers without headers.
///
/// # Errors
/// [`Failure::BadArgument`] for a cluster that the proxy does not know and for headers that can't be sent,
/// [`Failure::InternalFailure`] for a cluster without hosts. No answer comes then.
pub fn dispatch(cluster: &str, headers: &[(&[u8], &[u8])], body: &[u8], timeout: Duration) -> Result<Token> {
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| Failure::BadArgument);
    let headers = headers.iter().map(|&(name, value)| Ok((text(name)?, text(value)?))).collect::<Result<_>>()?;
    // the host reads the milliseconds as a signed number
    let timeout = timeout.min(Duration::from_millis(0x7fff_ffff));
    #[expect(clippy::disallowed_methods, reason = "only the SDK can enter a callout into its table, see above")]
    let sent = proxy_wasm::hostcalls::dispatch_http_call(cluster, headers, Some(body), Vec::new(), timeout);
    sent.map(Token).map_err(|status| abi::failure(status as u32))
}

/// Bytes of the answer's body, while it is being told: at most `max`, from `start` on. None where there are none.
///
/// # Errors
/// When the host refuses.
pub fn response_body(start: usize, max: usize) -> Result<Vec<u8>> {
    body::buffer(RESPONSE_BODY, start, max)
}
