//! Which arm a user gets. Everything that canary-router decides is decided here, without a proxy in sight: the same code
//! runs in the proxy, in `rcctl explain` and in the tests.
//!
//! The way of a request: [`load()`] made a [`Policy`] from the configuration; [`admit`] takes away what a client may not
//! send; [`decide()`] finds the rule, the user and the arm; [`request_effects`] and [`response_effects`] say which headers
//! change.
//!
//! To change how users fall into buckets, see [`bucket`]; how buckets are shared out among arms, see [`split`].

pub mod boundary;
pub mod bucket;
pub mod config;
pub mod decide;
pub mod effects;
pub mod load;
pub mod rule;
pub mod split;
pub mod weight;
pub mod written;

pub use boundary::{Admitted, admit};
pub use decide::{Decision, Reason, decide};
pub use effects::{HeaderChange, RequestEffects, request_effects, response_effects};
pub use load::{Loaded, Policy, load};
