//! `rcctl redact`: what pii-redactor makes of a body and of its answer, and what it finds in them.

mod told;

use std::path::{Path, PathBuf};

use filter_config::NothingKept;
use filter_request::{Pairs, Request};
use pii_core::body::Format;
use pii_core::decode::Coding;
use pii_core::events::Framing;
use pii_core::flow::{self, Flow};
use pii_core::gate::{self, Known, Verdict};
use pii_core::load;
use pii_core::load::any_variable;
use pii_core::plan::{Plan, Policy};
use pii_core::refusal::Refusal;
use pii_core::rules::{Chosen, Endpoint};
use pii_core::session::{Direction, Order, Session};

use crate::described::pair;
use crate::{Outcome, document, filters};

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Show {
    /// What was found, to standard output.
    Findings,
    /// The body, to standard output.
    Body,
    /// The body to standard output, and what was found to standard error.
    Both,
}

/// How it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people.
    Text,
    /// One JSON object, to standard output.
    Json,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The body of a request, not compressed; - for standard input.
    file: PathBuf,
    /// The configuration: bare, or in a manifest.
    #[arg(long)]
    config: PathBuf,
    /// The manifest that is meant, where the file holds more than one.
    #[arg(long)]
    manifest: Option<String>,
    /// The request's host.
    #[arg(long, default_value = "api.openai.com")]
    host: String,
    /// The request's path and query.
    #[arg(long, default_value = "/v1/chat/completions")]
    path: String,
    /// The request's method.
    #[arg(long, default_value = "POST")]
    method: String,
    /// A header of the request, name=value; any number of them.
    #[arg(long = "header", value_name = "NAME=VALUE")]
    headers: Vec<String>,
    /// A flag as flag-headers in the same proxy has decided it, name=true or name=false; any number of them.
    #[arg(long = "flag", value_name = "NAME=BOOLEAN")]
    flags: Vec<String>,
    /// The identity (URI SAN) of the peer that calls.
    #[arg(long)]
    principal: Option<String>,
    /// The body is a model's answer, of whose request nothing is known.
    #[arg(long, conflicts_with = "answer")]
    response: bool,
    /// The model's answer to the request, in a file: says what the caller gets back.
    #[arg(long, value_name = "FILE")]
    answer: Option<PathBuf>,
    /// The content type of the answer, with --answer or --response; else of the request. Without, that of an answer is what its
    /// first bytes look like: server-sent events, JSON or text.
    #[arg(long)]
    content_type: Option<String>,
    /// How many bytes of a body come at once; without, all. What is found is the same.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..))]
    chunk: Option<u32>,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Show::Both)]
    show: Show,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// What a proxy would know of the request, for the gate.
struct Peer {
    flags: Option<Vec<u8>>,
    principal: Option<String>,
}

impl Known for Peer {
    fn flags(&self) -> Option<Vec<u8>> {
        self.flags.clone()
    }

    fn principal(&self) -> Option<String> {
        self.principal.clone()
    }
}

impl Arguments {
    fn request(&self) -> Result<Pairs, String> {
        let mut headers = vec![
            (":method".to_owned(), self.method.clone()),
            (":scheme".to_owned(), "http".to_owned()),
            (":authority".to_owned(), self.host.clone()),
            (":path".to_owned(), self.path.clone()),
        ];
        for header in &self.headers {
            let (name, value) = pair(header, "--header")?;
            headers.push((name.to_ascii_lowercase(), value));
        }
        Ok(Pairs::from_list(&headers))
    }

    /// What filter state says, in flag-headers' form.
    fn peer(&self) -> Result<Peer, String> {
        let flags = self.flags.iter().map(|flag| match pair(flag, "--flag")? {
            (name, value) if value == "true" || value == "false" => Ok(format!("{}={value}", gate::encoded(&name))),
            _ => Err(format!("--flag {flag}: it has to be name=true or name=false")),
        });
        let flags = flags.collect::<Result<Vec<_>, String>>()?.join(",");
        let flags = Some(flags.into_bytes()).filter(|flags| !flags.is_empty());
        Ok(Peer { flags, principal: self.principal.clone() })
    }

    /// The bodies in their order.
    fn bodies(&self) -> Result<Vec<(Direction, Vec<u8>)>, String> {
        let read = [Some(&self.file), Some(&self.config), self.answer.as_ref()];
        if read.iter().flatten().filter(|path| **path == Path::new("-")).count() > 1 {
            return Err("-: standard input can be read once only".to_owned());
        }
        let first = if self.response { Direction::Response } else { Direction::Request };
        let mut bodies = vec![(first, bytes(&self.file)?)];
        if let Some(answer) = &self.answer {
            bodies.push((Direction::Response, bytes(answer)?));
        }
        Ok(bodies)
    }

