//! What rcctl says of pii-redactor's configurations and bodies, run as a user runs it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

mod tool;

use serde_json::{Value, json};
use tool::{File, Said, rcctl};

const MAIL: &str = "ada@example.com";
const CARD: &str = "4111 1111 1111 1111";

fn config() -> Value {
    json!({
        "mode": "enforce",
        "gate": {"flag": "ai-safety-pii"},
        "rules": [{
            "name": "openai", "match": [{"uri": {"prefix": "/v1/chat/completions"}}], "api": "openai",
        }, {
            "name": "notes", "match": [{"uri": {"prefix": "/notes"}}], "api": "json", "paths": ["text"], "mode": "report",
        }],
        "entities": {"preset": "default@1", "actions": {"CREDIT_CARD": "block", "IBAN": "mask"}},
        "alwaysRedact": ["Project Falcon"],
    })
}

fn chat(content: &str) -> String {
    json!({"model": "m", "messages": [{"role": "user", "content": content}]}).to_string()
}

fn answer(content: &str) -> String {
    json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": content}}]}).to_string()
}

/// `rcctl redact -` with a configuration.
fn redact(config: &Value, body: &str, more: &[&str]) -> Said {
    let file = File::new(&format!("redact-{:?}.json", std::thread::current().id()), &config.to_string());
    rcctl(&[&["redact", "-", "--config", file.path()], more].concat(), body)
}

#[test]
fn redact_prints_the_body_as_it_leaves_and_what_was_found_without_a_value() {
    let iban = "GB82 WEST 1234 5698 7654 32";
    let said = redact(&config(), &chat(&format!("{MAIL}, again {MAIL}, {iban}, project falcon")), &[]);
    let expected = "\
rule      openai (rules[0], mode enforce)
api       openai_chat
gate      guarded: nothing says, so whenMissing counts
request   passes, changed
found     side     entity       action  count  where
          request  CUSTOM_TERM  redact  1      messages[0].content
          request  EMAIL        redact  2      messages[0].content
          request  IBAN         mask    1      messages[0].content
";
    let masked = "**** **** **** **** **54 32";
    let body = chat(&format!("[EMAIL_1], again [EMAIL_1], {masked}, [CUSTOM_TERM_1]"));
    assert_eq!((said.out.as_str(), said.err.as_str(), said.code), (body.as_str(), expected, 0));

    let said = redact(&config(), &chat(MAIL), &["--show", "findings"]);
    assert!(said.err.is_empty() && said.out.contains("EMAIL") && !said.out.contains(MAIL), "{}", said.out);
    let said = redact(&config(), &chat(MAIL), &["--show", "body"]);
    assert_eq!((said.out, said.err.as_str()), (chat("[EMAIL_1]"), ""));
    let said = redact(&config(), &chat("hello"), &[]);
    assert!(said.err.ends_with("request   passes as it is\nfound     nothing\n"), "{}", said.err);
}

#[test]
fn an_answer_gets_the_callers_values_back_and_loses_others() {
    let told = File::new("redact-answer.json", &answer("[EMAIL_1], bob@example.org and [EMAIL_9]"));
    let said = redact(&config(), &chat(MAIL), &["--answer", told.path()]);
    let expected = format!("{}\n{}\n", chat("[EMAIL_1]"), answer(&format!("{MAIL}, [EMAIL_2] and [EMAIL_9]")));
    assert_eq!((said.out, said.code), (expected, 0));
    let tail = "\
answer    passes, changed
found     side     entity  action  count  where
          request  EMAIL   redact  1      messages[0].content
          answer   EMAIL   redact  1      choices[0].message.content
restored  1 placeholder, and 1 that stand for no value of this request stay
";
    assert!(said.err.ends_with(tail), "{}", said.err);
    // what the model says twice goes twice, and its own words don't bring it back
    let twice = answer(&format!("bob@example.org {MAIL} bob@example.org [EMAIL_2]"));
    let told = File::new("redact-answer-twice.json", &twice);
    let said = redact(&config(), &chat(MAIL), &["--answer", told.path(), "--show", "body"]);
    assert!(
        said.out.ends_with(&format!("{}\n", answer(&format!("[EMAIL_2] {MAIL} [EMAIL_2] [EMAIL_2]")))),
        "{}",
        said.out
    );
    // of an answer alone nothing can be restored
    let said = redact(&config(), &answer("[EMAIL_1] bob@example.org"), &["--response"]);
    assert_eq!(said.out, answer("[EMAIL_1] [EMAIL_1]"));
}

