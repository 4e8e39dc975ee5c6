//! Whatever comes in, loading and deciding end well: no panic, and no arm of the client's survives at the edge.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod common;

use canary_core::{admit, decide, load, request_effects};
use common::{Facts, example};
use filter_config::NothingKept;
use filter_request::{Pairs, Request};
use proptest::prelude::*;
use serde_json::Value;

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-zA-Z]{1,8}", inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Every place of a value, as a JSON pointer.
fn places(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Array(list) => list.iter().enumerate().for_each(|(i, v)| places(v, &format!("{at}/{i}"), all)),
        Value::Object(fields) => fields.iter().for_each(|(k, v)| places(v, &format!("{at}/{k}"), all)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_bytes_load(bytes: Vec<u8>) {
        load(&bytes, &NothingKept);
    }

    #[test]
    fn any_value_in_any_place_loads_and_no_forged_arm_survives(change in json(), place: prop::sample::Index) {
        let mut config = example();
        let mut all = Vec::new();
        places(&config, "", &mut all);
        *config.pointer_mut(place.get::<String>(&all)).unwrap() = change;
        let policy = load(config.to_string().as_bytes(), &NothingKept).policy;
        let owned = policy.settings.owned[0].as_str();
        let headers = Pairs::from_list(&[(":authority", "devmentor.local"), (":path", "/api/ai"), (owned, "forged")]);
        let admitted = admit(&policy.settings, &headers, &Facts::default());
        let decision = decide(&policy, &Request::new(&admitted.headers), &Facts::default(), &|| None);
        let effects = request_effects(&policy, &admitted, decision.as_ref());
        prop_assert!(effects.arm.is_some() || effects.remove.contains(&owned.as_bytes()));
    }

    #[test]
    fn any_headers_are_decided(list: Vec<(Vec<u8>, Vec<u8>)>, id: Vec<u8>) {
        let policy = load(example().to_string().as_bytes(), &NothingKept).policy;
        let mut list = list;
        list.extend([
            (b":authority".to_vec(), b"devmentor.local".to_vec()),
            (b":path".to_vec(), b"/api/ai".to_vec()),
            (b"x-user-id".to_vec(), id.clone()),
        ]);
        let headers = Pairs::from_list(&list);
        let decision = decide(&policy, &Request::new(&headers), &Facts::default(), &|| None).unwrap();
        prop_assert!(id.is_empty() || decision.arm.is_some());
    }
}
