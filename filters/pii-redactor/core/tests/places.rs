//! Where each API's bodies hold text: full examples, in which every string is a value, and what of them is left.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod body_common;

use body_common::Case;
use pii_core::{body::Format, rules::Endpoint};
use serde_json::{Value, json};

const MAIL: &str = "ada@example.com";

/// The example with the value in place of every `$`; `$json` is arguments that hold it.
fn filled(example: &Value) -> Value {
    let text = example.to_string();
    serde_json::from_str(&text.replace("$json", r#"{\"to\":\"ada@example.com\"}"#).replace('$', MAIL)).unwrap()
}

/// The paths whose strings are still the value.
fn left(value: &Value, at: &str, paths: &mut Vec<String>) {
    match value {
        Value::String(text) if text.contains('@') => paths.push(at.to_owned()),
        Value::Array(list) => list.iter().for_each(|value| left(value, &format!("{at}[]"), paths)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            let dot = if at.is_empty() { "" } else { "." };
            left(value, &format!("{at}{dot}{name}"), paths);
        }),
        _ => {}
    }
}

fn untouched(endpoint: Endpoint, request: bool, example: &Value) -> Vec<String> {
    let body = filled(example).to_string();
    let mut case = Case::new(endpoint);
    let out = if request { case.request(Format::Json, &body) } else { case.response(Format::Json, &body) };
    let mut paths = Vec::new();
    left(&serde_json::from_str(&out).unwrap(), "", &mut paths);
    paths.sort();
    paths.dedup();
    paths
}

#[test]
fn of_a_chat_names_ids_and_media_stay() {
    let example = json!({
        "model": "$", "user": "$", "metadata": {"a": "$"}, "stop": ["$"], "service_tier": "$", "safety_identifier": "$", "prompt_cache_key": "$",
        "prediction": {"type": "content", "content": "$"}, "tool_choice": {"type": "function", "function": {"name": "$"}},
        "messages": [
            {"role": "$", "name": "$", "content": "$"},
            {"content": [
                {"type": "text", "text": "$"}, {"type": "refusal", "refusal": "$"}, {"type": "image_url", "image_url": {"url": "$", "detail": "$"}},
                {"type": "input_audio", "input_audio": {"data": "$", "format": "$"}}, {"type": "file", "file": {"file_data": "$", "filename": "$"}},
            ]},
            {"tool_calls": [
                {"id": "$", "type": "$", "function": {"name": "$", "arguments": "$json"}},
                {"id": "$", "type": "custom", "custom": {"name": "$", "input": "$"}},
            ], "audio": {"id": "$"}, "function_call": {"name": "$", "arguments": "$json"}, "reasoning_content": "$"},
            {"role": "tool", "tool_call_id": "$", "content": "$"},
        ],
        "tools": [{"type": "$", "function": {"name": "$", "description": "$", "parameters": {"description": "$", "enum": ["$"]}}}],
        "response_format": {"type": "$", "json_schema": {"name": "$", "description": "$"}}, "tomorrow": {"new": "$"},
    });
    let expected = [
        "messages[].audio.id",
        "messages[].content[].file.file_data",
        "messages[].content[].file.filename",
        "messages[].content[].image_url.detail",
        "messages[].content[].image_url.url",
        "messages[].content[].input_audio.data",
        "messages[].content[].input_audio.format",
        "messages[].function_call.name",
        "messages[].role",
        "messages[].tool_call_id",
        "messages[].tool_calls[].custom.name",
        "messages[].tool_calls[].function.name",
        "messages[].tool_calls[].id",
        "messages[].tool_calls[].type",
        "model",
        "prompt_cache_key",
        "response_format.json_schema.name",
        "response_format.type",
        "safety_identifier",
        "service_tier",
        "tool_choice.function.name",
        "tools[].function.name",
        "tools[].type",
    ];
    assert_eq!(untouched(Endpoint::OpenaiChat, true, &example), expected);
    let answer = json!({
        "id": "$", "object": "$", "model": "$", "system_fingerprint": "$",
        "choices": [{"index": 0, "finish_reason": "$", "message": {
            "role": "$", "content": "$", "refusal": "$", "tool_calls": [{"id": "$", "type": "$", "function": {"name": "$", "arguments": "$json"}}],
            "audio": {"id": "$", "data": "$", "transcript": "$"}, "annotations": [{"type": "$", "url_citation": {"url": "$", "title": "$"}}],
        }, "logprobs": {"content": [{"token": "$", "bytes": [97], "top_logprobs": []}]}}],
    });
    let expected = [
        "choices[].finish_reason",
        "choices[].message.annotations[].type",
        "choices[].message.annotations[].url_citation.url",
        "choices[].message.audio.data",
        "choices[].message.audio.id",
        "choices[].message.role",
        "choices[].message.tool_calls[].function.name",
        "choices[].message.tool_calls[].id",
        "choices[].message.tool_calls[].type",
        "id",
        "model",
        "object",
        "system_fingerprint",
    ];
    assert_eq!(untouched(Endpoint::OpenaiChat, false, &answer), expected);
    let error = json!({"error": {"message": "$", "type": "$", "param": "$", "code": "$"}});
    assert_eq!(untouched(Endpoint::OpenaiChat, false, &error), ["error.code", "error.param", "error.type"]);
}

#[test]
fn of_responses_items_keep_what_names_them_and_what_is_encrypted() {
    let items = json!([
        {"type": "message", "id": "$", "role": "user", "status": "$", "content": [
            {"type": "input_text", "text": "$"}, {"type": "input_image", "image_url": "$", "file_id": "$", "detail": "$"},
            {"type": "input_file", "file_data": "$", "filename": "$"}, {"type": "output_text", "text": "$", "annotations": [{"type": "$", "url": "$", "title": "$"}]},
        ]},
        {"type": "function_call", "id": "$", "call_id": "$", "name": "$", "arguments": "$json"},
        {"type": "function_call_output", "call_id": "$", "output": "$"},
        {"type": "function_call_output", "call_id": "$", "output": [{"type": "input_text", "text": "$"}, {"type": "input_image", "image_url": "$"}]},
        {"type": "reasoning", "id": "$", "encrypted_content": "$", "summary": [{"type": "summary_text", "text": "$"}]},
        {"type": "mcp_call", "id": "$", "server_label": "$", "name": "$", "arguments": "$json", "output": "$", "error": "$"},
        {"type": "image_generation_call", "id": "$", "result": "$"},
    ]);
    let example = json!({
        "model": "$", "instructions": "$", "previous_response_id": "$", "user": "$", "metadata": {"a": "$"}, "prompt": {"id": "$", "variables": {"name": "$"}},
        "tools": [{"type": "function", "name": "$", "description": "$"}, {"type": "mcp", "server_label": "$", "server_url": "$", "authorization": "$", "headers": {"a": "$"}}],
        "include": ["$"], "conversation": "$", "prompt_cache_key": "$", "safety_identifier": "$", "input": items,
    });
    let of_items = |at: &str| {
        let names = [
            "call_id",
            "content[].annotations[].type",
            "content[].annotations[].url",
            "content[].detail",
            "content[].file_data",
            "content[].file_id",
            "content[].image_url",
            "encrypted_content",
            "id",
            "name",
            "output[].image_url",
            "result",
            "server_label",
            "status",
        ];
        names.map(|name| format!("{at}[].{name}")).to_vec()
    };
    let mut expected: Vec<String> = [
        "conversation",
        "include[]",
        "model",
        "previous_response_id",
        "prompt.id",
        "prompt_cache_key",
        "safety_identifier",
    ]
    .into_iter()
    .chain(["tools[].authorization", "tools[].headers.a", "tools[].name", "tools[].server_label", "tools[].server_url"])
    .map(str::to_owned)
    .chain(of_items("input"))
    .collect();
    expected.sort();
    assert_eq!(untouched(Endpoint::OpenaiResponses, true, &example), expected);
    let answer = json!({"id": "$", "object": "$", "model": "$", "status": "$", "instructions": "$", "output": example["input"], "error": {"code": "$", "message": "$"}});
    let mut expected: Vec<String> = ["error.code", "id", "model", "object", "status"]
        .into_iter()
        .map(str::to_owned)
        .chain(of_items("output"))
        .collect();
    expected.sort();
    assert_eq!(untouched(Endpoint::OpenaiResponses, false, &answer), expected);
}

#[test]
fn of_claude_s_messages_what_is_signed_and_encoded_stays() {
    let blocks = json!([
        {"type": "text", "text": "$", "citations": [{"type": "$", "cited_text": "$", "document_title": "$", "encrypted_index": "$", "url": "$"}]},
        {"type": "thinking", "thinking": "$", "signature": "$"}, {"type": "redacted_thinking", "data": "$"},
        {"type": "tool_use", "id": "$", "name": "$", "input": {"to": "$", "name": "$", "id": "$", "content": [{"type": "$"}]}},
        {"type": "tool_result", "tool_use_id": "$", "content": "$"},
        {"type": "tool_result", "tool_use_id": "$", "content": [{"type": "text", "text": "$"}, {"type": "image", "source": {"type": "base64", "media_type": "$", "data": "$"}}]},
        {"type": "document", "title": "$", "context": "$", "source": {"type": "text", "media_type": "text/plain", "data": "$"}, "cache_control": {"type": "$"}},
        {"type": "document", "source": {"type": "base64", "media_type": "$", "data": "$"}},
        {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "$"}]}},
        {"type": "image", "source": {"type": "url", "url": "$"}},
        {"type": "web_search_tool_result", "tool_use_id": "$", "content": [{"type": "web_search_result", "title": "$", "url": "x", "encrypted_content": "$"}]},
    ]);
    let example = json!({
        "model": "$", "system": [{"type": "text", "text": "$", "cache_control": {"type": "$"}}], "metadata": {"user_id": "$"}, "stop_sequences": ["$"],
        "messages": [{"role": "$", "content": blocks}, {"role": "user", "content": "$"}],
        "tools": [{"name": "$", "description": "$", "input_schema": {"description": "$"}, "cache_control": {"type": "$"}}], "tool_choice": {"name": "$"},
        "mcp_servers": [{"authorization_token": "$"}], "thinking": {"type": "$"},
    });
    let of_blocks = |at: &str| {
        let names = [
            "cache_control.type",
            "citations[].encrypted_index",
            "citations[].type",
            "citations[].url",
            "content[].encrypted_content",
            "content[].source.data",
            "content[].source.media_type",
            "data",
            "id",
            "name",
            "signature",
            "source.data",
            "source.media_type",
            "source.url",
            "thinking",
            "tool_use_id",
        ];
        names.map(|name| format!("{at}[].{name}")).to_vec()
    };
    let mut expected: Vec<String> = [
        "mcp_servers[].authorization_token",
        "messages[].role",
        "model",
        "system[].cache_control.type",
        "thinking.type",
    ]
    .into_iter()
    .chain(["tool_choice.name", "tools[].cache_control.type", "tools[].name"])
    .map(str::to_owned)
    .chain(of_blocks("messages[].content"))
    .collect();
    expected.sort();
    assert_eq!(untouched(Endpoint::AnthropicMessages, true, &example), expected);
    let answer = json!({"id": "$", "type": "message", "role": "$", "model": "$", "stop_reason": "$", "content": example["messages"][0]["content"]});
    let mut expected: Vec<String> =
        ["id", "model", "role", "stop_reason"].into_iter().map(str::to_owned).chain(of_blocks("content")).collect();
    expected.sort();
    assert_eq!(untouched(Endpoint::AnthropicMessages, false, &answer), expected);
}

