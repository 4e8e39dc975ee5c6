//! flag-headers while its configuration changes, breaks and is mended, and what it tells of that by metrics and log.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use e2e::flags::{FakeUnleash, Mesh, Setup, bootstrapped, config, each, features, home, plugin};
use e2e::with;
use harness::{H2Client, RawClient, Reply, Stats, TIMEOUT};
use serde_json::{Value, json};

const INFO: &str = "runtime_control_flag_headers_config_info";
const ERRORS: &str = "runtime_control_flag_headers_config_errors";
const UNKNOWN: &str = "runtime_control_flag_headers_config_unknown_fields";
const EVALUATIONS: &str = "runtime_control_flag_headers_evaluations_total";
const SERVED: &str = "runtime_control_flag_headers_served_total";
const SERVING: &str = "runtime_control_flag_headers_serving";

/// A flag that is on for everybody.
fn on(name: &str) -> Value {
    json!({"name": name, "enabled": true, "strategies": [{"name": "default"}]})
}

/// Bootstrap alone, with these flags on and these exposed.
fn exposing(known: &[&str], exposed: Value) -> Value {
    let known: Vec<Value> = known.iter().map(|name| on(name)).collect();
    with(bootstrapped(json!({"version": 2, "features": known})), "/flags", exposed)
}

/// The values of flags, `-` for one without a header, and where they come from.
async fn values(mesh: &Mesh, flags: &[&str]) -> String {
    let seen = mesh.seen(home("ada")).await;
    let names = flags.iter().map(|flag| format!("x-flag-{flag}")).chain(["x-flags-source".to_owned()]);
    names.map(|name| seen.text(&name).unwrap_or_else(|| "-".to_owned())).collect::<Vec<_>>().join(" ")
}

/// The state of the one configuration that is told to run.
fn state(stats: &Stats) -> String {
    let mut running = stats.samples.iter().filter(|sample| sample.name == INFO && sample.value > 0.0);
    let state = running.next().map(|sample| sample.labels["state"].clone());
    assert_eq!(running.next(), None, "just one configuration runs");
    state.unwrap_or_default()
}

async fn state_of(mesh: &Mesh) -> String {
    state(&mesh.envoy.stats().await.unwrap())
}

