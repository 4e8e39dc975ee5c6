//! Who the user is: the first of the configured sources that has an id.
//!
//! An id is used byte for byte. An empty one counts as none. Whether it is trusted is told with it: rules about named
//! users apply to trusted ids only, since anybody can send a header.

use std::borrow::Cow;

use filter_config::{Path, Read, Report, object, schema::Definitions, serde_json::Value};

use crate::{HeaderName, Pairs, Request, cookie, query_value};

/// What the proxy itself has verified about a request. Each is looked up only when asked for, since it costs a host call.
pub trait Verified {
    /// The issuer (`iss`) of the verified JSON Web Token; none where there is no token.
    fn issuer(&self) -> Option<&[u8]>;
    /// A claim of that token. Two claims cost less than the whole token does.
    fn claim(&self, name: &str) -> Option<Vec<u8>>;
    /// Whether the peer proved an identity by mutual TLS.
    fn peer(&self) -> bool;
}

/// Verified facts as somebody states them: for tools, which have no proxy to ask, and tests.
#[derive(Clone, Debug, Default)]
pub struct Stated {
    /// The claims of the token; none where there is no token.
    pub claims: Option<Pairs>,
    /// Whether the peer proved an identity.
    pub peer: bool,
}

impl Verified for Stated {
    fn issuer(&self) -> Option<&[u8]> {
        self.claims.as_ref()?.get(b"iss")
    }

    fn claim(&self, name: &str) -> Option<Vec<u8>> {
        self.claims.as_ref()?.get(name.as_bytes()).map(<[u8]>::to_vec)
    }

    fn peer(&self) -> bool {
        self.peer
    }
}

object! {
    /// A claim of the JSON Web Token that the proxy's own JWT filter has verified. Trusted.
    pub struct JwtSource {
        /// The issuer that the token has to be of, compared with its `iss`.
        "issuer" issuer: String;
        /// The claim that holds the id. It has to be a string; other kinds count as none.
        "claim" claim: String = "sub";
    }
}

object! {
    /// One place where a user's id may stand.
    pub struct WrittenSource {
        /// A claim of the verified token.
        "jwt" jwt: Option<JwtSource>;
        /// A header. Where it comes more than once, the first value counts and is not trusted.
        "header" header: Option<HeaderName>;
        /// A cookie.
        "cookie" cookie: Option<String>;
        /// A query parameter, not percent-decoded.
        "query" query: Option<String>;
        /// Whether this header, cookie or parameter can be believed, because something in front sets it itself.
        "trusted" trusted: bool = false;
    }
    exactly one of ["jwt", "header", "cookie", "query"]
}

/// The kinds of [`Source`].
#[derive(Clone, Debug)]
pub enum SourceKind {
    /// A claim of the verified token.
    Jwt(JwtSource),
    /// A header.
    Header(HeaderName),
    /// A cookie.
    Cookie(String),
    /// A query parameter.
    Query(String),
}

/// One place where a user's id may stand.
#[derive(Clone, Debug)]
pub struct Source {
    /// Where it stands.
    pub kind: SourceKind,
    /// Whether what stands there can be believed.
    pub trusted: bool,
}

impl Source {
    /// The request header that this source reads, as a cache would have to vary on it.
    #[must_use]
    pub fn reads_header(&self) -> Option<&str> {
        match &self.kind {
            SourceKind::Jwt(_) => Some("authorization"),
            SourceKind::Header(name) => Some(name.as_str()),
            SourceKind::Cookie(_) => Some("cookie"),
            SourceKind::Query(_) => None,
        }
    }
}

impl Read for Source {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let written = WrittenSource::read(value, at, report)?;
        let kind = match written {
            WrittenSource { jwt: Some(jwt), .. } => {
                return Some(Self { kind: SourceKind::Jwt(jwt), trusted: true });
            }
            WrittenSource { header: Some(name), .. } => SourceKind::Header(name),
            WrittenSource { cookie: Some(name), .. } => SourceKind::Cookie(name),
            WrittenSource { query, .. } => SourceKind::Query(query?),
        };
        Some(Self { kind, trusted: written.trusted })
    }

    fn schema(definitions: &mut Definitions) -> Value {
        WrittenSource::schema(definitions)
    }
}

/// A user's id, and whether it can be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity<'r> {
    /// The id, byte for byte; never empty.
    pub id: Cow<'r, [u8]>,
    /// Whether it comes from a verified token or a source that the configuration trusts.
    pub trusted: bool,
}

