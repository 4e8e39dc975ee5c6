//! canary-router: its configuration, what it is compared with, and what is demanded of it.

use std::path::Path;

use harness::{Error, PluginConfig, Result};
use serde_json::{Value, json};

use crate::measure::Contender;
use crate::scene::{ARM_HEADER, CLAIMS, Filter, HOST, ISSUER, Proxy, Scene, Visitor, World};

/// How many rules the demands are about.
pub(crate) const RULES: usize = 10;
/// The arm that the filter which decides nothing sets.
const ARM: &str = "v2";

/// The built module with that many rules.
pub(crate) fn filter(wasm: &Path, rules: usize) -> Filter {
    Filter { wasm: Some(wasm.into()), config: configuration(rules).into(), unmatched: None, arm: Some(ARM) }
}

/// The filter that makes the same calls.
pub(crate) fn same_calls(wasm: &Path) -> Filter {
    let matched = format!(
        "tick 1000\n\
         request all\n\
         request properties {CLAIMS}/iss {CLAIMS}/sub\n\
         request set {ARM_HEADER} {ARM}\n\
         request count\n\
         response get :status\n\
         response count"
    );
    let unmatched = PluginConfig::from("tick 1000\nrequest all");
    Filter { wasm: Some(wasm.into()), config: matched.as_str().into(), unmatched: Some(unmatched), arm: Some(ARM) }
}

/// Looks for a user to whom canary-router gives the arm that [`same_calls`] always gives: with 10 % in it, every tenth has it.
pub(crate) fn find_user(world: &mut World, proxy: &Proxy) -> Result<()> {
    for number in 0..1000 {
        world.visitor = Visitor { user: format!("5f0c1b7e-{number:04}-4d2a-9b1e-1f6c2d3e4a5b"), ..Visitor::default() };
        if world.ask(proxy, Scene::Direct)? == ARM {
            return Ok(());
        }
    }
    Err(Error::new("of 1000 users canary-router sent none to v2"))
}

/// canary-router with ever more rules, beside the filter that has none.
pub(crate) fn growth(same_calls: &Contender, wasm: &Path) -> Vec<Contender> {
    let of = |rules: usize| Contender {
        name: format!("canary-router, {rules} rule{}", if rules == 1 { "" } else { "s" }),
        filter: filter(wasm, rules),
    };
    [same_calls.clone()].into_iter().chain([1, 10, 100, 1000].map(of)).collect()
}

/// canary-router's configuration: three sources of an id, and that many rules of which the last is the request's.
fn configuration(rules: usize) -> Value {
    let others = (1..rules).map(other_rule);
    let last = json!({
        "name": "chat",
        "hosts": [HOST],
        "match": [{"uri": {"prefix": "/api/chat/"}}],
        "salt": "chat-2026",
        "baseline": "v1",
        "arms": [{"name": "v2", "weight": 10}],
    });
    json!({
        "armHeader": ARM_HEADER,
        "identity": [
            {"jwt": {"issuer": ISSUER, "claim": "sub"}},
            {"header": "x-user-id"},
            {"cookie": "uid"},
        ],
        "rules": others.chain([last]).collect::<Vec<_>>(),
    })
}

/// A rule that is not the request's, for one of the reasons that there are in life.
fn other_rule(number: usize) -> Value {
    let (hosts, way) = match number % 5 {
        0 => (json!([format!("shop-{number}.devmentor.local")]), json!({"uri": {"prefix": "/"}})),
        1 => (json!(["*.partners.devmentor.local"]), json!({"uri": {"prefix": "/api/"}})),
        2 => (json!([HOST]), json!({"uri": {"prefix": format!("/api/billing-{number}/")}})),
        3 => (json!([HOST]), json!({"uri": {"exact": format!("/api/search/{number}")}, "method": {"exact": "POST"}})),
        _ => (
            json!([HOST]),
            json!({"uri": {"prefix": "/api/"}, "headers": {"x-tenant": {"exact": format!("tenant-{number}")}}}),
        ),
    };
    json!({
        "name": format!("rule-{number}"),
        "hosts": hosts,
        "match": [way],
        "salt": format!("rule-{number}"),
        "baseline": "v1",
        "arms": [{"name": "v2", "weight": 10}],
    })
}
