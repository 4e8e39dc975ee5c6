//! What runs of a configuration that is right, and of one that is wrong in part.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod config_common;

use config_common::{Memory, choice, chosen, example, full, loaded, post, settings, told, with};
use filter_config::{ConfigState, NothingKept};
use pii_core::config::{Action, Direction, EntityAction, Mode, OnError, Preset, TERM};
use pii_core::detect::{Entity, EntitySet, Patterns};
use pii_core::load;
use pii_core::load::any_variable;
use pii_core::rules::BUILT_IN;
use pii_core::style::Style;
#[cfg(not(target_arch = "wasm32"))]
use proptest::prelude::*;
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const CHAT: &str = "/v1/chat/completions";

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn names(set: EntitySet) -> Vec<&'static str> {
    Entity::ALL.iter().filter(|entity| set.has(**entity)).map(|entity| entity.name()).collect()
}

#[test]
fn the_defaults_protect() {
    for text in ["", " \n", "{}"] {
        let loaded = Memory::default().load_text(text);
        assert!(loaded.report.is_clean(), "{:?}", loaded.report);
        assert_eq!(loaded.state, ConfigState::Ok);
        let settings = loaded.policy;
        assert_eq!(
            (settings.mode, settings.direction, settings.on_error),
            (Mode::Enforce, Direction::Outbound, OnError::Block)
        );
        assert!(settings.gate.is_none() && settings.key.is_none() && settings.fault.is_none());
        assert_eq!(settings.entities, Preset::Default.entities());
        assert_eq!((settings.min_confidence, settings.limits.max_values.0, settings.audit.log), (50, 100_000, true));
        assert_eq!(settings.style, Style::default());
        let told = choice(&settings, "POST", "any.example", CHAT).unwrap();
        assert_eq!(told, (BUILT_IN.to_owned(), "openai_chat", Mode::Enforce, Action::Redact, Action::Redact, None));
        assert_eq!(post(&settings, "/v1/files"), None);
    }
}

#[test]
fn the_examples_are_without_fault() {
    let settings_of_example = settings(&example());
    assert_eq!(post(&settings_of_example, CHAT), some("openai"));
    assert_eq!(
        post(&settings_of_example, "/v1/messages"),
        None,
        "only what rules name is guarded where there are rules"
    );
    let full = settings(&full());
    assert_eq!((full.rules.len(), full.custom.len()), (2, 2));
    assert_eq!((full.never.len(), full.always.as_slice()), (1, ["Project Falcon".to_owned()].as_slice()));
    assert_eq!(full.custom[0].context, ["employee", "staff"]);
    assert_eq!(full.actions.of_entity(Entity::Email), EntityAction::Mask);
    assert_eq!(full.actions.of_entity(Entity::Iban), EntityAction::Redact);
    assert_eq!(
        (full.action_of("EMPLOYEE_ID"), full.action_of("TICKET")),
        (Some(EntityAction::Report), Some(EntityAction::Redact))
    );
    assert_eq!((full.action_of(TERM), full.action_of("DATE_OF_BIRTH")), (Some(EntityAction::Redact), None));
    assert_eq!(format!("{:?}", full.key.unwrap()), "Secret(16 bytes)");
}

