//! What an update of pii-redactor's configuration lets pass that was guarded, and what it does to stored conversations.

use filter_config::NothingKept;
use pii_core::config::{Action, EntityAction, Mode, OnError, WhenMissing};
use pii_core::detect::Entity;
use pii_core::gate::Gate;
use pii_core::load;
use pii_core::load::any_variable;
use pii_core::rules::{Rule, Settings};
use serde_json::Value;

/// What an update takes away; both configurations are without mistakes.
pub(crate) fn of_update(old: &Value, new: &Value) -> Vec<String> {
    let settings = |value: &Value| load(value.to_string().as_bytes(), &NothingKept, &any_variable).policy;
    let (before, after) = (settings(old), settings(new));
    let mut told = Vec::new();
    if after.mode < before.mode {
        told.push(format!("mode: is {} now, and was {}", after.mode.as_str(), before.mode.as_str()));
    }
    told.extend(of_gate(before.gate.as_ref(), after.gate.as_ref()));
    if before.recognises && !after.recognises {
        told.push("rules: there are some now, so the known paths of the APIs are not guarded without one".to_owned());
    }
    for rule in &before.rules {
        told.extend(of_rule(rule, &before, (old, new), &after));
    }
    told.extend(of_kinds(&before, &after));
    told.extend(of_placeholders(&before, &after, (old, new)));
    if before.on_error == OnError::Block && after.on_error == OnError::Pass {
        told.push("onError: is pass now, and was block: what can't be read passes as it is".to_owned());
    }
    told
}

fn of_gate(before: Option<&Gate>, after: Option<&Gate>) -> Vec<String> {
    let Some(after) = after else { return Vec::new() };
    let Some(before) = before else {
        return vec!["gate: is new, so that requests can be let past by it".to_owned()];
    };
    let mut told = Vec::new();
    if before.when_missing == WhenMissing::Redact && after.when_missing == WhenMissing::Pass {
        told.push("gate.whenMissing: is pass now, and was redact".to_owned());
    }
    if after.any_peer && !before.any_peer {
        told.push("gate.trustAnyPeer: whoever can reach the proxy can switch it off by a header now".to_owned());
    }
    if after.principals.iter().any(|principal| !before.principals.contains(principal)) && !before.any_peer {
        told.push("gate.fromPrincipals: a header is believed from more peers".to_owned());
    }
    if (&before.flag, &before.header) != (&after.flag, &after.header) {
        told.push("gate: another flag or header decides now".to_owned());
    }
    told
}

/// What an update does to what one rule guards.
fn of_rule(rule: &Rule, before: &Settings, (old, new): (&Value, &Value), settings: &Settings) -> Vec<String> {
    let name = rule.name.as_str();
    let mode = |rule: &Rule, settings: &Settings| rule.mode.unwrap_or(settings.mode);
    let was = mode(rule, before);
    if !rule.protects() || was == Mode::Off {
        return Vec::new();
    }
    let Some(after) = settings.rules.iter().find(|after| after.name == rule.name) else {
        return vec![format!("rule {name} is gone, in mode {} before", was.as_str())];
    };
    let mut told = Vec::new();
    let is = mode(after, settings);
    // where the configuration's own mode is weaker that is told once
    let by_itself = rule.mode.is_some() || after.mode.is_some();
    if is < was && by_itself {
        told.push(format!("rule {name}: its mode is {} now, and was {}", is.as_str(), was.as_str()));
    }
    let sides = [("request", rule.request, after.request), ("response", rule.response, after.response)];
    for (side, was, is) in sides.into_iter().filter(|(_, was, is)| strength(*is) < strength(*was)) {
        told.push(format!("rule {name}: {side}.action is {} now, and was {}", is.as_str(), was.as_str()));
    }
    if rule.restore && !after.restore && rule.request == Action::Redact {
        told.push(format!("rule {name}: response.restore is false now: answers keep their placeholders"));
    }
    if after.allow_upgrade && !rule.allow_upgrade {
        told.push(format!("rule {name}: allowUpgrade is true now: nothing of an upgraded connection is looked at"));
    }
    if after.on_error == Some(OnError::Pass) && rule.on_error.unwrap_or(before.on_error) == OnError::Block {
        told.push(format!("rule {name}: onError is pass now: what can't be read passes as it is"));
    }
    if rule.api != after.api || rule.paths != after.paths {
        told.push(format!("rule {name}: its api or its paths are others, so other values count as text"));
    }
    let written = |configuration: &Value| written_request(configuration, name);
    if written(old) != written(new) {
        told.push(format!("rule {name}: its hosts or its match are others, so requests may be without it"));
    }
    told
}

