//! What a proxy runs of a configuration: all of it, or what could be saved.
//!
//! The parts are the settings (everything but the policies), each policy, and each rule of a policy. A part that is wrong runs
//! in its last good form, where one was kept. Without one, a rule under `allow` is left out, one under `deny` denies all of the
//! hosts that can be read of it, and a policy denies whatever it would be for; wrong settings leave the defaults with as much
//! of `mode` as can be read. What a policy in `enforce` does not know is a mistake of it: it could be a condition.

use filter_config::serde_json::{Value, json};
use filter_config::{
    ConfigState, Duration, Entries, Entry, Keep, Kept, Name, Path, Read, Report, Whole, fingerprint, parse,
};

use crate::config::{
    AuditSettings, Config, DefaultAction, DenialSettings, ExportSettings, IpLiterals, Mode, OnFull, PathShown, Percent,
    Scope, Selector, SniMismatch, Undecidable, WrittenPolicy, WrittenRule,
};
use crate::index::Index;
use crate::pattern::Pattern;
use crate::policy::{Guard, HostCloseness, Peers, Policy, Rule, Settings, Target};
use crate::scope::Inside;
use crate::workload::{ProxyKind, Workload};

/// What came of loading a configuration.
pub type Loaded = filter_config::Loaded<Policy>;

const SETTINGS: &str = "settings";
const POLICIES: &str = "policies";
const ORDER: &str = "order";
/// The lists of rules of a policy, and whether theirs deny.
const LISTS: [(&str, bool); 2] = [("allow", false), ("deny", true)];

fn key(policy: &str) -> String {
    format!("policy.{policy}")
}

/// Loads a configuration for a workload, with what was kept of earlier ones for the parts that are wrong.
pub fn load(bytes: &[u8], kept: &dyn Kept, workload: &Workload) -> Loaded {
    let mut report = Report::default();
    let Some(value) = parse(bytes, &mut report) else {
        return load_kept(bytes, kept, report, workload);
    };
    let mut keep = Vec::new();
    let (settings, entries) = match read_settings(&value, &mut report) {
        Some(mut config) => {
            keep.push(Keep { part: SETTINGS.to_owned(), value: Some(without_policies(&value)) });
            let entries = std::mem::take(&mut config.policies);
            (Some(config), Some(entries))
        }
        // the policies are worth reading even where the settings are wrong
        None => (kept_settings(kept), read_policies(&value)),
    };
    let state = match &settings {
        None => ConfigState::Safe,
        Some(_) => ConfigState::Ok,
    };
    let settings = settings.or_else(|| safe(value.get("mode")));
    let mut building = Building::new(settings.as_ref(), kept, workload);
    match entries {
        Some(entries) => building.add_all(entries, &mut keep, &mut report),
        None => building.add_kept(),
    }
    let state = if state == ConfigState::Ok && !report.errors.is_empty() { ConfigState::Partial } else { state };
    Loaded { policy: building.finish(), state, report, keep, fingerprint: fingerprint(&value) }
}

/// The configuration is not even an object: what was kept goes on as a whole.
fn load_kept(bytes: &[u8], kept: &dyn Kept, report: Report, workload: &Workload) -> Loaded {
    let text = String::from_utf8_lossy(bytes);
    let (settings, state) = match kept_settings(kept) {
        Some(settings) => (Some(settings), ConfigState::LastGood),
        None => {
            // where nothing can be read, the word is what there is to go by
            let mode = text.contains(Mode::Enforce.as_str()).then(|| json!(Mode::Enforce.as_str()));
            (safe(mode.as_ref()), ConfigState::Safe)
        }
    };
    let mut building = Building::new(settings.as_ref(), kept, workload);
    if state == ConfigState::LastGood {
        building.add_kept();
    }
    let fingerprint = fingerprint(&Value::String(text.into_owned()));
    Loaded { policy: building.finish(), state, report, keep: Vec::new(), fingerprint }
}

/// The settings; none where they have mistakes.
fn read_settings(value: &Value, report: &mut Report) -> Option<Config> {
    let mut found = Report::default();
    let config = Config::read(value, &Path::Root, &mut found);
    let strict = config.as_ref().is_some_and(|config| config.mode == Mode::Enforce);
    let sound = settle(&mut found, strict);
    report.absorb(found);
    config.filter(|_| sound)
}

/// Where it has to be strict, takes unknown fields for mistakes. Tells whether there are none.
fn settle(report: &mut Report, strict: bool) -> bool {
    if strict {
        report.errors.append(&mut report.unknown);
    }
    report.errors.is_empty()
}

