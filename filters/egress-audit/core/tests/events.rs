//! What is told of a call: every event is of the published shape, on one line, and holds nothing that it should not.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod common;

use std::net::SocketAddr;
use std::path::Path;

use common::{Stated, Stating, ai_gateway, decision, example, get, outside, policy, tls, with};
use egress_core::event::{Event, Facts, Protocol, Severity, Stamp, schema, timestamp};
use egress_core::workload::{ProxyKind, Workload};
use egress_core::{Policy, denial};
use proptest::prelude::*;
use serde_json::{Value, json};

/// What is known of a call in the end, with everything there is.
fn facts() -> Facts {
    Facts {
        protocol: Protocol::Http,
        authority: Some(b"API.OpenAI.com:443".to_vec()),
        method: Some(b"POST".to_vec()),
        target: Some(b"/v1/chat?key=secret#part".to_vec()),
        request_id: Some(b"4f2a".to_vec()),
        encrypted_hello: true,
        destination: Some("203.0.113.7:443".parse::<SocketAddr>().unwrap()),
        cluster: Some(b"outbound|443||api.openai.com".to_vec()),
        status: Some(200),
        flags: Some(4),
        sent: 10,
        received: 2000,
        duration_ms: Some(35),
    }
}

fn stamp() -> Stamp {
    Stamp { id: "w-1".to_owned(), time_ms: 1_732_572_852_345, count: 1, ..Stamp::default() }
}

fn event(policy: &Policy, call: &Stating, proxy: &Stated, facts: &Facts, stamp: &Stamp) -> Event {
    Event::new(policy, &ai_gateway(), &decision(policy, call, proxy), facts, stamp)
}

/// An event as a reader of the log has it.
fn read(event: &Event) -> Value {
    let line = event.line();
    assert!(!line.contains(['\n', '\r', '\u{2028}', '\u{85}']), "{line}");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft202012::new(&schema()).unwrap()
}

fn check(validator: &jsonschema::Validator, event: &Value) {
    let wrong: Vec<String> =
        validator.iter_errors(event).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "{wrong:?} {event}");
}

#[test]
fn the_schema_that_is_checked_in_is_the_current_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("event.schema.json");
    let current = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    if std::env::var_os("WRITE_SCHEMA").is_some() {
        std::fs::write(&path, &current).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(checked_in == current, "run WRITE_SCHEMA=1 cargo test -p egress-core --test events");
}

#[test]
fn an_event_tells_what_is_known_in_its_own_order() {
    let policy = policy(&example());
    let call = Stating::Http("POST", "API.OpenAI.com:443".to_owned(), "/v1/chat");
    let proxy = Stated::service("api.openai.com", 443).sni("api.openai.com");
    let event = event(&policy, &call, &proxy, &facts(), &stamp());
    assert_eq!(event.severity, Severity::Information);
    assert_eq!(
        event.line(),
        concat!(
            r#"{"event":"egress_audit","schema":"runtime-control.egress-audit/1","time":"2024-11-25T22:14:12.345Z","event_id":"w-1","#,
            r#""decision":"allow","would_deny":false,"reason_code":"rule_allow","mode":"enforce","policy":"ai-gateway","rule_id":"openai","#,
            r#""count":1,"network.protocol.name":"http","server.address":"api.openai.com","server.port":443,"#,
            r#""http.request.header.host":"API.OpenAI.com:443","tls.client.server_name":"api.openai.com","sni_host":"same","#,
            r#""tls.client.encrypted_hello":true,"http.request.method":"POST","url.path":"/v1/chat","http.response.status_code":200,"#,
            r#""envoy.response_flags":4,"envoy.cluster":"outbound|443||api.openai.com","network.peer.address":"203.0.113.7","#,
            r#""network.peer.port":443,"sent.bytes":10,"received.bytes":2000,"duration_ms":35,"request_id":"4f2a","#,
            r#""k8s.namespace.name":"devmentor-app","k8s.workload.name":"ai-gateway","k8s.pod.name":"ai-gateway-7d4b9","#,
            r#""k8s.service_account.name":"ai-gateway"}"#,
        )
    );
}

