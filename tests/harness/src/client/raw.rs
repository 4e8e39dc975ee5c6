//! An HTTP/1.1 client that sends exactly the bytes it is told.

use std::time::Duration;

use super::Endpoint;
use crate::error::{Context, Error, Result};
use crate::http1::{Framing, Http1, Stream, framing, put_chunk, put_headers};
use crate::message::{Headers, Request, Response};
use crate::{TIMEOUT, within};

/// One keep-alive connection. Requests go one after the other; every wait ends after [`TIMEOUT`].
///
/// ```no_run
/// # async fn run(addr: std::net::SocketAddr) -> harness::Result<()> {
/// use harness::{RawClient, Request};
/// let mut client = RawClient::connect(addr).await?;
/// let odd = Request::get("/").header("X-CANARY-Arm", "v1").header("x-canary-arm", b"\xff\xfe");
/// let response = client.send(&odd).await?;
/// assert_eq!(response.status, 200);
/// # Ok(()) }
/// ```
pub struct RawClient {
    http: Http1<Box<dyn Stream>>,
    body: Framing,
    trailers: Headers,
    open: bool,
}

impl RawClient {
    /// Connects, with TLS (ALPN `http/1.1`) where the endpoint says so.
    pub async fn connect(to: impl Into<Endpoint>) -> Result<Self> {
        let endpoint = to.into();
        let io = within(TIMEOUT, "connecting", endpoint.connect(b"http/1.1")).await??;
        Ok(Self { http: Http1::new(io), body: Framing::Length(0), trailers: Headers::default(), open: true })
    }

    /// `GET path` for `host` with headers; for anything else build a [`Request`].
    pub async fn get(&mut self, path: &str, host: &str, headers: &[(&str, &str)]) -> Result<Response> {
        let request = Request::get(path).host(host);
        self.send(&headers.iter().fold(request, |request, (name, value)| request.header(name, value))).await
    }

    /// Sends a request and reads the whole response. An error when the connection closes early.
    pub async fn send(&mut self, request: &Request) -> Result<Response> {
        let mut response = self.start(request).await?;
        response.body = self.rest().await?;
        response.trailers = std::mem::take(&mut self.trailers);
        Ok(response)
    }

    /// Sends a request and reads only the response's head; read the body by [`piece`](Self::piece) (streams, SSE, what follows a 101).
    pub async fn start(&mut self, request: &Request) -> Result<Response> {
        self.write(&to_bytes(request)).await?;
        self.read_head(request.method == "HEAD").await
    }

    /// The next piece of the body as it arrives (a chunk, or what one read gave); `None` at the end.
    pub async fn piece(&mut self) -> Result<Option<Vec<u8>>> {
        let piece = within(TIMEOUT, "response body", self.http.piece(&mut self.body, &mut self.trailers)).await?;
        self.open &= piece.is_ok();
        Ok(piece?)
    }

    /// The rest of the body.
    pub async fn rest(&mut self) -> Result<Vec<u8>> {
        let rest = within(TIMEOUT, "response body", self.http.rest(&mut self.body, &mut self.trailers)).await?;
        self.open &= rest.is_ok();
        Ok(rest?)
    }

    /// Writes bytes as they are: half a request, nonsense, several requests at once.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        within(TIMEOUT, "write", self.http.write(bytes)).await?.context("write")
    }

    /// Reads one whole response to what [`write`](Self::write) sent.
    pub async fn read(&mut self) -> Result<Response> {
        let mut response = self.read_head(false).await?;
        response.body = self.rest().await?;
        response.trailers = std::mem::take(&mut self.trailers);
        Ok(response)
    }

    /// Waits until the peer closes, dropping what it still sends; an error when it does not within `timeout`.
    pub async fn closed(&mut self, timeout: Duration) -> Result<()> {
        let mut end = Framing::ToEnd;
        let _ = within(timeout, "close by the peer", self.http.rest(&mut end, &mut Headers::default())).await?;
        self.open = false;
        Ok(())
    }

    /// Whether another request can follow on this connection.
    pub fn is_open(&self) -> bool {
        self.open
    }

    async fn read_head(&mut self, head_only: bool) -> Result<Response> {
        loop {
            let head = within(TIMEOUT, "response head", self.http.head()).await?.context("response head")?;
            let (line, headers) = head.ok_or_else(|| {
                self.open = false;
                Error::new("connection closed before a response")
            })?;
            let status = std::str::from_utf8(&line).ok().and_then(|line| line.split(' ').nth(1)?.parse().ok());
            let status = status.ok_or_else(|| Error::new(format!("status line `{}`", line.escape_ascii())))?;
            if status < 200 && status != 101 {
                continue;
            }
            self.body = match status {
                101 => Framing::ToEnd,
                204 | 304 => Framing::Length(0),
                _ if head_only => Framing::Length(0),
                _ => framing(&headers, Framing::ToEnd)?,
            };
            self.trailers = Headers::default();
            self.open = self.body != Framing::ToEnd && !headers.has_token("connection", "close");
            return Ok(Response { status, headers, ..Response::default() });
        }
    }
}

/// The request as it goes over the wire.
fn to_bytes(request: &Request) -> Vec<u8> {
    let mut out = format!("{} {} HTTP/1.1\r\n", request.method, request.path).into_bytes();
    if let Some(host) = &request.host {
        out.extend_from_slice(format!("Host: {host}\r\n").as_bytes());
    }
    put_headers(&mut out, &request.headers);
    let framed = request.headers.contains("content-length");
    let said_chunked = request.headers.has_token("transfer-encoding", "chunked");
    let chunked = said_chunked || (!framed && (request.body.len() > 1 || !request.trailers.is_empty()));
    if chunked && !said_chunked {
        out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    } else if !chunked && !framed && (!request.body.is_empty() || matches!(&*request.method, "POST" | "PUT" | "PATCH"))
    {
        let size: usize = request.body.iter().map(Vec::len).sum();
        out.extend_from_slice(format!("Content-Length: {size}\r\n").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    for piece in &request.body {
        if chunked { put_chunk(&mut out, piece) } else { out.extend_from_slice(piece) }
    }
    if chunked {
        out.extend_from_slice(b"0\r\n");
        put_headers(&mut out, &request.trailers);
        out.extend_from_slice(b"\r\n");
    }
    out
}
