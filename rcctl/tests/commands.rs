//! What rcctl says, run as a user runs it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

mod tool;

use egress_core::workload::Workload;
use filter_config::{NothingKept, Report};
use pii_core::load::any_variable;
use serde_json::{Value, json};
use tool::{File, rcctl, root};

fn config(weight: f64) -> Value {
    json!({
        "identity": [{"jwt": {"issuer": "https://auth.devmentor.local"}}, {"header": "x-user-id"}],
        "rules": [{
            "name": "ai-gateway",
            "hosts": ["devmentor.local"],
            "match": [{"uri": {"prefix": "/api/ai"}}],
            "salt": "ai-gateway-canary",
            "baseline": "v1",
            "arms": [{"name": "v2", "weight": weight}],
            "overrides": [{"arm": "v2", "headers": {"x-env": {"exact": "canary"}}}, {"arm": "v1", "users": ["vip-7"]}],
        }],
    })
}

fn two_arms(a: f64, b: f64) -> Value {
    let mut config = config(a);
    config["rules"][0]["arms"] = json!([{"name": "v2", "weight": a}, {"name": "v3", "weight": b}]);
    config
}

#[test]
fn lint_names_every_mistake_in_every_manifest() {
    let manifests = r#"
apiVersion: v1
kind: Service
metadata: {name: canary-router}
---
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: router, namespace: istio-system}
spec:
  url: oci://registry.example.com/runtime-control/canary-router:0.1.0
  pluginConfig:
    rules:
    - {name: a, salt: s, baseline: v1, arms: [{name: v2, weight: 120}], mdoe: off}
---
apiVersion: extensions.istio.io/v1alpha1
kind: TrafficExtension
metadata: {name: canary-router}
spec:
  wasm:
    pluginConfig: {trust: nobody}
"#;
    let said = rcctl(&["lint", "-"], manifests);
    let expected = "\
-: WasmPlugin istio-system/router: rules[0].arms[0].weight: 120 is over 100
-: WasmPlugin istio-system/router: rules[0].mdoe: unknown field; known here: name, mode, hosts, match, salt, baseline, arms, overrides, noIdentity
-: WasmPlugin istio-system/router: warning: identity: is empty: every request is without an id, nothing is sticky
-: TrafficExtension canary-router: trust: nobody is not one of edge, mesh
2 configurations, 3 mistakes, 1 warnings
";
    assert_eq!((said.out.as_str(), said.code), (expected, 1));
}

#[test]
fn lint_takes_bare_configurations_and_a_local_envoys_files() {
    let good = config(10.0);
    let said = rcctl(&["lint", "-"], &good.to_string());
    assert_eq!((said.code, said.out.as_str()), (0, "1 configurations, 0 mistakes, 0 warnings\n"));

    let mut bad = config(10.0);
    bad["rules"][0]["arms"][0]["weight"] = json!(8.123);
    let extension = json!({"resources": [{
        "name": "istio-system.canary-router",
        "typed_config": {"config": {"configuration": {"value": bad.to_string()}}},
    }]});
    let said = rcctl(&["lint", "-"], &extension.to_string());
    let expected =
        "-: extension istio-system.canary-router: rules[0].arms[0].weight: 8.123 has more than two decimals\n";
    assert_eq!((said.code, said.out.starts_with(expected)), (1, true), "{}", said.out);

    let said = rcctl(&["lint", "-"], "a: 1\na: 2\n");
    assert_eq!(said.code, 1);
    assert!(said.out.contains("not yaml"), "{}", said.out);

    let said = rcctl(&["lint", "-"], "kind: Service\n");
    assert_eq!(
        (said.code, said.err.as_str()),
        (
            2,
            "rcctl: no configuration of canary-router, flag-headers, egress-audit, pii-redactor in these files; --filter names one\n"
        )
    );

    let said = rcctl(&["lint", "--filter", "canary-router", "-"], "trust: edge\n");
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);

    let said = rcctl(&["lint", "/no/such/file"], "");
    assert_eq!((said.code, said.out.starts_with("/no/such/file: ")), (1, true));
}

