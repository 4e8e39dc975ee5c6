//! What is found in any text: no split matters, and places are those of whole characters.

use pii_core::{
    detect::{EntitySet, Found, Patterns, View, is_sign, is_word, look},
    detectors::{Custom, Detectors, Hit},
    scanner::Scanner,
    style::Style,
    text::Run,
};

use super::Input;

/// Of how many bytes each place is asked with each end.
const SPLIT_EVERYWHERE: usize = 64;

/// How long a text is that is made of a short one, over and over.
const LONG: usize = 32 * 1024;

/// Whether the text is repeated until it is long (what takes too long then is seen by the fuzzer's own limit of time),
/// one length of pieces, then the text.
pub fn detectors(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let long = input.byte() % 16 == 15;
    let [length, _] = input.lengths();
    let text = String::from_utf8_lossy(input.rest).into_owned();
    DETECTORS.with(|detectors| assert_text(detectors, &text, length, long));
}

fn assert_text(detectors: &Detectors, text: &str, length: usize, long: bool) {
    if long && !text.is_empty() {
        scan(detectors, text.repeat(LONG / text.len() + 1).as_bytes(), LONG);
        return;
    }
    let whole = scan(detectors, text.as_bytes(), text.len().max(1));
    assert_eq!(scan(detectors, text.as_bytes(), 1), whole, "in bytes");
    assert_eq!(scan(detectors, text.as_bytes(), length), whole, "in pieces");
    let normalized = normalized(text.as_bytes());
    assert_places(&normalized, detectors);
}

/// All that is told of a text in pieces of a length, by the bytes of the body: no two overlap.
fn scan(detectors: &Detectors, text: &[u8], length: usize) -> Vec<(u64, u64, String)> {
    let (mut scanner, mut told) = (Scanner::default(), Vec::new());
    scanner.begin(b"");
    for (piece, number) in text.chunks(length).zip(0_u64..) {
        scanner.push(Run::plain(piece, number * length as u64));
        gather(&mut scanner, detectors, false, &mut told);
    }
    gather(&mut scanner, detectors, true, &mut told);
    assert!(scanner.held_from().is_none(), "nothing is left to decide");
    let mut last = 0;
    for (start, end, name) in &told {
        assert!(last <= *start && start < end && *end <= text.len() as u64, "{name} from {start} to {end}");
        let (start, end) = (usize::try_from(*start).unwrap(), usize::try_from(*end).unwrap());
        core::str::from_utf8(&text[start..end]).expect("whole characters");
        last = end as u64;
    }
    told
}

fn gather(scanner: &mut Scanner, detectors: &Detectors, whole: bool, told: &mut Vec<(u64, u64, String)>) {
    let mut hits = Vec::new();
    scanner.scan(detectors, whole, &mut hits);
    for Hit { start, end, kind, .. } in hits {
        for range in scanner.text().raw(start..end) {
            told.push((range.start, range.end, detectors.name(kind).to_owned()));
        }
    }
    scanner.tidy();
}

/// A text as detectors see it.
fn normalized(text: &[u8]) -> String {
    let mut seen = pii_core::text::Text::default();
    seen.push(Run::plain(text, 0));
    seen.finish();
    String::from_utf8(seen.bytes().to_vec()).expect("a normalized text is text")
}

/// Each place: what is found lies within the text, on whole characters, and is the same for any beginning of the text
/// that is enough.
fn assert_places(text: &str, detectors: &Detectors) {
    let bytes = text.as_bytes();
    for at in (0..bytes.len()).filter(|at| begins(bytes, *at)) {
        let (whole, short) = found(bytes, at, true);
        assert!(!short, "a text that is whole is never short");
        for found in &whole {
            let (start, end) = (at + found.start, at + found.end);
            assert!(start < end && text.get(start..end).is_some(), "{found:?} from {at} in {text:?}");
        }
        let skip = if bytes.len() <= SPLIT_EVERYWHERE { 1 } else { bytes.len() / 32 };
        for end in (at + 1..=bytes.len()).step_by(skip) {
            let (cut, short) = found(&bytes[..end], at, false);
            assert!(short || cut == whole, "{text:?} from {at}, cut at {end}: {cut:?}, whole {whole:?}");
        }
        assert_hits(text, at, detectors);
    }
}

/// The same of the configuration's own patterns and terms.
fn assert_hits(text: &str, at: usize, detectors: &Detectors) {
    let view = View::new(text.as_bytes(), at, true);
    let mut hits = Vec::new();
    detectors.look(text.as_bytes(), at, &view, &mut Vec::new(), &mut hits);
    for hit in &hits {
        assert!(hit.start < hit.end && text.get(hit.start..hit.end).is_some(), "{hit:?} in {text:?}");
    }
}

fn begins(text: &[u8], at: usize) -> bool {
    is_sign(text[at]) || (is_word(text[at]) && (at == 0 || !is_word(text[at - 1])))
}

fn found(text: &[u8], at: usize, whole: bool) -> (Vec<Found>, bool) {
    let view = View::new(text, at, whole);
    let mut found = Vec::new();
    look(&view, EntitySet::all(), &mut found);
    (found, view.short())
}

thread_local! {
    // made once: compiling patterns takes longer than most inputs
    static DETECTORS: Detectors = detectors_with_lists();
}

/// All kinds, and patterns and terms of a configuration.
fn detectors_with_lists() -> Detectors {
    let patterns = Patterns::new(&["DM-[0-9]{2,6}", r"\bab.{1,9}z\b", r"(?i)é[^ ]+$"]).expect("patterns");
    let custom = ["EMPLOYEE", "AB", "ACCENT"].map(|name| Custom {
        name: name.to_owned(),
        context: if name == "EMPLOYEE" { vec!["employee".to_owned()] } else { Vec::new() },
        confidence: 80,
    });
    Detectors::new(EntitySet::all(), 0, Some(patterns), custom.to_vec(), Style::default())
        .with_lists(&["Project Falcon".to_owned(), "Ä-x".to_owned()], &["noreply@example.com".to_owned()])
}
