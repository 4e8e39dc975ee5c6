//! OpenFeature's remote evaluation protocol: what is asked, what is answered, and what is never told.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod common;

use common::{constrained, document, exposing, feature, rollout, served, user, with, with_variants};
use flag_core::Policy;
use flag_core::config::Ofrep;
use flag_core::ofrep::{Call, Counted, Reply, answer, call, too_long};
use flag_core::serve::{Origin, Served};
use serde_json::{Value, json};

fn settings(prefix: &str) -> Ofrep {
    let config = common::example_with(&[("/ofrep/pathPrefix", json!(prefix))]);
    common::policy(&config).settings.ofrep.unwrap()
}

fn for_ada(name: &str) -> Value {
    constrained(name, &json!([{"contextName": "userId", "operator": "IN", "values": ["ada"]}]))
}

fn with_payload(name: &str, value: &str) -> Value {
    let payload = json!({"type": "string", "value": value});
    with_variants(name, &json!([{"name": "blue", "weight": 1, "payload": payload}]))
}

fn flags_of_unleash() -> Value {
    let mut child = feature("child", &json!([]));
    child["dependencies"] = json!([{"feature": "parent"}]);
    document(&json!([
        feature("static", &json!([])),
        feature("full", &json!([rollout("100", "default", "g")])),
        feature("split", &json!([rollout("99", "userId", "g")])),
        for_ada("targeted"),
        {"name": "off", "enabled": false, "strategies": []},
        constrained("odd", &json!([{"contextName": "x", "operator": "SOUNDS_LIKE", "values": []}])),
        with_variants("color", &json!([{"name": "blue", "weight": 1}])),
        child,
        feature("parent", &json!([])),
        feature("secret", &json!([])),
        with_payload("thirty", "30"),
        with_payload("thirty-and-none", "30.0"),
        with_payload("text", "a, b"),
        with_payload("object", "{\"a\": [1, null]}"),
        with_payload("list", "[1]"),
        with_payload("nothing", "null"),
        with_payload("truth", "true"),
    ]))
}

fn exposed() -> Value {
    let payload = |name: &str, kind: &str| json!({"name": name, "payload": {"type": kind}});
    json!([
        {"name": "static"}, {"name": "full"}, {"name": "split"}, {"name": "targeted"}, {"name": "off", "default": true},
        {"name": "odd", "default": true}, {"name": "archived", "default": true}, {"name": "color", "variant": true},
        {"name": "child"}, payload("thirty", "number"), payload("thirty-and-none", "number"), payload("text", "string"),
        payload("object", "json"), payload("list", "json"), payload("nothing", "json"), payload("truth", "json"),
        {"name": "static-with-default", "payload": {"type": "number", "default": 7}}, payload("text-as-number", "number"),
    ])
}

struct Server {
    policy: Policy,
    served: Served,
}

fn server(origin: Origin) -> Server {
    let also = [("/context", json!({"environment": "production"}))];
    let policy = exposing(&exposed(), &also);
    let served = match origin {
        Origin::Default => Served::new(&policy.flags, origin, None),
        _ => served(&policy, origin, &flags_of_unleash()),
    };
    Server { policy, served }
}

impl Server {
    fn one(&self, key: &str, body: &str) -> (u16, Value) {
        let (reply, _) = self.reply(&Call::One(key.to_owned()), body, "");
        assert_eq!(reply.content_type, "application/json");
        (reply.status, serde_json::from_str(&reply.body).unwrap())
    }

    fn reply(&self, call: &Call, body: &str, if_none_match: &str) -> (Reply, Option<Counted>) {
        answer(call, body.as_bytes(), if_none_match.as_bytes(), &self.policy.settings, &self.served)
    }

