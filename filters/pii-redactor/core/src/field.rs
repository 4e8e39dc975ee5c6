//! One text of a body while it comes: plain, or JSON in a string. What is found in it is replaced where it stands.

use crate::{
    detectors::{Detectors, Hit},
    escape::{escaped, unescaped},
    json::{Handler, Path, Reader},
    outlet::Outlet,
    scanner::Scanner,
    session::{Action, Effect, Order, Session, Value},
    text::Run,
};

/// What all of a body's texts share.
pub struct Work<'a> {
    /// What is looked for.
    pub detectors: &'a Detectors,
    /// What is done with each kind.
    pub actions: &'a dyn Fn(&str) -> Action,
    /// What is done in this direction.
    pub order: Order,
    /// The request that the body belongs to.
    pub session: &'a mut Session,
    /// The body's bytes.
    pub outlet: &'a mut Outlet,
}

/// Where a text is, for people.
#[derive(Clone, Copy, Debug)]
pub enum Shown<'a> {
    /// Where a reader is.
    Path(&'a Path),
    /// In these words.
    Words(&'a str),
}

impl Shown<'_> {
    fn shown(self) -> String {
        match self {
            Shown::Path(path) => path.shown(),
            Shown::Words(words) => words.to_owned(),
        }
    }
}

/// What a text is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Text.
    #[default]
    Text,
    /// Text that ends with its line: what is put in must not break it.
    Line,
    /// JSON: its strings are texts.
    Json,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Field {
    form: Form,
    /// How many strings deep the text lies: what comes instead is escaped as often.
    depth: u8,
    scanner: Scanner,
    reader: Reader,
    /// Whether the JSON turned out to be none: the rest is text.
    broken: bool,
    hits: Vec<Hit>,
}

impl Field {
    /// Begins a new text, `depth` strings deep, with words that count as standing before it.
    pub fn begin(&mut self, form: Form, depth: u8, context: &str) {
        self.form = form;
        self.depth = depth;
        self.broken = false;
        self.reader.reset();
        self.scanner.begin(context.as_bytes());
    }

    /// Says that what comes next stands elsewhere in the body; what came ends before `end`.
    pub fn next_piece(&mut self, end: u64) {
        self.reader.next_piece(end);
        self.scanner.next_piece();
    }

    /// Adds decoded bytes; `place` is where the text is.
    pub fn push(&mut self, run: Run<'_>, place: Shown<'_>, work: &mut Work<'_>) {
        if self.form != Form::Json || self.broken {
            return self.scanner.push(run);
        }
        let inner_depth = self.depth + 1;
        let mut inner = Inner {
            scanner: &mut self.scanner,
            hits: &mut self.hits,
            depth: inner_depth,
            one_line: false,
            outer: place,
            work,
        };
        if let Err((read, _)) = self.reader.push(run, &mut inner) {
            // what a model wrote as JSON may be none: from there on it is text
            self.broken = true;
            inner.flush(None, true);
            self.scanner.begin(b"");
            self.scanner.push(run.part(read..run.bytes.len()));
        }
    }

    /// Looks at what has come.
    pub fn settle(&mut self, place: Shown<'_>, work: &mut Work<'_>) {
        self.flush(false, place, work);
    }

    /// Ends the text.
    pub fn finish(&mut self, place: Shown<'_>, work: &mut Work<'_>) {
        self.flush(true, place, work);
    }

    /// Where in the body what is not certain begins; none where all is.
    #[must_use]
    pub fn held_from(&self) -> Option<u64> {
        let escape = if self.form == Form::Json && !self.broken { self.reader.pending() } else { None };
        [self.scanner.held_from(), escape].into_iter().flatten().min()
    }

    fn flush(&mut self, whole: bool, place: Shown<'_>, work: &mut Work<'_>) {
        let depth = if self.form == Form::Json && !self.broken { self.depth + 1 } else { self.depth };
        let one_line = self.form == Form::Line;
        let mut inner = Inner { scanner: &mut self.scanner, hits: &mut self.hits, depth, one_line, outer: place, work };
        inner.flush(None, whole);
    }
}

/// A text of which values are replaced.
struct Inner<'a, 'w> {
    scanner: &'a mut Scanner,
    hits: &'a mut Vec<Hit>,
    depth: u8,
    one_line: bool,
    outer: Shown<'a>,
    work: &'a mut Work<'w>,
}

impl Inner<'_, '_> {
    /// Looks at what has come, and replaces what is certain.
    fn flush(&mut self, inner: Option<&Path>, whole: bool) {
        self.hits.clear();
        self.scanner.scan(self.work.detectors, whole, self.hits);
        for index in 0..self.hits.len() {
            if let Some(hit) = self.hits.get(index).copied() {
                self.apply(&hit, inner);
            }
        }
        self.scanner.tidy();
    }

    fn apply(&mut self, hit: &Hit, inner: Option<&Path>) {
        let ranges = self.scanner.text().raw(hit.start..hit.end);
        let raw: Vec<u8> = ranges.iter().flat_map(|range| self.work.outlet.slice(range)).copied().collect();
        let value = unescaped(&raw, self.depth);
        let name = self.work.detectors.name(hit.kind);
        let value =
            Value { kind: hit.kind, name, action: (self.work.actions)(name), bytes: &value, one_line: self.one_line };
        let shown = || match inner {
            Some(inner) => format!("{}.{}", self.outer.shown(), inner.shown()),
            None => self.outer.shown(),
        };
        if let Effect::Replace(bytes) = self.work.session.treat(self.work.order, value, shown) {
            let mut bytes = Some(escaped(&bytes, self.depth));
            for range in ranges {
                self.work.outlet.replace(range, bytes.take().unwrap_or_default());
            }
        }
    }
}

impl Handler for Inner<'_, '_> {
    fn string(&mut self, path: &Path, key: bool, _raw: u64) -> bool {
        self.scanner.begin(if key { b"" } else { path.name().as_bytes() });
        true
    }

    fn run(&mut self, _path: &Path, run: Run<'_>) {
        self.scanner.push(run);
    }

    fn heads(&mut self, ranges: &[core::ops::Range<u64>]) {
        self.scanner.heads(ranges);
    }

    fn end(&mut self, path: &Path) {
        self.flush(Some(path), true);
    }
}
