//! OTLP over HTTP, in JSON (OpenTelemetry protocol specification, "OTLP/HTTP" and "JSON Protobuf encoding"): how events go to a
//! collector, and what its answers mean.

use std::fmt::Write;

use filter_config::serde_json::{Value, json};

use crate::event::{Event, Field, NAME, Severity, quote};
use crate::queue::{Answer, Waiting};
use crate::workload::Workload;

/// An event as a log record. Its body is the event's line to the letter, so that chains can be verified at the collector.
#[must_use]
pub fn record(event: &Event, line: &str, time_ms: u64) -> Waiting {
    let (number, text) = match event.severity {
        Severity::Information => (9, "INFO"),
        Severity::Warning => (13, "WARN"),
    };
    let mut record = String::with_capacity(line.len().saturating_mul(3));
    let _written = write!(
        record,
        r#"{{"timeUnixNano":"{time_ms}000000","observedTimeUnixNano":"{time_ms}000000","severityNumber":{number},"severityText":"{text}","eventName":"runtime_control.{NAME}","body":{{"stringValue":"#,
    );
    quote(line, &mut record);
    record.push_str("},\"attributes\":[");
    for (place, (name, value)) in event.fields().iter().enumerate() {
        let comma = if place > 0 { "," } else { "" };
        let _written = write!(record, r#"{comma}{{"key":"{name}","value":{{"#);
        match value {
            Field::Text(text) => string_value(text, &mut record),
            Field::Word(word) => string_value(word, &mut record),
            // whole numbers of 64 bits go as strings
            Field::Number(number) => {
                let _written = write!(record, r#""intValue":"{number}""#);
            }
            Field::Truth(truth) => {
                let _written = write!(record, r#""boolValue":{truth}"#);
            }
        }
        record.push_str("}}");
    }
    record.push_str("]}");
    Waiting { record }
}

fn string_value(text: &str, record: &mut String) {
    record.push_str("\"stringValue\":");
    quote(text, record);
}

/// The start and the end of a request, between which the records stand with commas.
#[must_use]
pub fn envelope(workload: &Workload, instance: &str, version: &str) -> (String, &'static str) {
    let attributes = [
        ("service.name", workload.name.as_str()),
        ("service.instance.id", instance),
        ("k8s.namespace.name", &workload.namespace),
        ("k8s.pod.name", &workload.pod),
    ];
    let attributes: Vec<Value> = attributes
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| json!({"key": key, "value": {"stringValue": value}}))
        .collect();
    let resource = json!({"attributes": attributes});
    let scope = json!({"name": "runtime-control/egress-audit", "version": version});
    let start = format!(r#"{{"resourceLogs":[{{"resource":{resource},"scopeLogs":[{{"scope":{scope},"logRecords":["#);
    (start, "]}]}]}")
}

/// What an answer means. Everything but success and what the specification calls wrong data is tried again: a wrong path or an
/// expired token is mended by someone, and the events should then still be there.
#[must_use]
pub fn answer(status: Option<u16>, retry_after: Option<&[u8]>, body: &[u8]) -> Answer {
    match status {
        Some(200..=299) => Answer::Taken { rejected: rejected(body) },
        Some(400 | 413) => Answer::Wrong,
        _ => Answer::Later(retry_after.and_then(seconds).map(|seconds| seconds.saturating_mul(1000))),
    }
}

/// `partialSuccess.rejectedLogRecords` of an answer, a number of 64 bits and so a string, or a number all the same.
fn rejected(body: &[u8]) -> u64 {
    let value: Value = filter_config::serde_json::from_slice(body).unwrap_or_default();
    let rejected = value.pointer("/partialSuccess/rejectedLogRecords");
    rejected.and_then(|number| number.as_u64().or_else(|| number.as_str()?.parse().ok())).unwrap_or(0)
}

/// `Retry-After` in seconds; one that names a date is not heeded.
fn seconds(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}
