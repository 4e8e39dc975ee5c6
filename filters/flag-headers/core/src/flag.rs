//! One exposed flag: its name or a prefix of names, its safe value, and what else of it is handed on.

use filter_config::schema::Definitions;
use filter_config::serde_json::{Number, Value, json};
use filter_config::{Path, Read, Report, Whole, choice, object, shown};

/// Which flags are meant: one by its name, or all whose names begin so (`ai-*`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The flag of this name.
    Name(String),
    /// Every flag of Unleash whose name begins so.
    Prefix(String),
}

impl Selector {
    /// The longest name, in bytes.
    const LONGEST: usize = 200;

    /// Whether a flag is meant.
    #[must_use]
    pub fn covers(&self, flag: &str) -> bool {
        match self {
            Self::Name(name) => name == flag,
            Self::Prefix(prefix) => flag.starts_with(prefix.as_str()),
        }
    }
}

impl Read for Selector {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let text = String::read(value, at, report)?;
        let length = (1..=Self::LONGEST).contains(&text.len());
        if !length || text.chars().any(char::is_control) {
            report.error(at, format!("{} is not a flag's name: 1 to {} bytes of text", shown(value), Self::LONGEST));
            return None;
        }
        Some(match text.strip_suffix('*') {
            Some(prefix) => Self::Prefix(prefix.to_owned()),
            None => Self::Name(text),
        })
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({"type": "string", "minLength": 1, "maxLength": Self::LONGEST})
    }
}

choice! {
    /// How the payload of a variant is read.
    pub enum PayloadType {
        /// Any text.
        String = "string",
        /// JSON.
        Json = "json",
        /// Any text; Unleash means comma separated values.
        Csv = "csv",
        /// A number of JSON.
        Number = "number",
    }
}

/// A payload, read as its type.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// Text, also comma separated values.
    Text(String),
    /// A number.
    Number(Number),
    /// JSON.
    Json(Value),
}

impl Payload {
    /// Reads what Unleash holds; none where it is not of the type.
    #[must_use]
    pub fn parse(text: &str, kind: PayloadType) -> Option<Self> {
        match kind {
            PayloadType::String | PayloadType::Csv => Some(Self::Text(text.to_owned())),
            PayloadType::Json => filter_config::serde_json::from_str(text).ok().map(Self::Json),
            PayloadType::Number => filter_config::serde_json::from_str(text.trim()).ok().map(Self::Number),
        }
    }

    fn of(value: &Value, kind: PayloadType) -> Option<Self> {
        match (kind, value) {
            (PayloadType::Json, value) => Some(Self::Json(value.clone())),
            (PayloadType::Number, Value::Number(number)) => Some(Self::Number(number.clone())),
            (PayloadType::String | PayloadType::Csv, Value::String(text)) => Some(Self::Text(text.clone())),
            _ => None,
        }
    }

    /// The payload as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.clone()),
            Self::Number(number) => Value::Number(number.clone()),
            Self::Json(value) => value.clone(),
        }
    }
}

object! {
    /// How the payload of a flag's variant is handed on.
    pub struct WrittenPayload {
        /// How it is read. What does not read so gives way to the default.
        "type" kind: PayloadType = "string";
        /// What stands for it where there is none, of that type. Without, the header is not set then.
        "default" default: Option<Value>;
        /// The longest header value, in bytes; a longer one gives way to the default.
        "maxBytes" max_bytes: Whole<1, 16_384> = 1024;
    }
}

/// How the payload of a flag's variant is handed on.
#[derive(Clone, Debug)]
pub struct PayloadSettings {
    /// How it is read.
    pub kind: PayloadType,
    /// What stands for it where there is none.
    pub default: Option<Payload>,
    /// The longest header value, in bytes.
    pub max_bytes: usize,
}

impl Read for PayloadSettings {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let WrittenPayload { kind, default, max_bytes } = WrittenPayload::read(value, at, report)?;
        let typed = default.as_ref().map(|default| Payload::of(default, kind));
        if let (Some(default), Some(None)) = (&default, &typed) {
            report.error(&at.field("default"), format!("{} is not of type {}", shown(default), kind.as_str()));
            return None;
        }
        let max_bytes = usize::try_from(max_bytes.0).unwrap_or(usize::MAX);
        Some(Self { kind, default: typed.flatten(), max_bytes })
    }

    fn schema(definitions: &mut Definitions) -> Value {
        WrittenPayload::schema(definitions)
    }
}

object! {
    /// A flag that is exposed.
    pub struct Flag {
        /// Its name, or a prefix of names and `*`.
        "name" selector: Selector;
        /// Its value where Unleash is away, or does not know it. The safe one.
        "default" default: bool = false;
        /// Whether the name of its variant is handed on.
        "variant" variant: bool = false;
        /// Hands its variant's payload on.
        "payload" payload: Option<PayloadSettings>;
    }
}
