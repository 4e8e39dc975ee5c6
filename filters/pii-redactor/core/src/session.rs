//! What is done with each value of one request and its answer, and the account of it.

use std::collections::BTreeMap;

use crate::{detectors::Kind, vault::Vault};

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// To the model.
    Request,
    /// From it.
    Response,
}

impl Direction {
    /// The word for it in metrics and events.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Direction::Request => "request",
            Direction::Response => "response",
        }
    }
}

/// What is done with a value.
pub use crate::config::EntityAction as Action;

/// What to do in one direction of one request.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Which way.
    pub direction: Direction,
    /// For all kinds alike; none for what each kind has.
    pub all: Option<Action>,
    /// Whether the caller's own values come back.
    pub restore: bool,
    /// Whether anything may be changed: what would be done is only told where not.
    pub enforce: bool,
}

/// What becomes of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It stays.
    Leave,
    /// This comes instead.
    Replace(Vec<u8>),
}

/// How many paths are told.
const MOST_PATHS: usize = 16;

/// The account of one request and its answer. No value is in it.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many values of a kind were found, which way, and what was done.
    pub found: BTreeMap<(Direction, String, Action), u64>,
    /// Where.
    pub paths: Vec<(Direction, String, String)>,
    /// Whether there were more places than are told.
    pub more_paths: bool,
    /// How many placeholders became values again.
    pub restored: u64,
    /// How many placeholders were of no value that is known.
    pub missed: u64,
    /// Kinds for which the call is refused, by direction.
    pub blocked: Vec<(Direction, String)>,
}

/// One request and its answer. See the module.
pub struct Session {
    /// What stands for what.
    pub vault: Vault,
    /// The account.
    pub tally: Tally,
}

/// What one value is, for [`Session::treat`].
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    /// Its kind.
    pub kind: Kind,
    /// The kind's name.
    pub name: &'a str,
    /// What is done with its kind.
    pub action: Action,
    /// Itself.
    pub bytes: &'a [u8],
    /// Whether it stands in a line that may not be broken.
    pub one_line: bool,
}

impl Session {
    /// A new one.
    #[must_use]
    pub fn new(vault: Vault) -> Self {
        Self { vault, tally: Tally::default() }
    }

    /// Whether the call is to be refused.
    #[must_use]
    pub fn is_blocked(&self, direction: Direction) -> bool {
        self.tally.blocked.iter().any(|(blocked, _)| *blocked == direction)
    }

    /// What becomes of a value that was found at a path.
    pub fn treat(&mut self, order: Order, value: Value<'_>, path: impl FnOnce() -> String) -> Effect {
        if value.kind == Kind::Placeholder {
            return self.placeholder(order, value);
        }
        let own = order.direction == Direction::Request;
        if !own && order.restore && self.vault.knows(value.bytes) {
            // the caller's own
            return Effect::Leave;
        }
        let action = match (order.all, value.action) {
            (_, Action::Report) | (None, _) => value.action,
            (Some(all), _) => all,
        };
        *self.tally.found.entry((order.direction, value.name.to_owned(), action)).or_default() += 1;
        self.tell_path(order.direction, value.name, path);
        if !order.enforce {
            if action == Action::Redact {
                // so that an answer that says it is known to say the caller's own
                self.vault.placeholder(value.name, value.bytes, own);
            }
            return Effect::Leave;
        }
        match action {
            Action::Report => Effect::Leave,
            Action::Redact => Effect::Replace(self.vault.placeholder(value.name, value.bytes, own)),
            Action::Mask => Effect::Replace(masked(value.bytes)),
            Action::Hash => match self.vault.hash(value.name, value.bytes) {
                Some(hash) => Effect::Replace(format!("{}:{hash}", value.name.to_ascii_lowercase()).into_bytes()),
                None => Effect::Replace(self.vault.placeholder(value.name, value.bytes, own)),
            },
            Action::Block => {
                let blocked = (order.direction, value.name.to_owned());
                if !self.tally.blocked.contains(&blocked) {
                    self.tally.blocked.push(blocked);
                }
                // nothing of it leaves, whatever comes of the rest
                Effect::Replace(Vec::new())
            }
        }
    }

    /// What has the form of a placeholder. In a request it is text that stands for itself; in an answer it may stand for a value.
    fn placeholder(&mut self, order: Order, value: Value<'_>) -> Effect {
        match order.direction {
            Direction::Request if self.vault.is_keyed() || self.vault.take(value.bytes) || !order.enforce => {
                Effect::Leave
            }
            Direction::Request => Effect::Replace(self.vault.placeholder(value.name, value.bytes, true)),
            Direction::Response if !order.restore || !order.enforce => Effect::Leave,
            Direction::Response => match self.vault.value(value.bytes) {
                Some(original) if value.one_line && original.iter().any(|byte| matches!(byte, b'\r' | b'\n')) => {
                    self.tally.missed += 1;
                    Effect::Leave
                }
                Some(original) => {
                    self.tally.restored += 1;
                    Effect::Replace(original.to_vec())
                }
                None => {
                    self.tally.missed += 1;
                    Effect::Leave
                }
            },
        }
    }

    fn tell_path(&mut self, direction: Direction, name: &str, path: impl FnOnce() -> String) {
        if self.tally.more_paths {
            return;
        }
        let told = (direction, path(), name.to_owned());
        if self.tally.paths.contains(&told) {
            return;
        }
        if self.tally.paths.len() < MOST_PATHS {
            self.tally.paths.push(told);
        } else {
            self.tally.more_paths = true;
        }
    }
}

/// A value of which only the last four letters and digits can be read; nothing of one that has fewer than eight.
fn masked(value: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(value);
    let count = text.chars().filter(|character| character.is_alphanumeric()).count();
    let shown_from = if count < 8 { count } else { count - 4 };
    let mut seen = 0;
    let masked: String = text
        .chars()
        .map(|character| {
            if !character.is_alphanumeric() {
                return character;
            }
            seen += 1;
            if seen > shown_from { character } else { '*' }
        })
        .collect();
    masked.into_bytes()
}
