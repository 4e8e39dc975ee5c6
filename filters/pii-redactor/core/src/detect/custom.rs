//! Custom patterns: the regular expressions of a configuration, all asked at once at a place of a text, in a time that grows with the
//! length of what is read and nothing else.
//!
//! They are those of the crate `regex` without Unicode tables: classes (`\d`, `\w`, `\b`, `(?i)`) are ASCII's, letters of other scripts
//! stand for themselves outside of brackets, and there is no look-around and no reference back. A pattern matches at every place of a text,
//! within words too, unless it says `\b`; `^` and `$` are the ends of the text (`(?m)`: of a line). It sees the text as [`View`] does: normalized.
//! A match is [`NEAR`]` - 1` bytes long at most: what is longer is found as far as a shorter match goes.
//!
//! States are made when they are first needed, and kept within [`CACHE`]. When that is full they are made anew from where the search
//! stands, however often: the search becomes slower then, and misses nothing.

use core::cell::RefCell;

use regex_automata::{
    Anchored, MatchKind,
    hybrid::{
        LazyStateID,
        dfa::{Cache, DFA},
    },
    nfa::thompson::{Compiler, Config, NFA, WhichCaptures},
    util::{start, syntax},
};

use super::{NEAR, View};

/// How large one pattern may become, in bytes of its states; `[A-Z]{100}` takes about 3 kB.
const PATTERN: usize = 128 * 1024;

/// How large all of a configuration may become together.
const TOGETHER: usize = 1024 * 1024;

/// How long a pattern may be, in bytes.
const LENGTH: usize = 4096;

/// How deep groups may be nested.
const NESTED: u32 = 50;

/// How many bytes of states are kept.
const CACHE: usize = 512 * 1024;

/// The patterns of one configuration, ready to be looked for.
pub struct Patterns {
    automaton: DFA,
    cache: RefCell<Cache>,
    first: [bool; 256],
    longest: usize,
}

/// What a pattern takes.
struct Size {
    /// The bytes of its states.
    bytes: usize,
    /// How long a match is at most.
    longest: usize,
}

impl Patterns {
    /// Compiles patterns.
    ///
    /// # Errors
    /// Which of them can't be had, by its place, and why.
    pub fn new(patterns: &[&str]) -> Result<Self, (usize, String)> {
        let (mut bytes, mut longest) = (0, 0);
        for (index, pattern) in patterns.iter().enumerate() {
            let size = size_of(pattern).map_err(|why| (index, why))?;
            (bytes, longest) = (bytes + size.bytes, longest.max(size.longest));
            if bytes > TOGETHER {
                return Err((index, format!("is too large with those before: all may take {} kB", TOGETHER / 1024)));
            }
        }
        let last = patterns.len().saturating_sub(1);
        let states = compiler(2 * TOGETHER).build_many(patterns).map_err(|why| (last, why.to_string()))?;
        let automaton = automaton(states).map_err(|why| (last, why))?;
        let mut cache = automaton.create_cache();
        let first = first(&automaton, &mut cache);
        Ok(Self { automaton, cache: RefCell::new(cache), first, longest })
    }

    /// By its number, whether a match may begin with a byte.
    #[must_use]
    pub const fn first(&self) -> &[bool; 256] {
        &self.first
    }

    /// Adds, for each pattern that matches from the view's place on, its number and where its longest match ends. Characters are
    /// never cut.
    pub fn look(&self, view: &View<'_>, found: &mut Vec<(usize, usize)>) {
        let from = found.len();
        // Nothing else holds it: a search asks for bytes only.
        let Ok(mut cache) = self.cache.try_borrow_mut() else { return };
        for _ in 0..2 {
            if self.search(&mut cache, view, from, found).is_some() {
                return;
            }
            // It does not give up by itself (see `automaton`); if it ever did, this makes room for one search.
            self.automaton.reset_cache(&mut cache);
            found.truncate(from);
        }
    }

    /// One search; none where the cache gave up.
    fn search(&self, cache: &mut Cache, view: &View<'_>, from: usize, found: &mut Vec<(usize, usize)>) -> Option<()> {
        let begin = start::Config::new().anchored(Anchored::Yes).look_behind(view.before());
        let mut state = self.automaton.start_state(cache, &begin).ok()?;
        // The byte behind the longest match has to be seen, and no other.
        for place in 0..NEAR.min(self.longest + 1) {
            let byte = view.byte(place);
            state = match byte {
                Some(byte) => self.automaton.next_state(cache, state, byte).ok()?,
                None => self.automaton.next_eoi_state(cache, state).ok()?,
            };
            // A state tells of the match that ends before the byte that led to it.
            if state.is_match() && byte.is_none_or(|byte| !is_inside_character(byte)) {
                self.note(cache, state, place, from, found);
            }
            if byte.is_none() || state.is_dead() {
                return Some(());
            }
        }
        Some(())
    }

