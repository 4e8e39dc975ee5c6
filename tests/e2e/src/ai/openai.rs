//! OpenAI's chat completions, completions and embeddings. Shapes: <https://platform.openai.com/docs/api-reference>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{Asked, Call, Made, Told, cut, fill, names, quote, text_of};

const REQUEST_ID: &str = "req_5f0c2b7e9d41468a93d7c8e04b1a6f25";
const USAGE: &str = r#"{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}"#;

pub(super) fn told_in_chat(body: &Value) -> Told {
    let outside = |message: &&Value| message["role"] == "user" || message["role"] == "tool";
    let last = body["messages"].as_array().and_then(|messages| messages.iter().rfind(outside));
    let last = last.unwrap_or(&Value::Null);
    let tools = if last["role"] == "tool" { Vec::new() } else { names(&body["tools"], "/function/name") };
    Told { text: text_of(&last["content"]), tools }
}

pub(super) fn told_in_completions(body: &Value) -> Told {
    Told { text: text_of(&body["prompt"]), tools: Vec::new() }
}

pub(super) fn told_in_embeddings(body: &Value) -> Told {
    Told { text: text_of(&body["input"]), tools: Vec::new() }
}

/// An error as all of OpenAI's APIs answer it.
pub(super) fn error(asked: &Asked, status: u16) -> Made {
    let (kind, code) = match status {
        401 => ("invalid_request_error", "\"invalid_api_key\""),
        429 => ("requests", "\"rate_limit_exceeded\""),
        _ => ("invalid_request_error", "null"),
    };
    let shape = "{\n  \"error\": {\n    \"message\": $message,\n    \"type\": \"$kind\",\n    \"param\": null,\n    \"code\": $code\n  }\n}";
    let values = [("message", quote(&asked.complaint(status))), ("kind", kind.into()), ("code", code.into())];
    Made::json(fill(shape, &values)).status(status).header("x-request-id", REQUEST_ID)
}

/// The texts of all answers to one request: each but the first says so.
fn choices(asked: &Asked) -> Vec<String> {
    let count = asked.body["n"].as_u64().unwrap_or(1);
    (0..count).map(|at| if at == 0 { asked.text.clone() } else { format!("({at}) {}", asked.text) }).collect()
}

pub(super) fn chat(asked: &Asked) -> Made {
    match asked.error() {
        Some(status) => error(asked, status),
        None if asked.stream => Made::events(chat_events(asked)).header("x-request-id", REQUEST_ID),
        None => Made::json(chat_body(asked)).header("x-request-id", REQUEST_ID),
    }
}

/// Recorded with its line breaks: bodies that are no streams are indented by two.
fn chat_body(asked: &Asked) -> String {
    let shape = r#"{
  "id": "chatcmpl-CgK2xT7mQ9vLd4RpWn8sYb1Ue6HaZ",
  "object": "chat.completion",
  "created": 1764115200,
  "model": $model,
  "choices": [
    $choices
  ],
  "usage": $usage,
  "service_tier": "default",
  "system_fingerprint": "fp_44709d6fcb"
}
"#;
    let choice = r#"{
      "index": $index,
      "message": {
        "role": "assistant",
        "content": $content,$calls
        "refusal": null,
        "annotations": []
      },
      "logprobs": $logprobs,
      "finish_reason": "$reason"
    }"#;
    let called = !asked.calls.is_empty();
    let one = |(index, text): (usize, String)| {
        let calls =
            if called { format!("\n        \"tool_calls\": [{}],", calls(&asked.calls)) } else { String::new() };
        let values = [
            ("index", index.to_string()),
            ("content", if called { "null".into() } else { quote(&text) }),
            ("calls", calls),
            ("logprobs", logprobs(asked, &cut(&text, asked.delta))),
            ("reason", if called { "tool_calls" } else { "stop" }.into()),
        ];
        fill(choice, &values)
    };
    let choices: Vec<_> = choices(asked).into_iter().enumerate().map(one).collect();
    fill(shape, &[("model", quote(&asked.model)), ("choices", choices.join(",\n    ")), ("usage", USAGE.into())])
}

