//! A server that answers as the APIs of OpenAI, Anthropic and Gemini do, in their recorded shapes (fields, their order, spacing, events),
//! with words that a test gives, or with the caller's own.
//!
//! What is asked decides the rest, as at the real ones: `stream`, `tools` (each offered tool is called once, until a result comes), `n`,
//! `logprobs`, `thinking`. Of a model named `error-429` comes that error, and of `error-midstream` one in the middle of a stream.

mod anthropic;
mod encoding;
mod gemini;
mod openai;
mod responses;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use harness::{Ending, Headers, Recorded, Reply, Upstream};
use serde_json::Value;

pub use self::encoding::Encoding;

/// What the model says.
#[derive(Clone, Debug)]
enum Said {
    /// The last thing that it was told.
    Echo,
    Text(String),
}

/// What is answered, and how it is cut.
#[derive(Clone, Debug)]
pub struct Answer {
    said: Said,
    thought: Said,
    delta: usize,
    chunk: Option<usize>,
    pause: Duration,
    encoding: Encoding,
    trailers: Headers,
    cut_after: Option<usize>,
}

impl Answer {
    /// The model says what the last message (of a user, or a tool's result) said: placeholders come back.
    #[must_use]
    pub fn echo() -> Self {
        Self {
            said: Said::Echo,
            thought: Said::Text("They want their own words back. 2 + 2 = 4.".into()),
            delta: 4,
            chunk: None,
            pause: Duration::ZERO,
            encoding: Encoding::Identity,
            trailers: Headers::default(),
            cut_after: None,
        }
    }

    /// The model says this, whatever it was told.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self { said: Said::Text(text.into()), ..Self::echo() }
    }

    /// What it says in its thinking blocks, where the request asks for them.
    #[must_use]
    pub fn thinking(mut self, text: impl Into<String>) -> Self {
        self.thought = Said::Text(text.into());
        self
    }

    /// In its thinking blocks it says what it was told.
    #[must_use]
    pub fn thinking_echo(mut self) -> Self {
        self.thought = Said::Echo;
        self
    }

    /// The characters in each delta of a stream; at first 4.
    #[must_use]
    pub fn deltas_of(mut self, characters: usize) -> Self {
        self.delta = characters.max(1);
        self
    }

    /// The bytes in each piece of the HTTP body, wherever that cuts. At first an event is a piece, and a body that is no stream one with
    /// `content-length`.
    #[must_use]
    pub fn chunks_of(mut self, bytes: usize) -> Self {
        self.chunk = Some(bytes.max(1));
        self
    }

    /// The time to wait before each piece.
    #[must_use]
    pub fn paused(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Compresses the body, whatever the request accepts; what a stream has said so far can be read at each event's end.
    #[must_use]
    pub fn encoded(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// Appends a trailer.
    #[must_use]
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        self.trailers.push(name, value);
        self
    }

    /// Breaks off after so many bytes of the body (as it goes over the wire).
    #[must_use]
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.cut_after = Some(bytes);
        self
    }

    fn reply(&self, made: Made) -> Reply {
        let pieces = self.encoding.encode(&made.pieces);
        let mut reply = Reply::new(made.status).header("content-type", made.content_type);
        for (name, value) in made.headers {
            reply = reply.header(name, value);
        }
        if let Some(name) = self.encoding.name() {
            reply = reply.header("content-encoding", name);
        }
        let whole: Vec<u8> = pieces.concat();
        let pieces = match (self.cut_after, self.chunk) {
            (None, None) => pieces,
            (cut, chunk) => {
                let kept = &whole[..cut.unwrap_or(whole.len()).min(whole.len())];
                kept.chunks(chunk.unwrap_or(kept.len().max(1))).map(<[u8]>::to_vec).collect()
            }
        };
        for piece in pieces {
            reply = reply.piece_after(self.pause, piece);
        }
        reply.trailers = self.trailers.clone();
        if self.cut_after.is_some() { reply.ending(Ending::Cut) } else { reply }
    }
}

/// The server. It records what it got as every [`Upstream`].
pub struct Ai {
    /// The server itself.
    pub upstream: Upstream,
    answer: Arc<Mutex<Answer>>,
}

impl Ai {
    /// Starts one that says what it was told: [`Answer::echo`].
    #[must_use]
    pub fn start() -> Self {
        Self::behind(Upstream::start("ai"))
    }

    /// The same with an upstream that is there already, such as one with TLS.
    #[must_use]
    pub fn behind(upstream: Upstream) -> Self {
        let answer = Arc::new(Mutex::new(Answer::echo()));
        let shared = answer.clone();
        upstream.respond(move |request| {
            let answer = shared.lock().unwrap_or_else(PoisonError::into_inner).clone();
            answer.reply(make(request, &answer))
        });
        Self { upstream, answer }
    }

