//! Who gets which arm, and why; what the service and the client see of it.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod common;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use canary_core::HeaderChange;
use common::{Facts, ask, ask_response, example, example_with, policy, token_of, verified_peer};
use serde_json::{Value, json};

/// The first `user-N` whose arm is the wanted one.
fn user_in(config: &Value, arm: &str) -> String {
    let policy = policy(config);
    (0..10_000)
        .map(|n| format!("user-{n}"))
        .find(|id| ask(&policy, &[("x-user-id", id)], &Facts::default()).arm.as_deref() == Some(arm))
        .unwrap()
}

#[test]
fn a_user_gets_the_same_arm_from_every_source() {
    let policy = policy(&example());
    let canary = user_in(&example(), "v2");
    let cookie = format!("a=b; uid={canary}");
    for (headers, facts) in [
        (vec![], token_of(&canary)),
        (vec![("x-user-id", canary.as_str())], Facts::default()),
        (vec![("cookie", cookie.as_str())], Facts::default()),
    ] {
        let outcome = ask(&policy, &headers, &facts);
        assert_eq!((outcome.arm.as_deref(), outcome.reason), (Some("v2"), Some("user")), "{headers:?}");
    }
}

#[test]
fn raising_the_weight_moves_baseline_users_only() {
    let arms = |weight: u32| {
        let policy = policy(&example_with(&[("/rules/0/arms/0/weight", json!(weight))]));
        (0..2000)
            .map(|n| ask(&policy, &[("x-user-id", &format!("u{n}"))], &Facts::default()).arm.unwrap())
            .collect::<Vec<_>>()
    };
    let (ten, quarter, none, all) = (arms(10), arms(25), arms(0), arms(100));
    assert!(ten.iter().zip(&quarter).all(|(old, new)| old == new || (old == "v1" && new == "v2")));
    assert!(none.iter().all(|arm| arm == "v1"));
    assert!(all.iter().all(|arm| arm == "v2"));
    let share = quarter.iter().filter(|arm| *arm == "v2").count();
    assert!((420..580).contains(&share), "{share} of 2000");
}

#[test]
fn requests_of_no_rule_get_no_arm() {
    let policy = policy(&example());
    for headers in [[(":path", "/api/auth")], [(":authority", "other.local")]] {
        let outcome = ask(&policy, &headers, &token_of("ada"));
        assert_eq!((outcome.decision, outcome.arm_headers), (None, vec![]));
    }
}

#[test]
fn the_first_matching_rule_wins() {
    let mut second = example()["rules"][0].clone();
    second["name"] = json!("all");
    second["match"] = json!([]);
    second["arms"][0]["weight"] = json!(100);
    let policy = policy(&example_with(&[("/rules/0/arms/0/weight", json!(0)), ("/rules/-", second)]));
    assert_eq!(ask(&policy, &[], &token_of("ada")).arm.as_deref(), Some("v1"));
    assert_eq!(ask(&policy, &[(":path", "/x")], &token_of("ada")).arm.as_deref(), Some("v2"));
}

#[test]
fn overrides_come_in_order_and_before_the_hash() {
    let policy = policy(&example_with(&[
        ("/rules/0/overrides/-", json!({"arm": "v2", "headers": {"user-agent": {"regex": ".*Beta/[0-9]+.*"}}})),
        ("/rules/0/overrides/-", json!({"arm": "v2", "cookies": {"preview": {}}})),
        (
            "/rules/0/overrides/-",
            json!({"arm": "v1", "headers": {"x-a": {"prefix": "b"}}, "cookies": {"c": {"exact": "d"}}}),
        ),
        ("/rules/0/arms/0/weight", json!(0)),
    ]));
    type Case<'c> = (&'c [(&'c str, &'c str)], Facts, (&'c str, &'c str, Option<usize>));
    let cases: &[Case] = &[
        (&[("x-env", "canary")], Facts::default(), ("v2", "override", Some(0))),
        (&[("x-env", "canary")], token_of("vip-7"), ("v2", "override", Some(0))),
        (&[], token_of("qa-1"), ("v2", "override", Some(1))),
        (&[], token_of("vip-7"), ("v1", "override", Some(2))),
        (&[("user-agent", "DevMentor Beta/7")], token_of("u"), ("v2", "override", Some(3))),
        (&[("cookie", "preview=")], token_of("u"), ("v2", "override", Some(4))),
        (&[("x-a", "bc"), ("cookie", "c=d")], token_of("u"), ("v1", "override", Some(5))),
        (&[("x-a", "bc")], token_of("u"), ("v1", "user", None)),
        // a name in a header that anybody can send is nobody's name
        (&[("x-user-id", "qa-1")], Facts::default(), ("v1", "user", None)),
    ];
    for (headers, facts, (arm, reason, place)) in cases {
        let outcome = ask(&policy, headers, facts);
        let decision = outcome.decision.unwrap();
        assert_eq!(
            (outcome.arm.as_deref(), decision.reason.as_str(), decision.overridden),
            (Some(*arm), *reason, *place),
            "{headers:?}"
        );
    }
}

