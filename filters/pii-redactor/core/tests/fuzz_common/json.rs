//! One document: any bytes, any cut.

use pii_core::{
    body::Format,
    json::MAX_DEPTH,
    rules::Endpoint,
    session::{Action, Direction},
};
use serde_json::Value;

use super::{
    ENDPOINTS, Input,
    body_common::Case,
    nothing_changes_in_report, same_for_all_cuts,
    skeleton::{depth, is_json, skeleton},
};

/// Endpoint, direction, format, two lengths of pieces, then the body.
pub fn json(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let endpoint = input.pick(ENDPOINTS);
    let direction = input.pick(&[Direction::Request, Direction::Response]);
    let format = input.pick(&[Format::Json, Format::Unknown]);
    let lengths = input.lengths();
    let body = input.rest;
    let make = || asked(endpoint, direction);
    let out = same_for_all_cuts(make, direction, format, body, lengths);
    if format == Format::Json {
        assert_read_as_others_do(body, out.is_ok());
    }
    let Ok(out) = out else { return };
    nothing_changes_in_report(make, direction, format, body);
    core::str::from_utf8(&out).expect("what leaves is UTF-8");
    let document = without_mark(body);
    if format == Format::Unknown && !document.trim_ascii_start().starts_with(b"{") {
        return;
    }
    if is_json(document) == Some(true) {
        assert_eq!(is_json(without_mark(&out)), Some(true), "what leaves: {:?}", String::from_utf8_lossy(&out));
    }
    if direction == Direction::Request && endpoint != Endpoint::Text {
        assert_eq!(
            String::from_utf8_lossy(&skeleton(without_mark(&out))),
            String::from_utf8_lossy(&skeleton(document)),
            "what is no text stays"
        );
        comes_back(endpoint, document);
    }
}

/// A case whose caller has asked something before, where the body is an answer.
pub fn asked(endpoint: Endpoint, direction: Direction) -> Case {
    let mut case = Case::new(endpoint);
    if direction == Direction::Response {
        let (format, asked) = match endpoint {
            Endpoint::Text => (Format::Text, ASKED.to_owned()),
            _ => (Format::Json, serde_json::json!({"messages": [{"content": ASKED}]}).to_string()),
        };
        case.request(format, &asked);
    }
    case
}

/// Values of a caller: an address, one with signs that JSON escapes, and one of several lines.
const ASKED: &str = concat!(
    "ada@example.com, password: \"a\\b\\\\c3-X!9\", 4111 1111 1111 1111\n",
    "-----BEGIN RSA PRIV",
    "ATE KEY-----\nMIIBOgIBAAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf9Cnzj4p4WGeKLs1Pt8Qu\nKUpRKfFLfRYC9AIKjbJTWit+CqvjWYzvQwEC\n",
    "-----END RSA PRIV",
    "ATE KEY-----\n",
);

/// The reader and `serde_json` agree on what JSON is, but for how deep it may be.
fn assert_read_as_others_do(body: &[u8], read: bool) {
    let document = without_mark(body);
    // an empty body is none, and passes
    let empty = core::str::from_utf8(document).is_ok_and(|text| text.trim_matches([' ', '\t', '\n', '\r']).is_empty());
    if let Some(expected) = is_json(document) {
        assert_eq!(read, empty || (expected && depth(document) <= MAX_DEPTH), "whether it is read");
    }
}

fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

/// What a model says that repeats what it was asked is what the caller said.
fn comes_back(endpoint: Endpoint, document: &[u8]) {
    if endpoint != Endpoint::Json {
        return;
    }
    let Ok(value) = serde_json::from_slice::<Value>(document) else { return };
    let mut case = Case::new(endpoint);
    let sent = case.run(Direction::Request, Format::Json, [document]).expect("read before").concat();
    case.answers = Some(Action::Report);
    let back = case.run(Direction::Response, Format::Json, [sent.as_slice()]).expect("it is JSON").concat();
    let back: Value = serde_json::from_slice(&back).expect("it stays JSON");
    assert_eq!(back, value, "what comes back, sent was {}", String::from_utf8_lossy(&sent));
}