fn read_policies(value: &Value) -> Option<Entries<WrittenPolicy>> {
    match value.get(POLICIES) {
        None | Some(Value::Null) => Some(Vec::new()),
        // its errors were told when the whole was read
        Some(policies) => Read::read(policies, &Path::Root.field(POLICIES), &mut Report::default()),
    }
}

fn without_policies(value: &Value) -> Value {
    let fields = value.as_object().into_iter().flatten().filter(|(name, _)| *name != POLICIES);
    Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn kept_settings(kept: &dyn Kept) -> Option<Config> {
    Config::read(&kept.kept(SETTINGS)?, &Path::Root, &mut Report::default())
}

/// The defaults, with the mode as far as it can be read: where it can't, what would be denied is told. None only if the
/// defaults themselves were wrong, which a test rules out.
fn safe(mode: Option<&Value>) -> Option<Config> {
    let read = mode.map(|mode| Mode::read(mode, &Path::Root, &mut Report::default()).unwrap_or(Mode::Report));
    let mode = read.unwrap_or(Mode::Observe).as_str();
    Config::read(&json!({"mode": mode}), &Path::Root, &mut Report::default())
}

/// A policy on its way to run.
struct Building<'a> {
    settings: Option<&'a Config>,
    kept: &'a dyn Kept,
    workload: &'a Workload,
    guards: Vec<Guard>,
    rules: Vec<Rule>,
    targets: Index<Target>,
    allowed: Vec<Pattern>,
}

/// A rule that is to run, and the policy's list that it comes from.
struct Chosen {
    rule: WrittenRule,
    denies: bool,
}

impl<'a> Building<'a> {
    fn new(settings: Option<&'a Config>, kept: &'a dyn Kept, workload: &'a Workload) -> Self {
        Self {
            settings,
            kept,
            workload,
            guards: Vec::new(),
            rules: Vec::new(),
            targets: Index::default(),
            allowed: Vec::new(),
        }
    }

    fn mode(&self) -> Mode {
        self.settings.map_or(Mode::Observe, |settings| settings.mode)
    }

    fn add_all(&mut self, entries: Entries<WrittenPolicy>, keep: &mut Vec<Keep>, report: &mut Report) {
        let mut names: Vec<String> = Vec::new();
        let list = Path::Root.field(POLICIES);
        for (index, Entry { written, read, report: mut found }) in entries.into_iter().enumerate() {
            let at = list.index(index);
            let name = written.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            if let Some(first) = names.iter().position(|other| *other == name && !name.is_empty()) {
                found.error(&at.field("name"), format!("{name} is also the name of {POLICIES}[{first}]"));
            }
            let mode = read.as_ref().and_then(|policy| policy.mode).unwrap_or_else(|| self.lenient_mode(&written));
            let sound = settle(&mut found, mode == Mode::Enforce);
            report.absorb(found);
            names.push(name.clone());
            match read.filter(|_| sound) {
                Some(policy) => {
                    let good = self.add(policy, &written, mode, &at, report);
                    keep.push(Keep { part: key(&name), value: Some(good) });
                }
                None => {
                    tell_rules(&written, mode, &at, report);
                    self.add_last_good(&name, &written, index);
                }
            }
        }
        let gone = self.order().into_iter().filter(|name| !names.contains(name));
        keep.extend(gone.map(|name| Keep { part: key(&name), value: None }));
        keep.push(Keep { part: ORDER.to_owned(), value: Some(Value::from(names)) });
    }

