//! The texts of a stream: each goes on from event to event, beside others.

use core::ops::Range;
use std::collections::BTreeMap;

use crate::{
    field::{Field, Form, Shown, Work},
    json::{Handler, Path},
    place::Stream,
    text::Run,
};

/// What an event says of the texts in it, beside them.
#[derive(Debug, Default)]
pub struct Facts {
    kind: String,
    index: u32,
    output_index: u32,
    part_index: u32,
    /// The number that each choice of the event gives itself, by its place.
    choices: Vec<(u32, u32)>,
    /// The same of tools, by the places of choice and tool.
    tools: Vec<(u32, u32, u32)>,
    /// The places of choices that are over.
    finished: Vec<u32>,
    error: bool,
    reading: Reading,
}

/// Which string is being read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reading {
    #[default]
    Nothing,
    Kind,
    Finish(u32),
}

impl Facts {
    /// The event's `type`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// To which text a part at a path belongs.
    fn key(&self, stream: Stream, path: &Path) -> Key {
        match path.parts().names() {
            ["choices", "[]", rest @ ..] => {
                let choice = path.index(1);
                let group = self.number_of(choice);
                let part = match rest {
                    ["delta", "tool_calls", "[]", ..] => {
                        let tool = path.index(4);
                        let found = self.tools.binary_search_by_key(&(choice, tool), |(of, place, _)| (*of, *place));
                        found.ok().and_then(|at| self.tools.get(at)).map_or(tool, |(_, _, number)| *number)
                    }
                    _ => 0,
                };
                Key { group, stream, part }
            }
            ["candidates", "[]", ..] => {
                let candidate = path.index(1);
                let group = self.number_of(candidate);
                Key { group, stream, part: 0 }
            }
            ["delta"] => Key { group: self.output_index, stream, part: self.part_index },
            _ => Key { group: self.index, stream, part: 0 },
        }
    }

    /// The number that the choice at a place gives itself; its place, where it gives none. They come in the order of their places.
    fn number_of(&self, place: u32) -> u32 {
        let found = self.choices.binary_search_by_key(&place, |(place, _)| *place);
        found.ok().and_then(|at| self.choices.get(at)).map_or(place, |(_, number)| *number)
    }

    /// What is over with this event.
    fn over(&self) -> Over {
        match self.kind.as_str() {
            "message_stop" | "response.completed" | "response.incomplete" | "response.failed" | "error" => Over::All,
            "content_block_stop" => Over::Groups(vec![self.index]),
            kind if kind.starts_with("response.") && kind.ends_with(".done") => Over::Groups(vec![self.output_index]),
            _ if self.error => Over::All,
            _ => Over::Groups(self.finished.iter().map(|place| self.number_of(*place)).collect()),
        }
    }
}

/// Which texts are over.
enum Over {
    All,
    Groups(Vec<u32>),
}

impl Handler for Facts {
    fn string(&mut self, path: &Path, key: bool, _raw: u64) -> bool {
        self.reading = match path.parts().names() {
            _ if key => Reading::Nothing,
            ["type"] => Reading::Kind,
            ["choices", "[]", "finish_reason"] | ["candidates", "[]", "finishReason"] => Reading::Finish(path.index(1)),
            ["stop_reason"] => Reading::Finish(0),
            _ => Reading::Nothing,
        };
        self.reading != Reading::Nothing
    }

    fn run(&mut self, _path: &Path, run: Run<'_>) {
        match self.reading {
            Reading::Nothing => {}
            Reading::Kind => self.kind.extend(run.bytes.iter().take(64).map(|byte| char::from(*byte))),
            Reading::Finish(place) => {
                if self.finished.last() != Some(&place) {
                    self.finished.push(place);
                }
            }
        }
    }

    fn end(&mut self, _path: &Path) {
        self.reading = Reading::Nothing;
    }

    fn value(&mut self, path: &Path, _raw: u64) -> bool {
        self.error |= path.depth() == 1 && path.name() == "error";
        false
    }

