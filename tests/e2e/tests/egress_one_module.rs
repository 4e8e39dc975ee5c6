//! One module for requests and connections: both plugins share a VM in each worker, side by side and through updates.

use std::collections::{BTreeMap, BTreeSet};

use e2e::egress::{PASSTHROUGH, Setup, Sidecar, TLS_PLUGIN, each, event, plugin};
use e2e::egress_tls::{ALLOWED, ANTHROPIC, UNKNOWN, hello, hosts, leading};
use e2e::with;
use egress_core::chain;
use harness::{Listener, RawClient, Request, TcpClient, TcpServer, envoy_binaries};
use serde_json::{Value, json};

/// The rules under another name of the one that allows, by which an event tells under which configuration it was decided.
fn named(rule: &str) -> Value {
    let rule = json!({"id": rule, "hosts": ["*.anthropic.com"], "ports": [80, 443]});
    // the outside is on loopback, and a request to it has its port
    with(hosts("enforce"), "/policies/0/allow/0", with(rule, "/ports", json!([])))
}

fn request(host: &str) -> Request {
    Request::get("/v1/models").host(host)
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_connections_share_a_vm_through_updates_of_each() {
    let server = TcpServer::echo();
    each(leading(named("rule-0"), ANTHROPIC, server.addr()), async |sidecar| {
        let hello = hello(ALLOWED);
        let denied = e2e::egress_tls::hello(UNKNOWN);
        // these last through all that follows: a conversation, half a hello, a connection for requests
        let mut talking = sidecar.connect("tls").await;
        talking.write(&hello).await.unwrap();
        assert_eq!(talking.read(hello.len()).await.unwrap(), hello);
        let mut halfway = sidecar.connect("tls").await;
        halfway.write_alone(&hello[..60]).await.unwrap();
        let mut http = RawClient::connect(sidecar.envoy.addr("outbound")).await.unwrap();

        let mut rules = ("rule-0".to_owned(), "rule-0".to_owned());
        for round in 1..=6 {
            let mark = sidecar.envoy.logs().mark();
            let (one, other) = tokio::join!(
                async {
                    for _ in 0..5 {
                        assert_eq!(sidecar.ask(&request(ALLOWED)).await.status, 200);
                        assert_eq!(sidecar.ask(&request(UNKNOWN)).await.status, 403);
                    }
                    http.send(&request(ALLOWED)).await.unwrap().status
                },
                async {
                    for _ in 0..5 {
                        assert_eq!(sidecar.say(&hello).await, hello);
                        assert_eq!(sidecar.say(&denied).await, b"");
                    }
                    talking.write(b"more").await.unwrap();
                    talking.read(4).await.unwrap()
                }
            );
            assert_eq!((one, other.as_slice()), (200, &b"more"[..]));
            for (protocol, rule) in [("http", &rules.0), ("tls", &rules.1)] {
                sidecar
                    .event_after(mark, |event| event["network.protocol.name"] == protocol && event["rule_id"] == **rule)
                    .await;
            }
            let next = format!("rule-{round}");
            if round % 2 == 0 {
                sidecar.configure(named(&next)).await;
                rules.0 = next;
            } else {
                let update = sidecar.envoy.update_plugin(TLS_PLUGIN, named(&next)).await;
                update.unwrap().accepted().unwrap();
                rules.1 = next;
            }
        }
        // they are told in the end, as they were decided
        let mark = sidecar.envoy.logs().mark();
        talking.finish().await.unwrap();
        talking.rest().await.unwrap();
        halfway.write(&hello[60..]).await.unwrap();
        assert_eq!(halfway.read(hello.len()).await.unwrap(), hello);
        let size = hello.len() + 6 * 4;
        let event = sidecar.event_after(mark, |event| event["sent.bytes"] == json!(size)).await;
        assert_eq!((&event["rule_id"], &event["received.bytes"]), (&json!("rule-0"), &json!(size)), "{event:#}");
        halfway.finish().await.unwrap();
        assert_eq!(halfway.rest().await.unwrap(), b"");
        sidecar.event_after(mark, |event| event["sent.bytes"] == json!(hello.len())).await;
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_plugins_cost_one_vm() {
    let setup = Setup::new(named("rule-0"));
    for binary in envoy_binaries() {
        let vms = async |kept: usize| {
            let keep = |listeners: Vec<Listener>| listeners.into_iter().take(kept).collect();
            let sidecar = Sidecar::start_with(&binary, &setup, keep).await;
            let stats = sidecar.envoy.stats().await.unwrap();
            stats.named("envoy_wasm_envoy_wasm_runtime_v8_active").map(|sample| sample.value).sum::<f64>()
        };
        let (requests, both) = (vms(1).await, vms(2).await);
        assert!(requests > 0.0 && requests == both, "{requests} with one plugin, {both} with both");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_plugin_may_stand_before_the_requests_it_carries() {
    let setup = Setup { app: "ai-gateway", ..Setup::new(named("rule-0")) };
    for binary in envoy_binaries() {
        let sidecar = Sidecar::start_with(&binary, &setup, |mut listeners| {
            let both = Listener::http("both", harness::virtual_hosts([harness::route_to(PASSTHROUGH)]));
            let connections = e2e::egress::tls_plugin(named("rule-0"));
            listeners.pop();
            listeners.push(both.network_wasm(&connections).wasm(&plugin(named("rule-0"))));
            listeners
        })
        .await;
        for (host, status) in [(ALLOWED, 200), (UNKNOWN, 403)] {
            let mut client = RawClient::connect(sidecar.envoy.addr("both")).await.unwrap();
            assert_eq!(client.send(&request(host)).await.unwrap().status, status);
        }
        sidecar.event(|event| event["network.protocol.name"] == "http" && event["decision"] == "deny").await;
        // to the connections' plugin these are no connections to a bare address: their requests are looked at
        let exempt = ("reason", "requests");
        sidecar.envoy.wait_for_counter("runtime_control_egress_audit_exempt_total", &[exempt], 2).await.unwrap();
        assert!(sidecar.events().iter().all(|event| event["network.protocol.name"] == "http"));
        sidecar.assert_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_four_workers_keeps_a_chain_that_is_whole() {
    let server = TcpServer::echo();
    let setup = Setup { workers: 4, ..leading(named("rule-0"), ANTHROPIC, server.addr()) };
    each(setup, async |sidecar| {
        let hello = hello(ALLOWED);
        for _ in 0..100 {
            // all at once, so that workers write at once
            let (http, tls) = (sidecar.envoy.addr("outbound"), sidecar.envoy.addr("tls"));
            let ask = async || RawClient::connect(http).await.unwrap().send(&request(ALLOWED)).await.unwrap().status;
            let say = async || {
                let mut client = TcpClient::connect(tls).await.unwrap();
                client.write(&hello).await.unwrap();
                client.read(hello.len()).await.unwrap()
            };
            let all = tokio::join!(ask(), say(), ask(), say());
            assert_eq!((all.0, all.2), (200, 200));
        }
        sidecar.told(400, |_| true).await;

        let mut chains: BTreeMap<String, (Value, Vec<String>)> = BTreeMap::new();
        for line in sidecar.envoy.logs().lines() {
            let Some(event) = event(&line) else { continue };
            let text = line[line.find("{\"event\":\"egress_audit\"").unwrap()..].to_owned();
            let chain = chains.entry(event["chain_id"].as_str().unwrap().to_owned()).or_default();
            chain.0 = event["network.protocol.name"].clone();
            chain.1.push(text);
        }
        for (id, (_, lines)) in &chains {
            let mut before = chain::START.to_owned();
            for (place, line) in lines.iter().enumerate() {
                let event: Value = serde_json::from_str(line).unwrap();
                assert_eq!((&event["seq"], &event["prev_hash"]), (&json!(place), &json!(before)), "{id}: {event:#}");
                before = chain::hash(line);
            }
        }
        // one for each worker and plugin
        for protocol in ["http", "tls"] {
            assert_eq!(chains.values().filter(|chain| chain.0 == protocol).count(), 4, "{protocol}");
        }
        assert_eq!(chains.values().map(|chain| chain.1.len()).sum::<usize>(), 400);
        let events: BTreeSet<String> =
            sidecar.events().iter().map(|event| event["event_id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(events.len(), 400, "no two events share a name");
        sidecar.assert_whole().await;
    })
    .await;
}
