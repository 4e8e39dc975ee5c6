//! flag-headers: its configuration, what it is compared with, and what is demanded of it.

use std::path::Path;

use harness::PluginConfig;
use serde_json::{Value, json};

use crate::measure::Contender;
use crate::scene::{CLAIMS, Filter, HOST, ISSUER, Visitor};

/// The exposed flags: one with a rollout, one with two constraints, one for everybody.
pub(crate) const FLAGS: [&str; 3] = ["new-ui-enabled", "ai-safety-pii", "ai-provider-openai-enabled"];
const ALL_HEADER: &str = "x-feature-flags";

/// How flags are handed on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Carried {
    /// In words.
    pub(crate) told: &'static str,
    /// A header for each flag, and one for where they come from.
    each: bool,
    /// One header for all flags.
    all: bool,
    /// Filter state.
    state: bool,
}

impl Carried {
    /// As flag-headers does where the configuration does not say.
    pub(crate) const DEFAULT: Self =
        Self { told: "a header for each, `x-flags-source`, filter state", each: true, all: false, state: true };
    /// The ways to compare.
    pub(crate) const WAYS: [Self; 5] = [
        Self::DEFAULT,
        Self { told: "the same without filter state", each: true, all: false, state: false },
        Self { told: "one header for all, filter state", each: false, all: true, state: true },
        Self { told: "one header for all, and no more", each: false, all: true, state: false },
        Self { told: "all of it", each: true, all: true, state: true },
    ];
}

/// Who asks: on in the rollout, and what both constraints want.
pub(crate) fn visitor() -> Visitor {
    Visitor { user: "5f0c1b7e-0001-4d2a-9b1e-1f6c2d3e4a5b".into(), headers: "x-plan: pro\r\n" }
}

/// The flags, as Unleash sends them.
pub(crate) fn features() -> [Value; 3] {
    let feature = |name: &str, strategy: Value| {
        json!({
            "name": name, "type": "release", "enabled": true, "project": "default", "stale": false,
            "strategies": [strategy], "variants": [], "description": null, "impressionData": false,
        })
    };
    let rollout = json!({"rollout": "50", "stickiness": "default", "groupId": FLAGS[0]});
    let constraints = json!([
        {"contextName": "plan", "operator": "IN", "values": ["pro", "team", "enterprise"]},
        {"contextName": "locale", "operator": "NOT_IN", "values": ["de", "fr"]},
    ]);
    [
        feature(FLAGS[0], json!({"name": "flexibleRollout", "constraints": [], "parameters": rollout})),
        feature(FLAGS[1], json!({"name": "default", "constraints": constraints, "parameters": {}})),
        feature(FLAGS[2], json!({"name": "default", "constraints": [], "parameters": {}})),
    ]
}

/// The built module.
pub(crate) fn filter(wasm: &Path, carried: Carried) -> Filter {
    Filter { wasm: Some(wasm.into()), config: configuration(carried).into(), ..Filter::default() }
}

fn configuration(carried: Carried) -> Value {
    let Carried { each, all, state, .. } = carried;
    json!({
        "bootstrap": {"version": 2, "features": features()},
        "identity": [
            {"jwt": {"issuer": ISSUER, "claim": "sub"}},
            {"header": "x-user-id"},
            {"cookie": "uid"},
        ],
        "context": {
            "environment": "production",
            "properties": {"plan": {"header": "x-plan"}, "locale": {"cookie": "locale"}},
        },
        "hosts": [HOST],
        "match": [{"uri": {"prefix": "/api/"}}],
        "flags": FLAGS.map(|name| json!({"name": name})),
        "headers": {"each": each, "all": all.then_some(ALL_HEADER), "source": each},
        "filterState": state,
    })
}

/// The filter that makes the same calls.
pub(crate) fn same_calls(wasm: &Path, carried: Carried) -> Filter {
    let line = FLAGS.map(|name| format!("{name}=true")).join(",");
    let mut script = format!("tick 500\nrequest all\nrequest properties {CLAIMS}/iss {CLAIMS}/sub\n");
    if carried.each {
        script.extend(FLAGS.map(|name| format!("request set x-flag-{name} true\n")));
        script.push_str("request set x-flags-source bootstrap\n");
    }
    if carried.all {
        script.push_str(&format!("request set {ALL_HEADER} {line}\n"));
    }
    if carried.state {
        script.push_str(&format!("request state runtime_control.flags {line}\n"));
    }
    // one for each flag, one for where they come from
    script.push_str(&"request count\n".repeat(FLAGS.len() + 1));
    let unmatched = PluginConfig::from("tick 500\nrequest all");
    Filter { wasm: Some(wasm.into()), config: script.as_str().into(), unmatched: Some(unmatched), arm: None }
}

/// Each way to hand flags on: the filter that makes the same calls, then flag-headers.
pub(crate) fn ways(same_calls_wasm: &Path, wasm: &Path) -> Vec<Contender> {
    let pair = |carried: Carried| {
        let contender = |name: &str, filter: Filter| Contender { name: format!("{name}, {}", carried.told), filter };
        [
            contender("same calls", same_calls(same_calls_wasm, carried)),
            contender("flag-headers", filter(wasm, carried)),
        ]
    };
    Carried::WAYS.into_iter().flat_map(pair).collect()
}
