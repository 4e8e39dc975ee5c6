//! What the tests of the core share: configurations, documents of flags, requests, and kept parts in memory.

#![allow(dead_code, reason = "no test uses all of it")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use filter_config::{Kept, NothingKept};
use filter_request::{Pairs, Request, Stated, Verified};
use flag_core::boundary::{admit, selectors};
use flag_core::context::{Context, Proxy};
use flag_core::effects::{Effects, effects};
use flag_core::engine::Compiled;
use flag_core::flag::Selector;
use flag_core::serve::{Origin, Outcome, Served};
use flag_core::subset::select;
use flag_core::{Loaded, Policy, decide, load};
use serde_json::{Value, json};

/// A configuration with three flags of Unleash, OFREP and the debug page.
pub fn example() -> Value {
    json!({
        "unleash": {
            "service": {"name": "unleash", "namespace": "devmentor-app", "port": 4242}, "path": "/api",
            "tokenEnv": "UNLEASH_API_TOKEN", "appName": "devmentor-gateway",
            "refresh": "15s", "timeout": "2s", "maxStale": "1h",
        },
        "bootstrap": {"version": 2, "features": []},
        "identity": [{"jwt": {"issuer": "https://auth.devmentor.local", "claim": "sub"}}, {"header": "x-user-id"}],
        "context": {
            "environment": "production", "sessionId": {"cookie": "sid"}, "remoteAddress": true,
            "properties": {"plan": {"header": "x-plan"}},
        },
        "flags": [
            {"name": "new-ui-enabled", "default": false},
            {"name": "ai-safety-pii", "default": true},
            {"name": "ai-provider-openai-enabled", "default": true, "variant": true},
        ],
        "ofrep": {"hosts": ["flags.runtime-control.local"], "pathPrefix": "/ofrep/v1"},
        "debug": {"hosts": ["flags.runtime-control.local"], "path": "/runtime-control/flags"},
    })
}

/// `example` with other values at some JSON pointers.
pub fn example_with(changes: &[(&str, Value)]) -> Value {
    with(example(), changes)
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

/// Every place of a value, as a JSON pointer.
pub fn places(value: &Value) -> Vec<String> {
    fn collect(value: &Value, at: &str, all: &mut Vec<String>) {
        all.push(at.to_owned());
        match value {
            Value::Array(list) => list.iter().enumerate().for_each(|(i, v)| collect(v, &format!("{at}/{i}"), all)),
            Value::Object(fields) => fields.iter().for_each(|(k, v)| collect(v, &format!("{at}/{k}"), all)),
            _ => {}
        }
    }
    let mut all = Vec::new();
    collect(value, "", &mut all);
    all
}

pub fn loaded(config: &Value) -> Loaded {
    load(config.to_string().as_bytes(), &NothingKept)
}

pub fn policy(config: &Value) -> Policy {
    let loaded = loaded(config);
    assert!(loaded.report.errors.is_empty(), "{:?}", loaded.report);
    loaded.policy
}

/// A policy of nothing but flags; `also` are other fields of the configuration.
pub fn exposing(flags: &Value, also: &[(&str, Value)]) -> Policy {
    policy(&with(json!({"flags": flags, "identity": [{"header": "x-user-id"}]}), also))
}

/// A document of flags without segments.
pub fn document(features: &Value) -> Value {
    json!({"version": 2, "features": features})
}

/// A flag that is on, with strategies.
pub fn feature(name: &str, strategies: &Value) -> Value {
    json!({"name": name, "type": "release", "enabled": true, "strategies": strategies})
}

/// A flag that is on, with one strategy for those who meet some constraints.
pub fn constrained(name: &str, constraints: &Value) -> Value {
    feature(name, &json!([{"name": "default", "constraints": constraints}]))
}

/// A flag that is on for all, with variants.
pub fn with_variants(name: &str, variants: &Value) -> Value {
    json!({"name": name, "enabled": true, "strategies": [{"name": "default"}], "variants": variants})
}

/// A strategy `flexibleRollout`.
pub fn rollout(percentage: &str, stickiness: &str, group: &str) -> Value {
    json!({"name": "flexibleRollout",
           "parameters": {"rollout": percentage, "stickiness": stickiness, "groupId": group}})
}

/// What a policy exposes of a document, compiled, as a proxy does it.
pub fn compiled(policy: &Policy, document: &Value) -> Compiled {
    let selectors: Vec<Selector> = selectors(&policy.flags).cloned().collect();
    let subset = select(document.to_string().as_bytes(), &selectors).unwrap();
    Compiled::compile(&subset).unwrap()
}

/// What a policy serves from a document.
pub fn served(policy: &Policy, origin: Origin, document: &Value) -> Served {
    Served::new(&policy.flags, origin, Some(Rc::new(compiled(policy, document))))
}

/// What one flag, exposed with a default of true, comes to.
pub fn outcome(document: &Value, flag: &str, context: &Context) -> Outcome {
    let policy = exposing(&json!([{"name": flag, "default": true, "variant": true}]), &[]);
    let served = served(&policy, Origin::Live, document);
    served.outcome(served.find(flag).unwrap().1, context)
}

/// Somebody by an id.
pub fn user(id: &str) -> Context<'_> {
    Context { user_id: Some(id.into()), ..Context::default() }
}

/// What a proxy knows beside headers, as a test states it.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub stated: Stated,
    pub address: Option<String>,
}

impl Facts {
    pub fn verified_peer() -> Self {
        Self { stated: Stated { claims: None, peer: true }, address: None }
    }
}

impl Verified for Facts {
    fn issuer(&self) -> Option<&[u8]> {
        self.stated.issuer()
    }

    fn claim(&self, name: &str) -> Option<Vec<u8>> {
        self.stated.claim(name)
    }

    fn peer(&self) -> bool {
        self.stated.peer()
    }
}

impl Proxy for Facts {
    fn remote_address(&self) -> Option<String> {
        self.address.clone()
    }
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The headers that the service sees, in order, those that were set last.
    pub headers: Vec<(String, String)>,
    /// What filters of the same proxy see.
    pub state: Option<String>,
}

impl Seen {
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(header, _)| header == name).map(|(_, value)| value.as_str()).collect()
    }
}

/// The whole way of a request, as the filter goes it.
pub fn ask(policy: &Policy, served: &Served, headers: &[(&str, &str)], facts: &Facts) -> Seen {
    let pairs = Pairs::from_list(headers);
    let settings = &policy.settings;
    let admitted = admit(&policy.owned, settings.trust, &pairs, facts);
    let request = Request::new(&admitted.headers);
    let outcomes = decide(policy, served, &admitted, &request, facts);
    let effects =
        effects(settings.mode, &settings.headers, settings.filter_state, &admitted, served, outcomes.as_deref());
    applied(headers, &effects)
}

fn applied(headers: &[(&str, &str)], effects: &Effects) -> Seen {
    let replaced = |name: &str| effects.set.iter().any(|(set, _)| *set == name);
    let left = headers.iter().filter(|(name, _)| !effects.remove.contains(&name.as_bytes()) && !replaced(name));
    let left = left.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let set = effects.set.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into_owned()));
    Seen { headers: left.chain(set).collect(), state: effects.state.clone() }
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

/// Mistakes as they are told.
pub fn told(mistakes: &[filter_config::Mistake]) -> Vec<String> {
    mistakes.iter().map(ToString::to_string).collect()
}
