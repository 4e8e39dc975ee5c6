//! [`object!`] and [`choice!`]: a type, its reader and its schema from one declaration.

use serde_json::{Map, Value};

use crate::read::map;
use crate::{Mistake, Path, Read, Report};

/// Declares a configuration object: the struct, its reader and its schema.
///
/// Each field is `"nameInJson" name_in_rust: Type;`, with `= default` where it may be left out: the JSON that a user would
/// write to say the same. An `Option` may always be left out, and `null` is the same as left out. `exactly one of [..]` or
/// `at most one of [..]` after the struct says which fields exclude each other.
#[macro_export]
macro_rules! object {
    (
        $(#[doc = $doc:literal])*
        $visibility:vis struct $name:ident {
            $(
                $(#[doc = $field_doc:literal])*
                $json:literal $field:ident : $type:ty $(= $default:tt)? ;
            )*
        }
        $( exactly one of [$($exactly:literal),+] )?
        $( at most one of [$($most:literal),+] )?
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug)]
        $visibility struct $name {
            $( $(#[doc = $field_doc])* pub $field: $type, )*
        }

        impl $crate::Read for $name {
            fn read(
                value: &$crate::serde_json::Value,
                at: &$crate::Path,
                report: &mut $crate::Report,
            ) -> Option<Self> {
                let fields = $crate::Fields::open(value, at, &[$($json),*], report)?;
                #[allow(unused_mut)]
                let mut sound = true;
                $( sound &= fields.exclude(&[$($exactly),+], true, at, report); )?
                $( sound &= fields.exclude(&[$($most),+], false, at, report); )?
                // every field is read before any is given up on, so that all mistakes are told
                $( let $field: Option<$type> = fields.field($json, at, report, {
                    #[allow(unused_mut, unused_assignments)]
                    let mut default: Option<$crate::serde_json::Value> = None;
                    $( default = Some($crate::serde_json::json!($default)); )?
                    default
                }); )*
                if !sound { return None; }
                Some(Self { $( $field: $field?, )* })
            }

            fn schema(definitions: &mut $crate::schema::Definitions) -> $crate::serde_json::Value {
                definitions.define(stringify!($name), |definitions| {
                    let mut object = $crate::schema::Object::new($crate::document(&[$($doc),*]));
                    $(
                        #[allow(unused_mut, unused_assignments)]
                        let mut default: Option<$crate::serde_json::Value> = None;
                        $( default = Some($crate::serde_json::json!($default)); )?
                        let required = default.is_none() && <$type as $crate::Read>::absent().is_none();
                        let schema = <$type as $crate::Read>::schema(definitions);
                        object.field($json, $crate::document(&[$($field_doc),*]), required, default, schema);
                    )*
                    $( object.exclude(&[$($exactly),+], true); )?
                    $( object.exclude(&[$($most),+], false); )?
                    object.finish()
                })
            }
        }
    };
}

/// Declares a closed set of words: the enum, its reader and its schema.
#[macro_export]
macro_rules! choice {
    (
        $(#[doc = $doc:literal])*
        $visibility:vis enum $name:ident {
            $( $(#[doc = $word_doc:literal])* $variant:ident = $word:literal ),+ $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $visibility enum $name { $( $(#[doc = $word_doc])* $variant ),+ }

        impl $name {
            /// Every word of the set, in order of declaration.
            pub const ALL: &'static [Self] = &[$( Self::$variant ),+];

            /// The word as it is written.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word ),+ }
            }
        }

        impl $crate::Read for $name {
            fn read(
                value: &$crate::serde_json::Value,
                at: &$crate::Path,
                report: &mut $crate::Report,
            ) -> Option<Self> {
                let found = $crate::word(value)
                    .and_then(|text| Self::ALL.iter().copied().find(|word| word.as_str() == text));
                if found.is_none() {
                    report.error(at, format!(
                        "{} is not one of {}",
                        $crate::shown(value),
                        [$( $word ),+].join(", "),
                    ));
                }
                found
            }

            fn schema(_: &mut $crate::schema::Definitions) -> $crate::serde_json::Value {
                $crate::schema::words($crate::document(&[$($doc),*]), &[
                    $( ($word, $crate::document(&[$($word_doc),*])) ),+
                ])
            }
        }
    };
}

/// The word that a value stands for. YAML 1.1, and so `kubectl`, reads a bare `off` as false: a kill switch that worked in
/// quotes only would be none.
#[must_use]
pub fn word(value: &Value) -> Option<&str> {
    if *value == Value::Bool(false) { Some("off") } else { value.as_str() }
}

/// The lines of a doc comment as one text.
#[must_use]
pub fn document(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// The fields of one object while it is read. Used by [`object!`].
#[derive(Debug)]
pub struct Fields<'v> {
    fields: &'v Map<String, Value>,
}

impl<'v> Fields<'v> {
    /// Opens an object and notes the fields that nothing reads.
    pub fn open(value: &'v Value, at: &Path, known: &[&str], report: &mut Report) -> Option<Self> {
        let fields = map(value, at, report)?;
        for name in fields.keys().filter(|name| !known.contains(&name.as_str())) {
            let message = format!("unknown field; known here: {}", known.join(", "));
            report.unknown.push(Mistake::new(&at.field(name), message));
        }
        Some(Self { fields })
    }

    fn get(&self, name: &str) -> Option<&'v Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// Checks that exactly (or at most) one of some fields is there.
    pub fn exclude(&self, names: &[&str], exactly: bool, at: &Path, report: &mut Report) -> bool {
        let present: Vec<&str> = names.iter().copied().filter(|name| self.get(name).is_some()).collect();
        match present.as_slice() {
            [_] => true,
            [] if !exactly => true,
            [] => {
                report.error(at, format!("holds none of {}; one is needed", names.join(", ")));
                false
            }
            several => {
                report.error(at, format!("{} exclude each other; keep one", several.join(" and ")));
                false
            }
        }
    }

    /// Reads one field, or what stands for it when it is not there.
    pub fn field<T: Read>(&self, name: &str, at: &Path, report: &mut Report, default: Option<Value>) -> Option<T> {
        let at = at.field(name);
        match self.get(name).or(default.as_ref()) {
            Some(value) => T::read(value, &at, report),
            None => {
                let value = T::absent();
                if value.is_none() {
                    report.error(&at, "is missing");
                }
                value
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    choice! {
        /// What is done.
        pub enum Mode {
            /// Nothing.
            Off = "off",
            /// All of it.
            Enforce = "enforce",
        }
    }

    object! {
        /// How text is compared.
        pub struct Compare {
            /// The whole text.
            "exact" exact: Option<String>;
            /// Its beginning.
            "prefix" prefix: Option<String>;
            /// What is done.
            "mode" mode: Mode = "enforce";
        }
        exactly one of ["exact", "prefix"]
    }

    fn read(value: &Value) -> Result<Compare, Vec<String>> {
        let mut report = Report::default();
        Compare::read(value, &Path::Root, &mut report)
            .ok_or_else(|| report.errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_bare_off_is_off() {
        for off in [json!("off"), json!(false)] {
            assert_eq!(read(&json!({"exact": "a", "mode": off})).unwrap().mode, Mode::Off);
        }
        assert_eq!(read(&json!({"exact": "a", "mode": true})).unwrap_err(), ["mode: true is not one of off, enforce"]);
    }

    #[test]
    fn fields_have_defaults_and_exclude_each_other() {
        let compare = read(&json!({"exact": "a", "prefix": null})).unwrap();
        assert_eq!((compare.exact.as_deref(), compare.prefix, compare.mode), (Some("a"), None, Mode::Enforce));
        let cases = [
            (json!({}), vec!["holds none of exact, prefix; one is needed"]),
            (
                json!({"exact": 1, "prefix": "b", "mode": "on"}),
                vec![
                    "exact and prefix exclude each other; keep one",
                    "exact: 1 is not a string",
                    "mode: on is not one of off, enforce",
                ],
            ),
            (json!([]), vec!["[] is not an object"]),
        ];
        for (value, errors) in cases {
            assert_eq!(read(&value).unwrap_err(), errors);
        }
    }
}