    /// The content type of a body.
    fn content_type(&self, direction: Direction, body: &[u8]) -> Option<Vec<u8>> {
        let of_answer = self.response || self.answer.is_some();
        let said = self.content_type.clone().filter(|_| of_answer == (direction == Direction::Response));
        let guessed = (direction == Direction::Response).then(|| looks_like(body));
        said.map(String::into_bytes).or_else(|| guessed.map(|kind| kind.as_bytes().to_vec()))
    }

    fn piece(&self) -> usize {
        self.chunk.and_then(|size| usize::try_from(size).ok()).unwrap_or(usize::MAX)
    }
}

/// The content type that a body looks like.
fn looks_like(body: &[u8]) -> &'static str {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    let event = [b"data:".as_slice(), b"event:", b"id:", b"retry:", b":"].iter().any(|field| body.starts_with(field));
    match body.first() {
        _ if event => "text/event-stream",
        Some(b'{' | b'[') => "application/json",
        _ => "text/plain",
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = match path == Path::new("-") {
        true => std::io::Read::read_to_end(&mut std::io::stdin(), &mut bytes).map(|_| ()),
        false => std::fs::read(path).map(|read| bytes = read),
    };
    read.map(|()| bytes).map_err(|error| format!("{}: {error}", path.display()))
}

/// What became of a body.
#[derive(Debug)]
enum Fate {
    /// Nothing of it was looked at, and why.
    Unread(String),
    /// It passes, changed or not.
    Passes { changed: bool },
    /// It passes though it could not be read: the word for why.
    Unreadable(&'static str),
    /// It does not pass, or not to its end.
    Refused(Refusal, Telling),
}

/// How a client learns that it gets no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Telling {
    /// By an answer of the filter's own.
    Answer,
    /// By the last event of a stream.
    Event,
    /// By a reset: the answer has begun, and is no stream.
    Reset,
}

/// A body, as it leaves.
#[derive(Debug)]
struct Treated {
    direction: Direction,
    fate: Fate,
    body: Vec<u8>,
}

/// How a request and its answer are dealt with.
struct Guard<'p> {
    policy: &'p Policy,
    plan: Plan,
    piece: usize,
}

/// Which rule is for the request, and what the gate says; and the bodies as they leave.
struct Account<'p> {
    chosen: Option<Chosen<'p>>,
    place: Option<usize>,
    verdict: Option<Verdict>,
    stand_in: bool,
    treated: Vec<Treated>,
    session: Session,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let bodies = arguments.bodies()?;
    let (policy, stand_in) = policy(arguments)?;
    let headers = arguments.request()?;
    let request = Request::new(&headers);
    let settings = &policy.settings;
    let chosen = settings.select(&request);
    let rule = chosen.as_ref().and_then(|chosen| chosen.rule);
    let place = rule.and_then(|rule| settings.rules.iter().position(|other| other.name == rule.name));
    let peer = arguments.peer()?;
    let verdict = chosen.as_ref().zip(settings.gate.as_ref()).map(|(_, gate)| gate.decide(&headers, &peer));
    let mut account = Account { chosen, place, verdict, stand_in, treated: Vec::new(), session: policy.session() };
    let open = match (&account.chosen, verdict) {
        (None, _) => Some("no rule is for this request"),
        (Some(_), Some(verdict)) if !verdict.guarded => Some("the gate lets it past"),
        _ => None,
    };
    let guard = account.chosen.as_ref().filter(|_| open.is_none()).map(|chosen| Guard {
        policy: &policy,
        plan: Plan::of(chosen, &request),
        piece: arguments.piece(),
    });
    for (direction, body) in bodies {
        let treated = match &guard {
            None => Treated { direction, fate: Fate::Unread(open.unwrap_or_default().to_owned()), body },
            Some(guard) => {
                let kind = arguments.content_type(direction, &body);
                guard.treat(direction, body, kind.as_deref(), &mut account.session)
            }
        };
        let refused = matches!(treated.fate, Fate::Refused(..));
        account.treated.push(treated);
        if refused {
            break;
        }
    }
    told::print(&account, arguments.show, arguments.output)?;
    Ok(!account.treated.iter().any(|treated| matches!(treated.fate, Fate::Refused(..))))
}

