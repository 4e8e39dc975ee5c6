//! Envoy's process: how it is started, when it counts as live, and what it made of a new configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use harness::{Admin, Error, Logs, Process, Result};
use serde_json::Value;

use crate::egress::Outbound;
use crate::plugin::{CANARY, PLUGINS, Plugin, UNLEASH_TOKEN};
use crate::say;
use crate::state::State;
use crate::story::HOST;

/// Worker threads: more than one, since users have to get the same arm from each.
const WORKERS: usize = 2;
/// How long a start may take; func-e may have to fetch an Envoy first.
const START: Duration = Duration::from_secs(120);
/// How long Envoy may take to notice a renamed file.
const NOTICE: Duration = Duration::from_secs(5);
/// How long the filter may take to load what Envoy has taken. Nothing to load means that it is what already runs.
const LOAD: Duration = Duration::from_secs(1);
/// How long Envoy may take to end by itself.
const STOP: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(10);
/// Its log, with the filters' JSON lines in it.
pub(crate) const LOG: &str = ".run/envoy.log";

/// What is started.
pub(crate) struct Launch {
    command: Vec<String>,
    env: BTreeMap<String, String>,
}

impl Launch {
    /// An Envoy by its path, a func-e, or a func-e that is to run this Envoy.
    pub(crate) fn new(envoy: Option<&Path>, func_e: Option<&Path>) -> Result<Self> {
        let path = |path: &Path| -> Result<String> {
            let whole = path.canonicalize().map_err(|error| Error::new(format!("{}: {error}", path.display())))?;
            Ok(whole.display().to_string())
        };
        let mut env = BTreeMap::new();
        let command = match (envoy, func_e) {
            (Some(envoy), None) => vec![path(envoy)?],
            (envoy, Some(func_e)) => {
                if let Some(envoy) = envoy {
                    env.insert("ENVOY_PATH".to_owned(), path(envoy)?);
                }
                vec![path(func_e)?, "run".to_owned()]
            }
            (None, None) => return Err(Error::new("no envoy to run: name one with --envoy or --func-e")),
        };
        Ok(Self { command, env })
    }

    /// Gives Envoy a token for Unleash.
    pub(crate) fn with_token(mut self, token: &str) -> Self {
        self.env.insert(UNLEASH_TOKEN.to_owned(), token.to_owned());
        self
    }
}

/// What Envoy made of a new version of the plugin's file.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Every thread runs it; what the filter says about it.
    Loaded(Value),
    /// It is what was running already.
    Same,
    /// Envoy can't use it, and why. The version before goes on.
    Refused(String),
    /// No sign of Envoy's having noticed.
    Unnoticed,
}

/// How often Envoy took a version of the plugin's file, and how often it did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    taken: u64,
    refused: u64,
}

/// A moment to count from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    count: Count,
    line: usize,
}

/// A running Envoy.
pub(crate) struct Proxy {
    process: Process,
    admin: Admin,
    /// Where it listens.
    pub(crate) gateway: SocketAddr,
    /// Where it takes what ai-gateway calls.
    pub(crate) outbound: Outbound,
}

impl Proxy {
    pub(crate) fn spawn(launch: &Launch, state: &State) -> Result<Self> {
        let mut command = launch.command.clone();
        let workers = WORKERS.to_string();
        command.extend(["-c", state.bootstrap, "--concurrency", &workers].map(String::from));
        command.extend(["--log-level", "warning", "--component-log-level", "wasm:info"].map(String::from));
        // Without it a second Envoy on this machine, whatever it is for, could not start.
        command.push("--disable-hot-restart".to_owned());
        say(format_args!("Starting {} -c {} ...", launch.command.join(" "), state.bootstrap))?;
        let process = Process::spawn(&command, &launch.env, Some(&PathBuf::from(LOG)))?;
        let (admin, outbound) = (Admin::new(state.admin), state.outbound.clone());
        Ok(Self { process, admin, gateway: state.gateway, outbound })
    }

