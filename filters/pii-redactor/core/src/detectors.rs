//! Everything that one configuration looks for, ready to be asked at a place of a text: built-in kinds, custom patterns, terms that
//! are always values, values that never are, and placeholders.

use std::collections::HashSet;

use crate::{
    config::TERM as TERM_NAME,
    detect::{Entity, EntitySet, Found, Patterns, View, calm, is_sign, is_word, look},
    style::Style,
};

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A built-in kind.
    Entity(Entity),
    /// A custom pattern, by its place in the configuration.
    Custom(u16),
    /// A term of `alwaysRedact`.
    Term,
    /// What has the form of a placeholder.
    Placeholder,
}

/// A value in a text, by its place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
    /// What it is.
    pub kind: Kind,
    /// How sure that is, from 0 to 100.
    pub confidence: u8,
}

/// A pattern of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Custom {
    /// Its name, as a kind's.
    pub name: String,
    /// Words of which one has to stand before it; none for no condition. Lower case.
    pub context: Vec<String>,
    /// How sure a match is.
    pub confidence: u8,
}

/// What a byte may begin.
const WORD: u8 = 1;
const SIGN: u8 = 2;
const CUSTOM: u8 = 4;
const TERM: u8 = 8;
const PLACEHOLDER: u8 = 16;

/// See the module.
pub struct Detectors {
    wanted: EntitySet,
    minimum: u8,
    patterns: Option<Patterns>,
    custom: Vec<Custom>,
    terms: Vec<Vec<u8>>,
    never: HashSet<Vec<u8>>,
    style: Style,
    /// What each byte may begin.
    classes: [u8; 256],
    /// Whether letters and digits begin nothing but words.
    only_words: bool,
}

impl Detectors {
    /// Detectors for the kinds that are `wanted`, with at least `minimum` confidence; `custom` are the patterns' names and conditions, in
    /// their order.
    #[must_use]
    pub fn new(wanted: EntitySet, minimum: u8, patterns: Option<Patterns>, custom: Vec<Custom>, style: Style) -> Self {
        let mut detectors = Self {
            wanted,
            minimum,
            patterns,
            custom,
            terms: Vec::new(),
            never: HashSet::new(),
            style,
            classes: [0; 256],
            only_words: true,
        };
        detectors.classify();
        detectors
    }

    /// The same, with terms that are always values, and values that never are. Their case does not matter.
    #[must_use]
    pub fn with_lists(mut self, always: &[String], never: &[String]) -> Self {
        self.terms =
            always.iter().map(|term| term.trim().to_lowercase().into_bytes()).filter(|term| !term.is_empty()).collect();
        self.never = never.iter().map(|value| value.trim().to_lowercase().into_bytes()).collect();
        self.classify();
        self
    }

    /// The form of placeholders.
    #[must_use]
    pub const fn style(&self) -> &Style {
        &self.style
    }

    /// The name of a kind.
    #[must_use]
    pub fn name(&self, kind: Kind) -> &str {
        match kind {
            Kind::Entity(entity) => entity.name(),
            Kind::Custom(index) => self.custom.get(usize::from(index)).map_or("CUSTOM", |custom| &custom.name),
            Kind::Term => TERM_NAME,
            Kind::Placeholder => "PLACEHOLDER",
        }
    }

    /// The next place from `at` on, before `end`, at which a value may begin; `end` where there is none.
    #[must_use]
    pub fn next_place(&self, text: &[u8], at: usize, end: usize) -> usize {
        let text = text.get(..end).unwrap_or(text);
        let mut at = at;
        while let Some(byte) = text.get(at) {
            match self.class(*byte) {
                0 => at += 1,
                WORD => {
                    if at.checked_sub(1).and_then(|before| text.get(before)).is_some_and(|before| is_word(*before)) {
                        at += 1;
                    } else if let Some(length) = calm(text, at) {
                        at += 1 + self.quiet(text.get(at + 1..at + length).unwrap_or_default());
                    } else {
                        return at;
                    }
                }
                _ => return at,
            }
        }
        text.len()
    }

    /// How many of the bytes begin nothing, whatever stands before them: the rest of a word.
    fn quiet(&self, bytes: &[u8]) -> usize {
        if self.only_words {
            return bytes.len();
        }
        bytes.iter().position(|byte| self.class(*byte) != WORD).unwrap_or(bytes.len())
    }

    fn class(&self, byte: u8) -> u8 {
        self.classes.get(usize::from(byte)).copied().unwrap_or_default()
    }

