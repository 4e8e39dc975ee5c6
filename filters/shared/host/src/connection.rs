//! The connection of the current stream, where the filter is one of connections and not of requests.

use crate::{Result, abi, body};

const DOWNSTREAM_DATA: u32 = 2;
const DOWNSTREAM: u32 = 2;

/// Bytes that the client has sent and the filter holds back: at most `max`, from `start` on. None where there are none.
///
/// # Errors
/// When the host refuses.
pub fn sent(start: usize, max: usize) -> Result<Vec<u8>> {
    body::buffer(DOWNSTREAM_DATA, start, max)
}

/// Lets go on what the filter holds back of the client's bytes.
///
/// # Errors
/// When the host refuses.
pub fn resume() -> Result<()> {
    // SAFETY: the call takes a plain number.
    abi::checked(unsafe { abi::proxy_continue_stream(DOWNSTREAM) })
}

/// Closes the client's connection, and with it the one to the server.
///
/// # Errors
/// When the host refuses.
pub fn close() -> Result<()> {
    // SAFETY: the call takes a plain number.
    abi::checked(unsafe { abi::proxy_close_stream(DOWNSTREAM) })
}
