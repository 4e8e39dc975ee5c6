//! A rule, checked: every arm that is named exists, the weights fit, the lists are bounded.

use filter_config::schema::Definitions;
use filter_config::{Keyed, Name, Path, Read, Report, serde_json::Value};
use filter_request::{HeaderMatch, HeaderName, HostPattern, Identity, Request, RequestMatch, cookie};
use filter_request::{host_matches, matches_any};

use crate::split::{Share, Split};
use crate::written::{Arm, Mode, NoIdentity, Override, WrittenRule};

/// The most users that the overrides of one rule may name, all together. They are read at each change of configuration, in
/// each worker; more are a segment's job.
pub const MOST_USERS: usize = 1_000;

/// Which arm: its place in [`Rule::arms`]. The baseline is 0, canary arms follow in their order.
pub type ArmIndex = usize;
/// The baseline's [`ArmIndex`].
pub const BASELINE: ArmIndex = 0;

/// One rollout, ready to decide.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name.
    pub name: Name,
    /// What is done with its decisions.
    pub mode: Mode,
    /// What the hash is salted with.
    pub salt: String,
    /// The baseline, then the canary arms.
    pub arms: Vec<Name>,
    /// Who gets which.
    pub split: Split,
    /// What a request without an id gets.
    pub no_identity: NoIdentity,
    /// Whether it stands for one that could not be read: it keeps that one's requests from later rules, and is off.
    pub broken: bool,
    hosts: Vec<HostPattern>,
    ways: Vec<RequestMatch>,
    overrides: Vec<CheckedOverride>,
}

#[derive(Clone, Debug)]
struct CheckedOverride {
    arm: ArmIndex,
    headers: Keyed<HeaderName, HeaderMatch>,
    cookies: Keyed<String, HeaderMatch>,
    /// Sorted; empty for any user.
    users: Vec<String>,
}

impl Rule {
    /// A rule that takes the requests of one that could not be read, and is off. None where not even its requests are told.
    #[must_use]
    pub fn stand_in(written: &Value, name: Name) -> Option<Self> {
        let mut report = Report::default();
        let hosts = written.get("hosts").map_or(Some(Vec::new()), |v| Read::read(v, &Path::Root, &mut report))?;
        let ways = written.get("match").map_or(Some(Vec::new()), |v| Read::read(v, &Path::Root, &mut report))?;
        Some(Self {
            name,
            mode: Mode::Off,
            salt: String::new(),
            arms: Vec::new(),
            split: Split::default(),
            no_identity: NoIdentity::Unset,
            broken: true,
            hosts,
            ways,
            overrides: Vec::new(),
        })
    }

    /// Whether a request is this rule's.
    #[must_use]
    pub fn is_for(&self, request: &Request) -> bool {
        host_matches(&self.hosts, &request.host) && matches_any(&self.ways, request)
    }

    /// Whether it is for every request, so that no later rule is ever reached.
    #[must_use]
    pub fn is_for_all(&self) -> bool {
        self.ways.is_empty() && (self.hosts.is_empty() || self.hosts.contains(&HostPattern::Any))
    }

    /// Whether an override names users.
    #[must_use]
    pub fn names_users(&self) -> bool {
        self.overrides.iter().any(|known| !known.users.is_empty())
    }

    /// The arm's name.
    #[must_use]
    pub fn arm(&self, arm: ArmIndex) -> Option<&Name> {
        self.arms.get(arm)
    }

    /// The arm of that name.
    #[must_use]
    pub fn arm_named(&self, name: &[u8]) -> Option<ArmIndex> {
        self.arms.iter().position(|arm| arm.as_str().as_bytes() == name)
    }

    /// The arm that a bucket belongs to.
    #[must_use]
    pub fn arm_of(&self, bucket: u16) -> ArmIndex {
        self.split.arm_of(bucket).map_or(BASELINE, |canary| canary.saturating_add(1))
    }

