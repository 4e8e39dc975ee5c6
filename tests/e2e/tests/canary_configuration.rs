//! canary-router while its configuration changes, breaks and is mended; what it tells by metrics and log; the ways back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use e2e::{HOST, PLUGIN, Setup, ai, config, each, plugin, user, with};
use harness::{PluginConfig, RawClient, Reply, Request, route_to};
use serde_json::json;

const INFO: &str = "runtime_control_canary_router_config_info";
const DECISIONS: &str = "runtime_control_canary_router_decisions_total";
const RESPONSES: &str = "runtime_control_canary_router_responses_total";

#[tokio::test(flavor = "multi_thread")]
async fn updates_under_load_lose_no_request_and_move_users_one_way() {
    each(Setup { workers: 2, ..Setup::new(config(5.0)) }, async |mesh| {
        mesh.record(false);
        let stop = Arc::new(AtomicBool::new(false));
        let addr = mesh.envoy.addr("main");
        let clients: Vec<_> = (0..4)
            .map(|client| {
                let stop = stop.clone();
                tokio::spawn(async move {
                    let mut connection = RawClient::connect(addr).await.unwrap();
                    let mut last = vec![String::from("v1"); 50];
                    let mut requests = 0;
                    while !stop.load(Ordering::Relaxed) {
                        for (n, last) in last.iter_mut().enumerate() {
                            let answer = connection.send(&user(client * 50 + n)).await.unwrap();
                            assert_eq!(answer.status, 200);
                            let served = answer.served_by();
                            assert!(*last == served || served == "v2", "user {n} went back to {served}");
                            *last = served;
                            requests += 1;
                        }
                    }
                    requests
                })
            })
            .collect();
        for weight in [10.0, 25.0, 50.0, 75.5, 99.99, 100.0] {
            mesh.configure(config(weight)).await;
        }
        assert!(mesh.served(200).await.iter().all(|served| served == "v2"));
        stop.store(true, Ordering::Relaxed);
        let mut requests = 0;
        for client in clients {
            requests += client.await.unwrap();
        }
        assert!(requests > 0);
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_first_configuration_stops_nothing_and_is_mended_by_the_next() {
    let broken: [PluginConfig; 3] =
        ["{".into(), b"\xff".as_slice().into(), with(config(1.0), "/trust", json!("x")).into()];
    for first in broken {
        each(Setup::new(first), async |mesh| {
            let answer = mesh.ask(ai().header("x-env", "canary").header("x-canary-arm", "v2")).await;
            assert_eq!((answer.status, answer.served_by().as_str()), (200, "v1"));
            let stats = mesh.envoy.stats().await.unwrap();
            assert_eq!(stats.counter(INFO, &[("state", "safe")]), 1);
            mesh.configure(config(10.0)).await;
            let stats = mesh.envoy.stats().await.unwrap();
            assert_eq!(stats.counter(INFO, &[("state", "ok")]), 1);
            assert_eq!(stats.counter(INFO, &[("state", "safe")]), 0);
            mesh.assert_whole().await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_later_configuration_leaves_the_last_good_one_at_work() {
    each(Setup { workers: 2, ..Setup::new(config(10.0)) }, async |mesh| {
        let before = mesh.served(500).await;
        for garbage in ["{", "[]", "nonsense"] {
            mesh.configure(garbage).await;
            assert_eq!(mesh.served(500).await, before, "{garbage}");
            let stats = mesh.envoy.stats().await.unwrap();
            assert_eq!(stats.counter(INFO, &[("state", "last_good")]), 1);
            assert_eq!(stats.counter(INFO, &[]), 1, "just one configuration is told to run");
        }
        mesh.configure(config(25.0)).await;
        assert_ne!(mesh.served(500).await, before, "later updates are taken");
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_rule_among_good_ones_keeps_its_last_good_form() {
    let second = |weight: f64| {
        let mut rule = config(weight)["rules"][0].clone();
        rule["name"] = json!("memory");
        rule["match"] = json!([{"uri": {"prefix": "/api/memory"}}]);
        rule
    };
    let good = with(config(100.0), "/rules/-", second(0.0));
    let bad = with(with(config(100.0), "/rules/0/arms/0/weight", json!(101)), "/rules/-", second(100.0));
    each(Setup::new(good), async |mesh| {
        mesh.configure(bad.clone()).await;
        assert_eq!(mesh.ask(user(1)).await.served_by(), "v2", "the bad one, as it was");
        let memory = Request::get("/api/memory").host(HOST).header("x-user-id", "user-1");
        assert_eq!(mesh.ask(memory.clone()).await.served_by(), "v2", "the good one, as it is now");
        let stats = mesh.envoy.stats().await.unwrap();
        assert_eq!(stats.counter(INFO, &[("state", "partial")]), 1);
        assert_eq!(stats.gauge("runtime_control_canary_router_config_errors", &[]), Some(1.0));
        let line = mesh.envoy.logs().wait(|line| line.contains("\"state\":\"partial\"")).await.unwrap();
        assert!(line.contains("rules[0].arms[0].weight: 101 is over 100"), "{line}");

        // what was kept survives the VM: another environment makes a new one
        let renewed = mesh.envoy.replace_plugin(plugin(bad.clone()).env("RENEWED", "1")).await.unwrap();
        renewed.accepted().unwrap();
        assert_eq!(mesh.ask(user(1)).await.served_by(), "v2", "the bad one, in a new VM");
    })
    .await;
    each(Setup::new(bad.clone()), async |mesh| {
        let answer = mesh.ask(user(1)).await;
        assert_eq!(
            answer.headers.text("x-canary-reason").as_deref(),
            Some("broken"),
            "with no last good form it is off"
        );
        assert_eq!((answer.served_by().as_str(), answer.headers.contains("x-canary-arm")), ("v1", false));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_field_is_a_warning_and_a_metric() {
    each(Setup::new(with(config(10.0), "/rules/0/newField", json!(1))), async |mesh| {
        let stats = mesh.envoy.stats().await.unwrap();
        assert_eq!(stats.gauge("runtime_control_canary_router_config_unknown_fields", &[]), Some(1.0));
        assert_eq!(stats.counter(INFO, &[("state", "ok")]), 1);
        mesh.envoy.logs().wait(|line| line.contains("rules[0].newField: unknown field")).await.unwrap();
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_adds_up_over_workers() {
    each(Setup { workers: 4, ..Setup::new(config(50.0)) }, async |mesh| {
        mesh.v2.respond(|_| Reply::new(503));
        mesh.record(false);
        let answers = harness::run_many(mesh.envoy.addr("main"), 1000, 16, user).await.unwrap();
        for n in 0..7 {
            mesh.ask(if n < 3 { ai() } else { Request::get("/api/auth").host(HOST) }).await;
        }
        let canary = answers.iter().filter(|answer| answer.status == 503).count() as u64;
        let rule = ("rule", "ai-gateway");
        let wait = async |name, labels: &[(&str, &str)], value| {
            let stats = mesh.envoy.wait_for_counter(name, labels, value).await.unwrap();
            assert_eq!(stats.counter(name, labels), value, "{name} {labels:?}");
        };
        wait(DECISIONS, &[rule, ("arm", "v2"), ("reason", "user")], canary).await;
        wait(DECISIONS, &[rule, ("arm", "v1"), ("reason", "user")], 1000 - canary).await;
        wait(DECISIONS, &[rule, ("arm", "none"), ("reason", "no_identity")], 3).await;
        wait(DECISIONS, &[("rule", "auth-service"), ("arm", "none"), ("reason", "off")], 4).await;
        wait(RESPONSES, &[rule, ("arm", "v2"), ("status_class", "5xx")], canary).await;
        wait(RESPONSES, &[rule, ("arm", "v1"), ("status_class", "2xx")], 1000 - canary).await;
        wait("runtime_control_canary_router_requests_without_identity_total", &[rule], 3).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_counted_before_an_update_is_told() {
    each(Setup::new(config(0.0)), async |mesh| {
        mesh.ask(user(1)).await;
        mesh.configure(config(100.0)).await;
        mesh.ask(user(1)).await;
        let rule = ("rule", "ai-gateway");
        mesh.envoy.wait_for_counter(DECISIONS, &[rule, ("arm", "v1")], 1).await.unwrap();
        mesh.envoy.wait_for_counter(DECISIONS, &[rule, ("arm", "v2")], 1).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reporting_counts_and_logs_and_sets_nothing() {
    let config = with(with(config(100.0), "/rules/0/mode", json!("report")), "/anonymous", json!({}));
    each(Setup::new(config), async |mesh| {
        let answer = mesh
            .ask(ai().header("x-user-id", "secret-user").header("x-request-id", "r-1").header("x-canary-arm", "v2"))
            .await;
        assert_eq!(answer.served_by(), "v1");
        assert!(!["x-canary-arm", "x-canary-reason", "set-cookie"].iter().any(|name| answer.headers.contains(name)));
        assert!(!mesh.v1.take_one().headers.contains("x-canary-arm"));
        let line = mesh.envoy.logs().wait(|line| line.contains("canary_decision")).await.unwrap();
        for part in [
            "\"mode\":\"report\"",
            "\"rule\":\"ai-gateway\"",
            "\"arm\":\"v2\"",
            "\"reason\":\"user\"",
            "\"bucket\":",
            "\"request_id\":",
        ] {
            assert!(line.contains(part), "{part} in {line}");
        }
        assert!(!mesh.envoy.logs().lines().iter().any(|line| line.contains("secret-user")), "no id in a log");
        mesh.envoy.wait_for_counter(DECISIONS, &[("arm", "v2"), ("reason", "user")], 1).await.unwrap();
    })
    .await;
}

/// The rollback card of the README: three ways back, and what each does to users.
#[tokio::test(flavor = "multi_thread")]
async fn three_ways_back_bring_every_user_to_v1() {
    let all_v1 = vec!["v1".to_owned(); 300];
    each(Setup::new(config(50.0)), async |mesh| {
        let before = mesh.served(300).await;
        assert_ne!(before, all_v1);
        let qa = ai().bearer(&mesh.issuer.token(json!({"sub": "qa-1"})));
        assert_eq!(mesh.ask(qa.clone()).await.served_by(), "v2");

        mesh.configure(with(config(50.0), "/rules/0/mode", json!("off"))).await;
        assert_eq!(mesh.served(300).await, all_v1, "mode off");
        assert_eq!(mesh.ask(qa.clone()).await.served_by(), "v1", "mode off: testers too");

        mesh.configure(config(0.0)).await;
        assert_eq!(mesh.served(300).await, all_v1, "weight 0");
        assert_eq!(mesh.ask(qa).await.served_by(), "v2", "weight 0: testers stay");

        mesh.configure(config(50.0)).await;
        assert_eq!(mesh.served(300).await, before, "back again, everyone is where they were");
    })
    .await;
    each(Setup { native_strip: vec!["x-canary-arm"], ..Setup::without_plugin() }, async |mesh| {
        assert_eq!(mesh.served(300).await, all_v1, "the plugin deleted");
        assert_eq!(mesh.ask(user(1).header("x-canary-arm", "v2")).await.served_by(), "v1");
    })
    .await;
}

/// The price of the weighted variant: where the plugin is off, each request is dealt anew.
#[tokio::test(flavor = "multi_thread")]
async fn with_a_weighted_default_route_users_flip_once_the_plugin_is_off() {
    let weighted = json!({"match": {"prefix": "/"}, "route": {"weighted_clusters": {"clusters": [
        {"name": "v1", "weight": 90}, {"name": "v2", "weight": 10}]}}});
    let flips = async |setup| {
        let flipped = AtomicBool::new(false);
        each(setup, async |mesh| {
            let rounds = [mesh.served(200).await, mesh.served(200).await, mesh.served(200).await];
            flipped.store(rounds.iter().any(|round| *round != rounds[0]), Ordering::Relaxed);
        })
        .await;
        flipped.into_inner()
    };
    assert!(
        flips(Setup {
            default_route: weighted.clone(),
            ..Setup::new(with(config(10.0), "/rules/0/mode", json!("off")))
        })
        .await
    );
    assert!(
        !flips(Setup { default_route: weighted, ..Setup::new(config(10.0)) }).await,
        "with the plugin on nobody does"
    );
}

/// The way forward: 100 %, then v2 becomes the baseline, then v3 begins. Nobody moves.
#[tokio::test(flavor = "multi_thread")]
async fn promotion_moves_nobody() {
    let full = with(config(100.0), "/rules/0/overrides", json!([]));
    let promoted = with(with(full.clone(), "/rules/0/baseline", json!("v2")), "/rules/0/arms", json!([]));
    let next = with(
        with(promoted.clone(), "/rules/0/arms", json!([{"name": "v3", "weight": 0}])),
        "/rules/0/salt",
        json!("ai-gateway-v3"),
    );
    each(Setup { default_route: route_to("v1"), ..Setup::new(full) }, async |mesh| {
        let all_v2 = vec!["v2".to_owned(); 300];
        assert_eq!(mesh.served(300).await, all_v2);
        for config in [&promoted, &next] {
            mesh.configure(config.clone()).await;
            assert_eq!(mesh.served(300).await, all_v2);
        }
        assert!(mesh.envoy.logs().lines().iter().any(|line| line.contains(PLUGIN)));
    })
    .await;
}
