//! Events on their way to a collector: batches, kept until they are taken, bounded, and every lost one counted.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use e2e::egress::{Setup, Sidecar, config, each_binary};
use e2e::with;
use harness::{Ending, Recorded, Reply, Request, Upstream, envoy_binaries, static_cluster};
use serde_json::{Value, json};

/// The cluster of a collector, as Istio names it.
const COLLECTOR: &str = "outbound|4318||otel-collector.observability.svc.cluster.local";
const LOST: &str = "runtime_control_egress_audit_events_lost_total";
const EVENTS: &str = "runtime_control_egress_audit_events_total";
const BATCHES: &str = "runtime_control_egress_audit_export_batches_total";
const PENDING: &str = "runtime_control_egress_audit_export_pending";

/// A configuration that sends an event for each call, in small batches, and fails fast.
fn exporting(more: Value) -> Value {
    let service = json!({"name": "otel-collector", "namespace": "observability", "port": 4318});
    let mut export =
        json!({"otlp": {"service": service, "timeout": "500ms", "interval": "100ms", "batch": 100}, "log": false});
    harness::merge(&mut export, more);
    with(config("enforce"), "/export", export)
}

/// A collector: what it took, and what it answers.
struct Collector {
    upstream: Upstream,
    taken: Arc<Mutex<Vec<Value>>>,
    status: Arc<AtomicU16>,
}

impl Collector {
    fn start() -> Self {
        let upstream = Upstream::start("collector");
        let (taken, status) = (Arc::<Mutex<Vec<Value>>>::default(), Arc::new(AtomicU16::new(200)));
        let (keep, answer) = (taken.clone(), status.clone());
        upstream.respond(move |request| {
            let status = answer.load(Ordering::SeqCst);
            if status == 200 {
                keep.lock().unwrap().extend(records(request));
            }
            Reply::json(&json!({})).status(status)
        });
        Self { upstream, taken, status }
    }

    /// The events that it took, without repeats.
    fn events(&self) -> BTreeSet<String> {
        let line = |record: &Value| record["body"]["stringValue"].as_str().unwrap().to_owned();
        self.taken.lock().unwrap().iter().map(line).collect()
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }
}