#[test]
fn decision_and_would_deny_tell_what_came_of_it() {
    // mode, decision, would_deny (none in observe), severity
    let cases = [
        ("observe", "allow", json!(null), Severity::Information),
        ("report", "allow", json!(true), Severity::Warning),
        ("enforce", "deny", json!(false), Severity::Warning),
    ];
    for (mode, word, would_deny, severity) in cases {
        let policy = policy(&json!({"mode": mode}));
        let event = event(&policy, &get("a.example"), &outside(), &facts(), &stamp());
        let told = read(&event);
        assert_eq!((&told["decision"], &told["would_deny"], event.severity), (&json!(word), &would_deny, severity));
        assert_eq!((&told["mode"], &told["reason_code"]), (&json!(mode), &json!("default_deny")));
        assert!(told.get("policy").is_none() && told.get("rule_id").is_none());
    }
    let open = policy(&json!({"default": "allow"}));
    for (stamp, severity) in [
        (stamp(), Severity::Information),
        (Stamp { lookalike_of: Some("a.example".to_owned()), ..stamp() }, Severity::Warning),
        (Stamp { mixed_script: true, ..stamp() }, Severity::Warning),
    ] {
        assert_eq!(event(&open, &get("a.example"), &outside(), &facts(), &stamp).severity, severity);
    }
}

#[test]
fn the_query_is_told_only_where_it_is_asked_for() {
    // setting, target, path, query
    let cases = [
        ("path", "/a?key=secret", Some("/a"), None),
        ("path", "/a#secret", Some("/a"), None),
        ("path", "/a#b?secret", Some("/a"), None),
        ("path", "/", Some("/"), None),
        ("path", "*", Some("*"), None),
        ("query", "/a?b=c", Some("/a"), Some("b=c")),
        ("query", "/a?", Some("/a"), Some("")),
        ("query", "/a?b?c#d", Some("/a"), Some("b?c")),
        ("query", "/a", Some("/a"), None),
        ("none", "/a?b=c", None, None),
    ];
    for (shown, target, path, query) in cases {
        let policy = policy(&json!({"audit": {"path": shown}}));
        let facts = Facts { target: Some(target.as_bytes().to_vec()), ..facts() };
        let told = read(&event(&policy, &get("a.example"), &outside(), &facts, &stamp()));
        let field = |name: &str| told.get(name).and_then(Value::as_str).map(str::to_owned);
        assert_eq!((field("url.path").as_deref(), field("url.query").as_deref()), (path, query), "{shown} {target}");
        assert!(!told.to_string().contains("secret"));
    }
}

/// What a request carries in headers and bodies is nowhere in the facts, so it can't be told; by default nor can the query.
#[test]
fn no_secret_of_a_request_is_told() {
    let told = read(&event(&policy(&example()), &get("a.example"), &outside(), &facts(), &stamp()));
    let names: Vec<&String> = told.as_object().unwrap().keys().collect();
    assert!(!told.to_string().contains("secret"));
    assert!(
        names.iter().filter(|name| name.contains("header")).all(|name| *name == "http.request.header.host"),
        "{names:?}"
    );
}

#[test]
fn what_is_not_known_is_left_out() {
    let nothing = Facts { protocol: Protocol::Tcp, ..Facts::default() };
    let decision = decision(&policy(&json!({})), &Stating::Tcp, &Stated::default());
    let policy = policy(&json!({}));
    let event = Event::new(&policy, &Workload::default(), &decision, &nothing, &stamp());
    let told = read(&event);
    check(&validator(), &told);
    let names: Vec<&str> = told.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "count",
            "decision",
            "event",
            "event_id",
            "mode",
            "network.protocol.name",
            "reason_code",
            "received.bytes",
            "schema",
            "sent.bytes",
            "time",
        ]
    );
}

