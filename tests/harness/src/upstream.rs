//! A server to put behind Envoy: records what arrives, answers what it is told.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::error::Result;
use crate::http1::{Framing, Http1, Stream, framing, put_chunk, put_headers};
use crate::message::Headers;
use crate::pki::Identity;
use crate::{TIMEOUT, within};

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// The method.
    pub method: String,
    /// The path with its query, bytes that are not UTF-8 replaced.
    pub path: String,
    /// All headers in the order of the wire, as raw bytes; of HTTP/2, `:authority` is the line `host`.
    pub headers: Headers,
    /// The body, as far as it came.
    pub body: Vec<u8>,
    /// The trailers.
    pub trailers: Headers,
    /// Whether the request came to its end; `false` when the peer broke off in the body.
    pub complete: bool,
    /// `HTTP/1.1` or `HTTP/2`.
    pub protocol: &'static str,
    /// The number of the connection it came on, from 0.
    pub connection: usize,
}

impl Recorded {
    /// The body as text, bytes that are not UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The request as JSON, for a server that echoes; bytes that are not UTF-8 replaced.
    pub fn to_json(&self) -> Value {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| json!([text(name), text(value)])).collect();
        json!({"method": self.method, "path": self.path, "headers": headers, "body": text(&self.body)})
    }
}

/// How an answer ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    #[default]
    Complete,
    /// After the last piece the connection is closed, or the stream reset, though the body is not at its end.
    Cut,
    /// After the last piece nothing more comes, until the peer goes.
    Hang,
    /// No answer: the connection is closed, or the stream refused.
    Refuse,
    /// No answer at all, until the peer goes.
    Silent,
}

/// An answer. `x-served-by: <upstream's name>` is added to each.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers, but for those that frame the body.
    pub headers: Headers,
    /// The body's pieces, each with the time to wait before it. One piece goes with `content-length`, more go chunked.
    pub body: Vec<(Duration, Vec<u8>)>,
    /// The trailers; any make the body chunked.
    pub trailers: Headers,
    /// The time to wait before the head.
    pub delay: Duration,
    /// How it ends.
    pub ending: Ending,
}

impl Reply {
    /// An answer without headers and body.
    pub fn new(status: u16) -> Self {
        let none = Headers::default;
        Self {
            status,
            headers: none(),
            body: Vec::new(),
            trailers: none(),
            delay: Duration::ZERO,
            ending: Ending::Complete,
        }
    }

    /// 200 with a text.
    pub fn text(text: &str) -> Self {
        Self::new(200).header("content-type", "text/plain").piece(text)
    }

    /// 200 with JSON.
    pub fn json(value: &Value) -> Self {
        Self::new(200).header("content-type", "application/json").piece(value.to_string())
    }

    /// 200 with server-sent events, each a piece of its own, `pause` apart.
    pub fn events<T: AsRef<str>>(events: impl IntoIterator<Item = T>, pause: Duration) -> Self {
        let reply = Self::new(200).header("content-type", "text/event-stream");
        events.into_iter().fold(reply, |reply, event| reply.piece_after(pause, format!("data: {}\n\n", event.as_ref())))
    }

    /// Sets the status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Appends a header.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// Appends a piece of body.
    #[must_use]
    pub fn piece(self, bytes: impl AsRef<[u8]>) -> Self {
        self.piece_after(Duration::ZERO, bytes)
    }

    /// Appends a piece of body that is sent after a pause.
    #[must_use]
    pub fn piece_after(mut self, pause: Duration, bytes: impl AsRef<[u8]>) -> Self {
        self.body.push((pause, bytes.as_ref().to_vec()));
        self
    }

    /// Appends a trailer.
    #[must_use]
    pub fn trailer(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.trailers.push(name, value);
        self
    }

    /// Waits before the head.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sets how it ends.
    #[must_use]
    pub fn ending(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }
}

type Responder = Arc<dyn Fn(&Recorded) -> Reply + Send + Sync>;

struct Shared {
    name: String,
    recording: AtomicBool,
    requests: Mutex<Vec<Recorded>>,
    count: watch::Sender<usize>,
    connections: AtomicUsize,
    responder: RwLock<Responder>,
    tls: Option<TlsAcceptor>,
}

/// An HTTP/1.1 and h2c server on a free port of 127.0.0.1, in a thread of its own; stopped when dropped.
pub struct Upstream {
    addr: SocketAddr,
    shared: Arc<Shared>,
    /// Dropped first, it stops the thread.
    _stop: watch::Sender<()>,
}

impl Upstream {
    /// Starts it. Until [`respond`](Self::respond) says otherwise it answers 200 with its name as the body.
    ///
    /// # Panics
    /// When the system gives no port or thread.
    pub fn start(name: &str) -> Self {
        Self::launch(name, None)
    }

    /// The same over TLS with this certificate; HTTP/1.1 or HTTP/2 by ALPN.
    ///
    /// # Panics
    /// Also when the certificate is unusable.
    pub fn start_tls(name: &str, identity: &Identity) -> Self {
        Self::launch(name, Some(identity.server_config().expect("a usable certificate").into()))
    }