#[test]
fn presets_with_a_number_never_change() {
    // a kind that is new belongs to a preset of the next number, and to the one without
    let secrets = "URL_CREDENTIALS AWS_KEY GCP_KEY AZURE_KEY GITHUB_TOKEN GITLAB_TOKEN SLACK_TOKEN STRIPE_KEY OPENAI_KEY \
                   ANTHROPIC_KEY NPM_TOKEN PYPI_TOKEN JWT PRIVATE_KEY SECRET";
    let personal = "EMAIL PHONE CREDIT_CARD IBAN US_SSN US_ITIN UK_NINO UK_NHS CA_SIN AU_TFN AU_ABN AU_MEDICARE IN_AADHAAR \
                    IN_PAN ES_NIF IT_CODICE_FISCALE PL_PESEL SG_NRIC DE_STEUER_ID BR_CPF BR_CNPJ IP_ADDRESS \
                    MAC_ADDRESS CRYPTO_ADDRESS";
    let by_words = "PASSPORT DRIVING_LICENCE BANK_ACCOUNT DATE_OF_BIRTH NATIONAL_PHONE";
    let list = |texts: &[&str]| {
        let mut all: Vec<String> = texts.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect();
        all.sort();
        all
    };
    let sorted = |preset: Preset| {
        let mut names = names(preset.entities());
        names.sort_unstable();
        names
    };
    assert_eq!(sorted(Preset::Secrets1), list(&[secrets]));
    assert_eq!(sorted(Preset::Default1), list(&[personal, secrets]));
    assert_eq!(sorted(Preset::All1), list(&[personal, secrets, by_words]));
    assert!(sorted(Preset::None).is_empty());
    // those without a number are the newest
    let default: EntitySet = Entity::ALL.iter().copied().filter(|entity| entity.is_default()).collect();
    assert_eq!((Preset::Default.entities(), Preset::All.entities()), (default, EntitySet::all()));
}

#[test]
fn kinds_are_included_and_excluded() {
    let wanted = |entities: Value| names(settings(&json!({"entities": entities})).entities);
    assert_eq!(wanted(json!({"preset": "none", "include": ["EMAIL", "PASSPORT"]})), ["EMAIL", "PASSPORT"]);
    assert_eq!(wanted(json!({"preset": "none", "include": ["EMAIL"], "exclude": ["EMAIL"]})), [""; 0]);
    assert_eq!(
        wanted(json!({"preset": "default", "exclude": ["EMAIL"]})).len() + 1,
        names(Preset::Default1.entities()).len()
    );
}

