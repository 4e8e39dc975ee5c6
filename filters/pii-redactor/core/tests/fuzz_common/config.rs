//! Configurations and patterns: any text is loaded or refused, and what was loaded runs.

use std::{cell::RefCell, collections::BTreeMap};

use filter_config::{Kept, NothingKept};
use filter_request::{Pairs, Request};
use pii_core::{
    body::{Body, Format, Means},
    detect::{Patterns, View},
    load,
    load::any_variable,
    plan::{Plan, Policy},
    session::Direction,
    walk::Subject,
};
use serde_json::Value;

use super::Input;

/// What is tried: a configuration, one after another (a zero byte between), or a pattern and a text (a zero byte between).
pub fn config(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let pattern = input.yes();
    let (first, second) = match input.rest.iter().position(|byte| *byte == 0) {
        Some(at) => (&input.rest[..at], &input.rest[at + 1..]),
        None => (input.rest, &[][..]),
    };
    if pattern {
        return assert_pattern(&String::from_utf8_lossy(first), second);
    }
    let memory = Memory::default();
    for config in [first, second] {
        memory.load(config);
        assert_loads(config);
    }
}

/// Parts that are kept.
#[derive(Default)]
struct Memory(RefCell<BTreeMap<String, Value>>);

impl Memory {
    fn load(&self, config: &[u8]) {
        let loaded = load(config, self, &any_variable);
        for keep in loaded.keep {
            let mut parts = self.0.borrow_mut();
            match keep.value {
                Some(value) => parts.insert(keep.part, value),
                None => parts.remove(&keep.part),
            };
        }
        run(Policy::new(loaded.policy));
    }
}

impl Kept for Memory {
    fn kept(&self, part: &str) -> Option<Value> {
        self.0.borrow().get(part).cloned()
    }
}

/// Loading says the same of the same, with what was kept of it too.
fn assert_loads(config: &[u8]) {
    let once = load(config, &NothingKept, &any_variable);
    let memory = Memory::default();
    memory.load(config);
    let again = load(config, &memory, &any_variable);
    assert_eq!(format!("{:?}", once.report), format!("{:?}", again.report));
    if once.report.is_clean() {
        assert_eq!(
            format!("{:?}", once.policy),
            format!("{:?}", again.policy),
            "a good one is the same the second time"
        );
    }
}

const TARGETS: &[(&str, &str)] =
    &[("/v1/chat/completions", "api.openai.com"), ("/v1/messages", "api.anthropic.com"), ("/notes", "crm.example")];

/// What was loaded can be asked for, and reads a body.
fn run(policy: Policy) {
    for (path, host) in TARGETS {
        let headers =
            Pairs::from_list(&[(":method", "POST"), (":authority", host), (":path", path), (":scheme", "https")]);
        let request = Request::new(&headers);
        let Some(chosen) = policy.settings.select(&request) else { continue };
        let plan = Plan::of(&chosen, &request);
        let Some(order) = plan.request else { continue };
        let mut session = policy.session();
        let mut body = Body::new(Format::Json, order, policy.longest_event());
        let subject = Subject { endpoint: plan.endpoint, direction: Direction::Request, paths: &plan.paths };
        let actions = |name: &str| policy.action(name);
        let means = Means { detectors: &policy.detectors, actions: &actions };
        let mut out = Vec::new();
        body.push(BODY.as_bytes(), true, subject, means, &mut session, &mut out).expect("it is JSON");
        serde_json::from_slice::<Value>(&out).expect("it stays JSON");
        if !order.enforce {
            assert_eq!(String::from_utf8_lossy(&out), BODY, "only told");
        }
    }
}

const BODY: &str = concat!(
    r#"{"messages":[{"content":"employee DM-123456, ada@example.com, Project Falcon <EMAIL-1> [EMAIL_1]"}],"#,
    r#""customer":{"notes":"4111 1111 1111 1111"}}"#
);

/// A pattern is refused with a reason, or says the same of a text however it is cut.
fn assert_pattern(pattern: &str, text: &[u8]) {
    let patterns = match Patterns::new(&["DM-[0-9]{6}", pattern]) {
        Ok(patterns) => patterns,
        Err((place, why)) => {
            assert!(place == 1 && !why.is_empty() && !why.contains('\n'), "{place}: {why}");
            return;
        }
    };
    let text = String::from_utf8_lossy(text);
    let bytes = text.as_bytes();
    let look = |text: &[u8], at: usize, whole: bool| {
        let view = View::new(text, at, whole);
        let mut found = Vec::new();
        patterns.look(&view, &mut found);
        found.sort_unstable();
        (found, view.short())
    };
    for at in (0..bytes.len().min(64)).filter(|at| text.is_char_boundary(*at)) {
        let (whole, short) = look(bytes, at, true);
        assert!(!short, "a text that is whole is never short");
        for (number, length) in &whole {
            assert!(
                *length > 0 && text.get(at..at + length).is_some(),
                "{pattern:?} {number} {length} at {at} of {text:?}"
            );
            assert!(patterns.first()[usize::from(bytes[at])], "{pattern:?} may begin with {:?}", bytes[at]);
        }
        for end in at..=bytes.len() {
            let (cut, short) = look(&bytes[..end], at, false);
            assert!(short || cut == whole, "{pattern:?} at {at} of {text:?}, cut at {end}: {cut:?}, whole {whole:?}");
        }
    }
}
