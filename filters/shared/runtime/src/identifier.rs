//! Numbers that name one among many: a VM, an entry. They are no secrets.

use std::time::SystemTime;

use filter_host::time::now;

/// A number that nobody else has; by the clock where the host gives no randomness.
#[must_use]
pub fn random_id() -> u64 {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_ne_bytes(bytes),
        Err(_) => by_clock(now()),
    }
}

/// Nanoseconds, of which two VMs hardly share one.
fn by_clock(now: SystemTime) -> u64 {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// A number as 16 hex digits.
#[must_use]
pub fn hex_id(id: u64) -> String {
    format!("{id:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn hex_has_sixteen_digits() {
        assert_eq!(hex_id(0xab), "00000000000000ab");
        assert_eq!(hex_id(u64::MAX), "ffffffffffffffff");
    }

    #[test]
    fn the_clock_counts_nanoseconds() {
        assert_eq!(by_clock(SystemTime::UNIX_EPOCH + Duration::new(1, 2)), 1_000_000_002);
        assert_eq!(by_clock(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), 0);
    }
}