#[test]
fn every_mistake_is_told_at_once_with_place_value_and_what_is_allowed() {
    let config = json!({
        "mode": "enforced", "direction": "in", "extra": 1, "onError": true,
        "entities": {"preset": "default@2", "minConfidence": 101, "actions": {"email": "redact", "JWT": "drop"}, "includes": []},
        "placeholder": {"style": "{N}", "keyEnv": "PII KEY"},
        "neverRedact": [" ", 7], "alwaysRedact": ["ab", "abc"],
        "limits": {"maxValues": 0, "maxEventBytes": 1, "maxRatio": 0}, "audit": {"log": "yes"},
        "rules": [
            {"hosts": ["a:443"], "match": [{"uri": {"exact": "/", "prefix": "/"}}], "api": "openapi"},
            {"name": "b", "hosts": [], "api": "openai", "paths": ["a"], "request": {"action": "mask"}},
            {"name": "c", "api": "json", "paths": ["a..b"], "response": {"restored": true}, "matches": []},
            {"name": "d", "api": "text"},
            {"name": "d", "api": "text"},
            7,
        ],
        "custom": [
            {"name": "email", "pattern": "("},
            {"name": "EMAIL", "pattern": "a"},
            {"name": "CUSTOM_TERM", "pattern": "a*", "confidence": 0},
            {"name": "A", "pattern": "a", "context": [""], "words": []},
            {"name": "B", "pattern": "b"},
            {"name": "B", "pattern": "b"},
            {"name": "C"},
        ],
    });
    let mut errors = told(&loaded(&config).report.errors);
    errors.sort();
    let known = "known here: mode, direction, gate, rules, entities, placeholder, custom, neverRedact, \
                 alwaysRedact, onError, limits, audit";
    let rule = "known here: name, hosts, match, api, paths, request, response, mode, allowUpgrade, onError";
    let expected = [
        "alwaysRedact[0]: ab is under 3 characters".to_owned(),
        "audit.log: yes is neither true nor false".to_owned(),
        "custom[0].name: email is not a pattern's name: 1 to 40 of A-Z 0-9 _, a letter first and no _ last".to_owned(),
        format!("custom[0].pattern: ( {}", Patterns::new(&["("]).err().unwrap().1),
        "custom[1].name: EMAIL is the name of a built-in kind; choose another".to_owned(),
        "custom[2].confidence: 0 is not a whole number from 1 to 100".to_owned(),
        "custom[2].name: CUSTOM_TERM is the name of a built-in kind; choose another".to_owned(),
        "custom[2].pattern: a* matches the empty text; it has to hold at least one character".to_owned(),
        "custom[3].context[0]: \"\" is empty".to_owned(),
        "custom[3].words: unknown field; known here: name, pattern, context, confidence".to_owned(),
        "custom[5].name: B is also the name of custom[4]".to_owned(),
        "custom[6].pattern: is missing".to_owned(),
        "direction: in is not one of outbound, inbound".to_owned(),
        "entities.actions.JWT: drop is not one of redact, mask, hash, block, report".to_owned(),
        "entities.actions.email: is not the name of a kind such as EMAIL or EMPLOYEE_ID".to_owned(),
        "entities.includes: unknown field; known here: preset, include, exclude, actions, minConfidence".to_owned(),
        "entities.minConfidence: 101 is not a whole number from 0 to 100".to_owned(),
        "entities.preset: default@2 is not one of default, default@1, all, all@1, secrets, secrets@1, none".to_owned(),
        format!("extra: unknown field; {known}"),
        "limits.maxEventBytes: 1 is not a whole number from 4096 to 16777216".to_owned(),
        "limits.maxRatio: 0 is not a whole number from 1 to 1032".to_owned(),
        "limits.maxValues: 0 is not a whole number from 1 to 10000000".to_owned(),
        "mode: enforced is not one of off, observe, report, enforce".to_owned(),
        "neverRedact[0]: \" \" is empty".to_owned(),
        "neverRedact[1]: 7 is not a string".to_owned(),
        "onError: true is not one of block, pass".to_owned(),
        "placeholder.keyEnv: \"PII KEY\" is not an environment variable's name: A-Z a-z 0-9 _".to_owned(),
        format!("placeholder.style: {{N}} {}", Style::parse("{N}").unwrap_err()),
        "rules[0].api: openapi is not one of openai, anthropic, gemini, json, text".to_owned(),
        "rules[0].hosts[0]: a:443 is not a host: a name, *.name or *, without a port".to_owned(),
        "rules[0].match[0].uri: exact and prefix exclude each other; keep one".to_owned(),
        "rules[0].name: is missing".to_owned(),
        "rules[1].hosts: is empty; \"*\" names every host".to_owned(),
        "rules[1].paths: is for api json; openai knows where its text stands".to_owned(),
        "rules[1].request.action: mask is not one of redact, block, report, pass".to_owned(),
        format!("rules[2].matches: unknown field; {rule}"),
        "rules[2].paths[0]: a..b has a dot without a name behind it; for any depth, write **".to_owned(),
        "rules[2].response.restored: unknown field; known here: action, restore".to_owned(),
        "rules[4].name: d is also the name of rules[3]".to_owned(),
        "rules[5]: 7 is not an object".to_owned(),
    ];
    assert_eq!(errors, expected);
}

#[test]
fn what_needs_a_key_says_so() {
    let errors = |config: Value, key: Option<&[u8]>| {
        let variables = |name: &str| key.filter(|_| name == "PII_KEY").map(<[u8]>::to_vec);
        told(&load(config.to_string().as_bytes(), &NothingKept, &variables).report.errors)
    };
    let needy = json!({"direction": "inbound", "entities": {"actions": {"EMAIL": "hash", "JWT": "mask"}}});
    assert_eq!(
        errors(needy.clone(), None),
        [
            "direction: inbound needs placeholder.keyEnv: a conversation that is sent again needs the same placeholders",
            "entities.actions.EMAIL: hash needs placeholder.keyEnv: without a key, anybody finds the value by trying",
        ]
    );
    let keyed = with(needy, &[("/placeholder", json!({"keyEnv": "PII_KEY"}))]);
    assert_eq!(errors(keyed.clone(), None), ["placeholder.keyEnv: PII_KEY is not set in the proxy's environment"]);
    let short = errors(keyed.clone(), Some(b"swordfish"));
    assert_eq!(short, ["placeholder.keyEnv: PII_KEY holds 9 bytes; a key has 16 or more"]);
    assert_eq!(errors(keyed, Some(b"0123456789abcdef")), [""; 0]);
}