    fn all(&self, body: &str, if_none_match: &str) -> (u16, String, Option<Value>) {
        let (reply, counted) = self.reply(&Call::All, body, if_none_match);
        assert!(counted.is_none(), "what fills a cache is no use of a flag");
        let etag = reply.headers.iter().find(|(name, _)| *name == "etag").map(|(_, tag)| tag.clone());
        (reply.status, etag.unwrap_or_default(), serde_json::from_str(&reply.body).ok())
    }
}

const ADA: &str = r#"{"context": {"targetingKey": "ada"}}"#;

#[test]
fn paths_and_methods_say_what_is_asked() {
    let one = |key: &str| Some(Call::One(key.to_owned()));
    let cases = [
        ("POST", "/ofrep/v1/evaluate/flags", Some(Call::All)),
        ("POST", "/ofrep/v1/evaluate/flags/", Some(Call::All)),
        ("POST", "/ofrep/v1/evaluate/flags/new-ui", one("new-ui")),
        ("POST", "/ofrep/v1/evaluate/flags/a%2Fb", one("a/b")),
        ("POST", "/ofrep/v1/evaluate/flags/a/b", one("a/b")),
        ("POST", "/ofrep/v1/evaluate/flags/Jos%C3%A9%20x", one("José x")),
        ("POST", "/ofrep/v1/evaluate/flags/a+b", one("a+b")),
        ("POST", "/ofrep/v1/evaluate/flags/%", one("%")),
        ("POST", "/ofrep/v1/evaluate/flags/%ff", Some(Call::Nothing(404))),
        ("GET", "/ofrep/v1/evaluate/flags/%ff", Some(Call::Nothing(404))),
        ("GET", "/ofrep/v1/evaluate/flags", Some(Call::Nothing(405))),
        ("PUT", "/ofrep/v1/evaluate/flags/a", Some(Call::Nothing(405))),
        ("post", "/ofrep/v1/evaluate/flags/a", Some(Call::Nothing(405))),
        ("GET", "/ofrep/v1/configuration", Some(Call::Nothing(404))),
        ("POST", "/ofrep/v1/evaluate/flagsx", Some(Call::Nothing(404))),
        ("POST", "/ofrep/v1/", Some(Call::Nothing(404))),
        ("POST", "/ofrep/v1", Some(Call::Nothing(404))),
        ("POST", "/ofrep/v12/evaluate/flags", None),
        ("POST", "/ofrep", None),
        ("POST", "/api", None),
        ("POST", "", None),
    ];
    for (method, path, expected) in cases {
        assert_eq!(call(&settings("/ofrep/v1"), method.as_bytes(), path.as_bytes()), expected, "{method} {path}");
    }
    for prefix in ["/", "/flags/"] {
        let path = format!("{}/evaluate/flags/a", prefix.trim_end_matches('/'));
        assert_eq!(call(&settings(prefix), b"POST", path.as_bytes()), one("a"), "{prefix}");
    }
}

