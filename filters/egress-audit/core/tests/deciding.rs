//! What is decided about a call: every reason, every mode, policies together, and which rule is named.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod common;

use std::collections::BTreeSet;

use common::{
    Stated, Stating, Told, ai_gateway, decision, example, exemption, get, outside, policy, policy_for, summary, tls,
    with,
};
use egress_core::decide::{Exemption, SniHost};
use egress_core::workload::{ProxyKind, Workload};
use egress_core::{Outcome, Policy, Reason};
#[cfg(not(target_arch = "wasm32"))]
use proptest::prelude::*;
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A policy for all, in `enforce`.
fn enforcing(rules: &Value) -> Policy {
    policy(&json!({"mode": "enforce", "policies": [with(rules.clone(), &[("/name", json!("p"))])]}))
}

/// Against or for, mode, reason, and the names of policy and rule.
fn told(against: bool, mode: &'static str, reason: Reason, policy: &str, rule: &str) -> Told {
    let name = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
    (against, mode, reason, name(policy), name(rule))
}

fn of(policy: &Policy, call: &Stating, proxy: &Stated) -> Told {
    summary(policy, &decision(policy, call, proxy))
}

fn post(authority: &str, path: &'static str) -> Stating {
    Stating::Http("POST", authority.to_owned(), path)
}

#[test]
fn the_example_decides_as_it_reads() {
    let policy = policy(&example());
    let deny = |reason, rule| told(true, "enforce", reason, "ai-gateway", rule);
    let allow = |rule| told(false, "enforce", Reason::RuleAllow, "ai-gateway", rule);
    let openai = Stated::service("api.openai.com", 443);
    let cases = [
        (post("api.openai.com", "/v1/chat/completions"), openai.clone(), allow("openai")),
        (post("API.OpenAI.com.:443", "/v1/chat/completions?x=1"), openai.clone(), allow("openai")),
        (post("api.openai.com", "/v1/files"), openai.clone(), deny(Reason::RuleDeny, "no-uploads")),
        (post("api.openai.com", "/v1/files/a?b"), openai.clone(), deny(Reason::RuleDeny, "no-uploads")),
        (
            Stating::Http("GET", "api.openai.com".to_owned(), "/v1/models"),
            openai.clone(),
            deny(Reason::DefaultDeny, ""),
        ),
        (post("api.openai.com", "/v2/"), openai.clone(), deny(Reason::DefaultDeny, "")),
        (post("api.openai.com", "/v1/chat"), Stated::service("api.openai.com", 80), deny(Reason::DefaultDeny, "")),
        (get("api.anthropic.com"), outside(), allow("anthropic")),
        (get("anthropic.com"), outside(), deny(Reason::DefaultDeny, "")),
        (tls("api.anthropic.com"), outside(), allow("anthropic")),
        (tls("api.openai.com"), outside(), deny(Reason::L7Unenforceable, "no-uploads")),
        (tls("evil.example"), outside(), deny(Reason::DefaultDeny, "")),
        (get("203.0.113.7"), outside(), deny(Reason::IpLiteral, "")),
        (tls("203.0.113.7"), outside(), deny(Reason::IpLiteral, "")),
        (Stating::Tls(None), outside(), deny(Reason::HostAbsent, "")),
        (Stating::Tcp, outside(), deny(Reason::HostAbsent, "")),
        (get(""), outside(), deny(Reason::HostAbsent, "")),
        (Stating::Malformed, outside(), deny(Reason::HelloMalformed, "")),
        (get("user@api.anthropic.com"), outside(), deny(Reason::HostInvalid, "")),
        (tls("api..anthropic.com"), outside(), deny(Reason::HostInvalid, "")),
        (get("api.anthropic.com"), outside().sni("api.openai.com"), deny(Reason::SniMismatch, "")),
        (get("api.anthropic.com"), outside().sni("API.anthropic.com."), allow("anthropic")),
    ];
    for (call, proxy, expected) in cases {
        assert_eq!(of(&policy, &call, &proxy), expected, "{call:?} {proxy:?}");
    }
    // for another workload there is no policy: the settings decide
    let other = policy_for(&example(), &Workload { labels: vec![], ..ai_gateway() });
    for (call, reason) in [(get("api.anthropic.com"), Reason::DefaultDeny), (get("192.0.2.7"), Reason::IpLiteral)] {
        assert_eq!(of(&other, &call, &outside()), told(true, "report", reason, "", ""), "{call:?}");
    }
}

