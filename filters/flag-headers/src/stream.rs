//! One request: flags are evaluated and set, or it is for the filter itself and answered.

use std::rc::Rc;

use filter_host::headers::{self, Map};
use filter_host::{Result, body, local, property};
use filter_request::{Pairs, Request, Verified};
use filter_runtime::{HostVerified, event, now};
use flag_core::boundary::admit;
use flag_core::config::Mode;
use flag_core::context::Proxy;
use flag_core::effects::{Effects, effects};
use flag_core::ofrep::{self, Call, Reply};
use flag_core::serve::Outcome;
use flag_core::sync::millis;
use flag_core::{debug, decide};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use serde_json::json;

use crate::instance::{Instance, Serving};

/// The header of a call whose body is still to come. The route for it holds the request back until the filter answers.
const WAITS: &[u8] = b"x-ofrep-waits";
/// Where filters of the same proxy find the flags: `get_property(["runtime_control.flags"])`.
const STATE: &[u8] = b"runtime_control.flags";

pub(crate) struct Stream {
    instance: Rc<Instance>,
    /// An OFREP call whose body is not all there yet, and its `if-none-match`.
    call: Option<(Call, Vec<u8>)>,
    /// How much of the body has come.
    received: usize,
}

impl Stream {
    pub(crate) fn new(instance: Rc<Instance>) -> Self {
        Self { instance, call: None, received: 0 }
    }

    fn request(&mut self, end_of_stream: bool) -> Result<Action> {
        let instance = Rc::clone(&self.instance);
        let settings = &instance.policy.settings;
        let headers = headers::all(Map::Request).inspect_err(|_| self.strip_unseen())?;
        let proxy = HostProxy::default();
        let admitted = admit(&instance.policy.owned, settings.trust, &headers, &proxy);
        let request = Request::new(&admitted.headers);
        if settings.mode != Mode::Off
            && let Some(action) = self.own(&request, end_of_stream)?
        {
            // a call that waits for its body goes on, and would reach an application where its route is missing
            if action == Action::Continue {
                strip(&admitted.removed)?;
            }
            return Ok(action);
        }
        let serving = instance.serving();
        let outcomes = decide(&instance.policy, &serving.served, &admitted, &request, &proxy);
        if let Some(outcomes) = &outcomes {
            instance.meters.served(serving.served.origin);
            outcomes.iter().enumerate().for_each(|(index, outcome)| serving.tally.count(index, outcome));
        }
        let effects = effects(
            settings.mode,
            &settings.headers,
            settings.filter_state,
            &admitted,
            &serving.served,
            outcomes.as_deref(),
        );
        if settings.mode == Mode::Report
            && let Some(outcomes) = &outcomes
        {
            report(&serving, outcomes, &request);
        }
        apply(&effects)?;
        Ok(Action::Continue)
    }

    /// Answers a request that is for the filter itself; none where it is not.
    fn own(&mut self, request: &Request, end_of_stream: bool) -> Result<Option<Action>> {
        let settings = &self.instance.policy.settings;
        // `host:` is the host without a port here, but not to Envoy's routes: it would miss the one that holds calls back
        if request.authority.ends_with(b":") {
            return Ok(None);
        }
        if settings.debug.as_ref().is_some_and(|debug| debug.answers(&request.host, request.path)) {
            return self.show(request).map(Some);
        }
        let Some(ofrep) = settings.ofrep.as_ref().filter(|ofrep| ofrep.answers(&request.host)) else { return Ok(None) };
        let Some(call) = ofrep::call(ofrep, request.method, request.path) else { return Ok(None) };
        let limit = ofrep.max_bytes.0;
        let length =
            request.headers.get(b"content-length").and_then(|length| std::str::from_utf8(length).ok()?.parse().ok());
        if length.is_some_and(|length: u64| length > limit) {
            return self.reply(&ofrep::too_long(limit)).map(Some);
        }
        let if_none_match = request.headers.get(b"if-none-match").unwrap_or_default().to_vec();
        let waits = !end_of_stream && !matches!(call, Call::Nothing(_));
        self.call = Some((call, if_none_match));
        if waits {
            headers::set(Map::Request, WAITS, b"1")?;
            return Ok(Some(Action::Continue));
        }
        self.answer(b"").map(Some)
    }

    fn show(&self, request: &Request) -> Result<Action> {
        if !matches!(request.method, b"GET" | b"HEAD") {
            let mut reply = Reply::json(405, &json!({"error": "ask by GET"}));
            reply.headers.push(("allow", "GET, HEAD".to_owned()));
            return self.reply(&reply);
        }
        let serving = self.instance.serving();
        let sync = self.instance.sync.borrow();
        let state = debug::State {
            sync: &sync,
            now: millis(now()),
            fingerprint: &self.instance.fingerprint,
            leads: self.instance.leads.get(),
        };
        let accept = request.headers.get(b"accept").unwrap_or_default();
        let settings = &self.instance.policy.settings;
        self.reply(&debug::answer(request.query, accept, settings, &serving.served, state))
    }

