//! The JSON Schema of a configuration and the table of its fields, made from the types that read it.

use serde_json::{Map, Value, json};

use crate::Read;

/// The named parts of a schema (`$defs`), collected while it is made.
#[derive(Debug, Default)]
pub struct Definitions(Map<String, Value>);

impl Definitions {
    /// Makes a named part once and refers to it.
    pub fn define(&mut self, name: &str, make: impl FnOnce(&mut Self) -> Value) -> Value {
        if !self.0.contains_key(name) {
            // holds the place, so that a part that holds itself ends
            self.0.insert(name.to_owned(), Value::Bool(true));
            let made = make(self);
            self.0.insert(name.to_owned(), made);
        }
        json!({"$ref": format!("#/$defs/{name}")})
    }
}

/// The schema of a whole configuration.
#[must_use]
pub fn document<T: Read>(title: &str) -> Value {
    let mut definitions = Definitions::default();
    let root = T::schema(&mut definitions);
    let mut schema = json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title});
    if let (Some(schema), Value::Object(root)) = (schema.as_object_mut(), root) {
        schema.extend(root);
        schema.insert("$defs".to_owned(), Value::Object(definitions.0));
    }
    schema
}

/// The schema of one object while it is made. Used by [`crate::object!`].
#[derive(Debug)]
pub struct Object {
    description: String,
    properties: Map<String, Value>,
    required: Vec<Value>,
    exclusive: Vec<Value>,
}

impl Object {
    /// An object without fields yet.
    #[must_use]
    pub fn new(description: String) -> Self {
        Self { description, properties: Map::new(), required: Vec::new(), exclusive: Vec::new() }
    }

    /// Adds a field. A reference keeps its own description beside the field's.
    pub fn field(&mut self, name: &str, description: String, required: bool, default: Option<Value>, schema: Value) {
        let mut schema = if required { schema } else { json!({"anyOf": [schema, {"type": "null"}]}) };
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("description".to_owned(), Value::String(description));
            schema.extend(default.map(|default| ("default".to_owned(), default)));
        }
        self.properties.insert(name.to_owned(), schema);
        if required {
            self.required.push(Value::String(name.to_owned()));
        }
    }

    /// Says that exactly (or at most) one of some fields is there.
    pub fn exclude(&mut self, names: &[&str], exactly: bool) {
        let there = |name: &str| json!({"required": [name], "properties": {name: {"not": {"type": "null"}}}});
        let mut cases: Vec<Value> = names.iter().map(|name| there(name)).collect();
        if !exactly {
            cases.push(json!({"not": {"anyOf": names.iter().map(|name| there(name)).collect::<Vec<_>>()}}));
        }
        self.exclusive.push(json!({"oneOf": cases}));
    }

    /// The finished schema.
    #[must_use]
    pub fn finish(self) -> Value {
        let mut schema = json!({
            "type": "object",
            "description": self.description,
            "properties": self.properties,
            "additionalProperties": false,
        });
        if let Some(schema) = schema.as_object_mut() {
            if !self.required.is_empty() {
                schema.insert("required".to_owned(), Value::Array(self.required));
            }
            if !self.exclusive.is_empty() {
                schema.insert("allOf".to_owned(), Value::Array(self.exclusive));
            }
        }
        schema
    }
}

/// The schema of a closed set of words. Used by [`crate::choice!`].
#[must_use]
pub fn words(description: String, words: &[(&str, String)]) -> Value {
    let mut cases: Vec<Value> =
        words.iter().map(|(word, meaning)| json!({"const": word, "description": meaning})).collect();
    if words.iter().any(|(word, _)| *word == "off") {
        cases.push(json!({"const": false, "description": "The same as off, which YAML 1.1 reads so."}));
    }
    json!({"description": description, "oneOf": cases})
}
