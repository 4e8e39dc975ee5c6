//! The way through one JSON document of a body: which strings are texts, and to which text each belongs.

use crate::{
    channels::{Channels, Facts},
    field::{Field, Form, Shown, Work},
    json::{Handler, Path},
    place::{Place, is_left_out, place},
    rules::{Endpoint, JsonPath},
    session::Direction,
    text::Run,
};

/// What a body is.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Whose form it has.
    pub endpoint: Endpoint,
    /// Which way it goes.
    pub direction: Direction,
    /// The places that are looked at; none for those of the API.
    pub paths: &'a [JsonPath],
}

impl Subject<'_> {
    /// What is at a path.
    pub fn place(&self, path: &Path, kind: &str) -> Place {
        if !self.paths.is_empty() {
            let steps = path.steps();
            return if self.paths.iter().any(|named| named.covers(&steps)) { Place::Text } else { Place::Never };
        }
        place(self.endpoint, self.direction, path.parts().names(), kind)
    }

    fn is_left_out(&self, path: &Path) -> bool {
        self.direction == Direction::Response && is_left_out(self.endpoint, path.parts().names())
    }
}

/// The values of `type` on the way to where a reader is.
#[derive(Debug, Default)]
pub struct Kinds {
    /// By the depth of the object that has it.
    kinds: Vec<String>,
    reading: bool,
}

/// How long a `type` may be.
const KIND_LENGTH: usize = 64;

impl Kinds {
    /// A value begins at a depth: what was deeper is over.
    fn enter(&mut self, depth: usize) {
        self.kinds.truncate(depth);
    }

    /// The `type` of the object in which the reader is, `depth` levels deep.
    fn at(&self, depth: usize) -> &str {
        depth.checked_sub(1).and_then(|index| self.kinds.get(index)).map_or("", String::as_str)
    }

    fn begin(&mut self, path: &Path) {
        self.reading = path.depth() > 0 && path.name() == "type";
        if self.reading {
            self.kinds.resize(path.depth(), String::new());
            if let Some(kind) = self.kinds.last_mut() {
                kind.clear();
            }
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        if let (true, Some(kind)) = (self.reading, self.kinds.last_mut()) {
            let left = KIND_LENGTH.saturating_sub(kind.len());
            kind.extend(bytes.iter().take(left).map(|byte| char::from(*byte)));
        }
    }
}

/// What the state of a walk is between two pieces of a document.
#[derive(Debug, Default)]
pub struct State {
    /// The text that is read, where it is one by itself.
    pub field: Field,
    /// Whether it is in the middle.
    pub in_text: bool,
    /// Where what is left out begins.
    pub leaving: Option<u64>,
    kinds: Kinds,
}

impl State {
    /// Where in the body what is not certain begins; none where all is.
    #[must_use]
    pub fn held_from(&self) -> Option<u64> {
        let text = if self.in_text { self.field.held_from() } else { None };
        [text, self.leaving].into_iter().flatten().min()
    }
}

/// Where the content of a string goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Nowhere,
    Field,
    Channel,
}

/// See the module.
pub struct Walk<'a, 'w> {
    subject: Subject<'a>,
    state: &'a mut State,
    work: &'a mut Work<'w>,
    /// The texts that go on in later events, and what is known of this event.
    events: Option<(&'a mut Channels, &'a Facts)>,
    target: Target,
}

impl<'a, 'w> Walk<'a, 'w> {
    /// A walk through a document that is alone.
    pub fn new(subject: Subject<'a>, state: &'a mut State, work: &'a mut Work<'w>) -> Self {
        let target = if state.in_text { Target::Field } else { Target::Nowhere };
        Self { subject, state, work, events: None, target }
    }

    /// A walk through one event of a stream.
    pub fn of_event(
        subject: Subject<'a>,
        state: &'a mut State,
        work: &'a mut Work<'w>,
        channels: &'a mut Channels,
        facts: &'a Facts,
    ) -> Self {
        Self { subject, state, work, events: Some((channels, facts)), target: Target::Nowhere }
    }

    /// Looks at what has come of a text that is in the middle.
    pub fn settle(&mut self, path: &Path) {
        if self.state.in_text {
            self.state.field.settle(Shown::Path(path), self.work);
        }
    }

    fn begin_field(&mut self, form: Form, path: &Path, key: bool) {
        // the names of an API's own fields say nothing of what stands in them
        let context = if key || matches!(path.name(), "content" | "text" | "input" | "output" | "prompt") {
            ""
        } else {
            path.name()
        };
        self.state.field.begin(form, 1, context);
        self.state.in_text = true;
        self.target = Target::Field;
    }

    fn begin(&mut self, path: &Path, key: bool, raw: u64) {
        let kind = match &self.events {
            Some((_, facts)) if self.subject.endpoint == Endpoint::OpenaiResponses && path.depth() == 1 => facts.kind(),
            _ => self.state.kinds.at(path.depth()),
        };
        match self.subject.place(path, kind) {
            Place::Never => {}
            Place::Text => self.begin_field(Form::Text, path, key),
            Place::Json => self.begin_field(Form::Json, path, key),
            Place::Delta(stream) => {
                if let Some((channels, facts)) = &mut self.events {
                    channels.begin(stream, path, raw, facts);
                    self.target = Target::Channel;
                } else {
                    self.begin_field(if stream.is_json() { Form::Json } else { Form::Text }, path, key);
                }
            }
        }
    }
}

impl Handler for Walk<'_, '_> {
    fn string(&mut self, path: &Path, key: bool, raw: u64) -> bool {
        self.target = Target::Nowhere;
        if self.state.leaving.is_some() {
            return false;
        }
        if !key {
            self.state.kinds.begin(path);
        }
        self.begin(path, key, raw);
        self.target != Target::Nowhere || (!key && self.state.kinds.reading)
    }

    fn run(&mut self, path: &Path, run: Run<'_>) {
        self.state.kinds.add(run.bytes);
        match self.target {
            Target::Nowhere => {}
            Target::Field => self.state.field.push(run, Shown::Path(path), self.work),
            Target::Channel => {
                if let Some((channels, _)) = &mut self.events {
                    channels.push(run, path, self.work);
                }
            }
        }
    }

    fn end(&mut self, path: &Path) {
        self.state.kinds.reading = false;
        match self.target {
            Target::Nowhere => {}
            Target::Field => {
                self.state.field.finish(Shown::Path(path), self.work);
                self.state.in_text = false;
            }
            Target::Channel => {
                if let Some((channels, _)) = &mut self.events {
                    channels.end(self.work);
                }
            }
        }
        self.target = Target::Nowhere;
    }

    fn value(&mut self, path: &Path, raw: u64) -> bool {
        self.state.kinds.enter(path.depth());
        let left_out = self.work.order.enforce && self.subject.is_left_out(path);
        if left_out {
            self.state.leaving = Some(raw);
        }
        left_out
    }

    fn value_end(&mut self, raw: u64) {
        let Some(start) = self.state.leaving.take() else { return };
        let range = start..raw;
        // `null` and `[]` say nothing
        if self.work.outlet.slice(&range).len() > 4 {
            self.work.outlet.replace(range, b"null".to_vec());
        }
    }
}
