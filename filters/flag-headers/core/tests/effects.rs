//! Which headers evaluated flags set, and what filters of the same proxy see.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod common;

use common::{Facts, Seen, ask, constrained, document, exposing, feature, served, with_variants};
use flag_core::serve::{Origin, PayloadFault, Served};
use serde_json::{Value, json};

fn flags_of_unleash() -> Value {
    let payload =
        |kind: &str, value: &str| json!([{"name": "blue", "weight": 1, "payload": {"type": kind, "value": value}}]);
    document(&json!([
        feature("on", &json!([])),
        constrained("for-ada", &json!([{"contextName": "userId", "operator": "IN", "values": ["ada"]}])),
        {"name": "off", "enabled": false, "strategies": []},
        with_variants("color", &json!([{"name": "dark blue, é", "weight": 1}])),
        with_variants("text", &payload("string", " a,b é")),
        with_variants("timeout", &payload("number", " 30 ")),
        with_variants("ratio", &payload("number", "30.0")),
        with_variants("limits", &payload("json", "{\"b\": [1, \"é\"]}")),
        with_variants("list", &payload("csv", "a,b")),
        with_variants("no-payload", &json!([{"name": "blue", "weight": 1}])),
        feature("Odd Name/é", &json!([])),
        feature("team-b", &json!([])),
        feature("team-a", &json!([])),
    ]))
}

/// The headers that are set for ada.
fn set(flags: Value, also: &[(&str, Value)]) -> Vec<(String, String)> {
    seen(flags, also).headers.into_iter().filter(|(name, _)| name != "x-user-id").collect()
}

fn seen(flags: Value, also: &[(&str, Value)]) -> Seen {
    let policy = exposing(&flags, also);
    let served = served(&policy, Origin::Live, &flags_of_unleash());
    ask(&policy, &served, &[("x-user-id", "ada")], &Facts::default())
}

fn lines(headers: &[(String, String)]) -> Vec<String> {
    headers.iter().map(|(name, value)| format!("{name}: {value}")).collect()
}

#[test]
fn each_flag_has_its_headers_in_the_configured_order() {
    let flags = json!([
        {"name": "off", "default": true}, {"name": "for-ada"}, {"name": "on", "variant": true},
        {"name": "color", "variant": true}, {"name": "color-not-asked-for"}, {"name": "unknown", "default": true, "variant": true},
        {"name": "Odd Name/é"}, {"name": "team-*"},
    ]);
    let expected = [
        "x-flag-off: false",
        "x-flag-for-ada: true",
        "x-flag-on: true",
        "x-flagvariant-on: disabled",
        "x-flag-color: true",
        "x-flagvariant-color: dark%20blue%2C%20%C3%A9",
        "x-flag-color-not-asked-for: false",
        "x-flag-unknown: true",
        "x-flagvariant-unknown: disabled",
        "x-flag-odd%20name%2f%c3%a9: true",
        "x-flag-team-a: true",
        "x-flag-team-b: true",
        "x-flags-source: live",
    ];
    assert_eq!(lines(&set(flags, &[])), expected);
}

