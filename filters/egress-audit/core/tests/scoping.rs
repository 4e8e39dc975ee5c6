//! Which calls stay inside the mesh, and so are left alone, whatever a client writes into its request.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod common;

use common::{Stated, Stating, exemption, get, policy, tls};
use egress_core::decide::Exemption;
use egress_core::scope::Leads;
use serde_json::json;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A call through a cluster of that name.
fn through(cluster: &str, destination: &str) -> Stated {
    Stated { cluster: Some(cluster.to_owned()), ..Stated::address(destination) }
}

#[test]
fn calls_inside_the_mesh_are_left_alone_and_no_others() {
    let redis = "redis.data.svc.cluster.local";
    let service = |host: &str| Stated::service(host, 443);
    let to = Stated::address;
    let nowhere = Stated::default;
    // call, what the proxy knows, whether it stays inside
    let cases = [
        // the proxy knows the service: what the client writes does not count
        (get(redis), service(redis), true),
        (get("api.openai.com"), service(redis), true),
        (get("api.openai.com"), service("api.openai.com"), false),
        (get(redis), service("api.openai.com"), false),
        (get("redis"), service("api.openai.com"), false),
        (tls(redis), service("api.openai.com"), false),
        (Stating::Tls(None), service("api.openai.com"), false),
        (Stating::Tls(None), service(redis), true),
        (Stating::Tcp, service(redis), true),
        (Stating::Tcp, service("db.example.com"), false),
        (Stating::Malformed, service(redis), true),
        (Stating::Malformed, service("api.openai.com"), false),
        (get(redis), through("outbound|6379|v1|redis.data.svc.cluster.local", "10.0.0.7:6379"), true),
        (get(redis), through("outbound_.6379_.v1_.redis.data.svc.cluster.local", "10.0.0.7:6379"), true),
        (get("a.local"), service("printer.local"), true),
        (get("10.0.0.7"), service("10.0.0.7"), true),
        // an egress gateway is inside and leads out
        (get("api.openai.com"), service("istio-egressgateway.istio-system.svc.cluster.local"), false),
        (get(redis), service("istio-egressgateway.istio-system.svc.cluster.local"), false),
        (tls("api.openai.com"), service("istio-egress.gates.svc.cluster.local"), false),
        (get("a.example"), service("istio-ingressgateway.istio-system.svc.cluster.local"), true),
        // wherever the address leads: name and address both have to be inside
        (get(redis), to("10.0.0.7:80"), true),
        (get("redis"), to("10.0.0.7:80"), true),
        (get("redis:6379"), to("172.16.9.9:6379"), true),
        (get("redis"), to("100.64.0.1:80"), true),
        (get("localhost"), to("127.0.0.1:80"), true),
        (get("localhost"), to("[::1]:80"), true),
        (get(redis), to("[fd00::7]:80"), true),
        (get(redis), to("203.0.113.7:80"), false),
        (get("redis"), to("203.0.113.7:80"), false),
        (get("REDIS.data.SVC.cluster.local."), to("203.0.113.7:80"), false),
        (tls(redis), to("203.0.113.7:443"), false),
        (get(redis), through("BlackHoleCluster", "203.0.113.7:80"), false),
        (get(redis), through("BlackHoleCluster", "10.0.0.7:80"), true),
        (get(redis), nowhere(), false),
        (get("api.openai.com"), to("10.0.0.7:80"), false),
        (tls("api.openai.com"), to("10.0.0.7:443"), false),
        (get("10.0.0.7"), to("10.0.0.7:80"), true),
        (get("10.0.0.7"), to("203.0.113.7:80"), false),
        (get("203.0.113.7"), to("10.0.0.7:80"), false),
        (get("::ffff:10.0.0.7"), to("[::ffff:10.0.0.7]:80"), true),
        (get("0x0a000007"), to("10.0.0.7:80"), true),
        // without a name the address decides
        (get(""), to("10.0.0.7:80"), true),
        (get(""), to("203.0.113.7:80"), false),
        (Stating::Tls(None), to("192.168.1.1:443"), true),
        (Stating::Tls(None), to("203.0.113.7:443"), false),
        (Stating::Tcp, to("10.9.9.9:5432"), true),
        (Stating::Tcp, to("[::ffff:10.9.9.9]:5432"), true),
        (Stating::Tcp, to("[64:ff9b::8.8.8.8]:5432"), false),
        (Stating::Tcp, to("203.0.113.7:5432"), false),
        (Stating::Tcp, nowhere(), false),
        // link-local addresses are where clouds keep credentials
        (get("169.254.169.254"), to("169.254.169.254:80"), false),
        (get("metadata.google.internal"), to("169.254.169.254:80"), false),
        (get("redis"), to("169.254.169.254:80"), false),
        (get(redis), to("169.254.169.254:80"), false),
        (get(""), to("169.254.169.254:80"), false),
        (Stating::Tcp, to("169.254.169.254:80"), false),
        (Stating::Tcp, to("[fe80::1]:80"), false),
        (get("[fd00:ec2::254]"), to("[fd00:ec2::254]:80"), true),
        // one of several services: the name tells which, and the address has to be inside as well
        (get("a.openai.com"), through("outbound|443||*.openai.com", "10.0.0.7:443"), false),
        (get(redis), through("outbound|443||*.openai.com", "203.0.113.7:443"), false),
        (get(redis), through("outbound|443||*.svc.cluster.local", "10.0.0.7:443"), true),
        (Stating::Tcp, through("outbound|443||*.openai.com", "203.0.113.7:443"), false),
        // an Envoy without Istio: names of clusters tell nothing
        (get(redis), through("egress", "203.0.113.7:80"), true),
        (get("redis"), through("egress", "203.0.113.7:80"), true),
        (get("api.openai.com"), through("egress", "10.0.0.7:80"), false),
        (Stating::Tcp, through("egress", "10.0.0.7:80"), true),
        (Stating::Tcp, through("egress", "203.0.113.7:80"), false),
        // what can't be read is nobody's service
        (get("redis.data.svc.cluster.local@evil.example"), to("10.0.0.7:80"), false),
        (get("a b"), service(redis), false),
        (tls("a..b"), to("10.0.0.7:80"), false),
    ];
    let policy = policy(&json!({}));
    for (call, proxy, inside) in cases {
        let expected = inside.then_some(Exemption::Internal);
        assert_eq!(exemption(&policy, &call, &proxy), expected, "{call:?} {proxy:?}");
    }
}

