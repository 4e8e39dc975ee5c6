//! Anthropic's Messages API. Shapes: <https://docs.anthropic.com/en/api/messages> and `…/messages-streaming`.

use serde_json::Value;

use super::{Asked, Made, Told, cut, fill, names, quote, text_of};

const REQUEST_ID: &str = "req_011CVUq7Zk3mXw5TnRb2Hs9L";
/// Base64, as signatures are; the API refuses a thinking block whose signature or text was changed.
const SIGNATURE: &str = "EqoBCkgIARABGAIiQNx8Yk1vZ0RpTGJtS2hQY3dVZQ/4111111111111111+f3q7hS2Jw5mZr0dT8uVbA==";

pub(super) fn told(body: &Value) -> Told {
    let last =
        body["messages"].as_array().and_then(|messages| messages.iter().rfind(|message| message["role"] == "user"));
    let content = last.map_or(&Value::Null, |message| &message["content"]);
    let result = content.as_array().and_then(|blocks| blocks.iter().rfind(|block| block["type"] == "tool_result"));
    match result {
        Some(block) => Told { text: text_of(&block["content"]), tools: Vec::new() },
        None => Told { text: text_of(content), tools: names(&body["tools"], "/name") },
    }
}

pub(super) fn answer(asked: &Asked) -> Made {
    let made = match asked.error() {
        Some(status) => Made::json(error(asked, status)).status(status),
        None if asked.stream => Made::events(events(asked)),
        None => Made::json(message(asked)),
    };
    made.header("request-id", REQUEST_ID)
}

fn error(asked: &Asked, status: u16) -> String {
    let kind = match status {
        401 => "authentication_error",
        429 => "rate_limit_error",
        _ => "invalid_request_error",
    };
    let values = [("kind", kind.into()), ("message", quote(&asked.complaint(status))), ("id", REQUEST_ID.into())];
    fill(r#"{"type":"error","error":{"type":"$kind","message":$message},"request_id":"$id"}"#, &values)
}

/// One block of the answer.
enum Block {
    Thinking(String),
    Text(String),
    Call { at: usize, name: String, arguments: String },
}

fn blocks(asked: &Asked) -> Vec<Block> {
    let mut blocks = Vec::new();
    if asked.body["thinking"]["type"].as_str().is_some_and(|kind| kind != "disabled") {
        blocks.push(Block::Thinking(asked.thought.clone()));
    }
    blocks.push(Block::Text(asked.text.clone()));
    let call = |(at, call): (usize, &super::Call)| Block::Call {
        at,
        name: call.name.clone(),
        arguments: call.arguments.clone(),
    };
    blocks.extend(asked.calls.iter().enumerate().map(call));
    blocks
}

impl Block {
    /// The block with its content, or as a stream begins it.
    fn render(&self, is_whole: bool) -> String {
        let text = |text: &str| quote(if is_whole { text } else { "" });
        match self {
            Self::Thinking(thought) => {
                let values = [("thinking", text(thought)), ("signature", text(SIGNATURE))];
                fill(r#"{"type":"thinking","thinking":$thinking,"signature":$signature}"#, &values)
            }
            Self::Text(said) => fill(r#"{"type":"text","text":$text}"#, &[("text", text(said))]),
            Self::Call { at, name, arguments } => {
                let id = format!("toolu_01Hx{at}QmZ7vTkLw4RbYs2NdPc");
                let input = if is_whole { arguments.as_str() } else { "{}" };
                let values = [("id", id), ("name", quote(name)), ("input", input.into())];
                fill(r#"{"type":"tool_use","id":"$id","name":$name,"input":$input}"#, &values)
            }
        }
    }

    /// The deltas that make it whole.
    fn deltas(&self, size: usize) -> Vec<String> {
        let all = |kind: &str, field: &str, text: &str| -> Vec<String> {
            let one = |piece: &String| format!(r#"{{"type":"{kind}","{field}":{}}}"#, quote(piece));
            cut(text, size).iter().map(one).collect()
        };
        match self {
            Self::Thinking(thought) => {
                let mut deltas = all("thinking_delta", "thinking", thought);
                deltas.push(format!(r#"{{"type":"signature_delta","signature":{}}}"#, quote(SIGNATURE)));
                deltas
            }
            Self::Text(text) => all("text_delta", "text", text),
            Self::Call { arguments, .. } => {
                // the first one says nothing
                let mut deltas = all("input_json_delta", "partial_json", "");
                deltas.extend(all("input_json_delta", "partial_json", arguments));
                deltas
            }
        }
    }
}

fn stop_reason(asked: &Asked) -> &'static str {
    if asked.calls.is_empty() { "end_turn" } else { "tool_use" }
}

fn message_of(asked: &Asked, content: &str, reason: &str, output: u32) -> String {
    let shape = r#"{"model":$model,"id":"msg_01Yb7KqVw3XnTz5RmLs9PdHc","type":"message","role":"assistant","content":[$content],"stop_reason":$reason,"stop_sequence":null,"usage":{"input_tokens":21,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":$output,"service_tier":"standard"}}"#;
    let values = [
        ("model", quote(&asked.model)),
        ("content", content.into()),
        ("reason", reason.into()),
        ("output", output.to_string()),
    ];
    fill(shape, &values)
}

fn message(asked: &Asked) -> String {
    let content: Vec<_> = blocks(asked).iter().map(|block| block.render(true)).collect();
    message_of(asked, &content.join(","), &quote(stop_reason(asked)), 57)
}

fn event(kind: &str, data: &str) -> String {
    // as recorded, with blanks that fill the line
    format!("event: {kind}\ndata: {data}  \n\n")
}

fn events(asked: &Asked) -> Vec<String> {
    let start = format!(r#"{{"type":"message_start","message":{}}}"#, message_of(asked, "", "null", 1));
    let mut events = vec![event("message_start", &start)];
    for (index, block) in blocks(asked).iter().enumerate() {
        let values = [("index", index.to_string()), ("block", block.render(false))];
        let begin = fill(r#"{"type":"content_block_start","index":$index,"content_block":$block}"#, &values);
        events.push(event("content_block_start", &begin));
        if index == 0 {
            events.push(event("ping", r#"{"type": "ping"}"#));
        }
        for delta in block.deltas(asked.delta) {
            let values = [("index", index.to_string()), ("delta", delta)];
            let data = fill(r#"{"type":"content_block_delta","index":$index,"delta":$delta}"#, &values);
            events.push(event("content_block_delta", &data));
            if asked.fails_midstream() {
                let data = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
                events.push(event("error", data));
                return events;
            }
        }
        let end = fill(r#"{"type":"content_block_stop","index":$index}"#, &[("index", index.to_string())]);
        events.push(event("content_block_stop", &end));
    }
    let shape = r#"{"type":"message_delta","delta":{"stop_reason":"$reason","stop_sequence":null},"usage":{"input_tokens":21,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":57}}"#;
    events.push(event("message_delta", &fill(shape, &[("reason", stop_reason(asked).into())])));
    events.push(event("message_stop", r#"{"type":"message_stop"}"#));
    events
}
