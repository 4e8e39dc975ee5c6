//! The log: one JSON line for each event worth one.

use filter_host::log::{Level, level, write};
use log::{LevelFilter, Log, Metadata, Record};
use serde_json::{Map, Value};

struct HostLog;

impl Log for HostLog {
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record) {
        if self.enabled(record.metadata()) {
            let level = match record.level() {
                log::Level::Trace => Level::Trace,
                log::Level::Debug => Level::Debug,
                log::Level::Info => Level::Info,
                log::Level::Warn => Level::Warn,
                log::Level::Error => Level::Error,
            };
            write(level, &record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// Sends the `log` crate's lines to the proxy's log, and a panic's message, should there ever be one. Once for each VM.
///
/// While a module initializes, a host allows no call but `proxy_log`; so its level is asked for later, by
/// [`follow_host_level`].
pub fn install() {
    if log::set_logger(&HostLog).is_ok() {
        std::panic::set_hook(Box::new(|panic| write(Level::Critical, &panic.to_string())));
    }
    log::set_max_level(LevelFilter::Info);
}

/// Takes over the level at which the host keeps lines, so that others are never made. It can change at any time.
pub fn follow_host_level() {
    log::set_max_level(match level() {
        Level::Trace => LevelFilter::Trace,
        Level::Debug => LevelFilter::Debug,
        Level::Info => LevelFilter::Info,
        Level::Warn => LevelFilter::Warn,
        Level::Error => LevelFilter::Error,
        Level::Critical => LevelFilter::Off,
    });
}

/// Logs an event as one JSON line, its name in the field `event`.
pub fn event(level: log::Level, name: &str, fields: Value) {
    if level > log::max_level() {
        return;
    }
    let mut line = Map::new();
    line.insert("event".to_owned(), Value::String(name.to_owned()));
    if let Value::Object(fields) = fields {
        line.extend(fields);
    }
    log::log!(level, "{}", Value::Object(line));
}
