//! The proxy-wasm host calls (ABI 0.2.1), each answering with a result.
//!
//! The SDK's own wrappers panic where a host answers with anything but success, and a panic kills the VM with every stream
//! of its worker. So the filters call the host here and nowhere else; clippy's `disallowed-methods` sees to it. The SDK is
//! left with what it does soundly: the exports, and which context a callback is for. The one call of its that stays is a
//! callout's, see [`callout`].

mod abi;
pub mod body;
pub mod callout;
pub mod connection;
pub mod headers;
pub mod local;
pub mod log;
pub mod metric;
pub mod plugin;
pub mod property;
pub mod shared;
pub mod time;

use std::fmt;

/// A host call that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is no such thing.
    NotFound,
    /// The host refused an argument, or the call at this moment.
    BadArgument,
    /// There is such a thing, but nothing in it.
    Empty,
    /// What was to be replaced has changed since it was read.
    CasMismatch,
    /// The host could not do it: a callout to a cluster without hosts, or a call that its policy forbids.
    InternalFailure,
    /// Any other status, by its number in the ABI.
    Other(u32),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("not found"),
            Self::BadArgument => f.write_str("refused by the host"),
            Self::Empty => f.write_str("empty"),
            Self::CasMismatch => f.write_str("changed since it was read"),
            Self::InternalFailure => f.write_str("the host could not do it"),
            Self::Other(status) => write!(f, "host status {status}"),
        }
    }
}

impl std::error::Error for Failure {}

/// What a host call answers.
pub type Result<T> = std::result::Result<T, Failure>;