    /// Notes the end of a match of each pattern that a state tells of, in place of an earlier one.
    fn note(&self, cache: &Cache, state: LazyStateID, end: usize, from: usize, found: &mut Vec<(usize, usize)>) {
        for index in 0..self.automaton.match_len(cache, state) {
            let pattern = self.automaton.match_pattern(cache, state, index).as_usize();
            match found.iter_mut().skip(from).find(|(known, _)| *known == pattern) {
                Some((_, known)) => *known = end,
                None => found.push((pattern, end)),
            }
        }
    }
}

/// What a pattern takes that can be looked for.
fn size_of(pattern: &str) -> Result<Size, String> {
    if pattern.len() > LENGTH {
        return Err(format!("is {} bytes long, over {LENGTH}", pattern.len()));
    }
    if has_unicode_flag(pattern) {
        return Err("has the flag `u`; classes are those of ASCII here".to_owned());
    }
    let parsed = syntax::parse_with(pattern, &syntax())
        .map_err(|why| format!("is not a regular expression: {}", reason(&why.to_string())))?;
    let states = compiler(PATTERN).build_from_hir(&parsed).map_err(|why| match why.size_limit() {
        Some(_) => format!("is too large: it may take {} kB; repeat less often what is repeated", PATTERN / 1024),
        None => format!("is not a regular expression: {why}"),
    })?;
    if states.has_empty() {
        return Err("matches the empty text; it has to hold at least one character".to_owned());
    }
    let size = Size { bytes: states.memory_usage(), longest: parsed.properties().maximum_len().unwrap_or(NEAR) };
    automaton(states)?;
    Ok(size)
}

/// Whether a group sets the flag `u`. It would ask for tables that are not there.
fn has_unicode_flag(pattern: &str) -> bool {
    let bytes = pattern.as_bytes();
    let escaped = |at: usize| bytes.iter().take(at).rev().take_while(|byte| **byte == b'\\').count() & 1 == 1;
    pattern.match_indices("(?").any(|(at, sign)| {
        let flags = bytes.iter().skip(at + sign.len()).take_while(|byte| byte.is_ascii_alphabetic());
        !escaped(at) && flags.into_iter().any(|flag| *flag == b'u')
    })
}

/// What a message of several lines says in the end.
fn reason(message: &str) -> &str {
    let last = message.lines().next_back().unwrap_or(message);
    last.strip_prefix("error: ").unwrap_or(last)
}

fn syntax() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false).nest_limit(NESTED)
}

fn compiler(limit: usize) -> Compiler {
    let settings = Config::new().utf8(false).which_captures(WhichCaptures::None).nfa_size_limit(Some(limit));
    let mut compiler = Compiler::new();
    compiler.configure(settings).syntax(syntax());
    compiler
}

/// The automaton whose states are made as they are needed. All matches are followed to the longest of each pattern; the cache is cleared
/// as often as it is full.
fn automaton(states: NFA) -> Result<DFA, String> {
    let settings = DFA::config()
        .match_kind(MatchKind::All)
        .cache_capacity(CACHE)
        .skip_cache_capacity_check(true)
        .minimum_cache_clear_count(None);
    let automaton = DFA::builder().configure(settings).build_from_nfa(states);
    automaton.map_err(|why| format!("is not a regular expression that can be searched for: {why}"))
}

/// Which bytes a match may begin with, whatever stands before it.
fn first(automaton: &DFA, cache: &mut Cache) -> [bool; 256] {
    let mut first = [false; 256];
    // The kinds of bytes that a look behind tells apart.
    for before in [None, Some(b'\n'), Some(b'\r'), Some(b'a'), Some(b' ')] {
        let begin = start::Config::new().anchored(Anchored::Yes).look_behind(before);
        for (byte, possible) in (0..=u8::MAX).zip(first.iter_mut()) {
            let state = automaton.start_state(cache, &begin).ok();
            let next = state.and_then(|state| automaton.next_state(cache, state, byte).ok());
            *possible |= !is_inside_character(byte) && next.is_none_or(|state| !state.is_dead());
        }
    }
    first
}

/// Whether a byte is of a character of UTF-8 that began before.
const fn is_inside_character(byte: u8) -> bool {
    matches!(byte, 0x80..=0xbf)
}
