//! Bodies out of their content coding (RFC 9110, 8.4): gzip and deflate, with a bound on how much larger they get.

use std::io::Write;

use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// How many bytes are decoded at once: what they become is at most about a thousand times as much.
const STEP: usize = 512;

/// How large a body may get whatever its ratio, in bytes.
const FREE: u64 = 1024 * 1024;

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// None.
    Identity,
    /// gzip (RFC 1952).
    Gzip,
    /// deflate: zlib (RFC 1950), or, as many send it, bare deflate (RFC 1951).
    Deflate,
    /// One that is not read, or several.
    Other,
}

impl Coding {
    /// The one that a `content-encoding` names.
    #[must_use]
    pub fn of(header: &[u8]) -> Self {
        match header.trim_ascii().to_ascii_lowercase().as_slice() {
            b"" | b"identity" => Coding::Identity,
            b"gzip" | b"x-gzip" => Coding::Gzip,
            b"deflate" => Coding::Deflate,
            _ => Coding::Other,
        }
    }
}

/// Why a body can't be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecodable {
    /// It is not what its header says.
    Malformed,
    /// It gets larger than is allowed.
    Bomb,
}

impl Undecodable {
    /// The word for it in metrics and events.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Undecodable::Malformed => "malformed_encoding",
            Undecodable::Bomb => "decompression_ratio",
        }
    }
}

enum Engine {
    Gzip(MultiGzDecoder<Vec<u8>>),
    Zlib(ZlibDecoder<Vec<u8>>),
    Bare(DeflateDecoder<Vec<u8>>),
    /// deflate, until the first byte tells which.
    Either,
}

/// A decoder of one body.
pub struct Decoder {
    engine: Engine,
    ratio: u64,
    taken: u64,
    given: u64,
}

impl Decoder {
    /// A decoder for a coding whose bodies may get `ratio` times as large; none where there is nothing to decode, or no way.
    #[must_use]
    pub fn new(coding: Coding, ratio: u64) -> Option<Self> {
        let engine = match coding {
            Coding::Gzip => Engine::Gzip(MultiGzDecoder::new(Vec::new())),
            Coding::Deflate => Engine::Either,
            Coding::Identity | Coding::Other => return None,
        };
        Some(Self { engine, ratio, taken: 0, given: 0 })
    }

    /// Decodes the next bytes; `end` says that they are the last. What they become goes to `sink`, a part at a time.
    ///
    /// # Errors
    /// When the body is not what it should be, or gets too large.
    pub fn push<E: From<Undecodable>>(
        &mut self,
        bytes: &[u8],
        end: bool,
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if let (Engine::Either, Some(first)) = (&self.engine, bytes.first()) {
            // zlib's first byte: method 8, window of at most 32 kB
            self.engine = if first & 0x0f == 8 && first >> 4 <= 7 {
                Engine::Zlib(ZlibDecoder::new(Vec::new()))
            } else {
                Engine::Bare(DeflateDecoder::new(Vec::new()))
            };
        }
        for part in bytes.chunks(STEP) {
            self.taken += part.len() as u64;
            let decoded = self.step(part).map_err(|()| Undecodable::Malformed)?;
            self.given += decoded.len() as u64;
            if self.given > FREE && self.given > self.taken.saturating_mul(self.ratio) {
                return Err(Undecodable::Bomb.into());
            }
            sink(&decoded)?;
        }
        if end && self.taken > 0 {
            let rest = self.finish().map_err(|()| Undecodable::Malformed)?;
            sink(&rest)?;
        }
        Ok(())
    }

    fn step(&mut self, part: &[u8]) -> Result<Vec<u8>, ()> {
        match &mut self.engine {
            Engine::Gzip(decoder) => write(decoder, part).map(|()| core::mem::take(decoder.get_mut())),
            Engine::Zlib(decoder) => write(decoder, part).map(|()| core::mem::take(decoder.get_mut())),
            Engine::Bare(decoder) => write(decoder, part).map(|()| core::mem::take(decoder.get_mut())),
            Engine::Either => Ok(Vec::new()),
        }
    }

    fn finish(&mut self) -> Result<Vec<u8>, ()> {
        let rest = match &mut self.engine {
            Engine::Gzip(decoder) => decoder.try_finish().map(|()| core::mem::take(decoder.get_mut())),
            Engine::Zlib(decoder) => decoder.try_finish().map(|()| core::mem::take(decoder.get_mut())),
            Engine::Bare(decoder) => decoder.try_finish().map(|()| core::mem::take(decoder.get_mut())),
            Engine::Either => Ok(Vec::new()),
        };
        rest.map_err(|_| ())
    }
}

/// Writes a part, and lets out all that it becomes.
fn write(decoder: &mut impl Write, part: &[u8]) -> Result<(), ()> {
    decoder.write_all(part).and_then(|()| decoder.flush()).map_err(|_| ())
}
