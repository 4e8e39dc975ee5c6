//! What runs of a configuration that is wrong in part, and what is said about it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod common;

use common::{Facts, Memory, ask, document, example, example_with, feature, loaded, told, with};
use filter_config::ConfigState;
use flag_core::config::Mode;
use flag_core::flag::Selector;
use flag_core::serve::{Origin, Served};
use flag_core::{Loaded, Policy};
use serde_json::{Value, json};

fn errors(loaded: &Loaded) -> Vec<String> {
    told(&loaded.report.errors)
}

/// The exposed flags with their defaults.
fn flags(policy: &Policy) -> Vec<(&str, bool)> {
    fn name(selector: &Selector) -> &str {
        match selector {
            Selector::Name(name) | Selector::Prefix(name) => name,
        }
    }
    policy.flags.iter().map(|flag| (name(&flag.selector), flag.default)).collect()
}

/// Whether a client's header gets through to the service.
fn passes(policy: &Policy, header: &str) -> bool {
    let served = Served::new(&policy.flags, Origin::Default, None);
    ask(policy, &served, &[(header, "forged")], &Facts::default()).all(header).contains(&"forged")
}

#[test]
fn the_example_loads_and_nothing_is_to_be_said() {
    let loaded = loaded(&example());
    assert!(loaded.report.is_clean(), "{:?}", loaded.report);
    assert_eq!(loaded.state, ConfigState::Ok);
    assert_eq!(
        flags(&loaded.policy),
        [("new-ui-enabled", false), ("ai-safety-pii", true), ("ai-provider-openai-enabled", true)]
    );
    assert_eq!(loaded.policy.bootstrap.as_deref(), Some(r#"{"version":2,"features":[],"segments":[]}"#));
}

#[test]
fn every_mistake_is_told_at_once_with_path_value_and_what_is_allowed() {
    let config = json!({
        "unleash": {
            "service": {"name": "unleash", "namespace": 7, "port": 70000}, "cluster": "unleash",
            "appName": "caf\u{e9}", "refresh": "15", "maxBytes": 1,
        },
        "bootstrap": {"features": "none"},
        "mode": "on", "trust": "everyone", "hosts": ["devmentor.local:80"], "match": [{"uri": {}}],
        "identity": [{"header": "x-user-id", "cookie": "uid"}],
        "context": {"sessionId": {}, "remoteAddress": 1, "properties": {"": {"header": "x-a"}, "plan": {"header": "x plan"}}},
        "flags": [
            {"default": "yes"}, {"name": ""}, {"name": "a\nb"}, {"name": "x".repeat(201)},
            {"name": "p", "payload": {"type": "xml"}},
            {"name": "q", "variant": 1, "payload": {"type": "number", "default": "3", "maxBytes": 0}},
            {"name": "r", "payload": {"type": "number", "default": "3"}},
        ],
        "headers": {"each": "no", "all": "x features", "strip": "some"},
        "filterState": "yes",
        "ofrep": {"hosts": ["*"], "pathPrefix": "ofrep", "maxBytes": 0},
        "debug": {"path": "/a?b"},
    });
    let mut expected = [
        "unleash: service and cluster exclude each other; keep one",
        "unleash.service.namespace: 7 is not a string",
        "unleash.service.port: 70000 is not a whole number from 1 to 65535",
        "unleash.appName: \"caf\u{e9}\" is not printable ascii text",
        "unleash.refresh: 15 is not a duration such as 15s, 250ms or 1h30m",
        "unleash.maxBytes: 1 is not a whole number from 1024 to 33554432",
        "bootstrap: {\"features\":\"none\"} is not what /api/client/features answers: it needs a list named features",
        "mode: on is not one of off, report, enforce",
        "trust: everyone is not one of edge, mesh",
        "hosts[0]: devmentor.local:80 is not a host: a name, *.name or *, without a port",
        "match[0].uri: holds none of exact, prefix, regex; one is needed",
        "identity[0]: header and cookie exclude each other; keep one",
        "context.sessionId: holds none of jwt, header, cookie, query; one is needed",
        "context.remoteAddress: 1 is neither true nor false",
        "context.properties.: is empty",
        "context.properties.plan.header: \"x plan\" is not a header name: letters, digits and !#$%&'*+-.^_`|~",
        "flags[0].name: is missing",
        "flags[0].default: yes is neither true nor false",
        "flags[1].name: \"\" is not a flag's name: 1 to 200 bytes of text",
        "flags[2].name: \"a\\nb\" is not a flag's name: 1 to 200 bytes of text",
        &format!("flags[3].name: {}… is not a flag's name: 1 to 200 bytes of text", "x".repeat(64)),
        "flags[4].payload.type: xml is not one of string, json, csv, number",
        "flags[5].variant: 1 is neither true nor false",
        "flags[5].payload.maxBytes: 0 is not a whole number from 1 to 16384",
        "flags[6].payload.default: 3 is not of type number",
        "headers.each: no is neither true nor false",
        "headers.all: \"x features\" is not a header name: letters, digits and !#$%&'*+-.^_`|~",
        "headers.strip: some is not one of owned, all",
        "filterState: yes is neither true nor false",
        "ofrep.hosts[0]: * would answer for every host, public ones too; name the host",
        "ofrep.pathPrefix: ofrep is not a path: / first, and no ?, # or space",
        "ofrep.maxBytes: 0 is not a whole number from 1 to 1048576",
        "debug.hosts: is missing",
        "debug.path: /a?b is not a path: / first, and no ?, # or space",
    ]
    .map(str::to_owned);
    let mut found = errors(&loaded(&config));
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn unknown_fields_are_no_errors() {
    let loaded = loaded(&example_with(&[("/flags/0/dfault", json!(true)), ("/unlaesh", json!({}))]));
    assert_eq!(loaded.state, ConfigState::Ok);
    let unknown: Vec<&str> = loaded.report.unknown.iter().map(|mistake| mistake.path.as_str()).collect();
    assert_eq!(unknown, ["unlaesh", "flags[0].dfault"]);
}

#[test]
fn a_bad_flag_harms_no_other_and_keeps_its_last_good_form() {
    let memory = Memory::default();
    memory.load(example().to_string().as_bytes());
    let bad = example_with(&[("/flags/1/default", json!("on")), ("/flags/2/default", json!(false))]);
    let loaded = memory.load(bad.to_string().as_bytes());
    assert_eq!(
        (loaded.state, errors(&loaded)),
        (ConfigState::Partial, vec!["flags[1].default: on is neither true nor false".to_owned()])
    );
    assert_eq!(
        flags(&loaded.policy),
        [("new-ui-enabled", false), ("ai-safety-pii", true), ("ai-provider-openai-enabled", false)]
    );
}

#[test]
fn a_bad_flag_without_a_last_good_form_is_not_exposed_and_still_owned() {
    let loaded = loaded(&example_with(&[("/flags/1/default", json!("on"))]));
    assert_eq!(loaded.state, ConfigState::Partial);
    assert_eq!(flags(&loaded.policy), [("new-ui-enabled", false), ("ai-provider-openai-enabled", true)]);
    for name in ["x-flag-ai-safety-pii", "x-flagvariant-ai-safety-pii", "x-flagpayload-ai_safety_pii"] {
        assert!(!passes(&loaded.policy, name), "{name}");
    }
}

#[test]
fn a_flag_that_is_gone_is_forgotten() {
    let memory = Memory::default();
    memory.load(example().to_string().as_bytes());
    let gone = example_with(&[("/flags", json!([{"name": "ai-safety-pii"}]))]);
    memory.load(gone.to_string().as_bytes());
    let bad = example_with(&[("/flags/0/default", json!("on"))]);
    let names: Vec<&str> = vec!["ai-safety-pii", "ai-provider-openai-enabled"];
    let loaded = memory.load(bad.to_string().as_bytes());
    assert_eq!(flags(&loaded.policy).into_iter().map(|(name, _)| name).collect::<Vec<_>>(), names);
}

#[test]
fn of_two_flags_that_share_a_name_or_a_header_the_first_stays() {
    let cases = [
        ("new-ui-enabled", "flags[3].name: new-ui-enabled is also the name of flags[0]"),
        ("New-UI-enabled", "flags: new-ui-enabled and New-UI-enabled share the header x-flag-new-ui-enabled; keep one"),
    ];
    for (name, error) in cases {
        let loaded = loaded(&example_with(&[("/flags/-", json!({"name": name, "default": true}))]));
        assert_eq!((loaded.state, errors(&loaded)), (ConfigState::Partial, vec![error.to_owned()]));
        assert_eq!(flags(&loaded.policy)[..], flags(&common::policy(&example()))[..]);
    }
}

#[test]
fn a_bad_bootstrap_gives_way_to_its_last_good_form_or_none() {
    let good = document(&json!([feature("new-ui-enabled", &json!([])), feature("not-exposed", &json!([]))]));
    let enabled = |loaded: &Loaded| {
        loaded.policy.bootstrap.as_ref().map(|document| {
            let features: Value = serde_json::from_str(document).unwrap();
            features["features"].as_array().unwrap().iter().map(|flag| flag["name"].clone()).collect::<Vec<_>>()
        })
    };
    for wrong in [json!(7), json!([]), json!({}), json!({"features": null}), json!("{}")] {
        let memory = Memory::default();
        let bad = example_with(&[("/bootstrap", wrong)]);
        let first = memory.load(bad.to_string().as_bytes());
        assert_eq!((first.state, errors(&first).len(), enabled(&first)), (ConfigState::Partial, 1, None));
        memory.load(example_with(&[("/bootstrap", good.clone())]).to_string().as_bytes());
        let second = memory.load(bad.to_string().as_bytes());
        assert_eq!(enabled(&second), Some(vec![json!("new-ui-enabled")]), "only what is exposed");
    }
    let memory = Memory::default();
    memory.load(example_with(&[("/bootstrap", good)]).to_string().as_bytes());
    let without = memory.load(example_with(&[("/bootstrap", Value::Null)]).to_string().as_bytes());
    assert_eq!((without.state, enabled(&without)), (ConfigState::Ok, None), "taken away on purpose");
    let bad = memory.load(example_with(&[("/bootstrap", json!(7))]).to_string().as_bytes());
    assert_eq!(enabled(&bad), None);
}

#[test]
fn wrong_settings_keep_their_last_good_form_beside_new_flags() {
    let memory = Memory::default();
    memory.load(example_with(&[("/headers", json!({"all": "x-features"}))]).to_string().as_bytes());
    let bad = example_with(&[("/mode", json!("on")), ("/flags", json!([{"name": "new"}]))]);
    let loaded = memory.load(bad.to_string().as_bytes());
    assert_eq!((loaded.state, errors(&loaded).len()), (ConfigState::Partial, 1));
    assert_eq!(flags(&loaded.policy), [("new", false)]);
    assert_eq!(loaded.policy.settings.headers.all.as_ref().unwrap().as_str(), "x-features");
    assert_eq!(loaded.policy.settings.mode, Mode::Enforce);
}

#[test]
fn wrong_settings_without_a_last_good_form_leave_only_the_trust_boundary() {
    let bad = |headers: Value| example_with(&[("/mode", json!("on")), ("/headers", headers)]);
    let cases = [
        (bad(json!({})), vec!["x-flag-new-ui-enabled", "x-flags-source"], vec!["x-flag-of-another-team"]),
        (
            bad(json!({"all": "x-features"})),
            vec!["x-flag-new-ui-enabled", "x_features"],
            vec!["x-flag-of-another-team"],
        ),
        // what can't be read might own anything
        (bad(json!({"all": "x-features", "strip": 7})), vec!["x-features", "x-flag-of-another-team"], vec!["x-other"]),
        (
            with(bad(json!({})), &[("/flags", json!("all"))]),
            vec!["x-flag-new-ui-enabled", "x_flagvariant_a"],
            vec!["x-other"],
        ),
        (json!({"flags": {"name": "a"}}), vec!["x-flag-a"], vec!["x-other"]),
    ];
    for (config, removed, left) in cases {
        let loaded = loaded(&config);
        assert_eq!((loaded.state, loaded.policy.settings.mode), (ConfigState::Safe, Mode::Off), "{config}");
        assert!(loaded.policy.settings.unleash.is_none() && loaded.policy.settings.ofrep.is_none());
        removed.iter().for_each(|header| assert!(!passes(&loaded.policy, header), "{header} {config}"));
        left.iter().for_each(|header| assert!(passes(&loaded.policy, header), "{header} {config}"));
    }
}

#[test]
fn what_is_no_configuration_leaves_the_last_good_one_at_work() {
    let memory = Memory::default();
    let bootstrap = document(&json!([feature("new-ui-enabled", &json!([]))]));
    memory.load(example_with(&[("/bootstrap", bootstrap)]).to_string().as_bytes());
    for garbage in [&b"{\"flags\": ["[..], b"[]", b"\xff\xfe", b"null", b"7"] {
        let loaded = memory.load(garbage);
        assert_eq!((loaded.state, errors(&loaded).len()), (ConfigState::LastGood, 1), "{garbage:?}");
        assert_eq!(flags(&loaded.policy), flags(&common::policy(&example())));
        assert!(loaded.policy.settings.unleash.is_some() && loaded.keep.is_empty());
        assert!(loaded.policy.bootstrap.unwrap().contains("new-ui-enabled"));
        let first = common::Memory::default().load(garbage);
        assert_eq!(first.state, ConfigState::Safe, "{garbage:?}");
        assert!(!passes(&first.policy, "x-flag-any"), "nothing tells which flags there are");
    }
    let loaded = memory.load(example_with(&[("/flags", json!("none"))]).to_string().as_bytes());
    assert_eq!((loaded.state, flags(&loaded.policy).len()), (ConfigState::Partial, 3), "no list of flags at all");
}

#[test]
fn no_configuration_at_all_is_an_empty_one() {
    for nothing in [&b""[..], b" \n", b"{}"] {
        let loaded = Memory::default().load(nothing);
        assert!(loaded.report.is_clean() && loaded.policy.flags.is_empty());
        assert_eq!(loaded.state, ConfigState::Ok);
        assert!(passes(&loaded.policy, "x-flag-of-another-team") && !passes(&loaded.policy, "x-flags-source"));
    }
}

#[test]
fn what_is_most_likely_not_meant_is_warned_of() {
    let cases = [
        (vec![], vec![]),
        (
            vec![("/unleash", Value::Null), ("/bootstrap", Value::Null)],
            vec!["has neither unleash nor bootstrap: every flag has its default"],
        ),
        (
            vec![("/identity", json!([])), ("/ofrep", Value::Null)],
            vec!["identity: is empty: no request has a user, so flags for users are off"],
        ),
        (vec![("/identity", json!([]))], vec![]),
        (
            vec![("/unleash/refresh", json!("500ms"))],
            vec!["unleash.refresh: is under 1s, which is how often it can be at most"],
        ),
        (
            vec![("/headers", json!({"each": false})), ("/ofrep", Value::Null)],
            vec!["headers: carries nothing: each is false and all is not there"],
        ),
        (
            vec![("/flags/-", json!({"name": "*"}))],
            vec!["flags: exposes every flag of unleash by *: each costs a header and time at updates"],
        ),
    ];
    for (changes, expected) in cases {
        let loaded = loaded(&example_with(&changes));
        assert!(loaded.report.errors.is_empty(), "{:?}", loaded.report);
        assert_eq!(told(&loaded.report.warnings), expected, "{changes:?}");
    }
}
