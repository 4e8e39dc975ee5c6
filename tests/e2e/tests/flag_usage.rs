//! What Unleash is told of the use of flags, and what Prometheus is.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use e2e::flags::{FLAGS_HOST, FakeUnleash, Mesh, Setup, TAGS, TOKEN, at_once, config, features, home, until};
use e2e::with;
use harness::{Ending, Recorded, Reply, Request, run_many};
use serde_json::{Value, json};

/// An Unleash that keeps what it is told, and takes it or not.
struct Listening {
    fake: FakeUnleash,
    told: Arc<Told>,
}

#[derive(Default)]
struct Told {
    /// The status that reports and registrations are answered with; 0 for no answer.
    status: AtomicU16,
    registrations: Mutex<Vec<Recorded>>,
    taken: Mutex<Vec<Recorded>>,
    refused: Mutex<Vec<Recorded>>,
}

/// How often a flag was used: as on, as off, and by variant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Uses {
    yes: u64,
    no: u64,
    variants: BTreeMap<String, u64>,
}

impl Listening {
    fn start() -> Self {
        let told = Arc::new(Told::default());
        told.status.store(202, Ordering::Relaxed);
        let fake = FakeUnleash::start(&json!({}));
        let (document, noted) = (features(&["ada"]).to_string(), Arc::clone(&told));
        fake.answer_with(move |asked| {
            if asked.method == "GET" {
                let known = asked.headers.text("if-none-match").as_deref() == Some("\"1:7:v1\"");
                let reply = if known { Reply::new(304) } else { Reply::text(&document) };
                return reply.header("etag", "\"1:7:v1\"");
            }
            let status = noted.status.load(Ordering::Relaxed);
            let list = match asked.path.as_str() {
                "/api/client/register" => &noted.registrations,
                _ if status == 202 => &noted.taken,
                _ => &noted.refused,
            };
            list.lock().expect("no test panicked with it").push(asked.clone());
            let ending = if status == 0 { Ending::Silent } else { Ending::Complete };
            Reply::new(if status == 0 { 202 } else { status }).ending(ending)
        });
        Self { fake, told }
    }

    fn answer(&self, status: u16) {
        self.told.status.store(status, Ordering::Relaxed);
    }

    fn refused(&self) -> usize {
        self.told.refused.lock().expect("no test panicked with it").len()
    }

    fn taken(&self) -> Vec<Recorded> {
        self.told.taken.lock().expect("no test panicked with it").clone()
    }

    fn registrations(&self) -> Vec<Recorded> {
        self.told.registrations.lock().expect("no test panicked with it").clone()
    }

    /// All that was taken of a flag.
    fn uses(&self, flag: &str) -> Uses {
        let mut all = Uses::default();
        for report in self.taken() {
            let report = body(&report);
            let uses = &report["bucket"]["toggles"][flag];
            all.yes += uses["yes"].as_u64().unwrap_or(0);
            all.no += uses["no"].as_u64().unwrap_or(0);
            for (variant, count) in uses["variants"].as_object().into_iter().flatten() {
                *all.variants.entry(variant.clone()).or_default() += count.as_u64().expect("a number");
            }
        }
        all
    }

    /// Waits until that much was taken, and makes sure that it is not more: what comes later is told later.
    async fn comes_to(&self, mesh: &Mesh, flag: &str, mut expected: Uses) {
        let told = |uses: &Uses| self.uses(flag).yes + self.uses(flag).no >= uses.yes + uses.no;
        until(&format!("{expected:?} of {flag}"), async || told(&expected)).await;
        assert_eq!(self.uses(flag), expected, "{flag}");
        let seen = mesh.seen(home("nobody")).await;
        let on = seen.text(&format!("x-flag-{flag}")).as_deref() == Some("true");
        if on {
            expected.yes += 1
        } else {
            expected.no += 1
        }
        if let Some(variant) = seen.text(&format!("x-flagvariant-{flag}")) {
            *expected.variants.entry(variant).or_default() += 1;
        }
        until(&format!("{expected:?} of {flag}"), async || told(&expected)).await;
        assert_eq!(self.uses(flag), expected, "{flag}");
    }
}

