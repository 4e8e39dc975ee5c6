//! What an instance runs, and which requests are guarded by it: a rule, or the paths that are known without any.

mod json_path;
mod known;

use std::borrow::Cow;
use std::fmt;

use filter_config::schema::Definitions;
use filter_config::serde_json::Value;
use filter_config::{Name, Path, Read, Report};
use filter_request::{HostPattern, Request, RequestMatch, host_matches, matches_any};

use crate::config::{Action, Api, AuditSettings, Custom, Direction, EntityAction, Limits, Mode, OnError, WrittenRule};
use crate::detect::{Entity, EntitySet};
use crate::gate::Gate;
use crate::style::Style;

pub use json_path::{JsonPath, Place, Step};
pub use known::{Endpoint, cleaned, known};

/// The name under which requests are told that no rule names.
pub const BUILT_IN: &str = "built-in";

/// Why a guard can't do its work, so that in `enforce` what it guards is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The configuration, or its settings.
    Settings,
    /// The rule.
    Rule,
    /// A custom pattern, which would be looked for everywhere.
    Pattern,
}

impl Fault {
    /// As events, metrics and answers tell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "settings_broken",
            Self::Rule => "rule_broken",
            Self::Pattern => "pattern_broken",
        }
    }
}

/// How much is known of a rule that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Which requests it is for: it stands in its place.
    Exact,
    /// Less, so that it takes more than it would: a later rule that guards as much goes before it.
    Guess,
}

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name.
    pub name: Name,
    /// The hosts.
    pub hosts: Vec<HostPattern>,
    /// The requests; none for all.
    pub ways: Vec<RequestMatch>,
    /// Whether it is also for the known paths of the APIs, in place of requests that can't be read.
    pub known: bool,
    /// The API.
    pub api: Api,
    /// Which values of `json` are text; none for all.
    pub paths: Vec<JsonPath>,
    /// What is done with requests.
    pub request: Action,
    /// What is done with answers.
    pub response: Action,
    /// Whether values are put back.
    pub restore: bool,
    /// What is done with what is found; none for what the configuration says.
    pub mode: Option<Mode>,
    /// Whether connections may be upgraded.
    pub allow_upgrade: bool,
    /// What becomes of what can't be read; none for what the configuration says.
    pub on_error: Option<OnError>,
    /// Whether it is wrong, and stands for what it would guard.
    pub broken: Option<Broken>,
}

impl Read for Rule {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let written = WrittenRule::read(value, at, report);
        let before = report.errors.len();
        let filled = |field: &str| value.get(field).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
        let api = value.get("api").and_then(Value::as_str);
        if filled("paths") && api.is_some_and(|api| api != Api::Json.as_str()) {
            report.error(
                &at.field("paths"),
                format!("is for api json; {} knows where its text stands", api.unwrap_or_default()),
            );
        }
        if value.get("hosts").and_then(Value::as_array).is_some_and(Vec::is_empty) {
            report.error(&at.field("hosts"), "is empty; \"*\" names every host");
        }
        let written = written.filter(|_| report.errors.len() == before)?;
        Some(Self {
            name: written.name,
            hosts: written.hosts,
            ways: written.ways,
            known: false,
            api: written.api,
            paths: written.paths,
            request: written.request.action,
            response: written.response.action,
            restore: written.response.restore,
            mode: written.mode,
            allow_upgrade: written.allow_upgrade,
            on_error: written.on_error,
            broken: None,
        })
    }

    fn schema(definitions: &mut Definitions) -> Value {
        WrittenRule::schema(definitions)
    }
}

/// Whether an action keeps values from passing.
const fn protects(action: Action) -> bool {
    matches!(action, Action::Redact | Action::Block)
}

/// A request, and the other ways to spell its path.
struct Spelled<'r> {
    request: &'r Request<'r>,
    /// In its plainest spelling.
    clean: Cow<'r, [u8]>,
    /// The same in lower case, where that differs.
    lower: Option<Vec<u8>>,
}

