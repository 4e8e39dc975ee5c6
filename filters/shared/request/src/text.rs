//! How text is compared: Istio's `StringMatch`, on bytes.

use filter_config::schema::Definitions;
use filter_config::{Key, Path, Read, Report, object, serde_json::Value, serde_json::json, shown};
use regex_lite::{Regex, RegexBuilder};

/// A header's name, in lower case as a proxy hands it over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeaderName(String);

impl HeaderName {
    /// Reads a name: a token of RFC 9110, in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        (!text.is_empty() && text.bytes().all(token)).then(|| Self(text.to_ascii_lowercase()))
    }

    /// A name that a program's own text gives; it has to be a token in lower case, which its tests show.
    #[must_use]
    pub fn of(name: &'static str) -> Self {
        debug_assert!(Self::parse(name).is_some_and(|parsed| parsed.as_str() == name), "{name}");
        Self(name.to_owned())
    }

    /// The name as text, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Key for HeaderName {
    fn from_key(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "is not a header name: letters, digits and !#$%&'*+-.^_`|~".to_owned())
    }
}

impl Read for HeaderName {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let text = String::read(value, at, report)?;
        let read = Self::from_key(&text);
        read.map_err(|wrong| report.error(at, format!("{} {wrong}", shown(value)))).ok()
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({"type": "string", "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"})
    }
}

/// A regular expression that has to match the whole text, as RE2 does it in Envoy.
///
/// The engine takes time linear in the text. It knows no Unicode classes (`\p{…}`); text that is not UTF-8 never matches.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

/// The most memory one compiled expression may take, in bytes. A bomb such as `(a{1000}){1000}` is refused by it.
const PATTERN_SIZE: usize = 1 << 20;
/// How deep groups may be nested.
const PATTERN_DEPTH: u32 = 50;

impl Pattern {
    /// Compiles an expression.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn compile(text: &str) -> Result<Self, String> {
        let compile = |text: &str| {
            RegexBuilder::new(text)
                .size_limit(PATTERN_SIZE)
                .nest_limit(PATTERN_DEPTH)
                .build()
                .map_err(|e| e.to_string())
        };
        // by itself first: `a)|(b` is no expression and would be one between anchors
        compile(text)?;
        compile(&format!(r"\A(?:{text})\z")).map(Self)
    }

    fn matches(&self, text: &[u8]) -> bool {
        std::str::from_utf8(text).is_ok_and(|text| self.0.is_match(text))
    }
}

impl Read for Pattern {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let text = String::read(value, at, report)?;
        let read = Self::compile(&text);
        read.map_err(|wrong| report.error(at, format!("{} is not a regular expression: {wrong}", shown(value)))).ok()
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({"type": "string", "format": "regex"})
    }
}

object! {
    /// How a text is compared, as Istio's `StringMatch`.
    pub struct StringMatch {
        /// The whole text, case and all.
        "exact" exact: Option<String>;
        /// Its beginning.
        "prefix" prefix: Option<String>;
        /// A regular expression (RE2) for the whole text.
        "regex" regex: Option<Pattern>;
    }
    exactly one of ["exact", "prefix", "regex"]
}

impl StringMatch {
    /// Whether a text matches. `ignore_case` (ASCII) holds for `exact` and `prefix`, as in Istio.
    #[must_use]
    pub fn matches(&self, text: &[u8], ignore_case: bool) -> bool {
        compare(self.exact.as_deref(), self.prefix.as_deref(), self.regex.as_ref(), text, ignore_case)
    }
}

object! {
    /// How a header, cookie or query parameter is compared, as Istio's `StringMatch`. `{}` asks only that it is there.
    pub struct HeaderMatch {
        /// The whole value, case and all.
        "exact" exact: Option<String>;
        /// Its beginning.
        "prefix" prefix: Option<String>;
        /// A regular expression (RE2) for the whole value.
        "regex" regex: Option<Pattern>;
        /// Whether it has to be there (`true`) or missing (`false`), whatever its value.
        "present" present: Option<bool>;
    }
    at most one of ["exact", "prefix", "regex", "present"]
}

impl HeaderMatch {
    /// Whether a value, or its absence, matches.
    #[must_use]
    pub fn matches(&self, value: Option<&[u8]>) -> bool {
        match (self.present, value) {
            (Some(present), value) => value.is_some() == present,
            (None, None) => false,
            (None, Some(value)) => {
                compare(self.exact.as_deref(), self.prefix.as_deref(), self.regex.as_ref(), value, false)
            }
        }
    }
}

fn compare(exact: Option<&str>, prefix: Option<&str>, regex: Option<&Pattern>, text: &[u8], ignore_case: bool) -> bool {
    let equal = |left: &[u8], right: &[u8]| if ignore_case { left.eq_ignore_ascii_case(right) } else { left == right };
    if let Some(exact) = exact {
        equal(text, exact.as_bytes())
    } else if let Some(prefix) = prefix {
        text.split_at_checked(prefix.len()).is_some_and(|(start, _)| equal(start, prefix.as_bytes()))
    } else if let Some(regex) = regex {
        regex.matches(text)
    } else {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: Read>(value: Value) -> Result<T, String> {
        let mut report = Report::default();
        T::read(&value, &Path::Root, &mut report)
            .ok_or_else(|| report.errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn text_is_compared_as_istio_does() {
        let cases = [
            (json!({"exact": "/a"}), "/a", true),
            (json!({"exact": "/a"}), "/A", false),
            (json!({"prefix": "/a"}), "/ab", true),
            (json!({"prefix": "/ab"}), "/a", false),
            (json!({"prefix": ""}), "", true),
            (json!({"regex": "/a|/b"}), "/b", true),
            (json!({"regex": "/a"}), "/ab", false),
            (json!({"regex": "/a"}), "x/a", false),
            (json!({"regex": "(?i)/A"}), "/a", true),
            (json!({"regex": ".*"}), "", true),
        ];
        for (written, text, matches) in cases {
            let compare: StringMatch = read(written.clone()).unwrap();
            assert_eq!(compare.matches(text.as_bytes(), false), matches, "{written} {text}");
        }
        let any: StringMatch = read(json!({"regex": ".*"})).unwrap();
        assert!(!any.matches(b"\xff", false));
    }

    #[test]
    fn headers_may_be_asked_for_by_presence() {
        let cases = [
            (json!({}), Some("x"), true),
            (json!({}), None, false),
            (json!({"present": true}), Some(""), true),
            (json!({"present": false}), None, true),
            (json!({"present": false}), Some("x"), false),
            (json!({"exact": ""}), None, false),
        ];
        for (written, value, matches) in cases {
            let compare: HeaderMatch = read(written.clone()).unwrap();
            assert_eq!(compare.matches(value.map(str::as_bytes)), matches, "{written} {value:?}");
        }
    }

    #[test]
    fn wrong_expressions_are_refused_with_the_reason() {
        for written in ["a)|(b", "(", "(a{1000}){1000}", r"\p{Lu}", "(?x)a#"] {
            let error = read::<Pattern>(json!(written)).unwrap_err();
            assert!(error.contains("is not a regular expression"), "{written}: {error}");
        }
        assert_eq!(
            read::<HeaderName>(json!("@request.auth.claims.sub")).unwrap_err(),
            "@request.auth.claims.sub is not a header name: letters, digits and !#$%&'*+-.^_`|~"
        );
    }
}
