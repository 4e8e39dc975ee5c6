//! What an update of egress-audit's configuration takes away: hosts that may be called no more, and denials that end.

use egress_core::config::{Config, DefaultAction, Mode, WrittenPolicy, WrittenRule};
use egress_core::pattern::Pattern;
use filter_config::{Entry, Path, Read, Report};
use serde_json::Value;

/// A policy, and its selector as it is written.
struct Side<'c> {
    policy: &'c WrittenPolicy,
    selector: Option<&'c Value>,
    mode: Mode,
}

/// A rule, and its requests as they are written.
struct Ruled<'c> {
    rule: &'c WrittenRule,
    ways: Option<&'c Value>,
}

/// What an update takes away; both configurations are without mistakes.
pub(crate) fn of_update(old: &Value, new: &Value) -> Vec<String> {
    let read = |value: &Value| Config::read(value, &Path::Root, &mut Report::default());
    let (Some(old), Some(new)) = (read(old), read(new)) else { return Vec::new() };
    let mut told = Vec::new();
    if old.default == DefaultAction::Allow && new.default == DefaultAction::Deny {
        told.push("default: is deny now, and was allow: calls that no rule names are denied".to_owned());
    }
    if new.mode == Mode::Off && old.mode != Mode::Off {
        told.push(format!("mode: is off now, and was {}: nothing is looked at, nor denied", old.mode.as_str()));
    }
    let news: Vec<Side> = sides(&new).collect();
    for before in sides(&old) {
        let name = before.policy.name.as_str();
        let after = news.iter().find(|after| after.policy.name == before.policy.name);
        match after {
            None => told.push(format!("policy {name} is gone, in mode {} before", before.mode.as_str())),
            Some(after) => told.extend(weaker(&before, after)),
        }
        for (list, rules, after) in [
            ("allow", &before.policy.allow, after.map(|after| &after.policy.allow)),
            ("deny", &before.policy.deny, after.map(|after| &after.policy.deny)),
        ] {
            let there = |id: &str| ruled(after.into_iter().flatten()).any(|ruled| ruled.rule.id.as_str() == id);
            // of a policy that is gone it goes without saying
            let gone = ruled(rules).filter(|ruled| after.is_some() && !there(ruled.rule.id.as_str()));
            told.extend(
                gone.map(|ruled| format!("policy {name}: rule {} under {list} is gone", ruled.rule.id.as_str())),
            );
        }
        // those whose rules hold for the workloads of this one
        let same = |after: &&Side| {
            after.selector.is_none() || after.selector == before.selector || after.policy.name == before.policy.name
        };
        let for_same: Vec<&Side> = news.iter().filter(same).collect();
        told.extend(no_longer_allowed(&before, &for_same));
        told.extend(newly_denied(&before, &for_same));
    }
    told
}

fn sides(config: &Config) -> impl Iterator<Item = Side<'_>> {
    config.policies.iter().filter_map(|entry| {
        let policy = entry.read.as_ref()?;
        let selector = entry.written.get("selector").filter(|selector| !selector.is_null());
        Some(Side { policy, selector, mode: policy.mode.unwrap_or(config.mode) })
    })
}

fn ruled<'c>(entries: impl IntoIterator<Item = &'c Entry<WrittenRule>>) -> impl Iterator<Item = Ruled<'c>> {
    entries.into_iter().filter_map(|entry| {
        let ways = entry.written.get("match").filter(|_| entry.read.as_ref().is_some_and(|rule| !rule.ways.is_empty()));
        Some(Ruled { rule: entry.read.as_ref()?, ways })
    })
}

fn weaker(before: &Side, after: &Side) -> Vec<String> {
    let name = before.policy.name.as_str();
    let mut told = Vec::new();
    if before.mode == Mode::Enforce && after.mode != Mode::Enforce {
        told.push(format!(
            "policy {name}: its mode is {} now, and was enforce: it denies nothing",
            after.mode.as_str()
        ));
    }
    if before.selector != after.selector {
        told.push(format!("policy {name}: its selector is another, so workloads may be without it"));
    }
    if before.policy.default == Some(DefaultAction::Allow) && after.policy.default == Some(DefaultAction::Deny) {
        told.push(format!(
            "policy {name}: its default is deny now, and was allow: calls that no rule names are denied"
        ));
    }
    told
}

/// Whether a rule is for every call to hosts of this pattern that another rule is for.
fn takes_over(rule: &Ruled, before: &Ruled, host: &Pattern) -> bool {
    rule.rule.hosts.iter().any(|pattern| pattern.covers(host)) && (rule.ways.is_none() || rule.ways == before.ways)
}

fn no_longer_allowed(before: &Side, after: &[&Side]) -> Vec<String> {
    let name = before.policy.name.as_str();
    let mut told = Vec::new();
    for old in ruled(&before.policy.allow) {
        for host in &old.rule.hosts {
            let news = || after.iter().flat_map(|side| ruled(&side.policy.allow));
            let over: Vec<Ruled> = news().filter(|new| takes_over(new, &old, host)).collect();
            if over.iter().any(|new| new.rule.ports.is_empty()) {
                continue;
            }
            let id = old.rule.id.as_str();
            let open = old.rule.ports.iter().filter(|port| !over.iter().any(|new| new.rule.ports.contains(port)));
            let open: Vec<String> = open.map(|port| port.0.to_string()).collect();
            // the wording hangs on how much of it is left
            let ports = match (old.rule.ports.is_empty(), over.is_empty()) {
                (true, true) => String::new(),
                (true, false) => " on every port".to_owned(),
                (false, _) if open.is_empty() => continue,
                (false, _) => format!(" on port {}", open.join(", ")),
            };
            let some = news().any(|new| new.rule.hosts.iter().any(|pattern| pattern.covers(host)));
            let which = if some && over.is_empty() { "every call to " } else { "" };
            told.push(format!("policy {name}: {which}{host}{ports} was allowed by {id}, and no rule allows that now"));
        }
    }
    told
}

fn newly_denied(before: &Side, after: &[&Side]) -> Vec<String> {
    let name = before.policy.name.as_str();
    let mut told = Vec::new();
    for new in after.iter().flat_map(|side| ruled(&side.policy.deny)) {
        for host in &new.rule.hosts {
            let old = ruled(&before.policy.deny).any(|old| old.rule.id == new.rule.id && old.rule.hosts.contains(host));
            let touched = |old: &Ruled| old.rule.hosts.iter().any(|was| was.covers(host) || host.covers(was));
            if let Some(was) = ruled(&before.policy.allow).find(touched).filter(|_| !old) {
                let (was, now) = (was.rule.id.as_str(), new.rule.id.as_str());
                told.push(format!("policy {name}: {host}, allowed by {was}, is denied by {now} now"));
            }
        }
    }
    told
}
