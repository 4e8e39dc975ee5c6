//! One request, as matching and identity look at it.

use std::borrow::Cow;

use crate::{HeaderMatch, HeaderName, Pairs};

/// A view of a request's headers, with what every rule asks for at hand.
#[derive(Clone, Debug)]
pub struct Request<'h> {
    /// All headers, pseudo-headers included.
    pub headers: &'h Pairs,
    /// `:method`
    pub method: &'h [u8],
    /// `:scheme`
    pub scheme: &'h [u8],
    /// `:authority`: host and perhaps a port.
    pub authority: &'h [u8],
    /// The host in lower case, without its port: what stands before the last `:`, an IPv6 address keeping its brackets.
    pub host: Cow<'h, [u8]>,
    /// The path without query and fragment, as Envoy matches it.
    pub path: &'h [u8],
    /// The query, without its `?` and without a fragment; empty where there is none.
    pub query: &'h [u8],
}

impl<'h> Request<'h> {
    /// Looks over the headers once. A pseudo-header that is not there reads as empty.
    #[must_use]
    pub fn new(headers: &'h Pairs) -> Self {
        let (mut method, mut scheme, mut authority, mut target): (&[u8], &[u8], &[u8], &[u8]) = (b"", b"", b"", b"");
        // pseudo-headers need not come first: a filter before this one may have written them anew
        for (name, value) in headers {
            match name {
                b":method" => method = value,
                b":scheme" => scheme = value,
                b":authority" => authority = value,
                b":path" => target = value,
                _ => {}
            }
        }
        let (path, query) = path_and_query(target);
        Self { headers, method, scheme, authority, host: host_of(authority), path, query }
    }

    /// Whether a header matches. One that comes more than once matches when one of its copies does, as in the newest Envoy,
    /// or all of them joined by commas, as in 1.36; so whatever a route of either matches, this does.
    #[must_use]
    pub fn header_matches(&self, name: &HeaderName, compare: &HeaderMatch) -> bool {
        let copies = || self.headers.all(name.as_str().as_bytes());
        match copies().count() {
            0 => compare.matches(None),
            1 => compare.matches(copies().next()),
            _ => {
                let joined = copies().collect::<Vec<_>>().join(&b","[..]);
                copies().chain([joined.as_slice()]).any(|value| compare.matches(Some(value)))
            }
        }
    }
}

fn host_of(authority: &[u8]) -> Cow<'_, [u8]> {
    let split = authority.iter().rposition(|byte| *byte == b':');
    let host = match split.and_then(|at| authority.split_at_checked(at)) {
        Some((host, [_colon, port @ ..])) if port.iter().all(u8::is_ascii_digit) => host,
        _ => authority,
    };
    // once here, rather than byte by byte in each rule
    if host.iter().any(u8::is_ascii_uppercase) { Cow::Owned(host.to_ascii_lowercase()) } else { Cow::Borrowed(host) }
}

fn path_and_query(target: &[u8]) -> (&[u8], &[u8]) {
    let whole = target.split(|byte| *byte == b'#').next().unwrap_or_default();
    let mark = whole.iter().position(|byte| *byte == b'?');
    match mark.and_then(|at| whole.split_at_checked(at)) {
        Some((path, [_mark, query @ ..])) => (path, query),
        _ => (whole, b""),
    }
}

/// The first value of a cookie, over all `cookie` headers (HTTP/2 sends one for each pair), byte for byte.
#[must_use]
pub fn cookie<'h>(headers: &'h Pairs, name: &[u8]) -> Option<&'h [u8]> {
    headers
        .iter()
        .filter(|(header, _)| *header == b"cookie")
        .flat_map(|(_, value)| value.split(|byte| *byte == b';'))
        .find_map(|pair| value_of(pair.trim_ascii(), name))
}

/// The first value of a query parameter as it stands, not percent-decoded: so does Envoy match it.
#[must_use]
pub fn query_value<'q>(query: &'q [u8], name: &[u8]) -> Option<&'q [u8]> {
    query.split(|byte| *byte == b'&').find_map(|pair| if pair == name { Some(&b""[..]) } else { value_of(pair, name) })
}

fn value_of<'p>(pair: &'p [u8], name: &[u8]) -> Option<&'p [u8]> {
    pair.strip_prefix(name)?.strip_prefix(b"=")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<'h>(headers: &'h mut Pairs, list: &[(&str, &str)]) -> Request<'h> {
        *headers = Pairs::from_list(list);
        Request::new(headers)
    }

    #[test]
    fn host_path_and_query() {
        let cases = [
            ("devmentor.local", "/", "devmentor.local", "/", ""),
            ("devmentor.local:8080", "/api/ai?x=1#f", "devmentor.local", "/api/ai", "x=1"),
            ("[::1]:8080", "/a#f?x", "[::1]", "/a", ""),
            ("[::1]", "/a?", "[::1]", "/a", ""),
            ("DevMentor.Local:80", "/A", "devmentor.local", "/A", ""),
            ("host:", "*", "host", "*", ""),
            ("", "", "", "", ""),
        ];
        for (authority, target, host, path, query) in cases {
            let mut headers = Pairs::default();
            let request = with(&mut headers, &[(":path", target), (":authority", authority)]);
            assert_eq!(&*request.host, host.as_bytes(), "{authority}");
            assert_eq!(request.path, path.as_bytes(), "{target}");
            assert_eq!(request.query, query.as_bytes(), "{target}");
        }
    }

    #[test]
    fn cookies_are_found_in_every_header_and_kept_byte_for_byte() {
        let headers = Pairs::from_list(&[
            ("cookie", "a=1; uid = no;uidx=2"),
            ("x-cookie", "uid=no"),
            ("cookie", "\t uid=\"q=%20\" "),
            ("cookie", "uid=later"),
        ]);
        assert_eq!(cookie(&headers, b"uid"), Some(&b"\"q=%20\""[..]));
        assert_eq!(cookie(&headers, b"uidx"), Some(&b"2"[..]));
        assert_eq!(cookie(&headers, b"UID"), None);
        assert_eq!(cookie(&headers, b""), None);
    }

    #[test]
    fn query_values_are_taken_as_they_stand() {
        assert_eq!(query_value(b"a=1&uid=x%20y&uid=z", b"uid"), Some(&b"x%20y"[..]));
        assert_eq!(query_value(b"uid&b", b"uid"), Some(&b""[..]));
        assert_eq!(query_value(b"uidx=1", b"uid"), None);
    }
}
