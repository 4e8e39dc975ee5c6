//! Which part of Unleash's answer a proxy needs: the exposed flags, the flags they depend on, and the segments they name.
//!
//! The answer holds every flag of a project, and compiling a thousand of them would hold a worker for a quarter of a second.
//! So it is looked over once, flag by flag and without building anything, and only what is needed is kept, as JSON of the
//! same format. The format is that of `GET /api/client/features`, version 2.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::flag::Selector;

/// Why an answer is not used. Nothing of it is shown: it may hold anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It is no JSON, or not all of it is there.
    NotJson {
        /// The line at which reading ended, from 1.
        line: usize,
        /// The column.
        column: usize,
    },
    /// It has no list of flags.
    NoFeatures,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson { line, column } => write!(f, "not the json of flags, at line {line} column {column}"),
            Self::NoFeatures => f.write_str("without a list named features"),
        }
    }
}

/// Keeps what the selectors need of a document.
///
/// # Errors
/// When the document as a whole can't be read. A single flag that can't be is kept, to be told of by name later.
pub fn select(document: &[u8], selectors: &[Selector]) -> Result<String, Unusable> {
    let text = std::str::from_utf8(document).map_err(|_| Unusable::NotJson { line: 1, column: 1 })?;
    let parts = read_parts(text)?;
    let features = parts.features.ok_or(Unusable::NoFeatures)?;
    let named: Vec<(String, &RawValue)> = features.into_iter().filter_map(|raw| Some((name_of(raw)?, raw))).collect();
    let mut chosen: BTreeSet<&str> = BTreeSet::new();
    let mut parents: BTreeSet<String> = BTreeSet::new();
    for (name, raw) in named.iter().filter(|(name, _)| selectors.iter().any(|selector| selector.covers(name))) {
        chosen.insert(name);
        parents.extend(parents_of(raw));
    }
    chosen.extend(parents.iter().map(String::as_str));
    let kept: Vec<&RawValue> =
        named.iter().filter(|(name, _)| chosen.contains(name.as_str())).map(|(_, raw)| *raw).collect();
    let wanted: BTreeSet<i64> = kept.iter().flat_map(|raw| segments_of(raw)).collect();
    let segments = parts.segments.iter().copied().filter(|raw| id_of(raw).is_some_and(|id| wanted.contains(&id)));
    Ok(written(kept.iter().copied(), segments))
}

fn written<'r>(features: impl Iterator<Item = &'r RawValue>, segments: impl Iterator<Item = &'r RawValue>) -> String {
    let joined = |list: &mut dyn Iterator<Item = &'r RawValue>| list.map(RawValue::get).collect::<Vec<_>>().join(",");
    let (mut features, mut segments) = (features, segments);
    format!(r#"{{"version":2,"features":[{}],"segments":[{}]}}"#, joined(&mut features), joined(&mut segments))
}

#[derive(Default)]
pub(crate) struct Parts<'d> {
    pub(crate) features: Option<Vec<&'d RawValue>>,
    pub(crate) segments: Vec<&'d RawValue>,
}

/// The flags and segments of a document, each as the text it is.
pub(crate) fn read_parts(text: &str) -> Result<Parts<'_>, Unusable> {
    struct Document;
    impl<'de> Visitor<'de> for Document {
        type Value = Parts<'de>;
        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut parts = Parts::default();
            while let Some(key) = map.next_key::<std::borrow::Cow<str>>()? {
                match &*key {
                    "features" => parts.features = Some(map.next_value()?),
                    "segments" => parts.segments = map.next_value::<Option<Vec<&RawValue>>>()?.unwrap_or_default(),
                    _ => drop(map.next_value::<IgnoredAny>()?),
                }
            }
            Ok(parts)
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer
        .deserialize_map(Document)
        .and_then(|parts| deserializer.end().map(|()| parts))
        .map_err(|error| Unusable::NotJson { line: error.line(), column: error.column() })
}

/// One field of an object, without reading what stands behind it: in Unleash's answers names come first.
fn field<T>(raw: &RawValue, name: &'static str, read: impl FnOnce(&RawValue) -> Option<T>) -> Option<T> {
    struct Field<'o, 'de>(&'static str, &'o mut Option<&'de RawValue>);
    impl<'de> Visitor<'de> for Field<'_, 'de> {
        type Value = ();
        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some(key) = map.next_key::<std::borrow::Cow<str>>()? {
                if key == self.0 {
                    *self.1 = Some(map.next_value()?);
                    // the rest is of no interest; what the reader says of an object that goes on is not asked for
                    return Ok(());
                }
                map.next_value::<IgnoredAny>()?;
            }
            Ok(())
        }
    }
    let mut found = None;
    let _rest = serde_json::Deserializer::from_str(raw.get()).deserialize_map(Field(name, &mut found));
    found.and_then(read)
}

pub(crate) fn name_of(raw: &RawValue) -> Option<String> {
    field(raw, "name", |name| serde_json::from_str(name.get()).ok())
}

