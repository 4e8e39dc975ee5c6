//! What a proxy runs of a configuration: all of it, or what could be saved.
//!
//! The parts are the settings (everything but the flags and the bootstrap), the bootstrap, and each flag by its name. A part
//! that is wrong runs in its last good form, where one was kept. Without one, a flag is not exposed, a bootstrap is none,
//! and wrong settings leave only the trust boundary standing (`safe`).

use std::borrow::Cow;

use filter_config::serde_json::Value;
use filter_config::{ConfigState, Entries, Keep, Kept, PartList, Path, Read, Report, fingerprint, parse, shown};
use filter_request::{HeaderName, HostPattern, RequestMatch, Source, Trust};

use crate::boundary::{Owned, selectors};
use crate::config::{Config, Debug, HeaderSettings, Mode, Ofrep, Strip, Unleash};
use crate::context::Context;
use crate::flag::{Flag, Selector};
use crate::names::encoded;
use crate::subset::select;

/// The settings of an instance, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The Unleash that flags come from.
    pub unleash: Option<Unleash>,
    /// What is done with evaluated flags.
    pub mode: Mode,
    /// From whom flag headers are taken over.
    pub trust: Trust,
    /// The hosts whose requests get flags.
    pub hosts: Vec<HostPattern>,
    /// The requests that get flags.
    pub ways: Vec<RequestMatch>,
    /// Where a user's id may stand.
    pub identity: Vec<Source>,
    /// `environment` of every evaluation.
    pub environment: Option<String>,
    /// Where `sessionId` stands.
    pub session_id: Option<Source>,
    /// Whether `remoteAddress` is handed to evaluations.
    pub remote_address: bool,
    /// Where properties stand.
    pub properties: Vec<(String, Source)>,
    /// Which headers carry flags.
    pub headers: HeaderSettings,
    /// Whether flags go to filter state.
    pub filter_state: bool,
    /// Answers OFREP.
    pub ofrep: Option<Ofrep>,
    /// Shows current values.
    pub debug: Option<Debug>,
    /// The proxy's host name.
    pub hostname: Option<String>,
}

impl Settings {
    /// The context that every evaluation begins with.
    #[must_use]
    pub fn context(&self) -> Context<'_> {
        Context {
            environment: self.environment.as_deref().map(Cow::Borrowed),
            app_name: self.unleash.as_ref().map(|unleash| Cow::Borrowed(unleash.app_name.0.as_str())),
            hostname: self.hostname.as_deref().map(Cow::Borrowed),
            ..Context::default()
        }
    }
}

/// What an instance runs.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Its settings.
    pub settings: Settings,
    /// The flags it exposes.
    pub flags: Vec<Flag>,
    /// The flags for the time before the first answer of Unleash, as a document.
    pub bootstrap: Option<String>,
    /// The header names that it owns.
    pub owned: Owned,
}

/// What came of loading a configuration.
pub type Loaded = filter_config::Loaded<Policy>;

const SETTINGS: &str = "settings";
const BOOTSTRAP: &str = "bootstrap";

fn flags_of(kept: &dyn Kept) -> PartList<'_> {
    PartList { field: "flags", part: "flag", kept }
}

