//! The text that detectors see, and where each of its bytes came from.
//!
//! A text is decoded (out of JSON's escapes, once or twice) and normalized, so that a value is found however it is spelled:
//! full-width and other digits are `0` to `9`, what has no width is gone, unusual spaces and dashes are ` ` and `-`, `%40` is `@`.
//! What is replaced are the bytes of the body, so each byte here knows the range it stands for. A text may come in several pieces
//! (the events of a stream): a value that lies in two of them has a range in each.

use core::ops::Range;

use crate::{detect::CONTEXT, runs};

/// How much of what is settled is kept before it is dropped at once, in bytes.
const SLACK: usize = 8 * 1024;

/// Decoded bytes of a text, and the bytes of the body that they stand for.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// UTF-8; a character may be split over two runs.
    pub bytes: &'a [u8],
    /// Where they begin in the body.
    pub raw: u64,
    /// 0: each byte stands for one. Otherwise all of them stand for that many (an escape).
    pub width: u32,
}

impl<'a> Run<'a> {
    /// Bytes of the body that stand for themselves.
    #[must_use]
    pub const fn plain(bytes: &'a [u8], raw: u64) -> Self {
        Self { bytes, raw, width: 0 }
    }

    /// The part of the run from one byte to another.
    #[must_use]
    pub fn part(self, range: Range<usize>) -> Self {
        let raw = if self.width == 0 { self.raw + range.start as u64 } else { self.raw };
        Self { bytes: self.bytes.get(range).unwrap_or_default(), raw, width: self.width }
    }

    /// Where the byte at `index` begins in the body.
    #[must_use]
    pub const fn raw_at(&self, index: usize) -> u64 {
        if self.width == 0 { self.raw + index as u64 } else { self.raw }
    }

    /// Where what the byte at `index` stands for ends in the body.
    #[must_use]
    pub const fn end_at(&self, index: usize) -> u64 {
        if self.width == 0 { self.raw + index as u64 + 1 } else { self.raw + self.width as u64 }
    }
}

/// Where bytes of the text come from: as for a [`Run`], from `at` on.
#[derive(Clone, Copy, Debug)]
struct Segment {
    at: usize,
    raw: u64,
    width: u32,
    piece: u32,
}

/// A byte of what is not yet a character, or may be an encoded one.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    byte: u8,
    raw: u64,
    end: u64,
    piece: u32,
}

/// A range of the body that belongs to a byte of the text beside its own: what it stands for began in an earlier piece.
#[derive(Clone, Debug)]
struct Head {
    at: usize,
    piece: u32,
    raw: Range<u64>,
    /// Whether it is something without width before the byte, which a value only takes in where it goes on around it.
    gone: bool,
}

/// A normalized text. See the module.
#[derive(Debug, Default)]
pub struct Text {
    bytes: Vec<u8>,
    segments: Vec<Segment>,
    heads: Vec<Head>,
    piece: u32,
    partial: [Part; 4],
    partials: usize,
}

impl Text {
    /// Forgets everything and begins with words that are not of the text: what stands for its context.
    pub fn begin(&mut self, context: &[u8]) {
        self.bytes.clear();
        self.segments.clear();
        self.heads.clear();
        self.partials = 0;
        let kept = context.len().min(CONTEXT - 1);
        if kept > 0 {
            self.bytes.extend(context.iter().take(kept).map(|byte| match byte {
                b'_' | b'-' | b'.' => b' ',
                byte => *byte,
            }));
            self.bytes.push(b' ');
        }
    }

    /// Says that what comes next stands elsewhere in the body.
    pub const fn next_piece(&mut self) {
        self.piece = self.piece.wrapping_add(1);
    }

    /// The normalized bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where what has come but is no character yet begins in the body.
    #[must_use]
    pub fn partial(&self) -> Option<u64> {
        self.parts().first().map(|part| part.raw)
    }

    /// Says that the next byte stands for these as well, in earlier pieces. The last of
    /// them is in the piece before this one.
    pub fn heads(&mut self, ranges: &[Range<u64>]) {
        let count = u32::try_from(ranges.len()).unwrap_or_default();
        let at = self.bytes.len();
        let first = self.piece.wrapping_sub(count);
        let heads = ranges.iter().zip(0..).map(|(raw, index)| Head {
            at,
            piece: first.wrapping_add(index),
            raw: raw.clone(),
            gone: false,
        });
        self.heads.extend(heads);
    }

    /// Adds decoded bytes.
    pub fn push(&mut self, run: Run<'_>) {
        let mut rest = run;
        while !rest.bytes.is_empty() {
            if self.partials > 0 {
                self.complete(rest.part(0..1));
                rest = rest.part(1..rest.bytes.len());
                continue;
            }
            let plain = runs::of_text(rest.bytes);
            self.append(rest.part(0..plain), self.piece);
            if plain == rest.bytes.len() {
                return;
            }
            self.hold(rest.part(plain..plain + 1));
            rest = rest.part(plain + 1..rest.bytes.len());
        }
    }

