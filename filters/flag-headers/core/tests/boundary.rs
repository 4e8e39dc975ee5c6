//! Which flag headers of a request survive: a client's never, another team's always, a verified peer's where that is asked.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod common;

use common::{Facts, Seen, ask, exposing};
use filter_config::ConfigState;
use flag_core::Policy;
use flag_core::serve::{Origin, Served};
use serde_json::{Value, json};

fn policy(also: &[(&str, Value)]) -> Policy {
    exposing(&json!([{"name": "new-ui", "variant": true, "payload": {}}, {"name": "ai-*"}, {"name": "José_1"}]), also)
}

/// What the service sees of a request whose flags have nothing but defaults.
fn seen(policy: &Policy, headers: &[(&str, &str)], facts: &Facts) -> Seen {
    let served = Served::new(&policy.flags, Origin::Default, None);
    ask(policy, &served, headers, facts)
}

/// The same where nothing is set, so that only what was sent is left.
fn left(also: &[(&str, Value)], headers: &[&str], facts: &Facts) -> Vec<String> {
    let policy = policy(&[also, &[("/mode", json!("report"))]].concat());
    let sent: Vec<(&str, &str)> = headers.iter().map(|name| (*name, "true")).collect();
    seen(&policy, &sent, facts).headers.into_iter().map(|(name, _)| name).collect()
}

const OWNED: [&str; 16] = [
    "x-flag-new-ui",
    "x-flagvariant-new-ui",
    "x-flagpayload-new-ui",
    "x_flag_new_ui",
    "x-flag_new-ui",
    "x_flagvariant-new_ui",
    "X-Flag-New-UI",
    "x-flag-ai-safety",
    "x-flag-ai-",
    "x_flag_ai_any",
    "x-flagpayload-ai-any",
    "x-flag-jos%c3%a9_1",
    "x-flag-jos%C3%A9-1",
    "x-flags-source",
    "x_flags_source",
    "x-features",
];

const OTHERS: [&str; 11] = [
    ":path",
    "x-user-id",
    "x-flag-new-ui-2",
    "x-flag-new",
    "x-flag-billing",
    "x-flagvariant-billing",
    "x-flag-",
    "x-flags",
    "x-flagpayload",
    "xx-flag-new-ui",
    "x-feature",
];

#[test]
fn every_spelling_of_an_owned_header_is_removed_and_no_other() {
    let all = [("/headers", json!({"all": "X-Features"}))];
    let sent = [&OWNED[..], &["x_features"], &OTHERS].concat();
    for facts in [Facts::default(), Facts::verified_peer()] {
        assert_eq!(left(&all, &sent, &facts), OTHERS);
    }
}

#[test]
fn strip_all_removes_those_of_other_instances_too() {
    let all = [("/headers", json!({"strip": "all", "all": "x-features"}))];
    let expected = [":path", "x-user-id", "x-flags", "x-flagpayload", "xx-flag-new-ui", "x-feature"];
    assert_eq!(left(&all, &[&OWNED[..], &OTHERS].concat(), &Facts::default()), expected);
}

#[test]
fn the_boundary_holds_whatever_the_mode() {
    for mode in ["off", "report", "enforce"] {
        let policy = policy(&[("/mode", json!(mode))]);
        let seen = seen(&policy, &[("x-flag-new-ui", "forged"), ("x_flag_new_ui", "forged")], &Facts::default());
        assert!(seen.headers.iter().all(|(_, value)| value != "forged"), "{mode}: {seen:?}");
    }
}

/// In the mesh, what a verified peer has decided goes on as it is; what it has not is decided here.
#[test]
fn a_verified_peers_values_pass_in_the_mesh_only() {
    let sent = [
        ("x-flag-new-ui", "true"),
        ("x-flagvariant-new-ui", "blue%20one"),
        ("x-flagpayload-new-ui", "30"),
        ("x-flags-source", "live"),
    ];
    let ours = [("x-flag-new-ui", "false"), ("x-flagvariant-new-ui", "disabled"), ("x-flags-source", "default")];
    let cases = [
        ("mesh", Facts::verified_peer(), [&sent[..3], &[("x-flags-source", "default")]].concat()),
        ("mesh", Facts::default(), ours.to_vec()),
        ("edge", Facts::verified_peer(), ours.to_vec()),
    ];
    for (trust, facts, expected) in cases {
        let policy = policy(&[
            ("/trust", json!(trust)),
            ("/flags/1", json!({"name": "other"})),
            ("/flags/2", json!({"name": "third"})),
        ]);
        let seen = seen(&policy, &sent, &facts);
        for (name, value) in expected {
            assert_eq!(seen.all(name), [value], "{trust} {name}");
        }
        assert_eq!(seen.all("x-flag-other"), ["false"], "what it did not decide");
    }
    let alone = exposing(&json!([{"name": "new-ui"}]), &[("/trust", json!("mesh"))]);
    let seen = seen(&alone, &sent, &Facts::verified_peer());
    assert_eq!(seen.all("x-flags-source"), ["live"], "where all that is exposed was decided, so was its source");
}