fn records(request: &Recorded) -> Vec<Value> {
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/logs"));
    let body: Value = serde_json::from_slice(&request.body).expect("json");
    body["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().expect("records").clone()
}

/// A sidecar whose collector is at an address.
async fn sidecar(binary: &std::path::Path, config: Value, collector: SocketAddr) -> Sidecar {
    let clusters = vec![static_cluster(COLLECTOR, collector)];
    Sidecar::start(binary, &Setup { clusters, ..Setup::new(config) }).await
}

/// So many calls, each to a host of its own.
async fn calls(sidecar: &Sidecar, from: usize, count: usize) {
    sidecar.outside.record(false);
    let request = move |number: usize| Request::get("/").host(&format!("h{}.example", from + number));
    let answers = harness::run_many(sidecar.envoy.addr("outbound"), count, 4, request).await.unwrap();
    assert_eq!(answers.len(), count);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_arrive_as_opentelemetry_wants_them() {
    each_binary(async |binary| {
        let collector = Collector::start();
        let config = with(exporting(json!({})), "/export/otlp/authorizationEnv", json!("OTLP_TOKEN"));
        let clusters = vec![static_cluster(COLLECTOR, collector.upstream.addr())];
        let env = vec![("OTLP_TOKEN", "Bearer collector-secret")];
        let sidecar = Sidecar::start(&binary, &Setup { clusters, env, ..Setup::new(config) }).await;
        let call = Request::post("/v1/chat/completions", "x").host("api.openai.com");
        assert_eq!(sidecar.ask(&call).await.status, 200);
        sidecar.envoy.wait_for_counter(BATCHES, &[("result", "taken")], 1).await.unwrap();
        let request = collector.upstream.take_one();
        assert_eq!(request.headers.text("content-type").as_deref(), Some("application/json"));
        assert_eq!(request.headers.text("authorization").as_deref(), Some("Bearer collector-secret"));
        assert_eq!(
            request.headers.text("host").as_deref(),
            Some("otel-collector.observability.svc.cluster.local:4318")
        );
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let resource = &body["resourceLogs"][0]["resource"]["attributes"];
        let attribute = |list: &Value, key: &str| {
            list.as_array()
                .unwrap()
                .iter()
                .find(|one| one["key"] == key)
                .map(|one| one["value"].clone())
                .unwrap_or_default()
        };
        assert_eq!(attribute(resource, "service.name"), json!({"stringValue": "ai-gateway"}));
        assert_eq!(attribute(resource, "k8s.namespace.name"), json!({"stringValue": "devmentor-app"}));
        let record = &body["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
        assert_eq!(record["eventName"], "runtime_control.egress_audit");
        assert!(record["timeUnixNano"].as_str().unwrap().parse::<u64>().is_ok(), "64-bit numbers are strings");
        assert_eq!((&record["severityNumber"], &record["severityText"]), (&json!(9), &json!("INFO")));
        let attributes = &record["attributes"];
        assert_eq!(attribute(attributes, "server.address"), json!({"stringValue": "api.openai.com"}));
        assert_eq!(attribute(attributes, "http.response.status_code"), json!({"intValue": "200"}));
        assert_eq!(attribute(attributes, "would_deny"), json!({"boolValue": false}));
        let line: Value = serde_json::from_str(record["body"]["stringValue"].as_str().unwrap()).unwrap();
        assert_eq!((&line["event"], &line["rule_id"]), (&json!("egress_audit"), &json!("openai")));
        assert!(!sidecar.envoy.logs().lines().join("\n").contains("collector-secret"));
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_collector_is_away_nothing_is_lost_below_the_bound() {
    each_binary(async |binary| {
        let collector = Collector::start();
        let sidecar = sidecar(&binary, exporting(json!({"bufferEvents": 3000})), collector.upstream.addr()).await;
        calls(&sidecar, 0, 200).await;
        for (place, status) in [503, 429, 404, 401].into_iter().enumerate() {
            collector.answers(status);
            let before = sidecar.envoy.stats().await.unwrap().counter(BATCHES, &[("result", "retried")]);
            calls(&sidecar, 200 * (place + 1), 200).await;
            sidecar.envoy.wait_for_counter(BATCHES, &[("result", "retried")], before + 1).await.unwrap();
        }
        let line = sidecar.envoy.logs().wait(|line| line.contains("egress_export_failed")).await.unwrap();
        assert!(line.contains(COLLECTOR) && line.contains("\"status\":"), "{line}");
        let pending = sidecar.envoy.stats().await.unwrap().gauge(PENDING, &[]);
        assert!(pending > Some(0.0), "{pending:?} wait");
        collector.answers(200);
        sidecar.envoy.logs().wait(|line| line.contains("egress_export_recovered")).await.unwrap();
        sidecar.envoy.admin().wait_for(PENDING, |stats| stats.gauge(PENDING, &[]) == Some(0.0)).await.unwrap();
        assert_eq!(collector.events().len(), 1000, "each of them has arrived");
        let stats = sidecar.envoy.stats().await.unwrap();
        assert_eq!((stats.counter(LOST, &[]), stats.counter(EVENTS, &[])), (0, 1000));
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn above_the_bound_every_lost_event_is_counted() {
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap();
    each_binary(async |binary| {
        for on_full in ["drop_oldest", "block_new"] {
            let sidecar = sidecar(&binary, exporting(json!({"bufferEvents": 300, "onFull": on_full})), nobody).await;
            calls(&sidecar, 0, 1000).await;
            let stats = sidecar.envoy.wait_for_counter(EVENTS, &[], 1000).await.unwrap();
            assert_eq!(stats.counter(LOST, &[]), 700, "{on_full}");
            assert_eq!(stats.gauge(PENDING, &[]), Some(300.0), "{on_full}");
            sidecar.assert_whole().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fail_closed_lets_nothing_pass_that_can_not_be_told_and_opens_again() {
    each_binary(async |binary| {
        let collector = Collector::start();
        collector.answers(503);
        let config = exporting(json!({"bufferEvents": 50, "onFull": "fail_closed"}));
        let sidecar = sidecar(&binary, config, collector.upstream.addr()).await;
        let allowed = || Request::get("/").host("x.anthropic.com");
        for _ in 0..50 {
            assert_eq!(sidecar.ask(&allowed()).await.status, 200);
        }
        let answer = sidecar.ask(&allowed()).await;
        assert_eq!((answer.status, &answer.json().unwrap()["error"]["reason"]), (403, &json!("audit_unavailable")));
        assert_eq!(sidecar.ask(&Request::get("/").host("memory")).await.status, 200, "the mesh itself is left alone");
        collector.answers(200);
        sidecar.envoy.admin().wait_for(PENDING, |stats| stats.gauge(PENDING, &[]) == Some(0.0)).await.unwrap();
        assert_eq!(sidecar.ask(&allowed()).await.status, 200);
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_slow_broken_or_missing_costs_no_call_and_no_vm() {
    type Answer = fn(&Recorded) -> Reply;
    let answers: [(&str, Answer, &str); 7] = [
        ("silent", |_| Reply::new(200).ending(Ending::Silent), "retried"),
        ("slow", |_| Reply::new(200).delay(Duration::from_secs(2)), "retried"),
        ("refuses", |_| Reply::new(200).ending(Ending::Refuse), "retried"),
        ("cut", |_| Reply::text("{").piece("x").ending(Ending::Cut), "taken"),
        ("garbage", |_| Reply::new(200).piece([0xff; 9000]), "taken"),
        ("hostile", |_| Reply::new(503).header("retry-after", b"\xff\xfe").header("x\x7f", "y"), "retried"),
        ("wrong", |_| Reply::new(400), "refused"),
    ];
    each_binary(async |binary| {
        for (what, answer, result) in answers {
            let upstream = Upstream::start("collector");
            upstream.respond(answer);
            let sidecar = sidecar(&binary, exporting(json!({})), upstream.addr()).await;
            calls(&sidecar, 0, 20).await;
            let told = sidecar.envoy.admin().wait_for(BATCHES, |stats| {
                // a broken-off answer is known by its status, where that came
                let taken = stats.counter(BATCHES, &[("result", "taken")]);
                stats.counter(BATCHES, &[("result", result)]) > 0
                    || (what == "cut" && stats.counter(BATCHES, &[]) > taken)
            });
            told.await.unwrap_or_else(|error| panic!("{what}: {error}"));
            calls(&sidecar, 20, 20).await;
            sidecar.assert_whole().await;
        }
        // no such cluster at all
        let sidecar = Sidecar::start(&binary, &Setup::new(exporting(json!({})))).await;
        calls(&sidecar, 0, 20).await;
        let line = sidecar.envoy.logs().wait(|line| line.contains("egress_export_failed")).await.unwrap();
        assert!(line.contains("no_cluster") && line.contains(COLLECTOR), "{line}");
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_collector_will_never_take_is_given_up_and_counted() {
    each_binary(async |binary| {
        let collector = Collector::start();
        collector.answers(413);
        let sidecar = sidecar(&binary, exporting(json!({})), collector.upstream.addr()).await;
        calls(&sidecar, 0, 10).await;
        sidecar.envoy.wait_for_counter(LOST, &[], 10).await.unwrap();
        let tries = sidecar.envoy.stats().await.unwrap().counter(BATCHES, &[("result", "refused")]);
        assert!(tries >= 3, "{tries} tries");
        // and what it takes in part
        collector
            .upstream
            .respond(|_| Reply::json(&json!({"partialSuccess": {"rejectedLogRecords": "4", "errorMessage": "x"}})));
        calls(&sidecar, 10, 10).await;
        sidecar.envoy.wait_for_counter(LOST, &[], 14).await.unwrap();
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_loses_nothing_that_waits() {
    each_binary(async |binary| {
        let collector = Collector::start();
        collector.answers(503);
        let sidecar = sidecar(&binary, exporting(json!({})), collector.upstream.addr()).await;
        for update in 0..5 {
            calls(&sidecar, 100 * update, 100).await;
            sidecar.configure(with(exporting(json!({})), "/denial", json!({"help": update.to_string()}))).await;
        }
        collector.answers(200);
        sidecar
            .envoy
            .admin()
            .wait_for(PENDING, |stats| stats.counter(EVENTS, &[]) == 500 && stats.gauge(PENDING, &[]) == Some(0.0))
            .await
            .unwrap();
        assert_eq!(collector.events().len(), 500);
        // without a collector in the configuration what waits is lost, and said so
        collector.answers(503);
        calls(&sidecar, 500, 100).await;
        sidecar.envoy.wait_for_counter(EVENTS, &[], 600).await.unwrap();
        let before = sidecar.envoy.stats().await.unwrap().counter(LOST, &[]);
        sidecar.configure(config("enforce")).await;
        let stats = sidecar.envoy.wait_for_counter(LOST, &[], before + 1).await.unwrap();
        assert_eq!(stats.counter(LOST, &[]) - before + collector.events().len() as u64, 600);
        sidecar.assert_whole().await;
    })
    .await;
}

/// As many events as the environment's `SOAK_EVENTS` says (a million in `make soak`), with the collector away: memory stays
/// flat.
#[tokio::test(flavor = "multi_thread")]
async fn memory_is_flat_however_many_events() {
    let events: usize = std::env::var("SOAK_EVENTS").ok().map_or(40_000, |text| text.parse().expect("a number"));
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap();
    for binary in envoy_binaries().into_iter().take(if events > 100_000 { 1 } else { usize::MAX }) {
        let config = exporting(json!({"bufferEvents": 1000}));
        let config = with(config, "/audit", json!({"fold": "1s", "foldCapacity": 256, "firstSeenCapacity": 256}));
        let sidecar = sidecar(&binary, config, nobody).await;
        let step = events / 8;
        let mut memory = Vec::new();
        for round in 0..8 {
            calls(&sidecar, round * step, step).await;
            memory.push(sidecar.envoy.usage().expect("linux").rss >> 10);
        }
        println!("{events} events; resident after each eighth, in KiB: {memory:?}");
        let stats = sidecar.envoy.wait_for_counter(EVENTS, &[], (step * 8) as u64).await.unwrap();
        assert_eq!(stats.counter(LOST, &[]) + 1000, (step * 8) as u64);
        let (warm, last) = (memory[2], memory[7]);
        assert!(last < warm + 12 * 1024, "grew from {warm} to {last} KiB: {memory:?}");
        sidecar.assert_whole().await;
    }
}
