//! Which outbound calls are allowed, and what is told of each. Everything that egress-audit decides is decided here, without a
//! proxy in sight: the same code runs in the proxy, in `rcctl` and in the tests.
//!
//! The way of a call: [`load()`] made a [`Policy`] from the configuration and the workload; [`hello`] reads what a TLS client says
//! in clear; [`decide()`] finds the host, the rule and the mode; [`event`] says what is told of it. From there events go
//! through [`audit`]: [`fold`] (repeated ones are counted), [`chain`] (each names the one before) and [`queue`] to [`otlp`].
//!
//! To change how hosts are spelled, see [`host`]; how patterns match them, [`pattern`] and [`index`]; which calls are exempt,
//! [`scope`]; what outweighs what, [`decide`](mod@decide).

pub mod audit;
pub mod chain;
pub mod config;
pub mod confusable;
pub mod decide;
pub mod denial;
pub mod event;
pub mod fold;
pub mod hello;
pub mod host;
pub mod idna;
pub mod index;
pub mod lint;
pub mod load;
pub mod otlp;
pub mod pattern;
pub mod policy;
pub mod queue;
pub mod reason;
pub mod scope;
pub mod seen;
pub mod workload;

pub use decide::{Call, Decision, Outcome, decide};
pub use load::{Loaded, load};
pub use policy::Policy;
pub use reason::Reason;
