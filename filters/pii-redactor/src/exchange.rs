//! One request and its answer: chosen by the rules, let past by the gate, read, redacted, refused, put back, told.

use std::rc::Rc;

use filter_host::body::{self, Which};
use filter_host::headers::{self, Map};
use filter_host::{Result, local};
use filter_request::{Pairs, Request};
use filter_runtime::{event, now};
use pii_core::body::Format;
use pii_core::decode::Coding;
use pii_core::events::Framing;
use pii_core::flow::{Fate, Flow};
use pii_core::gate::Verdict;
use pii_core::plan::Plan;
use pii_core::refusal::Refusal;
use pii_core::rules::Endpoint;
use pii_core::session::{Direction, Order, Session};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use serde_json::json;

use crate::instance::{HostKnown, Instance};

/// How much of a text body is held back as a whole, so that its end can still be sent when trailers come, in bytes.
const PAUSED: usize = 16 * 1024;

/// What can't be true any more of a body that was rewritten.
const STALE: [&[u8]; 5] = [b"content-length", b"content-md5", b"digest", b"content-digest", b"repr-digest"];

/// How one body is dealt with.
enum Way {
    /// It passes as it is.
    Open,
    /// It is read; and since when bytes of it are held, in milliseconds.
    Read(Box<Flow>, Option<u64>),
    /// It was stopped: what still comes is dropped.
    Closed,
}

pub(crate) struct Exchange {
    instance: Rc<Instance>,
    plan: Option<Rc<Plan>>,
    session: Option<Box<Session>>,
    request: Way,
    response: Way,
    /// What was put into the host's buffer while it pauses.
    paused: Vec<u8>,
    /// Whether the answer is one of this filter's, or of another's that stands for the upstream's.
    refused: bool,
    is_event_stream: bool,
    request_id: String,
}

impl Exchange {
    pub(crate) fn new(instance: Rc<Instance>) -> Self {
        Self {
            instance,
            plan: None,
            session: None,
            request: Way::Open,
            response: Way::Open,
            paused: Vec::new(),
            refused: false,
            is_event_stream: false,
            request_id: String::new(),
        }
    }

    /// What becomes of a request, by its headers.
    fn begin(&mut self, end_of_stream: bool) -> Result<Action> {
        let instance = Rc::clone(&self.instance);
        let headers = headers::all(Map::Request)?;
        let request = Request::new(&headers);
        let settings = &instance.policy.settings;
        let Some(chosen) = settings.select(&request) else { return Ok(Action::Continue) };
        let verdict = settings.gate.as_ref().map_or(Verdict::ALWAYS, |gate| gate.decide(&headers, &HostKnown));
        if !verdict.guarded {
            instance.meters.passed(chosen.name(), &format!("gate_{}", verdict.source.as_str()));
            return Ok(Action::Continue);
        }
        let plan = Rc::new(Plan::of(&chosen, &request));
        self.request_id = text(headers.get(b"x-request-id"));
        self.plan = Some(Rc::clone(&plan));
        self.session = Some(Box::new(instance.policy.session()));
        if let Some(fault) = chosen.refused() {
            return Ok(self.refuse(Direction::Request, &Refusal::Broken(fault.as_str())));
        }
        if !chosen.allow_upgrade && is_upgrade(&headers) {
            if plan.enforces() {
                return Ok(self.refuse(Direction::Request, &Refusal::Upgrade));
            }
            instance.meters.passed(&plan.rule, "upgrade");
            self.plan = None;
            return Ok(Action::Continue);
        }
        if plan.response.is_some_and(|order| order.enforce) {
            ask_for_what_can_be_read(&headers)?;
        }
        match plan.request {
            Some(order) if !end_of_stream => self.read_request(&plan, order, &headers),
            _ => Ok(Action::Continue),
        }
    }

    fn read_request(&mut self, plan: &Plan, order: Order, headers: &Pairs) -> Result<Action> {
        let format = plan.request_format(headers.get(b"content-type").unwrap_or_default());
        self.read(Map::Request, format, plan, order, headers)
    }