    fn order(&self) -> Vec<String> {
        let order = self.kept.kept(ORDER);
        let names = order.as_ref().and_then(Value::as_array).into_iter().flatten();
        names.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn add_kept(&mut self) {
        for name in self.order() {
            self.add_last_good(&name, &Value::Null, 0);
        }
    }

    fn lenient_mode(&self, written: &Value) -> Mode {
        match written.get("mode") {
            None | Some(Value::Null) => self.mode(),
            Some(mode) => Mode::read(mode, &Path::Root, &mut Report::default()).unwrap_or(Mode::Report),
        }
    }

    /// Adds a policy without mistakes of its own. Gives its good form: as it was written, with the rules that run.
    fn add(&mut self, policy: WrittenPolicy, written: &Value, mode: Mode, at: &Path, report: &mut Report) -> Value {
        let before = self.kept.kept(&key(policy.name.as_str()));
        let mut ids: Vec<Name> = Vec::new();
        let mut chosen = Vec::new();
        let mut good = written.as_object().cloned().unwrap_or_default();
        let WrittenPolicy { allow, deny, .. } = &policy;
        for ((list, denies), entries) in LISTS.into_iter().zip([allow, deny]) {
            let mut forms = Vec::new();
            for (index, entry) in entries.iter().enumerate() {
                let list_at = at.field(list);
                let place = list_at.index(index);
                match sound(entry, mode, &place, &mut ids, report) {
                    Some(rule) => {
                        forms.push(entry.written.clone());
                        chosen.push(Chosen { rule, denies });
                    }
                    None => match last_good_rule(before.as_ref(), list, &entry.written) {
                        Some((form, rule)) => {
                            forms.push(form);
                            chosen.push(Chosen { rule, denies });
                        }
                        None if denies => {
                            // kept as it was written, so that it denies the same once the policy is wrong as a whole
                            forms.push(entry.written.clone());
                            chosen.push(Chosen { rule: stand_in(&entry.written, index), denies });
                        }
                        None => {}
                    },
                }
            }
            good.insert(list.to_owned(), Value::Array(forms));
        }
        self.run(&policy, mode, chosen);
        Value::Object(good)
    }

    /// Adds a policy that is wrong in its last good form, or as one that denies all.
    fn add_last_good(&mut self, name: &str, written: &Value, index: usize) {
        let last = self.kept.kept(&key(name));
        let read = last.as_ref().and_then(|last| WrittenPolicy::read(last, &Path::Root, &mut Report::default()));
        if let Some(policy) = read {
            let mode = policy.mode.unwrap_or_else(|| self.mode());
            let lists = [(&policy.allow, false), (&policy.deny, true)].into_iter();
            let rules = lists.flat_map(|(list, denies)| list.iter().enumerate().map(move |entry| (entry, denies)));
            let chosen = rules.filter_map(|((index, entry), denies)| {
                let good = entry.read.clone().filter(|rule| !rule.hosts.is_empty());
                let rule = good.or_else(|| denies.then(|| stand_in(&entry.written, index)))?;
                Some(Chosen { rule, denies })
            });
            let chosen = chosen.collect();
            self.run(&policy, mode, chosen);
            return;
        }
        // a selector that can't be read is for all
        let selector =
            written.get("selector").map(|selector| Selector::read(selector, &Path::Root, &mut Report::default()));
        let selector = selector.flatten();
        let mode = self.lenient_mode(written);
        if let Some(peers) = self.peers(selector.as_ref()).filter(|_| mode != Mode::Off) {
            let name = readable_name(name).unwrap_or_else(|| Name::numbered(POLICIES, index));
            self.guards.push(Guard { name, mode, default: DefaultAction::Deny, peers, broken: true });
        }
    }

    fn run(&mut self, policy: &WrittenPolicy, mode: Mode, chosen: Vec<Chosen>) {
        let place = self.guards.len();
        let Some(peers) = self.peers(policy.selector.as_ref()).filter(|_| mode != Mode::Off) else { return };
        let default = policy.default.or_else(|| self.settings.map(|settings| settings.default));
        let Some(default) = default else { return };
        self.guards.push(Guard { name: policy.name.clone(), mode, default, peers, broken: false });
        for Chosen { rule, denies } in chosen {
            let WrittenRule { id, hosts, ports, ways } = rule;
            for pattern in &hosts {
                let target = Target { rule: self.rules.len(), closeness: HostCloseness::of(pattern) };
                self.targets.add(pattern, target);
            }
            if !denies {
                self.allowed.extend(hosts);
            }
            let ports = ports.iter().filter_map(|port| u16::try_from(port.0).ok()).collect();
            self.rules.push(Rule { guard: place, id, denies, ports, ways });
        }
    }
    /// Which peers a policy is for; the outer none where it is not for this workload.
    fn peers(&self, selector: Option<&Selector>) -> Option<Option<Peers>> {
        let Some(selector) = selector else { return Some(None) };
        let workload = self.workload;
        let labelled = selector.match_labels.0.iter().all(|(key, value)| workload.label(key) == Some(value));
        if !labelled {
            return None;
        }
        let mut peers = Peers { principals: selector.principals.clone(), accounts: Vec::new() };
        let accounts = &selector.service_accounts;
        if workload.kind == ProxyKind::Sidecar {
            let own = format!("{}/{}", workload.namespace, workload.service_account);
            if !accounts.is_empty() && !accounts.contains(&own) {
                return None;
            }
        } else {
            peers.accounts.clone_from(accounts);
        }
        Some((peers != Peers::default()).then_some(peers))
    }

    fn finish(self) -> Policy {
        let asks_peer = self.guards.iter().any(|guard| guard.peers.is_some());
        let settings = self.settings.map_or_else(Settings::off, Settings::of);
        Policy {
            settings,
            guards: self.guards,
            rules: self.rules,
            targets: self.targets,
            allowed: self.allowed,
            asks_peer,
        }
    }
}

impl Settings {
    fn of(config: &Config) -> Self {
        Self {
            mode: config.mode,
            scope: config.scope,
            inside: Inside::new(&config.internal, &config.egress_gateways),
            default: config.default,
            ip_literals: config.ip_literals,
            sni_mismatch: config.sni_mismatch,
            undecidable: config.undecidable,
            denial: config.denial.clone(),
            audit: config.audit.clone(),
            export: config.export.clone(),
        }
    }

