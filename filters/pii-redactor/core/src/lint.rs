//! What is allowed in a configuration and most likely not meant. For `rcctl lint`; a proxy does not look for it.

use filter_config::serde_json::Value;
use filter_config::{Entries, Path, Read, Report};
use filter_request::HostPattern;

use crate::config::{Action, Builtin, Config, Custom, EntityAction, Mode, OnError, Preset, WhenMissing, entity_of};
use crate::gate::Gate;
use crate::rules::Rule;

/// Finds what is most likely not meant.
pub fn warnings(configuration: &Value, report: &mut Report) {
    // what can't be read has been told by whoever loads it
    let Some(config) = Config::read(configuration, &Path::Root, &mut Report::default()) else { return };
    open(&config, report);
    if let Some(gate) = &config.gate {
        gates(gate, &Path::Root.field("gate"), report);
    }
    entities(&config, report);
    patterns(&config, report);
    lists(&config, report);
    let list = Path::Root.field("rules");
    let rules: Vec<(usize, &Value, &Rule)> = config
        .rules
        .iter()
        .enumerate()
        .filter_map(|(index, entry)| Some((index, &entry.written, entry.read.as_ref()?)))
        .collect();
    for (index, written, rule) in &rules {
        let at = list.index(*index);
        one(written, rule, &config, &at, report);
        let earlier = rules.iter().take_while(|(other, ..)| other < index);
        if let Some((_, _, by)) = earlier.into_iter().find(|(_, other, by)| covers((other, by), (written, rule))) {
            let message = format!("is shadowed: {} comes first and matches all that it does", by.name.as_str());
            report.warning(&at, message);
        }
    }
}

/// What lets text out that nobody looked at.
fn open(config: &Config, report: &mut Report) {
    if config.on_error == OnError::Pass && config.mode == Mode::Enforce {
        report.warning(&Path::Root.field("onError"), "pass lets out, as it is, whatever can't be read");
    }
    if config.mode != Mode::Enforce {
        let entities = Path::Root.field("entities");
        let actions = entities.field("actions");
        let enforcing = readable(&config.rules).any(|rule| rule.mode == Some(Mode::Enforce));
        let blocking = config.entities.actions.0.iter().filter(|(_, action)| *action == EntityAction::Block);
        for (name, _) in blocking.filter(|_| !enforcing) {
            report
                .warning(&actions.field(name.as_str()), format!("block does nothing in mode {}", config.mode.as_str()));
        }
    }
}

fn readable(rules: &Entries<Rule>) -> impl Iterator<Item = &Rule> {
    rules.iter().filter_map(|entry| entry.read.as_ref())
}

/// A gate that anybody opens.
fn gates(gate: &Gate, at: &Path, report: &mut Report) {
    if gate.any_peer {
        let also = if gate.principals.is_empty() { "" } else { "; fromPrincipals then says nothing" };
        let message = format!("whoever can reach the proxy can switch it off by a header{also}");
        report.warning(&at.field("trustAnyPeer"), message);
    }
    if gate.when_missing == WhenMissing::Pass {
        let message = "pass lets requests out unguarded whenever nothing is known, also while flag-headers is away";
        report.warning(&at.field("whenMissing"), message);
    }
}

/// Kinds that are named without effect.
fn entities(config: &Config, report: &mut Report) {
    let settings = &config.entities;
    let at = Path::Root.field("entities");
    let preset = settings.preset.entities();
    let word = settings.preset.as_str();
    // the newest of a preset may have more tomorrow, which is a reason to exclude what it has not today
    let pinned = word.contains('@') || settings.preset == Preset::None;
    let includes = |entity: &Builtin| settings.include.contains(entity);
    for (index, entity) in settings.exclude.iter().enumerate() {
        let name = entity.0.name();
        let at = at.field("exclude");
        if includes(entity) {
            report.warning(&at.index(index), format!("{name} is in include as well; exclude outweighs it"));
        } else if pinned && !preset.has(entity.0) {
            report.warning(&at.index(index), format!("{name} is not in preset {word}, so that nothing is excluded"));
        }
    }
    for (index, entity) in settings.include.iter().enumerate().filter(|(_, entity)| preset.has(entity.0)) {
        let message = format!("{} is in preset {word} already", entity.0.name());
        report.warning(&at.field("include").index(index), message);
    }
    let wanted = settings.wanted();
    for (name, _) in &settings.actions.0 {
        if entity_of(name.as_str()).is_some_and(|entity| !wanted.has(entity)) {
            let message = "is not looked for; to do so, name it in include";
            report.warning(&at.field("actions").field(name.as_str()), message);
        }
    }
    let anything = !config.custom.is_empty() || !config.always_redact.is_empty();
    if wanted == crate::detect::EntitySet::default() && !anything {
        report.warning(&at, "names no kind, and there is neither custom nor alwaysRedact: nothing is looked for");
    }
}