    /// Says that no more comes: what is no character is taken as it is.
    pub fn finish(&mut self) {
        self.give_up();
    }

    /// Drops what is before `settled`, but for the words before it. Returns by how much all places moved.
    pub fn drop_before(&mut self, settled: usize) -> usize {
        self.heads.retain(|head| !(head.gone && head.at <= settled));
        let gone = settled.saturating_sub(CONTEXT);
        if gone < SLACK {
            return 0;
        }
        self.bytes.drain(..gone);
        let first = self.segments.partition_point(|segment| segment.at <= gone).saturating_sub(1);
        self.segments.drain(..first);
        for segment in &mut self.segments {
            match segment.at.checked_sub(gone) {
                Some(at) => segment.at = at,
                None if segment.width == 0 => {
                    segment.raw += (gone - segment.at) as u64;
                    segment.at = 0;
                }
                None => segment.at = 0,
            }
        }
        self.heads.retain(|head| head.at >= gone);
        self.heads.iter_mut().for_each(|head| head.at -= gone);
        gone
    }

    /// Where the byte at `at` begins in the body; none where it stands for nothing there.
    #[must_use]
    pub fn raw_start(&self, at: usize) -> Option<u64> {
        let segment = self.segment(at)?;
        Some(if segment.width == 0 { segment.raw + (at - segment.at) as u64 } else { segment.raw })
    }

    /// Where the first byte from `at` on that stands for something begins in the body; none where there is none.
    #[must_use]
    pub fn raw_start_from(&self, at: usize) -> Option<u64> {
        if at >= self.bytes.len() {
            return None;
        }
        let head = self.heads.iter().find(|head| head.at == at && !head.gone).map(|head| head.raw.start);
        head.or_else(|| self.raw_start(at)).or_else(|| self.segments.first().map(|segment| segment.raw))
    }

    /// The ranges of the body that `range` stands for, one for each piece.
    #[must_use]
    pub fn raw(&self, range: Range<usize>) -> Vec<Range<u64>> {
        let mut ranges: Vec<(u32, Range<u64>)> = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let index = self.segments.partition_point(|segment| segment.at <= at);
            let next = self.segments.get(index).map_or(range.end, |segment| segment.at).min(range.end);
            let Some(segment) = index.checked_sub(1).and_then(|index| self.segments.get(index)) else {
                at = next;
                continue;
            };
            let (start, end) = if segment.width == 0 {
                (segment.raw + (at - segment.at) as u64, segment.raw + (next - segment.at) as u64)
            } else {
                (segment.raw, segment.raw + u64::from(segment.width))
            };
            match ranges.last_mut() {
                Some((piece, last)) if *piece == segment.piece => last.end = end,
                _ => ranges.push((segment.piece, start..end)),
            }
            at = next;
        }
        let heads = self.heads.iter().filter(|head| range.contains(&head.at) && !(head.gone && head.at == range.start));
        for head in heads {
            // text of the same piece before it takes it in
            match ranges.iter_mut().find(|(piece, _)| *piece == head.piece) {
                Some((_, range)) => *range = range.start.min(head.raw.start)..range.end.max(head.raw.end),
                None => ranges.push((head.piece, head.raw.clone())),
            }
        }
        ranges.sort_by_key(|(_, range)| range.start);
        ranges.into_iter().map(|(_, range)| range).collect()
    }

    fn segment(&self, at: usize) -> Option<&Segment> {
        let index = self.segments.partition_point(|segment| segment.at <= at);
        index.checked_sub(1).and_then(|index| self.segments.get(index))
    }

    /// Appends normalized bytes. Runs that follow each other in the body share a segment.
    fn append(&mut self, run: Run<'_>, piece: u32) {
        if run.bytes.is_empty() {
            return;
        }
        let at = self.bytes.len();
        let follows = self.segments.last().is_some_and(|last| {
            last.piece == piece && last.width == 0 && run.width == 0 && last.raw + (at - last.at) as u64 == run.raw
        });
        if !follows {
            self.segments.push(Segment { at, raw: run.raw, width: run.width, piece });
        }
        self.bytes.extend_from_slice(run.bytes);
    }

    fn parts(&self) -> &[Part] {
        self.partial.get(..self.partials).unwrap_or_default()
    }

    fn hold(&mut self, byte: Run<'_>) {
        if let (Some(place), Some(value)) = (self.partial.get_mut(self.partials), byte.bytes.first()) {
            *place = Part { byte: *value, raw: byte.raw_at(0), end: byte.end_at(0), piece: self.piece };
            self.partials += 1;
        }
    }

    /// One more byte of a character, or of `%XX`.
    fn complete(&mut self, byte: Run<'_>) {
        let Some(value) = byte.bytes.first() else { return };
        let first = self.partial[0].byte;
        let fits = if first == b'%' { value.is_ascii_hexdigit() } else { (0x80..0xc0).contains(value) };
        if !fits {
            self.give_up();
            return self.push(byte);
        }
        self.hold(byte);
        if self.partials >= width_of(first) {
            self.settle();
        }
    }

    /// A whole character, or a whole `%XX`.
    fn settle(&mut self) {
        let mut bytes = [0; 4];
        bytes.iter_mut().zip(self.parts()).for_each(|(byte, part)| *byte = part.byte);
        let bytes = bytes.get(..self.partials).unwrap_or_default();
        if let [b'%', high, low] = bytes {
            return match byte_of(*high, *low) {
                Some(byte) => self.append_joined(&[byte]),
                None => self.give_up(),
            };
        }
        match core::str::from_utf8(bytes).ok().and_then(|text| text.chars().next()).map(fold) {
            Some(Folded::Gone) => self.pass_over(),
            Some(Folded::Ascii(byte)) => self.append_joined(&[byte]),
            Some(Folded::Same) => self.append_joined(bytes),
            None => self.give_up(),
        }
    }

    /// The parts have no width: they belong to a value only where it goes on around them.
    fn pass_over(&mut self) {
        let at = self.bytes.len();
        for part in self.partial.iter().take(core::mem::take(&mut self.partials)) {
            match self.heads.last_mut() {
                Some(last) if last.gone && (last.at, last.piece) == (at, part.piece) => last.raw.end = part.end,
                _ => self.heads.push(Head { at, piece: part.piece, raw: part.raw..part.end, gone: true }),
            }
        }
    }

    /// Bytes for which all of the parts stand.
    fn append_joined(&mut self, bytes: &[u8]) {
        let parts = core::mem::take(&mut self.partial);
        let parts = parts.get(..core::mem::take(&mut self.partials)).unwrap_or_default();
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return };
        if first.piece == last.piece {
            let width = u32::try_from(last.end - first.raw).unwrap_or(u32::MAX);
            return self.append(Run { bytes, raw: first.raw, width }, last.piece);
        }
        let at = self.bytes.len();
        for part in parts.iter().filter(|part| part.piece != last.piece) {
            self.heads.push(Head { at, piece: part.piece, raw: part.raw..part.end, gone: false });
        }
        let own = parts.iter().find(|part| part.piece == last.piece).map_or(last.raw, |part| part.raw);
        let width = u32::try_from(last.end - own).unwrap_or(u32::MAX);
        self.append(Run { bytes, raw: own, width }, last.piece);
    }

    /// What did not become a character is taken as it is.
    fn give_up(&mut self) {
        let parts = core::mem::take(&mut self.partial);
        let count = core::mem::take(&mut self.partials);
        for part in parts.iter().take(count) {
            let width = u32::try_from(part.end - part.raw).unwrap_or(u32::MAX);
            let width = if width == 1 { 0 } else { width };
            self.append(Run { bytes: &[part.byte], raw: part.raw, width }, part.piece);
        }
    }
}