    /// What begins at the view's place. `found` is used for the built-in kinds' answers.
    pub fn look(&self, text: &[u8], at: usize, view: &View<'_>, found: &mut Vec<Found>, hits: &mut Vec<Hit>) {
        let Some(byte) = text.get(at).copied() else { return };
        let class = self.class(byte);
        let word = !at.checked_sub(1).and_then(|before| text.get(before)).is_some_and(|before| is_word(*before));
        if class & SIGN != 0 || (class & WORD != 0 && word) {
            found.clear();
            look(view, self.wanted, found);
            hits.extend(found.iter().map(|found| Hit {
                start: at + found.start,
                end: at + found.end,
                kind: Kind::Entity(found.entity),
                confidence: found.confidence,
            }));
        }
        if class & CUSTOM != 0 {
            self.look_for_patterns(at, view, hits);
        }
        if class & TERM != 0 {
            self.look_for_terms(at, view, hits);
        }
        if class & PLACEHOLDER != 0
            && let Some(length) = self.style.at(view, |name| self.is_name(name))
        {
            hits.push(Hit { start: at, end: at + length, kind: Kind::Placeholder, confidence: 100 });
        }
    }

    /// Whether a value counts: it is sure enough, and none that never does.
    #[must_use]
    pub fn counts(&self, text: &[u8], hit: &Hit) -> bool {
        if hit.confidence < self.minimum {
            return false;
        }
        if self.never.is_empty() {
            return true;
        }
        let value = text.get(hit.start..hit.end).unwrap_or_default();
        !self.never.contains(String::from_utf8_lossy(value).to_lowercase().as_bytes())
    }

    /// Whether placeholders may have this name.
    fn is_name(&self, name: &[u8]) -> bool {
        name == TERM_NAME.as_bytes()
            || name == b"PLACEHOLDER"
            || Entity::ALL.iter().any(|entity| entity.name().as_bytes() == name)
            || self.custom.iter().any(|custom| custom.name.as_bytes() == name)
    }

    fn look_for_patterns(&self, at: usize, view: &View<'_>, hits: &mut Vec<Hit>) {
        let Some(patterns) = &self.patterns else { return };
        let mut matches = Vec::new();
        patterns.look(view, &mut matches);
        for (pattern, length) in matches {
            let Some(custom) = self.custom.get(pattern) else { continue };
            let words: Vec<&str> = custom.context.iter().map(String::as_str).collect();
            if length > 0 && (words.is_empty() || view.context(&words)) {
                let kind = Kind::Custom(u16::try_from(pattern).unwrap_or(u16::MAX));
                hits.push(Hit { start: at, end: at + length, kind, confidence: custom.confidence });
            }
        }
    }

    fn look_for_terms(&self, at: usize, view: &View<'_>, hits: &mut Vec<Hit>) {
        let longest = self.terms.iter().filter_map(|term| term_at(view, term)).max();
        if let Some(length) = longest {
            hits.push(Hit { start: at, end: at + length, kind: Kind::Term, confidence: 100 });
        }
    }

    fn classify(&mut self) {
        for byte in 0..=u8::MAX {
            let custom =
                self.patterns.as_ref().is_some_and(|patterns| patterns.first().get(usize::from(byte)) == Some(&true));
            let term =
                self.terms.iter().any(|term| term.first().is_some_and(|first| first.eq_ignore_ascii_case(&byte)));
            let class = if is_word(byte) { WORD } else { 0 }
                | if is_sign(byte) { SIGN } else { 0 }
                | if custom { CUSTOM } else { 0 }
                | if term { TERM } else { 0 }
                | if self.style.first() == Some(byte) { PLACEHOLDER } else { 0 };
            if let Some(place) = self.classes.get_mut(usize::from(byte)) {
                *place = class;
            }
        }
        self.only_words = (0..=u8::MAX).filter(|byte| is_word(*byte)).all(|byte| self.class(byte) == WORD);
    }
}

/// How long the term is that stands at the view's place: whatever its case, with any spaces for a space, and as whole words.
fn term_at(view: &View<'_>, term: &[u8]) -> Option<usize> {
    let is_space = |byte: u8| byte.is_ascii_whitespace();
    if term.first().is_some_and(|first| is_word(*first)) && view.before().is_some_and(is_word) {
        return None;
    }
    let mut length = 0;
    for byte in term {
        if is_space(*byte) {
            let spaces = view.run(length, 32, is_space);
            if spaces == 0 {
                return None;
            }
            length += spaces;
        } else if view.byte(length)?.to_ascii_lowercase() == *byte {
            length += 1;
        } else {
            return None;
        }
    }
    let whole = !term.last().is_some_and(|last| is_word(*last)) || view.ends(length);
    whole.then_some(length)
}
