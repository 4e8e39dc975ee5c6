//! What runs of a configuration that is right, and of one that is wrong in part.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod common;

use common::{Memory, Stating, ai_gateway, decision, example, get, loaded, outside, summary, tls, told, with};
use egress_core::config::{Mode, Scope};
use egress_core::{Policy, Reason};
use filter_config::ConfigState;
#[cfg(not(target_arch = "wasm32"))]
use proptest::prelude::*;
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn passes(policy: &Policy, authority: &str) -> bool {
    !decision(policy, &get(authority), &outside()).denies()
}

fn reason(policy: &Policy, authority: &str) -> Reason {
    decision(policy, &get(authority), &outside()).reason
}

/// A policy for all in `enforce`, with these fields as well.
fn enforcing(fields: &Value) -> Value {
    let mut policy = json!({"name": "p", "mode": "enforce"});
    for (name, value) in fields.as_object().unwrap() {
        policy[name] = value.clone();
    }
    json!({"policies": [policy]})
}

#[test]
fn the_defaults_are_without_fault() {
    for text in ["", " \n", "{}"] {
        let loaded = Memory::default().load_text(text);
        assert!(loaded.report.is_clean(), "{:?}", loaded.report);
        assert_eq!(loaded.state, ConfigState::Ok);
        let settings = loaded.policy.settings;
        assert_eq!((settings.mode, settings.scope), (Mode::Observe, Scope::External));
        assert!(settings.export.log && settings.audit.chain && settings.export.otlp.is_none());
    }
}

#[test]
fn the_example_is_without_fault() {
    let loaded = loaded(&example());
    assert!(loaded.report.is_clean(), "{:?}", loaded.report);
    assert_eq!((loaded.state, loaded.policy.guards.len(), loaded.policy.rules.len()), (ConfigState::Ok, 1, 3));
}

#[test]
fn every_mistake_is_told_at_once_with_place_value_and_what_is_allowed() {
    let config = json!({
        "mode": "enforced", "scope": "outside", "internal": ["*.svc.cluster.local", "10.0.0.1/8"], "default": true,
        "audit": {"fold": "1 minute", "sampleAllowed": 101}, "denial": {"status": 200},
        "export": {"otlp": {"path": "/v1/logs"}, "bufferEvents": 1, "onFull": "drop"},
        "policies": [
            {"mode": "enforce", "allow": [{"id": "a", "hosts": ["api.openai.com:443"]}]},
            {"name": "p", "mode": "enforce", "extra": 1,
             "allow": [{"id": "a", "hosts": []}, {"id": "b", "hosts": ["b.example"]}, {"id": "b", "hosts": ["c.example"]}],
             "deny": [{"id": "d", "hosts": ["d.example"], "port": 443}]},
            {"name": "q", "mode": "enforce",
             "allow": [{"id": "x", "hosts": ["a.example"]}, {"id": "x", "hosts": ["b.example"]}],
             "deny": [{"id": "x", "hosts": ["c.example"]}]},
            {"name": "q"},
        ],
    });
    let loaded = loaded(&config);
    let mut errors = told(&loaded.report.errors);
    errors.sort();
    let expected = [
        "audit.fold: \"1 minute\" is not a duration such as 15s, 250ms or 1h30m",
        "audit.sampleAllowed: 101 is not a number from 0 to 100",
        "default: true is not one of allow, deny",
        "denial.status: 200 is not a whole number from 400 to 599",
        "export.bufferEvents: 1 is not a whole number from 16 to 1000000",
        "export.onFull: drop is not one of drop_oldest, block_new, fail_closed",
        "export.otlp: holds none of service, cluster; one is needed",
        "internal[1]: 10.0.0.1/8 is no network: with bits beyond /8 it would be 10.0.0.0/8",
        "mode: enforced is not one of off, observe, report, enforce",
        "policies[0].allow[0].hosts[0]: api.openai.com:443 holds a byte that no host may hold; allowed are a name, *.name, a * within a part, an address, a network or *, without a port",
        "policies[0].name: is missing",
        "policies[1].allow[0].hosts: is empty; \"*\" names every host",
        "policies[1].allow[2].id: b is also the id of another rule of this policy",
        "policies[1].deny[0].port: unknown field; known here: id, hosts, ports, match",
        "policies[1].extra: unknown field; known here: name, selector, mode, default, allow, deny",
        "policies[2].allow[1].id: x is also the id of another rule of this policy",
        "policies[2].deny[0].id: x is also the id of another rule of this policy",
        "policies[3].name: q is also the name of policies[2]",
        "scope: outside is not one of external, all",
    ];
    assert_eq!(errors, expected);
}

