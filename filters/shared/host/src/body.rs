//! Bodies of the current stream, as far as the host holds them.

use crate::{Failure, Result, abi};

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
