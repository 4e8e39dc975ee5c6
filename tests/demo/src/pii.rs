//! The chapter about what leaves for a model: what the application sends, what the model sees of it, what comes back, and what the log
//! says. Every word is read from an answer of the running Envoy or from its log; each claim that does not hold is an error.

use std::time::{Duration, Instant};

use harness::{Error, RawClient, Request, Response, Result};
use serde_json::{Value, json};

use crate::egress;
use crate::proxy::Proxy;
use crate::say;
use crate::state::State;

const OPENAI: &str = "http://api.openai.com/v1/chat/completions";
const ANTHROPIC: &str = "http://api.anthropic.com/v1/messages";
/// Values of everybody's examples; an order's number that only looks like one; and what the configuration names.
const PROMPT: &str =
    "Write to ada.lovelace@example.com: card 4111 1111 1111 1111 paid order 2025-0001-77, \"Project Falcon\" is on";
const SEEN: &str = "Write to [EMAIL_1]: card [CREDIT_CARD_1] paid order 2025-0001-77, \"[CUSTOM_TERM_1]\" is on";
/// What the model says besides, with an address of its own making in it; and what is left of that.
const OWN: &str = " Ask eve@example.net too.";
const OWN_SEEN: &str = " Ask [EMAIL_2] too.";
/// What the configuration lets leave in no form.
const BLOCKED: &str = "Pay it to DE89 3704 0044 0532 0130 00";
/// What must stand in no line of the log.
const VALUES: [&str; 5] = ["ada.lovelace", "4111", "eve@", "DE89", "Falcon"];
/// How long an event may take.
const TOLD: Duration = Duration::from_secs(4);
const POLL: Duration = Duration::from_millis(10);

/// A chat that the demo has.
struct Chat {
    /// Its name where changes are told, and its request's id.
    name: &'static str,
    stream: bool,
}

static CHATS: [Chat; 2] = [Chat { name: "demo-chat", stream: false }, Chat { name: "demo-stream", stream: true }];

/// What came of one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct End {
    /// What the model saw of the prompt; nothing where the chat did not reach it.
    saw: String,
    /// What the application got as the model's words, or why it got none.
    answer: String,
    /// How many events a stream had.
    events: usize,
}

/// The chats, and what came of them when they were last had.
pub(crate) struct Chats(Vec<End>);

impl Chats {
    async fn new(proxy: &Proxy) -> Result<Self> {
        let mut ends = Vec::new();
        for chat in &CHATS {
            ends.push(chat.end(proxy).await?);
        }
        Ok(Self(ends))
    }

    /// Has all again and tells those of which the model sees something else, or the application gets it.
    pub(crate) async fn moves(&mut self, proxy: &Proxy) -> Result<Vec<String>> {
        let now = Self::new(proxy).await?.0;
        let before = std::mem::replace(&mut self.0, now);
        let other = CHATS.iter().zip(self.0.iter().zip(&before)).filter(|(_, (now, before))| now != before);
        Ok(other
            .map(|(chat, (now, _))| format!("{}: it saw {}; the answer: {}", chat.name, now.saw, now.answer))
            .collect())
    }
}

impl Chat {
    /// Has it.
    async fn end(&self, proxy: &Proxy) -> Result<End> {
        let body = json!({"model": "demo", "stream": self.stream, "messages": [{"role": "user", "content": PROMPT}]});
        let answer = post(proxy, OPENAI, &body, self.name).await?;
        let saw = answer.headers.text("x-model-saw").unwrap_or_default();
        let saw = serde_json::from_str(&format!("\"{saw}\"")).map_err(|error| Error::new(format!("{error}: {saw}")))?;
        if answer.status != 200 {
            return Ok(End { saw, answer: format!("{} {}", answer.status, answer.text()), events: 0 });
        }
        if self.stream {
            let (answer, events) = streamed(&answer.text())?;
            return Ok(End { saw, answer, events });
        }
        let text = answer.json()?["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned();
        Ok(End { saw, answer: text, events: 0 })
    }
}

/// Posts a document by a connection of its own.
async fn post(proxy: &Proxy, url: &str, body: &Value, id: &str) -> Result<Response> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let request = Request::post(path, body.to_string()).host(host).header("content-type", "application/json");
    RawClient::connect(proxy.outbound.http).await?.send(&request.header("x-request-id", id)).await
}

