//! Definitions that mean something other than they say, or that Unleash's engine can't evaluate: each is told by name, and
//! harms no other flag.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod common;

use common::{compiled, constrained, document, exposing, feature, outcome, rollout, user, with_variants};
use filter_request::{Pairs, Request};
use flag_core::context::{Context, of_request};
use flag_core::engine::{Compiled, Reason};
use flag_core::inspect::Needs;
use serde_json::{Value, json};

/// A document of one odd flag beside a sound one.
fn beside_a_sound_one(odd: Value) -> Value {
    document(&json!([constrained("sound", &in_list("userId", &["ada"])), odd, feature("last", &json!([]))]))
}

fn in_list(field: &str, values: &[&str]) -> Value {
    json!([{"contextName": field, "operator": "IN", "values": values}])
}

fn compile(document: &Value) -> Compiled {
    compiled(&exposing(&json!([{"name": "*"}]), &[]), document)
}

/// The kinds and messages of the traps of the flag `odd`; no other flag may have any, or be harmed.
fn traps(document: &Value) -> Vec<(&'static str, String)> {
    let compiled = compile(document);
    for (id, expected) in [("ada", true), ("bob", false)] {
        let sound = compiled.evaluate("sound", compiled.standing("sound"), !expected, false, &user(id));
        assert_eq!((sound.enabled, sound.reason == Reason::Unusable), (expected, false), "{document}");
        assert!(compiled.evaluate("last", compiled.standing("last"), false, false, &user(id)).enabled, "{document}");
    }
    assert!(compiled.traps.iter().all(|trap| trap.flag == "odd"), "{:?}", compiled.traps);
    compiled.traps.into_iter().map(|trap| (trap.kind, trap.message)).collect()
}

/// What `odd` comes to for a user, exposed with a default of true.
fn evaluated(document: &Value) -> (bool, Reason) {
    let context = Context {
        session_id: Some("s".into()),
        current_time: Some("2026-01-01T00:00:00Z".into()),
        properties: [("x".into(), "100".into())].into(),
        ..user("ada")
    };
    let outcome = outcome(document, "odd", &context);
    (outcome.enabled, outcome.reason)
}

const UNUSABLE: (bool, Reason) = (true, Reason::Unusable);

#[test]
fn odd_definitions_are_told_by_name_with_what_follows() {
    let unusable = "can't be evaluated as it is defined; its default is served";
    let cases = [
        (
            feature("odd", &json!([rollout("33.33", "default", "odd")])),
            (false, Reason::NoMatch),
            vec![("rollout", "rollout 33.33 is not a whole number from 0 to 100 and counts as 0 %")],
        ),
        (
            feature(
                "odd",
                &json!([{"name": "gradualRolloutUserId", "parameters": {"percentage": "half", "groupId": "a"}}]),
            ),
            (false, Reason::NoMatch),
            vec![("rollout", "percentage half is not a whole number from 0 to 100 and counts as 0 %")],
        ),
        (
            feature("odd", &json!([rollout("150", "default", "odd")])),
            UNUSABLE,
            vec![("rollout", "rollout 150 is not a whole number from 0 to 100"), ("unusable", unusable)],
        ),
        (
            feature("odd", &json!([{"name": "byMoon", "parameters": {"phase": "full"}}])),
            (false, Reason::NoMatch),
            vec![("strategy", "has a custom strategy, which is never on here")],
        ),
        (
            feature("odd", &json!([{"name": "byMoon"}, {"name": "default"}])),
            (true, Reason::Static),
            vec![("strategy", "has a custom strategy, which is never on here")],
        ),
        (
            constrained("odd", &json!([{"contextName": "userId", "operator": "SOUNDS_LIKE", "values": ["ada"]}])),
            UNUSABLE,
            vec![("operator", "has a constraint with an operator that is not known here"), ("unusable", unusable)],
        ),
        (
            feature("odd", &json!([{"name": "default", "segments": [7]}])),
            UNUSABLE,
            vec![("segment", "names a segment that the answer does not hold"), ("unusable", unusable)],
        ),
        (
            constrained("odd", &json!([{"contextName": "x", "operator": "NUM_GT"}])),
            UNUSABLE,
            vec![("unusable", "can't be compiled by unleash's engine; its default is served")],
        ),
        (
            constrained("odd", &json!([{"contextName": "x", "operator": "STR_CONTAINS", "values": []}])),
            UNUSABLE,
            vec![("unusable", "can't be compiled by unleash's engine; its default is served")],
        ),
        (
            json!({"name": "odd", "enabled": true, "strategies": 7}),
            UNUSABLE,
            vec![("unreadable", "can't be read; its default is served")],
        ),
        (
            json!({"name": "odd", "enabled": "yes"}),
            UNUSABLE,
            vec![("unreadable", "can't be read; its default is served")],
        ),
        (
            json!({"name": "odd", "enabled": true, "strategies": [{"name": "default", "segments": ["7"]}]}),
            UNUSABLE,
            vec![("unreadable", "can't be read; its default is served")],
        ),
        (
            feature("odd", &json!([{"name": "flexibleRollout", "parameters": {"rollout": 50}}])),
            UNUSABLE,
            vec![("unreadable", "can't be read; its default is served")],
        ),
    ];
    for (odd, expected, told) in cases {
        let document = beside_a_sound_one(odd);
        assert_eq!(evaluated(&document), expected, "{document}");
        let told: Vec<(&str, String)> = told.into_iter().map(|(kind, text)| (kind, text.to_owned())).collect();
        assert_eq!(traps(&document), told, "{document}");
    }
}