/// Patterns that never count.
fn patterns(config: &Config, report: &mut Report) {
    let list = Path::Root.field("custom");
    let least = config.entities.min_confidence.0;
    for (index, custom) in config.custom.iter().enumerate().filter_map(|(i, entry)| Some((i, entry.read.as_ref()?))) {
        let at = list.index(index);
        let Custom { confidence, pattern, .. } = custom;
        if u64::from(*confidence) < least {
            let message = format!("{confidence} is under entities.minConfidence, which is {least}: it never counts");
            report.warning(&at.field("confidence"), message);
        }
        if pattern.starts_with('^') || pattern.ends_with('$') && !pattern.ends_with("\\$") {
            let message = "is bound to the ends of a text, so that a value within a sentence is not found";
            report.warning(&at.field("pattern"), message);
        }
    }
}

/// Values of the two lists that do something else than they look like.
fn lists(config: &Config, report: &mut Report) {
    let never = Path::Root.field("neverRedact");
    for (index, value) in config.never_redact.iter().enumerate() {
        let text = value.0.as_str();
        if text.starts_with('@') || text.contains('*') {
            let message =
                format!("{text} is compared with whole values, so that it lets no domain and no pattern stay");
            report.warning(&never.index(index), message);
        }
    }
    let always = Path::Root.field("alwaysRedact");
    for (index, term) in config.always_redact.iter().enumerate() {
        let term = term.0.to_lowercase();
        if config.never_redact.iter().any(|value| value.0.to_lowercase() == term) {
            report.warning(&always.index(index), format!("{term} is in neverRedact as well, which outweighs it"));
        }
    }
}

/// What a rule says without effect, or with more than it looks like.
fn one(written: &Value, rule: &Rule, config: &Config, at: &Path, report: &mut Report) {
    let mode = rule.mode.unwrap_or(config.mode);
    let restores = written.pointer("/response/restore") == Some(&Value::Bool(true));
    let response = at.field("response");
    if restores && rule.request != Action::Redact {
        let message = format!("there is nothing to restore: requests are not redacted but {}", past(rule.request));
        report.warning(&response.field("restore"), message);
    } else if restores && rule.response == Action::Pass {
        report.warning(&response.field("restore"), "nothing is restored: answers are not looked at".to_owned());
    } else if restores {
        let lost = config
            .entities
            .actions
            .0
            .iter()
            .filter(|(_, action)| matches!(action, EntityAction::Mask | EntityAction::Hash));
        for (name, action) in lost {
            let message = format!("{} can't be restored: its action is {}", name.as_str(), action.as_str());
            report.warning(&response.field("restore"), message);
        }
    }
    for (side, action) in [("request", rule.request), ("response", rule.response)] {
        if action == Action::Block && mode != Mode::Enforce {
            let message = format!("block does nothing in mode {}", mode.as_str());
            report.warning(&at.field(side).field("action"), message);
        }
    }
    if rule.allow_upgrade && rule.protects() {
        report.warning(&at.field("allowUpgrade"), "nothing that goes over an upgraded connection is looked at");
    }
    if rule.on_error == Some(OnError::Pass) && mode == Mode::Enforce {
        report.warning(&at.field("onError"), "pass lets out, as it is, whatever can't be read");
    }
}

/// What an action has done to requests, in words.
fn past(action: Action) -> &'static str {
    match action {
        Action::Redact => "redacted",
        Action::Block => "blocked",
        Action::Report => "reported",
        Action::Pass => "passed",
    }
}

/// Whether a rule matches all that another does, as far as their words tell.
fn covers((written, rule): (&Value, &Rule), (other_written, other): (&Value, &Rule)) -> bool {
    let hosts = other.hosts.iter().all(|host| rule.hosts.iter().any(|pattern| host_covers(pattern, host)));
    let ways = |written: &Value| written.get("match").and_then(Value::as_array).cloned().unwrap_or_default();
    let (ways, others) = (ways(written), ways(other_written));
    let all = ways.is_empty()
        || (!others.is_empty() && others.iter().all(|other| ways.iter().any(|way| way_covers(way, other))));
    hosts && all
}

fn host_covers(pattern: &HostPattern, host: &HostPattern) -> bool {
    match (pattern, host) {
        (HostPattern::Any, _) => true,
        (HostPattern::Exact(one), HostPattern::Exact(other)) => one == other,
        (HostPattern::Suffix(suffix), HostPattern::Exact(name)) => name.len() > suffix.len() && name.ends_with(suffix),
        (HostPattern::Suffix(suffix), HostPattern::Suffix(name)) => name.ends_with(suffix),
        _ => false,
    }
}

/// Whether one way to match takes all that another does: the same, or a prefix of its path and no other condition.
fn way_covers(way: &Value, other: &Value) -> bool {
    let conditions =
        |way: &Value| way.as_object().map_or(0, |fields| fields.keys().filter(|name| *name != "name").count());
    let alone = conditions(way) == 1;
    let prefix = way.pointer("/uri/prefix").and_then(Value::as_str);
    let path = ["/uri/prefix", "/uri/exact"].iter().find_map(|at| other.pointer(at)).and_then(Value::as_str);
    let ignores = other.get("ignoreUriCase") == Some(&Value::Bool(true));
    let by_path = prefix.zip(path).is_some_and(|(prefix, path)| path.starts_with(prefix));
    way == other || conditions(way) == 0 || (alone && by_path && !ignores)
}
