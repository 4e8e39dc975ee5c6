//! What rcctl makes of logs, run as a user runs it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

mod tool;

use egress_core::host::Host;
use proptest::prelude::*;
use serde_json::{Value, json};
use tool::calls::{Told, What, Worker, config};
use tool::{File, Said, rcctl};

fn worker(chain: &str) -> Worker {
    Worker::new("ai-gateway", &config(), Some(chain))
}

fn some_calls(worker: &mut Worker, number: usize) -> Vec<Told> {
    let call = |index: usize| match index % 3 {
        0 => (What::Http("api.openai.com", "/v1/chat"), 80),
        1 => (What::Tls(Some("api.anthropic.com")), 443),
        _ => (What::Tls(Some("tracker.example")), 443),
    };
    (0..number).map(call).map(|(what, port)| worker.tell(&what, port, 1)).collect()
}

fn lines(told: &[Told]) -> Vec<String> {
    told.iter().map(|told| told.line.clone()).collect()
}

/// A line of Envoy's log, and what Istio puts behind it.
fn logged(line: &str) -> String {
    format!(
        "[2026-11-25 22:14:12.345][23][warning][wasm] [source/extensions/common/wasm/context.cc:1198] \
         wasm log istio-system.egress-audit: {line}"
    )
}

fn istio_logged(line: &str) -> String {
    let head = "2026-11-25T22:14:12.345678Z\twarning\tenvoy wasm external/envoy/source/context.cc:1198";
    format!("{head}\twasm log istio-system.egress-audit: {line}\tthread=23")
}

fn suggest(arguments: &[&str], input: &str) -> Said {
    rcctl(&[&["audit", "suggest"], arguments, &["-"]].concat(), input)
}

fn verify(input: &str) -> Said {
    rcctl(&["audit", "verify", "-"], input)
}

fn documents(yaml: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"))
}

#[test]
fn suggest_prints_policies_and_the_meshs_resources() {
    let mut worker = worker("c");
    let calls = [
        (What::Http("API.OpenAI.com", "/v1/chat?key=secret"), 80),
        (What::Tls(Some("api.openai.com.")), 443),
        (What::Tls(Some("tracker.example")), 8443),
        (What::Http("files.openai.com", "/"), 80),
        (What::Tls(None), 443),
        (What::Http("under_score.example", "/"), 80),
    ];
    let told: Vec<String> = calls.iter().map(|(what, port)| worker.tell(what, *port, 3).line).collect();
    let said = suggest(&[], &told.join("\n"));
    let expected = r#"# An allow-list of what passed, from 18 calls (12 would be denied), 2025-11-25T22:00:01.000Z to 2025-11-25T22:00:06.000Z; 6 events.
# A draft for the pluginConfig of egress-audit. Read it line by line: whoever can call out can get a host into it, and
# allowed calls may have been sampled. A rule of your own with a path or a method is narrower than any here.
mode: report
default: deny
policies:
- name: ai-gateway
  # Guessed: events name the workload, and not its labels. Compare with those of its pods.
  # Where no other workload has its service account: serviceAccounts: [devmentor-app/ai-gateway]
  selector: {matchLabels: {app: ai-gateway}}
  allow:
  # 6 calls, 2025-11-25T22:00:01.000Z to 2025-11-25T22:00:02.000Z (rule_allow)
  - {id: api-openai-com, hosts: [api.openai.com], ports: [80, 443]}
  # 3 calls (3 would be denied), 2025-11-25T22:00:03.000Z (default_deny)
  - {id: tracker-example, hosts: [tracker.example], ports: [8443]}
  # 3 calls (3 would be denied), 2025-11-25T22:00:06.000Z (default_deny)
  - {id: under-score-example, hosts: ["under_score.example"], ports: [80]}
  # Not allowed here: it was denied, or no rule of the configuration now allows it, or something is odd about it.
  # 3 calls (3 would be denied), 2025-11-25T22:00:04.000Z (rule_deny)
  # - {id: files-openai-com, hosts: [files.openai.com], ports: [80]}
  # Calls to addresses, without a name in request or handshake; a rule may name an address under hosts:
  #   203.0.113.7 port 443 (tls, perhaps without sni): 3 calls (3 would be denied), 2025-11-25T22:00:05.000Z (host_absent)
---
# 6 calls, 2025-11-25T22:00:01.000Z to 2025-11-25T22:00:02.000Z.
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api-openai-com, namespace: devmentor-app}
spec:
  hosts: [api.openai.com]
  exportTo: ["."]
  location: MESH_EXTERNAL
  resolution: DNS
  ports:
  - {number: 80, name: http-80, protocol: HTTP, targetPort: 443}
  - {number: 443, name: tls-443, protocol: TLS}