#[test]
fn payloads_are_read_as_their_type_or_give_way_to_the_default() {
    let payload = |kind: &str, others: Value| {
        let mut payload = others;
        payload["type"] = json!(kind);
        payload
    };
    let cases = [
        ("text", payload("string", json!({})), Some("%20a%2Cb%20%C3%A9"), None),
        ("timeout", payload("number", json!({})), Some("30"), None),
        ("ratio", payload("number", json!({})), Some("30.0"), None),
        ("limits", payload("json", json!({})), Some(r#"{"b":[1,"\u00e9"]}"#), None),
        ("list", payload("csv", json!({})), Some("a%2Cb"), None),
        // a payload of another type than is configured
        ("text", payload("number", json!({"default": 5})), Some("5"), Some(PayloadFault::Type)),
        ("text", payload("json", json!({})), None, Some(PayloadFault::Type)),
        ("text", payload("json", json!({"default": [1]})), Some("[1]"), Some(PayloadFault::Type)),
        ("timeout", payload("string", json!({})), Some("%2030%20"), None),
        // as long as it may be, and longer
        ("list", payload("csv", json!({"maxBytes": 5, "default": "c"})), Some("a%2Cb"), None),
        ("list", payload("csv", json!({"maxBytes": 4, "default": "c"})), Some("c"), Some(PayloadFault::Length)),
        ("list", payload("csv", json!({"maxBytes": 4})), None, Some(PayloadFault::Length)),
        // no payload, no variant, no such flag, off
        ("no-payload", payload("string", json!({"default": "d"})), Some("d"), None),
        ("no-payload", payload("string", json!({})), None, None),
        ("on", payload("number", json!({"default": 1.5})), Some("1.5"), None),
        ("unknown", payload("json", json!({"default": {"a": "b"}})), Some(r#"{"a":"b"}"#), None),
        ("off", payload("number", json!({"default": 7})), Some("7"), None),
    ];
    for (flag, payload, expected, fault) in cases {
        let flags = json!([{"name": flag, "payload": payload}]);
        let header = format!("x-flagpayload-{flag}");
        let seen = seen(flags.clone(), &[]);
        assert_eq!(seen.all(&header).first().copied(), expected, "{flags}");
        assert!(seen.all(&format!("x-flagvariant-{flag}")).is_empty(), "the variant's name was not asked for");
        let policy = exposing(&flags, &[]);
        let served = served(&policy, Origin::Live, &flags_of_unleash());
        assert_eq!(served.outcome(&served.exposed[0], &common::user("ada")).payload_fault, fault, "{flags}");
    }
}

#[test]
fn one_header_for_all_says_the_same_in_one_line() {
    let flags = json!([{"name": "off"}, {"name": "on", "variant": true}, {"name": "color", "variant": true}, {"name": "Odd Name/é"}]);
    let line = "off=false,on=true;variant=disabled,color=true;variant=dark%20blue%2C%20%C3%A9,odd%20name%2f%c3%a9=true";
    let only = [("/headers", json!({"each": false, "all": "x-feature-flags", "source": false}))];
    assert_eq!(lines(&set(flags.clone(), &only)), [format!("x-feature-flags: {line}")]);
    let both = lines(&set(flags.clone(), &[("/headers", json!({"all": "x-feature-flags"}))]));
    assert!(both.contains(&"x-flag-on: true".to_owned()) && both.contains(&format!("x-feature-flags: {line}")));
    assert_eq!(seen(flags.clone(), &only).state.as_deref(), Some(line));
    assert_eq!(seen(flags.clone(), &[]).state.as_deref(), Some(line), "filter state needs no header");
    assert_eq!(seen(flags, &[("/filterState", json!(false))]).state, None);
}

#[test]
fn the_mode_decides_whether_anything_is_set() {
    for (mode, count) in [("enforce", 2), ("report", 0), ("off", 0)] {
        let flags = json!([{"name": "on"}]);
        let seen = seen(flags.clone(), &[("/mode", json!(mode))]);
        assert_eq!(set(flags, &[("/mode", json!(mode))]).len(), count, "{mode}");
        assert_eq!(seen.state.is_some(), mode == "enforce", "{mode}");
    }
}

#[test]
fn the_source_header_says_where_flags_come_from() {
    let policy = exposing(&json!([{"name": "on"}]), &[]);
    for origin in [Origin::Live, Origin::Stale, Origin::Bootstrap] {
        let seen = ask(&policy, &served(&policy, origin, &flags_of_unleash()), &[], &Facts::default());
        assert_eq!(seen.all("x-flags-source"), [origin.as_str()]);
        assert_eq!(seen.all("x-flag-on"), ["true"]);
    }
    let defaults = Served::new(&policy.flags, Origin::Default, None);
    let seen = ask(&policy, &defaults, &[], &Facts::default());
    assert_eq!((seen.all("x-flags-source"), seen.all("x-flag-on")), (vec!["default"], vec!["false"]));
    assert!(set(json!([{"name": "on"}]), &[("/headers", json!({"source": false}))]).len() == 1);
}

#[test]
fn a_set_header_takes_the_place_of_every_copy() {
    let policy = exposing(&json!([{"name": "on"}]), &[]);
    let served = served(&policy, Origin::Live, &flags_of_unleash());
    let forged =
        [("x-flag-on", "a"), ("x-flag-on", "b"), ("x_flag_on", "c"), ("x-flags-source", "d"), ("x-flags-source", "e")];
    let seen = ask(&policy, &served, &forged, &Facts::default());
    assert_eq!(lines(&seen.headers), ["x-flag-on: true", "x-flags-source: live"]);
}

#[test]
fn flags_of_a_prefix_come_by_name_once_and_a_flag_named_on_its_own_keeps_its_settings() {
    let flags = json!([{"name": "team-*"}, {"name": "team-b", "default": true, "variant": true}, {"name": "t*"}]);
    let headers: Vec<String> = set(flags, &[]).into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        headers,
        ["x-flag-team-a", "x-flag-team-b", "x-flagvariant-team-b", "x-flag-text", "x-flag-timeout", "x-flags-source"]
    );
}

/// What Unleash holds can't be checked beforehand, as a configuration can.
#[test]
fn of_two_flags_of_a_prefix_that_share_a_header_one_is_exposed() {
    let document = document(
        &json!([feature("A-Flag", &json!([])), {"name": "a-flag", "enabled": false}, {"name": "B", "enabled": false}]),
    );
    let policy = exposing(&json!([{"name": "*"}, {"name": "b", "default": true}]), &[]);
    let served = served(&policy, Origin::Live, &document);
    let names: Vec<&str> = served.exposed.iter().map(|exposed| exposed.name.as_str()).collect();
    assert_eq!(names, ["A-Flag", "b"]);
    let seen = ask(&policy, &served, &[], &Facts::default());
    assert_eq!(lines(&seen.headers), ["x-flag-a-flag: true", "x-flag-b: true", "x-flags-source: live"]);
}
