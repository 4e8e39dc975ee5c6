//! Whatever comes in, everything ends well: a panic would kill the worker's VM, and with it every stream in it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod common;

use std::rc::Rc;

use common::{Facts, ask, constrained, document, example, exposing, outcome, places, user, with};
use filter_config::NothingKept;
use filter_request::{Pairs, Request};
use flag_core::boundary::admit;
use flag_core::context::{Context, of_request};
use flag_core::debug;
use flag_core::engine::{Compiled, Reason};
use flag_core::flag::Selector;
use flag_core::inspect::Needs;
use flag_core::load;
use flag_core::ofrep::{self, Call};
use flag_core::serve::{Origin, Served};
use flag_core::subset::select;
use flag_core::sync::{Answer, Outcome, Poll, Sync, read_answer};
use flag_core::usage::Usage;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Words of the engine's language, and what ends or hides them.
const PIECES: [&str; 41] = [
    "\"",
    "\\",
    "\\\"",
    "|",
    "[",
    "]",
    "(",
    ")",
    " ",
    ",",
    "!",
    "<",
    ">=",
    "==",
    "%",
    "+",
    "-",
    ".",
    ":",
    "and",
    " or ",
    "random",
    "random[1]",
    "random[0]",
    "random[10000]",
    "true",
    "5",
    "100",
    "150%",
    "1.2.3",
    "-1",
    "in",
    "in_cidr",
    "context[\"",
    "hostname in [",
    " sticky on ",
    " with group_id of ",
    "user_id",
    "2020-01-01T00:00:00Z",
    "é😀",
    "\n\0",
];

fn nasty() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::collection::vec(prop::sample::select(&PIECES[..]), 0..8).prop_map(|pieces| pieces.concat()),
        1 => any::<String>(),
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        (-2..3).prop_map(Value::from),
        nasty().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-zA-Z]{1,8}", inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_text_or_json() -> impl Strategy<Value = Value> {
    prop_oneof![4 => nasty().prop_map(Value::from), 1 => any_json()]
}

/// Flags with everything that a definition can hold, each with its parent and its segment.
fn rich_documents() -> Vec<Value> {
    let all = [
        "IN",
        "NOT_IN",
        "STR_ENDS_WITH",
        "STR_STARTS_WITH",
        "STR_CONTAINS",
        "NUM_EQ",
        "NUM_GT",
        "NUM_GTE",
        "NUM_LT",
        "NUM_LTE",
        "DATE_AFTER",
        "DATE_BEFORE",
        "SEMVER_EQ",
        "SEMVER_GT",
        "SEMVER_GTE",
        "SEMVER_LT",
        "SEMVER_LTE",
        "REGEX",
        "IN_CIDR",
    ];
    let value = |operator: &str| match operator.split('_').next() {
        Some("DATE") => "2020-01-01T00:00:00Z",
        Some("SEMVER") => "1.2.3-a.1+b",
        _ => "5",
    };
    let mut features: Vec<Value> = all
        .iter()
        .map(|operator| {
            let constraint = json!({"contextName": "plan", "operator": operator, "inverted": true, "caseInsensitive": true,
                                    "values": ["a", "10.0.0.0/8"], "value": value(operator)});
            let strategy = json!({"name": "default", "constraints": [constraint.clone(), constraint],
                                  "parameters": {"groupId": "g", "stickiness": "plan"}, "segments": [1],
                                  "variants": [{"name": "v", "weight": 1000, "stickiness": "default",
                                                "payload": {"type": "string", "value": "p"}}]});
            json!({"name": operator, "enabled": true, "strategies": [strategy.clone(), strategy],
                   "dependencies": [{"feature": "parent", "enabled": true, "variants": ["v"]}]})
        })
        .collect();
    let strategies = json!([
        {"name": "userWithId", "parameters": {"userIds": "a, b,c"}},
        {"name": "gradualRolloutUserId", "parameters": {"percentage": "50", "groupId": "g"}},
        {"name": "gradualRolloutSessionId", "parameters": {"percentage": "50", "groupId": "g"}},
        {"name": "gradualRolloutRandom", "parameters": {"percentage": "50"}},
        {"name": "flexibleRollout", "parameters": {"rollout": "50", "stickiness": "plan", "groupId": "g"}},
        {"name": "remoteAddress", "parameters": {"IPs": "10.0.0.1, 10.0.0.0/8"}},
        {"name": "applicationHostname", "parameters": {"hostNames": "a, b"}},
        {"name": "custom", "parameters": {"a": "b"}},
    ]);
    features.extend(strategies.as_array().unwrap().iter().map(|strategy| {
        json!({"name": strategy["name"], "enabled": true, "strategies": [strategy], "variants": [
            {"name": "v", "weight": 500, "weightType": "fix", "stickiness": "plan",
             "overrides": [{"contextName": "plan", "values": ["a"]}], "payload": {"type": "json", "value": "{}"}},
            {"name": "w", "weight": 500, "weightType": "variable"}]})
    }));
    let parent = json!({"name": "parent", "enabled": true, "variants": [{"name": "v", "weight": 1}],
                        "strategies": [{"name": "default"}]});
    let constraint = json!({"contextName": "plan", "operator": "IN", "values": ["a"]});
    let segments = json!([{"id": 1, "constraints": [constraint]}]);
    let document = |feature| json!({"version": 2, "features": [feature, parent.clone()], "segments": segments.clone()});
    features.into_iter().map(document).collect()
}