/// What a rule says of the requests that it is for, as it is written.
fn written_request(configuration: &Value, name: &str) -> [Option<Value>; 2] {
    let rules = configuration.get("rules").and_then(Value::as_array).into_iter().flatten();
    let rule = rules.into_iter().find(|rule| rule.get("name").and_then(Value::as_str) == Some(name));
    let field = |field: &str| rule.and_then(|rule| rule.get(field)).filter(|value| !value.is_null()).cloned();
    [field("hosts"), field("match")]
}

/// How much an action keeps from passing.
const fn strength(action: Action) -> u8 {
    match action {
        Action::Pass => 0,
        Action::Report => 1,
        Action::Redact => 2,
        Action::Block => 3,
    }
}

fn of_kinds(before: &Settings, after: &Settings) -> Vec<String> {
    let mut told = Vec::new();
    let gone = Entity::ALL.iter().filter(|entity| before.entities.has(**entity) && !after.entities.has(**entity));
    let gone = gone.map(|entity| entity.name().to_owned());
    let custom = |settings: &Settings, name: &str| settings.custom.iter().any(|custom| custom.name.as_str() == name);
    let names = before.custom.iter().map(|custom| custom.name.as_str());
    let gone: Vec<String> = gone.chain(names.filter(|name| !custom(after, name)).map(str::to_owned)).collect();
    if !gone.is_empty() {
        told.push(format!("not looked for any more: {}", gone.join(", ")));
    }
    for custom in &before.custom {
        let after = after.custom.iter().find(|after| after.name == custom.name);
        let same = |other: &pii_core::config::Custom| {
            (&other.pattern, &other.context, other.confidence) == (&custom.pattern, &custom.context, custom.confidence)
        };
        if after.is_some_and(|after| !same(after)) {
            told.push(format!("custom {}: is another pattern now", custom.name.as_str()));
        }
    }
    told.extend(of_lists(before, after));
    if after.min_confidence > before.min_confidence {
        let (is, was) = (after.min_confidence, before.min_confidence);
        told.push(format!("entities.minConfidence: is {is} now, and was {was}: weaker matches stay"));
    }
    told.extend(of_actions(before, after));
    told
}

/// What changes in the two lists of values, without naming one.
fn of_lists(before: &Settings, after: &Settings) -> Vec<String> {
    let missing = |from: &[String], of: &[String]| {
        let has = |value: &String| from.iter().any(|other| other.to_lowercase() == value.to_lowercase());
        of.iter().filter(|value| !has(value)).count()
    };
    let counted = |count: usize| if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") };
    let mut told = Vec::new();
    let (gone, new) = (missing(&after.always, &before.always), missing(&before.never, &after.never));
    if gone > 0 {
        told.push(format!("alwaysRedact: {} less", counted(gone)));
    }
    if new > 0 {
        told.push(format!("neverRedact: {} more, which pass now", counted(new)));
    }
    told
}

/// What becomes of kinds that both look for.
fn of_actions(before: &Settings, after: &Settings) -> Vec<String> {
    let builtin = Entity::ALL.iter().filter(|entity| before.entities.has(**entity) && after.entities.has(**entity));
    let names = builtin.map(|entity| entity.name());
    let names = names.chain(before.custom.iter().map(|custom| custom.name.as_str())).chain([pii_core::config::TERM]);
    let weaker = |name: &str| {
        let (was, is) = (before.actions.of(name), after.actions.of(name));
        let weaker = was != is && (is == EntityAction::Report || was == EntityAction::Block);
        weaker.then(|| format!("{name}: its action is {} now, and was {}", is.as_str(), was.as_str()))
    };
    names.filter_map(weaker).collect()
}

/// What changes in the placeholders that conversations are stored with.
fn of_placeholders(before: &Settings, after: &Settings, (old, new): (&Value, &Value)) -> Vec<String> {
    let stored = "stored conversations hold other placeholders";
    let mut told = Vec::new();
    if before.style != after.style {
        told.push(format!("placeholder.style: is another now: {stored}"));
    }
    let key = |value: &Value| value.pointer("/placeholder/keyEnv").and_then(Value::as_str).map(str::to_owned);
    match (key(old), key(new)) {
        (Some(old), Some(new)) if old != new => {
            told.push(format!(
                "placeholder.keyEnv: is {new} now, and was {old}: {stored}, unless the keys are the same"
            ));
        }
        (Some(_), None) => told.push(format!("placeholder.keyEnv: is gone, so placeholders are numbered: {stored}")),
        (None, Some(_)) => told.push(format!("placeholder.keyEnv: is new, so placeholders are keyed: {stored}")),
        _ => {}
    }
    told
}
