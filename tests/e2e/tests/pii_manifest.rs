//! What wasmplugins/pii-redactor.yaml and pii-redactor-inbound.yaml hold, and deploy/pii's overlays and component, in real Envoys; and
//! that the copies are copies.

use std::path::Path;
use std::time::Instant;

use e2e::ai::{Ai, Answer};
use e2e::flags::{FakeUnleash, TOKEN, features};
use e2e::pii::{Sidecar, TAGS, chat, event, post};
use e2e::with;
use filter_config::{NothingKept, Report};
use harness::{
    Bootstrap, Envoy, EnvoyOptions, FailurePolicy, Listener, Pki, Recorded, Request, TIMEOUT, Upstream, WasmPlugin,
    envoy_binaries, merge, route_to, static_cluster, virtual_hosts, wasm_path, with_tls, workspace_root,
};
use serde_json::{Value, json};

const OUTBOUND: &str = "wasmplugins/pii-redactor.yaml";
const INBOUND: &str = "wasmplugins/pii-redactor-inbound.yaml";
const GATE: &str = "deploy/pii/components/gate";
const UNLEASH: &str = "outbound|4242||unleash.devmentor-app.svc.cluster.local";
const KEY: &str = "PII_PLACEHOLDER_KEY";
const CHAT: &str = "/v1/chat/completions";
const MAIL: &str = "ada.lovelace@example.com";

