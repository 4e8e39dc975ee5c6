//! What the exposed flags come to for one request.

use filter_request::{Request, host_matches, matches_any};

use crate::Policy;
use crate::boundary::Admitted;
use crate::config::Mode;
use crate::context::{Context, Proxy, of_request};
use crate::serve::{Exposed, Outcome, Served};

/// Evaluates the exposed flags for a request, in their order. None where the request gets no flags: it does not match, or
/// the mode is off.
#[must_use]
pub fn decide(
    policy: &Policy,
    served: &Served,
    admitted: &Admitted,
    request: &Request,
    proxy: &dyn Proxy,
) -> Option<Vec<Outcome>> {
    let settings = &policy.settings;
    let wanted = settings.mode != Mode::Off
        && host_matches(&settings.hosts, &request.host)
        && matches_any(&settings.ways, request);
    if !wanted {
        return None;
    }
    let given = |exposed: &Exposed| admitted.given.get(&exposed.headers.name);
    let all_given = !admitted.given.is_empty() && served.exposed.iter().all(|exposed| given(exposed).is_some());
    let context = match served.compiled.as_ref().filter(|_| !all_given) {
        Some(compiled) => of_request(settings, &compiled.needs, request, proxy),
        None => Context::default(),
    };
    let outcome = |exposed: &Exposed| match given(exposed) {
        Some(given) => Outcome::given(given, exposed),
        None => served.outcome(exposed, &context),
    };
    Some(served.exposed.iter().map(outcome).collect())
}