#[test]
fn strict_takes_warnings_as_mistakes() {
    let mut config = config(10.0);
    config["identity"] = json!([{"header": "x-user-id"}]);
    assert_eq!(rcctl(&["lint", "-"], &config.to_string()).code, 0);
    assert_eq!(rcctl(&["lint", "--strict", "-"], &config.to_string()).code, 1);
}

#[test]
fn the_checked_in_manifests_are_without_mistakes() {
    for (filter, configurations) in [("canary-router", 2), ("flag-headers", 3), ("egress-audit", 2)] {
        let manifest = root().join(format!("wasmplugins/{filter}.yaml"));
        let local = root().join(format!("deploy/local/{filter}.json"));
        let said = rcctl(&["lint", "--strict", manifest.to_str().unwrap(), local.to_str().unwrap()], "");
        let expected = format!("{configurations} configurations, 0 mistakes, 0 warnings\n");
        assert_eq!((said.code, said.out), (0, expected), "{}", said.err);
    }
}

#[test]
fn explain_tells_rule_hash_bucket_ranges_and_arm() {
    let file = File::new("explain.json", &config(10.0).to_string());
    let explain = |more: &[&str]| {
        let base = ["explain", "--config", file.path(), "--host", "devmentor.local:8080", "--path", "/api/ai/chat?x=1"];
        rcctl(&[&base, more].concat(), "")
    };
    let expected = "\
rule      ai-gateway (rules[0], mode enforce)
user      ada (trusted)
hash      murmur3_x86_32(\"ai-gateway-canary:<id>\", 0) = 0xe8555770
bucket    5670 of 10000
ranges    v2 0-999 (10 %), v1 the rest
override  none holds
arm       v1 (reason user)
header    x-canary-arm: v1
";
    let said = explain(&["--user", "ada"]);
    assert_eq!((said.out.as_str(), said.code), (expected, 0), "{}", said.err);

    let said = explain(&["--header", "X-Env=canary"]);
    assert!(said.out.contains("override  overrides[0] holds\narm       v2 (reason override)"), "{}", said.out);
    let said = explain(&["--user", "vip-7"]);
    assert!(said.out.contains("override  overrides[1] holds\narm       v1 (reason override)"), "{}", said.out);
    let said = explain(&["--header", "x-user-id=vip-7"]);
    assert!(said.out.contains("user      vip-7 (not trusted)\n") && said.out.contains("none holds"), "{}", said.out);
    let said = explain(&[]);
    assert!(
        said.out.contains("user      none\n") && said.out.contains("so the VirtualService decides"),
        "{}",
        said.out
    );
    let said = rcctl(&["explain", "--config", file.path(), "--user", "ada"], "");
    assert_eq!(said.out, "rule      none is for this request, so no arm header is set\n");
}

#[test]
fn explain_from_tells_who_moves() {
    let update = |old: &Value, new: &Value, name: &str| {
        let (old, new) = (
            File::new(&format!("{name}-old.json"), &old.to_string()),
            File::new(&format!("{name}-new.json"), &new.to_string()),
        );
        let said = rcctl(&["explain", "--config", new.path(), "--from", old.path()], "");
        assert!(said.err.is_empty(), "{}", said.err);
        (said.out.lines().last().unwrap_or_default().to_owned(), said.code)
    };
    let other_salt = |mut config: Value| {
        config["rules"][0]["salt"] = json!("other");
        config
    };
    let mut promoted = config(100.0);
    promoted["rules"][0]["baseline"] = json!("v2");
    promoted["rules"][0]["arms"] = json!([]);
    promoted["rules"][0]["overrides"] = json!([]);
    let line = |text: &str| format!("update    ai-gateway: {text}");
    let cases = [
        (config(10.0), config(25.0), "15 % of users move from v1 to v2", 0),
        (config(25.0), config(24.5), "0.5 % of users move from v2 to v1", 0),
        (config(25.0), config(25.0), "nobody moves", 0),
        (config(100.0), promoted, "nobody moves", 0),
        (config(10.0), other_salt(config(10.0)), "the salt changes: every user is dealt anew", 0),
        (config(0.0), other_salt(config(0.0)), "the salt changes while no canary arm has users: nobody moves", 0),
        (
            two_arms(60.0, 30.0),
            two_arms(30.0, 60.0),
            "10 % of users move from v2 to v1; 20 % of users move from v2 to v3 (warning: users cross from one canary arm to another); 10 % of users move from v1 to v3",
            1,
        ),
    ];
    for (index, (old, new, text, code)) in cases.iter().enumerate() {
        assert_eq!(update(old, new, &index.to_string()), (line(text), *code));
    }
}

#[test]
fn lint_warns_of_an_update_that_moves_users_without_need() {
    let old = File::new("lint-old.json", &two_arms(60.0, 30.0).to_string());
    let lint = |new: &Value| {
        let new = File::new("lint-new.json", &new.to_string());
        let said = rcctl(&["lint", "--from", old.path(), new.path()], "");
        assert_eq!(said.code, 0, "{}{}", said.out, said.err);
        said.out
    };
    assert!(lint(&two_arms(60.0, 40.0)).ends_with("0 mistakes, 0 warnings\n"));
    let crossing = lint(&two_arms(30.0, 60.0));
    assert!(
        crossing.contains("warning: ai-gateway: ") && crossing.contains("20 % of users move from v2 to v3"),
        "{crossing}"
    );
    let mut salted = two_arms(60.0, 30.0);
    salted["rules"][0]["salt"] = json!("other");
    assert!(lint(&salted).contains("warning: ai-gateway: the salt changes: every user is dealt anew"));
}

#[test]
fn explain_refuses_what_it_cannot_tell() {
    let bad = File::new("bad.json", &config(120.5).to_string());
    let said = rcctl(&["explain", "--config", bad.path()], "");
    assert_eq!(
        (said.code, said.err),
        (2, format!("rcctl: {}: rules[0].arms[0].weight: 120.5 is over 100\n", bad.path()))
    );
    let good = File::new("good.json", &config(10.0).to_string());
    let said = rcctl(&["explain", "--config", good.path(), "--header", "x"], "");
    assert_eq!((said.code, said.err.as_str()), (2, "rcctl: --header x: it has to be name=value\n"));
}

#[test]
fn the_checked_in_schemas_and_the_readmes_tables_are_current() {
    for filter in ["canary-router", "flag-headers", "egress-audit", "pii-redactor"] {
        let folder = root().join("filters").join(filter);
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let why = "run `make schema`";
        assert_eq!(read("config.schema.json"), rcctl(&["schema", filter], "").out, "{filter}: {why}");
        assert!(read("README.md").contains(&rcctl(&["schema", filter, "--table"], "").out), "{filter}: {why}");
    }
}

/// Every field of the examples replaced by values of every kind: what lint takes, the schema takes, and what the schema
/// refuses, lint refuses.
#[test]
fn the_schemas_refuse_nothing_that_lint_takes() {
    let mut canary = config(10.0);
    canary["anonymous"] = json!({"cookie": "rc_anon", "maxAge": "1h"});
    let canary_report = |config: &Value| canary_core::load(config.to_string().as_bytes(), &NothingKept).report;
    let flags: Value = serde_json::from_str(&blocks("flag-headers", "json")[0]).unwrap();
    let flags_report = |config: &Value| flag_core::load(config.to_string().as_bytes(), &NothingKept).report;
    let egress = json!({
        "mode": "report", "scope": "external", "internal": ["*.local", "10.0.0.0/8"], "egressGateways": ["gw.*.local"],
        "policies": [{
            "name": "p", "mode": "enforce", "default": "deny",
            "selector": {"matchLabels": {"app": "a"}, "serviceAccounts": ["a/b"], "principals": ["spiffe://a/ns/b/sa/c"]},
            "allow": [{"id": "r", "hosts": ["a.example", "*.b.example"], "ports": [443], "match": [{"uri": {"prefix": "/"}}]}],
            "deny": [{"id": "d", "hosts": ["192.0.2.7"]}],
        }],
        "default": "deny", "ipLiterals": "deny", "sniMismatch": "deny", "undecidable": "allow",
        "denial": {"status": 403, "help": "ask"},
        "audit": {"path": "none", "fold": "1s", "foldCapacity": 16, "sampleAllowed": 1.5, "firstSeenCapacity": 16, "chain": true},
        "export": {
            "log": true, "accessLog": false, "bufferEvents": 16, "bufferBytes": 65536, "onFull": "fail_closed",
            "otlp": {
                "service": {"name": "otel", "namespace": "observability", "port": 4318}, "authority": "a", "path": "/v1/logs",
                "authorizationEnv": "TOKEN", "timeout": "5s", "interval": "1s", "batch": 1,
            },
        },
    });
    let egress_report =
        |config: &Value| egress_core::load(config.to_string().as_bytes(), &NothingKept, &Workload::default()).report;
    assert_schema("canary-router", &canary, &canary_report);
    assert_schema("egress-audit", &egress, &egress_report);
    assert_schema("flag-headers", &flags, &flags_report);
    let pii = json!({
        "mode": "report", "direction": "inbound",
        "gate": {
            "flag": "a", "header": "x-pii", "fromPrincipals": ["spiffe://a/ns/b/sa/c"], "trustAnyPeer": false, "whenMissing": "pass",
        },
        "rules": [{
            "name": "r", "hosts": ["a.example"], "match": [{"uri": {"prefix": "/"}}], "api": "json", "paths": ["$.a"],
            "request": {"action": "block"}, "response": {"action": "report", "restore": false}, "mode": "enforce",
            "allowUpgrade": true, "onError": "pass",
        }],
        "entities": {
            "preset": "all@1", "include": ["EMAIL"], "exclude": ["DATE_OF_BIRTH"], "minConfidence": 60, "actions": {"EMAIL": "mask"},
        },
        "placeholder": {"style": "<{ENTITY}-{N}>", "keyEnv": "PII_KEY"},
        "custom": [{"name": "EMPLOYEE_ID", "pattern": "DM-[0-9]{6}", "context": ["employee"], "confidence": 90}],
        "neverRedact": ["a"], "alwaysRedact": ["abc"], "onError": "pass",
        "limits": {"maxValues": 10, "maxEventBytes": 4096, "maxRatio": 10}, "audit": {"log": false, "paths": false},
    });
    let pii_report = |config: &Value| pii_core::load(config.to_string().as_bytes(), &NothingKept, &any_variable).report;
    assert_schema("pii-redactor", &pii, &pii_report);
}

fn assert_schema(filter: &str, example: &Value, report: &dyn Fn(&Value) -> Report) {
    let schema: Value = serde_json::from_str(&rcctl(&["schema", filter], "").out).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let said = rcctl(&["lint", "--filter", filter, "-"], &example.to_string());
    assert!(validator.is_valid(example) && said.code == 0, "{filter}: {}", said.out);
    let mut places = Vec::new();
    collect(example, "", &mut places);
    let (mut taken, mut refused) = (0, 0);
    for place in places {
        for change in [
            json!(null),
            json!(7),
            json!(120.5),
            json!("x"),
            json!(""),
            json!("session"),
            json!([]),
            json!({}),
            json!({"exact": "a"}),
            json!(true),
        ] {
            let mut config = example.clone();
            *config.pointer_mut(&place).unwrap() = change.clone();
            let valid = validator.is_valid(&config);
            let found = report(&config);
            if found.errors.is_empty() && found.unknown.is_empty() {
                taken += 1;
                assert!(valid, "{filter}: lint takes {change} at {place}, the schema does not");
            } else if !valid {
                refused += 1;
            }
        }
    }
    assert!(taken > 30 && refused > 100, "{filter}: {taken} taken, {refused} refused");
}

fn collect(value: &Value, at: &str, places: &mut Vec<String>) {
    if !at.is_empty() {
        places.push(at.to_owned());
    }
    match value {
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, item)| collect(item, &format!("{at}/{index}"), places))
        }
        Value::Object(fields) => fields.iter().for_each(|(name, item)| collect(item, &format!("{at}/{name}"), places)),
        _ => {}
    }
}

