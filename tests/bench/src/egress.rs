//! egress-audit: its configuration, what it is compared with, and what is demanded of it.

use std::path::Path;

use harness::PluginConfig;
use serde_json::{Value, json};

use crate::measure::Contender;
use crate::scene::{Filter, HOST};

/// How many rules the demands are about.
pub(crate) const RULES: usize = 1000;

/// What is told of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Repeated ones are counted, as they are unless told otherwise.
    Folded,
    /// An event for each, in the log.
    Each,
}

/// The built module with that many rules.
pub(crate) fn filter(wasm: &Path, rules: usize, told: Told) -> Filter {
    Filter { wasm: Some(wasm.into()), config: configuration(rules, told).into(), ..Filter::default() }
}

/// The filter that makes the same calls as for a request that is counted with earlier ones.
pub(crate) fn same_calls(wasm: &Path) -> Filter {
    let script = "tick 1000\n\
        create properties request/protocol\n\
        request all\n\
        request properties xds/cluster_name\n\
        request count\n\
        log properties response/code";
    Filter { wasm: Some(wasm.into()), config: PluginConfig::from(script), ..Filter::default() }
}

/// egress-audit with ever more rules, beside the filter that has none.
pub(crate) fn growth(same_calls: &Contender, wasm: &Path) -> Vec<Contender> {
    let of = |rules: usize| Contender {
        name: format!("egress-audit, {rules} rule{}", if rules == 1 { "" } else { "s" }),
        filter: filter(wasm, rules, Told::Folded),
    };
    [same_calls.clone()].into_iter().chain([1, 100, 1000, 10_000].map(of)).collect()
}

/// A policy of that many rules, one of which is for the request.
fn configuration(rules: usize, told: Told) -> Value {
    let others = (1..rules).map(other_rule);
    let own = json!({
        "id": "chat",
        "hosts": [HOST],
        "match": [{"method": {"exact": "GET"}, "uri": {"prefix": "/"}}],
    });
    json!({
        "mode": "enforce",
        "internal": ["*.svc.cluster.local"],
        "policies": [{"name": "chat", "allow": others.chain([own]).collect::<Vec<_>>()}],
        "audit": {"fold": if told == Told::Folded { "60s" } else { "0s" }},
    })
}

/// A rule that is for other hosts, of each form that there is.
fn other_rule(number: usize) -> Value {
    let host = match number % 5 {
        0 => format!("api-{number}.partners.example"),
        1 => format!("*.tenant-{number}.example"),
        2 => format!("s3-*.region-{number}.example"),
        3 => format!("ec2.*.region-{number}.example"),
        _ => format!("10.{}.{}.0/24", number / 250 % 250, number % 250),
    };
    json!({"id": format!("rule-{number}"), "hosts": [host], "ports": [80, 443]})
}