fn text(path: &str) -> String {
    std::fs::read_to_string(workspace_root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn documents(path: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn plugin(path: &str, name: &str) -> Value {
    let named = |document: &Value| document["kind"] == "WasmPlugin" && document["metadata"]["name"] == name;
    documents(path).into_iter().find(named).unwrap_or_else(|| panic!("no WasmPlugin {name} in {path}"))
}

fn outbound() -> Value {
    plugin(OUTBOUND, "pii-redactor")
}

fn inbound() -> Value {
    plugin(INBOUND, "pii-redactor-inbound")
}

/// A plugin with the patch of a kustomization, which names it.
fn patched(mut plugin: Value, directory: &str) -> Value {
    let kustomization = &documents(&format!("{directory}/kustomization.yaml"))[0];
    let patches = kustomization["patches"].as_array().unwrap();
    for patch in patches {
        assert_eq!(patch["target"], json!({"kind": "WasmPlugin", "name": plugin["metadata"]["name"]}));
        let patch: Value = serde_saphyr::from_str(patch["patch"].as_str().unwrap()).unwrap();
        merge(&mut plugin, patch);
    }
    plugin
}

fn overlay(name: &str) -> Value {
    patched(outbound(), &format!("deploy/pii/overlays/{name}"))
}

/// A plugin as Istio has Envoy load it: name, failure policy, configuration, and the names of variables.
fn attached(plugin: &Value, filter: &str) -> WasmPlugin {
    let (spec, metadata) = (&plugin["spec"], &plugin["metadata"]);
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let name = format!("{}.{}", word(&metadata["namespace"]), word(&metadata["name"]));
    let policy = match spec["failStrategy"].as_str() {
        Some("FAIL_OPEN") => FailurePolicy::FailOpen,
        Some("FAIL_RELOAD") => FailurePolicy::FailReload,
        other => panic!("{other:?} of {name}"),
    };
    let mut made =
        WasmPlugin::new(&name, wasm_path(filter)).failure_policy(policy).config(spec["pluginConfig"].clone());
    for variable in spec["vmConfig"]["env"].as_array().into_iter().flatten() {
        assert_eq!(variable["valueFrom"], "HOST", "{name}: no value stands in a manifest");
        made = made.host_env(variable["name"].as_str().unwrap());
    }
    made
}

/// What stands in a sidecar.
#[derive(Default)]
struct Scene {
    /// The plugins, in the order of their phases.
    plugins: Vec<WasmPlugin>,
    /// The environment of the proxy.
    env: Vec<(&'static str, &'static str)>,
    /// More clusters.
    clusters: Vec<Value>,
}

impl Scene {
    /// pii-redactor with this manifest.
    fn of(plugin: &Value) -> Self {
        Self { plugins: vec![attached(plugin, "pii-redactor")], ..Self::default() }
    }

    /// The same behind flag-headers, which gets its flags from `unleash`, every second.
    fn behind_flags(plugin: &Value, flags: &Value, unleash: &Upstream) -> Self {
        let mut flags = flags.clone();
        flags["spec"]["pluginConfig"]["unleash"]["refresh"] = json!("1s");
        let mut scene = Self::of(plugin);
        scene.plugins.insert(0, attached(&flags, "flag-headers"));
        scene.env.push(("UNLEASH_API_TOKEN", TOKEN));
        scene.clusters.push(static_cluster(UNLEASH, unleash.addr()));
        scene
    }

    fn key(mut self, key: &'static str) -> Self {
        self.env.push((KEY, key));
        self
    }

    /// A sidecar before an API, to which it speaks TLS.
    async fn start(&self, binary: &Path) -> Sidecar {
        let pki = Pki::new().unwrap();
        let ai = Ai::behind(Upstream::start_tls("ai", &pki.identity(&["api.openai.com"]).unwrap()));
        let api =
            with_tls(static_cluster("outbound|80||api.openai.com", ai.upstream.addr()), &pki, "api.openai.com", None);
        let prefixed = json!({"match": {"prefix": "/api/ai/"}, "route": {"cluster": "outbound|80||api.openai.com", "prefix_rewrite": "/"}});
        let listener = Listener::http("main", virtual_hosts([prefixed, route_to("outbound|80||api.openai.com")]));
        let listener = self.plugins.iter().fold(listener, Listener::wasm);
        let bootstrap = Bootstrap::new().stats_tags(&TAGS).listener(listener).cluster_json(api);
        let bootstrap = self.clusters.iter().cloned().fold(bootstrap, Bootstrap::cluster_json);
        let options = EnvoyOptions::new(binary, bootstrap);
        let options = self.env.iter().fold(options, |options, (name, value)| options.env(name, value));
        Sidecar { envoy: Envoy::start(options).await.expect("an envoy"), ai }
    }
}

/// Fails where a plugin does not run all of its configuration.
async fn assert_runs_all(sidecar: &Sidecar) {
    let stats = sidecar.envoy.stats().await.unwrap();
    assert!(stats.counter("runtime_control_pii_redactor_config_info", &[("state", "ok")]) >= 1);
    assert_eq!(stats.counter("runtime_control_pii_redactor_config_unknown_fields", &[]), 0);
}

fn said(answer: &Value) -> &str {
    answer["choices"][0]["message"]["content"].as_str().unwrap()
}

fn prompt(request: &Recorded) -> String {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    body["messages"][0]["content"].as_str().unwrap().to_owned()
}

/// Has a prompt go through, and gives what the API saw of it. Its caller gets it back as it was.
async fn seen_of(sidecar: &Sidecar, request: &Request, sent: &str) -> String {
    let answer = sidecar.ask(request).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(said(&answer.json().unwrap()), sent);
    prompt(&sidecar.ai.upstream.take_one())
}

#[test]
fn the_overlays_plugin_is_a_copy_of_the_manifest() {
    assert!(text(OUTBOUND) == text("deploy/pii/base/pii-redactor.yaml"), "copy {OUTBOUND} to deploy/pii/base");
    let gate = &patched(outbound(), GATE)["spec"]["pluginConfig"]["gate"];
    assert_eq!(gate, &inbound()["spec"]["pluginConfig"]["gate"]);
}

#[test]
fn the_plugins_stand_where_the_design_has_them() {
    for (plugin, side) in [(outbound(), "CLIENT"), (overlay("enforce"), "CLIENT"), (inbound(), "SERVER")] {
        let spec = &plugin["spec"];
        assert_eq!((&spec["type"], &spec["phase"]), (&json!("HTTP"), &json!("UNSPECIFIED_PHASE")));
        assert_eq!(spec["match"], json!([{"mode": side}]));
        assert_eq!(spec["selector"], json!({"matchLabels": {"app": "ai-gateway"}}));
        assert_eq!((&spec["failStrategy"], &spec["pluginConfig"]["mode"]), (&json!("FAIL_RELOAD"), &json!("enforce")));
    }
    let report = overlay("report");
    assert_eq!(
        (&report["spec"]["failStrategy"], &report["spec"]["pluginConfig"]["mode"]),
        (&json!("FAIL_OPEN"), &json!("report"))
    );
    let before = [
        (plugin(INBOUND, "flag-headers-ai-gateway"), inbound()),
        (plugin(&format!("{GATE}/flag-headers.yaml"), "flag-headers-ai-egress"), outbound()),
    ];
    for (flags, redactor) in before {
        assert_eq!(flags["spec"]["phase"], "AUTHZ", "an earlier phase than the redactor's");
        for same in ["match", "selector"] {
            assert_eq!(flags["spec"][same], redactor["spec"][same]);
        }
    }
}

/// What `rcctl lint` tells of a plugin.
fn lint(plugin: &Value) -> Report {
    let config = &plugin["spec"]["pluginConfig"];
    let mut report = pii_core::load(config.to_string().as_bytes(), &NothingKept, &pii_core::load::any_variable).report;
    pii_core::lint::warnings(config, &mut report);
    report
}

#[test]
fn every_configuration_is_without_mistakes() {
    let gated = patched(overlay("enforce"), GATE);
    for plugin in [outbound(), overlay("enforce"), gated, inbound()] {
        let report = lint(&plugin);
        assert!(report.is_clean(), "{report:?}");
    }
    let Report { errors, unknown, warnings } = lint(&overlay("report"));
    assert!(errors.is_empty() && unknown.is_empty(), "{errors:?} {unknown:?}");
    let warnings: Vec<_> = warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(warnings, ["block does nothing in mode report"], "which is meant");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_way_out_the_provider_gets_placeholders_and_the_caller_its_values() {
    for binary in envoy_binaries() {
        let sidecar = Scene::of(&overlay("enforce")).start(&binary).await;
        assert_runs_all(&sidecar).await;
        let sent = format!("Tell {MAIL} and support@devmentor.local: employee DM-123456 has left Project Falcon");
        let expected = "Tell [EMAIL_1] and support@devmentor.local: employee [EMPLOYEE_ID_1] has left [CUSTOM_TERM_1]";
        for host in ["api.openai.com", "API.OpenAI.com:80", "api.openai.com."] {
            assert_eq!(seen_of(&sidecar, &post(CHAT, &chat(&sent)).host(host), &sent).await, expected, "{host}");
        }
        let mut streamed = chat(&sent);
        streamed["stream"] = json!(true);
        sidecar.ai.answer(Answer::echo().deltas_of(1));
        let answer = sidecar.ask(&post(CHAT, &streamed)).await.text();
        assert_eq!(streamed_text(&answer), sent);
        assert_eq!(prompt(&sidecar.ai.upstream.take_one()), expected);
        let message = json!({"model": "claude", "max_tokens": 10, "messages": [{"role": "user", "content": sent}]});
        let answer = sidecar.ask(&post("/v1/messages", &message).host("api.anthropic.com")).await.json().unwrap();
        assert_eq!(answer["content"][0]["text"], sent);
        assert_eq!(prompt(&sidecar.ai.upstream.take_one()), expected);
        let key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v1VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----";
        let answer = sidecar.ask(&post(CHAT, &chat(key))).await;
        assert_eq!((answer.status, &answer.json().unwrap()["error"]["code"]), (422, &json!("pii_blocked")));
        assert_eq!(
            sidecar.ask(&post("/v1/files", &json!({})).piece("no json")).await.status,
            422,
            "an upload can't be read"
        );
        for request in sidecar.ai.upstream.take_requests() {
            assert!(
                !request.text().contains("PRIVATE KEY") && !request.complete,
                "what is refused is not sent on: {request:?}"
            );
        }
        let inside = post(CHAT, &chat(&sent)).host("memory.devmentor-app");
        assert_eq!(seen_of(&sidecar, &inside, &sent).await, sent, "no rule is for calls inside the mesh");
        sidecar.assert_whole(&[MAIL, "DM-123456"]).await;
    }
}

/// What a client puts together of a stream of chats.
fn streamed_text(body: &str) -> String {
    let events = body.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    events.filter_map(|event| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn reporting_changes_no_byte() {
    for binary in envoy_binaries() {
        let reporting = Scene::of(&overlay("report")).start(&binary).await;
        assert_runs_all(&reporting).await;
        let plain = Scene::default().start(&binary).await;
        let body = format!(
            "{{ \"messages\" : [{{\"content\":\"{MAIL} of Project F\\u0061lcon\", \"role\":\"user\"}}],\t\"model\":\"m\" }} "
        );
        let request = Request::post(CHAT, &body).host("api.openai.com").header("content-type", "application/json");
        let mark = reporting.envoy.logs().mark();
        let answers = [reporting.ask(&request).await, plain.ask(&request).await];
        assert_eq!(answers[0].body, answers[1].body);
        let [seen, seen_plain] = [&reporting, &plain].map(|sidecar| sidecar.ai.upstream.take_one());
        assert_eq!((String::from_utf8(seen.body).unwrap(), seen_plain.body), (body.clone(), body.into_bytes()));
        assert_eq!(seen.headers.text("content-length"), seen_plain.headers.text("content-length"));
        let told = reporting.found_after(mark).await;
        let found: Vec<_> =
            told["found"].as_array().unwrap().iter().map(|found| found["entity"].as_str().unwrap()).collect();
        assert!(found.contains(&"EMAIL") && found.contains(&"CUSTOM_TERM"), "{told}");
        reporting.assert_whole(&[MAIL]).await;
    }
}

/// A call of a client to ai-gateway, which is the API here.
fn asked(content: &str) -> Request {
    post("/api/ai/v1/chat/completions", &chat(content)).host("devmentor.local")
}

#[tokio::test(flavor = "multi_thread")]
async fn inbound_a_value_has_one_placeholder_in_all_requests_and_proxies_with_the_key() {
    let mut all = Vec::new();
    for binary in envoy_binaries() {
        let sidecar = Scene::of(&inbound()).key("one key for all of the pods").start(&binary).await;
        assert_runs_all(&sidecar).await;
        for sent in [format!("I am {MAIL}"), format!("Not bob@example.org but {MAIL}")] {
            let seen = seen_of(&sidecar, &asked(&sent), &sent).await;
            assert!(!seen.contains("bob"), "{seen}");
            all.push(seen[seen.rfind("[EMAIL_").expect("a placeholder")..].to_owned());
        }
        sidecar.assert_whole(&[MAIL, "one key for all"]).await;
        let other = Scene::of(&inbound()).key("another key for all of the pods").start(&binary).await;
        let seen = seen_of(&other, &asked(MAIL), MAIL).await;
        assert!(seen.starts_with("[EMAIL_") && !all.contains(&seen), "{seen}");
    }
    all.dedup();
    assert_eq!(all.len(), 1, "{all:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn inbound_without_its_key_nothing_guarded_passes() {
    for binary in envoy_binaries() {
        for scene in [Scene::of(&inbound()), Scene::of(&inbound()).key("too short")] {
            let sidecar = scene.start(&binary).await;
            let answer = sidecar.ask(&asked("hi")).await;
            assert_eq!((answer.status, &answer.json().unwrap()["error"]["code"]), (503, &json!("settings_broken")));
            assert!(sidecar.ai.upstream.take_requests().is_empty());
            assert_eq!(
                sidecar.ask(&Request::get("/healthz").host("devmentor.local")).await.status,
                404,
                "the API's own word"
            );
        }
    }
}

/// Asks until the API sees a prompt as it is, or not.
async fn until_guarded(sidecar: &Sidecar, guarded: bool, request: &Request) {
    let start = Instant::now();
    while seen_of(sidecar, request, MAIL).await.contains('@') == guarded {
        assert!(start.elapsed() < TIMEOUT, "the flag's change to {guarded} is not seen");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// What Unleash answers about the flag.
fn flag(on: bool) -> Value {
    with(features(&[]), "/features/1/enabled", json!(on))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_flag_switches_it_and_no_header_of_a_client_does() {
    let places = [
        (inbound(), plugin(INBOUND, "flag-headers-ai-gateway"), asked(MAIL)),
        (
            patched(overlay("enforce"), GATE),
            plugin(&format!("{GATE}/flag-headers.yaml"), "flag-headers-ai-egress"),
            post(CHAT, &chat(MAIL)),
        ),
    ];
    for (redactor, flags, request) in places {
        let forged = |value: &str| request.clone().header("x-flag-ai-safety-pii", value);
        for binary in envoy_binaries() {
            let unleash = FakeUnleash::start(&flag(true));
            let scene = Scene::behind_flags(&redactor, &flags, &unleash.upstream).key("one key for all of the pods");
            let sidecar = scene.start(&binary).await;
            assert_runs_all(&sidecar).await;
            until_guarded(&sidecar, true, &request).await;
            for sent in [&request, &forged("false")] {
                assert!(!seen_of(&sidecar, sent, MAIL).await.contains('@'), "the flag is on");
            }
            unleash.serve(&flag(false));
            until_guarded(&sidecar, false, &request).await;
            assert_eq!(seen_of(&sidecar, &forged("true"), MAIL).await, MAIL, "the flag is off");
            let stats = sidecar
                .envoy
                .wait_for_counter("runtime_control_pii_redactor_passed_total", &[("reason", "gate_state")], 2)
                .await;
            stats.expect("what passes by the gate is counted");
            unleash.serve(&flag(true));
            until_guarded(&sidecar, true, &request).await;
            sidecar.assert_whole(&[MAIL]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_flag_headers_a_gate_lets_nothing_past() {
    for binary in envoy_binaries() {
        let sidecar = Scene::of(&inbound()).key("one key for all of the pods").start(&binary).await;
        let forged = asked(MAIL).header("x-flag-ai-safety-pii", "false");
        assert!(!seen_of(&sidecar, &forged, MAIL).await.contains('@'));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_application_gets_the_flag_by_which_it_is_guarded_and_the_provider_none() {
    let unleash = FakeUnleash::start(&flag(true));
    let gate = plugin(&format!("{GATE}/flag-headers.yaml"), "flag-headers-ai-egress");
    let inside = plugin(INBOUND, "flag-headers-ai-gateway");
    for binary in envoy_binaries() {
        let scene = Scene::behind_flags(&inbound(), &inside, &unleash.upstream).key("one key for all of the pods");
        let sidecar = scene.start(&binary).await;
        let said = asked("hi").header("x-flag-ai-safety-pii", "false").header("x-flag-new-ui-enabled", "true");
        sidecar.ask(&said).await;
        let seen = sidecar.ai.upstream.take_one().headers;
        assert_eq!(seen.text("x-flag-ai-safety-pii").as_deref(), Some("true"));
        assert_eq!(seen.text("x-flag-new-ui-enabled").as_deref(), Some("true"), "the gateway's own stay");
        let sidecar = Scene::behind_flags(&patched(outbound(), GATE), &gate, &unleash.upstream).start(&binary).await;
        sidecar.ask(&post(CHAT, &chat("hi"))).await;
        assert!(sidecar.ai.upstream.take_one().headers.iter().all(|(name, _)| !name.starts_with(b"x-flag")));
        assert!(sidecar.envoy.logs().lines().iter().all(|line| event(line).is_none()), "nothing was found");
    }
}
