//! What is told about a configuration when it is loaded: one log line, and a gauge that names it.

use filter_config::{ConfigState, Report};
use serde_json::json;

use crate::logging::event;
use crate::meter::Gauge;

/// What there is to tell about a loaded configuration.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a> {
    /// The plugin's name, as the proxy knows it.
    pub plugin: &'a str,
    /// The filter's version.
    pub version: &'a str,
    /// The configuration's short name.
    pub fingerprint: &'a str,
    /// How much of it runs.
    pub state: ConfigState,
    /// What was found in it.
    pub report: &'a Report,
}

/// The metrics about a filter's configuration: which one it runs, and how many mistakes it holds.
#[derive(Debug)]
pub struct ConfigurationMetrics {
    filter: &'static str,
    info: Option<Gauge>,
}

impl ConfigurationMetrics {
    /// The metrics of a filter, by its name in metrics (`canary_router`).
    #[must_use]
    pub fn new(filter: &'static str) -> Self {
        Self { filter, info: None }
    }

    /// Tells that a configuration was loaded. The gauge of the one before goes to 0.
    pub fn loaded(&mut self, summary: &Summary) {
        let Summary { plugin, version, fingerprint, state, report } = *summary;
        let name = |what: &str| format!("runtime_control_{}_{what}", self.filter);
        if let Some(before) = self.info.take() {
            before.set(0);
        }
        let tags = [("hash", fingerprint), ("version", version), ("state", state.as_str())];
        let info = Gauge::new(&name("config_info"), &tags);
        info.set(1);
        Gauge::new(&name("config_errors"), &[]).set(count(report.errors.len()));
        Gauge::new(&name("config_unknown_fields"), &[]).set(count(report.unknown.len()));
        self.info = Some(info);
        let told = |list: &[filter_config::Mistake]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let level = match state {
            ConfigState::Ok if report.is_clean() => log::Level::Info,
            ConfigState::Ok => log::Level::Warn,
            _ => log::Level::Error,
        };
        let fields = json!({
            "filter": self.filter,
            "plugin": plugin,
            "version": version,
            "hash": fingerprint,
            "state": state.as_str(),
            "errors": told(&report.errors),
            "unknown": told(&report.unknown),
            "warnings": told(&report.warnings),
        });
        event(level, "config_loaded", fields);
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