#[test]
fn every_mistake_of_a_policys_rules_is_told_at_once() {
    let config = enforcing(&json!({
        "allow": [
            {"id": "a", "hosts": ["api.openai.com:443"], "ports": [0, 65536]},
            {"id": "a b", "hosts": "a.example"},
            {"id": "c", "hosts": []},
            {"hosts": ["https://a.example/"]},
            {"id": "e", "hosts": ["a.example"], "match": [{"uri": {"exact": "/", "prefix": "/"}}]},
            {"id": "f", "hosts": ["a.example"], "port": 443},
            7,
        ],
        "deny": [{"id": "d"}],
    }));
    let loaded = loaded(&config);
    let expected = [
        "policies[0].allow[0].hosts[0]: api.openai.com:443 holds a byte that no host may hold; allowed are a name, *.name, a * within a part, an address, a network or *, without a port",
        "policies[0].allow[0].ports[0]: 0 is not a whole number from 1 to 65535",
        "policies[0].allow[0].ports[1]: 65536 is not a whole number from 1 to 65535",
        "policies[0].allow[1].id: \"a b\" is not a name: 1 to 63 of a-z A-Z 0-9 . _ -",
        "policies[0].allow[1].hosts: a.example is not a list",
        "policies[0].allow[2].hosts: is empty; \"*\" names every host",
        "policies[0].allow[3].id: is missing",
        "policies[0].allow[3].hosts[0]: https://a.example/ is no network: an address, / and how many of its bits count",
        "policies[0].allow[4].match[0].uri: exact and prefix exclude each other; keep one",
        "policies[0].allow[5].port: unknown field; known here: id, hosts, ports, match",
        "policies[0].allow[6]: 7 is not an object",
        "policies[0].deny[0].hosts: is missing",
    ];
    assert_eq!(told(&loaded.report.errors), expected);
    assert_eq!(loaded.state, ConfigState::Partial);
}

#[test]
fn an_unknown_field_is_a_mistake_where_a_policy_enforces_and_a_warning_elsewhere() {
    let rule = json!({"id": "a", "hosts": ["a.example"], "methods": ["GET"]});
    for (mode, strict) in [("enforce", true), ("report", false), ("observe", false)] {
        let config = json!({"policies": [{"name": "p", "mode": mode, "allow": [rule]}]});
        let loaded = loaded(&config);
        let (errors, unknown) = (told(&loaded.report.errors), told(&loaded.report.unknown));
        let message = ["policies[0].allow[0].methods: unknown field; known here: id, hosts, ports, match"];
        assert_eq!(if strict { errors.as_slice() } else { unknown.as_slice() }, message, "{mode}");
        assert_eq!(errors.len() + unknown.len(), 1);
        assert_eq!(reason(&loaded.policy, "a.example") == Reason::RuleAllow, !strict, "{mode}");
    }
    // the configuration's own mode is what counts for its settings, and for policies that name none
    for (mode, strict) in [("enforce", true), ("observe", false)] {
        let config = json!({"mode": mode, "ipLiteral": "allow", "policies": [{"name": "p", "allow": [rule]}]});
        let loaded = loaded(&config);
        assert_eq!(loaded.report.errors.len(), if strict { 2 } else { 0 }, "{:?}", loaded.report);
        assert_eq!(loaded.report.unknown.len(), if strict { 0 } else { 2 });
    }
}