#[test]
fn server_first_connections_are_left_alone_in_external_scope_only() {
    let external = policy(&json!({"mode": "enforce"}));
    let all = policy(&json!({"mode": "enforce", "scope": "all"}));
    for proxy in [Stated::address("203.0.113.7:3306"), Stated::address("10.0.0.7:3306")] {
        assert_eq!(exemption(&external, &Stating::ServerFirst, &proxy), Some(Exemption::ServerFirst));
        let decision = common::decision(&all, &Stating::ServerFirst, &proxy);
        assert_eq!((decision.denies(), decision.reason), (true, egress_core::Reason::HostAbsent));
    }
}

#[test]
fn all_is_looked_at_where_the_scope_is_all() {
    let all = policy(&json!({"scope": "all"}));
    let redis = "redis.data.svc.cluster.local";
    for call in [get(redis), get("redis"), tls(redis), Stating::Tcp, Stating::ServerFirst, Stating::Tls(None)] {
        for proxy in [Stated::service(redis, 6379), Stated::address("10.0.0.7:80"), Stated::default()] {
            assert_eq!(exemption(&all, &call, &proxy), None, "{call:?} {proxy:?}");
        }
    }
}

#[test]
fn what_is_inside_can_be_said() {
    let policy = policy(&json!({
        "internal": ["*.corp.example", "198.51.100.0/24", "one.example.net"],
        "egressGateways": ["gate.corp.example", "*.gates.corp.example"],
    }));
    let cases = [
        (get("a.corp.example"), Stated::service("a.corp.example", 80), true),
        (get("a.corp.example"), Stated::service("gate.corp.example", 80), false),
        (get("a.corp.example"), Stated::service("x.gates.corp.example", 80), false),
        (get("one.example.net"), Stated::service("one.example.net", 80), true),
        (get("redis.data.svc.cluster.local"), Stated::service("redis.data.svc.cluster.local", 80), false),
        // its own network may be a public one
        (get("a.corp.example"), Stated::address("198.51.100.9:80"), true),
        (Stating::Tcp, Stated::address("198.51.100.9:80"), true),
        (Stating::Tcp, Stated::address("10.0.0.7:80"), false),
        (get("a.corp.example"), Stated::address("10.0.0.7:80"), true),
    ];
    for (call, proxy, inside) in cases {
        assert_eq!(exemption(&policy, &call, &proxy).is_some(), inside, "{call:?} {proxy:?}");
    }
}

#[test]
fn clusters_say_where_they_lead() {
    let service = |host: &str, port| Leads::Service { host: common::host(host), port };
    let cases: &[(Option<&str>, Leads)] = &[
        (None, Leads::Nowhere),
        (Some(""), Leads::Nowhere),
        (Some("PassthroughCluster"), Leads::Address),
        (Some("BlackHoleCluster"), Leads::Address),
        (Some("InboundPassthroughCluster"), Leads::Address),
        (Some("outbound|443||api.openai.com"), service("api.openai.com", Some(443))),
        (Some("outbound|443|v1|API.openai.com."), service("api.openai.com", Some(443))),
        (Some("outbound|x||api.openai.com"), service("api.openai.com", None)),
        (Some("outbound|443||10.0.0.7"), service("10.0.0.7", Some(443))),
        (Some("outbound_.443_._.api.openai.com"), service("api.openai.com", Some(443))),
        (Some("outbound_.443_.v1_.a_b.example"), service("a_b.example", Some(443))),
        // a ServiceEntry for many names
        (Some("outbound|443||*.wikipedia.org"), Leads::Services { port: Some(443) }),
        (Some("outbound|443||a|b"), Leads::Services { port: Some(443) }),
        (Some("inbound|80||"), Leads::Unknown),
        (Some("outbound|443|api.openai.com"), Leads::Unknown),
        (Some("egress"), Leads::Unknown),
    ];
    for (cluster, leads) in cases {
        assert_eq!(Leads::of(cluster.map(str::as_bytes)), *leads, "{cluster:?}");
    }
    // what is no text tells nothing, and then name and address both have to be inside
    assert_eq!(Leads::of(Some(b"\xff|")), Leads::Nowhere);
}
