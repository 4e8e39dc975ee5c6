//! What a value is inside a JSON string, and back.

use crate::{
    json::{Handler, Path, Reader},
    text::Run,
};

/// The content of a JSON string that holds these bytes, `depth` strings deep. Only what has to be escaped is.
#[must_use]
pub fn escaped(bytes: &[u8], depth: u8) -> Vec<u8> {
    (0..depth).fold(bytes.to_vec(), |bytes, _| once(&bytes))
}

fn once(bytes: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(bytes.len() + 8);
    for byte in bytes {
        match byte {
            b'"' | b'\\' => escaped.extend([b'\\', *byte]),
            b'\n' => escaped.extend(b"\\n"),
            b'\r' => escaped.extend(b"\\r"),
            b'\t' => escaped.extend(b"\\t"),
            0..0x20 => escaped.extend(format!("\\u{byte:04x}").bytes()),
            byte => escaped.push(*byte),
        }
    }
    escaped
}

/// What the content of a JSON string says, `depth` strings deep.
#[must_use]
pub fn unescaped(bytes: &[u8], depth: u8) -> Vec<u8> {
    (0..depth).fold(bytes.to_vec(), |bytes, _| decode(&bytes))
}

/// Gathers what a string holds.
#[derive(Default)]
struct Gather(Vec<u8>);

impl Handler for Gather {
    fn string(&mut self, _path: &Path, _key: bool, _raw: u64) -> bool {
        true
    }

    fn run(&mut self, _path: &Path, run: Run<'_>) {
        self.0.extend_from_slice(run.bytes);
    }

    fn end(&mut self, _path: &Path) {}
}

fn decode(bytes: &[u8]) -> Vec<u8> {
    if !bytes.contains(&b'\\') {
        return bytes.to_vec();
    }
    let mut gathered = Gather::default();
    let mut reader = Reader::default();
    for part in [b"\"", bytes, b"\""] {
        // what is no content of a string can't come here: a reader has read it before
        if reader.push(Run::plain(part, 0), &mut gathered).is_err() {
            return bytes.to_vec();
        }
    }
    gathered.0
}
