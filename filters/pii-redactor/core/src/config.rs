//! The configuration of an instance as it is written, field by field. [`crate::load()`] says what runs of it.

use std::collections::BTreeSet;

use filter_config::schema::Definitions;
use filter_config::serde_json::{Value, json};
use filter_config::{Entries, Key, Keyed, Name, Path, Read, Report, Whole, choice, object, shown};
use filter_request::{HeaderName, HostPattern, RequestMatch};

use crate::detect::{Entity, EntitySet, Patterns};
use crate::gate::{Gate, Principal};
use crate::rules::{JsonPath, Rule};
use crate::style::Style;

/// The name of what `alwaysRedact` names.
pub const TERM: &str = "CUSTOM_TERM";
/// Names that no pattern may have: they are the program's own in placeholders.
const RESERVED: [&str; 2] = [TERM, "PLACEHOLDER"];

choice! {
    /// What is done with what is found.
    pub enum Mode {
        /// Nothing is looked at, and nothing is told: the kill switch. At the top it is for every rule.
        Off = "off",
        /// Traffic passes byte for byte; what is found is counted and told.
        Observe = "observe",
        /// The same, and what would be done is told as well.
        Report = "report",
        /// What is found is dealt with.
        Enforce = "enforce",
    }
}

choice! {
    /// Where the proxy stands, seen from the application that talks to a model.
    pub enum Direction {
        /// Between the application and the provider: the application keeps its data, the provider never gets it.
        Outbound = "outbound",
        /// In front of the application, which then holds placeholders only. It sends stored conversations again, so that a
        /// value needs the
        /// same placeholder each time: `placeholder.keyEnv` has to be given.
        Inbound = "inbound",
    }
}

choice! {
    /// What happens to a request about which the gate knows nothing.
    pub enum WhenMissing {
        /// It is guarded.
        Redact = "redact",
        /// It passes untouched.
        Pass = "pass",
    }
}

choice! {
    /// The API that a rule's requests speak, which says where text stands in them.
    pub enum Api {
        /// OpenAI's: chat, completions, embeddings, Responses; also of those who speak like it.
        Openai = "openai",
        /// Anthropic's Messages.
        Anthropic = "anthropic",
        /// Google's Gemini.
        Gemini = "gemini",
        /// Any JSON: all strings, or those that `paths` names.
        Json = "json",
        /// Plain text.
        Text = "text",
    }
}

choice! {
    /// What a rule does with values in one direction.
    pub enum Action {
        /// Each is dealt with as `entities.actions` says of its kind: without, a placeholder takes its place.
        Redact = "redact",
        /// One value of a kind that is not only reported, and the whole is refused.
        Block = "block",
        /// They are told and stay.
        Report = "report",
        /// Nothing is looked at.
        Pass = "pass",
    }
}

choice! {
    /// What becomes of a value.
    pub enum EntityAction {
        /// A placeholder takes its place, which can be put back.
        Redact = "redact",
        /// All but its last four characters is hidden, for good.
        Mask = "mask",
        /// A hash under the key of `placeholder.keyEnv` takes its place, for good.
        Hash = "hash",
        /// The whole request or answer is refused.
        Block = "block",
        /// It is told and stays.
        Report = "report",
    }
}

choice! {
    /// What becomes of traffic that can't be read: JSON with mistakes, bytes that are no UTF-8, an unknown compression, a
    /// fault.
    pub enum OnError {
        /// It is refused.
        Block = "block",
        /// It passes as it is, and is counted.
        Pass = "pass",
    }
}

choice! {
    /// A set of kinds to begin with. One with a number stays as it is for ever; one without is the newest of its name.
    pub enum Preset {
        /// What is known by its own form and checks.
        Default = "default",
        /// The first of it.
        Default1 = "default@1",
        /// Also what only words around it tell: passports, dates of birth, national telephone numbers.
        All = "all",
        /// The first of it.
        All1 = "all@1",
        /// Keys, tokens and passwords only.
        Secrets = "secrets",
        /// The first of it.
        Secrets1 = "secrets@1",
        /// No kind: only what `include`, `custom` and `alwaysRedact` name.
        None = "none",
    }
}