#[test]
fn a_rule_that_is_wrong_harms_no_other() {
    let rules = |wrong: Value| {
        enforcing(&json!({
            "allow": [{"id": "a", "hosts": ["a.example"]}, wrong, {"id": "c", "hosts": ["c.example"]}],
            "deny": [{"id": "d", "hosts": ["d.a.example"]}],
        }))
    };
    let good = json!({"id": "b", "hosts": ["b.example"]});
    let bad = json!({"id": "b", "hosts": ["b.example", "b2.example:443"]});
    // without a last good form it is left out
    let fresh = loaded(&rules(bad.clone()));
    assert_eq!(fresh.state, ConfigState::Partial);
    for (name, passing) in [("a.example", true), ("b.example", false), ("b2.example", false), ("c.example", true)] {
        assert_eq!(passes(&fresh.policy, name), passing, "{name}");
    }
    // with one it stays in force, also over a second load
    let memory = Memory::default();
    memory.load(&rules(good));
    for _ in 0..2 {
        let loaded = memory.load(&rules(bad.clone()));
        assert_eq!(loaded.state, ConfigState::Partial);
        for (name, passing) in [("a.example", true), ("b.example", true), ("b2.example", false), ("c.example", true)] {
            assert_eq!(passes(&loaded.policy, name), passing, "{name}");
        }
    }
    // a rule that is gone stays gone
    memory.load(&rules(json!({"id": "other", "hosts": ["o.example"]})));
    assert!(!passes(&memory.load(&rules(bad)).policy, "b.example"));
}

#[test]
fn a_rule_that_should_deny_and_is_wrong_denies_what_can_be_read_of_it() {
    let denying = |rule: &Value| enforcing(&json!({"allow": [{"id": "all", "hosts": ["*"]}], "deny": [rule]}));
    let by = |loaded: &egress_core::Loaded, name: &str| {
        let decision = decision(&loaded.policy, &get(name), &outside());
        (decision.denies(), loaded.policy.names(None, decision.rule).1.map(str::to_owned))
    };
    let rule = |name: &str| Some(name.to_owned());
    // one host can be read: it is denied, on every port and path
    let some = loaded(&denying(&json!({
        "id": "d", "hosts": ["d.example", "not a host"], "ports": [25], "match": [{"uri": {"prefix": "/x"}}],
    })));
    assert_eq!(by(&some, "d.example"), (true, rule("d")));
    assert_eq!(by(&some, "a.example"), (false, rule("all")));
    // none can be read, or there is no id: all is denied
    for (wrong, id) in [
        (json!({"id": "d", "hosts": ["not a host"]}), "d"),
        (json!({"id": "d", "hosts": []}), "d"),
        (json!({"id": "d"}), "d"),
        (json!({"id": "not a name", "hosts": 7}), "deny.0"),
        (json!(7), "deny.0"),
    ] {
        let all = loaded(&denying(&wrong));
        assert_eq!(by(&all, "a.example"), (true, rule(id)), "{wrong}");
        let address = decision(&all.policy, &Stating::Tcp, &outside());
        assert!(address.denies() && address.reason == Reason::RuleDeny, "{wrong}");
    }
    // an unknown field could be a condition; in `enforce` the rule denies without it
    let unknown = loaded(&denying(&json!({"id": "d", "hosts": ["d.example"], "methods": ["GET"]})));
    assert_eq!(by(&unknown, "d.example"), (true, rule("d")));
    // the last good form comes first
    let memory = Memory::default();
    memory.load(&denying(&json!({"id": "d", "hosts": ["old.example"]})));
    let last = memory.load(&denying(&json!({"id": "d", "hosts": ["new.example", "not a host"]})));
    assert_eq!((by(&last, "old.example"), by(&last, "new.example")), ((true, rule("d")), (false, rule("all"))));
}

#[test]
fn a_denial_outlasts_its_policy_going_wrong_as_well() {
    let config = enforcing(&json!({
        "allow": [{"id": "all", "hosts": ["*"]}], "deny": [{"id": "d", "hosts": ["d.example", "not a host"]}],
    }));
    let memory = Memory::default();
    assert!(!passes(&memory.load(&config).policy, "d.example"));
    let worse = memory.load(&with(config, &[("/policies/0/default", json!("maybe"))]));
    assert_eq!(worse.state, ConfigState::Partial);
    assert!(passes(&worse.policy, "a.example"));
    assert!(!passes(&worse.policy, "d.example"));
}

#[test]
fn a_policy_that_is_wrong_keeps_its_last_good_form() {
    let config = enforcing(&json!({"allow": [{"id": "a", "hosts": ["a.example"]}]}));
    let wrong =
        with(config.clone(), &[("/policies/0/default", json!("maybe")), ("/policies/0/allow/0/hosts", json!(["*"]))]);
    let memory = Memory::default();
    memory.load(&config);
    for _ in 0..2 {
        let loaded = memory.load(&wrong);
        assert_eq!(loaded.state, ConfigState::Partial);
        assert_eq!(told(&loaded.report.errors), ["policies[0].default: maybe is not one of allow, deny"]);
        assert!(passes(&loaded.policy, "a.example") && !passes(&loaded.policy, "b.example"));
    }
}

