//! What a proxy runs of a configuration: all of it, or what could be saved.
//!
//! The parts are the settings (everything but the rules and the custom patterns), each rule, and each custom pattern. A part
//! that is wrong runs in its last good form, where one was kept. Without one, it denies what it would guard: a rule refuses the
//! requests that can be read of it, a pattern and wrong settings all that is guarded. What the configuration does not know is a
//! mistake: it could be a condition. Where no list of rules can be read, the known paths of the APIs are what is guarded.
//!
//! `mode` is read as far as it can be, so that what only reports goes on to only report; where it can't, it is `enforce`.

use std::collections::BTreeSet;

use filter_config::serde_json::{Map, Value, json};
use filter_config::{
    ConfigState, Entries, Entry, Keep, Kept, Name, PartEntry, PartList, Path, Read, Report, fingerprint, parse,
};
use filter_request::{HostPattern, RequestMatch};

use crate::config::{
    Action, Api, AuditSettings, Config, Custom, Direction, EntityAction, Limits, Mode, OnError, entity_of,
};
use crate::detect::{EntitySet, Patterns};
use crate::gate::Gate;
use crate::rules::{Actions, Broken, Fault, Rule, Secret, Settings};
use crate::style::Style;

/// What came of loading a configuration.
pub type Loaded = filter_config::Loaded<Settings>;

/// Looks up an environment variable of the proxy.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<Vec<u8>>;

/// The shortest key, in bytes: 128 bits, what NIST SP 800-107 asks of a key for HMAC at the least.
const SHORTEST_KEY: usize = 16;

const SETTINGS: &str = "settings";
const RULES: &str = "rules";
const CUSTOM: &str = "custom";
const ORDER: &str = "order";
/// Rules that are wrong and never were good, by their place.
const STAND_INS: &str = "stand_ins";

/// Variables for tools that check a configuration away from its proxy: each is there.
#[must_use]
pub fn any_variable(_: &str) -> Option<Vec<u8>> {
    Some(vec![0; SHORTEST_KEY])
}

/// Loads a configuration, with what was kept of earlier ones for the parts that are wrong.
pub fn load(bytes: &[u8], kept: &dyn Kept, variables: Variables) -> Loaded {
    let mut report = Report::default();
    let Some(value) = parse(bytes, &mut report) else {
        return load_kept(bytes, kept, report, variables);
    };
    let mut keep = Vec::new();
    let written = without_lists(&value);
    let custom_names = custom_names(&value);
    let settings = read_settings(&written, &custom_names, variables, &mut report);
    if settings.is_some() {
        keep.push(Keep { part: SETTINGS.to_owned(), value: Some(written) });
    }
    let settings = settings.or_else(|| kept_settings(kept, variables));
    let mut state = if settings.is_none() { ConfigState::Safe } else { ConfigState::Ok };
    let mut running = settings.unwrap_or_else(|| Settings::safe(&value));
    if !running.load_rules(&value, kept, &mut keep, &mut report) {
        state = ConfigState::Safe;
    }
    running.load_custom(&value, kept, &mut keep, &mut report);
    if state == ConfigState::Ok && !report.errors.is_empty() {
        state = ConfigState::Partial;
    }
    Loaded { policy: running, state, report, keep, fingerprint: fingerprint(&value) }
}

/// The configuration is not even an object: what was kept goes on as a whole.
fn load_kept(bytes: &[u8], kept: &dyn Kept, report: Report, variables: Variables) -> Loaded {
    let text = String::from_utf8_lossy(bytes);
    let fingerprint = fingerprint(&Value::String(text.clone().into_owned()));
    let (policy, state) = match kept_settings(kept, variables) {
        Some(mut settings) => {
            settings.run_kept_rules(kept);
            settings.run_kept_custom(kept);
            (settings, ConfigState::LastGood)
        }
        None => {
            let mut settings = Settings::safe(&json!({"mode": mode_in(&text)}));
            settings.run_kept_rules(kept);
            settings.recognises = true;
            (settings, ConfigState::Safe)
        }
    };
    Loaded { policy, state, report, keep: Vec::new(), fingerprint }
}

