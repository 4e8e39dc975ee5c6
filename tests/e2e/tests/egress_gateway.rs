//! TLS that ends or begins in the proxy: handshake and request are compared, peers go by their certificates, and method and path
//! can be seen.

use e2e::egress::{OPENAI, OPENAI_TLS, Setup, Sidecar, config, plugin};
use e2e::with;
use harness::{
    ClientCert, Endpoint, H2Client, Identity, Listener, Pki, RawClient, Request, Response, Upstream, envoy_binaries,
    route_to, static_cluster, virtual_hosts, with_tls,
};
use serde_json::{Value, json};

const HOST: &str = "api.openai.com";
const ACCOUNT: &str = "spiffe://cluster.local/ns/devmentor-app/sa/ai-gateway";
const PRINCIPAL: &str = "spiffe://cluster.local/ns/reporting/sa/reports";

/// A gateway with TLS that ends in it.
struct Gateway {
    sidecar: Sidecar,
    pki: Pki,
}

impl Gateway {
    async fn start(binary: &std::path::Path, config: Value) -> Self {
        let pki = Pki::new().unwrap();
        let server = pki.identity(&[HOST, "other.example.com", "127.0.0.1"]).unwrap();
        let mut setup = Setup::new(config.clone());
        setup.bootstrap = json!({"node": {"id": "router~10.0.0.9~istio-egressgateway-1.istio-system~istio-system.svc.cluster.local"}});
        let sidecar = Sidecar::start_with(binary, &setup, |mut listeners| {
            // what reads the name for Envoy, as in Istio's gateways
            let inspector = json!({"listener_filters": [{
                "name": "envoy.filters.listener.tls_inspector",
                "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"},
            }]});
            let gateway = Listener::http("gateway", virtual_hosts([route_to(OPENAI)])).json(inspector);
            listeners.push(gateway.tls(&pki, &server, ClientCert::Optional).wasm(&plugin(config.clone())));
            listeners
        })
        .await;
        Self { sidecar, pki }
    }

    fn endpoint(&self, server_name: &str, client: Option<&Identity>) -> Endpoint {
        let config = self.pki.client_config(client).unwrap();
        Endpoint::tls(self.sidecar.envoy.addr("gateway"), config, server_name)
    }

    async fn ask(&self, server_name: &str, client: Option<&Identity>, host: &str, http2: bool) -> Response {
        let (endpoint, request) = (self.endpoint(server_name, client), Request::post("/v1/chat", "hello").host(host));
        if http2 {
            return H2Client::connect(endpoint).await.unwrap().send(&request).await.unwrap();
        }
        RawClient::connect(endpoint).await.unwrap().send(&request).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_other_than_the_name_in_the_handshake_is_denied_or_told() {
    for binary in envoy_binaries() {
        for (setting, denies) in [("deny", true), ("report", false)] {
            let allow = json!([{"id": "all", "hosts": ["*.openai.com", "other.example.com", "fronted.example.com"]}]);
            let config = with(with(config("enforce"), "/sniMismatch", json!(setting)), "/policies/0/allow", allow);
            let gateway = Gateway::start(&binary, config).await;
            for http2 in [false, true] {
                // what is told beside the host: SNI a, Host b; SNI a, Host a in other spellings; no SNI
                let cases = [
                    (HOST, "fronted.example.com", json!("mismatch"), json!(HOST)),
                    ("other.example.com", HOST, json!("mismatch"), json!("other.example.com")),
                    (HOST, HOST, json!("same"), json!(HOST)),
                    (HOST, "API.OpenAI.com.:443", json!("same"), json!(HOST)),
                    ("127.0.0.1", HOST, json!("sni_absent"), Value::Null),
                ];
                for (server_name, host, sni_host, told_name) in cases {
                    let (mark, count) = (gateway.sidecar.envoy.logs().mark(), gateway.sidecar.outside.count());
                    let answer = gateway.ask(server_name, None, host, http2).await;
                    let denied = denies && sni_host == "mismatch";
                    assert_eq!(answer.status, if denied { 403 } else { 200 }, "{server_name} {host} {answer:?}");
                    assert_eq!(gateway.sidecar.outside.count() - count, usize::from(!denied));
                    let event = gateway.sidecar.event_after(mark, |_| true).await;
                    assert_eq!(event["sni_host"], sni_host, "{server_name} {host} {event:#}");
                    assert_eq!(event["tls.client.server_name"], told_name, "{event:#}");
                    assert_eq!(event["http.request.header.host"], host, "{event:#}");
                    let reason = if denied { "sni_mismatch" } else { "rule_allow" };
                    assert_eq!(event["reason_code"], reason, "{event:#}");
                    if denied {
                        assert_eq!(answer.json().unwrap()["error"]["reason"], "sni_mismatch");
                    }
                }
            }
            gateway.sidecar.assert_whole().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_gets_the_policies_of_its_certificate_and_nobody_else() {
    let config = json!({
        "mode": "enforce",
        "policies": [
            {"name": "by-account", "selector": {"serviceAccounts": ["devmentor-app/ai-gateway"]},
             "allow": [{"id": "chat", "hosts": [HOST]}]},
            {"name": "by-principal", "selector": {"principals": [PRINCIPAL]},
             "allow": [{"id": "reports", "hosts": ["other.example.com"]}]},
            {"name": "inside-only", "mode": "report", "selector": {"matchLabels": {"app": "somebody-else"}},
             "allow": [{"id": "everything", "hosts": ["*"]}]},
        ],
        "audit": {"fold": "0s"},
    });
    for binary in envoy_binaries() {
        let gateway = Gateway::start(&binary, config.clone()).await;
        let identity = |name: &str| gateway.pki.identity(&[name]).unwrap();
        let (account, principal) = (identity(ACCOUNT), identity(PRINCIPAL));
        let stranger = identity("spiffe://cluster.local/ns/devmentor-app/sa/somebody");
        let dns_only = identity("ai-gateway.devmentor-app");
        // who, what host, by which policy and rule
        let cases = [
            (Some(&account), HOST, Some(("by-account", "chat"))),
            (Some(&account), "other.example.com", None),
            (Some(&principal), "other.example.com", Some(("by-principal", "reports"))),
            (Some(&principal), HOST, None),
            (Some(&stranger), HOST, None),
            (Some(&dns_only), HOST, None),
            (None, HOST, None),
        ];
        for http2 in [false, true] {
            for (who, host, by) in cases {
                let mark = gateway.sidecar.envoy.logs().mark();
                let answer = gateway.ask(host, who, host, http2).await;
                assert_eq!(answer.status, if by.is_some() { 200 } else { 403 }, "{host} {by:?}");
                let event = gateway.sidecar.event_after(mark, |_| true).await;
                match by {
                    Some((policy, rule)) => {
                        assert_eq!((&event["policy"], &event["rule_id"]), (&json!(policy), &json!(rule)), "{event:#}");
                        let principal = if policy == "by-account" { ACCOUNT } else { PRINCIPAL };
                        assert_eq!(event["client.principal"], principal, "{event:#}");
                    }
                    None => assert_eq!(event["reason_code"], "default_deny", "{event:#}"),
                }
            }
            // what a client writes into a header is nobody's identity
            let request = Request::post("/v1/chat", "")
                .host(HOST)
                .header("x-forwarded-client-cert", format!("URI={ACCOUNT}"))
                .header("x-envoy-peer-metadata", "ai-gateway");
            let mut client = RawClient::connect(gateway.endpoint(HOST, None)).await.unwrap();
            let mark = gateway.sidecar.envoy.logs().mark();
            assert_eq!(client.send(&request).await.unwrap().status, 403);
            let event = gateway.sidecar.event_after(mark, |_| true).await;
            assert_eq!(event["client.principal"], Value::Null, "{event:#}");
        }
        gateway.sidecar.assert_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_proxy_begins_tls_method_and_path_count() {
    let pki = Pki::new().unwrap();
    let outside = Upstream::start_tls("tls", &pki.identity(&[HOST]).unwrap());
    for binary in envoy_binaries() {
        let mut setup = Setup::new(config("enforce"));
        setup.clusters.push(with_tls(static_cluster(OPENAI_TLS, outside.addr()), &pki, HOST, None));
        let sidecar = Sidecar::start_with(&binary, &setup, |mut listeners| {
            let http = Listener::http("originating", virtual_hosts([route_to(OPENAI_TLS)]));
            listeners.push(http.wasm(&plugin(config("enforce"))));
            listeners
        })
        .await;
        let ask = async |request: Request| {
            let mut client = RawClient::connect(sidecar.envoy.addr("originating")).await.unwrap();
            client.send(&request.host(HOST)).await.unwrap()
        };
        // an upstream that speaks nothing but TLS answers
        let answer = ask(Request::post("/v1/chat/completions?key=1", "hello")).await;
        assert_eq!((answer.status, answer.served_by().as_str()), (200, "tls"));
        assert_eq!(outside.take_one().text(), "hello");
        assert_eq!(ask(Request::get("/v1/chat/completions")).await.status, 403);
        assert_eq!(ask(Request::post("/v1/files", "secrets")).await.status, 403);
        assert_eq!(outside.take_requests().len(), 0, "what is denied never leaves");
        let allowed = sidecar.event(|event| event["reason_code"] == "rule_allow").await;
        assert_eq!((&allowed["rule_id"], &allowed["server.port"]), (&json!("openai"), &json!(443)), "{allowed:#}");
        assert_eq!(
            (&allowed["url.path"], &allowed["envoy.cluster"]),
            (&json!("/v1/chat/completions"), &json!(OPENAI_TLS))
        );
        assert_eq!(allowed["sni_host"], Value::Null, "what the proxy itself asks for is no claim of the client's");
        sidecar.event(|event| event["reason_code"] == "default_deny").await;
        let denied = sidecar.event(|event| event["reason_code"] == "rule_deny").await;
        assert_eq!(denied["rule_id"], "no-uploads", "{denied:#}");
        sidecar.assert_whole().await;
    }
}
