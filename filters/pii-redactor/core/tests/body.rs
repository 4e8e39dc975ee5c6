//! Bodies of each API, whole and cut anywhere: what leaves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may fail loudly"
)]
#![allow(missing_docs, reason = "a test")]
#![cfg(not(target_arch = "wasm32"))]

mod body_common;

use body_common::{Case, bytes, cut};
use pii_core::{
    body::Format,
    events::Framing,
    json::Malformed,
    rules::Endpoint,
    session::{Action, Direction},
};
use serde_json::{Value, json};

const SSE: Format = Format::Events(Framing::ServerSent);

/// What comes out has to be the same for one cut anywhere, and for single bytes.
fn same_for_any_cut(make: impl Fn() -> Case, direction: Direction, format: Format, body: &str) -> String {
    let whole = String::from_utf8(make().run(direction, format, [body.as_bytes()]).unwrap().concat()).unwrap();
    // at each byte of what is short, and at two thousand or so of what is long
    for at in (0..=body.len()).step_by(1 + body.len() / 2500) {
        let out = make().run(direction, format, cut(body, at)).unwrap_or_else(|error| panic!("cut at {at}: {error:?}"));
        assert_eq!(String::from_utf8_lossy(&out.concat()), whole, "cut at {at}");
    }
    let out = make().run(direction, format, bytes(body)).unwrap().concat();
    assert_eq!(String::from_utf8_lossy(&out), whole, "byte by byte");
    whole
}

fn chat(content: &str) -> String {
    json!({"model": "gpt-5", "messages": [{"role": "user", "content": content}]}).to_string()
}

#[test]
fn a_chat_leaves_with_placeholders_and_is_else_unchanged() {
    let body = r#"{ "model":"gpt-5",  "temperature": 1.0e0, "messages" : [
        {"role":"user","content":"Write to ada@example.com or \u0061da@example.com, h\u00e9llo \/ 4111 1111 1111 1111."}], "user":"ada@example.com" }"#;
    let out = same_for_any_cut(|| Case::new(Endpoint::OpenaiChat), Direction::Request, Format::Json, body);
    let expected = r#"{ "model":"gpt-5",  "temperature": 1.0e0, "messages" : [
        {"role":"user","content":"Write to [EMAIL_1] or [EMAIL_1], h\u00e9llo \/ [CREDIT_CARD_1]."}], "user":"[EMAIL_1]" }"#;
    assert_eq!(out, expected);
}