    /// The first override that holds for a request: its place in the list, and its arm.
    pub fn overridden<'i>(
        &self,
        request: &Request,
        identity: impl Fn() -> Option<&'i Identity<'i>>,
    ) -> Option<(usize, ArmIndex)> {
        self.overrides.iter().enumerate().find_map(|(place, known)| {
            let headers = known.headers.0.iter().all(|(name, compare)| request.header_matches(name, compare));
            let cookie = |name: &String| cookie(request.headers, name.as_bytes());
            let holds = headers
                && known.cookies.0.iter().all(|(name, compare)| compare.matches(cookie(name)))
                && (known.users.is_empty() || identity().is_some_and(|identity| known.has(identity)));
            holds.then_some((place, known.arm))
        })
    }

    /// The request headers that its overrides read.
    pub fn reads_headers(&self) -> impl Iterator<Item = &str> {
        self.overrides.iter().flat_map(|known| {
            let cookies = (!known.cookies.0.is_empty()).then_some("cookie");
            known.headers.0.iter().map(|(name, _)| name.as_str()).chain(cookies)
        })
    }
}

impl CheckedOverride {
    fn has(&self, identity: &Identity) -> bool {
        identity.trusted && self.users.binary_search_by(|user| user.as_bytes().cmp(&identity.id)).is_ok()
    }
}

impl Read for Rule {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let written = WrittenRule::read(value, at, report)?;
        let before = report.errors.len();
        let arms = check_arms(&written, at, report);
        let shares: Vec<Share> =
            written.arms.iter().map(|Arm { weight, lane, .. }| Share { weight: *weight, lane: *lane }).collect();
        let split = Split::new(&shares, &at.field("arms"), report);
        let overrides = check_overrides(written.overrides, &arms, at, report);
        if written.salt.is_empty() {
            report.error(&at.field("salt"), "is empty");
        }
        if report.errors.len() > before {
            return None;
        }
        Some(Self {
            name: written.name,
            mode: written.mode,
            salt: written.salt,
            arms,
            split: split?,
            no_identity: written.no_identity,
            broken: false,
            hosts: written.hosts,
            ways: written.ways,
            overrides,
        })
    }

    fn schema(definitions: &mut Definitions) -> Value {
        WrittenRule::schema(definitions)
    }
}

/// The baseline and the arms, each name once.
fn check_arms(written: &WrittenRule, at: &Path, report: &mut Report) -> Vec<Name> {
    let mut arms = vec![written.baseline.clone()];
    let list = at.field("arms");
    for (index, arm) in written.arms.iter().enumerate() {
        if arms.contains(&arm.name) {
            let role = if arm.name == written.baseline { "the baseline" } else { "another arm" };
            let message = format!("{} is also the name of {role}", arm.name.as_str());
            report.error(&list.index(index).field("name"), message);
        }
        arms.push(arm.name.clone());
    }
    arms
}

fn check_overrides(written: Vec<Override>, arms: &[Name], at: &Path, report: &mut Report) -> Vec<CheckedOverride> {
    let list = at.field("overrides");
    let users: usize = written.iter().map(|known| known.users.len()).sum();
    if users > MOST_USERS {
        let message = format!(
            "name {users} users, over {MOST_USERS}; keep such a list in an unleash segment and steer the arm by a flag"
        );
        report.error(&list, message);
    }
    let checked = written.into_iter().enumerate().filter_map(|(index, known)| {
        let at = list.index(index);
        if known.headers.0.is_empty() && known.cookies.0.is_empty() && known.users.is_empty() {
            report.error(&at, "holds none of headers, cookies, users; one is needed");
        }
        let arm = arms.iter().position(|arm| *arm == known.arm);
        if arm.is_none() {
            let allowed: Vec<&str> = arms.iter().map(Name::as_str).collect();
            report.error(&at.field("arm"), format!("{} is not one of {}", known.arm.as_str(), allowed.join(", ")));
        }
        let mut users = known.users;
        users.sort_unstable();
        Some(CheckedOverride { arm: arm?, headers: known.headers, cookies: known.cookies, users })
    });
    checked.collect()
}
