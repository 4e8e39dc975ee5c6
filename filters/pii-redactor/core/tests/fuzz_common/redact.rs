//! A prompt and the model's answer in a stream: what the client puts together is what one answer would say, nothing of a value
//! leaves, and what the caller said comes back.

use pii_core::{
    body::Format,
    events::Framing,
    rules::Endpoint,
    session::{Action, Direction},
};
use serde_json::{Value, json};

use super::{Input, assert_same, body_common::Case, pieces, same_for_all_cuts};

/// Values of many kinds, what only looks like them, and what JSON and UTF-8 treat in ways of their own.
const PARTS: &[&str] = &[
    "ada@example.com",
    "4111 1111 1111 1111",
    "+442079460958",
    "DE89 3704 0044 0532 0130 00",
    "078-05-1120",
    "10.1.2.3",
    "postgres://app:hunter22@db/x",
    "password: s3cr3t-Pa55",
    "ada%40example.com",
    "ａｄａ＠ｅｘａｍｐｌｅ．ｃｏｍ",
    "bob@example.org",
    "5500 0000 0000 0004",
    "[EMAIL_1]",
    "[email_2]",
    "[EMAIL_",
    "[CREDIT_CARD_1]",
    "_1]",
    "Hello",
    "the",
    ", ",
    " ",
    "\"",
    "\\",
    "\\u0041",
    "\n",
    "\r\n",
    "\u{1f642}",
    "漢字",
    "é",
    "\u{200b}",
    "{\"a\": 1}",
    "12",
    "-",
    ".",
    "@",
    ":",
    "%4",
    "\u{7f}",
    "eyJ",
    "sk-",
    "http://",
    "passport",
    "data: x\n\n",
    "[DONE]",
];

/// What of the first parts never leaves.
const NEEDLES: &[&str] = &[
    "ada@example",
    "4111 1111",
    "+4420",
    "DE89 3704",
    "078-05",
    "10.1.2.3",
    "hunter22",
    "s3cr3t",
    "ada%40",
    "ａｄａ＠",
    "bob@example",
    "5500 0000",
];

/// The streams of an API, and where the text is in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Chat,
    ChatArguments,
    Claude,
    ClaudeArguments,
    Responses,
    Gemini,
}

/// Form, whether placeholders are keyed, whether parts are spaced, lengths of deltas (two), of pieces (two); how many parts the
/// prompt has, then its parts and the answer's, one byte each.
pub fn redact(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let form = input.pick(&[
        Form::Chat,
        Form::ChatArguments,
        Form::Claude,
        Form::ClaudeArguments,
        Form::Responses,
        Form::Gemini,
    ]);
    let (keyed, spaced) = (input.yes(), input.yes());
    let (deltas, cuts) = (input.lengths(), input.lengths());
    let count = usize::from(input.byte() % 10).min(input.rest.len());
    let (prompt, answer) = input.rest.split_at(count);
    let (prompt, answer) = (text(prompt, spaced), text(&answer[..answer.len().min(12)], spaced));
    let scene = Scene { form, keyed, deltas, cuts };
    let sent = scene.sent(&mut scene.case(), &prompt);
    if spaced {
        assert_no_value(&sent, "what is sent");
    }
    scene.assert_answer(&prompt, &answer, spaced);
    scene.assert_comes_back(&prompt);
}

fn text(parts: &[u8], spaced: bool) -> String {
    let parts: Vec<&str> = parts.iter().map(|part| PARTS[usize::from(part.wrapping_sub(b'0')) % PARTS.len()]).collect();
    parts.join(if spaced { " " } else { "" })
}

fn assert_no_value(text: &str, what: &str) {
    for needle in NEEDLES {
        assert!(!text.contains(needle), "{needle} in {what}: {text}");
    }
}

struct Scene {
    form: Form,
    keyed: bool,
    deltas: [usize; 2],
    cuts: [usize; 2],
}

