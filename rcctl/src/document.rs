//! Where configurations stand: in manifests, in a local Envoy's files, or bare.

use std::path::Path;

use filter_config::Report;
use serde_json::Value;

use crate::filters::{self, Filter};

/// A configuration that was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// Whose it is.
    pub(crate) filter: &'static Filter,
    /// What holds it, such as `WasmPlugin istio-system/canary-router: `; empty for a bare one.
    pub(crate) holder: String,
    /// It, or why it can't be read.
    pub(crate) configuration: Result<Value, String>,
}

/// Reads the documents of a file, YAML or JSON. `-` is standard input.
pub(crate) fn read(path: &Path) -> Result<Vec<Value>, String> {
    let text =
        if path == Path::new("-") { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(path) };
    let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
    serde_saphyr::from_multiple::<Value>(&text)
        .map_err(|error| format!("{}: not yaml: {}", path.display(), first_line(&error.to_string())))
}

/// The one configuration of a filter in a file; of several, that of the manifest whose name is given.
pub(crate) fn only(path: &Path, filter: &Filter, manifest: Option<&str>) -> Result<Value, String> {
    let documents = read(path)?;
    let all =
        documents.iter().flat_map(|document| find(document, None)).filter(|found| found.filter.name == filter.name);
    let named = |found: &Found| {
        let name = found.holder.trim_end_matches(": ").rsplit([' ', '/']).next();
        manifest.is_none_or(|manifest| name == Some(manifest))
    };
    let mut chosen: Vec<Found> = all.filter(named).collect();
    match (chosen.pop(), chosen.as_slice()) {
        (Some(found), []) => found.configuration.map_err(|message| format!("{}: {message}", path.display())),
        (Some(last), others) => {
            let holders = others.iter().chain([&last]).map(|found| found.holder.trim_end_matches(": "));
            let holders = holders.collect::<Vec<_>>().join(", ");
            Err(format!("{}: it holds {holders}; --manifest names the one that is meant", path.display()))
        }
        (None, _) => Err(format!("{}: it has to hold a configuration of {}", path.display(), filter.name)),
    }
}

/// The mistakes of a configuration, for people.
pub(crate) fn mistakes(path: &Path, report: &Report) -> String {
    report.errors.iter().map(|error| format!("{}: {error}", path.display())).collect::<Vec<_>>().join("\nrcctl: ")
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// The configurations in a document. A manifest of something else holds none.
pub(crate) fn find(document: &Value, filter: Option<&'static Filter>) -> Vec<Found> {
    let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    match text("/kind") {
        "WasmPlugin" => of_plugin(document, "/spec", filter),
        "TrafficExtension" => of_plugin(document, "/spec/wasm", filter),
        "List" => list(document, "/items").iter().flat_map(|item| find(item, filter)).collect(),
        "" if document.get("resources").is_some() => {
            list(document, "/resources").iter().filter_map(|resource| of_extension(resource, filter)).collect()
        }
        "" => {
            let filter = filter.or_else(|| filters::guessed(document));
            let configuration = Ok(document.clone());
            filter.map(|filter| Found { filter, holder: String::new(), configuration }).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn list<'d>(document: &'d Value, pointer: &str) -> &'d [Value] {
    document.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The configuration of a WasmPlugin, or of a TrafficExtension.
fn of_plugin(document: &Value, spec: &str, filter: Option<&'static Filter>) -> Vec<Found> {
    let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (url, plugin, name) =
        (text(&format!("{spec}/url")), text(&format!("{spec}/pluginName")), text("/metadata/name"));
    let filter = filter.or_else(|| [&url, &plugin, &name].into_iter().find_map(|text| filters::mentioned(text)));
    let Some(filter) = filter else { return Vec::new() };
    let namespace = text("/metadata/namespace");
    let slash = if namespace.is_empty() { "" } else { "/" };
    let holder = format!("{} {namespace}{slash}{name}: ", text("/kind"));
    let configuration = document.pointer(&format!("{spec}/pluginConfig")).cloned();
    let empty = || Value::Object(serde_json::Map::new());
    vec![Found { filter, holder, configuration: Ok(configuration.unwrap_or_else(empty)) }]
}

/// The configuration in a local Envoy's extension file: JSON in a string, as Istio hands it over too.
fn of_extension(resource: &Value, filter: Option<&'static Filter>) -> Option<Found> {
    let name = resource.get("name")?.as_str()?;
    let filter = filter.or_else(|| filters::mentioned(name))?;
    let text = resource.pointer("/typed_config/config/configuration/value")?.as_str()?;
    let configuration = serde_json::from_str(text).map_err(|error| format!("not json: {error}"));
    Some(Found { filter, holder: format!("extension {name}: "), configuration })
}
