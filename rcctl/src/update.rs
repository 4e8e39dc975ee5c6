//! Whom an update of canary-router's configuration moves.

use std::collections::BTreeSet;
use std::fmt;

use canary_core::Policy;
use canary_core::rule::{BASELINE, Rule};
use canary_core::split::moves;

/// What an update does to the users of one rule.
#[derive(Debug)]
pub(crate) struct Update {
    /// The rule.
    pub(crate) rule: String,
    /// Who moves where.
    pub(crate) told: String,
    /// Whether users move between two canary arms, which a change of one weight at a time spares them.
    pub(crate) crosses: bool,
    /// Whether it moves users who need not move.
    pub(crate) harms: bool,
}

impl Update {
    fn harmless(told: &str) -> Self {
        Self { rule: String::new(), told: told.to_owned(), crosses: false, harms: false }
    }
}

impl fmt::Display for Update {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.told)
    }
}

/// What an update does, by the rules' names.
pub(crate) fn of(old: &Policy, new: &Policy) -> Vec<Update> {
    fn find<'p>(policy: &'p Policy, name: &str) -> Option<&'p Rule> {
        policy.rules.iter().find(|rule| rule.name.as_str() == name)
    }
    let names: BTreeSet<&str> = old.rules.iter().chain(&new.rules).map(|rule| rule.name.as_str()).collect();
    let update = |name: &str| {
        let update = match (find(old, name), find(new, name)) {
            (Some(old), Some(new)) => of_rule(old, new),
            (_, Some(_)) => Update::harmless("is new: its users had what the VirtualService gave them"),
            (_, None) => Update::harmless("is gone: its users get what the VirtualService gives them"),
        };
        Update { rule: name.to_owned(), ..update }
    };
    names.into_iter().map(update).collect()
}

fn of_rule(old: &Rule, new: &Rule) -> Update {
    if old.salt != new.salt && (old.arms.len() > 1 || new.arms.len() > 1) {
        let idle = |rule: &Rule| rule.split.taken().iter().all(|taken| taken.width() == 0);
        if idle(old) && idle(new) && old.arm(BASELINE) == new.arm(BASELINE) {
            return Update::harmless("the salt changes while no canary arm has users: nobody moves");
        }
        return Update { harms: true, ..Update::harmless("the salt changes: every user is dealt anew") };
    }
    fn arm(rule: &Rule, bucket: u16) -> &str {
        rule.arm(rule.arm_of(bucket)).map_or("", |arm| arm.as_str())
    }
    let canary = |rule: &Rule, name: &str| rule.arms.iter().skip(1).any(|arm| arm.as_str() == name);
    let mut crosses = false;
    let told = moves(|bucket| arm(old, bucket), |bucket| arm(new, bucket)).into_iter().map(|moved| {
        let percent = f64::from(moved.buckets) / 100.0;
        let crossing = canary(old, moved.from) && canary(new, moved.to);
        crosses |= crossing;
        let warning = if crossing { " (warning: users cross from one canary arm to another)" } else { "" };
        format!("{percent} % of users move from {} to {}{warning}", moved.from, moved.to)
    });
    let told = told.collect::<Vec<_>>().join("; ");
    let told = if told.is_empty() { "nobody moves".to_owned() } else { told };
    Update { rule: String::new(), told, crosses, harms: crosses }
}
