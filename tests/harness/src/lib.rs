//! Runs a built filter in a real Envoy.
//!
//! Everything listens on 127.0.0.1 with ports that the kernel picks, so that any number of tests can run at once.
//!
//! ```no_run
//! # async fn example() -> harness::Result<()> {
//! use harness::*;
//! use serde_json::json;
//!
//! let (v1, v2) = (Upstream::start("v1"), Upstream::start("v2"));
//! let issuer = JwtIssuer::new("https://issuer.example");
//! let plugin = WasmPlugin::new("default.canary-router", wasm_path("canary-router"))
//!     .failure_policy(FailurePolicy::FailOpen)
//!     .json(json!({"mode": "enforce"}));
//! let hosts = virtual_hosts([route_on_header("x-canary-arm", "v2", "v2"), route_to("v1")]);
//! let bootstrap = Bootstrap::new()
//!     .listener(Listener::http("main", hosts).jwt(&issuer, JwtNeed::Optional).wasm(&plugin))
//!     .cluster("v1", v1.addr())
//!     .cluster("v2", v2.addr());
//!
//! for binary in envoy_binaries() {
//!     let envoy = Envoy::start(EnvoyOptions::new(&binary, bootstrap.clone())).await?;
//!     let mut client = RawClient::connect(envoy.addr("main")).await?;
//!     let user = issuer.token(json!({"sub": "alice"}));
//!     let answer = client.send(&Request::get("/").bearer(&user)).await?;
//!     assert_eq!(answer.served_by(), "v2");
//!     envoy.update_plugin("default.canary-router", json!({"mode": "off"})).await?.accepted()?;
//!     assert!(envoy.stats().await?.counter("runtime_control_canary_decisions_total", &[("arm", "v2")]) > 0);
//! }
//! # Ok(()) }
//! ```

mod admin;
mod bootstrap;
mod client;
mod ecds;
mod envoy;
mod error;
mod http1;
mod jwt;
mod locate;
mod logs;
mod message;
mod pki;
mod process;
mod stats;
mod tcp;
mod unleash;
mod upstream;
mod wasm;

use std::future::Future;
use std::time::Duration;

pub use self::admin::Admin;
pub use self::bootstrap::{
    Bootstrap, ClientCert, JwtNeed, Listener, http2_cluster, merge, route_on_header, route_to, static_cluster,
    virtual_hosts, with_tls,
};
pub use self::client::{Endpoint, H2Client, HelloPieces, RawClient, TcpClient, client_hello, get_many, run_many};
pub use self::ecds::{EcdsFile, Update};
pub use self::envoy::{Envoy, EnvoyOptions};
pub use self::error::{Error, Result};
pub use self::jwt::JwtIssuer;
pub use self::locate::{envoy_binaries, envoy_version, wasm_path, workspace_root};
pub use self::logs::Logs;
pub use self::message::{Headers, Request, Response};
pub use self::pki::{Identity, Pki};
pub use self::process::{Process, Usage};
pub use self::stats::{Sample, Stats};
pub use self::tcp::{Taken, TcpServer};
pub use self::unleash::{FlagKind, FlagUsage, UnleashServer};
pub use self::upstream::{Ending, Recorded, Reply, Upstream};
pub use self::wasm::{FailurePolicy, PluginConfig, WasmPlugin};

/// How long anything here waits before it gives up: long enough for a busy machine.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// How often a state that sends no event (a stat, a file) is looked at.
pub(crate) const POLL: Duration = Duration::from_millis(10);

/// Runs `future` for `limit` at most; the error names what was waited for.
pub(crate) async fn within<T>(limit: Duration, what: &str, future: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(limit, future).await.map_err(|_| Error::new(format!("{what}: nothing within {limit:?}")))
}
