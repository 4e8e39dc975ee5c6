//! What a proxy does with a configuration that is wrong in part: each part falls back on its own.
//!
//! A configuration has parts: its settings, and each of its rules by name. A part that reads well is used and kept; one
//! that does not keeps its last good form. What has no last good form is off. The kept forms live in the proxy's shared
//! data, so that they survive a new VM and a new worker, but not a new proxy.

use serde_json::Value;

use crate::{Mistake, Path, Report};

/// Looks up the last good form of a part.
pub trait Kept {
    /// The JSON that was kept for a part, if any.
    fn kept(&self, part: &str) -> Option<Value>;
}

/// Keeps nothing: for tools that read a configuration once.
#[derive(Clone, Copy, Debug)]
pub struct NothingKept;

impl Kept for NothingKept {
    fn kept(&self, _: &str) -> Option<Value> {
        None
    }
}

/// A part to keep as its last good form; without a value, one to forget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// The part's name.
    pub part: String,
    /// What to keep of it.
    pub value: Option<Value>,
}

crate::choice! {
    /// How much of its configuration a proxy runs.
    pub enum ConfigState {
        /// All of it.
        Ok = "ok",
        /// All but parts that are wrong: those run in their last good form, or are off.
        Partial = "partial",
        /// Nothing of it could be read; the last good one runs.
        LastGood = "last_good",
        /// Nothing of it could be used and nothing was kept; only the trust boundary holds.
        Safe = "safe",
    }
}

/// Parses a configuration. No configuration at all is an empty one.
pub fn parse(bytes: &[u8], report: &mut Report) -> Option<Value> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Some(Value::Object(serde_json::Map::new()));
    }
    match serde_json::from_slice(bytes) {
        Ok(value) => Some(value),
        Err(error) => {
            let message = format!("not json: {error}");
            report.errors.push(Mistake::new(&Path::Root, message));
            None
        }
    }
}

/// A short name for a configuration, the same in every proxy that was given the same one, whatever the order of its
/// fields: 64-bit FNV-1a (draft-eastlake-fnv) over its JSON with sorted keys, as 16 hexadecimal digits. It tells
/// configurations apart; it does not protect them.
#[must_use]
pub fn fingerprint(configuration: &Value) -> String {
    format!("{:016x}", fnv_1a(configuration.to_string().as_bytes()))
}

fn fnv_1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_fnv_1a() {
        // the published test vectors of FNV-1a, 64 bits
        assert_eq!(fnv_1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv_1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv_1a(b"foobar"), 0x8594_4171_f739_67e8);
        let one = serde_json::json!({"a": 1, "b": 2});
        assert_eq!(fingerprint(&one), fingerprint(&serde_json::from_str(r#"{ "b": 2, "a": 1 }"#).unwrap()));
    }

    #[test]
    fn what_is_no_json_says_where() {
        let mut report = Report::default();
        assert!(parse(b"{\"rules\": [,]}", &mut report).is_none());
        assert_eq!(report.errors[0].to_string(), "not json: expected value at line 1 column 12");
        assert!(parse(b" \n", &mut report).is_some());
    }
}