    /// Sets what is answered from now on.
    pub fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// The bodies that came since the last call, byte for byte.
    pub fn bodies(&self) -> Vec<Vec<u8>> {
        self.upstream.take_requests().into_iter().map(|request| request.body).collect()
    }
}

/// An answer before it is cut for the wire.
struct Made {
    status: u16,
    content_type: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    /// The events of a stream, or the body in one.
    pieces: Vec<String>,
}

impl Made {
    fn json(body: String) -> Self {
        Self { status: 200, content_type: "application/json", headers: Vec::new(), pieces: vec![body] }
    }

    fn events(events: Vec<String>) -> Self {
        let content_type = "text/event-stream; charset=utf-8";
        Self { status: 200, content_type, headers: vec![("cache-control", "no-cache")], pieces: events }
    }

    fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
}

/// A tool call of the model, its arguments as JSON.
struct Call {
    name: String,
    arguments: String,
}

/// What a request asks for, whatever the API.
struct Asked<'a> {
    body: &'a Value,
    model: String,
    stream: bool,
    text: String,
    thought: String,
    calls: Vec<Call>,
    delta: usize,
}

impl Asked<'_> {
    /// The status of the error that the model's name asks for.
    fn error(&self) -> Option<u16> {
        self.model.strip_prefix("error-")?.parse().ok()
    }

    /// Whether the stream breaks off with an error after its first delta.
    fn fails_midstream(&self) -> bool {
        self.stream && self.model == "error-midstream"
    }

    /// The words of an error. They repeat what was sent, as real ones do.
    fn complaint(&self, status: u16) -> String {
        match status {
            401 => "Incorrect API key provided: sk-no***key.".into(),
            429 => "Rate limit reached: 3 of 3 requests per minute. Try again in 20s.".into(),
            _ => format!("This can't be read: {}", self.text),
        }
    }

    fn wants(&self, field: &str) -> bool {
        self.body[field] == true
    }
}

fn make(request: &Recorded, answer: &Answer) -> Made {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let told = |told: Told| ask(&body, answer, told);
    match path {
        "/v1/chat/completions" => openai::chat(&told(openai::told_in_chat(&body))),
        "/v1/completions" => openai::completions(&told(openai::told_in_completions(&body))),
        "/v1/embeddings" => openai::embeddings(&told(openai::told_in_embeddings(&body))),
        "/v1/responses" => responses::answer(&told(responses::told(&body))),
        "/v1/messages" => anthropic::answer(&told(anthropic::told(&body))),
        _ => match path.strip_prefix("/v1beta/models/").and_then(|rest| rest.split_once(':')) {
            Some((model, method)) => gemini::answer(told(gemini::told(&body)), model, method, query),
            None => {
                Made::json(r#"{"error":{"message":"Unknown path.","type":"invalid_request_error"}}"#.into()).status(404)
            }
        },
    }
}

/// The last thing that the model was told, and the names of the tools that it may call now.
struct Told {
    text: String,
    tools: Vec<String>,
}

fn ask<'a>(body: &'a Value, answer: &Answer, told: Told) -> Asked<'a> {
    let say = |said: &Said| match said {
        Said::Echo => told.text.clone(),
        Said::Text(text) => text.clone(),
    };
    let text = say(&answer.said);
    let call = |(at, name): (usize, &String)| {
        let values = [("text", quote(&text)), ("at", at.to_string())];
        // the second is nested, with spaces, as models also write
        let shape = if at % 2 == 0 {
            r#"{"to":$text,"count":$at,"urgent":true}"#
        } else {
            r#"{ "query": { "words": [ $text, "and more" ] }, "limit": 1.50 }"#
        };
        Call { name: name.clone(), arguments: fill(shape, &values) }
    };
    Asked {
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        stream: body["stream"] == true,
        thought: say(&answer.thought),
        calls: told.tools.iter().enumerate().map(call).collect(),
        delta: answer.delta,
        body,
        text,
    }
}

/// A text as JSON, with its quotes.
fn quote(text: &str) -> String {
    Value::from(text).to_string()
}

/// A template's `$name`s replaced; what is put in is not looked at again. (Templates, because a JSON value has no order of its keys.)
fn fill(template: &str, values: &[(&str, String)]) -> String {
    let mut parts = template.split('$');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|char: char| !char.is_ascii_lowercase() && char != '_').unwrap_or(part.len());
        let (name, rest) = part.split_at(end);
        let value = values.iter().find(|(key, _)| *key == name).map(|(_, value)| value);
        filled.push_str(value.unwrap_or_else(|| panic!("no value for ${name}")));
        filled.push_str(rest);
    }
    filled
}

