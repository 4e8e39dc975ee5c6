//! What a decision does to headers: those of the request on its way in, those of the response on its way out.

use filter_request::Pairs;

use crate::boundary::Admitted;
use crate::decide::Decision;
use crate::load::Policy;
use crate::written::{Anonymous, ArmCaching, MaxAge, Mode};

/// What happens to a request's headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestEffects<'a> {
    /// Names to remove, every copy of each.
    pub remove: Vec<&'a [u8]>,
    /// The arm header's new value, in place of any there is.
    pub arm: Option<&'a str>,
}

/// The changes to a request: what was not admitted goes, and the arm is set. The kill switch leaves no arm header at all,
/// not even a verified peer's.
#[must_use]
pub fn request_effects<'a>(
    policy: &'a Policy,
    admitted: &'a Admitted,
    decision: Option<&Decision>,
) -> RequestEffects<'a> {
    let arm_header = policy.settings.arm_header.as_str().as_bytes();
    let enforced = decision.filter(|decision| decision.mode == Mode::Enforce);
    let rule = enforced.and_then(|decision| policy.rules.get(decision.rule));
    let arm = enforced.and_then(|decision| decision.arm).zip(rule).and_then(|(arm, rule)| rule.arm(arm));
    // setting a header takes the place of every copy, so that one is not removed beforehand
    let mut remove: Vec<&[u8]> =
        admitted.removed.iter().copied().filter(|name| arm.is_none() || *name != arm_header).collect();
    let off = decision.is_some_and(|decision| decision.mode == Mode::Off);
    if off && admitted.headers.get(arm_header).is_some() {
        remove.push(arm_header);
    }
    RequestEffects { remove, arm: arm.map(|arm| arm.as_str()) }
}

/// A change to a response's headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderChange {
    /// One more header, beside any of its name.
    Add(String, String),
    /// The only header of its name.
    Set(String, String),
    /// No header of its name.
    Remove(String),
}

/// Whether a decision changes anything in the response, so that its headers have to be read. A rule that is off still
/// tells why, where that is asked for; one that reports changes nothing.
#[must_use]
pub fn changes_response(policy: &Policy, decision: &Decision) -> bool {
    let settings = &policy.settings;
    let marked = decision.issued.is_some() || (decision.arm.is_some() && settings.arm_caching != ArmCaching::Unmarked);
    decision.mode != Mode::Report && (settings.echo || marked)
}

/// The changes to a response.
#[must_use]
pub fn response_effects(policy: &Policy, decision: &Decision, response: &Pairs) -> Vec<HeaderChange> {
    let mut changes = Vec::new();
    if !changes_response(policy, decision) {
        return changes;
    }
    let settings = &policy.settings;
    let rule = policy.rules.get(decision.rule);
    if let Some((anonymous, id)) = settings.anonymous.as_ref().zip(decision.issued.as_ref()) {
        changes.push(HeaderChange::Add("set-cookie".to_owned(), set_cookie(anonymous, id)));
    }
    let depends = decision.arm.is_some();
    let private = decision.issued.is_some() || (depends && settings.arm_caching == ArmCaching::Private);
    if private {
        changes.extend(private_changes(response));
    }
    if depends && settings.arm_caching == ArmCaching::Vary {
        changes.extend(vary_change(policy, decision, response));
    }
    if settings.echo {
        let arm = decision.arm.zip(rule).and_then(|(arm, rule)| rule.arm(arm));
        let name = settings.arm_header.as_str().to_owned();
        changes.push(match arm {
            Some(arm) => HeaderChange::Set(name, arm.as_str().to_owned()),
            None => HeaderChange::Remove(name),
        });
        let reason = decision.reason.as_str().to_owned();
        changes.push(HeaderChange::Set(settings.reason_header.as_str().to_owned(), reason));
    }
    changes
}

fn set_cookie(anonymous: &Anonymous, id: &str) -> String {
    let mut cookie = format!("{}={id}; Path={}", anonymous.cookie.0, anonymous.path.0);
    if let Some(domain) = &anonymous.domain {
        cookie.push_str("; Domain=");
        cookie.push_str(&domain.0);
    }
    if let MaxAge::For(duration) = anonymous.max_age {
        let seconds = std::time::Duration::from(duration).as_secs();
        cookie.push_str(&format!("; Max-Age={seconds}"));
    }
    cookie.push_str("; SameSite=");
    cookie.push_str(anonymous.same_site.as_str());
    if anonymous.secure {
        cookie.push_str("; Secure");
    }
    if anonymous.http_only {
        cookie.push_str("; HttpOnly");
    }
    cookie
}

/// Makes sure that no shared cache keeps a response, whatever the service said: `cache-control` loses what allows it and
/// gains `private` (RFC 9111, 5.2.2), and headers meant for such caches alone (RFC 9213) go.
fn private_changes(response: &Pairs) -> Vec<HeaderChange> {
    let mut directives: Vec<String> = Vec::new();
    for value in response.all(b"cache-control") {
        for directive in String::from_utf8_lossy(value).split(',') {
            let directive = directive.trim();
            let name = directive.split('=').next().unwrap_or_default().trim().to_ascii_lowercase();
            // `private="field"` guards single fields only, so it gives way to the plain one as well
            if !matches!(name.as_str(), "" | "public" | "s-maxage" | "private") {
                directives.push(directive.to_owned());
            }
        }
    }
    directives.insert(0, "private".to_owned());
    let mut changes = vec![HeaderChange::Set("cache-control".to_owned(), directives.join(", "))];
    for (name, _) in response {
        let targeted = name.ends_with(b"cdn-cache-control") || name == b"surrogate-control";
        let removal = HeaderChange::Remove(String::from_utf8_lossy(name).into_owned());
        if targeted && !changes.contains(&removal) {
            changes.push(removal);
        }
    }
    changes
}

/// Names the request headers that the decision may read in `vary`, beside what the service names there.
fn vary_change(policy: &Policy, decision: &Decision, response: &Pairs) -> Option<HeaderChange> {
    let settings = &policy.settings;
    let given: Vec<String> = response
        .all(b"vary")
        .flat_map(|value| {
            String::from_utf8_lossy(value).split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>()
        })
        .filter(|name| !name.is_empty())
        .collect();
    if given.iter().any(|name| name == "*") {
        return None;
    }
    let sources = settings.identity.iter().filter_map(|source| source.reads_header());
    let cookie = settings.anonymous.is_some().then_some("cookie");
    let overrides = policy.rules.get(decision.rule).into_iter().flat_map(|rule| rule.reads_headers());
    let mut names = given.clone();
    for name in sources.chain(cookie).chain(overrides) {
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name.to_owned());
        }
    }
    (names.len() > given.len()).then(|| HeaderChange::Set("vary".to_owned(), names.join(", ")))
}
