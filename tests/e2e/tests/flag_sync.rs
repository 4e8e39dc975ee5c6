//! flag-headers and Unleash: who asks, what is asked, and what is served while Unleash is away, slow or wrong.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use e2e::flags::{FakeUnleash, Mesh, PLUGIN, Setup, TOKEN, at_once, config, features, home, until};
use e2e::with;
use harness::{Ending, Listener, Recorded, Reply, Request, Stats, WasmPlugin, static_cluster};
use serde_json::{Value, json};
use tokio::task::spawn_local;

/// The configuration of the tests with more of `unleash`.
fn unleash(more: Value) -> Value {
    with_unleash(config(), more)
}

fn with_unleash(config: Value, more: Value) -> Value {
    let more = more.as_object().expect("fields").clone();
    more.into_iter().fold(config, |config, (field, value)| with(config, &format!("/unleash/{field}"), value))
}

/// Polls come at every tick of a worker (two a second), also after failures.
fn quick() -> Value {
    unleash(json!({"refresh": "100ms", "timeout": "400ms"}))
}

/// With a flag that only the bootstrap has on.
fn with_bootstrap(config: Value) -> Value {
    let on = json!({"name": "new-ui-enabled", "enabled": true, "strategies": [{"name": "default"}]});
    with(config, "/bootstrap", json!({"version": 2, "features": [on]}))
}

fn polls(stats: &Stats, result: &str) -> u64 {
    stats.counter("runtime_control_flag_headers_polls_total", &[("result", result)])
}

/// The polls among the requests that came since the last call.
fn take_polls(unleash: &FakeUnleash) -> Vec<Recorded> {
    let mut asked = unleash.upstream.take_requests();
    asked.retain(|asked| asked.method == "GET");
    asked
}

fn count(lines: &[String], text: &str) -> usize {
    lines.iter().filter(|line| line.contains(text)).count()
}

/// An address where nobody listens.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

/// Waits until the leader has told of that many polls with a result.
async fn polled(mesh: &Mesh, result: &str, times: u64) -> Stats {
    let name = "runtime_control_flag_headers_polls_total";
    mesh.envoy.wait_for_counter(name, &[("result", result)], times).await.expect("polls")
}

/// Waits until the last failure, as the debug page has it, holds a text.
async fn last_error(mesh: &Mesh, text: &str) -> Value {
    until(text, async || error_of(&mesh.debug("").await).contains(text)).await;
    mesh.debug("").await
}

fn error_of(debug: &Value) -> String {
    debug["unleash"]["last_error"].as_str().unwrap_or_default().to_owned()
}

