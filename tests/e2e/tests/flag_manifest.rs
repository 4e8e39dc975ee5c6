//! What wasmplugins/flag-headers.yaml holds, in a real Envoy: both plugins' configurations with Unleash in the cluster that
//! Istio makes of its Service, the EnvoyFilter's patch, and the sidecars' routes with their faults.

use e2e::flags::{FakeUnleash, HOST, Mesh, Setup, features, home};
use harness::{Listener, Request, Upstream, envoy_binaries, static_cluster, workspace_root};
use serde_json::{Value, json};

const CLUSTER: &str = "outbound|4242||unleash.devmentor-app.svc.cluster.local";

fn manifest(kind: &str, name: &str) -> Value {
    let path = workspace_root().join("wasmplugins/flag-headers.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let wanted = |document: &Value| document["kind"] == kind && document["metadata"]["name"] == name;
    documents.into_iter().find(wanted).unwrap_or_else(|| panic!("no {kind} {name}"))
}

fn setup(plugin: &Value, unleash: &Upstream) -> Setup {
    let clusters = vec![static_cluster(CLUSTER, unleash.addr())];
    Setup { clusters, ..Setup::new(plugin["spec"]["pluginConfig"].clone(), None) }
}

/// Envoy's routes for the VirtualService, as Istio makes them: matches on headers, and the fault filter's settings.
fn routes(service: &Value) -> Vec<Value> {
    let kind = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault";
    let percent = |fault: &Value| json!({"numerator": fault["percentage"]["value"]});
    let route = |route: &Value| {
        let mut matched = json!({"prefix": "/"});
        let headers = route.pointer("/match/0/headers").and_then(Value::as_object).cloned().unwrap_or_default();
        let headers = headers.into_iter().map(|(name, value)| json!({"name": name, "string_match": value}));
        matched["headers"] = headers.collect();
        let (abort, delay) = (&route["fault"]["abort"], &route["fault"]["delay"]);
        let mut fault = json!({"@type": kind});
        fault["abort"] = json!({"http_status": abort["httpStatus"], "percentage": percent(abort)});
        if delay.is_object() {
            fault["delay"] = json!({"fixed_delay": delay["fixedDelay"], "percentage": percent(delay)});
        }
        let faults = json!({"envoy.filters.http.fault": fault});
        json!({"match": matched, "route": {"cluster": "app"}, "typed_per_filter_config": faults})
    };
    service["spec"]["http"].as_array().unwrap().iter().map(route).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateways_plugin_does_what_it_says() {
    let plugin = manifest("WasmPlugin", "flag-headers");
    assert_eq!((&plugin["spec"]["phase"], &plugin["spec"]["failStrategy"]), (&json!("AUTHZ"), &json!("FAIL_OPEN")));
    let unleash = FakeUnleash::start(&features(&["ada"]));
    for binary in envoy_binaries() {
        let mesh = Mesh::start(&binary, &setup(&plugin, &unleash.upstream)).await;
        mesh.serves("live").await;
        let stats = mesh.envoy.stats().await.unwrap();
        assert_eq!(stats.counter("runtime_control_flag_headers_config_info", &[("state", "ok")]), 1);
        assert_eq!(stats.counter("runtime_control_flag_headers_config_unknown_fields", &[]), 0);
        let seen = mesh.seen(home("ada")).await;
        let expected = [
            ("x-flag-new-ui-enabled", "true"),
            ("x-flagvariant-ai-provider-openai-enabled", "gpt-large"),
            ("x-flagpayload-ai-timeout-seconds", "45"),
            (
                "x-feature-flags",
                "new-ui-enabled=true,ai-safety-pii=false,ai-provider-openai-enabled=true;variant=gpt-large,ai-timeout-seconds=true",
            ),
        ];
        for (name, value) in expected {
            assert_eq!(seen.text(name).as_deref(), Some(value), "{name}");
        }
        let debug = Request::get("/runtime-control/flags").host("flags.runtime-control.local");
        assert_eq!(mesh.ask(debug).await.status, 503, "the gateway answers no client that names the host");
        mesh.assert_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sidecars_plugin_answers_its_application_and_leaves_other_calls_alone() {
    let plugin = manifest("WasmPlugin", "flag-headers-ofrep");
    assert_eq!(plugin["spec"]["match"], json!([{"mode": "CLIENT"}]));
    let unleash = FakeUnleash::start(&features(&["ada"]));
    for binary in envoy_binaries() {
        let setup = Setup {
            listener: |listener: Listener| {
                let service = manifest("VirtualService", "flags");
                let hosts = json!([
                    {"name": "flags", "domains": ["flags.runtime-control", "flags.runtime-control.local"], "routes": routes(&service)},
                    {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "app"}}]},
                ]);
                listener.hcm(json!({"route_config": {"virtual_hosts": hosts}}))
            },
            ..setup(&plugin, &unleash.upstream)
        };
        let mesh = Mesh::start(&binary, &setup).await;
        for host in ["flags.runtime-control", "flags.runtime-control.local"] {
            let call = |flag: &str| {
                let body = json!({"context": {"targetingKey": "ada"}}).to_string();
                Request::post(&format!("/ofrep/v1/evaluate/flags/{flag}"), body).host(host)
            };
            mesh.until("live", |debug| debug["source"] == "live").await;
            assert_eq!(mesh.ask(call("new-ui-enabled")).await.json().unwrap()["value"], true, "{host}");
            assert_eq!(mesh.ask(call("ai-timeout-seconds")).await.json().unwrap()["value"], 45, "{host}");
            assert_eq!(
                mesh.ask(Request::post("/else", "x").host(host)).await.status,
                503,
                "{host}: nothing stands behind"
            );
        }
        assert!(mesh.app.take_requests().is_empty());
        // the application hands on what it was given
        let outward =
            Request::get("/").host(HOST).header("x-flag-new-ui-enabled", "true").header("x-flags-source", "live");
        let seen = mesh.seen(outward).await;
        assert_eq!(seen.text("x-flag-new-ui-enabled").as_deref(), Some("true"));
        assert!(!seen.contains("x-flag-ai-safety-pii"), "no flags are put on its calls");
        mesh.assert_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_envoy_filter_strips_while_the_plugin_sets_nothing() {
    let patch = manifest("EnvoyFilter", "flag-headers-owned-headers")["spec"]["configPatches"][0].clone();
    assert_eq!(patch["patch"]["operation"], "MERGE");
    let flags = manifest("WasmPlugin", "flag-headers")["spec"]["pluginConfig"]["flags"].clone();
    let names: Vec<String> = flags
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|flag| {
            ["x-flag-", "x-flagvariant-", "x-flagpayload-"]
                .map(|kind| format!("{kind}{}", flag["name"].as_str().unwrap()))
        })
        .chain(["x-flags-source".to_owned(), "x-feature-flags".to_owned()])
        .collect();
    // an instance that owns nothing stands for one that is absent
    let nothing = json!({"headers": {"each": false, "source": false}, "mode": "off"});
    for binary in envoy_binaries() {
        let setup = Setup {
            listener: |listener: Listener| {
                let patch = manifest("EnvoyFilter", "flag-headers-owned-headers")["spec"]["configPatches"][0].clone();
                let mut merged = patch["patch"]["value"]["typed_config"].clone();
                merged.as_object_mut().unwrap().remove("@type");
                listener.hcm(merged)
            },
            ..Setup::new(nothing.clone(), None)
        };
        let mesh = Mesh::start(&binary, &setup).await;
        let mut forged = home("eve").header("x-flagship", "stays").header("x-flag-other-team", "stays");
        for name in &names {
            for spelled in [name.clone(), name.replace('-', "_"), name.to_uppercase(), name.replacen('-', "_", 1)] {
                forged = forged.header(&spelled, "true");
            }
        }
        let seen = mesh.seen(forged).await;
        let left: Vec<String> = seen
            .iter()
            .map(|(name, _)| String::from_utf8_lossy(name).to_lowercase())
            .filter(|name| name.contains("flag"))
            .collect();
        assert_eq!(left, ["x-flagship", "x-flag-other-team"]);
    }
}
