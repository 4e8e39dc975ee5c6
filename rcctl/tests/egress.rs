//! What rcctl says of egress-audit's configurations and decisions, run as a user runs it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

mod tool;

use serde_json::{Value, json};
use tool::{File, rcctl};

fn config() -> Value {
    json!({
        "mode": "report",
        "policies": [{
            "name": "ai-gateway",
            "selector": {"matchLabels": {"app": "ai-gateway"}},
            "mode": "enforce",
            "allow": [
                {"id": "openai", "hosts": ["api.openai.com"], "ports": [80], "match": [{"uri": {"prefix": "/v1/"}}]},
                {"id": "anthropic", "hosts": ["*.anthropic.com"], "ports": [443]},
            ],
            "deny": [{"id": "no-uploads", "hosts": ["api.openai.com"], "ports": [80], "match": [{"uri": {"prefix": "/v1/files"}}]}],
        }, {
            "name": "gateway",
            "selector": {"principals": ["spiffe://cluster.local/ns/payments/sa/billing"]},
            "allow": [{"id": "stripe", "hosts": ["api.stripe.com"]}],
        }],
    })
}

#[test]
fn egress_tells_host_policy_rule_mode_reason_and_decision() {
    let file = File::new("egress.json", &config().to_string());
    let egress = |more: &[&str]| {
        let said = rcctl(&[&["egress", "--config", file.path()], more].concat(), "");
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{more:?}");
        said.out
    };
    let ours = ["--label", "app=ai-gateway"];
    let expected = "\
call      http to API.OpenAI.com.
cluster   outbound|80||api.openai.com (assumed)
host      api.openai.com
port      80
exempt    no
policies  ai-gateway (enforce)
policy    ai-gateway
rule      openai (under allow)
mode      enforce
reason    rule_allow
decision  allowed
";
    let post = ["--host", "API.OpenAI.com.", "--method", "POST", "--path", "/v1/chat?x=1"];
    assert_eq!(egress(&[&post[..], &ours].concat()), expected);

    let expected = "\
call      tls to tracker.example:8443
cluster   outbound|8443||tracker.example (assumed)
host      tracker.example
port      8443
sni_host  same (the handshake names tracker.example)
exempt    no
policies  ai-gateway (enforce)
policy    ai-gateway
rule      none
mode      enforce
reason    default_deny
decision  denied: the connection is closed
unseen    method, path and headers: the application speaks TLS itself
";
    assert_eq!(egress(&["--host", "tracker.example:8443", "--tls", ours[0], ours[1]]), expected);

    let expected = "\
call      tcp to redis
cluster   outbound|6379||redis.payments.svc.cluster.local (assumed)
exempt    yes (internal): the call stays inside the mesh, which scope: external leaves alone
";
    assert_eq!(egress(&["--host", "redis", "--port", "6379", "--tcp", "--namespace", "payments"]), expected);

    let lines = |more: &[&str], wanted: &[&str]| {
        let out = egress(more);
        for line in wanted {
            assert!(out.lines().any(|one| one == *line), "{line} is not in\n{out}");
        }
    };
    let help = "ask the owners of this mesh's egress policy to allow this host";
    lines(
        &["--host", "api.openai.com", "--path", "/v1/files/1", ours[0], ours[1]],
        &[
            "rule      no-uploads (under deny)",
            "reason    rule_deny",
            &format!("decision  denied: the client gets 403 and is told: {help}"),
        ],
    );
    lines(
        &["--host", "api.openai.com", "--port", "80", "--tls", ours[0], ours[1]],
        &[
            "reason    l7_unenforceable",
            "unseen    method, path and headers: the application speaks TLS itself; the rule asks for some of it",
        ],
    );
    // a workload that no policy is for
    lines(
        &["--host", "api.openai.com"],
        &[
            "policies  none is for this workload, so the configuration's mode and default count",
            "decision  would be denied: the mode is report, so it passes and is told (would_deny)",
        ],
    );
    // a gateway, where the peer's certificate counts
    let billing = "spiffe://cluster.local/ns/payments/sa/billing";
    lines(&["--host", "api.stripe.com", "--principal", billing], &["rule      stripe (under allow)"]);
    lines(
        &["--host", "api.stripe.com", "--principal", "spiffe://cluster.local/ns/x/sa/y"],
        &["reason    default_deny"],
    );
    // addresses in any spelling, and hosts that are none
    lines(
        &["--host", "0xCB.0.113.7", ours[0], ours[1]],
        &[
            "cluster   PassthroughCluster (assumed)",
            "address   203.0.113.7:80 (assumed)",
            "host      203.0.113.7",
            "reason    ip_literal",
        ],
    );
    lines(
        &["--host", "user@evil.example"],
        &["host      none: it holds a byte that no host may hold", "reason    host_invalid"],
    );
    lines(&["--host", "a\u{1b}[31m"], &["call      http to a\\u{1b}[31m"]);
    // names of the mesh that lead out of it
    lines(
        &[
            "--host",
            "redis.x.svc.cluster.local",
            "--cluster",
            "PassthroughCluster",
            "--address",
            "203.0.113.7:443",
            "--tls",
        ],
        &["address   203.0.113.7:443", "exempt    no", "port      443"],
    );
    lines(&["--host", "a.example", "--sni", "b.example"], &["sni_host  mismatch (the handshake names b.example)"]);
    lines(&["--host", "a.example", "--tls", "--sni", ""], &["sni_host  sni_absent"]);
    let off = File::new("off.json", &json!({"mode": "off", "policies": []}).to_string());
    let said = rcctl(&["egress", "--config", off.path(), "--host", "a.example"], "");
    assert!(said.out.ends_with("exempt    yes (off): the mode is off\n"), "{}", said.out);
}

