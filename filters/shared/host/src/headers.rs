//! Headers of the current stream, or of the answer to a callout. Names and values are bytes: a client can send any.

use filter_request::Pairs;

use crate::{Failure, Result, abi};

/// Which headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Map {
    /// The request's.
    Request = 0,
    /// The response's.
    Response = 2,
    /// The answer's to a callout, while it is being told; to be read only.
    CalloutResponse = 6,
}

/// All headers, by one call. An answer to a callout that was cut off has none.
///
/// # Errors
/// In a phase in which the host does not hold them (the request's, while the response is on its way).
pub fn all(map: Map) -> Result<Pairs> {
    // SAFETY: both pointers are to live locals of the right type, which is all that the call asks for.
    abi::taken(|data, size| unsafe { abi::proxy_get_header_map_pairs(map as u32, data, size) })
        .map(Pairs::from_serialized)
}

/// The first value of a header; none where there is no such header.
///
/// # Errors
/// As for [`all`], and for an answer to a callout that was cut off.
pub fn get(map: Map, name: &[u8]) -> Result<Option<Vec<u8>>> {
    // SAFETY: `name` is a live slice for the length of the call; the other pointers are to live locals.
    let value = abi::taken(|data, size| unsafe {
        abi::proxy_get_header_map_value(map as u32, name.as_ptr(), name.len(), data, size)
    });
    match value {
        Ok(value) => Ok(Some(value)),
        Err(Failure::NotFound) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Makes a header the only one of its name. In the request this clears the route that was chosen, so that it is chosen
/// anew: Envoy does so at every write by a module of this ABI version.
///
/// # Errors
/// As for [`all`].
pub fn set(map: Map, name: &[u8], value: &[u8]) -> Result<()> {
    // SAFETY: both slices are live for the length of the call.
    abi::checked(unsafe {
        abi::proxy_replace_header_map_value(map as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

/// Adds a header beside any of its name.
///
/// # Errors
/// As for [`all`].
pub fn add(map: Map, name: &[u8], value: &[u8]) -> Result<()> {
    // SAFETY: both slices are live for the length of the call.
    abi::checked(unsafe {
        abi::proxy_add_header_map_value(map as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

/// Removes every copy of a header.
///
/// # Errors
/// As for [`all`].
pub fn remove(map: Map, name: &[u8]) -> Result<()> {
    // SAFETY: the slice is live for the length of the call.
    abi::checked(unsafe { abi::proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) })
}