#[test]
fn a_policy_that_is_wrong_and_new_denies_what_it_is_for() {
    let other = json!({"name": "other", "allow": [{"id": "any", "hosts": ["*"]}]});
    let broken =
        |fields: Value| loaded(&json!({"mode": "report", "policies": [with(other.clone(), &[]), fields]})).policy;
    let of = |policy: &Policy| summary(policy, &decision(policy, &get("a.example"), &outside()));
    let expected =
        |mode: &'static str, name: &str| (true, mode, Reason::PolicyBroken, Some(name.to_owned()), None::<String>);
    let allowed = (false, "report", Reason::RuleAllow, Some("other".to_owned()), Some("any".to_owned()));
    let cases = [
        (json!({"name": "p", "mode": "enforce", "allow": 7}), expected("enforce", "p")),
        (json!({"name": "p", "mode": "enforce", "extra": 1}), expected("enforce", "p")),
        // its mode can't be read: what would be denied is told
        (json!({"name": "p", "mode": "enforced"}), expected("report", "p")),
        (json!({"name": "p", "allow": 7}), expected("report", "p")),
        (json!({"name": "not a name", "mode": "enforce"}), expected("enforce", "policies.1")),
        (json!({"mode": "enforce"}), expected("enforce", "policies.1")),
        (json!(7), expected("report", "policies.1")),
        (json!({"name": "p", "mode": "enforce", "selector": {"matchLabels": 7}}), expected("enforce", "p")),
        // it is off, or for others
        (json!({"name": "p", "mode": "off", "allow": 7}), allowed.clone()),
        (json!({"name": "p", "mode": "enforce", "allow": 7, "selector": {"matchLabels": {"app": "web"}}}), allowed),
    ];
    for (fields, expected) in cases {
        assert_eq!(of(&broken(fields.clone())), expected, "{fields}");
    }
}

#[test]
fn settings_that_are_wrong_keep_their_last_good_form_and_the_policies_go_on() {
    let config = json!({
        "mode": "enforce", "ipLiterals": "allow", "policies": [{"name": "p", "allow": [{"id": "a", "hosts": ["a.example"]}]}],
    });
    let wrong =
        with(config.clone(), &[("/ipLiterals", json!("maybe")), ("/policies/0/allow/0/hosts", json!(["b.example"]))]);
    let memory = Memory::default();
    memory.load(&config);
    let kept = memory.load(&wrong);
    assert_eq!(kept.state, ConfigState::Partial);
    assert!(passes(&kept.policy, "203.0.113.7") && passes(&kept.policy, "b.example"));
    assert!(!passes(&kept.policy, "a.example"));
    // without one: the defaults, and the mode as far as it can be read
    for (mode, expected) in [("enforce", Mode::Enforce), ("off", Mode::Off), ("enforced", Mode::Report)] {
        let fresh = loaded(&with(wrong.clone(), &[("/mode", json!(mode))]));
        assert_eq!((fresh.state, fresh.policy.settings.mode), (ConfigState::Safe, expected));
    }
    let fresh = loaded(&wrong);
    assert!(!passes(&fresh.policy, "203.0.113.7") && passes(&fresh.policy, "b.example"));
    let silent = loaded(&json!({"ipLiterals": "maybe"}));
    assert_eq!((silent.state, silent.policy.settings.mode), (ConfigState::Safe, Mode::Observe));
}

#[test]
fn what_is_no_configuration_leaves_the_last_good_one() {
    let config = enforcing(&json!({"allow": [{"id": "a", "hosts": ["a.example"]}]}));
    for text in ["{", "[]", "7", "mode: enforce", "\u{0}", "{\"mode\": \"enforce\","] {
        let memory = Memory::default();
        memory.load(&config);
        let kept = memory.load_text(text);
        assert_eq!((kept.state, kept.report.errors.len()), (ConfigState::LastGood, 1), "{text}");
        assert!(passes(&kept.policy, "a.example") && !passes(&kept.policy, "b.example"), "{text}");
        assert!(kept.keep.is_empty());
        // with nothing kept, the word is what there is to go by
        let safe = Memory::default().load_text(text);
        assert_eq!(safe.state, ConfigState::Safe);
        let mode = if text.contains("enforce") { Mode::Enforce } else { Mode::Observe };
        assert_eq!(safe.policy.settings.mode, mode, "{text}");
        assert_eq!(passes(&safe.policy, "a.example"), mode == Mode::Observe);
    }
}