/// What `secrets@1` holds.
const SECRETS_1: &[Entity] = &[
    Entity::UrlCredentials,
    Entity::AwsKey,
    Entity::GcpKey,
    Entity::AzureKey,
    Entity::GithubToken,
    Entity::GitlabToken,
    Entity::SlackToken,
    Entity::StripeKey,
    Entity::OpenaiKey,
    Entity::AnthropicKey,
    Entity::NpmToken,
    Entity::PypiToken,
    Entity::Jwt,
    Entity::PrivateKey,
    Entity::Secret,
];

/// What `default@1` holds besides [`SECRETS_1`].
const PERSONAL_1: &[Entity] = &[
    Entity::Email,
    Entity::Phone,
    Entity::CreditCard,
    Entity::Iban,
    Entity::UsSsn,
    Entity::UsItin,
    Entity::UkNino,
    Entity::UkNhs,
    Entity::CaSin,
    Entity::AuTfn,
    Entity::AuAbn,
    Entity::AuMedicare,
    Entity::InAadhaar,
    Entity::InPan,
    Entity::EsNif,
    Entity::ItCodiceFiscale,
    Entity::PlPesel,
    Entity::SgNric,
    Entity::DeSteuerId,
    Entity::BrCpf,
    Entity::BrCnpj,
    Entity::IpAddress,
    Entity::MacAddress,
    Entity::CryptoAddress,
];

/// What `all@1` holds besides `default@1`.
const BY_WORDS_1: &[Entity] =
    &[Entity::Passport, Entity::DrivingLicence, Entity::BankAccount, Entity::DateOfBirth, Entity::NationalPhone];

impl Preset {
    /// The kinds that it holds.
    #[must_use]
    pub fn entities(self) -> EntitySet {
        let lists: &[&[Entity]] = match self {
            Self::Default | Self::Default1 => &[PERSONAL_1, SECRETS_1],
            Self::All | Self::All1 => &[PERSONAL_1, SECRETS_1, BY_WORDS_1],
            Self::Secrets | Self::Secrets1 => &[SECRETS_1],
            Self::None => &[],
        };
        lists.iter().flat_map(|list| list.iter().copied()).collect()
    }
}

/// The built-in kind of this name.
#[must_use]
pub fn entity_of(name: &str) -> Option<Entity> {
    Entity::ALL.iter().copied().find(|entity| entity.name() == name)
}

/// A built-in kind, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Builtin(pub Entity);

impl Read for Builtin {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let read = value.as_str().and_then(entity_of);
        if read.is_none() {
            report.error(at, format!("{} is not one of {}", shown(value), names(Entity::ALL.iter())));
        }
        read.map(Self)
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({"type": "string", "enum": Entity::ALL.iter().map(|entity| entity.name()).collect::<Vec<_>>()})
    }
}

fn names<'e>(entities: impl Iterator<Item = &'e Entity>) -> String {
    entities.map(|entity| entity.name()).collect::<Vec<_>>().join(", ")
}

/// The name of a kind, built-in or custom: capitals, digits and `_`, a capital first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KindName(String);

impl KindName {
    /// The longest name, in bytes.
    const LONGEST: usize = 40;