#[test]
fn modes_weaken_what_is_done() {
    let cases = [
        ("enforce", "enforce", Some("v2"), "override"),
        ("enforce", "report", None, "override"),
        ("report", "enforce", None, "override"),
        ("enforce", "off", None, "off"),
        ("off", "enforce", None, "off"),
        ("report", "off", None, "off"),
    ];
    for (whole, rule, arm, reason) in cases {
        let policy = policy(&example_with(&[("/mode", json!(whole)), ("/rules/0/mode", json!(rule))]));
        let outcome = ask(&policy, &[("x-canary-arm", "v2")], &token_of("qa-1"));
        assert_eq!((outcome.arm.as_deref(), outcome.reason), (arm, Some(reason)), "{whole} {rule}");
        let expected: Vec<_> = arm.map(|arm| ("x-canary-arm".to_owned(), arm.to_owned())).into_iter().collect();
        assert_eq!(outcome.arm_headers, expected, "a client's own arm never survives");
    }
}

#[test]
fn a_bare_off_in_yaml_switches_off() {
    let policy = policy(&example_with(&[("/mode", json!(false))]));
    assert_eq!(ask(&policy, &[], &token_of("qa-1")).reason, Some("off"));
}

#[test]
fn without_an_id_the_rule_says_what_happens() {
    for (written, arm, reason) in
        [("unset", None, "no_identity"), ("baseline", Some("v1"), "no_identity"), ("random", Some("v2"), "random")]
    {
        let policy =
            policy(&example_with(&[("/rules/0/noIdentity", json!(written)), ("/rules/0/arms/0/weight", json!(100))]));
        let outcome = ask(&policy, &[("x-user-id", "")], &Facts::default());
        assert_eq!((outcome.arm.as_deref(), outcome.reason), (arm, Some(reason)), "{written}");
        assert!(outcome.decision.unwrap().without_identity);
    }
}

#[test]
fn at_the_edge_no_arm_of_the_client_survives_in_any_spelling() {
    let forged = [("x-canary-arm", "v2"), ("x_canary_arm", "v2"), ("x-canary-arm", "v3"), ("x-canary_arm", "v2")];
    let baseline = example_with(&[("/rules/0/arms/0/weight", json!(0))]);
    let cases = [
        (example(), vec![(":path", "/elsewhere")], vec![]),
        (baseline, vec![("x-user-id", "ada")], vec![("x-canary-arm".to_owned(), "v1".to_owned())]),
        (json!({}), vec![], vec![]),
        (json!({"rules": "no list"}), vec![], vec![]),
    ];
    for (config, headers, expected) in cases {
        let policy = common::loaded(&config).policy;
        let headers: Vec<_> = forged.iter().chain(&headers).copied().collect();
        assert_eq!(ask(&policy, &headers, &verified_peer()).arm_headers, expected, "{config}");
    }
}

#[test]
fn at_the_edge_nothing_that_decides_sees_a_forged_arm() {
    let seen = policy(&example_with(&[
        ("/identity", json!([{"header": "x-canary-arm"}])),
        (
            "/rules/0/overrides",
            json!([{"arm": "v2", "headers": {"x_canary_arm": {}}}, {"arm": "v2", "headers": {"x-canary-arm": {}}}]),
        ),
    ]));
    let outcome = ask(&seen, &[("x-canary-arm", "v2"), ("x_canary_arm", "v2")], &Facts::default());
    assert_eq!((outcome.reason, outcome.arm_headers), (Some("no_identity"), vec![]));
    let matched = policy(&example_with(&[("/rules/0/match", json!([{"headers": {"x-canary-arm": {}}}]))]));
    assert_eq!(ask(&matched, &[("x-canary-arm", "v2")], &token_of("qa-1")).decision, None);
}

