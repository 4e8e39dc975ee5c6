//! `rcctl schema`: the shape of a filter's configuration, for editors and for readers.

use std::fmt::Write;

use serde_json::Value;

use crate::{Outcome, filters};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The filter.
    filter: String,
    /// Prints the table of fields, as in the filter's README, in place of the schema.
    #[arg(long)]
    table: bool,
    /// Prints the schema of the events that the filter tells, in place of that of its configuration.
    #[arg(long, conflicts_with = "table")]
    event: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let filter = filters::named(&arguments.filter)?;
    let schema = if arguments.event {
        filter.event_schema.ok_or_else(|| format!("{} tells no events", filter.name))?()
    } else {
        (filter.schema)()
    };
    if arguments.table {
        print!("{}", table(&schema));
    } else {
        println!("{schema:#}");
    }
    Ok(true)
}

/// The fields of every object as Markdown tables.
fn table(schema: &Value) -> String {
    let mut text = String::new();
    let definitions = schema.get("$defs").and_then(Value::as_object);
    let root = schema.get("$ref").and_then(Value::as_str).map(referred);
    let objects = definitions.into_iter().flatten().filter(|(_, value)| value.get("properties").is_some());
    let mut objects: Vec<_> = objects.collect();
    // the configuration itself first, then its parts by name
    objects.sort_by_key(|(name, _)| (Some(name.as_str()) != root, name.as_str()));
    for (name, object) in objects {
        let description = object.get("description").and_then(Value::as_str).unwrap_or_default();
        let _written =
            write!(text, "**{}**: {description}\n\n| field | default | meaning |\n|---|---|---|\n", title(name));
        let required = object.get("required").and_then(Value::as_array);
        for (field, value) in object.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let needed = required.is_some_and(|required| required.iter().any(|name| name == field.as_str()));
            let default = if needed { "required".to_owned() } else { default(value) };
            let meaning = value.get("description").and_then(Value::as_str).unwrap_or_default();
            let _written = writeln!(text, "| `{field}` | {default} | {meaning}{} |", words(value));
        }
        text.push('\n');
    }
    text.trim_end().to_owned() + "\n"
}

fn referred(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

/// `WrittenRule` is a rule to a reader.
fn title(name: &str) -> String {
    name.strip_prefix("Written").unwrap_or(name).to_owned()
}

fn default(value: &Value) -> String {
    match value.get("default") {
        Some(default) => format!("`{default}`"),
        None => "none".to_owned(),
    }
}

/// The words of a closed set, and the object that a field holds.
fn words(value: &Value) -> String {
    let inner = value.get("anyOf").and_then(Value::as_array).and_then(|cases| cases.first()).unwrap_or(value);
    if let Some(cases) = inner.get("oneOf").and_then(Value::as_array) {
        let words = cases.iter().filter_map(|case| {
            let word = case.get("const")?.as_str()?;
            Some(format!("`{word}`: {}", case.get("description")?.as_str()?))
        });
        return format!(" {}", words.collect::<Vec<_>>().join(" "));
    }
    let reference = |value: &Value| value.get("$ref").and_then(Value::as_str).map(|name| title(referred(name)));
    let held = reference(inner)
        .or_else(|| inner.get("items").and_then(reference).map(|name| format!("list of {name}")))
        .or_else(|| inner.get("additionalProperties").and_then(reference).map(|name| format!("{name} by name")));
    held.map(|held| format!(" ({held})")).unwrap_or_default()
}
