//! Finds events in logs, line by line, whatever wraps them. What is held at a time is one line, or one document that spans
//! several lines.
//!
//! A log holds words of clients, so not everything that looks like an event is one. In a line of text an event counts only
//! where no quote stands before it: an access log quotes what a client sent. In JSON it counts only in fields that carry log
//! lines.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use egress_core::event::NAME;
use serde_json::{Deserializer, Map, Value};

use super::Sources;

/// Where an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The file, by its place in the list.
    pub(crate) file: u32,
    /// The line, from 1. Of a document that spans several lines, the first.
    pub(crate) line: u64,
}

/// What was found.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// An event.
    Event {
        /// Its fields.
        fields: &'a Map<String, Value>,
        /// Its line to the letter; none where what shipped it wrote it anew.
        line: Option<&'a str>,
    },
    /// What should be an event and can't be read, and why.
    Broken(&'static str),
}

/// Takes what is found.
pub(crate) type Take<'t> = dyn FnMut(Place, Found) + 't;

/// The longest line, and the longest document, in bytes. A batch of the collector's exporter is far below.
const LONGEST: usize = 64 << 20;
/// Fields of JSON logs that hold a log's line: of container runtimes, fluentd, journald, Google, Splunk, OTLP and others.
const CARRIERS: [&str; 12] =
    ["log", "message", "msg", "body", "text", "line", "content", "textPayload", "MESSAGE", "@message", "_raw", "event"];
/// How an event's own line begins.
const BEGINS: &str = r#"{"event":"egress_audit","#;
/// How many braces that begin no JSON a line may hold before an event.
const MOST_STRAYS: usize = 16;
/// How deep logs wrap lines of logs.
const DEEPEST: usize = 4;

/// Reads all files.
pub(crate) fn read(sources: &Sources, take: &mut Take) -> Result<(), String> {
    for (file, path) in sources.files.iter().enumerate() {
        let file = u32::try_from(file).unwrap_or(u32::MAX);
        let told = |error: std::io::Error| format!("{}: {error}", path.display());
        let mut reader: Box<dyn BufRead> = if path == Path::new("-") {
            Box::new(std::io::stdin().lock())
        } else {
            Box::new(BufReader::with_capacity(1 << 16, File::open(path).map_err(told)?))
        };
        if reader.fill_buf().map_err(told)?.starts_with(&[0x1f, 0x8b]) {
            return Err(format!("{}: is compressed; zcat it and read -", path.display()));
        }
        let mut log = Log { file, line: 0, fields: &sources.fields, document: None, take };
        log.read(&mut *reader).map_err(told)?;
    }
    Ok(())
}

/// How a place is shown.
pub(crate) fn shown(sources: &Sources, place: Place) -> String {
    let file = usize::try_from(place.file).ok().and_then(|file| sources.files.get(file));
    let file = file.map(|file| file.display().to_string()).unwrap_or_default();
    format!("{file}:{}", place.line)
}

/// One log while it is read.
struct Log<'a, 't> {
    file: u32,
    line: u64,
    fields: &'a [String],
    document: Option<Document>,
    take: &'a mut Take<'t>,
}

/// JSON that spans several lines, as far as it was read.
#[derive(Default)]
struct Document {
    first: u64,
    text: String,
    depth: u32,
    quoted: bool,
    escaped: bool,
}

