//! What can't be read, what ends in trailers, what is compressed, what is hostile: nothing unredacted leaves.

use std::io::Write;

use e2e::ai::{Answer, Encoding};
use e2e::pii::{Setup, Sidecar, chat, config, each, post};
use e2e::with;
use flate2::write::{GzEncoder, ZlibEncoder};
use harness::{Reply, Request};
use serde_json::{Value, json};

const CHAT: &str = "/v1/chat/completions";
const MAIL: &str = "ada.lovelace@example.com";

/// A prompt in the form of each API, by its path.
fn prompts(stream: bool) -> Vec<(&'static str, Value)> {
    let message = json!([{"role": "user", "content": MAIL}]);
    let gemini = if stream {
        "/v1beta/models/gemini:streamGenerateContent?alt=sse"
    } else {
        "/v1beta/models/gemini:generateContent"
    };
    let mut prompts = vec![
        (CHAT, json!({"model": "m", "messages": message, "stream": stream})),
        ("/v1/completions", json!({"model": "m", "prompt": MAIL, "stream": stream})),
        ("/v1/responses", json!({"model": "m", "input": MAIL, "stream": stream})),
        ("/v1/messages", json!({"model": "m", "max_tokens": 9, "messages": message, "stream": stream})),
        (gemini, json!({"contents": [{"role": "user", "parts": [{"text": MAIL}]}]})),
    ];
    if stream {
        prompts.push((
            "/v1beta/models/gemini:streamGenerateContent",
            json!({"contents": [{"role": "user", "parts": [{"text": MAIL}]}]}),
        ));
    } else {
        prompts.push(("/v1/embeddings", json!({"model": "m", "input": [MAIL]})));
    }
    prompts
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The texts of an answer, one after the other.
fn texts(body: &str) -> String {
    let mut all = String::new();
    let mut add = |document: &str| {
        if let Ok(value) = serde_json::from_str::<Value>(document) {
            gather(&value, &mut all);
        }
    };
    if body.contains("data: ") {
        body.lines().filter_map(|line| line.strip_prefix("data: ")).for_each(&mut add);
    } else {
        add(body);
    }
    all
}

fn gather(value: &Value, all: &mut String) {
    match value {
        Value::Array(list) => list.iter().for_each(|value| gather(value, all)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| match value {
            Value::String(text) if ["content", "text", "delta"].contains(&name.as_str()) => all.push_str(text),
            value => gather(value, all),
        }),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trailers_of_requests_and_answers_pass_on_every_api() {
    for setup in [Setup::new(config("enforce")), Setup::new(config("enforce")).http2()] {
        let http2 = setup.http2;
        each(setup, async |sidecar: Sidecar| {
            sidecar.ai.answer(Answer::echo().trailer("x-after", "done"));
            for (path, prompt) in prompts(false).into_iter().chain(prompts(true)) {
                let request = post(path, &prompt).trailer("x-end", "1");
                // HTTP/1.1 has trailers only where both sides are told to take them
                let answer = sidecar.try_ask_http2(&request).await.unwrap_or_else(|error| panic!("{path}: {error}"));
                assert_eq!(answer.status, 200, "{path}: {}", answer.text());
                if path != "/v1/embeddings" {
                    assert!(texts(&answer.text()).contains(MAIL), "{path}: {}", answer.text());
                }
                if http2 {
                    assert_eq!(answer.trailers.text("x-after").as_deref(), Some("done"), "{path}");
                }
                let seen = sidecar.ai.upstream.take_one();
                assert!(!String::from_utf8_lossy(&seen.body).contains('@'), "{path}");
                if http2 {
                    assert_eq!(seen.trailers.text("x-end").as_deref(), Some("1"), "{path}");
                }
            }
            sidecar.assert_whole(&[MAIL]).await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_ends_in_trailers_passes_while_it_is_short() {
    let config = json!({"mode": "enforce", "rules": [{"name": "notes", "api": "text", "match": [{"uri": {"prefix": "/notes"}}]}]});
    each(Setup::new(config).http2(), async |sidecar: Sidecar| {
        sidecar.ai.upstream.respond(|_| Reply::text("fine"));
        let request = |body: &[&str]| {
            let request =
                Request::new("POST", "/notes").host("notes").header("content-type", "text/plain").trailer("x-end", "1");
            body.iter().fold(request, |request, piece| request.piece(piece))
        };
        let answer = sidecar.ask_http2(&request(&["I am ada.love", "lace@exam", "ple.com"])).await;
        assert_eq!(answer.status, 200);
        assert_eq!(String::from_utf8(sidecar.ai.upstream.take_one().body).unwrap(), "I am [EMAIL_1]");
        // what is long passes as it comes; its last word can't be sent any more, so it is refused
        let long = "word ".repeat(40_000);
        let answer = sidecar.ask_http2(&request(&[&long, MAIL])).await;
        assert_eq!(answer.status, 422, "{}", answer.text());
        assert_eq!(answer.json().unwrap()["error"]["code"], "trailers");
        for seen in sidecar.ai.upstream.take_requests() {
            assert!(!String::from_utf8_lossy(&seen.body).contains('@'));
        }
        sidecar.assert_whole(&[MAIL]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_compressed_is_read_and_passes_as_plain() {
    each(Setup::new(config("enforce")), async |sidecar: Sidecar| {
        let body = chat(&format!("{MAIL} {}", "words ".repeat(20_000))).to_string();
        for (coding, bytes) in
            [("gzip", gzip(body.as_bytes())), ("deflate", deflate(body.as_bytes())), ("x-gzip", gzip(body.as_bytes()))]
        {
            let request = Request::post(CHAT, bytes)
                .host("api")
                .header("content-type", "application/json")
                .header("content-encoding", coding);
            let answer = sidecar.ask(&request.header("accept-encoding", "br, gzip;q=0.5")).await;
            assert!(texts(&answer.text()).contains(MAIL), "{coding}: {}", answer.text());
            let seen = sidecar.ai.upstream.take_one();
            assert_eq!(String::from_utf8_lossy(&seen.body), body.replace(MAIL, "[EMAIL_1]"), "{coding}");
            assert!(!seen.headers.contains("content-encoding") && !seen.headers.contains("content-length"));
            assert_eq!(seen.headers.text("accept-encoding").as_deref(), Some("gzip"));
        }
        for encoding in [Encoding::Gzip, Encoding::Deflate] {
            for stream in [false, true] {
                sidecar.ai.answer(Answer::echo().encoded(encoding));
                let mut request = chat(MAIL);
                request["stream"] = json!(stream);
                let answer = sidecar.ask(&post(CHAT, &request)).await;
                assert!(texts(&answer.text()).contains(MAIL), "{encoding:?}: {}", answer.text());
                assert!(!answer.headers.contains("content-encoding"));
            }
        }
        sidecar.assert_whole(&[MAIL]).await;
    })
    .await;
}

/// Bodies that can't be read, and the word for why.
fn unreadable() -> Vec<(&'static str, Request, &'static str)> {
    let plain = |body: &[u8]| Request::post(CHAT, body).host("api").header("content-type", "application/json");
    let coded = |coding: &str, body: &[u8]| plain(body).header("content-encoding", coding);
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    let latin = [b"{\"messages\": \"caf\xe9 ".as_slice(), MAIL.as_bytes(), b"\"}"].concat();
    let wide: Vec<u8> = format!("{{\"messages\": \"{MAIL}\"}}").encode_utf16().flat_map(u16::to_be_bytes).collect();
    let bomb = gzip(&vec![b' '; 50_000_000]);
    vec![
        ("broken", plain(format!("{{\"messages\": [}} {MAIL}").as_bytes()), "malformed_json"),
        ("no json", plain(format!("hello {MAIL}").as_bytes()), "malformed_json"),
        ("cut", plain(format!("{{\"messages\": \"{MAIL}").as_bytes()), "truncated_json"),
        ("two", plain(format!("{{}} {{\"messages\": \"{MAIL}\"}}").as_bytes()), "malformed_json"),
        ("latin", plain(&latin), "malformed_utf8"),
        ("utf-16", plain(&wide), "malformed_json"),
        ("deep", plain(deep.as_bytes()), "nested_too_deeply"),
        (
            "form",
            Request::post(CHAT, format!("--x\r\n\r\n{MAIL}\r\n--x--"))
                .host("api")
                .header("content-type", "multipart/form-data; boundary=x"),
            "malformed_json",
        ),
        ("brotli", coded("br", b"whatever"), "content_encoding"),
        ("zstd", coded("zstd", b"whatever"), "content_encoding"),
        ("twice", coded("gzip, gzip", &gzip(&gzip(b"{}"))), "content_encoding"),
        ("no gzip", coded("gzip", b"whatever it is"), "malformed_encoding"),
        ("half gzip", coded("gzip", &gzip(chat(MAIL).to_string().as_bytes())[..40]), "malformed_encoding"),
        ("bomb", coded("gzip", &bomb), "decompression_ratio"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_cannot_be_read_is_refused_or_counted_as_passed() {
    each(Setup::new(config("enforce")), async |sidecar: Sidecar| {
        for (name, request, word) in unreadable() {
            let answer = sidecar.ask(&request).await;
            assert_eq!(answer.status, 422, "{name}: {}", answer.text());
            assert_eq!(answer.json().unwrap()["error"]["code"], word, "{name}");
            for body in sidecar.ai.bodies() {
                assert!(!String::from_utf8_lossy(&body).contains(MAIL), "{name}");
            }
        }
        let tags = [("rule", "built-in"), ("direction", "request"), ("reason", "malformed_json")];
        sidecar.envoy.wait_for_counter("runtime_control_pii_redactor_blocked_total", &tags, 5).await.unwrap();

        sidecar.ai.upstream.respond(|_| Reply::json(&json!({"choices": []})));
        sidecar.configure(with(config("enforce"), "/onError", json!("pass"))).await;
        for (name, request, word) in unreadable() {
            let body = request.body.concat();
            let answer = sidecar.ask(&request).await;
            if ["no gzip", "half gzip", "bomb"].contains(&name) {
                // what was decoded so far has left: the rest can't follow as it is
                assert_eq!(
                    (answer.status, answer.json().unwrap()["error"]["code"].as_str()),
                    (422, Some(word)),
                    "{name}"
                );
                continue;
            }
            assert_eq!(answer.status, 200, "{name}: {}", answer.text());
            let seen = sidecar.ai.upstream.take_requests().pop().unwrap();
            assert!(seen.body == body, "{name}: {:?}", String::from_utf8_lossy(&seen.body));
        }
        let tags = [("rule", "built-in"), ("reason", "content_encoding")];
        sidecar.envoy.wait_for_counter("runtime_control_pii_redactor_passed_total", &tags, 3).await.unwrap();
        sidecar.assert_whole(&[MAIL]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_read_does_not_pass() {
    each(Setup::new(config("enforce")), async |sidecar: Sidecar| {
        let secret = "bob@example.org";
        let reply = |kind: &str, body: &str| Reply::new(200).header("content-type", kind).piece(body);
        let cases = [
            ("broken", reply("application/json", &format!("{{\"a\": \"{secret}\" oops"))),
            ("cut", reply("application/json", &format!("{{\"a\": \"{secret}"))),
            ("unknown", reply("application/vnd.amazon.eventstream", secret)),
            ("brotli", reply("application/json", secret).header("content-encoding", "br")),
            ("event", reply("text/event-stream", &format!("data: {{\"a\": \"{secret}\" oops}}\n\n"))),
            ("cut event", reply("text/event-stream", &format!("data: {{\"a\": \"{secret}"))),
        ];
        for (name, reply) in cases {
            sidecar.ai.upstream.respond(move |_| reply.clone());
            match sidecar.try_ask(&post(CHAT, &chat("hi"))).await {
                // headers that tell enough are answered for; a body that has begun is broken off
                Ok(answer) if answer.status == 502 => assert!(["unknown", "brotli"].contains(&name), "{name}"),
                Ok(answer) => {
                    assert!(name.contains("event"), "{name}: {answer:?}");
                    assert!(
                        answer.text().contains("\"error\"") && !answer.text().contains(secret),
                        "{name}: {}",
                        answer.text()
                    );
                }
                Err(_) => assert!(["broken", "cut"].contains(&name), "{name}"),
            }
        }
        for (kind, body) in [("text/html", format!("<p>{secret}</p>")), ("text/plain", secret.to_owned())] {
            let reply = Reply::new(503).header("content-type", kind).piece(&body);
            sidecar.ai.upstream.respond(move |_| reply.clone());
            let answer = sidecar.ask(&post(CHAT, &chat("hi"))).await;
            assert_eq!((answer.status, answer.text()), (503, body.replace(secret, "[EMAIL_1]")));
        }
        sidecar.assert_whole(&[secret]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_not_upgraded_unless_that_is_allowed() {
    let realtime = || {
        Request::get("/v1/realtime?model=m")
            .host("api")
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-key", "x")
    };
    let mut setup = Setup::new(config("enforce"));
    setup.manager = json!({"upgrade_configs": [{"upgrade_type": "websocket"}]});
    each(setup, async |sidecar: Sidecar| {
        let answer = sidecar.ask(&realtime()).await;
        assert_eq!((answer.status, answer.json().unwrap()["error"]["code"].as_str()), (403, Some("upgrade_refused")));
        assert_eq!(sidecar.ai.upstream.count(), 0);
        let rules = json!([{"name": "realtime", "api": "openai", "match": [{"uri": {"prefix": "/v1/realtime"}}], "allowUpgrade": true}]);
        sidecar.configure(with(config("enforce"), "/rules", rules)).await;
        // it reaches the service, which does not speak WebSocket
        let _answer = sidecar.try_ask(&realtime()).await;
        sidecar.ai.upstream.wait_for(1).await.unwrap();
        sidecar.assert_whole(&[]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_configuration_refuses_what_it_would_guard_and_nothing_else() {
    each(Setup::new("{\"mode\": \"enforce\", \"entities\": {\"preset\": \"nope\"}}"), async |sidecar: Sidecar| {
        let answer = sidecar.ask(&post(CHAT, &chat(MAIL))).await;
        assert_eq!((answer.status, answer.json().unwrap()["error"]["code"].as_str()), (503, Some("settings_broken")));
        let line = sidecar.envoy.logs().wait(|line| line.contains("config_loaded")).await.unwrap();
        assert!(line.contains("entities.preset: "), "{line}");
        sidecar.ai.upstream.respond(|_| Reply::text("fine"));
        assert_eq!(sidecar.ask(&Request::get("/health").host("api")).await.status, 200);
        sidecar.ai.upstream.take_requests();
        sidecar.configure(config("enforce")).await;
        sidecar.ai.upstream.respond(|_| Reply::json(&json!({})));
        assert_eq!(sidecar.ask(&post(CHAT, &chat(MAIL))).await.status, 200);
        // a later one that is broken leaves the last good one running
        sidecar.configure("this is no json").await;
        assert_eq!(sidecar.ask(&post(CHAT, &chat(MAIL))).await.status, 200);
        for body in sidecar.ai.bodies() {
            assert!(!String::from_utf8_lossy(&body).contains('@'));
        }
        sidecar.assert_whole(&[MAIL]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_more_than_is_allowed_is_dealt_with_as_what_cannot_be_read() {
    let limits = json!({"maxValues": 2, "maxEventBytes": 4096});
    each(Setup::new(with(config("enforce"), "/limits", limits)), async |sidecar: Sidecar| {
        let answer = sidecar.ask(&post(CHAT, &chat("a@example.com b@example.com a@example.com"))).await;
        assert_eq!(answer.status, 200);
        let answer = sidecar.ask(&post(CHAT, &chat("a@example.com b@example.com c@example.com"))).await;
        assert_eq!((answer.status, answer.json().unwrap()["error"]["code"].as_str()), (422, Some("too_many_values")));
        let long = format!("data: {{\"a\": \"{}\"}}\n\n", "word ".repeat(2000));
        let reply = Reply::new(200).header("content-type", "text/event-stream").piece("data: {}\n\n").piece(long);
        sidecar.ai.upstream.respond(move |_| reply.clone());
        let answer = sidecar.ask(&post(CHAT, &chat("hi"))).await.text();
        assert!(answer.starts_with("data: {}\n\n") && answer.contains("\"code\":\"event_too_long\""), "{answer}");
        sidecar.assert_whole(&[]).await;
    })
    .await;
}