#[test]
fn egress_refuses_what_it_cannot_tell() {
    let mut bad = config();
    bad["mode"] = json!("deny");
    let bad = File::new("egress-bad.json", &bad.to_string());
    let said = rcctl(&["egress", "--config", bad.path(), "--host", "a.example"], "");
    let expected = format!("rcctl: {}: mode: deny is not one of off, observe, report, enforce\n", bad.path());
    assert_eq!((said.code, said.err), (2, expected));
    let good = File::new("egress-good.json", &config().to_string());
    let said = rcctl(&["egress", "--config", good.path(), "--host", "a.example", "--label", "x"], "");
    assert_eq!((said.code, said.err.as_str()), (2, "rcctl: --label x: it has to be name=value\n"));
}

fn with_hosts(hosts: &[&str]) -> String {
    json!({"policies": [{"name": "p", "allow": [{"id": "a", "hosts": hosts}]}]}).to_string()
}

#[test]
fn lint_warns_of_patterns_over_a_public_suffix() {
    let wide = ["*.com", "*.co.uk", "*.github.io", "*.s3.amazonaws.com", "s3-*.com", "*.*.ck", "*"];
    let said = rcctl(&["lint", "-"], &with_hosts(&wide));
    for (index, host) in wide.iter().enumerate() {
        let place = format!("-: warning: policies[0].allow[0].hosts[{index}]: {host} ");
        assert!(said.out.contains(&place), "{host}: {}", said.out);
    }
    assert!(
        said.out.contains("*.co.uk is over a public suffix: anybody can have a name below co.uk\n"),
        "{}",
        said.out
    );
    assert_eq!(said.code, 0);
    let narrow = ["*.openai.com", "github.io", "com", "*.docs.github.io", "s3-*.example.com"];
    let said = rcctl(&["lint", "--strict", "-"], &with_hosts(&narrow));
    assert_eq!((said.code, said.out.as_str()), (0, "1 configurations, 0 mistakes, 0 warnings\n"));
}

#[test]
fn lint_writes_out_the_ascii_form_of_letters_that_the_proxy_does_not_know() {
    let said = rcctl(&["lint", "-"], &with_hosts(&["ﬁ．例え。テスト", "*.ﬁ.example", "a*é.example", "\u{200d}.x"]));
    let lines: Vec<&str> = said.out.lines().collect();
    let wants = |index: usize, end: &str| {
        let place = format!("-: policies[0].allow[0].hosts[{index}]: ");
        let line =
            lines.iter().find(|line| line.starts_with(&place)).unwrap_or_else(|| panic!("{index}: {}", said.out));
        assert!(line.ends_with(end), "{line}");
    };
    wants(0, "; write fi.xn--r8jz45g.xn--zckzah");
    wants(1, "; write *.fi.example");
    wants(2, "write those in their ascii form, xn--…");
    wants(3, ", without a port");
    assert_eq!(said.code, 1);
}

