//! How single values are read: text, numbers, lists, maps.

use serde_json::{Map, Value, json};

use crate::schema::Definitions;
use crate::{Path, Report, shown};

/// A type that a configuration can hold.
pub trait Read: Sized {
    /// Reads a value. Every mistake goes to `report`; none means that there is at least one.
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self>;

    /// What stands for a field that is not there; none where the field must be there.
    fn absent() -> Option<Self> {
        None
    }

    /// The JSON Schema (2020-12) of the values that [`Read::read`] takes.
    fn schema(definitions: &mut Definitions) -> Value;
}

impl Read for bool {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let read = value.as_bool();
        if read.is_none() {
            report.error(at, format!("{} is neither true nor false", shown(value)));
        }
        read
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({"type": "boolean"})
    }
}

impl Read for String {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let read = value.as_str().map(str::to_owned);
        if read.is_none() {
            report.error(at, format!("{} is not a string", shown(value)));
        }
        read
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({"type": "string"})
    }
}

/// A whole number within bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Whole<const LEAST: u64, const MOST: u64>(pub u64);

impl<const LEAST: u64, const MOST: u64> Read for Whole<LEAST, MOST> {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let read = value.as_u64().filter(|number| (LEAST..=MOST).contains(number));
        if read.is_none() {
            report.error(at, format!("{} is not a whole number from {LEAST} to {MOST}", shown(value)));
        }
        read.map(Self)
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({"type": "integer", "minimum": LEAST, "maximum": MOST})
    }
}

/// Any JSON, to be looked at later.
impl Read for Value {
    fn read(value: &Value, _: &Path, _: &mut Report) -> Option<Self> {
        Some(value.clone())
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({})
    }
}

impl<T: Read> Read for Option<T> {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        T::read(value, at, report).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn schema(definitions: &mut Definitions) -> Value {
        T::schema(definitions)
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let list = list(value, at, report)?;
        let read: Vec<Option<T>> =
            list.iter().enumerate().map(|(index, item)| T::read(item, &at.index(index), report)).collect();
        read.into_iter().collect()
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({"type": "array", "items": T::schema(definitions)})
    }
}

/// What can stand as a field's name in a [`Keyed`] object.
pub trait Key: Sized {
    /// Reads the name; the error says what is allowed.
    ///
    /// # Errors
    /// What is wrong with the name, as a message continues after showing it: `is not …`.
    fn from_key(text: &str) -> Result<Self, String>;
}

impl Key for String {
    fn from_key(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("is empty".to_owned()) } else { Ok(text.to_owned()) }
    }
}

/// An object whose field names the user chooses, in sorted order, such as matches by header name.
#[derive(Clone, Debug)]
pub struct Keyed<K, T>(pub Vec<(K, T)>);

impl<K: Key, T: Read> Read for Keyed<K, T> {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let read: Vec<Option<(K, T)>> = map(value, at, report)?
            .iter()
            .map(|(name, item)| {
                let at = at.field(name);
                let key = K::from_key(name).map_err(|wrong| report.error(&at, wrong)).ok();
                let item = T::read(item, &at, report);
                Some((key?, item?))
            })
            .collect();
        read.into_iter().collect::<Option<Vec<_>>>().map(Self)
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({"type": "object", "additionalProperties": T::schema(definitions)})
    }
}

fn list<'v>(value: &'v Value, at: &Path, report: &mut Report) -> Option<&'v Vec<Value>> {
    let read = value.as_array();
    if read.is_none() {
        report.error(at, format!("{} is not a list", shown(value)));
    }
    read
}

pub(crate) fn map<'v>(value: &'v Value, at: &Path, report: &mut Report) -> Option<&'v Map<String, Value>> {
    let read = value.as_object();
    if read.is_none() {
        report.error(at, format!("{} is not an object", shown(value)));
    }
    read
}

/// A list whose elements are read each on its own, so that one that is wrong harms no other.
pub type Entries<T> = Vec<Entry<T>>;

/// One element of a list of [`Entries`]: as it was written, and what came of reading it.
#[derive(Clone, Debug)]
pub struct Entry<T> {
    /// The element as written.
    pub written: Value,
    /// The element as read; none where it has errors.
    pub read: Option<T>,
    /// What was found in it.
    pub report: Report,
}

impl<T: Read> Read for Entry<T> {
    fn read(value: &Value, at: &Path, _: &mut Report) -> Option<Self> {
        let mut report = Report::default();
        let read = T::read(value, at, &mut report);
        Some(Self { written: value.clone(), read, report })
    }

    fn schema(definitions: &mut Definitions) -> Value {
        T::schema(definitions)
    }
}

/// A name that can stand in a metric's label, a header's value and a file's name alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// The longest name, in bytes.
    pub const LONGEST: usize = 63;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name for what has none itself: a word of the program's own, and a number.
    #[must_use]
    pub fn numbered(word: &'static str, number: usize) -> Self {
        let name = format!("{word}.{number}");
        debug_assert!(Self::allows(&name), "{name}");
        Self(name)
    }

    /// Whether a text is such a name.
    #[must_use]
    pub fn allows(text: &str) -> bool {
        (1..=Self::LONGEST).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    }
}

impl Read for Name {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let text = String::read(value, at, report)?;
        if Self::allows(&text) {
            return Some(Self(text));
        }
        report.error(at, format!("{} is not a name: 1 to 63 of a-z A-Z 0-9 . _ -", shown(value)));
        None
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({"type": "string", "pattern": "^[A-Za-z0-9._-]{1,63}$"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: Read>(value: Value) -> (Option<T>, Vec<String>) {
        let mut report = Report::default();
        let read = T::read(&value, &Path::Root.field("f"), &mut report);
        (read, report.errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn all_mistakes_of_a_list_are_told() {
        let (names, errors) = read::<Vec<Name>>(json!(["ok", 7, "not ok", ""]));
        assert!(names.is_none());
        assert_eq!(
            errors,
            [
                "f[1]: 7 is not a string",
                "f[2]: \"not ok\" is not a name: 1 to 63 of a-z A-Z 0-9 . _ -",
                "f[3]: \"\" is not a name: 1 to 63 of a-z A-Z 0-9 . _ -",
            ]
        );
    }

    #[test]
    fn whole_numbers_keep_to_their_bounds() {
        for (value, expected) in [(json!(1), Some(1)), (json!(9), Some(9)), (json!(0), None), (json!(10), None)] {
            assert_eq!(read::<Whole<1, 9>>(value).0.map(|whole| whole.0), expected);
        }
        for value in [json!(-1), json!(1.5), json!("1")] {
            let told = format!("f: {} is not a whole number from 1 to 9", shown(&value));
            assert_eq!(read::<Whole<1, 9>>(value).1, [told]);
        }
    }

    #[test]
    fn a_wrong_entry_leaves_the_others_alone() {
        let (entries, errors) = read::<Entries<bool>>(json!([true, "x"]));
        let entries = entries.unwrap();
        assert!(errors.is_empty());
        assert_eq!(entries[0].read, Some(true));
        assert_eq!(entries[1].read, None);
        assert_eq!(entries[1].report.errors[0].to_string(), "f[1]: x is neither true nor false");
    }
}
