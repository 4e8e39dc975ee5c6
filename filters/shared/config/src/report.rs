//! What was found wrong with a configuration, all of it.

use std::fmt;

use serde_json::Value;

use crate::Path;

/// One mistake: where, and what is wrong, in lower case, with the value and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// The place, such as `rules[0].arms[1].weight`; empty for the document itself.
    pub path: String,
    /// What is wrong there, such as `120 is over 100`.
    pub message: String,
}

impl Mistake {
    /// A mistake at a place.
    #[must_use]
    pub fn new(at: &Path, message: impl Into<String>) -> Self {
        Self { path: at.to_string(), message: message.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.path, self.message) }
    }
}

/// All that was found in one reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What makes the part that holds it unusable.
    pub errors: Vec<Mistake>,
    /// Fields that nothing reads: an error for `rcctl lint`, a warning in a proxy, where an older image must survive a
    /// newer configuration.
    pub unknown: Vec<Mistake>,
    /// What is allowed and most likely not meant.
    pub warnings: Vec<Mistake>,
}

impl Report {
    /// Notes an error.
    pub fn error(&mut self, at: &Path, message: impl Into<String>) {
        self.errors.push(Mistake::new(at, message));
    }

    /// Notes something allowed that is most likely not meant.
    pub fn warning(&mut self, at: &Path, message: impl Into<String>) {
        self.warnings.push(Mistake::new(at, message));
    }

    /// Takes over what another reading found.
    pub fn absorb(&mut self, other: Report) {
        self.errors.extend(other.errors);
        self.unknown.extend(other.unknown);
        self.warnings.extend(other.warnings);
    }

    /// Whether nothing at all was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.errors.is_empty() && self.unknown.is_empty() && self.warnings.is_empty()
    }
}

/// The longest part of a value that a message repeats, in characters.
const SHOWN: usize = 64;

/// A value as a message shows it: JSON, on one line, cut when long.
#[must_use]
pub fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) if text.chars().all(|c| c.is_ascii_graphic()) && !text.is_empty() => text.clone(),
        other => other.to_string(),
    };
    let mut cut: String = text.chars().take(SHOWN).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_shown_plainly_and_cut() {
        assert_eq!(shown(&json!("v2")), "v2");
        assert_eq!(shown(&json!("")), "\"\"");
        assert_eq!(shown(&json!("a b")), "\"a b\"");
        assert_eq!(shown(&json!({"a": [1]})), r#"{"a":[1]}"#);
        assert_eq!(shown(&json!("x".repeat(200))).chars().count(), SHOWN + 1);
    }
}