#[test]
fn every_kind_of_event_is_of_the_published_shape() {
    let validator = validator();
    let gateway = Workload { kind: ProxyKind::Gateway, ..ai_gateway() };
    let asking = json!({"policies": [{"name": "p", "mode": "enforce", "selector": {"principals": ["spiffe://x"]}}]});
    let policies = [
        policy(&example()),
        policy(&json!({"scope": "all"})),
        policy(&json!({"mode": "report", "default": "allow", "ipLiterals": "allow", "audit": {"path": "query"}})),
        common::policy_for(&asking, &gateway),
        common::loaded(&json!({"policies": [{"name": "p", "mode": "enforce", "allow": 7}]})).policy,
    ];
    let calls = [
        get("api.openai.com"),
        get("api.anthropic.com"),
        get("[2001:db8::7]:8443"),
        get("not a host"),
        get(""),
        tls("api.openai.com"),
        tls("bücher.example"),
        Stating::Tls(None),
        Stating::Tcp,
        Stating::Malformed,
    ];
    let proxies = [
        outside(),
        outside().sni("front.example").peer("spiffe://x"),
        Stated::service("api.openai.com", 443),
        Stated::default(),
    ];
    let stamps = [
        stamp(),
        Stamp {
            first_seen: true,
            lookalike_of: Some("api.openai.com".to_owned()),
            mixed_script: true,
            since_ms: Some(1),
            count: 1000,
            ..stamp()
        },
    ];
    let mut reasons = std::collections::BTreeSet::new();
    for policy in &policies {
        for call in &calls {
            for proxy in &proxies {
                let decision = decision(policy, call, proxy);
                reasons.insert(decision.reason);
                for stamp in &stamps {
                    for facts in [facts(), Facts::default()] {
                        let told = read(&Event::new(policy, &ai_gateway(), &decision, &facts, stamp));
                        check(&validator, &told);
                    }
                }
                let body: Value = serde_json::from_str(&denial::body(policy, &decision, "w-1")).unwrap();
                assert_eq!(body["error"]["reason"], decision.reason.as_str());
                assert_eq!(body["error"]["event_id"], "w-1");
            }
        }
    }
    assert!(reasons.len() >= 9, "{reasons:?}");
}

#[test]
fn the_schema_refuses_what_is_none() {
    let validator = validator();
    let told = read(&event(&policy(&example()), &get("a.example"), &outside(), &facts(), &stamp()));
    check(&validator, &told);
    for (place, value) in [
        ("/decision", json!("maybe")),
        ("/mode", json!("off")),
        ("/reason_code", json!("because")),
        ("/count", json!(0)),
        ("/time", json!("2024-11-25 22:14:12")),
        ("/server.port", json!(65_536)),
        ("/schema", json!("runtime-control.egress-audit/2")),
        ("/first_seen", json!(false)),
        ("/prev_hash", json!("00")),
        ("/another", json!(1)),
    ] {
        assert!(!validator.is_valid(&with(told.clone(), &[(place, value)])), "{place}");
    }
    for name in ["event", "time", "event_id", "decision", "count"] {
        let mut less = told.clone();
        less.as_object_mut().unwrap().remove(name);
        assert!(!validator.is_valid(&less), "{name}");
    }
}

