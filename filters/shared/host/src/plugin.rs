//! What the host tells a plugin about itself.

use crate::{Result, body, property};

const PLUGIN_CONFIGURATION: u32 = 7;

/// The plugin's configuration. To be asked for while it is being configured.
///
/// # Errors
/// At any other time.
pub fn configuration() -> Result<Vec<u8>> {
    // no configuration at all is an empty one
    body::buffer(PLUGIN_CONFIGURATION, 0, usize::MAX)
}

/// The plugin's name, as the proxy was given it; Istio gives `namespace.name`.
#[must_use]
pub fn name() -> String {
    property::get(b"plugin_name").map(|name| String::from_utf8_lossy(&name).into_owned()).unwrap_or_default()
}
