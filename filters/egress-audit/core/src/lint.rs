//! What is allowed in a configuration and most likely not meant. For `rcctl lint`; a proxy does not look for it.

use filter_config::serde_json::Value;
use filter_config::{Entries, Path, Read, Report};

use crate::config::{Config, OnFull, Scope, Undecidable, WrittenPolicy, WrittenRule};
use crate::pattern::{Label, Pattern};

/// The port that TLS from an application goes to.
const HTTPS: u64 = 443;

/// Finds what is most likely not meant. `suffix` tells whether a name is a public suffix, below which anybody can have a name.
pub fn warnings(configuration: &Value, suffix: &dyn Fn(&str) -> bool, report: &mut Report) {
    // what can't be read has been told by whoever loads it
    let Some(config) = Config::read(configuration, &Path::Root, &mut Report::default()) else { return };
    unheard(&config, report);
    let list = Path::Root.field("policies");
    let policies: Vec<(usize, &WrittenPolicy)> =
        config.policies.iter().enumerate().filter_map(|(index, entry)| Some((index, entry.read.as_ref()?))).collect();
    for (index, policy) in &policies {
        let at = list.index(*index);
        for (field, entries) in [("allow", &policy.allow), ("deny", &policy.deny)] {
            let at = at.field(field);
            for (index, rule) in rules(entries) {
                let at = at.index(index);
                unenforceable(rule, config.undecidable, &at, report);
                inside(rule, &config, &at, report);
                if let Some(twin) =
                    rules(entries).take_while(|(other, _)| *other < index).find(|(_, other)| same(rule, other))
                {
                    report.warning(&at, format!("says the same as {}", twin.1.id.as_str()));
                }
            }
        }
        let at = at.field("allow");
        for (index, rule) in rules(&policy.allow) {
            let at = at.index(index);
            wide(rule, suffix, &at, report);
            shadowed(rule, policy, &policies, &at, report);
        }
    }
}

/// Events that nobody gets, and a bound that nothing fills.
fn unheard(config: &Config, report: &mut Report) {
    let export = &config.export;
    let at = Path::Root.field("export");
    if !export.log && export.otlp.is_none() {
        report.warning(&at, "neither log nor otlp: no event is told to anybody");
    }
    if export.on_full == OnFull::FailClosed && export.otlp.is_none() {
        report
            .warning(&at.field("onFull"), "fail_closed without otlp: nothing ever waits, so that nothing is ever full");
    }
}

fn rules(entries: &Entries<WrittenRule>) -> impl Iterator<Item = (usize, &WrittenRule)> {
    entries.iter().enumerate().filter_map(|(index, entry)| Some((index, entry.read.as_ref()?)))
}

/// A rule that asks for what can't be seen of TLS.
fn unenforceable(rule: &WrittenRule, undecidable: Undecidable, at: &Path, report: &mut Report) {
    let meets_tls = rule.ports.is_empty() || rule.ports.iter().any(|port| port.0 == HTTPS);
    if rule.ways.is_empty() || !meets_tls {
        return;
    }
    let then = match undecidable {
        Undecidable::Deny => "is denied",
        Undecidable::Allow => "is decided by host and port alone",
    };
    let message = format!(
        "l7_unenforceable: of TLS that the application speaks itself only the host can be seen, so such a connection {then}; \
         with TLS origination, name the port that the application calls, such as ports: [80]"
    );
    report.warning(&at.field("match"), message);
}

/// Hosts that no call outside of the mesh goes to.
fn inside(rule: &WrittenRule, config: &Config, at: &Path, report: &mut Report) {
    if config.scope == Scope::All {
        return;
    }
    let at = at.field("hosts");
    for (index, host) in rule.hosts.iter().enumerate() {
        let named = matches!(host, Pattern::Name { .. }) && config.internal.iter().any(|pattern| pattern.covers(host));
        if named {
            report.warning(&at.index(index), format!("{host} is inside the mesh, which scope: external leaves alone"));
        }
    }
}

/// Patterns below which anybody can have a name.
fn wide(rule: &WrittenRule, suffix: &dyn Fn(&str) -> bool, at: &Path, report: &mut Report) {
    let at = at.field("hosts");
    for (index, host) in rule.hosts.iter().enumerate() {
        match host {
            Pattern::Any => report.warning(&at.index(index), "* allows every host"),
            Pattern::Name { labels, .. } => {
                let open = host.single().is_none();
                let fixed = labels.iter().map_while(|label| match label {
                    Label::Exact(part) => Some(part.as_str()),
                    Label::Any | Label::Around(..) => None,
                });
                let mut fixed: Vec<&str> = fixed.collect();
                fixed.reverse();
                let fixed = fixed.join(".");
                if open && (fixed.is_empty() || suffix(&fixed)) {
                    let shown = if fixed.is_empty() { "any name" } else { fixed.as_str() };
                    let message = format!("{host} is over a public suffix: anybody can have a name below {shown}");
                    report.warning(&at.index(index), message);
                }
            }
            Pattern::Network(network) if network.length == 0 => {
                report.warning(&at.index(index), format!("{host} allows every address"));
            }
            Pattern::Network(_) => {}
        }
    }
}

/// Allowed hosts that another rule denies whatever the call.
fn shadowed(
    rule: &WrittenRule,
    policy: &WrittenPolicy,
    all: &[(usize, &WrittenPolicy)],
    at: &Path,
    report: &mut Report,
) {
    let over = |other: &&(usize, &WrittenPolicy)| other.1.selector.is_none() || other.1.name == policy.name;
    for (_, other) in all.iter().filter(over) {
        let ports = |deny: &WrittenRule| {
            deny.ports.is_empty() || (!rule.ports.is_empty() && rule.ports.iter().all(|port| deny.ports.contains(port)))
        };
        let denies = |deny: &WrittenRule| {
            let hosts = rule.hosts.iter().all(|host| deny.hosts.iter().any(|pattern| pattern.covers(host)));
            deny.ways.is_empty() && ports(deny) && hosts
        };
        if let Some((_, deny)) = rules(&other.deny).find(|(_, deny)| denies(deny)) {
            let (policy, deny) = (other.name.as_str(), deny.id.as_str());
            report.warning(at, format!("is shadowed: {deny} of policy {policy} denies all that it allows"));
        }
    }
}

/// Whether two rules name the same calls by the same words.
fn same(left: &WrittenRule, right: &WrittenRule) -> bool {
    left.hosts == right.hosts && left.ports == right.ports && left.ways.is_empty() && right.ways.is_empty()
}
