//! Requests and responses as bytes: what the clients send and read and what an upstream records.

use std::fmt;

/// Header lines in the order of the wire, duplicates included, names and values as raw bytes.
///
/// HTTP/1.1 keeps order and letter case exactly. Over HTTP/2 names are lower case and duplicates of one name stand together.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(Vec<u8>, Vec<u8>)>);

impl Headers {
    /// Appends a line; nothing is replaced.
    pub fn push(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.0.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
    }

    /// The first value of `name` (any letter case).
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.get_all(name).next()
    }

    /// The first value of `name` as text, bytes that are not UTF-8 replaced.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// All values of `name` (any letter case), in order.
    pub fn get_all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let same = move |(key, _): &&(Vec<u8>, Vec<u8>)| key.eq_ignore_ascii_case(name.as_bytes());
        self.0.iter().filter(same).map(|(_, value)| value.as_slice())
    }

    /// Whether a line of that name is there.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Number of lines.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no line at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The lines as pairs of slices.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// Whether one of the comma-separated values of `name` is `token`.
    pub(crate) fn has_token(&self, name: &str, token: &str) -> bool {
        self.get_all(name)
            .flat_map(|value| value.split(|&byte| byte == b','))
            .any(|part| part.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
    }

    pub(crate) fn from_map(map: &http::HeaderMap) -> Self {
        Self(map.iter().map(|(name, value)| (name.as_str().into(), value.as_bytes().into())).collect())
    }

    /// As an h2 header map, without the lines HTTP/2 forbids or that `:authority` replaces.
    pub(crate) fn to_map(&self) -> crate::Result<http::HeaderMap> {
        use crate::error::Context;
        let mut map = http::HeaderMap::with_capacity(self.0.len());
        for (name, value) in self.iter() {
            let shown = || String::from_utf8_lossy(name).into_owned();
            let key = http::HeaderName::from_bytes(name).context(format_args!("header name `{}`", shown()))?;
            if matches!(key.as_str(), "connection" | "transfer-encoding" | "keep-alive" | "upgrade" | "host") {
                continue;
            }
            let value = http::HeaderValue::from_bytes(value).context(format_args!("value of `{}`", shown()))?;
            map.append(key, value);
        }
        Ok(map)
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(name, value)| format!("{}: {}", name.escape_ascii(), value.escape_ascii())))
            .finish()
    }
}

/// A request to send, by either client.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method, sent as it is.
    pub method: String,
    /// The request target, sent as it is (it may hold bytes no URL should).
    pub path: String,
    /// The `Host` line or `:authority`; `None` sends none.
    pub host: Option<String>,
    /// All other headers, sent in this order and letter case (HTTP/2: lower case).
    pub headers: Headers,
    /// The body in the pieces it is written in. One piece goes with `content-length`, more go chunked, unless `headers` say otherwise.
    pub body: Vec<Vec<u8>>,
    /// Trailers; any make the body chunked.
    pub trailers: Headers,
}

impl Request {
    /// A request without headers and body, to host `localhost`.
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.into(),
            path: path.into(),
            host: Some("localhost".into()),
            headers: Headers::default(),
            body: Vec::new(),
            trailers: Headers::default(),
        }
    }

    /// `GET path`.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// `POST path` with a body.
    pub fn post(path: &str, body: impl AsRef<[u8]>) -> Self {
        Self::new("POST", path).piece(body)
    }

    /// Sets `Host`/`:authority`.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Appends a header line; name and value are any bytes.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// Appends `authorization: Bearer token`.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Appends a piece of body; each piece is a chunk (HTTP/1.1) or DATA frame (HTTP/2) of its own.
    #[must_use]
    pub fn piece(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.body.push(bytes.as_ref().to_vec());
        self
    }

    /// Appends a trailer.
    #[must_use]
    pub fn trailer(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.trailers.push(name, value);
        self
    }
}

/// A response as read.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers in the order of the wire.
    pub headers: Headers,
    /// The whole body, chunks joined.
    pub body: Vec<u8>,
    /// The trailers, if any.
    pub trailers: Headers,
}

impl Response {
    /// The body as text, bytes that are not UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> crate::Result<serde_json::Value> {
        Ok(serde_json::from_slice(&self.body)?)
    }

    /// Which [`Upstream`](crate::Upstream) answered: its `x-served-by`, or an empty text if none did.
    pub fn served_by(&self) -> String {
        self.headers.text("x-served-by").unwrap_or_default()
    }
}