async fn sees_new_ui(mesh: &Mesh) -> Option<bool> {
    mesh.flag("ada", "x-flag-new-ui-enabled").await.map(|value| value == "true")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_worker_asks_and_all_follow() {
    at_once(|binary| async move {
        let fake = FakeUnleash::start(&features(&["ada"]));
        let config = unleash(json!({"path": "/unleash/api/", "authority": "unleash.example:4242"}));
        let setup = Setup { workers: 4, ..Setup::new(config, Some(fake.upstream.addr())) };
        let mesh = Mesh::start(&binary, &setup).await;
        mesh.serves("live").await;
        let vms = mesh.envoy.admin().counters(r"^wasm\..*created").await.expect("counters");
        let mut clients = Vec::new();
        for _ in 0..32 {
            let mut client = mesh.client().await;
            client.send(&home("bob")).await.expect("an answer");
            clients.push(client);
        }
        let reached = mesh.envoy.admin().counters(r"^listener\.127.*worker_\d\.downstream_cx_total").await;
        assert!(reached.expect("counters").values().filter(|count| **count > 0).count() == 4, "a worker has no client");

        let first = take_polls(&fake);
        tokio::time::sleep(Duration::from_secs(6)).await;
        let polls = take_polls(&fake);
        // a poll comes with a tick, so it is up to half a second late
        assert!((3..=7).contains(&polls.len()), "{} polls in 6 seconds", polls.len());
        polled(&mesh, "not_modified", 3).await;
        let polls: Vec<Recorded> = first.into_iter().chain(polls).collect();
        are_those_of_an_sdk(&polls, mesh.debug("").await["unleash"]["etag"].as_str().expect("an etag"));

        fake.serve(&features(&["ada", "bob"]));
        let flip = Instant::now();
        let mut slowest = Duration::ZERO;
        for client in &mut clients {
            loop {
                mesh.app.take_requests();
                client.send(&home("bob")).await.expect("an answer");
                let seen = mesh.app.take_one().headers;
                assert_eq!(seen.text("x-flags-source").as_deref(), Some("live"));
                if seen.text("x-flag-new-ui-enabled").as_deref() == Some("true") {
                    break;
                }
                assert!(flip.elapsed() < Duration::from_secs(10), "a worker did not follow");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            slowest = slowest.max(flip.elapsed());
        }
        println!("from a flip to the last of 4 workers, asking each second: {slowest:?}");
        let lines = mesh.envoy.logs().lines();
        assert_eq!(count(&lines, r#""leads":true"#), 1, "{lines:#?}");
        assert_eq!(
            vms,
            mesh.envoy.admin().counters(r"^wasm\..*created").await.expect("counters"),
            "a VM was made anew"
        );
        mesh.assert_whole().await;
    })
    .await;
}

/// Unleash makes its `etag` of headers too, so they never change.
fn are_those_of_an_sdk(polls: &[Recorded], etag: &str) {
    let constant = |poll: &Recorded| {
        let mut headers = poll.headers.clone();
        headers.0.retain(|(name, _)| name != b"if-none-match");
        headers
    };
    for (number, poll) in polls.iter().enumerate() {
        let text = |name| poll.headers.text(name).unwrap_or_default();
        assert_eq!(poll.path, "/unleash/api/client/features");
        for (name, value) in [
            ("host", "unleash.example:4242"),
            ("authorization", TOKEN),
            ("accept", "application/json"),
            ("unleash-appname", "devmentor-gateway"),
            ("unleash-instanceid", "harness"),
            ("unleash-interval", "1000"),
        ] {
            assert_eq!(text(name), value, "{name}");
        }
        assert!(text("unleash-sdk").starts_with("runtime-control-flag-headers:"), "{}", text("unleash-sdk"));
        assert!(text("unleash-client-spec").starts_with(['5', '6']), "{}", text("unleash-client-spec"));
        assert_eq!(text("unleash-connection-id").len(), 32);
        assert_eq!(poll.headers.text("if-none-match").as_deref(), (number > 0).then_some(etag));
        assert_eq!(constant(poll), constant(&polls[0]));
    }
}

/// An answer that is none, and what is told of it.
struct Fault {
    name: &'static str,
    reply: fn(&str) -> Reply,
    result: &'static str,
    error: &'static str,
}

const FAULTS: &[Fault] = &[
    Fault {
        name: "late",
        reply: |good| Reply::text(good).delay(Duration::from_millis(900)),
        result: "timeout",
        error: "no answer in time",
    },
    Fault {
        name: "silent",
        reply: |_| Reply::new(200).ending(Ending::Silent),
        result: "timeout",
        error: "no answer in time",
    },
    Fault {
        name: "closed without an answer",
        reply: |_| Reply::new(200).ending(Ending::Refuse),
        result: "unavailable",
        error: "503",
    },
    Fault {
        name: "cut in the body",
        reply: |good| Reply::new(200).piece(&good[..40]).ending(Ending::Cut),
        result: "truncated",
        error: "broke off",
    },
    Fault {
        name: "never ending",
        reply: |good| Reply::new(200).piece(&good[..40]).ending(Ending::Hang),
        result: "truncated",
        error: "broke off",
    },
    Fault {
        name: "401",
        reply: |_| Reply::new(401),
        result: "unauthorized",
        error: "UNLEASH_API_TOKEN is not accepted",
    },
    Fault { name: "403", reply: |_| Reply::new(403), result: "unauthorized", error: "not a backend token" },
    Fault { name: "404", reply: |_| Reply::new(404), result: "status", error: "status 404" },
    Fault { name: "429", reply: |_| Reply::new(429), result: "status", error: "status 429" },
    Fault { name: "500", reply: |_| Reply::new(500).piece("no"), result: "status", error: "status 500" },
    Fault { name: "503", reply: |_| Reply::new(503), result: "unavailable", error: "503" },
    Fault {
        name: "302",
        reply: |_| Reply::new(302).header("location", "http://127.0.0.1:1/"),
        result: "status",
        error: "status 302",
    },
    Fault { name: "204", reply: |_| Reply::new(204), result: "status", error: "status 204" },
    Fault { name: "empty", reply: |_| Reply::text(""), result: "garbage", error: "not the json of flags" },
    Fault {
        name: "bytes",
        reply: |_| Reply::new(200).header("etag", b"\xff\xfe").piece(b"\x00\xff\xfe"),
        result: "garbage",
        error: "not the json of flags",
    },
    Fault {
        name: "half of the json",
        reply: |good| Reply::text(&good[..good.len() / 2]),
        result: "garbage",
        error: "not the json of flags",
    },
    Fault {
        name: "a page",
        reply: |_| Reply::new(200).header("content-type", "text/html").piece("<!doctype html><p>sign in</p>"),
        result: "garbage",
        error: "not the json of flags, at line 1 column 1",
    },
    Fault { name: "an array", reply: |_| Reply::text("[]"), result: "garbage", error: "not the json of flags" },
    Fault { name: "no flags", reply: |_| Reply::text("{}"), result: "garbage", error: "a list named features" },
    Fault {
        name: "flags of the wrong type",
        reply: |_| Reply::text(r#"{"features": {"new-ui-enabled": true}}"#),
        result: "garbage",
        error: "not the json of flags",
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_leaves_the_last_good_flags() {
    at_once(|binary| async move {
        let rows: Vec<_> = FAULTS.chunks(7).map(|faults| spawn_local(survives(binary.clone(), faults))).collect();
        for row in rows {
            row.await.expect("passed");
        }
    })
    .await;
}

async fn survives(binary: PathBuf, faults: &[Fault]) {
    let document = features(&["ada"]);
    let fake = FakeUnleash::start(&document);
    let mesh = Mesh::start(&binary, &Setup::new(quick(), Some(fake.upstream.addr()))).await;
    mesh.serves("live").await;
    for Fault { name, reply, result, error } in faults {
        let (reply, good) = (*reply, document.to_string());
        let mark = mesh.envoy.logs().mark();
        let before = polls(&mesh.envoy.stats().await.expect("stats"), result);
        fake.answer_with(move |_| reply(&good));
        polled(&mesh, result, before + 2).await;
        let debug = last_error(&mesh, error).await;
        assert_eq!(debug["unleash"]["last_poll"], *result, "{name}");
        mesh.serves("stale").await;
        assert_eq!(sees_new_ui(&mesh).await, Some(true), "{name}");
        fake.serve(&document);
        let recovered = |line: &str| line.contains("flags_poll_recovered");
        mesh.envoy.logs().wait_after(mark, recovered).await.expect(name);
        let lines = mesh.envoy.logs().lines_after(mark);
        let failed: Vec<&String> = lines.iter().filter(|line| line.contains("flags_poll_failed")).collect();
        assert_eq!(failed.len(), 1, "{name}: a row of failures is one line: {failed:#?}");
        assert!(failed[0].contains(&format!(r#""result":"{result}""#)), "{name}: {}", failed[0]);
        assert!(failed[0].contains(error), "{name}: {}", failed[0]);
        mesh.serves("live").await;
    }
    assert_eq!(mesh.debug("").await["unleash"]["last_error"], Value::Null);
    mesh.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_answers_are_told_apart() {
    at_once(|binary| async move {
        let fake = FakeUnleash::start(&features(&["ada"]));
        fake.answer_with(|_| Reply::new(304).header("etag", "\"1:2:v1\""));
        let mesh = Mesh::start(&binary, &Setup::new(quick(), Some(fake.upstream.addr()))).await;
        a_304_is_no_answer_to_who_has_nothing(&mesh).await;
        an_answer_needs_no_etag(&mesh, &fake).await;
        one_wrong_definition_harms_no_other_flag(&mesh, &fake).await;
        drop(fake);
        a_server_that_is_gone_leaves_what_it_told(&mesh).await;
        mesh.assert_whole().await;
    })
    .await;
}

async fn a_304_is_no_answer_to_who_has_nothing(mesh: &Mesh) {
    polled(mesh, "garbage", 2).await;
    last_error(mesh, "not modified and was not asked so").await;
    assert_eq!(mesh.flag("ada", "x-flags-source").await.as_deref(), Some("default"));
}

async fn an_answer_needs_no_etag(mesh: &Mesh, fake: &FakeUnleash) {
    let document = features(&["ada"]).to_string();
    fake.answer_with(move |_| Reply::text(&document));
    mesh.serves("live").await;
    polled(mesh, "updated", 3).await;
    assert!(take_polls(fake).iter().all(|poll| !poll.headers.contains("if-none-match")), "there was no etag");
    assert_eq!(sees_new_ui(mesh).await, Some(true));
    let lines = mesh.envoy.logs().lines();
    assert_eq!(count(&lines, "flags_updated"), 1, "the same flags are no news: {lines:#?}");
}

async fn one_wrong_definition_harms_no_other_flag(mesh: &Mesh, fake: &FakeUnleash) {
    let mut document = features(&["ada", "bob"]);
    let list = document["features"].as_array_mut().expect("a list");
    list[1] = json!({"name": "ai-safety-pii", "enabled": "yes", "strategies": 7});
    list.extend([json!(1), json!("text"), json!({}), json!({"name": 3, "enabled": true})]);
    fake.serve(&document);
    until("news", async || mesh.flag("bob", "x-flag-new-ui-enabled").await.as_deref() == Some("true")).await;
    assert_eq!(mesh.flag("ada", "x-flag-ai-safety-pii").await.as_deref(), Some("true"), "its default");
    assert_eq!(mesh.flag("ada", "x-flagpayload-ai-timeout-seconds").await.as_deref(), Some("45"));
    assert_eq!(mesh.flag("ada", "x-flags-source").await.as_deref(), Some("live"));
    let debug = mesh.debug("").await;
    assert_eq!(debug["warnings"][0]["flag"], "ai-safety-pii", "{debug}");
    polled(mesh, "not_modified", 1).await;
    let stats = mesh.envoy.stats().await.expect("stats");
    let name = "runtime_control_flag_headers_definition_warnings";
    let told = |kind| stats.gauge(name, &[("kind", kind)]);
    assert_eq!((told("unreadable"), told("rollout")), (Some(1.0), Some(0.0)));
    let lines = mesh.envoy.logs().lines();
    assert_eq!(count(&lines, r#""event":"flag_definition""#), 1, "{lines:#?}");
    fake.serve(&features(&["ada"]));
    until("the sound one", async || mesh.flag("ada", "x-flag-ai-safety-pii").await.as_deref() == Some("false")).await;
    let none = |stats: &Stats| stats.gauge(name, &[("kind", "unreadable")]) == Some(0.0);
    mesh.envoy.admin().wait_for(name, none).await.expect("none");
}

async fn a_server_that_is_gone_leaves_what_it_told(mesh: &Mesh) {
    polled(mesh, "unavailable", 2).await;
    last_error(mesh, "503: no connection").await;
    mesh.serves("stale").await;
    assert_eq!(sees_new_ui(mesh).await, Some(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_grow_stale_then_give_way_to_defaults_and_come_back() {
    at_once(|binary| async move {
        let document = features(&["ada"]);
        let fake = FakeUnleash::start(&document);
        fake.answer_with(|_| Reply::new(500));
        let config = with_bootstrap(with_unleash(quick(), json!({"maxStale": "2s"})));
        let mesh = Mesh::start(&binary, &Setup::new(config, Some(fake.upstream.addr()))).await;
        polled(&mesh, "status", 2).await;
        assert_eq!(mesh.flag("bob", "x-flags-source").await.as_deref(), Some("bootstrap"));
        assert_eq!(
            mesh.flag("bob", "x-flag-new-ui-enabled").await.as_deref(),
            Some("true"),
            "bootstrap has it for all"
        );
        assert_eq!(mesh.flag("bob", "x-flag-ai-safety-pii").await.as_deref(), Some("true"), "and not this one");
        for _ in 0..2 {
            fake.serve(&document);
            mesh.serves("live").await;
            assert_eq!(mesh.flag("bob", "x-flag-new-ui-enabled").await.as_deref(), Some("false"));
            assert_eq!(mesh.flag("bob", "x-flag-ai-safety-pii").await.as_deref(), Some("false"));
            assert_eq!(sees_new_ui(&mesh).await, Some(true));
            let away = Instant::now();
            fake.answer_with(|_| Reply::new(500));
            mesh.serves("stale").await;
            assert_eq!(sees_new_ui(&mesh).await, Some(true));
            mesh.serves("default").await;
            assert!(away.elapsed() > Duration::from_millis(1500), "stale for {:?} only", away.elapsed());
            assert_eq!(sees_new_ui(&mesh).await, Some(false));
            assert_eq!(mesh.flag("ada", "x-flag-ai-safety-pii").await.as_deref(), Some("true"));
        }
        mesh.assert_whole().await;
    })
    .await;
}

/// What is told, and what is served with and without a bootstrap, where nobody can be asked; never flags of another Unleash.
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_cannot_ask_says_so_and_serves_what_it_has() {
    at_once(|binary| async move {
        let fake = FakeUnleash::start(&features(&["ada"]));
        let silent = TcpListener::bind("127.0.0.1:0").expect("a port that never answers");
        let empty = json!({"name": "empty", "type": "STATIC", "load_assignment": {"cluster_name": "empty"}});
        let silent_cluster = static_cluster("silent", silent.local_addr().expect("an address"));
        let clusters = vec![empty, silent_cluster, static_cluster("closed", nobody())];
        let setup = Setup { clusters, ..Setup::new(quick(), Some(fake.upstream.addr())) };
        let mesh = Mesh::start(&binary, &setup).await;
        mesh.serves("live").await;
        let document = features(&["ada"]).to_string();
        fake.answer_with(move |asked| match asked.headers.contains("authorization") {
            true => Reply::text(&document),
            false => Reply::new(401),
        });
        let cases = [
            (
                json!({"cluster": "outbound|1||nowhere"}),
                "no_cluster",
                "cluster outbound|1||nowhere is not known to this proxy",
            ),
            (json!({"cluster": "empty"}), "refused", "cluster empty has no hosts"),
            (json!({"cluster": "closed"}), "unavailable", "503: no connection"),
            (json!({"cluster": "silent"}), "timeout", "no answer in time"),
            (json!({"tokenEnv": "NO_SUCH_TOKEN"}), "unauthorized", "NO_SUCH_TOKEN is not set"),
        ];
        for (change, result, error) in cases {
            let mark = mesh.envoy.logs().mark();
            let asking = with_unleash(quick(), change);
            mesh.configure(asking.clone()).await;
            assert_eq!(mesh.flag("ada", "x-flags-source").await.as_deref(), Some("default"));
            assert_eq!(sees_new_ui(&mesh).await, Some(false));
            polled(&mesh, result, 2).await;
            let debug = last_error(&mesh, error).await;
            assert_eq!(debug["unleash"]["last_poll"], result);
            let lines = mesh.envoy.logs().lines_after(mark);
            let failed: Vec<&String> = lines.iter().filter(|line| line.contains("flags_poll_failed")).collect();
            assert!(failed.len() == 1 && failed[0].contains(error) && failed[0].contains(result), "{failed:#?}");
            mesh.configure(with_bootstrap(asking)).await;
            assert_eq!(mesh.flag("ada", "x-flags-source").await.as_deref(), Some("bootstrap"));
            assert_eq!(sees_new_ui(&mesh).await, Some(true));
        }
        mesh.configure(quick()).await;
        mesh.serves("live").await;
        assert_eq!(sees_new_ui(&mesh).await, Some(true));
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_fails_is_asked_less_and_less_often() {
    const REFRESH: f64 = 0.2;
    at_once(|binary| async move {
        let fake = FakeUnleash::start(&features(&["ada"]));
        let times: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let noted = Arc::clone(&times);
        fake.answer_with(move |_| {
            let mut times = noted.lock().expect("no test panicked with it");
            times.push(Instant::now());
            // a server that is down and one that says so are the same
            if times.len().is_multiple_of(2) { Reply::new(500) } else { Reply::new(500).ending(Ending::Refuse) }
        });
        let config = unleash(json!({"refresh": "200ms", "timeout": "1s"}));
        let setup = Setup { workers: 2, ..Setup::new(config, Some(fake.upstream.addr())) };
        let mesh = Mesh::start(&binary, &setup).await;
        let taken = || times.lock().expect("no test panicked with it").clone();
        let begun = Instant::now();
        while taken().len() < 12 && begun.elapsed() < Duration::from_secs(70) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let gaps: Vec<f64> = taken().windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
        println!("seconds between polls of a server that fails, at one each {REFRESH} s: {gaps:.2?}");
        assert!(gaps.len() >= 11, "{gaps:?}");
        for (failures, gap) in (1_u8..).zip(&gaps) {
            let pause = REFRESH * f64::from((failures + 1).min(10));
            // a tenth by chance, and the next tick of a machine that is busy
            assert!((pause * 0.89..pause * 1.11 + 0.8).contains(gap), "after {failures} failures {gap}: {gaps:.2?}");
        }
        fake.serve(&features(&["ada"]));
        mesh.serves("live").await;
        mesh.assert_whole().await;
    })
    .await;
}

/// A configuration as a whole is replaced while its polls go on: who leads gives way, and nobody asks twice.
#[tokio::test(flavor = "multi_thread")]
async fn an_update_hands_the_lead_over_and_asks_for_new_flags_at_once() {
    at_once(|binary| async move {
        let mut document = features(&["ada"]);
        let new = json!({"name": "new-flag", "enabled": true, "strategies": [{"name": "default"}]});
        document["features"].as_array_mut().expect("a list").push(new);
        let fake = FakeUnleash::start(&document);
        let setup = Setup { workers: 2, ..Setup::new(unleash(json!({"refresh": "20s"})), Some(fake.upstream.addr())) };
        let mesh = Mesh::start(&binary, &setup).await;
        mesh.serves("live").await;
        take_polls(&fake);

        // the same flags: nothing to ask for
        mesh.configure(with(unleash(json!({"refresh": "20s"})), "/headers", json!({"all": "x-feature-flags"}))).await;
        assert_eq!(mesh.flag("ada", "x-flags-source").await.as_deref(), Some("live"), "no gap at an update");
        assert_eq!(sees_new_ui(&mesh).await, Some(true));
        let leads = |line: &str| line.contains(r#""leads":true"#);
        until("a leader of the new configuration", async || {
            mesh.envoy.logs().lines().iter().filter(|line| leads(line)).count() >= 2
        })
        .await;
        assert_eq!(take_polls(&fake).len(), 0, "the same flags are not asked for again");

        // one more: asked at once, whatever the interval, and without the etag; the others are served meanwhile
        let held = document.to_string();
        fake.answer_with(move |_| Reply::text(&held).header("etag", "\"1:9:v1\"").delay(Duration::from_millis(500)));
        let more = with(unleash(json!({"refresh": "20s"})), "/flags/-", json!({"name": "new-flag"}));
        mesh.configure(more).await;
        let began = Instant::now();
        let first = mesh.seen(home("ada")).await;
        assert_eq!(first.text("x-flags-source").as_deref(), Some("live"));
        assert_eq!(first.text("x-flag-new-ui-enabled").as_deref(), Some("true"));
        assert_eq!(first.text("x-flag-new-flag").as_deref(), Some("false"), "its default until it is known");
        until("the new flag", async || {
            let seen = mesh.seen(home("ada")).await;
            assert_eq!(seen.text("x-flags-source").as_deref(), Some("live"));
            assert_eq!(seen.text("x-flag-new-ui-enabled").as_deref(), Some("true"));
            seen.text("x-flag-new-flag").as_deref() == Some("true")
        })
        .await;
        println!("from an update to the value of a newly exposed flag, answered in 0.5 s: {:?}", began.elapsed());
        assert!(began.elapsed() < Duration::from_secs(5));
        let asked = take_polls(&fake);
        assert_eq!(asked.len(), 1);
        assert!(!asked[0].headers.contains("if-none-match"), "the etag is that of other flags");
        mesh.assert_whole().await;
    })
    .await;
}

/// A stream that began under a former configuration keeps that one's root context ticking for as long as it lives.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_stream_of_before_holds_no_news_back() {
    at_once(|binary| async move {
        let mut document = features(&["ada"]);
        let fake = FakeUnleash::start(&document);
        let mesh = Mesh::start(&binary, &Setup::new(config(), Some(fake.upstream.addr()))).await;
        mesh.serves("live").await;
        mesh.app.respond(|asked| match asked.path.as_str() {
            "/stream" => Reply::new(200).piece("data: 1\n\n").ending(Ending::Hang),
            _ => Reply::text("app"),
        });
        let mut streams = Vec::new();
        // whether the worker of the streams leads is up to chance
        for round in 0..3 {
            let mut client = mesh.client().await;
            client.start(&Request::get("/stream").host("devmentor.local")).await.expect("a stream");
            streams.push(client);
            mesh.app.take_requests();
            let name = format!("flag-{round}");
            let new = json!({"name": name, "enabled": true, "strategies": [{"name": "default"}]});
            document["features"].as_array_mut().expect("a list").push(new);
            fake.serve(&document);
            mesh.configure(with(config(), "/flags/-", json!({"name": name}))).await;
            let began = Instant::now();
            let header = format!("x-flag-{name}");
            until(&name, async || mesh.flag("ada", &header).await.as_deref() == Some("true")).await;
            assert!(began.elapsed() < Duration::from_secs(4), "{name} took {:?}", began.elapsed());
        }
        // and nobody takes it back
        take_polls(&fake);
        fake.upstream.wait_for(fake.upstream.count() + 3).await.expect("polls");
        assert_eq!(mesh.flag("ada", "x-flag-flag-2").await.as_deref(), Some("true"));
        assert!(take_polls(&fake).iter().all(|poll| poll.headers.contains("if-none-match")), "two ask in turns");
        // back to a configuration under which a stream began: its root context serves again and is not told so
        mesh.configure(config()).await;
        assert!(mesh.flag("ada", "x-flag-flag-2").await.is_none());
        drop(streams);
        fake.serve(&features(&["ada", "bob"]));
        until("news", async || mesh.flag("bob", "x-flag-new-ui-enabled").await.as_deref() == Some("true")).await;
        fake.upstream.wait_for(fake.upstream.count() + 2).await.expect("polls");
        assert_eq!(mesh.flag("bob", "x-flags-source").await.as_deref(), Some("live"));
        mesh.assert_whole().await;
    })
    .await;
}

/// A worker that leads and is gone leaves a lease that nobody renews. Here a stranger leaves it: another module, which
/// writes it into the shared data of all VMs without an id.
#[tokio::test(flavor = "multi_thread")]
async fn who_leads_and_is_gone_is_followed_by_another() {
    fn stranger() -> PathBuf {
        std::env::temp_dir().join(format!("flag-sync-stranger-{}.wasm", std::process::id()))
    }
    fn beside(listener: Listener) -> Listener {
        listener.wasm(&WasmPlugin::new("istio-system.stranger", stranger()))
    }
    std::fs::write(stranger(), writer("nothing", "")).expect("a file");
    at_once(|binary| async move {
        let fake = FakeUnleash::start(&features(&["ada"]));
        let mut setup = Setup::new(config(), Some(fake.upstream.addr()));
        (setup.workers, setup.listener) = (3, beside);
        let mesh = Mesh::start(&binary, &setup).await;
        mesh.serves("live").await;
        let mark = mesh.envoy.logs().mark();
        let died = SystemTime::now();
        let end = died + Duration::from_millis(1900);
        let ends = end.duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
        let lease = format!("runtime_control/{PLUGIN}/1/leader");
        let file = mesh.envoy.dir().join("stranger.wasm");
        std::fs::write(&file, writer(&lease, &format!("00000000000000ab {ends}"))).expect("a file");
        let replaced = mesh.envoy.replace_plugin(WasmPlugin::new("istio-system.stranger", file)).await;
        replaced.expect("an update").accepted().expect("taken");
        let logs = mesh.envoy.logs();
        logs.wait_after(mark, |line| line.contains(r#""leads":false"#)).await.expect("the lease is not ours");
        take_polls(&fake);
        logs.wait_after(mark, |line| line.contains(r#""leads":true"#)).await.expect("another leads");
        let taken = SystemTime::now();
        let after = taken.duration_since(died).expect("later");
        println!("from the leader's last sign of life to the next one: {after:?}");
        assert!(taken >= end, "before the lease ended: {after:?}");
        assert!(after < Duration::from_secs(4), "two intervals are 2 s, and the lease ends after 1.9: {after:?}");
        fake.serve(&features(&["ada", "bob"]));
        until("news", async || mesh.flag("bob", "x-flag-new-ui-enabled").await.as_deref() == Some("true")).await;
        assert_eq!(count(&logs.lines_after(mark), r#""leads":true"#), 1, "one leads");
        mesh.assert_whole().await;
    })
    .await;
    let _gone = std::fs::remove_file(stranger());
}

/// A module that puts a value into shared data when it is configured, and does nothing else.
fn writer(key: &str, value: &str) -> Vec<u8> {
    fn number(mut number: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let low = (number & 0x7f) as u8;
            number >>= 7;
            bytes.push(if number == 0 { low } else { low | 0x80 });
            if number == 0 {
                return bytes;
            }
        }
    }
    // a signed number: its seventh bit must not read as a sign
    fn constant(value: usize) -> Vec<u8> {
        let padded = [(value & 0x7f) as u8 | 0x80, (value >> 7 & 0x7f) as u8 | 0x80, (value >> 14) as u8];
        [&[0x41][..], &padded].concat()
    }
    fn vector(items: &[Vec<u8>]) -> Vec<u8> {
        [number(items.len()), items.concat()].concat()
    }
    fn sized(bytes: &[u8]) -> Vec<u8> {
        [number(bytes.len()), bytes.to_vec()].concat()
    }
    fn section(id: u8, items: &[Vec<u8>]) -> Vec<u8> {
        [vec![id], sized(&vector(items))].concat()
    }
    let function = |parameters: usize, results: usize| {
        [vec![0x60], number(parameters), vec![0x7f; parameters], number(results), vec![0x7f; results]].concat()
    };
    let export = |name: &str, kind: u8, index: u8| [sized(name.as_bytes()), vec![kind, index]].concat();
    let body = |code: &[u8]| sized(&[&[0][..], code, &[0x0b]].concat());
    let put = [[0, key.len(), key.len(), value.len(), 0].map(constant).concat(), vec![0x10, 0, 0x1a], constant(1)];
    [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &[function(5, 1), function(1, 1), function(2, 1), function(0, 0)]),
        section(2, &[[sized(b"env"), sized(b"proxy_set_shared_data"), vec![0, 0]].concat()]),
        section(3, &[vec![1], vec![2], vec![3]]),
        section(5, &[vec![0, 1]]),
        section(
            7,
            &[
                export("memory", 2, 0),
                export("malloc", 0, 1),
                export("proxy_on_configure", 0, 2),
                export("proxy_abi_version_0_2_1", 0, 3),
            ],
        ),
        section(10, &[body(&constant(4096)), body(&put.concat()), body(&[])]),
        section(11, &[[vec![0], constant(0), vec![0x0b], sized(format!("{key}{value}").as_bytes())].concat()]),
    ]
    .concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_plugins_do_not_disturb_each_other() {
    fn second(listener: Listener) -> Listener {
        let theirs = json!({
            "unleash": {"cluster": "theirs", "appName": "theirs", "refresh": "100ms", "timeout": "400ms"},
            "flags": [{"name": "their-flag"}], "headers": {"source": false},
            "debug": {"hosts": ["theirs.runtime-control.local"]},
        });
        let mut plugin = e2e::flags::plugin(theirs);
        plugin.name = "team.flag-headers".to_owned();
        plugin.root_id = Some(plugin.name.clone());
        listener.wasm(&plugin)
    }
    at_once(|binary| async move {
        let ours = FakeUnleash::start(&features(&["ada"]));
        let on = json!({"name": "their-flag", "enabled": true, "strategies": [{"name": "default"}]});
        let theirs = FakeUnleash::start(&json!({"version": 2, "features": [on]}));
        let setup = Setup {
            listener: second,
            clusters: vec![static_cluster("theirs", theirs.upstream.addr())],
            ..Setup::new(quick(), Some(ours.upstream.addr()))
        };
        let mesh = Mesh::start(&binary, &setup).await;
        let debug = async || {
            let request = Request::get("/runtime-control/flags").host("theirs.runtime-control.local");
            mesh.ask(request).await.json().expect("json")
        };
        until("live", async || mesh.debug("").await["source"] == "live" && debug().await["source"] == "live").await;
        theirs.answer_with(|_| Reply::new(500));
        until("stale", async || debug().await["source"] == "stale").await;
        let seen = mesh.seen(home("ada")).await;
        let text = |name| seen.text(name);
        assert_eq!(text("x-flag-new-ui-enabled").as_deref(), Some("true"));
        assert_eq!(text("x-flag-their-flag").as_deref(), Some("true"));
        assert_eq!(mesh.debug("").await["source"], "live");
        assert!(
            take_polls(&theirs).iter().all(|poll| poll.headers.text("unleash-appname").as_deref() == Some("theirs"))
        );
        mesh.configure(with(quick(), "/mode", json!("report"))).await;
        assert_eq!(mesh.flag("ada", "x-flag-their-flag").await.as_deref(), Some("true"));
        assert_eq!(debug().await["source"], "stale");
        mesh.assert_whole().await;
    })
    .await;
}

fn rss(mesh: &Mesh) -> u64 {
    mesh.envoy.usage().expect("linux").rss >> 20
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_far_too_long_changes_nothing() {
    at_once(|binary| async move {
        let fake = FakeUnleash::start(&features(&["ada"]));
        let config = unleash(json!({"refresh": "100ms", "timeout": "5s"}));
        let mesh = Mesh::start(&binary, &Setup::new(config, Some(fake.upstream.addr()))).await;
        mesh.serves("live").await;
        let began = rss(&mesh);
        for (size, result) in [(17, "too_large"), (50, "truncated")] {
            let before = polls(&mesh.envoy.stats().await.expect("stats"), result);
            let mut document = features(&[]).to_string().into_bytes();
            document.resize(size << 20, b' ');
            fake.answer_with(move |_| Reply::new(200).header("etag", "\"x\"").piece(&document));
            polled(&mesh, result, before + 3).await;
            let error = error_of(&mesh.debug("").await);
            println!("answers of {size} MB, three: {began} MB resident before, {} MB after; {error}", rss(&mesh));
            mesh.serves("stale").await;
            assert_eq!(sees_new_ui(&mesh).await, Some(true));
        }
        fake.serve(&features(&["ada"]));
        mesh.serves("live").await;
        // what a worker's VM has taken it keeps; Envoy's own buffers go
        until("the memory", async || rss(&mesh) < began + 100).await;
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_project_costs_a_proxy_what_it_exposes() {
    let document = project(5000);
    let size = document.to_string().len();
    let fake = FakeUnleash::start(&document);
    let addr = fake.upstream.addr();
    at_once(|binary| async move {
        let names = ["flag-17", "flag-2500", "flag-4999"];
        let flags: Vec<Value> = names.iter().map(|name| json!({"name": name, "variant": true})).collect();
        let mesh = Mesh::start(&binary, &Setup::new(with(config(), "/flags", json!(flags)), Some(addr))).await;
        mesh.serves("live").await;
        for name in names {
            assert_eq!(mesh.flag("user-7", &format!("x-flag-{name}")).await.as_deref(), Some("true"), "{name}");
            let other = mesh.flag("user-1000", &format!("x-flag-{name}")).await;
            assert_eq!(other.as_deref(), Some("false"), "{name}");
        }
        let stats = mesh.envoy.stats().await.expect("stats");
        let held = |step| {
            let name = "runtime_control_flag_headers_update_hold_microseconds";
            stats.gauge(name, &[("step", step)]).expect("told") / 1000.0
        };
        println!(
            "{size} bytes with 5000 flags, 3 of them exposed: select {} ms, compile {} ms",
            held("select"),
            held("compile")
        );
        assert!(held("select") < 400.0 && held("compile") < 200.0);
        mesh.assert_whole().await;
    })
    .await;
}

/// Flags as a grown project has them: a rollout, two constraints, variants, descriptions.
fn project(count: usize) -> Value {
    let flag = |n: usize| {
        let users: Vec<String> = (0..20).map(|user| format!("user-{user}")).collect();
        json!({
            "name": format!("flag-{n}"), "type": "release", "description": "One of many flags of a project that has grown",
            "enabled": true, "stale": false, "impressionData": false, "project": "default",
            "strategies": [{
                "name": "flexibleRollout",
                "constraints": [
                    {"contextName": "userId", "operator": "IN", "values": users, "inverted": false, "caseInsensitive": false},
                    {"contextName": "environment", "operator": "NOT_IN", "values": ["production"]},
                ],
                "parameters": {"rollout": "100", "stickiness": "default", "groupId": format!("flag-{n}")},
                "variants": [],
            }],
            "variants": [{"name": "blue", "weight": 500, "stickiness": "default"}, {"name": "red", "weight": 500, "stickiness": "default"}],
        })
    };
    json!({"version": 2, "features": (0..count).map(flag).collect::<Vec<_>>(), "segments": []})
}
