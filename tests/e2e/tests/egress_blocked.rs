//! Connections that the mesh itself blocks (REGISTRY_ONLY): the proxy closes them before their first byte, and the audit still says
//! where they were for.

use e2e::egress::{Setup, Sidecar, each_binary};
use e2e::egress_tls::{UNKNOWN, hello, hosts};
use harness::Listener;
use serde_json::{Value, json};

/// Where Istio sends what REGISTRY_ONLY blocks: a cluster without hosts.
const BLACK_HOLE: &str = "BlackHoleCluster";

fn blocked() -> Setup {
    let cluster = json!({"name": BLACK_HOLE, "type": "STATIC", "connect_timeout": "1s"});
    Setup { tls_to: BLACK_HOLE, clusters: vec![cluster], ..Setup::new(hosts("observe")) }
}

/// Listener filters as Istio has them on known ports, and the address that a connection says it went to.
fn with_filters(inspects: bool) -> impl Fn(Vec<Listener>) -> Vec<Listener> {
    let filter = |name: &str, kind: &str| {
        let kind = format!("type.googleapis.com/envoy.extensions.filters.listener.{kind}");
        json!({"name": format!("envoy.filters.listener.{name}"), "typed_config": {"@type": kind}})
    };
    let mut filters = vec![filter("proxy_protocol", "proxy_protocol.v3.ProxyProtocol")];
    if inspects {
        filters.push(filter("tls_inspector", "tls_inspector.v3.TlsInspector"));
    }
    let filters = Value::from(filters);
    move |listeners| listeners.into_iter().map(|listener| listener.json(json!({"listener_filters": filters}))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_connection_is_told_by_its_name_or_its_address() {
    each_binary(async |binary| {
        for inspects in [true, false] {
            let sidecar = Sidecar::start_with(&binary, &blocked(), with_filters(inspects)).await;
            let said = [b"PROXY TCP4 10.0.0.7 203.0.113.9 40000 443\r\n".to_vec(), hello(UNKNOWN)].concat();
            assert_eq!(sidecar.say(&said).await, b"");
            let told = sidecar.event(|event| event["envoy.cluster"] == BLACK_HOLE).await;
            assert_eq!((&told["network.peer.address"], &told["server.port"]), (&json!("203.0.113.9"), &json!(443)));
            let (host, reason) = if inspects { (UNKNOWN, "default_deny") } else { ("203.0.113.9", "host_absent") };
            assert_eq!((&told["server.address"], &told["reason_code"]), (&json!(host), &json!(reason)), "{told:#}");
            assert_eq!((&told["sent.bytes"], &told["received.bytes"]), (&json!(0), &json!(0)));
            let connections = "runtime_control_egress_audit_connections_total";
            sidecar.envoy.wait_for_counter(connections, &[("opening", "silent")], 1).await.unwrap();
            sidecar.assert_whole().await;
        }
    })
    .await;
}