#[test]
fn an_action_for_what_is_no_kind_is_told() {
    let config =
        json!({"entities": {"actions": {"EMIAL": "mask"}}, "custom": [{"name": "EMPLOYEE_ID", "pattern": "x"}]});
    let errors = told(&loaded(&config).report.errors);
    assert_eq!(errors.len(), 1);
    let begins = "entities.actions.EMIAL: is no kind; known here: EMPLOYEE_ID, CUSTOM_TERM, EMAIL, PHONE";
    assert!(errors[0].starts_with(begins), "{errors:?}");
    // a pattern that is wrong is still a name
    let wrong = json!({"entities": {"actions": {"X": "mask"}}, "custom": [{"name": "X", "pattern": "("}]});
    assert_eq!(loaded(&wrong).report.errors.len(), 1);
}

fn rule(name: &str, path: &str) -> Value {
    json!({"name": name, "api": "openai", "match": [{"uri": {"exact": path}}]})
}

fn rules(rules: Value) -> Value {
    json!({"rules": rules})
}

#[test]
fn the_first_rule_that_matches_counts() {
    let settings = settings(&rules(json!([
        {"name": "a", "hosts": ["a.example"], "api": "openai", "match": [{"uri": {"prefix": "/v1"}}]},
        {"name": "b", "hosts": ["*.example"], "api": "anthropic", "mode": "report", "onError": "pass"},
        {"name": "c", "api": "text", "request": {"action": "pass"}, "response": {"action": "pass"}},
        {"name": "d", "api": "text", "allowUpgrade": true},
    ])));
    let name = |host: &str, path: &str| choice(&settings, "POST", host, path).map(|told| told.0);
    assert_eq!(name("a.example", "/v1/x"), some("a"));
    assert_eq!(name("a.example:443", "/v2/x"), some("b"));
    assert_eq!(name("b.example", "/"), some("b"));
    assert_eq!(name("c.org", "/"), None);
    let of_b = chosen(&settings, "GET", "b.example", "/v1/messages", |chosen| {
        (chosen.endpoint.as_str(), chosen.mode, chosen.on_error, chosen.restore, chosen.allow_upgrade)
    });
    assert_eq!(of_b, Some(("anthropic_messages", Mode::Report, OnError::Pass, true, false)));
}

#[test]
fn a_rule_that_protects_is_for_every_spelling_and_one_that_lets_pass_for_none() {
    let settings = settings(&rules(json!([
        {"name": "health", "api": "text", "match": [{"uri": {"prefix": "/health"}}],
         "request": {"action": "pass"}, "response": {"action": "pass"}},
        {"name": "llm", "api": "openai", "match": [{"uri": {"prefix": "/llm/"}}]},
    ])));
    for path in [
        "/llm/chat",
        "//llm//chat",
        "/%6clm/chat",
        "/LLM/Chat",
        "/x/../llm/chat",
        "/health/../llm/chat",
        "/health%2f..%2fllm/chat",
    ] {
        assert_eq!(post(&settings, path), some("llm"), "{path}");
    }
    for path in ["/health", "/health/live?x=/llm/", "/Health", "/llmx/"] {
        assert_eq!(post(&settings, path), None, "{path}");
    }
}

