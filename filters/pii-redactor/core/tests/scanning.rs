//! Values that overlap, words that are calm, and texts that wait for nothing.

#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may fail loudly"
)]

mod body_common;

use body_common::Case;
use pii_core::{
    body::Format,
    detect::{EntitySet, Patterns, View, calm, look},
    detectors::{Custom, Detectors, Kind},
    events::Framing,
    rules::Endpoint,
    scanner::Scanner,
    session::Direction,
    style::Style,
    text::Run,
};
use proptest::prelude::*;
use serde_json::json;

fn custom(patterns: &[(&str, u8)]) -> Detectors {
    let texts: Vec<&str> = patterns.iter().map(|(text, _)| *text).collect();
    let names = patterns.iter().map(|(text, confidence)| Custom {
        name: (*text).to_owned(),
        context: Vec::new(),
        confidence: *confidence,
    });
    Detectors::new(EntitySet::default(), 50, Some(Patterns::new(&texts).unwrap()), names.collect(), Style::default())
}

/// The spans of a text and the pattern that each is told as.
fn spans(detectors: &Detectors, text: &str) -> Vec<(String, String)> {
    let mut scanner = Scanner::default();
    scanner.begin(b"");
    scanner.push(Run::plain(text.as_bytes(), 0));
    let mut hits = Vec::new();
    scanner.scan(detectors, true, &mut hits);
    hits.iter().map(|hit| (text[hit.start..hit.end].to_owned(), detectors.name(hit.kind).to_owned())).collect()
}

#[test]
fn of_values_that_overlap_the_longest_then_the_surest_counts_and_all_bytes_go() {
    let pair = |span: &str, name: &str| (span.to_owned(), name.to_owned());
    let cases = [
        // one inside of another
        (vec![("abcdef", 60), ("cd", 99)], "xx abcdef yy", vec![pair("abcdef", "abcdef")]),
        // of two as long, the surer
        (vec![("ab.", 60), ("a.c", 99)], "abc", vec![pair("abc", "a.c")]),
        // of two as long and as sure, the first
        (vec![("ab.", 60), ("a.c", 60)], "abc", vec![pair("abc", "ab.")]),
        // no end of the shorter one stays
        (vec![("abcd", 60), ("cdefgh", 60)], "abcdefgh", vec![pair("abcdefgh", "cdefgh")]),
        // those that only touch are two
        (vec![("abc", 60), ("def", 60)], "abcdef", vec![pair("abc", "abc"), pair("def", "def")]),
        // what is not sure enough is none
        (vec![("abcdef", 49), ("cd", 50)], "abcdef", vec![pair("cd", "cd")]),
    ];
    for (patterns, text, expected) in cases {
        assert_eq!(spans(&custom(&patterns), text), expected, "{patterns:?} {text}");
    }
}

#[test]
fn a_chain_of_values_without_end_does_not_hold_a_text_for_ever() {
    // each value overlaps the next
    let detectors = custom(&[("abab", 60)]);
    let text = "ab".repeat(100_000);
    let mut scanner = Scanner::default();
    scanner.begin(b"");
    let (mut hits, mut most) = (Vec::new(), 0);
    for (index, piece) in text.as_bytes().chunks(1000).enumerate() {
        scanner.push(Run::plain(piece, index as u64 * 1000));
        scanner.scan(&detectors, false, &mut hits);
        most = most.max((index as u64 + 1) * 1000 - scanner.held_from().unwrap_or_default());
        scanner.tidy();
    }
    assert!(most < 70_000, "{most} bytes were held");
}

#[test]
fn a_choice_that_stands_still_does_not_hold_the_others_for_ever() {
    let event = |index: u32, text: &str| {
        format!(
            "data: {}\n\n",
            json!({"choices": [{"index": index, "delta": {"content": text}, "finish_reason": null}]})
        )
    };
    let first = event(0, "perhaps ada");
    let others: Vec<String> = (0..6000).map(|_| event(1, "something else, ")).collect();
    let pieces = std::iter::once(&first).chain(&others).map(String::as_bytes);
    let outs =
        Case::new(Endpoint::OpenaiChat).run(Direction::Response, Format::Events(Framing::ServerSent), pieces).unwrap();
    let (mut came, mut left, mut most) = (0, 0, 0);
    for (piece, out) in std::iter::once(&first).chain(&others).zip(&outs) {
        came += piece.len();
        left += out.len();
        most = most.max(came - left);
    }
    assert!(most < 300_000, "{most} bytes were held");
}

