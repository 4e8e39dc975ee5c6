//! Which hosts a rule is for: `devmentor.local`, `*.devmentor.local`, `*`, as in a VirtualService.

use filter_config::schema::Definitions;
use filter_config::{Path, Read, Report, serde_json::Value, serde_json::json, shown};

/// A host as a rule names it. Hosts compare without regard to (ASCII) case and without a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// Any host.
    Any,
    /// This host.
    Exact(String),
    /// Every host that ends so, dot included, and has something before it.
    Suffix(String),
}

impl HostPattern {
    /// Reads a pattern; the error says what is allowed.
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        let name = text.strip_prefix("*").unwrap_or(text);
        let wildcard = name.len() < text.len();
        let address = name.starts_with('[') && name.ends_with(']') && !wildcard;
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        let dotted = !wildcard || (name.starts_with('.') && name.len() > 1);
        if name.is_empty() || !dotted || !(plain || address) {
            return None;
        }
        let name = name.to_ascii_lowercase();
        Some(if wildcard { Self::Suffix(name) } else { Self::Exact(name) })
    }

    fn matches(&self, host: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(name) => host == name.as_bytes(),
            Self::Suffix(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_bytes()),
        }
    }
}

/// Whether a host (in lower case, without its port) is one of a rule's; a rule without hosts is for all.
#[must_use]
pub fn host_matches(patterns: &[HostPattern], host: &[u8]) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(host))
}

impl Read for HostPattern {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let text = String::read(value, at, report)?;
        let read = Self::parse(&text);
        if read.is_none() {
            let allowed = "is not a host: a name, *.name or *, without a port";
            report.error(at, format!("{} {allowed}", shown(value)));
        }
        read
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({"type": "string", "pattern": r"^(\*|(\*\.)?[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])$"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_match_as_in_a_virtual_service() {
        let cases = [
            ("devmentor.local", "devmentor.local", true),
            ("DevMentor.local", "devmentor.local", true),
            ("devmentor.local", "api.devmentor.local", false),
            ("devmentor.local", "devmentor.local.", false),
            ("*.devmentor.local", "api.devmentor.local", true),
            ("*.devmentor.local", "a.b.devmentor.local", true),
            ("*.devmentor.local", "devmentor.local", false),
            ("*.devmentor.local", ".devmentor.local", false),
            ("*.devmentor.local", "xdevmentor.local", false),
            ("*", "anything", true),
            ("[::1]", "[::1]", true),
        ];
        for (pattern, host, matches) in cases {
            let pattern = HostPattern::parse(pattern).unwrap();
            assert_eq!(pattern.matches(host.as_bytes()), matches, "{pattern:?} {host}");
        }
        assert!(host_matches(&[], b"any"));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in ["", "devmentor.local:8080", "*devmentor.local", "*.", "a b", "http://x", "a.*.b", "**"] {
            assert_eq!(HostPattern::parse(text), None, "{text}");
        }
    }
}