/// Each reason is met by some call, but for the one that the audit gives.
#[test]
fn every_reason_is_met() {
    let one = policy(&example());
    let open = policy(&json!({"default": "allow", "ipLiterals": "allow"}));
    let broken = json!({"policies": [{"name": "p", "allow": 7}]});
    let broken = common::loaded(&broken).policy;
    let openai = Stated::service("api.openai.com", 443);
    let calls: Vec<(&Policy, Stating, Stated)> = vec![
        (&one, post("api.openai.com", "/v1/chat"), openai.clone()),
        (&one, post("api.openai.com", "/v1/files"), openai),
        (&open, get("a.example"), outside()),
        (&one, get("a.example"), outside()),
        (&open, get("203.0.113.7"), outside()),
        (&one, get("a.example"), outside().sni("b.example")),
        (&one, tls("api.openai.com"), outside()),
        (&one, get("a b"), outside()),
        (&one, Stating::Tls(None), outside()),
        (&one, Stating::Malformed, outside()),
        (&broken, get("a.example"), outside()),
    ];
    let met: BTreeSet<Reason> =
        calls.iter().map(|(policy, call, proxy)| decision(policy, call, proxy).reason).collect();
    let missing: Vec<_> = Reason::ALL.iter().filter(|reason| !met.contains(reason)).collect();
    assert_eq!(missing, [&Reason::AuditUnavailable]);
}

#[test]
fn a_mode_says_what_comes_of_a_denial() {
    // mode, whether it passes, whether that is told as would_deny
    for (mode, denies, would_deny) in [("observe", false, false), ("report", false, true), ("enforce", true, false)] {
        for config in [json!({"mode": mode}), json!({"mode": "observe", "policies": [{"name": "p", "mode": mode}]})] {
            let policy = policy(&config);
            let decision = decision(&policy, &get("a.example"), &outside());
            assert!(decision.against);
            assert_eq!((decision.denies(), decision.would_deny()), (denies, would_deny), "{config}");
            assert_eq!(decision.mode.as_str(), mode);
        }
        let policy = policy(&json!({"mode": mode, "default": "allow"}));
        let decision = decision(&policy, &get("a.example"), &outside());
        assert_eq!((decision.denies(), decision.would_deny()), (false, false), "{mode}");
    }
}

#[test]
fn off_is_off() {
    let all = json!({"mode": "off", "scope": "all", "policies": [{"name": "p", "mode": "enforce"}]});
    for call in [get("a.example"), tls("a.example"), Stating::Tcp, Stating::Malformed, Stating::ServerFirst, get("@")] {
        assert_eq!(exemption(&policy(&all), &call, &outside()), Some(Exemption::Off), "{call:?}");
    }
    // yaml's bare off
    assert_eq!(exemption(&policy(&json!({"mode": false})), &get("a.example"), &outside()), Some(Exemption::Off));
    // a policy that is off is as if it were not there
    let config = json!({"mode": "observe", "policies": [
        {"name": "p", "mode": "off", "deny": [{"id": "d", "hosts": ["*"]}]},
        {"name": "q", "mode": "report", "allow": [{"id": "a", "hosts": ["a.example"]}]},
    ]});
    let both = policy(&config);
    assert_eq!(of(&both, &get("a.example"), &outside()), told(false, "report", Reason::RuleAllow, "q", "a"));
    let without = policy(&with(config, &[("/policies/1/mode", json!("off"))]));
    assert_eq!(of(&without, &get("a.example"), &outside()), told(true, "observe", Reason::DefaultDeny, "", ""));
}

#[test]
fn without_a_policy_the_settings_decide() {
    let cases = [
        (json!({}), get("a.example"), told(true, "observe", Reason::DefaultDeny, "", "")),
        (json!({"mode": "enforce"}), get("a.example"), told(true, "enforce", Reason::DefaultDeny, "", "")),
        (json!({"default": "allow"}), get("a.example"), told(false, "observe", Reason::DefaultAllow, "", "")),
        (json!({"default": "allow"}), get("203.0.113.7"), told(true, "observe", Reason::IpLiteral, "", "")),
        (json!({"default": "allow"}), get("@"), told(true, "observe", Reason::HostInvalid, "", "")),
        (json!({"default": "allow"}), Stating::Malformed, told(true, "observe", Reason::HelloMalformed, "", "")),
    ];
    for (config, call, expected) in cases {
        assert_eq!(of(&policy(&config), &call, &outside()), expected, "{config} {call:?}");
    }
}

