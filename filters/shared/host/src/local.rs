//! An answer by the proxy itself.

use filter_request::Pairs;

use crate::{Result, abi};

/// Not a gRPC answer. Where the request was one, the host makes a gRPC status of the HTTP one.
const NO_GRPC_STATUS: i32 = -1;

/// Answers the current request at once; the callback then has to end with a pause. `details` goes to the access log as
/// `%RESPONSE_CODE_DETAILS%` and may be empty; it must not hold spaces.
///
/// # Errors
/// When the host refuses. Outside of a stream Envoy does nothing, and says that it did.
pub fn send(status: u32, headers: &[(&[u8], &[u8])], body: &[u8], details: &str) -> Result<()> {
    let pairs = Pairs::from_list(headers);
    let headers = pairs.as_serialized();
    // SAFETY: all four slices are live for the length of the call.
    abi::checked(unsafe {
        abi::proxy_send_local_response(
            status,
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            NO_GRPC_STATUS,
        )
    })
}
