//! The glue that every filter stands on, between its pure core and the host: loading a configuration with last good forms
//! in shared data, metrics that cost a request nothing, what the proxy has verified about a request, which VM leads, and the
//! log.

mod configuration;
mod identifier;
mod lease;
mod logging;
mod meter;
mod shared;
mod verified;

pub use configuration::{Loader, adopt};
pub use identifier::{hex_id, random_id};
pub use lease::{Claim, Lease, claim};
pub use logging::{event, follow_host_level, install};
pub use meter::{Counter, SharedGauge, metric_name, set_gauge};
pub use shared::Store;
pub use verified::{HostVerified, peer_principal};

/// The proxy's clock.
pub use filter_host::time::now;
