//! Which paths are known, in every spelling, and which values a JSON path names.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

use pii_core::config::Api;
use pii_core::rules::{Endpoint, JsonPath, Place, cleaned, known};
#[cfg(not(target_arch = "wasm32"))]
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn found(method: &str, path: &str) -> &'static str {
    known(method.as_bytes(), path.as_bytes()).map_or("", |(api, endpoint)| {
        assert_eq!(api, endpoint.api());
        endpoint.as_str()
    })
}

/// Paths of the APIs, in the spelling of their references.
const KNOWN: &[(&str, &str, &str)] = &[
    ("POST", "/v1/chat/completions", "openai_chat"),
    ("GET", "/v1/chat/completions/chatcmpl-abc", "openai_chat"),
    ("POST", "/v1/completions", "openai_completions"),
    ("POST", "/v1/embeddings", "openai_embeddings"),
    ("POST", "/v1/moderations", "openai_moderations"),
    ("POST", "/v1/responses", "openai_responses"),
    ("GET", "/v1/responses/resp_abc", "openai_responses"),
    ("GET", "/v1/responses/resp_abc/input_items", "openai_responses"),
    ("POST", "/v1/responses/resp_abc/cancel", "openai_responses"),
    ("GET", "/v1/realtime", "openai_any"),
    ("POST", "/openai/deployments/gpt-4o/chat/completions", "openai_chat"),
    ("POST", "/openai/deployments/ada/embeddings", "openai_embeddings"),
    ("POST", "/openai/deployments/gpt-35/completions", "openai_completions"),
    ("POST", "/openai/v1/responses", "openai_responses"),
    ("POST", "/openai/responses", "openai_responses"),
    ("POST", "/api/ai/v1/chat/completions", "openai_chat"),
    ("POST", "/v1beta/openai/chat/completions", "openai_chat"),
    ("POST", "/v1beta/openai/embeddings", "openai_embeddings"),
    ("POST", "/chat/completions", "openai_chat"),
    ("POST", "/v1/messages", "anthropic_messages"),
    ("POST", "/v1/messages/count_tokens", "anthropic_messages"),
    ("POST", "/anthropic/v1/messages", "anthropic_messages"),
    ("POST", "/v1/messages/batches", "anthropic_any"),
    ("GET", "/v1/messages/batches/b/results", "anthropic_any"),
    ("POST", "/v1/complete", "anthropic_complete"),
    ("POST", "/model/anthropic.claude-3-haiku-20240307-v1%3A0/invoke", "anthropic_messages"),
    ("POST", "/model/eu.anthropic.claude-v2/invoke-with-response-stream", "anthropic_messages"),
    ("POST", "/v1/projects/p/locations/l/publishers/anthropic/models/claude-3:streamRawPredict", "anthropic_messages"),
    ("POST", "/v1/projects/p/locations/l/publishers/anthropic/models/claude-3:rawPredict", "anthropic_messages"),
    ("POST", "/v1beta/models/gemini-pro:generateContent", "gemini"),
    ("POST", "/v1/models/gemini-pro:streamGenerateContent", "gemini"),
    ("POST", "/v1beta/models/gemini-pro:countTokens", "gemini"),
    ("POST", "/v1beta/models/text-embedding-004:embedContent", "gemini"),
    ("POST", "/v1beta/models/text-embedding-004:batchEmbedContents", "gemini"),
    ("POST", "/v1/projects/p/locations/l/publishers/google/models/gemini-pro:generateContent", "gemini"),
    ("POST", "/v1beta1/projects/p/locations/l/endpoints/123:streamGenerateContent", "gemini"),
];

#[test]
fn the_paths_of_the_apis_are_known() {
    for (method, path, endpoint) in KNOWN {
        assert_eq!(found(method, path), *endpoint, "{method} {path}");
    }
}

#[test]
fn other_paths_are_left_alone() {
    for (method, path) in [
        ("GET", "/"),
        ("GET", ""),
        ("POST", "*"),
        ("GET", "/v1/models"),
        ("POST", "/v1/files"),
        ("GET", "/v1/messages"),
        ("DELETE", "/v1/messages"),
        ("GET", "/v1/embeddings"),
        ("OPTIONS", "/v1/chat/completions"),
        ("POST", "/v2/messages"),
        ("POST", "/messages"),
        ("POST", "/responses"),
        ("POST", "/v1/messages/42"),
        ("POST", "/v1/completions/42"),
        ("POST", "/v1/incompletions"),
        ("POST", "/chat/v1/completionsx"),
        ("POST", "/v1beta/models/gemini-pro:predict"),
        ("POST", "/v1/projects/p/locations/l/publishers/meta/models/llama:rawPredict"),
        ("POST", "/model/amazon.titan/invoke"),
        ("POST", "/search?q=/v1/chat/completions"),
        ("POST", "/v1/chat/completions/../../models"),
    ] {
        assert_eq!(found(method, path), "", "{method} {path}");
    }
}

