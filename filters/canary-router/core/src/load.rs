//! What a proxy runs of a configuration: all of it, or what could be saved.
//!
//! The parts are the settings (everything but the rules) and each rule by its name. A part that is wrong runs in its last
//! good form, where one was kept. Without one, a rule is off and still keeps its requests from later rules; wrong settings
//! leave only the trust boundary standing (`safe`), because ids and trust can't be guessed.

use filter_config::serde_json::Value;
use filter_config::{ConfigState, Entries, Keep, Kept, Name, PartList, Path, Read, Report, fingerprint, parse};
use filter_request::{HeaderName, Source, Trust};

use crate::config::{Config, DEFAULT_ARM_HEADER};
use crate::rule::Rule;
use crate::written::{Anonymous, ArmCaching, Mode, SameSite};

/// The settings of an instance, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The header that carries the arm.
    pub arm_header: HeaderName,
    /// The response header that tells the reason.
    pub reason_header: HeaderName,
    /// All request headers that this instance owns.
    pub owned: Vec<HeaderName>,
    /// From whom a value of an owned header is taken over.
    pub trust: Trust,
    /// The strongest mode of any rule.
    pub mode: Mode,
    /// Where a user's id may stand.
    pub identity: Vec<Source>,
    /// The id for visitors without one.
    pub anonymous: Option<Anonymous>,
    /// Whether responses tell arm and reason.
    pub echo: bool,
    /// What responses say to caches.
    pub arm_caching: ArmCaching,
}

/// What an instance runs.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Its settings.
    pub settings: Settings,
    /// Its rules, in order.
    pub rules: Vec<Rule>,
}

/// What came of loading a configuration.
pub type Loaded = filter_config::Loaded<Policy>;

const SETTINGS: &str = "settings";

fn rules_of(kept: &dyn Kept) -> PartList<'_> {
    PartList { field: "rules", part: "rule", kept }
}

/// Loads a configuration, with what was kept of earlier ones for the parts that are wrong.
pub fn load(bytes: &[u8], kept: &dyn Kept) -> Loaded {
    let mut report = Report::default();
    let Some(value) = parse(bytes, &mut report) else {
        return load_kept(bytes, kept, report);
    };
    let mut keep = Vec::new();
    let (settings, entries) = match read_config(&value, &mut report) {
        Some(mut config) => {
            keep.push(Keep { part: SETTINGS.to_owned(), value: Some(without_rules(&value)) });
            let entries = std::mem::take(&mut config.rules);
            (Some(Settings::of(config)), Some(entries))
        }
        // the rules are worth reading even where the settings are wrong
        None => (kept_settings(kept), read_rules(&value)),
    };
    let list = rules_of(kept);
    let mut rules = match entries {
        Some(entries) => load_rules(entries, &list, &mut keep, &mut report),
        // no list of rules at all: those that were kept go on
        None => list.last_good_ones(),
    };
    let state = match &settings {
        None => ConfigState::Safe,
        Some(_) if report.errors.is_empty() => ConfigState::Ok,
        Some(_) => ConfigState::Partial,
    };
    let settings = settings.unwrap_or_else(|| {
        rules.clear();
        Settings::safe(&value)
    });
    warn(&settings, &rules, &mut report);
    Loaded { policy: Policy { settings, rules }, state, report, keep, fingerprint: fingerprint(&value) }
}

/// The configuration is not even an object: what was kept goes on as a whole.
fn load_kept(bytes: &[u8], kept: &dyn Kept, report: Report) -> Loaded {
    let (settings, rules, state) = match kept_settings(kept) {
        Some(settings) => (settings, rules_of(kept).last_good_ones(), ConfigState::LastGood),
        None => (Settings::safe(&Value::Null), Vec::new(), ConfigState::Safe),
    };
    let fingerprint = fingerprint(&Value::String(String::from_utf8_lossy(bytes).into_owned()));
    Loaded { policy: Policy { settings, rules }, state, report, keep: Vec::new(), fingerprint }
}

fn read_rules(value: &Value) -> Option<Entries<Rule>> {
    match value.get("rules") {
        None | Some(Value::Null) => Some(Vec::new()),
        // its errors were told when the whole was read
        Some(rules) => Read::read(rules, &Path::Root.field("rules"), &mut Report::default()),
    }
}

