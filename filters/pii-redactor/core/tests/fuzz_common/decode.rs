//! Bodies in content codings: any bytes, any cut.

use std::io::Write;

use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use pii_core::decode::{Coding, Decoder, Undecodable};

use super::{Input, pieces};

/// How large a body may get whatever its ratio, and what one step more may bring, in bytes.
const FREE: usize = 1024 * 1024;
const STEP: usize = 512 * 1100;

/// The largest body that is compressed here, in bytes.
const LARGEST: usize = 4 * 1024 * 1024;

/// Coding, ratio, whether the bytes are the body before it is compressed, how often it is repeated then, two lengths of
/// pieces, then the bytes.
pub fn decode(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let form = input.byte() % 3;
    let coding = if form == 0 { Coding::Gzip } else { Coding::Deflate };
    let ratio = u64::from(input.byte());
    let compresses = input.yes();
    let times = usize::from(input.byte()).pow(2);
    let lengths = input.lengths();
    if !compresses {
        assert_any_bytes(coding, ratio, input.rest, lengths);
        return;
    }
    let times = times.min(LARGEST / input.rest.len().max(1)).max(1);
    let plain = input.rest.repeat(times);
    let encoded = encoded(form, &plain);
    assert_any_bytes(coding, ratio, &encoded, lengths);
    let decoded = run(coding, u64::from(u32::MAX), [encoded.as_slice()]);
    assert!(decoded == Ok(plain), "what was compressed comes back");
}

/// Either it can't be decoded in any pieces, or the same comes of all, within bounds.
fn assert_any_bytes(coding: Coding, ratio: u64, body: &[u8], lengths: [usize; 2]) {
    let whole = run(coding, ratio, [body]);
    for cut in [run(coding, ratio, body.chunks(1)), run(coding, ratio, pieces(body, lengths))] {
        match (&whole, &cut) {
            // what is too large is found where it comes in pieces as they come
            (Err(Undecodable::Bomb), _) | (_, Err(Undecodable::Bomb)) => {}
            _ => assert!(whole == cut, "cut and whole differ: {:?} {:?}", told(&cut), told(&whole)),
        }
    }
}

fn told(result: &Result<Vec<u8>, Undecodable>) -> Result<usize, Undecodable> {
    result.as_ref().map(Vec::len).map_err(|error| *error)
}

fn run<'b>(coding: Coding, ratio: u64, pieces: impl IntoIterator<Item = &'b [u8]>) -> Result<Vec<u8>, Undecodable> {
    let mut decoder = Decoder::new(coding, ratio).expect("a coding that is read");
    let (mut out, mut taken) = (Vec::new(), 0);
    for piece in pieces {
        taken += piece.len();
        let most = FREE.max(taken.saturating_mul(usize::try_from(ratio).unwrap())) + STEP;
        decoder.push(piece, false, |part| {
            out.extend_from_slice(part);
            assert!(out.len() <= most, "{} bytes of {taken}", out.len());
            Ok::<(), Undecodable>(())
        })?;
    }
    decoder.push(&[], true, |part| {
        out.extend_from_slice(part);
        Ok::<(), Undecodable>(())
    })?;
    let most = FREE.max(taken.saturating_mul(usize::try_from(ratio).unwrap())) + STEP;
    assert!(out.len() <= most, "{} bytes of {taken} at the end", out.len());
    Ok(out)
}

fn encoded(form: u8, plain: &[u8]) -> Vec<u8> {
    fn written<W: Write>(mut encoder: W, plain: &[u8], finish: impl FnOnce(W) -> std::io::Result<Vec<u8>>) -> Vec<u8> {
        encoder.write_all(plain).expect("memory takes all");
        finish(encoder).expect("memory takes all")
    }
    match form {
        0 => written(GzEncoder::new(Vec::new(), Compression::fast()), plain, GzEncoder::finish),
        1 => written(ZlibEncoder::new(Vec::new(), Compression::fast()), plain, ZlibEncoder::finish),
        _ => written(DeflateEncoder::new(Vec::new(), Compression::fast()), plain, DeflateEncoder::finish),
    }
}
