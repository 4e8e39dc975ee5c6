//! For how long an update holds a worker: while it takes new flags it serves nobody.
//!
//! The answer of Unleash holds every flag of a project. One worker leads: it looks that answer over and keeps the exposed
//! flags, with their parents and segments (`select`); every worker compiles what was kept (`compile`). flag-headers measures
//! both by the proxy's clock and tells them as a gauge.

use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use harness::{Bootstrap, Envoy, EnvoyOptions, Error, Listener, Reply, Result, Stats, TIMEOUT, Upstream, WasmPlugin};
use harness::{route_to, virtual_hosts};
use serde_json::{Value, json};

use crate::figures::Summary;
use crate::flags::{FLAGS, features};
use crate::scene::World;

/// How many flags the demand is about.
pub(crate) const KNOWN: usize = 5_000;
const WORKERS: u32 = 2;
/// After the leader, the others take an update at their next tick.
const FOLLOW: Duration = Duration::from_millis(700);
const LOOK: Duration = Duration::from_millis(10);
const HOLD: &str = "runtime_control_flag_headers_update_hold_microseconds";

/// What came of it.
pub(crate) struct Held {
    bytes: usize,
    updates: Vec<Update>,
}

/// Milliseconds of one update.
#[derive(Clone, Copy, Debug)]
struct Update {
    select: f64,
    /// That of the slowest worker.
    compile: f64,
}

impl Update {
    fn leader(&self) -> f64 {
        self.select + self.compile
    }
}

/// Measures the first document and a number of changes of it.
pub(crate) async fn measure(world: &World, wasm: &Path, changes: usize) -> Result<Held> {
    let unleash = Upstream::start("unleash");
    unleash.record(false);
    let bytes = serve(&unleash, 1);
    let plugin = WasmPlugin::new("flag-headers", wasm).config(json!({
        "unleash": {"cluster": "unleash", "appName": "bench", "refresh": "1s", "timeout": "10s", "metricsInterval": "0s"},
        "identity": [{"header": "x-user-id"}],
        "flags": FLAGS.map(|name| json!({"name": name})),
    }));
    let bootstrap = Bootstrap::new()
        .listener(Listener::http("main", virtual_hosts([route_to("unleash")])).wasm(&plugin))
        .cluster("unleash", unleash.addr())
        .stats_tags(&["step"]);
    let options = EnvoyOptions::new(&world.binary, bootstrap).launcher(&world.cores.launcher()).concurrency(WORKERS);
    let envoy = Envoy::start(options).await?;
    let mut updates = Vec::new();
    for revision in 1..=changes + 1 {
        eprintln!("update {revision} of {}: {KNOWN} flags", changes + 1);
        let mut before = Stats::default();
        if revision > 1 {
            before = envoy.stats().await?;
            serve(&unleash, revision);
        }
        updates.push(update(&envoy, revision, &before).await?);
    }
    Ok(Held { bytes, updates })
}

/// Waits until every worker has taken a revision, and gives the longest holds of it.
async fn update(envoy: &Envoy, revision: usize, before: &Stats) -> Result<Update> {
    let start = Instant::now();
    let mut taken: Option<Instant> = None;
    let (mut select, mut compile) = (Vec::new(), Vec::new());
    while taken.is_none_or(|taken| taken.elapsed() < FOLLOW) {
        if start.elapsed() > TIMEOUT {
            let tail = envoy.logs().tail(10);
            return Err(Error::new(format!("flag-headers did not take revision {revision}:\n{tail}")));
        }
        let stats = envoy.stats().await?;
        if stats.gauge("runtime_control_flag_headers_revision", &[]) == Some(revision as f64) {
            taken.get_or_insert_with(Instant::now);
        }
        select.extend(held(&stats, "select"));
        compile.extend(held(&stats, "compile"));
        tokio::time::sleep(LOOK).await;
    }
    // what stands there from the update before counts only where nothing else was seen
    let longest = |step: &str, seen: &[f64]| {
        let before = held(before, step);
        let new = seen.iter().copied().filter(|value| Some(*value) != before).reduce(f64::max);
        new.or(before).ok_or_else(|| Error::new(format!("Envoy has no {HOLD} of step {step}")))
    };
    Ok(Update { select: longest("select", &select)?, compile: longest("compile", &compile)? })
}

fn held(stats: &Stats, step: &str) -> Option<f64> {
    stats.gauge(HOLD, &[("step", step)]).map(|microseconds| microseconds / 1000.0)
}

/// Has Unleash answer with a document from now on; gives its length.
fn serve(unleash: &Upstream, revision: usize) -> usize {
    let (body, etag) = (document(KNOWN, revision), format!("\"76d8bb0e:{revision}:v1\""));
    let length = body.len();
    unleash.respond(move |asked| {
        if asked.method != "GET" {
            return Reply::new(202);
        }
        if asked.headers.text("if-none-match").as_deref() == Some(etag.as_str()) {
            return Reply::new(304).header("etag", &etag);
        }
        Reply::text(&body).header("content-type", "application/json").header("etag", &etag)
    });
    length
}