#[test]
fn a_verified_peers_combined_header_counts_and_a_header_of_its_own_over_it() {
    let all = json!({"all": "x-features"});
    let given = "new-ui=true;variant=blue%20one;other=x, a=false ,ai-x=maybe,José=true,=true,b";
    let one = ("x-features", given);
    // what is sent; the flag's own headers, and the combined one, as the service sees them
    type Case<'c> = (&'c [(&'c str, &'c str)], &'c [&'c str], &'c str);
    let cases: [Case; 6] = [
        (&[one], &["true", "blue%20one"], "new-ui=true;variant=blue%20one,a=false"),
        (&[one, ("x-flag-new-ui", "false")], &["false"], "new-ui=false,a=false"),
        (&[one, ("x-flag-new-ui", "1")], &["true", "blue%20one"], "new-ui=true;variant=blue%20one,a=false"),
        (&[one, one], &["false", "disabled"], "new-ui=false;variant=disabled,a=true"),
        (&[("x-features", "new-ui=true,new-ui=false")], &["false", "disabled"], "new-ui=false;variant=disabled,a=true"),
        (&[("x-features", "")], &["false", "disabled"], "new-ui=false;variant=disabled,a=true"),
    ];
    for (sent, each, combined) in cases {
        let policy = exposing(
            &json!([{"name": "new-ui", "variant": true}, {"name": "a", "default": true}]),
            &[("/trust", json!("mesh")), ("/headers", all.clone())],
        );
        let seen = seen(&policy, sent, &Facts::verified_peer());
        assert_eq!(seen.all("x-features"), [combined], "{sent:?}");
        assert_eq!([seen.all("x-flag-new-ui"), seen.all("x-flagvariant-new-ui")].concat(), each, "{sent:?}");
        assert_eq!(seen.state.as_deref(), Some(combined), "filter state tells the same");
    }
}

#[test]
fn two_copies_or_another_spelling_are_nobodys_decision() {
    let policy = exposing(&json!([{"name": "new-ui", "variant": true}]), &[("/trust", json!("mesh"))]);
    let cases: [&[(&str, &str)]; 6] = [
        &[("x-flag-new-ui", "true"), ("x-flag-new-ui", "true")],
        &[("x_flag_new_ui", "true")],
        &[("x-flag-new_ui", "true")],
        &[("x-flag-new-ui", "yes")],
        &[("x-flag-new-ui", "")],
        &[("x-flagvariant-new-ui", "blue"), ("x-flagpayload-new-ui", "1")],
    ];
    for sent in cases {
        let seen = seen(&policy, sent, &Facts::verified_peer());
        let headers: Vec<(&str, &str)> = seen.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let expected =
            [("x-flag-new-ui", "false"), ("x-flagvariant-new-ui", "disabled"), ("x-flags-source", "default")];
        assert_eq!(headers, expected, "{sent:?}");
    }
    let seen = seen(
        &policy,
        &[
            ("x-flag-new-ui", "true"),
            ("x_flag_new_ui", "false"),
            ("x-flag-new_ui", "false"),
            ("x-flagvariant-new-ui", "a"),
            ("x-flagvariant-new-ui", "b"),
        ],
        &Facts::verified_peer(),
    );
    let headers: Vec<&str> = seen.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(headers, ["x-flag-new-ui", "x-flags-source"], "only what it decided in so many words");
}

#[test]
fn a_policy_that_could_not_be_read_still_owns_its_headers() {
    let loaded = common::loaded(&json!({"mode": "on", "flags": [{"name": "new-ui"}], "trust": "mesh"}));
    assert_eq!(loaded.state, ConfigState::Safe);
    let seen = seen(&loaded.policy, &[("x-flag-new-ui", "true")], &Facts::verified_peer());
    assert_eq!(seen.headers, [], "nobody is trusted then");
}

#[test]
fn an_instance_that_does_not_say_the_source_leaves_it_to_another() {
    let other = [("/headers", json!({"source": false}))];
    assert_eq!(left(&other, &["x-flags-source", "x-flag-new-ui"], &Facts::default()), ["x-flags-source"]);
}

#[test]
fn an_instance_that_carries_none_owns_none() {
    let none = ("/headers", json!({"each": false, "source": false}));
    let sent = [&OWNED[..], &OTHERS].concat();
    assert_eq!(left(&[none], &sent, &Facts::default()).len(), sent.len(), "a sidecar's application hands them on");
    let stripping = ("/headers", json!({"each": false, "source": false, "strip": "all"}));
    assert!(left(&[stripping], &sent, &Facts::default()).len() < sent.len());
}