#[test]
fn inside_the_mesh_a_verified_peers_arm_is_kept() {
    let config = example_with(&[("/trust", json!("mesh")), ("/rules/0/arms/0/weight", json!(0))]);
    let policy = policy(&config);
    let v2: &[(&str, &str)] = &[("x-canary-arm", "v2"), ("x-user-id", "u")];
    let twice: &[(&str, &str)] = &[("x-canary-arm", "v2"), ("x-canary-arm", "v2"), ("x-user-id", "u")];
    let unknown: &[(&str, &str)] = &[("x-canary-arm", "v9"), ("x-user-id", "u")];
    let folded: &[(&str, &str)] = &[("x_canary_arm", "v2"), ("x-user-id", "u")];
    let elsewhere: &[(&str, &str)] = &[("x-canary-arm", "v9"), (":path", "/x")];
    let cases = [
        (v2, verified_peer(), vec!["v2"], Some("peer")),
        (v2, Facts::default(), vec!["v1"], Some("user")),
        (twice, verified_peer(), vec!["v1"], Some("user")),
        (unknown, verified_peer(), vec!["v1"], Some("user")),
        (folded, verified_peer(), vec!["v1"], Some("user")),
        (elsewhere, verified_peer(), vec!["v9"], None),
        (elsewhere, Facts::default(), vec![], None),
    ];
    for (headers, facts, arms, reason) in cases {
        let outcome = ask(&policy, headers, &facts);
        let seen: Vec<&str> = outcome.arm_headers.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!((seen, outcome.reason), (arms, reason), "{headers:?} {facts:?}");
    }
    let off = common::policy(&example_with(&[("/trust", json!("mesh")), ("/rules/0/mode", json!("off"))]));
    assert!(ask(&off, v2, &verified_peer()).arm_headers.is_empty(), "the kill switch leaves no header");
}

#[test]
fn a_visitor_without_an_id_is_given_one_and_keeps_the_arm() {
    let config = example_with(&[
        ("/anonymous", json!({"cookie": "rc_anon", "maxAge": "8760h"})),
        ("/rules/0/arms/0/weight", json!(50)),
    ]);
    let policy = policy(&config);
    let first = ask(&policy, &[], &Facts::default());
    let id = "07".repeat(16);
    let cookie = format!("rc_anon={id}; Path=/; Max-Age=31536000; SameSite=Lax; Secure; HttpOnly");
    assert_eq!(first.response[0], HeaderChange::Add("set-cookie".to_owned(), cookie));
    assert_eq!(first.response[1], HeaderChange::Set("cache-control".to_owned(), "private".to_owned()));
    let again = ask(&policy, &[("cookie", &format!("rc_anon={id}"))], &Facts::default());
    assert_eq!((again.arm.clone(), again.reason), (first.arm, Some("anonymous")));
    assert!(again.response.is_empty() && !again.decision.unwrap().without_identity);
}

#[test]
fn reporting_gives_no_cookie() {
    let config = example_with(&[("/anonymous", json!({})), ("/rules/0/mode", json!("report"))]);
    let outcome = ask(&policy(&config), &[], &Facts::default());
    assert_eq!((outcome.reason, outcome.response), (Some("no_identity"), vec![]));
}

#[test]
fn at_login_the_users_own_id_counts_or_the_anonymous_one_is_kept() {
    let weights = ("/rules/0/arms/0/weight", json!(50));
    let config = example_with(&[weights.clone(), ("/anonymous", json!({}))]);
    let (user, visitor) = (user_in(&config, "v1"), user_in(&config, "v2"));
    let cookie = format!("rc_anon={visitor}");
    for (written, arm, reason) in [("switch", "v1", "user"), ("keep", "v2", "anonymous")] {
        let policy = policy(&example_with(&[weights.clone(), ("/anonymous", json!({"onLogin": written}))]));
        let outcome = ask(&policy, &[("cookie", &cookie)], &token_of(&user));
        assert_eq!((outcome.arm.as_deref(), outcome.reason), (Some(arm), Some(reason)), "{written}");
    }
    // named users are found by their own id either way
    let policy = policy(&example_with(&[weights, ("/anonymous", json!({"onLogin": "keep"}))]));
    assert_eq!(ask(&policy, &[("cookie", &cookie)], &token_of("qa-1")).reason, Some("override"));
}

#[test]
fn cookies_carry_the_attributes_that_are_configured() {
    let cases = [
        (json!({}), "rc_anon=ID; Path=/; Max-Age=31536000; SameSite=Lax; Secure; HttpOnly"),
        (
            json!({"cookie": "v", "maxAge": "session", "path": "/api", "domain": "devmentor.local", "sameSite": "Strict"}),
            "v=ID; Path=/api; Domain=devmentor.local; SameSite=Strict; Secure; HttpOnly",
        ),
        (
            json!({"maxAge": "1h30m", "secure": false, "httpOnly": false}),
            "rc_anon=ID; Path=/; Max-Age=5400; SameSite=Lax",
        ),
    ];
    for (written, expected) in cases {
        let outcome = ask(&policy(&example_with(&[("/anonymous", written)])), &[], &Facts::default());
        let expected = expected.replace("ID", &"07".repeat(16));
        assert_eq!(outcome.response[0], HeaderChange::Add("set-cookie".to_owned(), expected));
    }
}

