//! pii-redactor in real Envoys: what the API sees, and what the caller gets.

use std::time::Duration;

use e2e::ai::{Answer, Encoding};
use e2e::pii::{Setup, Sidecar, chat, config, each, post};
use harness::{RawClient, Recorded, Reply, Request};
use serde_json::{Value, json};

const CHAT: &str = "/v1/chat/completions";
const MAIL: &str = "ada.lovelace@example.com";
const CARD: &str = "4111 1111 1111 1111";

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn said(answer: &Value) -> &str {
    answer["choices"][0]["message"]["content"].as_str().unwrap()
}

fn seen(request: &Recorded) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

/// What a client puts together of a stream of chats.
fn streamed(body: &str) -> String {
    body.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]")
        .filter_map(|data| {
            let event: Value = serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"));
            event["choices"][0]["delta"]["content"].as_str().map(str::to_owned)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_sees_placeholders_and_the_caller_its_own_values() {
    each(Setup::new(config("enforce")), async |sidecar: Sidecar| {
        let prompt = format!("Write to {MAIL} about \"{CARD}\"");
        let mark = sidecar.envoy.logs().mark();
        let answer = sidecar.ask(&post(CHAT, &chat(&prompt)).header("content-length-of", "x")).await;
        assert_eq!(said(&answer.json().unwrap()), prompt);
        let requests = sidecar.ai.upstream.take_requests();
        assert_eq!(seen(&requests[0])["messages"][0]["content"], "Write to [EMAIL_1] about \"[CREDIT_CARD_1]\"");
        let event = sidecar.found_after(mark).await;
        let found = json!([
            {"direction": "request", "entity": "CREDIT_CARD", "action": "redact", "count": 1},
            {"direction": "request", "entity": "EMAIL", "action": "redact", "count": 1},
        ]);
        assert_eq!((&event["found"], &event["restored"]), (&found, &json!(2)), "{event}");
        assert_eq!(event["paths"][0]["path"], "messages[0].content");
        sidecar.assert_whole(&[MAIL, CARD]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_restored_however_it_is_cut() {
    for setup in [Setup::new(config("enforce")), Setup::new(config("enforce")).http2()] {
        each(setup, async |sidecar: Sidecar| {
            let prompt = format!("Hello {MAIL}, {CARD}. Bye");
            let mut request = chat(&prompt);
            request["stream"] = json!(true);
            for answer in [
                Answer::echo(),
                Answer::echo().deltas_of(1),
                Answer::echo().chunks_of(7),
                Answer::echo().encoded(Encoding::Gzip),
            ] {
                sidecar.ai.answer(answer);
                for _ in 0..2 {
                    let answer = sidecar.ask(&post(CHAT, &request)).await.text();
                    assert_eq!(streamed(&answer), prompt, "{answer}");
                    assert!(answer.trim_end().ends_with("data: [DONE]"));
                }
                let answer = sidecar.ask_http2(&post(CHAT, &request)).await.text();
                assert_eq!(streamed(&answer), prompt);
                for body in sidecar.ai.bodies() {
                    assert!(!text(&body).contains('@'), "{}", text(&body));
                }
            }
            sidecar.assert_whole(&[MAIL, CARD]).await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reporting_changes_no_byte() {
    each(Setup::new(config("report")), async |sidecar: Sidecar| {
        let body = format!("{{ \"model\":\"m\" , \"messages\":[{{\"role\":\"user\",\"content\":\"{MAIL}\"}}] }}");
        let request = Request::post(CHAT, &body)
            .host("api.openai.com")
            .header("content-type", "application/json")
            .header("accept-encoding", "br");
        let mark = sidecar.envoy.logs().mark();
        let answer = sidecar.ask(&request).await;
        assert_eq!(said(&answer.json().unwrap()), MAIL);
        let seen = sidecar.ai.upstream.take_requests();
        assert_eq!(text(&seen[0].body), body);
        assert_eq!(seen[0].headers.text("content-length"), Some(body.len().to_string()));
        assert_eq!(seen[0].headers.text("accept-encoding").as_deref(), Some("br"));
        let event = sidecar.found_after(mark).await;
        assert_eq!(event["mode"], "report");
        assert_eq!(
            event["found"][0],
            json!({"direction": "request", "entity": "EMAIL", "action": "redact", "count": 1})
        );
        sidecar.assert_whole(&[MAIL]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_blocked_gets_an_error_in_the_api_s_own_shape() {
    let config = json!({"mode": "enforce", "entities": {"actions": {"CREDIT_CARD": "block"}}});
    each(Setup::new(config), async |sidecar: Sidecar| {
        let answer = sidecar.ask(&post(CHAT, &chat(CARD))).await;
        let body = answer.json().unwrap();
        assert_eq!(
            (answer.status, &body["error"]["code"], &body["error"]["type"]),
            (422, &json!("pii_blocked"), &json!("invalid_request_error")),
            "{body}"
        );
        assert!(body["error"]["message"].as_str().unwrap().contains("CREDIT_CARD"));
        let messages = json!({"model": "claude", "max_tokens": 10, "messages": [{"role": "user", "content": CARD}]});
        let body = sidecar.ask(&post("/v1/messages", &messages)).await.json().unwrap();
        assert_eq!((&body["type"], &body["error"]["type"]), (&json!("error"), &json!("invalid_request_error")));
        let contents = json!({"contents": [{"parts": [{"text": CARD}]}]});
        let body = sidecar.ask(&post("/v1beta/models/gemini:generateContent", &contents)).await.json().unwrap();
        assert_eq!(body["error"]["code"], 422);
        for body in sidecar.ai.bodies() {
            assert!(!text(&body).contains("4111"));
        }
        // what the model says: no answer has been begun that could be taken back
        sidecar.ai.answer(Answer::text(format!("it is {CARD}.")));
        let whole = sidecar.try_ask(&post(CHAT, &chat("hi"))).await;
        assert!(whole.is_err(), "{whole:?}");
        let mut request = chat("hi");
        request["stream"] = json!(true);
        let stream = sidecar.ask(&post(CHAT, &request)).await.text();
        assert!(!stream.contains("4111") && stream.contains("\"code\":\"pii_blocked\""), "{stream}");
        sidecar.assert_whole(&[CARD]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_cut_at_any_byte_is_the_same() {
    each(Setup::new(config("enforce")), async |sidecar: Sidecar| {
        let event =
            |delta: &str| format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": delta}}]}));
        let deltas = [
            "Dear [",
            "EMAIL",
            "_1]",
            ",\n\"so\" ",
            "bob@exam",
            "ple.org",
            " s\u{e4}gt \u{1f642}",
            " +49 170",
            " 1234567",
            "; ",
        ];
        let mut stream: String = deltas.iter().cycle().take(35).map(|delta| event(delta)).collect();
        stream += "data: [DONE]\n\n";
        assert!(stream.len() > 2000, "{}", stream.len());
        let request = post(CHAT, &chat(MAIL));
        let mut client = RawClient::connect(sidecar.envoy.addr("main")).await.unwrap();
        let mut whole = String::new();
        for at in 0..stream.len() {
            let (first, second) = stream.as_bytes().split_at(at);
            // the second comes when the first has been read
            let reply = Reply::new(200).header("content-type", "text/event-stream").piece(first);
            let reply = reply.piece_after(Duration::from_micros(300), second);
            sidecar.ai.upstream.respond(move |_| reply.clone());
            let answer = client.send(&request).await.unwrap().text();
            if at == 0 {
                assert!(
                    streamed(&answer).starts_with(&format!("Dear {MAIL},\n\"so\" [EMAIL_2] s\u{e4}gt")),
                    "{answer}"
                );
                whole = answer;
            } else {
                assert_eq!(answer, whole, "cut at {at}");
            }
        }
        sidecar.assert_whole(&[MAIL]).await;
    })
    .await;
}
