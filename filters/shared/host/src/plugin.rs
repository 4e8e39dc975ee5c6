//! What the host tells a plugin about itself.

use crate::{Result, abi, property};

const PLUGIN_CONFIGURATION: u32 = 7;

/// The plugin's configuration. To be asked for while it is being configured.
///
/// # Errors
/// At any other time.
pub fn configuration() -> Result<Vec<u8>> {
    // SAFETY: both pointers are to live locals of the right type.
    let read = abi::taken(|data, size| unsafe {
        abi::proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, usize::MAX, data, size)
    });
    match read {
        // no configuration at all is an empty one
        Err(crate::Failure::NotFound | crate::Failure::Other(7)) => Ok(Vec::new()),
        other => other,
    }
}

/// The plugin's name, as the proxy was given it; Istio gives `namespace.name`.
#[must_use]
pub fn name() -> String {
    property::get(b"plugin_name").map(|name| String::from_utf8_lossy(&name).into_owned()).unwrap_or_default()
}
