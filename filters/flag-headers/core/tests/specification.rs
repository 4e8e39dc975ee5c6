//! Unleash's own published cases, as they are: every flag evaluates as in any SDK of Unleash.
//!
//! The files come from `tools/unleash-specification.sh`; `UNLEASH_SPECIFICATION` names their directory. Left out are 19 and
//! 20, which are about a way of polling (deltas) that this filter does not use.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod common;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use common::{exposing, served};
use flag_core::context::Context;
use flag_core::inspect::Needs;
use flag_core::serve::{NO_VARIANT, Origin};
use flag_core::usage::specification;
use serde_json::{Value, json};

/// The files, with their numbers of cases.
const FILES: [(&str, usize); 20] = [
    ("01-simple-examples", 5),
    ("02-user-with-id-strategy", 5),
    ("03-gradual-rollout-user-id-strategy", 6),
    ("04-gradual-rollout-session-id-strategy", 6),
    ("05-gradual-rollout-random-strategy", 4),
    ("06-remote-address-strategy", 6),
    ("07-multiple-strategies", 6),
    ("08-variants", 17),
    ("09-strategy-constraints", 17),
    ("10-flexible-rollout-strategy", 10),
    ("11-strategy-constraints-edge-cases", 6),
    ("12-custom-stickiness", 9),
    ("13-constraint-operators", 46),
    ("14-constraint-semver-operators", 25),
    ("15-global-constraints", 6),
    ("16-strategy-variants", 11),
    ("17-dependent-features", 39),
    ("18-utf8-flag-names", 2),
    ("21-regex-constraint-operators", 37),
    ("22-cidr-constraint-operators", 12),
];

fn directory() -> PathBuf {
    std::env::var_os("UNLEASH_SPECIFICATION").map_or_else(
        || {
            let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).unwrap();
            workspace.join(".tools/unleash-specification").join(specification()).join("specifications")
        },
        PathBuf::from,
    )
}

fn read(file: &str) -> Value {
    let path = directory().join(format!("{file}.json"));
    let text = std::fs::read(&path).unwrap_or_else(|error| {
        panic!("{}: {error}: run `export UNLEASH_SPECIFICATION=$(tools/unleash-specification.sh)`", path.display())
    });
    serde_json::from_slice(&text).unwrap()
}

/// One published case.
struct Case {
    /// Its file and what it says.
    name: String,
    state: Value,
    flag: String,
    context: Value,
    /// Whether the flag is on.
    enabled: bool,
    /// Its variant, where the case is about that.
    variant: Option<Value>,
}

fn cases(file: &str) -> Vec<Case> {
    let specification = read(file);
    let of = |list: &str| specification[list].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let case = |case: &Value| Case {
        name: format!("{file}: {}", text(&case["description"])),
        state: specification["state"].clone(),
        flag: text(&case["toggleName"]),
        context: case["context"].clone(),
        enabled: case["expectedResult"].as_bool().unwrap_or_else(|| case["expectedResult"]["feature_enabled"] == true),
        variant: Some(case["expectedResult"].clone()).filter(Value::is_object),
    };
    of("tests").iter().chain(&of("variantTests")).map(case).collect()
}

fn all_cases() -> Vec<Case> {
    FILES.iter().flat_map(|(file, _)| cases(file)).collect()
}

/// A context as the specification writes it.
fn context(written: &Value) -> Context<'_> {
    let own = |name: &str| written[name].as_str().map(Cow::Borrowed);
    let properties = written["properties"].as_object().into_iter().flatten();
    Context {
        user_id: own("userId"),
        session_id: own("sessionId"),
        environment: own("environment"),
        app_name: own("appName"),
        current_time: own("currentTime"),
        remote_address: own("remoteAddress"),
        hostname: None,
        properties: properties
            .filter_map(|(name, value)| Some((Cow::Borrowed(name.as_str()), Cow::Borrowed(value.as_str()?))))
            .collect(),
    }
}

