//! What the tests of the core share: configurations, requests, tokens and kept parts in memory.

#![allow(dead_code, reason = "no test uses all of it")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

use std::cell::RefCell;
use std::collections::BTreeMap;

use canary_core::{Decision, HeaderChange, Loaded, Policy, admit, decide, load, request_effects, response_effects};
use filter_config::{Kept, NothingKept};
use filter_request::{Pairs, Request, Stated};
use serde_json::{Value, json};

/// A configuration with one rule for `/api/ai`, as in the README.
pub fn example() -> Value {
    json!({
        "identity": [
            {"jwt": {"issuer": "https://auth.devmentor.local", "claim": "sub"}},
            {"header": "x-user-id"},
            {"cookie": "uid"},
        ],
        "rules": [{
            "name": "ai-gateway",
            "hosts": ["devmentor.local"],
            "match": [{"uri": {"prefix": "/api/ai"}}],
            "salt": "ai-gateway-canary",
            "baseline": "v1",
            "arms": [{"name": "v2", "weight": 10}],
            "overrides": [
                {"arm": "v2", "headers": {"x-env": {"exact": "canary"}}},
                {"arm": "v2", "users": ["qa-1"]},
                {"arm": "v1", "users": ["vip-7"]},
            ],
        }],
    })
}

/// `example` with other values at some JSON pointers.
pub fn example_with(changes: &[(&str, Value)]) -> Value {
    let mut value = example();
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
    load(config.to_string().as_bytes(), &NothingKept)
}

pub fn policy(config: &Value) -> Policy {
    let loaded = loaded(config);
    assert!(loaded.report.errors.is_empty(), "{:?}", loaded.report);
    loaded.policy
}

/// Verified facts as a test states them.
pub type Facts = Stated;

/// The facts of a user's verified token.
pub fn token_of(id: &str) -> Facts {
    let claims = [("iss", "https://auth.devmentor.local"), ("sub", id)];
    Facts { claims: Some(Pairs::from_list(&claims)), peer: false }
}

/// The facts of a peer with a verified identity.
pub fn verified_peer() -> Facts {
    Facts { claims: None, peer: true }
}

/// What came of a request: the decision, the headers that the service sees, the response's changes.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub decision: Option<Decision>,
    pub arm: Option<String>,
    pub reason: Option<&'static str>,
    /// What is left of owned headers, or set.
    pub arm_headers: Vec<(String, String)>,
    pub response: Vec<HeaderChange>,
}

pub fn ask(policy: &Policy, headers: &[(&str, &str)], facts: &Facts) -> Outcome {
    ask_response(policy, headers, facts, &[])
}

pub fn ask_response(policy: &Policy, headers: &[(&str, &str)], facts: &Facts, response: &[(&str, &str)]) -> Outcome {
    let mut list = vec![(":method", "GET"), (":authority", "devmentor.local"), (":path", "/api/ai/chat")];
    list.retain(|(name, _)| !headers.iter().any(|(given, _)| given == name));
    list.extend(headers);
    let pairs = Pairs::from_list(&list);
    let admitted = admit(&policy.settings, &pairs, facts);
    let request = Request::new(&admitted.headers);
    let decision = decide(policy, &request, facts, &|| Some([7; 16]));
    let effects = request_effects(policy, &admitted, decision.as_ref());
    let folded = |name: &str| name.replace('_', "-");
    let owned = |name: &str| policy.settings.owned.iter().any(|owned| owned.as_str() == folded(name));
    let set = effects.arm.map(|arm| (policy.settings.arm_header.as_str().to_owned(), arm.to_owned()));
    let arm_headers: Vec<(String, String)> = list
        .iter()
        .filter(|(name, _)| owned(name) && !effects.remove.contains(&name.as_bytes()))
        .filter(|(name, _)| effects.arm.is_none() || *name != policy.settings.arm_header.as_str())
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .chain(set)
        .collect();
    let changes = decision.as_ref().map(|d| response_effects(policy, d, &Pairs::from_list(response)));
    Outcome {
        arm: effects.arm.map(str::to_owned),
        reason: decision.as_ref().map(|decision| decision.reason.as_str()),
        decision,
        arm_headers,
        response: changes.unwrap_or_default(),
    }
}

/// Kept parts in memory.
#[derive(Debug, Default)]
pub struct Memory(pub RefCell<BTreeMap<String, Value>>);

impl Memory {
    /// Loads a configuration and keeps what is to be kept.
    pub fn load(&self, config: &[u8]) -> Loaded {
        let loaded = load(config, self);
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