#[test]
fn lint_names_mistakes_and_strange_rules() {
    let mut config = config();
    config["policies"][0]["allow"][1]["ids"] = json!(1);
    config["policies"][1]["allow"][0]["hosts"] = json!(["user@host"]);
    config["policies"][1]["deny"] = json!([{"id": "d", "hosts": ["api.stripe.com"]}]);
    let said = rcctl(&["lint", "-"], &config.to_string());
    let starts =
        ["-: policies[0].allow[1].ids: unknown field", "-: policies[1].allow[0].hosts[0]: user@host holds a byte"];
    for start in starts {
        assert!(said.out.lines().any(|line| line.starts_with(start)), "{start}: {}", said.out);
    }
    assert_eq!(said.code, 1);
}

#[test]
fn lint_warns_of_what_an_update_takes_away() {
    let old = File::new("egress-old.json", &config().to_string());
    let warnings = |changes: &[(&str, Value)]| {
        let mut new = config();
        for (pointer, change) in changes {
            *new.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = change.clone();
        }
        let new = File::new("egress-new.json", &new.to_string());
        let said = rcctl(&["lint", "--from", old.path(), new.path()], "");
        assert_eq!(said.code, 0, "{}{}", said.out, said.err);
        let start = format!("{}: warning: ", new.path());
        said.out.lines().filter_map(|line| line.strip_prefix(&start)).map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(warnings(&[]).is_empty());
    let rule = |id: &str, hosts: Value, more: Value| {
        let mut rule = json!({"id": id, "hosts": hosts});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        rule
    };
    let allow = "/policies/0/allow/1";
    let gone = "policy ai-gateway: rule anthropic under allow is gone";
    let none = "and no rule allows that now";
    let cases = [
        (allow, rule("anthropic", json!(["*.anthropic.com"]), json!({})), vec![]),
        (allow, rule("claude", json!(["*.anthropic.com"]), json!({"ports": [443, 80]})), vec![gone.to_owned()]),
        (
            allow,
            rule("anthropic", json!(["api.anthropic.com"]), json!({"ports": [443]})),
            vec![format!("policy ai-gateway: *.anthropic.com on port 443 was allowed by anthropic, {none}")],
        ),
        (
            allow,
            rule("anthropic", json!(["*.anthropic.com"]), json!({"ports": [80]})),
            vec![format!("policy ai-gateway: *.anthropic.com on port 443 was allowed by anthropic, {none}")],
        ),
        (
            "/policies/1/allow/0",
            rule("stripe", json!(["api.stripe.com"]), json!({"ports": [80]})),
            vec![format!("policy gateway: api.stripe.com on every port was allowed by stripe, {none}")],
        ),
        (
            "/policies/1/allow/0",
            rule("stripe", json!(["api.stripe.com"]), json!({"ports": [80], "match": [{"method": {"exact": "GET"}}]})),
            vec![format!("policy gateway: every call to api.stripe.com was allowed by stripe, {none}")],
        ),
        (
            "/policies/0/deny/0",
            rule("no-console", json!(["console.anthropic.com"]), json!({})),
            vec![
                "policy ai-gateway: rule no-uploads under deny is gone".to_owned(),
                "policy ai-gateway: console.anthropic.com, allowed by anthropic, is denied by no-console now"
                    .to_owned(),
            ],
        ),
        (
            "/policies/0/mode",
            json!("report"),
            vec!["policy ai-gateway: its mode is report now, and was enforce: it denies nothing".to_owned()],
        ),
        (
            "/policies/0/selector/matchLabels/app",
            json!("ai"),
            vec!["policy ai-gateway: its selector is another, so workloads may be without it".to_owned()],
        ),
        ("/mode", json!("off"), vec!["mode: is off now, and was report: nothing is looked at, nor denied".to_owned()]),
    ];
    for (pointer, change, expected) in cases {
        assert_eq!(warnings(&[(pointer, change.clone())]), expected, "{pointer} {change}");
    }
    let expected = [
        "policy gateway is gone, in mode report before".to_owned(),
        format!("policy gateway: api.stripe.com was allowed by stripe, {none}"),
    ];
    assert_eq!(warnings(&[("/policies", json!([config()["policies"][0]]))]), expected);
}

#[test]
fn a_bare_configuration_is_known_by_its_policies() {
    let said = rcctl(&["lint", "-"], "policies: []\n");
    assert_eq!((said.code, said.out.as_str()), (0, "1 configurations, 0 mistakes, 0 warnings\n"));
    let table = rcctl(&["schema", "egress-audit", "--table"], "").out;
    assert!(
        table.starts_with("**Config**: ") && table.contains("**Policy**: ") && table.contains("**Rule**: "),
        "{table}"
    );
}
