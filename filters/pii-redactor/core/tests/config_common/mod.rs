//! What the tests of the configuration share: examples, requests, kept parts in memory.

#![allow(dead_code, reason = "no test uses all of it")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

use std::cell::RefCell;
use std::collections::BTreeMap;

use filter_config::{Kept, NothingKept};
use filter_request::{Pairs, Request};
use pii_core::config::{Action, Mode};
use pii_core::load;
use pii_core::load::{Loaded, any_variable};
use pii_core::rules::{Chosen, Settings};
use serde_json::{Value, json};

/// The configuration that the README begins with.
pub fn example() -> Value {
    json!({
        "mode": "enforce", "gate": {"flag": "ai-safety-pii", "whenMissing": "redact"},
        "rules": [{
            "name": "openai", "hosts": ["*"], "match": [{"uri": {"prefix": "/v1/chat/completions"}}], "api": "openai",
            "request": {"action": "redact"}, "response": {"action": "redact", "restore": true},
        }],
        "entities": {"preset": "default", "include": [], "exclude": ["DATE_OF_BIRTH"]},
        "placeholder": {"style": "[{ENTITY}_{N}]"},
        "custom": [{"name": "EMPLOYEE_ID", "pattern": "DM-[0-9]{6}", "context": ["employee"]}],
        "neverRedact": ["support@devmentor.local"], "alwaysRedact": ["Project Falcon"], "onError": "block",
    })
}

/// One with everything that can be written.
pub fn full() -> Value {
    json!({
        "mode": "report", "direction": "inbound",
        "gate": {
            "flag": "ai-safety-pii", "header": "X-Pii", "fromPrincipals": ["spiffe://cluster.local/ns/*/sa/web"],
            "trustAnyPeer": false, "whenMissing": "pass",
        },
        "rules": [
            {
                "name": "notes", "hosts": ["crm.example", "*.crm.example"], "api": "json",
                "match": [{"method": {"exact": "POST"}, "uri": {"prefix": "/notes"}, "headers": {"x-env": {}}}],
                "paths": ["$.customer.notes", "items[].text", "**.comment"], "request": {"action": "block"},
                "response": {"action": "report", "restore": false}, "mode": "enforce", "allowUpgrade": true, "onError": "pass",
            },
            {"name": "gemini", "api": "gemini"},
        ],
        "entities": {
            "preset": "all@1", "include": ["EMAIL"], "exclude": ["DATE_OF_BIRTH"], "minConfidence": 60,
            "actions": {"EMAIL": "mask", "CREDIT_CARD": "hash", "JWT": "block", "EMPLOYEE_ID": "report", "CUSTOM_TERM": "redact"},
        },
        "placeholder": {"style": "<{ENTITY}-{N}>", "keyEnv": "PII_KEY"},
        "custom": [
            {"name": "EMPLOYEE_ID", "pattern": "DM-[0-9]{6}", "context": ["employee", "Staff"], "confidence": 90},
            {"name": "TICKET", "pattern": "T[0-9]+"},
        ],
        "neverRedact": ["support@devmentor.local"], "alwaysRedact": ["Project Falcon"], "onError": "pass",
        "limits": {"maxValues": 10, "maxEventBytes": 4096, "maxRatio": 10},
        "audit": {"log": false, "paths": false},
    })
}

/// A value with other values at some JSON pointers; `-` is behind a list's end.
pub fn with(mut value: Value, changes: &[(&str, Value)]) -> Value {
    for (pointer, change) in changes {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = if parent.is_empty() { &mut value } else { value.pointer_mut(parent).unwrap() };
        match parent {
            Value::Object(fields) => {
                fields.insert(name.to_owned(), change.clone());
            }
            Value::Array(list) if name == "-" => list.push(change.clone()),
            Value::Array(list) => list[name.parse::<usize>().unwrap()] = change.clone(),
            _ => panic!("{pointer} leads nowhere"),
        }
    }
    value
}

pub fn loaded(config: &Value) -> Loaded {
    load(config.to_string().as_bytes(), &NothingKept, &any_variable)
}

/// What runs of a configuration without mistakes.
pub fn settings(config: &Value) -> Settings {
    let loaded = loaded(config);
    assert!(loaded.report.is_clean(), "{:?}", loaded.report);
    loaded.policy
}

/// Mistakes as they are told.
pub fn told(mistakes: &[filter_config::Mistake]) -> Vec<String> {
    mistakes.iter().map(ToString::to_string).collect()
}

/// What is told of a choice: the rule, mode, what is done with request and answer, and why it is refused.
pub type Told = (String, &'static str, Mode, Action, Action, Option<&'static str>);

/// What is chosen for a request.
pub fn choice(settings: &Settings, method: &str, host: &str, target: &str) -> Option<Told> {
    chosen(settings, method, host, target, |chosen| {
        let refused = chosen.refused().map(|fault| fault.as_str());
        let endpoint = chosen.endpoint.as_str();
        (chosen.name().to_owned(), endpoint, chosen.mode, chosen.request, chosen.response, refused)
    })
}

pub fn chosen<T>(
    settings: &Settings,
    method: &str,
    host: &str,
    target: &str,
    tell: impl Fn(&Chosen) -> T,
) -> Option<T> {
    let headers =
        Pairs::from_list(&[(":method", method), (":authority", host), (":path", target), (":scheme", "https")]);
    settings.select(&Request::new(&headers)).map(|chosen| tell(&chosen))
}

/// The name of the rule that is chosen for a POST, or why that is refused.
pub fn post(settings: &Settings, target: &str) -> Option<String> {
    let (name, .., refused) = choice(settings, "POST", "api.example", target)?;
    Some(refused.map_or(name.clone(), |fault| format!("{name}: {fault}")))
}

/// Kept parts in memory.
#[derive(Debug, Default)]
pub struct Memory(pub RefCell<BTreeMap<String, Value>>);

impl Memory {
    /// Loads a configuration and keeps what is to be kept.
    pub fn load(&self, config: &Value) -> Loaded {
        self.load_text(&config.to_string())
    }

    pub fn load_text(&self, config: &str) -> Loaded {
        let loaded = load(config.as_bytes(), self, &any_variable);
        for keep in &loaded.keep {
            let mut parts = self.0.borrow_mut();
            match &keep.value {
                Some(value) => parts.insert(keep.part.clone(), value.clone()),
                None => parts.remove(&keep.part),
            };
        }
        loaded
    }
}

impl Kept for Memory {
    fn kept(&self, part: &str) -> Option<Value> {
        self.0.borrow().get(part).cloned()
    }
}