#[test]
fn off_at_the_top_outweighs_all() {
    let off = settings(&json!({"mode": false, "rules": [{"name": "a", "api": "text", "mode": "enforce"}]}));
    assert_eq!(post(&off, CHAT), None);
    let one = settings(&rules(json!([{"name": "a", "api": "text", "mode": "off"}, {"name": "b", "api": "text"}])));
    assert_eq!(post(&one, CHAT), None);
    assert_eq!(post(&settings(&json!({"mode": "off"})), CHAT), None);
}

#[test]
fn a_rule_that_is_wrong_refuses_what_it_would_guard_and_harms_no_other() {
    let bad = with(rule("b", "/b"), &[("/api", json!("openapi"))]);
    let config = rules(json!([rule("a", "/a"), bad, rule("c", "/c")]));
    let fresh = loaded(&config);
    assert_eq!(fresh.state, ConfigState::Partial);
    for (path, expected) in [("/a", "a"), ("/b", "b: rule_broken"), ("/%62", "b: rule_broken"), ("/c", "c")] {
        assert_eq!(post(&fresh.policy, path), some(expected), "{path}");
    }
    assert_eq!(post(&fresh.policy, "/d"), None);
    // with a last good form it stays at work, also over a second load
    let memory = Memory::default();
    memory.load(&rules(json!([rule("b", "/old")])));
    for _ in 0..2 {
        let kept = memory.load(&config).policy;
        assert_eq!((post(&kept, "/old"), post(&kept, "/b"), post(&kept, "/a")), (some("b"), None, some("a")));
    }
    // one that is gone is forgotten
    memory.load(&rules(json!([rule("a", "/a")])));
    assert_eq!(post(&memory.load(&config).policy, "/b"), some("b: rule_broken"));
}

#[test]
fn what_can_be_read_of_a_wrong_rule_is_what_it_refuses() {
    let refuses = |written: Value, path: &str| post(&loaded(&rules(json!([written]))).policy, path);
    let broken = || some("x: rule_broken");
    let base = json!({"name": "x", "api": "nothing"});
    // all that it would match
    assert_eq!(refuses(base.clone(), "/any"), broken());
    let hosts = with(base.clone(), &[("/hosts", json!(["api.example"]))]);
    assert_eq!(refuses(hosts, "/any"), broken());
    let elsewhere = with(base.clone(), &[("/hosts", json!(["other.example"]))]);
    assert_eq!(refuses(elsewhere, CHAT), None);
    // the path of a match whose other conditions can't be read
    let odd = with(base.clone(), &[("/match", json!([{"uri": {"prefix": "/llm"}, "metod": {"exact": "GET"}}]))]);
    assert_eq!(
        (refuses(odd.clone(), "/llm"), refuses(odd.clone(), CHAT), refuses(odd, "/x")),
        (broken(), broken(), None)
    );
    // the known paths where none can
    for ways in [json!(7), json!([7]), json!([{"uri": 7}]), json!([{"uri": {"regex": "("}}])] {
        let unread = with(base.clone(), &[("/match", ways.clone())]);
        assert_eq!((refuses(unread.clone(), CHAT), refuses(unread, "/x")), (broken(), None), "{ways}");
    }
    // any host where one can't be read
    let hosts = with(
        base.clone(),
        &[("/hosts", json!(["other.example", "a b"])), ("/match", json!([{"uri": {"exact": "/x"}}]))],
    );
    assert_eq!(refuses(hosts, "/x"), broken());
    for (written, name) in
        [(json!(7), "rules.0: rule_broken"), (json!({"name": "a b", "api": "openai"}), "rules.0: rule_broken")]
    {
        assert_eq!(refuses(written, CHAT), some(name));
    }
    // what would only tell or let pass guards nothing; what can't be read of that guards
    let passing = |request: &str, response: &str| {
        with(base.clone(), &[("/request", json!({"action": request})), ("/response", json!({"action": response}))])
    };
    assert_eq!(refuses(passing("pass", "report"), CHAT), None);
    assert_eq!(refuses(passing("pass", "redact"), CHAT), broken());
    assert_eq!(refuses(passing("passs", "pass"), CHAT), broken());
    // its mode as far as it can be read
    for (mode, expected) in [("report", some("x")), ("observe", some("x")), ("off", None), ("reprot", broken())] {
        assert_eq!(refuses(with(base.clone(), &[("/mode", json!(mode))]), CHAT), expected, "{mode}");
    }
}

