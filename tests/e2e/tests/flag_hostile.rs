//! flag-headers against clients that mean ill: nothing of theirs becomes a flag, nothing of theirs loses a VM, and no
//! application ever sees an OFREP request.

use std::time::{Duration, Instant};

use e2e::flags::{
    FLAGS_HOST, HOST, Mesh, Setup, bootstrapped, config, each, fault_filter, features, home, plugin, virtual_hosts,
};
use e2e::with;
use harness::{
    ClientCert, Endpoint, H2Client, Headers, Listener, Pki, PluginConfig, RawClient, Request, Response, WasmPlugin,
    envoy_binaries,
};
use serde_json::{Value, json};

/// The flag headers among some, in any spelling, with their values, sorted.
fn flags(headers: &Headers) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let all = headers.iter().map(|(name, value)| (text(name), text(value)));
    let folded = |name: &str| name.to_ascii_lowercase().replace('_', "-");
    let is_flag = |name: &str| folded(name).starts_with("x-flag") || folded(name) == "x-feature-flags";
    let mut flags: Vec<_> = all.filter(|(name, _)| is_flag(name)).collect();
    flags.sort();
    flags
}

/// A request with every owned header in every spelling, each with a value that nothing else has.
fn forged(request: Request) -> Request {
    let names = [
        "x-flag-new-ui-enabled",
        "x-flag-ai-safety-pii",
        "x-flagvariant-ai-provider-openai-enabled",
        "x-flagpayload-ai-timeout-seconds",
        "x-flagvariant-new-ui-enabled",
        "x-flagpayload-new-ui-enabled",
        "x-flag-ai-not-yet",
        "x-feature-flags",
        "x-flags-source",
    ];
    let spelled = names.iter().flat_map(|name| {
        let folded = name.replace('-', "_");
        let mixed = name.replacen('-', "_", 1);
        let last = name.rsplit_once('-').map(|(first, last)| format!("{first}_{last}")).unwrap_or_default();
        [folded.to_uppercase(), name.to_uppercase(), (*name).to_owned(), folded, mixed, last, (*name).to_owned()]
    });
    let request = spelled.fold(request, |request, name| request.header(name, "forged"));
    names.iter().fold(request, |request, name| request.header(name, b"forged \xff").header(name, "forged, true"))
}

/// What the service sees of a forged request, by HTTP/1.1 or HTTP/2.
async fn seen(mesh: &Mesh, request: &Request, http_2: bool) -> Headers {
    let answer = if http_2 {
        H2Client::connect(mesh.envoy.addr("main")).await.unwrap().send(request).await.unwrap()
    } else {
        mesh.ask(request.clone()).await
    };
    assert_eq!(answer.status, 200, "{answer:?}");
    mesh.app.take_one().headers
}

fn roomy(listener: Listener) -> Listener {
    listener.max_headers(2000, 8192)
}

fn roomy_setup(config: impl Into<PluginConfig>) -> Setup {
    Setup { listener: roomy, ..Setup::new(config, None) }
}