    /// Nothing at all: for a program whose own defaults can't be read.
    fn off() -> Self {
        Self {
            mode: Mode::Off,
            scope: Scope::External,
            inside: Inside::default(),
            default: DefaultAction::Deny,
            ip_literals: IpLiterals::Deny,
            sni_mismatch: SniMismatch::Report,
            undecidable: Undecidable::Deny,
            denial: DenialSettings { status: Whole(403), help: String::new() },
            audit: AuditSettings {
                path: PathShown::None,
                fold: Duration::from_secs(0),
                fold_capacity: Whole(16),
                sample_allowed: Percent::ALL,
                first_seen_capacity: Whole(16),
                chain: false,
            },
            export: ExportSettings {
                log: false,
                access_log: false,
                otlp: None,
                buffer_events: Whole(16),
                buffer_bytes: Whole(65_536),
                on_full: OnFull::DropOldest,
            },
        }
    }
}

/// A rule without mistakes whose id is not another's yet.
fn sound(
    entry: &Entry<WrittenRule>,
    mode: Mode,
    at: &Path,
    ids: &mut Vec<Name>,
    report: &mut Report,
) -> Option<WrittenRule> {
    let mut found = entry.report.clone();
    if let Some(id) = entry.read.as_ref().map(|rule| &rule.id).filter(|id| ids.contains(id)) {
        found.error(&at.field("id"), format!("{} is also the id of another rule of this policy", id.as_str()));
    }
    if entry.read.as_ref().is_some_and(|rule| rule.hosts.is_empty()) {
        found.error(&at.field("hosts"), "is empty; \"*\" names every host");
    }
    let sound = settle(&mut found, mode == Mode::Enforce);
    report.absorb(found);
    let rule = entry.read.clone().filter(|_| sound)?;
    ids.push(rule.id.clone());
    Some(rule)
}

/// Tells the mistakes of the rules of a policy that is wrong itself, so that all are told at once.
fn tell_rules(written: &Value, mode: Mode, at: &Path, report: &mut Report) {
    let mut ids = Vec::new();
    for (list, _) in LISTS {
        let at = at.field(list);
        let rules = written.get(list).and_then(|rules| Read::read(rules, &at, &mut Report::default()));
        let rules: Entries<WrittenRule> = rules.unwrap_or_default();
        for (index, entry) in rules.iter().enumerate() {
            let _sound = sound(entry, mode, &at.index(index), &mut ids, report);
        }
    }
}

/// The last good form of a rule, in that of its policy; none where that has it only as it was written.
fn last_good_rule(policy: Option<&Value>, list: &str, written: &Value) -> Option<(Value, WrittenRule)> {
    let id = written.get("id").filter(|id| id.is_string())?;
    let form = policy?.get(list)?.as_array()?.iter().find(|rule| rule.get("id") == Some(id))?;
    let rule = WrittenRule::read(form, &Path::Root, &mut Report::default()).filter(|rule| !rule.hosts.is_empty())?;
    Some((form.clone(), rule))
}

/// A rule that denies whatever hosts can be read of one that should deny, and all where none can.
fn stand_in(written: &Value, index: usize) -> WrittenRule {
    let texts = written.get("hosts").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let readable: Vec<Pattern> = texts.filter_map(|text| Pattern::parse(text).ok()).collect();
    let all = || ["*", "0.0.0.0/0", "::/0"].into_iter().filter_map(|text| Pattern::parse(text).ok()).collect();
    let id = written.get("id").and_then(Value::as_str).and_then(readable_name);
    WrittenRule {
        id: id.unwrap_or_else(|| Name::numbered("deny", index)),
        hosts: if readable.is_empty() { all() } else { readable },
        ports: Vec::new(),
        ways: Vec::new(),
    }
}

fn readable_name(text: &str) -> Option<Name> {
    Name::read(&Value::String(text.to_owned()), &Path::Root, &mut Report::default())
}
