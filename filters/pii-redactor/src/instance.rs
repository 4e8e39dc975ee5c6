//! One configuration at work, shared by the requests that began under it.

use filter_config::NothingKept;
use filter_host::property;
use filter_runtime::{Loader, Store, adopt, peer_principal};
use pii_core::gate::Known;
use pii_core::load;
use pii_core::plan::Policy;

use crate::meters::Meters;

/// The version of what is kept in shared data. To be raised when an older image could not read what a newer one keeps.
const FORMAT: u32 = 1;
/// Where flag-headers leaves its flags for filters of the same proxy.
const FLAGS: &[u8] = b"runtime_control.flags";

/// A policy, and all that goes with it.
pub(crate) struct Instance {
    pub(crate) policy: Policy,
    pub(crate) meters: Meters,
}

impl Instance {
    /// Loads a configuration, keeps what is good of it and tells what came of it.
    pub(crate) fn configure(configuration: &[u8], plugin: &str) -> Self {
        let store = Store::new(plugin, FORMAT);
        let loaded = load(configuration, &store, &variable);
        let loader = Loader { filter: "pii_redactor", version: env!("CARGO_PKG_VERSION"), plugin };
        adopt(loader, &store, &loaded);
        Self { policy: Policy::new(loaded.policy), meters: Meters::default() }
    }

    /// What runs where no configuration ever came: an empty one.
    pub(crate) fn unconfigured() -> Self {
        let policy = load(b"", &NothingKept, &variable).policy;
        Self { policy: Policy::new(policy), meters: Meters::default() }
    }
}

/// A variable of the proxy's environment, as the plugin was given it.
fn variable(name: &str) -> Option<Vec<u8>> {
    std::env::var(name).ok().map(String::into_bytes)
}

/// What the proxy knows of a request, for the gate.
pub(crate) struct HostKnown;

impl Known for HostKnown {
    fn flags(&self) -> Option<Vec<u8>> {
        property::get(FLAGS)
    }

    fn principal(&self) -> Option<String> {
        peer_principal()
    }
}
