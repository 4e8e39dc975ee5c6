//! An arm's weight: a percentage with up to two decimals, counted in buckets.
//!
//! It is read as the decimal that was written, not as a binary fraction: 8.2 is 820 buckets, where `8.2 * 100.0` is
//! 819.99… and would cut off to 819.

use std::fmt;

use filter_config::schema::Definitions;
use filter_config::{Path, Read, Report, serde_json::Value, serde_json::json, shown};

/// A share of all users, from 0 to 100 %, in steps of 0.01 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight(u16);

impl Weight {
    /// The weight that takes this many buckets; none above 10,000.
    #[must_use]
    pub fn from_buckets(buckets: u16) -> Option<Self> {
        (buckets <= crate::bucket::BUCKETS).then_some(Self(buckets))
    }

    /// How many buckets it takes.
    #[must_use]
    pub fn buckets(self) -> u16 {
        self.0
    }

    /// Reads a decimal such as `8.2`; the error continues a message that shows it.
    fn parse(text: &str) -> Result<Self, &'static str> {
        const NO_NUMBER: &str = "is not a percentage such as 10 or 2.5";
        if let Some(rest) = text.strip_prefix('-') {
            return if rest.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
                Err("is under 0")
            } else {
                Self::parse(rest)
            };
        }
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(decimals) {
            return Err(NO_NUMBER);
        }
        let decimals = decimals.trim_end_matches('0');
        let hundredths: u32 = match decimals.len() {
            0 => 0,
            1 => decimals.parse::<u32>().map_err(|_| NO_NUMBER)?.saturating_mul(10),
            2 => decimals.parse().map_err(|_| NO_NUMBER)?,
            _ => return Err("has more than two decimals"),
        };
        // a number too long to hold is over 100 all the same
        let buckets = whole.parse::<u32>().unwrap_or(u32::MAX).saturating_mul(100).saturating_add(hundredths);
        u16::try_from(buckets).ok().and_then(Self::from_buckets).ok_or("is over 100")
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, hundredths) = (self.0 / 100, self.0 % 100);
        match (hundredths, hundredths % 10) {
            (0, _) => write!(f, "{whole}"),
            (_, 0) => write!(f, "{whole}.{}", hundredths / 10),
            _ => write!(f, "{whole}.{hundredths:02}"),
        }
    }
}

impl Read for Weight {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let text = match value {
            Value::Number(number) => number.to_string(),
            other => {
                report.error(at, format!("{} is not a number", shown(other)));
                return None;
            }
        };
        // numbers of 1e16 and more are written with an exponent
        let text = if text.contains(['e', 'E']) && !text.contains('-') { "1000".to_owned() } else { text };
        Self::parse(&text).map_err(|wrong| report.error(at, format!("{} {wrong}", shown(value)))).ok()
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({"type": "number", "minimum": 0, "maximum": 100})
    }
}
