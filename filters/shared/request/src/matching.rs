//! Which requests a rule is for, in the shape and with the meaning of Istio's `HTTPMatchRequest`.
//!
//! What differs is refused rather than guessed: `gateways`, `sourceLabels`, `sourceNamespace` and `port` belong to the
//! plugin's `selector`, `targetRefs` and `match`.

use filter_config::{Keyed, Name, object};

use crate::{HeaderMatch, HeaderName, Request, StringMatch, query_value};

object! {
    /// One way for a request to match: all that is named has to hold.
    pub struct RequestMatch {
        /// A name for readers; nothing looks at it.
        "name" name: Option<Name>;
        /// The path, without query.
        "uri" uri: Option<StringMatch>;
        /// Whether `uri` ignores case, for `exact` and `prefix`.
        "ignoreUriCase" ignore_uri_case: bool = false;
        /// The method, such as `GET`.
        "method" method: Option<StringMatch>;
        /// The scheme, `http` or `https`.
        "scheme" scheme: Option<StringMatch>;
        /// The authority: the host with its port, where the request has one.
        "authority" authority: Option<StringMatch>;
        /// Headers that have to match. One that comes more than once matches when one copy does, or all joined by commas.
        "headers" headers: Keyed<HeaderName, HeaderMatch> = {};
        /// Headers that must not match.
        "withoutHeaders" without_headers: Keyed<HeaderName, HeaderMatch> = {};
        /// Query parameters that have to match, not percent-decoded; the first of a name counts.
        "queryParams" query_params: Keyed<String, HeaderMatch> = {};
    }
}

impl RequestMatch {
    fn matches(&self, request: &Request) -> bool {
        let text = |compare: &Option<StringMatch>, text: &[u8]| compare.as_ref().is_none_or(|c| c.matches(text, false));
        self.uri.as_ref().is_none_or(|uri| uri.matches(request.path, self.ignore_uri_case))
            && text(&self.method, request.method)
            && text(&self.scheme, request.scheme)
            && text(&self.authority, request.authority)
            && self.headers.0.iter().all(|(name, compare)| request.header_matches(name, compare))
            && !self.without_headers.0.iter().any(|(name, compare)| request.header_matches(name, compare))
            && self
                .query_params
                .0
                .iter()
                .all(|(name, compare)| compare.matches(query_value(request.query, name.as_bytes())))
    }
}

/// Whether a request matches one of the ways; where none is given, every request does.
#[must_use]
pub fn matches_any(ways: &[RequestMatch], request: &Request) -> bool {
    ways.is_empty() || ways.iter().any(|way| way.matches(request))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pairs;
    use filter_config::{Path, Read, Report, serde_json::Value, serde_json::json};

    fn matches(written: &Value, headers: &[(&str, &str)]) -> bool {
        let mut report = Report::default();
        let ways = Vec::<RequestMatch>::read(written, &Path::Root, &mut report);
        assert!(report.is_clean(), "{report:?}");
        let headers = Pairs::from_list(headers);
        matches_any(&ways.unwrap(), &Request::new(&headers))
    }

    #[test]
    fn requests_match_as_in_istio() {
        let request = [
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "devmentor.local:443"),
            (":path", "/api/ai/Chat?v=1&v=2&debug"),
            ("x-env", "canary"),
            ("x-env", "blue"),
        ];
        let cases = [
            (json!([]), true),
            (json!([{}]), true),
            (json!([{"uri": {"prefix": "/api/ai"}}]), true),
            (json!([{"uri": {"prefix": "/api/aix"}}]), false),
            (json!([{"uri": {"exact": "/api/ai/Chat"}}]), true),
            (json!([{"uri": {"exact": "/api/ai/chat"}}]), false),
            (json!([{"uri": {"exact": "/api/ai/chat"}, "ignoreUriCase": true}]), true),
            (json!([{"uri": {"regex": "/api/[a-z]+/.*"}}]), true),
            (json!([{"uri": {"regex": "/api/[a-z]+"}}]), false),
            (json!([{"uri": {"exact": "/x"}}, {"method": {"exact": "GET"}}]), true),
            (json!([{"uri": {"prefix": "/api"}, "method": {"exact": "POST"}}]), false),
            (json!([{"scheme": {"exact": "https"}, "authority": {"prefix": "devmentor.local"}}]), true),
            (json!([{"authority": {"exact": "devmentor.local"}}]), false),
            (json!([{"headers": {"X-Env": {"exact": "canary,blue"}}}]), true),
            (json!([{"headers": {"x-env": {"exact": "blue"}}}]), true),
            (json!([{"headers": {"x-env": {"exact": "green"}}}]), false),
            (json!([{"headers": {"x-env": {}}}]), true),
            (json!([{"headers": {"x-none": {}}}]), false),
            (json!([{"withoutHeaders": {"x-none": {}}}]), true),
            (json!([{"withoutHeaders": {"x-env": {"prefix": "canary"}}}]), false),
            (json!([{"queryParams": {"v": {"exact": "1"}}}]), true),
            (json!([{"queryParams": {"v": {"exact": "2"}}}]), false),
            (json!([{"queryParams": {"debug": {"exact": ""}}}]), true),
            (json!([{"queryParams": {"debug": {"present": false}}}]), false),
        ];
        for (written, expected) in cases {
            assert_eq!(matches(&written, &request), expected, "{written}");
        }
    }
}
