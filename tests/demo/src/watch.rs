//! After the story: what to try, and a line for every edit of the configuration: what Envoy and the filter made of it, and
//! whom it moved.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use harness::Result;
use serde_json::Value;

use crate::plugin::{PATH, PluginFile};
use crate::proxy::{Outcome, Proxy};
use crate::say;
use crate::state::State;
use crate::story::{HOST, Users};

/// How often the file is looked at. An editor's write is over by the next time.
const POLL: Duration = Duration::from_millis(250);

/// What to try.
pub(crate) fn explain(state: &State, users: &Users) -> Result<()> {
    let (port, admin) = (state.gateway.port(), state.admin.port());
    let (one, other) = (users.one_of("v1").unwrap_or("ada"), users.one_of("v2").unwrap_or("ken"));
    let try_out = |flags: &str, path: &str, expect: &str| {
        say(format_args!("   curl -i -H 'host: {HOST}' {flags} localhost:{port}{path}   # {expect}"))
    };
    say("\nTry it (from this directory):\n")?;
    try_out(&format!("-H 'x-user-id: {one}'"), "/api/ai", "v1")?;
    try_out(&format!("-H 'x-user-id: {other}'"), "/api/ai", "v2")?;
    try_out("-H \"authorization: Bearer $(cat .run/qa-1.jwt)\"", "/api/ai", "v2, a tester")?;
    try_out("-b .run/cookies -c .run/cookies", "/api/ai", "a visitor, with the same arm each time")?;
    try_out(&format!("-H 'x-user-id: {one}'"), "/api/projects", "v1: this rule only reports")?;
    say(format_args!("   curl localhost:{port}/health"))?;
    say(format_args!("   curl -s localhost:{admin}/stats/prometheus | grep runtime_control"))?;
    say("   tail -f .run/envoy.log   # what the rule that only reports would do, as JSON")?;
    say(format_args!(
        "\nChange it while it runs: the configuration is in {PATH}, and Envoy takes a file that is renamed over it:\n"
    ))?;
    say(format_args!(
        "   sed 's/\"weight\": 10}}/\"weight\": 50}}/' {PATH} > .run/new.yaml && mv .run/new.yaml {PATH}"
    ))?;
    say(format_args!("   cp {PATH} .run/new.yaml; vi .run/new.yaml; mv .run/new.yaml {PATH}"))?;
    say("\nEvery edit is told here. Ctrl-C ends all.\n")
}

/// Tells about every edit, for as long as Envoy runs.
pub(crate) async fn edits(proxy: &mut Proxy, mut users: Users) -> Result<()> {
    let mut mark = proxy.mark().await?;
    let mut seen = PluginFile.stamp();
    loop {
        tokio::time::sleep(POLL).await;
        proxy.check_alive()?;
        let found = PluginFile.stamp();
        if found == seen {
            continue;
        }
        let Some(now) = found else {
            say(format_args!("{} {PATH} is gone; Envoy goes on with what it had", clock()))?;
            seen = None;
            continue;
        };
        let in_place = seen.is_some_and(|before| before.in_place(now));
        if in_place {
            // until the writer is done
            tokio::time::sleep(POLL).await;
            PluginFile.rename()?;
        }
        seen = PluginFile.stamp();
        let outcome = proxy.outcome(&mut mark).await?;
        let note = if in_place { " (edited in place, so the demo renamed a copy over it)" } else { "" };
        tell(&outcome, note)?;
        if let Outcome::Loaded(_) = outcome {
            let moves = users.moves(proxy).await?;
            let who = if moves.is_empty() { "none".to_owned() } else { moves.join("; ") };
            say(format_args!("         moved, of the 20 users: {who}"))?;
        }
    }
}

fn tell(outcome: &Outcome, note: &str) -> Result<()> {
    let clock = clock();
    match outcome {
        Outcome::Loaded(line) => {
            let runs = match line["state"].as_str().unwrap_or_default() {
                "ok" => "taken: all of it runs",
                "partial" => "taken in part: what is wrong runs in its last good form, or is off",
                "last_good" => "not readable: the last good configuration goes on",
                _ => "not usable: every request goes to the baseline",
            };
            say(format_args!("{clock} {runs}{note}"))?;
            for kind in ["errors", "unknown", "warnings"] {
                for mistake in line[kind].as_array().into_iter().flatten().filter_map(Value::as_str) {
                    say(format_args!("         {mistake}"))?;
                }
            }
            Ok(())
        }
        Outcome::Same => say(format_args!("{clock} the same configuration as before{note}")),
        Outcome::Refused(why) => {
            say(format_args!("{clock} refused by Envoy, which goes on with what it had{note}"))?;
            say(format_args!("         {why}"))
        }
        Outcome::Unnoticed => say(format_args!("{clock} {PATH} changed, and Envoy did not notice{note}")),
    }
}

/// The time of day in UTC, as in Envoy's log.
fn clock() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    format!("{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
}