fn rich_document() -> impl Strategy<Value = Value> {
    prop::sample::select(rich_documents())
}

/// Whether a flag with one constraint on `plan` is on for a plan; none where it can't be evaluated, or is not compiled.
fn is_on(constraint: &Value, plan: &str) -> Option<bool> {
    let document = document(&json!([constrained("a", &json!([constraint]))]));
    let context = Context { properties: [("plan".into(), plan.to_owned().into())].into(), ..Context::default() };
    let outcome = outcome(&document, "a", &context);
    (outcome.reason != Reason::Unusable).then_some(outcome.enabled)
}

fn contexts() -> impl Strategy<Value = Context<'static>> {
    let text = || prop::option::of(nasty());
    (text(), text(), text(), text(), nasty()).prop_map(|(user, session, time, address, plan)| Context {
        user_id: user.map(Into::into),
        session_id: session.map(Into::into),
        current_time: time.map(Into::into),
        remote_address: address.map(Into::into),
        properties: [("plan".into(), plan.clone().into()), (plan.clone().into(), plan.into())].into(),
        ..Context::default()
    })
}

/// Compiles a document as a proxy does, and asks it for everything.
fn evaluate_all(document: &str, contexts: &[Context]) -> Result<(), TestCaseError> {
    let Ok(subset) = select(document.as_bytes(), &[Selector::Prefix(String::new())]) else { return Ok(()) };
    // what was selected can always be read again
    let compiled = Rc::new(Compiled::compile(&subset).map_err(|wrong| TestCaseError::fail(wrong.to_string()))?);
    let policy = exposing(&json!([{"name": "*", "variant": true, "payload": {"type": "json"}}]), &[]);
    let served = Served::new(&policy.flags, Origin::Live, Some(compiled));
    for exposed in &served.exposed {
        for context in contexts {
            drop(served.outcome(exposed, context));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// The engine itself must hold out against what anybody could write into a definition.
    #[test]
    fn any_definition_compiles_and_evaluates(
        document in rich_document(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any_text_or_json()), 1..6),
        contexts in prop::collection::vec(contexts(), 1..4),
    ) {
        let mut document = document;
        for (place, change) in changes {
            let all = places(&document);
            let is_leaf = |at: &&String| !matches!(document.pointer(at), Some(Value::Object(_) | Value::Array(_)));
            let leaves: Vec<&String> = all.iter().filter(is_leaf).collect();
            if leaves.is_empty() {
                break;
            }
            let at = (*place.get(&leaves)).clone();
            *document.pointer_mut(&at).unwrap() = change;
        }
        evaluate_all(&document.to_string(), &contexts)?;
    }

    /// No text reaches out of its quotes: what a list compiles to, if anything, is that list.
    #[test]
    fn a_list_means_its_values(values in prop::collection::vec(nasty(), 1..5), other in nasty()) {
        let constraint = json!({"contextName": "plan", "operator": "IN", "values": values});
        for plan in values.iter().chain([&other]) {
            let expected = values.contains(plan);
            prop_assert!(is_on(&constraint, plan).is_none_or(|on| on == expected), "{:?}", plan);
        }
    }

    #[test]
    fn a_comparison_means_its_value(
        operator in prop::sample::select(vec!["NUM_LT", "SEMVER_LT", "DATE_BEFORE"]),
        value in prop_oneof![
            "(5|1[.]2[.]3|2020-01-01T00:00:00Z)(-|[+]| )?(or|and)? ?(true|random|[a-z0-9]{0,3})",
            nasty(),
        ],
    ) {
        // nothing that is no number, version or date is before any
        let constraint = json!({"contextName": "plan", "operator": operator, "value": value});
        prop_assert!(is_on(&constraint, "none").is_none_or(|on| !on));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_value_in_any_place_of_a_document_is_survived(
        document in rich_document(),
        change in any_json(),
        place: prop::sample::Index,
    ) {
        let mut document = document;
        let at = place.get(&places(&document)).clone();
        *document.pointer_mut(&at).unwrap() = change;
        evaluate_all(&document.to_string(), &[user("ada"), Context::default()])?;
    }

    #[test]
    fn any_bytes_are_read_as_a_document_or_refused(
        document in rich_document(),
        bytes: Vec<u8>,
        cut: prop::sample::Index,
    ) {
        let all = [Selector::Prefix(String::new())];
        drop(select(&bytes, &all));
        drop(Compiled::compile(&String::from_utf8_lossy(&bytes)));
        let whole = document.to_string();
        let part = &whole.as_bytes()[..cut.index(whole.len())];
        prop_assert!(select(part, &all).is_err());
    }

    #[test]
    fn any_answer_of_unleash_is_read(
        status: Option<u16>,
        body: Vec<u8>,
        etag in prop::option::of(nasty()),
        with_etag: bool,
    ) {
        let policy = load(example().to_string().as_bytes(), &NothingKept).policy;
        let unleash = policy.settings.unleash.unwrap();
        let answer = Answer { status, etag, length: body.len(), body };
        let outcome = read_answer(&answer, &unleash, with_etag, &[Selector::Prefix(String::new())]);
        prop_assert_eq!(outcome.poll.is_good(), outcome.error.is_none());
    }

    #[test]
    fn any_bytes_in_the_store_are_read(bytes: Vec<u8>, numbers: [u64; 8], etag in prop::option::of(nasty())) {
        let policy = load(example().to_string().as_bytes(), &NothingKept).policy;
        let unleash = policy.settings.unleash.unwrap();
        let [generation, confirmed, asked, next, failures, now, chance, since] = numbers;
        let odd = Sync { generation, confirmed, asked, next, failures, etag, ..Sync::default() };
        for mut sync in [Sync::read(&bytes), Sync::read(&odd.write())] {
            let _told = (sync.is_due(now, &unleash, "e"), sync.origin(now, &unleash, true), sync.revision());
            sync.asking(now, &unleash, "e", chance);
            sync.answered(now, &Outcome::failed(Poll::Lost, "x"), &unleash, chance);
            prop_assert_eq!(Sync::read(&sync.write()), sync);
        }
        let mut usage = Usage::read(&bytes);
        usage.merge(&Usage { since, ..Usage::read(&usage.write()) });
        drop(usage.report("a", "i", now));
    }

    #[test]
    fn any_ofrep_call_is_answered(method: Vec<u8>, path: Vec<u8>, body: Vec<u8>, context in any_json(), tag: Vec<u8>) {
        let policy = load(example().to_string().as_bytes(), &NothingKept).policy;
        let settings = policy.settings.ofrep.as_ref().unwrap();
        let served = Served::new(&policy.flags, Origin::Default, None);
        let below = [b"/ofrep/v1/evaluate/flags/", &path[..]].concat();
        drop(ofrep::call(settings, &method, &path));
        let one = ofrep::call(settings, b"POST", &below).unwrap();
        for call in [&one, &Call::All] {
            for body in [&body[..], json!({"context": context}).to_string().as_bytes()] {
                let (reply, _) = ofrep::answer(call, body, &tag, &policy.settings, &served);
                prop_assert!([200, 304, 400, 404, 405].contains(&reply.status));
                prop_assert!(reply.status == 304 || serde_json::from_str::<Value>(&reply.body).is_ok());
            }
        }
    }

    #[test]
    fn any_query_is_shown_and_leaves_the_page_whole(query: Vec<u8>, accept: Vec<u8>, text in nasty()) {
        let policy = load(example().to_string().as_bytes(), &NothingKept).policy;
        let served = Served::new(&policy.flags, Origin::Default, None);
        let sync = Sync { error: Some(text.clone()), etag: Some(text.clone()), ..Sync::default() };
        let state = debug::State { sync: &sync, now: 1, fingerprint: &text, leads: true };
        drop(debug::answer(&query, &accept, &policy.settings, &served, state));
        let shown = debug::answer(&query, b"text/html", &policy.settings, &served, state).body;
        prop_assert!(!shown.contains("<script"));
        let json = debug::answer(&[b"format=json&", &query[..]].concat(), b"", &policy.settings, &served, state).body;
        prop_assert!(serde_json::from_str::<Value>(&json).is_ok());
    }

    #[test]
    fn any_headers_are_admitted(list: Vec<(Vec<u8>, Vec<u8>)>, serialized: Vec<u8>, id: Vec<u8>, peer: bool) {
        let policy = load(with(example(), &[("/trust", json!("mesh"))]).to_string().as_bytes(), &NothingKept).policy;
        let facts = if peer { Facts::verified_peer() } else { Facts::default() };
        let mut list = list;
        list.extend([(b"x-user-id".to_vec(), id.clone()), (b"x-flag-new-ui-enabled".to_vec(), id.clone())]);
        for headers in [Pairs::from_list(&list), Pairs::from_serialized(serialized)] {
            let admitted = admit(&policy.owned, policy.settings.trust, &headers, &facts);
            let kept = admitted.headers.get(b"x-flag-new-ui-enabled");
            prop_assert!(kept.is_none_or(|value| peer && (value == b"true" || value == b"false")));
            let properties = ["plan".to_owned()].into();
            let needs = Needs { user_id: true, session_id: true, remote_address: true, properties };
            let context = of_request(&policy.settings, &needs, &Request::new(&admitted.headers), &facts);
            prop_assert!(context.user_id.is_none_or(|id| !id.is_empty()));
        }
    }

    #[test]
    fn any_bytes_load(bytes: Vec<u8>) {
        load(&bytes, &NothingKept);
    }

    #[test]
    fn any_value_in_any_place_loads_and_no_forged_flag_survives(change in any_json(), place: prop::sample::Index) {
        let mut config = example();
        let at = place.get(&places(&config)).clone();
        *config.pointer_mut(&at).unwrap() = change;
        let policy = load(config.to_string().as_bytes(), &NothingKept).policy;
        let served = Served::new(&policy.flags, Origin::Default, None);
        let owned = served.exposed.iter().map(|exposed| exposed.headers.flag.as_str()).chain(["x-flags-source"]);
        let headers: Vec<(&str, &str)> = owned.map(|name| (name, "forged")).collect();
        let seen = ask(&policy, &served, &headers, &Facts::default());
        prop_assert!(seen.headers.iter().all(|(_, value)| value != "forged"), "{:?}", seen);
    }
}
