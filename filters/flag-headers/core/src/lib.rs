//! What Unleash flags evaluate to in a proxy, and how that is told. Everything that flag-headers decides is decided here,
//! without a proxy in sight.
//!
//! The way of flags: Unleash's answer, or the configuration's bootstrap, is cut down by [`subset::select`] to what is
//! exposed, compiled by [`engine::Compiled`], and served as [`serve::Served`] for as long as [`sync`] says.
//!
//! The way of a request: [`boundary::admit`] takes away what a client may not send; [`decide::decide`] finds the user and
//! evaluates; [`effects::effects`] says which headers change. [`ofrep`] and [`debug`] answer
//! requests that are for the filter itself.

pub mod boundary;
pub mod config;
pub mod context;
pub mod debug;
pub mod decide;
pub mod effects;
pub mod engine;
pub mod flag;
pub mod inspect;
pub mod load;
pub mod names;
pub mod ofrep;
pub mod serve;
pub mod subset;
pub mod sync;
pub mod usage;

pub use decide::decide;
pub use load::{Loaded, Policy, load};