/// Loads a configuration, with what was kept of earlier ones for the parts that are wrong.
pub fn load(bytes: &[u8], kept: &dyn Kept) -> Loaded {
    let mut report = Report::default();
    let Some(value) = parse(bytes, &mut report) else {
        return load_kept(bytes, kept, report);
    };
    let mut keep = Vec::new();
    let list = flags_of(kept);
    let config = Config::read(&value, &Path::Root, &mut report);
    let (settings, entries) = match config {
        Some(mut config) => {
            keep.push(Keep { part: SETTINGS.to_owned(), value: Some(without_parts(&value)) });
            let entries = std::mem::take(&mut config.flags);
            (Some(Settings::of(config)), Some(entries))
        }
        None => (kept_settings(kept), read_flags(&value)),
    };
    let mut claimed: Vec<Selector> = Vec::new();
    let flags: Vec<Flag> = match entries {
        Some(entries) => {
            let loaded = list.load(entries, &mut keep, &mut report);
            // a flag that can't be exposed is still owned: nobody else may set its headers
            claimed.extend(loaded.iter().filter_map(|entry| written_selector(&entry.written)));
            loaded.into_iter().filter_map(|entry| entry.running).collect()
        }
        None => list.last_good_ones(),
    };
    let flags = distinct(flags, &mut report);
    let bootstrap = load_bootstrap(value.get(BOOTSTRAP), &flags, kept, &mut keep, &mut report);
    let state = match &settings {
        None => ConfigState::Safe,
        Some(_) if report.errors.is_empty() => ConfigState::Ok,
        Some(_) => ConfigState::Partial,
    };
    let settings = settings.unwrap_or_else(|| Settings::safe(&value));
    warn(&settings, &flags, bootstrap.is_some(), &mut report);
    let owned = Owned::of(selectors(&flags).chain(&claimed), &settings.headers);
    let policy = Policy { settings, flags, bootstrap, owned };
    Loaded { policy, state, report, keep, fingerprint: fingerprint(&value) }
}

/// The configuration is not even an object: what was kept goes on as a whole.
fn load_kept(bytes: &[u8], kept: &dyn Kept, report: Report) -> Loaded {
    let (settings, state) = match kept_settings(kept) {
        Some(settings) => (settings, ConfigState::LastGood),
        None => (Settings::safe(&Value::Null), ConfigState::Safe),
    };
    let flags: Vec<Flag> = flags_of(kept).last_good_ones();
    let bootstrap = kept.kept(BOOTSTRAP).as_ref().and_then(|value| selected(value, &flags).ok());
    let fingerprint = fingerprint(&Value::String(String::from_utf8_lossy(bytes).into_owned()));
    let owned = Owned::of(selectors(&flags), &settings.headers);
    let policy = Policy { settings, flags, bootstrap, owned };
    Loaded { policy, state, report, keep: Vec::new(), fingerprint }
}

fn read_flags(value: &Value) -> Option<Entries<Flag>> {
    match value.get("flags") {
        None | Some(Value::Null) => Some(Vec::new()),
        // its errors were told when the whole was read
        Some(flags) => Read::read(flags, &Path::Root.field("flags"), &mut Report::default()),
    }
}

fn without_parts(value: &Value) -> Value {
    let mut settings = value.clone();
    if let Some(fields) = settings.as_object_mut() {
        fields.remove("flags");
        fields.remove(BOOTSTRAP);
    }
    settings
}

fn kept_settings(kept: &dyn Kept) -> Option<Settings> {
    Config::read(&kept.kept(SETTINGS)?, &Path::Root, &mut Report::default()).map(Settings::of)
}

fn written_selector(written: &Value) -> Option<Selector> {
    Selector::read(written.get("name")?, &Path::Root, &mut Report::default())
}

fn selected(document: &Value, flags: &[Flag]) -> Result<String, String> {
    let selectors: Vec<Selector> = selectors(flags).cloned().collect();
    select(document.to_string().as_bytes(), &selectors).map_err(|wrong| wrong.to_string())
}

fn load_bootstrap(
    written: Option<&Value>,
    flags: &[Flag],
    kept: &dyn Kept,
    keep: &mut Vec<Keep>,
    report: &mut Report,
) -> Option<String> {
    let Some(document) = written.filter(|value| !value.is_null()) else {
        keep.push(Keep { part: BOOTSTRAP.to_owned(), value: None });
        return None;
    };
    match selected(document, flags) {
        Ok(subset) => {
            keep.push(Keep { part: BOOTSTRAP.to_owned(), value: Some(document.clone()) });
            Some(subset)
        }
        Err(_) => {
            let wrong =
                format!("{} is not what /api/client/features answers: it needs a list named features", shown(document));
            report.error(&Path::Root.field(BOOTSTRAP), wrong);
            kept.kept(BOOTSTRAP).as_ref().and_then(|document| selected(document, flags).ok())
        }
    }
}