fn rule_list(kept: &dyn Kept) -> PartList<'_> {
    PartList { field: RULES, part: "rule", kept }
}

fn custom_list(kept: &dyn Kept) -> PartList<'_> {
    PartList { field: CUSTOM, part: "pattern", kept }
}

/// What was kept of custom patterns: their order is not that of the rules.
struct Prefixed<'a>(&'a dyn Kept);

impl Prefixed<'_> {
    fn name(part: &str) -> String {
        format!("{CUSTOM}.{part}")
    }
}

impl Kept for Prefixed<'_> {
    fn kept(&self, part: &str) -> Option<Value> {
        self.0.kept(&Self::name(part))
    }
}

fn order(kept: &dyn Kept) -> Vec<String> {
    let order = kept.kept(ORDER);
    let names = order.as_ref().and_then(Value::as_array).into_iter().flatten();
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn without_lists(value: &Value) -> Value {
    let fields = value.as_object().into_iter().flatten().filter(|(name, _)| *name != RULES && *name != CUSTOM);
    Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>())
}

/// The names of custom patterns, also of those that are wrong otherwise.
fn custom_names(value: &Value) -> BTreeSet<&str> {
    let list = value.get(CUSTOM).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|entry| entry.get("name").and_then(Value::as_str)).collect()
}

/// Takes unknown fields for mistakes: they could be a condition, or what was meant to protect.
fn settle(report: &mut Report) {
    report.errors.append(&mut report.unknown);
}

/// The settings; none where they have mistakes.
fn read_settings(
    written: &Value,
    custom: &BTreeSet<&str>,
    variables: Variables,
    report: &mut Report,
) -> Option<Settings> {
    let mut found = Report::default();
    let config = Config::read(written, &Path::Root, &mut found);
    settle(&mut found);
    if let Some(config) = &config {
        config.entities.tell_unknown(custom, &Path::Root.field("entities"), &mut found);
    }
    let settings = config.and_then(|config| Settings::of(config, variables, &mut found));
    let sound = found.errors.is_empty();
    report.absorb(found);
    settings.filter(|_| sound)
}

fn kept_settings(kept: &dyn Kept, variables: Variables) -> Option<Settings> {
    let mut found = Report::default();
    let config = Config::read(&kept.kept(SETTINGS)?, &Path::Root, &mut found)?;
    Settings::of(config, variables, &mut found)
}

/// A list whose elements are parts; none where it can't be read.
fn read_list<T: Read>(value: &Value, field: &str, report: &mut Report) -> Option<Entries<T>> {
    let at = Path::Root.field(field);
    let mut entries: Entries<T> = match value.get(field) {
        None | Some(Value::Null) => Vec::new(),
        Some(list) => Read::read(list, &at, report)?,
    };
    for Entry { read, report, .. } in &mut entries {
        settle(report);
        if !report.errors.is_empty() {
            *read = None;
        }
    }
    Some(entries)
}

/// The key that the settings name; none of the outer where it can't be had.
fn key_of(config: &Config, variables: Variables, report: &mut Report) -> Option<Option<Secret>> {
    let Some(name) = &config.placeholder.key_env else { return Some(None) };
    let field = Path::Root.field("placeholder");
    let at = field.field("keyEnv");
    match variables(&name.0) {
        Some(key) if key.len() >= SHORTEST_KEY => Some(Some(Secret(key))),
        Some(key) => {
            let message = format!("{} holds {} bytes; a key has {SHORTEST_KEY} or more", name.0, key.len());
            report.error(&at, message);
            None
        }
        None => {
            report.error(&at, format!("{} is not set in the proxy's environment", name.0));
            None
        }
    }
}

/// Tells what needs a key where none is named. Whether nothing does.
fn has_key_where_needed(config: &Config, report: &mut Report) -> bool {
    if config.placeholder.key_env.is_some() {
        return true;
    }
    let before = report.errors.len();
    if config.direction == Direction::Inbound {
        let message = "inbound needs placeholder.keyEnv: a conversation that is sent again needs the same placeholders";
        report.error(&Path::Root.field("direction"), message);
    }
    let entities = Path::Root.field("entities");
    let actions = entities.field("actions");
    for (name, _) in config.entities.actions.0.iter().filter(|(_, action)| *action == EntityAction::Hash) {
        let message = "hash needs placeholder.keyEnv: without a key, anybody finds the value by trying";
        report.error(&actions.field(name.as_str()), message);
    }
    report.errors.len() == before
}