#[test]
fn policies_that_are_no_list_leave_the_last_good_ones() {
    let config = enforcing(&json!({"allow": [{"id": "a", "hosts": ["a.example"]}]}));
    let memory = Memory::default();
    memory.load(&config);
    let kept = memory.load(&json!({"policies": {"name": "p"}}));
    assert_eq!(told(&kept.report.errors), ["policies: {\"name\":\"p\"} is not a list"]);
    assert!(passes(&kept.policy, "a.example") && !passes(&kept.policy, "b.example"));
}

#[test]
fn a_policy_that_is_gone_is_forgotten() {
    let config = enforcing(&json!({"allow": [{"id": "a", "hosts": ["a.example"]}]}));
    let memory = Memory::default();
    memory.load(&config);
    memory.load(&json!({"policies": []}));
    let parts: Vec<String> = memory.0.borrow().keys().cloned().collect();
    assert_eq!(parts, ["order", "settings"]);
    let wrong = memory.load(&with(config, &[("/policies/0/default", json!("maybe"))]));
    assert_eq!(reason(&wrong.policy, "a.example"), Reason::PolicyBroken);
}

#[test]
fn what_asks_for_requests_is_read_as_istio_has_it() {
    let loaded = loaded(&example());
    let uploads = Stating::Http("POST", "api.openai.com".to_owned(), "/v1/files");
    let openai = common::Stated::service("api.openai.com", 443);
    assert!(decision(&loaded.policy, &uploads, &openai).denies());
    assert!(decision(&loaded.policy, &tls("api.openai.com"), &openai).denies());
}

/// Everything that a configuration may hold, with something else at one place.
#[cfg(not(target_arch = "wasm32"))]
fn damaged() -> impl Strategy<Value = Value> {
    let values = prop_oneof![
        Just(Value::Null),
        Just(json!(7)),
        Just(json!("enforce")),
        Just(json!([])),
        Just(json!({})),
        Just(json!(["*"])),
        Just(json!([{"id": "x", "hosts": ["*"]}])),
        Just(json!(true)),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    let mut places = Vec::new();
    collect(&example(), "", &mut places);
    (prop::sample::select(places), values).prop_map(|(place, value)| with(example(), &[(place.as_str(), value)]))
}

fn collect(value: &Value, at: &str, places: &mut Vec<String>) {
    if !at.is_empty() {
        places.push(at.to_owned());
    }
    match value {
        Value::Array(list) => list.iter().enumerate().for_each(|(i, v)| collect(v, &format!("{at}/{i}"), places)),
        Value::Object(fields) => fields.iter().for_each(|(k, v)| collect(v, &format!("{at}/{k}"), places)),
        _ => {}
    }
}

#[cfg(not(target_arch = "wasm32"))]
proptest! {
    #[test]
    fn any_damage_leaves_something_that_decides(config in damaged(), before in any::<bool>()) {
        let memory = Memory::default();
        if before {
            memory.load(&example());
        }
        let first = memory.load(&config);
        let again = memory.load(&config);
        prop_assert_eq!(&first.report, &again.report, "the same is told each time");
        prop_assert_eq!(first.fingerprint, again.fingerprint);
        // a second load of the same changes no decision
        for call in [get("api.openai.com"), get("a.example"), tls("api.anthropic.com"), Stating::Tcp] {
            let one = common::outcome(&first.policy, &call, &outside());
            prop_assert_eq!(one, common::outcome(&again.policy, &call, &outside()), "{:?}", call);
        }
        prop_assert!(first.state != ConfigState::Ok || first.report.errors.is_empty());
    }

    #[test]
    fn any_bytes_are_loaded_without_fault(bytes: Vec<u8>) {
        let loaded = egress_core::load(&bytes, &filter_config::NothingKept, &ai_gateway());
        prop_assert!(loaded.state == ConfigState::Ok || !loaded.report.errors.is_empty());
    }
}