/// The engine translates definitions into a language of its own; what would be read as words of it is refused.
#[test]
fn text_is_never_read_as_the_engines_language() {
    let compare = |operator: &str, value: &str| {
        constrained("odd", &json!([{"contextName": "x", "operator": operator, "value": value}]))
    };
    let strategy =
        |name: &str, key: &str, value: &str| feature("odd", &json!([{"name": name, "parameters": {key: value}}]));
    let cases = [
        compare("NUM_LT", "5 or random[1] < 3"),
        compare("NUM_LT", "5ortrue"),
        compare("NUM_GT", "5andtrue"),
        compare("NUM_EQ", "five"),
        compare("DATE_AFTER", "2020-01-01T00:00:00Zortrue"),
        compare("DATE_BEFORE", "2020-01-01T00:00:00Z or true"),
        compare("SEMVER_EQ", "1.2.3ortrue"),
        compare("SEMVER_GT", "1.2.3 or true"),
        compare("SEMVER_GT", "1ortrue"),
        compare("REGEX", r"a\"),
        constrained("odd", &in_list("x", &[r"\", "] or random[1] < 3 or user_id in [", ""])),
        constrained("odd", &in_list("x\"] in [\"a\"] or context[\"y", &["a"])),
        constrained("odd", &in_list(r"x\", &["a"])),
        constrained("odd", &json!([{"contextName": "x", "operator": "STR_CONTAINS", "values": ["a\\"]}])),
        constrained(
            "odd",
            &json!([{"contextName": "remoteAddress", "operator": "IN_CIDR", "values": ["10.0.0.0/8\\"]}]),
        ),
        feature("odd", &json!([rollout("50", "default", "a\" or true or user_id in [\"b")])),
        feature("odd", &json!([rollout("50", "x\"] or true", "odd")])),
        strategy("remoteAddress", "IPs", "10.0.0.1\"] or true or user_id in [\""),
        strategy("applicationHostname", "hostNames", "a\\, b"),
        strategy("userWithId", "userIds", r"eve\, ] or random[1] < 3 or user_id in [, b"),
    ];
    for odd in cases {
        let document = beside_a_sound_one(odd);
        assert_eq!(evaluated(&document), UNUSABLE, "{document}");
        assert_eq!(traps(&document).len(), 1, "{document}");
    }
}

#[test]
fn text_that_only_looks_like_it_is_fine() {
    let compare = |operator: &str, value: &str| json!([{"contextName": "x", "operator": operator, "value": value}]);
    let cases = [
        (in_list("x", &["\" or true or \""]), "\" or true or \"", "true"),
        (in_list("x", &[r#"\""#]), r#"\""#, "\""),
        (in_list("x", &[r"CORP\ada"]), r"CORP\ada", "ada"),
        (in_list("x", &["a, b"]), "a, b", "a"),
        (in_list("random[1]", &["yes"]), "", ""),
        (compare("REGEX", r#"^"\d+"$"#), "\"12\"", "12"),
        (compare("NUM_GT", "-1.5e1"), "0", "-20"),
        (compare("NUM_EQ", " 5 "), "5", "6"),
        (compare("SEMVER_EQ", "1.2.3-alpha.1+build"), "1.2.3-alpha.1", "1.2.3"),
        (compare("DATE_AFTER", "2020-01-01T00:00:00.000+01:00"), "2021-01-01T00:00:00Z", "2019-01-01T00:00:00Z"),
    ];
    for (constraints, on, off) in cases {
        let document = beside_a_sound_one(constrained("odd", &constraints));
        assert_eq!(traps(&document), [], "{document}");
        let evaluated = |value: &str| {
            let properties = [("x", value), ("random[1]", "yes")];
            let properties = properties.map(|(name, value)| (name.to_owned().into(), value.to_owned().into())).into();
            outcome(&document, "odd", &Context { properties, ..Context::default() }).enabled
        };
        assert!(evaluated(on), "{document} {on}");
        assert!(off.is_empty() || !evaluated(off), "{document} {off}");
    }
}

#[test]
fn variants_without_a_weight_to_choose_by_are_left_out() {
    let weighing = |weights: &[i64]| {
        let variants: Vec<Value> =
            weights.iter().enumerate().map(|(at, weight)| json!({"name": at.to_string(), "weight": weight})).collect();
        json!(variants)
    };
    let told = "has variants whose weights are not from 0 to 1000 with a sum above 0; they are left out";
    let cases: [(&[i64], Option<&str>, bool); 8] = [
        (&[1000], Some("0"), false),
        (&[0, 1000], Some("1"), false),
        (&[0, 0], None, true),
        (&[-1], None, true),
        (&[-1, 1000], Some("1"), true),
        (&[i64::from(i32::MAX), i64::from(i32::MAX)], None, true),
        (&[i64::from(i32::MIN), 500], Some("1"), true),
        (&[], None, false),
    ];
    for (weights, variant, trapped) in cases {
        let variants = weighing(weights);
        let of_strategy = feature("odd", &json!([{"name": "default", "variants": variants}]));
        for odd in [with_variants("odd", &variants), of_strategy] {
            let document = beside_a_sound_one(odd);
            for context in [user("ada"), Context::default()] {
                let outcome = outcome(&document, "odd", &context);
                assert!(outcome.enabled, "{document}");
                assert_eq!(outcome.variant.as_deref(), Some(variant.unwrap_or("disabled")), "{document}");
            }
            let expected = if trapped { vec![("variant", told.to_owned())] } else { Vec::new() };
            assert_eq!(traps(&document), expected, "{document}");
        }
    }
}

/// 43,000 weights of 100,000 are more than the engine's 32 bits hold.
#[test]
fn a_sum_of_weights_never_overflows() {
    let variants: Vec<Value> = (0..43_000).map(|at| json!({"name": at.to_string(), "weight": 100_000})).collect();
    let document = beside_a_sound_one(with_variants("odd", &json!(variants)));
    assert!(outcome(&document, "odd", &user("ada")).enabled);
}

/// The engine goes one call deeper for each of them, and a proxy's stack is small.
#[test]
fn chains_that_would_exhaust_the_stack_are_refused() {
    let told = "has over 500 strategies, or a strategy with over 500 constraints";
    let constraint = json!({"contextName": "userId", "operator": "IN", "values": ["ada"]});
    let many = |count: usize| json!(vec![constraint.clone(); count]);
    let in_segment = |count: usize| {
        let odd = feature("odd", &json!([{"name": "default", "segments": [1, 1, 1]}]));
        common::with(beside_a_sound_one(odd), &[("/segments", json!([{"id": 1, "constraints": many(count)}]))])
    };
    let strategies = |count: usize| beside_a_sound_one(feature("odd", &json!(vec![json!({"name": "default"}); count])));
    for (document, refused) in [
        (beside_a_sound_one(constrained("odd", &many(500))), false),
        (beside_a_sound_one(constrained("odd", &many(501))), true),
        (beside_a_sound_one(constrained("odd", &many(100_000))), true),
        (in_segment(166), false),
        (in_segment(167), true),
        (strategies(500), false),
        (strategies(501), true),
    ] {
        let kinds: Vec<String> = traps(&document).into_iter().map(|(_, message)| message).collect();
        assert_eq!(kinds.iter().any(|message| message == told), refused, "{kinds:?}");
        assert_eq!(evaluated(&document).1 == Reason::Unusable, refused);
    }
}

/// The flag was turned off in Unleash: that holds, whatever else can't be read of it.
#[test]
fn a_flag_that_is_off_is_off_however_odd_it_is() {
    let off = |mut odd: Value| {
        odd["enabled"] = json!(false);
        odd
    };
    let cases = [
        feature("odd", &json!([{"name": "default", "segments": [7]}])),
        feature("odd", &json!([rollout("150", "default", "odd")])),
        constrained("odd", &json!([{"contextName": "x", "operator": "NUM_GT"}])),
        json!({"name": "odd", "enabled": true, "strategies": 7}),
    ];
    for odd in cases {
        let document = beside_a_sound_one(off(odd));
        assert_eq!(evaluated(&document), (false, Reason::Disabled), "{document}");
        assert!(traps(&document).iter().all(|(_, message)| !message.contains("default")), "{document}");
    }
}

/// What depends on a flag that can't be evaluated can't be evaluated either: a guess would be wrong for one side.
#[test]
fn a_parent_that_cannot_be_evaluated_takes_its_children_along() {
    let parents = [
        constrained("parent", &json!([{"contextName": "x", "operator": "SOUNDS_LIKE", "values": ["a"]}])),
        constrained("parent", &json!([{"contextName": "x", "operator": "NUM_GT"}])),
        json!({"name": "parent", "enabled": true, "strategies": 7}),
    ];
    for parent in parents {
        for wanted in [true, false] {
            let mut child = feature("child", &json!([{"name": "default"}]));
            child["dependencies"] = json!([{"feature": "parent", "enabled": wanted}]);
            let document = document(&json!([child, parent]));
            let outcome = outcome(&document, "child", &user("ada"));
            assert_eq!((outcome.enabled, outcome.reason), UNUSABLE, "{document}");
            let traps = compile(&document).traps;
            let of_child: Vec<&str> =
                traps.iter().filter(|trap| trap.flag == "child").map(|trap| trap.message.as_str()).collect();
            assert_eq!(of_child, ["depends on parent, which can't be evaluated; its default is served"]);
        }
    }
    let mut child = feature("child", &json!([]));
    child["dependencies"] = json!([{"feature": "archived"}]);
    let outcome = outcome(&document(&json!([child])), "child", &user("ada"));
    assert_eq!((outcome.enabled, outcome.reason), (false, Reason::NoMatch), "as unleash has it");
}

#[test]
fn an_empty_id_or_one_that_is_no_text_counts_as_none() {
    let policy = exposing(
        &json!([{"name": "a"}]),
        &[("/context", json!({"sessionId": {"header": "x-session"}, "properties": {"plan": {"header": "x-plan"}}}))],
    );
    let needs = Needs { user_id: true, session_id: true, properties: ["plan".to_owned()].into(), ..Needs::default() };
    let cases: [(&[u8], Option<&str>); 4] =
        [(b"", None), (b"\xff\xfe", None), ("José".as_bytes(), Some("José")), (b" ", Some(" "))];
    for (value, expected) in cases {
        let headers = Pairs::from_list(&[(&b"x-user-id"[..], value), (b"x-session", value), (b"x-plan", value)]);
        let request = Request::new(&headers);
        let context = of_request(&policy.settings, &needs, &request, &common::Facts::default());
        assert_eq!(context.user_id.as_deref(), expected);
        assert_eq!(context.session_id.as_deref(), expected);
        assert_eq!(context.properties.get("plan").map(|plan| &**plan), expected);
    }
}

/// Some SDKs hash UTF-16, and have `demo:José` in bucket 12.
#[test]
fn ids_are_hashed_by_their_utf_8_bytes() {
    for (percentage, enabled) in [("12", false), ("66", false), ("67", true)] {
        let document = document(&json!([feature("demo", &json!([rollout(percentage, "userId", "demo")]))]));
        assert_eq!(outcome(&document, "demo", &user("José")).enabled, enabled, "{percentage}");
    }
}