fn call_id(at: usize) -> String {
    format!("call_7Qm2ZrT{at}kLw0XvB5nHd3Ys")
}

fn calls(calls: &[Call]) -> String {
    let one = |(at, call): (usize, &Call)| {
        let values = [("id", call_id(at)), ("name", quote(&call.name)), ("arguments", quote(&call.arguments))];
        fill(r#"{"id": "$id", "type": "function", "function": {"name": $name, "arguments": $arguments}}"#, &values)
    };
    calls.iter().enumerate().map(one).collect::<Vec<_>>().join(", ")
}

/// The tokens once more, where they are asked for.
fn logprobs(asked: &Asked, tokens: &[String]) -> String {
    if !asked.wants("logprobs") {
        return "null".into();
    }
    let one = |token: &String| {
        let bytes: Vec<_> = token.bytes().map(|byte| byte.to_string()).collect();
        let shape = r#"{"token":$token,"logprob":-0.31725305,"bytes":[$bytes],"top_logprobs":[]}"#;
        fill(shape, &[("token", quote(token)), ("bytes", bytes.join(","))])
    };
    let content: Vec<_> = tokens.iter().map(one).collect();
    format!(r#"{{"content":[{}],"refusal":null}}"#, content.join(","))
}

/// The chunks of an answer to a chat, those of `n` answers in turns.
fn chat_events(asked: &Asked) -> Vec<String> {
    let with_usage = asked.body["stream_options"]["include_usage"] == true;
    let event = |choices: &str, usage: &str| {
        let shape = r#"{"id":"chatcmpl-CgK2xT7mQ9vLd4RpWn8sYb1Ue6HaZ","object":"chat.completion.chunk","created":1764115200,"model":$model,"service_tier":"default","system_fingerprint":"fp_44709d6fcb","choices":[$choices]$usage,"obfuscation":"q7Xw0"}"#;
        let usage = if with_usage { format!(r#","usage":{usage}"#) } else { String::new() };
        let data = fill(shape, &[("model", quote(&asked.model)), ("choices", choices.into()), ("usage", usage)]);
        format!("data: {data}\n\n")
    };
    let answers: Vec<_> =
        choices(asked).into_iter().enumerate().map(|(at, text)| choice_chunks(asked, at, &text)).collect();
    let longest = answers.iter().map(Vec::len).max().unwrap_or_default();
    let in_turns = (0..longest).flat_map(|at| answers.iter().filter_map(move |chunks| chunks.get(at)));
    let mut events: Vec<String> = in_turns.map(|choice| event(choice, "null")).collect();
    if asked.fails_midstream() {
        events.truncate(2);
        events.push("data: {\"error\":{\"message\":\"The server had an error.\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n".into());
        return events;
    }
    if with_usage {
        events.push(event("", USAGE));
    }
    events.push("data: [DONE]\n\n".into());
    events
}

/// The one choice in each chunk of one answer.
fn choice_chunks(asked: &Asked, index: usize, text: &str) -> Vec<String> {
    let choice = |delta: &str, logprobs: String, reason: &str| {
        let shape = r#"{"index":$index,"delta":$delta,"logprobs":$logprobs,"finish_reason":$reason}"#;
        let values =
            [("index", index.to_string()), ("delta", delta.into()), ("logprobs", logprobs), ("reason", reason.into())];
        fill(shape, &values)
    };
    let none = || "null".to_owned();
    let mut chunks = Vec::new();
    if asked.calls.is_empty() {
        chunks.push(choice(r#"{"role":"assistant","content":"","refusal":null}"#, none(), "null"));
        for piece in cut(text, asked.delta) {
            let delta = format!(r#"{{"content":{}}}"#, quote(&piece));
            chunks.push(choice(&delta, logprobs(asked, &[piece]), "null"));
        }
        chunks.push(choice("{}", none(), "\"stop\""));
        return chunks;
    }
    chunks.push(choice(r#"{"role":"assistant","content":null,"refusal":null}"#, none(), "null"));
    for (at, call) in asked.calls.iter().enumerate() {
        let values = [("at", at.to_string()), ("id", call_id(at)), ("name", quote(&call.name))];
        let begin =
            r#"{"tool_calls":[{"index":$at,"id":"$id","type":"function","function":{"name":$name,"arguments":""}}]}"#;
        chunks.push(choice(&fill(begin, &values), none(), "null"));
        for piece in cut(&call.arguments, asked.delta) {
            let values = [("at", at.to_string()), ("piece", quote(&piece))];
            let delta = fill(r#"{"tool_calls":[{"index":$at,"function":{"arguments":$piece}}]}"#, &values);
            chunks.push(choice(&delta, none(), "null"));
        }
    }
    chunks.push(choice("{}", none(), "\"tool_calls\""));
    chunks
}

pub(super) fn completions(asked: &Asked) -> Made {
    if let Some(status) = asked.error() {
        return error(asked, status);
    }
    let body = |text: &str, index: usize, reason: &str, usage: &str| {
        let shape = r#"{"id":"cmpl-CgK3uW5nRb8KxYt2VqLs0Pd7","object":"text_completion","created":1764115200,"model":$model,"choices":[{"text":$text,"index":$index,"logprobs":null,"finish_reason":$reason}]$usage}"#;
        let usage = if usage.is_empty() { String::new() } else { format!(r#","usage":{usage}"#) };
        let values = [
            ("model", quote(&asked.model)),
            ("text", quote(text)),
            ("index", index.to_string()),
            ("reason", reason.into()),
            ("usage", usage),
        ];
        fill(shape, &values)
    };
    if !asked.stream {
        return Made::json(body(&asked.text, 0, "\"stop\"", USAGE)).header("x-request-id", REQUEST_ID);
    }
    let pieces = cut(&asked.text, asked.delta);
    let mut events: Vec<_> = pieces.iter().map(|piece| format!("data: {}\n\n", body(piece, 0, "null", ""))).collect();
    events.push(format!("data: {}\n\n", body("", 0, "\"stop\"", "")));
    events.push("data: [DONE]\n\n".into());
    Made::events(events).header("x-request-id", REQUEST_ID)
}

/// As many vectors as there are inputs: they say nothing of the text, so that they are the same for another one.
pub(super) fn embeddings(asked: &Asked) -> Made {
    if let Some(status) = asked.error() {
        return error(asked, status);
    }
    let input = &asked.body["input"];
    let is_list_of_inputs = |list: &&Vec<Value>| list.first().is_some_and(|first| !first.is_number());
    let count = input.as_array().filter(is_list_of_inputs).map_or(1, Vec::len);
    let one = |index: usize| {
        let index_value = u8::try_from(index).unwrap_or(u8::MAX);
        let vector = [0.5_f32, -0.25, 0.125, f32::from(index_value)];
        let embedding = if asked.body["encoding_format"] == "base64" {
            quote(&STANDARD.encode(vector.map(f32::to_le_bytes).concat()))
        } else {
            format!("[\n        {}\n      ]", vector.map(|number| format!("{number:?}")).join(",\n        "))
        };
        let shape =
            "{\n      \"object\": \"embedding\",\n      \"index\": $index,\n      \"embedding\": $embedding\n    }";
        fill(shape, &[("index", index.to_string()), ("embedding", embedding)])
    };
    let data: Vec<_> = (0..count).map(one).collect();
    let shape = "{\n  \"object\": \"list\",\n  \"data\": [\n    $data\n  ],\n  \"model\": $model,\n  \"usage\": {\n    \"prompt_tokens\": 8,\n    \"total_tokens\": 8\n  }\n}\n";
    let body = fill(shape, &[("data", data.join(",\n    ")), ("model", quote(&asked.model))]);
    Made::json(body).header("x-request-id", REQUEST_ID)
}