    /// Waits until it serves, with the filters at work.
    pub(crate) async fn live(&mut self) -> Result<()> {
        let start = Instant::now();
        while self.admin.get("/ready").await.is_err() {
            self.check_alive()?;
            if start.elapsed() > START {
                return Err(self.failed(&format!("is not live after {START:?}")));
            }
            tokio::time::sleep(POLL).await;
        }
        for plugin in PLUGINS {
            let mut from_start = Mark { count: Count { taken: 0, refused: 0 }, line: 0 };
            let name = plugin.name;
            match self.outcome(plugin, &mut from_start).await? {
                Outcome::Loaded(_) => {}
                Outcome::Refused(why) => return Err(self.failed(&format!("refuses {name}: {why}"))),
                Outcome::Same | Outcome::Unnoticed => return Err(self.failed(&format!("does not run {name}"))),
            }
        }
        let info = self.admin.json("/server_info").await?;
        // commit/1.36.4/Clean/RELEASE/BoringSSL
        let version = info["version"].as_str().and_then(|text| text.split('/').nth(1)).unwrap_or("of unknown version");
        let (port, admin) = (self.gateway.port(), self.admin.addr().port());
        let took = start.elapsed().as_secs_f64();
        let (http, tls) = (self.outbound.http.port(), self.outbound.tls.addr.port());
        say(format_args!(
            "Envoy {version} with flag-headers, canary-router, egress-audit and pii-redactor is up after {took:.1} s."
        ))?;
        say(format_args!("   gateway   http://localhost:{port}   (host {HOST}; /health)"))?;
        say(format_args!("   egress    http://localhost:{http}, and TLS on {tls}   (what ai-gateway calls)"))?;
        say(format_args!("   admin     http://localhost:{admin}"))
    }

