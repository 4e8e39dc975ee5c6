//! What wasmplugins/egress-audit.yaml and egress-audit-tls.yaml hold, in real Envoys, and that the copies of their configuration
//! are copies.

use e2e::egress::{Setup, each_at_once, event};
use e2e::with;
use harness::{Request, workspace_root};
use serde_json::{Value, json};

fn documents(path: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(workspace_root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn plugin(path: &str, name: &str) -> Value {
    let named = |document: &Value| document["kind"] == "WasmPlugin" && document["metadata"]["name"] == name;
    documents(path).into_iter().find(named).unwrap_or_else(|| panic!("no WasmPlugin {name} in {path}"))
}

fn http() -> Value {
    plugin("wasmplugins/egress-audit.yaml", "egress-audit")
}

#[test]
fn one_configuration_stands_in_three_places() {
    let tls = plugin("wasmplugins/egress-audit-tls.yaml", "egress-audit-tls");
    let unknown = &documents("deploy/egress/components/virtual-outbound/egress-audit.json")[0];
    let first = &http()["spec"]["pluginConfig"];
    assert_eq!(first, &tls["spec"]["pluginConfig"]);
    assert_eq!(first, unknown);
    // a replacement of the overlays finds it by its place
    let path = workspace_root().join("deploy/egress/components/virtual-outbound/egress-audit.json");
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.split_once('"').is_some_and(|(_, rest)| rest.starts_with("mode\"")), "mode has to come first");
    let gateway = "deploy/egress/components/egress-gateway/wasm-plugins.yaml";
    let [http, tls] = ["egress-audit-gateway", "egress-audit-gateway-tls"].map(|name| plugin(gateway, name));
    assert_eq!(http["spec"]["pluginConfig"], tls["spec"]["pluginConfig"]);
}

#[test]
fn the_plugins_stand_where_the_design_has_them() {
    let tls = plugin("wasmplugins/egress-audit-tls.yaml", "egress-audit-tls");
    for (plugin, kind) in [(http(), "HTTP"), (tls, "NETWORK")] {
        let spec = &plugin["spec"];
        assert_eq!(
            (&spec["type"], &spec["phase"], &spec["failStrategy"]),
            (&json!(kind), &json!("STATS"), &json!("FAIL_OPEN"))
        );
        assert_eq!(spec["match"][0]["mode"], "CLIENT", "only what leaves");
        assert_ne!(spec["pluginConfig"]["mode"], "enforce", "a first apply denies nothing");
    }
}

/// The manifest's configuration with this mode, which tells each call at once, and no collector.
fn configuration(mode: &str) -> Value {
    let config = with(http()["spec"]["pluginConfig"].clone(), "/mode", json!(mode));
    let mut config = with(config, "/audit/fold", json!("0s"));
    config["export"].as_object_mut().unwrap().remove("otlp");
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn the_manifest_does_what_it_says() {
    let calls = || {
        [
            (Request::post("/v1/chat/completions", "x").host("api.openai.com"), "openai", "rule_allow", 200),
            (Request::get("/v1/models").host("api.openai.com"), "", "default_deny", 403),
            (Request::post("/v1/files", "x").host("api.openai.com"), "no-uploads", "rule_deny", 403),
            (Request::get("/").host("unknown.example"), "", "default_deny", 403),
        ]
    };
    for mode in ["report", "enforce"] {
        each_at_once(Setup::new(configuration(mode)), async |sidecar| {
            for (request, rule, reason, enforced) in calls() {
                let mark = sidecar.envoy.logs().mark();
                let answer = sidecar.ask(&request).await;
                assert_eq!(answer.status, if mode == "enforce" { enforced } else { 200 }, "{request:?}");
                let told = sidecar.event_after(mark, |event| event["reason_code"] == reason).await;
                assert_eq!(told["rule_id"].as_str().unwrap_or_default(), rule, "{told:#}");
                assert_eq!(told["would_deny"], mode == "report" && enforced == 403, "{told:#}");
            }
            assert_eq!(sidecar.ask(&Request::get("/").host("memory")).await.status, 200);
            let stats = sidecar.envoy.stats().await.unwrap();
            assert_eq!(stats.counter("runtime_control_egress_audit_config_unknown_fields", &[]), 0);
            assert!(stats.counter("runtime_control_egress_audit_config_info", &[("state", "ok")]) >= 1);
            sidecar.assert_whole().await;
        })
        .await;
    }
}

#[test]
fn the_readmes_event_is_one() {
    let readme = std::fs::read_to_string(workspace_root().join("filters/egress-audit/README.md")).unwrap();
    let start = readme.find("```json\n{\"event\"").expect("an event") + "```json\n".len();
    let text: String = readme[start..].split("```").next().unwrap().lines().map(str::trim).collect();
    let told = event(&text).expect("json");
    let schema = egress_core::event::schema();
    let fields = schema["properties"].as_object().unwrap();
    let required = schema["required"].as_array().unwrap();
    assert!(told.as_object().unwrap().keys().all(|field| fields.contains_key(field)), "{told:#}");
    assert!(required.iter().all(|field| told.get(field.as_str().unwrap()).is_some()), "{told:#}");
}
