//! A body on its way: bytes go in as they come, bytes that may leave come out.

use crate::{
    detectors::Detectors,
    events::{Events, Framing},
    field::{Field, Form, Shown, Work},
    json::{Malformed, Path, Reader},
    outlet::Outlet,
    session::{Action, Order, Session},
    text::Run,
    utf8::Utf8,
    walk::{State, Subject, Walk},
};

/// How much white space may stand before the byte that tells what a body is.
const SPACE: u64 = 4096;

/// The byte order mark of UTF-8, which is none of a document's, and allowed before it.
const MARK: [u8; 3] = *b"\xef\xbb\xbf";

/// What a body is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON document.
    Json,
    /// A stream of them.
    Events(Framing),
    /// A stream of them if it begins as an array, else one.
    Elements,
    /// JSON if it begins as an object or array, else text.
    Unknown,
    /// Text.
    Text,
}

/// How a body of a format is read.
#[derive(Debug)]
enum Engine {
    /// Nothing has come that says which.
    None(Format),
    Json {
        reader: Box<Reader>,
        state: Box<State>,
    },
    Events(Box<Events>),
    Text(Box<Field>),
}

/// What all bodies of a configuration share.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// What is looked for.
    pub detectors: &'a Detectors,
    /// What is done with each kind.
    pub actions: &'a dyn Fn(&str) -> Action,
}

/// See the module.
#[derive(Debug)]
pub struct Body {
    engine: Engine,
    outlet: Outlet,
    utf8: Utf8,
    order: Order,
    longest: u64,
}

impl Engine {
    fn of(format: Format, longest: u64) -> Self {
        match format {
            Format::Json => Engine::Json { reader: Box::default(), state: Box::default() },
            Format::Events(framing) => Engine::Events(Box::new(Events::new(framing, longest))),
            Format::Text => {
                let mut field = Box::<Field>::default();
                field.begin(Form::Text, 0, "");
                Engine::Text(field)
            }
            Format::Elements | Format::Unknown => Engine::None(format),
        }
    }

    /// What a format is that the first byte tells.
    fn told(format: Format, first: u8) -> Format {
        match (format, first) {
            (Format::Elements, b'[') => Format::Events(Framing::Elements),
            (Format::Unknown, byte) if !matches!(byte, b'[' | b'{') => Format::Text,
            _ => Format::Json,
        }
    }
}

impl Body {
    /// At its beginning. An event of a stream may have `longest` bytes.
    #[must_use]
    pub fn new(format: Format, order: Order, longest: u64) -> Self {
        Self { engine: Engine::of(format, longest), outlet: Outlet::default(), utf8: Utf8::default(), order, longest }
    }

    /// Takes the next bytes, and adds to `out` what may leave. `end` says that they are the last.
    ///
    /// # Errors
    /// When the body is not what it should be. What was held stays held: [`Body::rest`].
    pub fn push(
        &mut self,
        bytes: &[u8],
        end: bool,
        subject: Subject<'_>,
        means: Means<'_>,
        session: &mut Session,
        out: &mut Vec<u8>,
    ) -> Result<(), Malformed> {
        let came = self.outlet.push(bytes);
        self.utf8.push(bytes, end)?;
        let Some((at, waited)) = self.settle(came, bytes, end) else { return Ok(()) };
        let bytes = waited.as_deref().unwrap_or(bytes);
        let mut work = Work {
            detectors: means.detectors,
            actions: means.actions,
            order: self.order,
            session,
            outlet: &mut self.outlet,
        };
        match &mut self.engine {
            Engine::Events(events) => return events.push(bytes, at, end, subject, &mut work, out),
            Engine::Json { reader, state } => document(reader, state, bytes, at, end, subject, &mut work)?,
            Engine::Text(field) => text(field, bytes, at, end, &mut work),
            Engine::None(_) => {}
        }
        let held = match &self.engine {
            Engine::Json { reader, state } => [state.held_from(), reader.pending()].into_iter().flatten().min(),
            Engine::Text(field) => field.held_from(),
            Engine::Events(_) | Engine::None(_) => None,
        };
        let until = held.unwrap_or(self.outlet.end());
        self.outlet.release(until, out);
        Ok(())
    }

    /// Finds out what the body is, where its first byte tells. Gives from where on it is read now, with the bytes that waited for that;
    /// none while nothing tells.
    fn settle(&mut self, came: u64, bytes: &[u8], end: bool) -> Option<(u64, Option<Vec<u8>>)> {
        let Engine::None(format) = self.engine else { return Some((came, None)) };
        let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        let start = self.outlet.start();
        if first.is_none() && !end && self.outlet.end() - start < SPACE {
            return None;
        }
        // white space alone is as good as nothing, and without end it is no text
        self.engine = Engine::of(Engine::told(format, first.copied().unwrap_or(b'{')), self.longest);
        Some((start, Some(self.outlet.slice(&(start..self.outlet.end())).to_vec())))
    }

    /// Whether bytes are held.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.outlet.end() > self.outlet.start()
    }

    /// Gives up what is held, with what was replaced in it so far.
    pub fn rest(&mut self, out: &mut Vec<u8>) {
        self.outlet.release(self.outlet.end(), out);
    }
}

/// More of a document.
fn document(
    reader: &mut Reader,
    state: &mut State,
    bytes: &[u8],
    at: u64,
    end: bool,
    subject: Subject<'_>,
    work: &mut Work<'_>,
) -> Result<(), Malformed> {
    let mark = bytes
        .iter()
        .zip(MARK.iter().skip(usize::try_from(at).unwrap_or(MARK.len())))
        .take_while(|(byte, mark)| byte == mark);
    let mark = mark.count();
    let run = Run::plain(bytes.get(mark..).unwrap_or_default(), at + mark as u64);
    let mut walk = Walk::new(subject, state, work);
    reader.push(run, &mut walk).map_err(|(_, malformed)| malformed)?;
    walk.settle(reader.path());
    // no document at all is an empty body
    if end && !reader.is_done() && !reader.is_fresh() {
        return Err(Malformed::Truncated);
    }
    Ok(())
}

/// More of a text.
fn text(field: &mut Field, bytes: &[u8], at: u64, end: bool, work: &mut Work<'_>) {
    let path = Path::default();
    field.push(Run::plain(bytes, at), Shown::Path(&path), work);
    if end {
        field.finish(Shown::Path(&path), work);
    } else {
        field.settle(Shown::Path(&path), work);
    }
}