impl Settings {
    /// Those of a configuration, without its rules and custom patterns.
    fn of(config: Config, variables: Variables, report: &mut Report) -> Option<Self> {
        let keyed = has_key_where_needed(&config, report);
        let key = key_of(&config, variables, report);
        let Config { entities, .. } = &config;
        Some(Self {
            mode: config.mode,
            direction: config.direction,
            rules: Vec::new(),
            recognises: false,
            entities: entities.wanted(),
            actions: Actions(
                entities.actions.0.iter().map(|(name, action)| (name.as_str().to_owned(), *action)).collect(),
            ),
            min_confidence: u8::try_from(entities.min_confidence.0).unwrap_or(100),
            gate: config.gate,
            style: config.placeholder.style,
            key: key.filter(|_| keyed)?,
            custom: Vec::new(),
            never: config.never_redact.into_iter().map(|value| value.0).collect(),
            always: config.always_redact.into_iter().map(|term| term.0).collect(),
            on_error: config.on_error,
            limits: config.limits,
            audit: config.audit,
            fault: None,
        })
    }

    /// Refuses what it guards: with as much of `mode` as can be read, and the gate if it can be.
    fn safe(value: &Value) -> Self {
        let gate = value.get("gate").filter(|gate| !gate.is_null()).and_then(|gate| {
            let mut found = Report::default();
            Gate::read(gate, &Path::Root, &mut found).filter(|_| found.is_clean())
        });
        Self {
            mode: strict_mode(value).unwrap_or(Mode::Enforce),
            direction: Direction::Outbound,
            gate,
            rules: Vec::new(),
            recognises: false,
            entities: EntitySet::all(),
            actions: Actions(Vec::new()),
            min_confidence: 50,
            style: Style::default(),
            key: None,
            custom: Vec::new(),
            never: Vec::new(),
            always: Vec::new(),
            on_error: OnError::Block,
            limits: Limits {
                max_values: filter_config::Whole(100_000),
                max_event_bytes: filter_config::Whole(1_048_576),
                max_ratio: filter_config::Whole(200),
            },
            audit: AuditSettings { log: true, paths: true },
            fault: Some(Fault::Settings),
        }
    }

    /// Says which rules run. Whether any could be had.
    fn load_rules(&mut self, value: &Value, kept: &dyn Kept, keep: &mut Vec<Keep>, report: &mut Report) -> bool {
        let Some(entries) = read_list::<Rule>(value, RULES, report) else {
            if kept.kept(ORDER).is_some() {
                self.run_kept_rules(kept);
                return true;
            }
            self.recognises = true;
            self.fault = Some(Fault::Settings);
            return false;
        };
        self.recognises = entries.is_empty();
        let loaded = rule_list(kept).load(entries, keep, report);
        // kept as they were written, so that they refuse the same once nothing can be read
        let stood = loaded.iter().filter(|entry| entry.running.is_none());
        let stood: Map<_, _> = stood.map(|entry| (entry.index.to_string(), entry.written.clone())).collect();
        keep.push(Keep { part: STAND_INS.to_owned(), value: (!stood.is_empty()).then_some(Value::Object(stood)) });
        self.rules = loaded.into_iter().filter_map(|entry| running(entry, self.mode)).collect();
        true
    }

    /// The rules as they ran last, each in its last good form or as what stood for it; without any, the known paths.
    fn run_kept_rules(&mut self, kept: &dyn Kept) {
        let names = order(kept);
        let stood = kept.kept(STAND_INS);
        let stood_at = |index: usize| stood.as_ref()?.get(index.to_string());
        let rule = |(index, name): (usize, &String)| match stood_at(index) {
            Some(written) => stand_in(written, index, self.mode),
            None => Rule::read(&kept.kept(&format!("rule.{name}"))?, &Path::Root, &mut Report::default()),
        };
        self.rules = names.iter().enumerate().filter_map(rule).collect();
        self.recognises = names.is_empty();
    }

