//! What holds for any document, any stream and any cut: it stays what it was but for the values, nothing depends on where it was cut,
//! and what was taken out comes back.

#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

mod body_common;

use body_common::Case;
use pii_core::{
    body::Format,
    events::Framing,
    rules::Endpoint,
    session::{Action, Direction},
};
use proptest::prelude::*;
use serde_json::{Value, json};

const SSE: Format = Format::Events(Framing::ServerSent);

/// Values of many kinds, what only looks like them, and what JSON and UTF-8 treat in ways of their own.
const PARTS: &[&str] = &[
    "ada@example.com",
    "4111 1111 1111 1111",
    "+442079460958",
    "DE89 3704 0044 0532 0130 00",
    "078-05-1120",
    "10.1.2.3",
    "postgres://app:hunter22@db/x",
    "[EMAIL_1]",
    "[email_2]",
    "[EMAIL_",
    "password: s3cr3t-Pa55",
    "ada%40example.com",
    "ａｄａ＠ｅｘａｍｐｌｅ．ｃｏｍ",
    "Hello",
    "world",
    ", ",
    " ",
    "\"",
    "\\",
    "\n",
    "\u{1f642}",
    "漢字",
    "é",
    "\u{200b}",
    "{\"a\": 1}",
    "12",
    "-",
    "[",
    "]",
    "_1",
    "@",
    ".",
    "%4",
    "\u{7f}",
    "eyJ",
    "sk-",
    "Project Falcon",
];

fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(PARTS), 0..24).prop_map(|parts| parts.concat())
}

/// The same with a space between any two: then no value is a part of another word.
fn spaced() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(PARTS), 0..8).prop_map(|parts| parts.join(" "))
}

/// A document, as a caller may write it.
fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        text().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        // JSON in a string, as arguments are
        text().prop_map(|text| json!(json!({"to": text}).to_string())),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec(
                (prop_oneof![Just("content".to_owned()), Just("arguments".to_owned()), text()], inner),
                0..5
            )
            .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Writes a document with escapes where none are needed, and spaces.
fn written(value: &Value, seed: u64) -> String {
    let plain = if seed.is_multiple_of(2) { serde_json::to_string(value) } else { serde_json::to_string_pretty(value) }
        .unwrap();
    if seed.is_multiple_of(3) {
        return plain;
    }
    // every letter e and sign @ in strings as an escape; outside of strings there is no @, and e only in words
    plain
        .replace('@', "\\u0040")
        .chars()
        .map(|character| {
            if character.is_ascii() {
                character.to_string()
            } else {
                let mut units = [0; 2];
                character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
            }
        })
        .collect()
}

fn pieces<'b>(body: &'b str, cuts: &[prop::sample::Index]) -> Vec<&'b [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
    at.sort_unstable();
    let mut pieces = Vec::new();
    let mut start = 0;
    for end in at {
        pieces.push(&body.as_bytes()[start..end]);
        start = end;
    }
    pieces.push(&body.as_bytes()[start..]);
    pieces
}

/// A stream of chats that says a text in deltas of these lengths.
fn stream(text: &str, lengths: &[usize]) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut stream = String::new();
    let (mut at, mut turn) = (0, 0);
    while at < characters.len() {
        let length = lengths[turn % lengths.len()].max(1);
        let delta: String = characters[at..characters.len().min(at + length)].iter().collect();
        let event = json!({"id": "c", "choices": [{"index": 0, "delta": {"content": delta}, "finish_reason": null}]});
        stream += &format!("data: {event}\n\n");
        (at, turn) = (at + length, turn + 1);
    }
    stream + "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
}

fn said(stream: &str) -> String {
    let events = stream.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    events
        .filter_map(|data| {
            serde_json::from_str::<Value>(data).unwrap()["choices"][0]["delta"]["content"].as_str().map(str::to_owned)
        })
        .collect()
}

proptest! {
    #[test]
    fn no_cut_changes_what_leaves(value in document(), seed: u64, cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let body = written(&value, seed);
        for endpoint in [Endpoint::Json, Endpoint::OpenaiChat, Endpoint::AnthropicMessages] {
            let whole = Case::new(endpoint).request(Format::Json, &body);
            let cut = Case::new(endpoint).run(Direction::Request, Format::Json, pieces(&body, &cuts)).unwrap().concat();
            prop_assert_eq!(String::from_utf8(cut).unwrap(), whole);
        }
    }

    #[test]
    fn what_leaves_is_json_and_what_comes_back_is_what_was_sent(value in document(), seed: u64) {
        let body = written(&value, seed);
        let mut case = Case::new(Endpoint::Json);
        let sent = case.request(Format::Json, &body);
        serde_json::from_str::<Value>(&sent).unwrap();
        case.answers = Some(Action::Report);
        let back: Value = serde_json::from_str(&case.response(Format::Json, &sent)).unwrap();
        prop_assert_eq!(back, value);
    }

    #[test]
    fn a_text_comes_back_as_it_was(text in text()) {
        let mut case = Case::new(Endpoint::Text);
        case.answers = Some(Action::Report);
        let sent = case.request(Format::Text, &text);
        prop_assert_eq!(case.response(Format::Text, &sent), text);
    }

    #[test]
    fn nothing_of_a_value_leaves(text in spaced(), arguments in spaced()) {
        let arguments = json!({"to": arguments}).to_string();
        let body = json!({"messages": [{"content": text, "tool_calls": [{"function": {"arguments": arguments}}]}]}).to_string();
        let sent = Case::new(Endpoint::OpenaiChat).request(Format::Json, &body);
        for value in ["ada@example", "4111 1111", "+4420", "DE89 3704", "078-05", "10.1.2.3", "hunter22", "s3cr3t", "ada%40", "ａｄａ＠"] {
            prop_assert!(!sent.contains(value), "{} in {}", value, sent);
        }
    }

    #[test]
    fn a_stream_says_the_same_however_it_is_cut(
        prompt in text(), answer in text(), lengths in proptest::collection::vec(prop_oneof![1..7_usize, 60..200_usize], 1..4),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let make = || {
            let mut case = Case::new(Endpoint::OpenaiChat);
            case.request(Format::Json, &json!({"messages": [{"role": "user", "content": prompt}]}).to_string());
            case
        };
        let body = stream(&answer, &lengths);
        let whole = make().response(SSE, &body);
        let cut = make().run(Direction::Response, SSE, pieces(&body, &cuts)).unwrap().concat();
        prop_assert_eq!(String::from_utf8(cut).unwrap(), whole.clone());
        // the deltas say what one answer would
        let document = json!({"choices": [{"message": {"content": answer}}]}).to_string();
        let at_once: Value = serde_json::from_str(&make().response(Format::Json, &document)).unwrap();
        prop_assert_eq!(json!(said(&whole)), at_once["choices"][0]["message"]["content"].clone());
        prop_assert!(whole.matches("data: ").count() >= body.matches("data: ").count());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, text in "[\\[\\]{}\",:\\\\u0-9a-e\n:dat ]{0,60}") {
        for format in [Format::Json, SSE, Format::Text, Format::Elements, Format::Unknown, Format::Events(Framing::Lines)] {
            for body in [bytes.as_slice(), text.as_bytes()] {
                let whole = Case::new(Endpoint::OpenaiChat).run(Direction::Response, format, [body]);
                let single = Case::new(Endpoint::OpenaiChat).run(Direction::Response, format, body.chunks(1));
                // of two things that are wrong, either may be told
                prop_assert_eq!(whole.ok().map(|outs| outs.concat()), single.ok().map(|outs| outs.concat()));
            }
        }
    }
}
