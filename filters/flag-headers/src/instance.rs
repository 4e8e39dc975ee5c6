//! One configuration at work, shared by the streams that began under it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use filter_config::NothingKept;
use filter_runtime::{Loader, Store, adopt};
use flag_core::engine::Compiled;
use flag_core::serve::{Origin, Served};
use flag_core::sync::Sync;
use flag_core::{Loaded, Policy, load};

use crate::meters::Meters;
use crate::tally::Tally;

/// A policy, what it serves at the moment, and its counters.
pub(crate) struct Instance {
    pub(crate) policy: Policy,
    pub(crate) fingerprint: String,
    pub(crate) meters: Meters,
    /// Where the proxy stands with Unleash, as of the last tick.
    pub(crate) sync: RefCell<Sync>,
    /// Whether this worker asks Unleash.
    pub(crate) leads: Cell<bool>,
    serving: RefCell<Rc<Serving>>,
}

/// What is served, and how often it was.
pub(crate) struct Serving {
    pub(crate) served: Served,
    pub(crate) tally: Tally,
}

impl Serving {
    fn new(served: Served) -> Self {
        Self { tally: Tally::of(&served), served }
    }
}

impl Instance {
    /// Loads a configuration, keeps what is good of it and tells what came of it.
    pub(crate) fn configure(configuration: &[u8], plugin: &str, store: &Store) -> Self {
        let mut loaded = load(configuration, store);
        loaded.policy.settings.hostname = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
        let loader = Loader { filter: "flag_headers", version: env!("CARGO_PKG_VERSION"), plugin };
        adopt(loader, store, &loaded);
        Self::of(loaded)
    }

    /// What runs where no configuration ever came: the trust boundary of an empty one.
    pub(crate) fn unconfigured() -> Self {
        Self::of(load(b"", &NothingKept))
    }

    fn of(Loaded { policy, fingerprint, .. }: Loaded) -> Self {
        let served = Served::at_start(&policy);
        Self {
            policy,
            fingerprint,
            meters: Meters::default(),
            sync: RefCell::default(),
            leads: Cell::new(false),
            serving: RefCell::new(Rc::new(Serving::new(served))),
        }
    }

    /// What is served now. A request keeps what it began with.
    pub(crate) fn serving(&self) -> Rc<Serving> {
        Rc::clone(&self.serving.borrow())
    }

    /// Serves something else from now on.
    pub(crate) fn serve(&self, origin: Origin, compiled: Option<Rc<Compiled>>) {
        let before = self.serving();
        before.tally.flush(&before.served);
        let serving = Serving::new(Served::new(&self.policy.flags, origin, compiled));
        serving.tally.inherit(&before.tally, &before.served);
        self.serving.replace(Rc::new(serving));
    }

    pub(crate) fn flush(&self) {
        let serving = self.serving();
        serving.tally.flush(&serving.served);
        self.meters.flush();
    }
}