#[test]
fn a_wrong_rule_takes_nothing_from_one_that_guards_as_much() {
    let lost = json!({"name": "lost", "api": "openai", "match": 7});
    let of = |other: Value| post(&loaded(&rules(json!([lost, other]))).policy, CHAT);
    let full = json!({"name": "full", "api": "openai"});
    assert_eq!(of(full.clone()), some("full"));
    let broken = some("lost: rule_broken");
    assert_eq!(of(with(full.clone(), &[("/mode", json!("report"))])), broken);
    assert_eq!(of(with(full.clone(), &[("/response", json!({"action": "pass"}))])), broken);
    assert_eq!(of(with(full, &[("/request", json!({"action": "block"}))])), some("full"));
}

#[test]
fn a_pattern_that_is_wrong_refuses_all_that_is_guarded() {
    let config = |pattern: &str| {
        json!({"rules": [rule("a", "/a"), {"name": "r", "api": "text", "request": {"action": "report"},
        "response": {"action": "report"}}], "custom": [{"name": "X", "pattern": pattern}, {"name": "Y", "pattern": "y"}]})
    };
    let fresh = loaded(&config("("));
    assert_eq!((fresh.state, fresh.policy.custom.len()), (ConfigState::Partial, 1));
    assert_eq!((post(&fresh.policy, "/a"), post(&fresh.policy, "/r")), (some("a: pattern_broken"), some("r")));
    let memory = Memory::default();
    memory.load(&config("old"));
    for _ in 0..2 {
        let kept = memory.load(&config("(")).policy;
        assert_eq!((post(&kept, "/a"), kept.custom[0].pattern.as_str()), (some("a"), "old"));
    }
    for text in ["{", "{\"custom\": 7}"] {
        let kept = memory.load_text(text).policy;
        assert_eq!((kept.fault, kept.custom.len()), (None, 2), "{text}");
    }
    let none = Memory::default();
    none.load(&config("("));
    assert_eq!(post(&none.load_text("{").policy, "/a"), some("a: pattern_broken"));
    assert_eq!(post(&loaded(&json!({"custom": 7})).policy, CHAT), some("built-in: pattern_broken"));
}

#[test]
fn settings_that_are_wrong_keep_their_last_good_form_and_the_rules_go_on() {
    let config = json!({"onError": "pass", "entities": {"preset": "all"}, "rules": [rule("a", "/a")]});
    let wrong = with(config.clone(), &[("/onError", json!("maybe")), ("/rules/0", rule("b", "/b"))]);
    let memory = Memory::default();
    memory.load(&config);
    for _ in 0..2 {
        let kept = memory.load(&wrong);
        assert_eq!(told(&kept.report.errors), ["onError: maybe is not one of block, pass"]);
        assert_eq!(
            (kept.state, kept.policy.on_error, kept.policy.entities),
            (ConfigState::Partial, OnError::Pass, EntitySet::all())
        );
        assert_eq!((post(&kept.policy, "/b"), post(&kept.policy, "/a")), (some("b"), None));
    }
    // without one, what the rules name is refused
    let fresh = loaded(&wrong);
    assert_eq!(fresh.state, ConfigState::Safe);
    assert_eq!((post(&fresh.policy, "/b"), post(&fresh.policy, CHAT)), (some("b: settings_broken"), None));
    // or the known paths; with as much of mode and gate as can be read
    let of = |changes: &[(&str, Value)]| loaded(&with(json!({"onError": "maybe"}), changes)).policy;
    assert_eq!(post(&of(&[]), CHAT), some("built-in: settings_broken"));
    assert_eq!(post(&of(&[("/mode", json!("enforced"))]), CHAT), some("built-in: settings_broken"));
    assert_eq!(post(&of(&[("/mode", json!("report"))]), CHAT), some("built-in"));
    assert_eq!(post(&of(&[("/mode", json!("off"))]), CHAT), None);
    assert!(of(&[("/gate", json!({"flag": "a"}))]).gate.is_some());
    assert!(of(&[("/gate", json!({"flag": "a", "odd": 1}))]).gate.is_none());
    // a key that is gone takes the last good form with it
    let keyed = json!({"placeholder": {"keyEnv": "PII_KEY"}});
    memory.load(&keyed);
    let gone = load(keyed.to_string().as_bytes(), &memory, &|_| None);
    assert_eq!((gone.state, post(&gone.policy, CHAT)), (ConfigState::Safe, some("built-in: settings_broken")));
}

