//! A stream of events: server-sent events (the HTML standard, 9.2), the elements of a JSON array, or lines of JSON.
//!
//! An event leaves whole, and none is dropped or changed but for the values in it. One whose text could still become a value with what
//! comes next is held until that is certain, which the next word tells; where it says much before that, this leaves at once as an event
//! of its own. What says nothing (`ping`, a comment) overtakes it.

use core::ops::Range;
use std::collections::VecDeque;

use crate::{
    channels::{Channels, Facts},
    field::{Field, Form, Shown, Work},
    json::{Handler, Malformed, Path, Reader},
    rules::Endpoint,
    text::Run,
    walk::{State, Subject, Walk},
};

/// How many bytes of whole events are held for a text that does not go on, before it is taken as over.
const MOST_HELD: u64 = 256 * 1024;

/// How many bytes of an event's text are worth an event of their own.
const SPLIT: u64 = 64;

/// What parts events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// An empty line.
    ServerSent,
    /// The commas of an array.
    Elements,
    /// The ends of lines.
    Lines,
}

/// What one piece of a body is taken with: what it is, what is done with it, and where what may leave goes.
struct Pass<'a, 'w> {
    subject: Subject<'a>,
    work: &'a mut Work<'w>,
    out: &'a mut Vec<u8>,
}

/// The events of a body. See the module.
#[derive(Debug)]
pub struct Events {
    framing: Framing,
    /// How long one event may be, in bytes.
    longest: u64,
    /// Where the event begins that is not yet whole.
    start: u64,
    line_start: u64,
    after_return: bool,
    /// Whether an empty line has ended by a carriage return, and with it an event.
    ended: bool,
    name_is_ping: bool,
    data: Vec<Range<u64>>,
    fields: bool,
    /// Where whole events begin that are held.
    held: VecDeque<u64>,
    channels: Channels,
    state: State,
    reader: Reader,
    /// The array around the elements.
    array: Reader,
}

impl Events {
    /// At the beginning of a body of which an event may have `longest` bytes.
    #[must_use]
    pub fn new(framing: Framing, longest: u64) -> Self {
        Self {
            framing,
            longest,
            start: 0,
            line_start: 0,
            after_return: false,
            ended: false,
            name_is_ping: false,
            data: Vec::new(),
            fields: false,
            held: VecDeque::new(),
            channels: Channels::default(),
            state: State::default(),
            reader: Reader::default(),
            array: Reader::default(),
        }
    }

