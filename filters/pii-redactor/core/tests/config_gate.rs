//! Who may switch the guard off.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod config_common;

use config_common::{loaded, settings, told};
use filter_request::Pairs;
use pii_core::gate::{Gate, Known, Principal, Source, Verdict, decision, encoded};
#[cfg(not(target_arch = "wasm32"))]
use proptest::prelude::*;
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[derive(Default)]
struct Stated {
    flags: Option<&'static str>,
    principal: Option<&'static str>,
}

impl Known for Stated {
    fn flags(&self) -> Option<Vec<u8>> {
        self.flags.map(|flags| flags.as_bytes().to_vec())
    }

    fn principal(&self) -> Option<String> {
        self.principal.map(str::to_owned)
    }
}

fn gate(written: Value) -> Gate {
    settings(&json!({"gate": written})).gate.unwrap()
}

fn decide(gate: &Gate, stated: &Stated, headers: &[(&str, &str)]) -> (bool, Source) {
    let Verdict { guarded, source } = gate.decide(&Pairs::from_list(headers), stated);
    (guarded, source)
}

const WEB: &str = "spiffe://cluster.local/ns/web/sa/web";

#[test]
fn filter_state_says_what_flag_headers_decided() {
    let cases: &[(&str, Option<bool>)] = &[
        ("ai-safety-pii=true", Some(true)),
        ("a=true,ai-safety-pii=false,b=true", Some(false)),
        ("ai-safety-pii=false;variant=a%2Cb", Some(false)),
        (" ai-safety-pii=true ; variant=x", Some(true)),
        ("xai-safety-pii=false", None),
        ("ai-safety-pii2=false", None),
        ("ai-safety-pii", None),
        ("ai-safety-pii=", None),
        ("ai-safety-pii=FALSE", None),
        ("ai-safety-pii=false,ai-safety-pii=true", None),
        ("a=true;variant=ai-safety-pii=false", None),
        ("", None),
        (",,;;==", None),
    ];
    for (state, expected) in cases {
        assert_eq!(decision(state.as_bytes(), "ai-safety-pii"), *expected, "{state}");
    }
    assert_eq!(decision(b"a%20b%2fc=false", &encoded("A b/c")), Some(false));
    assert_eq!(encoded("José"), "jos%c3%a9");
}

#[test]
fn a_flag_alone_believes_no_header() {
    let gate = gate(json!({"flag": "ai-safety-pii"}));
    let off = [("x-flag-ai-safety-pii", "false")];
    let peer = Stated { principal: Some(WEB), ..Stated::default() };
    assert_eq!(decide(&gate, &peer, &off), (true, Source::Missing));
    let state = |flags| Stated { flags: Some(flags), principal: Some(WEB) };
    assert_eq!(decide(&gate, &state("ai-safety-pii=false"), &[]), (false, Source::State));
    assert_eq!(decide(&gate, &state("ai-safety-pii=true"), &off), (true, Source::State));
    assert_eq!(decide(&gate, &state("other=false"), &off), (true, Source::Missing));
}

#[test]
fn a_header_counts_from_named_peers_only() {
    let named = gate(json!({"flag": "ai-safety-pii", "fromPrincipals": [WEB]}));
    let off = [("x-flag-ai-safety-pii", "false")];
    let from = |principal| Stated { principal, ..Stated::default() };
    assert_eq!(decide(&named, &from(Some(WEB)), &off), (false, Source::Header));
    for other in [None, Some(""), Some("spiffe://cluster.local/ns/web/sa/web2"), Some("spiffe://other/ns/web/sa/web")] {
        assert_eq!(decide(&named, &from(other), &off), (true, Source::Missing), "{other:?}");
    }
    // what is no decision, twice, or differs is as if it were not there
    for headers in [
        &[("x-flag-ai-safety-pii", "0")][..],
        &[("x-flag-ai-safety-pii", "false"), ("x-flag-ai-safety-pii", "true")],
        &[("x-flag-ai-safety-pii", "false"), ("x-flag-ai-safety-pii", "")],
        &[("x_flag_ai_safety_pii", "false")],
    ] {
        assert_eq!(decide(&named, &from(Some(WEB)), headers), (true, Source::Missing), "{headers:?}");
    }
    // filter state outweighs it
    let both = Stated { flags: Some("ai-safety-pii=true"), principal: Some(WEB) };
    assert_eq!(decide(&named, &both, &off), (true, Source::State));
    // asked for explicitly, from anyone
    let any = gate(json!({"header": "x-flag-ai-safety-pii", "trustAnyPeer": true}));
    assert_eq!(decide(&any, &from(None), &off), (false, Source::Header));
    assert_eq!(decide(&any, &from(None), &[]), (true, Source::Missing));
    let passing = gate(json!({"flag": "ai-safety-pii", "whenMissing": "pass"}));
    assert_eq!(decide(&passing, &from(None), &[]), (false, Source::Missing));
}