#[test]
fn what_is_no_text_is_never_touched() {
    let body = json!({
        "model": "ada@example.com", "prompt_cache_key": "ada@example.com", "logit_bias": {"ada@example.com": 1},
        "messages": [
            {"role": "assistant", "tool_calls": [{"id": "ada@example.com", "type": "function", "function": {"name": "ada@example.com", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "ada@example.com", "content": "x"},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://ada@example.com/"}}, {"type": "input_audio", "input_audio": {"data": "ada@example.com"}}]},
        ],
    })
    .to_string();
    assert_eq!(Case::new(Endpoint::OpenaiChat).request(Format::Json, &body), body);
}

#[test]
fn arguments_are_walked_as_the_json_they_are() {
    let arguments = r#"{"to":"ada\u0040example.com", "note":"say \"hi\" to bob@example.org", "n": 1.50}"#;
    let body = json!({"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "send", "arguments": arguments}}]}]}).to_string();
    let out = same_for_any_cut(|| Case::new(Endpoint::OpenaiChat), Direction::Request, Format::Json, &body);
    let read: Value = serde_json::from_str(&out).unwrap();
    let inner = read["messages"][0]["tool_calls"][0]["function"]["arguments"].as_str().unwrap();
    assert_eq!(inner, r#"{"to":"[EMAIL_1]", "note":"say \"hi\" to [EMAIL_2]", "n": 1.50}"#);
}

#[test]
fn arguments_that_are_no_json_are_text() {
    let body = json!({"messages": [{"tool_calls": [{"function": {"arguments": "{\"a\": oops ada@example.com, \"b\": \"bob@example.com"}}]}]}).to_string();
    let out = same_for_any_cut(|| Case::new(Endpoint::OpenaiChat), Direction::Request, Format::Json, &body);
    assert!(!out.contains("@"), "{out}");
    serde_json::from_str::<Value>(&out).unwrap();
}

#[test]
fn an_answer_gets_its_caller_s_values_back_and_no_other() {
    let mut case = Case::new(Endpoint::OpenaiChat);
    case.request(Format::Json, &chat("I am \"ada\" <ada@example.com>"));
    let answer = json!({"choices": [{"message": {"content": "Hello [EMAIL_1], not [EMAIL_2]; ask bob@example.com; or ada@example.com"}}]}).to_string();
    let out: Value = serde_json::from_str(&case.response(Format::Json, &answer)).unwrap();
    let said = out["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(said, "Hello ada@example.com, not [EMAIL_2]; ask [EMAIL_2]; or ada@example.com");
    assert_eq!((case.session.tally.restored, case.session.tally.missed), (1, 1));
}

fn chunk(delta: Value, finish: Value) -> String {
    let chunk = json!({"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
    format!("data: {chunk}\n\n")
}

fn chat_stream(deltas: &[&str]) -> String {
    let mut stream = chunk(json!({"role": "assistant", "content": ""}), Value::Null);
    for delta in deltas {
        stream += &chunk(json!({"content": delta}), Value::Null);
    }
    stream += &chunk(json!({}), json!("stop"));
    stream + "data: [DONE]\n\n"
}

/// The text that a client puts together.
fn said(stream: &str) -> String {
    stream
        .split("\n\n")
        .filter_map(|event| event.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]")
        .filter_map(|data| {
            let event: Value = serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"));
            event["choices"][0]["delta"]["content"].as_str().map(str::to_owned)
        })
        .collect()
}

#[test]
fn a_stream_gets_values_back_however_they_are_cut() {
    let make = || {
        let mut case = Case::new(Endpoint::OpenaiChat);
        case.request(Format::Json, &chat("I am ada@example.com"));
        case
    };
    let stream =
        chat_stream(&["Dear [", "EM", "AIL", "_1", "], you", " know bo", "b@exam", "ple.org", ". So", " long"]);
    let out = same_for_any_cut(make, Direction::Response, SSE, &stream);
    assert_eq!(said(&out), "Dear ada@example.com, you know [EMAIL_2]. So long");
    assert_eq!(out.matches("data: ").count(), stream.matches("data: ").count(), "no event is dropped");
    assert!(out.ends_with("data: [DONE]\n\n"));
}

#[test]
fn a_stream_without_values_passes_as_it_is() {
    let stream = chat_stream(&["Hello", ",", " world", "! It is", " 12:30", " and", " 3.14", "."]);
    let out = same_for_any_cut(|| Case::new(Endpoint::OpenaiChat), Direction::Response, SSE, &stream);
    assert_eq!(out, stream);
    let windows = stream.replace('\n', "\r\n");
    assert_eq!(same_for_any_cut(|| Case::new(Endpoint::OpenaiChat), Direction::Response, SSE, &windows), windows);
}

#[test]
fn an_event_waits_for_the_next_word_at_most() {
    let stream = chat_stream(&["Hello", " there", " Ada", ","]);
    let pieces: Vec<&[u8]> = stream.split_inclusive("\n\n").map(str::as_bytes).collect();
    let outs = Case::new(Endpoint::OpenaiChat).run(Direction::Response, SSE, pieces.clone()).unwrap();
    let events: Vec<usize> = outs.iter().map(|out| String::from_utf8_lossy(out).matches("data: ").count()).collect();
    // the role at once; each word when the next one comes; the last with the finish
    assert_eq!(events, [1, 0, 1, 1, 2, 1, 1, 0]);
}

#[test]
fn of_an_event_that_says_much_only_its_last_word_waits() {
    let much = "All of this is certain, and whoever reads it should not wait for what comes next: the address is ";
    let stream = chat_stream(&[&format!("{much}ada@exa"), "mple.com. ", &format!("{much}[EM"), "AIL_1] bye"]);
    let make = || {
        let mut case = Case::new(Endpoint::OpenaiChat);
        case.request(Format::Json, &chat("I am bob@example.org"));
        case
    };
    let out = same_for_any_cut(make, Direction::Response, SSE, &stream);
    assert_eq!(said(&out), format!("{much}[EMAIL_2]. {much}bob@example.org bye"));
    let pieces: Vec<&[u8]> = stream.split_inclusive("\n\n").map(str::as_bytes).collect();
    let outs = make().run(Direction::Response, SSE, pieces).unwrap();
    let second = String::from_utf8(outs[1].clone()).unwrap();
    assert_eq!(said(&second), much);
    assert!(second.ends_with("\n\n"), "a whole event");
    // a ping comes between whole events
    let (first, rest) = stream.split_at(stream.find("mple.com").unwrap());
    let at = first.rfind("data: ").unwrap();
    let with_ping = format!("{}: ping\n\n{}{rest}", &first[..at], &first[at..]);
    let out = make().response(SSE, &with_ping);
    assert_eq!(said(&out), format!("{much}[EMAIL_2]. {much}bob@example.org bye"));
    assert!(out.contains("\n\n: ping\n\ndata: "), "{out}");
}

#[test]
fn what_says_nothing_overtakes_what_waits() {
    let stream = format!(
        "{}: keep-alive\n\nevent: ping\ndata: {{\"type\": \"ping\"}}\n\n",
        chunk(json!({"content": "ada"}), Value::Null)
    );
    let outs = Case::new(Endpoint::OpenaiChat).run(Direction::Response, SSE, [stream.as_bytes()]).unwrap();
    assert_eq!(String::from_utf8_lossy(&outs[0]), ": keep-alive\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n");
    assert_eq!(String::from_utf8_lossy(&outs[1]), chunk(json!({"content": "ada"}), Value::Null));
}

fn event(event: &Value) -> String {
    format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())
}

#[test]
fn a_claude_stream_keeps_its_blocks_thoughts_and_arguments() {
    let make = || {
        let mut case = Case::new(Endpoint::AnthropicMessages);
        case.request(
            Format::Json,
            &json!({"messages": [{"role": "user", "content": "I am ada@example.com, \"boss\""}]}).to_string(),
        );
        case
    };
    let mut stream =
        event(&json!({"type": "message_start", "message": {"id": "m", "content": [], "usage": {"input_tokens": 1}}}));
    stream += &event(
        &json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}}),
    );
    stream += &event(
        &json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "it is [EMAIL_1] bob@example.com"}}),
    );
    stream += &event(
        &json!({"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "[EMAIL_1]"}}),
    );
    stream += &event(&json!({"type": "content_block_stop", "index": 0}));
    stream +=
        &event(&json!({"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}}));
    for text in ["Hi [EMAIL", "_1] an", "d bob@exam", "ple.com"] {
        stream +=
            &event(&json!({"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": text}}));
    }
    stream += &event(&json!({"type": "content_block_stop", "index": 1}));
    stream += &event(
        &json!({"type": "content_block_start", "index": 2, "content_block": {"type": "tool_use", "id": "t", "name": "send", "input": {}}}),
    );
    for text in ["{\"to\": \"[EM", "AIL_1]\", \"cc\"", ": \"eve\\u00", "40example.com\\", "n\"}"] {
        stream += &event(
            &json!({"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": text}}),
        );
    }
    stream += &event(&json!({"type": "content_block_stop", "index": 2}));
    stream += &event(&json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}}));
    stream += &event(&json!({"type": "message_stop"}));

    let out = same_for_any_cut(make, Direction::Response, SSE, &stream);
    assert_eq!(out.matches("event: ").count(), stream.matches("event: ").count());
    let mut texts = [String::new(), String::new(), String::new()];
    for data in out.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let event: Value = serde_json::from_str(data).unwrap();
        let index = event["index"].as_u64().unwrap_or(0) as usize;
        for name in ["thinking", "text", "partial_json"] {
            if let Some(text) = event["delta"][name].as_str() {
                texts[index] += text;
            }
        }
    }
    assert_eq!(texts[0], "it is [EMAIL_1] bob@example.com", "what is thought is signed");
    assert_eq!(texts[1], "Hi ada@example.com and [EMAIL_2]");
    assert_eq!(texts[2], "{\"to\": \"ada@example.com\", \"cc\": \"[EMAIL_3]\\n\"}");
}

#[test]
fn copies_of_the_text_agree_with_what_was_streamed() {
    let make = || {
        let mut case = Case::new(Endpoint::OpenaiResponses);
        case.request(Format::Json, &json!({"input": "I am ada@example.com"}).to_string());
        case
    };
    let text = "Hi [EMAIL_1], bob@example.org said +49 170 1234567.";
    let arguments = "{\"to\":\"[EMAIL_1]\",\"cc\":\"eve@example.org\"}";
    let mut number = 0;
    let mut stream = String::new();
    let mut add = |mut value: Value| {
        value["sequence_number"] = json!(number);
        number += 1;
        stream += &event(&value);
    };
    add(json!({"type": "response.created", "response": {"id": "r", "output": [], "instructions": null}}));
    add(
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"id": "i", "type": "message", "content": []}}),
    );
    add(
        json!({"type": "response.content_part.added", "item_id": "i", "output_index": 0, "content_index": 0, "part": {"type": "output_text", "text": ""}}),
    );
    for at in (0..text.len()).step_by(3) {
        let delta = &text[at..(at + 3).min(text.len())];
        add(
            json!({"type": "response.output_text.delta", "item_id": "i", "output_index": 0, "content_index": 0, "delta": delta, "logprobs": []}),
        );
    }
    add(
        json!({"type": "response.output_text.done", "item_id": "i", "output_index": 0, "content_index": 0, "text": text, "logprobs": [{"token": "Hi"}]}),
    );
    add(
        json!({"type": "response.content_part.done", "item_id": "i", "output_index": 0, "content_index": 0, "part": {"type": "output_text", "text": text, "annotations": []}}),
    );
    let message = json!({"id": "i", "type": "message", "content": [{"type": "output_text", "text": text}]});
    add(json!({"type": "response.output_item.done", "output_index": 0, "item": message}));
    for at in (0..arguments.len()).step_by(5) {
        let delta = &arguments[at..(at + 5).min(arguments.len())];
        add(
            json!({"type": "response.function_call_arguments.delta", "item_id": "f", "output_index": 1, "delta": delta}),
        );
    }
    add(
        json!({"type": "response.function_call_arguments.done", "item_id": "f", "output_index": 1, "name": "send", "arguments": arguments}),
    );
    let call = json!({"id": "f", "type": "function_call", "call_id": "c", "name": "send", "arguments": arguments});
    add(
        json!({"type": "response.completed", "response": {"id": "r", "status": "completed", "output": [message, call]}}),
    );

    let out = same_for_any_cut(make, Direction::Response, SSE, &stream);
    let events: Vec<Value> = out
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    let numbers: Vec<u64> = events.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());
    let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).collect::<Vec<_>>();
    let joined = |kind: &str| of(kind).iter().map(|event| event["delta"].as_str().unwrap()).collect::<String>();
    let expected = "Hi ada@example.com, [EMAIL_2] said [PHONE_1].";
    assert_eq!(joined("response.output_text.delta"), expected);
    assert_eq!(of("response.output_text.done")[0]["text"], expected);
    assert_eq!(of("response.output_text.done")[0]["logprobs"], Value::Null);
    assert_eq!(of("response.content_part.done")[0]["part"]["text"], expected);
    assert_eq!(of("response.output_item.done")[0]["item"]["content"][0]["text"], expected);
    let completed = of("response.completed")[0];
    assert_eq!(completed["response"]["output"][0]["content"][0]["text"], expected);
    let call = "{\"to\":\"ada@example.com\",\"cc\":\"[EMAIL_3]\"}";
    assert_eq!(joined("response.function_call_arguments.delta"), call);
    assert_eq!(of("response.function_call_arguments.done")[0]["arguments"], call);
    assert_eq!(completed["response"]["output"][1]["arguments"], call);
}

