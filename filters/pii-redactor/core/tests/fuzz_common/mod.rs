//! What is tried with bytes that a fuzzer makes: a function for each target. The targets of `tests/fuzz` at the top of the
//! repository call them, and `fuzz_replay.rs` calls them with every seed and every input that once failed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may fail loudly"
)]
#![allow(dead_code, reason = "each target uses a part of it")]
#![allow(missing_docs, reason = "a test")]

#[path = "../body_common/mod.rs"]
pub mod body_common;
mod config;
mod decode;
mod detectors;
mod events;
mod json;
mod redact;
mod skeleton;

use body_common::Case;
use pii_core::{
    body::Format,
    json::Malformed,
    rules::Endpoint,
    session::{Action, Direction},
};

pub use self::{config::config, decode::decode, detectors::detectors, events::events, json::json, redact::redact};

/// What is tried with an input.
pub type Target = fn(&[u8]);

/// All targets, by their names.
pub const TARGETS: &[(&str, Target)] = &[
    ("json", json),
    ("events", events),
    ("detectors", detectors),
    ("redact", redact),
    ("decode", decode),
    ("config", config),
];

/// The endpoints whose bodies are read in ways of their own.
pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint::OpenaiChat,
    Endpoint::Json,
    Endpoint::AnthropicMessages,
    Endpoint::OpenaiResponses,
    Endpoint::Gemini,
    Endpoint::OpenaiAny,
    Endpoint::AnthropicAny,
    Endpoint::OpenaiCompletions,
    Endpoint::OpenaiEmbeddings,
    Endpoint::Text,
];

/// An input that is read from its beginning: choices first, one byte each (in seeds a digit, `0` for the first choice),
/// then the rest.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    pub rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next byte, as a digit where it is one; 0 at the end.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        first.wrapping_sub(b'0')
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::from(self.byte()) % of.len()]
    }

    pub fn yes(&mut self) -> bool {
        self.byte() % 2 == 1
    }

    /// Lengths of pieces that are taken in turn.
    pub fn lengths(&mut self) -> [usize; 2] {
        [self.byte(), self.byte()].map(|byte| usize::from(byte % 64) + 1)
    }
}

/// Cuts a body into pieces of these lengths, in turn.
pub fn pieces(body: &[u8], lengths: [usize; 2]) -> Vec<&[u8]> {
    let (mut rest, mut pieces) = (body, Vec::new());
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, more) = rest.split_at((*length).min(rest.len()));
        pieces.push(piece);
        rest = more;
    }
    pieces
}

/// A body through a redactor, in one piece, in bytes, and in pieces: either all are refused, or the same leaves.
pub fn same_for_all_cuts(
    make: impl Fn() -> Case,
    direction: Direction,
    format: Format,
    body: &[u8],
    lengths: [usize; 2],
) -> Result<Vec<u8>, Malformed> {
    let run = |pieces: Vec<&[u8]>| make().run(direction, format, pieces).map(|outs| outs.concat());
    let whole = run(vec![body]);
    for cut in [run(body.chunks(1).collect()), run(pieces(body, lengths))] {
        match (&whole, &cut) {
            (Ok(whole), Ok(cut)) => assert_same(cut, whole, "cut and whole"),
            // of two things that are wrong, either may be told
            (Err(_), Err(_)) => {}
            _ => panic!("cut: {cut:?}, whole: {whole:?}"),
        }
    }
    whole
}

/// Nothing changes where nothing is enforced, nor in a request whose values are only told.
pub fn nothing_changes_in_report(make: impl Fn() -> Case, direction: Direction, format: Format, body: &[u8]) {
    let told = |change: fn(&mut Case)| {
        let mut case = make();
        change(&mut case);
        let out = case.run(direction, format, [body]).expect("what is read is read again").concat();
        assert_same(&out, body, "only told");
    };
    told(|case| case.enforce = false);
    if direction == Direction::Request {
        told(|case| case.action = Action::Report);
    }
}

#[track_caller]
pub fn assert_same(one: &[u8], other: &[u8], what: &str) {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    assert!(one == other, "{what}:\n{:?}\n{:?}", text(one), text(other));
}
