//! One request and its answer: chosen by the rules, let past by the gate, read, redacted, refused, put back, told.

use std::rc::Rc;

use filter_host::body::{self, Which};
use filter_host::headers::{self, Map};
use filter_host::{Result, local};
use filter_request::{Pairs, Request};
use filter_runtime::{event, now};
use pii_core::body::Format;
use pii_core::config::OnError;
use pii_core::decode::{Coding, Decoder};
use pii_core::events::Framing;
use pii_core::gate::Verdict;
use pii_core::plan::Plan;
use pii_core::refusal::Refusal;
use pii_core::rules::Endpoint;
use pii_core::session::{Direction, Order, Session};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use serde_json::json;

use crate::flow::{Flow, Unreadable};
use crate::instance::{HostKnown, Instance};

/// How much of a text body is held back as a whole, so that its end can still be sent when trailers come, in bytes.
const PAUSED: usize = 64 * 1024;

/// What can't be true any more of a body that was rewritten.
const STALE: [&[u8]; 5] = [b"content-length", b"content-md5", b"digest", b"content-digest", b"repr-digest"];

/// How one body is dealt with.
enum Way {
    /// It passes as it is.
    Open,
    /// It is read.
    Read(Box<Flow>),
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
    /// Whether the answer may be an array of answers.
    streams_elements: bool,
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
            streams_elements: false,
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
        let plan = Rc::new(Plan::of(&chosen));
        self.request_id = text(headers.get(b"x-request-id"));
        self.streams_elements = plan.endpoint == Endpoint::Gemini
            && contains(request.path, b"streamGenerateContent")
            && !contains(request.query, b"alt=sse");
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
        let coding = Coding::of(&joined(headers, b"content-encoding"));
        if coding == Coding::Other {
            return Ok(self.unreadable_at_once(plan, order, "content_encoding"));
        }
        let content_type = headers.get(b"content-type").unwrap_or_default();
        let format = plan.request_format(content_type);
        self.request = Way::Read(Box::new(self.flow(format, order, coding)));
        self.instance.meters.looked_at(&plan.rule, Direction::Request, plan.mode.as_str());
        if order.enforce {
            rewrite_headers(Map::Request, headers, coding)?;
        }
        Ok(Action::Continue)
    }

    fn flow(&self, format: Format, order: Order, coding: Coding) -> Flow {
        let policy = &self.instance.policy;
        Flow::new(format, order, Decoder::new(coding, policy.ratio()), policy)
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
        let format = match plan.response_format(headers.get(b"content-type"), self.streams_elements) {
            Ok(Some(format)) => format,
            Ok(None) => {
                self.instance.meters.passed(&plan.rule, "binary");
                return Ok(Action::Continue);
            }
            Err(_) => return Ok(self.unreadable_at_once(&plan, order, "content_type")),
        };
        let coding = Coding::of(&joined(&headers, b"content-encoding"));
        if coding == Coding::Other {
            return Ok(self.unreadable_at_once(&plan, order, "content_encoding"));
        }
        self.is_event_stream = format == Format::Events(Framing::ServerSent);
        self.response = Way::Read(Box::new(self.flow(format, order, coding)));
        self.instance.meters.looked_at(&plan.rule, Direction::Response, plan.mode.as_str());
        if order.enforce {
            rewrite_headers(Map::Response, &headers, coding)?;
        }
        Ok(Action::Continue)
    }

    /// What can't be read at all: stopped, or let past, as the configuration says.
    fn unreadable_at_once(&mut self, plan: &Plan, order: Order, word: &'static str) -> Action {
        if order.enforce && plan.on_error == OnError::Block {
            return self.refuse(order.direction, &Refusal::Unreadable(order.direction, word));
        }
        self.instance.meters.passed(&plan.rule, word);
        Action::Continue
    }

    /// More of a body.
    fn more(&mut self, which: Which, size: usize, end: bool) -> Result<Action> {
        let Some(plan) = self.plan.clone() else { return Ok(Action::Continue) };
        let way = if which == Which::Request { &mut self.request } else { &mut self.response };
        let flow = match way {
            Way::Open => return Ok(Action::Continue),
            Way::Closed => {
                // what still comes of what was stopped
                return body::replace(which, size, &[]).map(|()| Action::Continue);
            }
            Way::Read(flow) => flow,
        };
        let Some(session) = &mut self.session else { return Ok(Action::Continue) };
        let kept = self.paused.len().min(size);
        let bytes = body::of(which, kept, size - kept)?;
        self.instance.meters.bytes(flow.order.direction, bytes.len() as u64);
        let mut out = std::mem::take(&mut self.paused);
        let read = flow.push(&bytes, end, &plan, &self.instance.policy, session, &mut out);
        let order = flow.order;
        let blocked = session.is_blocked(order.direction) && order.enforce;
        note_held(flow, &self.instance);
        if blocked {
            let kinds = session.tally.blocked.iter().filter(|(of, _)| *of == order.direction);
            let refusal = Refusal::Blocked(order.direction, kinds.map(|(_, kind)| kind.clone()).collect());
            return self.stop(which, size, out, &refusal);
        }
        if let Err(Unreadable(word)) = read {
            return self.unreadable(which, size, out, word, &plan);
        }
        if !order.enforce {
            return Ok(Action::Continue);
        }
        self.put(which, size, out, end, &plan)
    }

    /// Puts what may leave in place of what came.
    fn put(&mut self, which: Which, size: usize, out: Vec<u8>, end: bool, plan: &Plan) -> Result<Action> {
        body::replace(which, size, &out)?;
        let holds = match &self.request {
            Way::Read(flow) => which == Which::Request && flow.holds(),
            _ => false,
        };
        // a text has no end of its own but the body's: while it is short, it waits for it as a whole
        if holds && !end && plan.endpoint == Endpoint::Text && out.len() < PAUSED {
            self.paused = out;
            return Ok(Action::Pause);
        }
        Ok(Action::Continue)
    }

    /// A body turned out to be none that can be read.
    fn unreadable(
        &mut self,
        which: Which,
        size: usize,
        mut out: Vec<u8>,
        word: &'static str,
        plan: &Plan,
    ) -> Result<Action> {
        let way = if which == Which::Request { &mut self.request } else { &mut self.response };
        let Way::Read(flow) = way else { return Ok(Action::Continue) };
        let order = flow.order;
        // what was decoded can't go on as it is
        let passes = plan.on_error == OnError::Pass && !flow.decodes();
        if !order.enforce || passes {
            flow.rest(&mut out);
            *way = Way::Open;
            self.instance.meters.passed(&plan.rule, word);
            if order.enforce {
                body::replace(which, size, &out)?;
            }
            return Ok(Action::Continue);
        }
        self.stop(which, size, out, &Refusal::Unreadable(order.direction, word))
    }

    /// Stops a body that has begun to pass.
    fn stop(&mut self, which: Which, size: usize, mut out: Vec<u8>, refusal: &Refusal) -> Result<Action> {
        if which == Which::Response && self.is_event_stream {
            // a stream ends with an event that says why; what still comes is dropped
            let plan = self.plan.clone();
            let (rule, endpoint) = plan.as_ref().map_or(("", Endpoint::Json), |plan| (&*plan.rule, plan.endpoint));
            out.extend(refusal.event(endpoint.api(), endpoint == Endpoint::OpenaiResponses));
            self.response = Way::Closed;
            self.refused = true;
            self.instance.meters.blocked(rule, Direction::Response, refusal.word());
            return body::replace(which, size, &out).map(|()| Action::Continue);
        }
        let direction = if which == Which::Request { Direction::Request } else { Direction::Response };
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
    fn trailers(&mut self, which: Which) -> Result<Action> {
        let Some(plan) = self.plan.clone() else { return Ok(Action::Continue) };
        let way = if which == Which::Request { &mut self.request } else { &mut self.response };
        let Way::Read(flow) = way else { return Ok(Action::Continue) };
        let Some(session) = &mut self.session else { return Ok(Action::Continue) };
        let paused = self.paused.len();
        let mut out = std::mem::take(&mut self.paused);
        let read = flow.push(&[], true, &plan, &self.instance.policy, session, &mut out);
        let order = flow.order;
        if !order.enforce {
            return Ok(Action::Continue);
        }
        if let Err(Unreadable(word)) = read {
            if plan.on_error == OnError::Pass && !flow.holds() {
                self.instance.meters.passed(&plan.rule, word);
                return Ok(Action::Continue);
            }
            return Ok(self.refuse(order.direction, &Refusal::Unreadable(order.direction, word)));
        }
        if out.len() == paused {
            return Ok(Action::Continue);
        }
        if body::replace(which, paused, &out).is_ok() && paused > 0 {
            return Ok(Action::Continue);
        }
        Ok(self.refuse(order.direction, &Refusal::Unreadable(order.direction, "trailers")))
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
                json!({"direction": direction.word(), "entity": entity, "action": action.word(), "count": count})
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
fn note_held(flow: &mut Flow, instance: &Instance) {
    match (flow.held_since, flow.holds()) {
        (None, true) => flow.held_since = Some(milliseconds()),
        (Some(since), held) => {
            let at = milliseconds();
            instance.meters.held(flow.order.direction, at.saturating_sub(since));
            flow.held_since = held.then_some(at);
        }
        (None, false) => {}
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
    let values: Vec<&[u8]> = headers.iter().filter(|(other, _)| *other == name).map(|(_, value)| value).collect();
    values.join(&b',')
}

fn is_upgrade(headers: &Pairs) -> bool {
    headers.get(b"upgrade").is_some_and(|value| !value.is_empty() && !value.eq_ignore_ascii_case(b"h2c"))
        || headers.get(b":method") == Some(b"CONNECT")
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
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
        self.more(Which::Request, size, end_of_stream).unwrap_or_else(|_| self.failed(Direction::Request))
    }

    fn on_http_request_trailers(&mut self, _trailers: usize) -> Action {
        self.trailers(Which::Request).unwrap_or_else(|_| self.failed(Direction::Request))
    }

    fn on_http_response_headers(&mut self, _headers: usize, end_of_stream: bool) -> Action {
        self.answered(end_of_stream).unwrap_or_else(|_| self.failed(Direction::Response))
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.more(Which::Response, size, end_of_stream).unwrap_or_else(|_| self.failed(Direction::Response))
    }

    fn on_http_response_trailers(&mut self, _trailers: usize) -> Action {
        self.trailers(Which::Response).unwrap_or_else(|_| self.failed(Direction::Response))
    }

    fn on_log(&mut self) {
        if let (Some(plan), Some(session)) = (self.plan.take(), self.session.take()) {
            self.tell(&plan, &session);
        }
    }
}
