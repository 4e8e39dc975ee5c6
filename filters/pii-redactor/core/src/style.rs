//! The form of placeholders: `[{ENTITY}_{N}]` makes `[EMAIL_1]`, and tells such a one from other text.

use crate::{detect::View, vault::KEYED_LENGTH};

/// How long a placeholder may be, in bytes.
const LONGEST: usize = 128;

/// The form of placeholders, in parts: what stands before, between and behind the kind's name and the number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Style {
    before: Vec<u8>,
    between: Vec<u8>,
    after: Vec<u8>,
    named: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self { before: b"[".to_vec(), between: b"_".to_vec(), after: b"]".to_vec(), named: true }
    }
}

impl Style {
    /// Reads a form as it is written.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(written: &str) -> Result<Self, &'static str> {
        let (head, after) = written.split_once("{N}").ok_or("has to hold {N}, the number")?;
        let (before, between, named) = match head.split_once("{ENTITY}") {
            Some((before, between)) => (before, between, true),
            None => (head, "", false),
        };
        if [before, between, after].iter().any(|part| part.contains("{N}") || part.contains("{ENTITY}")) {
            return Err("may hold {ENTITY} and {N} once each, the name before the number");
        }
        let sign = |byte: Option<u8>| {
            byte.is_some_and(|byte| byte.is_ascii_punctuation() && !matches!(byte, b'"' | b'\\' | b'_'))
        };
        if !sign(before.bytes().next()) || !sign(after.bytes().last()) {
            return Err("has to begin and end with a sign, such as [ and ], by which it can be told from words");
        }
        if named && !between.bytes().any(|byte| byte.is_ascii_punctuation()) {
            return Err("needs a sign, such as _, between {ENTITY} and {N}");
        }
        if written.len() > 64
            || written.bytes().any(|byte| !(0x20..0x7f).contains(&byte) || matches!(byte, b'"' | b'\\'))
        {
            return Err("may have 64 characters of ASCII, without \" and \\");
        }
        Ok(Self { before: before.into(), between: between.into(), after: after.into(), named })
    }

    /// A placeholder.
    #[must_use]
    pub fn write(&self, name: &str, number: &str) -> Vec<u8> {
        let name = if self.named { name } else { "" };
        [&self.before, name.as_bytes(), &self.between, number.as_bytes(), &self.after].concat()
    }

    /// The byte that a placeholder begins with.
    #[must_use]
    pub fn first(&self) -> Option<u8> {
        self.before.first().copied()
    }

    /// How long what stands at the view's place is, if it has the form of a placeholder: of a name that `known` knows, in any case
    /// (models change it), and a number.
    #[must_use]
    pub fn at(&self, view: &View<'_>, known: impl Fn(&[u8]) -> bool) -> Option<usize> {
        if !view.is(0, &self.before) {
            return None;
        }
        let start = self.before.len();
        let middle = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || self.between.contains(&byte);
        let length = view.run(start, LONGEST, middle);
        // what ends the form may be a sign that its middle has as well
        let inner = if view.is(start + length, &self.after) {
            length
        } else {
            length
                .checked_sub(self.after.len())
                .filter(|inner| view.slice(start, start + length).get(*inner..) == Some(&self.after))?
        };
        let inner_bytes = view.slice(start, start + inner);
        let number = if self.named {
            let split = inner_bytes.windows(self.between.len()).rposition(|window| window == self.between)?;
            let name = inner_bytes.get(..split)?.to_ascii_uppercase();
            if !known(&name) {
                return None;
            }
            inner_bytes.get(split + self.between.len()..)?
        } else {
            inner_bytes
        };
        let is_number = match number.len() {
            KEYED_LENGTH => number.iter().all(u8::is_ascii_hexdigit),
            1..KEYED_LENGTH => number.iter().all(u8::is_ascii_digit),
            _ => false,
        };
        is_number.then_some(start + inner + self.after.len())
    }
}