/// A project's flags as Unleash sends them, those that are exposed spread among the others. Each revision has another
/// rollout of the first of them.
fn document(known: usize, revision: usize) -> String {
    let mut exposed = features();
    exposed[0]["strategies"][0]["parameters"]["rollout"] = (revision % 100).to_string().into();
    let mut body = r#"{"version":2,"features":["#.to_owned();
    for number in 0..known {
        let place = exposed.iter().enumerate().position(|(at, _)| known * (2 * at + 1) / 6 == number);
        let separator = if number == 0 { "" } else { "," };
        // writing to a string cannot fail
        let _ = match place.and_then(|at| exposed.get(at)) {
            Some(feature) => write!(body, "{separator}{}", name_first(feature)),
            None => write!(body, "{separator}{}", other(number)),
        };
    }
    let query = r#"{"project":["default"],"environment":"production","inlineSegmentConstraints":false}"#;
    let _ =
        write!(body, r#"],"segments":[],"query":{query},"meta":{{"revisionId":{revision},"queryHash":"76d8bb0e"}}}}"#);
    body
}

/// Unleash writes names first.
fn name_first(feature: &Value) -> String {
    let rest = feature.as_object().into_iter().flatten().filter(|(key, _)| *key != "name");
    let rest: String = rest.map(|(key, value)| format!(",{}:{value}", Value::from(key.as_str()))).collect();
    format!(r#"{{"name":{}{rest}}}"#, feature["name"])
}

/// A flag that is not exposed: with one or two strategies, constraints on them, and variants for every third.
fn other(number: usize) -> String {
    let name = format!("team-{}.feature-{number}", number % 40);
    let strategy = |rollout: usize, constraints: &str| {
        format!(
            r#"{{"name":"flexibleRollout","constraints":[{constraints}],"parameters":{{"groupId":"{name}","rollout":"{rollout}","stickiness":"default"}},"variants":[]}}"#
        )
    };
    let users: Vec<String> = (0..6).map(|user| format!("\"user-{}\"", number * 7 + user * 13)).collect();
    let users = format!(
        r#"{{"values":[{}],"inverted":false,"operator":"IN","contextName":"userId","caseInsensitive":false}}"#,
        users.join(",")
    );
    let plans = r#"{"values":["pro","team","enterprise"],"inverted":false,"operator":"IN","contextName":"plan","caseInsensitive":false}"#;
    let strategies = match number % 3 {
        0 => strategy(100, &users),
        1 => format!("{},{}", strategy(100, &users), strategy(number % 100, plans)),
        _ => strategy(number % 100, &format!("{plans},{users}")),
    };
    let variant = |name: &str| {
        format!(
            r#"{{"name":"{name}","weight":500,"payload":{{"type":"string","value":"{name}-{number}"}},"stickiness":"default","weightType":"variable"}}"#
        )
    };
    let variants =
        if number.is_multiple_of(3) { format!("{},{}", variant("blue"), variant("green")) } else { String::new() };
    let description = "Decided in the planning of the quarter; to be removed once it is on for everybody.";
    format!(
        r#"{{"name":"{name}","type":"release","enabled":{},"project":"default","stale":false,"strategies":[{strategies}],"variants":[{variants}],"description":"{description}","impressionData":false}}"#,
        !number.is_multiple_of(5)
    )
}

impl Held {
    /// The longest that an update held a worker, in milliseconds.
    pub(crate) fn worst(&self) -> Option<f64> {
        self.updates.iter().map(Update::leader).reduce(f64::max)
    }

    /// What was measured, in words.
    pub(crate) fn told(&self) -> String {
        let (megabytes, each) = (self.bytes as f64 / 1e6, self.bytes / KNOWN);
        format!("{KNOWN} flags, {megabytes:.1} MB ({each} bytes each), {} exposed", FLAGS.len())
    }

    /// The table.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "## An update of flags: how long it holds a worker\n\n{}; {WORKERS} workers; the first answer and {} changes.\n\n",
            self.told(),
            self.updates.len().saturating_sub(1),
        );
        text.push_str("| step | first, ms | changes, ms | worst, ms |\n|---|---|---|---|\n");
        let mut row = |name: &str, of: fn(&Update) -> f64| {
            let all: Vec<f64> = self.updates.iter().map(of).collect();
            let first = all.first().copied().unwrap_or_default();
            let changes = Summary::of(all.iter().skip(1).copied());
            let changes = changes.map_or(String::new(), |changes| format!("{changes:.1}"));
            let worst = all.iter().copied().fold(0.0, f64::max);
            let _ = writeln!(text, "| {name} | {first:.1} | {changes} | {worst:.1} |");
        };
        row("select: the leading worker looks the answer over", |update| update.select);
        row("compile: every worker, the slowest", |update| update.compile);
        row("both: the leading worker", Update::leader);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_what_unleash_would_send() {
        let text = document(60, 7);
        let read: Value = serde_json::from_str(&text).unwrap();
        let features = read["features"].as_array().unwrap();
        let places: Vec<_> = FLAGS.map(|name| features.iter().position(|feature| feature["name"] == name)).into();
        assert_eq!(places, [Some(10), Some(30), Some(50)]);
        assert_eq!((features.len(), read["meta"]["revisionId"].as_u64()), (60, Some(7)));
        assert_eq!(features[10]["strategies"][0]["parameters"]["rollout"], "7");
        assert!((700..1000).contains(&(text.len() / 60)), "{}", text.len());
    }
}
