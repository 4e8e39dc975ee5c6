//! What evaluated flags do to a request: which headers are removed and set, and what filter state says.

use crate::boundary::Admitted;
use crate::config::{HeaderSettings, Mode};
use crate::engine::Reason;
use crate::names::SOURCE;
use crate::serve::{Outcome, Served};

/// What happens to a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects<'a> {
    /// Names to remove, every copy of each.
    pub remove: Vec<&'a [u8]>,
    /// Headers to set, each in place of any there is.
    pub set: Vec<(&'a str, std::borrow::Cow<'a, str>)>,
    /// What goes to filter state, where anything does.
    pub state: Option<String>,
}

/// The changes to a request. `outcomes` are those of the exposed flags in their order; none where nothing was evaluated.
#[must_use]
pub fn effects<'a>(
    mode: Mode,
    headers: &'a HeaderSettings,
    filter_state: bool,
    admitted: &'a Admitted,
    served: &'a Served,
    outcomes: Option<&'a [Outcome]>,
) -> Effects<'a> {
    let mut effects = Effects::default();
    if let Some(outcomes) = outcomes.filter(|_| mode == Mode::Enforce) {
        let all_given = outcomes.iter().all(|outcome| outcome.reason == Reason::Given) && !outcomes.is_empty();
        if headers.each {
            effects.set.reserve(outcomes.len().saturating_add(2));
            set_each(&mut effects, admitted, served, outcomes);
        }
        if headers.source && !(all_given && admitted.headers.get(SOURCE.as_bytes()).is_some()) {
            effects.set.push((SOURCE, served.origin.as_str().into()));
        }
        if headers.all.is_some() || filter_state {
            let line = one_line(served, outcomes);
            match (&headers.all, filter_state) {
                (Some(name), false) => effects.set.push((name.as_str(), line.into())),
                (Some(name), true) => {
                    effects.set.push((name.as_str(), line.clone().into()));
                    effects.state = Some(line);
                }
                (None, _) => effects.state = Some(line),
            }
        }
    }
    // setting a header takes the place of every copy, so that one is not removed beforehand
    let is_set = |name: &[u8]| effects.set.iter().any(|(set, _)| set.as_bytes() == name);
    effects.remove = admitted.removed.iter().copied().filter(|name| !is_set(name)).collect();
    effects
}

fn set_each<'a>(effects: &mut Effects<'a>, admitted: &Admitted, served: &'a Served, outcomes: &'a [Outcome]) {
    for (exposed, outcome) in served.exposed.iter().zip(outcomes) {
        // a verified peer's headers stay as they are; what it said in the header for all may lack them
        let stays = |name: &str| outcome.reason == Reason::Given && admitted.headers.get(name.as_bytes()).is_some();
        let names = &exposed.headers;
        if !stays(&names.flag) {
            effects.set.push((&names.flag, truth(outcome.enabled).into()));
        }
        if exposed.flag.variant && !stays(&names.variant) {
            effects.set.extend(outcome.variant_text().map(|text| (names.variant.as_str(), text.into())));
        }
        if !stays(&names.payload) {
            effects.set.extend(outcome.payload_text.as_deref().map(|text| (names.payload.as_str(), text.into())));
        }
    }
}

/// All flags in one value, in the grammar of W3C Baggage: `a=true,b=true;variant=blue`.
fn one_line(served: &Served, outcomes: &[Outcome]) -> String {
    let mut line = String::with_capacity(outcomes.len().saturating_mul(32));
    for (exposed, outcome) in served.exposed.iter().zip(outcomes) {
        if !line.is_empty() {
            line.push(',');
        }
        line.push_str(&exposed.headers.name);
        line.push('=');
        line.push_str(truth(outcome.enabled));
        if let Some(variant) = outcome.variant_text().filter(|_| exposed.flag.variant) {
            line.push_str(";variant=");
            line.push_str(&variant);
        }
    }
    line
}

fn truth(enabled: bool) -> &'static str {
    if enabled { "true" } else { "false" }
}