    /// Reads a body from now on.
    fn read(&mut self, map: Map, format: Format, plan: &Plan, order: Order, headers: &Pairs) -> Result<Action> {
        let coding = Coding::of(&joined(headers, b"content-encoding"));
        let Some(flow) = Flow::new(format, coding, order, &self.instance.policy) else {
            return Ok(self.unreadable(plan, order, "content_encoding"));
        };
        *self.way(order.direction) = Way::Read(Box::new(flow), None);
        self.instance.meters.looked_at(&plan.rule, order.direction, plan.mode.as_str());
        if order.enforce {
            rewrite_headers(map, headers, coding)?;
        }
        Ok(Action::Continue)
    }

    const fn way(&mut self, direction: Direction) -> &mut Way {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }

    /// What becomes of an answer, by its headers.
    fn answered(&mut self, end_of_stream: bool) -> Result<Action> {
        let Some(plan) = self.plan.clone() else { return Ok(Action::Continue) };
        let Some(order) = plan.response.filter(|_| !self.refused && !end_of_stream) else {
            return Ok(Action::Continue);
        };
        let headers = headers::all(Map::Response)?;
        if headers.get(b":status") == Some(b"101") {
            return Ok(Action::Continue);
        }
        let format = match plan.response_format(headers.get(b"content-type")) {
            Ok(Some(format)) => format,
            Ok(None) => {
                self.instance.meters.passed(&plan.rule, "binary");
                return Ok(Action::Continue);
            }
            Err(_) => return Ok(self.unreadable(&plan, order, "content_type")),
        };
        self.is_event_stream = format == Format::Events(Framing::ServerSent);
        self.read(Map::Response, format, &plan, order, &headers)
    }

    /// What can't be read at all: stopped, or let past, as the configuration says.
    fn unreadable(&mut self, plan: &Plan, order: Order, word: &'static str) -> Action {
        if let Some(refusal) = plan.refuses_unreadable(order, word) {
            return self.refuse(order.direction, &refusal);
        }
        self.instance.meters.passed(&plan.rule, word);
        Action::Continue
    }

    /// More of a body.
    fn more(&mut self, direction: Direction, size: usize, end: bool) -> Result<Action> {
        let which = which(direction);
        let instance = Rc::clone(&self.instance);
        let Some(plan) = self.plan.clone() else { return Ok(Action::Continue) };
        let (way, session) = match direction {
            Direction::Request => (&mut self.request, &mut self.session),
            Direction::Response => (&mut self.response, &mut self.session),
        };
        let (flow, held_since, session) = match (way, session) {
            (Way::Closed, _) => {
                // what still comes of what was stopped
                return body::replace(which, size, &[]).map(|()| Action::Continue);
            }
            (Way::Read(flow, held_since), Some(session)) => (flow, held_since, session),
            _ => return Ok(Action::Continue),
        };
        let kept = self.paused.len().min(size);
        let bytes = body::of(which, kept, size - kept)?;
        instance.meters.bytes(direction, bytes.len() as u64);
        let mut out = std::mem::take(&mut self.paused);
        let fate = flow.push(&bytes, end, &plan, &instance.policy, session, &mut out);
        let (enforce, holds) = (flow.order().enforce, flow.holds());
        note_held(held_since, holds, direction, &instance);
        match fate {
            Fate::Refused(refusal) => return self.stop(direction, size, out, &refusal),
            Fate::Unread(word) => {
                *self.way(direction) = Way::Open;
                instance.meters.passed(&plan.rule, word);
            }
            Fate::Passes => {}
        }
        if !enforce {
            return Ok(Action::Continue);
        }
        body::replace(which, size, &out)?;
        // a text has no end of its own but the body's: while it is short, it waits for it as a whole
        let waits = holds && !end && direction == Direction::Request && plan.endpoint == Endpoint::Text;
        if waits && out.len() < PAUSED {
            self.paused = out;
            return Ok(Action::Pause);
        }
        Ok(Action::Continue)
    }

