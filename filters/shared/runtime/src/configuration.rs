//! What is told about a configuration when it is loaded: one log line, and a gauge that names it.

use filter_config::{ConfigState, Loaded, Report};
use serde_json::json;

use crate::Store;
use crate::logging::event;
use crate::meter::{metric_name, set_gauge};

/// The filter that has loaded a configuration.
#[derive(Clone, Copy, Debug)]
pub struct Loader<'a> {
    /// The filter's name in metrics and logs, such as `canary_router`.
    pub filter: &'a str,
    /// The filter's version.
    pub version: &'a str,
    /// The plugin's name, as the proxy knows it.
    pub plugin: &'a str,
}

/// Keeps what is good of a loaded configuration for the next time, and tells what came of it.
pub fn adopt<P>(loader: Loader, store: &Store, loaded: &Loaded<P>) {
    if let Err(failure) = store.keep(&loaded.keep) {
        log::warn!("the last good configuration could not be kept: {failure}");
    }
    announce(loader, store, &loaded.fingerprint, loaded.state, &loaded.report);
}

/// Where the name of the configuration's gauge is kept, so that whoever loads the next one can put it out.
const ANNOUNCED: &str = "announced";

/// Tells by log and metrics which configuration a filter runs.
///
/// The gauge of the configuration before goes to 0. An update makes a new root context, perhaps in a new VM, so the name of
/// that gauge is found in shared data.
fn announce(loader: Loader, store: &Store, fingerprint: &str, state: ConfigState, report: &Report) {
    let Loader { filter, version, plugin } = loader;
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