    /// Takes bytes that were just added to the outlet, from `at` on, and lets go what may.
    ///
    /// # Errors
    /// When an event is not what it should be.
    pub fn push(
        &mut self,
        bytes: &[u8],
        at: u64,
        end: bool,
        subject: Subject<'_>,
        work: &mut Work<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Malformed> {
        let pass = &mut Pass { subject, work, out };
        match self.framing {
            Framing::ServerSent => self.lines(bytes, at, pass)?,
            Framing::Lines => self.json_lines(bytes, at, pass)?,
            Framing::Elements => self.elements(bytes, at, pass)?,
        }
        if pass.work.outlet.end().saturating_sub(self.start) > self.longest {
            return Err(Malformed::Long);
        }
        if end {
            self.finish(pass)?;
        }
        self.release(pass);
        Ok(())
    }

    /// The stream ends: what is not whole is taken as if it were.
    fn finish(&mut self, pass: &mut Pass<'_, '_>) -> Result<(), Malformed> {
        let last = pass.work.outlet.end();
        match self.framing {
            Framing::ServerSent => {
                if self.line_start < last {
                    self.line(self.line_start..last, pass);
                }
                // what has no end may stand behind others only
                (self.name_is_ping, self.fields) = (false, true);
                self.event(last, pass)?;
            }
            Framing::Lines => {
                if self.line_start < last {
                    self.json_line(self.line_start..last, last, pass)?;
                }
            }
            Framing::Elements if !self.array.is_done() && !self.array.is_fresh() => return Err(Malformed::Truncated),
            Framing::Elements => {}
        }
        self.channels.finish(pass.work);
        self.held.clear();
        self.start = last;
        Ok(())
    }

    fn lines(&mut self, bytes: &[u8], at: u64, pass: &mut Pass<'_, '_>) -> Result<(), Malformed> {
        for (byte, position) in bytes.iter().zip(at..) {
            let after_return = core::mem::replace(&mut self.after_return, *byte == b'\r');
            // a line feed behind it would be of the same end
            if core::mem::take(&mut self.ended) {
                self.event(position + u64::from(*byte == b'\n'), pass)?;
            }
            match byte {
                b'\n' if after_return => self.line_start = position + 1,
                b'\n' | b'\r' => {
                    let line = self.line_start..position;
                    self.line_start = position + 1;
                    if !line.is_empty() {
                        self.line(line, pass);
                    } else if *byte == b'\r' {
                        self.ended = true;
                    } else {
                        self.event(position + 1, pass)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A line of an event.
    fn line(&mut self, line: Range<u64>, pass: &Pass<'_, '_>) {
        let bytes = pass.work.outlet.slice(&line);
        // a byte order mark may stand before the first
        let mark = if line.start == 0 && bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let bytes = bytes.get(mark..).unwrap_or_default();
        if bytes.starts_with(b":") {
            return;
        }
        self.fields = true;
        if let Some(rest) = bytes.strip_prefix(b"data:") {
            let space = u64::from(rest.first() == Some(&b' '));
            self.data.push(line.start + mark as u64 + 5 + space..line.end);
        } else if bytes == b"event: ping" || bytes == b"event:ping" {
            self.name_is_ping = true;
        }
    }

    /// An event is whole; it ends before `end`.
    fn event(&mut self, end: u64, pass: &mut Pass<'_, '_>) -> Result<(), Malformed> {
        let data = core::mem::take(&mut self.data);
        let silent = core::mem::take(&mut self.name_is_ping) || !core::mem::take(&mut self.fields);
        let start = core::mem::replace(&mut self.start, end);
        if start == end {
            return Ok(());
        }
        // the same whether it came at once or in pieces
        if end - start > self.longest {
            return Err(Malformed::Long);
        }
        self.held.push_back(start);
        let edited = pass.work.outlet.edited();
        self.channels.next_event();
        let done = matches!(data.as_slice(), [range] if pass.work.outlet.slice(range).trim_ascii() == b"[DONE]");
        if done {
            self.channels.finish(pass.work);
        } else if !data.is_empty() {
            self.document(&data, pass)?;
            self.split(start..end, pass);
        }
        self.release(pass);
        if silent && pass.work.outlet.edited() == edited {
            overtake(start..end, pass);
        }
        Ok(())
    }

    /// Of an event that says much, what is certain leaves at once, as an event of its own; the rest waits as another. Where events are
    /// numbered they are left whole.
    fn split(&mut self, event: Range<u64>, pass: &mut Pass<'_, '_>) {
        // where nothing is changed nothing is cut either
        let stays = pass.subject.endpoint == Endpoint::OpenaiResponses || !pass.work.order.enforce;
        let (Some(part), Some(held)) = (self.channels.only_part(), self.channels.held_from()) else { return };
        let (before, behind) = (event.start..part.start, part.end..event.end);
        let outlet = &mut pass.work.outlet;
        let whole = stays || self.framing != Framing::ServerSent || !(part.start + SPLIT..part.end).contains(&held);
        if whole || outlet.is_edited(before.clone()) || outlet.is_edited(behind.clone()) {
            return;
        }
        let (opening, closing) = (outlet.slice(&before).to_vec(), outlet.slice(&behind).to_vec());
        outlet.release(held, pass.out);
        pass.out.extend(closing);
        outlet.insert(held, opening);
        self.held.clear();
        self.held.push_back(held);
    }

    /// The document of an event, which may stand in several lines.
    fn document(&mut self, data: &[Range<u64>], pass: &mut Pass<'_, '_>) -> Result<(), Malformed> {
        let first = data.iter().find_map(|range| pass.work.outlet.slice(range).trim_ascii_start().first().copied());
        if pass.subject.endpoint == Endpoint::Text || !matches!(first, Some(b'{' | b'[')) {
            self.words(data, pass);
            return Ok(());
        }
        let lines: Vec<(u64, Vec<u8>)> =
            data.iter().map(|range| (range.start, pass.work.outlet.slice(range).to_vec())).collect();
        let mut facts = Facts::default();
        read(&mut self.reader, &lines, &mut facts)?;
        let mut walk = Walk::of_event(pass.subject, &mut self.state, pass.work, &mut self.channels, &facts);
        read(&mut self.reader, &lines, &mut walk)?;
        self.channels.after(&facts, pass.work);
        Ok(())
    }

    /// Data that is no JSON: text.
    fn words(&mut self, data: &[Range<u64>], pass: &mut Pass<'_, '_>) {
        for range in data {
            let bytes = pass.work.outlet.slice(range).to_vec();
            let mut field = Field::default();
            field.begin(Form::Line, 0, "");
            field.push(Run::plain(&bytes, range.start), Shown::Words("data"), pass.work);
            field.finish(Shown::Words("data"), pass.work);
        }
    }

    fn json_lines(&mut self, bytes: &[u8], at: u64, pass: &mut Pass<'_, '_>) -> Result<(), Malformed> {
        for (byte, position) in bytes.iter().zip(at..) {
            if *byte == b'\n' {
                let line = core::mem::replace(&mut self.line_start, position + 1)..position;
                self.json_line(line, position + 1, pass)?;
            }
        }
        Ok(())
    }

    fn json_line(&mut self, line: Range<u64>, end: u64, pass: &mut Pass<'_, '_>) -> Result<(), Malformed> {
        self.fields = true;
        if !pass.work.outlet.slice(&line).trim_ascii().is_empty() {
            self.data.push(line);
        }
        self.event(end, pass)
    }

    fn elements(&mut self, bytes: &[u8], at: u64, pass: &mut Pass<'_, '_>) -> Result<(), Malformed> {
        let mut ends = Ends::default();
        let read = self.array.push(Run::plain(bytes, at), &mut ends);
        for element in ends.0 {
            // commas and spaces before an element are of its event; its document begins with the brace
            let whole = self.start..element;
            let before = pass.work.outlet.slice(&whole).iter().position(|byte| *byte == b'{').unwrap_or_default();
            self.data.push(whole.start + before as u64..element);
            self.fields = true;
            self.event(element, pass)?;
        }
        read.map_err(|(_, malformed)| malformed)?;
        if self.array.is_done() {
            // what closes the array is of no event
            self.start = pass.work.outlet.end();
        }
        Ok(())
    }

    /// Lets go what is certain.
    fn release(&mut self, pass: &mut Pass<'_, '_>) {
        if self.start.saturating_sub(pass.work.outlet.start()) > MOST_HELD {
            self.channels.finish(pass.work);
        }
        let until = match self.channels.held_from() {
            Some(held) => {
                let before = self.held.partition_point(|start| *start <= held);
                self.held.drain(..before.saturating_sub(1));
                self.held.front().copied().unwrap_or(held)
            }
            None => {
                self.held.clear();
                self.start
            }
        };
        pass.work.outlet.release(until, pass.out);
    }
}

/// What says nothing does not wait for what says something.
fn overtake(event: Range<u64>, pass: &mut Pass<'_, '_>) {
    if pass.work.outlet.start() < event.start {
        pass.out.extend_from_slice(pass.work.outlet.slice(&event));
        pass.work.outlet.replace(event, Vec::new());
    }
}

/// Reads the lines of one document.
fn read(reader: &mut Reader, lines: &[(u64, Vec<u8>)], handler: &mut impl Handler) -> Result<(), Malformed> {
    reader.reset();
    for (raw, bytes) in lines {
        reader.push(Run::plain(bytes, *raw), handler).map_err(|(_, malformed)| malformed)?;
        reader
            .push(Run { bytes: b"\n", raw: raw + bytes.len() as u64, width: 1 }, handler)
            .map_err(|(_, malformed)| malformed)?;
    }
    if reader.is_done() { Ok(()) } else { Err(Malformed::Truncated) }
}

/// Where the elements of an array end.
#[derive(Default)]
struct Ends(Vec<u64>);

impl Handler for Ends {
    fn string(&mut self, _path: &Path, _key: bool, _raw: u64) -> bool {
        false
    }

    fn run(&mut self, _path: &Path, _run: Run<'_>) {}

    fn end(&mut self, _path: &Path) {}

    fn closed(&mut self, depth: usize, raw: u64) {
        if depth == 1 {
            self.0.push(raw);
        }
    }
}
