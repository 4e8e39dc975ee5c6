//! Durations as Istio writes them: `15s`, `1h30m`, `250ms`.
//!
//! The format is Go's `time.ParseDuration`, less its fractions and signs: decimal numbers, each with a unit of
//! `h`, `m`, `s` or `ms`.

use serde_json::{Value, json};

use crate::schema::Definitions;
use crate::{Path, Read, Report, shown};

/// A span of time, read from text such as `1h30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(std::time::Duration);

impl Duration {
    /// A span of whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }

    /// Reads text such as `1h30m`; none where it is no duration.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        let mut total = std::time::Duration::ZERO;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, after) = rest.split_at_checked(digits)?;
            let unit = after.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (unit, after) = after.split_at_checked(unit)?;
            let number: u64 = number.parse().ok()?;
            let milliseconds = number.checked_mul(match unit {
                "h" => 3_600_000,
                "m" => 60_000,
                "s" => 1_000,
                "ms" => 1,
                _ => return None,
            })?;
            total = total.checked_add(std::time::Duration::from_millis(milliseconds))?;
            rest = after;
        }
        (!text.is_empty()).then_some(Self(total))
    }
}

impl From<Duration> for std::time::Duration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

impl Read for Duration {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let read = value.as_str().and_then(Self::parse);
        if read.is_none() {
            report.error(at, format!("{} is not a duration such as 15s, 250ms or 1h30m", shown(value)));
        }
        read
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({"type": "string", "pattern": "^([0-9]+(h|m|s|ms))+$"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_istio_writes_them() {
        let cases = [
            ("15s", Some(15_000)),
            ("1h30m", Some(5_400_000)),
            ("250ms", Some(250)),
            ("8760h", Some(31_536_000_000)),
            ("0s", Some(0)),
            ("", None),
            ("15", None),
            ("s", None),
            ("-1s", None),
            ("1.5s", None),
            ("1d", None),
            ("99999999999999999999s", None),
            ("18446744073709551615h", None),
        ];
        for (text, milliseconds) in cases {
            assert_eq!(Duration::parse(text).map(|d| d.0.as_millis()), milliseconds, "{text}");
        }
    }
}