#[test]
fn what_is_no_configuration_leaves_the_last_good_one_or_refuses_the_known_paths() {
    let broken = json!({"name": "x", "api": "nothing", "match": [{"uri": {"exact": "/x"}}]});
    let config = rules(json!([rule("a", "/a"), broken]));
    for text in ["{", "[]", "7", "mode: report", "\u{0}", "{\"mode\": \"enforce\","] {
        let memory = Memory::default();
        memory.load(&config);
        for _ in 0..2 {
            let kept = memory.load_text(text);
            assert_eq!(
                (kept.state, kept.report.errors.len(), kept.keep.len()),
                (ConfigState::LastGood, 1, 0),
                "{text}"
            );
            assert_eq!((post(&kept.policy, "/a"), post(&kept.policy, CHAT)), (some("a"), None));
            assert_eq!(post(&kept.policy, "/x"), some("x: rule_broken"), "it still refuses");
        }
        let safe = Memory::default().load_text(text);
        assert_eq!(safe.state, ConfigState::Safe);
        assert_eq!(post(&safe.policy, CHAT), some("built-in: settings_broken"), "{text}");
        assert_eq!(post(&safe.policy, "/any"), None);
    }
    let empty = Memory::default();
    empty.load(&json!({}));
    assert_eq!(post(&empty.load_text("{").policy, CHAT), some(BUILT_IN));
}

