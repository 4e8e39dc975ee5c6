//! What a flag's definition needs and where it means something other than it says.
//!
//! The engine answers for any definition, sometimes with less than its author meant: a fractional rollout is 0 % in it, a
//! custom strategy is never on. Such traps are found here by name, so that they can be told. What the engine could panic on
//! is taken away.

use std::collections::BTreeSet;

use unleash_types::client_features::{ClientFeature, Constraint, Operator, Segment, Strategy};
use unleash_yggdrasil::KNOWN_STRATEGIES;

/// What of the context a set of flags looks at, so that a request pays for nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// `userId`
    pub user_id: bool,
    /// `sessionId`
    pub session_id: bool,
    /// `remoteAddress`
    pub remote_address: bool,
    /// Properties by name.
    pub properties: BTreeSet<String>,
}

impl Needs {
    fn note(&mut self, field: &str) {
        match field {
            "userId" => self.user_id = true,
            "sessionId" => self.session_id = true,
            "remoteAddress" => self.remote_address = true,
            "environment" | "appName" | "currentTime" => {}
            property => {
                self.properties.insert(property.to_owned());
            }
        }
    }

    /// Two words mean something in stickiness only; a constraint on them is on properties of these names.
    fn note_stickiness(&mut self, stickiness: Option<&str>) {
        match stickiness.unwrap_or("default") {
            "default" => (self.user_id, self.session_id) = (true, true),
            "random" => {}
            field => self.note(field),
        }
    }
}

/// How a flag comes to its values, as far as its definition tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// It is off in this environment.
    Off,
    /// It is on for everybody.
    Static,
    /// It depends on the context; on by a share of users in at least one strategy.
    Split,
    /// It depends on the context.
    Targeting,
}

/// A trap in a definition: which flag, and what about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trap {
    /// The flag.
    pub flag: String,
    /// A word for metrics.
    pub kind: &'static str,
    /// What is so, and what follows.
    pub message: String,
}

/// Every kind of trap.
pub const KINDS: [&str; 9] =
    ["rollout", "strategy", "operator", "segment", "variant", "size", "parent", "unusable", "unreadable"];

/// Notes what one flag looks at.
pub(crate) fn note_needs(feature: &ClientFeature, segments: &[Segment], needs: &mut Needs) {
    for strategy in strategies(feature) {
        let own = strategy.constraints.iter().flatten();
        for constraint in own.chain(segment_constraints(strategy, segments)) {
            needs.note(&constraint.context_name);
        }
        match strategy.name.as_str() {
            "userWithId" | "gradualRolloutUserId" => needs.note("userId"),
            "gradualRolloutSessionId" => needs.note("sessionId"),
            "remoteAddress" => needs.note("remoteAddress"),
            "flexibleRollout" => needs.note_stickiness(parameter(strategy, "stickiness")),
            _ => {}
        }
        if strategy.variants.as_ref().is_some_and(|variants| !variants.is_empty()) {
            needs.note_stickiness(parameter(strategy, "stickiness"));
        }
    }
    for variant in feature.variants.iter().flatten() {
        needs.note_stickiness(variant.stickiness.as_deref());
        variant.overrides.iter().flatten().for_each(|one| needs.note(&one.context_name));
    }
}

/// How a flag comes to its values.
pub(crate) fn shape(feature: &ClientFeature) -> Shape {
    let partial = |strategy: &Strategy| match strategy.name.as_str() {
        "flexibleRollout" => parameter(strategy, "rollout") != Some("100"),
        name => name.starts_with("gradualRollout"),
    };
    let for_all = |strategy: &Strategy| {
        let open = |list: Option<usize>| list.unwrap_or(0) == 0;
        let bare = open(strategy.constraints.as_ref().map(Vec::len)) && open(strategy.segments.as_ref().map(Vec::len));
        bare && (strategy.name == "default" || (strategy.name == "flexibleRollout" && !partial(strategy)))
    };
    let depends = feature.dependencies.as_ref().is_some_and(|parents| !parents.is_empty());
    let list: Vec<&Strategy> = strategies(feature).collect();
    if !feature.enabled {
        Shape::Off
    } else if !depends && (list.is_empty() || list.iter().any(|strategy| for_all(strategy))) {
        Shape::Static
    } else if list.iter().any(|strategy| partial(strategy)) {
        Shape::Split
    } else {
        Shape::Targeting
    }
}

