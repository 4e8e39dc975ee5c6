//! Compressed bodies.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

/// How a body is compressed: RFC 9110, 8.4.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    #[default]
    Identity,
    /// `gzip`, RFC 1952.
    Gzip,
    /// `deflate`, which is RFC 1950 (zlib).
    Deflate,
    /// `br`, RFC 7932, in blocks that are stored.
    Brotli,
}

impl Encoding {
    /// As in `content-encoding`.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Deflate => Some("deflate"),
            Self::Brotli => Some("br"),
        }
    }

    /// The pieces compressed to one body; what a piece says can be read once it is there.
    pub(super) fn encode(self, pieces: &[String]) -> Vec<Vec<u8>> {
        match self {
            Self::Identity => pieces.iter().map(|piece| piece.clone().into_bytes()).collect(),
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
                let mut parts = flushed(&mut encoder, pieces, |encoder| std::mem::take(encoder.get_mut()));
                parts.push(encoder.finish().expect("memory takes all"));
                joined_end(parts)
            }
            Self::Deflate => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
                let mut parts = flushed(&mut encoder, pieces, |encoder| std::mem::take(encoder.get_mut()));
                parts.push(encoder.finish().expect("memory takes all"));
                joined_end(parts)
            }
            Self::Brotli => joined_end(stored_brotli(pieces)),
        }
    }
}

fn flushed<E: Write>(encoder: &mut E, pieces: &[String], take: impl Fn(&mut E) -> Vec<u8>) -> Vec<Vec<u8>> {
    let one = |piece: &String| {
        encoder.write_all(piece.as_bytes()).and_then(|()| encoder.flush()).expect("memory takes all");
        take(encoder)
    };
    pieces.iter().map(one).collect()
}

/// The end goes with the last piece, so that one piece stays one.
fn joined_end(mut parts: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let end = parts.pop().unwrap_or_default();
    match parts.last_mut() {
        Some(last) => last.extend(end),
        None => parts.push(end),
    }
    parts
}

/// RFC 7932, 9.1 and 9.2: the window's bits, a stored meta-block for each 65,536 bytes, and an empty last one.
fn stored_brotli(pieces: &[String]) -> Vec<Vec<u8>> {
    let mut begun = false;
    let mut parts = Vec::new();
    for piece in pieces {
        let mut part = Vec::new();
        for block in piece.as_bytes().chunks(1 << 16) {
            // ISLAST 0, MNIBBLES 4 (two bits 0), MLEN - 1 in 16 bits, ISUNCOMPRESSED 1: 20 bits, lowest first, then whole bytes
            let length = u32::try_from(block.len() - 1).expect("at most 65,535");
            let head = (length << 3) | (1 << 19);
            // WBITS 16 is the single bit 0, before the first block only
            let head = if begun { head } else { head << 1 };
            begun = true;
            part.extend_from_slice(&head.to_le_bytes()[..3]);
            part.extend_from_slice(block);
        }
        parts.push(part);
    }
    // ISLAST and ISLASTEMPTY, after the window's bit where nothing came before
    parts.push(vec![if begun { 0b11 } else { 0b110 }]);
    parts
}
