//! A stream of events: any bytes, any cut.

use pii_core::{body::Format, events::Framing, rules::Endpoint, session::Direction};
use serde_json::Value;

use super::{ENDPOINTS, Input, assert_same, json::asked, same_for_all_cuts};

/// Framing, endpoint, direction, two lengths of pieces, then the body.
pub fn events(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let format = input.pick(&[
        Format::Events(Framing::ServerSent),
        Format::Elements,
        Format::Events(Framing::Lines),
        Format::Events(Framing::Elements),
    ]);
    let endpoint = input.pick(ENDPOINTS);
    let direction = input.pick(&[Direction::Response, Direction::Request]);
    let lengths = input.lengths();
    let body = input.rest;
    let make = || asked(endpoint, direction);
    let Ok(out) = same_for_all_cuts(make, direction, format, body, lengths) else { return };
    core::str::from_utf8(&out).expect("what leaves is UTF-8");
    assert_whole(format, &out, body);
    told_only(endpoint, direction, format, body);
}

/// No event is dropped or torn. One that says much may leave as two, with the same fields around what it says.
fn assert_whole(format: Format, out: &[u8], body: &[u8]) {
    let (mut after, mut before) = (parts(format, out), parts(format, body));
    let shown = || String::from_utf8_lossy(out).into_owned();
    if format == Format::Events(Framing::ServerSent) {
        let count = |parts: &[String], part: &String| parts.iter().filter(|other| *other == part).count();
        let fewer = before.iter().find(|part| count(&after, part) < count(&before, part));
        assert_eq!(fewer, None, "an event is dropped or torn:\n{}", shown());
        after.dedup();
        before.dedup();
    }
    assert_eq!(after, before, "an event is dropped, made or torn:\n{}", shown());
}

/// Nothing changes but the order where nothing is enforced: what says nothing may overtake.
fn told_only(endpoint: Endpoint, direction: Direction, format: Format, body: &[u8]) {
    let mut case = asked(endpoint, direction);
    case.enforce = false;
    let out = case.run(direction, format, [body]).expect("what is read is read again").concat();
    if format == Format::Events(Framing::ServerSent) {
        assert_eq!(sorted_lines(&out), sorted_lines(body), "only told");
    } else {
        assert_same(&out, body, "only told");
    }
}

/// What stays of a stream whatever is replaced: its events and their other fields, in any order.
fn parts(format: Format, body: &[u8]) -> Vec<String> {
    if format != Format::Events(Framing::ServerSent) {
        return json_parts(format, body);
    }
    let mut parts: Vec<String> = lines(body)
        .into_iter()
        .map(|line| {
            let line = String::from_utf8_lossy(line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)).into_owned();
            if line.starts_with("data:") { "data:".to_owned() } else { line }
        })
        .collect();
    parts.sort_unstable();
    parts
}

/// What stays of documents in lines or an array: how many there are.
fn json_parts(format: Format, body: &[u8]) -> Vec<String> {
    if format == Format::Events(Framing::Lines) {
        return vec![body.split(|byte| *byte == b'\n').count().to_string()];
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Array(list)) => vec![list.len().to_string()],
        _ => Vec::new(),
    }
}

/// The lines of a stream, by any of the ends that lines have there.
fn lines(body: &[u8]) -> Vec<&[u8]> {
    let (mut lines, mut start) = (Vec::new(), 0);
    for (at, byte) in body.iter().enumerate() {
        let ends = *byte == b'\n' || (*byte == b'\r' && body.get(at + 1) != Some(&b'\n'));
        if ends {
            let line = &body[start..at];
            lines.push(line.strip_suffix(b"\r").unwrap_or(line));
            start = at + 1;
        }
    }
    lines.push(&body[start..]);
    lines
}

fn sorted_lines(body: &[u8]) -> Vec<&[u8]> {
    let mut lines = lines(body);
    lines.sort_unstable();
    lines
}
