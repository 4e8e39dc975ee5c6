//! What of a document stays whatever is replaced: all of it but the content of its strings.

use serde_json::Value;

/// All of a JSON document but the content of its strings.
pub fn skeleton(document: &[u8]) -> Vec<u8> {
    let mut skeleton = Vec::new();
    let (mut string, mut escape) = (false, false);
    for byte in document {
        match (string, escape, byte) {
            (true, true, _) => escape = false,
            (true, false, b'\\') => escape = true,
            (true, false, b'"') | (false, _, _) => {
                skeleton.push(*byte);
                string ^= *byte == b'"';
            }
            (true, false, _) => {}
        }
    }
    skeleton
}

/// How deep arrays and objects lie in each other.
pub fn depth(document: &[u8]) -> usize {
    let (mut depth, mut most) = (0_usize, 0);
    for byte in skeleton(document) {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        most = most.max(depth);
    }
    most
}

/// Whether bytes are one JSON document in UTF-8, by another reader's word; none where that reader asks for more than
/// RFC 8259 does: numbers that it can hold, halves of surrogate pairs together.
pub fn is_json(bytes: &[u8]) -> Option<bool> {
    let Ok(text) = core::str::from_utf8(bytes) else { return Some(false) };
    let Err(error) = serde_json::from_str::<Value>(text) else { return Some(true) };
    let why = error.to_string();
    let stricter = ["number out of range", "surrogate", "end of hex escape", "recursion limit"];
    if stricter.iter().any(|word| why.contains(word)) { None } else { Some(false) }
}
