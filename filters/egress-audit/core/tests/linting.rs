//! What is allowed in a configuration and most likely not meant: each is told, and what is meant is not.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod common;

use common::{example, told, with};
use egress_core::lint::warnings;
use filter_config::Report;
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// What is told of a configuration, where `com`, `co.uk` and `github.io` are public suffixes.
fn lint(config: &Value) -> Vec<String> {
    let mut report = Report::default();
    warnings(config, &|name| ["com", "co.uk", "uk", "github.io"].contains(&name), &mut report);
    assert!(report.errors.is_empty() && report.unknown.is_empty());
    told(&report.warnings)
}

/// A policy with these lists.
fn rules(allow: &Value, deny: &Value) -> Value {
    json!({"policies": [{"name": "p", "mode": "enforce", "allow": allow, "deny": deny}]})
}

fn allowing(hosts: &Value) -> Value {
    rules(&json!([{"id": "a", "hosts": hosts}]), &json!([]))
}

#[test]
fn what_is_meant_is_not_told() {
    let cases = [
        json!({}),
        allowing(&json!(["api.openai.com", "*.anthropic.com", "ec2.*.amazonaws.com", "192.0.2.0/24", "example.com"])),
        // a name that is a suffix, by itself
        allowing(&json!(["github.io", "com"])),
        // below a suffix, but of one owner
        allowing(&json!(["*.example.co.uk", "*.me.github.io", "s3-*.amazonaws.com"])),
        // to deny much is meant
        rules(&json!([]), &json!([{"id": "d", "hosts": ["*", "*.com", "0.0.0.0/0"]}])),
        // the port is that of plain HTTP, and the proxy originates TLS
        rules(
            &json!([{"id": "a", "hosts": ["a.example"], "ports": [80], "match": [{"method": {"exact": "GET"}}]}]),
            &json!([]),
        ),
        // a part of what is allowed is denied
        rules(
            &json!([{"id": "a", "hosts": ["*.a.example"]}]),
            &json!([{"id": "d", "hosts": ["x.a.example"]}, {"id": "e", "hosts": ["*.a.example"], "ports": [25]}]),
        ),
        // what can't be read is told by whoever loads it
        json!({"mode": 7, "policies": [{"name": "p", "allow": [{"id": "a", "hosts": ["*"]}]}]}),
    ];
    for config in cases {
        assert_eq!(lint(&config), [""; 0], "{config}");
    }
}

#[test]
fn a_pattern_over_a_public_suffix_is_told() {
    let cases = [
        ("*", "* allows every host"),
        ("*.com", "*.com is over a public suffix: anybody can have a name below com"),
        ("*.co.uk", "*.co.uk is over a public suffix: anybody can have a name below co.uk"),
        ("*.github.io", "*.github.io is over a public suffix: anybody can have a name below github.io"),
        ("api.*.com", "api.*.com is over a public suffix: anybody can have a name below com"),
        ("s3-*.co.uk", "s3-*.co.uk is over a public suffix: anybody can have a name below co.uk"),
        ("*.*.com", "*.*.com is over a public suffix: anybody can have a name below com"),
        ("api.*", "api.* is over a public suffix: anybody can have a name below any name"),
        ("0.0.0.0/0", "0.0.0.0/0 allows every address"),
        ("::/0", "::/0 allows every address"),
    ];
    for (pattern, message) in cases {
        let config = allowing(&json!(["api.openai.com", pattern]));
        assert_eq!(lint(&config), [format!("policies[0].allow[0].hosts[1]: {message}")], "{pattern}");
    }
}

#[test]
fn a_rule_that_tls_hides_the_half_of_is_told() {
    let ends = "; with TLS origination, name the port that the application calls, such as ports: [80]";
    let begins =
        "l7_unenforceable: of TLS that the application speaks itself only the host can be seen, so such a connection ";
    let told = lint(&example());
    assert_eq!(
        told,
        [
            format!("policies[0].allow[0].match: {begins}is denied{ends}"),
            format!("policies[0].deny[0].match: {begins}is denied{ends}"),
        ]
    );
    let told = lint(&with(example(), &[("/undecidable", json!("allow")), ("/policies/0/deny", json!([]))]));
    assert_eq!(told, [format!("policies[0].allow[0].match: {begins}is decided by host and port alone{ends}")]);
}