---
# The application speaks plain HTTP to it, so its proxy sees each request, and speaks TLS from there on. If the
# server takes no TLS, leave this out, and targetPort above as well.
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: api-openai-com, namespace: devmentor-app}
spec:
  host: api.openai.com
  exportTo: ["."]
  trafficPolicy:
    portLevelSettings:
    - port: {number: 80}
      tls: {mode: SIMPLE, sni: api.openai.com}
---
# 3 calls (3 would be denied), 2025-11-25T22:00:03.000Z.
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: tracker-example, namespace: devmentor-app}
spec:
  hosts: [tracker.example]
  exportTo: ["."]
  location: MESH_EXTERNAL
  resolution: DNS
  ports:
  - {number: 8443, name: tls-8443, protocol: TLS}
---
# The wall: what no ServiceEntry names is not reached any more. Apply it last, once nothing else is told.
# Seen without a name, and stopped by it; a ServiceEntry for an address has addresses and resolution: STATIC:
#   203.0.113.7 port 443 (tls): 3 calls (3 would be denied), 2025-11-25T22:00:05.000Z
#   under_score.example: 3 calls (3 would be denied), 2025-11-25T22:00:06.000Z
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default, namespace: devmentor-app}
spec:
  outboundTrafficPolicy: {mode: REGISTRY_ONLY}
  egress:
  - hosts:
    - ./*
    - istio-system/*
    # The collector's namespace too, where export.otlp names a service:
    # - observability/*
    # And each other namespace of the mesh that is called from here.
"#;
    assert_eq!(said.out, expected);
    let told =
        "rcctl: 6 events of 18 calls (12 would be denied), 2025-11-25T22:00:01.000Z to 2025-11-25T22:00:06.000Z\n";
    assert_eq!((said.code, said.err.as_str()), (0, told));
    let linted = rcctl(&["lint", "--strict", "-"], &said.out);
    assert_eq!(linted.out, "1 configurations, 0 mistakes, 0 warnings\n");
}

#[test]
fn suggest_tells_what_the_configuration_now_does_not_use_or_allow() {
    let mut worker = worker("c");
    let told = [What::Tls(Some("api.openai.com")), What::Tls(Some("tracker.example"))];
    let told: Vec<String> = told.iter().map(|what| worker.tell(what, 443, 1).line).collect();
    let mut current = config();
    current["export"] = json!({"otlp": {"service": {"name": "otel", "namespace": "observability", "port": 4318}}});
    let current = File::new("current.json", &current.to_string());
    let said = suggest(&["--config", current.path(), "--name", "wall"], &told.join("\n"));
    let unused = "\
# Rules of the configuration now that met no call in these logs:
#   policy ai-gateway: anthropic under allow
#   policy ai-gateway: no-uploads under deny
mode: report
";
    assert!(said.out.contains(unused), "{}", said.out);
    assert!(said.err.contains("rcctl: policy ai-gateway: rule anthropic under allow met no call in these logs\n"));
    let documents = documents(&said.out);
    let allow = documents[0]["policies"][0]["allow"].as_array().unwrap();
    assert_eq!(allow.len(), 1);
    assert!(said.out.contains("  # - {id: tracker-example, hosts: [tracker.example], ports: [443]}\n"), "{}", said.out);
    let sidecar = documents.last().unwrap();
    assert_eq!(sidecar["metadata"]["name"], "wall");
    assert_eq!(sidecar["spec"]["egress"][0]["hosts"], json!(["./*", "istio-system/*", "observability/*"]));
    let entries = documents.iter().filter(|document| document["kind"] == "ServiceEntry");
    assert_eq!(entries.count(), 1);
}

#[test]
fn each_workload_has_its_policy_and_each_namespace_its_resources() {
    let mut one = worker("a");
    let mut other = Worker::new("billing", &config(), Some("b"));
    other.workload.namespace = "payments".to_owned();
    let http = |worker: &mut Worker, host: &str, port: u16| worker.tell(&What::Http(host, "/"), port, 1).line;
    let log = [
        http(&mut one, "api.openai.com", 80),
        http(&mut other, "api.stripe.com", 443),
        other.tell(&What::Tls(Some("api.stripe.com")), 8080, 1).line,
        http(&mut other, "api.stripe.com", 8080),
        http(&mut other, "plain.example", 8080),
    ]
    .join("\n");
    let said = suggest(&[], &log);
    let all = documents(&said.out);
    let names: Vec<&Value> = all[0]["policies"].as_array().unwrap().iter().map(|policy| &policy["name"]).collect();
    assert_eq!(names, ["devmentor-app-ai-gateway", "payments-billing"]);
    let placed = |kind: &str| -> Vec<String> {
        let of_kind = all.iter().filter(|document| document["kind"] == kind);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        of_kind
            .map(|document| text(&document["metadata"]["namespace"]) + "/" + &text(&document["metadata"]["name"]))
            .collect()
    };
    let entries = ["devmentor-app/api-openai-com", "payments/api-stripe-com", "payments/plain-example"];
    assert_eq!(placed("ServiceEntry"), entries);
    assert_eq!(placed("DestinationRule"), entries[..2]);
    assert_eq!(placed("Sidecar"), ["devmentor-app/default", "payments/default"]);
    let stripe = all.iter().find(|document| document["metadata"]["name"] == "api-stripe-com").unwrap();
    let ports = json!([
        {"number": 443, "name": "http-443", "protocol": "HTTP"},
        {"number": 8080, "name": "tls-8080", "protocol": "TLS"},
    ]);
    assert_eq!(stripe["spec"]["ports"], ports);
    assert!(said.out.contains("# On port 8080 there was tls and http; the first counts here.\n"), "{}", said.out);

    let only = suggest(&["--namespace", "payments", "--only", "istio"], &log);
    assert!(!only.out.contains("devmentor-app") && !only.out.contains("policies"), "{}", only.out);
    let only = suggest(&["--only", "policy", "--namespace", "payments"], &log);
    assert_eq!(documents(&only.out).len(), 1);
    let none = suggest(&["--only", "policy", "--namespace", "nobody"], &log);
    assert_eq!(documents(&none.out)[0]["policies"], json!([]));
    let said = suggest(&["--namespace", "no such"], &log);
    let expected = "rcctl: --namespace no such: it has to be 1 to 63 of a-z 0-9 -, without - at its ends\n";
    assert_eq!((said.code, said.err.as_str()), (2, expected));
}

#[test]
fn what_was_denied_or_is_odd_is_a_comment() {
    let mut worker = worker("c");
    let line = worker.tell(&What::Tls(Some("one.example")), 443, 4).line;
    let edits = [
        ("two.example", "\"decision\":\"allow\"", "\"decision\":\"deny\""),
        ("three.example", "\"count\":4", "\"count\":4,\"lookalike_of\":\"api.openai.com\""),
        ("four.example", "\"count\":4", "\"count\":4,\"mixed_script\":true"),
        ("five.example", "\"count\":4", "\"count\":4,\"sni_host\":\"mismatch\""),
    ];
    let edited = |(host, from, to): (&str, &str, &str)| line.replace(from, to).replace("one.example", host);
    let mut log: Vec<String> = edits.into_iter().map(edited).chain([line.clone()]).collect();
    let principal = "\"count\":4,\"client.principal\":\"spiffe://cluster.local/ns/payments/sa/billing\"";
    log.push(line.replace("\"count\":4", principal));
    let said = suggest(&["--only", "policy"], &log.join("\n"));
    let expected = r#"
  # Not allowed here: it was denied, or no rule of the configuration now allows it, or something is odd about it.
  # 4 calls (4 would be denied), 2025-11-25T22:00:01.000Z (default_deny, the handshake names another host)
  # - {id: five-example, hosts: [five.example], ports: [443]}
  # 4 calls (4 would be denied), 2025-11-25T22:00:01.000Z (default_deny, mixes scripts)
  # - {id: four-example, hosts: [four.example], ports: [443]}
  # 4 calls (4 would be denied), 2025-11-25T22:00:01.000Z (default_deny, looks like api.openai.com)
  # - {id: three-example, hosts: [three.example], ports: [443]}
  # 4 calls (4 would be denied), 2025-11-25T22:00:01.000Z (default_deny)
  # - {id: two-example, hosts: [two.example], ports: [443]}
- name: payments-billing
  selector: {principals: ["spiffe://cluster.local/ns/payments/sa/billing"]}
  allow:
  # 4 calls (4 would be denied), 2025-11-25T22:00:01.000Z (default_deny)
  - {id: one-example, hosts: [one.example], ports: [443]}
"#;
    assert!(said.out.ends_with(expected), "{}", said.out);
    // in whatever order
    log.reverse();
    assert_eq!(suggest(&["--only", "policy"], &log.join("\n")).out, said.out);
}

/// Each way in which an event can be wrapped.
fn wrapped(line: &str, told: &Told, worker: &Worker) -> Vec<(&'static str, String)> {
    let text = |value: Value| value.to_string();
    let otlp = worker.export(std::slice::from_ref(told));
    let pretty = format!("{:#}", serde_json::from_str::<Value>(&otlp).unwrap());
    vec![
        ("bare", line.to_owned()),
        ("envoy", logged(line)),
        ("istio", istio_logged(line)),
        ("kubectl --prefix", format!("[pod/ai-gateway-0/istio-proxy] {}", logged(line))),
        ("cri", format!("2026-11-25T22:14:12.3Z stderr F {}", logged(line))),
        ("docker", text(json!({"log": logged(line) + "\n", "stream": "stderr", "time": "2026-11-25T22:14:12Z"}))),
        ("envoy's own json", text(json!({"level": "warn", "msg": format!("wasm log x: {line}"), "scope": "wasm"}))),
        ("docker of json", text(json!({"log": text(json!({"msg": line})) + "\n"}))),
        ("google", text(json!({"textPayload": istio_logged(line), "severity": "WARNING"}))),
        ("with two braces", format!("[pod {{a}} {{b}}] {line}")),
        ("otlp", otlp.clone()),
        ("otlp, pretty", pretty.clone()),
        ("otlp, pretty with windows' ends of lines", pretty.replace('\n', "\r\n")),
        ("otlp, several", format!("{otlp}\n{otlp}").replace("e-1", "e-2")),
        ("an array", format!("[{otlp}]")),
    ]
}

#[test]
fn events_are_found_whatever_wraps_them() {
    let mut worker = worker("node~1");
    let told = worker.tell(&What::Http("api.openai.com", "/v1/chat\"{}[\\\n\u{2028}"), 80, 7);
    let line = told.line.clone();
    let mut all = String::from("a first line, not json\n");
    for (what, log) in wrapped(&line, &told, &worker) {
        let said = suggest(&[], &log);
        let several = what == "otlp, several";
        let expected = if several { "rcctl: 2 events of 14 calls, " } else { "rcctl: 1 event of 7 calls, " };
        assert!(said.code == 0 && said.err.starts_with(expected), "{what}: {}", said.err);
        let said = verify(&log);
        assert!(several || said.out.contains("all       1 event in 1 chain, 0 findings\n"), "{what}: {}", said.out);
        all.push_str(&log);
        all.push('\n');
    }
    let mixed = suggest(&[], &all);
    assert!(mixed.err.starts_with("rcctl: 16 events of 112 calls, "), "{}", mixed.err);
    // the same event, over and over
    let said = verify(&all.replace("e-2", "e-1"));
    assert!(said.out.contains("repeated  15 stand here again, to the letter\n") && said.code == 0, "{}", said.out);

    // what a log shipper has parsed is good for suggestions, and no more to the letter
    let parsed: Value = serde_json::from_str(&line).unwrap();
    let shipped = json!({"message": parsed, "stream": "stderr"}).to_string();
    assert_eq!(suggest(&[], &shipped).code, 0);
    let said = verify(&shipped);
    let finding = "finding   -:1: event 0 was written anew by what shipped it, so its hash is lost\n";
    assert!(said.out.contains(finding) && said.code == 1, "{}", said.out);
    // a field of another name has to be named
    let other = json!({"notice": line}).to_string();
    assert_eq!(suggest(&[], &other).code, 2);
    assert_eq!(suggest(&["--field", "notice"], &other).code, 0);
}

#[test]
fn what_cannot_be_read_is_told() {
    let mut worker = worker("c");
    let line = worker.tell(&What::Tls(Some("api.openai.com")), 443, 1).line;
    let cut = logged(line.split_at(line.len() / 2).0);
    let newer = line.replace("egress-audit/1", "egress-audit/2");
    let escaped = json!({"log": logged(&line)}).to_string();
    let cut_in_json = escaped.split_at(escaped.len() / 2).0;
    let log = format!("{cut}\n{line}\n{newer}\n{cut_in_json}\nnothing\n{{\n{line}");
    let said = suggest(&["--only", "policy"], &log);
    let expected = "\
rcctl: 2 events can't be read, such as -:1, which is no json: cut short or changed
rcctl: 1 event of another schema left out: \"runtime-control.egress-audit/2\" is not runtime-control.egress-audit/1
rcctl: 2 events of 2 calls, 2025-11-25T22:00:01.000Z
";
    assert_eq!((said.err.as_str(), said.code), (expected, 0));
    let said = suggest(&[], "nothing\n");
    assert_eq!((said.code, said.err.as_str()), (2, "rcctl: these files hold no event of egress-audit\n"));
    for command in ["suggest", "verify"] {
        let said = rcctl(&["audit", command, "/no/such/file"], "");
        assert_eq!((said.code, said.err.starts_with("rcctl: /no/such/file: ")), (2, true), "{}", said.err);
        let packed = std::env::temp_dir().join(format!("rcctl-{}-{command}.gz", std::process::id()));
        std::fs::write(&packed, [0x1f, 0x8b, 8, 0]).unwrap();
        let said = rcctl(&["audit", command, packed.to_str().unwrap()], "");
        std::fs::remove_file(&packed).unwrap();
        assert_eq!((said.code, said.err.ends_with(": is compressed; zcat it and read -\n")), (2, true), "{}", said.err);
    }
}

#[test]
fn a_clients_words_in_an_access_log_are_no_event() {
    let mut worker = worker("c");
    let line = worker.tell(&What::Tls(Some("api.openai.com")), 443, 1).line;
    let forged = worker.tell(&What::Tls(Some("forged.example")), 443, 1).line;
    let wasm = logged(&forged);
    let escaped = forged.replace('"', "\\\"");
    let access_logs = [
        format!("[2026-11-25T22:14:12.345Z] \"GET / HTTP/1.1\" 200 - \"{forged}\" \"x\""),
        format!("[2026-11-25T22:14:12.345Z] \"GET / HTTP/1.1\" 200 - \"{escaped}\" \"x\""),
        format!("[2026-11-25T22:14:12.345Z] \"GET / HTTP/1.1\" 200 - \"{wasm}\" \"x\""),
        json!({"method": "GET", "path": wasm, "user_agent": forged}).to_string(),
        json!({"attributes": [{"key": "log", "value": {"stringValue": forged}}]}).to_string(),
    ];
    let said = suggest(&[], &format!("{line}\n{}", access_logs.join("\n")));
    assert!(
        !said.out.contains("forged") && said.err.starts_with("rcctl: 1 event of 1 call,"),
        "{}{}",
        said.out,
        said.err
    );
}

#[test]
fn hostile_hosts_stay_out_of_the_yaml() {
    let mut worker = worker("c");
    let hosts =
        ["a b", "x\n- y", "\u{2028}evil", "*.com", "user@host", "off", "1.2.3", "..", "a#b", "\"]}\nkind: Secret"];
    let mut log: Vec<String> = hosts.iter().map(|host| worker.tell(&What::Http(host, "/"), 80, 1).line).collect();
    let good = worker.tell(&What::Http("good.example", "/"), 80, 1).line;
    // a line of another writer
    for (field, with) in [
        ("\"server.address\":\"good.example\"", "\"server.address\":\"x: [\\n---\\nkind: Secret\""),
        ("\"k8s.workload.name\":\"ai-gateway\"", "\"k8s.workload.name\":\"x}\\n---\\nkind: Secret\""),
        ("\"schema\":\"", "\"schema\":\"\\u001b[31m\\n"),
    ] {
        assert!(good.contains(field));
        log.push(good.replace(field, with));
    }
    let said = suggest(&[], &log.join("\n"));
    let all = documents(&said.out);
    assert!(all.iter().all(|document| document["kind"] != "Secret"), "{}", said.out);
    let allow = all[0]["policies"][0]["allow"].as_array().unwrap();
    let allowed: Vec<&Value> = allow.iter().map(|rule| &rule["hosts"][0]).collect();
    assert_eq!(allowed, ["off"]);
    assert!(said.out.contains("#   x\\n- y (1)\n") && said.out.contains("#   \\u{2028}evil (1)\n"), "{}", said.out);
    assert!(!said.err.contains('\u{1b}') && said.err.contains("\\u{1b}"), "{}", said.err);
}

#[test]
fn chains_are_verified() {
    let (mut one, mut two) = (worker("a~1"), worker("b~2"));
    let (first, second) = (some_calls(&mut one, 5), some_calls(&mut two, 4));
    let mut log = Vec::new();
    for (index, told) in first.iter().enumerate() {
        log.push(logged(&told.line));
        log.extend(second.get(index).map(|told| istio_logged(&told.line)));
    }
    let mut plain = Worker::new("ai-gateway", &config(), None);
    log.push(plain.tell(&What::Tls(None), 443, 1).line);
    let said = verify(&log.join("\n"));
    let expected = "\
chain     a~1
events    5, 0 to 4, 2025-11-25T22:00:01.000Z to 2025-11-25T22:00:05.000Z
verdict   ok
chain     b~2
events    4, 0 to 3, 2025-11-25T22:00:01.000Z to 2025-11-25T22:00:04.000Z
verdict   ok
all       9 events in 2 chains, 0 findings; 1 event of no chain
unproved  that no chain goes on after its last event here, nor was written anew up to its end
";
    assert_eq!((said.out.as_str(), said.code), (expected, 0), "{}", said.err);

    // a batch that the collector took, and whose answer was lost
    let batches = [one.export(&first[..3]), one.export(&first[1..3]), one.export(&first[3..])];
    let said = verify(&batches.join("\n"));
    assert!(said.out.contains("repeated  2 stand here again, to the letter\n") && said.code == 0, "{}", said.out);

    // files in any order, and the older half rotated away
    let (older, newer) = (lines(&first[..2]).join("\n"), lines(&first[2..]).join("\n"));
    let (older, newer) = (File::new("older.log", &older), File::new("newer.log", &newer));
    assert_eq!(rcctl(&["audit", "verify", newer.path(), older.path()], "").code, 0);
    let said = rcctl(&["audit", "verify", newer.path()], "");
    let start = "start     0 to 1 are not here, such as in a log that was rotated away\n";
    assert!(said.out.contains(start) && said.code == 0, "{}", said.out);
    let said = rcctl(&["audit", "verify", "--from-start", newer.path()], "");
    let finding = format!("finding   {}:1: event 2 is the first here; 0 to 1 are missing\n", newer.path());
    assert!(said.out.contains(&finding) && said.code == 1, "{}", said.out);
}

#[test]
fn findings_say_what_and_where() {
    let told = lines(&some_calls(&mut worker("c"), 6));
    let changed = |edit: &dyn Fn(&mut Vec<String>)| {
        let mut log = told.clone();
        edit(&mut log);
        let said = verify(&log.join("\n"));
        assert_eq!(said.code, 1, "{}", said.out);
        let findings = said.out.lines().filter_map(|line| line.strip_prefix("finding   -:"));
        findings.map(str::to_owned).collect::<Vec<_>>()
    };
    let edit = |log: &mut Vec<String>, at: usize| log[at] = log[at].replace("\"sent.bytes\":100", "\"sent.bytes\":101");
    assert_eq!(changed(&|log| edit(log, 2)), ["3: event 2 was changed: event 3 names another hash"]);
    let last = "5: event 4 was changed, or what event 5 names as its hash";
    assert_eq!(changed(&|log| edit(log, 4)), [last]);
    let prev = |log: &mut Vec<String>| log[5] = log[5].replace("\"prev_hash\":\"", "\"prev_hash\":\"0");
    let expected = [last, "6: event 5 names as the one before what it can't (prev_hash)"];
    assert_eq!(changed(&|log| prev(log)), expected);
    assert_eq!(changed(&|log| drop(log.remove(3))), ["4: event 3 is missing before 4"]);
    assert_eq!(changed(&|log| drop(log.drain(2..4))), ["3: events 2 to 3 are missing before 4"]);
    assert_eq!(changed(&|log| log.swap(2, 3)), ["4: event 2 stands after 3"]);
    let again = |log: &mut Vec<String>| {
        let mut copy = vec![log[2].clone()];
        edit(&mut copy, 0);
        log.insert(3, copy.remove(0));
    };
    assert_eq!(changed(&|log| again(log)).len(), 1);
    assert_eq!(
        changed(&|log| log[2].truncate(300)),
        ["4: event 2 is missing before 3", "3: is no json: cut short or changed"]
    );

    // a log of denials alone has gaps, and a likely reason
    let denied: Vec<&String> = told.iter().filter(|line| line.contains("\"would_deny\":true")).collect();
    let said = verify(&denied.iter().map(|line| line.as_str()).collect::<Vec<_>>().join("\n"));
    assert!(said.out.contains("hint      events of allowed calls are not here at all"), "{}", said.out);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever one byte of a chain's middle becomes, whichever event is taken out, and whichever two change places, is found.
    #[test]
    fn a_change_in_the_middle_of_a_chain_is_found(
        length in 3_usize..9, at: prop::sample::Index, byte: prop::sample::Index, new: u8, other: prop::sample::Index,
        kind in 0..5,
    ) {
        let told = lines(&some_calls(&mut worker("node~7f3a~1"), length));
        let mut log: Vec<Vec<u8>> = told.iter().map(|line| line.clone().into_bytes()).collect();
        // neither the first nor the last: those the rest can't vouch for
        let at = at.index(length - 2) + 1;
        match kind {
            0 => {
                let byte = byte.index(log[at].len());
                prop_assume!(log[at][byte] != new);
                log[at][byte] = new;
            }
            1 => drop(log.remove(at)),
            2 => drop(log[at].remove(byte.index(told[at].len()))),
            // inside: what stands before or behind an event is not its own
            3 => log[at].insert(byte.index(told[at].len() - 1) + 1, new),
            _ => {
                let other = other.index(length - 2) + 1;
                prop_assume!(other != at);
                log.swap(at, other);
            }
        }
        let file = File::new("changed.log", "");
        std::fs::write(file.path(), log.join(&b'\n')).unwrap();
        let said = rcctl(&["audit", "verify", file.path()], "");
        prop_assert!(said.code == 1 && said.out.contains("finding   "), "{}{}", said.out, said.err);
        prop_assert_eq!(verify(&told.join("\n")).code, 0);
    }

    /// Whatever stands in an event: what is printed is YAML that lint takes, with hosts that are hosts.
    #[test]
    fn whatever_a_log_holds_the_yaml_is_sound(
        texts in prop::collection::vec(("[ -~\u{85}\u{2028}\n]{0,20}|[a-z0-9._*-]{1,70}|(on|off|null|1e3|0x1.a|~)", 0..9_usize), 1..6),
    ) {
        let mut log = Vec::new();
        let fields = [
            "server.address", "k8s.workload.name", "k8s.namespace.name", "k8s.service_account.name", "client.principal",
            "policy", "rule_id", "lookalike_of", "reason_code",
        ];
        let line = worker("c").tell(&What::Http("api.openai.com", "/"), 80, 1).line;
        for (text, field) in &texts {
            let mut event: Value = serde_json::from_str(&line).unwrap();
            event[fields[*field]] = json!(text);
            event["client.principal"] = match *field {
                4 => json!(format!("spiffe://x/ns/{text}/sa/{text}")),
                _ => Value::Null,
            };
            log.push(event.to_string());
        }
        let said = suggest(&[], &log.join("\n"));
        prop_assert_eq!(said.code, 0, "{}", said.err);
        let all = documents(&said.out);
        for rule in all[0]["policies"].as_array().unwrap().iter().flat_map(|policy| policy["allow"].as_array().unwrap()) {
            let host = rule["hosts"][0].as_str().unwrap();
            prop_assert!(Host::parse(host.as_bytes()).is_ok(), "{}", host);
        }
        prop_assert!(said.out.is_ascii());
        let linted = rcctl(&["lint", "-"], &said.out);
        prop_assert!(linted.out.starts_with("1 configurations, 0 mistakes"), "{}{}{}", linted.out, linted.err, said.out);
    }
}

#[test]
fn the_schema_of_events_is_printed() {
    let schema: Value = serde_json::from_str(&rcctl(&["schema", "egress-audit", "--event"], "").out).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for told in some_calls(&mut worker("c"), 3) {
        let event: Value = serde_json::from_str(&told.line).unwrap();
        assert!(validator.is_valid(&event), "{event}");
    }
    let said = rcctl(&["schema", "canary-router", "--event"], "");
    assert_eq!((said.code, said.err.as_str()), (2, "rcctl: canary-router tells no events\n"));
}