#[test]
fn addresses_are_denied_left_to_the_default_or_allowed() {
    let rules = |literals: &str, default: &str| {
        policy(&json!({"mode": "enforce", "ipLiterals": literals, "default": default, "policies": [{
            "name": "p", "allow": [{"id": "any", "hosts": ["*"]}, {"id": "net", "hosts": ["198.51.100.0/24"]}],
        }]}))
    };
    let cases = [
        ("deny", "allow", true, Reason::IpLiteral),
        ("deny", "deny", true, Reason::IpLiteral),
        ("default", "allow", false, Reason::DefaultAllow),
        ("default", "deny", true, Reason::DefaultDeny),
        ("allow", "allow", false, Reason::IpLiteral),
        ("allow", "deny", false, Reason::IpLiteral),
    ];
    for (literals, default, against, reason) in cases {
        let policy = rules(literals, default);
        for text in ["203.0.113.7", "0xcb007107", "[::ffff:203.0.113.7]", "3405803783:443", "[2001:db8::7]"] {
            let decision = decision(&policy, &get(text), &outside());
            assert_eq!((decision.against, decision.reason), (against, reason), "{literals} {default} {text}");
        }
        // `*` is for names; a network's rule is for addresses
        let allowed = |rule| told(false, "enforce", Reason::RuleAllow, "p", rule);
        assert_eq!(of(&policy, &get("a.example"), &outside()), allowed("any"));
        assert_eq!(of(&policy, &get("198.51.100.9"), &outside()), allowed("net"));
        // without a name, the address is held against the rules
        let there = Stated::address("198.51.100.9:5432");
        for call in [Stating::Tcp, Stating::Tls(None), get("")] {
            assert_eq!(of(&policy, &call, &there), allowed("net"), "{call:?}");
        }
        let absent = if reason == Reason::IpLiteral { Reason::HostAbsent } else { reason };
        for call in [Stating::Tcp, Stating::Tls(None), get("")] {
            let decision = decision(&policy, &call, &outside());
            assert_eq!((decision.against, decision.reason), (against, absent), "{literals} {default} {call:?}");
            let nowhere = Stated::default();
            assert_eq!(common::decision(&policy, &call, &nowhere).reason, absent, "not even an address");
        }
    }
}

#[test]
fn handshake_and_request_are_compared() {
    let fronted = outside().sni("front.example");
    let config = |mismatch: &str| {
        json!({"mode": "enforce", "sniMismatch": mismatch, "policies": [{
            "name": "p", "allow": [{"id": "a", "hosts": ["a.example"]}], "deny": [{"id": "d", "hosts": ["d.example"]}],
        }]})
    };
    let (deny, report) = (policy(&config("deny")), policy(&config("report")));
    assert_eq!(of(&deny, &get("a.example"), &fronted), told(true, "enforce", Reason::SniMismatch, "p", ""));
    assert_eq!(of(&report, &get("a.example"), &fronted), told(false, "enforce", Reason::RuleAllow, "p", "a"));
    assert_eq!(decision(&report, &get("a.example"), &fronted).sni_host, SniHost::Mismatch);
    // a rule outweighs it
    assert_eq!(of(&deny, &get("d.example"), &fronted), told(true, "enforce", Reason::RuleDeny, "p", "d"));
    let service = Stated::service("a.example", 443);
    let inside = Stated::service("gate.istio-system.svc.cluster.local", 443);
    let all = policy(&with(config("deny"), &[("/scope", json!("all"))]));
    let cases = [
        (&deny, get("a.example"), outside(), SniHost::Unseen),
        (&deny, get("a.example"), outside().sni(""), SniHost::SniAbsent),
        (&deny, get("A.example:443"), outside().sni("a.EXAMPLE."), SniHost::Same),
        (&deny, get("a.example"), outside().sni("b.example"), SniHost::Mismatch),
        (&deny, get("a.example"), outside().sni("not a host"), SniHost::Mismatch),
        (&deny, get("203.0.113.7"), outside().sni("a.example"), SniHost::Mismatch),
        (&deny, get(""), outside().sni("a.example"), SniHost::Mismatch),
        (&deny, Stating::Tls(None), outside(), SniHost::SniAbsent),
        (&deny, tls("a.example"), outside(), SniHost::Unseen),
        // the proxy knows the service: the client should mean it
        (&deny, tls("A.example."), service.clone(), SniHost::Same),
        (&deny, tls("front.example"), service.clone(), SniHost::Mismatch),
        // through a service of the mesh many names lead
        (&all, tls("a.example"), inside, SniHost::Unseen),
        (&deny, Stating::Tls(None), service, SniHost::SniAbsent),
    ];
    for (policy, call, proxy, expected) in cases {
        assert_eq!(decision(policy, &call, &proxy).sni_host, expected, "{call:?} {proxy:?}");
    }
    let service = Stated::service("a.example", 443);
    assert_eq!(of(&deny, &tls("front.example"), &service), told(true, "enforce", Reason::SniMismatch, "p", ""));
    assert_eq!(of(&report, &tls("front.example"), &service), told(true, "enforce", Reason::DefaultDeny, "p", ""));
}