    /// Answers the call, whose body is all there.
    fn answer(&mut self, body: &[u8]) -> Result<Action> {
        let Some((call, if_none_match)) = self.call.take() else { return Ok(Action::Continue) };
        let instance = Rc::clone(&self.instance);
        let serving = instance.serving();
        let settings = &instance.policy.settings;
        let (reply, counted) = ofrep::answer(&call, body, &if_none_match, settings, &serving.served);
        instance.meters.answered(reply.status);
        if let Some((index, outcome)) = counted {
            instance.meters.served(serving.served.origin);
            serving.tally.count(index, &outcome);
        }
        self.reply(&reply)
    }

    fn reply(&self, reply: &Reply) -> Result<Action> {
        let mut headers: Vec<(&[u8], &[u8])> = vec![(b"content-type", reply.content_type.as_bytes())];
        headers.extend(reply.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
        local::send(u32::from(reply.status), &headers, reply.body.as_bytes(), "flag_headers")?;
        Ok(Action::Pause)
    }

    /// The body of an OFREP call, piece by piece.
    fn receive(&mut self, size: usize, complete: bool) -> Result<Action> {
        if self.call.is_none() {
            return Ok(Action::Continue);
        }
        // a paused body is told as a whole each time
        self.received = self.received.max(size);
        let limit = self.instance.policy.settings.ofrep.as_ref().map_or(0, |ofrep| ofrep.max_bytes.0);
        if u64::try_from(self.received).unwrap_or(u64::MAX) > limit {
            self.call = None;
            return self.reply(&ofrep::too_long(limit));
        }
        if !complete {
            return Ok(Action::Pause);
        }
        let body = body::request(0, self.received)?;
        self.answer(&body)
    }

    /// The headers could not be read, so what is to be removed is removed unseen, in the spellings that are likely.
    fn strip_unseen(&self) {
        let serving = self.instance.serving();
        for exposed in &serving.served.exposed {
            let names = &exposed.headers;
            for name in [&names.flag, &names.variant, &names.payload] {
                for name in [name.clone(), name.replace('-', "_")] {
                    if headers::remove(Map::Request, name.as_bytes()).is_err() {
                        self.instance.meters.host_failed();
                    }
                }
            }
        }
    }

    fn done(&self, outcome: Result<Action>) -> Action {
        outcome.unwrap_or_else(|_| {
            self.instance.meters.host_failed();
            Action::Continue
        })
    }
}

/// What a client may not send goes, all of it, whatever fails.
fn strip(names: &[&[u8]]) -> Result<()> {
    let mut outcome = Ok(());
    for name in names {
        outcome = headers::remove(Map::Request, name).and(outcome);
    }
    outcome
}

fn apply(effects: &Effects) -> Result<()> {
    let mut outcome = strip(&effects.remove);
    for (name, value) in &effects.set {
        outcome = headers::set(Map::Request, name.as_bytes(), value.as_bytes()).and(outcome);
    }
    if let Some(state) = &effects.state {
        outcome = property::set(STATE, state.as_bytes()).and(outcome);
    }
    outcome
}

/// The line of a request in mode `report`: what would be set. It names no user.
fn report(serving: &Serving, outcomes: &[Outcome], request: &Request) {
    if log::max_level() < log::LevelFilter::Info {
        return;
    }
    let flags: serde_json::Map<String, serde_json::Value> = serving
        .served
        .exposed
        .iter()
        .zip(outcomes)
        .map(|(exposed, outcome)| {
            (exposed.name.clone(), json!({"enabled": outcome.enabled, "reason": outcome.reason.as_str()}))
        })
        .collect();
    let fields = json!({
        "filter": "flag_headers",
        "mode": "report",
        "source": serving.served.origin.as_str(),
        "flags": flags,
        "request_id": request_id(request.headers),
    });
    event(log::Level::Info, "flags_evaluated", fields);
}

fn request_id(headers: &Pairs) -> Option<String> {
    headers.get(b"x-request-id").map(|id| String::from_utf8_lossy(id).into_owned())
}

/// What the proxy knows of the current request.
#[derive(Default)]
struct HostProxy(HostVerified);

impl Verified for HostProxy {
    fn issuer(&self) -> Option<&[u8]> {
        self.0.issuer()
    }

    fn claim(&self, name: &str) -> Option<Vec<u8>> {
        self.0.claim(name)
    }

    fn peer(&self) -> bool {
        self.0.peer()
    }
}

impl Proxy for HostProxy {
    fn remote_address(&self) -> Option<String> {
        property::get(b"source\0address").and_then(|address| String::from_utf8(address).ok())
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _headers: usize, end_of_stream: bool) -> Action {
        let outcome = self.request(end_of_stream);
        self.done(outcome)
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        let outcome = self.receive(size, end_of_stream);
        self.done(outcome)
    }

    /// With trailers, the body's last callback does not say that it was the last.
    fn on_http_request_trailers(&mut self, _trailers: usize) -> Action {
        let outcome = self.receive(self.received, true);
        self.done(outcome)
    }
}
