//! What a proxy does with a configuration that is wrong in part: each part falls back on its own.
//!
//! A configuration has parts: its settings, and each of its rules by name. A part that reads well is used and kept; one
//! that does not keeps its last good form. What has no last good form is off. The kept forms live in the proxy's shared
//! data, so that they survive a new VM and a new worker, but not a new proxy.

use serde_json::Value;

use crate::{Entries, Entry, Mistake, Path, Read, Report, shown};

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

/// A list in a configuration whose elements are parts of their own, each by its `name`.
#[derive(Clone, Copy)]
pub struct PartList<'a> {
    /// The list's field, such as `rules`.
    pub field: &'a str,
    /// What one of them is called, such as `rule`.
    pub part: &'a str,
    /// What was kept of earlier configurations.
    pub kept: &'a dyn Kept,
}

/// One element of a [`PartList`].
#[derive(Clone, Debug)]
pub struct PartEntry<T> {
    /// Its place in the list.
    pub index: usize,
    /// The name as written; empty where there is none.
    pub name: String,
    /// The element as written.
    pub written: Value,
    /// What to run: what was read, or else its last good form; none where there is neither.
    pub running: Option<T>,
}

const ORDER: &str = "order";

impl PartList<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.part)
    }

    fn order(&self) -> Vec<String> {
        let order = self.kept.kept(ORDER);
        let names = order.as_ref().and_then(Value::as_array).into_iter().flatten();
        names.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn last_good<T: Read>(&self, name: &str) -> Option<T> {
        T::read(&self.kept.kept(&self.key(name))?, &Path::Root, &mut Report::default())
    }

    /// The last good forms of all elements, in their last order.
    #[must_use]
    pub fn last_good_ones<T: Read>(&self) -> Vec<T> {
        self.order().iter().filter_map(|name| self.last_good(name)).collect()
    }

    /// Says for each element what runs, and what is to be kept and forgotten. No two may have the same name.
    pub fn load<T: Read>(&self, entries: Entries<T>, keep: &mut Vec<Keep>, report: &mut Report) -> Vec<PartEntry<T>> {
        let list = Path::Root.field(self.field);
        let mut loaded: Vec<PartEntry<T>> = Vec::new();
        for (index, Entry { written, mut read, report: found }) in entries.into_iter().enumerate() {
            report.absorb(found);
            let name = written.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let first = loaded.iter().position(|other| other.name == name && !name.is_empty());
            if let Some(first) = first {
                let at = list.index(index);
                report.error(&at.field("name"), format!("{name} is also the name of {}[{first}]", self.field));
                read = None;
            }
            if read.is_some() {
                keep.push(Keep { part: self.key(&name), value: Some(written.clone()) });
            } else if first.is_none() {
                read = self.last_good(&name);
            }
            loaded.push(PartEntry { index, name, written, running: read });
        }
        let stays = |name: &String| loaded.iter().any(|entry| entry.name == *name);
        let gone = self.order().into_iter().filter(|name| !stays(name));
        keep.extend(gone.map(|name| Keep { part: self.key(&name), value: None }));
        let order: Vec<&str> = loaded.iter().map(|entry| entry.name.as_str()).collect();
        keep.push(Keep { part: ORDER.to_owned(), value: Some(Value::from(order)) });
        loaded
    }
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

/// What came of loading a configuration: the policy that runs, and all there is to tell and to keep.
#[derive(Clone, Debug)]
pub struct Loaded<P> {
    /// What to run.
    pub policy: P,
    /// How much of the configuration that is.
    pub state: ConfigState,
    /// Everything that was found.
    pub report: Report,
    /// What to keep, and to forget, for the next time.
    pub keep: Vec<Keep>,
    /// The configuration's short name.
    pub fingerprint: String,
}

/// Parses a configuration, which is an object. No configuration at all is an empty one.
pub fn parse(bytes: &[u8], report: &mut Report) -> Option<Value> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Some(Value::Object(serde_json::Map::new()));
    }
    match serde_json::from_slice(bytes) {
        Ok(value @ Value::Object(_)) => Some(value),
        Ok(other) => {
            report.error(&Path::Root, format!("{} is not an object", shown(&other)));
            None
        }
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
