//! Where the bodies of each API hold text, and what in them is never touched.
//!
//! What no table names is text: a field that an API gets tomorrow is looked at from its first day. Sources, read in November 2026:
//! the API references of OpenAI (platform.openai.com/docs/api-reference), Anthropic (docs.anthropic.com/en/api) and Gemini
//! (ai.google.dev/api).

use crate::{rules::Endpoint, session::Direction};

/// What a string at a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Text.
    Text,
    /// JSON in a string: the arguments of a tool.
    Json,
    /// A part of a text that goes on in later events of a stream.
    Delta(Stream),
    /// Not to be touched: names, ids, signatures, encrypted and binary content.
    Never,
}

/// Which text of an answer a part belongs to, beside the numbers in its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// What the model says.
    Content,
    /// Why it does not.
    Refusal,
    /// What it thinks, where that is not signed.
    Reasoning,
    /// What it says aloud.
    Transcript,
    /// What it writes for a tool, as text.
    Input,
    /// What it calls a tool with, as JSON.
    Arguments,
}

impl Stream {
    /// Whether its text is JSON.
    #[must_use]
    pub const fn is_json(self) -> bool {
        matches!(self, Stream::Arguments)
    }
}

/// What is at a path: `parts` are its keys, with `[]` for each array; `kind` is the `type` that stands beside it (or, in an event of
/// OpenAI's Responses, the event's).
#[must_use]
pub fn place(endpoint: Endpoint, direction: Direction, parts: &[&str], kind: &str) -> Place {
    match (endpoint, direction) {
        (Endpoint::OpenaiChat, Direction::Request) => chat_request(parts),
        (Endpoint::OpenaiChat | Endpoint::OpenaiCompletions, Direction::Response) => chat_response(parts),
        (
            Endpoint::OpenaiCompletions | Endpoint::OpenaiEmbeddings | Endpoint::OpenaiModerations,
            Direction::Request,
        ) => completions_request(parts),
        (Endpoint::OpenaiEmbeddings, Direction::Response) => embeddings_response(parts),
        (Endpoint::OpenaiModerations, Direction::Response) => Place::Text,
        (Endpoint::OpenaiAny, Direction::Request) => first_of(chat_request(parts), || responses_request(parts, kind)),
        (Endpoint::OpenaiAny, Direction::Response) => {
            first_of(chat_response(parts), || responses_response(parts, kind))
        }
        (Endpoint::OpenaiResponses, Direction::Request) => responses_request(parts, kind),
        (Endpoint::OpenaiResponses, Direction::Response) => responses_response(parts, kind),
        (Endpoint::AnthropicMessages | Endpoint::AnthropicComplete | Endpoint::AnthropicAny, Direction::Request) => {
            anthropic_request(parts, kind)
        }
        (Endpoint::AnthropicMessages | Endpoint::AnthropicComplete | Endpoint::AnthropicAny, Direction::Response) => {
            anthropic_response(parts, kind)
        }
        (Endpoint::Gemini, Direction::Request) => gemini_request(parts),
        (Endpoint::Gemini, Direction::Response) => gemini_response(parts),
        (Endpoint::Json | Endpoint::Text, _) => Place::Text,
    }
}

/// Whether what is at a path tells the text once more in a form that can't be rewritten (tokens and their bytes): it is left out.
#[must_use]
pub fn is_left_out(endpoint: Endpoint, parts: &[&str]) -> bool {
    match endpoint {
        Endpoint::OpenaiChat | Endpoint::OpenaiCompletions => matches!(parts, ["choices", "[]", "logprobs"]),
        Endpoint::OpenaiResponses => parts.last() == Some(&"logprobs"),
        Endpoint::Gemini => matches!(parts, ["candidates", "[]", "logprobsResult"]),
        _ => false,
    }
}

/// What one table says, or, where it names nothing, another.
fn first_of(one: Place, other: impl FnOnce() -> Place) -> Place {
    if one == Place::Text { other() } else { one }
}

/// What is wrong in words, and in the words of the API for programs.
fn error(rest: &[&str]) -> Place {
    match rest {
        ["type" | "code" | "param" | "status", ..] => Place::Never,
        _ => Place::Text,
    }
}

