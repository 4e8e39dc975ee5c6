//! Who may switch the guard off by a header: those that the configuration names, and prove it. The flag in filter state is tested with
//! the manifests.

use e2e::ai::Answer;
use e2e::pii::{Setup, Sidecar, chat, each, post};
use harness::{ClientCert, Endpoint, Pki, RawClient, envoy_binaries};
use serde_json::json;

const CHAT: &str = "/v1/chat/completions";
const MAIL: &str = "ada.lovelace@example.com";
const HOST: &str = "api.openai.com";
const GATEWAY: &str = "spiffe://cluster.local/ns/devmentor-app/sa/api-gateway";
const HEADER: &str = "x-flag-ai-safety-pii";

/// Whether the API saw the value.
fn passed(sidecar: &Sidecar) -> bool {
    String::from_utf8_lossy(&sidecar.ai.upstream.take_one().body).contains(MAIL)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_counts_from_named_peers_only() {
    let gate = json!({"flag": "ai-safety-pii", "fromPrincipals": [GATEWAY]});
    let setup = Setup::new(json!({"mode": "enforce", "gate": gate}));
    for binary in envoy_binaries() {
        let pki = Pki::new().unwrap();
        let server = pki.identity(&[HOST]).unwrap();
        let sidecar =
            Sidecar::start_with(&binary, &setup, |listener| listener.tls(&pki, &server, ClientCert::Optional)).await;
        sidecar.ai.answer(Answer::text("hi"));
        let (gateway, stranger) =
            (pki.identity(&[GATEWAY]).unwrap(), pki.identity(&["spiffe://cluster.local/ns/x/sa/y"]).unwrap());
        let cases = [
            (Some(&gateway), Some("false"), true),
            (Some(&gateway), Some("true"), false),
            (Some(&gateway), Some("nonsense"), false),
            (Some(&gateway), None, false),
            (Some(&stranger), Some("false"), false),
            (None, Some("false"), false),
        ];
        for (identity, value, passes) in cases {
            let endpoint = Endpoint::tls(sidecar.envoy.addr("main"), pki.client_config(identity).unwrap(), HOST);
            let mut request = post(CHAT, &chat(MAIL));
            if let Some(value) = value {
                request = request.header(HEADER, value);
            }
            let answer = RawClient::connect(endpoint).await.unwrap().send(&request).await.unwrap();
            assert_eq!((answer.status, passed(&sidecar)), (200, passes), "{value:?} {passes}");
        }
        let tags = [("rule", "built-in"), ("reason", "gate_header")];
        sidecar.envoy.wait_for_counter("runtime_control_pii_redactor_passed_total", &tags, 1).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_of_anybody_counts_only_where_that_is_asked_for() {
    let config = |gate| json!({"mode": "enforce", "gate": gate});
    each(Setup::new(config(json!({"header": HEADER, "trustAnyPeer": true}))), async |sidecar: Sidecar| {
        sidecar.ai.answer(Answer::text("hi"));
        for (value, passes) in [("false", true), ("true", false)] {
            sidecar.ask(&post(CHAT, &chat(MAIL)).header(HEADER, value)).await;
            assert_eq!(passed(&sidecar), passes, "{value}");
        }
        // two that differ say nothing
        sidecar.ask(&post(CHAT, &chat(MAIL)).header(HEADER, "false").header(HEADER, "true")).await;
        assert!(!passed(&sidecar));
        sidecar.configure(config(json!({"flag": "ai-safety-pii", "whenMissing": "pass"}))).await;
        sidecar.ask(&post(CHAT, &chat(MAIL)).header(HEADER, "true")).await;
        assert!(passed(&sidecar), "where nothing is known, as it is written");
        sidecar.configure(config(json!({"flag": "ai-safety-pii"}))).await;
        sidecar.ask(&post(CHAT, &chat(MAIL)).header(HEADER, "false")).await;
        assert!(!passed(&sidecar), "a header of anybody is none");
        sidecar.assert_whole(&[MAIL]).await;
    })
    .await;
}
