//! Data that all VMs of the proxy's process share. One namespace for all modules: keys need a prefix.

use crate::{Failure, Result, abi};

/// What stands under a key, and the number that has to be given to replace just that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The bytes.
    pub value: Vec<u8>,
    /// The number of this version; never 0.
    pub version: u32,
}

/// The version of what is not there yet: [`set`] over it loses to whoever comes first. The host takes any version where
/// nothing stands, and counts its own from 1, so that it would take years to get there.
pub const ABSENT: u32 = u32::MAX;

/// What stands under a key; none where nothing was ever stored.
///
/// # Errors
/// When the host refuses.
pub fn get(key: &str) -> Result<Option<Stored>> {
    let mut version = 0;
    // SAFETY: the key is live for the length of the call; the other pointers are to live locals.
    let value = abi::taken(|data, size| unsafe {
        abi::proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut version)
    });
    match value {
        Ok(value) => Ok(Some(Stored { value, version })),
        Err(Failure::NotFound) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Stores bytes under a key: over that version only, or over any where none is given.
///
/// # Errors
/// [`Failure::CasMismatch`] where another version stands there by now.
pub fn set(key: &str, value: &[u8], version: Option<u32>) -> Result<()> {
    // SAFETY: both slices are live for the length of the call.
    abi::checked(unsafe {
        abi::proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), version.unwrap_or(0))
    })
}
