//! Which values of a JSON document are text: `$.customer.notes`, `items[].text`, `**.comment`.

use filter_config::schema::Definitions;
use filter_config::serde_json::{Value, json};
use filter_config::{Path, Read, Report, shown};

/// One step from the top of a document towards a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The field of this name: `.name`, `['a name']`.
    Field(String),
    /// Any field: `.*`.
    AnyField,
    /// Any element of a list: `[]`, `[*]`.
    AnyElement,
    /// The element at this place, from 0: `[2]`.
    Element(u32),
    /// Any way down, also none: `**`.
    Deep,
}

/// One step on the way to a value of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// Into the field of this name.
    Field(&'a str),
    /// Into the element at this place.
    Element(u32),
}

/// A path. It names values, and all that is below them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPath {
    /// Its steps from the top.
    pub steps: Vec<Step>,
}

/// The longest path, in bytes.
const LONGEST: usize = 512;
/// The most steps of a path, as deep as documents are read.
const MOST_STEPS: usize = 128;

impl JsonPath {
    /// Reads a path.
    ///
    /// # Errors
    /// What is wrong with it, as a message continues after showing it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() || text.len() > LONGEST {
            return Err("is not 1 to 512 bytes long");
        }
        let mut steps = Vec::new();
        let mut rest = match text.strip_prefix('$') {
            Some(rest) => rest,
            // a name may come first as if a dot stood before it
            None if text.starts_with(['.', '[']) => text,
            None => {
                let (step, rest) = name(text)?;
                steps.push(step);
                rest
            }
        };
        while !rest.is_empty() {
            let (step, after) = match rest.strip_prefix('.') {
                Some(rest) => name(rest)?,
                None => bracket(rest.strip_prefix('[').ok_or("needs a dot or a bracket behind a bracket")?)?,
            };
            // one way down is as good as two
            if step != Step::Deep || steps.last() != Some(&Step::Deep) {
                steps.push(step);
            }
            rest = after;
        }
        if steps.len() > MOST_STEPS { Err("has over 128 steps") } else { Ok(Self { steps }) }
    }

    /// Whether a value at a place is named, or is below one that is.
    #[must_use]
    pub fn covers(&self, place: &[Place]) -> bool {
        // which steps may come next: as many are open at once as the path has, however the document is nested
        let mut open: Vec<bool> = self.closed();
        open.first_mut().into_iter().for_each(|first| *first = true);
        self.pass_deep(&mut open);
        for step in place {
            if open.last() == Some(&true) {
                return true;
            }
            open = self.next(&open, *step);
        }
        open.last() == Some(&true)
    }

    /// One place for each step and one for the end.
    fn closed(&self) -> Vec<bool> {
        vec![false; self.steps.len().saturating_add(1)]
    }

    /// Whoever may go down any way may also go none.
    fn pass_deep(&self, open: &mut [bool]) {
        for (index, step) in self.steps.iter().enumerate() {
            let here = open.get(index) == Some(&true);
            if let Some(next) = open.get_mut(index.saturating_add(1)).filter(|_| here && *step == Step::Deep) {
                *next = true;
            }
        }
    }

    fn next(&self, open: &[bool], place: Place) -> Vec<bool> {
        let mut next = self.closed();
        for (index, (step, _)) in self.steps.iter().zip(open).enumerate().filter(|(_, (_, open))| **open) {
            let to = match step {
                Step::Deep => index,
                step if takes(step, place) => index.saturating_add(1),
                _ => continue,
            };
            next.get_mut(to).into_iter().for_each(|place| *place = true);
        }
        self.pass_deep(&mut next);
        next
    }
}

/// Whether a step other than `**` leads to a place.
fn takes(step: &Step, place: Place) -> bool {
    match (step, place) {
        (Step::Field(name), Place::Field(field)) => name == field,
        (Step::AnyField, Place::Field(_)) | (Step::AnyElement, Place::Element(_)) => true,
        (Step::Element(wanted), Place::Element(index)) => *wanted == index,
        _ => false,
    }
}

/// A name, and what follows it.
fn name(text: &str) -> Result<(Step, &str), &'static str> {
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    let step = match name {
        "" => return Err("has a dot without a name behind it; for any depth, write **"),
        "*" => Step::AnyField,
        "**" => Step::Deep,
        _ if name.contains(['*', ']', '\'', '"', '$']) => {
            return Err("holds a name with one of * ] ' \" $; write it as ['name']");
        }
        _ => Step::Field(name.to_owned()),
    };
    Ok((step, rest))
}

/// What stands in brackets, and what follows them.
fn bracket(text: &str) -> Result<(Step, &str), &'static str> {
    const OPEN: &str = "has a bracket that does not end";
    if let Some(quote) = text.chars().next().filter(|first| matches!(first, '\'' | '"')) {
        let inner = text.strip_prefix(quote).unwrap_or_default();
        let (name, rest) = inner.split_once(quote).ok_or(OPEN)?;
        return Ok((Step::Field(name.to_owned()), rest.strip_prefix(']').ok_or(OPEN)?));
    }
    let (inner, rest) = text.split_once(']').ok_or(OPEN)?;
    let step = match inner {
        "" | "*" => Step::AnyElement,
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Step::Element(digits.parse().map_err(|_| "has a number in brackets that is too large")?)
        }
        _ => return Err("has something else than a number, * or a quoted name in brackets"),
    };
    Ok((step, rest))
}

impl Read for JsonPath {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let text = String::read(value, at, report)?;
        let read = Self::parse(&text);
        read.map_err(|wrong| report.error(at, format!("{} {wrong}", shown(value)))).ok()
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({"type": "string", "minLength": 1, "maxLength": LONGEST})
    }
}