impl<'r> Spelled<'r> {
    fn new(request: &'r Request<'r>) -> Self {
        let clean = cleaned(request.path);
        let lower = clean.iter().any(u8::is_ascii_uppercase).then(|| clean.to_ascii_lowercase());
        Self { request, clean, lower }
    }

    fn matches(&self, ways: &[RequestMatch]) -> bool {
        matches_any(ways, self.request)
    }

    fn matches_as(&self, path: &[u8], ways: &[RequestMatch]) -> bool {
        path != self.request.path && matches_any(ways, &Request { path, ..self.request.clone() })
    }
}

impl Rule {
    /// Whether it keeps values from passing in one direction.
    #[must_use]
    pub fn protects(&self) -> bool {
        protects(self.request) || protects(self.response)
    }

    /// Whether a request is meant. A rule that protects is for every spelling of a path; one that lets pass only for a path that
    /// it names as it stands and in its plainest spelling.
    fn is_for(&self, spelled: &Spelled, weak: bool) -> bool {
        if !host_matches(&self.hosts, &spelled.request.host) {
            return false;
        }
        if self.known && known(spelled.request.method, spelled.request.path).is_some() {
            return true;
        }
        if self.ways.is_empty() {
            return !self.known;
        }
        let written = spelled.matches(&self.ways);
        let plain = || *spelled.clean == *spelled.request.path || spelled.matches_as(&spelled.clean, &self.ways);
        if weak {
            return written && plain();
        }
        let lower = spelled.lower.as_deref();
        written
            || spelled.matches_as(&spelled.clean, &self.ways)
            || lower.is_some_and(|lower| spelled.matches_as(lower, &self.ways))
    }
}

/// A secret key. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

/// What becomes of values, by kind.
#[derive(Clone, Debug)]
pub struct Actions(pub Vec<(String, EntityAction)>);

impl Actions {
    /// That of a kind by its name.
    #[must_use]
    pub fn of(&self, name: &str) -> EntityAction {
        self.0.iter().find(|(kind, _)| kind == name).map_or(EntityAction::Redact, |(_, action)| *action)
    }

    /// That of a built-in kind.
    #[must_use]
    pub fn of_entity(&self, entity: Entity) -> EntityAction {
        self.of(entity.name())
    }
}

/// What an instance runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is done with what is found, where a rule does not say.
    pub mode: Mode,
    /// Where the proxy stands.
    pub direction: Direction,
    /// Who decides whether a request is guarded; none where every one is.
    pub gate: Option<Gate>,
    /// The rules, in their order.
    pub rules: Vec<Rule>,
    /// Whether the known paths of the APIs are guarded without a rule.
    pub recognises: bool,
    /// The built-in kinds that are looked for.
    pub entities: EntitySet,
    /// What becomes of values, by kind.
    pub actions: Actions,
    /// How sure a match has to be, from 0 to 100.
    pub min_confidence: u8,
    /// The form of placeholders.
    pub style: Style,
    /// The key that makes placeholders the same in every request, and hashes.
    pub key: Option<Secret>,
    /// The custom patterns, in their order.
    pub custom: Vec<Custom>,
    /// Values that stay.
    pub never: Vec<String>,
    /// Words that are always taken out.
    pub always: Vec<String>,
    /// What becomes of what can't be read, where a rule does not say.
    pub on_error: OnError,
    /// What one request may cost.
    pub limits: Limits,
    /// What is told.
    pub audit: AuditSettings,
    /// Why nothing can be guarded as it should be.
    pub fault: Option<Fault>,
}

