//! The decision: which rule, which arm, and why.

use std::cell::OnceCell;

use filter_config::choice;
use filter_request::{Identity, Request, Verified, cookie, resolve};

use crate::bucket::{Placement, place};
use crate::load::Policy;
use crate::rule::{ArmIndex, BASELINE, Rule};
use crate::written::{Mode, NoIdentity, OnLogin};

choice! {
    /// Why a request got its arm. The set is closed: metrics and dashboards count on it.
    pub enum Reason {
        /// By the hash of the user's id.
        User = "user",
        /// By the hash of an anonymous id.
        Anonymous = "anonymous",
        /// An override held.
        Override = "override",
        /// A peer with a verified identity had decided before.
        Peer = "peer",
        /// There was no id, and `noIdentity` says `unset` or `baseline`.
        NoIdentity = "no_identity",
        /// There was no id, and `noIdentity` says `random`.
        Random = "random",
        /// The rule is off.
        Off = "off",
        /// The rule could not be read and has no last good form, so it is off.
        Broken = "broken",
    }
}

/// What was decided for a request that a rule is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The rule's place in the policy.
    pub rule: usize,
    /// What is done with it.
    pub mode: Mode,
    /// The arm; none where no header is set.
    pub arm: Option<ArmIndex>,
    /// Why.
    pub reason: Reason,
    /// The user's place in the rollout, where a hash decided.
    pub placement: Option<Placement>,
    /// The override that held.
    pub overridden: Option<usize>,
    /// Whether the request came without an id.
    pub without_identity: bool,
    /// The anonymous id that the visitor is given with the response.
    pub issued: Option<String>,
}

/// Sixteen bytes by chance; none where the host has none.
pub type Chance<'c> = &'c dyn Fn() -> Option<[u8; 16]>;

/// Decides for one request whose headers were admitted ([`crate::admit`]); none where no rule is for it.
pub fn decide(policy: &Policy, request: &Request, verified: &dyn Verified, chance: Chance) -> Option<Decision> {
    let (index, rule) = policy.rules.iter().enumerate().find(|(_, rule)| rule.is_for(request))?;
    let mode = rule.mode.min(policy.settings.mode);
    let decision = Decision {
        rule: index,
        mode,
        arm: None,
        reason: Reason::Off,
        placement: None,
        overridden: None,
        without_identity: false,
        issued: None,
    };
    if rule.broken {
        return Some(Decision { reason: Reason::Broken, ..decision });
    }
    if mode == Mode::Off {
        return Some(decision);
    }
    if let Some(arm) = inherited(policy, rule, request) {
        return Some(Decision { arm: Some(arm), reason: Reason::Peer, ..decision });
    }
    let found = OnceCell::new();
    let identity = || found.get_or_init(|| resolve(&policy.settings.identity, request, verified)).as_ref();
    if let Some((place, arm)) = rule.overridden(request, identity) {
        return Some(Decision { arm: Some(arm), reason: Reason::Override, overridden: Some(place), ..decision });
    }
    Some(by_identity(policy, rule, request, identity, chance, decision))
}

/// The arm that a verified peer has decided already, if this rule knows it. Any other peer's value was not admitted.
fn inherited(policy: &Policy, rule: &Rule, request: &Request) -> Option<ArmIndex> {
    rule.arm_named(request.headers.get(policy.settings.arm_header.as_str().as_bytes())?)
}

fn by_identity<'i>(
    policy: &Policy,
    rule: &Rule,
    request: &'i Request,
    identity: impl Fn() -> Option<&'i Identity<'i>>,
    chance: Chance,
    decision: Decision,
) -> Decision {
    let anonymous = policy.settings.anonymous.as_ref();
    let known = || {
        let value = cookie(request.headers, anonymous?.cookie.0.as_bytes())?;
        (!value.is_empty()).then_some((value, Reason::Anonymous))
    };
    let user = || identity().map(|identity| (&*identity.id, Reason::User));
    let keeps = anonymous.is_some_and(|anonymous| anonymous.on_login == OnLogin::Keep);
    let id = if keeps { known().or_else(user) } else { user().or_else(known) };
    if let Some((id, reason)) = id {
        return hashed(rule, id, reason, decision);
    }
    let decision = Decision { without_identity: true, ..decision };
    let issues = anonymous.is_some() && decision.mode == Mode::Enforce;
    if let Some(id) = issues.then(chance).flatten().map(|bytes| hex(&bytes)) {
        return Decision { issued: Some(id.clone()), ..hashed(rule, id.as_bytes(), Reason::Anonymous, decision) };
    }
    match rule.no_identity {
        NoIdentity::Unset => Decision { reason: Reason::NoIdentity, ..decision },
        NoIdentity::Baseline => Decision { arm: Some(BASELINE), reason: Reason::NoIdentity, ..decision },
        NoIdentity::Random => match chance() {
            Some(bytes) => Decision { reason: Reason::Random, ..hashed(rule, &bytes, Reason::Random, decision) },
            None => Decision { arm: Some(BASELINE), reason: Reason::NoIdentity, ..decision },
        },
    }
}

fn hashed(rule: &Rule, id: &[u8], reason: Reason, decision: Decision) -> Decision {
    let placement = place(&rule.salt, id);
    Decision { arm: Some(rule.arm_of(placement.bucket)), reason, placement: Some(placement), ..decision }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