/// What a client puts together of a stream, and of how many events.
fn streamed(body: &str) -> Result<(String, usize)> {
    let (mut text, mut events) = (String::new(), 0);
    let mut last = "";
    for data in body.lines().filter_map(|line| line.strip_prefix("data: ")) {
        (last, events) = (data, events + 1);
        if data != "[DONE]" {
            let event: Value = serde_json::from_str(data).map_err(|error| Error::new(format!("{error}: {data}")))?;
            text.push_str(event["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
        }
    }
    match last {
        "[DONE]" => Ok((text, events)),
        _ => Err(Error::new(format!("a stream ended without [DONE]: {body}"))),
    }
}

/// Tells all of it, as the chapter of this number.
pub(crate) async fn tell(proxy: &Proxy, chapter: u32) -> Result<Chats> {
    let mark = proxy.logs().mark();
    say(format_args!(
        "\n{chapter}. What leaves for a model: placeholders; and what comes back: the caller's own values"
    ))?;
    say(
        "   ai-gateway calls http://api.openai.com; its sidecar takes values out and then speaks TLS. The model says back what it was",
    )?;
    say("   told, and an address of its own making, which is nobody's to get back.\n")?;
    let chats = Chats::new(proxy).await?;
    for (chat, end) in CHATS.iter().zip(&chats.0) {
        show(chat, end)?;
    }
    blocked(proxy).await?;
    audit(proxy, mark).await?;
    Ok(chats)
}

/// One chat.
fn show(chat: &Chat, end: &End) -> Result<()> {
    let how = if chat.stream { "the same as a stream" } else { "a chat" };
    say(format_args!("   {how}"))?;
    say(format_args!("     the application sends   {PROMPT}"))?;
    say(format_args!("     the model sees          {}", end.saw))?;
    say(format_args!("     the application gets    {}", end.answer))?;
    if chat.stream {
        say(format_args!("     in {} events, each of at most three characters of the model's\n", end.events))?;
    } else {
        say("")?;
    }
    let answer = format!("You said: {PROMPT}{OWN_SEEN}");
    match (end.saw == SEEN, end.answer == answer, chat.stream) {
        (true, true, false) => Ok(()),
        // what is held back for a moment leaves with another event, so that there are as many
        (true, true, true) if end.events >= format!("You said: {SEEN}{OWN}").len() / 3 => Ok(()),
        _ => Err(Error::new(format!("{}: {end:?} in place of {SEEN} and {answer}", chat.name))),
    }
}

/// What may leave in no form: the errors are those of each API.
async fn blocked(proxy: &Proxy) -> Result<()> {
    say(format_args!(
        "   What may leave in no form (IBAN: block) is answered at once, as each API words its errors\n     {BLOCKED}\n"
    ))?;
    let message = json!([{"role": "user", "content": BLOCKED}]);
    for (url, body) in [
        (OPENAI, json!({"model": "demo", "messages": message})),
        (ANTHROPIC, json!({"model": "demo", "max_tokens": 10, "messages": message})),
    ] {
        let answer = post(proxy, url, &body, "demo-blocked").await?;
        say(format_args!("     {url}\n     {} {}", answer.status, answer.text().trim_end()))?;
        let told = answer.json()?;
        let error = &told["error"];
        let shaped = error["type"] == "invalid_request_error" && (url == OPENAI || told["type"] == "error");
        let says =
            error["message"].as_str().is_some_and(|message| message.contains("IBAN") && !message.contains("DE89"));
        if answer.status != 422 || !shaped || !says || answer.headers.contains("x-model-saw") {
            return Err(Error::new(format!("{url}: {} {told}", answer.status)));
        }
    }
    Ok(())
}

/// What the log says of the first chat, and that it holds no value.
async fn audit(proxy: &Proxy, mark: usize) -> Result<()> {
    let start = Instant::now();
    let line = loop {
        let lines = proxy.logs().lines_after(mark);
        let event = |line: &String| {
            let text = line.get(line.find('{')?..)?;
            let event: Value = serde_json::from_str(text).ok()?;
            (event["event"] == "pii_found" && event["request_id"] == CHATS[0].name).then(|| (text.to_owned(), event))
        };
        if let Some(found) = lines.iter().find_map(event) {
            break found;
        }
        if start.elapsed() > TOLD {
            return Err(Error::new("the log tells nothing of the first chat"));
        }
        tokio::time::sleep(POLL).await;
    };
    say("\n   What the log says of the first chat: kinds, counts and places. No value is in any line of it:")?;
    egress::wrapped(&line.0)?;
    let kinds: Vec<_> =
        line.1["found"].as_array().into_iter().flatten().filter_map(|found| found["entity"].as_str()).collect();
    if !["EMAIL", "CREDIT_CARD", "CUSTOM_TERM"].iter().all(|kind| kinds.contains(kind)) {
        return Err(Error::new(format!("the event is of {kinds:?}")));
    }
    let leaks = |line: &String| VALUES.iter().any(|value| line.contains(value));
    match proxy.logs().lines_after(mark).iter().find(|line| leaks(line)) {
        Some(line) => Err(Error::new(format!("the log holds a value: {line}"))),
        None => Ok(()),
    }
}

/// What to try.
pub(crate) fn explain(state: &State) -> Result<()> {
    let to = format!("--connect-to ::localhost:{}", state.outbound.http.port());
    let chat = |more: &str, content: &str| {
        format!("-d '{{{more}\"messages\": [{{\"role\": \"user\", \"content\": \"{content}\"}}]}}'")
    };
    let (plain, stream) = (chat("", "I am ada@example.com"), chat("\"stream\": true, ", "I am ada@example.com"));
    say(format_args!("   curl -i {to} {plain} {OPENAI}   # x-model-saw: what left"))?;
    say(format_args!("   curl -N {to} {stream} {OPENAI}   # the same as it comes"))?;
    say(format_args!("   curl {to} {} {OPENAI}   # 422", chat("", BLOCKED)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_put_together_and_has_to_end() {
        let event = |text: &str| format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
        let whole = format!("{}{}data: [DONE]\n\n", event("a"), event("\\nb"));
        assert_eq!(streamed(&whole).unwrap(), ("a\nb".to_owned(), 3));
        assert!(streamed(&event("a")).is_err());
    }
}