#[test]
fn modules_that_envoy_1_36_could_not_load_are_refused() {
    let module = |text: &str, name: &str| {
        let path = std::env::temp_dir().join(format!("rcctl-{}-{name}.wasm", std::process::id()));
        std::fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
        let said = rcctl(&["module", path.to_str().unwrap()], "");
        std::fs::remove_file(&path).unwrap();
        said
    };
    let abi = r#"(func (export "proxy_abi_version_0_2_1"))"#;
    let import = |name: &str| format!(r#"(import "wasi_snapshot_preview1" "{name}" (func))"#);
    let said = module(&format!("(module {} {abi})", import("random_get")), "good");
    assert_eq!(said.code, 0, "{}", said.out);
    assert!(said.out.contains("kB; wasi: random_get"), "{}", said.out);
    let said = module(&format!("(module {} {abi})", import("sock_accept")), "import");
    assert_eq!(said.code, 1);
    assert!(said.out.contains("imports sock_accept, which envoy 1.36 lacks"), "{}", said.out);
    let said = module("(module)", "abi");
    assert_eq!(said.code, 1);
    assert!(said.out.contains("does not export proxy_abi_version_0_2_1"), "{}", said.out);
    let garbage = File::new("garbage.wasm", "no module");
    assert_eq!(rcctl(&["module", garbage.path()], "").code, 2);
}

/// The blocks of that language in a filter's README.
fn blocks(filter: &str, language: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(root().join(format!("filters/{filter}/README.md"))).unwrap();
    let fence = format!("```{language}\n");
    readme.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_readmes_examples_are_without_mistakes_and_explained_as_they_say() {
    for filter in ["canary-router", "flag-headers", "egress-audit", "pii-redactor"] {
        let mut examples = blocks(filter, "json");
        let example = examples.remove(0);
        let said = rcctl(&["lint", "--strict", "-"], &example);
        assert_eq!((said.code, said.out.as_str()), (0, "1 configurations, 0 mistakes, 0 warnings\n"));
        let file = File::new(&format!("{filter}-readme.json"), &example);
        let console = blocks(filter, "console").remove(0);
        let (command, told) = console.split_once('\n').unwrap();
        let arguments: Vec<&str> = command.trim_start_matches("$ rcctl ").split(' ').collect();
        // a prompt is what the block behind the configuration holds
        let prompt = examples.first().map(|prompt| File::new(&format!("{filter}-prompt.json"), prompt));
        let arguments: Vec<&str> = arguments
            .into_iter()
            .map(|word| match (word, &prompt) {
                ("prompt.json", Some(prompt)) => prompt.path(),
                (word, _) if word.ends_with(".json") => file.path(),
                (word, _) => word,
            })
            .collect();
        let said = rcctl(&arguments, "");
        assert_eq!(format!("{}{}", said.out, said.err), told, "{filter}");
    }
}

fn flags(changes: &[(&str, Value)]) -> Value {
    let mut config = json!({
        "bootstrap": {"version": 2, "features": [
            {"name": "beta", "enabled": true, "strategies": [{"name": "default", "constraints": [
                {"contextName": "plan", "operator": "IN", "values": ["pro"]}]}],
             "variants": [{"name": "blue", "weight": 1000, "payload": {"type": "number", "value": "45"}}]},
            {"name": "slow", "enabled": true, "strategies": [
                {"name": "flexibleRollout", "parameters": {"rollout": "33.33", "stickiness": "default", "groupId": "slow"}}]},
        ]},
        "identity": [{"header": "x-user-id"}],
        "context": {"properties": {"plan": {"header": "x-plan"}}},
        "flags": [{"name": "beta", "variant": true, "payload": {"type": "number", "default": 30}}, {"name": "slow"}],
    });
    for (pointer, change) in changes {
        *config.pointer_mut(pointer).unwrap() = change.clone();
    }
    config
}

#[test]
fn flags_tells_values_reasons_headers_and_traps() {
    let file = File::new("flags.json", &flags(&[]).to_string());
    let said = rcctl(&["flags", "--config", file.path(), "--user", "ada", "--header", "X-Plan=pro"], "");
    let expected = "\
source    bootstrap
user      ada
flag      beta true (reason split)
flag      slow false (reason no_match)
header    x-flag-beta: true
header    x-flagvariant-beta: blue
header    x-flagpayload-beta: 45
header    x-flag-slow: false
header    x-flags-source: bootstrap
warning   slow rollout 33.33 is not a whole number from 0 to 100 and counts as 0 %
";
    assert_eq!((said.out.as_str(), said.err.as_str(), said.code), (expected, "", 0));
    let answer = File::new("features.json", &json!({"features": [{"name": "beta", "enabled": false}]}).to_string());
    let said = rcctl(&["flags", "--config", file.path(), "--features", answer.path()], "");
    assert!(
        said.out.starts_with("source    live\nuser      none\nflag      beta false (reason disabled)\n"),
        "{}",
        said.out
    );
    let garbage = File::new("garbage.json", "<html>");
    let said = rcctl(&["flags", "--config", file.path(), "--features", garbage.path()], "");
    let expected = format!("rcctl: {}: not the json of flags, at line 1 column 1\n", garbage.path());
    assert_eq!((said.code, said.err), (2, expected));
}

#[test]
fn lint_warns_of_an_update_that_takes_flags_away() {
    let old = File::new("flags-old.json", &flags(&[]).to_string());
    let new = flags(&[("/flags", json!([{"name": "slow", "default": true}]))]);
    let new = File::new("flags-new.json", &new.to_string());
    let said = rcctl(&["lint", "--from", old.path(), new.path()], "");
    assert!(
        said.out.contains("warning: flag beta is exposed no more: services that read its header get none\n"),
        "{}",
        said.out
    );
    assert!(said.out.contains("warning: flag slow: its default is true now, and was false\n"), "{}", said.out);
}

#[test]
fn a_file_with_several_configurations_needs_a_name() {
    let plugin = |name: &str| {
        format!("kind: WasmPlugin\nmetadata: {{name: {name}}}\nspec:\n  pluginConfig: {{flags: [{{name: {name}}}]}}\n")
    };
    let both = format!("{}---\n{}", plugin("flag-headers"), plugin("flag-headers-sidecars"));
    let file = File::new("both.yaml", &both);
    let said = rcctl(&["flags", "--config", file.path()], "");
    let holders = "WasmPlugin flag-headers, WasmPlugin flag-headers-sidecars";
    let expected = format!("rcctl: {}: it holds {holders}; --manifest names the one that is meant\n", file.path());
    assert_eq!((said.code, said.err), (2, expected));
    let said = rcctl(&["flags", "--config", file.path(), "--manifest", "flag-headers-sidecars"], "");
    assert!(said.out.contains("flag-headers-sidecars false"), "{}{}", said.out, said.err);
}