#[test]
fn text_that_is_no_json_still_says_its_mode_at_the_top() {
    let mode = |text: &str| Memory::default().load_text(text).policy.mode;
    for (text, expected) in [
        (r#"{"mode": "report",}"#, Mode::Report),
        (r#"{"rules": [{"mode": "enforce"}], "mode":"observe" "#, Mode::Observe),
        (r#"{"a\"": "x", "mode": "off", }"#, Mode::Off),
        (r#"{"rules": [{"mode": "report"}],}"#, Mode::Enforce),
        (r#"{"rules": [{"mode": "report"}], "mode": "enforce",}"#, Mode::Enforce),
        (r#"{"neverRedact": ["mode"], : "report"}"#, Mode::Enforce),
        (r#"{"x": "mode", "y": : "report"}"#, Mode::Enforce),
        (r#"{"mode": "reprot",}"#, Mode::Enforce),
        (r#"{"mode"#, Mode::Enforce),
        ("mode: report", Mode::Enforce),
    ] {
        assert_eq!(mode(text), expected, "{text}");
    }
}

#[test]
fn rules_that_are_no_list_leave_the_last_good_ones() {
    let memory = Memory::default();
    memory.load(&rules(json!([rule("a", "/a")])));
    let kept = memory.load(&rules(json!({"name": "a"})));
    assert_eq!(told(&kept.report.errors), ["rules: {\"name\":\"a\"} is not a list"]);
    assert_eq!((kept.state, post(&kept.policy, "/a")), (ConfigState::Partial, some("a")));
    let fresh = loaded(&rules(json!({"name": "a"})));
    assert_eq!((fresh.state, post(&fresh.policy, CHAT)), (ConfigState::Safe, some("built-in: settings_broken")));
}

/// Everything that a configuration may hold, and where it stands.
#[cfg(not(target_arch = "wasm32"))]
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    if !at.is_empty() {
        found.push(at.to_owned());
    }
    match value {
        Value::Array(list) => list.iter().enumerate().for_each(|(i, v)| places(v, &format!("{at}/{i}"), found)),
        Value::Object(fields) => fields.iter().for_each(|(k, v)| places(v, &format!("{at}/{k}"), found)),
        _ => {}
    }
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn the_schema_takes_all_that_is_taken() {
    let schema = filter_config::schema::document::<pii_core::config::Config>("pii-redactor");
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    assert!(validator.is_valid(&example()) && validator.is_valid(&full()) && validator.is_valid(&json!({})));
    let mut found = Vec::new();
    places(&full(), "", &mut found);
    let (mut taken, mut refused) = (0, 0);
    for place in found {
        for change in [
            json!(null),
            json!(7),
            json!(120.5),
            json!("x"),
            json!("X"),
            json!(""),
            json!("EMAIL"),
            json!([]),
            json!({}),
            json!(true),
            json!(false),
            json!("*"),
            json!("<{N}>"),
            json!("{{ENTITY}_{N}}"),
            json!({"exact": "a"}),
        ] {
            let config = with(full(), &[(&place, change.clone())]);
            let valid = validator.is_valid(&config);
            if loaded(&config).report.errors.is_empty() {
                taken += 1;
                assert!(valid, "{change} at {place} is taken, but not by the schema");
            } else if !valid {
                refused += 1;
            }
        }
    }
    assert!(taken > 60 && refused > 300, "{taken} taken, {refused} refused");
    for (pointer, unknown) in [("/x", json!(1)), ("/rules/0/x", json!(1)), ("/gate/x", json!(1))] {
        assert!(!validator.is_valid(&with(full(), &[(pointer, unknown)])), "{pointer}");
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn damaged() -> impl Strategy<Value = Value> {
    let values = prop_oneof![
        Just(Value::Null),
        Just(json!(7)),
        Just(json!("enforce")),
        Just(json!([])),
        Just(json!({})),
        Just(json!(["*"])),
        Just(json!([{"name": "x", "api": "text"}])),
        Just(json!(true)),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    let mut found = Vec::new();
    places(&full(), "", &mut found);
    (prop::sample::select(found), values).prop_map(|(place, value)| with(full(), &[(place.as_str(), value)]))
}

#[cfg(not(target_arch = "wasm32"))]
proptest! {
    #[test]
    fn any_damage_leaves_something_that_guards(config in damaged(), before in any::<bool>()) {
        let memory = Memory::default();
        if before {
            memory.load(&full());
        }
        let first = memory.load(&config);
        let again = memory.load(&config);
        prop_assert_eq!(&first.report, &again.report, "the same is told each time");
        for (method, host, path) in [("POST", "crm.example", "/notes"), ("POST", "a.example", CHAT), ("GET", "", "")] {
            let one = choice(&first.policy, method, host, path);
            prop_assert_eq!(one, choice(&again.policy, method, host, path), "a second load of the same changes nothing");
        }
        prop_assert!(first.state != ConfigState::Ok || first.report.errors.is_empty());
    }

    #[test]
    fn any_cut_or_changed_text_is_loaded_without_fault(at in 0..2000_usize, byte: u8, cut: bool) {
        let mut text = full().to_string().into_bytes();
        let at = at % text.len();
        if cut { text.truncate(at) } else { text[at] = byte }
        let loaded = load(&text, &NothingKept, &any_variable);
        prop_assert!(loaded.state == ConfigState::Ok || !loaded.report.errors.is_empty());
    }

    #[test]
    fn any_bytes_are_loaded_without_fault(bytes: Vec<u8>) {
        let loaded = load(&bytes, &NothingKept, &any_variable);
        prop_assert!(loaded.state == ConfigState::Ok || !loaded.report.errors.is_empty());
    }
}
