//! What is told about a configuration when it is loaded: one log line, and a gauge that names it.

use filter_config::{ConfigState, Report};
use serde_json::json;

use crate::Store;
use crate::logging::event;
use crate::meter::{metric_name, set_gauge};

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

/// Where the name of the configuration's gauge is kept, so that whoever loads the next one can put it out.
const ANNOUNCED: &str = "announced";

/// Tells by log and metrics which configuration a filter runs, by the filter's name in metrics (`canary_router`).
///
/// The gauge of the configuration before goes to 0. An update makes a new root context, perhaps in a new VM, so the name of
/// that gauge is found in shared data.
pub fn announce(filter: &str, store: &Store, summary: &Summary) {
    let Summary { plugin, version, fingerprint, state, report } = *summary;
    let name = |what: &str| format!("runtime_control_{filter}_{what}");
    let tags = [("hash", fingerprint), ("version", version), ("state", state.as_str())];
    let info = metric_name(&name("config_info"), &tags);
    let mut before = None;
    let announced = store.update(ANNOUNCED, |value| {
        before = value.map(|value| String::from_utf8_lossy(value).into_owned());
        Some(info.clone().into_bytes())
    });
    if let Err(failure) = announced {
        log::warn!("the next configuration's gauge will stand beside this one's: {failure}");
    }
    if let Some(before) = before.filter(|before| *before != info) {
        set_gauge(&before, 0);
    }
    set_gauge(&info, 1);
    set_gauge(&name("config_errors"), count(report.errors.len()));
    set_gauge(&name("config_unknown_fields"), count(report.unknown.len()));
    let told = |list: &[filter_config::Mistake]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    let level = match state {
        ConfigState::Ok if report.is_clean() => log::Level::Info,
        ConfigState::Ok => log::Level::Warn,
        _ => log::Level::Error,
    };
    let fields = json!({
        "filter": filter,
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

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