/// Waits until something holds.
async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let holding = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(TIMEOUT, holding).await.unwrap_or_else(|_| panic!("never {what}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_later_configuration_leaves_the_last_good_one_at_work() {
    let unleash = FakeUnleash::start(&features(&["ada"]));
    let setup = Setup { workers: 2, ..Setup::new(config(), Some(unleash.upstream.addr())) };
    each(setup, async |mesh: Mesh| {
        mesh.serves("live").await;
        let flags = ["new-ui-enabled", "ai-safety-pii", "ai-timeout-seconds"];
        for garbage in ["{", "[]", "nonsense", "\"text\""] {
            mesh.configure(garbage).await;
            assert_eq!(values(&mesh, &flags).await, "true false true live", "{garbage}");
            assert_eq!(state_of(&mesh).await, "last_good", "{garbage}");
            assert_eq!(mesh.ofrep("new-ui-enabled", json!({"userId": "ada"})).await.json().unwrap()["value"], true);
        }
        // and they stay live: Unleash goes on to be asked
        unleash.serve(&features(&["bob"]));
        let flipped = "false false true live";
        until(flipped, async || values(&mesh, &flags).await == flipped).await;
        unleash.serve(&features(&["ada"]));
        mesh.configure(with(config(), "/flags", json!([{"name": "new-ui-enabled"}]))).await;
        assert_eq!(state_of(&mesh).await, "ok");
        assert!(values(&mesh, &flags).await.ends_with("- - live"), "later updates are taken");
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_first_configuration_stops_nothing_and_is_mended_by_the_next() {
    let good = exposing(&["a"], json!([{"name": "a"}]));
    each(Setup::new("{", None), async |mesh: Mesh| {
        assert_eq!(values(&mesh, &["a"]).await, "- -");
        assert_eq!(state_of(&mesh).await, "safe");
        mesh.configure(good.clone()).await;
        assert_eq!(values(&mesh, &["a"]).await, "true bootstrap");
        assert_eq!(state_of(&mesh).await, "ok");
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_flag_among_good_ones_keeps_its_last_good_form() {
    let good = exposing(&["a", "b", "c"], json!([{"name": "a", "variant": true}, {"name": "b"}]));
    // a was good once, c never was, b changes
    let exposed = json!([
        {"name": "a", "variant": "yes"},
        {"name": "b", "variant": true},
        {"name": "c", "payload": {"type": "date"}},
    ]);
    let bad = exposing(&["a", "b", "c"], exposed);
    each(Setup::new(good, None), async |mesh: Mesh| {
        mesh.configure(bad.clone()).await;
        let check = async || {
            assert_eq!(values(&mesh, &["a", "b", "c"]).await, "true true - bootstrap");
            let seen = mesh.seen(home("ada").header("x-flag-c", "forged")).await;
            assert_eq!(seen.text("x-flagvariant-a").as_deref(), Some("disabled"), "the bad one, as it was");
            assert_eq!(seen.text("x-flagvariant-b").as_deref(), Some("disabled"), "the good one, as it is now");
            assert!(!seen.contains("x-flag-c"), "one that never was good is owned, and not set");
            let stats = mesh.envoy.stats().await.unwrap();
            assert_eq!((state(&stats).as_str(), stats.gauge(ERRORS, &[])), ("partial", Some(2.0)));
        };
        check().await;
        let line = mesh.envoy.logs().wait(|line| line.contains("\"state\":\"partial\"")).await.unwrap();
        for part in ["flags[0].variant: ", "flags[2].payload.type: "] {
            assert!(line.contains(part), "{part} in {line}");
        }
        // what was kept survives the VM: another environment makes a new one
        let renewed = mesh.envoy.replace_plugin(plugin(bad.clone()).env("RENEWED", "1")).await.unwrap();
        renewed.accepted().unwrap();
        check().await;
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_settings_keep_the_last_good_ones_and_flags_go_on() {
    let good = exposing(&["a", "b"], json!([{"name": "a"}]));
    let both = with(good.clone(), "/flags", json!([{"name": "a"}, {"name": "b"}]));
    let broken = [
        with(both.clone(), "/mode", json!("enforced")),
        with(both.clone(), "/identity", json!([{"header": "x y"}])),
        with(both.clone(), "/ofrep", json!({"hosts": ["*"]})),
        with(both.clone(), "/headers", json!({"all": 7})),
    ];
    each(Setup::new(good.clone(), None), async |mesh: Mesh| {
        for bad in &broken {
            mesh.configure(good.clone()).await;
            assert_eq!(values(&mesh, &["a", "b"]).await, "true - bootstrap");
            mesh.configure(bad.clone()).await;
            assert_eq!(values(&mesh, &["a", "b"]).await, "true true bootstrap", "{bad}");
            assert_eq!(state_of(&mesh).await, "partial", "{bad}");
            assert_eq!(mesh.ofrep("b", json!({})).await.json().unwrap()["value"], true, "{bad}");
        }
        mesh.configure(with(good.clone(), "/mode", json!("off"))).await;
        assert_eq!(values(&mesh, &["a", "b"]).await, "- - -", "later updates are taken");
        assert_eq!(state_of(&mesh).await, "ok");
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_bootstrap_keeps_the_last_good_one() {
    let good = exposing(&["a"], json!([{"name": "a"}]));
    each(Setup::new(good.clone(), None), async |mesh: Mesh| {
        for broken in [json!({}), json!([]), json!("features"), json!({"features": {"a": true}})] {
            let bad = with(with(good.clone(), "/bootstrap", broken.clone()), "/flags/-", json!({"name": "new"}));
            mesh.configure(bad).await;
            assert_eq!(values(&mesh, &["a", "new"]).await, "true false bootstrap", "{broken}");
            assert_eq!(state_of(&mesh).await, "partial", "{broken}");
        }
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_field_is_a_warning_and_a_metric() {
    let config =
        with(with(exposing(&["a"], json!([{"name": "a"}])), "/flags/0/newField", json!(1)), "/newer", json!({}));
    each(Setup::new(config, None), async |mesh: Mesh| {
        assert_eq!(values(&mesh, &["a"]).await, "true bootstrap");
        let stats = mesh.envoy.stats().await.unwrap();
        assert_eq!((state(&stats).as_str(), stats.gauge(UNKNOWN, &[])), ("ok", Some(2.0)));
        let line = mesh.envoy.logs().wait(|line| line.contains("config_loaded")).await.unwrap();
        for part in ["flags[0].newField: unknown field", "newer: unknown field"] {
            assert!(line.contains(part), "{part} in {line}");
        }
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_that_runs_is_told_by_a_gauge() {
    let config = |flags: Value| exposing(&["a", "b"], flags);
    each(Setup::new(config(json!([{"name": "a"}])), None), async |mesh: Mesh| {
        let running = async || {
            let stats = mesh.envoy.stats().await.unwrap();
            assert_eq!(state(&stats), "ok");
            let sample = stats.samples.iter().find(|sample| sample.name == INFO && sample.value > 0.0).unwrap();
            assert_eq!(sample.value, 1.0, "{sample}");
            let hash = sample.labels["hash"].clone();
            assert_eq!(mesh.debug("").await["configuration"], hash, "what is told is what answers");
            (hash, sample.labels["version"].clone())
        };
        let first = running().await;
        assert_eq!(first.0.len(), 16, "{first:?}");
        mesh.configure(config(json!([{"name": "b"}]))).await;
        let second = running().await;
        assert_ne!(first.0, second.0);
        assert_eq!(first.1, second.1);
        mesh.configure(config(json!([{"name": "a"}]))).await;
        assert_eq!(running().await, first, "the same configuration has the same name");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newly_exposed_flag_is_live_soon_and_the_others_stay_so() {
    let document = |late: bool| {
        let mut document = features(&["ada"]);
        document["features"].as_array_mut().unwrap().push(if late { on("late") } else { on("other") });
        document
    };
    let unleash = FakeUnleash::start(&document(true));
    // so long between polls that the update itself has to ask
    let config = with(config(), "/unleash/refresh", json!("1h"));
    let with_late = with(config.clone(), "/flags/-", json!({"name": "late"}));
    let setup = Setup { workers: 2, ..Setup::new(config.clone(), Some(unleash.upstream.addr())) };
    each(setup, async |mesh: Mesh| {
        mesh.serves("live").await;
        let stop = Arc::new(AtomicBool::new(false));
        let (asking, addr) = (Arc::clone(&stop), mesh.envoy.addr("main"));
        mesh.app.respond(|asked| {
            let header = |name: &str| asked.headers.text(name).unwrap_or_else(|| "-".to_owned());
            let names = ["x-flag-new-ui-enabled", "x-flagpayload-ai-timeout-seconds", "x-flags-source", "x-flag-late"];
            Reply::text(&names.map(header).join(" "))
        });
        mesh.app.record(false);
        let (begun, begin) = tokio::sync::oneshot::channel();
        let client = tokio::spawn(async move {
            let mut client = RawClient::connect(addr).await.unwrap();
            // its worker may look for news a little later than the one that was asked before
            while client.send(&home("ada")).await.unwrap().text() != "true 45 live -" {}
            begun.send(()).unwrap();
            let mut told: Vec<String> = Vec::new();
            while !asking.load(Ordering::Relaxed) {
                let answer = client.send(&home("ada")).await.unwrap();
                assert_eq!(answer.status, 200);
                if told.last() != Some(&answer.text()) {
                    told.push(answer.text());
                }
            }
            told
        });
        begin.await.unwrap();
        mesh.configure(with_late.clone()).await;
        let h2 = H2Client::connect(mesh.envoy.addr("main")).await.unwrap();
        let told = async |expected: &str| {
            until(expected, async || h2.send(&home("ada")).await.unwrap().text() == expected).await;
        };
        told("true 45 live true").await;
        mesh.configure(config.clone()).await;
        told("true 45 live -").await;
        stop.store(true, Ordering::Relaxed);
        for told in client.await.unwrap() {
            assert!(told.starts_with("true 45 live "), "a gap: {told}");
        }
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_unleash_the_bootstrap_is_served_and_with_it_again_what_it_told() {
    let unleash = FakeUnleash::start(&features(&["ada"]));
    let with_unleash = with(config(), "/bootstrap", features(&["bob"]));
    let mut without = with_unleash.clone();
    without.as_object_mut().unwrap().remove("unleash");
    each(Setup::new(with_unleash.clone(), Some(unleash.upstream.addr())), async |mesh: Mesh| {
        mesh.serves("live").await;
        assert_eq!(values(&mesh, &["new-ui-enabled"]).await, "true live");
        let serving = async |source: &str| {
            let is = |stats: &Stats| {
                let told = |of: &str| stats.gauge(SERVING, &[("source", of)]).unwrap_or(0.0);
                ["live", "stale", "bootstrap", "default"].iter().all(|of| (told(of) == 1.0) == (*of == source))
            };
            mesh.envoy.admin().wait_for(SERVING, is).await.unwrap();
        };
        serving("live").await;

        mesh.configure(without.clone()).await;
        assert_eq!(values(&mesh, &["new-ui-enabled"]).await, "false bootstrap");
        assert_eq!(mesh.debug("").await["unleash"], Value::Null);
        serving("bootstrap").await;
        // as long as counts take to be told three times, nobody asks
        let asked = unleash.upstream.count();
        let told = mesh.envoy.stats().await.unwrap().counter(SERVED, &[("source", "bootstrap")]);
        for more in 1..=3 {
            mesh.seen(home("ada")).await;
            mesh.envoy.wait_for_counter(SERVED, &[("source", "bootstrap")], told + more).await.unwrap();
        }
        assert!(unleash.upstream.count() <= asked + 1, "no more than what was on its way");

        mesh.configure(with(without.clone(), "/bootstrap", Value::Null)).await;
        assert_eq!(values(&mesh, &["new-ui-enabled"]).await, "false default");
        serving("default").await;

        mesh.configure(with_unleash.clone()).await;
        let back = values(&mesh, &["new-ui-enabled"]).await;
        assert!(["true live", "true stale"].contains(&back.as_str()), "what it told is still there: {back}");
        mesh.serves("live").await;
        serving("live").await;
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_of_a_former_unleash_are_never_served_for_those_of_another() {
    let unleash = FakeUnleash::start(&features(&["ada"]));
    each(Setup::new(config(), Some(unleash.upstream.addr())), async |mesh: Mesh| {
        unleash.serve(&features(&["ada"]));
        mesh.serves("live").await;
        let other = features(&["bob"]).to_string();
        let (silent, answers) = (Arc::new(AtomicBool::new(true)), Reply::text(&other));
        let gate = Arc::clone(&silent);
        unleash.answer_with(move |asked| match asked.path.starts_with("/other/") {
            true if !gate.load(Ordering::Relaxed) => answers.clone().header("content-type", "application/json"),
            _ => Reply::new(503),
        });
        mesh.configure(with(config(), "/unleash/path", json!("/other"))).await;
        assert_eq!(values(&mesh, &["new-ui-enabled", "ai-safety-pii"]).await, "false true default");
        silent.store(false, Ordering::Relaxed);
        mesh.serves("live").await;
        assert_eq!(mesh.flag("bob", "x-flag-new-ui-enabled").await.as_deref(), Some("true"));
        assert_eq!(mesh.flag("ada", "x-flag-new-ui-enabled").await.as_deref(), Some("false"));
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_under_load_lose_no_request_and_no_count() {
    let config = |variant: bool| exposing(&["a"], json!([{"name": "a", "variant": variant}]));
    each(Setup { workers: 4, ..Setup::new(config(false), None) }, async |mesh: Mesh| {
        mesh.app.record(false);
        let stop = Arc::new(AtomicBool::new(false));
        let addr = mesh.envoy.addr("main");
        let clients: Vec<_> = (0..4)
            .map(|_| {
                let stop = Arc::clone(&stop);
                tokio::spawn(async move {
                    let mut client = RawClient::connect(addr).await.unwrap();
                    let mut requests = 0;
                    while !stop.load(Ordering::Relaxed) {
                        assert_eq!(client.send(&home("ada")).await.unwrap().status, 200);
                        requests += 1;
                    }
                    requests
                })
            })
            .collect();
        for round in 0..6 {
            mesh.configure(config(round % 2 == 0)).await;
        }
        stop.store(true, Ordering::Relaxed);
        let mut requests = 0;
        for client in clients {
            requests += client.await.unwrap();
        }
        assert!(requests > 0);
        let labels = [("flag", "a"), ("result", "true"), ("reason", "static")];
        mesh.envoy.wait_for_counter(EVALUATIONS, &labels, requests).await.unwrap();
        let stats = mesh.envoy.wait_for_counter(SERVED, &[("source", "bootstrap")], requests).await.unwrap();
        assert_eq!(stats.counter(EVALUATIONS, &labels), requests);
        assert_eq!(stats.counter(EVALUATIONS, &[]), requests);
        assert_eq!(stats.counter(SERVED, &[]), requests);
        mesh.assert_whole().await;
    })
    .await;
}
