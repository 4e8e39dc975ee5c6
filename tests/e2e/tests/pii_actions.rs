//! What becomes of values: by kind, by list, by pattern, by rule, with a key, and in the other APIs' bodies.

use e2e::ai::Answer;
use e2e::pii::{Setup, Sidecar, chat, each, post};
use harness::{Recorded, Reply, Request};
use serde_json::{Value, json};

const CHAT: &str = "/v1/chat/completions";
const MAIL: &str = "ada.lovelace@example.com";
const CARD: &str = "4111 1111 1111 1111";

fn seen(request: &Recorded) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

/// What the API sees of a prompt.
async fn sent(sidecar: &Sidecar, prompt: &str) -> String {
    sidecar.ask(&post(CHAT, &chat(prompt))).await;
    seen(&sidecar.ai.upstream.take_one())["messages"][0]["content"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_has_its_action_and_lists_and_patterns_count() {
    let config = json!({
        "mode": "enforce",
        "entities": {"exclude": ["IP_ADDRESS"], "actions": {"CREDIT_CARD": "mask", "PHONE": "hash", "IBAN": "report"}},
        "placeholder": {"style": "<<{ENTITY}:{N}>>", "keyEnv": "PII_KEY"},
        "custom": [{"name": "EMPLOYEE_ID", "pattern": "DM-[0-9]{6}", "context": ["employee"]}],
        "neverRedact": ["support@devmentor.local"], "alwaysRedact": ["Project Falcon"],
    });
    let mut setup = Setup::new(config);
    setup.env = vec![("PII_KEY", "a key that is thirty-two bytes long")];
    each(setup, async |sidecar: Sidecar| {
        sidecar.ai.answer(Answer::text("hi"));
        let text = sent(
            &sidecar,
            &format!("{CARD}; +442079460958; DE89 3704 0044 0532 0130 00; 192.168.7.7; support@devmentor.local"),
        )
        .await;
        assert!(text.starts_with("**** **** **** 1111; phone:"), "{text}");
        assert!(text.ends_with("; DE89 3704 0044 0532 0130 00; 192.168.7.7; support@devmentor.local"), "{text}");
        let text = sent(&sidecar, "order DM-123456, employee DM-123456, project  FALCON").await;
        assert!(
            text.starts_with("order DM-123456, employee <<EMPLOYEE_ID:") && text.contains(", <<CUSTOM_TERM:"),
            "{text}"
        );
        // a key makes them the same in every request
        let [first, second] = [sent(&sidecar, MAIL).await, sent(&sidecar, &format!("again {MAIL}")).await];
        assert_eq!(format!("again {first}"), second);
        assert_eq!(first.len(), "<<EMAIL:>>".len() + 12, "{first}");
        sidecar.assert_whole(&[MAIL, CARD, "123456", "a key that"]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_of_a_body_are_those_of_its_path() {
    let config = json!({
        "mode": "enforce",
        "rules": [
            {"name": "quiet", "api": "json", "match": [{"uri": {"prefix": "/quiet"}}], "mode": "report"},
            {"name": "tickets", "api": "json", "match": [{"uri": {"prefix": "/tickets"}}], "paths": ["notes[].text", "$.owner"], "response": {"action": "pass"}},
            {"name": "strict", "api": "openai", "match": [{"uri": {"prefix": "/v1/"}}], "request": {"action": "block"}},
        ],
    });
    each(Setup::new(config), async |sidecar: Sidecar| {
        let back = Reply::json(&json!({"said": "bob@example.org"}));
        sidecar.ai.upstream.respond(move |_| back.clone());
        let ticket = json!({"id": MAIL, "owner": MAIL, "notes": [{"by": MAIL, "text": format!("call {CARD}")}]});
        let answer = sidecar.ask(&post("/tickets/7", &ticket)).await;
        assert_eq!(answer.json().unwrap(), json!({"said": "bob@example.org"}));
        let expected =
            json!({"id": MAIL, "owner": "[EMAIL_1]", "notes": [{"by": MAIL, "text": "call [CREDIT_CARD_1]"}]});
        assert_eq!(seen(&sidecar.ai.upstream.take_one()), expected);
        sidecar.ask(&post("/quiet", &ticket)).await;
        assert_eq!(seen(&sidecar.ai.upstream.take_one()), ticket);
        sidecar.ask(&post("/elsewhere", &ticket)).await;
        assert_eq!(seen(&sidecar.ai.upstream.take_one()), ticket);
        let refused = sidecar.ask(&post(CHAT, &chat(MAIL))).await;
        assert_eq!(refused.status, 422);
        for body in sidecar.ai.bodies() {
            assert!(!String::from_utf8_lossy(&body).contains(MAIL));
        }
        assert_eq!(sidecar.ask(&post(CHAT, &chat("nothing to see"))).await.status, 200);
        // a path in another spelling is the same path
        for path in ["/v1//chat/completions", "/%76%31/chat/completions", "/V1/chat/completions"] {
            assert_eq!(sidecar.ask(&post(path, &chat(MAIL))).await.status, 422, "{path}");
        }
        sidecar.assert_whole(&[MAIL, CARD]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_stream_begins_before_its_answer_ends_and_what_waits_is_counted() {
    let config = json!({"mode": "enforce"});
    each(Setup::new(config), async |sidecar: Sidecar| {
        let mut request = chat(&format!("Hello there {MAIL}"));
        request["stream"] = json!(true);
        sidecar.ai.answer(Answer::echo().paused(std::time::Duration::from_millis(20)));
        let answer = sidecar.ask(&post(CHAT, &request)).await;
        assert_eq!(answer.status, 200);
        let tags = [("direction", "response")];
        sidecar.envoy.wait_for_counter("runtime_control_pii_redactor_held_total", &tags, 1).await.unwrap();
        let stats = sidecar.envoy.stats().await.unwrap();
        assert!(stats.counter("runtime_control_pii_redactor_held_milliseconds_total", &tags) >= 20);
        sidecar.envoy.wait_for_counter("runtime_control_pii_redactor_restored_total", &[], 1).await.unwrap();
        let found = [("entity", "EMAIL"), ("direction", "request"), ("action", "redact"), ("mode", "enforce")];
        sidecar.envoy.wait_for_counter("runtime_control_pii_redactor_found_total", &found, 1).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_never_gets_another_s_values() {
    each(Setup::new(json!({"mode": "enforce"})), async |sidecar: Sidecar| {
        // the model answers with the placeholder, whoever asks
        sidecar.ai.answer(Answer::text("it is [EMAIL_1]"));
        let said = |answer: Value| answer["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
        for person in ["ada@example.com", "bob@example.org"] {
            let answer = sidecar.ask(&post(CHAT, &chat(person))).await.json().unwrap();
            assert_eq!(said(answer), format!("it is {person}"));
        }
        let answer = sidecar.ask(&post(CHAT, &chat("who?"))).await.json().unwrap();
        assert_eq!(said(answer), "it is [EMAIL_1]");
        let get = sidecar.ask(&Request::get("/v1/responses/resp_1").host("api")).await;
        assert!(!get.text().contains('@'), "{}", get.text());
    })
    .await;
}
