//! What is done with one request and its answer, from what is known of their headers.

use std::rc::Rc;

use filter_request::Request;

use crate::{
    body::Format,
    config::{Action as Side, Mode, OnError},
    detect::Patterns,
    detectors::{Custom, Detectors},
    events::Framing,
    refusal::Refusal,
    rules::{Chosen, Endpoint, JsonPath, Settings},
    session::{Action, Direction, Order, Session},
    vault::Vault,
};

/// All of a configuration that requests need.
pub struct Policy {
    /// As it was loaded.
    pub settings: Settings,
    /// What is looked for.
    pub detectors: Detectors,
    key: Option<Rc<[u8]>>,
}

impl Policy {
    /// Makes what requests need of what was loaded.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let texts: Vec<&str> = settings.custom.iter().map(|custom| custom.pattern.as_str()).collect();
        // what does not compile was found when it was loaded, and is a fault there
        let patterns = if texts.is_empty() { None } else { Patterns::new(&texts).ok() };
        let custom = settings.custom.iter().map(|custom| Custom {
            name: custom.name.as_str().to_owned(),
            context: custom.context.clone(),
            confidence: custom.confidence,
        });
        let detectors = Detectors::new(
            settings.entities,
            settings.min_confidence,
            patterns,
            custom.collect(),
            settings.style.clone(),
        );
        let detectors = detectors.with_lists(&settings.always, &settings.never);
        let key = settings.key.as_ref().map(|key| key.0.as_slice().into());
        Self { settings, detectors, key }
    }

    /// What is done with a kind.
    #[must_use]
    pub fn action(&self, name: &str) -> Action {
        self.settings.actions.of(name)
    }

    /// A session for a new request.
    #[must_use]
    pub fn session(&self) -> Session {
        let most = usize::try_from(self.settings.limits.max_values.0).unwrap_or(usize::MAX);
        Session::new(Vault::new(self.settings.style.clone(), self.key.clone(), most))
    }

    /// How long an event of a stream may be, in bytes.
    #[must_use]
    pub fn longest_event(&self) -> u64 {
        self.settings.limits.max_event_bytes.0
    }

    /// How many times larger a body may get by decoding.
    #[must_use]
    pub fn ratio(&self) -> u64 {
        self.settings.limits.max_ratio.0
    }
}

/// What is done with one request and its answer.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The rule's name.
    pub rule: Rc<str>,
    /// What is asked of the API.
    pub endpoint: Endpoint,
    /// The mode.
    pub mode: Mode,
    /// What is done with the request; none for nothing.
    pub request: Option<Order>,
    /// What is done with the answer; none for nothing.
    pub response: Option<Order>,
    /// What becomes of what can't be read.
    pub on_error: OnError,
    /// Which values are text; none for those of the API.
    pub paths: Rc<[JsonPath]>,
    /// Whether the answer may be an array of answers, each of which comes when it is there.
    streams_elements: bool,
}

impl Plan {
    /// What a rule means for a request.
    #[must_use]
    pub fn of(chosen: &Chosen<'_>, request: &Request<'_>) -> Self {
        let order = |direction, side: Side| {
            let all = match side {
                Side::Pass => return None,
                Side::Redact => None,
                Side::Block => Some(Action::Block),
                Side::Report => Some(Action::Report),
            };
            // what is only reported stays, but the caller's own values come back
            let changes = side != Side::Report || (direction == Direction::Response && chosen.restore);
            let enforce = chosen.mode == Mode::Enforce && changes;
            Some(Order { direction, all, restore: chosen.restore, enforce })
        };
        Self {
            rule: chosen.name().into(),
            endpoint: chosen.endpoint,
            mode: chosen.mode,
            request: order(Direction::Request, chosen.request),
            response: order(Direction::Response, chosen.response),
            on_error: chosen.on_error,
            paths: chosen.paths.into(),
            streams_elements: chosen.endpoint == Endpoint::Gemini && asks_for_elements(request),
        }
    }

    /// Whether anything is changed or refused.
    #[must_use]
    pub fn enforces(&self) -> bool {
        self.mode == Mode::Enforce
    }

    /// The answer to what can't be read, for the reason that the word says; none where it passes.
    #[must_use]
    pub fn refuses_unreadable(&self, order: Order, word: &'static str) -> Option<Refusal> {
        let refuses = order.enforce && self.on_error == OnError::Block;
        refuses.then_some(Refusal::Unreadable(order.direction, word))
    }

    /// The form of a request's body.
    #[must_use]
    pub fn request_format(&self, content_type: &[u8]) -> Format {
        match self.endpoint {
            Endpoint::Text => Format::Text,
            Endpoint::Json if is_lines(content_type) => Format::Events(Framing::Lines),
            _ => Format::Json,
        }
    }

    /// The form of an answer's body; none where it is none that holds text.
    ///
    /// # Errors
    /// When nobody knows what it is.
    pub fn response_format(&self, content_type: Option<&[u8]>) -> Result<Option<Format>, UnknownFormat> {
        let Some(written) = content_type else { return Ok(Some(Format::Unknown)) };
        let kind = written.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
        Ok(Some(match kind.as_slice() {
            b"text/event-stream" => Format::Events(Framing::ServerSent),
            kind if is_lines(kind) => Format::Events(Framing::Lines),
            b"application/json" if self.streams_elements => Format::Elements,
            b"application/json" | b"text/json" => Format::Json,
            kind if kind.ends_with(b"+json") => Format::Json,
            b"" | b"text/plain" => Format::Unknown,
            kind if kind.starts_with(b"text/") || kind.ends_with(b"/xml") || kind.ends_with(b"+xml") => Format::Text,
            kind if [b"audio/".as_slice(), b"image/", b"video/"].iter().any(|binary| kind.starts_with(binary)) => {
                return Ok(None);
            }
            _ => return Err(UnknownFormat),
        }))
    }
}

/// An answer's content type is none that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownFormat;

/// Whether Gemini is asked for an array of answers.
fn asks_for_elements(request: &Request<'_>) -> bool {
    let contains = |text: &[u8], part: &[u8]| text.windows(part.len()).any(|window| window == part);
    contains(request.path, b"streamGenerateContent") && !contains(request.query, b"alt=sse")
}

fn is_lines(content_type: &[u8]) -> bool {
    let kind = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    [
        b"application/x-ndjson".as_slice(),
        b"application/ndjson",
        b"application/jsonl",
        b"application/x-jsonlines",
        b"application/stream+json",
    ]
    .iter()
    .any(|lines| kind.eq_ignore_ascii_case(lines))
}