/// A call of a tool, in OpenAI's chats.
fn tool_call(rest: &[&str]) -> Place {
    match rest {
        ["id" | "type"] | ["function" | "custom", "name"] => Place::Never,
        ["function", "arguments"] => Place::Json,
        _ => Place::Text,
    }
}

fn chat_request(parts: &[&str]) -> Place {
    match parts {
        [
            "model"
            | "service_tier"
            | "reasoning_effort"
            | "verbosity"
            | "safety_identifier"
            | "prompt_cache_key"
            | "prompt_cache_retention",
        ]
        | ["modalities" | "audio" | "logit_bias" | "tool_choice" | "function_call" | "stream_options", ..] => {
            Place::Never
        }
        ["messages", "[]", rest @ ..] => chat_message(rest),
        ["tools", "[]", "type"] | ["tools", "[]", "function" | "custom", "name"] | ["functions", "[]", "name"] => {
            Place::Never
        }
        ["response_format", "type"] | ["response_format", "json_schema", "name"] => Place::Never,
        _ => Place::Text,
    }
}

fn chat_message(rest: &[&str]) -> Place {
    match rest {
        ["role" | "tool_call_id"] | ["audio", ..] => Place::Never,
        ["content", "[]", "type"] | ["content", "[]", "image_url" | "input_audio" | "file" | "cache_control", ..] => {
            Place::Never
        }
        ["tool_calls", "[]", rest @ ..] => tool_call(rest),
        ["function_call", "name"] => Place::Never,
        ["function_call", "arguments"] => Place::Json,
        _ => Place::Text,
    }
}

fn completions_request(parts: &[&str]) -> Place {
    match parts {
        ["model" | "encoding_format" | "service_tier"] | ["logit_bias" | "stream_options", ..] => Place::Never,
        _ => Place::Text,
    }
}

fn embeddings_response(parts: &[&str]) -> Place {
    match parts {
        ["model" | "object"] | ["data", ..] => Place::Never,
        ["error", rest @ ..] => error(rest),
        _ => Place::Text,
    }
}

fn chat_response(parts: &[&str]) -> Place {
    match parts {
        ["id" | "object" | "model" | "system_fingerprint" | "service_tier"] | ["usage", ..] => Place::Never,
        ["choices", "[]", "finish_reason"] => Place::Never,
        ["choices", "[]", "text"] | ["choices", "[]", "delta", "content"] => Place::Delta(Stream::Content),
        ["choices", "[]", "message", "audio", "id" | "data"] => Place::Never,
        ["choices", "[]", "message", "images" | "annotations", .., "url" | "type"] => Place::Never,
        ["choices", "[]", "message", rest @ ..] => chat_message_of_answer(rest),
        ["choices", "[]", "delta", rest @ ..] => chat_delta(rest),
        ["error", rest @ ..] => error(rest),
        _ => Place::Text,
    }
}

fn chat_message_of_answer(rest: &[&str]) -> Place {
    match rest {
        ["audio", "transcript"] => Place::Text,
        rest => chat_message(rest),
    }
}

fn chat_delta(rest: &[&str]) -> Place {
    match rest {
        ["role"] | ["audio", "id" | "data"] | ["images", ..] => Place::Never,
        ["refusal"] => Place::Delta(Stream::Refusal),
        ["reasoning_content" | "reasoning"] => Place::Delta(Stream::Reasoning),
        ["audio", "transcript"] => Place::Delta(Stream::Transcript),
        ["tool_calls", "[]", "function", "arguments"] | ["function_call", "arguments"] => {
            Place::Delta(Stream::Arguments)
        }
        ["tool_calls", "[]", "custom", "input"] => Place::Delta(Stream::Input),
        ["tool_calls", "[]", rest @ ..] => tool_call(rest),
        ["function_call", "name"] => Place::Never,
        _ => Place::Text,
    }
}

fn responses_request(parts: &[&str], kind: &str) -> Place {
    match parts {
        [
            "model"
            | "previous_response_id"
            | "prompt_cache_key"
            | "prompt_cache_retention"
            | "safety_identifier"
            | "service_tier"
            | "truncation",
        ]
        | ["include" | "conversation" | "tool_choice" | "stream_options", ..]
        | ["prompt", "id" | "version"]
        | ["reasoning", ..]
        | ["text", "verbosity"]
        | ["text", "format", "type" | "name"] => Place::Never,
        ["input", "[]", rest @ ..] => item(rest, kind),
        ["tools", "[]", rest @ ..] => tool(rest),
        _ => Place::Text,
    }
}