#[test]
fn identities_match_part_by_part() {
    let cases = [
        (WEB, WEB, true),
        (WEB, "spiffe://cluster.local/ns/web/sa/web/x", false),
        (WEB, "spiffe://cluster.local/ns/web/sa", false),
        (WEB, "SPIFFE://cluster.local/ns/web/sa/web", false),
        ("spiffe://cluster.local/ns/*/sa/web", WEB, true),
        ("spiffe://cluster.local/ns/*/sa/web", "spiffe://cluster.local/ns/a/b/sa/web", false),
        ("spiffe://cluster.local/ns/*/sa/web", "spiffe://cluster.local/ns//sa/web", false),
        ("spiffe://cluster.local/ns/web/sa/*", WEB, true),
    ];
    for (pattern, peer, expected) in cases {
        assert_eq!(Principal::parse(pattern).unwrap().holds(peer), expected, "{pattern} {peer}");
    }
    for text in [
        "",
        "cluster.local/ns/web/sa/web",
        "spiffe://",
        "spiffe://a",
        "spiffe://*/ns/web",
        "spiffe://a/",
        "spiffe://a/w*",
        "spiffe://a/ b",
    ] {
        assert_eq!(Principal::parse(text), None, "{text}");
    }
}

#[test]
fn a_gate_that_anybody_could_open_by_mistake_is_refused() {
    let allowed = "is not an identity such as spiffe://cluster.local/ns/web/sa/web; * may stand for a whole part";
    let cases = [
        (json!({}), vec!["gate: holds none of flag, header; one is needed".to_owned()]),
        (json!({"fromPrincipals": [WEB]}), vec!["gate: holds none of flag, header; one is needed".to_owned()]),
        (
            json!({"header": "x-pii"}),
            vec![
                "gate.header: is believed from nobody: name the peers in fromPrincipals, or set trustAnyPeer"
                    .to_owned(),
            ],
        ),
        (
            json!({"flag": "a", "header": "x-pii", "trustAnyPeer": false, "fromPrincipals": []}),
            vec![
                "gate.header: is believed from nobody: name the peers in fromPrincipals, or set trustAnyPeer"
                    .to_owned(),
            ],
        ),
        (
            json!({"flag": "", "header": "x pii", "fromPrincipals": ["*", 7], "whenMissing": "block"}),
            vec![
                "gate.flag: \"\" is not a flag's name: 1 to 200 bytes of text, and no *".to_owned(),
                "gate.header: \"x pii\" is not a header name: letters, digits and !#$%&'*+-.^_`|~".to_owned(),
                format!("gate.fromPrincipals[0]: * {allowed}"),
                "gate.fromPrincipals[1]: 7 is not a string".to_owned(),
                "gate.whenMissing: block is not one of redact, pass".to_owned(),
            ],
        ),
        (json!(true), vec!["gate: true is not an object".to_owned()]),
    ];
    for (written, errors) in cases {
        assert_eq!(told(&loaded(&json!({"gate": written})).report.errors), errors, "{written}");
    }
}

#[cfg(not(target_arch = "wasm32"))]
proptest! {
    #[test]
    fn no_state_and_no_peer_harms(state: Vec<u8>, flag in "[a-z=,;%-]{0,6}", peer in ".{0,20}") {
        let _said = decision(&state, &flag);
        let _held = Principal::parse(&peer).map(|principal| principal.holds(&peer));
    }
}