#[test]
fn no_shared_cache_keeps_a_response_that_gives_an_id() {
    let policy = policy(&example_with(&[("/anonymous", json!({}))]));
    type Case<'c> = (&'c [(&'c str, &'c str)], &'c str, &'c [&'c str]);
    let cases: &[Case] = &[
        (&[], "private", &[]),
        (&[("cache-control", "public, max-age=60, s-maxage=600")], "private, max-age=60", &[]),
        (&[("cache-control", "no-store")], "private, no-store", &[]),
        (
            &[("cache-control", "Public"), ("cache-control", "private=\"x\", must-revalidate")],
            "private, must-revalidate",
            &[],
        ),
        (
            &[("cdn-cache-control", "max-age=9"), ("surrogate-control", "x"), ("acme-cdn-cache-control", "y")],
            "private",
            &["cdn-cache-control", "surrogate-control", "acme-cdn-cache-control"],
        ),
    ];
    for (response, control, removed) in cases {
        let outcome = ask_response(&policy, &[], &Facts::default(), response);
        let mut expected = vec![HeaderChange::Set("cache-control".to_owned(), (*control).to_owned())];
        expected.extend(removed.iter().map(|name| HeaderChange::Remove((*name).to_owned())));
        assert_eq!(outcome.response[1..], expected, "{response:?}");
    }
}

#[test]
fn responses_that_depend_on_an_arm_can_be_marked() {
    let asked = |caching: &str, response: &[(&str, &str)]| {
        let config = example_with(&[("/armCaching", json!(caching))]);
        ask_response(&policy(&config), &[], &token_of("ada"), response).response
    };
    let set = |name: &str, value: &str| vec![HeaderChange::Set(name.to_owned(), value.to_owned())];
    assert!(asked("unmarked", &[]).is_empty());
    assert_eq!(asked("private", &[("cache-control", "public")]), set("cache-control", "private"));
    assert_eq!(asked("vary", &[]), set("vary", "authorization, x-user-id, cookie, x-env"));
    assert_eq!(
        asked("vary", &[("vary", "Accept-Encoding, Cookie")]),
        set("vary", "Accept-Encoding, Cookie, authorization, x-user-id, x-env")
    );
    assert!(asked("vary", &[("vary", "*")]).is_empty());
}

#[test]
fn arm_and_reason_are_told_when_asked_for() {
    let set = |name: &str, value: &str| HeaderChange::Set(name.to_owned(), value.to_owned());
    let echo = policy(&example_with(&[("/echo", json!(true))]));
    assert_eq!(
        ask(&echo, &[], &token_of("qa-1")).response,
        [set("x-canary-arm", "v2"), set("x-canary-reason", "override")]
    );
    assert_eq!(
        ask(&echo, &[], &Facts::default()).response,
        [HeaderChange::Remove("x-canary-arm".to_owned()), set("x-canary-reason", "no_identity")]
    );
    let named = policy(&example_with(&[("/echo", json!(true)), ("/armHeader", json!("X-Version"))]));
    assert_eq!(
        ask(&named, &[], &token_of("qa-1")).response,
        [set("x-version", "v2"), set("x-version-reason", "override")]
    );
}

#[test]
fn promotion_moves_nobody() {
    let full = policy(&example_with(&[("/rules/0/arms/0/weight", json!(100)), ("/rules/0/overrides", json!([]))]));
    let promoted = policy(&example_with(&[
        ("/rules/0/baseline", json!("v2")),
        ("/rules/0/arms", json!([])),
        ("/rules/0/overrides", json!([])),
    ]));
    let next = policy(&example_with(&[
        ("/rules/0/baseline", json!("v2")),
        ("/rules/0/arms", json!([{"name": "v3", "weight": 0}])),
        ("/rules/0/overrides", json!([])),
        ("/rules/0/salt", json!("ai-gateway-v3")),
    ]));
    for n in 0..500 {
        let id = format!("user-{n}");
        for policy in [&full, &promoted, &next] {
            assert_eq!(ask(policy, &[], &token_of(&id)).arm.as_deref(), Some("v2"));
        }
    }
}
