//! An HTTP/2 client with prior knowledge (or ALPN `h2` over TLS).

use bytes::Bytes;
use h2::client::{SendRequest, handshake};

use super::Endpoint;
use crate::error::{Context, Result};
use crate::message::{Headers, Request, Response};
use crate::{TIMEOUT, within};

/// One HTTP/2 connection; clones share it, so that requests can run at once.
#[derive(Clone)]
pub struct H2Client {
    send: SendRequest<Bytes>,
    scheme: &'static str,
}

impl H2Client {
    /// Connects and does the handshake. The connection is driven by a task of the current tokio runtime.
    pub async fn connect(to: impl Into<Endpoint>) -> Result<Self> {
        let endpoint = to.into();
        let io = within(TIMEOUT, "connecting", endpoint.connect(b"h2")).await??;
        let (send, connection) = within(TIMEOUT, "HTTP/2 handshake", handshake(io)).await??;
        tokio::spawn(connection);
        Ok(Self { send, scheme: if endpoint.tls.is_some() { "https" } else { "http" } })
    }

    /// `GET path` for `host` with headers; for anything else build a [`Request`].
    pub async fn get(&self, path: &str, host: &str, headers: &[(&str, &str)]) -> Result<Response> {
        let request = Request::get(path).host(host);
        self.send(&headers.iter().fold(request, |request, (name, value)| request.header(name, value))).await
    }

    /// Sends a request and reads the whole response; an error when the stream is reset, [`TIMEOUT`] passes, or HTTP/2 cannot carry the request
    /// (a path or name with odd bytes; lines about the connection, and `Host` among the headers, are left out).
    pub async fn send(&self, request: &Request) -> Result<Response> {
        within(TIMEOUT, "HTTP/2 response", self.exchange(request)).await?
    }

    async fn exchange(&self, request: &Request) -> Result<Response> {
        let authority = request.host.as_deref().unwrap_or("localhost");
        let uri = format!("{}://{authority}{}", self.scheme, request.path);
        let mut head = http::Request::builder().method(&*request.method).uri(uri).body(())?;
        *head.headers_mut() = request.headers.to_map()?;
        let done = request.body.is_empty() && request.trailers.is_empty();
        let mut send = self.send.clone().ready().await?;
        let (response, mut stream) = send.send_request(head, done)?;
        let upload = async {
            if done {
                return Ok::<(), h2::Error>(());
            }
            let last = request.body.len();
            for (at, piece) in request.body.iter().enumerate() {
                let end = at + 1 == last && request.trailers.is_empty();
                stream.send_data(Bytes::copy_from_slice(piece), end)?;
            }
            Ok(())
        };
        let mut uploaded = upload.await.context("request body");
        if uploaded.is_ok() && !request.trailers.is_empty() {
            uploaded = stream.send_trailers(request.trailers.to_map()?).context("trailers");
        }
        // a peer may answer before it has read the body, and want no more of it
        let response = response.await;
        if response.is_err() {
            uploaded?;
        }
        let (head, mut body) = response?.into_parts();
        let mut answer =
            Response { status: head.status.as_u16(), headers: Headers::from_map(&head.headers), ..Response::default() };
        while let Some(piece) = body.data().await {
            let piece = piece?;
            body.flow_control().release_capacity(piece.len())?;
            answer.body.extend_from_slice(&piece);
        }
        if let Some(trailers) = body.trailers().await? {
            answer.trailers = Headers::from_map(&trailers);
        }
        Ok(answer)
    }
}
