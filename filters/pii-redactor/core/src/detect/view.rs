//! How a detector sees the text: from the place where something may begin, forward, one byte at a time.
//!
//! Text comes in pieces. A detector that looks beyond what has come does not decide: the view remembers that it looked,
//! and the place is asked again when there is more. So no detector knows of pieces, and no split changes what is found.

use core::cell::{Cell, OnceCell};

/// How far a detector sees from where a value begins, in bytes. What is longer is seen by those that ask for it
/// ([`View::far`]).
pub const NEAR: usize = 512;

/// How far a detector of long values sees, in bytes: keys in PEM, tokens.
pub const FAR: usize = 16 * 1024;

/// How far back words are looked for that make a weak match a strong one, in bytes.
pub const CONTEXT: usize = 96;

/// How many words back.
const CONTEXT_WORDS: usize = 5;

/// How many words back are kept: a name of several words may begin before the fifth.
const KEPT_WORDS: usize = 9;

/// A text, and the place in it where a value may begin.
///
/// The text is normalized: full-width and other forms of letters, digits, signs and spaces are their ASCII ones; what has no width
/// is gone; `%XX` of a printable character is that character. Other characters are UTF-8.
pub struct View<'a> {
    text: &'a [u8],
    at: usize,
    whole: bool,
    limit: usize,
    short: Cell<bool>,
    words: OnceCell<Words<'a>>,
}

impl<'a> View<'a> {
    /// A view of `text` from `at` on. `whole` says that the text ends where the bytes end.
    #[must_use]
    pub fn new(text: &'a [u8], at: usize, whole: bool) -> Self {
        Self { text, at, whole, limit: NEAR, short: Cell::new(false), words: OnceCell::new() }
    }

