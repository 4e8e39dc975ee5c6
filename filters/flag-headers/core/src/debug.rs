//! The debug page: what a proxy would tell a given user right now, and how it comes to it. Nothing secret: no token, no
//! definition, no user but the one that was asked for.

use std::borrow::Cow;
use std::fmt::Write;

use filter_config::serde_json::{Value, json};
use percent_encoding::percent_decode;

use crate::context::Context;
use crate::load::Settings;
use crate::ofrep::Reply;
use crate::serve::{Outcome, PayloadFault, Served};
use crate::sync::{Millis, Poll, Sync, cluster_of};
use crate::usage::timestamp;

/// What there is to show beside the flags.
#[derive(Clone, Copy, Debug)]
pub struct State<'a> {
    /// Where the proxy stands with Unleash.
    pub sync: &'a Sync,
    /// The time.
    pub now: Millis,
    /// The configuration's short name.
    pub fingerprint: &'a str,
    /// Whether this worker is the one that asks Unleash.
    pub leads: bool,
}

/// The context that a query names: `userId`, `sessionId`, `remoteAddress`, `currentTime`, `environment`, `appName`, and
/// anything else as a property.
#[must_use]
pub fn context<'s>(query: &[u8], settings: &'s Settings) -> Context<'s> {
    let mut context = settings.context();
    for (name, value) in query.split(|byte| *byte == b'&').filter_map(pair).filter(|(_, value)| !value.is_empty()) {
        let value = Some(Cow::Owned(value));
        match name.as_str() {
            "userId" | "targetingKey" => context.user_id = value,
            "sessionId" => context.session_id = value,
            "remoteAddress" => context.remote_address = value,
            "currentTime" => context.current_time = value,
            "environment" => context.environment = value,
            "appName" => context.app_name = value,
            "format" => {}
            _ => context.properties.extend(value.map(|value| (Cow::Owned(name), value))),
        }
    }
    context
}

fn pair(pair: &[u8]) -> Option<(String, String)> {
    let mut halves = pair.splitn(2, |byte| *byte == b'=');
    let decoded = |half: &[u8]| {
        let spaced: Vec<u8> = half.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        percent_decode(&spaced).decode_utf8_lossy().into_owned()
    };
    let name = decoded(halves.next()?);
    Some((name, halves.next().map(decoded).unwrap_or_default()))
}

/// The page: JSON, or HTML where the browser asks for it (`accept`) and the query does not say `format=json`.
#[must_use]
pub fn answer(query: &[u8], accept: &[u8], settings: &Settings, served: &Served, state: State) -> Reply {
    let context = context(query, settings);
    let report = report(&context, settings, served, state);
    let asked = |format: &[u8]| query.split(|byte| *byte == b'&').any(|pair| pair == format);
    let html = accept.windows(9).any(|part| part == b"text/html") || asked(b"format=html");
    let mut reply = if html && !asked(b"format=json") {
        Reply { status: 200, headers: Vec::new(), content_type: "text/html; charset=utf-8", body: page(&report) }
    } else {
        Reply::json(200, &report)
    };
    reply.headers.push(("cache-control", "no-store".to_owned()));
    reply.headers.push(("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'".to_owned()));
    reply.headers.push(("x-content-type-options", "nosniff".to_owned()));
    reply
}

