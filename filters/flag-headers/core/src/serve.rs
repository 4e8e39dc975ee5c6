//! What is served at a moment: which flags, from where, and what each comes to for a context.

use std::collections::HashSet;
use std::rc::Rc;

use filter_config::choice;

use crate::Policy;
use crate::boundary::Given;
use crate::context::Context;
use crate::engine::{Compiled, Reason, Standing};
use crate::flag::{Flag, Payload, Selector};
use crate::names::{FlagHeaders, encoded, encoded_payload, encoded_text};

choice! {
    /// Where served values come from.
    pub enum Origin {
        /// From Unleash, by the last poll that was due.
        Live = "live",
        /// From Unleash, by an earlier poll: it does not answer now.
        Stale = "stale",
        /// From the configuration, as Unleash has not answered yet.
        Bootstrap = "bootstrap",
        /// From the configuration's defaults alone.
        Default = "default",
    }
}

/// A flag that is exposed, by its name.
#[derive(Clone, Debug)]
pub struct Exposed {
    /// Its name in Unleash.
    pub name: String,
    /// Its headers.
    pub headers: FlagHeaders,
    /// What is configured for it.
    pub flag: Flag,
    /// How it stands with Unleash.
    standing: Standing,
}

/// The flags that are served at a moment.
#[derive(Clone, Debug)]
pub struct Served {
    /// Where values come from.
    pub origin: Origin,
    /// The flags, compiled; none where only defaults are served.
    pub compiled: Option<Rc<Compiled>>,
    /// The exposed ones, in the order of the configuration; those of a prefix by name.
    pub exposed: Vec<Exposed>,
}

/// What a payload came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadFault {
    /// It does not read as its type.
    Type,
    /// It is too long for a header.
    Length,
}

/// What is handed on of a flag.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Whether it is on.
    pub enabled: bool,
    /// Why.
    pub reason: Reason,
    /// The name of its variant, `disabled` where it has none; none where that is not handed on.
    pub variant: Option<String>,
    /// Its payload, or the default in its place.
    pub payload: Option<Payload>,
    /// The payload as a header's value.
    pub payload_text: Option<String>,
    /// Why a payload gave way to the default.
    pub payload_fault: Option<PayloadFault>,
}

/// What Unleash calls the variant of a flag that has none.
pub const NO_VARIANT: &str = "disabled";

impl Served {
    /// What a configuration's flags serve from some compiled ones.
    #[must_use]
    pub fn new(flags: &[Flag], origin: Origin, compiled: Option<Rc<Compiled>>) -> Self {
        let mut known: Vec<&str> = compiled.iter().flat_map(|compiled| compiled.names()).collect();
        known.sort_unstable();
        known.dedup();
        let mut exposed: Vec<Exposed> = Vec::new();
        // of those that would share a header, one named in the configuration goes first
        let mut taken: HashSet<String> = flags
            .iter()
            .filter_map(|flag| match &flag.selector {
                Selector::Name(name) => Some(encoded(name)),
                Selector::Prefix(_) => None,
            })
            .collect();
        for flag in flags {
            let of_flag = |name: &str| Exposed {
                name: name.to_owned(),
                headers: FlagHeaders::of(name),
                flag: flag.clone(),
                standing: compiled.as_ref().map_or(Standing::Unknown, |compiled| compiled.standing(name)),
            };
            match &flag.selector {
                Selector::Name(name) => exposed.push(of_flag(name)),
                Selector::Prefix(prefix) => {
                    let more = known.iter().filter(|name| name.starts_with(prefix.as_str())).map(|name| of_flag(name));
                    exposed.extend(more.filter(|exposed| taken.insert(exposed.headers.name.clone())));
                }
            }
        }
        Self { origin, compiled, exposed }
    }

    /// What a policy serves before Unleash has answered: its bootstrap, or else defaults alone.
    #[must_use]
    pub fn at_start(policy: &Policy) -> Self {
        let bootstrap = policy.bootstrap.as_deref().and_then(|document| Compiled::compile(document).ok()).map(Rc::new);
        let origin = if bootstrap.is_some() { Origin::Bootstrap } else { Origin::Default };
        Self::new(&policy.flags, origin, bootstrap)
    }

    /// The exposed flag of a name; none for any other, whether Unleash knows it or not.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<(usize, &Exposed)> {
        self.exposed.iter().enumerate().find(|(_, exposed)| exposed.name == name)
    }

    /// What one flag comes to.
    #[must_use]
    pub fn outcome(&self, exposed: &Exposed, context: &Context) -> Outcome {
        let Flag { default, variant, payload, .. } = &exposed.flag;
        let wanted = *variant || payload.is_some();
        let (enabled, reason, found) = match &self.compiled {
            Some(compiled) => {
                let evaluated = compiled.evaluate(&exposed.name, exposed.standing, *default, wanted, context);
                (evaluated.enabled, evaluated.reason, evaluated.variant)
            }
            None => (*default, Reason::NoState, None),
        };
        let mut outcome =
            Outcome { enabled, reason, variant: None, payload: None, payload_text: None, payload_fault: None };
        if let Some(settings) = payload {
            let given = found.as_ref().and_then(|variant| variant.payload.as_ref());
            let read = given.map(|given| Payload::parse(&given.value, settings.kind).ok_or(PayloadFault::Type));
            let fits = read.map(|read| read.and_then(|payload| fitting(payload, settings.max_bytes)));
            let chosen = match fits {
                Some(Ok(payload)) => Some(payload),
                Some(Err(fault)) => {
                    outcome.payload_fault = Some(fault);
                    None
                }
                None => None,
            };
            let chosen =
                chosen.or_else(|| settings.default.clone().map(|payload| (encoded_payload(&payload), payload)));
            if let Some((text, payload)) = chosen {
                (outcome.payload, outcome.payload_text) = (Some(payload), Some(text));
            }
        }
        if wanted {
            outcome.variant = Some(found.map_or_else(|| NO_VARIANT.to_owned(), |variant| variant.name));
        }
        outcome
    }
}

fn fitting(payload: Payload, max_bytes: usize) -> Result<(String, Payload), PayloadFault> {
    let text = encoded_payload(&payload);
    if text.len() > max_bytes { Err(PayloadFault::Length) } else { Ok((text, payload)) }
}

impl Outcome {
    /// What a verified peer has decided. A payload is handed on as the peer wrote it; where it wrote none, the default stands
    /// for it.
    #[must_use]
    pub fn given(given: &Given, exposed: &Exposed) -> Self {
        let payload = exposed.flag.payload.as_ref().and_then(|settings| settings.default.clone());
        Self {
            enabled: given.enabled,
            reason: Reason::Given,
            variant: given.variant.clone(),
            payload_text: payload.as_ref().map(encoded_payload),
            payload,
            payload_fault: None,
        }
    }

    /// The variant's name as a header's value.
    #[must_use]
    pub fn variant_text(&self) -> Option<String> {
        self.variant.as_deref().map(encoded_text)
    }
}