#[test]
fn a_stream_is_the_same_however_it_is_cut() {
    let event = |text: &str| {
        let event = json!({"choices": [{"index": 0, "delta": {"content": text}}]});
        format!("data: {event}\n\n")
    };
    let stream = format!("{}{}{}data: [DONE]\n\n", event("write to ada@exa"), event("mple.com to"), event("day"));
    let whole = format!("{}{}{}data: [DONE]\n\n", event("write to [EMAIL_1]"), event(" to"), event("day"));
    for chunk in ["1", "7", "64", "100000"] {
        let said = redact(&config(), &stream, &["--response", "--chunk", chunk]);
        assert_eq!((said.out, said.code), (whole.clone(), 0), "{chunk}: {}", said.err);
    }
    // the type that is told outweighs what a body looks like
    let said = redact(&config(), &stream, &["--response", "--content-type", "application/json"]);
    assert_eq!((said.out.as_str(), said.code), ("", 1));
    assert!(said.err.contains("answer    cut off (malformed_json): "), "{}", said.err);
}

#[test]
fn what_does_not_pass_is_told_and_exits_with_1() {
    let said = redact(&config(), &chat(&format!("pay with {CARD}")), &[]);
    assert_eq!((said.out.as_str(), said.code), ("", 1));
    let told = "request   refused (pii_blocked): the client gets 422 and is told: {\"error\":{\"code\":\"pii_blocked\",\
                \"message\":\"the request holds what may not pass: CREDIT_CARD\",\"param\":null,\"type\":\"invalid_request_error\"}}\n";
    assert!(said.err.contains(told) && !said.err.contains("4111"), "{}", said.err);

    let said = redact(&config(), "{\"model\": ", &[]);
    assert!(said.code == 1 && said.err.contains("refused (truncated_json)"), "{}", said.err);
    let said = redact(&config(), "{}", &["--response", "--content-type", "application/octet-stream"]);
    assert!(
        said.code == 1 && said.err.contains("answer    refused (content_type): the client gets 502"),
        "{}",
        said.err
    );
    let stream = format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": format!("{CARD} ")}}]}));
    let said = redact(&config(), &stream, &["--response"]);
    assert!(
        said.code == 1 && said.err.contains("answer    ended (pii_blocked): the last event says why"),
        "{}",
        said.err
    );
    assert!(said.out.contains("\"code\":\"pii_blocked\"") && !said.out.contains("4111"), "{}", said.out);

    let mut large = config();
    let pattern = |index: u32| json!({"name": format!("P{index}"), "pattern": "[A-Z]{1500}"});
    large["custom"] = (0..40).map(pattern).collect();
    let said = redact(&large, &chat("hello"), &[]);
    assert!(said.code == 2 && said.err.contains("custom: can't be looked for together: "), "{}", said.err);

    let mut open = config();
    open["onError"] = json!("pass");
    let said = redact(&open, "{\"model\": ", &[]);
    assert_eq!((said.out.as_str(), said.code), ("{\"model\": ", 0));
    assert!(said.err.contains("request   passes as it is, though it can't be read (truncated_json)\n"), "{}", said.err);
}

#[test]
fn what_is_not_guarded_passes_as_it_is_and_says_why() {
    let body = chat(&format!("{MAIL} {CARD}"));
    let passes = |more: &[&str], lines: &[&str]| {
        let said = redact(&config(), &body, more);
        assert_eq!((said.out.as_str(), said.code), (body.as_str(), 0), "{more:?}");
        for line in lines {
            assert!(said.err.lines().any(|one| one == *line), "{line} is not in\n{}", said.err);
        }
    };
    passes(
        &["--path", "/v1/models"],
        &["rule      none", "request   passes as it is: no rule is for this request", "found     nothing"],
    );
    let flag = ["--flag", "ai-safety-pii=false"];
    passes(&flag, &["gate      let past: by filter state", "request   passes as it is: the gate lets it past"]);
    // a header of which nobody is believed
    let header = redact(&config(), &chat(MAIL), &["--header", "X-Flag-ai-safety-pii=false"]);
    assert_eq!(header.out, chat("[EMAIL_1]"));
    let note = json!({"text": MAIL, "from": MAIL}).to_string();
    let said = redact(&config(), &note, &["--path", "/notes/1", "--host", "crm.example"]);
    assert_eq!((said.out, said.code), (note, 0));
    let expected = "\
request   passes as it is: the mode is report
found     side     entity  action  count  where
          request  EMAIL   redact  1      text
";
    assert!(
        said.err.contains("rule      notes (rules[1], mode report)\n") && said.err.ends_with(expected),
        "{}",
        said.err
    );
    // without rules the paths of the APIs are known
    let said = redact(&json!({"entities": {}}), &chat(MAIL), &[]);
    assert!(said.err.starts_with("rule      built-in (by its path, mode enforce)\n"), "{}", said.err);
}