    /// Reads a name; none where it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = text.bytes();
        let first = bytes.next().is_some_and(|byte| byte.is_ascii_uppercase());
        let rest = bytes.all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
        (first && rest && text.len() <= Self::LONGEST && !text.ends_with('_')).then(|| Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Key for KindName {
    fn from_key(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "is not the name of a kind such as EMAIL or EMPLOYEE_ID".to_owned())
    }
}

/// The name of a custom pattern, which is no built-in kind's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomName(pub KindName);

impl Read for CustomName {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let text = String::read(value, at, report)?;
        let Some(name) = KindName::parse(&text) else {
            let allowed = format!(
                "is not a pattern's name: 1 to {} of A-Z 0-9 _, a letter first and no _ last",
                KindName::LONGEST
            );
            report.error(at, format!("{} {allowed}", shown(value)));
            return None;
        };
        if entity_of(&text).is_some() || RESERVED.contains(&text.as_str()) {
            report.error(at, format!("{text} is the name of a built-in kind; choose another"));
            return None;
        }
        Some(Self(name))
    }

    fn schema(_: &mut Definitions) -> Value {
        let taken: Vec<&str> = Entity::ALL.iter().map(|entity| entity.name()).chain(RESERVED).collect();
        let last = KindName::LONGEST - 2;
        let pattern = format!("^[A-Z]([A-Z0-9_]{{0,{last}}}[A-Z0-9])?$");
        json!({"type": "string", "pattern": pattern, "not": {"enum": taken}})
    }
}

/// Text with something in it besides spaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<const LEAST: usize>(pub String);

impl<const LEAST: usize> Read for Text<LEAST> {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let text = String::read(value, at, report)?;
        let trimmed = text.trim();
        if trimmed.chars().count() < LEAST {
            let allowed = if LEAST == 1 { "is empty".to_owned() } else { format!("is under {LEAST} characters") };
            report.error(at, format!("{} {allowed}", shown(value)));
            return None;
        }
        Some(Self(trimmed.to_owned()))
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({"type": "string", "minLength": LEAST})
    }
}

/// The name of an environment variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable(pub String);

impl Read for Variable {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let text = String::read(value, at, report)?;
        let letters = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !letters || text.is_empty() || text.starts_with(|first: char| first.is_ascii_digit()) {
            report.error(at, format!("{} is not an environment variable's name: A-Z a-z 0-9 _", shown(value)));
            return None;
        }
        Some(Self(text))
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"})
    }
}

/// The name of a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagName(pub String);

impl Read for FlagName {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let text = String::read(value, at, report)?;
        if !(1..=200).contains(&text.len()) || text.chars().any(char::is_control) || text.ends_with('*') {
            report.error(at, format!("{} is not a flag's name: 1 to 200 bytes of text, and no *", shown(value)));
            return None;
        }
        Some(Self(text))
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({"type": "string", "minLength": 1, "maxLength": 200, "pattern": "[^*]$"})
    }
}

impl Read for Style {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let text = String::read(value, at, report)?;
        let read = Self::parse(&text);
        read.map_err(|wrong| report.error(at, format!("{} {wrong}", shown(value)))).ok()
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({"type": "string", "maxLength": 64, "pattern": r"^[^{]*(\{[^{]*)*\{N\}"})
    }
}

object! {
    /// Who decides whether a request is guarded. What is known from filter state outweighs a header.
    pub struct WrittenGate {
        /// The flag that decides, as flag-headers in the same proxy has put it to filter state, which no client can write.
        "flag" flag: Option<FlagName>;
        /// The header that decides, with `true` or `false`, where filter state does not. Of a `flag` it is `x-flag-` and the
        /// name, as
        /// flag-headers writes it, once a peer is trusted.
        "header" header: Option<HeaderName>;
        /// The peers whose header is believed: identities proved by mutual TLS, such as
        /// `spiffe://cluster.local/ns/devmentor-app/sa/web`; `*` for a part between two slashes.
        "fromPrincipals" from_principals: Vec<Principal> = [];
        /// Whether the header is believed from anyone: for a proxy without mutual TLS that nobody else can reach.
        "trustAnyPeer" trust_any_peer: bool = false;
        /// What happens where neither says anything.
        "whenMissing" when_missing: WhenMissing = "redact";
    }
}