fn without_rules(value: &Value) -> Value {
    let mut settings = value.clone();
    if let Some(fields) = settings.as_object_mut() {
        fields.remove("rules");
    }
    settings
}

fn read_config(value: &Value, report: &mut Report) -> Option<Config> {
    Config::read(value, &Path::Root, report).filter(|config| check(config, report))
}

fn kept_settings(kept: &dyn Kept) -> Option<Settings> {
    read_config(&kept.kept(SETTINGS)?, &mut Report::default()).map(Settings::of)
}

/// Checks what goes beyond single settings.
fn check(config: &Config, report: &mut Report) -> bool {
    let insecure = config.anonymous.as_ref().is_some_and(|a| a.same_site == SameSite::None && !a.secure);
    if insecure {
        let message = "None needs secure: true; browsers refuse the cookie without";
        report.error(&Path::Root.field("anonymous").field("sameSite"), message);
    }
    !insecure
}

fn load_rules(entries: Entries<Rule>, list: &PartList, keep: &mut Vec<Keep>, report: &mut Report) -> Vec<Rule> {
    let stand_in = |written: &Value, name: &str, index: usize| {
        let name = Value::String(name.to_owned());
        let name = Name::read(&name, &Path::Root, &mut Report::default());
        Rule::stand_in(written, name.unwrap_or_else(|| Name::numbered("rules", index)))
    };
    let loaded = list.load(entries, keep, report).into_iter();
    loaded.filter_map(|entry| entry.running.or_else(|| stand_in(&entry.written, &entry.name, entry.index))).collect()
}

impl Settings {
    fn of(config: Config) -> Self {
        Self {
            reason_header: reason_header(&config.arm_header),
            owned: vec![config.arm_header.clone()],
            arm_header: config.arm_header,
            trust: config.trust,
            mode: config.mode,
            identity: config.identity,
            anonymous: config.anonymous,
            echo: config.echo,
            arm_caching: config.arm_caching,
        }
    }

    /// Only the trust boundary: removes the header that the configuration names, as far as it can be read, and the one
    /// that it would be by default.
    fn safe(value: &Value) -> Self {
        let default = HeaderName::of(DEFAULT_ARM_HEADER);
        let named = value.get("armHeader").and_then(Value::as_str).and_then(HeaderName::parse);
        let mut owned: Vec<HeaderName> = named.into_iter().collect();
        if !owned.contains(&default) {
            owned.push(default.clone());
        }
        Self {
            reason_header: reason_header(&default),
            arm_header: default,
            owned,
            trust: Trust::Edge,
            mode: Mode::Off,
            identity: Vec::new(),
            anonymous: None,
            echo: false,
            arm_caching: ArmCaching::Unmarked,
        }
    }
}

/// `x-canary-arm` has `x-canary-reason` beside it; a name that does not end in `-arm` gets `-reason` behind it.
fn reason_header(arm_header: &HeaderName) -> HeaderName {
    let stem = arm_header.as_str().strip_suffix("-arm").unwrap_or(arm_header.as_str());
    HeaderName::parse(&format!("{stem}-reason")).unwrap_or_else(|| arm_header.clone())
}

/// What is allowed and most likely not meant.
fn warn(settings: &Settings, rules: &[Rule], report: &mut Report) {
    let list = Path::Root.field("rules");
    if settings.identity.is_empty() && settings.anonymous.is_none() && !rules.is_empty() {
        report.warning(&Path::Root.field("identity"), "is empty: every request is without an id, nothing is sticky");
    }
    let trusted = settings.identity.iter().any(|source| source.trusted);
    for (index, rule) in rules.iter().enumerate() {
        if rule.names_users() && !trusted {
            let message = "name users, which count for trusted ids only, and no source in identity is trusted";
            report.warning(&list.index(index).field("overrides"), message);
        }
        if let Some(first) = rules.iter().take(index).position(Rule::is_for_all) {
            report.warning(&list.index(index), format!("is never reached: rules[{first}] is for every request"));
        }
    }
}