#[test]
fn redact_tells_programs_in_json() {
    let told = File::new("redact-json-answer.json", &answer("[EMAIL_1]"));
    let said = redact(&config(), &chat(MAIL), &["--output", "json", "--answer", told.path()]);
    let object: Value = serde_json::from_str(&said.out).unwrap();
    let expected = json!({
        "rule": "openai", "api": "openai_chat", "mode": "enforce", "gate": {"guarded": true, "source": "missing"},
        "request": {"fate": "changed", "why": null, "body": chat("[EMAIL_1]")},
        "answer": {"fate": "changed", "why": null, "body": answer(MAIL)},
        "found": [{"direction": "request", "entity": "EMAIL", "action": "redact", "count": 1}],
        "paths": [{"direction": "request", "path": "messages[0].content", "entity": "EMAIL"}], "more_paths": false,
        "restored": 1, "restore_misses": 0,
    });
    assert_eq!((object, said.err.as_str(), said.code), (expected, "", 0));
    let said = redact(&config(), &chat(CARD), &["--output", "json", "--show", "findings"]);
    let object: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (said.code, &object["request"]["fate"], &object["request"]["status"]),
        (1, &json!("refused"), &json!(422))
    );
    assert_eq!(object["request"]["error"]["error"]["code"], "pii_blocked");
    assert_eq!(object["request"].get("body"), None);
}

#[test]
fn a_key_that_is_not_here_has_a_stand_in_and_says_so() {
    let mut keyed = config();
    keyed["placeholder"] = json!({"keyEnv": "RCCTL_NO_SUCH_KEY"});
    let said = redact(&keyed, &chat(MAIL), &[]);
    assert!(said.err.contains("key       not in the environment here: one of zeros stands for it\n"), "{}", said.err);
    assert!(said.out.contains("[EMAIL_") && !said.out.contains("[EMAIL_1]"), "{}", said.out);
    assert_eq!(said.out, redact(&keyed, &chat(MAIL), &[]).out);
}

#[test]
fn redact_refuses_what_it_cannot_tell() {
    let mut bad = config();
    bad["mode"] = json!("deny");
    let said = redact(&bad, "{}", &[]);
    assert_eq!(said.code, 2);
    assert!(said.err.ends_with("mode: deny is not one of off, observe, report, enforce\n"), "{}", said.err);
    let said = redact(&config(), "{}", &["--flag", "x=maybe"]);
    assert_eq!((said.code, said.err.as_str()), (2, "rcctl: --flag x=maybe: it has to be name=true or name=false\n"));
    let said = redact(&config(), "{}", &["--answer", "-"]);
    assert_eq!((said.code, said.err.as_str()), (2, "rcctl: -: standard input can be read once only\n"));
    let said = redact(&config(), "{}", &["--answer", "/no/such/file"]);
    assert!(said.code == 2 && said.err.starts_with("rcctl: /no/such/file: "), "{}", said.err);
}