/// What is left of a context of what some flags do not look at.
fn needed<'c>(context: Context<'c>, needs: &Needs) -> Context<'c> {
    Context {
        user_id: context.user_id.filter(|_| needs.user_id),
        session_id: context.session_id.filter(|_| needs.session_id),
        remote_address: context.remote_address.filter(|_| needs.remote_address),
        properties: context.properties.into_iter().filter(|(name, _)| needs.properties.contains(&**name)).collect(),
        ..context
    }
}

#[test]
fn no_case_is_missed() {
    for (file, count) in FILES {
        assert_eq!(cases(file).len(), count, "{file}");
    }
    let index: Vec<String> = serde_json::from_value(read("index")).unwrap();
    let others: Vec<&str> = index
        .iter()
        .filter_map(|file| file.strip_suffix(".json"))
        .filter(|file| FILES.iter().all(|(of_ours, _)| of_ours != file))
        .collect();
    assert_eq!(others, ["19-delta-api-hydration", "20-delta-api-events"]);
}

/// Only the flag of the case is exposed, and only what it needs is in the context: parents and segments come along, and
/// what a flag looks at is known.
#[test]
fn every_case_comes_out_as_published() {
    for case in all_cases() {
        let flags = json!([{"name": case.flag, "variant": true, "payload": {}}]);
        let served = served(&exposing(&flags, &[]), Origin::Live, &case.state);
        let compiled = served.compiled.as_ref().unwrap();
        let context = needed(context(&case.context), &compiled.needs);
        let outcome = served.outcome(served.find(&case.flag).unwrap().1, &context);
        assert_eq!(outcome.enabled, case.enabled, "{}: {outcome:?}", case.name);
        if let Some(expected) = &case.variant {
            let variant = compiled.evaluate(&case.flag, compiled.standing(&case.flag), false, true, &context).variant;
            assert_eq!(variant.is_some(), expected["enabled"] == true, "{}", case.name);
            assert_eq!(outcome.variant.as_deref(), expected["name"].as_str(), "{}", case.name);
            assert_eq!(variant.is_none(), outcome.variant.as_deref() == Some(NO_VARIANT), "{}", case.name);
            let payload = variant.and_then(|variant| variant.payload).map(|payload| json!(payload));
            assert_eq!(payload.unwrap_or_default(), expected["payload"], "{}", case.name);
            assert_eq!(outcome.payload_text.is_some(), expected["payload"].is_object(), "{}", case.name);
        }
    }
}

/// `appName` and `environment` come from the configuration, `remoteAddress` from the connection and `currentTime` from the
/// clock; the rest can come by header, but for what no header can hold.
#[test]
fn the_contexts_of_the_cases_are_told() {
    let mut own = BTreeSet::new();
    let mut not_by_header = BTreeSet::new();
    for case in all_cases() {
        for (field, value) in case.context.as_object().unwrap() {
            let texts: Vec<&str> = match value {
                Value::Object(properties) => properties.values().filter_map(Value::as_str).collect(),
                value => value.as_str().into_iter().collect(),
            };
            // what HTTP takes away from a header's value, or never carries
            let carried = |text: &&str| {
                text.bytes().all(|byte| byte == b'\t' || !byte.is_ascii_control()) && text.trim() == *text
            };
            if !texts.iter().all(carried) {
                not_by_header.insert(case.name.clone());
            }
            own.insert(field.clone());
        }
    }
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    assert_eq!(own, ["appName", "currentTime", "environment", "properties", "remoteAddress", "sessionId", "userId"]);
    // each has a user id of several lines
    let expected = [
        "R10 (?m) matches line 'foo' inside multiline string",
        "R10 without foo line would fail",
        "R11 (?s) dot matches newline",
    ];
    let expected = expected.map(|description| format!("21-regex-constraint-operators: {description}"));
    assert_eq!(not_by_header, BTreeSet::from(expected));
}
