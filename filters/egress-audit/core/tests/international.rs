//! International names: what is turned into ASCII here is turned into the same by the whole of UTS #46, and punycode is that of
//! RFC 3492.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod common;

use egress_core::host::Host;
use egress_core::idna::{decode, to_ascii};
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use proptest::prelude::*;

/// The whole of UTS #46, as strict as it gets but for what names in use hold (`_`) and for lengths.
fn whole(name: &str) -> Option<String> {
    Uts46::new().to_ascii(name.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Check, DnsLength::Ignore).ok().map(Into::into)
}

fn every_letter() -> impl Iterator<Item = char> {
    ('\u{80}'..=char::MAX).filter(|letter| !letter.is_ascii())
}

#[test]
fn every_character_that_is_taken_becomes_what_uts_46_makes_of_it() {
    let mut taken = 0;
    for letter in every_letter() {
        if to_ascii(&format!("a{letter}b")).is_none() {
            continue;
        }
        taken += 1;
        for name in [format!("a{letter}b.example"), format!("{letter}.example"), format!("x.{letter}{letter}")] {
            let ascii = to_ascii(&name);
            assert!(ascii.is_none() || ascii == whole(&name), "{name} (U+{:04X}): {ascii:?}", u32::from(letter));
        }
    }
    println!("{taken} of {} characters are taken", every_letter().count());
    assert!(taken > 39_000, "{taken}");
}

/// The letters of the languages that domains are mostly registered in.
#[test]
fn common_names_are_taken() {
    let names = [
        "bücher.example",
        "straße.example",
        "français.fr",
        "español.es",
        "português.pt",
        "zażółć-gęślą-jaźń.pl",
        "příliš-žluťoučký-kůň.cz",
        "smörgåsbord.se",
        "blåbærsyltetøj.no",
        "íslenska.is",
        "çağrı.com.tr",
        "tiếng-việt.vn",
        "română.ro",
        "latviešu.lv",
        "россия.рф",
        "україна.укр",
        "българия.бг",
        "ελλάδα.gr",
        "հայաստան.հայ",
        "საქართველო.გე",
        "中国互联网络信息中心.中国",
        "日本語ドメイン.jp",
        "ひらがな.jp",
        "한국.kr",
    ];
    for name in names {
        let ascii = to_ascii(name);
        assert!(ascii.is_some(), "{name}");
        assert_eq!(ascii, whole(name), "{name}");
    }
}

/// A string out of the blocks that are taken, with what makes names hard between.
fn hostile() -> impl Strategy<Value = String> {
    let letter = prop_oneof![
        4 => "[a-zA-Z0-9]",
        1 => "[-._。．｡]",
        1 => "[\u{ad}\u{200b}\u{2060}\u{feff}\u{fe00}-\u{fe0f}]",
        1 => "[！-～]",
        6 => "[\u{c0}-\u{17f}\u{1c0}-\u{24f}]",
        3 => "[\u{370}-\u{52f}\u{530}-\u{58f}]",
        1 => "[\u{e00}-\u{e4f}\u{10a0}-\u{10ff}\u{1e00}-\u{1fff}]",
        1 => "[\u{3040}-\u{312f}\u{3400}-\u{4dbf}\u{4e00}-\u{9fff}\u{ac00}-\u{d7a3}]",
        1 => "[\u{300}-\u{36f}\u{200c}\u{200d}\u{5d0}\u{627}\u{660}]",
        1 => Just("xn--".to_owned()),
        1 => Just("--".to_owned()),
    ];
    prop::collection::vec(letter, 1..12).prop_map(|letters| letters.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn any_name_that_is_taken_becomes_what_uts_46_makes_of_it(name in hostile()) {
        if !name.is_ascii() && let Some(ascii) = to_ascii(&name) {
            prop_assert_eq!(Some(ascii), whole(&name));
        }
    }

    #[test]
    fn what_names_no_host_for_uts_46_names_none_here(name in hostile()) {
        let strict = Uts46::new().to_ascii(name.as_bytes(), AsciiDenyList::STD3, Hyphens::Check, DnsLength::VerifyAllowRootDot);
        let Ok(Host::Name(host)) = Host::parse(name.as_bytes()) else { return Ok(()) };
        // names in use hold it, though those of hosts may not
        if !name.is_ascii() && !host.contains('_') {
            prop_assert_eq!(strict.ok().map(|name| name.trim_end_matches('.').to_owned()), Some(host));
        }
    }

    #[test]
    fn punycode_there_and_back(label in "[a-z0-9\u{e0}-\u{f6}\u{3b1}-\u{3c9}\u{4e00}-\u{9fff}]{1,30}") {
        prop_assume!(!label.is_ascii());
        let ascii = to_ascii(&label).unwrap();
        let code = ascii.strip_prefix("xn--").unwrap();
        prop_assert_eq!(code, idna::punycode::encode_str(&label).unwrap());
        prop_assert_eq!(decode(code), Some(label));
    }

    #[test]
    fn any_code_is_decoded_as_by_idna(code in "[a-z0-9-]{0,40}|[ -~]{0,20}|\\PC{0,10}") {
        let lower = !code.bytes().any(|byte| byte.is_ascii_uppercase());
        let ours = decode(&code);
        // a host is in lower case and ASCII before anything is decoded
        if lower && code.is_ascii() {
            prop_assert_eq!(ours, idna::punycode::decode_to_string(&code));
        }
    }
}

/// The package's own vectors of punycode.
#[test]
fn the_published_codes_are_decoded() {
    let vectors: serde_json::Value =
        serde_json::from_str(&common::vectors("idna", "tests/punycode_tests.json")).unwrap();
    let mut count = 0;
    for case in vectors.as_array().unwrap() {
        let (decoded, encoded) = (case["decoded"].as_str().unwrap(), case["encoded"].as_str().unwrap());
        // the digits of a code are in lower case by then, and its other letters too
        if encoded.bytes().any(|byte| byte.is_ascii_uppercase()) {
            continue;
        }
        assert_eq!(decode(encoded).as_deref(), Some(decoded), "{encoded}");
        count += 1;
    }
    println!("{count} of {} codes", vectors.as_array().unwrap().len());
    assert!(count >= 8, "{count}");
}