#[test]
fn errors_have_the_protocols_codes_and_always_details() {
    let server = server(Origin::Live);
    let one = Call::One("static".to_owned());
    let cases = [
        (&one, "", 400, "PARSE_ERROR"),
        (&one, "{", 400, "PARSE_ERROR"),
        (&one, "[]", 400, "INVALID_CONTEXT"),
        (&one, "7", 400, "INVALID_CONTEXT"),
        (&one, r#"{"context": "ada"}"#, 400, "INVALID_CONTEXT"),
        (&one, r#"{"context": ["ada"]}"#, 400, "INVALID_CONTEXT"),
        (&Call::All, "{", 400, "PARSE_ERROR"),
        (&Call::All, r#"{"context": 7}"#, 400, "INVALID_CONTEXT"),
        (&Call::One("unheard-of".to_owned()), "{}", 404, "FLAG_NOT_FOUND"),
        (&Call::One("secret".to_owned()), ADA, 404, "FLAG_NOT_FOUND"),
        (&Call::One(String::new()), ADA, 404, "FLAG_NOT_FOUND"),
        (&Call::Nothing(404), ADA, 404, "GENERAL"),
        (&Call::Nothing(405), ADA, 405, "GENERAL"),
    ];
    for (call, body, status, code) in cases {
        let (reply, counted) = server.reply(call, body, "");
        let told: Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!((reply.status, told["errorCode"].as_str()), (status, Some(code)), "{call:?} {body}");
        assert!(told["errorDetails"].as_str().is_some_and(|details| !details.is_empty()));
        let key = if let Call::One(key) = call { json!(key) } else { Value::Null };
        assert_eq!(told["key"], key, "clients look for the flag's key");
        assert_eq!(reply.headers, if status == 405 { vec![("allow", "POST".to_owned())] } else { vec![] });
        assert!(counted.is_none());
    }
    let reply = too_long(65_536);
    assert_eq!(reply.status, 413);
    assert!(reply.body.contains("INVALID_CONTEXT") && reply.body.contains("65536"));
}

#[test]
fn a_context_is_optional_and_names_the_user_by_user_id_or_targeting_key() {
    let server = server(Origin::Live);
    let cases = [
        (r#"{"context": {"targetingKey": "ada"}}"#, true),
        (r#"{"context": {"userId": "ada"}}"#, true),
        (r#"{"context": {"targetingKey": "bob", "userId": "ada"}}"#, true),
        (r#"{"context": {"targetingKey": "ada", "userId": "bob"}}"#, false),
        (r#"{"context": {"targetingKey": "ada", "userId": ""}}"#, true),
        (r#"{"context": {"targetingKey": "ada", "userId": null}}"#, true),
        (r#"{"context": {"targetingKey": "ada", "userId": {}}}"#, true),
        (r#"{"context": {"properties": {"userId": "ada"}}}"#, true),
        (r#"{"context": {"properties": {"userId": "bob"}, "userId": "ada"}}"#, true),
        (r#"{"context": {"TargetingKey": "ada"}}"#, false),
        (r#"{"context": {}}"#, false),
        (r#"{"context": null}"#, false),
        ("{}", false),
        (r#"{"targetingKey": "ada"}"#, false),
    ];
    for (body, expected) in cases {
        assert_eq!(server.one("targeted", body).1["value"], expected, "{body}");
    }
}

#[test]
fn unleashs_own_fields_are_its_own_and_all_else_are_properties() {
    let fields = ["userId", "sessionId", "remoteAddress", "environment", "appName", "currentTime", "plan", "default"];
    for field in fields {
        let operator = if field == "currentTime" { "DATE_AFTER" } else { "IN" };
        let given = if field == "currentTime" { "2030-01-01T00:00:00Z" } else { "a" };
        let flag = constrained(
            "a",
            &json!([{"contextName": field, "operator": operator,
                                             "values": ["a"], "value": "2029-01-01T00:00:00Z"}]),
        );
        let policy = exposing(&json!([{"name": "a"}]), &[("/context", json!({"environment": "production"}))]);
        let served = served(&policy, Origin::Live, &document(&json!([flag])));
        let server = Server { policy, served };
        let value = |context: Value| server.one("a", &json!({"context": context}).to_string()).1["value"].clone();
        assert_eq!(value(json!({field: given})), true, "{field}");
        assert_eq!(value(json!({"properties": {field: given}})), true, "{field} nested");
        assert_eq!(value(json!({})), false, "{field}");
    }
}

#[test]
fn scalars_count_as_their_text_and_nothing_else_does() {
    let cases = [
        (json!("30"), "30"),
        (json!(30), "30"),
        (json!(1.5), "1.5"),
        (json!(true), "true"),
        (json!(null), ""),
        (json!([30]), ""),
        (json!({"a": 30}), ""),
        (json!(""), ""),
    ];
    for (given, text) in cases {
        for wanted in ["30", "1.5", "true"] {
            let constraint = json!([{"contextName": "plan", "operator": "IN", "values": [wanted]}]);
            let policy = exposing(&json!([{"name": "a"}]), &[]);
            let served = served(&policy, Origin::Live, &document(&json!([constrained("a", &constraint)])));
            let server = Server { policy, served };
            let (_, told) = server.one("a", &json!({"context": {"plan": given}}).to_string());
            assert_eq!(told["value"], wanted == text, "{given} {wanted}");
        }
    }
}

#[test]
fn values_reasons_and_variants_are_what_openfeature_has_words_for() {
    let cases = [
        ("static", json!(true), "STATIC", "on", "static"),
        ("full", json!(true), "STATIC", "on", "static"),
        ("split", json!(true), "SPLIT", "on", "split"),
        ("targeted", json!(true), "TARGETING_MATCH", "on", "targeting_match"),
        ("off", json!(false), "DISABLED", "off", "disabled"),
        ("odd", json!(true), "DEFAULT", "on", "unusable"),
        ("archived", json!(true), "DEFAULT", "on", "unknown"),
        ("color", json!(true), "SPLIT", "blue", "split"),
        ("child", json!(true), "TARGETING_MATCH", "on", "targeting_match"),
    ];
    for (flag, value, reason, variant, detail) in cases {
        for (origin, source, reason) in [
            (Origin::Live, "live", reason),
            (Origin::Bootstrap, "bootstrap", reason),
            (Origin::Stale, "stale", if reason == "DEFAULT" { "DEFAULT" } else { "STALE" }),
        ] {
            let (status, told) = server(origin).one(flag, ADA);
            let expected = json!({
                "key": flag, "value": value, "reason": reason, "variant": variant,
                "metadata": {"source": source, "enabled": value, "detail": detail},
            });
            assert_eq!((status, told), (200, expected), "{flag}");
        }
    }
    let (_, told) = server(Origin::Live).one("targeted", r#"{"context": {"targetingKey": "bob"}}"#);
    assert_eq!((&told["value"], &told["reason"], &told["variant"]), (&json!(false), &json!("DEFAULT"), &json!("off")));
    for flag in ["off", "archived", "color"] {
        let (_, told) = server(Origin::Default).one(flag, ADA);
        assert_eq!((&told["reason"], &told["metadata"]["detail"]), (&json!("DEFAULT"), &json!("no_state")));
    }
}

#[test]
fn payloads_are_values_of_their_type_and_left_out_where_the_protocol_has_no_word_for_them() {
    let cases = [
        ("thirty", Some("30")),
        ("thirty-and-none", Some("30.0")),
        ("text", Some(r#""a, b""#)),
        ("object", Some(r#"{"a":[1,null]}"#)),
        ("truth", Some("true")),
        ("static-with-default", Some("7")),
        // the client's own default holds
        ("list", None),
        ("nothing", None),
        ("text-as-number", None),
    ];
    let server = server(Origin::Live);
    for (flag, expected) in cases {
        let (status, told) = server.one(flag, ADA);
        assert_eq!((status, told.get("value").map(ToString::to_string).as_deref()), (200, expected), "{flag}");
        assert!(told["variant"].is_string());
        let (reply, _) = server.reply(&Call::One(flag.to_owned()), ADA, "");
        assert!(
            expected.is_none_or(|value| reply.body.contains(&format!("\"value\":{value},"))
                || reply.body.contains(&format!("\"value\":{value}}}"))),
            "{}",
            reply.body
        );
    }
}

#[test]
fn the_bulk_answer_has_every_exposed_flag_as_it_is_alone_and_no_other() {
    for origin in [Origin::Live, Origin::Stale, Origin::Bootstrap, Origin::Default] {
        let server = server(origin);
        let (status, etag, body) = server.all(ADA, "");
        let body = body.unwrap();
        let alone: Vec<Value> = server.served.exposed.iter().map(|exposed| server.one(&exposed.name, ADA).1).collect();
        assert_eq!((status, &body["flags"]), (200, &json!(alone)));
        assert_eq!(alone.len(), exposed().as_array().unwrap().len());
        assert_eq!(body["metadata"], json!({"source": origin.as_str()}));
        assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 10);
        for hidden in ["secret", "parent"] {
            assert!(!body.to_string().contains(hidden), "{hidden}");
        }
    }
}

#[test]
fn every_answer_suits_the_strictest_client() {
    for origin in [Origin::Live, Origin::Default] {
        for flag in server(origin).all("{}", "").2.unwrap()["flags"].as_array().unwrap() {
            assert!(flag["key"].is_string() && flag["variant"].is_string(), "{flag}");
            let words =
                ["STATIC", "DEFAULT", "TARGETING_MATCH", "SPLIT", "CACHED", "DISABLED", "UNKNOWN", "STALE", "ERROR"];
            assert!(words.contains(&flag["reason"].as_str().unwrap()), "{flag}");
            let flat = |value: &Value| value.is_boolean() || value.is_string() || value.is_number();
            assert!(flag["metadata"].as_object().unwrap().values().all(flat), "{flag}");
            assert!(flag.get("value").is_none_or(|value| flat(value) || value.is_object()), "{flag}");
        }
    }
}

#[test]
fn the_etag_changes_when_a_value_does_and_only_then() {
    let live = server(Origin::Live);
    let (_, etag, _) = live.all(ADA, "");
    let (_, same, _) = live.all(r#"{"context": {"targetingKey": "ada", "plan": "pro"}}"#, "");
    assert_eq!(same, etag, "a context that makes no difference");
    let (_, again, _) = server(Origin::Live).all(ADA, "");
    assert_eq!(again, etag, "the same in another proxy");
    let (_, other, _) = live.all(r#"{"context": {"targetingKey": "bob"}}"#, "");
    let (_, stale, _) = server(Origin::Stale).all(ADA, "");
    let policy = exposing(&exposed(), &[]);
    let flipped = with(flags_of_unleash(), &[("/features/0/enabled", json!(false))]);
    let flipped = Server { served: served(&policy, Origin::Live, &flipped), policy };
    let (_, flipped, _) = flipped.all(ADA, "");
    for changed in [&other, &stale, &flipped] {
        assert_ne!(*changed, etag);
    }
    let weak = format!("W/{etag}");
    let among = format!("\"a\", {etag}");
    for (given, status) in [
        (etag.as_str(), 304),
        (&weak, 304),
        (&among, 304),
        ("*", 304),
        ("", 200),
        ("\"other\"", 200),
        (etag.trim_matches('"'), 200),
        (&other, 200),
    ] {
        let (found, tag, body) = live.all(ADA, given);
        assert_eq!((found, body.is_none(), &tag), (status, status == 304, &etag), "{given}");
    }
}

#[test]
fn a_flag_that_is_asked_for_by_name_is_counted_as_used() {
    let server = server(Origin::Live);
    let (_, counted) = server.reply(&Call::One("color".to_owned()), ADA, "");
    let (index, outcome) = counted.unwrap();
    assert_eq!(server.served.exposed[index].name, "color");
    assert_eq!((outcome.enabled, outcome.variant.as_deref()), (true, Some("blue")));
}

/// Headers and OFREP never disagree for the same user.
#[test]
fn values_are_those_of_the_headers() {
    let server = server(Origin::Live);
    for id in ["ada", "bob", "José"] {
        for exposed in server.served.exposed.iter().filter(|exposed| exposed.flag.payload.is_none()) {
            let by_header = server.served.outcome(exposed, &user(id)).enabled;
            let body = json!({"context": {"targetingKey": id}}).to_string();
            assert_eq!(server.one(&exposed.name, &body).1["value"], by_header, "{id} {}", exposed.name);
        }
    }
}