impl Log<'_, '_> {
    fn read(&mut self, reader: &mut dyn BufRead) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let limit = u64::try_from(LONGEST).unwrap_or(u64::MAX);
            let length = match (&mut *reader).take(limit).read_until(b'\n', &mut bytes) {
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if length == 0 {
                break;
            }
            self.line += 1;
            if length == LONGEST && !bytes.ends_with(b"\n") {
                skip_line(reader)?;
                self.give_up_document();
                self.found(self.line, Found::Broken("is a line of more than 64 MiB"));
                continue;
            }
            match std::str::from_utf8(&bytes) {
                Ok(text) => self.next(text),
                Err(_) => {
                    if String::from_utf8_lossy(&bytes).contains(NAME) {
                        self.found(self.line, Found::Broken("is not utf-8"));
                    }
                }
            }
        }
        self.give_up_document();
        Ok(())
    }

    fn found(&mut self, line: u64, found: Found) {
        (self.take)(Place { file: self.file, line }, found);
    }

    fn next(&mut self, text: &str) {
        if self.document.is_some() {
            self.go_on(text);
        } else if opens_document(text) && Deserializer::from_str(text).into_iter::<Value>().any(|value| value.is_err())
        {
            self.document = Some(Document { first: self.line, ..Document::default() });
            self.go_on(text);
        } else {
            self.text(text, self.line, 0);
        }
    }

    fn go_on(&mut self, text: &str) {
        let Some(document) = &mut self.document else { return };
        document.add(text);
        if document.text.len() > LONGEST {
            return self.give_up_document();
        }
        if document.depth > 0 || document.quoted {
            return;
        }
        match serde_json::from_str::<Value>(&document.text) {
            Ok(value) => {
                let first = document.first;
                self.document = None;
                self.value(&value, first, 0);
            }
            Err(_) => self.give_up_document(),
        }
    }

    /// What began as a document is none: its lines count each by itself.
    fn give_up_document(&mut self) {
        let Some(document) = self.document.take() else { return };
        for (line, text) in (document.first..).zip(document.text.lines()) {
            self.text(text, line, 0);
        }
    }

    /// A line of a log, with as many events as it holds.
    fn text(&mut self, text: &str, at: u64, depth: usize) {
        let mut rest = text;
        let mut strays = 0;
        while rest.contains(NAME) && depth < DEEPEST && strays < MOST_STRAYS {
            let quoted = |start: usize| rest.split_at_checked(start).is_none_or(|(before, _)| before.contains('"'));
            let own = rest.find(BEGINS).filter(|start| !quoted(*start));
            let Some(start) = own.or_else(|| rest.find('{')).filter(|start| !quoted(*start)) else { return };
            let Some((_, from)) = rest.split_at_checked(start) else { return };
            let mut values = Deserializer::from_str(from).into_iter::<Value>();
            let value = values.next();
            let (own, after) = from.split_at_checked(values.byte_offset()).unwrap_or((from, ""));
            match value {
                Some(Ok(value)) if own.starts_with(BEGINS) => self.event(&value, Some(own), at),
                Some(Ok(value)) => self.value(&value, at, depth),
                _ if holds_event(from) => {
                    return self.found(at, Found::Broken("is no json: cut short or changed"));
                }
                // braces of a text that is no json
                _ => {
                    rest = from.strip_prefix('{').unwrap_or_default();
                    strays += 1;
                    continue;
                }
            }
            rest = after;
        }
    }

    fn event(&mut self, value: &Value, line: Option<&str>, at: u64) {
        match value.as_object() {
            Some(fields) => self.found(at, Found::Event { fields, line }),
            None => self.found(at, Found::Broken("is no object")),
        }
    }

    /// JSON around events.
    fn value(&mut self, value: &Value, at: u64, depth: usize) {
        match value {
            Value::Object(fields) if fields.get("event").and_then(Value::as_str) == Some(NAME) => {
                self.event(value, None, at);
            }
            Value::Object(fields) => {
                for (name, value) in fields {
                    let carries = CARRIERS.contains(&name.as_str()) || self.fields.contains(name);
                    // OTLP says the type of a body
                    let inner = value.get("stringValue").and_then(Value::as_str);
                    match value.as_str().or(inner) {
                        Some(text) if carries => self.text(text, at, depth + 1),
                        Some(_) => {}
                        None => self.value(value, at, depth),
                    }
                }
            }
            Value::Array(list) => list.iter().for_each(|value| self.value(value, at, depth)),
            _ => {}
        }
    }
}

impl Document {
    fn add(&mut self, text: &str) {
        self.text.push_str(text);
        for byte in text.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.quoted => self.escaped = true,
                b'"' => self.quoted = !self.quoted,
                b'{' | b'[' if !self.quoted => self.depth += 1,
                b'}' | b']' if !self.quoted => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }
}

/// Whether JSON may begin here that goes on in the lines after.
fn opens_document(text: &str) -> bool {
    let text = text.trim();
    let begins = ["{", "["].contains(&text) || ["{\"", "[{", "[["].iter().any(|start| text.starts_with(start));
    begins && text.ends_with(['{', '[', ',']) && !holds_event(text)
}

/// Whether an event stands in here, in a text of JSON or not.
fn holds_event(text: &str) -> bool {
    [BEGINS, "\"event\":\"egress_audit\"", "\\\"event\\\":\\\"egress_audit\\\""].iter().any(|mark| text.contains(mark))
}

fn skip_line(reader: &mut dyn BufRead) -> std::io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        let (length, ended) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        reader.consume(length);
        if ended {
            return Ok(());
        }
    }
}
