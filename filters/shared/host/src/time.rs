//! The proxy's clock and timer.

use std::time::{Duration, SystemTime};

use crate::{Result, abi};

/// The time of day.
#[must_use]
pub fn now() -> SystemTime {
    let mut nanoseconds = 0;
    // SAFETY: the pointer is to a live local of the right type.
    match abi::checked(unsafe { abi::proxy_get_current_time_nanoseconds(&raw mut nanoseconds) }) {
        Ok(()) => SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds),
        Err(_) => SystemTime::UNIX_EPOCH,
    }
}

/// Has `on_tick` called at this period, in every worker and without traffic too.
///
/// # Errors
/// When the host refuses.
pub fn tick_every(period: Duration) -> Result<()> {
    let milliseconds = u32::try_from(period.as_millis()).unwrap_or(u32::MAX);
    // SAFETY: the call takes a plain number.
    abi::checked(unsafe { abi::proxy_set_tick_period_milliseconds(milliseconds) })
}
