//! One configuration at work, shared by the streams that began under it.

use canary_core::{Policy, load};
use filter_config::NothingKept;
use filter_runtime::{Loader, Store, adopt};

use crate::meters::Meters;

/// A policy and its counters.
pub(crate) struct Instance {
    pub(crate) policy: Policy,
    pub(crate) meters: Meters,
}

impl Instance {
    /// Loads a configuration, keeps what is good of it and tells what came of it.
    pub(crate) fn configure(configuration: &[u8], plugin: &str) -> Self {
        let store = Store::new(plugin, FORMAT);
        let loaded = load(configuration, &store);
        let loader = Loader { filter: "canary_router", version: env!("CARGO_PKG_VERSION"), plugin };
        adopt(loader, &store, &loaded);
        Self { meters: Meters::new(&loaded.policy), policy: loaded.policy }
    }

    /// What runs where no configuration ever came: the trust boundary of an empty one.
    pub(crate) fn unconfigured() -> Self {
        let policy = load(b"", &NothingKept).policy;
        Self { meters: Meters::new(&policy), policy }
    }
}

/// The version of what is kept in shared data. To be raised when an older image could not read what a newer one keeps.
const FORMAT: u32 = 1;