#[test]
fn gemini_s_array_of_answers_is_a_stream_as_well() {
    let make = || {
        let mut case = Case::new(Endpoint::Gemini);
        case.request(Format::Json, &json!({"contents": [{"parts": [{"text": "ada@example.com"}]}]}).to_string());
        case
    };
    let answers: Vec<String> = ["Hello [EMA", "IL_1] and bo", "b@example.com"]
        .iter()
        .map(|text| json!({"candidates": [{"content": {"parts": [{"text": text}], "role": "model"}}]}).to_string())
        .collect();
    let stream = format!("[{}\n]\n", answers.join(",\r\n"));
    let out = same_for_any_cut(make, Direction::Response, Format::Events(Framing::Elements), &stream);
    let read: Value = serde_json::from_str(&out).unwrap();
    let text: String = read
        .as_array()
        .unwrap()
        .iter()
        .map(|answer| answer["candidates"][0]["content"]["parts"][0]["text"].as_str().unwrap())
        .collect();
    assert_eq!(text, "Hello ada@example.com and [EMAIL_2]");
}

#[test]
fn reporting_changes_nothing_and_says_what_it_would() {
    let body = chat("Write to ada@example.com");
    let mut case = Case::new(Endpoint::OpenaiChat);
    case.enforce = false;
    assert_eq!(case.request(Format::Json, &body), body);
    let found: Vec<_> = case.session.tally.found.into_iter().collect();
    assert_eq!(found, [((Direction::Request, "EMAIL".to_owned(), Action::Redact), 1)]);
    assert_eq!(case.session.tally.paths, [(Direction::Request, "messages[0].content".to_owned(), "EMAIL".to_owned())]);
}