    fn load_custom(&mut self, value: &Value, kept: &dyn Kept, keep: &mut Vec<Keep>, report: &mut Report) {
        let before = Prefixed(kept);
        let Some(entries) = read_list::<Custom>(value, CUSTOM, report) else {
            if before.kept(ORDER).is_none() {
                self.fault = self.fault.or(Some(Fault::Pattern));
            }
            self.run_kept_custom(kept);
            return;
        };
        let mut parts = Vec::new();
        let loaded = custom_list(&before).load(entries, &mut parts, report);
        keep.extend(parts.into_iter().map(|Keep { part, value }| Keep { part: Prefixed::name(&part), value }));
        if loaded.iter().any(|entry| entry.running.is_none()) {
            self.fault = self.fault.or(Some(Fault::Pattern));
        }
        if let Some(wrong) = self.run_custom(loaded.into_iter().filter_map(|entry| entry.running).collect()) {
            report.error(&Path::Root.field(CUSTOM), wrong);
        }
    }

    /// The custom patterns in their last good form.
    fn run_kept_custom(&mut self, kept: &dyn Kept) {
        let before = Prefixed(kept);
        let custom: Vec<Custom> = custom_list(&before).last_good_ones();
        let distinct: BTreeSet<&str> = custom.iter().map(|custom| custom.name.as_str()).collect();
        if distinct.len() < order(&before).len() {
            self.fault = self.fault.or(Some(Fault::Pattern));
        }
        self.run_custom(custom);
    }

    /// Compiles the patterns together.
    /// Gives what is wrong with them, where they can't be had: each by itself was taken, so it is all of them together.
    fn run_custom(&mut self, custom: Vec<Custom>) -> Option<String> {
        let texts: Vec<&str> = custom.iter().map(|custom| custom.pattern.as_str()).collect();
        let wrong = Patterns::new(&texts).err().map(|(_, why)| format!("can't be looked for together: {why}"));
        if wrong.is_some() {
            self.fault = self.fault.or(Some(Fault::Pattern));
        }
        self.custom = custom;
        wrong
    }
}

/// The rule that runs for an element: itself, its last good form, or one that refuses what it would guard.
fn running(entry: PartEntry<Rule>, mode: Mode) -> Option<Rule> {
    entry.running.or_else(|| stand_in(&entry.written, entry.index, mode))
}

/// A mode as far as it can be read: none where it is not written, `enforce` where it is none.
fn strict_mode(value: &Value) -> Option<Mode> {
    let written = value.get("mode").filter(|mode| !mode.is_null())?;
    Some(Mode::read(written, &Path::Root, &mut Report::default()).unwrap_or(Mode::Enforce))
}

/// A rule that refuses whatever can be read of one that is wrong. None where it would only have let pass, or told.
fn stand_in(written: &Value, index: usize, mode: Mode) -> Option<Rule> {
    let action = |field: &str| {
        let written = written.get(field).filter(|side| !side.is_null());
        match written.map(|side| side.get("action").filter(|action| !action.is_null() || !side.is_object())) {
            // what is not written is the default
            None => Action::Redact,
            Some(None) => Action::Redact,
            Some(Some(action)) => Action::read(action, &Path::Root, &mut Report::default()).unwrap_or(Action::Redact),
        }
    };
    let (hosts, hosts_read) = readable_hosts(written.get("hosts"));
    let (ways, ways_read) = readable_ways(written.get("match"));
    let exact = written.is_object() && hosts_read && ways_read;
    let name = written.get("name").and_then(|name| Name::read(name, &Path::Root, &mut Report::default()));
    let api = written.get("api").and_then(|api| Api::read(api, &Path::Root, &mut Report::default()));
    let rule = Rule {
        name: name.unwrap_or_else(|| Name::numbered(RULES, index)),
        hosts,
        ways,
        known: !(written.is_object() && ways_read),
        api: api.unwrap_or(Api::Json),
        paths: Vec::new(),
        request: action("request"),
        response: action("response"),
        restore: false,
        mode: Some(strict_mode(written).unwrap_or(mode)),
        allow_upgrade: false,
        on_error: None,
        broken: Some(if exact { Broken::Exact } else { Broken::Guess }),
    };
    rule.protects().then_some(rule)
}