/// The first id that one of the sources has.
#[must_use]
pub fn resolve<'r>(sources: &[Source], request: &Request<'r>, verified: &dyn Verified) -> Option<Identity<'r>> {
    sources.iter().find_map(|source| {
        let (id, trusted): (Cow<[u8]>, bool) = match &source.kind {
            SourceKind::Jwt(jwt) => (claim(verified, jwt)?.into(), true),
            SourceKind::Header(name) => {
                let mut copies = request.headers.all(name.as_str().as_bytes());
                let first = copies.next()?;
                // a second copy means that somebody added one beside the one to trust
                (first.into(), source.trusted && copies.next().is_none())
            }
            SourceKind::Cookie(name) => (cookie(request.headers, name.as_bytes())?.into(), source.trusted),
            SourceKind::Query(name) => (query_value(request.query, name.as_bytes())?.into(), source.trusted),
        };
        (!id.is_empty()).then_some(Identity { id, trusted })
    })
}

fn claim(verified: &dyn Verified, source: &JwtSource) -> Option<Vec<u8>> {
    let ours = verified.issuer()? == source.issuer.as_bytes();
    ours.then(|| verified.claim(&source.claim)).flatten().filter(|id| is_text(id))
}

/// Whether a claim can be a string. The proxy hands a number over as its eight bytes in memory and a boolean as one, with
/// nothing to tell them from text but the zero and control bytes that no id holds.
fn is_text(claim: &[u8]) -> bool {
    !claim.iter().any(u8::is_ascii_control) && std::str::from_utf8(claim).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use filter_config::serde_json::json;

    fn sources(written: &Value) -> Vec<Source> {
        let mut report = Report::default();
        let read = Vec::<Source>::read(written, &Path::Root, &mut report);
        assert!(report.is_clean(), "{report:?}");
        read.unwrap()
    }

    #[test]
    fn the_first_source_with_an_id_names_the_user() {
        let all = sources(&json!([
            {"jwt": {"issuer": "https://auth.devmentor.local", "claim": "sub"}},
            {"header": "X-User-Id"},
            {"cookie": "uid", "trusted": true},
            {"query": "uid"},
        ]));
        let token = |iss: &str, sub: &[u8]| Some(vec![(b"iss".to_vec(), iss.into()), (b"sub".to_vec(), sub.to_vec())]);
        let issuer = "https://auth.devmentor.local";
        let number = 12_345_678.0_f64.to_le_bytes();
        type Case<'c> = (Option<Vec<(Vec<u8>, Vec<u8>)>>, &'c [(&'c str, &'c [u8])], Option<(&'c [u8], bool)>);
        let cases: &[Case] = &[
            (token(issuer, b"ada"), &[("x-user-id", b"eve")], Some((b"ada", true))),
            (token("https://other", b"ada"), &[("x-user-id", b"eve")], Some((b"eve", false))),
            (token(issuer, b""), &[("x-user-id", b"eve")], Some((b"eve", false))),
            (token(issuer, &number), &[("x-user-id", b"eve")], Some((b"eve", false))),
            (token(issuer, &[1]), &[], None),
            (None, &[("x-user-id", b""), ("cookie", b"uid=bob")], Some((b"bob", true))),
            (None, &[("x-user-id", b"\xff\x00"), ("x-user-id", b"b")], Some((b"\xff\x00", false))),
            (None, &[(":path", b"/?uid=carl")], Some((b"carl", false))),
            (None, &[], None),
        ];
        for (claims, headers, expected) in cases {
            let token = Stated { claims: claims.as_ref().map(|list| Pairs::from_list(list)), peer: false };
            let headers = Pairs::from_list(headers);
            let found = resolve(&all, &Request::new(&headers), &token);
            let found = found.as_ref().map(|found| (&*found.id, found.trusted));
            assert_eq!(found, *expected);
        }
    }

    #[test]
    fn a_second_copy_of_a_trusted_header_takes_the_trust_away() {
        let trusted = sources(&json!([{"header": "x-user-id", "trusted": true}]));
        for (copies, expected) in [(1, true), (2, false)] {
            let headers = Pairs::from_list(&vec![("x-user-id", "ada"); copies]);
            assert_eq!(resolve(&trusted, &Request::new(&headers), &Stated::default()).unwrap().trusted, expected);
        }
    }
}