#[test]
fn with_a_key_a_value_has_the_same_placeholder_in_every_request() {
    let one = Case::new(Endpoint::OpenaiChat).keyed().request(Format::Json, &chat("bob@example.com ada@example.com"));
    let other = Case::new(Endpoint::OpenaiChat).keyed().request(Format::Json, &chat("ada@example.com"));
    let placeholder = &other[other.find("[EMAIL_").unwrap()..other.find("]\"").map_or(other.len(), |end| end + 1)];
    assert!(placeholder.len() == 20 && one.contains(placeholder), "{one} {other}");
    let again = Case::new(Endpoint::OpenaiChat).keyed().request(Format::Json, &other);
    assert_eq!(again, other, "what was sent once can be sent again");
}

#[test]
fn text_that_looks_like_a_placeholder_comes_back_as_it_was() {
    for text in ["say [EMAIL_1], then ada@example.com", "ada@example.com, then [EMAIL_1] and [email_2]"] {
        let mut case = Case::new(Endpoint::OpenaiChat);
        let sent: Value = serde_json::from_str(&case.request(Format::Json, &chat(text))).unwrap();
        let sent = sent["messages"][0]["content"].as_str().unwrap();
        assert!(!sent.contains('@'), "{sent}");
        let answer = json!({"choices": [{"message": {"content": sent}}]}).to_string();
        let back: Value = serde_json::from_str(&case.response(Format::Json, &answer)).unwrap();
        assert_eq!(back["choices"][0]["message"]["content"], text);
    }
}

