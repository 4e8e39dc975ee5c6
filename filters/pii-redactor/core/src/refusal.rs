//! What a caller is told whose request is refused: in the shape of its API's own errors, so that its library understands it.
//!
//! Kinds and counts only: the answer is no place for a value either. Sources: platform.openai.com/docs/guides/error-codes,
//! docs.anthropic.com/en/api/errors, cloud.google.com/apis/design/errors, as of November 2026.

use serde_json::{Value, json};

use crate::{config::Api, session::Direction};

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It holds values of these kinds.
    Blocked(Direction, Vec<String>),
    /// It can't be read: the word for why.
    Unreadable(Direction, &'static str),
    /// The connection was to be upgraded, and what follows then can't be read.
    Upgrade,
    /// The configuration is broken, so nothing can be guarded: the word for what.
    Broken(&'static str),
}

impl Refusal {
    /// The status.
    #[must_use]
    pub const fn status(&self) -> u32 {
        match self {
            Refusal::Blocked(Direction::Request, _) | Refusal::Unreadable(Direction::Request, _) => 422,
            Refusal::Blocked(Direction::Response, _) | Refusal::Unreadable(Direction::Response, _) => 502,
            Refusal::Upgrade => 403,
            Refusal::Broken(_) => 503,
        }
    }

    /// The word for it, for programs, metrics and access logs.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Refusal::Blocked(..) => "pii_blocked",
            Refusal::Unreadable(_, word) | Refusal::Broken(word) => word,
            Refusal::Upgrade => "upgrade_refused",
        }
    }

    /// The sentence for it.
    #[must_use]
    pub fn message(&self) -> String {
        let side = |direction: &Direction| match direction {
            Direction::Request => "the request",
            Direction::Response => "the model's answer",
        };
        match self {
            Refusal::Blocked(direction, kinds) => {
                format!("{} holds what may not pass: {}", side(direction), kinds.join(", "))
            }
            Refusal::Unreadable(direction, word) => {
                format!(
                    "{} could not be checked for personal data and secrets ({word}), so it was stopped",
                    side(direction)
                )
            }
            Refusal::Upgrade => {
                "an upgraded connection could not be checked for personal data and secrets, so it was refused"
                    .to_owned()
            }
            Refusal::Broken(word) => {
                format!("personal data and secrets can't be checked for now ({word}), so the request was refused")
            }
        }
    }

    /// The body of an answer.
    #[must_use]
    pub fn body(&self, api: Api) -> Vec<u8> {
        self.value(api).to_string().into_bytes()
    }

    /// The last event of a stream that is ended.
    #[must_use]
    pub fn event(&self, api: Api, responses: bool) -> Vec<u8> {
        match api {
            Api::Anthropic => format!("event: error\ndata: {}\n\n", self.value(api)),
            Api::Openai if responses => {
                let event = json!({"type": "error", "code": self.word(), "message": self.message(), "param": null});
                format!("event: error\ndata: {event}\n\n")
            }
            _ => format!("data: {}\n\n", self.value(api)),
        }
        .into_bytes()
    }

    fn value(&self, api: Api) -> Value {
        let (message, word) = (self.message(), self.word());
        match api {
            Api::Anthropic => {
                json!({"type": "error", "error": {"type": "invalid_request_error", "message": message, "code": word}})
            }
            Api::Gemini => json!({"error": {
                "code": self.status(), "message": message, "status": "FAILED_PRECONDITION",
                "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": word.to_ascii_uppercase(), "domain": "pii-redactor"}],
            }}),
            Api::Openai | Api::Json | Api::Text => {
                json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": word}})
            }
        }
    }
}