    /// The same place, seen as far as [`FAR`].
    #[must_use]
    pub fn far(&self) -> View<'a> {
        View {
            text: self.text,
            at: self.at,
            whole: self.whole,
            limit: FAR,
            short: Cell::new(false),
            words: OnceCell::new(),
        }
    }

    /// Takes over that another view of the same place looked too far.
    pub fn join(&self, other: &View<'_>) {
        self.short.set(self.short.get() || other.short.get());
    }

    /// The same text from `offset` bytes further on.
    #[must_use]
    pub fn from(&self, offset: usize) -> View<'a> {
        View {
            text: self.text,
            at: self.at.saturating_add(offset),
            whole: self.whole,
            limit: self.limit.saturating_sub(offset),
            short: Cell::new(false),
            words: OnceCell::new(),
        }
    }

    /// The byte `offset` bytes on; none where the text ends, or where no detector sees any more.
    #[must_use]
    pub fn byte(&self, offset: usize) -> Option<u8> {
        if offset >= self.limit {
            return None;
        }
        let byte = self.text.get(self.at + offset).copied();
        if byte.is_none() && !self.whole {
            self.short.set(true);
        }
        byte
    }

    /// What has come of the text from the place on, as far as is seen. It says nothing of whether more comes: what ends where this
    /// ends has to ask for the next byte.
    #[must_use]
    pub fn near(&self) -> &'a [u8] {
        let rest = self.text.get(self.at..).unwrap_or_default();
        rest.get(..self.limit).unwrap_or(rest)
    }

    /// Whether something looked beyond what has come: what was found then means nothing yet.
    #[must_use]
    pub fn short(&self) -> bool {
        self.short.get()
    }

    /// The byte before the place.
    #[must_use]
    pub fn before(&self) -> Option<u8> {
        self.back(1)
    }

    /// The byte `count` bytes before the place. Text before the last [`CONTEXT`] bytes is not kept.
    #[must_use]
    pub fn back(&self, count: usize) -> Option<u8> {
        if count > CONTEXT {
            return None;
        }
        self.at.checked_sub(count).and_then(|at| self.text.get(at)).copied()
    }

    /// How many bytes from `offset` on are of a kind, `most` at most.
    #[must_use]
    pub fn run(&self, offset: usize, most: usize, kind: impl Fn(u8) -> bool) -> usize {
        (0..most).take_while(|step| self.byte(offset + step).is_some_and(&kind)).count()
    }

    /// The bytes from the place to `end`. Only what was looked at may be asked for.
    #[must_use]
    pub fn slice(&self, start: usize, end: usize) -> &'a [u8] {
        self.text.get(self.at + start..self.at + end).unwrap_or_default()
    }

    /// Whether these very bytes stand at `offset`.
    #[must_use]
    pub fn is(&self, offset: usize, bytes: &[u8]) -> bool {
        bytes.iter().enumerate().all(|(step, byte)| self.byte(offset + step) == Some(*byte))
    }

    /// The same, whatever the case of letters. `bytes` are lower case.
    #[must_use]
    pub fn is_any_case(&self, offset: usize, bytes: &[u8]) -> bool {
        bytes
            .iter()
            .enumerate()
            .all(|(step, byte)| self.byte(offset + step).is_some_and(|found| found.to_ascii_lowercase() == *byte))
    }

    /// Whether the text does not go on as a word at `offset`: a value has to end there.
    #[must_use]
    pub fn ends(&self, offset: usize) -> bool {
        !self.byte(offset).is_some_and(is_word)
    }

    /// The last words before the place. They are read once.
    pub(super) fn words(&self) -> &Words<'a> {
        self.words.get_or_init(|| {
            let start = self.at.saturating_sub(CONTEXT);
            Words::read(self.text.get(start..self.at).unwrap_or_default())
        })
    }

    /// The last words before the place, nearest first, with what stands between them left out: letters and digits, any
    /// other character parts them. At most five.
    pub fn words_before(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let words = self.words();
        words.all.into_iter().take(words.count.min(CONTEXT_WORDS))
    }

    /// Whether one of `words` (lower case; several parted by a space have to follow each other) stands among the last five
    /// before the place, or ends one of them behind a small letter and with a capital one (`phone` in `userPhone`).
    #[must_use]
    pub fn context(&self, words: &[&str]) -> bool {
        let mut near: [&[u8]; CONTEXT_WORDS] = [&[]; CONTEXT_WORDS];
        for (place, word) in near.iter_mut().rev().zip(self.words_before()) {
            *place = word;
        }
        words.iter().any(|phrase| {
            let parts = phrase.split(' ').count();
            near.windows(parts)
                .any(|window| window.iter().zip(phrase.split(' ')).all(|(word, part)| is_called(word, part.as_bytes())))
        })
    }
}

/// The last words before a place, nearest first.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    /// The words; empty ones where there are fewer.
    pub all: [&'a [u8]; KEPT_WORDS],
    /// How many there are.
    pub count: usize,
    /// How many are near: up to the fifth, where those of one or two letters don't count (`do`, `is`).
    pub near: usize,
    /// How many stand in the same sentence as the place.
    pub sentence: usize,
    /// How each ends.
    pub ends: [End; KEPT_WORDS],
    /// How they end, all together.
    pub all_ends: Ends,
}

impl<'a> Words<'a> {
    fn read(text: &'a [u8]) -> Self {
        let (ends, all_ends) = ([End::of(&[]); KEPT_WORDS], Ends::NONE);
        let mut words = Self { all: [&[]; KEPT_WORDS], count: 0, near: 0, sentence: 0, ends, all_ends };
        let (mut rest, mut counted, mut ended) = (text, 0, false);
        for place in 0..KEPT_WORDS {
            let (before, between) = split_back(rest, |byte| !is_part(byte));
            let (before, word) = split_back(before, is_part);
            let Some(slot) = words.all.get_mut(place).filter(|_| !word.is_empty()) else { break };
            (*slot, rest) = (word, before);
            ended |= ends_sentence(word, between);
            words.count += 1;
            words.near += usize::from(counted < CONTEXT_WORDS);
            words.sentence += usize::from(!ended);
            let end = End::of(word);
            words.all_ends = words.all_ends.with(end);
            words.ends.get_mut(place).into_iter().for_each(|slot| *slot = end);
            counted += usize::from(word.len() > 2 || word.iter().any(u8::is_ascii_digit));
        }
        words
    }
}