/// Two flags that would share a header are nobody's meaning; the first stays.
fn distinct(flags: Vec<Flag>, report: &mut Report) -> Vec<Flag> {
    let mut names: Vec<(String, String)> = Vec::new();
    let mut distinct = Vec::new();
    for flag in flags {
        let Selector::Name(name) = &flag.selector else {
            distinct.push(flag);
            continue;
        };
        let header = encoded(name);
        if let Some((other, _)) = names.iter().find(|(_, taken)| *taken == header) {
            report.error(
                &Path::Root.field("flags"),
                format!("{other} and {name} share the header x-flag-{header}; keep one"),
            );
            continue;
        }
        names.push((name.clone(), header));
        distinct.push(flag);
    }
    distinct
}

impl Settings {
    fn of(config: Config) -> Self {
        Self {
            unleash: config.unleash,
            mode: config.mode,
            trust: config.trust,
            hosts: config.hosts,
            ways: config.ways,
            identity: config.identity,
            environment: config.context.environment,
            session_id: config.context.session_id,
            remote_address: config.context.remote_address,
            properties: config.context.properties.0,
            headers: config.headers,
            filter_state: config.filter_state,
            ofrep: config.ofrep,
            debug: config.debug,
            hostname: None,
        }
    }

    /// Only the trust boundary: removes the flag headers that the configuration names, as far as it can be read, and all
    /// where it can't.
    fn safe(value: &Value) -> Self {
        let written = value.get("headers");
        let read = match written {
            Some(headers) => HeaderSettings::read(headers, &Path::Root, &mut Report::default()),
            None => Some(HeaderSettings { each: true, all: None, source: true, strip: Strip::Owned }),
        };
        let mut headers = read.unwrap_or_else(|| {
            let all = written.and_then(|headers| headers.get("all"));
            let all = all.and_then(|all| HeaderName::read(all, &Path::Root, &mut Report::default()));
            HeaderSettings { each: true, all, source: true, strip: Strip::All }
        });
        if !value.is_object() || read_flags(value).is_none() {
            headers.strip = Strip::All;
        }
        Self {
            unleash: None,
            mode: Mode::Off,
            trust: Trust::Edge,
            hosts: Vec::new(),
            ways: Vec::new(),
            identity: Vec::new(),
            environment: None,
            session_id: None,
            remote_address: false,
            properties: Vec::new(),
            headers,
            filter_state: false,
            ofrep: None,
            debug: None,
            hostname: None,
        }
    }
}

/// What is allowed and most likely not meant.
fn warn(settings: &Settings, flags: &[Flag], bootstrap: bool, report: &mut Report) {
    if settings.unleash.is_none() && !bootstrap && !flags.is_empty() {
        report.warning(&Path::Root, "has neither unleash nor bootstrap: every flag has its default");
    }
    if settings.identity.is_empty() && settings.ofrep.is_none() && !flags.is_empty() {
        report.warning(&Path::Root.field("identity"), "is empty: no request has a user, so flags for users are off");
    }
    let refresh = settings.unleash.as_ref().map(|unleash| std::time::Duration::from(unleash.refresh));
    if refresh.is_some_and(|refresh| refresh < std::time::Duration::from_secs(1)) {
        report.warning(
            &Path::Root.field("unleash").field("refresh"),
            "is under 1s, which is how often it can be at most",
        );
    }
    let carried = settings.headers.each || settings.headers.all.is_some();
    if !carried && settings.ofrep.is_none() && settings.mode == Mode::Enforce {
        report.warning(&Path::Root.field("headers"), "carries nothing: each is false and all is not there");
    }
    let prefix = |flag: &Flag| matches!(&flag.selector, Selector::Prefix(prefix) if prefix.is_empty());
    if flags.iter().any(prefix) {
        report.warning(
            &Path::Root.field("flags"),
            "exposes every flag of unleash by *: each costs a header and time at updates",
        );
    }
}