#[test]
fn no_other_spelling_gets_past() {
    for path in [
        "/v1/chat/completions/",
        "//v1//chat///completions",
        "/v1/chat/completions?api-version=1",
        "/v1/chat/completions#x",
        "/v1/chat/completions%3Fx=1",
        "/V1/Chat/COMPLETIONS",
        "/v1/chat/%63ompletions",
        "/v1%2Fchat%2fcompletions",
        "/v1/chat/%2563ompletions",
        "/v1/chat/%252563ompletions",
        "/v1/./chat/x/../completions",
        "/v1/%2e/chat/x/%2E%2e/completions",
        "/v1\\chat\\completions",
        "/v1;a=b/chat;c/completions;d",
        "/v1/chat/completions%20",
        "/v1/chat/completions%00",
        "/v1/chat /completions\t",
        "/v1/chat/ completions",
        "v1/chat/completions",
        "https://api.openai.com/v1/chat/completions",
        "/v1/chat/completions/%",
        "/%zz/v1/chat/completions",
        "/\u{fffd}/v1/chat/completions",
    ] {
        assert_eq!(found("POST", path), "openai_chat", "{path}");
    }
    for (path, endpoint) in [
        ("/v1beta/models/gemini-pro%3AgenerateContent", "gemini"),
        ("/v1beta/models/gemini-pro:GENERATECONTENT/", "gemini"),
        ("/v1beta/models/gemini-pro%253astreamGenerateContent", "gemini"),
        ("/v1//messages/", "anthropic_messages"),
        ("/v1/%6dessages", "anthropic_messages"),
    ] {
        assert_eq!(found("POST", path), endpoint, "{path}");
    }
    for method in ["post", "PUT", "PATCH", "QUERY", ""] {
        assert_eq!(found(method, "/v1/messages"), "anthropic_messages", "{method}");
    }
    let deep = format!("{}/v1/chat/completions", "/x".repeat(10_000));
    assert_eq!(found("POST", &deep), "openai_chat");
}

#[test]
fn a_clean_path_stays_as_it_is() {
    for (path, clean) in [("/", "/"), ("", ""), ("*", "/*"), ("/v1/Chat/a%b.c", "/v1/Chat/a%b.c"), ("/a/", "/a")] {
        assert_eq!(*cleaned(path.as_bytes()), *clean.as_bytes(), "{path}");
    }
    assert!(matches!(cleaned(b"/v1/Chat/a.b"), std::borrow::Cow::Borrowed(_)));
}

#[test]
fn a_rules_endpoint_follows_from_its_api_and_the_path() {
    let cases = [
        (Api::Openai, "/v1/embeddings", Endpoint::OpenaiEmbeddings),
        (Api::Openai, "/llm", Endpoint::OpenaiAny),
        (Api::Openai, "/v1/messages", Endpoint::OpenaiAny),
        (Api::Anthropic, "/v1/messages", Endpoint::AnthropicMessages),
        (Api::Anthropic, "/v1/chat/completions", Endpoint::AnthropicAny),
        (Api::Gemini, "/any", Endpoint::Gemini),
        (Api::Json, "/v1/chat/completions", Endpoint::Json),
        (Api::Text, "/v1/chat/completions", Endpoint::Text),
    ];
    for (api, path, endpoint) in cases {
        assert_eq!(Endpoint::of(api, path.as_bytes()), endpoint, "{api:?} {path}");
    }
}

/// A place as `a.b[0]`.
fn place(text: &str) -> Vec<Place<'_>> {
    text.split(['.', '['])
        .filter(|part| !part.is_empty())
        .map(|part| match part.strip_suffix(']') {
            Some(index) => Place::Element(index.parse().unwrap()),
            None => Place::Field(part),
        })
        .collect()
}