object! {
    /// What is done with requests.
    pub struct RequestSide {
        /// What is done with values.
        "action" action: Action = "redact";
    }
}

object! {
    /// What is done with answers.
    pub struct ResponseSide {
        /// What is done with values that the model itself produces.
        "action" action: Action = "redact";
        /// Whether the request's own values take the place of their placeholders.
        "restore" restore: bool = true;
    }
}

object! {
    /// Which requests are guarded, and how. Of several rules that match, the first counts.
    pub struct WrittenRule {
        /// The rule's name in events and metrics; no two share one.
        "name" name: Name;
        /// The hosts: a name, `*.name` or `*`, as in a VirtualService.
        "hosts" hosts: Vec<HostPattern> = ["*"];
        /// The requests, as Istio's `HTTPMatchRequest`; one has to match. None for all. Other spellings of a path, which a
        /// provider may
        /// take for the same, match too, but for a rule that lets pass.
        "match" ways: Vec<RequestMatch> = [];
        /// The API, which says where text stands.
        "api" api: Api;
        /// Which values of `json` are text, such as `$.customer.notes`, `items[].text`, `**.comment`; all below what is
        /// named is. None for
        /// all strings.
        "paths" paths: Vec<JsonPath> = [];
        /// What is done with requests.
        "request" request: RequestSide = {};
        /// What is done with answers.
        "response" response: ResponseSide = {};
        /// What is done with what is found; without, what the configuration's `mode` says.
        "mode" mode: Option<Mode>;
        /// Whether a connection may be upgraded (WebSocket), after which nothing of it is looked at.
        "allowUpgrade" allow_upgrade: bool = false;
        /// What becomes of what can't be read; without, what the configuration's `onError` says.
        "onError" on_error: Option<OnError>;
    }
}

object! {
    /// Which kinds of values are looked for, and what becomes of each.
    pub struct EntitySettings {
        /// The set to begin with.
        "preset" preset: Preset = "default";
        /// Kinds besides those.
        "include" include: Vec<Builtin> = [];
        /// Kinds that are not looked for, whatever else says so.
        "exclude" exclude: Vec<Builtin> = [];
        /// What becomes of values, by kind: built-in, custom, or `CUSTOM_TERM` for `alwaysRedact`. Without, `redact`.
        "actions" actions: Keyed<KindName, EntityAction> = {};
        /// How sure a match has to be, from 0 to 100.
        "minConfidence" min_confidence: Whole<0, 100> = 50;
    }
}

object! {
    /// What stands for a value.
    pub struct PlaceholderSettings {
        /// Its form: `{ENTITY}` is the kind, `{N}` the number.
        "style" style: Style = "[{ENTITY}_{N}]";
        /// The environment variable of the proxy that holds a secret key of 16 bytes or more. With it, a value has the same
        /// placeholder
        /// in every request; without, placeholders are numbered within each.
        "keyEnv" key_env: Option<Variable>;
    }
}

object! {
    /// A pattern of your own.
    pub struct WrittenCustom {
        /// Its name, as a kind: `EMPLOYEE_ID`.
        "name" name: CustomName;
        /// A regular expression (RE2, in time linear in the text). It has to match at least one character.
        "pattern" pattern: String;
        /// Words of which one has to stand a little before the match, in any case; none for no condition.
        "context" context: Vec<Text<1>> = [];
        /// How sure a match is, from 1 to 100, to be held against `entities.minConfidence`.
        "confidence" confidence: Whole<1, 100> = 80;
    }
}

object! {
    /// What one request may cost.
    pub struct Limits {
        /// How many different values are replaced in a request; one with more is dealt with as `onError` says.
        "maxValues" max_values: Whole<1, 10_000_000> = 100_000;
        /// How many bytes one event of a stream may have; a longer one can't be read.
        "maxEventBytes" max_event_bytes: Whole<4096, 16_777_216> = 1_048_576;
        /// How many times larger a body may be than it was compressed.
        "maxRatio" max_ratio: Whole<1, 1032> = 200;
    }
}