/// What the tests expose, with flags by prefix and all in one header too.
fn exposing() -> Value {
    let config = with(bootstrapped(features(&["ada"])), "/flags/-", json!({"name": "ai-*"}));
    with(config, "/headers", json!({"all": "x-feature-flags"}))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_flag_of_a_client_survives_in_any_mode_or_on_any_path() {
    let configs = [
        (exposing(), true),
        (with(exposing(), "/headers", json!({"all": "x-feature-flags", "each": false})), true),
        (with(exposing(), "/mode", json!("report")), false),
        (with(exposing(), "/mode", json!("off")), false),
        (with(exposing(), "/hosts", json!(["elsewhere.local"])), false),
        (with(exposing(), "/match", json!([{"method": {"exact": "PUT"}}])), false),
        // one that can't be exposed is owned all the same
        (with(exposing(), "/flags/0/payload", json!({"type": "date"})), true),
        (with(exposing(), "/bootstrap", json!([])), true),
    ];
    let requests = [
        home("ada"),
        Request::get("/").host(HOST),
        Request::get("/runtime-control/flags").host(HOST),
        Request::post("/ofrep/v1/evaluate/flags", "{}").host(HOST),
        Request::new("OPTIONS", "/a/b?x-flag-new-ui-enabled=forged").host("x.example"),
    ];
    each(roomy_setup(exposing()), async |mesh: Mesh| {
        for (config, sets) in &configs {
            mesh.configure(config.clone()).await;
            for request in &requests {
                for http_2 in [false, true] {
                    let found = flags(&seen(&mesh, &forged(request.clone()), http_2).await);
                    let set: Vec<_> = found.iter().filter(|(_, value)| value.contains("forged")).collect();
                    assert!(set.is_empty(), "{config} {request:?}: {set:?}");
                    assert_eq!(!found.is_empty(), *sets, "{config} {request:?}: {found:?}");
                    assert!(found.is_sorted_by(|one, next| one.0 < next.0), "one of each: {found:?}");
                }
            }
        }
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_configuration_that_is_broken_strips_all_the_same() {
    // the header for all has a name of the configuration's own, and where that can't be read nobody knows it
    let broken: [(PluginConfig, bool); 7] = [
        ("{not json".into(), false),
        (b"\xff\xfe".as_slice().into(), false),
        (json!([1]).into(), false),
        (with(exposing(), "/flags", json!({"new-ui-enabled": true})).into(), true),
        (with(exposing(), "/headers/each", json!("yes")).into(), true),
        (with(exposing(), "/mode", json!("enforced")).into(), true),
        (with(exposing(), "/trust", json!(["mesh"])).into(), true),
    ];
    let named = |n: usize| format!("broken-{n}");
    for binary in envoy_binaries() {
        // each on a listener of its own: what one plugin keeps is its own
        let mesh = Mesh::start_with(&binary, &Setup::new(exposing(), None), |main| {
            let listener = |(n, (config, _)): (usize, &(PluginConfig, bool))| {
                let plugin = WasmPlugin { name: named(n), ..plugin(config.clone()) };
                roomy(Listener::http(&named(n), virtual_hosts())).wasm(&plugin).http_filter(fault_filter())
            };
            broken.iter().enumerate().map(listener).chain([main]).collect()
        })
        .await;
        for (n, (config, knows_all)) in broken.iter().enumerate() {
            let addr = mesh.envoy.addr(&named(n));
            let http_1 = RawClient::connect(addr).await.unwrap().send(&forged(home("ada"))).await.unwrap();
            let http_2 = H2Client::connect(addr).await.unwrap().send(&forged(home("ada"))).await.unwrap();
            assert_eq!((http_1.status, http_2.status), (200, 200), "{config:?}");
            for seen in mesh.app.take_requests() {
                let mut found = flags(&seen.headers);
                found.retain(|(name, _)| *knows_all || name.replace('_', "-") != "x-feature-flags");
                assert_eq!(found, [], "{config:?}");
            }
            let answer = RawClient::connect(addr).await.unwrap().send(&ofrep("new-ui-enabled", "{}")).await.unwrap();
            assert_eq!((answer.status, mesh.app.take_requests().len()), (503, 0), "{config:?}");
        }
        let stats = mesh.envoy.stats().await.unwrap();
        let safe = stats.counter("runtime_control_flag_headers_config_info", &[("state", "safe")]);
        assert_eq!(safe, broken.len() as u64);
        mesh.assert_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_other_instances_are_left_alone_unless_told_so() {
    let request = || {
        home("ada")
            .header("x-flag-theirs", "true")
            .header("x-flagvariant-theirs", "blue")
            .header("x_flagpayload_theirs", "7")
            .header("x-flag", "a")
            .header("x-flagged", "b")
            .header("x-flag-new-ui-enabled-2", "c")
    };
    each(Setup::new(bootstrapped(features(&[])), None), async |mesh: Mesh| {
        let theirs = async || {
            let names = ["x-flag-theirs", "x-flagvariant-theirs", "x_flagpayload_theirs", "x-flag-new-ui-enabled-2"];
            let seen = mesh.seen(request()).await;
            assert_eq!((seen.text("x-flag").as_deref(), seen.text("x-flagged").as_deref()), (Some("a"), Some("b")));
            names.map(|name| seen.contains(name))
        };
        assert_eq!(theirs().await, [true; 4]);
        mesh.configure(with(bootstrapped(features(&[])), "/headers", json!({"strip": "all"}))).await;
        assert_eq!(theirs().await, [false; 4]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn inside_the_mesh_only_a_verified_peers_flags_are_kept() {
    let base = with(bootstrapped(features(&["ada"])), "/trust", json!("mesh"));
    for binary in envoy_binaries() {
        let pki = Pki::new().unwrap();
        let server = pki.identity(&["mesh.local"]).unwrap();
        let peer = pki.identity(&["spiffe://cluster.local/ns/istio-system/sa/gateway"]).unwrap();
        let nameless = pki.identity(&["just.a.name"]).unwrap();
        let secured =
            |main: Listener| vec![main.clone().named("mutual").tls(&pki, &server, ClientCert::Optional), main];
        let mesh = Mesh::start_with(&binary, &Setup::new(base.clone(), None), secured).await;
        let ask = async |identity: Option<&harness::Identity>, request: Request| {
            let endpoint = Endpoint::tls(mesh.envoy.addr("mutual"), pki.client_config(identity).unwrap(), "mesh.local");
            let answer = RawClient::connect(&endpoint).await.unwrap().send(&request).await.unwrap();
            assert_eq!(answer.status, 200, "{answer:?}");
            mesh.app.take_one().headers
        };
        let given = || {
            home("ada")
                .header("x-flag-new-ui-enabled", "false")
                .header("x-flag-ai-provider-openai-enabled", "true")
                .header("x-flagvariant-ai-provider-openai-enabled", "gpt%20small")
                .header("x-flags-source", "stale")
        };
        let kept = |headers: &Headers| {
            let text = |name: &str| headers.text(name).unwrap_or_default();
            [
                text("x-flag-new-ui-enabled"),
                text("x-flagvariant-ai-provider-openai-enabled"),
                text("x-flag-ai-safety-pii"),
            ]
        };
        let (theirs, ours) = (["false", "gpt%20small", "false"], ["true", "gpt-large", "false"]);

        assert_eq!(kept(&ask(Some(&peer), given()).await), theirs);
        assert_eq!(kept(&ask(Some(&nameless), given()).await), ours, "a certificate without an identity");
        assert_eq!(kept(&ask(None, given()).await), ours, "no certificate");
        assert_eq!(kept(&mesh.seen(given()).await), ours, "plain text");

        // two values are nobody's decision, nor is anything but true and false, nor another spelling
        for request in [
            home("ada").header("x-flag-new-ui-enabled", "false").header("x-flag-new-ui-enabled", "false"),
            home("ada").header("x-flag-new-ui-enabled", "no"),
            home("ada").header("x_flag_new_ui_enabled", "false"),
            home("ada").header("x-flag-new_ui_enabled", "false"),
            home("ada").header("x-flagvariant-ai-provider-openai-enabled", "gpt-small"),
            home("ada").header("x-flags-source", "live"),
        ] {
            let seen = ask(Some(&peer), request.clone()).await;
            assert_eq!(kept(&seen), ours, "{request:?}");
            assert_eq!(seen.text("x-flags-source").as_deref(), Some("bootstrap"));
            assert!(flags(&seen).iter().all(|(name, _)| !name.contains('_')), "{:?}", flags(&seen));
            assert_eq!(flags(&seen).len(), 7, "{:?}", flags(&seen));
        }

        // a peer that has all in one header is believed as well, and the service has each
        mesh.configure(with(base.clone(), "/headers", json!({"all": "x-feature-flags"}))).await;
        let line = "new-ui-enabled=false,ai-provider-openai-enabled=true;variant=gpt%20small,ai-safety-pii=true";
        let seen = ask(Some(&peer), home("ada").header("x-feature-flags", line)).await;
        assert_eq!(kept(&seen), ["false", "gpt%20small", "true"]);
        assert_eq!(
            seen.text("x-feature-flags").as_deref(),
            Some(
                "new-ui-enabled=false,ai-safety-pii=true,\
                 ai-provider-openai-enabled=true;variant=gpt%20small,ai-timeout-seconds=true"
            )
        );

        // at the edge nobody is
        mesh.configure(bootstrapped(features(&["ada"]))).await;
        assert_eq!(kept(&ask(Some(&peer), given()).await), ours, "a peer, at the edge");
        mesh.assert_whole().await;
    }
}

/// The native net under FAIL_OPEN: where the plugin is absent, Envoy itself removes the names before any filter.
#[tokio::test(flavor = "multi_thread")]
async fn where_the_filter_is_absent_envoy_itself_strips() {
    const NET: [&str; 8] = [
        "x-flag-new-ui-enabled",
        "x_flag_new_ui_enabled",
        "x-flagvariant-ai-provider-openai-enabled",
        "x_flagvariant_ai_provider_openai_enabled",
        "x-flagpayload-ai-timeout-seconds",
        "x_flagpayload_ai_timeout_seconds",
        "x-flags-source",
        "x_flags_source",
    ];
    let request =
        NET.iter().fold(home("ada"), |request, name| request.header(name, "forged").header(name.to_uppercase(), "x"));
    for binary in envoy_binaries() {
        let setup = Setup::new(bootstrapped(features(&["ada"])), None);
        let mesh = Mesh::start_with(&binary, &setup, |main| {
            let absent = Listener::http("absent", virtual_hosts()).http_filter(fault_filter());
            vec![main.early_header_removal(&NET), absent.early_header_removal(&NET)]
        })
        .await;
        let mut absent = RawClient::connect(mesh.envoy.addr("absent")).await.unwrap();
        assert_eq!(absent.send(&request).await.unwrap().status, 200);
        assert_eq!(flags(&mesh.app.take_one().headers), []);
        let seen = mesh.seen(request.clone()).await;
        assert_eq!(seen.text("x-flag-new-ui-enabled").as_deref(), Some("true"), "the filter's own write survives");
        assert_eq!(seen.text("x-flagpayload-ai-timeout-seconds").as_deref(), Some("45"));

        // and OFREP has its route's answer
        let connections = mesh.app.connections();
        for request in [ofrep("new-ui-enabled", "{}"), Request::get("/").host(FLAGS_HOST)] {
            let mut absent = RawClient::connect(mesh.envoy.addr("absent")).await.unwrap();
            assert_eq!(absent.send(&request).await.unwrap().status, 503);
        }
        assert_eq!((mesh.app.connections(), mesh.app.take_requests().len()), (connections, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_any_bytes_and_any_length_do_no_harm() {
    let ids: Vec<(Vec<u8>, bool)> = vec![
        (b"ada".to_vec(), true),
        ("José ✓".as_bytes().to_vec(), true),
        (b"\xff\xfe\x80".to_vec(), false),
        (vec![b'x'; 60_000], false),
        ([vec![0xc3; 60_000], b"y".to_vec()].concat(), false),
        (b"a,b;c=d \"e\" %20".to_vec(), false),
        (b"../../etc/passwd".to_vec(), false),
        (b"{\"sub\":\"ada\"}".to_vec(), false),
    ];
    each(roomy_setup(bootstrapped(features(&["ada", "José ✓"]))), async |mesh: Mesh| {
        for (id, expected) in &ids {
            let request = Request::get("/").host(HOST).header("x-user-id", id).header("x-plan", id);
            let request = request.header("cookie", [b"sid=", id.as_slice()].concat());
            let seen = mesh.seen(request).await;
            assert_eq!(seen.text("x-flag-new-ui-enabled"), Some(expected.to_string()), "{} bytes", id.len());
        }
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_headers_are_served_like_any_request() {
    each(roomy_setup(exposing()), async |mesh: Mesh| {
        for count in [300, 1500] {
            let flood = (0..count).fold(home("ada"), |request, n| request.header(format!("x-flood-{n}"), "v"));
            let owned = (0..300).fold(flood, |request, n| request.header(format!("x-flag-ai-{n}"), "forged"));
            let found = flags(&mesh.seen(forged(owned)).await);
            assert!(found.iter().all(|(_, value)| !value.contains("forged")), "{count}: {found:?}");
            assert_eq!(found.len(), 8, "{count}: {found:?}");
        }
        let crumbs = (0..500).fold(home("ada"), |request, n| request.header("cookie", format!("c{n}=v; ;=; sid")));
        assert_eq!(mesh.seen(crumbs).await.text("x-flag-new-ui-enabled").as_deref(), Some("true"));
        let long = format!("/{}?userId={}", "a/".repeat(8000), "b%".repeat(8000));
        assert_eq!(mesh.ask(Request::get(&long).host(HOST)).await.status, 200);
        mesh.assert_whole().await;
    })
    .await;
}

/// An OFREP call for one flag with a body.
fn ofrep(flag: &str, body: impl AsRef<[u8]>) -> Request {
    Request::post(&format!("/ofrep/v1/evaluate/flags/{flag}"), body).host(FLAGS_HOST)
}

/// What OFREP says went wrong.
fn error(answer: &Response) -> String {
    let body = answer.json().unwrap_or_default();
    assert!(answer.status == 200 || body["errorDetails"].is_string(), "{answer:?}");
    body["errorCode"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_body_of_ofrep_has_its_answer() {
    let flag = "new-ui-enabled";
    let ada = r#"{"context":{"targetingKey":"ada"}}"#;
    let nested = |open: &str, close: &str| format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
    let filled =
        |size: usize| format!(r#"{{"context":{{"x":"{}"}}}}"#, "x".repeat(size - r#"{"context":{"x":""}}"#.len()));
    let bytewise = ada.bytes().fold(ofrep(flag, ""), |request, byte| request.piece([byte]));
    let megabyte = filled(1 << 20);
    let in_pieces = megabyte.as_bytes().chunks(10_000).fold(ofrep(flag, ""), |request, piece| request.piece(piece));
    let cases = [
        ("a context", ofrep(flag, ada), 200, ""),
        ("bytes, one by one", bytewise.clone(), 200, ""),
        ("trailers", ofrep(flag, ada).trailer("x-t", "1"), 200, ""),
        ("pieces and trailers", bytewise.trailer("x-t", "1").trailer("x-flag-new-ui-enabled", "false"), 200, ""),
        ("no context", ofrep(flag, "{}"), 200, ""),
        ("a null context", ofrep(flag, r#"{"context":null}"#), 200, ""),
        ("the longest body", ofrep(flag, filled(65_536)), 200, ""),
        (
            "no body",
            Request::new("POST", "/ofrep/v1/evaluate/flags/new-ui-enabled").host(FLAGS_HOST),
            400,
            "PARSE_ERROR",
        ),
        ("no body but trailers", ofrep(flag, "").trailer("x-t", "1"), 400, "PARSE_ERROR"),
        ("text", ofrep(flag, "flags, please"), 400, "PARSE_ERROR"),
        ("half of it", ofrep(flag, &ada[..20]), 400, "PARSE_ERROR"),
        ("more than it", ofrep(flag, format!("{ada} {ada}")), 400, "PARSE_ERROR"),
        ("no utf-8", ofrep(flag, b"{\"context\":{\"targetingKey\":\"\xff\"}}"), 400, "PARSE_ERROR"),
        ("a list", ofrep(flag, "[1]"), 400, "INVALID_CONTEXT"),
        ("a number as context", ofrep(flag, r#"{"context":7}"#), 400, "INVALID_CONTEXT"),
        ("lists 10,000 deep", ofrep(flag, nested("[", "]")), 400, "PARSE_ERROR"),
        ("objects 10,000 deep", ofrep(flag, nested("{\"a\":", "}")), 400, "PARSE_ERROR"),
        ("one byte too many", ofrep(flag, filled(65_537)), 413, "INVALID_CONTEXT"),
        ("a megabyte", ofrep(flag, &megabyte), 413, "INVALID_CONTEXT"),
        ("a megabyte in pieces", in_pieces, 413, "INVALID_CONTEXT"),
        ("an unknown flag", ofrep("nothing", ada), 404, "FLAG_NOT_FOUND"),
        ("a flag that is not exposed", ofrep("secret-flag", ada), 404, "FLAG_NOT_FOUND"),
        ("a name that is no utf-8", ofrep("%ff", ada), 404, "GENERAL"),
        ("a name of 10 kB", ofrep(&"%61".repeat(3000), ada), 404, "FLAG_NOT_FOUND"),
        ("another path", Request::post("/ofrep/v1/evaluate", ada).host(FLAGS_HOST), 404, "GENERAL"),
        ("by GET", Request::get("/ofrep/v1/evaluate/flags/new-ui-enabled").host(FLAGS_HOST), 405, "GENERAL"),
        ("by PUT", Request::new("PUT", "/ofrep/v1/evaluate/flags").host(FLAGS_HOST).piece(ada), 405, "GENERAL"),
        (
            "by GET, with the route's header",
            Request::get("/ofrep/v1/evaluate/flags").host(FLAGS_HOST).header("x-ofrep-waits", "1"),
            405,
            "GENERAL",
        ),
    ];
    each(Setup::new(bootstrapped(features(&["ada"])), None), async |mesh: Mesh| {
        for (what, request, status, code) in &cases {
            let http_1 = mesh.ask(request.clone()).await;
            let http_2 = H2Client::connect(mesh.envoy.addr("main")).await.unwrap().send(request).await;
            let http_2 = http_2.unwrap_or_else(|error| panic!("{what}: {error}"));
            for answer in [http_1, http_2] {
                assert_eq!((answer.status, error(&answer).as_str()), (*status, *code), "{what}: {answer:?}");
                assert_eq!(answer.headers.text("content-type").as_deref(), Some("application/json"), "{what}");
                assert_eq!(answer.headers.contains("allow"), *status == 405, "{what}");
                if *status == 200 {
                    let named = request.body.concat() == ada.as_bytes();
                    assert_eq!(answer.json().unwrap()["value"], named, "{what}: {answer:?}");
                }
            }
        }
        assert_eq!(mesh.app.connections(), 0, "no application saw any of it");
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_never_end_are_dropped_with_their_client() {
    let head = |framing: &str| {
        format!("POST /ofrep/v1/evaluate/flags/new-ui-enabled HTTP/1.1\r\nhost: {FLAGS_HOST}\r\n{framing}\r\n\r\n")
    };
    each(Setup::new(bootstrapped(features(&["ada"])), None), async |mesh: Mesh| {
        for (framing, body) in [
            ("content-length: 34", "{\"context\":"),
            ("content-length: 34", ""),
            ("transfer-encoding: chunked", "b\r\n{\"context\":\r\n"),
        ] {
            let mut client = mesh.client().await;
            client.write(format!("{}{body}", head(framing)).as_bytes()).await.unwrap();
            drop(client);
            let answer = mesh.ofrep("new-ui-enabled", json!({"targetingKey": "ada"})).await;
            assert_eq!(answer.json().unwrap()["value"], true);
        }
        // a length that is too much is answered before any of it came
        let mut client = mesh.client().await;
        client.write(head("content-length: 1000000000").as_bytes()).await.unwrap();
        assert_eq!(client.read().await.unwrap().status, 413);
        // what is waited for is asked for
        let mut client = mesh.client().await;
        client.write(head("content-length: 2\r\nexpect: 100-continue").as_bytes()).await.unwrap();
        client.write(b"{}").await.unwrap();
        assert_eq!(client.read().await.unwrap().status, 200);
        // two on one connection
        let mut client = mesh.client().await;
        let both = [head("content-length: 2"), "{}".to_owned()].concat().repeat(2);
        client.write(both.as_bytes()).await.unwrap();
        assert_eq!((client.read().await.unwrap().status, client.read().await.unwrap().status), (200, 200));
        // a stream of http/2 that its client resets
        let h2 = H2Client::connect(mesh.envoy.addr("main")).await.unwrap();
        let unfinished = ofrep("new-ui-enabled", "{").header("content-length", "34");
        assert!(h2.send(&unfinished).await.is_err(), "a length that does not hold is the client's mistake");
        assert_eq!(h2.send(&ofrep("new-ui-enabled", "{}")).await.unwrap().status, 200);
        mesh.assert_whole().await;
        assert_eq!(mesh.app.connections(), 0, "no application saw any of it");
    })
    .await;
}

/// A connection that is kept open without the body ends by the route: 503, and still no application.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_body_does_not_come_ends_by_the_route() {
    each(Setup::new(bootstrapped(features(&["ada"])), None), async |mesh: Mesh| {
        let mut client = mesh.client().await;
        let head =
            format!("POST /ofrep/v1/evaluate/flags HTTP/1.1\r\nhost: {FLAGS_HOST}\r\ncontent-length: 9\r\n\r\n{{");
        client.write(head.as_bytes()).await.unwrap();
        assert_eq!(client.read().await.unwrap().status, 503);
        mesh.assert_whole().await;
        assert_eq!(mesh.app.connections(), 0, "no application saw any of it");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_its_own_hosts_are_answered() {
    let path = "/ofrep/v1/evaluate/flags/new-ui-enabled";
    let body = r#"{"context":{"targetingKey":"ada"}}"#;
    each(Setup::new(bootstrapped(features(&["ada"])), None), async |mesh: Mesh| {
        let upper = FLAGS_HOST.to_uppercase();
        for host in [FLAGS_HOST, &upper, &format!("{FLAGS_HOST}:80"), &format!("{upper}:65535")] {
            let answer = mesh.ask(Request::post(path, body).host(host)).await;
            assert_eq!((answer.status, answer.json().unwrap()["value"].as_bool()), (200, Some(true)), "{host}");
            let debug = mesh.ask(Request::get("/runtime-control/flags").host(host)).await;
            assert_eq!((debug.status, debug.headers.contains("x-served-by")), (200, false), "{host}");
        }
        // spellings that Envoy's routes and the filter could take for different hosts
        let odd = [
            format!("{FLAGS_HOST}:"),
            format!("{FLAGS_HOST}:80:80"),
            format!("{FLAGS_HOST}:x"),
            format!("user@{FLAGS_HOST}"),
            format!("{FLAGS_HOST}@devmentor.local"),
            format!("{FLAGS_HOST}."),
        ];
        for host in &odd {
            for request in [Request::post(path, body), Request::post(path, body).header("x-ofrep-waits", "1")] {
                let answer = mesh.ask(request.host(host)).await;
                let seen = mesh.app.take_requests();
                let untouched = seen.iter().all(|seen| seen.complete && seen.body == body.as_bytes());
                assert!(untouched, "{host}: half a request: {seen:?}");
                let answered = answer.json().is_ok_and(|answer| answer["key"] == "new-ui-enabled");
                assert!(!answered || seen.is_empty(), "{host}: answered, and seen: {seen:?}");
            }
        }
        let whole = format!(
            "POST http://{FLAGS_HOST}{path} HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut client = mesh.client().await;
        client.write(whole.as_bytes()).await.unwrap();
        assert_eq!(client.read().await.unwrap().json().unwrap()["value"], true, "the target's host counts");
        assert!(mesh.app.take_requests().is_empty());

        // another host's are the application's, as they are
        for host in
            [HOST, "runtime-control.local", "x.flags.runtime-control.local", "flags.runtime-control.local.evil.example"]
        {
            let answer = mesh.ask(Request::post(path, body).host(host).header("x-ofrep-waits", "1")).await;
            assert_eq!((answer.status, answer.served_by().as_str()), (200, "app"), "{host}");
            let seen = mesh.app.take_one();
            assert_eq!((seen.path.as_str(), seen.text().as_str(), seen.complete), (path, body, true), "{host}");
            let answer = mesh.ask(Request::get("/runtime-control/flags?userId=ada").host(host)).await;
            assert_eq!(answer.served_by(), "app", "{host}");
            mesh.app.take_requests();
        }
        mesh.assert_whole().await;
    })
    .await;
}

/// The head of a request as it goes over the wire.
fn head_of(request: &Request) -> Vec<u8> {
    let host = request.host.as_deref().unwrap_or_default();
    let mut head = format!("{} {} HTTP/1.1\r\nhost: {host}\r\n", request.method, request.path).into_bytes();
    for (name, value) in request.headers.iter() {
        head.extend([name, b": ", value, b"\r\n"].concat());
    }
    [head, b"\r\n".to_vec()].concat()
}

/// Where somebody has left the route out, an application sees the beginning of a call, but no flag that a client made up.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_its_route_carries_no_flags() {
    let bare = |listener: Listener| {
        let all = json!([{"name": "all", "domains": ["*"], "routes": [harness::route_to("app")]}]);
        roomy(listener).hcm(json!({"route_config": {"virtual_hosts": all}}))
    };
    each(Setup { listener: bare, ..Setup::new(exposing(), None) }, async |mesh: Mesh| {
        let mut client = mesh.client().await;
        let forged = forged(ofrep("new-ui-enabled", "").header("content-length", "2"));
        client.write(&head_of(&forged)).await.unwrap();
        let active = "envoy_cluster_upstream_rq_active";
        let begun = |stats: &harness::Stats| stats.gauge(active, &[("envoy_cluster_name", "app")]) == Some(1.0);
        mesh.envoy.admin().wait_for(active, begun).await.unwrap();
        client.write(b"{}").await.unwrap();
        let answer = client.read().await.unwrap();
        assert_eq!((answer.status, answer.served_by().as_str()), (200, ""));
        mesh.app.wait_for(1).await.unwrap();
        let seen = mesh.app.take_one();
        assert_eq!((seen.complete, flags(&seen.headers)), (false, vec![]));
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_filters_answer_ofrep_is_503_at_once() {
    let off = with(bootstrapped(features(&["ada"])), "/mode", json!("off"));
    let without = with(bootstrapped(features(&["ada"])), "/ofrep", Value::Null);
    let requests = [
        ofrep("new-ui-enabled", r#"{"context":{"targetingKey":"ada"}}"#),
        ofrep("", "{}").piece("{}"),
        ofrep("new-ui-enabled", "{}").trailer("x-t", "1"),
        Request::get("/ofrep/v1/evaluate/flags").host(FLAGS_HOST),
        Request::get("/anything").host(&format!("{FLAGS_HOST}:8080")),
    ];
    for config in [PluginConfig::from(off), without.into()] {
        each(Setup::new(config.clone(), None), async |mesh: Mesh| {
            for request in &requests {
                let start = Instant::now();
                assert_eq!(mesh.ask(request.clone()).await.status, 503, "{config:?} {request:?}");
                let h2 = H2Client::connect(mesh.envoy.addr("main")).await.unwrap();
                assert_eq!(h2.send(request).await.unwrap().status, 503, "{config:?} {request:?}");
                assert!(start.elapsed() < Duration::from_secs(8), "held back, as if the filter had to answer");
            }
            assert_eq!(mesh.app.connections(), 0, "no application saw any of it");
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_debug_page_shows_what_is_asked_as_text_and_nothing_secret() {
    let script = "<script>alert(1)</script>";
    let image = "\"'><img src=x onerror=alert(1)>&amp;";
    let escape = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let named = json!({"name": script, "enabled": true, "strategies": [{"name": "default", "constraints": [
        {"contextName": "userId", "operator": "IN", "values": ["a-secret-tester"]}]}],
        "variants": [{"name": image, "weight": 1, "payload": {"type": "string", "value": script}}]});
    let custom = json!({"name": image, "enabled": true, "strategies": [{"name": "their-own-strategy"}]});
    let config = with(config(), "/bootstrap", json!({"version": 2, "features": [named, custom]}));
    let exposed = json!([{"name": script, "variant": true, "payload": {"default": image}}, {"name": image}]);
    each(Setup::new(with(config, "/flags", exposed), None), async |mesh: Mesh| {
        let (script, image) = (escape(script), escape(image));
        let query = format!("?userId={image}&{image}={script}&{script}={image}&sessionId={script}&appName={image}");
        let path = format!("/runtime-control/flags{query}");
        let page = mesh.ask(Request::get(&path).host(FLAGS_HOST).header("accept", "text/html")).await;
        assert_eq!(page.status, 200, "{page:?}");
        assert_eq!(page.headers.text("content-type").as_deref(), Some("text/html; charset=utf-8"));
        let text = page.text();
        assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{text}");
        for tag in ["<script", "<img", "onerror=alert(1)>", "value=\"\"'"] {
            assert!(!text.contains(tag), "{tag} in {text}");
        }
        let policy = page.headers.text("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        let json = mesh.ask(Request::get(&path).host(FLAGS_HOST)).await;
        assert_eq!(json.headers.text("content-type").as_deref(), Some("application/json"));
        for answer in [&page, &json] {
            assert_eq!(answer.headers.text("x-content-type-options").as_deref(), Some("nosniff"));
            assert_eq!(answer.headers.text("cache-control").as_deref(), Some("no-store"));
            for secret in [e2e::flags::TOKEN, "end-to-end-token", "a-secret-tester", "IN"] {
                assert!(!answer.text().contains(secret), "{secret} in {}", answer.text());
            }
        }
        // a query of any bytes
        for query in
            ["?%", "?%ff=%fe&userId=%", "?=&&=&userId", "?userId=%00%0a", &format!("?userId={}", "a".repeat(20_000))]
        {
            let answer = mesh.ask(Request::get(&format!("/runtime-control/flags{query}")).host(FLAGS_HOST)).await;
            assert_eq!(answer.status, 200, "{query}");
            assert!(answer.json().is_ok(), "{query}");
        }
        for method in ["POST", "PUT", "DELETE"] {
            let answer = mesh.ask(Request::new(method, &path).host(FLAGS_HOST)).await;
            assert_eq!((answer.status, answer.headers.text("allow").as_deref()), (405, Some("GET, HEAD")), "{method}");
        }
        assert_eq!(mesh.ask(Request::new("HEAD", &path).host(FLAGS_HOST)).await.status, 200);
        assert_eq!(mesh.app.connections(), 0, "no application saw any of it");
        mesh.assert_whole().await;
    })
    .await;
}