/// Whether a flag says that it is off in this environment.
pub(crate) fn is_off(raw: &RawValue) -> bool {
    field(raw, "enabled", |enabled| serde_json::from_str(enabled.get()).ok()) == Some(false)
}

fn id_of(raw: &RawValue) -> Option<i64> {
    field(raw, "id", |id| serde_json::from_str(id.get()).ok())
}

fn parents_of(raw: &RawValue) -> Vec<String> {
    let each = |raw: &RawValue| {
        let parents: Vec<&RawValue> = serde_json::from_str(raw.get()).ok()?;
        Some(
            parents
                .into_iter()
                .filter_map(|parent| field(parent, "feature", |n| serde_json::from_str(n.get()).ok()))
                .collect(),
        )
    };
    field(raw, "dependencies", each).unwrap_or_default()
}

fn segments_of(raw: &RawValue) -> Vec<i64> {
    let each = |raw: &RawValue| {
        let strategies: Vec<&RawValue> = serde_json::from_str(raw.get()).ok()?;
        let ids =
            |strategy: &RawValue| field(strategy, "segments", |ids| serde_json::from_str::<Vec<i64>>(ids.get()).ok());
        Some(strategies.into_iter().filter_map(ids).flatten().collect())
    };
    field(raw, "strategies", each).unwrap_or_default()
}

/// Reads one flag or segment as its type; none where it is not of it.
pub(crate) fn typed<T: serde::de::DeserializeOwned>(raw: &RawValue) -> Option<T> {
    std::marker::PhantomData::<T>.deserialize(&mut serde_json::Deserializer::from_str(raw.get())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use filter_config::serde_json::{Value, json};

    fn names(selectors: &[&str], document: &Value) -> (Vec<String>, Vec<i64>) {
        let selectors: Vec<Selector> = selectors
            .iter()
            .map(|name| match name.strip_suffix('*') {
                Some(prefix) => Selector::Prefix(prefix.to_owned()),
                None => Selector::Name((*name).to_owned()),
            })
            .collect();
        let subset: Value =
            serde_json::from_str(&select(document.to_string().as_bytes(), &selectors).unwrap()).unwrap();
        let text = |list: &str, key: &str| {
            subset[list].as_array().unwrap().iter().map(|item| item[key].clone()).collect::<Vec<_>>()
        };
        (
            text("features", "name").iter().map(|name| name.as_str().unwrap().to_owned()).collect(),
            text("segments", "id").iter().map(|id| id.as_i64().unwrap()).collect(),
        )
    }

    #[test]
    fn parents_and_segments_come_along() {
        let document = json!({
            "version": 2,
            "features": [
                {"strategies": [{"name": "default", "segments": [3, 4]}], "name": "child", "dependencies": [{"feature": "parent", "enabled": true}]},
                {"name": "other", "strategies": [{"name": "default", "segments": [5]}]},
                {"name": "parent", "strategies": [{"name": "default", "segments": [4]}]},
                {"name": "ai-one"}, {"name": "ai-two"}, {"name": "broken", "strategies": 7},
            ],
            "query": {"environment": "production"},
            "segments": [{"id": 5}, {"constraints": [], "id": 4}, {"id": 3, "constraints": []}],
        });
        assert_eq!(names(&["child", "gone"], &document), (vec!["child".to_owned(), "parent".to_owned()], vec![4, 3]));
        assert_eq!(names(&["ai-*"], &document), (vec!["ai-one".to_owned(), "ai-two".to_owned()], vec![]));
        assert_eq!(names(&["broken"], &document).0, ["broken"]);
        assert_eq!(names(&["*"], &document).0.len(), 6);
        assert_eq!(names(&[], &document).0.len(), 0);
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let cases: [(&[u8], Unusable); 7] = [
            (b"", Unusable::NotJson { line: 1, column: 0 }),
            (b"<html>", Unusable::NotJson { line: 1, column: 1 }),
            (b"[]", Unusable::NotJson { line: 1, column: 0 }),
            (b"{}", Unusable::NoFeatures),
            (br#"{"features": [{"name": "a"}"#, Unusable::NotJson { line: 1, column: 27 }),
            (br#"{"features": []} x"#, Unusable::NotJson { line: 1, column: 18 }),
            (b"{\"features\": [\"\xff\"]}", Unusable::NotJson { line: 1, column: 1 }),
        ];
        for (document, expected) in cases {
            assert_eq!(select(document, &[]), Err(expected), "{}", String::from_utf8_lossy(document));
        }
    }

    #[test]
    fn what_is_no_flag_is_left_out() {
        let document = br#"{"features": [1, "a", {}, {"name": 3}, {"name": "a"}], "segments": null}"#;
        let all = [Selector::Prefix(String::new())];
        assert_eq!(select(document, &all).unwrap(), r#"{"version":2,"features":[{"name": "a"}],"segments":[]}"#);
    }
}
