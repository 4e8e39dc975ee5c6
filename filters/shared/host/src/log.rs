//! The proxy's log.

use crate::abi;

/// How much a line matters, by the ABI's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every step.
    Trace = 0,
    /// For developers.
    Debug = 1,
    /// What happens.
    Info = 2,
    /// What is most likely wrong.
    Warn = 3,
    /// What is wrong.
    Error = 4,
    /// What ends the filter.
    Critical = 5,
}

/// Writes a line. A host that refuses it can't be told so.
pub fn write(level: Level, line: &str) {
    // SAFETY: the text is live for the length of the call.
    let _refused = abi::checked(unsafe { abi::proxy_log(level as u32, line.as_ptr(), line.len()) });
}

/// From which level on the host keeps lines, so that others need not be made.
#[must_use]
pub fn level() -> Level {
    let mut level = 0;
    // SAFETY: the pointer is to a live local of the right type.
    let answered = abi::checked(unsafe { abi::proxy_get_log_level(&raw mut level) });
    match (answered, level) {
        (Ok(()), 0) => Level::Trace,
        (Ok(()), 1) => Level::Debug,
        (Ok(()), 3) => Level::Warn,
        (Ok(()), 4) => Level::Error,
        (Ok(()), 5..) => Level::Critical,
        (Ok(()), 2) | (Err(_), _) => Level::Info,
    }
}
