//! What runs of a configuration that is wrong in part, and what is said about it.

mod common;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use canary_core::Loaded;
use common::{Memory, ask, example, example_with, loaded, token_of};
use filter_config::ConfigState;
use serde_json::{Value, json};

fn errors(loaded: &Loaded) -> Vec<String> {
    loaded.report.errors.iter().map(ToString::to_string).collect()
}

#[test]
fn every_mistake_is_told_at_once_with_path_value_and_what_is_allowed() {
    let config = json!({
        "armHeader": "x canary",
        "trust": "everyone",
        "identity": [{"header": "x-user-id", "cookie": "uid"}, {"jwt": {"claim": "sub"}}, {}],
        "anonymous": {"cookie": "a b", "maxAge": "1 year", "sameSite": "None", "secure": false},
        "rules": [{
            "name": "ai gateway",
            "mode": "on",
            "hosts": ["devmentor.local:80"],
            "match": [{"uri": {"prefix": "/a", "exact": "/b"}}, {"headers": {"x y": {"regex": "("}}}],
            "salt": 7,
            "baseline": "v1",
            "arms": [{"name": "v2", "weight": 120}, {"weight": "10"}],
            "noIdentity": "drop",
        }, {
            "name": "two",
            "salt": "",
            "baseline": "v1",
            "arms": [{"name": "v1", "weight": 60}, {"name": "v2", "weight": 50}],
            "overrides": [{"arm": "v9", "users": ["a"]}, {"arm": "v2"}],
        }],
    });
    let expected = [
        "armHeader: \"x canary\" is not a header name: letters, digits and !#$%&'*+-.^_`|~",
        "trust: everyone is not one of edge, mesh",
        "identity[0]: header and cookie exclude each other; keep one",
        "identity[1].jwt.issuer: is missing",
        "identity[2]: holds none of jwt, header, cookie, query; one is needed",
        "anonymous.cookie: \"a b\" is not a cookie name: letters, digits and !#$%&'*+-.^_`|~",
        "anonymous.maxAge: \"1 year\" is neither session nor a duration such as 8760h",
        "rules[0].name: \"ai gateway\" is not a name: 1 to 63 of a-z A-Z 0-9 . _ -",
        "rules[0].mode: on is not one of off, report, enforce",
        "rules[0].hosts[0]: devmentor.local:80 is not a host: a name, *.name or *, without a port",
        "rules[0].match[0].uri: exact and prefix exclude each other; keep one",
        "rules[0].match[1].headers.x y: is not a header name: letters, digits and !#$%&'*+-.^_`|~",
        "rules[0].match[1].headers.x y.regex: ( is not a regular expression: found open group without closing ')'",
        "rules[0].salt: 7 is not a string",
        "rules[0].arms[0].weight: 120 is over 100",
        "rules[0].arms[1].name: is missing",
        "rules[0].arms[1].weight: 10 is not a number",
        "rules[0].noIdentity: drop is not one of unset, baseline, random",
        "rules[1].arms[0].name: v1 is also the name of the baseline",
        "rules[1].arms: the weights add up to 110.00, over 100",
        "rules[1].overrides[0].arm: v9 is not one of v1, v1, v2",
        "rules[1].overrides[1]: holds none of headers, cookies, users; one is needed",
        "rules[1].salt: is empty",
    ];
    let mut found = errors(&loaded(&config));
    let mut expected: Vec<String> = expected.iter().map(|line| (*line).to_owned()).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn unknown_fields_are_told_apart_from_errors() {
    let loaded = loaded(&example_with(&[("/rules/0/wieght", json!(1)), ("/armheader", json!("x"))]));
    assert_eq!(loaded.state, ConfigState::Ok);
    let unknown: Vec<String> = loaded.report.unknown.iter().map(|m| m.path.clone()).collect();
    assert_eq!(unknown, ["armheader", "rules[0].wieght"]);
}

#[test]
fn what_is_most_likely_not_meant_is_warned_of() {
    let warnings = |changes: &[(&str, Value)]| -> Vec<String> {
        let loaded = loaded(&example_with(changes));
        assert!(loaded.report.errors.is_empty(), "{:?}", loaded.report);
        loaded.report.warnings.iter().map(ToString::to_string).collect()
    };
    assert!(warnings(&[]).is_empty());
    let mut second = example()["rules"][0].clone();
    second["name"] = json!("second");
    assert_eq!(
        warnings(&[("/rules/0/match", json!([])), ("/rules/0/hosts", json!(["*"])), ("/rules/-", second)]),
        ["rules[1]: is never reached: rules[0] is for every request"]
    );
    assert_eq!(
        warnings(&[("/identity", json!([{"header": "x-user-id"}]))]),
        ["rules[0].overrides: name users, which count for trusted ids only, and no source in identity is trusted"]
    );
}

#[test]
fn too_many_named_users_are_refused_with_the_way_out() {
    let users: Vec<String> = (0..1001).map(|n| format!("u{n}")).collect();
    let over = loaded(&example_with(&[("/rules/0/overrides", json!([{"arm": "v2", "users": users}]))]));
    assert_eq!(
        errors(&over),
        [
            "rules[0].overrides: name 1001 users, over 1000; keep such a list in an unleash segment and steer the arm by a flag"
        ]
    );
    let most = loaded(&example_with(&[("/rules/0/overrides", json!([{"arm": "v2", "users": users[1..]}]))]));
    assert!(errors(&most).is_empty());
}

#[test]
fn a_bad_rule_harms_no_other_and_keeps_its_last_good_form() {
    let memory = Memory::default();
    let mut second = example()["rules"][0].clone();
    second["name"] = json!("auth");
    second["match"] = json!([{"uri": {"prefix": "/api/auth"}}]);
    second["arms"][0]["weight"] = json!(100);
    let good = example_with(&[("/rules/-", second), ("/rules/0/arms/0/weight", json!(100))]);
    assert_eq!(memory.load(good.to_string().as_bytes()).state, ConfigState::Ok);

    let mut bad = good;
    bad["rules"][0]["arms"][0]["weight"] = json!(101);
    bad["rules"][1]["arms"][0]["weight"] = json!(0);
    let loaded = memory.load(bad.to_string().as_bytes());
    assert_eq!(
        (loaded.state, errors(&loaded)),
        (ConfigState::Partial, vec!["rules[0].arms[0].weight: 101 is over 100".to_owned()])
    );
    assert_eq!(
        ask(&loaded.policy, &[], &token_of("u")).arm.as_deref(),
        Some("v2"),
        "the last good form of the bad one"
    );
    assert_eq!(
        ask(&loaded.policy, &[(":path", "/api/auth")], &token_of("u")).arm.as_deref(),
        Some("v1"),
        "the new form of the good one"
    );
}

#[test]
fn a_bad_rule_without_a_last_good_form_is_off_and_keeps_its_requests() {
    let mut all = example()["rules"][0].clone();
    all["name"] = json!("all");
    all["match"] = json!([]);
    all["arms"][0]["weight"] = json!(100);
    let config = example_with(&[("/rules/0/arms/0/weight", json!("many")), ("/rules/-", all.clone())]);
    let loaded = loaded(&config);
    let outcome = ask(&loaded.policy, &[("x-canary-arm", "v2")], &token_of("u"));
    assert_eq!((outcome.reason, outcome.arm_headers), (Some("broken"), vec![]));
    assert_eq!(ask(&loaded.policy, &[(":path", "/x")], &token_of("u")).arm.as_deref(), Some("v2"));

    let unreadable = example_with(&[("/rules/0/match", json!("?")), ("/rules/-", all)]);
    let loaded = common::loaded(&unreadable);
    assert_eq!(ask(&loaded.policy, &[], &token_of("u")).arm.as_deref(), Some("v2"), "nothing tells its requests");
}

#[test]
fn of_two_rules_with_one_name_the_second_is_off() {
    let mut second = example()["rules"][0].clone();
    second["match"] = json!([{"uri": {"prefix": "/api/auth"}}]);
    let loaded = loaded(&example_with(&[("/rules/-", second)]));
    assert_eq!(errors(&loaded), ["rules[1].name: ai-gateway is also the name of rules[0]"]);
    assert_eq!(ask(&loaded.policy, &[(":path", "/api/auth")], &token_of("u")).reason, Some("broken"));
    assert_eq!(ask(&loaded.policy, &[], &token_of("u")).reason, Some("user"));
}

#[test]
fn wrong_settings_keep_their_last_good_form_beside_new_rules() {
    let memory = Memory::default();
    memory.load(example_with(&[("/armHeader", json!("x-version"))]).to_string().as_bytes());
    let bad = example_with(&[("/armHeader", json!("")), ("/rules/0/arms/0/weight", json!(100))]);
    let loaded = memory.load(bad.to_string().as_bytes());
    assert_eq!(loaded.state, ConfigState::Partial);
    let outcome = ask(&loaded.policy, &[], &token_of("u"));
    assert_eq!(outcome.arm_headers, [("x-version".to_owned(), "v2".to_owned())]);
}

#[test]
fn what_is_no_configuration_leaves_the_last_good_one_at_work() {
    let memory = Memory::default();
    memory.load(example().to_string().as_bytes());
    for garbage in [&b"{\"rules\": ["[..], b"[]", b"\xff\xfe", b"null", b"7"] {
        let loaded = memory.load(garbage);
        assert_eq!(loaded.state, ConfigState::LastGood, "{garbage:?}");
        assert_eq!(errors(&loaded).len(), 1);
        assert_eq!(ask(&loaded.policy, &[], &token_of("qa-1")).arm.as_deref(), Some("v2"));
    }
    let loaded = memory.load(example_with(&[("/rules", json!("none"))]).to_string().as_bytes());
    assert_eq!(loaded.state, ConfigState::Partial);
    assert_eq!(ask(&loaded.policy, &[], &token_of("qa-1")).arm.as_deref(), Some("v2"), "no list of rules at all");
}

#[test]
fn with_nothing_kept_only_the_trust_boundary_stands() {
    let named = example_with(&[("/armHeader", json!("x-version")), ("/trust", json!("no"))]);
    for config in ["{".to_owned(), "[]".to_owned(), named.to_string()] {
        let loaded = canary_core::load(config.as_bytes(), &filter_config::NothingKept);
        assert_eq!(loaded.state, ConfigState::Safe, "{config}");
        let outcome = ask(&loaded.policy, &[("x-canary-arm", "v2"), ("X_Canary_Arm", "v2")], &token_of("qa-1"));
        assert_eq!((outcome.decision, outcome.arm_headers), (None, vec![]), "{config}");
    }
    let loaded = loaded(&named);
    let outcome = ask(&loaded.policy, &[("x-version", "v2"), ("x-canary-arm", "v2")], &token_of("qa-1"));
    assert!(outcome.arm_headers.is_empty(), "the header that was named goes as well");
}

#[test]
fn a_rule_that_was_taken_away_is_forgotten() {
    let memory = Memory::default();
    memory.load(example().to_string().as_bytes());
    memory.load(example_with(&[("/rules", json!([]))]).to_string().as_bytes());
    let back = memory.load(example_with(&[("/rules/0/salt", json!(7))]).to_string().as_bytes());
    assert_eq!(ask(&back.policy, &[], &token_of("qa-1")).reason, Some("broken"));
}

#[test]
fn an_empty_configuration_is_one() {
    for empty in ["", " ", "{}"] {
        let loaded = canary_core::load(empty.as_bytes(), &filter_config::NothingKept);
        assert_eq!((loaded.state, loaded.policy.rules.len()), (ConfigState::Ok, 0), "{empty:?}");
    }
}