/// A tool of a request. What a tool of the provider's is called with (a server's authorization) is meant for it.
fn tool(rest: &[&str]) -> Place {
    match rest {
        [
            "type" | "name" | "server_label" | "server_url" | "connector_id" | "authorization" | "require_approval"
            | "allowed_tools" | "headers" | "vector_store_ids" | "container" | "cache_control",
            ..,
        ] => Place::Never,
        _ => Place::Text,
    }
}

/// An item of OpenAI's Responses.
fn item(rest: &[&str], kind: &str) -> Place {
    match rest {
        [
            "id"
            | "call_id"
            | "type"
            | "role"
            | "status"
            | "name"
            | "encrypted_content"
            | "server_label"
            | "result"
            | "approval_request_id"
            | "container_id"
            | "phase",
        ]
        | ["acknowledged_safety_checks", ..] => Place::Never,
        ["arguments"] => Place::Json,
        ["content" | "output", "[]", rest @ ..] | ["output", rest @ ..] if !rest.is_empty() => part(rest, kind),
        _ => Place::Text,
    }
}

/// A part of an item's content.
fn part(rest: &[&str], _kind: &str) -> Place {
    match rest {
        ["type" | "image_url" | "file_id" | "file_data" | "file_url" | "detail" | "id"] | ["input_audio", ..] => {
            Place::Never
        }
        ["annotations", "[]", "type" | "file_id" | "url" | "container_id"] => Place::Never,
        _ => Place::Text,
    }
}

fn responses_response(parts: &[&str], kind: &str) -> Place {
    match parts {
        ["delta"] => match kind {
            "response.output_text.delta" => Place::Delta(Stream::Content),
            "response.refusal.delta" => Place::Delta(Stream::Refusal),
            "response.reasoning_text.delta" | "response.reasoning_summary_text.delta" => {
                Place::Delta(Stream::Reasoning)
            }
            "response.function_call_arguments.delta" | "response.mcp_call_arguments.delta" => {
                Place::Delta(Stream::Arguments)
            }
            "response.audio.delta" => Place::Never,
            "response.audio.transcript.delta" => Place::Delta(Stream::Transcript),
            _ => Place::Delta(Stream::Input),
        },
        ["arguments"] => Place::Json,
        ["type" | "item_id" | "partial_image_b64" | "obfuscation" | "code" | "param"]
            if !kind.ends_with("_code.done") =>
        {
            Place::Never
        }
        ["response", rest @ ..] => response_object(rest, kind),
        ["item", rest @ ..] => item(rest, kind),
        ["part", rest @ ..] => part(rest, kind),
        ["annotation", rest @ ..] => part(&["annotations", "[]", rest.first().copied().unwrap_or_default()], kind),
        parts => response_object(parts, kind),
    }
}

/// The object of an answer of OpenAI's Responses, which repeats what was asked.
fn response_object(parts: &[&str], kind: &str) -> Place {
    match parts {
        ["id" | "object" | "status"] | ["incomplete_details" | "usage", ..] => Place::Never,
        ["output", "[]", rest @ ..] => item(rest, kind),
        ["error", rest @ ..] => error(rest),
        parts => responses_request(parts, kind),
    }
}

fn anthropic_request(parts: &[&str], kind: &str) -> Place {
    match parts {
        ["model" | "service_tier" | "anthropic_version" | "container"]
        | [
            "anthropic_beta" | "tool_choice" | "thinking" | "output_config" | "mcp_servers" | "context_management"
            | "betas",
            ..,
        ] => Place::Never,
        ["system", "[]", rest @ ..] | ["messages", "[]", "content", "[]", rest @ ..] => block(rest, kind),
        ["messages", "[]", "role"] => Place::Never,
        ["tools", "[]", "name" | "type"] | ["tools", "[]", "cache_control", ..] => Place::Never,
        _ => Place::Text,
    }
}

