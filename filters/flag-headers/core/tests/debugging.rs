//! The debug page: what a user would get and why, for machines and for people, and nothing that is nobody's business.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod common;

use common::{constrained, document, example_with, feature, policy, rollout, served};
use flag_core::debug::{State, answer, context};
use flag_core::ofrep::Reply;
use flag_core::serve::{Origin, Served};
use flag_core::sync::{Poll, Sync};
use serde_json::{Value, json};

const NOW: u64 = 1_700_000_000_000;

fn page(query: &str, accept: &str) -> Reply {
    let policy = policy(&example_with(&[(
        "/flags/-",
        json!({"name": "limits", "payload": {"type": "json", "default": {"a": "<i>"}}}),
    )]));
    let document = document(&json!([
        constrained(
            "new-ui-enabled",
            &json!([{"contextName": "userId", "operator": "IN", "values": ["ada", "the-other-user"]}])
        ),
        feature("ai-safety-pii", &json!([rollout("33.3", "default", "secret-group")])),
        feature("not-exposed", &json!([])),
    ]));
    let sync = Sync {
        generation: 1,
        etag: Some("\"abc:42:v1\"".to_owned()),
        confirmed: NOW - 61_000,
        asked: NOW - 1000,
        next: NOW + 1000,
        failures: 2,
        last: Some(Poll::Unavailable),
        error: Some("503: <no> connection".to_owned()),
        ..Sync::default()
    };
    let state = State { sync: &sync, now: NOW, fingerprint: "0123456789abcdef", leads: true };
    answer(query.as_bytes(), accept.as_bytes(), &policy.settings, &served(&policy, Origin::Stale, &document), state)
}

fn shown(query: &str) -> Value {
    serde_json::from_str(&page(query, "*/*").body).unwrap()
}

#[test]
fn machines_are_told_everything_there_is_to_know() {
    let expected = json!({
        "source": "stale",
        "mode": "enforce",
        "configuration": "0123456789abcdef",
        "now": "2023-11-14T22:13:20.000Z",
        "unleash": {
            "cluster": "outbound|4242||unleash.devmentor-app.svc.cluster.local",
            "revision": 42, "etag": "\"abc:42:v1\"", "confirmed": "2023-11-14T22:12:19.000Z", "age_seconds": 61,
            "asked": "2023-11-14T22:13:19.000Z", "next": "2023-11-14T22:13:21.000Z", "failures": 2,
            "last_poll": "unavailable", "last_error": "503: <no> connection", "registered": false,
            "this_worker_leads": true,
        },
        "context": {
            "userId": "ada", "sessionId": null, "remoteAddress": null, "environment": "production",
            "appName": "devmentor-gateway", "currentTime": null, "properties": {"plan": "pro"},
        },
        "flags": [
            {"name": "new-ui-enabled", "enabled": true, "reason": "targeting_match", "variant": null, "payload": null,
             "payload_fault": null, "default": false},
            {"name": "ai-safety-pii", "enabled": false, "reason": "no_match", "variant": null, "payload": null,
             "payload_fault": null, "default": true},
            {"name": "ai-provider-openai-enabled", "enabled": true, "reason": "unknown", "variant": "disabled",
             "payload": null, "payload_fault": null, "default": true},
            {"name": "limits", "enabled": false, "reason": "unknown", "variant": "disabled", "payload": {"a": "<i>"},
             "payload_fault": null, "default": false},
        ],
        "warnings": [{"flag": "ai-safety-pii", "kind": "rollout",
                      "message": "rollout 33.3 is not a whole number from 0 to 100 and counts as 0 %"}],
    });
    assert_eq!(shown("userId=ada&plan=pro"), expected);
}

#[test]
fn a_query_names_the_context() {
    let policy = policy(&example_with(&[]));
    let query = b"targetingKey=a%20b&sessionId=s+1&remoteAddress=10.0.0.1&currentTime=t&environment=dev&appName=&plan=&x=1&format=json&y&=z";
    let context = context(query, &policy.settings);
    assert_eq!(context.user_id.as_deref(), Some("a b"));
    assert_eq!(context.session_id.as_deref(), Some("s 1"));
    assert_eq!(context.remote_address.as_deref(), Some("10.0.0.1"));
    assert_eq!(context.current_time.as_deref(), Some("t"));
    assert_eq!(context.environment.as_deref(), Some("dev"));
    assert_eq!(context.app_name.as_deref(), Some("devmentor-gateway"), "empty counts as none");
    let mut properties: Vec<(&str, &str)> =
        context.properties.iter().map(|(name, value)| (&**name, &**value)).collect();
    properties.sort_unstable();
    assert_eq!(properties, [("", "z"), ("x", "1")]);
}

#[test]
fn browsers_get_a_page_and_everything_else_json() {
    let cases = [
        ("", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"),
        ("", "*/*", "application/json"),
        ("", "", "application/json"),
        ("", "application/json", "application/json"),
        ("format=html", "", "text/html; charset=utf-8"),
        ("userId=a&format=json", "text/html", "application/json"),
    ];
    for (query, accept, expected) in cases {
        let reply = page(query, accept);
        assert_eq!((reply.status, reply.content_type), (200, expected), "{query} {accept}");
        let names: Vec<&str> = reply.headers.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["cache-control", "content-security-policy", "x-content-type-options"]);
    }
}

#[test]
fn nothing_that_is_shown_is_read_as_html() {
    let html = page("userId=%3Cscript%3Ealert(1)%3C/script%3E%22'%26&%3Cb%3E=%3Cu%3E", "text/html").body;
    for raw in ["<script", "<b>", "<u>", "<i>", "<no>", "\"'&"] {
        assert!(!html.contains(raw), "{raw}: {html}");
    }
    for escaped in ["&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;", "&lt;i&gt;", "503: &lt;no&gt; connection"]
    {
        assert!(html.contains(escaped), "{escaped}: {html}");
    }
}

#[test]
fn no_definition_no_other_user_and_no_flag_that_is_not_exposed_is_shown() {
    for accept in ["", "text/html"] {
        let body = page("userId=ada", accept).body;
        for hidden in ["the-other-user", "secret-group", "not-exposed", "strategies", "constraints", "TOKEN", "token"] {
            assert!(!body.contains(hidden), "{hidden}: {body}");
        }
    }
}

#[test]
fn a_proxy_without_unleash_shows_what_it_has() {
    let policy = policy(&json!({"flags": [{"name": "a", "default": true}], "mode": "report"}));
    let served = Served::new(&policy.flags, Origin::Default, None);
    let state = State { sync: &Sync::default(), now: NOW, fingerprint: "f", leads: false };
    let reply = answer(b"", b"", &policy.settings, &served, state);
    let shown: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(
        (&shown["unleash"], &shown["mode"], &shown["source"]),
        (&Value::Null, &json!("report"), &json!("default"))
    );
    assert_eq!(shown["flags"][0]["reason"], "no_state");
    let page = answer(b"", b"text/html", &policy.settings, &served, state).body;
    assert!(page.contains("<h1>Flags</h1>") && page.contains("no_state"));
}
