//! What the proxy knows of the current stream, by path.

use crate::{Result, abi};

/// The value at a path, its segments parted by zero bytes. None where there is no such value, now or ever.
///
/// Text comes as it is, an integer as eight bytes, a boolean as one, a map as serialized pairs.
#[must_use]
pub fn get(path: &[u8]) -> Option<Vec<u8>> {
    // SAFETY: the path is live for the length of the call; the other pointers are to live locals.
    abi::taken(|data, size| unsafe { abi::proxy_get_property(path.as_ptr(), path.len(), data, size) }).ok()
}

/// The whole number at a path; none where there is none.
#[must_use]
pub fn number(path: &[u8]) -> Option<u64> {
    get(path)?.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes))
}

/// Sets a value that modules behind this one, and the access log, can read. Envoy keeps it in the stream's filter state
/// under `wasm.` and the path as a whole, so a path of one segment is one that all of them can name.
///
/// # Errors
/// Outside of a stream, and where something else stands there that may not be replaced.
pub fn set(path: &[u8], value: &[u8]) -> Result<()> {
    // SAFETY: both slices are live for the length of the call.
    abi::checked(unsafe { abi::proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) })
}