#[test]
fn what_is_no_json_is_told() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let cases = [
        (r#"{"messages": [}"#, Malformed::Syntax),
        (r#"{"messages": "ada"#, Malformed::Truncated),
        ("{\"messages\": \"\n\"}", Malformed::Syntax),
        (r#"{"a": "\x"}"#, Malformed::Syntax),
        (r#"{"a": 01}"#, Malformed::Syntax),
        (r#"{} {}"#, Malformed::Syntax),
        (deep.as_str(), Malformed::Depth),
    ];
    for (body, expected) in cases {
        let out = Case::new(Endpoint::OpenaiChat).run(Direction::Request, Format::Json, [body.as_bytes()]);
        assert_eq!(out, Err(expected), "{body}");
    }
    let latin = b"{\"a\": \"caf\xe9\"}".as_slice();
    assert_eq!(Case::new(Endpoint::OpenaiChat).run(Direction::Request, Format::Json, [latin]), Err(Malformed::Utf8));
}

#[test]
fn text_in_other_spellings_is_found() {
    for spelled in [
        "ada%40example.com",
        "ａｄａ＠ｅｘａｍｐｌｅ．ｃｏｍ",
        "ada\u{200b}@exam\u{ad}ple.com",
        "４１１１ １１１１ １１１１ １１１１",
        "4111\u{a0}1111\u{2009}1111\u{202f}1111",
        "٤١١١-١١١١-١١١١-١١١١",
    ] {
        let body = chat(&format!("x {spelled} y"));
        let mut case = Case::new(Endpoint::OpenaiChat);
        let out = case.request(Format::Json, &body);
        assert!(out.contains("x [") && out.contains("] y"), "{spelled}: {out}");
        let answer = case.response(
            Format::Json,
            &out.replace("messages", "choices").replace("{\"role\":\"user\",\"content\"", "{\"text\""),
        );
        assert!(answer.contains(spelled), "{spelled} comes back as it was: {answer}");
    }
}
