//! Bodies of the current stream, as far as the host holds them.

use crate::{Failure, Result, abi};

/// Which body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The request's.
    Request = 0,
    /// The response's.
    Response = 1,
}

const REQUEST: u32 = 0;
const RESPONSE: u32 = 1;

/// Bytes of the request's body: at most `max`, from `start` on. Fewer where it ends before; none where none is held.
///
/// # Errors
/// When the host refuses.
pub fn request(start: usize, max: usize) -> Result<Vec<u8>> {
    buffer(REQUEST, start, max)
}

/// The same of the response's body.
///
/// # Errors
/// When the host refuses.
pub fn response(start: usize, max: usize) -> Result<Vec<u8>> {
    buffer(RESPONSE, start, max)
}

/// Bytes of one of the bodies, as [`request`].
///
/// # Errors
/// When the host refuses.
pub fn of(which: Which, start: usize, max: usize) -> Result<Vec<u8>> {
    buffer(which as u32, start, max)
}

/// Puts other bytes in place of all that the host holds of a body: `held` of them. It can be done while a body callback runs,
/// and while one for trailers does if the body's last one ended with a pause.
///
/// # Errors
/// When the host refuses, as it does at any other time.
pub fn replace(which: Which, held: usize, bytes: &[u8]) -> Result<()> {
    // SAFETY: the slice is live for the length of the call.
    abi::checked(unsafe { abi::proxy_set_buffer_bytes(which as u32, 0, held, bytes.as_ptr(), bytes.len()) })
}

/// Bytes of any of the host's buffers, by its number in the ABI. One that is not there reads as an empty one.
pub(crate) fn buffer(number: u32, start: usize, max: usize) -> Result<Vec<u8>> {
    // a range that ends beyond what can be counted is refused, not shortened
    let max = max.min(usize::MAX - start);
    // SAFETY: both pointers are to live locals of the right type.
    let read = abi::taken(|data, size| unsafe { abi::proxy_get_buffer_bytes(number, start, max, data, size) });
    match read {
        Err(Failure::NotFound | Failure::Empty) => Ok(Vec::new()),
        other => other,
    }
}
