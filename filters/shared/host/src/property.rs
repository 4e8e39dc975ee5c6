//! What the proxy knows of the current stream, by path.

use crate::abi;

/// The value at a path, its segments parted by zero bytes. None where there is no such value, now or ever.
///
/// Text comes as it is, an integer as eight bytes, a boolean as one, a map as serialized pairs.
#[must_use]
pub fn get(path: &[u8]) -> Option<Vec<u8>> {
    // SAFETY: the path is live for the length of the call; the other pointers are to live locals.
    abi::taken(|data, size| unsafe { abi::proxy_get_property(path.as_ptr(), path.len(), data, size) }).ok()
}
