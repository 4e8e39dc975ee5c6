//! What of the context a set of flags looks at is known exactly: a request pays for nothing else, and lacks nothing.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod common;

use common::{compiled, constrained, exposing, feature, rollout, with, with_variants};
use flag_core::inspect::Needs;
use serde_json::{Value, json};

/// The needs of some flags of which only the first is exposed, as words: own fields by their names, others as properties.
fn needs(features: &Value, segments: &Value) -> Vec<String> {
    let policy = exposing(&json!([{"name": features[0]["name"]}]), &[]);
    let document = json!({"version": 2, "features": features, "segments": segments});
    let Needs { user_id, session_id, remote_address, properties } = compiled(&policy, &document).needs;
    let own = [("userId", user_id), ("sessionId", session_id), ("remoteAddress", remote_address)];
    let own = own.into_iter().filter(|(_, needed)| *needed).map(|(name, _)| name.to_owned());
    own.chain(properties.into_iter().map(|name| format!("property {name}"))).collect()
}

fn of_one(feature: Value) -> Vec<String> {
    needs(&json!([feature]), &json!([]))
}

#[test]
fn constraints_need_what_they_name() {
    let cases: [(&str, &[&str]); 11] = [
        ("userId", &["userId"]),
        ("sessionId", &["sessionId"]),
        ("remoteAddress", &["remoteAddress"]),
        ("environment", &[]),
        ("appName", &[]),
        ("currentTime", &[]),
        ("plan", &["property plan"]),
        ("UserId", &["property UserId"]),
        // words of stickiness, which mean nothing in a constraint
        ("default", &["property default"]),
        ("random", &["property random"]),
        ("", &["property "]),
    ];
    for (field, expected) in cases {
        let constraints = json!([{"contextName": field, "operator": "IN", "values": ["a"]}]);
        assert_eq!(of_one(constrained("a", &constraints)), expected, "{field}");
        let segment = json!([{"id": 1, "constraints": constraints}, {"id": 2, "constraints": [
            {"contextName": "of-another-segment", "operator": "IN", "values": ["a"]}]}]);
        let by_segment = feature("a", &json!([{"name": "default", "segments": [1]}]));
        assert_eq!(needs(&json!([by_segment]), &segment), expected, "{field}");
    }
}

#[test]
fn stickiness_needs_what_it_goes_by() {
    let cases: [(Option<&str>, &[&str]); 8] = [
        (None, &["userId", "sessionId"]),
        (Some("default"), &["userId", "sessionId"]),
        (Some("userId"), &["userId"]),
        (Some("sessionId"), &["sessionId"]),
        (Some("remoteAddress"), &["remoteAddress"]),
        (Some("environment"), &[]),
        (Some("random"), &[]),
        (Some("tenant"), &["property tenant"]),
    ];
    for (stickiness, expected) in cases {
        let sticky = |mut value: Value, at: &str| {
            if let Some(stickiness) = stickiness {
                value = with(value, &[(at, json!(stickiness))]);
            }
            value
        };
        let rollout =
            sticky(json!({"name": "flexibleRollout", "parameters": {"rollout": "50"}}), "/parameters/stickiness");
        assert_eq!(of_one(feature("a", &json!([rollout]))), expected, "a rollout by {stickiness:?}");
        let variants = json!([sticky(json!({"name": "blue", "weight": 1000}), "/stickiness")]);
        assert_eq!(of_one(with_variants("a", &variants)), expected, "variants by {stickiness:?}");
        let strategy = json!({"name": "default", "parameters": {}, "variants": [{"name": "blue", "weight": 1000}]});
        let strategy = sticky(strategy, "/parameters/stickiness");
        assert_eq!(of_one(feature("a", &json!([strategy]))), expected, "variants of a strategy by {stickiness:?}");
    }
}

#[test]
fn strategies_need_what_they_are_about() {
    let cases: [(&str, &[&str]); 8] = [
        ("default", &[]),
        ("userWithId", &["userId"]),
        ("gradualRolloutUserId", &["userId"]),
        ("gradualRolloutSessionId", &["sessionId"]),
        ("gradualRolloutRandom", &[]),
        ("remoteAddress", &["remoteAddress"]),
        ("applicationHostname", &[]),
        ("a-custom-one", &[]),
    ];
    for (name, expected) in cases {
        assert_eq!(of_one(feature("a", &json!([{"name": name, "parameters": {}}]))), expected, "{name}");
    }
}

#[test]
fn overrides_of_variants_need_what_they_name() {
    let variants = json!([{"name": "blue", "weight": 1000, "stickiness": "userId", "overrides": [
        {"contextName": "remoteAddress", "values": ["a"]}, {"contextName": "plan", "values": ["b"]},
        {"contextName": "default", "values": ["c"]}]}]);
    assert_eq!(of_one(with_variants("a", &variants)), ["userId", "remoteAddress", "property default", "property plan"]);
}

#[test]
fn parents_need_what_they_look_at_and_flags_that_are_not_exposed_need_nothing() {
    let mut child = feature("child", &json!([]));
    child["dependencies"] = json!([{"feature": "parent"}]);
    let parent = feature("parent", &json!([rollout("50", "tenant", "g")]));
    let other = feature("other", &json!([{"name": "userWithId", "parameters": {"userIds": "ada"}}]));
    assert_eq!(needs(&json!([child, parent, other]), &json!([])), ["property tenant"]);
}