#[test]
fn what_asks_for_more_than_can_be_seen_is_denied_or_decided_by_host_and_port() {
    let rules = json!({"name": "p",
        "allow": [
            {"id": "post", "hosts": ["a.example"], "match": [{"method": {"exact": "POST"}}]},
            {"id": "post-b", "hosts": ["b.example"], "match": [{"method": {"exact": "POST"}}]},
            {"id": "b", "hosts": ["*.example"], "ports": [8443]},
            {"id": "c", "hosts": ["c.example"]},
        ],
        "deny": [
            {"id": "files", "hosts": ["c.example"], "ports": [443], "match": [{"uri": {"prefix": "/files"}}]},
            {"id": "never", "hosts": ["never.example"]},
        ],
    });
    let config = |undecidable: &str| json!({"mode": "enforce", "undecidable": undecidable, "policies": [rules]});
    let at = |port: u16| Stated::address(&format!("203.0.113.7:{port}"));
    let allow = |rule| told(false, "enforce", Reason::RuleAllow, "p", rule);
    let open = |rule| told(true, "enforce", Reason::L7Unenforceable, "p", rule);
    let denied = |rule| told(true, "enforce", Reason::RuleDeny, "p", rule);
    // host, port, with `deny`, with `allow`
    let cases = [
        ("a.example", 443, open("post"), allow("post")),
        // whatever the request turns out to be, another rule allows it
        ("b.example", 8443, allow("b"), allow("post-b")),
        ("b.example", 443, open("post-b"), allow("post-b")),
        ("c.example", 443, open("files"), allow("c")),
        // the rule that asks for more is for another port
        ("c.example", 80, allow("c"), allow("c")),
        ("never.example", 443, denied("never"), denied("never")),
    ];
    for (name, port, with_deny, with_allow) in cases {
        assert_eq!(of(&policy(&config("deny")), &tls(name), &at(port)), with_deny, "{name}:{port}");
        assert_eq!(of(&policy(&config("allow")), &tls(name), &at(port)), with_allow, "{name}:{port}");
    }
    // of a request all can be seen
    for undecidable in ["deny", "allow"] {
        let policy = policy(&config(undecidable));
        assert_eq!(of(&policy, &post("a.example", "/"), &at(443)), allow("post"));
        assert_eq!(of(&policy, &get("a.example"), &at(443)), told(true, "enforce", Reason::DefaultDeny, "p", ""));
        assert_eq!(of(&policy, &post("c.example", "/files"), &at(443)), denied("files"));
        assert_eq!(of(&policy, &post("c.example", "/"), &at(443)), allow("c"));
    }
}

#[test]
fn ports_are_those_of_where_the_call_goes_and_else_those_of_the_request() {
    let policy =
        enforcing(&json!({"allow": [{"id": "a", "hosts": ["a.example", "192.0.2.0/24"], "ports": [443, 8443]}]}));
    let at = |port: u16| Stated::address(&format!("203.0.113.7:{port}"));
    let cases = [
        (get("a.example"), at(443), Some(443), true),
        (get("a.example"), at(80), Some(80), false),
        // where the client's own address is the way, what it says of the port is no proof
        (get("a.example:8443"), at(80), Some(80), false),
        (get("a.example:80"), at(443), Some(443), true),
        (get("a.example:80"), Stated::service("a.example", 443), Some(443), true),
        (get("a.example:443"), Stated::service("a.example", 80), Some(80), false),
        (get("a.example:443"), Stated { cluster: Some("egress".to_owned()), ..at(80) }, Some(443), true),
        (tls("a.example"), at(8443), Some(8443), true),
        (tls("a.example"), at(25), Some(25), false),
        (Stating::Tcp, Stated::address("192.0.2.7:443"), Some(443), true),
        (Stating::Tcp, Stated::address("192.0.2.7:25"), Some(25), false),
        // what goes nowhere has the port that the request names or implies
        (get("a.example:8443"), Stated::default(), Some(8443), true),
        (get("a.example"), Stated::default(), Some(80), false),
        // a port that is not known is none of those that are named
        (tls("a.example"), Stated::default(), None, false),
    ];
    for (call, proxy, port, allowed) in cases {
        let decision = decision(&policy, &call, &proxy);
        assert_eq!((decision.port, !decision.against), (port, allowed), "{call:?} {proxy:?}");
    }
}

