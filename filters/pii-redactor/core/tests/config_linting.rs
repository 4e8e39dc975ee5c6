//! What is allowed in a configuration and most likely not meant.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod config_common;

use config_common::{example, loaded, told, with};
use filter_config::Report;
use pii_core::lint::warnings;
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// What is found in a configuration that is without mistakes.
fn lint(config: &Value) -> Vec<String> {
    let loaded = loaded(config);
    assert!(loaded.report.is_clean(), "{config}: {:?}", loaded.report);
    let mut report = Report::default();
    warnings(config, &mut report);
    assert!(report.errors.is_empty() && report.unknown.is_empty());
    told(&report.warnings)
}

#[test]
fn nothing_is_found_in_the_example_and_the_defaults() {
    assert_eq!(lint(&example()), [""; 0]);
    assert_eq!(lint(&json!({})), [""; 0]);
}

#[test]
fn what_can_not_be_read_is_left_to_the_loader() {
    for config in [json!({"mode": "x"}), json!([]), json!({"rules": [7, {"name": "a"}], "custom": [{}]})] {
        let mut report = Report::default();
        warnings(&config, &mut report);
        assert!(report.is_clean(), "{config}");
    }
}

#[test]
fn single_settings_that_are_most_likely_not_meant_are_told() {
    let rule = |fields: Value| {
        let mut rule = json!({"name": "r", "api": "openai"});
        fields.as_object().unwrap().iter().for_each(|(name, value)| rule[name] = value.clone());
        json!({"rules": [rule]})
    };
    let any_peer = "gate.trustAnyPeer: whoever can reach the proxy can switch it off by a header";
    let cases = [
        (json!({"onError": "pass"}), vec!["onError: pass lets out, as it is, whatever can't be read".to_owned()]),
        (json!({"onError": "pass", "mode": "report"}), vec![]),
        (json!({"gate": {"header": "x-a", "trustAnyPeer": true}}), vec![any_peer.to_owned()]),
        (
            json!({"gate": {"header": "x-a", "trustAnyPeer": true, "fromPrincipals": ["spiffe://a/b"]}}),
            vec![format!("{any_peer}; fromPrincipals then says nothing")],
        ),
        (
            json!({"gate": {"flag": "a", "whenMissing": "pass"}}),
            vec![
                "gate.whenMissing: pass lets requests out unguarded whenever nothing is known, also while flag-headers is away"
                    .to_owned(),
            ],
        ),
        (
            json!({"mode": "report", "entities": {"actions": {"JWT": "block"}}}),
            vec!["entities.actions.JWT: block does nothing in mode report".to_owned()],
        ),
        (
            json!({"entities": {"preset": "default@1", "include": ["EMAIL"], "exclude": ["EMAIL", "DATE_OF_BIRTH"]}}),
            vec![
                "entities.exclude[0]: EMAIL is in include as well; exclude outweighs it".to_owned(),
                "entities.exclude[1]: DATE_OF_BIRTH is not in preset default@1, so that nothing is excluded".to_owned(),
                "entities.include[0]: EMAIL is in preset default@1 already".to_owned(),
            ],
        ),
        (
            json!({"entities": {"preset": "secrets", "actions": {"EMAIL": "mask", "CUSTOM_TERM": "mask"}}}),
            vec!["entities.actions.EMAIL: is not looked for; to do so, name it in include".to_owned()],
        ),
        (
            json!({"entities": {"preset": "none"}}),
            vec!["entities: names no kind, and there is neither custom nor alwaysRedact: nothing is looked for".to_owned()],
        ),
        (json!({"entities": {"preset": "none"}, "alwaysRedact": ["Falcon"]}), vec![]),
        (
            json!({"custom": [{"name": "A", "pattern": "^a$", "confidence": 49}, {"name": "B", "pattern": "b\\$"}]}),
            vec![
                "custom[0].confidence: 49 is under entities.minConfidence, which is 50: it never counts".to_owned(),
                "custom[0].pattern: is bound to the ends of a text, so that a value within a sentence is not found".to_owned(),
            ],
        ),
        (
            json!({"neverRedact": ["@devmentor.local", "a@b.example", "Falcon"], "alwaysRedact": ["falcon"]}),
            vec![
                "neverRedact[0]: @devmentor.local is compared with whole values, so that it lets no domain and no pattern stay"
                    .to_owned(),
                "alwaysRedact[0]: falcon is in neverRedact as well, which outweighs it".to_owned(),
            ],
        ),
        (
            rule(json!({"request": {"action": "report"}, "response": {"restore": true}})),
            vec!["rules[0].response.restore: there is nothing to restore: requests are not redacted but reported".to_owned()],
        ),
        (rule(json!({"request": {"action": "report"}})), vec![]),
        (
            rule(json!({"request": {"action": "block"}, "mode": "observe"})),
            vec!["rules[0].request.action: block does nothing in mode observe".to_owned()],
        ),
        (
            rule(json!({"allowUpgrade": true, "onError": "pass"})),
            vec![
                "rules[0].allowUpgrade: nothing that goes over an upgraded connection is looked at".to_owned(),
                "rules[0].onError: pass lets out, as it is, whatever can't be read".to_owned(),
            ],
        ),
    ];
    for (config, expected) in cases {
        assert_eq!(lint(&config), expected, "{config}");
    }
    let masked = with(example(), &[("/entities/actions", json!({"EMAIL": "mask", "JWT": "report"}))]);
    assert_eq!(lint(&masked), ["rules[0].response.restore: EMAIL can't be restored: its action is mask"]);
}

#[test]
fn a_rule_that_never_gets_a_request_is_told() {
    let rule =
        |name: &str, hosts: Value, ways: Value| json!({"name": name, "api": "openai", "hosts": hosts, "match": ways});
    let shadowed = ["rules[1]: is shadowed: a comes first and matches all that it does"];
    let prefix = |path: &str| json!([{"uri": {"prefix": path}}]);
    let cases = [
        (rule("a", json!(["*"]), json!([])), rule("b", json!(["b.example"]), prefix("/v1")), true),
        (rule("a", json!(["*.example"]), json!([])), rule("b", json!(["b.example", "*.c.example"]), json!([])), true),
        (rule("a", json!(["b.example"]), prefix("/v1")), rule("b", json!(["b.example"]), prefix("/v1/chat")), true),
        (
            rule("a", json!(["*"]), prefix("/v1")),
            rule("b", json!(["*"]), json!([{"uri": {"exact": "/v1"}, "method": {"exact": "GET"}}])),
            true,
        ),
        (rule("a", json!(["*"]), json!([{}])), rule("b", json!(["*"]), prefix("/")), true),
        (rule("a", json!(["*.example"]), json!([])), rule("b", json!(["example"]), json!([])), false),
        (rule("a", json!(["b.example"]), json!([])), rule("b", json!(["*"]), json!([])), false),
        (rule("a", json!(["*"]), prefix("/v1/chat")), rule("b", json!(["*"]), prefix("/v1")), false),
        (rule("a", json!(["*"]), prefix("/v1")), rule("b", json!(["*"]), json!([])), false),
        (
            rule("a", json!(["*"]), json!([{"uri": {"prefix": "/v1"}, "method": {"exact": "GET"}}])),
            rule("b", json!(["*"]), prefix("/v1")),
            false,
        ),
    ];
    for (first, second, told) in cases {
        let found = lint(&json!({"rules": [first, second]}));
        let expected: &[&str] = if told { &shadowed } else { &[] };
        assert_eq!(found, expected, "{first} {second}");
    }
}
