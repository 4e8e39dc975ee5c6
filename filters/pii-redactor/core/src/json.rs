//! A reader of JSON that comes in pieces: where strings begin and end, and what they hold, decoded.
//!
//! It is a checker of the grammar (RFC 8259) first: what it passes is JSON. It keeps nothing but the path. The bytes it reads may
//! themselves be the content of a string (JSON in JSON): then each stands for an escape of the outer one, which a [`Run`] tells.

use core::ops::Range;

use crate::{rules::Place, runs, text::Run};

/// How deep arrays and objects may lie in each other.
pub const MAX_DEPTH: usize = 128;

/// How much of a key is kept, in bytes. A longer one is none that any table names.
const KEY_LENGTH: usize = 96;

/// Why bytes are not JSON that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Not JSON.
    Syntax,
    /// Nested deeper than [`MAX_DEPTH`].
    Depth,
    /// It ends too early.
    Truncated,
    /// Not UTF-8.
    Utf8,
    /// An event of a stream is longer than is held.
    Long,
}

impl Malformed {
    /// The word for it in metrics and events.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Malformed::Syntax => "malformed_json",
            Malformed::Depth => "nested_too_deeply",
            Malformed::Truncated => "truncated_json",
            Malformed::Utf8 => "malformed_utf8",
            Malformed::Long => "event_too_long",
        }
    }
}

/// What is told of a document while it is read.
pub trait Handler {
    /// A string begins, a key or a value; its content begins at `raw` in the body. Whether its content is asked for.
    fn string(&mut self, path: &Path, key: bool, raw: u64) -> bool;
    /// Decoded content of the string at `path`.
    fn run(&mut self, path: &Path, run: Run<'_>);
    /// What comes next in the string began in earlier pieces, at these ranges of the body.
    fn heads(&mut self, _ranges: &[Range<u64>]) {}
    /// The string ends.
    fn end(&mut self, path: &Path);
    /// A value that is no string begins at `raw`: an object, an array, a number, a word. Whether its end is asked for.
    fn value(&mut self, _path: &Path, _raw: u64) -> bool {
        false
    }
    /// The value whose end was asked for ends before `raw`.
    fn value_end(&mut self, _raw: u64) {}
    /// A number or a word, whole (its first bytes, where it is long).
    fn scalar(&mut self, _path: &Path, _bytes: &[u8]) {}
    /// An object or array ended, and what it lay in has `depth` levels; `raw` is behind it.
    fn closed(&mut self, _depth: usize, _raw: u64) {}
}

/// One level of the path.
#[derive(Debug)]
struct Frame {
    array: bool,
    index: u32,
    key: Vec<u8>,
    long: bool,
}

/// The way from the top of a document to where the reader is.
#[derive(Debug, Default)]
pub struct Path {
    frames: Vec<Frame>,
    depth: usize,
}

/// How an element of an array stands among the parts of a path.
pub const ELEMENT: &str = "[]";

/// How many parts of a path are looked at. What lies deeper is what its first parts say.
pub const PARTS: usize = 16;

/// The first parts of a path: keys, and [`ELEMENT`] for each array.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    names: [&'a str; PARTS],
    count: usize,
}

impl<'a> Parts<'a> {
    /// The parts, from the top.
    #[must_use]
    pub fn names(&self) -> &[&'a str] {
        self.names.get(..self.count).unwrap_or_default()
    }
}

impl Path {
    /// How many parts it has.
    #[must_use]
    pub const fn depth(&self) -> usize {
        self.depth
    }