#[test]
fn lint_warns_of_what_an_update_lets_pass() {
    let old = File::new("pii-old.json", &config().to_string());
    let warnings = |changes: &[(&str, Value)]| {
        let mut new = config();
        for (pointer, change) in changes {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            let parent = new.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}"));
            match parent {
                Value::Array(list) => list[name.parse::<usize>().unwrap()] = change.clone(),
                parent => parent[name] = change.clone(),
            }
        }
        let new = File::new("pii-new.json", &new.to_string());
        let said = rcctl(&["lint", "--from", old.path(), new.path()], "");
        assert_eq!(said.code, 0, "{}{}", said.out, said.err);
        let start = format!("{}: warning: ", new.path());
        let told = said.out.lines().filter_map(|line| line.strip_prefix(&start)).map(str::to_owned);
        told.collect::<Vec<_>>()
    };
    assert!(warnings(&[]).is_empty());
    let stored = "stored conversations hold other placeholders";
    let notes = config()["rules"][1].clone();
    let cases = [
        ("/mode", json!("report"), vec!["mode: is report now, and was enforce"]),
        ("/gate/whenMissing", json!("pass"), vec!["gate.whenMissing: is pass now, and was redact"]),
        ("/gate/flag", json!("other"), vec!["gate: another flag or header decides now"]),
        (
            "/gate/trustAnyPeer",
            json!(true),
            vec!["gate.trustAnyPeer: whoever can reach the proxy can switch it off by a header now"],
        ),
        ("/rules", json!([notes]), vec!["rule openai is gone, in mode enforce before"]),
        (
            "/rules/0/request",
            json!({"action": "pass"}),
            vec!["rule openai: request.action is pass now, and was redact"],
        ),
        ("/rules/0/mode", json!("observe"), vec!["rule openai: its mode is observe now, and was enforce"]),
        (
            "/rules/0/response",
            json!({"restore": false}),
            vec!["rule openai: response.restore is false now: answers keep their placeholders"],
        ),
        (
            "/rules/0/onError",
            json!("pass"),
            vec!["rule openai: onError is pass now: what can't be read passes as it is"],
        ),
        (
            "/rules/0/hosts",
            json!(["api.openai.com"]),
            vec!["rule openai: its hosts or its match are others, so requests may be without it"],
        ),
        (
            "/rules/1/paths",
            json!([]),
            vec!["rule notes: its api or its paths are others, so other values count as text"],
        ),
        ("/entities/exclude", json!(["EMAIL", "PHONE"]), vec!["not looked for any more: EMAIL, PHONE"]),
        (
            "/entities/minConfidence",
            json!(80),
            vec!["entities.minConfidence: is 80 now, and was 50: weaker matches stay"],
        ),
        (
            "/entities/actions",
            json!({"CREDIT_CARD": "report"}),
            vec!["CREDIT_CARD: its action is report now, and was block"],
        ),
        ("/alwaysRedact", json!([]), vec!["alwaysRedact: 1 entry less"]),
        ("/neverRedact", json!(["a@b.example", "c@b.example"]), vec!["neverRedact: 2 entries more, which pass now"]),
        ("/onError", json!("pass"), vec!["onError: is pass now, and was block: what can't be read passes as it is"]),
    ];
    for (pointer, change, expected) in cases {
        let told = warnings(&[(pointer, change.clone())]);
        for expected in expected {
            assert!(told.iter().any(|line| line == expected), "{pointer} {change}: {told:?}");
        }
    }
    let told = warnings(&[("/placeholder", json!({"style": "<{ENTITY}_{N}>", "keyEnv": "PII_KEY"}))]);
    assert_eq!(
        told,
        [
            format!("placeholder.style: is another now: {stored}"),
            format!("placeholder.keyEnv: is new, so placeholders are keyed: {stored}"),
        ]
    );
    // from the known paths to rules, and from no gate to one
    let (bare, ruled) =
        (File::new("pii-bare.json", "{\"entities\": {}}"), File::new("pii-ruled.json", &config().to_string()));
    let said = rcctl(&["lint", "--from", bare.path(), ruled.path()], "");
    assert!(said.out.contains("warning: gate: is new, so that requests can be let past by it\n"), "{}", said.out);
    assert!(said.out.contains("warning: rules: there are some now, so the known paths"), "{}", said.out);
}

#[test]
fn a_bare_configuration_is_known_by_its_entities_lists_placeholders_or_apis() {
    for bare in [
        json!({"entities": {}}),
        json!({"placeholder": {}}),
        json!({"neverRedact": ["a"]}),
        json!({"alwaysRedact": ["abc"]}),
        json!({"rules": [{"name": "a", "api": "openai"}]}),
    ] {
        let said = rcctl(&["lint", "-"], &bare.to_string());
        assert_eq!((said.code, said.out.as_str()), (0, "1 configurations, 0 mistakes, 0 warnings\n"), "{bare}");
    }
    let said = rcctl(&["lint", "--filter", "pii-redactor", "-"], "mode: report\nrule: 1\n");
    assert!(said.code == 1 && said.out.starts_with("-: rule: unknown field; known here: mode, "), "{}", said.out);
    let said = rcctl(&["lint", "-"], "placeholder: {keyEnv: PII_KEY}\nonError: pass\n");
    let expected = "-: warning: onError: pass lets out, as it is, whatever can't be read\n";
    assert!(said.code == 0 && said.out.starts_with(expected), "{}", said.out);
    let table = rcctl(&["schema", "pii-redactor", "--table"], "").out;
    assert!(
        table.starts_with("**Config**: The configuration of pii-redactor.") && table.contains("**Rule**: "),
        "{table}"
    );
}