/// A block of content. What is signed (what the model thought) has to come back as it was.
fn block(rest: &[&str], kind: &str) -> Place {
    match rest {
        ["input", ..] => Place::Text,
        ["content", "[]", rest @ ..] | ["source", "content", "[]", rest @ ..] | ["content", rest @ ..]
            if !rest.is_empty() =>
        {
            block(rest, kind)
        }
        [
            "type" | "id" | "tool_use_id" | "name" | "signature" | "thinking" | "encrypted_content" | "encrypted_index"
            | "server_name" | "file_id" | "media_type" | "error_code" | "caller",
            ..,
        ]
        | ["cache_control", ..] => Place::Never,
        ["data"] => Place::Never,
        ["source", "data"] if kind != "text" => Place::Never,
        ["source", "type" | "media_type" | "url" | "file_id"] => Place::Never,
        ["citations", "[]", "type" | "encrypted_index" | "url" | "file_id"] => Place::Never,
        _ => Place::Text,
    }
}

fn anthropic_response(parts: &[&str], kind: &str) -> Place {
    match parts {
        ["id" | "type" | "role" | "model" | "stop_reason" | "log_id" | "request_id" | "stop"]
        | ["usage" | "container", ..] => Place::Never,
        ["completion"] | ["delta", "text"] => Place::Delta(Stream::Content),
        ["delta", "partial_json"] => Place::Delta(Stream::Arguments),
        ["delta", "thinking" | "signature" | "type" | "stop_reason"] => Place::Never,
        ["delta", "citation", rest @ ..] => {
            block(&["citations", "[]", rest.first().copied().unwrap_or_default()], kind)
        }
        ["content", "[]", rest @ ..] | ["content_block", rest @ ..] => block(rest, kind),
        ["message", rest @ ..] => anthropic_response(rest, kind),
        ["error", rest @ ..] => error(rest),
        _ => Place::Text,
    }
}

fn gemini_request(parts: &[&str]) -> Place {
    match parts {
        ["model" | "cachedContent" | "cached_content" | "taskType"]
        | ["toolConfig" | "tool_config" | "safetySettings" | "safety_settings", ..]
        | [
            "generationConfig" | "generation_config",
            "responseMimeType" | "responseModalities" | "speechConfig" | "mediaResolution",
            ..,
        ] => Place::Never,
        ["contents", "[]", "parts", "[]", rest @ ..]
        | ["systemInstruction" | "system_instruction" | "content" | "contents", "parts", "[]", rest @ ..] => {
            gemini_part(rest)
        }
        ["contents", "[]", "role"] | ["systemInstruction" | "system_instruction" | "content" | "contents", "role"] => {
            Place::Never
        }
        ["requests", "[]", rest @ ..] | ["generateContentRequest", rest @ ..] => gemini_request(rest),
        ["tools", "[]", "functionDeclarations" | "function_declarations", "[]", "name"] => Place::Never,
        _ => Place::Text,
    }
}

fn gemini_part(rest: &[&str]) -> Place {
    match rest {
        [
            "inlineData" | "inline_data" | "fileData" | "file_data" | "thoughtSignature" | "thought_signature"
            | "videoMetadata",
            ..,
        ] => Place::Never,
        ["functionCall" | "function_call" | "functionResponse" | "function_response", "name" | "id"] => Place::Never,
        ["functionResponse" | "function_response", "parts", "[]", rest @ ..] => gemini_part(rest),
        ["executableCode" | "executable_code", "language"]
        | ["codeExecutionResult" | "code_execution_result", "outcome"] => Place::Never,
        _ => Place::Text,
    }
}

fn gemini_response(parts: &[&str]) -> Place {
    match parts {
        // a stream without `alt=sse` is an array of answers
        ["[]", rest @ ..] => gemini_response(rest),
        ["modelVersion" | "responseId" | "createTime"] | ["usageMetadata", ..] => Place::Never,
        ["candidates", "[]", "finishReason"] | ["candidates", "[]", "content", "role"] => Place::Never,
        ["candidates", "[]", "safetyRatings", ..] => Place::Never,
        ["candidates", "[]", "content", "parts", "[]", "text"] => Place::Delta(Stream::Content),
        ["candidates", "[]", "content", "parts", "[]", rest @ ..] => gemini_part(rest),
        ["candidates", "[]", "citationMetadata" | "groundingMetadata", .., "uri"] => Place::Never,
        ["embedding" | "embeddings" | "promptFeedback", ..] => Place::Never,
        ["error", rest @ ..] => error(rest),
        _ => Place::Text,
    }
}
