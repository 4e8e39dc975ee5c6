//! A plugin's configuration in a file that Envoy watches, and what Envoy makes of each new one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::admin::Admin;
use crate::error::{Context, Error, Result};
use crate::logs::Logs;
use crate::wasm::{PluginConfig, WasmPlugin};
use crate::{POLL, TIMEOUT};

/// What Envoy did with a new configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// It serves now.
    Accepted,
    /// The filter refused it (or Envoy could not read it) and the old one keeps serving; the log lines say why.
    Rejected(String),
}

impl Update {
    /// An error unless it was accepted.
    pub fn accepted(self) -> Result<()> {
        match self {
            Self::Accepted => Ok(()),
            Self::Rejected(why) => Err(Error::new(format!("configuration rejected:\n{why}"))),
        }
    }

    /// Why it was rejected; an error if it was accepted.
    pub fn rejected(self) -> Result<String> {
        match self {
            Self::Accepted => Err(Error::new("configuration accepted, though it should be rejected")),
            Self::Rejected(why) => Ok(why),
        }
    }
}

/// How many updates Envoy took and how many it did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    accepted: u64,
    rejected: u64,
}

/// One plugin's file.
pub struct EcdsFile {
    path: PathBuf,
    network: bool,
    state: Mutex<(WasmPlugin, u64)>,
    /// One update at a time, or the counters would not tell whose it was.
    turn: tokio::sync::Mutex<()>,
}

impl EcdsFile {
    /// Writes the first configuration. `network`: for a network filter.
    pub fn create(path: &Path, plugin: &WasmPlugin, network: bool) -> Result<Self> {
        let file = Self {
            path: path.into(),
            network,
            state: Mutex::new((plugin.clone(), 0)),
            turn: tokio::sync::Mutex::default(),
        };
        file.write(plugin.clone())?;
        Ok(file)
    }

    /// The plugin as it was last written.
    pub fn plugin(&self) -> WasmPlugin {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner).0.clone()
    }

    /// Writes a new version and puts it in the old one's place: Envoy notices renames, not edits.
    fn write(&self, plugin: WasmPlugin) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let version = state.1 + 1;
        let response = json!({
            "version_info": version.to_string(),
            "resources": [{
                "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
                "name": plugin.name,
                "typed_config": plugin.typed_config(self.network),
            }],
        });
        let new = self.path.with_extension("new");
        fs::write(&new, response.to_string()).context(new.display())?;
        fs::rename(&new, &self.path).context(self.path.display())?;
        *state = (plugin, version);
        Ok(())
    }

    /// Writes the plugin with `config` and waits until Envoy took or refused it.
    pub async fn update(&self, admin: &Admin, logs: &Logs, config: impl Into<PluginConfig>) -> Result<Update> {
        self.replace(admin, logs, self.plugin().config(config)).await
    }

    /// The same with everything of the plugin changed but its name (another wasm, policy, environment).
    pub async fn replace(&self, admin: &Admin, logs: &Logs, plugin: WasmPlugin) -> Result<Update> {
        let _turn = self.turn.lock().await;
        let before = self.seen(admin).await?;
        let mark = logs.mark();
        self.write(plugin)?;
        let start = Instant::now();
        loop {
            let now = self.seen(admin).await?;
            if now.rejected > before.rejected {
                // The line is in the pipe by now, unless the log level keeps it back.
                let refused =
                    |line: &str| line.contains("config update rejected") || line.contains("config update failure");
                let _ = tokio::time::timeout(Duration::from_millis(500), logs.wait_after(mark, refused)).await;
                return Ok(Update::Rejected(logs.lines_after(mark).join("\n")));
            }
            if now.accepted > before.accepted {
                return Ok(Update::Accepted);
            }
            if start.elapsed() > TIMEOUT {
                let why =
                    format!("no sign of the update within {TIMEOUT:?}; {now:?}; the last lines:\n{}", logs.tail(30));
                return Err(Error::new(why));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Whether any configuration was taken since Envoy's start.
    pub(crate) async fn loaded(&self, admin: &Admin) -> Result<bool> {
        Ok(self.seen(admin).await?.accepted > 0)
    }

    async fn seen(&self, admin: &Admin) -> Result<Seen> {
        let name = self.plugin().name;
        let stats = admin.counters(r"^extension_config_discovery\.").await?;
        let count = |what: &str| -> u64 {
            let of_this = |key: &str| key.strip_suffix(what).is_some_and(|key| key.ends_with(&format!(".{name}.")));
            stats.iter().filter(|(key, _)| of_this(key)).map(|(_, value)| value).sum()
        };
        // Not `config_reload`: it counts a refused configuration too, and leaves out one with the same content.
        Ok(Seen { accepted: count("update_success"), rejected: count("update_rejected") + count("update_failure") })
    }
}
