//! The configuration that would allow what passed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::gather::{Caller, Calls, Gathered, Seen, Sums, Target, counted};
use super::suggest::{Slugs, Unused};
use super::yaml::scalar;

/// What passed to one host.
#[derive(Default)]
struct Rule {
    ports: Vec<u16>,
    sums: Sums,
    /// Whether some calls went to a port that is not known.
    somewhere: bool,
}

/// One document: policies by who called.
pub(crate) fn of(gathered: &Gathered, unused: Option<&[Unused]>) -> String {
    let mut text = String::new();
    let mut put = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    put(&format!(
        "# An allow-list of what passed, from {}; {}.",
        gathered.all.told(),
        counted(gathered.events, "event")
    ));
    put(
        "# A draft for the pluginConfig of egress-audit. Read it line by line: whoever can call out can get a host into it, and",
    );
    put("# allowed calls may have been sampled. A rule of your own with a path or a method is narrower than any here.");
    match unused {
        None => {}
        Some([]) => put("# Each rule of the configuration now met calls."),
        Some(unused) => {
            put("# Rules of the configuration now that met no call in these logs:");
            for Unused { policy, list, id } in unused {
                put(&format!("#   policy {policy}: {id} under {list}"));
            }
        }
    }
    for (what, texts) in [
        ("Calls whose host is none, which no rule can name", &gathered.strange),
        ("Calls of workloads whose name is none, which no policy can name", &gathered.nobody),
    ] {
        if !texts.is_empty() {
            put(&format!("# {what}:"));
        }
        for (shown, calls) in texts {
            put(&format!("#   {shown} ({calls})"));
        }
    }
    put("mode: report");
    put("default: deny");
    if gathered.callers.is_empty() {
        put("policies: []");
        return text;
    }
    put("policies:");
    let mut names = Slugs::default();
    let namespaces: BTreeSet<&str> = gathered.callers.keys().map(|caller| caller.namespace.as_str()).collect();
    for (caller, calls) in &gathered.callers {
        text.push_str(&policy(caller, calls, &names.of(&named(caller, namespaces.len() > 1))));
    }
    text
}

fn named(caller: &Caller, with_namespace: bool) -> String {
    if let Some(account) = egress_core::workload::account_of(&caller.principal) {
        return account;
    }
    match (caller.namespace.as_str(), caller.workload.as_str()) {
        (_, "") => "all".to_owned(),
        (namespace, workload) if with_namespace => format!("{namespace}-{workload}"),
        (_, workload) => workload.to_owned(),
    }
}

fn policy(caller: &Caller, calls: &Calls, name: &str) -> String {
    let mut text = format!("- name: {}\n", scalar(name));
    let mut put = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    let accounts = calls.accounts.iter().map(|account| scalar(account)).collect::<Vec<_>>().join(", ");
    match (caller.principal.as_str(), caller.workload.as_str()) {
        ("", "") => put("  # For every workload: the events do not say whose they are."),
        ("", workload) => {
            put("  # Guessed: events name the workload, and not its labels. Compare with those of its pods.");
            if !accounts.is_empty() {
                put(&format!("  # Where no other workload has its service account: serviceAccounts: [{accounts}]"));
            }
            put(&format!("  selector: {{matchLabels: {{app: {}}}}}", scalar(workload)));
        }
        (principal, _) => put(&format!("  selector: {{principals: [{}]}}", scalar(principal))),
    }
    let mut ids = Slugs::default();
    let rules = by_host(&calls.passed);
    put(if rules.is_empty() { "  allow: []" } else { "  allow:" });
    for (host, rule) in &rules {
        put(&format!("  # {} ({})", rule.sums.told(), rule.sums.reasons()));
        if rule.somewhere {
            put("  # Of some calls the port is not known.");
        }
        put(&format!("  - {}", written(&ids.of(host), host, &rule.ports)));
    }
    let refused = by_host(&calls.refused);
    if !refused.is_empty() {
        put(
            "  # Not allowed here: it was denied, or no rule of the configuration now allows it, or something is odd about it.",
        );
    }
    for (host, rule) in &refused {
        put(&format!("  # {} ({})", rule.sums.told(), rule.sums.reasons()));
        put(&format!("  # - {}", written(&ids.of(host), host, &rule.ports)));
    }
    if !calls.addresses.is_empty() {
        put("  # Calls to addresses, without a name in request or handshake; a rule may name an address under hosts:");
    }
    for (target, sums) in &calls.addresses {
        let port = target.port.map(|port| format!(" port {port}")).unwrap_or_default();
        let seen = if target.seen == Seen::Tls { "tls, perhaps without sni" } else { target.seen.as_str() };
        put(&format!("  #   {}{port} ({seen}): {} ({})", target.host, sums.told(), sums.reasons()));
    }
    text
}

fn by_host(targets: &BTreeMap<Target, Sums>) -> BTreeMap<String, Rule> {
    let mut rules: BTreeMap<String, Rule> = BTreeMap::new();
    for (target, sums) in targets {
        let rule = rules.entry(target.host.to_string()).or_default();
        rule.sums.add(sums);
        match target.port {
            Some(port) if !rule.ports.contains(&port) => rule.ports.push(port),
            Some(_) => {}
            None => rule.somewhere = true,
        }
    }
    rules.values_mut().for_each(|rule| rule.ports.sort_unstable());
    rules
}

fn written(id: &str, host: &str, ports: &[u16]) -> String {
    let mut text = format!("{{id: {}, hosts: [{}]", scalar(id), scalar(host));
    if !ports.is_empty() {
        let ports = ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
        let _written = write!(text, ", ports: [{ports}]");
    }
    text.push('}');
    text
}