#[test]
fn the_most_specific_rule_is_named() {
    let allow = json!([
        {"id": "any", "hosts": ["*"]},
        {"id": "below-com", "hosts": ["*.example.com"]},
        {"id": "below-api", "hosts": ["*.api.example.com"]},
        {"id": "form", "hosts": ["v*.api.example.com"]},
        {"id": "closer-form", "hosts": ["v1*.api.example.com"]},
        {"id": "one", "hosts": ["v1.api.example.com"]},
        {"id": "one-port", "hosts": ["v1.api.example.com"], "ports": [443]},
        {"id": "one-prefix", "hosts": ["v1.api.example.com"], "match": [{"uri": {"prefix": "/a"}}]},
        {"id": "one-longer", "hosts": ["v1.api.example.com"], "match": [{"uri": {"prefix": "/a/b"}}]},
        {"id": "one-path", "hosts": ["v1.api.example.com"], "match": [{"uri": {"exact": "/a/b"}}]},
        {"id": "one-path-get", "hosts": ["v1.api.example.com"],
         "match": [{"uri": {"exact": "/a/b"}, "method": {"exact": "PUT"}}]},
        {"id": "b-same", "hosts": ["same.example.org"]},
        {"id": "a-same", "hosts": ["same.example.org"]},
        {"id": "net", "hosts": ["198.51.0.0/16"]},
        {"id": "smaller-net", "hosts": ["198.51.100.0/24"]},
        {"id": "address", "hosts": ["198.51.100.7"]},
    ]);
    let call = |host: &str, path: &'static str| Stating::Http("GET", host.to_owned(), path);
    let cases = [
        (call("a.org", "/"), "any"),
        (call("a.example.com", "/"), "below-com"),
        (call("x.y.api.example.com", "/"), "below-api"),
        (call("v2.api.example.com", "/"), "form"),
        (call("v11.api.example.com", "/"), "closer-form"),
        (call("v1.api.example.com:80", "/"), "one"),
        (call("v1.api.example.com:443", "/"), "one-port"),
        (call("v1.api.example.com:443", "/ab"), "one-prefix"),
        (call("v1.api.example.com:443", "/a/b/c"), "one-longer"),
        (call("v1.api.example.com", "/a/b"), "one-path"),
        (Stating::Http("PUT", "v1.api.example.com".to_owned(), "/a/b"), "one-path-get"),
        (call("same.example.org", "/"), "a-same"),
        (call("198.51.7.7", "/"), "net"),
        (call("198.51.100.8", "/"), "smaller-net"),
        (call("198.51.100.7", "/"), "address"),
    ];
    for list in ["allow", "deny"] {
        let policy = enforcing(&json!({list: allow}));
        for (call, rule) in &cases {
            assert_eq!(of(&policy, call, &Stated::default()).4.as_deref(), Some(*rule), "{list} {call:?}");
        }
    }
}

/// The smokescreen order (global deny before role's allow) and what modes add to it.
#[test]
fn policies_hold_together() {
    let rule = |id: &str, host: &str| json!([{"id": id, "hosts": [host]}]);
    let two = |first: Value, second: Value| {
        let named = |policy: &Value, name: &str| with(policy.clone(), &[("/name", json!(name))]);
        [
            policy(&json!({"mode": "observe", "policies": [named(&first, "a"), named(&second, "b")]})),
            policy(&json!({"mode": "observe", "policies": [named(&second, "b"), named(&first, "a")]})),
        ]
    };
    let x = "x.example";
    let cases = [
        (
            "deny over allow, of the same mode",
            two(json!({"mode": "enforce", "deny": rule("d", "*")}), json!({"mode": "enforce", "allow": rule("y", x)})),
            told(true, "enforce", Reason::RuleDeny, "a", "d"),
        ),
        (
            "an allow of any policy is one",
            two(json!({"mode": "enforce"}), json!({"mode": "report", "allow": rule("y", x)})),
            told(false, "report", Reason::RuleAllow, "b", "y"),
        ),
        (
            "of two that deny the stronger is told, though the other is closer",
            two(json!({"mode": "enforce", "deny": rule("d", "*")}), json!({"mode": "report", "deny": rule("e", x)})),
            told(true, "enforce", Reason::RuleDeny, "a", "d"),
        ),
        (
            "a denial that is only reported does not undo what is allowed",
            two(json!({"mode": "report", "deny": rule("d", x)}), json!({"mode": "enforce", "allow": rule("y", x)})),
            told(true, "report", Reason::RuleDeny, "a", "d"),
        ),
        (
            "a denial that is only reported does not hide one by default that is enforced",
            two(json!({"mode": "report", "deny": rule("d", x)}), json!({"mode": "enforce"})),
            told(true, "enforce", Reason::DefaultDeny, "b", ""),
        ),
        (
            "nor does one that is only observed",
            two(json!({"mode": "observe", "deny": rule("d", x)}), json!({"mode": "enforce"})),
            told(true, "enforce", Reason::DefaultDeny, "b", ""),
        ),
        (
            "nor one where the other only reports",
            two(json!({"mode": "observe", "deny": rule("d", x)}), json!({"mode": "report"})),
            told(true, "report", Reason::DefaultDeny, "b", ""),
        ),
        (
            "the strongest mode decides by default",
            two(json!({"mode": "report", "default": "deny"}), json!({"mode": "enforce", "default": "allow"})),
            told(false, "enforce", Reason::DefaultAllow, "b", ""),
        ),
        (
            "of equal modes the one that denies",
            two(json!({"mode": "enforce", "default": "allow"}), json!({"mode": "enforce", "default": "deny"})),
            told(true, "enforce", Reason::DefaultDeny, "b", ""),
        ),
        (
            "of equals the first by name",
            two(json!({"mode": "enforce"}), json!({"mode": "enforce"})),
            told(true, "enforce", Reason::DefaultDeny, "a", ""),
        ),
        (
            "equally close rules of two policies",
            two(json!({"mode": "enforce", "allow": rule("z", x)}), json!({"mode": "enforce", "allow": rule("y", x)})),
            told(false, "enforce", Reason::RuleAllow, "a", "z"),
        ),
    ];
    for (what, policies, expected) in cases {
        for policy in policies {
            assert_eq!(of(&policy, &get(x), &outside()), expected, "{what}");
        }
    }
}

