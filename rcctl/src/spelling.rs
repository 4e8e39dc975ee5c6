//! International names in configurations: the proxy knows few letters' ASCII forms, and this tool knows all.

use egress_core::pattern::Pattern;
use filter_config::Report;
use serde_json::Value;

/// Adds the ASCII form to each error about a host that would be right in it.
pub(crate) fn tell_ascii_forms(configuration: &Value, report: &mut Report) {
    for error in &mut report.errors {
        let pointer = format!("/{}", error.path.replace(['.', '['], "/").replace(']', ""));
        let text = configuration.pointer(&pointer).and_then(Value::as_str).filter(|text| !text.is_ascii());
        if let Some(ascii) = text.and_then(ascii_form).filter(|ascii| Pattern::parse(ascii).is_ok()) {
            error.message = format!("{}; write {ascii}", error.message);
        }
    }
}

/// The ASCII form of a pattern, part by part where it has stars. A star and international letters in one part have none.
fn ascii_form(pattern: &str) -> Option<String> {
    if !pattern.contains('*') {
        return idna::domain_to_ascii(pattern).ok();
    }
    let part = |part: &str| match part.is_ascii() {
        true => Some(part.to_ascii_lowercase()),
        false => idna::domain_to_ascii(part).ok().filter(|_| !part.contains('*')),
    };
    let parts: Option<Vec<String>> = pattern.split('.').map(part).collect();
    parts.map(|parts| parts.join("."))
}