/// A text in pieces of so many characters; an empty one in one piece.
fn cut(text: &str, characters: usize) -> Vec<String> {
    let all: Vec<char> = text.chars().collect();
    if all.is_empty() {
        vec![String::new()]
    } else {
        all.chunks(characters).map(|piece| piece.iter().collect()).collect()
    }
}

/// The text of a content that is a string, or a list of parts with `text`.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part.as_str().or(part["text"].as_str())).collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

/// The strings at a pointer in each of a list's elements.
fn names(list: &Value, pointer: &str) -> Vec<String> {
    let name = |tool: &Value| Some(tool.pointer(pointer)?.as_str()?.to_owned());
    list.as_array().into_iter().flatten().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use harness::{RawClient, Request};
    use serde_json::json;

    use super::{Ai, Answer, Encoding, cut, fill};

    #[test]
    fn a_template_is_filled_once() {
        assert_eq!(fill("$a-$b.$a", &[("a", "$b".into()), ("b", "1".into())]), "$b-1.$b");
        assert_eq!(cut("añb🙂c", 2), ["añ", "b🙂", "c"]);
    }

    async fn post(ai: &Ai, path: &str, body: serde_json::Value) -> harness::Response {
        let mut client = RawClient::connect(ai.upstream.addr()).await.unwrap();
        client.send(&Request::post(path, body.to_string())).await.unwrap()
    }

    #[tokio::test]
    async fn the_deltas_of_a_stream_are_the_text_however_it_is_cut() {
        let ai = Ai::start();
        for (delta, chunk) in [(1, 1), (3, 7), (50, 4096)] {
            ai.answer(Answer::echo().deltas_of(delta).chunks_of(chunk).trailer("x-end", "yes"));
            let body =
                json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "Grüße, \"🙂\"\n"}]});
            let answer = post(&ai, "/v1/chat/completions", body).await;
            let events: Vec<serde_json::Value> = answer
                .text()
                .split("\n\n")
                .filter_map(|event| serde_json::from_str(event.strip_prefix("data: ")?).ok())
                .collect();
            let text: String =
                events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect();
            assert_eq!(text, "Grüße, \"🙂\"\n");
            assert!(answer.text().ends_with("data: [DONE]\n\n"));
            assert_eq!(answer.trailers.text("x-end").as_deref(), Some("yes"));
        }
    }

    #[tokio::test]
    async fn every_body_of_every_api_is_json() {
        let ai = Ai::start();
        let tools = json!([{"type": "function", "name": "a", "function": {"name": "a"}, "functionDeclarations": [{"name": "a"}]}]);
        for path in [
            "/v1/chat/completions",
            "/v1/completions",
            "/v1/embeddings",
            "/v1/responses",
            "/v1/messages",
            "/v1beta/models/m:generateContent",
            "/v1beta/models/m:streamGenerateContent",
            "/v1beta/models/m:embedContent",
        ] {
            for (stream, tools) in
                [(false, json!(null)), (false, tools.clone()), (true, json!(null)), (true, tools.clone())]
            {
                let body = json!({
                    "model": "m", "stream": stream, "tools": tools, "n": 2, "logprobs": true, "thinking": {"type": "enabled"},
                    "messages": [{"role": "user", "content": "hi"}], "input": "hi", "prompt": "hi",
                    "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
                });
                let text = post(&ai, path, body).await.text();
                let lines =
                    text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|line| *line != "[DONE]");
                let documents: Vec<&str> = if text.starts_with(['{', '[']) { vec![&text] } else { lines.collect() };
                assert!(!documents.is_empty(), "{path}: {text}");
                for document in documents {
                    serde_json::from_str::<serde_json::Value>(document)
                        .unwrap_or_else(|error| panic!("{path}: {error}: {document}"));
                }
            }
        }
    }

    #[tokio::test]
    async fn a_body_can_be_compressed_and_cut_off() {
        let ai = Ai::start();
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
        for (encoding, name) in [(Encoding::Gzip, "gzip"), (Encoding::Deflate, "deflate"), (Encoding::Brotli, "br")] {
            ai.answer(Answer::echo().encoded(encoding));
            let answer = post(&ai, "/v1/chat/completions", body.clone()).await;
            assert_eq!(answer.headers.text("content-encoding").as_deref(), Some(name));
        }
        ai.answer(Answer::echo().cut_after(10));
        let mut client = RawClient::connect(ai.upstream.addr()).await.unwrap();
        client.send(&Request::post("/v1/chat/completions", body.to_string())).await.unwrap_err();
    }
}
