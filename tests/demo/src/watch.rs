//! After the story: what to try, and a line for every edit of a configuration: what Envoy and the filter made of it, and whom
//! it moved, or which of the demo's calls and chats out of the mesh have another end. With an Unleash also a line for every flip there that
//! moves a user.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use harness::Result;
use serde_json::Value;

use crate::Shown;
use crate::egress::{self, Calls};
use crate::flags::{FLAG, FLAGS_HOST};
use crate::pii::{self, Chats};
use crate::plugin::{CANARY, EGRESS, EGRESS_TLS, FLAGS, PII, Plugin, Stamp};
use crate::proxy::{Mark, Outcome, Proxy};
use crate::say;
use crate::state::State;
use crate::story::{HOST, Users};
use crate::unleash::Unleash;

/// How often the file is looked at. An editor's write is over by the next time.
const POLL: Duration = Duration::from_millis(250);

/// How often Unleash's flips are looked for.
const LOOK: Duration = Duration::from_secs(1);

/// What to try.
pub(crate) fn explain(state: &State, shown: &Shown, unleash: Option<&Unleash>) -> Result<()> {
    let (port, admin) = (state.gateway.port(), state.admin.port());
    let users = &shown.arms;
    let path = CANARY.path;
    let (one, other) = (users.one_of("v1").unwrap_or("ada"), users.one_of("v2").unwrap_or("ken"));
    let try_out = |flags: &str, path: &str, expect: &str| {
        say(format_args!("   curl -i -H 'host: {HOST}' {flags} localhost:{port}{path}   # {expect}"))
    };
    say("\nTry it (from this directory):\n")?;
    try_out(&format!("-H 'x-user-id: {one}'"), "/api/ai", "v1")?;
    try_out(&format!("-H 'x-user-id: {other}'"), "/api/ai", "v2")?;
    try_out("-H \"authorization: Bearer $(cat .run/qa-1.jwt)\"", "/api/ai", "v2, a tester")?;
    try_out("-b .run/cookies -c .run/cookies", "/api/ai", "a visitor, with the same arm each time")?;
    try_out(&format!("-H 'x-user-id: {one}'"), "/api/projects", "the flags that the service gets")?;
    say(format_args!("   curl -H 'host: {FLAGS_HOST}' localhost:{port}/runtime-control/flags?userId={one}   # why"))?;
    say(format_args!("   curl localhost:{port}/health"))?;
    say(format_args!("   curl -s localhost:{admin}/stats/prometheus | grep runtime_control"))?;
    egress::explain(state)?;
    pii::explain(state)?;
    say(
        "   tail -f .run/envoy.log   # what rules that only report would do, calls out of the mesh, what was found in them, as JSON",
    )?;
    say(format_args!(
        "\nChange it while it runs: the configurations are in {path}, {}, {},\n{} and {}; Envoy takes a file that is renamed over one:\n",
        FLAGS.path, EGRESS.path, EGRESS_TLS.path, PII.path
    ))?;
    say(format_args!(
        "   sed 's/\"weight\": 10}}/\"weight\": 50}}/' {path} > .run/new.yaml && mv .run/new.yaml {path}"
    ))?;
    say(format_args!(
        "   sed 's/\"mode\": \"report\"/\"mode\": \"enforce\"/' {0} > .run/new.yaml && mv .run/new.yaml {0}",
        EGRESS.path
    ))?;
    say(format_args!(
        "   sed 's/\"mode\": \"enforce\"/\"mode\": \"report\"/' {0} > .run/new.yaml && mv .run/new.yaml {0}",
        PII.path
    ))?;
    say(format_args!("   cp {path} .run/new.yaml; vi .run/new.yaml; mv .run/new.yaml {path}"))?;
    match unleash {
        None => say("\nEvery edit is told here. Ctrl-C ends all.\n"),
        Some(unleash) => {
            say(format_args!(
                "\nOr switch flags in Unleash: http://localhost:{}, user admin, password {}",
                unleash.port(),
                unleash.password()
            ))?;
            say(format_args!(
                "\nEvery edit is told here, and whom a switch of {FLAG} in Unleash moves. Ctrl-C ends all.\n"
            ))
        }
    }
}

/// Those who show what an edit does.
trait Witness {
    /// Asks again, and tells what is not as it was.
    async fn changes(&mut self, proxy: &Proxy) -> Result<String>;
}

impl Witness for Users {
    async fn changes(&mut self, proxy: &Proxy) -> Result<String> {
        let moves = self.moves(proxy).await?;
        let who = if moves.is_empty() { "none".to_owned() } else { moves.join("; ") };
        Ok(format!("moved, of the 20 users: {who}"))
    }
}