/// The hosts of a rule; every one where they can't be read whole. Whether they could.
fn readable_hosts(written: Option<&Value>) -> (Vec<HostPattern>, bool) {
    match written.filter(|hosts| !hosts.is_null()) {
        None => (vec![HostPattern::Any], true),
        Some(hosts) => {
            let read = Vec::<HostPattern>::read(hosts, &Path::Root, &mut Report::default());
            match read.filter(|hosts| !hosts.is_empty()) {
                Some(hosts) => (hosts, true),
                None => (vec![HostPattern::Any], false),
            }
        }
    }
}

/// The requests of a rule as far as they can be read, each with all its conditions or by its path alone. Whether all could.
fn readable_ways(written: Option<&Value>) -> (Vec<RequestMatch>, bool) {
    let Some(written) = written.filter(|ways| !ways.is_null()) else { return (Vec::new(), true) };
    let Some(list) = written.as_array() else { return (Vec::new(), false) };
    let mut all = true;
    let mut ways = Vec::new();
    for way in list {
        let mut found = Report::default();
        let read = RequestMatch::read(way, &Path::Root, &mut found).filter(|_| found.is_clean());
        all &= read.is_some();
        ways.extend(read.or_else(|| by_path_alone(way)));
    }
    (ways, all)
}

fn by_path_alone(way: &Value) -> Option<RequestMatch> {
    let uri = way.get("uri").filter(|uri| !uri.is_null())?;
    let ignore_case = way.get("ignoreUriCase").is_some();
    let path = json!({"uri": uri, "ignoreUriCase": ignore_case});
    let mut found = Report::default();
    RequestMatch::read(&path, &Path::Root, &mut found).filter(|_| found.is_clean())
}

/// The mode that text which is no JSON gives at its top: what follows the key `"mode"` that lies in one bracket. What can't be
/// told is `enforce`.
fn mode_in(text: &str) -> &'static str {
    let mut depth = 0_usize;
    let mut rest = text;
    while let Some(at) = rest.find(['"', '{', '[', '}', ']']) {
        let (_, from) = rest.split_at_checked(at).unwrap_or_default();
        let mut characters = from.chars();
        match characters.next() {
            Some('{' | '[') => depth = depth.saturating_add(1),
            Some('"') => {
                let Some((word, after)) = quoted(from) else { return Mode::Enforce.as_str() };
                if depth == 1 && word == "mode" && after.trim_start().starts_with(':') {
                    return word_behind(after).unwrap_or(Mode::Enforce).as_str();
                }
                rest = after;
                continue;
            }
            _ => depth = depth.saturating_sub(1),
        }
        rest = characters.as_str();
    }
    Mode::Enforce.as_str()
}

/// The content of a string that begins here, as it is written, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('"')?;
    let mut escaped = false;
    let end = inner.find(|character| {
        let ends = character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        ends
    })?;
    let (content, rest) = inner.split_at_checked(end)?;
    Some((content, rest.strip_prefix('"')?))
}

fn word_behind(text: &str) -> Option<Mode> {
    let value = text.trim_start().strip_prefix(':')?.trim_start();
    let (word, _) = quoted(value)?;
    Mode::ALL.iter().copied().find(|mode| mode.as_str() == word)
}

impl Settings {
    /// What becomes of a custom pattern's or a built-in kind's values; for tools that explain.
    #[must_use]
    pub fn action_of(&self, name: &str) -> Option<EntityAction> {
        let custom = self.custom.iter().any(|custom| custom.name.as_str() == name);
        let known =
            custom || name == crate::config::TERM || entity_of(name).is_some_and(|entity| self.entities.has(entity));
        known.then(|| self.actions.of(name))
    }
}
