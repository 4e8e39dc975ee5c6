//! What wasmplugins/canary-router.yaml holds, in a real Envoy: the plugin's configuration, and the EnvoyFilter's patch.

use e2e::{HOST, Mesh, Setup, ai};
use harness::{Request, envoy_binaries, workspace_root};
use serde_json::{Value, json};

fn manifest(kind: &str) -> Value {
    let path = workspace_root().join("wasmplugins/canary-router.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    documents.into_iter().find(|document| document["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_manifest_does_what_it_says() {
    let plugin = manifest("WasmPlugin");
    assert_eq!((&plugin["spec"]["phase"], &plugin["spec"]["failStrategy"]), (&json!("AUTHZ"), &json!("FAIL_OPEN")));
    let config = plugin["spec"]["pluginConfig"].clone();
    for binary in envoy_binaries() {
        let mesh = Mesh::start(&binary, &Setup::new(config.clone())).await;
        let stats = mesh.envoy.stats().await.unwrap();
        assert_eq!(stats.counter("runtime_control_canary_router_config_info", &[("state", "ok")]), 1);
        assert_eq!(stats.counter("runtime_control_canary_router_config_unknown_fields", &[]), 0);
        let named = |id: &str| ai().bearer(&mesh.issuer.token(json!({"sub": id})));
        let cases = [(named("qa-1"), "v2"), (named("vip-7"), "v1"), (ai().header("x-env", "canary"), "v2")];
        for (request, arm) in cases {
            assert_eq!(mesh.ask(request).await.served_by(), arm);
        }
        assert!(mesh.ask(ai()).await.headers.text("set-cookie").unwrap().starts_with("rc_anon="));
        let elsewhere = mesh.ask(Request::get("/api/auth").host(HOST)).await;
        assert!(!elsewhere.headers.contains("set-cookie"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_envoy_filter_strips_while_the_plugin_is_absent() {
    let patch = manifest("EnvoyFilter")["spec"]["configPatches"][0].clone();
    assert_eq!(patch["patch"]["operation"], "MERGE");
    let mut merged = patch["patch"]["value"]["typed_config"].clone();
    merged.as_object_mut().unwrap().remove("@type");
    for binary in envoy_binaries() {
        let setup = Setup::without_plugin();
        let mesh = Mesh::start_with(&binary, &setup, |listener| vec![listener.hcm(merged.clone())]).await;
        let mut forged = ai();
        for name in ["x-canary-arm", "X-Canary-Arm", "x_canary_arm", "x-canary_arm", "X_Canary-Arm", "x-canary-arm"] {
            forged = forged.header(name, "v2");
        }
        assert_eq!(mesh.ask(forged).await.served_by(), "v1");
        let arrived = mesh.v1.take_one();
        let spelled =
            |name: &[u8]| name.to_ascii_lowercase().iter().map(|b| if *b == b'_' { b'-' } else { *b }).collect();
        assert!(!arrived.headers.iter().any(|(name, _)| {
            let name: Vec<u8> = spelled(name);
            name == b"x-canary-arm"
        }));

        let bare = Mesh::start(&binary, &setup).await;
        assert_eq!(bare.ask(ai().header("x-canary-arm", "v2")).await.served_by(), "v2", "without the patch it passes");
    }
}
