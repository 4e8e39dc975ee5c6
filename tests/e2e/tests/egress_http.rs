//! Outbound HTTP: which calls pass, what a denied one is told, and what the audit tells of each.

use e2e::egress::{MEMORY, Setup, Sidecar, chains_hold, config, each_at_once, each_binary, plugin};
use e2e::with;
use harness::{Listener, RawClient, Request, Response};
use serde_json::{Value, json};

const DECISIONS: &str = "runtime_control_egress_audit_decisions_total";

fn chat() -> Request {
    Request::post("/v1/chat/completions", "hello").host("api.openai.com")
}

fn to(host: &str) -> Request {
    Request::get("/").host(host)
}

/// The words of an event that a decision is known by.
fn verdict(event: &Value) -> (&str, &str, Option<bool>, &str) {
    let text = |name: &str| event[name].as_str().unwrap_or_default();
    (text("decision"), text("reason_code"), event["would_deny"].as_bool(), text("rule_id"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allowed_call_passes_and_is_told_without_its_secrets() {
    each_at_once(Setup::new(config("enforce")), async |sidecar| {
        let call = Request::post("/v1/chat/completions?key=secret-1&token=secret-2", "secret-3").host("API.OpenAI.com");
        let answer = sidecar.ask(&call.header("authorization", "Bearer secret-4").header("cookie", "secret-5")).await;
        assert_eq!((answer.status, answer.served_by().as_str()), (200, "outside"));
        let told = sidecar.event(|event| event["http.request.method"] == "POST").await;
        assert_eq!(verdict(&told), ("allow", "rule_allow", Some(false), "openai"));
        let expected = [
            ("server.address", json!("api.openai.com")),
            ("server.port", json!(80)),
            ("http.request.header.host", json!("API.OpenAI.com")),
            ("url.path", json!("/v1/chat/completions")),
            ("http.response.status_code", json!(200)),
            ("sent.bytes", json!(8)),
            ("received.bytes", json!(7)),
            ("count", json!(1)),
            ("mode", json!("enforce")),
            ("policy", json!("ai-gateway")),
            ("k8s.namespace.name", json!("devmentor-app")),
            ("k8s.workload.name", json!("ai-gateway")),
            ("k8s.service_account.name", json!("ai-gateway")),
            ("k8s.pod.name", json!("ai-gateway-7d9f")),
            ("first_seen", json!(true)),
        ];
        for (name, value) in expected {
            assert_eq!(told[name], value, "{name} in {told:#}");
        }
        assert!(told["request_id"].is_string() && told["duration_ms"].is_number(), "{told:#}");
        let all = sidecar.envoy.logs().lines().join("\n");
        assert!(!all.contains("secret"), "{all}");
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_call_never_leaves_and_is_told_why_and_how_to_ask() {
    let settings = with(config("enforce"), "/denial", json!({"status": 451, "help": "ask in #egress"}));
    each_at_once(Setup::new(settings), async |sidecar| {
        let cases = [
            (Request::get("/v1/models").host("api.openai.com"), "default_deny", None),
            (Request::post("/v1/files", "x").host("api.openai.com"), "rule_deny", Some("no-uploads")),
            (to("evil.example"), "default_deny", None),
            (to("192.0.2.7"), "ip_literal", None),
            (to("x@api.openai.com"), "host_invalid", None),
        ];
        for (request, reason, rule) in &cases {
            let mut answers = vec![sidecar.ask(request).await];
            if *reason != "host_invalid" {
                // the client's own library does not send such a host over HTTP/2
                answers.push(sidecar.ask_http2(request).await);
            }
            for answer in answers {
                assert_eq!(answer.status, 451, "{request:?}");
                assert_eq!(answer.headers.text("content-type").as_deref(), Some("application/json"));
                let error = &answer.json().unwrap()["error"];
                assert_eq!((&error["reason"], &error["rule"]), (&json!(reason), &json!(rule)), "{error:#}");
                assert_eq!((&error["code"], &error["help"]), (&json!("egress_denied"), &json!("ask in #egress")));
                let told = sidecar.event(|event| event["event_id"] == error["event_id"]).await;
                assert_eq!(verdict(&told), ("deny", *reason, Some(false), rule.unwrap_or_default()), "{told:#}");
                assert_eq!(told["http.response.status_code"], 451);
            }
        }
        assert_eq!(sidecar.outside.count(), 0, "what is denied never leaves");
        let details = sidecar.envoy.logs().wait(|line| line.contains("ACCESS api.openai.com")).await.unwrap();
        assert!(details.contains("451 egress_denied:"), "{details}");
        assert!(details.contains("[decision=deny reason=") && details.contains(" mode=enforce event_id="), "{details}");
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_client_gets_a_grpc_status() {
    each_at_once(Setup::new(config("enforce")), async |sidecar| {
        let call = Request::post("/pkg.Service/Call", "").host("grpc.evil.example");
        let answer = sidecar.ask_http2(&call.header("content-type", "application/grpc").header("te", "trailers")).await;
        assert_eq!((answer.status, answer.headers.text("grpc-status").as_deref()), (200, Some("7")), "{answer:?}");
        assert_eq!(sidecar.outside.count(), 0);
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn report_lets_pass_and_says_so_observe_only_tells_and_off_tells_nothing() {
    for (mode, would_deny) in [("report", Some(true)), ("observe", None), ("enforce", Some(false))] {
        each_at_once(Setup::new(config(mode)), async |sidecar| {
            let answer = sidecar.ask(&to("evil.example")).await;
            assert_eq!(answer.status, if mode == "enforce" { 403 } else { 200 });
            let told = sidecar.event(|event| event["server.address"] == "evil.example").await;
            let decision = if mode == "enforce" { "deny" } else { "allow" };
            assert_eq!(verdict(&told), (decision, "default_deny", would_deny, ""), "{told:#}");
            assert_eq!((&told["mode"], &told["policy"]), (&json!(mode), &json!("ai-gateway")));
            sidecar.assert_whole().await;
        })
        .await;
    }
    each_at_once(Setup::new(with(config("enforce"), "/mode", json!("off"))), async |sidecar| {
        assert_eq!(sidecar.ask(&to("evil.example")).await.status, 200);
        sidecar
            .envoy
            .wait_for_counter("runtime_control_egress_audit_exempt_total", &[("reason", "off")], 1)
            .await
            .unwrap();
        assert!(sidecar.events().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_for_its_workload_and_others_have_the_default() {
    let mut settings = config("enforce");
    settings["policies"].as_array_mut().unwrap().push(json!({
        "name": "memory", "selector": {"serviceAccounts": ["devmentor-app/memory"]}, "mode": "enforce",
        "allow": [{"id": "vectors", "hosts": ["vectors.example"]}],
    }));
    // who calls, whom, and what comes of it
    let cases = [
        ("ai-gateway", "vectors.example", 403, "enforce"),
        ("ai-gateway", "x.anthropic.com", 200, "enforce"),
        ("memory", "vectors.example", 200, "enforce"),
        ("memory", "x.anthropic.com", 403, "enforce"),
        ("projects", "vectors.example", 200, "report"),
    ];
    for app in ["ai-gateway", "memory", "projects"] {
        each_at_once(Setup { app, ..Setup::new(settings.clone()) }, async |sidecar| {
            for (_, host, status, mode) in cases.iter().filter(|(who, ..)| *who == app) {
                assert_eq!(sidecar.ask(&to(host)).await.status, *status, "{app} calls {host}");
                let told = sidecar.event(|event| event["server.address"] == *host).await;
                assert_eq!(told["mode"], *mode, "{told:#}");
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_inside_the_mesh_are_left_alone() {
    each_at_once(Setup::new(config("enforce")), async |sidecar| {
        let hosts = ["memory", "memory.devmentor-app", "memory.devmentor-app.svc.cluster.local", "10.96.0.9"];
        for host in hosts {
            let answer = sidecar.ask(&to(host)).await;
            assert_eq!((answer.status, answer.served_by().as_str()), (200, "inside"), "{host}");
        }
        let exempt = ("reason", "internal");
        sidecar.envoy.wait_for_counter("runtime_control_egress_audit_exempt_total", &[exempt], 4).await.unwrap();
        assert!(sidecar.events().is_empty(), "{:#?}", sidecar.events());
        sidecar.assert_whole().await;
    })
    .await;
    // and with scope all they are looked at like any other
    each_at_once(Setup::new(with(config("enforce"), "/scope", json!("all"))), async |sidecar| {
        assert_eq!(sidecar.ask(&to("memory")).await.status, 403);
        let told = sidecar.event(|event| event["server.address"] == "memory").await;
        assert_eq!(told["envoy.cluster"], MEMORY);
    })
    .await;
}

/// A listener whose connections come with the address that they say they went to, as a sidecar knows it from the kernel.
fn told_by_proxy_protocol(listeners: Vec<Listener>) -> Vec<Listener> {
    let filter = json!([{
        "name": "envoy.filters.listener.proxy_protocol",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol"},
    }]);
    listeners.into_iter().map(|listener| listener.json(json!({"listener_filters": filter}))).collect()
}

/// The answer to a request on a connection to an address.
async fn ask_at(sidecar: &Sidecar, destination: &str, request: &Request) -> Response {
    let mut client = RawClient::connect(sidecar.envoy.addr("outbound")).await.unwrap();
    let (address, port) = destination.rsplit_once(':').unwrap();
    client.write(format!("PROXY TCP4 10.0.0.7 {address} 40000 {port}\r\n").as_bytes()).await.unwrap();
    client.send(request).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_the_mesh_on_a_call_that_leaves_it_exempts_nothing() {
    each_binary(async |binary| {
        let sidecar = Sidecar::start_with(&binary, &Setup::new(config("enforce")), told_by_proxy_protocol).await;
        // what the mesh does not know goes wherever the client connected to: inside or out
        let cases = [
            ("203.0.113.9:80", "billing.devmentor-app.svc.cluster.local", 403),
            ("203.0.113.9:80", "billing", 403),
            ("10.4.0.9:80", "billing.devmentor-app.svc.cluster.local", 200),
            ("10.4.0.9:80", "10.4.0.9", 200),
            ("203.0.113.9:80", "10.4.0.9", 403),
            ("169.254.169.254:80", "169.254.169.254", 403),
            ("10.4.0.9:80", "evil.example", 403),
        ];
        for (destination, host, status) in cases {
            let answer = ask_at(&sidecar, destination, &to(host)).await;
            assert_eq!(answer.status, status, "{host} at {destination}");
        }
        let told = sidecar.event(|event| event["server.address"] == "169.254.169.254").await;
        assert_eq!(
            (&told["reason_code"], &told["network.peer.address"]),
            (&json!("ip_literal"), &json!("169.254.169.254"))
        );
        let told = sidecar.event(|event| event["server.address"] == "billing").await;
        assert_eq!((&told["network.peer.address"], &told["server.port"]), (&json!("203.0.113.9"), &json!(80)));
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_the_same_in_every_spelling() {
    let mut settings = config("enforce");
    settings["policies"][0]["allow"].as_array_mut().unwrap().extend([
        json!({"id": "address", "hosts": ["192.0.2.7", "2001:db8::/32"]}),
        json!({"id": "inner", "hosts": ["ec2.*.amazonaws.com", "s3-*.aws.example"]}),
        json!({"id": "umlaut", "hosts": ["bücher.example"]}),
    ]);
    // allowed, then those that only look so
    let allowed = [
        "X.Anthropic.COM",
        "a.b.anthropic.com",
        "x.anthropic.com.",
        "x.anthropic.com:8443",
        "192.0.2.7",
        "0xc0000207",
        "0300.0.02.07",
        "192.0.519",
        "3221225991",
        "[::ffff:192.0.2.7]",
        "[::ffff:c000:207]:80",
        "[2001:DB8::1]",
        "ec2.eu-west-1.amazonaws.com",
        "s3-eu.aws.example",
        "xn--bcher-kva.example",
        "XN--BCHER-KVA.example",
    ];
    let denied = [
        "anthropic.com",
        "xanthropic.com",
        "x.anthropic.com.evil.example",
        "x.anthropic.com@evil.example",
        "evil.example#.anthropic.com",
        "ec2.a.b.amazonaws.com",
        "ec2.amazonaws.com",
        "s3.aws.example",
        "192.0.2.8",
        "[::ffff:192.0.2.8]",
        "[2001:db9::1]",
        "x.anthropic.com:80:443",
        "..anthropic.com",
        "bcher-kva.example",
        "x.anthropic.com:99999",
        "x.anthropic.com%2eevil.example",
    ];
    each_at_once(Setup::new(settings), async |sidecar| {
        for host in allowed {
            let answer = sidecar.ask(&to(host)).await;
            assert_eq!(answer.status, 200, "{host}: {}", answer.text());
        }
        let before = sidecar.outside.count();
        for host in denied {
            let answer = sidecar.ask(&to(host)).await;
            // some of them Envoy refuses by itself
            assert!(matches!(answer.status, 400 | 403), "{host}: {answer:?}");
        }
        let mut raw = b"GET / HTTP/1.1\r\nhost: ".to_vec();
        raw.extend_from_slice("b\u{fc}cher.example\u{202e}".as_bytes());
        raw.extend_from_slice(b"\xff\r\n\r\n");
        let mut client = RawClient::connect(sidecar.envoy.addr("outbound")).await.unwrap();
        client.write(&raw).await.unwrap();
        assert!(matches!(client.read().await.unwrap().status, 400 | 403));
        assert_eq!(sidecar.outside.count(), before, "none of them leaves");
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_more_than_can_be_read_gets_past_nothing() {
    each_binary(async |binary| {
        let roomy = |listeners: Vec<Listener>| {
            let [http, tls] = <[Listener; 2]>::try_from(listeners).unwrap_or_else(|_| panic!("two listeners"));
            vec![http.max_headers(4000, 8192), tls]
        };
        let sidecar = Sidecar::start_with(&binary, &Setup::new(config("enforce")), roomy).await;
        for count in [500, 1500, 3000] {
            for (host, allowed) in [("x.anthropic.com", true), ("evil.example", false)] {
                let request = (0..count).fold(to(host), |request, number| request.header(format!("x-{number}"), "y"));
                let status = sidecar.ask(&request).await.status;
                assert!(status == 403 || (allowed && status == 200), "{count} {host}: {status}");
            }
            let long = to("evil.example").header("x-long", "y".repeat(2000 * count));
            assert_eq!(sidecar.ask(&long).await.status, 403, "{count}");
        }
        assert_eq!(sidecar.ask(&chat()).await.status, 200, "and the filter is still there");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_the_mesh_blocks_is_told_by_its_name() {
    each_at_once(Setup { allow_any: false, ..Setup::new(config("observe")) }, async |sidecar| {
        let answer = sidecar.ask(&Request::get("/v2/upload").host("unknown.example:8080")).await;
        assert_eq!(answer.status, 502, "blocked by the mesh, not by this filter");
        let told = sidecar.event(|event| event["server.address"] == "unknown.example").await;
        assert_eq!((&told["server.port"], &told["url.path"]), (&json!(8080), &json!("/v2/upload")));
        assert_eq!((&told["http.response.status_code"], &told["decision"]), (&json!(502), &json!("allow")));
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_differ_in_nothing_are_counted_and_none_is_left_out() {
    let settings = with(config("enforce"), "/audit", json!({"fold": "2s"}));
    each_at_once(Setup { workers: 4, ..Setup::new(settings) }, async |sidecar| {
        sidecar.outside.record(false);
        let addr = sidecar.envoy.addr("outbound");
        let request = |number: usize| if number.is_multiple_of(4) { to("evil.example") } else { chat() };
        let answers = harness::run_many(addr, 2000, 16, request).await.unwrap();
        let denied: Vec<_> = answers.iter().filter(|answer| answer.status == 403).collect();
        assert_eq!((answers.len(), denied.len()), (2000, 500));
        let count = |events: &[Value], decision: &str| -> u64 {
            events
                .iter()
                .filter(|event| event["decision"] == decision)
                .filter_map(|event| event["count"].as_u64())
                .sum()
        };
        sidecar.until_events(|events| count(events, "allow") == 1500 && count(events, "deny") == 500).await;
        let events = sidecar.events();
        assert!(events.len() <= 40, "{} events for 2,000 calls", events.len());
        for event in events.iter().filter(|event| event["count"].as_u64() > Some(1)) {
            assert!(event["since"].is_string() && event.get("request_id").is_none(), "{event:#}");
        }
        // each denied client was told an event that is there
        let known: Vec<&Value> = events.iter().map(|event| &event["event_id"]).collect();
        for answer in denied {
            assert!(known.contains(&&answer.json().unwrap()["error"]["event_id"]));
        }
        let told = ("decision", "deny");
        let stats = sidecar.envoy.wait_for_counter(DECISIONS, &[told], 500).await.unwrap();
        assert_eq!(
            stats.counter(DECISIONS, &[("decision", "allow"), ("rule", "openai"), ("reason", "rule_allow")]),
            1500
        );
        let (folded, all) =
            ("runtime_control_egress_audit_events_folded_total", "runtime_control_egress_audit_events_total");
        let counted =
            stats.counter(folded, &[]) + events.iter().filter(|event| event["since"].is_null()).count() as u64;
        assert_eq!(counted, 2000, "{} {}", stats.counter(folded, &[]), stats.counter(all, &[]));
        assert!(
            stats.samples.iter().all(|sample| !sample.to_string().contains("evil.example")),
            "a domain in a metric"
        );
        chains_hold(&sidecar);
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sampling_leaves_out_allowed_calls_only_and_no_host_that_is_new() {
    let settings = with(config("enforce"), "/audit", json!({"fold": "0s", "sampleAllowed": 0}));
    each_at_once(Setup::new(settings), async |sidecar| {
        for number in 0..50 {
            assert_eq!(sidecar.ask(&chat()).await.status, 200);
            assert_eq!(sidecar.ask(&to(&format!("x{number}.anthropic.com"))).await.status, 200);
            assert_eq!(sidecar.ask(&to("evil.example")).await.status, 403);
        }
        let out = "runtime_control_egress_audit_events_sampled_out_total";
        sidecar.envoy.wait_for_counter(out, &[], 49).await.unwrap();
        sidecar.until_events(|events| events.len() == 101).await;
        let events = sidecar.events();
        let first = |event: &&Value| event["first_seen"] == true;
        assert_eq!(events.iter().filter(first).count(), 52, "each host once");
        assert_eq!(events.iter().filter(|event| event["decision"] == "deny").count(), 50);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_new_once_for_all_workers_until_it_is_forgotten() {
    let settings = with(config("observe"), "/audit", json!({"fold": "0s", "firstSeenCapacity": 16}));
    each_at_once(Setup { workers: 4, ..Setup::new(settings) }, async |sidecar| {
        let first = |events: &[Value]| events.iter().filter(|event| event["first_seen"] == true).count();
        // every call on a connection of its own, so that workers take turns
        for _ in 0..8 {
            for host in 0..16 {
                sidecar.ask(&to(&format!("h{host}.example"))).await;
            }
        }
        sidecar.until_events(|events| events.len() == 128).await;
        assert_eq!(first(&sidecar.events()), 16);
        let forgotten = "runtime_control_egress_audit_first_seen_forgotten_total";
        assert_eq!(sidecar.envoy.stats().await.unwrap().counter(forgotten, &[]), 0);
        sidecar.ask(&to("one-too-many.example")).await;
        sidecar.envoy.wait_for_counter(forgotten, &[], 1).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_look_like_allowed_ones_are_flagged() {
    each_at_once(Setup::new(config("report")), async |sidecar| {
        let cases = [
            ("api.opena1.com", Some("api.openai.com"), false),
            ("xn--ap-ioc.openai.com.evil.example", None, true),
            ("xn--penai-iye.com", Some("openai.com"), true),
            ("api.openai.com", None, false),
            ("other.example", None, false),
        ];
        for (host, alike, mixed) in cases {
            sidecar.ask(&to(host)).await;
            let told = sidecar.event(|event| event["server.address"] == host).await;
            assert_eq!(told["lookalike_of"].as_str(), alike, "{told:#}");
            assert_eq!(told["mixed_script"] == true, mixed, "{told:#}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_configurations_keep_what_is_good_and_deny_what_they_would_guard() {
    each_at_once(Setup::new(config("enforce")), async |sidecar| {
        let allowed = async || sidecar.ask(&chat()).await.status;
        let denied = async || sidecar.ask(&to("evil.example")).await.status;
        for garbage in ["{", "[]", "nonsense"] {
            sidecar.configure(garbage).await;
            assert_eq!((allowed().await, denied().await), (200, 403), "{garbage}");
        }
        // a rule that can't be read stays as it was; its neighbours are as they are now
        let mut mended = with(config("enforce"), "/policies/0/allow/0/ports", json!(["http"]));
        mended["policies"][0]["allow"].as_array_mut().unwrap().push(json!({"id": "new", "hosts": ["new.example"]}));
        sidecar.configure(mended).await;
        assert_eq!((allowed().await, denied().await), (200, 403));
        assert_eq!(sidecar.ask(&to("new.example")).await.status, 200);
        let line = sidecar.envoy.logs().wait(|line| line.contains("\"state\":\"partial\"")).await.unwrap();
        assert!(line.contains("policies[0].allow[0].ports[0]: http is not a whole number from 1 to 65535"), "{line}");
        // a policy that can't be read stays as it was
        sidecar.configure(with(config("enforce"), "/policies/0/selector", json!("ai-gateway"))).await;
        assert_eq!((allowed().await, denied().await), (200, 403));
        // in enforce a field that is not known could be a condition
        sidecar.configure(with(config("enforce"), "/policies/0/allow/1/onlyOnFridays", json!(true))).await;
        assert_eq!((allowed().await, sidecar.ask(&to("x.anthropic.com")).await.status), (200, 200), "as it was");
        sidecar.configure(config("enforce")).await;
        assert_eq!((allowed().await, denied().await), (200, 403));
        sidecar.assert_whole().await;
    })
    .await;
    // the same at the first start, with nothing to fall back on
    let broken: [(harness::PluginConfig, u16, u16, &str); 5] = [
        ("{\"mode\": \"enforce\", ".into(), 403, 403, "safe"),
        ("{".into(), 200, 200, "safe"),
        (with(config("enforce"), "/policies/0/selector", json!(7)).into(), 403, 403, "partial"),
        (with(config("enforce"), "/policies/0/allow/0/ports", json!(["http"])).into(), 403, 403, "partial"),
        (with(config("report"), "/policies/0/selector", json!(7)).into(), 200, 200, "partial"),
    ];
    for (configuration, allowed, denied, state) in broken {
        each_at_once(Setup::new(configuration.clone()), async |sidecar| {
            let what = format!("{configuration:?}");
            assert_eq!(sidecar.ask(&chat()).await.status, allowed, "{what}");
            assert_eq!(sidecar.ask(&to("evil.example")).await.status, denied, "{what}");
            assert_eq!(sidecar.ask(&to("memory")).await.status, 200, "the mesh itself is left alone: {what}");
            let info = "runtime_control_egress_audit_config_info";
            assert_eq!(sidecar.envoy.stats().await.unwrap().counter(info, &[("state", state)]), 1, "{what}");
            sidecar.configure(config("enforce")).await;
            assert_eq!(sidecar.ask(&chat()).await.status, 200, "mended by the next: {what}");
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_under_load_lose_neither_a_call_nor_an_event() {
    let numbered = |number: usize| {
        with(with(config("enforce"), "/audit", json!({"fold": "1s"})), "/denial", json!({"help": number.to_string()}))
    };
    each_at_once(Setup { workers: 2, ..Setup::new(numbered(0)) }, async |sidecar| {
        sidecar.outside.record(false);
        let addr = sidecar.envoy.addr("outbound");
        let load = tokio::spawn(harness::run_many(addr, 6000, 8, |_| chat()));
        for number in 1..8 {
            sidecar.configure(numbered(number)).await;
        }
        let answers = load.await.unwrap().unwrap();
        assert!(answers.iter().all(|answer| answer.status == 200));
        let count = |events: &[Value]| -> u64 { events.iter().filter_map(|event| event["count"].as_u64()).sum() };
        sidecar.until_events(|events| count(events) == 6000).await;
        chains_hold(&sidecar);
        // a new VM begins new chains, and tells what the old one had counted
        let renewed = sidecar.envoy.replace_plugin(plugin(numbered(9)).env("RENEWED", "1")).await.unwrap();
        renewed.accepted().unwrap();
        assert_eq!(sidecar.ask(&chat()).await.status, 200);
        sidecar.until_events(|events| count(events) == 6001).await;
        chains_hold(&sidecar);
        sidecar.assert_whole().await;
    })
    .await;
}
