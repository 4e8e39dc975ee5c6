//! OpenFeature's remote evaluation protocol (OFREP 0.3), answered from the served flags.
//!
//! `POST {prefix}/evaluate/flags/{key}` asks for one flag, `POST {prefix}/evaluate/flags` for all. What every known client
//! needs, though the protocol leaves it open: `variant` is always there, errors always say `errorDetails`, metadata is flat.

use std::borrow::Cow;
use std::collections::HashMap;

use filter_config::serde_json::{Map, Value, from_slice, json};
use percent_encoding::percent_decode;

use crate::config::Ofrep;
use crate::context::Context;
use crate::engine::Reason;
use crate::load::Settings;
use crate::serve::{Exposed, Origin, Outcome, Served};

/// What an OFREP request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// One flag.
    One(String),
    /// All of them.
    All,
    /// Nothing that the protocol has; the status that says so.
    Nothing(u16),
}

/// What a request asks for, by its method and path; none where the path is not below the prefix.
#[must_use]
pub fn call(settings: &Ofrep, method: &[u8], path: &[u8]) -> Option<Call> {
    let rest = path.strip_prefix(settings.path_prefix.0.as_bytes())?;
    if !rest.is_empty() && !rest.starts_with(b"/") {
        return None;
    }
    let call = match rest.strip_prefix(b"/evaluate/flags") {
        Some(b"" | b"/") => Call::All,
        Some([b'/', key @ ..]) => match percent_decode(key).decode_utf8() {
            Ok(key) => Call::One(key.into_owned()),
            Err(_) => Call::Nothing(404),
        },
        _ => Call::Nothing(404),
    };
    Some(if method == b"POST" || call == Call::Nothing(404) { call } else { Call::Nothing(405) })
}

/// An answer of the filter's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Headers beside the content's type and length.
    pub headers: Vec<(&'static str, String)>,
    /// The content's type.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

impl Reply {
    /// A reply of JSON.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        Self { status, headers: Vec::new(), content_type: "application/json", body: body.to_string() }
    }
}

/// A flag that was evaluated for an answer, by its place among the exposed ones.
pub type Counted = (usize, Outcome);

/// The answer to a call, and the evaluation to be counted: one that was asked for by name. Bulk answers fill the caches of
/// clients, which tell nobody what of it was used.
#[must_use]
pub fn answer(
    call: &Call,
    body: &[u8],
    if_none_match: &[u8],
    settings: &Settings,
    served: &Served,
) -> (Reply, Option<Counted>) {
    match call {
        Call::Nothing(405) => {
            let mut reply = Reply::json(405, &failure(None, "GENERAL", "ask by POST"));
            reply.headers.push(("allow", "POST".to_owned()));
            (reply, None)
        }
        Call::Nothing(_) => (Reply::json(404, &failure(None, "GENERAL", "no such path of ofrep")), None),
        Call::One(key) => match read_context(body, settings) {
            Err((code, details)) => (Reply::json(400, &failure(Some(key), code, &details)), None),
            Ok(context) => one(key, &context, served),
        },
        Call::All => match read_context(body, settings) {
            Err((code, details)) => (Reply::json(400, &failure(None, code, &details)), None),
            Ok(context) => (all(&context, if_none_match, served), None),
        },
    }
}

/// The answer to a body that is too long.
#[must_use]
pub fn too_long(limit: u64) -> Reply {
    Reply::json(413, &failure(None, "INVALID_CONTEXT", &format!("the body is over {limit} bytes")))
}

fn one(key: &str, context: &Context, served: &Served) -> (Reply, Option<Counted>) {
    match served.find(key) {
        None => (Reply::json(404, &failure(Some(key), "FLAG_NOT_FOUND", "no such flag is exposed here")), None),
        Some((index, exposed)) => {
            let outcome = served.outcome(exposed, context);
            (Reply::json(200, &success(served.origin, exposed, &outcome)), Some((index, outcome)))
        }
    }
}

fn all(context: &Context, if_none_match: &[u8], served: &Served) -> Reply {
    let flags: Vec<Value> = served
        .exposed
        .iter()
        .map(|exposed| success(served.origin, exposed, &served.outcome(exposed, context)))
        .collect();
    let body = json!({"flags": flags, "metadata": {"source": served.origin.as_str()}});
    let mut reply = Reply::json(200, &body);
    let tag = etag(&reply.body);
    if matches_tag(if_none_match, &tag) {
        reply.status = 304;
        reply.body.clear();
    }
    reply.headers.push(("etag", tag));
    reply
}