    fn scalar(&mut self, path: &Path, bytes: &[u8]) {
        let Some(number) = core::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()) else { return };
        match path.parts().names() {
            ["index"] => self.index = number,
            ["output_index"] => self.output_index = number,
            ["content_index" | "summary_index"] => self.part_index = number,
            ["choices" | "candidates", "[]", "index"] => self.choices.push((path.index(1), number)),
            ["choices", "[]", "delta", "tool_calls", "[]", "index"] => {
                self.tools.push((path.index(1), path.index(4), number))
            }
            _ => {}
        }
    }
}

/// How many texts of a stream may go on beside each other.
const MOST: usize = 256;

/// Which text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    /// The choice, block or item.
    group: u32,
    stream: Stream,
    /// The part of it, or the tool.
    part: u32,
}

/// A text that goes on.
#[derive(Debug, Default)]
struct Channel {
    field: Field,
    /// Where it was first.
    shown: String,
    /// Where its last bytes ended.
    end: u64,
    begun: bool,
}

/// All texts of a stream that are not over. See the module.
#[derive(Debug, Default)]
pub struct Channels {
    channels: BTreeMap<Key, Channel>,
    current: Option<Key>,
    /// Where the part of the last event is, and how many it had.
    part: Range<u64>,
    parts: u32,
}

impl Channels {
    /// An event begins.
    pub const fn next_event(&mut self) {
        self.parts = 0;
    }

    /// Where the event's part of a text is in the body, if it has one only.
    #[must_use]
    pub fn only_part(&self) -> Option<Range<u64>> {
        (self.parts == 1).then(|| self.part.clone())
    }

    /// A part of a text begins, at `raw` in the body.
    pub fn begin(&mut self, stream: Stream, path: &Path, raw: u64, facts: &Facts) {
        self.part = raw..raw;
        self.parts += 1;
        let key = facts.key(stream, path);
        self.current = Some(key);
        let channel = self.channels.entry(key).or_default();
        if channel.begun {
            channel.field.next_piece(channel.end);
        }
    }

    /// Decoded bytes of the part.
    pub fn push(&mut self, run: Run<'_>, path: &Path, work: &mut Work<'_>) {
        let Some(key) = self.current else { return };
        self.finish_others(key, work);
        if self.channels.len() > MOST {
            self.finish_where(|other| *other != key, work);
        }
        let Some(channel) = self.channels.get_mut(&key) else { return };
        if !channel.begun {
            channel.begun = true;
            channel.shown = path.shown();
            channel.field.begin(if key.stream.is_json() { Form::Json } else { Form::Text }, 1, "");
        }
        channel.end = run.end_at(run.bytes.len().saturating_sub(1));
        self.part.end = channel.end;
        channel.field.push(run, Shown::Words(&channel.shown), work);
    }

    /// The part ends.
    pub fn end(&mut self, work: &mut Work<'_>) {
        let Some(channel) = self.current.take().and_then(|key| self.channels.get_mut(&key)) else { return };
        if channel.begun {
            channel.field.settle(Shown::Words(&channel.shown), work);
        }
    }

    /// Ends what an event says is over.
    pub fn after(&mut self, facts: &Facts, work: &mut Work<'_>) {
        match facts.over() {
            Over::All => self.finish(work),
            Over::Groups(groups) => self.finish_where(|key| groups.contains(&key.group), work),
        }
    }

    /// Ends all texts.
    pub fn finish(&mut self, work: &mut Work<'_>) {
        self.finish_where(|_| true, work);
    }

    /// Where in the body what is not certain begins; none where all is.
    #[must_use]
    pub fn held_from(&self) -> Option<u64> {
        self.channels.values().filter(|channel| channel.begun).filter_map(|channel| channel.field.held_from()).min()
    }

    /// A model says one thing at a time: where another text of the same choice goes on, those before are over.
    fn finish_others(&mut self, key: Key, work: &mut Work<'_>) {
        if self.channels.len() > 1 {
            self.finish_where(|other| other.group == key.group && *other != key, work);
        }
    }

    fn finish_where(&mut self, over: impl Fn(&Key) -> bool, work: &mut Work<'_>) {
        self.channels.retain(|key, channel| {
            if !over(key) {
                return true;
            }
            if channel.begun {
                channel.field.finish(Shown::Words(&channel.shown), work);
            }
            false
        });
    }
}