impl Scene {
    fn case(&self) -> Case {
        let case = Case::new(match self.form {
            Form::Chat | Form::ChatArguments => Endpoint::OpenaiChat,
            Form::Claude | Form::ClaudeArguments => Endpoint::AnthropicMessages,
            Form::Responses => Endpoint::OpenaiResponses,
            Form::Gemini => Endpoint::Gemini,
        });
        if self.keyed { case.keyed() } else { case }
    }

    fn format(&self) -> Format {
        if self.form == Form::Gemini { Format::Elements } else { Format::Events(Framing::ServerSent) }
    }

    fn is_json(&self) -> bool {
        matches!(self.form, Form::ChatArguments | Form::ClaudeArguments)
    }

    /// What the model sees of a prompt.
    fn sent(&self, case: &mut Case, prompt: &str) -> String {
        let body = match self.form {
            Form::Gemini => json!({"contents": [{"parts": [{"text": prompt}]}]}),
            Form::Responses => json!({"input": prompt}),
            _ => json!({"messages": [{"role": "user", "content": prompt}]}),
        };
        let sent: Value =
            serde_json::from_str(&case.request(Format::Json, &body.to_string())).expect("JSON stays JSON");
        let text = match self.form {
            Form::Gemini => &sent["contents"][0]["parts"][0]["text"],
            Form::Responses => &sent["input"],
            _ => &sent["messages"][0]["content"],
        };
        text.as_str().expect("a text stays a text").to_owned()
    }

    /// An answer says in a stream what it says at once.
    fn assert_answer(&self, prompt: &str, answer: &str, spaced: bool) {
        let answer = if self.is_json() { json!({"to": answer, "n": [1]}).to_string() } else { answer.to_owned() };
        let make = || {
            let mut case = self.case();
            self.sent(&mut case, prompt);
            case
        };
        let body = self.stream(&answer);
        let out = same_for_all_cuts(make, Direction::Response, self.format(), body.as_bytes(), self.cuts)
            .expect("a stream is read");
        let said = self.said(std::str::from_utf8(&out).expect("UTF-8"));
        let at_once = self.at_once(&mut make(), &answer);
        assert_eq!(said, at_once, "what the deltas say, and one answer");
        if spaced {
            for needle in NEEDLES.iter().filter(|needle| !prompt.contains(**needle)) {
                assert!(!said.contains(needle), "{needle} in the answer: {said}");
            }
        }
        if self.is_json() {
            let value: Value = serde_json::from_str(&said).expect("arguments stay JSON");
            assert!(value["to"].is_string() && value["n"] == json!([1]), "{said}");
        }
        self.assert_told_only(&make, &body);
    }

    /// Nothing changes where values are only told.
    fn assert_told_only(&self, make: &impl Fn() -> Case, body: &str) {
        let mut case = make();
        case.enforce = false;
        let out =
            case.run(Direction::Response, self.format(), pieces(body.as_bytes(), self.cuts)).expect("read before");
        assert_same(&out.concat(), body.as_bytes(), "only told");
    }

    /// A model that repeats what it saw has said what the caller said.
    fn assert_comes_back(&self, prompt: &str) {
        let mut case = self.case();
        let sent = self.sent(&mut case, prompt);
        case.answers = Some(Action::Report);
        let answer = if self.is_json() { json!({"to": sent}).to_string() } else { sent.clone() };
        let body = self.stream(&answer);
        let out = case.run(Direction::Response, self.format(), pieces(body.as_bytes(), self.cuts)).expect("it is read");
        let said = self.said(std::str::from_utf8(&out.concat()).expect("UTF-8"));
        let back = if self.is_json() {
            let value: Value = serde_json::from_str(&said).expect("arguments stay JSON");
            value["to"].as_str().expect("a text stays a text").to_owned()
        } else {
            said
        };
        assert_eq!(back, prompt, "what comes back of {sent}");
    }