    /// Stops a body that has begun to pass.
    fn stop(&mut self, direction: Direction, size: usize, mut out: Vec<u8>, refusal: &Refusal) -> Result<Action> {
        if direction == Direction::Response && self.is_event_stream {
            // a stream ends with an event that says why; what still comes is dropped
            let plan = self.plan.clone();
            let (rule, endpoint) = plan.as_ref().map_or(("", Endpoint::Json), |plan| (&*plan.rule, plan.endpoint));
            out.extend(refusal.event(endpoint.api(), endpoint == Endpoint::OpenaiResponses));
            self.response = Way::Closed;
            self.refused = true;
            self.instance.meters.blocked(rule, Direction::Response, refusal.word());
            return body::replace(Which::Response, size, &out).map(|()| Action::Continue);
        }
        Ok(self.refuse(direction, refusal))
    }

    /// Answers in place of the upstream. Once an answer has begun this resets it.
    fn refuse(&mut self, direction: Direction, refusal: &Refusal) -> Action {
        let (rule, api) = match &self.plan {
            Some(plan) => (Rc::clone(&plan.rule), plan.endpoint.api()),
            None => ("".into(), Endpoint::Json.api()),
        };
        self.refused = true;
        self.request = Way::Closed;
        self.response = if direction == Direction::Response { Way::Closed } else { Way::Open };
        self.instance.meters.blocked(&rule, direction, refusal.word());
        let headers: [(&[u8], &[u8]); 1] = [(b"content-type", b"application/json")];
        let details = format!("pii_redactor:{}", refusal.word());
        if local::send(refusal.status(), &headers, &refusal.body(api), &details).is_err() {
            // without an answer it still must not pass: it stays paused until a timeout ends it
            self.instance.meters.host_failed();
        }
        Action::Pause
    }

    /// A body ended with trailers: what is held can be sent only where the last callback paused.
    fn trailers(&mut self, direction: Direction) -> Result<Action> {
        let Some(plan) = self.plan.clone() else { return Ok(Action::Continue) };
        let (way, session) = match direction {
            Direction::Request => (&mut self.request, &mut self.session),
            Direction::Response => (&mut self.response, &mut self.session),
        };
        let (Way::Read(flow, _), Some(session)) = (way, session) else { return Ok(Action::Continue) };
        let mut out = std::mem::take(&mut self.paused);
        let paused = out.len();
        let fate = flow.push(&[], true, &plan, &self.instance.policy, session, &mut out);
        let enforce = flow.order().enforce;
        match fate {
            Fate::Refused(refusal) => return Ok(self.refuse(direction, &refusal)),
            Fate::Unread(word) => self.instance.meters.passed(&plan.rule, word),
            Fate::Passes => {}
        }
        let sent = !enforce || out.len() == paused;
        if sent || (paused > 0 && body::replace(which(direction), paused, &out).is_ok()) {
            return Ok(Action::Continue);
        }
        Ok(self.refuse(direction, &Refusal::Unreadable(direction, "trailers")))
    }

    /// The host refused a call: where something is guarded, nothing passes.
    fn failed(&mut self, direction: Direction) -> Action {
        self.instance.meters.host_failed();
        let enforced = match &self.plan {
            Some(plan) => plan.enforces(),
            None => self.instance.policy.settings.mode == pii_core::config::Mode::Enforce,
        };
        if enforced {
            self.refuse(direction, &Refusal::Unreadable(direction, "host_failure"))
        } else {
            Action::Continue
        }
    }

    /// Tells what was found, without a value.
    fn tell(&self, plan: &Plan, session: &Session) {
        let audit = &self.instance.policy.settings.audit;
        let tally = &session.tally;
        self.instance.meters.tally(tally, plan.mode.as_str());
        if !audit.log || (tally.found.is_empty() && tally.restored == 0 && tally.missed == 0) {
            return;
        }
        let found: Vec<_> = tally
            .found
            .iter()
            .map(|((direction, entity, action), count)| {
                json!({"direction": direction.word(), "entity": entity, "action": action.as_str(), "count": count})
            })
            .collect();
        let paths: Vec<_> = tally
            .paths
            .iter()
            .map(|(direction, path, entity)| json!({"direction": direction.word(), "path": path, "entity": entity}))
            .collect();
        let mut fields = json!({
            "filter": "pii_redactor", "request_id": self.request_id, "rule": &*plan.rule, "api": plan.endpoint.as_str(),
            "mode": plan.mode.as_str(), "found": found, "restored": tally.restored, "restore_misses": tally.missed,
        });
        if let Some(fields) = fields.as_object_mut().filter(|_| audit.paths) {
            fields.insert("paths".to_owned(), json!(paths));
            fields.insert("more_paths".to_owned(), json!(tally.more_paths));
        }
        event(log::Level::Info, "pii_found", fields);
    }
}