    /// Its first [`PARTS`] parts.
    #[must_use]
    pub fn parts(&self) -> Parts<'_> {
        let mut parts = Parts { names: [""; PARTS], count: self.depth.min(PARTS) };
        parts.names.iter_mut().zip(self.live()).for_each(|(name, frame)| *name = frame.name());
        parts
    }

    /// All of its parts.
    #[must_use]
    pub fn steps(&self) -> Vec<Place<'_>> {
        self.live()
            .map(|frame| if frame.array { Place::Element(frame.index) } else { Place::Field(frame.name()) })
            .collect()
    }

    /// The last key on the way: what names the value.
    #[must_use]
    pub fn name(&self) -> &str {
        self.live().rev().find(|frame| !frame.array).map_or("", Frame::name)
    }

    /// The place in the array that is the part of this number; 0 where that is no array.
    #[must_use]
    pub fn index(&self, part: usize) -> u32 {
        self.live().nth(part).filter(|frame| frame.array).map_or(0, |frame| frame.index)
    }

    /// The path in words: `messages[0].content`. Keys that may be anybody's words are left out (`*`).
    #[must_use]
    pub fn shown(&self) -> String {
        let mut shown = String::new();
        for frame in self.live() {
            if frame.array {
                shown.push_str(&format!("[{}]", frame.index));
                continue;
            }
            if !shown.is_empty() {
                shown.push('.');
            }
            let name = frame.name();
            let plain = name.len() <= 32
                && !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
            shown.push_str(if plain { name } else { "*" });
        }
        shown
    }

    fn live(&self) -> impl DoubleEndedIterator<Item = &Frame> + ExactSizeIterator {
        self.frames.iter().take(self.depth)
    }

    fn last(&self) -> Option<&Frame> {
        self.depth.checked_sub(1).and_then(|last| self.frames.get(last))
    }

    fn last_mut(&mut self) -> Option<&mut Frame> {
        self.depth.checked_sub(1).and_then(|last| self.frames.get_mut(last))
    }

    /// One level deeper. Frames are used again: their keys keep their memory.
    fn enter(&mut self, array: bool) -> Result<(), Malformed> {
        if self.depth == MAX_DEPTH {
            return Err(Malformed::Depth);
        }
        match self.frames.get_mut(self.depth) {
            Some(frame) => {
                frame.array = array;
                frame.index = 0;
                frame.long = false;
                frame.key.clear();
            }
            None => self.frames.push(Frame { array, index: 0, key: Vec::new(), long: false }),
        }
        self.depth += 1;
        Ok(())
    }
}

impl Frame {
    fn name(&self) -> &str {
        if self.array {
            ELEMENT
        } else if self.long {
            ""
        } else {
            core::str::from_utf8(&self.key).unwrap_or_default()
        }
    }
}

/// Where in the grammar the reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A value has to come.
    Value,
    /// A value, or the end of the array.
    Element,
    /// A key, or the end of the object.
    KeyOrEnd,
    /// A key.
    Key,
    /// The colon.
    Colon,
    /// A comma, or the end.
    Comma,
    /// In a string.
    String,
    /// Behind a backslash.
    Escape,
    /// In the digits of `\u`: how many came.
    Unicode(u8),
    /// In `true`, `false`, `null`: what has to come.
    Word(&'static [u8]),
    /// In a number.
    Number(Number),
    /// The document has ended.
    Done,
}

/// Where in a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    Minus,
    Zero,
    Whole,
    Dot,
    Fraction,
    Exponent,
    Sign,
    Power,
}

/// The reader. See the module.
#[derive(Debug)]
pub struct Reader {
    state: State,
    path: Path,
    key: bool,
    wanted: bool,
    /// Where the escape that is being read begins.
    escape: u64,
    code: u32,
    /// The first half of a pair, where it begins and ends.
    high: Option<(u16, u64, u64)>,
    /// What of the escape came in earlier pieces.
    heads: Vec<Range<u64>>,
    /// Whether a new piece has begun since the escape began.
    split: bool,
    scalar: Vec<u8>,
    /// The depth at which the value ends whose end was asked for.
    marked: Option<usize>,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            state: State::Value,
            path: Path::default(),
            key: false,
            wanted: false,
            escape: 0,
            code: 0,
            high: None,
            heads: Vec::new(),
            split: false,
            scalar: Vec::new(),
            marked: None,
        }
    }
}