/// How a request is guarded.
#[derive(Clone, Copy, Debug)]
pub struct Chosen<'s> {
    /// The rule; none for a known path.
    pub rule: Option<&'s Rule>,
    /// The API.
    pub api: Api,
    /// What is asked of it.
    pub endpoint: Endpoint,
    /// What is done with what is found; never `off`.
    pub mode: Mode,
    /// What is done with the request.
    pub request: Action,
    /// What is done with the answer.
    pub response: Action,
    /// Whether values are put back.
    pub restore: bool,
    /// Whether the connection may be upgraded.
    pub allow_upgrade: bool,
    /// What becomes of what can't be read.
    pub on_error: OnError,
    /// Which values of `json` are text; none for all.
    pub paths: &'s [JsonPath],
    /// Why this can't be done, so that in `enforce` the request is refused, whatever `on_error` says.
    pub fault: Option<Fault>,
}

impl Chosen<'_> {
    /// The rule's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.rule.map_or(BUILT_IN, |rule| rule.name.as_str())
    }

    /// Whether the request is refused before any of it is looked at, and why.
    #[must_use]
    pub fn refused(&self) -> Option<Fault> {
        self.fault.filter(|_| self.mode == Mode::Enforce)
    }
}

impl Settings {
    /// How a request is guarded; none where it passes untouched. The first rule that is for it decides.
    #[must_use]
    pub fn select(&self, request: &Request) -> Option<Chosen<'_>> {
        if self.mode == Mode::Off {
            return None;
        }
        if self.rules.is_empty() {
            return self.recognised(request);
        }
        let spelled = Spelled::new(request);
        let strictest = self.rules.iter().map(|rule| self.mode_of(rule)).max().unwrap_or(self.mode);
        let mut guess: Option<&Rule> = None;
        for rule in &self.rules {
            let weak = !rule.protects() || self.mode_of(rule) < strictest;
            if !rule.is_for(&spelled, weak) {
                continue;
            }
            if rule.broken == Some(Broken::Guess) {
                guess.get_or_insert(rule);
                continue;
            }
            let chosen = guess.filter(|guess| !self.guards_as_much(rule, guess)).unwrap_or(rule);
            return self.chosen(chosen, request);
        }
        guess.and_then(|rule| self.chosen(rule, request)).or_else(|| self.recognised(request))
    }

    fn mode_of(&self, rule: &Rule) -> Mode {
        rule.mode.unwrap_or(self.mode)
    }

    /// Whether a rule keeps from passing what another would.
    fn guards_as_much(&self, rule: &Rule, other: &Rule) -> bool {
        let both = |one: Action, other: Action| protects(one) || !protects(other);
        self.mode_of(rule) >= self.mode_of(other)
            && both(rule.request, other.request)
            && both(rule.response, other.response)
    }

    fn recognised(&self, request: &Request) -> Option<Chosen<'_>> {
        let (api, endpoint) = self.recognises.then(|| known(request.method, request.path)).flatten()?;
        Some(Chosen {
            rule: None,
            api,
            endpoint,
            mode: self.mode,
            request: Action::Redact,
            response: Action::Redact,
            restore: true,
            allow_upgrade: false,
            on_error: self.on_error,
            paths: &[],
            fault: self.fault,
        })
    }

    fn chosen<'s>(&'s self, rule: &'s Rule, request: &Request) -> Option<Chosen<'s>> {
        let mode = self.mode_of(rule);
        // where requests pass there is nothing to put back either
        if mode == Mode::Off || (rule.request == Action::Pass && rule.response == Action::Pass) {
            return None;
        }
        let fault = rule.broken.map(|_| Fault::Rule).or(self.fault);
        // what is refused is refused in the API's own form
        let by_path = rule.broken.and_then(|_| known(request.method, request.path));
        let (api, endpoint) = by_path.unwrap_or_else(|| (rule.api, Endpoint::of(rule.api, request.path)));
        Some(Chosen {
            rule: Some(rule),
            api,
            endpoint,
            mode,
            request: rule.request,
            response: rule.response,
            restore: rule.restore,
            allow_upgrade: rule.allow_upgrade,
            on_error: rule.on_error.unwrap_or(self.on_error),
            paths: &rule.paths,
            fault: fault.filter(|_| rule.protects()),
        })
    }
}