#[test]
fn an_allowed_host_that_is_denied_whatever_the_call_is_told() {
    let allow = json!([{"id": "a", "hosts": ["x.a.example", "y.a.example"], "ports": [443]}]);
    let message = |deny: &str, policy: &str| {
        vec![format!("policies[0].allow[0]: is shadowed: {deny} of policy {policy} denies all that it allows")]
    };
    let shadowing = [
        json!([{"id": "d", "hosts": ["*.a.example"]}]),
        json!([{"id": "d", "hosts": ["*"]}]),
        json!([{"id": "d", "hosts": ["y.a.example", "x.a.example"], "ports": [80, 443]}]),
    ];
    for deny in &shadowing {
        assert_eq!(lint(&rules(&allow, deny)), message("d", "p"), "{deny}");
        // by a policy for all
        let mut two = rules(&allow, &json!([]));
        two["policies"].as_array_mut().unwrap().push(json!({"name": "q", "deny": deny}));
        assert_eq!(lint(&two), message("d", "q"), "{deny}");
        // one for some workloads says nothing about others
        two["policies"][1]["selector"] = json!({"matchLabels": {"app": "web"}});
        assert_eq!(lint(&two), [""; 0], "{deny}");
    }
    let leaving = [
        json!([{"id": "d", "hosts": ["x.a.example"]}]),
        json!([{"id": "d", "hosts": ["*.a.example"], "ports": [80]}]),
        json!([{"id": "d", "hosts": ["*.x.a.example"]}]),
        json!([{"id": "d", "hosts": ["*.a.example"], "ports": [80], "match": [{"method": {"exact": "GET"}}]}]),
    ];
    for deny in leaving {
        assert_eq!(lint(&rules(&allow, &deny)), [""; 0], "{deny}");
    }
    // an allow for every port is not shadowed by a denial of one
    let every = json!([{"id": "a", "hosts": ["x.a.example"]}]);
    assert_eq!(lint(&rules(&every, &json!([{"id": "d", "hosts": ["x.a.example"], "ports": [443]}]))), [""; 0]);
}

#[test]
fn a_rule_that_says_the_same_as_another_is_told() {
    let rule = |id: &str, host: &str| json!({"id": id, "hosts": [host]});
    let allow =
        json!([rule("a", "a.example"), rule("b", "b.example"), rule("c", "A.Example."), rule("d", "a.example")]);
    assert_eq!(
        lint(&rules(&allow, &json!([]))),
        ["policies[0].allow[2]: says the same as a", "policies[0].allow[3]: says the same as a"]
    );
    let ports = json!([{"id": "a", "hosts": ["a.example"], "ports": [80]}, {"id": "b", "hosts": ["a.example"], "ports": [443]}]);
    assert_eq!(lint(&rules(&ports, &json!([]))), [""; 0]);
}

#[test]
fn a_host_inside_the_mesh_is_told() {
    let config = rules(
        &json!([{"id": "a", "hosts": ["redis.data.svc.cluster.local", "*.local", "a.example", "10.0.0.0/8"]}]),
        &json!([{"id": "d", "hosts": ["*.kube-system.svc.cluster.local"]}]),
    );
    let ends = "is inside the mesh, which scope: external leaves alone";
    assert_eq!(
        lint(&config),
        [
            format!("policies[0].allow[0].hosts[0]: redis.data.svc.cluster.local {ends}"),
            format!("policies[0].allow[0].hosts[1]: *.local {ends}"),
            format!("policies[0].deny[0].hosts[0]: *.kube-system.svc.cluster.local {ends}"),
        ]
    );
    assert_eq!(lint(&with(config, &[("/scope", json!("all"))])), [""; 0]);
}

#[test]
fn events_that_nobody_gets_are_told() {
    let export = |export: Value| with(rules(&json!([]), &json!([])), &[("/export", export)]);
    assert_eq!(lint(&export(json!({"log": false}))), ["export: neither log nor otlp: no event is told to anybody"]);
    assert_eq!(lint(&export(json!({"log": false, "otlp": {"cluster": "collector"}}))), [""; 0]);
    assert_eq!(
        lint(&export(json!({"onFull": "fail_closed"}))),
        ["export.onFull: fail_closed without otlp: nothing ever waits, so that nothing is ever full"]
    );
}