    fn launch(name: &str, tls: Option<TlsAcceptor>) -> Self {
        let body = name.to_owned();
        let shared = Arc::new(Shared {
            name: name.into(),
            recording: true.into(),
            requests: Mutex::default(),
            count: watch::Sender::new(0),
            connections: AtomicUsize::new(0),
            responder: RwLock::new(Arc::new(move |_| Reply::text(&body))),
            tls,
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("the port's number");
        listener.set_nonblocking(true).expect("a non-blocking socket");
        let (stop, stopped) = watch::channel(());
        let server = shared.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let run = move || runtime.block_on(serve(listener, server, stopped));
        std::thread::Builder::new().name(format!("upstream {name}")).spawn(run).expect("a thread");
        Self { addr, shared, _stop: stop }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its name, as in `x-served-by`.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Sets what is answered from now on.
    pub fn respond(&self, responder: impl Fn(&Recorded) -> Reply + Send + Sync + 'static) {
        *self.shared.responder.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(responder);
    }

    /// Whether requests are kept (they are, until told otherwise) or only counted, for loads.
    pub fn record(&self, on: bool) {
        self.shared.recording.store(on, Ordering::Relaxed);
    }

    /// How many requests came since the start.
    pub fn count(&self) -> usize {
        *self.shared.count.borrow()
    }

    /// How many connections came since the start.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// The requests recorded since the last call.
    pub fn take_requests(&self) -> Vec<Recorded> {
        std::mem::take(&mut *self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The only request since the last call.
    ///
    /// # Panics
    /// When there is none or more than one.
    #[track_caller]
    pub fn take_one(&self) -> Recorded {
        let mut requests = self.take_requests();
        assert_eq!(requests.len(), 1, "requests at upstream {}: {requests:#?}", self.name());
        requests.remove(0)
    }

    /// Waits until `count` requests came since the start.
    pub async fn wait_for(&self, count: usize) -> Result<()> {
        let mut counter = self.shared.count.subscribe();
        let reached = async { counter.wait_for(|now| *now >= count).await.map(|_| ()) };
        let what = format!("{count} requests at upstream {}", self.name());
        within(TIMEOUT, &what, reached).await?.map_err(|_| crate::Error::new("the upstream has stopped"))
    }
}

impl Shared {
    fn answer(&self, request: Recorded) -> Reply {
        let responder = self.responder.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut reply = responder(&request);
        self.keep(request);
        if !reply.headers.contains("x-served-by") {
            reply.headers.push("x-served-by", &self.name);
        }
        reply
    }

    fn keep(&self, request: Recorded) {
        if self.recording.load(Ordering::Relaxed) {
            self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        }
        self.count.send_modify(|count| *count += 1);
    }
}

async fn serve(listener: std::net::TcpListener, shared: Arc<Shared>, mut stopped: watch::Receiver<()>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            accepted = listener.accept() => if let Ok((tcp, _)) = accepted {
                let _ = tcp.set_nodelay(true);
                let number = shared.connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(connection(tcp, number, shared.clone()));
            }
        }
    }
}

async fn connection(tcp: TcpStream, number: usize, shared: Arc<Shared>) -> std::io::Result<()> {
    let (io, is_http2): (Box<dyn Stream>, bool) = match &shared.tls {
        None => {
            let is_http2 = begins_http2(&tcp).await?;
            (Box::new(tcp), is_http2)
        }
        Some(acceptor) => {
            let tls = acceptor.accept(tcp).await?;
            let is_http2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
            (Box::new(tls), is_http2)
        }
    };
    if !is_http2 {
        return http1(Http1::new(io), number, &shared).await;
    }
    let mut streams = h2::server::handshake(io).await.map_err(std::io::Error::other)?;
    while let Some(stream) = streams.accept().await {
        let (request, respond) = stream.map_err(std::io::Error::other)?;
        tokio::spawn(http2(request, respond, number, shared.clone()));
    }
    Ok(())
}

/// Looks at the first bytes, without taking them: no method of HTTP/1.1 begins with `PRI `.
async fn begins_http2(tcp: &TcpStream) -> std::io::Result<bool> {
    const PREFACE: &[u8] = b"PRI ";
    let mut first = [0; PREFACE.len()];
    loop {
        let seen = tcp.peek(&mut first).await?;
        if seen == 0 || first[..seen] != PREFACE[..seen] {
            return Ok(false);
        }
        if seen == PREFACE.len() {
            return Ok(true);
        }
        tokio::task::yield_now().await;
    }
}

async fn http1(mut http: Http1<Box<dyn Stream>>, connection: usize, shared: &Shared) -> std::io::Result<()> {
    while let Some((line, headers)) = http.head().await? {
        let line = String::from_utf8_lossy(&line).into_owned();
        let mut words = line.split(' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        let (method, path) = (word(), word());
        let mut end = framing(&headers, Framing::Length(0))?;
        let mut request = Recorded { method, path, headers, connection, protocol: "HTTP/1.1", ..Recorded::default() };
        loop {
            match http.piece(&mut end, &mut request.trailers).await {
                Ok(Some(piece)) => request.body.extend_from_slice(&piece),
                Ok(None) => break,
                Err(error) => {
                    shared.keep(request);
                    return Err(error);
                }
            }
        }
        request.complete = true;
        let head_only = request.method == "HEAD";
        let close = request.headers.has_token("connection", "close");
        let reply = shared.answer(request);
        let goes_on = send1(&mut http, reply, head_only).await?;
        if goes_on && close {
            // over TLS, an end that can be told from a cut
            return http.io.shutdown().await;
        }
        if !goes_on {
            return Ok(());
        }
    }
    Ok(())
}

/// Whether the connection can go on.
async fn send1(http: &mut Http1<Box<dyn Stream>>, reply: Reply, head_only: bool) -> std::io::Result<bool> {
    wait(reply.delay).await;
    match reply.ending {
        Ending::Refuse => return Ok(false),
        Ending::Silent => return gone(http).await,
        Ending::Complete | Ending::Cut | Ending::Hang => {}
    }
    let complete = reply.ending == Ending::Complete;
    let no_body = head_only || matches!(reply.status, 204 | 304);
    let chunked = !no_body && (!complete || reply.body.len() > 1 || !reply.trailers.is_empty());
    let mut out = format!("HTTP/1.1 {} \r\n", reply.status).into_bytes();
    put_headers(&mut out, &reply.headers);
    if chunked {
        out.extend_from_slice(b"transfer-encoding: chunked\r\n");
    } else if !no_body && !reply.headers.contains("content-length") {
        let size: usize = reply.body.iter().map(|(_, piece)| piece.len()).sum();
        out.extend_from_slice(format!("content-length: {size}\r\n").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    for (pause, piece) in reply.body.iter().filter(|_| !no_body) {
        if !pause.is_zero() {
            http.write(&out).await?;
            out.clear();
            wait(*pause).await;
        }
        if chunked {
            put_chunk(&mut out, piece)
        } else {
            out.extend_from_slice(piece)
        }
        if chunked {
            // A write of its own, so that the peer is likely to read it as a piece.
            http.write(&out).await?;
            out.clear();
        }
    }
    if chunked && complete {
        out.extend_from_slice(b"0\r\n");
        put_headers(&mut out, &reply.trailers);
        out.extend_from_slice(b"\r\n");
    }
    http.write(&out).await?;
    match reply.ending {
        Ending::Hang => gone(http).await,
        _ => Ok(complete),
    }
}

/// Waits until the peer closes.
async fn gone(http: &mut Http1<Box<dyn Stream>>) -> std::io::Result<bool> {
    http.rest(&mut Framing::ToEnd, &mut Headers::default()).await?;
    Ok(false)
}

async fn wait(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

async fn http2(
    request: http::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    connection: usize,
    shared: Arc<Shared>,
) -> Result<()> {
    let (head, mut body) = request.into_parts();
    let mut headers = Headers::default();
    if let Some(authority) = head.uri.authority() {
        headers.push("host", authority.as_str());
    }
    headers.0.extend(Headers::from_map(&head.headers).0);
    let path = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let method = head.method.to_string();
    let mut recorded = Recorded { method, path, headers, connection, protocol: "HTTP/2", ..Recorded::default() };
    recorded.complete = loop {
        match body.data().await {
            None => break true,
            Some(Err(_)) => break false,
            Some(Ok(piece)) => {
                let _ = body.flow_control().release_capacity(piece.len());
                recorded.body.extend_from_slice(&piece);
            }
        }
    };
    if !recorded.complete {
        shared.keep(recorded);
        return Ok(());
    }
    if let Ok(Some(trailers)) = body.trailers().await {
        recorded.trailers = Headers::from_map(&trailers);
    }
    let reply = shared.answer(recorded);
    wait(reply.delay).await;
    match reply.ending {
        Ending::Refuse => {
            respond.send_reset(h2::Reason::REFUSED_STREAM);
            return Ok(());
        }
        Ending::Silent => {
            let _ = std::future::poll_fn(|context| respond.poll_reset(context)).await;
            return Ok(());
        }
        Ending::Complete | Ending::Cut | Ending::Hang => {}
    }
    let mut response = http::Response::builder().status(reply.status).body(())?;
    *response.headers_mut() = reply.headers.to_map()?;
    let complete = reply.ending == Ending::Complete;
    let done = complete && reply.body.is_empty() && reply.trailers.is_empty();
    let mut stream = respond.send_response(response, done)?;
    let last = reply.body.len();
    for (at, (pause, piece)) in reply.body.into_iter().enumerate() {
        wait(pause).await;
        stream.send_data(piece.into(), complete && at + 1 == last && reply.trailers.is_empty())?;
    }
    match reply.ending {
        Ending::Cut => stream.send_reset(h2::Reason::INTERNAL_ERROR),
        Ending::Hang => {
            let _ = std::future::poll_fn(|context| stream.poll_reset(context)).await;
        }
        _ if !reply.trailers.is_empty() => stream.send_trailers(reply.trailers.to_map()?)?,
        _ => {}
    }
    Ok(())
}