/// Keeps account of how long bytes are held.
fn note_held(since: &mut Option<u64>, holds: bool, direction: Direction, instance: &Instance) {
    if since.is_none() && !holds {
        return;
    }
    let at = milliseconds();
    if let Some(since) = since {
        instance.meters.held(direction, at.saturating_sub(*since));
    }
    *since = holds.then_some(at);
}

const fn which(direction: Direction) -> Which {
    match direction {
        Direction::Request => Which::Request,
        Direction::Response => Which::Response,
    }
}

fn milliseconds() -> u64 {
    let since = now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Takes away what will not be true of a body any more, before it is known what it will be.
fn rewrite_headers(map: Map, headers: &Pairs, coding: Coding) -> Result<()> {
    for name in STALE {
        if headers.get(name).is_some() {
            headers::remove(map, name)?;
        }
    }
    if coding != Coding::Identity {
        headers::remove(map, b"content-encoding")?;
    }
    Ok(())
}

/// Asks the upstream for an answer in a coding that can be read.
fn ask_for_what_can_be_read(headers: &Pairs) -> Result<()> {
    let accepted = joined(headers, b"accept-encoding").to_ascii_lowercase();
    let readable = |coding: &[u8]| {
        let coding = coding.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        matches!(coding, b"gzip" | b"deflate" | b"identity" | b"")
    };
    if accepted.split(|byte| *byte == b',').all(readable) {
        return Ok(());
    }
    let gzip = accepted.split(|byte| *byte == b',').any(|coding| coding.trim_ascii().starts_with(b"gzip"));
    headers::set(Map::Request, b"accept-encoding", if gzip { b"gzip" } else { b"identity" })
}

/// All values of a header, as one.
fn joined(headers: &Pairs, name: &[u8]) -> Vec<u8> {
    headers.all(name).collect::<Vec<_>>().join(&b',')
}

fn is_upgrade(headers: &Pairs) -> bool {
    headers.get(b"upgrade").is_some_and(|value| !value.is_empty() && !value.eq_ignore_ascii_case(b"h2c"))
        || headers.get(b":method") == Some(b"CONNECT")
}

fn text(value: Option<&[u8]>) -> String {
    String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
}

impl Context for Exchange {}

impl HttpContext for Exchange {
    fn on_http_request_headers(&mut self, _headers: usize, end_of_stream: bool) -> Action {
        self.begin(end_of_stream).unwrap_or_else(|_| self.failed(Direction::Request))
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.more(Direction::Request, size, end_of_stream).unwrap_or_else(|_| self.failed(Direction::Request))
    }

    fn on_http_request_trailers(&mut self, _trailers: usize) -> Action {
        self.trailers(Direction::Request).unwrap_or_else(|_| self.failed(Direction::Request))
    }

    fn on_http_response_headers(&mut self, _headers: usize, end_of_stream: bool) -> Action {
        self.answered(end_of_stream).unwrap_or_else(|_| self.failed(Direction::Response))
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.more(Direction::Response, size, end_of_stream).unwrap_or_else(|_| self.failed(Direction::Response))
    }

    fn on_http_response_trailers(&mut self, _trailers: usize) -> Action {
        self.trailers(Direction::Response).unwrap_or_else(|_| self.failed(Direction::Response))
    }

    fn on_log(&mut self) {
        if let (Some(plan), Some(session)) = (self.plan.take(), self.session.take()) {
            self.tell(&plan, &session);
        }
    }
}