/// How many bytes what begins with this one has.
const fn width_of(first: u8) -> usize {
    match first {
        b'%' => 3,
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xff => 4,
        _ => 1,
    }
}

/// The printable character that two hexadecimal digits encode.
fn byte_of(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = u8::try_from(digit(high)? * 16 + digit(low)?).ok()?;
    (b' '..=b'~').contains(&byte).then_some(byte)
}

/// What a character is for detectors.
enum Folded {
    Same,
    Ascii(u8),
    Gone,
}

/// The first of each row of ten digits that are written in other scripts (Unicode's `Nd`).
const ZEROS: &[u32] = &[
    0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66, 0x0e50, 0x0ed0,
    0x0f20, 0x1040, 0x17e0, 0x1810, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6,
];

/// What a character beyond ASCII is for detectors.
fn fold(character: char) -> Folded {
    let code = u32::from(character);
    let ascii = |code: u32| u8::try_from(code).map_or(Folded::Same, Folded::Ascii);
    match code {
        // soft hyphen; zero width spaces and joiners, direction marks, word joiner; variation selectors; byte order mark
        0x00ad
        | 0x034f
        | 0x061c
        | 0x180b..=0x180e
        | 0x200b..=0x200f
        | 0x202a..=0x202e
        | 0x2060..=0x206f
        | 0xfe00..=0xfe0f
        | 0xfeff => Folded::Gone,
        0x00a0 | 0x1680 | 0x2000..=0x200a | 0x202f | 0x205f | 0x3000 => Folded::Ascii(b' '),
        0x2010..=0x2015 | 0x2212 | 0xfe58 | 0xfe63 => Folded::Ascii(b'-'),
        0x2018 | 0x2019 => Folded::Ascii(b'\''),
        0x201c | 0x201d => Folded::Ascii(b'"'),
        0x2024 | 0xfe52 => Folded::Ascii(b'.'),
        0xfe6b => Folded::Ascii(b'@'),
        0xff01..=0xff5e => ascii(code - 0xff01 + 0x21),
        _ => match ZEROS.iter().find(|zero| (**zero..**zero + 10).contains(&code)) {
            Some(zero) => ascii(code - zero + u32::from(b'0')),
            None => Folded::Same,
        },
    }
}
