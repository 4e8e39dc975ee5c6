//! Flags, compiled: Unleash's own engine, fed one sound definition after the other, and asked for values.

use std::collections::{HashMap, HashSet};

use filter_config::choice;
use unleash_types::client_features::{ClientFeature, ClientFeatures, Segment};
use unleash_yggdrasil::EngineState;

pub use unleash_yggdrasil::VariantDef as Variant;

use crate::context::Context;
use crate::inspect::{Needs, Shape, Trap, defuse, note_needs, shape};
use crate::subset::{Unusable, is_off, name_of, read_parts, typed};

choice! {
    /// Why a flag has its value.
    pub enum Reason {
        /// It is on for everybody.
        Static = "static",
        /// One of its strategies is for this context.
        TargetingMatch = "targeting_match",
        /// This context is in the share of a rollout, or was dealt a variant.
        Split = "split",
        /// None of its strategies is for this context.
        NoMatch = "no_match",
        /// It is off in this environment.
        Disabled = "disabled",
        /// The configured default: Unleash does not know it, or it is archived.
        Unknown = "unknown",
        /// The configured default: its definition can't be evaluated here.
        Unusable = "unusable",
        /// The configured default: there are no flags to evaluate.
        NoState = "no_state",
        /// A verified peer has decided it.
        Given = "given",
    }
}

/// How a flag stands with Unleash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Unleash does not have it.
    Unknown,
    /// Its definition can't be evaluated.
    Unusable,
    /// It can be.
    Known(Shape),
}

/// What a flag evaluates to.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// Whether it is on.
    pub enabled: bool,
    /// Why.
    pub reason: Reason,
    /// Its variant, where that was asked for and it has one.
    pub variant: Option<Variant>,
}

/// A set of flags, ready to be evaluated.
pub struct Compiled {
    engine: EngineState,
    shapes: HashMap<String, Shape>,
    unusable: HashSet<String>,
    /// What of the context they look at.
    pub needs: Needs,
    /// Where their definitions mean something other than they say.
    pub traps: Vec<Trap>,
}

impl std::fmt::Debug for Compiled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compiled").field("shapes", &self.shapes).field("traps", &self.traps).finish_non_exhaustive()
    }
}

/// The flags that are on and depend on others, each with each of those.
fn children_of(features: &[ClientFeature]) -> Vec<(String, String)> {
    let parents = |feature: &ClientFeature| feature.dependencies.clone().unwrap_or_default();
    features
        .iter()
        .filter(|feature| feature.enabled)
        .flat_map(|child| parents(child).into_iter().map(|parent| (child.name.clone(), parent.feature)))
        .collect()
}

impl Compiled {
    /// Compiles a document of flags, each on its own.
    ///
    /// # Errors
    /// When the document as a whole can't be read.
    pub fn compile(document: &str) -> Result<Self, Unusable> {
        let parts = read_parts(document)?;
        let segments: Vec<Segment> = parts.segments.iter().filter_map(|raw| typed(raw)).collect();
        let (mut traps, mut unusable) = (Vec::new(), HashSet::new());
        let mut features: Vec<ClientFeature> = Vec::new();
        for raw in parts.features.ok_or(Unusable::NoFeatures)? {
            let Some(name) = name_of(raw) else { continue };
            let read = typed(raw).or_else(|| {
                // what is turned off is off, whatever else it says
                let off = is_off(raw);
                let follows = if off { "it is off" } else { "its default is served" };
                let message = format!("can't be read; {follows}");
                traps.push(Trap { flag: name.clone(), kind: "unreadable", message });
                off.then(|| ClientFeature { name: name.clone(), ..ClientFeature::default() })
            });
            match read.and_then(|feature| defuse(feature, &segments, &mut traps)) {
                Some(feature) => features.push(feature),
                None => drop(unusable.insert(name)),
            }
        }
        let mut needs = Needs::default();
        features.iter().for_each(|feature| note_needs(feature, &segments, &mut needs));
        let shapes: HashMap<String, Shape> =
            features.iter().map(|feature| (feature.name.clone(), shape(feature))).collect();
        let children = children_of(&features);
        let engine = EngineState::default();
        let document = ClientFeatures { version: 2, features, segments: Some(segments), query: None, meta: None };
        let warnings = engine.apply_client_features(document).unwrap_or_default();
        for warning in warnings.into_iter().filter(|warning| shapes.get(&warning.toggle_name) != Some(&Shape::Off)) {
            // what the engine says holds the definition, with the ids of users in it
            let message = "can't be compiled by unleash's engine; its default is served".to_owned();
            traps.push(Trap { flag: warning.toggle_name.clone(), kind: "unusable", message });
            unusable.insert(warning.toggle_name);
        }
        let stranded: Vec<&(String, String)> =
            children.iter().filter(|(_, parent)| unusable.contains(parent)).collect();
        for (child, parent) in &stranded {
            let message = format!("depends on {parent}, which can't be evaluated; its default is served");
            traps.push(Trap { flag: child.clone(), kind: "parent", message });
        }
        unusable.extend(stranded.into_iter().map(|(child, _)| child.clone()));
        traps.sort();
        traps.dedup();
        Ok(Self { engine, shapes, unusable, needs, traps })
    }

    /// The flags that Unleash knows, in no order; also those that can't be evaluated.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.shapes.keys().chain(&self.unusable).map(String::as_str)
    }

    /// How a flag stands with Unleash, to be asked once for many evaluations.
    #[must_use]
    pub fn standing(&self, flag: &str) -> Standing {
        if self.unusable.contains(flag) {
            return Standing::Unusable;
        }
        self.shapes.get(flag).map_or(Standing::Unknown, |shape| Standing::Known(*shape))
    }

    /// Evaluates a flag by its name and standing; what can't be evaluated has the default.
    #[must_use]
    pub fn evaluate(
        &self,
        flag: &str,
        standing: Standing,
        default: bool,
        variant: bool,
        context: &Context,
    ) -> Evaluated {
        let fallback = |reason| Evaluated { enabled: default, reason, variant: None };
        let shape = match standing {
            Standing::Unusable => return fallback(Reason::Unusable),
            Standing::Unknown => return fallback(Reason::Unknown),
            Standing::Known(shape) => shape,
        };
        let context = context.of_flag(flag);
        let Some(enabled) = self.engine.check_enabled(&context) else {
            return fallback(Reason::Unknown);
        };
        let variant = if enabled && variant { self.engine.check_variant(&context) } else { None };
        let variant = variant.filter(|variant| variant.enabled);
        let reason = match (shape, enabled) {
            (Shape::Off, _) => Reason::Disabled,
            (_, false) => Reason::NoMatch,
            (_, true) if variant.is_some() => Reason::Split,
            (Shape::Static, true) => Reason::Static,
            (Shape::Split, true) => Reason::Split,
            (Shape::Targeting, true) => Reason::TargetingMatch,
        };
        Evaluated { enabled, reason, variant }
    }
}