/// What stands before the last bytes of a kind, and these.
fn split_back(text: &[u8], kind: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let count = text.iter().rev().take_while(|byte| kind(**byte)).count();
    text.split_at_checked(text.len() - count).unwrap_or_default()
}

/// Whether a byte is of a word in the text before a place: all that is not ASCII is.
const fn is_part(byte: u8) -> bool {
    is_word(byte) || byte >= 0x80
}

/// Whether a sentence ends behind a word. A dot behind three letters and less shortens a word (`no.`).
fn ends_sentence(word: &[u8], behind: &[u8]) -> bool {
    let stops = |pair: &[u8]| match pair {
        [b'.', b' '] => word.len() > 3,
        [b'!' | b'?', b' '] => true,
        _ => false,
    };
    behind.windows(2).any(stops) || behind.iter().any(|byte| matches!(byte, b'\n' | b';'))
}

/// The last three bytes of a word, whatever their case; all of a shorter one. Where a word is a name or ends with it, these are
/// the same: almost no word has to be compared with names. Names end with no digit: words that do have all the same.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct End(u32);

impl End {
    pub const fn of(word: &[u8]) -> Self {
        const fn number(bytes: [u8; 3]) -> u32 {
            let [first, second, third] = bytes;
            u32::from_be_bytes([0, first.to_ascii_lowercase(), second.to_ascii_lowercase(), third.to_ascii_lowercase()])
        }
        match word {
            [.., b'0'..=b'9'] => Self(0),
            [.., first, second, third] => Self(number([*first, *second, *third])),
            [first, second] => Self(number([0, *first, *second])),
            [first] => Self(number([0, 0, *first])),
            [] => Self(0),
        }
    }

    /// The last byte, in lower case.
    pub const fn last(self) -> u8 {
        let [.., last] = self.0.to_be_bytes();
        last
    }

    /// The place of its bit.
    const fn place(self) -> u32 {
        self.0.wrapping_mul(0x9e37_79b1) >> 24
    }
}

/// Which ends there are, or may be: a bit for some of them each (a hash by multiplication, after Knuth).
#[derive(Clone, Copy)]
pub(super) struct Ends([u64; 4]);

impl Ends {
    pub const NONE: Self = Self([0; 4]);

    pub const fn with(self, end: End) -> Self {
        let Self([first, second, third, fourth]) = self;
        if end.0 == 0 {
            return self;
        }
        let place = end.place();
        let bit = 1 << (place & 63);
        match place >> 6 {
            0 => Self([first | bit, second, third, fourth]),
            1 => Self([first, second | bit, third, fourth]),
            2 => Self([first, second, third | bit, fourth]),
            _ => Self([first, second, third, fourth | bit]),
        }
    }

    /// Whether an end may be one of them.
    pub fn may_have(&self, end: End) -> bool {
        let place = end.place();
        end.0 != 0 && self.0.get(place as usize >> 6).is_some_and(|bits| bits >> (place & 63) & 1 == 1)
    }

    /// Whether an end may be in both.
    pub fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(one, other)| one & other != 0)
    }
}

/// The shortest name that may be the end of a longer one, in bytes.
const SHORTEST_TAIL: usize = 3;

/// Whether a word is a name (lower case), whatever its case, or ends with it as names in code do: `employeeSsn`, `userPhone`.
pub(super) fn is_called(word: &[u8], name: &[u8]) -> bool {
    if word.len() <= name.len() {
        return word.eq_ignore_ascii_case(name);
    }
    let Some((head, tail)) = word.split_at_checked(word.len() - name.len()) else { return false };
    name.len() >= SHORTEST_TAIL
        && tail.first().is_some_and(u8::is_ascii_uppercase)
        && head.last().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        && tail.eq_ignore_ascii_case(name)
}

/// Whether a byte belongs to a word: an ASCII letter or digit.
#[must_use]
pub const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}