/// The same for what can't be seen and for a policy that can't be read.
#[test]
fn a_weaker_policy_hides_no_denial_of_a_stronger() {
    let asks = json!([{"id": "m", "hosts": ["x.example"], "match": [{"method": {"exact": "GET"}}]}]);
    for list in ["allow", "deny"] {
        let config = json!({"policies": [
            {"name": "a", "mode": "report", list: asks}, {"name": "b", "mode": "enforce"},
        ]});
        let policy = policy(&config);
        assert_eq!(
            of(&policy, &tls("x.example"), &outside()),
            told(true, "enforce", Reason::DefaultDeny, "b", ""),
            "{list}"
        );
    }
    let config = json!({"policies": [
        {"name": "a", "mode": "report", "allow": 7},
        {"name": "b", "mode": "enforce", "allow": [{"id": "y", "hosts": ["y.example"]}]},
    ]});
    let policy = common::loaded(&config).policy;
    assert_eq!(of(&policy, &get("x.example"), &outside()), told(true, "enforce", Reason::DefaultDeny, "b", ""));
    assert_eq!(of(&policy, &get("y.example"), &outside()), told(true, "report", Reason::PolicyBroken, "a", ""));
    assert_eq!(of(&policy, &get("@"), &outside()), told(true, "enforce", Reason::HostInvalid, "b", ""));
}

#[test]
fn a_selector_says_for_which_workloads() {
    let sidecar = ai_gateway();
    let gateway = Workload { kind: ProxyKind::Gateway, ..ai_gateway() };
    let applies = |selector: &Value, workload: &Workload, peer: Option<&str>| {
        let config = json!({"policies": [{"name": "p", "selector": selector, "mode": "enforce"}]});
        let proxy = peer.map_or(outside(), |peer| outside().peer(peer));
        let policy = policy_for(&config, workload);
        decision(&policy, &get("a.example"), &proxy).guard.is_some()
    };
    let peer = Some("spiffe://cluster.local/ns/devmentor-app/sa/ai-gateway");
    let other = Some("spiffe://cluster.local/ns/devmentor-app/sa/web");
    let odd = Some("spiffe://example.org/workload/7");
    let labels = |labels: Value| json!({"matchLabels": labels});
    let accounts = json!({"serviceAccounts": ["devmentor-app/ai-gateway", "x/y"]});
    let principals = json!({"principals": ["spiffe://example.org/workload/7", peer]});
    let cases = [
        (json!(null), &sidecar, None, true),
        (json!({}), &sidecar, None, true),
        (labels(json!({"app": "ai-gateway"})), &sidecar, None, true),
        (labels(json!({"app": "ai-gateway", "version": "v1"})), &sidecar, None, true),
        (labels(json!({"app": "ai-gateway", "version": "v2"})), &sidecar, None, false),
        (labels(json!({"app": "web"})), &sidecar, None, false),
        (labels(json!({"tier": ""})), &sidecar, None, false),
        (labels(json!({"app": "ai-gateway"})), &gateway, None, true),
        // of a sidecar the account is its pod's own, and no certificate is asked for
        (accounts.clone(), &sidecar, None, true),
        (accounts.clone(), &sidecar, other, true),
        (json!({"serviceAccounts": ["devmentor-app/web"]}), &sidecar, None, false),
        (json!({"serviceAccounts": ["ai-gateway"]}), &sidecar, None, false),
        // of a gateway it is that of who calls
        (accounts.clone(), &gateway, None, false),
        (accounts.clone(), &gateway, peer, true),
        (accounts.clone(), &gateway, other, false),
        (accounts.clone(), &gateway, odd, false),
        (principals.clone(), &gateway, odd, true),
        (principals.clone(), &gateway, peer, true),
        (principals.clone(), &gateway, other, false),
        (principals.clone(), &gateway, None, false),
        (principals, &sidecar, peer, true),
        (with(accounts, &[("/matchLabels", json!({"app": "web"}))]), &gateway, peer, false),
    ];
    for (selector, workload, peer, expected) in cases {
        assert_eq!(applies(&selector, workload, peer), expected, "{selector} {:?} {peer:?}", workload.kind);
    }
    assert_eq!(Workload::kind_of("sidecar~10.0.0.7~web.default~default.svc.cluster.local"), ProxyKind::Sidecar);
    for node in ["router~10.0.0.7~gw~x", "ztunnel~x", "waypoint~x", ""] {
        assert_eq!(Workload::kind_of(node), ProxyKind::Gateway, "{node}");
    }
}

