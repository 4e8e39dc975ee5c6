//! Bodies of 100 MB and streams of 200,000 events through a real Envoy: every value is found, and the proxy's memory does not grow
//! with them.

use e2e::pii::{Setup, Sidecar, config, each_binary};
use harness::{Reply, Request};

/// The size of a body, in bytes.
const LARGE: usize = 100_000_000;
/// How much more memory the proxy may have at its most than before, in KiB: buffers between two sockets, and placeholders.
const MORE_MEMORY: u64 = 60_000;

const WORDS: [&str; 16] = [
    "The", "mesh", "knows", "where", "each", "call", "goes,", "but", "not", "what", "it", "says;", "that", "takes",
    "a", "reader.",
];

/// A document of OpenAI's with so many bytes of words, and a value in each `every` of them.
fn document(size: usize, every: usize) -> (String, usize) {
    let mut body = String::with_capacity(size + 1000);
    body.push_str(r#"{"model":"m","messages":[{"role":"user","content":""#);
    let (mut next, mut values) = (every, 0);
    for word in WORDS.iter().cycle() {
        body.push_str(word);
        body.push(' ');
        if body.len() >= next {
            // the same hundred people write again and again
            body.push_str(&format!("user{}@example.com ", values % 100));
            values += 1;
            next += every;
        }
        if body.len() >= size {
            break;
        }
    }
    body.push_str(r#""}]}"#);
    (body, values)
}

/// The most memory that a process has had so far, in KiB.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches("kB").trim().parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_megabytes_pass_both_ways_with_memory_flat() {
    each_binary(async |binary| {
        let sidecar = Sidecar::start(&binary, &Setup::new(config("enforce"))).await;
        let (body, values) = document(LARGE, 100_000);
        sidecar.ask(&e2e::pii::post("/v1/chat/completions", &e2e::pii::chat("warm"))).await;
        sidecar.ai.upstream.take_requests();
        let before = (peak(sidecar.envoy.pid()), sidecar.envoy.usage().expect("usage").threads);
        let answer = body
            .clone()
            .replace(r#""messages":[{"role":"user","content""#, r#""choices":[{"message":{"content""#)
            .replace("}]}", "}}]}");
        let reply = Reply::new(200).header("content-type", "application/json");
        let reply = answer.as_bytes().chunks(1 << 20).fold(reply, |reply, piece| reply.piece(piece));
        sidecar.ai.upstream.respond(move |_| reply.clone());
        let request = Request::post("/v1/chat/completions", body.as_bytes())
            .host("api.openai.com")
            .header("content-type", "application/json");
        let back = sidecar.ask(&request).await;
        let seen = sidecar.ai.upstream.take_one();
        let seen = String::from_utf8(seen.body).expect("text");
        assert_eq!(seen.matches("[EMAIL_").count(), values);
        assert!(!seen.contains('@'));
        // what the model says again is the caller's own
        assert_eq!(back.body.len(), answer.len());
        assert!(back.body == answer.as_bytes(), "the answer is the same, byte for byte");
        let after = (peak(sidecar.envoy.pid()), sidecar.envoy.usage().expect("usage").threads);
        println!("{}: before {before:?}, after {after:?}", harness::envoy_version(&binary));
        assert!(after.0 < before.0 + MORE_MEMORY, "{before:?} {after:?}");
        sidecar.assert_whole(&["user1@"]).await;
    })
    .await;
}

/// The events of a stream of chats.
const EVENTS: usize = 200_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_two_hundred_thousand_events_passes_with_memory_flat() {
    each_binary(async |binary| {
        let sidecar = Sidecar::start(&binary, &Setup::new(config("enforce"))).await;
        sidecar.ask(&e2e::pii::post("/v1/chat/completions", &e2e::pii::chat("warm"))).await;
        let before = peak(sidecar.envoy.pid());
        // a placeholder in two events of each ten
        let deltas = ["the ", "answer", " is", " that", " [EM", "AIL_1]", " wrote", " it", ", they", " say. "];
        let event = |delta: &str| {
            format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{delta}\"}},\"finish_reason\":null}}]}}\n\n")
        };
        let mut stream: String = deltas.iter().cycle().take(EVENTS).map(|delta| event(delta)).collect();
        stream += "data: [DONE]\n\n";
        let reply = Reply::new(200).header("content-type", "text/event-stream");
        let reply = stream.as_bytes().chunks(100_000).fold(reply, |reply, piece| reply.piece(piece));
        sidecar.ai.upstream.respond(move |_| reply.clone());
        let request = e2e::pii::post("/v1/chat/completions", &e2e::pii::chat("I am ada@example.com"));
        let body = sidecar.ask(&request).await.text();
        assert_eq!(body.matches("data: ").count(), EVENTS + 1);
        assert_eq!(body.matches("\" ada@example.com\"").count(), EVENTS / 10);
        assert!(!body.contains("EMAIL_1") && body.ends_with("data: [DONE]\n\n"));
        let after = peak(sidecar.envoy.pid());
        assert!(after < before + MORE_MEMORY, "{before} {after}");
        sidecar.assert_whole(&[]).await;
    })
    .await;
}