#[test]
fn of_gemini_s_contents_data_and_signatures_stay() {
    let parts = json!([
        {"text": "$", "thoughtSignature": "$"}, {"inlineData": {"mimeType": "$", "data": "$"}}, {"fileData": {"fileUri": "$"}},
        {"functionCall": {"name": "$", "id": "$", "args": {"to": "$", "name": "$"}}}, {"functionResponse": {"name": "$", "response": {"result": "$"}}},
        {"executableCode": {"language": "$", "code": "$"}}, {"codeExecutionResult": {"outcome": "$", "output": "$"}},
    ]);
    let of_parts = |at: &str| {
        let names = [
            "codeExecutionResult.outcome",
            "executableCode.language",
            "fileData.fileUri",
            "functionCall.id",
            "functionCall.name",
            "functionResponse.name",
            "inlineData.data",
            "inlineData.mimeType",
            "thoughtSignature",
        ];
        names.map(|name| format!("{at}[].{name}")).to_vec()
    };
    let example = json!({
        "model": "$", "cachedContent": "$", "systemInstruction": {"role": "$", "parts": [{"text": "$"}]}, "contents": [{"role": "$", "parts": parts}],
        "tools": [{"functionDeclarations": [{"name": "$", "description": "$"}]}], "generationConfig": {"responseMimeType": "$", "stopSequences": ["$"]},
        "safetySettings": [{"category": "$"}],
    });
    let mut expected: Vec<String> =
        ["cachedContent", "contents[].role", "generationConfig.responseMimeType", "model", "safetySettings[].category"]
            .into_iter()
            .chain(["systemInstruction.role", "tools[].functionDeclarations[].name"])
            .map(str::to_owned)
            .chain(of_parts("contents[].parts"))
            .collect();
    expected.sort();
    assert_eq!(untouched(Endpoint::Gemini, true, &example), expected);
    let answer = json!({"modelVersion": "$", "responseId": "$", "candidates": [{"finishReason": "$", "content": {"role": "$", "parts": example["contents"][0]["parts"]}}]});
    let mut expected: Vec<String> =
        ["candidates[].content.role", "candidates[].finishReason", "modelVersion", "responseId"]
            .into_iter()
            .map(str::to_owned)
            .chain(of_parts("candidates[].content.parts"))
            .collect();
    expected.sort();
    assert_eq!(untouched(Endpoint::Gemini, false, &answer), expected);
}

#[test]
fn prompts_and_inputs_are_texts() {
    let completion = json!({"model": "$", "prompt": ["$", "$"], "suffix": "$", "user": "$", "logit_bias": {"a": 1}});
    assert_eq!(untouched(Endpoint::OpenaiCompletions, true, &completion), ["model"]);
    let embedding = json!({"model": "$", "input": ["$", [1, 2]], "encoding_format": "$"});
    assert_eq!(untouched(Endpoint::OpenaiEmbeddings, true, &embedding), ["encoding_format", "model"]);
    // base64 of vectors is no text
    let vectors = json!({"model": "$", "object": "$", "data": [{"object": "$", "embedding": "$"}]});
    assert_eq!(
        untouched(Endpoint::OpenaiEmbeddings, false, &vectors),
        ["data[].embedding", "data[].object", "model", "object"]
    );
    let legacy = json!({"model": "$", "prompt": "$"});
    assert_eq!(untouched(Endpoint::AnthropicComplete, true, &legacy), ["model"]);
}