#[test]
fn a_json_path_names_values_and_all_below_them() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("$", &["a", "a.b[0]", ""], &[]),
        ("$.customer.notes", &["customer.notes", "customer.notes[1].x"], &["customer", "customer.name", "notes"]),
        ("customer.notes", &["customer.notes"], &["x.customer.notes"]),
        ("items[].text", &["items[0].text", "items[7].text"], &["items.text", "items[0]", "items[0].texts"]),
        ("items[*]['text']", &["items[3].text"], &["items.text"]),
        ("items[2]", &["items[2]", "items[2].a"], &["items[0]", "items.2"]),
        ("[].a", &["[0].a"], &["a", "[0].b"]),
        ("**.comment", &["comment", "a.comment", "a[1].b.comment.c"], &["comments", "a.b"]),
        ("a.**.b.**.c", &["a.b.c", "a.x.b.y[0].c", "a.b.b.c"], &["a.c", "b.c", "a.b"]),
        ("a.*.c", &["a.x.c"], &["a.c", "a[0].c", "a.x.y.c"]),
        ("['a.b'].c", &[], &["a.b.c"]),
        ("**", &["a", "a[0]", ""], &[]),
    ];
    for (path, named, others) in cases {
        let path = JsonPath::parse(path).unwrap_or_else(|wrong| panic!("{path} {wrong}"));
        for (places, expected) in [(named, true), (others, false)] {
            for text in *places {
                assert_eq!(path.covers(&place(text)), expected, "{path:?} {text}");
            }
        }
    }
    let odd = JsonPath::parse("['a.b'].c").unwrap();
    assert!(odd.covers(&[Place::Field("a.b"), Place::Field("c")]));
}

#[test]
fn what_is_no_json_path_says_why() {
    let long = "a".repeat(513);
    let deep = "[]".repeat(129);
    let cases = [
        ("", "is not 1 to 512 bytes long"),
        (&long, "is not 1 to 512 bytes long"),
        ("a..b", "has a dot without a name behind it; for any depth, write **"),
        ("$.", "has a dot without a name behind it; for any depth, write **"),
        ("a[", "has a bracket that does not end"),
        ("a['b]", "has a bracket that does not end"),
        ("a[-1]", "has something else than a number, * or a quoted name in brackets"),
        ("a[?(@.b)]", "has something else than a number, * or a quoted name in brackets"),
        ("a[99999999999]", "has a number in brackets that is too large"),
        ("a[0]b", "needs a dot or a bracket behind a bracket"),
        ("a*", "holds a name with one of * ] ' \" $; write it as ['name']"),
        ("$$", "needs a dot or a bracket behind a bracket"),
        (&deep, "has over 128 steps"),
    ];
    for (path, wrong) in cases {
        assert_eq!(JsonPath::parse(path).unwrap_err(), wrong, "{path}");
    }
}

#[cfg(not(target_arch = "wasm32"))]
proptest! {
    #[test]
    fn any_letters_may_be_percent_encoded_in_any_case(
        index in 0..KNOWN.len(),
        coded: Vec<u8>,
    ) {
        let (method, path, endpoint) = KNOWN[index];
        let mut spelled = String::new();
        for (at, byte) in path.bytes().enumerate() {
            let how = coded.get(at).copied().unwrap_or(0);
            match how % 8 {
                1 => spelled.push_str(&format!("%{byte:02x}")),
                2 => spelled.push_str(&format!("%{byte:02X}")),
                3 => spelled.push_str(&format!("%25{byte:02x}")),
                4 if byte == b'/' => spelled.push_str("//"),
                5 if byte == b'/' => spelled.push_str("/./"),
                6 if byte == b'/' => spelled.push_str("/x/../"),
                7 => spelled.push(char::from(byte.to_ascii_uppercase())),
                _ => spelled.push(char::from(byte)),
            }
        }
        prop_assert_eq!(found(method, &spelled), endpoint, "{}", spelled);
    }

    #[test]
    fn any_bytes_are_cleaned_without_fault_and_once_for_all(path: Vec<u8>) {
        let _found = known(b"POST", &path);
        let once = cleaned(&path).into_owned();
        prop_assert!(once.is_empty() || once.starts_with(b"/"));
    }

    #[test]
    fn any_text_is_a_json_path_or_not(text in "[a-c.$*\\[\\]'0-9]{0,12}", places in "[a-c.]{0,8}") {
        if let Ok(path) = JsonPath::parse(&text) {
            let _covers = path.covers(&place(&places));
        }
    }
}