#[test]
fn the_words_of_a_field_s_name_count_as_before_its_value() {
    let body = json!({"customer": {"ssn": "219099999", "number": "219099999", "password": "hunter22!x"}}).to_string();
    let out = Case::new(Endpoint::Json).request(Format::Json, &body);
    assert_eq!(
        out,
        json!({"customer": {"ssn": "[US_SSN_1]", "number": "219099999", "password": "[SECRET_1]"}}).to_string()
    );
}

#[test]
fn a_placeholder_is_no_part_of_another_value() {
    let mut case = Case::new(Endpoint::Text);
    case.request(Format::Text, "ada@example.com");
    let answer = case.response(Format::Text, "write to [EMAIL_1]@example.org or x[EMAIL_1]");
    assert!(answer.contains("ada@example.com@example.org") && answer.contains("xada@example.com"), "{answer}");
    assert_eq!(
        Detectors::new(EntitySet::all(), 50, None, Vec::new(), Style::default()).name(Kind::Placeholder),
        "PLACEHOLDER"
    );
}

proptest! {
    #[test]
    fn no_detector_asks_for_a_calm_word(before in "[a-zA-Z0-9 .,:=@_-]{96,120}", word in "[A-Za-z]{1,26}", after in "([ ,;!?)\n\"]|[.][ \n])[a-zA-Z0-9 .,:=@_-]{0,40}") {
        let text = format!("{before} {word}{after}");
        let at = before.len() + 1;
        if calm(text.as_bytes(), at).is_some() {
            let view = View::new(text.as_bytes(), at, true);
            let mut found = Vec::new();
            look(&view, EntitySet::all(), &mut found);
            prop_assert!(found.is_empty(), "{:?} in {}", found, text);
        }
    }

    #[test]
    fn no_detector_asks_for_a_calm_number(
        named in prop::sample::select(vec!["born", "date of birth,", "passport", "account number", "phone", "ssn", "driving licence", "nhs", "iban", "password", "card", "order", "dni", "pan", "tfn", "sort code"]),
        before in "[a-z]{0,6}[ ,]{1,2}", number in "[0-9]{1,5}", after in "( [a-zA-Z]{1,9}|[,;)] )[ 0-9A-Za-z/.-]{0,30}",
        month in prop::sample::select(vec!["", " march 1985", " de marzo de 1985", " of may 1985", " août 1985", " januar 1985", " okt 1985"]),
    ) {
        let text = format!("{}{named} {before}{number}{month}{after} ", "word ".repeat(30));
        for at in 150..text.len() {
            let bytes = text.as_bytes();
            let begins = bytes[at].is_ascii_digit() && !bytes[at - 1].is_ascii_alphanumeric();
            if begins && calm(bytes, at).is_some() {
                let mut found = Vec::new();
                look(&View::new(bytes, at, true), EntitySet::all(), &mut found);
                prop_assert!(found.is_empty(), "{:?} at {} in {}", found, at, text);
            }
        }
    }

    #[test]
    fn words_of_all_kinds_that_are_calm_begin_nothing(
        word in prop::sample::select(vec!["password", "token", "secret", "bearer", "january", "May", "key", "code", "passport", "ssn", "iban", "phone", "Basic", "sig"]),
        value in prop::sample::select(vec!["hunter22!x", "12 1985", "4111 1111 1111 1111", "AB123456C", "dXNlcjpwYXNzd29yZA==", "s3cr3tPa55w0rd"]),
    ) {
        let text = format!("{} {word} {value}", "word ".repeat(30));
        let at = 151;
        if calm(text.as_bytes(), at).is_some() {
            let mut found = Vec::new();
            look(&View::new(text.as_bytes(), at, true), EntitySet::all(), &mut found);
            prop_assert!(found.is_empty(), "{:?} in {}", found, text);
        }
    }
}