/// The policy, and whether a key that is not here has a stand-in.
fn policy(arguments: &Arguments) -> Result<(Policy, bool), String> {
    let filter = filters::named("pii-redactor")?;
    let configuration = document::only(&arguments.config, filter, arguments.manifest.as_deref())?;
    let variable = |name: &str| std::env::var(name).ok().map(String::into_bytes).or_else(|| any_variable(name));
    let loaded = load(configuration.to_string().as_bytes(), &NothingKept, &variable);
    if !loaded.report.errors.is_empty() {
        return Err(document::mistakes(&arguments.config, &loaded.report));
    }
    let stand_in = loaded.policy.key.as_ref().is_some_and(|key| Some(&key.0) == any_variable("").as_ref());
    Ok((Policy::new(loaded.policy), stand_in))
}

impl Guard<'_> {
    fn format(&self, direction: Direction, kind: Option<&[u8]>) -> Result<Option<Format>, &'static str> {
        match direction {
            Direction::Request => Ok(Some(self.plan.request_format(kind.unwrap_or_default()))),
            Direction::Response => self.plan.response_format(kind).map_err(|_| "content_type"),
        }
    }

    /// What becomes of a body.
    fn treat(&self, direction: Direction, body: Vec<u8>, kind: Option<&[u8]>, session: &mut Session) -> Treated {
        let order = match direction {
            Direction::Request => self.plan.request,
            Direction::Response => self.plan.response,
        };
        let unread = |why: &str, body| Treated { direction, fate: Fate::Unread(why.to_owned()), body };
        let Some(order) = order else { return unread("the rule lets this side pass", body) };
        match self.format(direction, kind) {
            Ok(None) => unread("its content type is none of text", body),
            Err(word) => match self.plan.refuses_unreadable(order, word) {
                Some(refusal) => Treated { direction, fate: Fate::Refused(refusal, Telling::Answer), body: Vec::new() },
                None => Treated { direction, fate: Fate::Unreadable(word), body },
            },
            Ok(Some(format)) => self.read(format, order, &body, session),
        }
    }

    /// Takes a body through the redactor, piece by piece.
    fn read(&self, format: Format, order: Order, body: &[u8], session: &mut Session) -> Treated {
        let direction = order.direction;
        let Some(mut flow) = Flow::new(format, Coding::Identity, order, self.policy) else {
            return Treated { direction, fate: Fate::Unreadable("content_encoding"), body: body.to_vec() };
        };
        let mut out = Vec::new();
        let mut taken = 0;
        let last: &[u8] = &[];
        for piece in body.chunks(self.piece.min(body.len()).max(1)).chain([last]) {
            taken += piece.len();
            let before = out.len();
            let end = taken == body.len() && piece.is_empty();
            match flow.push(piece, end, &self.plan, self.policy, session, &mut out) {
                flow::Fate::Passes => {}
                flow::Fate::Refused(refusal) => return self.stop(format, refusal, out, before),
                flow::Fate::Unread(word) => {
                    out.extend_from_slice(body.get(taken..).unwrap_or_default());
                    let body = if order.enforce { out } else { body.to_vec() };
                    return Treated { direction, fate: Fate::Unreadable(word), body };
                }
            }
        }
        // where nothing is enforced the proxy does not touch what it reads
        let changed = order.enforce && out != body;
        Treated { direction, fate: Fate::Passes { changed }, body: if changed { out } else { body.to_vec() } }
    }

    /// Ends a body: what of it left before, and for a stream the event that says why.
    fn stop(&self, format: Format, refusal: Refusal, mut out: Vec<u8>, before: usize) -> Treated {
        let direction = match &refusal {
            Refusal::Blocked(direction, _) | Refusal::Unreadable(direction, _) => *direction,
            Refusal::Upgrade | Refusal::Broken(_) => Direction::Request,
        };
        let telling = match (direction, format) {
            (Direction::Request, _) => Telling::Answer,
            (Direction::Response, Format::Events(Framing::ServerSent)) => Telling::Event,
            (Direction::Response, _) => Telling::Reset,
        };
        if telling == Telling::Event {
            let endpoint = self.plan.endpoint;
            out.extend(refusal.event(endpoint.api(), endpoint == Endpoint::OpenaiResponses));
        } else {
            out.truncate(before);
        }
        Treated { direction, fate: Fate::Refused(refusal, telling), body: out }
    }
}