/// Finds the traps of one flag, and takes away what the engine could panic on. None where nothing is left to evaluate.
pub(crate) fn defuse(mut feature: ClientFeature, segments: &[Segment], traps: &mut Vec<Trap>) -> Option<ClientFeature> {
    let name = feature.name.clone();
    let mut trap = |kind, message: String| traps.push(Trap { flag: name.clone(), kind, message });
    let mut sound = strategies(&feature).count() <= LONGEST_CHAIN
        && strategies(&feature).all(|strategy| chain(strategy, segments) <= LONGEST_CHAIN);
    if !sound {
        trap(
            "size",
            format!("has over {LONGEST_CHAIN} strategies, or a strategy with over {LONGEST_CHAIN} constraints"),
        );
    }
    for strategy in strategies(&feature).take(LONGEST_CHAIN) {
        for (key, value) in rollouts(strategy) {
            let whole = value.parse::<usize>().ok();
            if whole.is_none_or(|percent| percent > 100) {
                let shown: String = value.chars().take(16).collect();
                // the engine can't compile more than 100, and takes what is no whole number for 0
                let follows = if whole.is_none() { " and counts as 0 %" } else { "" };
                trap("rollout", format!("{key} {shown} is not a whole number from 0 to 100{follows}"));
                sound &= whole.is_none();
            }
        }
        if !KNOWN_STRATEGIES.contains(&strategy.name.as_str()) {
            trap("strategy", "has a custom strategy, which is never on here".to_owned());
        }
        let own = strategy.constraints.iter().flatten();
        for constraint in own.chain(segment_constraints(strategy, segments)) {
            if matches!(constraint.operator, Operator::Unknown(_)) {
                trap("operator", "has a constraint with an operator that is not known here".to_owned());
                sound = false;
            }
            sound &= plain(constraint);
        }
        let missing = strategy.segments.iter().flatten().any(|id| !segments.iter().any(|segment| segment.id == *id));
        if missing {
            trap("segment", "names a segment that the answer does not hold".to_owned());
            sound = false;
        }
        // the engine puts these into its own language as they are
        let texts =
            ["groupId", "stickiness", "IPs", "hostNames"].into_iter().filter_map(|key| parameter(strategy, key));
        sound &= texts.into_iter().all(quotable);
    }
    if !sound && !feature.enabled {
        // it is off, whatever else it says
        (feature.strategies, feature.variants) = (None, None);
        return Some(feature);
    }
    if !sound {
        trap("unusable", "can't be evaluated as it is defined; its default is served".to_owned());
        return None;
    }
    let mut weightless = false;
    if let Some(variants) = &mut feature.variants {
        weightless |= drop_weightless(variants, |variant| variant.weight);
    }
    for strategy in feature.strategies.iter_mut().flatten() {
        if let Some(variants) = &mut strategy.variants {
            weightless |= drop_weightless(variants, |variant| variant.weight);
        }
    }
    if weightless {
        trap(
            "variant",
            "has variants whose weights are not from 0 to 1000 with a sum above 0; they are left out".to_owned(),
        );
    }
    Some(feature)
}

/// The most strategies of a flag, and constraints of a strategy, which Unleash limits to 30. The engine goes a call deeper
/// for each.
const LONGEST_CHAIN: usize = 500;

/// How many constraints a strategy has, with those of its segments.
fn chain(strategy: &Strategy, segments: &[Segment]) -> usize {
    let of_segment = |id: &i32| {
        let same = segments.iter().filter(|segment| segment.id == *id);
        same.map(|segment| segment.constraints.len()).sum::<usize>()
    };
    let ids = strategy.segments.as_deref().unwrap_or_default();
    let own = strategy.constraints.as_ref().map_or(0, Vec::len);
    // far too many need no exact count
    ids.len().max(ids.iter().take(LONGEST_CHAIN).map(of_segment).sum()).saturating_add(own)
}

/// Takes away variants among which no choice can be made: the engine divides by the sum of weights, in 32 bits.
fn drop_weightless<T>(variants: &mut Vec<T>, weight: impl Fn(&T) -> i32) -> bool {
    let before = variants.len();
    variants.retain(|variant| (0..=1000).contains(&weight(variant)));
    if variants.iter().all(|variant| weight(variant) == 0) {
        variants.clear();
    }
    variants.len() < before
}

fn strategies(feature: &ClientFeature) -> impl Iterator<Item = &Strategy> {
    feature.strategies.iter().flatten()
}

fn segment_constraints<'s>(strategy: &'s Strategy, segments: &'s [Segment]) -> impl Iterator<Item = &'s Constraint> {
    let ids = strategy.segments.as_deref().unwrap_or_default();
    segments.iter().filter(|segment| ids.contains(&segment.id)).flat_map(|segment| &segment.constraints)
}

fn parameter<'s>(strategy: &'s Strategy, key: &str) -> Option<&'s str> {
    strategy.parameters.as_ref()?.get(key).map(String::as_str)
}

fn rollouts(strategy: &Strategy) -> impl Iterator<Item = (&'static str, &str)> {
    let key = match strategy.name.as_str() {
        "flexibleRollout" => Some("rollout"),
        name if name.starts_with("gradualRollout") => Some("percentage"),
        _ => None,
    };
    key.into_iter().filter_map(|key| Some((key, parameter(strategy, key)?)))
}

/// Whether a text can stand between quotes in the engine's language.
fn quotable(text: &str) -> bool {
    !text.contains(['"', '\\'])
}

/// Whether the engine reads a constraint as what it says. Numbers, dates and versions stand without quotes in its language,
/// which needs no spaces either: `5ortrue` is always true.
fn plain(constraint: &Constraint) -> bool {
    let value = constraint.value.as_deref().unwrap_or_default().trim();
    let all = |text: &str, others: &[u8]| text.bytes().all(|byte| byte.is_ascii_digit() || others.contains(&byte));
    let value_is_plain = match constraint.operator {
        Operator::NumEq | Operator::NumGt | Operator::NumGte | Operator::NumLt | Operator::NumLte => {
            value.is_empty() || value.parse::<f64>().is_ok()
        }
        Operator::DateAfter | Operator::DateBefore => all(value, b"TZ:.+-"),
        Operator::SemverEq | Operator::SemverGt | Operator::SemverGte | Operator::SemverLt | Operator::SemverLte => {
            let (core, rest) = value.split_at(value.find(['-', '+']).unwrap_or(value.len()));
            // it takes one with a v for false, without reading on
            let no_version = constraint.value.as_deref().is_some_and(|value| value.starts_with('v'));
            let fragments = rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".+-".contains(&byte));
            no_version || (all(core, b".") && fragments)
        }
        _ => true,
    };
    quotable(&constraint.context_name) && value_is_plain
}