fn report(context: &Context, settings: &Settings, served: &Served, state: State) -> Value {
    let State { sync, now, fingerprint, leads } = state;
    let flags: Vec<Value> = served
        .exposed
        .iter()
        .map(|exposed| of_flag(&exposed.name, exposed.flag.default, &served.outcome(exposed, context)))
        .collect();
    let traps = served.compiled.iter().flat_map(|compiled| &compiled.traps);
    let at = |time: Millis| (time > 0).then(|| timestamp(time));
    json!({
        "source": served.origin.as_str(),
        "mode": settings.mode.as_str(),
        "configuration": fingerprint,
        "now": timestamp(now),
        "unleash": settings.unleash.as_ref().map(|unleash| json!({
            "cluster": cluster_of(unleash),
            "revision": sync.revision(),
            "etag": sync.etag,
            "confirmed": at(sync.confirmed),
            "age_seconds": (sync.confirmed > 0).then(|| now.saturating_sub(sync.confirmed) / 1000),
            "asked": at(sync.asked),
            "next": at(sync.next),
            "failures": sync.failures,
            "last_poll": sync.last.map(Poll::as_str),
            "last_error": sync.error,
            "registered": sync.registered,
            "this_worker_leads": leads,
        })),
        "context": {
            "userId": context.user_id, "sessionId": context.session_id, "remoteAddress": context.remote_address,
            "environment": context.environment, "appName": context.app_name, "currentTime": context.current_time,
            "properties": context.properties,
        },
        "flags": flags,
        "warnings": traps.map(|trap| json!({"flag": trap.flag, "kind": trap.kind, "message": trap.message})).collect::<Vec<_>>(),
    })
}

fn of_flag(name: &str, default: bool, outcome: &Outcome) -> Value {
    json!({
        "name": name,
        "enabled": outcome.enabled,
        "reason": outcome.reason.as_str(),
        "variant": outcome.variant,
        "payload": outcome.payload.as_ref().map(crate::flag::Payload::to_json),
        "payload_fault": outcome.payload_fault.map(|fault| match fault {
            PayloadFault::Type => "type",
            PayloadFault::Length => "length",
        }),
        "default": default,
    })
}

fn page(report: &Value) -> String {
    let mut html = String::from(
        "<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'><title>flags</title>\
         <style>body{font:15px/1.5 system-ui,sans-serif;margin:2rem;max-width:60rem}table{border-collapse:collapse;margin:1rem 0}\
         td,th{border:1px solid #bbb;padding:.3rem .6rem;text-align:left;vertical-align:top}code{background:#eee;padding:0 .2rem}\
         input{font:inherit}</style><h1>Flags</h1>",
    );
    let text = |value: &Value| match value {
        Value::Null => "&ndash;".to_owned(),
        Value::String(text) => escaped(text),
        other => escaped(&other.to_string()),
    };
    let at = |pointer: &str| report.pointer(pointer).unwrap_or(&Value::Null);
    // writing to a string cannot fail
    let _written = write!(
        html,
        "<form><label>user <input name=userId value=\"{}\"></label> <button>show</button></form>",
        at("/context/userId").as_str().map(escaped).unwrap_or_default()
    );
    html.push_str("<table><tr><th>flag<th>value<th>reason<th>variant<th>payload<th>default");
    for flag in at("/flags").as_array().into_iter().flatten() {
        html.push_str("<tr>");
        for key in ["name", "enabled", "reason", "variant", "payload", "default"] {
            let _written = write!(html, "<td>{}", text(flag.get(key).unwrap_or(&Value::Null)));
        }
    }
    html.push_str("</table>");
    for warning in at("/warnings").as_array().into_iter().flatten() {
        let part = |key: &str| text(warning.get(key).unwrap_or(&Value::Null));
        let _written = write!(html, "<p><strong>{}</strong> {}", part("flag"), part("message"));
    }
    html.push_str("<table>");
    for (name, pointer) in
        [("source", "/source"), ("mode", "/mode"), ("configuration", "/configuration"), ("now", "/now")]
    {
        let _written = write!(html, "<tr><th>{name}<td>{}", text(at(pointer)));
    }
    for (key, value) in at("/unleash").as_object().into_iter().flatten() {
        let _written = write!(html, "<tr><th>{}<td>{}", escaped(&key.replace('_', " ")), text(value));
    }
    for (key, value) in at("/context").as_object().into_iter().flatten() {
        let _written = write!(html, "<tr><th>{}<td>{}", escaped(key), text(value));
    }
    html.push_str("</table>");
    html
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
