//! The proxy's own statistics.

use crate::{Result, abi};

/// What a metric does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter = 0,
    /// Holds a value.
    Gauge = 1,
}

/// A metric of this VM's proxy. All workers that define the same name share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric(u32);

/// Defines a metric, or finds it where it is defined already.
///
/// # Errors
/// When the host refuses the name.
pub fn define(kind: Kind, name: &str) -> Result<Metric> {
    let mut id = 0;
    // SAFETY: the name is live for the length of the call; the pointer is to a live local of the right type.
    abi::checked(unsafe { abi::proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &raw mut id) })?;
    Ok(Metric(id))
}

impl Metric {
    /// Adds to a counter.
    ///
    /// # Errors
    /// When the host does not know it.
    pub fn increment(self, by: i64) -> Result<()> {
        // SAFETY: the call takes plain numbers.
        abi::checked(unsafe { abi::proxy_increment_metric(self.0, by) })
    }

    /// Sets a gauge.
    ///
    /// # Errors
    /// When the host does not know it.
    pub fn record(self, value: u64) -> Result<()> {
        // SAFETY: the call takes plain numbers.
        abi::checked(unsafe { abi::proxy_record_metric(self.0, value) })
    }
}