impl Witness for Calls {
    async fn changes(&mut self, proxy: &Proxy) -> Result<String> {
        let changes = self.moves(proxy).await?;
        let which = if changes.is_empty() {
            " none".to_owned()
        } else {
            format!("\n           {}", changes.join("\n           "))
        };
        Ok(format!("changed, of the demo's calls:{which}"))
    }
}

impl Witness for Chats {
    async fn changes(&mut self, proxy: &Proxy) -> Result<String> {
        let changes = self.moves(proxy).await?;
        let which = if changes.is_empty() {
            " nothing".to_owned()
        } else {
            format!("\n           {}", changes.join("\n           "))
        };
        Ok(format!("changed, of what the model sees of the demo's chats:{which}"))
    }
}

/// A plugin's file, and what its witnesses got when they last asked.
struct Watched<W> {
    plugin: &'static Plugin,
    mark: Mark,
    seen: Option<Stamp>,
    witness: W,
}

impl<W: Witness> Watched<W> {
    async fn new(proxy: &Proxy, plugin: &'static Plugin, witness: W) -> Result<Self> {
        Ok(Self { plugin, mark: proxy.mark(plugin).await?, seen: plugin.stamp(), witness })
    }

    /// Tells what came of an edit, if there was one.
    async fn look(&mut self, proxy: &Proxy) -> Result<()> {
        let plugin = self.plugin;
        let found = plugin.stamp();
        if found == self.seen {
            return Ok(());
        }
        let Some(now) = found else {
            self.seen = None;
            return say(format_args!("{} {} is gone; Envoy goes on with what it had", clock(), plugin.path));
        };
        let in_place = self.seen.is_some_and(|before| before.in_place(now));
        if in_place {
            // until the writer is done
            tokio::time::sleep(POLL).await;
            plugin.rename()?;
        }
        self.seen = plugin.stamp();
        let outcome = proxy.outcome(plugin, &mut self.mark).await?;
        let note = if in_place { " (edited in place, so the demo renamed a copy over it)" } else { "" };
        tell(plugin, &outcome, note)?;
        if let Outcome::Loaded(_) = outcome {
            say(format_args!("         {}", self.witness.changes(proxy).await?))?;
        }
        Ok(())
    }
}

/// Tells about every edit, and with an Unleash about every flip that moves a user, for as long as Envoy runs.
pub(crate) async fn edits(proxy: &mut Proxy, shown: Shown, unleash: bool) -> Result<()> {
    let mut canary = Watched::new(proxy, &CANARY, shown.arms).await?;
    let mut flags = Watched::new(proxy, &FLAGS, shown.flags).await?;
    let mut http = Watched::new(proxy, &EGRESS, shown.http).await?;
    let mut tls = Watched::new(proxy, &EGRESS_TLS, shown.tls).await?;
    let mut chats = Watched::new(proxy, &PII, shown.chats).await?;
    let mut looked = Instant::now();
    loop {
        tokio::time::sleep(POLL).await;
        proxy.check_alive()?;
        canary.look(proxy).await?;
        flags.look(proxy).await?;
        http.look(proxy).await?;
        tls.look(proxy).await?;
        chats.look(proxy).await?;
        if unleash && looked.elapsed() >= LOOK {
            looked = Instant::now();
            for moved in flags.witness.moves(proxy).await? {
                say(format_args!("{} Unleash: {FLAG} {moved}", clock()))?;
            }
        }
    }
}

fn tell(plugin: &Plugin, outcome: &Outcome, note: &str) -> Result<()> {
    let clock = clock();
    match outcome {
        Outcome::Loaded(line) => {
            let runs = match line["state"].as_str().unwrap_or_default() {
                "ok" => "taken: all of it runs".to_owned(),
                "partial" => {
                    format!("taken in part: what is wrong runs in its last good form, or {}", plugin.part_amiss)
                }
                "last_good" => "not readable: the last good configuration goes on".to_owned(),
                _ => format!("not usable: {}", plugin.all_amiss),
            };
            say(format_args!("{clock} {}: {runs}{note}", plugin.path))?;
            for kind in ["errors", "unknown", "warnings"] {
                for mistake in line[kind].as_array().into_iter().flatten().filter_map(Value::as_str) {
                    say(format_args!("         {mistake}"))?;
                }
            }
            Ok(())
        }
        Outcome::Same => say(format_args!("{clock} {}: the same configuration as before{note}", plugin.path)),
        Outcome::Refused(why) => {
            say(format_args!("{clock} {}: refused by Envoy, which goes on with what it had{note}", plugin.path))?;
            say(format_args!("         {why}"))
        }
        Outcome::Unnoticed => say(format_args!("{clock} {} changed, and Envoy did not notice{note}", plugin.path)),
    }
}

/// The time of day in UTC, as in Envoy's log.
fn clock() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    format!("{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
}