    /// An error when Envoy has ended.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        match self.process.exited()? {
            None => Ok(()),
            Some(status) => Err(self.failed(&format!("ended ({status})"))),
        }
    }

    /// Its log so far.
    pub(crate) fn logs(&self) -> &Logs {
        self.process.logs()
    }

    fn failed(&self, what: &str) -> Error {
        Error::new(format!("Envoy {what}. The last lines of {LOG}:\n{}", self.process.logs().tail(15)))
    }

    /// Gives canary-router a configuration and waits until every worker runs all of it; tells how long that took.
    pub(crate) async fn configure(&self, configuration: &str) -> Result<Duration> {
        let mut mark = self.mark(&CANARY).await?;
        let start = Instant::now();
        CANARY.put(configuration)?;
        match self.outcome(&CANARY, &mut mark).await? {
            Outcome::Loaded(line) if line["state"] == "ok" => Ok(start.elapsed()),
            other => Err(self.failed(&format!("did not take a configuration as a whole, but: {other:?}"))),
        }
    }

    /// The present, to count a plugin's versions from.
    pub(crate) async fn mark(&self, plugin: &Plugin) -> Result<Mark> {
        Ok(Mark { count: self.count(plugin).await?, line: self.process.logs().mark() })
    }

    /// What came of a plugin's file that was put into place after `mark`, which moves to behind it.
    pub(crate) async fn outcome(&self, plugin: &Plugin, mark: &mut Mark) -> Result<Outcome> {
        let start = Instant::now();
        let mut taken = None;
        loop {
            let now = self.mark(plugin).await?;
            let lines = self.process.logs().lines_after(mark.line);
            let (count, before) = (now.count, mark.count);
            if count.refused > before.refused {
                // the reason is in the pipe, if it is not here yet
                tokio::time::sleep(POLL * 5).await;
                let why = refusal(&self.process.logs().lines_after(mark.line));
                *mark = now;
                return Ok(Outcome::Refused(why));
            }
            if count.taken > before.taken {
                let since = taken.get_or_insert_with(Instant::now).elapsed();
                match loaded(&lines, plugin.name) {
                    // each worker takes it over at a moment of its own, and so does the main thread
                    Some((line, threads)) if threads > WORKERS => {
                        *mark = now;
                        return Ok(Outcome::Loaded(line));
                    }
                    Some(_) if since < LOAD * 10 => {}
                    Some((_, threads)) => {
                        return Err(self.failed(&format!("took a configuration in {threads} of its threads only")));
                    }
                    None if since < LOAD => {}
                    None => {
                        *mark = now;
                        return Ok(Outcome::Same);
                    }
                }
            } else if start.elapsed() > NOTICE {
                return Ok(Outcome::Unnoticed);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn count(&self, plugin: &Plugin) -> Result<Count> {
        let stats = self.admin.counters(r"^extension_config_discovery\.").await?;
        let count = |what: &str| stats.get(&plugin.stat(&format!("update_{what}"))).copied().unwrap_or_default();
        Ok(Count { taken: count("success"), refused: count("rejected") + count("failure") })
    }

    /// Ends Envoy. By a signal, since that works before the admin interface does, and with func-e in between.
    pub(crate) async fn stop(mut self) {
        if !matches!(self.process.exited(), Ok(None)) {
            return;
        }
        let asked =
            Command::new("kill").args(["-s", "TERM", &self.process.id().to_string()]).stderr(Stdio::null()).status();
        if asked.is_ok_and(|status| status.success()) {
            let _ = tokio::time::timeout(STOP, self.process.wait()).await;
        }
        // what is left is killed with `process`
    }
}

/// What a filter said about the configuration that it loaded, and how many threads of Envoy said so.
fn loaded(lines: &[String], plugin: &str) -> Option<(Value, usize)> {
    let mut threads = BTreeSet::new();
    let mut last = None;
    for line in lines.iter().filter(|line| line.contains("wasm log")) {
        let event = line.find('{').and_then(|at| serde_json::from_str::<Value>(&line[at..]).ok());
        if let Some(event) = event.filter(|event| event["event"] == "config_loaded" && event["plugin"] == plugin) {
            // [2026-11-21 05:10:31.703][5487][info][wasm] ...
            threads.extend(line.split("][").nth(1));
            last = Some(event);
        }
    }
    last.map(|event| (event, threads.len()))
}

/// Why Envoy refused a file, by its log.
fn refusal(lines: &[String]) -> String {
    let told = |line: &String| {
        let (_, why) =
            line.split_once("config update rejected: ").or_else(|| line.split_once("config update failure: "))?;
        Some(why.to_owned())
    };
    lines.iter().rev().find_map(told).unwrap_or_else(|| lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "default.canary-router";

    fn line(thread: u32, message: &str) -> String {
        format!("[2026-11-21 05:10:31.703][{thread}][info][wasm] [context.cc:1149] wasm log {NAME}: {message}")
    }

    fn loaded_line(thread: u32, plugin: &str, hash: &str) -> String {
        line(thread, &format!(r#"{{"event":"config_loaded","plugin":"{plugin}","hash":"{hash}"}}"#))
    }

    #[test]
    fn each_thread_that_loaded_counts_once_and_the_last_word_stands() {
        let other = line(9, r#"{"event":"canary_decision","arm":"v2"}"#);
        let lines = [
            loaded_line(7, NAME, "1"),
            other.clone(),
            loaded_line(7, NAME, "2"),
            loaded_line(8, NAME, "2"),
            loaded_line(9, "default.flag-headers", "3"),
            "libc: no log line at all".to_owned(),
        ];
        let (event, threads) = loaded(&lines, NAME).unwrap();
        assert_eq!((&event["hash"], threads), (&Value::from("2"), 2));
        assert!(loaded(&[other, line(7, "{ no json")], NAME).is_none());
    }

    #[test]
    fn a_refusal_is_told_in_envoys_words_or_in_full() {
        let told =
            [line(7, "a"), "[..][warning][config] [..] Filesystem config update rejected: Invalid path: x".to_owned()];
        assert_eq!(refusal(&told), "Invalid path: x");
        assert_eq!(refusal(&["one".to_owned(), "two".to_owned()]), "one\ntwo");
    }
}