/// A tag that stands for the values themselves: it changes whenever one does, for this context.
fn etag(body: &str) -> String {
    // reading from memory does not fail
    let hash = murmur3::murmur3_x64_128(&mut body.as_bytes(), 0).unwrap_or_default();
    format!("\"{hash:032x}\"")
}

fn matches_tag(if_none_match: &[u8], tag: &str) -> bool {
    let mut tags = if_none_match.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    tags.any(|given| given == b"*" || given.strip_prefix(b"W/").unwrap_or(given) == tag.as_bytes())
}

fn success(origin: Origin, exposed: &Exposed, outcome: &Outcome) -> Value {
    let value = match &exposed.flag.payload {
        Some(_) => outcome.payload.as_ref().map(crate::flag::Payload::to_json),
        None => Some(Value::Bool(outcome.enabled)),
    };
    let mut metadata = Map::new();
    metadata.insert("source".to_owned(), origin.as_str().into());
    metadata.insert("enabled".to_owned(), outcome.enabled.into());
    metadata.insert("detail".to_owned(), outcome.reason.as_str().into());
    let mut flag = json!({
        "key": exposed.name,
        "reason": reason(origin, outcome.reason),
        "variant": outcome.variant.as_deref().unwrap_or(if outcome.enabled { "on" } else { "off" }),
        "metadata": metadata,
    });
    // without a value the client's own default holds; the protocol has no null and no list
    let value = value.filter(|value| !value.is_null() && !value.is_array());
    if let (Some(flag), Some(value)) = (flag.as_object_mut(), value) {
        flag.insert("value".to_owned(), value);
    }
    flag
}

/// OpenFeature's word for a reason.
fn reason(origin: Origin, reason: Reason) -> &'static str {
    match (origin, reason) {
        (_, Reason::Unknown | Reason::Unusable | Reason::NoState) => "DEFAULT",
        (Origin::Stale, _) => "STALE",
        (_, Reason::Static) => "STATIC",
        (_, Reason::TargetingMatch) => "TARGETING_MATCH",
        (_, Reason::Split) => "SPLIT",
        (_, Reason::Disabled) => "DISABLED",
        (_, Reason::NoMatch) => "DEFAULT",
        (_, Reason::Given) => "CACHED",
    }
}

fn failure(key: Option<&str>, code: &str, details: &str) -> Value {
    let mut failure = json!({"errorCode": code, "errorDetails": details});
    if let (Some(failure), Some(key)) = (failure.as_object_mut(), key) {
        failure.insert("key".to_owned(), key.into());
    }
    failure
}

/// Reads the context of a call. `userId`, or else `targetingKey`, is the user's id; Unleash's other own fields are theirs;
/// everything else is a property. Text, numbers and truth values count; lists, objects and nulls do not.
fn read_context<'s>(body: &[u8], settings: &'s Settings) -> Result<Context<'s>, (&'static str, String)> {
    let body: Value = from_slice(body).map_err(|_| ("PARSE_ERROR", "the body is not json".to_owned()))?;
    let invalid = |what: &str| Err(("INVALID_CONTEXT", what.to_owned()));
    let given = match (body.as_object(), body.get("context")) {
        (None, _) => return invalid("the body is not an object"),
        (_, Some(Value::Object(given))) => given.clone(),
        (_, None | Some(Value::Null)) => Map::new(),
        (_, Some(_)) => return invalid("the context is not an object"),
    };
    let mut context = settings.context();
    let mut properties: HashMap<Cow<str>, Cow<str>> = HashMap::new();
    let mut targeting_key = None;
    let nested = given.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    for (name, value) in nested.into_iter().chain(given) {
        let Some(value) = scalar(value).map(Cow::Owned) else { continue };
        match name.as_str() {
            "targetingKey" => targeting_key = Some(value),
            "userId" => context.user_id = Some(value),
            "sessionId" => context.session_id = Some(value),
            "remoteAddress" => context.remote_address = Some(value),
            "environment" => context.environment = Some(value),
            "appName" => context.app_name = Some(value),
            "currentTime" => context.current_time = Some(value),
            _ => drop(properties.insert(Cow::Owned(name), value)),
        }
    }
    context.user_id = context.user_id.or(targeting_key);
    context.properties = properties;
    Ok(context)
}

fn scalar(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}