#[test]
fn times_are_those_of_the_calendar() {
    let cases = [
        (0, "1970-01-01T00:00:00.000Z"),
        (999, "1970-01-01T00:00:00.999Z"),
        (86_399_999, "1970-01-01T23:59:59.999Z"),
        (951_782_399_000, "2000-02-28T23:59:59.000Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (951_868_800_000, "2000-03-01T00:00:00.000Z"),
        (1_078_012_800_000, "2004-02-29T00:00:00.000Z"),
        (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
        (1_735_689_599_999, "2024-12-31T23:59:59.999Z"),
        (1_735_689_600_000, "2025-01-01T00:00:00.000Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        (4_107_542_399_000, "2100-02-28T23:59:59.000Z"),
        (2_147_483_648_000, "2038-01-19T03:14:08.000Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ];
    for (milliseconds, expected) in cases {
        assert_eq!(timestamp(milliseconds), expected);
    }
}

/// Day by day over 400 years, after which the calendar repeats itself.
#[test]
fn each_day_follows_the_one_before() {
    let days_of = |year: u64, month: u32| match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    };
    let (mut year, mut month, mut day) = (1970, 1, 1);
    for number in 0..146_097 {
        let told = timestamp(number * 86_400_000);
        assert_eq!(told, format!("{year:04}-{month:02}-{day:02}T00:00:00.000Z"));
        (year, month, day) = match (day == days_of(year, month), month) {
            (false, _) => (year, month, day + 1),
            (true, 12) => (year + 1, 1, 1),
            (true, _) => (year, month + 1, 1),
        };
    }
}

#[test]
fn a_denied_client_is_told_why_by_which_rule_and_how_to_ask() {
    let config = with(example(), &[("/denial", json!({"help": "ask \"egress\"\n"}))]);
    let policy = policy(&config);
    let body = |call: &Stating, proxy: &Stated| -> Value {
        serde_json::from_str(&denial::body(&policy, &decision(&policy, call, proxy), "w-7")).unwrap()
    };
    let uploads = Stating::Http("POST", "api.openai.com".to_owned(), "/v1/files");
    assert_eq!(
        body(&uploads, &Stated::service("api.openai.com", 443)),
        json!({"error": {
            "code": "egress_denied",
            "message": "this mesh's egress policy does not allow calls to api.openai.com:443",
            "reason": "rule_deny", "policy": "ai-gateway", "rule": "no-uploads",
            "host": "api.openai.com", "port": 443, "event_id": "w-7", "help": "ask \"egress\"\n",
        }})
    );
    let message = |call: &Stating, proxy: &Stated| body(call, proxy)["error"]["message"].as_str().unwrap().to_owned();
    let beginning = "this mesh's egress policy does not allow calls to ";
    let cases = [
        (get("[2001:db8::7]:8443"), Stated::default(), "[2001:db8::7]:8443"),
        (get("<script>"), outside(), "a host that can't be read"),
        (get("a.example"), Stated::default(), "a.example:80"),
        (Stating::Tls(Some("a.example".to_owned())), Stated::default(), "a.example"),
        (get("a.example:80"), Stated::default(), "a.example:80"),
    ];
    for (call, proxy, expected) in cases {
        assert_eq!(message(&call, &proxy), format!("{beginning}{expected}"));
    }
    assert!(body(&get("<script>"), &outside())["error"].get("host").is_none());
}

proptest! {
    /// Whatever bytes a client sends, the line is one line of JSON of the published shape.
    #[test]
    fn hostile_bytes_are_told_as_json(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "\\PC{0,40}".prop_map(String::into_bytes),
            "[\"\\\\\u{0}-\u{1f}\u{7f}-\u{9f}\u{2028}\u{2029}\u{d7ff}\u{fffd}\u{10ffff}a?#]{0,40}".prop_map(String::into_bytes),
            Just("ü".repeat(3000).into_bytes()),
        ],
        shown in prop_oneof![Just("path"), Just("query"), Just("none")],
    ) {
        let policy = policy(&json!({"audit": {"path": shown}}));
        let field = || Some(bytes.clone());
        let facts = Facts {
            authority: field(), method: field(), target: field(), request_id: field(), cluster: field(), ..facts()
        };
        let proxy = outside();
        let kind = egress_core::decide::Kind::Tls(Some(&bytes));
        let call = egress_core::Call { kind, proxy: &proxy };
        let egress_core::Outcome::Judged(decision) = egress_core::decide(&policy, &call) else { panic!("exempt") };
        let told = read(&Event::new(&policy, &ai_gateway(), &decision, &facts, &stamp()));
        check(&validator(), &told);
        let text = String::from_utf8_lossy(&bytes);
        if bytes.len() <= 2048 {
            prop_assert_eq!(told["request_id"].as_str(), Some(&*text));
            prop_assert_eq!(told["tls.client.server_name"].as_str(), Some(&*text));
        }
        prop_assert!(told["request_id"].as_str().unwrap().chars().count() <= 2048);
        prop_assert!(serde_json::from_str::<Value>(&denial::body(&policy, &decision, "x")).is_ok());
    }
}