#[test]
fn the_peer_is_asked_for_only_where_a_policy_needs_it() {
    let gateway = Workload { kind: ProxyKind::Gateway, ..ai_gateway() };
    let without = policy_for(&json!({"policies": [{"name": "p"}]}), &gateway);
    let asking = json!({"policies": [{"name": "p", "selector": {"principals": ["spiffe://x"]}}]});
    let asking = policy_for(&asking, &gateway);
    let proxy = outside().peer("spiffe://x");
    assert_eq!(decision(&without, &get("a.example"), &proxy).principal, None);
    assert_eq!(decision(&asking, &get("a.example"), &proxy).principal.as_deref(), Some("spiffe://x"));
}

#[test]
fn two_workloads_have_their_own_policies() {
    let config = json!({"mode": "observe", "policies": [
        {"name": "ai", "selector": {"matchLabels": {"app": "ai-gateway"}}, "mode": "enforce",
         "allow": [{"id": "openai", "hosts": ["api.openai.com"]}]},
        {"name": "web", "selector": {"matchLabels": {"app": "web"}}, "mode": "report",
         "allow": [{"id": "fonts", "hosts": ["fonts.example"]}]},
    ]});
    let web = Workload { labels: vec![("app".to_owned(), "web".to_owned())], ..ai_gateway() };
    let (ai, web) = (policy(&config), policy_for(&config, &web));
    assert_eq!(of(&ai, &get("api.openai.com"), &outside()), told(false, "enforce", Reason::RuleAllow, "ai", "openai"));
    assert_eq!(of(&ai, &get("fonts.example"), &outside()), told(true, "enforce", Reason::DefaultDeny, "ai", ""));
    assert_eq!(of(&web, &get("fonts.example"), &outside()), told(false, "report", Reason::RuleAllow, "web", "fonts"));
    assert_eq!(of(&web, &get("api.openai.com"), &outside()), told(true, "report", Reason::DefaultDeny, "web", ""));
}

/// Rules that allow, and rules that deny.
type Lists = (Vec<Value>, Vec<Value>);

/// Some rules over a few hosts.
#[cfg(not(target_arch = "wasm32"))]
fn some_rules() -> impl Strategy<Value = Lists> {
    let hosts = ["*", "*.example", "a.example", "*.a.example", "b*.example", "198.51.100.0/24"];
    let rule = (
        prop::sample::subsequence(hosts.to_vec(), 1..3),
        prop_oneof![3 => Just(json!([])), 1 => Just(json!([443])), 1 => Just(json!([80, 443]))],
        prop_oneof![
            4 => Just(json!([])),
            1 => Just(json!([{"uri": {"prefix": "/a"}}])),
            1 => Just(json!([{"method": {"exact": "GET"}}])),
        ],
    );
    let rules = |letter: &'static str, rules: Vec<(Vec<&'static str>, Value, Value)>| -> Vec<Value> {
        let rule = |(number, (hosts, ports, ways))| json!({"id": format!("{letter}{number}"), "hosts": hosts, "ports": ports, "match": ways});
        rules.into_iter().enumerate().map(rule).collect()
    };
    (prop::collection::vec(rule.clone(), 0..6), prop::collection::vec(rule, 0..3))
        .prop_map(move |(allow, deny)| (rules("a", allow), rules("d", deny)))
}