    /// A stream that says a text in deltas.
    fn stream(&self, text: &str) -> String {
        let deltas = deltas(text, self.deltas);
        let mut events: Vec<Value> = deltas.iter().map(|delta| self.event(delta)).collect();
        events.push(match self.form {
            Form::Chat | Form::ChatArguments => {
                json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            }
            Form::Claude | Form::ClaudeArguments => json!({"type": "content_block_stop", "index": 0}),
            Form::Responses => json!({"type": "response.output_item.done", "output_index": 0, "item": {"id": "i"}}),
            Form::Gemini => json!({"candidates": [{"index": 0, "finishReason": "STOP"}]}),
        });
        if self.form == Form::Gemini {
            let events: Vec<String> = events.iter().map(Value::to_string).collect();
            return format!("[{}]", events.join(",\n"));
        }
        events.iter().map(|event| format!("data: {event}\n\n")).collect()
    }

    fn event(&self, delta: &str) -> Value {
        match self.form {
            Form::Chat => json!({"choices": [{"index": 0, "delta": {"content": delta}}]}),
            Form::ChatArguments => {
                json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": delta}}]}}]})
            }
            Form::Claude => {
                json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": delta}})
            }
            Form::ClaudeArguments => {
                json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": delta}})
            }
            Form::Responses => {
                json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": delta})
            }
            Form::Gemini => json!({"candidates": [{"index": 0, "content": {"parts": [{"text": delta}]}}]}),
        }
    }

    /// What a client puts together.
    fn said(&self, stream: &str) -> String {
        let events: Vec<Value> = if self.form == Form::Gemini {
            serde_json::from_str(stream).expect("an array stays an array")
        } else {
            stream.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).map(parsed).collect()
        };
        let pointer = match self.form {
            Form::Chat => "/choices/0/delta/content",
            Form::ChatArguments => "/choices/0/delta/tool_calls/0/function/arguments",
            Form::Claude => "/delta/text",
            Form::ClaudeArguments => "/delta/partial_json",
            Form::Responses => "/delta",
            Form::Gemini => "/candidates/0/content/parts/0/text",
        };
        events.iter().filter_map(|event| event.pointer(pointer)?.as_str()).collect()
    }

    /// What one answer says.
    fn at_once(&self, case: &mut Case, text: &str) -> String {
        let (body, pointer) = match self.form {
            Form::Chat => (json!({"choices": [{"message": {"content": text}}]}), "/choices/0/message/content"),
            Form::ChatArguments => (
                json!({"choices": [{"message": {"tool_calls": [{"function": {"arguments": text}}]}}]}),
                "/choices/0/message/tool_calls/0/function/arguments",
            ),
            Form::Claude => (json!({"content": [{"type": "text", "text": text}]}), "/content/0/text"),
            // whole, arguments are an object there: the stream is compared with one of a single delta
            Form::ClaudeArguments => {
                let single = Scene { deltas: [usize::MAX, 1], form: self.form, ..*self };
                return single.said(&case.response(self.format(), &single.stream(text)));
            }
            Form::Responses => (
                json!({"output": [{"type": "message", "content": [{"type": "output_text", "text": text}]}]}),
                "/output/0/content/0/text",
            ),
            Form::Gemini => (
                json!({"candidates": [{"content": {"parts": [{"text": text}]}}]}),
                "/candidates/0/content/parts/0/text",
            ),
        };
        let whole: Value =
            serde_json::from_str(&case.response(Format::Json, &body.to_string())).expect("JSON stays JSON");
        whole.pointer(pointer).and_then(Value::as_str).expect("a text stays a text").to_owned()
    }
}

fn parsed(data: &str) -> Value {
    serde_json::from_str(data).unwrap_or_else(|error| panic!("an event stays JSON: {error}: {data}"))
}

/// A text in pieces of some characters.
fn deltas(text: &str, lengths: [usize; 2]) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let (mut rest, mut deltas) = (characters.as_slice(), Vec::new());
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (delta, more) = rest.split_at((*length).min(rest.len()));
        deltas.push(delta.iter().collect());
        rest = more;
    }
    deltas
}
