//! flag-headers in a real Envoy: what services see of flags.

use e2e::flags::{FakeUnleash, HOST, Mesh, Setup, bootstrapped, config, each, features, home};
use e2e::with;
use harness::{H2Client, Headers, Listener, Request};
use serde_json::{Value, json};

/// The headers of flags among some, sorted.
fn flags(headers: &Headers) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut flags: Vec<_> = headers
        .iter()
        .filter(|(name, _)| name.starts_with(b"x-flag") || *name == b"x-feature-flags")
        .map(|(name, value)| (text(name), text(value)))
        .collect();
    flags.sort();
    flags
}

/// The headers of some flags, as a test writes them.
fn written(flags: &[(&str, &str)]) -> Vec<(String, String)> {
    flags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A flag that is on for everybody, its one variant with this payload.
fn typed(name: &str, kind: &str, payload: &str) -> Value {
    json!({"name": name, "enabled": true, "strategies": [{"name": "default"}],
           "variants": [{"name": format!("{name}-variant"), "weight": 1, "payload": {"type": kind, "value": payload}}]})
}

/// A flag that is on where a field of the context has one of these values.
fn targeted(name: &str, field: &str, values: &[&str]) -> Value {
    json!({"name": name, "enabled": true, "strategies": [{"name": "default", "constraints": [
        {"contextName": field, "operator": "IN", "values": values}]}]})
}

/// What a mesh exposes of bootstrap alone.
fn exposing(flags: Value, features: &[Value]) -> Value {
    with(bootstrapped(json!({"version": 2, "features": features})), "/flags", flags)
}

#[tokio::test(flavor = "multi_thread")]
async fn services_get_flags_as_headers() {
    let unleash = FakeUnleash::start(&features(&["ada"]));
    each(Setup::new(config(), Some(unleash.upstream.addr())), async |mesh: Mesh| {
        mesh.serves("live").await;
        let ada = mesh.seen(home("ada")).await;
        let expected = [
            ("x-flag-new-ui-enabled", Some("true")),
            ("x-flag-ai-safety-pii", Some("false")),
            ("x-flag-ai-provider-openai-enabled", Some("true")),
            ("x-flagvariant-ai-provider-openai-enabled", Some("gpt-large")),
            ("x-flagpayload-ai-provider-openai-enabled", None),
            ("x-flag-ai-timeout-seconds", Some("true")),
            ("x-flagpayload-ai-timeout-seconds", Some("45")),
            ("x-flags-source", Some("live")),
            ("x-flag-secret-flag", None),
        ];
        for (name, value) in expected {
            assert_eq!(ada.text(name).as_deref(), value, "{name}");
        }
        assert_eq!(mesh.flag("bob", "x-flag-new-ui-enabled").await.as_deref(), Some("false"));
        let token = mesh.issuer.token(json!({"sub": "ada"}));
        let forged = Request::get("/").host("devmentor.local").bearer(&token).header("x-user-id", "bob");
        assert_eq!(
            mesh.seen(forged).await.text("x-flag-new-ui-enabled").as_deref(),
            Some("true"),
            "the token counts first"
        );
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ofrep_and_the_debug_page_tell_the_same() {
    let unleash = FakeUnleash::start(&features(&["ada"]));
    each(Setup::new(config(), Some(unleash.upstream.addr())), async |mesh: Mesh| {
        mesh.serves("live").await;
        mesh.app.take_requests();
        let answer = mesh.ofrep("new-ui-enabled", json!({"targetingKey": "ada"})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json().unwrap()["value"], true);
        let debug = mesh.debug("?userId=ada").await;
        assert_eq!(debug["flags"][0]["enabled"], true);
        assert!(mesh.app.take_requests().is_empty(), "an application saw it");
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mode_sets_what_it_should() {
    let config = |mode: &str| {
        let config = with(bootstrapped(features(&["ada"])), "/mode", json!(mode));
        with(config, "/headers", json!({"all": "x-feature-flags"}))
    };
    each(Setup::new(config("enforce"), None), async |mesh: Mesh| {
        let enforced = written(&[
            (
                "x-feature-flags",
                "new-ui-enabled=true,ai-safety-pii=false,\
                 ai-provider-openai-enabled=true;variant=gpt-large,ai-timeout-seconds=true",
            ),
            ("x-flag-ai-provider-openai-enabled", "true"),
            ("x-flag-ai-safety-pii", "false"),
            ("x-flag-ai-timeout-seconds", "true"),
            ("x-flag-new-ui-enabled", "true"),
            ("x-flagpayload-ai-timeout-seconds", "45"),
            ("x-flags-source", "bootstrap"),
            ("x-flagvariant-ai-provider-openai-enabled", "gpt-large"),
        ]);
        assert_eq!(flags(&mesh.seen(home("ada")).await), enforced);
        let client = H2Client::connect(mesh.envoy.addr("main")).await.unwrap();
        assert_eq!(client.send(&home("ada")).await.unwrap().status, 200);
        assert_eq!(flags(&mesh.app.take_one().headers), enforced, "by http/2");
        for mode in ["report", "off"] {
            mesh.configure(config(mode)).await;
            assert_eq!(flags(&mesh.seen(home("bob")).await), [], "{mode}");
        }
        mesh.configure(config("enforce")).await;
        assert_eq!(mesh.flag("bob", "x-flag-new-ui-enabled").await.as_deref(), Some("false"));

        // evaluated and counted: two requests of ada; of bob's three not the one with the mode off
        let counted = "runtime_control_flag_headers_evaluations_total";
        for (result, reason, times) in [("true", "targeting_match", 2), ("false", "no_match", 2)] {
            let labels = [("flag", "new-ui-enabled"), ("result", result), ("reason", reason)];
            let stats = mesh.envoy.wait_for_counter(counted, &labels, times).await.unwrap();
            assert_eq!(stats.counter(counted, &labels), times, "{result}");
        }
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reporting_tells_the_request_and_not_the_user() {
    let config = with(bootstrapped(features(&["ada-lovelace"])), "/mode", json!("report"));
    each(Setup::new(config, None), async |mesh: Mesh| {
        let token = mesh.issuer.token(json!({"sub": "ada-lovelace"}));
        let request = home("ada-byron").bearer(&token).header("cookie", "sid=session-7").header("x-plan", "premium");
        let id = mesh.seen(request).await.text("x-request-id").unwrap();
        let line = mesh.envoy.logs().wait(|line| line.contains("flags_evaluated")).await.unwrap();
        let event: Value = serde_json::from_str(&line[line.find('{').unwrap()..]).unwrap();
        let expected = json!({
            "event": "flags_evaluated", "filter": "flag_headers", "mode": "report", "source": "bootstrap",
            "request_id": id,
            "flags": {
                "new-ui-enabled": {"enabled": true, "reason": "targeting_match"},
                "ai-safety-pii": {"enabled": false, "reason": "disabled"},
                "ai-provider-openai-enabled": {"enabled": true, "reason": "split"},
                "ai-timeout-seconds": {"enabled": true, "reason": "split"},
            },
        });
        assert_eq!(event, expected);
        for line in mesh.envoy.logs().lines() {
            // Words that are no hexadecimal digits: a request id may well hold "ada".
            let told = ["lovelace", "byron", "session-7", "premium", token.as_str()]
                .into_iter()
                .find(|secret| line.contains(secret));
            assert_eq!(told, None, "{line}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_flag_has_a_header_or_all_have_one_or_both() {
    let one = ("x-feature-flags", "a=true,b=false;variant=disabled");
    let each_one = [("x-flag-a", "true"), ("x-flag-b", "false")];
    let (source, variant) = (("x-flags-source", "bootstrap"), ("x-flagvariant-b", "disabled"));
    let cases = [
        (json!({}), vec![each_one[0], each_one[1], source, variant]),
        (json!({"all": "x-feature-flags"}), vec![one, each_one[0], each_one[1], source, variant]),
        (json!({"all": "x-feature-flags", "each": false}), vec![one, source]),
        (json!({"all": "X-Feature-Flags", "each": false, "source": false}), vec![one]),
        (json!({"source": false}), vec![each_one[0], each_one[1], variant]),
        (json!({"each": false}), vec![source]),
    ];
    let config = exposing(
        json!([{"name": "a"}, {"name": "b", "variant": true}]),
        &[targeted("a", "userId", &["ada"]), targeted("b", "userId", &["bob"])],
    );
    each(Setup::new(config.clone(), None), async |mesh: Mesh| {
        for (headers, expected) in &cases {
            mesh.configure(with(config.clone(), "/headers", headers.clone())).await;
            assert_eq!(flags(&mesh.seen(home("ada")).await), written(expected), "{headers}");
        }
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_unleash_away_every_flag_has_its_typed_default() {
    let exposed = json!([
        {"name": "on", "default": true},
        {"name": "off"},
        {"name": "variant", "default": true, "variant": true},
        {"name": "text", "payload": {"default": "a b;c"}},
        {"name": "list", "payload": {"type": "csv", "default": "a,b"}},
        {"name": "number", "payload": {"type": "number", "default": 2.5}},
        {"name": "json", "default": true, "payload": {"type": "json", "default": {"ttl": [1, "é"]}}},
        {"name": "none", "payload": {"type": "number"}},
        {"name": "prefix-*"},
    ]);
    each(Setup::new(with(config(), "/flags", exposed), None), async |mesh: Mesh| {
        let expected = written(&[
            ("x-flag-json", "true"),
            ("x-flag-list", "false"),
            ("x-flag-none", "false"),
            ("x-flag-number", "false"),
            ("x-flag-off", "false"),
            ("x-flag-on", "true"),
            ("x-flag-text", "false"),
            ("x-flag-variant", "true"),
            ("x-flagpayload-json", r#"{"ttl":[1,"\u00e9"]}"#),
            ("x-flagpayload-list", "a%2Cb"),
            ("x-flagpayload-number", "2.5"),
            ("x-flagpayload-text", "a%20b%3Bc"),
            ("x-flags-source", "default"),
            ("x-flagvariant-variant", "disabled"),
        ]);
        assert_eq!(flags(&mesh.seen(home("ada")).await), expected);
        let answer = mesh.ofrep("number", json!({})).await.json().unwrap();
        assert_eq!((&answer["value"], &answer["reason"]), (&json!(2.5), &json!("DEFAULT")), "{answer}");
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_are_typed_bounded_and_encoded() {
    type Case<'c> = (&'c str, &'c str, Value, &'c str, Option<&'c str>, Option<&'c str>);
    let long = "x".repeat(1025);
    let cases: [Case; 13] = [
        ("text", "string", json!({}), "plain-1/x", Some("plain-1/x"), None),
        ("odd", "string", json!({}), " é,;\"%\\\n✓", Some("%20%C3%A9%2C%3B%22%25%5C%0A%E2%9C%93"), None),
        ("csv", "csv", json!({"type": "csv"}), "a,b, c", Some("a%2Cb%2C%20c"), None),
        ("number", "number", json!({"type": "number"}), "30", Some("30"), None),
        ("fraction", "number", json!({"type": "number"}), " -2.5 ", Some("-2.5"), None),
        ("object", "json", json!({"type": "json"}), "{ \"a\": \"é\" }", Some(r#"{"a":"\u00e9"}"#), None),
        ("no-number", "string", json!({"type": "number", "default": 30}), "soon", Some("30"), Some("type")),
        ("infinite", "number", json!({"type": "number", "default": 30}), "Infinity", Some("30"), Some("type")),
        ("no-json", "json", json!({"type": "json"}), "{\"a\":", None, Some("type")),
        ("fits", "string", json!({"default": "short"}), &long[1..], Some(&long[1..]), None),
        ("long", "string", json!({"default": "short"}), &long, Some("short"), Some("length")),
        ("longer", "string", json!({"maxBytes": 16_384}), &long, Some(&long), None),
        // what counts is what the header holds
        ("encoded", "string", json!({"maxBytes": 5, "default": ""}), "éé", Some(""), Some("length")),
    ];
    let exposed = cases.iter().map(|(name, _, payload, ..)| json!({"name": name, "payload": payload})).collect();
    let features: Vec<Value> = cases.iter().map(|(name, kind, _, text, ..)| typed(name, kind, text)).collect();
    each(Setup::new(exposing(exposed, &features), None), async |mesh: Mesh| {
        let seen = mesh.seen(home("ada")).await;
        let debug = mesh.debug("").await;
        for (name, _, _, _, header, fault) in &cases {
            assert_eq!(seen.text(&format!("x-flagpayload-{name}")).as_deref(), *header, "{name}");
            assert_eq!(seen.text(&format!("x-flag-{name}")).as_deref(), Some("true"), "{name}");
            let shown = debug["flags"].as_array().unwrap().iter().find(|flag| flag["name"] == *name).unwrap();
            assert_eq!(shown["payload_fault"].as_str(), *fault, "{name}");
            if let Some(fault) = fault {
                let counted = "runtime_control_flag_headers_payload_faults_total";
                mesh.envoy.wait_for_counter(counted, &[("flag", name), ("fault", fault)], 1).await.unwrap();
            }
        }
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_no_tokens_are_encoded() {
    let names = ["New UI/2", "José", "a,b=c;d", "50%", "UPPER.dots_and-dashes"];
    let exposed = names.iter().map(|name| json!({"name": name, "variant": true})).collect();
    let features: Vec<Value> = names.iter().map(|name| typed(name, "string", "")).collect();
    let config = with(exposing(exposed, &features), "/headers", json!({"all": "x-feature-flags"}));
    each(Setup::new(config, None), async |mesh: Mesh| {
        let seen = mesh.seen(home("ada")).await;
        let cases = [
            ("x-flag-new%20ui%2f2", "true"),
            ("x-flag-jos%c3%a9", "true"),
            ("x-flag-a%2cb%3dc%3bd", "true"),
            ("x-flag-50%25", "true"),
            ("x-flag-upper.dots_and-dashes", "true"),
            ("x-flagvariant-new%20ui%2f2", "New%20UI/2-variant"),
            ("x-flagvariant-jos%c3%a9", "Jos%C3%A9-variant"),
            ("x-flagvariant-a%2cb%3dc%3bd", "a%2Cb=c%3Bd-variant"),
            ("x-flagvariant-50%25", "50%25-variant"),
            (
                "x-feature-flags",
                "new%20ui%2f2=true;variant=New%20UI/2-variant,jos%c3%a9=true;variant=Jos%C3%A9-variant,\
                 a%2cb%3dc%3bd=true;variant=a%2Cb=c%3Bd-variant,50%25=true;variant=50%25-variant,\
                 upper.dots_and-dashes=true;variant=UPPER.dots_and-dashes-variant",
            ),
        ];
        for (name, value) in cases {
            assert_eq!(seen.text(name).as_deref(), Some(value), "{name}");
        }
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_exposes_the_flags_that_begin_so() {
    let config = exposing(
        json!([{"name": "ai-two", "default": true, "variant": true}, {"name": "ai-*"}]),
        &[
            typed("ai-one", "string", ""),
            typed("ai-two", "string", ""),
            targeted("ai-three", "userId", &["bob"]),
            typed("secret", "string", ""),
            typed("xai-four", "string", ""),
        ],
    );
    each(Setup::new(config, None), async |mesh: Mesh| {
        let expected = written(&[
            ("x-flag-ai-one", "true"),
            ("x-flag-ai-three", "false"),
            ("x-flag-ai-two", "true"),
            ("x-flags-source", "bootstrap"),
            ("x-flagvariant-ai-two", "ai-two-variant"),
        ]);
        assert_eq!(flags(&mesh.seen(home("ada")).await), expected);
        let answer = mesh.ofrep("", json!({"targetingKey": "bob"})).await.json().unwrap();
        let told: Vec<&str> =
            answer["flags"].as_array().unwrap().iter().filter_map(|flag| flag["key"].as_str()).collect();
        assert_eq!(told, ["ai-two", "ai-one", "ai-three"], "the named one, and the others by name");
        assert_eq!(mesh.ofrep("secret", json!({})).await.status, 404);
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_requests_that_match_get_flags() {
    let config = with(bootstrapped(features(&["ada"])), "/hosts", json!([HOST, "*.example.org"]));
    let ways =
        json!([{"uri": {"prefix": "/api"}, "method": {"exact": "GET"}}, {"headers": {"x-beta": {"exact": "1"}}}]);
    each(Setup::new(with(config, "/match", ways), None), async |mesh: Mesh| {
        let get = |host: &str, path: &str| Request::get(path).host(host).header("x-user-id", "ada");
        let cases = [
            (get(HOST, "/api/projects"), true),
            (get("DevMentor.Local:8080", "/api"), true),
            (get("eu.example.org", "/api/ai?x=1"), true),
            (get("example.org", "/api"), false),
            (get("other.local", "/api"), false),
            (get(HOST, "/"), false),
            (get(HOST, "/").header("x-beta", "1"), true),
            (get("other.local", "/").header("x-beta", "1"), false),
            (Request::post("/api", "{}").host(HOST), false),
        ];
        for (request, expected) in cases {
            let request = request.header("x-flag-new-ui-enabled", "forged").header("x-flags-source", "forged");
            let seen = flags(&mesh.seen(request.clone()).await);
            assert_eq!(!seen.is_empty(), expected, "{request:?}");
            assert!(!seen.iter().any(|(_, value)| value == "forged"), "{request:?}: {seen:?}");
        }
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn session_address_and_properties_are_looked_at() {
    let exposed = json!([{"name": "session"}, {"name": "address"}, {"name": "plan"}, {"name": "environment"}]);
    let by_address = json!({"name": "address", "enabled": true, "strategies": [
        {"name": "remoteAddress", "parameters": {"IPs": "10.1.0.0/16,2001:db8::1"}}]});
    let config = exposing(
        exposed,
        &[
            targeted("session", "sessionId", &["s-1"]),
            by_address,
            targeted("plan", "plan", &["pro"]),
            targeted("environment", "environment", &["development"]),
        ],
    );
    let trusting = |listener: Listener| listener.hcm(json!({"use_remote_address": true, "xff_num_trusted_hops": 1}));
    each(Setup { listener: trusting, ..Setup::new(config, None) }, async |mesh: Mesh| {
        let get = || Request::get("/").host(HOST);
        let cases = [
            (get(), ""),
            (get().header("cookie", "a=b; sid=s-1"), "session"),
            (get().header("cookie", "sid=s-2; sid=s-1"), ""),
            (get().header("sid", "s-1"), ""),
            (get().header("x-forwarded-for", "10.1.2.3"), "address"),
            (get().header("x-forwarded-for", "10.2.2.3"), ""),
            (get().header("x-forwarded-for", "10.1.2.3, 10.2.2.3"), ""),
            (get().header("x-forwarded-for", "2001:db8::1"), "address"),
            (get().header("x-forwarded-for", "nonsense"), ""),
            (get().header("x-plan", "pro"), "plan"),
            (get().header("x-plan", "PRO"), ""),
            (get().header("x-plan", ""), ""),
            (get().header("plan", "pro"), ""),
        ];
        for (request, on) in cases {
            let seen = mesh.seen(request.clone()).await;
            for flag in ["session", "address", "plan"] {
                let expected = (flag == on).to_string();
                assert_eq!(seen.text(&format!("x-flag-{flag}")), Some(expected), "{flag} of {request:?}");
            }
            assert_eq!(seen.text("x-flag-environment").as_deref(), Some("true"));
        }
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_that_unleash_does_not_know_has_its_default_and_says_so() {
    let unleash = FakeUnleash::start(&json!({"version": 2, "features": [typed("known", "string", "")]}));
    let exposed = json!([
        {"name": "known"},
        {"name": "archived", "default": true, "variant": true},
        {"name": "mistyped"},
        {"name": "unknown-number", "default": true, "payload": {"type": "number", "default": 7}},
    ]);
    let config = with(config(), "/flags", exposed);
    each(Setup::new(config, Some(unleash.upstream.addr())), async |mesh: Mesh| {
        mesh.serves("live").await;
        let expected = written(&[
            ("x-flag-archived", "true"),
            ("x-flag-known", "true"),
            ("x-flag-mistyped", "false"),
            ("x-flag-unknown-number", "true"),
            ("x-flagpayload-unknown-number", "7"),
            ("x-flags-source", "live"),
            ("x-flagvariant-archived", "disabled"),
        ]);
        assert_eq!(flags(&mesh.seen(home("ada")).await), expected);
        let debug = mesh.debug("").await;
        let reasons: Vec<&str> =
            debug["flags"].as_array().unwrap().iter().filter_map(|flag| flag["reason"].as_str()).collect();
        assert_eq!(reasons, ["static", "unknown", "unknown", "unknown"], "{debug}");
        for (flag, reason, detail, value) in [
            ("known", "STATIC", "static", json!(true)),
            ("archived", "DEFAULT", "unknown", json!(true)),
            ("mistyped", "DEFAULT", "unknown", json!(false)),
            ("unknown-number", "DEFAULT", "unknown", json!(7)),
        ] {
            let answer = mesh.ofrep(flag, json!({})).await.json().unwrap();
            assert_eq!(
                (&answer["reason"], &answer["metadata"]["detail"], &answer["value"]),
                (&json!(reason), &json!(detail), &value),
                "{answer}"
            );
        }
        let counted = "runtime_control_flag_headers_evaluations_total";
        let labels = [("flag", "archived"), ("result", "true"), ("reason", "unknown")];
        mesh.envoy.wait_for_counter(counted, &labels, 1).await.unwrap();
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_go_to_filter_state_where_no_client_writes() {
    let logged =
        |listener: Listener| listener.access_log_stdout("state %FILTER_STATE(wasm.runtime_control.flags:PLAIN)%");
    let config = |mode: &str, state: bool| {
        let config = with(bootstrapped(features(&["ada"])), "/filterState", json!(state));
        with(with(config, "/mode", json!(mode)), "/headers", json!({"each": false, "source": false}))
    };
    let line = "state new-ui-enabled=true,ai-safety-pii=false,\
                ai-provider-openai-enabled=true;variant=gpt-large,ai-timeout-seconds=true";
    let cases =
        [("enforce", true, line), ("enforce", false, "state -"), ("report", true, "state -"), ("off", true, "state -")];
    each(Setup { listener: logged, ..Setup::new(config("enforce", true), None) }, async |mesh: Mesh| {
        for (mode, state, expected) in cases {
            mesh.configure(config(mode, state)).await;
            let mark = mesh.envoy.logs().mark();
            let forged = home("ada").header("x-flag-new-ui-enabled", "false").header("runtime_control.flags", "a=true");
            assert_eq!(mesh.ask(forged).await.status, 200);
            let found = mesh.envoy.logs().wait_after(mark, |line| line.starts_with("state ")).await.unwrap();
            assert_eq!(found, expected, "{mode} {state}");
        }
    })
    .await;
}
