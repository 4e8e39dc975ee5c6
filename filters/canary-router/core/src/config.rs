//! The configuration of an instance, as a whole. [`crate::load()`] says what runs of it.

use filter_config::{Entries, object};
use filter_request::{HeaderName, Source, Trust};

use crate::rule::Rule;
use crate::written::{Anonymous, ArmCaching, Mode};

/// The header that carries the arm where no other is configured.
pub const DEFAULT_ARM_HEADER: &str = "x-canary-arm";

object! {
    /// The configuration of canary-router.
    pub struct Config {
        /// The request header that carries the arm. This instance owns it.
        "armHeader" arm_header: HeaderName = DEFAULT_ARM_HEADER;
        /// From whom a value of the arm header is taken over.
        "trust" trust: Trust = "edge";
        /// What is done with decisions; a rule's own mode can only be weaker.
        "mode" mode: Mode = "enforce";
        /// Where a user's id may stand; the first that has one counts.
        "identity" identity: Vec<Source> = [];
        /// Gives visitors without an id one of their own.
        "anonymous" anonymous: Option<Anonymous>;
        /// Whether responses tell arm and reason (`x-canary-arm`, `x-canary-reason`).
        "echo" echo: bool = false;
        /// What responses say to caches about depending on an arm.
        "armCaching" arm_caching: ArmCaching = "unmarked";
        /// The rules; the first that matches a request counts.
        "rules" rules: Entries<Rule> = [];
    }
}
