//! Whether bytes that come in pieces are UTF-8.

use crate::json::Malformed;

/// What is not yet a character at the end of a piece.
#[derive(Debug, Default)]
pub struct Utf8 {
    tail: Vec<u8>,
}

impl Utf8 {
    /// Takes the next bytes; `end` says that they are the last.
    ///
    /// # Errors
    /// When they can't be UTF-8.
    pub fn push(&mut self, bytes: &[u8], end: bool) -> Result<(), Malformed> {
        let mut rest = bytes;
        while !self.tail.is_empty() {
            let Some((byte, more)) = rest.split_first() else { break };
            self.tail.push(*byte);
            rest = more;
            match incomplete(&self.tail)? {
                0 => self.tail.clear(),
                _ => continue,
            }
        }
        if self.tail.is_empty() {
            let tail = incomplete(rest)?;
            self.tail.extend_from_slice(rest.get(rest.len() - tail..).unwrap_or_default());
        }
        if end && !self.tail.is_empty() { Err(Malformed::Utf8) } else { Ok(()) }
    }
}

/// How many bytes at the end are the beginning of a character.
fn incomplete(bytes: &[u8]) -> Result<usize, Malformed> {
    match core::str::from_utf8(bytes) {
        Ok(_) => Ok(0),
        Err(error) if error.error_len().is_none() => Ok(bytes.len() - error.valid_up_to()),
        Err(_) => Err(Malformed::Utf8),
    }
}