object! {
    /// What is told. Never a value, nor anything that a value could be found by.
    pub struct AuditSettings {
        /// Whether each request in which something was found has a line in the proxy's log.
        "log" log: bool = true;
        /// Whether the line says where: JSON paths, with names that may be anybody's words left out.
        "paths" paths: bool = true;
    }
}

object! {
    /// The configuration of pii-redactor.
    pub struct Config {
        /// What is done with what is found, where a rule does not say. This filter is there to protect, so it does unless
        /// told not to.
        "mode" mode: Mode = "enforce";
        /// Where the proxy stands.
        "direction" direction: Direction = "outbound";
        /// Who decides whether a request is guarded; without, every one is.
        "gate" gate: Option<Gate>;
        /// Which requests are guarded. Without any, the known paths of the three APIs are; all else passes untouched.
        "rules" rules: Entries<Rule> = [];
        /// Which kinds of values are looked for.
        "entities" entities: EntitySettings = {};
        /// What stands for a value.
        "placeholder" placeholder: PlaceholderSettings = {};
        /// Patterns of your own.
        "custom" custom: Entries<Custom> = [];
        /// Values that stay, whole and in any case. They outweigh `alwaysRedact`.
        "neverRedact" never_redact: Vec<Text<1>> = [];
        /// Words that are always taken out, in any case, as `CUSTOM_TERM`.
        "alwaysRedact" always_redact: Vec<Text<3>> = [];
        /// What becomes of what can't be read.
        "onError" on_error: OnError = "block";
        /// What one request may cost.
        "limits" limits: Limits = {};
        /// What is told.
        "audit" audit: AuditSettings = {};
    }
}

/// A custom pattern that compiles.
#[derive(Clone, Debug)]
pub struct Custom {
    /// Its name, as a kind.
    pub name: KindName,
    /// The regular expression.
    pub pattern: String,
    /// Words of which one has to stand before it, in lower case; none for no condition.
    pub context: Vec<String>,
    /// How sure a match is.
    pub confidence: u8,
}

impl Read for Custom {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let written = WrittenCustom::read(value, at, report);
        // the expression is worth telling of even where the rest is wrong
        let pattern = value.get("pattern").and_then(Value::as_str);
        if let Some((_, wrong)) = pattern.and_then(|pattern| Patterns::new(&[pattern]).err()) {
            report.error(&at.field("pattern"), format!("{} {wrong}", shown(&json!(pattern))));
            return None;
        }
        let WrittenCustom { name, pattern, context, confidence } = written?;
        let context = context.into_iter().map(|word| word.0.to_lowercase()).collect();
        Some(Self { name: name.0, pattern, context, confidence: u8::try_from(confidence.0).unwrap_or(100) })
    }

    fn schema(definitions: &mut Definitions) -> Value {
        WrittenCustom::schema(definitions)
    }
}

impl EntitySettings {
    /// The built-in kinds that are looked for.
    #[must_use]
    pub fn wanted(&self) -> EntitySet {
        let mut wanted = self.preset.entities();
        self.include.iter().for_each(|entity| wanted.add(entity.0));
        self.exclude.iter().for_each(|entity| wanted.remove(entity.0));
        wanted
    }

    /// Tells the names under `actions` that are no kind's; `custom` are those of the patterns.
    pub fn tell_unknown(&self, custom: &BTreeSet<&str>, at: &Path, report: &mut Report) {
        let at = at.field("actions");
        for (name, _) in &self.actions.0 {
            let name = name.as_str();
            if entity_of(name).is_none() && name != TERM && !custom.contains(name) {
                let custom = custom.iter().copied().chain([TERM]).collect::<Vec<_>>().join(", ");
                let known = names(Entity::ALL.iter());
                report.error(&at.field(name), format!("is no kind; known here: {custom}, {known}"));
            }
        }
    }
}