#[cfg(not(target_arch = "wasm32"))]
fn some_policies() -> impl Strategy<Value = Vec<Value>> {
    let policy = (some_rules(), prop_oneof![Just("observe"), Just("report"), Just("enforce")], any::<bool>());
    prop::collection::vec(policy, 1..4).prop_map(|policies| {
        let policy = |(number, ((allow, deny), mode, open)): (usize, (Lists, &str, bool))| {
            let default = if open { "allow" } else { "deny" };
            json!({"name": format!("p{number}"), "mode": mode, "default": default, "allow": allow, "deny": deny})
        };
        policies.into_iter().enumerate().map(policy).collect()
    })
}

#[cfg(not(target_arch = "wasm32"))]
fn some_call() -> impl Strategy<Value = Stating> {
    let hosts = prop_oneof![
        Just("a.example"),
        Just("b.example"),
        Just("b.a.example"),
        Just("x.org"),
        Just("198.51.100.7"),
        Just("a.example:80"),
        Just("@"),
    ];
    prop_oneof![
        4 => (hosts.clone(), prop_oneof![Just("/"), Just("/a/b")]).prop_map(|(host, path)| Stating::Http("GET", host.to_owned(), path)),
        2 => hosts.prop_map(tls),
        1 => Just(Stating::Tls(None)),
        1 => Just(Stating::Tcp),
        1 => Just(Stating::Malformed),
    ]
}

/// The policies in another order, and their rules as well.
fn turned(policies: &[Value], by: usize) -> Vec<Value> {
    let turn = |list: &mut Vec<Value>| {
        let by = by % list.len().max(1);
        list.rotate_left(by);
        if by % 2 == 1 {
            list.reverse();
        }
    };
    let mut policies = policies.to_vec();
    turn(&mut policies);
    for policy in &mut policies {
        for list in ["allow", "deny"] {
            turn(policy[list].as_array_mut().unwrap());
        }
    }
    policies
}

#[cfg(not(target_arch = "wasm32"))]
proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_order_of_policies_and_rules_does_not_matter(
        policies in some_policies(),
        by in 1_usize..12,
        undecidable in prop_oneof![Just("allow"), Just("deny")],
        calls in prop::collection::vec(some_call(), 1..6),
    ) {
        let config = |policies: Vec<Value>| json!({"policies": policies, "undecidable": undecidable});
        let one = policy(&config(policies.clone()));
        let other = policy(&config(turned(&policies, by)));
        for call in &calls {
            prop_assert_eq!(of(&one, call, &outside()), of(&other, call, &outside()), "{:?}", call);
        }
    }

    /// What is not enforced changes nothing of what passes, whatever it says against calls.
    #[test]
    fn a_denial_that_is_not_enforced_lets_nothing_more_pass(
        policies in some_policies(),
        added in some_rules(),
        mode in prop_oneof![Just("observe"), Just("report"), Just("off")],
        calls in prop::collection::vec(some_call(), 1..6),
    ) {
        let one = policy(&json!({"policies": policies}));
        let added = json!({"name": "added", "mode": mode, "deny": added.1});
        let other = policy(&json!({"policies": ([policies, vec![added]].concat())}));
        let enforced = one.guards.iter().any(|guard| guard.mode.as_str() == "enforce");
        for call in &calls {
            let (before, after) = (decision(&one, call, &outside()), decision(&other, call, &outside()));
            prop_assert_eq!(before.denies(), after.denies(), "{:?} {:?} {:?}", call, before, after);
            prop_assert!(enforced || !after.denies());
        }
    }

    /// A rule under `deny` in `enforce` that names a call denies it, whatever else there is.
    #[test]
    fn deny_wins_over_everything(policies in some_policies(), call in some_call()) {
        let all = json!({"name": "all", "mode": "enforce", "deny": [{"id": "all", "hosts": ["*", "0.0.0.0/0", "::/0"]}]});
        let policy = policy(&json!({"policies": ([policies, vec![all]].concat())}));
        prop_assert!(decision(&policy, &call, &outside()).denies(), "{:?}", call);
    }

    #[test]
    fn any_authority_and_path_are_decided_without_fault(authority: Vec<u8>, path: Vec<u8>, name: Vec<u8>) {
        use egress_core::decide::Kind;
        let policy = policy(&example());
        let headers = filter_request::Pairs::from_list(&[(&b":authority"[..], &authority), (b":path", &path)]);
        let request = filter_request::Request::new(&headers);
        let proxy = outside();
        for kind in [Kind::Request(&request), Kind::Tls(Some(&name))] {
            let outcome = egress_core::decide(&policy, &egress_core::Call { kind, proxy: &proxy });
            prop_assert!(matches!(outcome, Outcome::Judged(_)));
        }
    }
}
