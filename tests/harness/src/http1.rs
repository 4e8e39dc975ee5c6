//! HTTP/1.1 by hand, so that order, letter case and every byte of a header survive. Used by the raw client and the upstream.

use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::message::Headers;

/// A byte stream of either kind, plain or TLS.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// The largest head that is read: enough for 500 headers of 16 kB.
const MAX_HEAD: usize = 16 << 20;

/// One connection and what was read from it but not used yet.
pub(crate) struct Http1<S> {
    pub(crate) io: S,
    buffer: BytesMut,
}

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(usize),
    Chunked,
    ToEnd,
}

fn invalid(text: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.into())
}

fn cut(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, format!("connection closed in {what}"))
}

impl<S: AsyncRead + AsyncWrite + Unpin> Http1<S> {
    pub(crate) fn new(io: S) -> Self {
        Self { io, buffer: BytesMut::with_capacity(8 << 10) }
    }

    async fn fill(&mut self) -> io::Result<bool> {
        Ok(self.io.read_buf(&mut self.buffer).await? > 0)
    }

    /// The start line and the headers; `None` when the peer closed before the first byte.
    pub(crate) async fn head(&mut self) -> io::Result<Option<(Vec<u8>, Headers)>> {
        let mut searched = 0;
        let end = loop {
            let from = searched.min(self.buffer.len());
            if let Some(at) = self.buffer[from..].windows(4).position(|window| window == b"\r\n\r\n") {
                break from + at;
            }
            searched = self.buffer.len().saturating_sub(3);
            if self.buffer.len() > MAX_HEAD {
                return Err(invalid("head over 16 MiB"));
            }
            if !self.fill().await? {
                return if self.buffer.is_empty() { Ok(None) } else { Err(cut("a head")) };
            }
        };
        let head = self.buffer.split_to(end + 4);
        let mut lines = split_lines(&head[..end]);
        let start = lines.next().unwrap_or_default().to_vec();
        let mut headers = Headers::default();
        for line in lines {
            headers.0.push(split_header(line)?);
        }
        Ok(Some((start, headers)))
    }

    async fn line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|window| window == b"\r\n") {
                let line = self.buffer.split_to(at).to_vec();
                self.buffer.advance(2);
                return Ok(line);
            }
            if !self.fill().await? {
                return Err(cut("a chunk's line"));
            }
        }
    }

    async fn exactly(&mut self, size: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < size {
            if !self.fill().await? {
                return Err(cut("a body"));
            }
        }
        Ok(self.buffer.split_to(size).to_vec())
    }

    /// The next piece of a body, or `None` at its end (trailers are then in `trailers`).
    pub(crate) async fn piece(&mut self, framing: &mut Framing, trailers: &mut Headers) -> io::Result<Option<Vec<u8>>> {
        match framing {
            Framing::Length(0) => Ok(None),
            Framing::Length(left) => {
                if self.buffer.is_empty() && !self.fill().await? {
                    return Err(cut("a body"));
                }
                let size = self.buffer.len().min(*left);
                *left -= size;
                Ok(Some(self.buffer.split_to(size).to_vec()))
            }
            Framing::ToEnd => {
                if self.buffer.is_empty() && !self.fill().await? {
                    *framing = Framing::Length(0);
                    return Ok(None);
                }
                Ok(Some(self.buffer.split().to_vec()))
            }
            Framing::Chunked => {
                let line = self.line().await?;
                let digits = line.split(|&byte| byte == b';').next().unwrap_or_default();
                let size = std::str::from_utf8(digits)
                    .ok()
                    .and_then(|digits| usize::from_str_radix(digits.trim(), 16).ok())
                    .ok_or_else(|| invalid(format!("chunk size `{}`", line.escape_ascii())))?;
                if size > 0 {
                    let chunk = self.exactly(size).await?;
                    return match self.line().await?.is_empty() {
                        true => Ok(Some(chunk)),
                        false => Err(invalid("chunk longer than its size")),
                    };
                }
                *framing = Framing::Length(0);
                loop {
                    let line = self.line().await?;
                    if line.is_empty() {
                        return Ok(None);
                    }
                    trailers.0.push(split_header(&line)?);
                }
            }
        }
    }

    /// The rest of a body in one.
    pub(crate) async fn rest(&mut self, framing: &mut Framing, trailers: &mut Headers) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(piece) = self.piece(framing, trailers).await? {
            if body.is_empty() {
                body = piece;
            } else {
                body.extend_from_slice(&piece);
            }
        }
        Ok(body)
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.io.write_all(bytes).await?;
        self.io.flush().await
    }
}

fn split_lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(head);
    std::iter::from_fn(move || {
        let now = rest?;
        match now.windows(2).position(|window| window == b"\r\n") {
            Some(at) => {
                rest = Some(&now[at + 2..]);
                Some(&now[..at])
            }
            None => {
                rest = None;
                Some(now)
            }
        }
    })
}

fn split_header(line: &[u8]) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let colon = line.iter().position(|&byte| byte == b':');
    let colon = colon.ok_or_else(|| invalid(format!("header line `{}`", line.escape_ascii())))?;
    Ok((line[..colon].to_vec(), trim_blanks(&line[colon + 1..]).to_vec()))
}

/// Only blanks and tabs: `trim_ascii` would eat more than HTTP allows.
fn trim_blanks(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// How a body with these headers ends, where `otherwise` says what neither length nor chunking mean.
pub(crate) fn framing(headers: &Headers, otherwise: Framing) -> io::Result<Framing> {
    if headers.has_token("transfer-encoding", "chunked") {
        return Ok(Framing::Chunked);
    }
    match headers.text("content-length") {
        None => Ok(otherwise),
        Some(text) => text.trim().parse().map(Framing::Length).map_err(|_| invalid(format!("content-length `{text}`"))),
    }
}

/// Appends header lines as they are.
pub(crate) fn put_headers(out: &mut Vec<u8>, headers: &Headers) {
    for (name, value) in headers.iter() {
        out.extend_from_slice(name);
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends one chunk; an empty one is left out, as it would end the body.
pub(crate) fn put_chunk(out: &mut Vec<u8>, chunk: &[u8]) {
    if !chunk.is_empty() {
        out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
}