impl Reader {
    /// Begins a new document.
    pub fn reset(&mut self) {
        self.state = State::Value;
        self.path.depth = 0;
        self.high = None;
        self.heads.clear();
        self.split = false;
        self.marked = None;
    }

    /// Says that what comes next stands elsewhere in the body; what came ends before `end`.
    pub fn next_piece(&mut self, end: u64) {
        if self.split {
            return;
        }
        let escape = matches!(self.state, State::Escape | State::Unicode(_)).then_some(self.escape);
        let start = self.high.map(|(_, raw, _)| raw).or(escape);
        if let Some(start) = start {
            self.heads.push(start..end);
            self.split = true;
        }
    }

    /// Where the reader is.
    #[must_use]
    pub const fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the document is whole.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        // a number at the top has no end of its own
        matches!(self.state, State::Done)
            || (self.path.depth == 0
                && matches!(self.state, State::Number(Number::Zero | Number::Whole | Number::Fraction | Number::Power)))
    }

    /// Whether nothing of a document has come.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.state == State::Value && self.path.depth == 0
    }

    /// Where the escape begins that is not yet whole.
    #[must_use]
    pub fn pending(&self) -> Option<u64> {
        if let Some(head) = self.heads.first() {
            return Some(head.start);
        }
        match (self.high, self.state) {
            (Some((_, raw, _)), _) => Some(raw),
            (None, State::Escape | State::Unicode(_)) => Some(self.escape),
            _ => None,
        }
    }

    /// Reads on.
    ///
    /// # Errors
    /// How many bytes of the run were read before the one that does not belong there, and why it does not.
    pub fn push(&mut self, run: Run<'_>, handler: &mut impl Handler) -> Result<(), (usize, Malformed)> {
        let mut at = 0;
        if self.split && !run.bytes.is_empty() {
            self.split = false;
            let raw = run.raw_at(0);
            // the pair's range here begins with the piece
            if let Some((_, start, end)) = &mut self.high {
                (*start, *end) = (raw, raw.max(*end));
            }
            self.escape = raw;
        }
        while let Some(byte) = run.bytes.get(at).copied() {
            if self.state == State::String {
                at = self.content(run, at, handler).map_err(|malformed| (at, malformed))?;
                continue;
            }
            let used = self.step(byte, run.raw_at(at), run.end_at(at), handler).map_err(|malformed| (at, malformed))?;
            at += usize::from(used);
        }
        Ok(())
    }

    /// In a string: all that stands for itself at once.
    fn content(&mut self, run: Run<'_>, at: usize, handler: &mut impl Handler) -> Result<usize, Malformed> {
        let rest = run.bytes.get(at..).unwrap_or_default();
        let plain = runs::of_string(rest);
        if plain > 0 {
            self.lone(handler);
            self.give(run.part(at..at + plain), handler);
        }
        match rest.get(plain) {
            None => {}
            Some(b'"') => {
                self.lone(handler);
                self.string_end(handler);
                return Ok(at + plain + 1);
            }
            Some(b'\\') => {
                self.escape = run.raw_at(at + plain);
                self.state = State::Escape;
                return Ok(at + plain + 1);
            }
            Some(_) => return Err(Malformed::Syntax),
        }
        Ok(at + plain)
    }

    /// One byte outside of a string's plain content. Whether it was used: the byte behind a number is not.
    fn step(&mut self, byte: u8, raw: u64, end: u64, handler: &mut impl Handler) -> Result<bool, Malformed> {
        match self.state {
            State::Escape => return self.escaped(byte, end, handler).map(|()| true),
            State::Unicode(digits) => return self.unicode(digits, byte, end, handler).map(|()| true),
            State::Number(number) => return self.number(number, byte, raw, handler),
            State::Word(rest) => return self.word(rest, byte, end, handler).map(|()| true),
            _ => {}
        }
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            return Ok(true);
        }
        match (self.state, byte) {
            (State::Element, b']') | (State::KeyOrEnd, b'}') => self.close(end, handler),
            (State::Value | State::Element, _) => return self.value(byte, raw, end, handler).map(|()| true),
            (State::KeyOrEnd | State::Key, b'"') => self.string_begin(true, end, handler),
            (State::Colon, b':') => self.state = State::Value,
            (State::Comma, b',') => self.next()?,
            (State::Comma, b']') if self.path.last().is_some_and(|frame| frame.array) => self.close(end, handler),
            (State::Comma, b'}') if self.path.last().is_some_and(|frame| !frame.array) => self.close(end, handler),
            _ => return Err(Malformed::Syntax),
        }
        Ok(true)
    }

    /// The first byte of a value.
    fn value(&mut self, byte: u8, raw: u64, end: u64, handler: &mut impl Handler) -> Result<(), Malformed> {
        if byte == b'"' {
            self.string_begin(false, end, handler);
            return Ok(());
        }
        if self.marked.is_none() && handler.value(&self.path, raw) {
            self.marked = Some(self.path.depth);
        }
        self.scalar.clear();
        self.scalar.push(byte);
        self.state = match byte {
            b'{' => {
                self.path.enter(false)?;
                State::KeyOrEnd
            }
            b'[' => {
                self.path.enter(true)?;
                State::Element
            }
            b't' => State::Word(b"rue"),
            b'f' => State::Word(b"alse"),
            b'n' => State::Word(b"ull"),
            b'-' => State::Number(Number::Minus),
            b'0' => State::Number(Number::Zero),
            b'1'..=b'9' => State::Number(Number::Whole),
            _ => return Err(Malformed::Syntax),
        };
        Ok(())
    }

    /// Behind a comma.
    fn next(&mut self) -> Result<(), Malformed> {
        let Some(frame) = self.path.last_mut() else { return Err(Malformed::Syntax) };
        if frame.array {
            frame.index = frame.index.saturating_add(1);
            self.state = State::Value;
        } else {
            self.state = State::Key;
        }
        Ok(())
    }

    /// The end of an object or array.
    fn close(&mut self, end: u64, handler: &mut impl Handler) {
        self.path.depth = self.path.depth.saturating_sub(1);
        handler.closed(self.path.depth, end);
        self.value_end(end, handler);
    }

    /// A value ended.
    fn value_end(&mut self, end: u64, handler: &mut impl Handler) {
        if self.marked == Some(self.path.depth) {
            self.marked = None;
            handler.value_end(end);
        }
        self.state = if self.path.depth == 0 { State::Done } else { State::Comma };
    }

    fn string_begin(&mut self, key: bool, raw: u64, handler: &mut impl Handler) {
        self.key = key;
        if key && let Some(frame) = self.path.last_mut() {
            frame.key.clear();
            frame.long = false;
        }
        self.wanted = handler.string(&self.path, key, raw);
        self.state = State::String;
    }

    fn string_end(&mut self, handler: &mut impl Handler) {
        if self.wanted {
            handler.end(&self.path);
        }
        if self.key {
            self.state = State::Colon;
        } else {
            self.state = if self.path.depth == 0 { State::Done } else { State::Comma };
        }
    }

    /// Content of a string, to whoever wants it.
    fn give(&mut self, run: Run<'_>, handler: &mut impl Handler) {
        if self.key
            && let Some(frame) = self.path.last_mut()
        {
            let left = KEY_LENGTH.saturating_sub(frame.key.len());
            frame.long |= run.bytes.len() > left;
            frame.key.extend(run.bytes.iter().take(left));
        }
        if self.wanted {
            if run.width > 0 && !self.heads.is_empty() {
                handler.heads(&self.heads);
            }
            handler.run(&self.path, run);
        }
        if run.width > 0 {
            self.heads.clear();
        }
    }

    /// The byte behind a backslash.
    fn escaped(&mut self, byte: u8, end: u64, handler: &mut impl Handler) -> Result<(), Malformed> {
        let decoded = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                self.code = 0;
                self.state = State::Unicode(0);
                return Ok(());
            }
            _ => return Err(Malformed::Syntax),
        };
        self.lone(handler);
        self.state = State::String;
        self.give_escape(&[decoded], self.escape, end, handler);
        Ok(())
    }

    /// A digit of `\uXXXX`. The halves of a pair make one character; a half without the other is U+FFFD for detectors.
    fn unicode(&mut self, digits: u8, byte: u8, end: u64, handler: &mut impl Handler) -> Result<(), Malformed> {
        let digit = char::from(byte).to_digit(16).ok_or(Malformed::Syntax)?;
        self.code = self.code << 4 | digit;
        if digits < 3 {
            self.state = State::Unicode(digits + 1);
            return Ok(());
        }
        self.state = State::String;
        let unit = u16::try_from(self.code).unwrap_or_default();
        let escape = self.escape;
        match (self.high.take(), unit) {
            (Some((high, raw, _)), 0xdc00..=0xdfff) => {
                let code = 0x1_0000 + (u32::from(high - 0xd800) << 10) + u32::from(unit - 0xdc00);
                self.give_character(code, raw, end, handler);
            }
            (before, 0xd800..=0xdbff) => {
                if let Some((_, raw, end)) = before {
                    self.give_character(0xfffd, raw, end, handler);
                }
                self.high = Some((unit, escape, end));
            }
            (before, _) => {
                if let Some((_, raw, end)) = before {
                    self.give_character(0xfffd, raw, end, handler);
                }
                self.give_character(u32::from(unit), escape, end, handler);
            }
        }
        Ok(())
    }

    /// Half a pair that stays alone.
    fn lone(&mut self, handler: &mut impl Handler) {
        if let Some((_, raw, end)) = self.high.take() {
            self.give_character(0xfffd, raw, end, handler);
        }
    }

    fn give_character(&mut self, code: u32, raw: u64, end: u64, handler: &mut impl Handler) {
        let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        self.give_escape(character.encode_utf8(&mut [0; 4]).as_bytes(), raw, end, handler);
    }

    fn give_escape(&mut self, bytes: &[u8], raw: u64, end: u64, handler: &mut impl Handler) {
        let width = u32::try_from(end.saturating_sub(raw)).unwrap_or(u32::MAX).max(1);
        self.give(Run { bytes, raw, width }, handler);
    }

    /// A byte of `true`, `false` or `null`.
    fn word(&mut self, rest: &'static [u8], byte: u8, end: u64, handler: &mut impl Handler) -> Result<(), Malformed> {
        match rest.split_first() {
            Some((first, rest)) if *first == byte => {
                self.scalar.push(byte);
                if rest.is_empty() {
                    handler.scalar(&self.path, &self.scalar);
                    self.value_end(end, handler);
                } else {
                    self.state = State::Word(rest);
                }
                Ok(())
            }
            _ => Err(Malformed::Syntax),
        }
    }

    /// A byte of a number, or the one behind it.
    fn number(&mut self, number: Number, byte: u8, raw: u64, handler: &mut impl Handler) -> Result<bool, Malformed> {
        let next = match (number, byte) {
            (Number::Minus, b'0') => Number::Zero,
            (Number::Minus, b'1'..=b'9') | (Number::Whole, b'0'..=b'9') => Number::Whole,
            (Number::Zero | Number::Whole, b'.') => Number::Dot,
            (Number::Dot | Number::Fraction, b'0'..=b'9') => Number::Fraction,
            (Number::Zero | Number::Whole | Number::Fraction, b'e' | b'E') => Number::Exponent,
            (Number::Exponent, b'+' | b'-') => Number::Sign,
            (Number::Exponent | Number::Sign | Number::Power, b'0'..=b'9') => Number::Power,
            (Number::Zero | Number::Whole | Number::Fraction | Number::Power, _) => {
                handler.scalar(&self.path, &self.scalar);
                self.value_end(raw, handler);
                return Ok(false);
            }
            _ => return Err(Malformed::Syntax),
        };
        if self.scalar.len() < KEY_LENGTH {
            self.scalar.push(byte);
        }
        self.state = State::Number(next);
        Ok(true)
    }
}