fn body(report: &Recorded) -> Value {
    serde_json::from_slice(&report.body).expect("json")
}

fn uses(yes: u64, no: u64) -> Uses {
    Uses { yes, no, variants: BTreeMap::new() }
}

/// The configuration of the tests, told of each second.
fn telling() -> Value {
    with(config(), "/unleash/metricsInterval", json!("1s"))
}

/// A mesh all of whose workers serve from Unleash; nothing was counted before.
async fn started(binary: &std::path::Path, unleash: &Listening, config: Value, workers: u32) -> Mesh {
    let setup = Setup { workers, ..Setup::new(config, Some(unleash.fake.upstream.addr())) };
    let mesh = Mesh::start(binary, &setup).await;
    let page = |_| Request::get("/runtime-control/flags").host(FLAGS_HOST);
    until("all workers live", async || {
        let pages = run_many(mesh.envoy.addr("main"), 32, 32, page).await.expect("pages");
        pages.iter().all(|page| page.json().expect("json")["source"] == "live")
    })
    .await;
    mesh
}

/// Sends requests over many connections, those with an even number as ada.
async fn send(mesh: &Mesh, count: usize) {
    let user = |number: usize| home(if number.is_multiple_of(2) { "ada" } else { "bob" });
    let answers = run_many(mesh.envoy.addr("main"), count, 32, user).await.expect("answers");
    assert!(answers.iter().all(|answer| answer.status == 200));
    mesh.app.take_requests();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_all_workers_count_arrives_exactly() {
    at_once(|binary| async move {
        let unleash = Listening::start();
        let mesh = started(&binary, &unleash, telling(), 4).await;
        send(&mesh, 400).await;
        for _ in 0..10 {
            assert_eq!(mesh.ofrep("new-ui-enabled", json!({"targetingKey": "ada"})).await.status, 200);
        }
        for _ in 0..3 {
            // an SDK asks for all flags to keep them, which is no use of any
            assert_eq!(mesh.ofrep("", json!({"targetingKey": "ada"})).await.status, 200);
            mesh.debug("?userId=ada").await;
        }
        assert_eq!(mesh.ofrep("secret-flag", json!({"targetingKey": "ada"})).await.status, 404);
        unleash.comes_to(&mesh, "new-ui-enabled", uses(210, 200)).await;
        // one more request told that all of these had come
        assert_eq!(unleash.uses("ai-safety-pii"), uses(0, 401));
        let variants = |name: &str| BTreeMap::from([(name.to_owned(), 401)]);
        assert_eq!(
            unleash.uses("ai-provider-openai-enabled"),
            Uses { yes: 401, no: 0, variants: variants("gpt-large") }
        );
        assert_eq!(unleash.uses("ai-timeout-seconds"), Uses { yes: 401, no: 0, variants: variants("slow") });

        for report in unleash.taken() {
            assert_eq!(report.path, "/api/client/metrics");
            for (name, value) in [
                ("authorization", TOKEN),
                ("content-type", "application/json"),
                ("unleash-appname", "devmentor-gateway"),
                ("unleash-instanceid", "harness"),
            ] {
                assert_eq!(report.headers.text(name).as_deref(), Some(value), "{name}");
            }
            let report = body(&report);
            assert_eq!((&report["appName"], &report["instanceId"]), (&json!("devmentor-gateway"), &json!("harness")));
            let bucket = &report["bucket"];
            let time = |name: &str| bucket[name].as_str().expect("a time").to_owned();
            assert!(time("start").starts_with("20") && time("start").ends_with('Z') && time("start") <= time("stop"));
            let known = ["new-ui-enabled", "ai-safety-pii", "ai-provider-openai-enabled", "ai-timeout-seconds"];
            let toggles = bucket["toggles"].as_object().expect("an object");
            assert!(toggles.keys().all(|flag| known.contains(&flag.as_str())), "{toggles:?}");
        }

        let (name, taken) = ("runtime_control_flag_headers_usage_reports_total", unleash.taken().len() as u64);
        let stats = mesh.envoy.wait_for_counter(name, &[("result", "accepted")], taken).await.expect("told");
        let counted = |what: &str, labels: &[(&str, &str)]| {
            stats.counter(&format!("runtime_control_flag_headers_{what}"), labels)
        };
        let evaluated = |flag, result, reason| {
            counted("evaluations_total", &[("flag", flag), ("result", result), ("reason", reason)])
        };
        assert_eq!(evaluated("new-ui-enabled", "true", "targeting_match"), 210);
        assert_eq!(evaluated("new-ui-enabled", "false", "no_match"), 201);
        assert_eq!(evaluated("ai-safety-pii", "false", "disabled"), 401);
        assert_eq!(evaluated("ai-provider-openai-enabled", "true", "split"), 401);
        assert_eq!(counted("evaluations_total", &[]), 210 + 201 + 3 * 401, "and no other");
        assert_eq!(counted("served_total", &[("source", "live")]), 411);
        assert_eq!(counted("served_total", &[]), 411);
        assert_eq!(counted("ofrep_answers_total", &[("status_class", "2xx")]), 13);
        assert_eq!(counted("ofrep_answers_total", &[("status_class", "4xx")]), 1);
        assert_eq!(counted("usage_reports_total", &[("result", "accepted")]), taken);
        assert_eq!(counted("usage_reports_total", &[("result", "failed")]), 0);
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_standing_of_a_proxy_is_told_as_metrics() {
    at_once(|binary| async move {
        let unleash = Listening::start();
        let mesh = started(&binary, &unleash, telling(), 2).await;
        let admin = mesh.envoy.admin();
        let name = |what: &str| format!("runtime_control_flag_headers_{what}");
        let polls = name("polls_total");
        let stats = mesh.envoy.wait_for_counter(&polls, &[("result", "not_modified")], 2).await.expect("polls");
        let gauge = |what: &str, labels: &[(&str, &str)]| stats.gauge(&name(what), labels);
        assert_eq!(stats.counter(&polls, &[("result", "updated")]), 1);
        assert_eq!(gauge("leader", &[]), Some(1.0));
        assert_eq!(gauge("revision", &[]), Some(7.0));
        assert!(gauge("state_age_seconds", &[]).is_some_and(|age| age <= 5.0), "{:?}", gauge("state_age_seconds", &[]));
        for (source, value) in [("live", 1.0), ("stale", 0.0), ("bootstrap", 0.0), ("default", 0.0)] {
            assert_eq!(gauge("serving", &[("source", source)]), Some(value), "{source}");
        }
        for kind in ["rollout", "strategy", "operator", "segment", "variant", "unusable", "unreadable"] {
            assert_eq!(gauge("definition_warnings", &[("kind", kind)]), Some(0.0), "{kind}");
        }
        for step in ["select", "compile"] {
            assert!(gauge("update_hold_microseconds", &[("step", step)]).is_some(), "{step}");
        }
        assert_eq!(gauge("config_info", &[("state", "ok")]), Some(1.0));
        for sample in stats.named("runtime_control_flag_headers") {
            assert!(sample.labels.keys().all(|label| TAGS.contains(&label.as_str())), "{sample}");
            assert!(!sample.name.contains('='), "a tag that is no label: {sample}");
        }

        unleash.fake.answer_with(|_| Reply::new(500));
        let stale = |stats: &harness::Stats| stats.gauge(&name("serving"), &[("source", "stale")]) == Some(1.0);
        admin.wait_for(&name("serving"), stale).await.expect("stale");
        let old = |stats: &harness::Stats| stats.gauge(&name("state_age_seconds"), &[]).is_some_and(|age| age >= 3.0);
        let stats = admin.wait_for(&name("state_age_seconds"), old).await.expect("it grows");
        assert_eq!(stats.gauge(&name("revision"), &[]), Some(7.0), "that of what is served");
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_registers_once() {
    at_once(|binary| async move {
        let unleash = Listening::start();
        unleash.answer(500);
        let mesh = started(&binary, &unleash, telling(), 4).await;
        until("it is tried again", async || unleash.registrations().len() >= 2).await;
        unleash.answer(202);
        until("registered", async || mesh.debug("").await["unleash"]["registered"] == true).await;
        let tried = unleash.registrations().len();
        let request = unleash.registrations().remove(0);
        assert_eq!(request.headers.text("authorization").as_deref(), Some(TOKEN));
        assert_eq!(request.headers.text("content-type").as_deref(), Some("application/json"));
        let told = body(&request);
        assert_eq!(told["appName"], "devmentor-gateway");
        assert_eq!(told["instanceId"], "harness");
        assert_eq!(told["interval"], 1000);
        assert!(told["sdkVersion"].as_str().expect("text").starts_with("runtime-control-flag-headers:"), "{told}");
        assert!(told["started"].as_str().expect("a time").ends_with('Z'), "{told}");
        let strategies = told["strategies"].as_array().expect("a list");
        for strategy in ["default", "flexibleRollout", "userWithId", "gradualRolloutUserId", "remoteAddress"] {
            assert!(strategies.contains(&json!(strategy)), "{told}");
        }
        mesh.configure(with(telling(), "/headers", json!({"all": "x-feature-flags"}))).await;
        unleash.fake.upstream.wait_for(unleash.fake.upstream.count() + 4).await.expect("polls");
        assert_eq!(unleash.registrations().len(), tried, "neither by another worker nor after an update");
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_is_kept_and_told_once() {
    at_once(|binary| async move {
        let unleash = Listening::start();
        let mesh = started(&binary, &unleash, telling(), 2).await;
        unleash.answer(500);
        send(&mesh, 100).await;
        until("two reports refused", async || unleash.refused() >= 2).await;
        unleash.answer(0);
        send(&mesh, 60).await;
        let refused = unleash.refused();
        until("two reports without an answer", async || unleash.refused() >= refused + 2).await;
        assert_eq!(unleash.taken().len(), 0);
        unleash.answer(202);
        unleash.comes_to(&mesh, "new-ui-enabled", uses(80, 80)).await;
        // the time of all that was counted
        let (refused, taken) =
            (unleash.told.refused.lock().expect("no test panicked with it")[0].clone(), unleash.taken());
        assert_eq!(body(&taken[0])["bucket"]["start"], body(&refused)["bucket"]["start"]);
        let name = "runtime_control_flag_headers_usage_reports_total";
        mesh.envoy.wait_for_counter(name, &[("result", "failed")], 4).await.expect("told");
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_loses_no_count() {
    at_once(|binary| async move {
        let unleash = Listening::start();
        let mesh = started(&binary, &unleash, telling(), 3).await;
        mesh.app.respond(|asked| match asked.path.as_str() {
            "/stream" => Reply::new(200).piece("data: 1\n\n").ending(Ending::Hang),
            _ => Reply::text("app"),
        });
        let mut streams = Vec::new();
        for round in 0..3 {
            send(&mesh, 40).await;
            let mut client = mesh.client().await;
            let stream = Request::get("/stream").host("devmentor.local").header("x-user-id", "ada");
            client.start(&stream).await.expect("a stream");
            streams.push(client);
            mesh.configure(with(telling(), "/context/environment", json!(format!("round-{round}")))).await;
        }
        send(&mesh, 40).await;
        unleash.comes_to(&mesh, "new-ui-enabled", uses(83, 80)).await;
        drop(streams);
        unleash.comes_to(&mesh, "new-ui-enabled", uses(83, 81)).await;
        let stats = mesh.envoy.stats().await.expect("stats");
        let told = stats.counter("runtime_control_flag_headers_evaluations_total", &[("flag", "new-ui-enabled")]);
        assert_eq!(told, 83 + 82);
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_to_tell_tells_nothing() {
    at_once(|binary| async move {
        let unleash = Listening::start();
        let silent = with(telling(), "/unleash/metricsInterval", json!("0s"));
        let mesh = started(&binary, &unleash, silent, 2).await;
        send(&mesh, 40).await;
        // longer than counts are gathered for
        let polls = unleash.fake.upstream.count();
        unleash.fake.upstream.wait_for(polls + 6).await.expect("polls");
        assert_eq!((unleash.taken().len(), unleash.refused()), (0, 0));
        assert_eq!(unleash.registrations().len(), 1);
        // told to, it tells of what comes then
        mesh.configure(telling()).await;
        send(&mesh, 20).await;
        unleash.comes_to(&mesh, "new-ui-enabled", uses(10, 10)).await;
        mesh.assert_whole().await;
    })
    .await;
}
