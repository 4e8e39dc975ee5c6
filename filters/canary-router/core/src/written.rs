//! The parts of a configuration as they are written, field by field. [`crate::rule`] checks what goes beyond.

use filter_config::{Duration, Keyed, Name, Path, Read, Report, choice, object};
use filter_config::{schema::Definitions, serde_json::Value, serde_json::json, shown};
use filter_request::{HeaderMatch, HeaderName, HostPattern, RequestMatch};

use crate::split::Lane;
use crate::weight::Weight;

choice! {
    /// What is done with a decision.
    pub enum Mode {
        /// Nothing: the kill switch. No header is set, so the VirtualService decides.
        Off = "off",
        /// It is computed, counted and logged; nothing is set.
        Report = "report",
        /// The header is set.
        Enforce = "enforce",
    }
}

choice! {
    /// What a request without an id gets.
    pub enum NoIdentity {
        /// No header, so the VirtualService decides.
        Unset = "unset",
        /// The baseline.
        Baseline = "baseline",
        /// An arm by chance at each request, by the weights, as Istio's own weights do.
        Random = "random",
    }
}

choice! {
    /// Which id counts once a visitor with an anonymous id has logged in.
    pub enum OnLogin {
        /// The user's own id: the same arm on every device, and perhaps another than before the login.
        Switch = "switch",
        /// The anonymous id as long as its cookie lasts: the arm stays, and may differ from that on another device.
        Keep = "keep",
    }
}

choice! {
    /// The `SameSite` attribute of a cookie.
    pub enum SameSite {
        /// Sent within the site only.
        Strict = "Strict",
        /// Sent within the site, and when a link leads to it.
        Lax = "Lax",
        /// Sent always; needs `secure`.
        None = "None",
    }
}

choice! {
    /// What responses say to caches about depending on an arm.
    pub enum ArmCaching {
        /// Nothing.
        Unmarked = "unmarked",
        /// `cache-control: private`: no shared cache keeps them.
        Private = "private",
        /// `vary` on every header that the decision may read.
        Vary = "vary",
    }
}

/// How long a cookie lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxAge {
    /// Until the browser closes.
    Session,
    /// This long.
    For(Duration),
}

impl Read for MaxAge {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        if value == "session" {
            return Some(Self::Session);
        }
        let read = value.as_str().and_then(Duration::parse);
        if read.is_none() {
            report.error(at, format!("{} is neither session nor a duration such as 8760h", shown(value)));
        }
        read.map(Self::For)
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({"anyOf": [{"const": "session"}, Duration::schema(definitions)]})
    }
}

/// A cookie's name: a token of RFC 6265.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieName(pub String);

impl Read for CookieName {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let text = String::read(value, at, report)?;
        let read = HeaderName::parse(&text).map(|_| Self(text));
        if read.is_none() {
            report.error(at, format!("{} is not a cookie name: letters, digits and !#$%&'*+-.^_`|~", shown(value)));
        }
        read
    }

    fn schema(definitions: &mut Definitions) -> Value {
        HeaderName::schema(definitions)
    }
}

/// Text that can stand as an attribute of a cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieText(pub String);

impl Read for CookieText {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let text = String::read(value, at, report)?;
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';');
        if !plain {
            report.error(at, format!("{} holds what a cookie's attribute can't", shown(value)));
        }
        plain.then_some(Self(text))
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({"type": "string", "pattern": "^[!-:<-~]+$"})
    }
}

object! {
    /// The id that a visitor without one is given, in a cookie of random content.
    pub struct Anonymous {
        /// The cookie's name.
        "cookie" cookie: CookieName = "rc_anon";
        /// How long the browser keeps it, or `session`.
        "maxAge" max_age: MaxAge = "8760h";
        /// Its `Path`.
        "path" path: CookieText = "/";
        /// Its `Domain`; without, the host that answered.
        "domain" domain: Option<CookieText>;
        /// Its `SameSite`.
        "sameSite" same_site: SameSite = "Lax";
        /// Whether it goes over TLS only.
        "secure" secure: bool = true;
        /// Whether scripts can't read it.
        "httpOnly" http_only: bool = true;
        /// Which id counts after a login.
        "onLogin" on_login: OnLogin = "switch";
    }
}

object! {
    /// A version that gets a share of the users.
    pub struct Arm {
        /// The arm's name, the value of the arm header.
        "name" name: Name;
        /// Percent of the users, with up to two decimals.
        "weight" weight: Weight;
        /// The buckets that it may grow over; needed with three arms and more.
        "lane" lane: Option<Lane>;
    }
}

object! {
    /// An arm for some requests, before the hash. All that is named has to hold.
    pub struct Override {
        /// The arm: the baseline or one of `arms`.
        "arm" arm: Name;
        /// Headers that have to match.
        "headers" headers: Keyed<HeaderName, HeaderMatch> = {};
        /// Cookies that have to match.
        "cookies" cookies: Keyed<String, HeaderMatch> = {};
        /// Ids of users, one of which has to be the request's. Trusted ids only.
        "users" users: Vec<String> = [];
    }
}

object! {
    /// One rollout: for which requests, and who gets which arm.
    pub struct WrittenRule {
        /// The rule's name, in metrics and logs; no two rules share one.
        "name" name: Name;
        /// What is done with its decisions.
        "mode" mode: Mode = "enforce";
        /// The hosts that it is for, as in a VirtualService; none for all.
        "hosts" hosts: Vec<HostPattern> = [];
        /// The requests that it is for, as Istio's `HTTPMatchRequest`; one has to match. None for all.
        "match" ways: Vec<RequestMatch> = [];
        /// What the hash is salted with: Unleash's `groupId`. A new salt deals all users anew.
        "salt" salt: String;
        /// The arm that takes the rest.
        "baseline" baseline: Name;
        /// The canary arms.
        "arms" arms: Vec<Arm> = [];
        /// Arms for some requests, in order, before the hash.
        "overrides" overrides: Vec<Override> = [];
        /// What a request without an id gets.
        "noIdentity" no_identity: NoIdentity = "unset";
    }
}
