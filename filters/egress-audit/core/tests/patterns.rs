//! Which hosts a pattern names, what is refused as one, and that the index finds what each pattern by itself would.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod common;

use std::collections::BTreeSet;

use common::{host, pattern};
use egress_core::host::Host;
use egress_core::index::Index;
use egress_core::pattern::Pattern;
use egress_core::policy::HostCloseness;
#[cfg(not(target_arch = "wasm32"))]
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn patterns_name_hosts() {
    // pattern, hosts that it names, hosts that it does not
    let cases: &[(&str, &[&str], &[&str])] = &[
        (
            "api.openai.com",
            &["api.openai.com", "API.OpenAI.com", "api.openai.com."],
            &["openai.com", "x.api.openai.com", "api.openai.com.evil.example", "api-openai.com", "apixopenai.com"],
        ),
        ("API.OpenAI.com.", &["api.openai.com"], &["api.openai.org"]),
        (
            "*.anthropic.com",
            &["api.anthropic.com", "a.b.c.anthropic.com", "API.Anthropic.com."],
            &["anthropic.com", "xanthropic.com", "anthropic.com.evil.example", "api.anthropic.org", "com"],
        ),
        (
            "ec2.*.amazonaws.com",
            &["ec2.eu-west-1.amazonaws.com"],
            &[
                "ec2.amazonaws.com",
                "ec2.a.b.amazonaws.com",
                "x.ec2.eu-west-1.amazonaws.com",
                "s3.eu-west-1.amazonaws.com",
            ],
        ),
        (
            "s3-*.amazonaws.com",
            &["s3-eu-west-1.amazonaws.com", "s3-.amazonaws.com", "S3-X.amazonaws.com"],
            &["s3.amazonaws.com", "s3-a.b.amazonaws.com", "xs3-a.amazonaws.com"],
        ),
        (
            "a*z.example.com",
            &["az.example.com", "abz.example.com"],
            &["a.example.com", "z.example.com", "za.example.com"],
        ),
        ("aba*aba.com", &["abaaba.com", "abaxaba.com"], &["aba.com", "ababa.com", "abaab.com"]),
        ("*-api.example.com", &["x-api.example.com", "-api.example.com"], &["api.example.com", "a.x-api.example.com"]),
        (
            "*.s3-*.amazonaws.com",
            &["bucket.s3-eu.amazonaws.com", "a.b.s3-eu.amazonaws.com"],
            &["s3-eu.amazonaws.com", "bucket.s3.amazonaws.com"],
        ),
        ("*.*.example.com", &["a.b.example.com", "a.b.c.example.com"], &["a.example.com", "example.com"]),
        ("a.*", &["a.com", "a.local"], &["a", "a.b.com"]),
        ("*", &["redis", "api.openai.com", "a.b.c.d.e"], &["127.0.0.1", "[::1]"]),
        ("*.com", &["a.com", "a.b.com"], &["com", "a.org"]),
        ("localhost", &["localhost", "LOCALHOST."], &["a.localhost", "127.0.0.1"]),
        ("bücher.example", &["xn--bcher-kva.example", "BÜCHER.example"], &["bucher.example"]),
        ("*.bücher.example", &["a.xn--bcher-kva.example"], &["xn--bcher-kva.example"]),
        ("xn--bcher-kva.example", &["bücher.example"], &[]),
        ("192.0.2.7", &["192.0.2.7", "0xc0000207", "[::ffff:192.0.2.7]", "192.0.519"], &["192.0.2.8", "[2001:db8::7]"]),
        ("0xc0000207", &["192.0.2.7"], &["192.0.2.70"]),
        ("[2001:DB8::7]", &["[2001:db8:0::7]", "2001:db8::7"], &["2001:db8::8", "192.0.2.7"]),
        ("2001:db8::7", &["[2001:db8::7]"], &[]),
        ("[::ffff:192.0.2.7]", &["192.0.2.7"], &["192.0.2.8"]),
        (
            "192.0.2.0/24",
            &["192.0.2.0", "192.0.2.255", "::ffff:192.0.2.9"],
            &["192.0.3.0", "192.0.1.255", "a.example", "::c000:200"],
        ),
        ("192.0.2.128/25", &["192.0.2.128", "192.0.2.255"], &["192.0.2.127"]),
        ("192.0.2.7/32", &["192.0.2.7"], &["192.0.2.6"]),
        ("0.0.0.0/0", &["0.0.0.0", "255.255.255.255"], &["::1", "a.example"]),
        ("::/0", &["::", "2001:db8::7"], &["192.0.2.7", "::ffff:192.0.2.7", "a.example"]),
        ("2001:db8::/32", &["2001:db8::1", "2001:db8:ffff::"], &["2001:db9::"]),
        ("[2001:db8::]/32", &["2001:db8::1"], &["2001:db7:ffff::"]),
        ("fc00::/7", &["fc00::1", "fdff::1"], &["fe80::1"]),
    ];
    for (text, named, others) in cases {
        let pattern = pattern(text);
        let mut index = Index::default();
        index.add(&pattern, ());
        let found = |host: &Host| {
            let mut found = 0;
            index.find(host, &mut |()| found += 1);
            found
        };
        for one in *named {
            assert!(pattern.matches(&host(one)), "{text} should name {one}");
            assert_eq!(found(&host(one)), 1, "{text} should be found for {one}");
        }
        for one in *others {
            assert!(!pattern.matches(&host(one)), "{text} should not name {one}");
            assert_eq!(found(&host(one)), 0, "{text} should not be found for {one}");
        }
    }
}

#[test]
fn what_is_no_pattern_is_refused_with_what_is_allowed() {
    const ALLOWED: &str = "; allowed are a name, *.name, a * within a part, an address, a network or *, without a port";
    let cases = [
        ("", "is empty", true),
        ("*.", "is empty", true),
        (".example.com", "has an empty part between its dots", true),
        ("*..example.com", "has an empty part between its dots", true),
        ("a..*.com", "has an empty part between its dots", true),
        ("api.openai.com:443", "holds a byte that no host may hold", true),
        ("*.openai.com:443", "holds a byte that no host may hold", true),
        ("s3-*.amazonaws.com:443", "holds a byte that no host may hold", true),
        ("user@example.com", "holds a byte that no host may hold", true),
        ("a b.example.com", "holds a byte that no host may hold", true),
        ("a%2e.example.com", "holds a byte that no host may hold", true),
        ("a?.example.com", "holds a byte that no host may hold", true),
        ("[*.example.com]", "ends in a number and is no address", true),
        ("example.1", "ends in a number and is no address", true),
        ("10.*.0.1", "has a * in an address; name a network, such as 192.0.2.0/24", false),
        ("192.0.2.*", "has a * in an address; name a network, such as 192.0.2.0/24", false),
        ("192.0.*", "has a * in an address; name a network, such as 192.0.2.0/24", false),
        ("**", "has more than one * in one part", false),
        ("a**.example.com", "has more than one * in one part", false),
        ("*a*.example.com", "has more than one * in one part", false),
        ("*.192.0.2.7", "names an address, which has nothing below it", false),
        ("*.[::1]", "names an address, which has nothing below it", false),
        ("*.7", "names an address, which has nothing below it", false),
        ("bü*.example", "has a * beside letters that are not ascii; write those in their ascii form, xn--…", false),
        ("☃.example", "holds letters whose ascii form has to be written out (xn--…)", true),
        ("https://api.openai.com", "is no network: an address, / and how many of its bits count", false),
        ("api.openai.com/v1", "is no network: an address, / and how many of its bits count", false),
        ("*/8", "is no network: an address, / and how many of its bits count", false),
        ("10.0.0.0/33", "is no network: behind / stands a number from 0 to 32", false),
        ("10.0.0.0/", "is no network: behind / stands a number from 0 to 32", false),
        ("10.0.0.0/-1", "is no network: behind / stands a number from 0 to 32", false),
        ("10.0.0.0/8/8", "is no network: behind / stands a number from 0 to 32", false),
        ("10.0.0.0/256", "is no network: behind / stands a number from 0 to 32", false),
        ("2001:db8::/129", "is no network: behind / stands a number from 0 to 128", false),
        ("::ffff:10.0.0.0/104", "is no network: behind / stands a number from 0 to 32", false),
        ("10.0.0.1/8", "is no network: with bits beyond /8 it would be 10.0.0.0/8", false),
        ("10/8", "is no network: with bits beyond /8 it would be 0.0.0.0/8", false),
        ("2001:db8::7/32", "is no network: with bits beyond /32 it would be 2001:db8::/32", false),
    ];
    for (text, message, allowed) in cases {
        let expected = if allowed { format!("{message}{ALLOWED}") } else { message.to_owned() };
        assert_eq!(Pattern::parse(text).unwrap_err(), expected, "{text:?}");
    }
    let long = format!("*.{}.example", "a".repeat(64));
    assert_eq!(Pattern::parse(&long).unwrap_err(), format!("is too long: 63 bytes a part, 253 in all{ALLOWED}"));
}

/// The examples of the tables in peers' documentation (smokescreen's ACL, Istio's and linkerd's hosts, Cilium's `matchPattern`).
#[test]
fn a_wildcard_means_what_most_peers_mean_by_it() {
    // pattern, host, here, and who differs
    let cases = [
        ("*.example.com", "api.example.com", true, ""),
        ("*.example.com", "a.b.example.com", true, "cilium, GKE: one part only"),
        ("*.example.com", "example.com", false, "AWS and Squid with a leading dot: the apex too"),
        ("example.com", "api.example.com", false, ""),
        ("*.example.com", "notexample.com", false, ""),
        ("*.example.com", "API.EXAMPLE.COM", true, "Istio: case matters"),
        ("*.example.com", "api.example.com.", true, ""),
    ];
    for (text, name, matches, _) in cases {
        assert_eq!(pattern(text).matches(&host(name)), matches, "{text} {name}");
    }
}

#[test]
fn a_pattern_covers_another() {
    let cases = [
        ("*", "api.openai.com", true),
        ("*", "*.com", true),
        ("*", "*", true),
        ("*", "192.0.2.7", false),
        ("*", "0.0.0.0/0", false),
        ("*.com", "*", false),
        ("*.openai.com", "api.openai.com", true),
        ("*.openai.com", "*.api.openai.com", true),
        ("*.openai.com", "*.openai.com", true),
        ("*.openai.com", "openai.com", false),
        ("*.api.openai.com", "*.openai.com", false),
        ("*.openai.com", "*.*.openai.com", true),
        ("*.*.openai.com", "*.openai.com", false),
        ("ec2.*.amazonaws.com", "ec2.eu.amazonaws.com", true),
        ("ec2.*.amazonaws.com", "ec2.eu-*.amazonaws.com", true),
        ("ec2.eu-*.amazonaws.com", "ec2.*.amazonaws.com", false),
        ("s3-*.amazonaws.com", "s3-eu-*.amazonaws.com", true),
        ("s3-*x.amazonaws.com", "s3-*.amazonaws.com", false),
        ("*.amazonaws.com", "ec2.*.amazonaws.com", true),
        ("api.openai.com", "api.openai.com", true),
        ("api.openai.com", "*.openai.com", false),
        ("10.0.0.0/8", "10.1.0.0/16", true),
        ("10.0.0.0/8", "10.1.2.3", true),
        ("10.1.0.0/16", "10.0.0.0/8", false),
        ("10.0.0.0/8", "::/0", false),
        ("::/0", "10.0.0.0/8", false),
        ("0.0.0.0/0", "example.com", false),
    ];
    for (wide, narrow, covers) in cases {
        assert_eq!(pattern(wide).covers(&pattern(narrow)), covers, "{wide} {narrow}");
    }
}

#[test]
fn the_closer_pattern_is_the_one_that_leaves_less_open() {
    let from_wide_to_close: &[&[&str]] = &[
        &["*", "*.com", "*.openai.com", "*.*.openai.com", "*.eu.*.openai.com", "api.*", "api.openai.com"],
        &["*.a.b.c.example.com", "a*.openai.com", "api-*.openai.com", "a.*.openai.com", "a.openai.com"],
        &["0.0.0.0/0", "192.0.2.0/24", "192.0.2.6/31", "192.0.2.7"],
    ];
    for texts in from_wide_to_close {
        for pair in texts.windows(2) {
            assert!(HostCloseness::of(&pattern(pair[0])) < HostCloseness::of(&pattern(pair[1])), "{pair:?}");
        }
    }
    assert_eq!(HostCloseness::of(&pattern("192.0.2.7/32")), HostCloseness::of(&pattern("192.0.2.7")));
}

/// Parts out of a few letters, so that patterns and hosts meet.
#[cfg(not(target_arch = "wasm32"))]
fn part() -> impl Strategy<Value = String> {
    prop_oneof![Just("a"), Just("b"), Just("ab"), Just("aba"), Just("bab"), Just("abab"), Just("a-b")]
        .prop_map(str::to_owned)
}

#[cfg(not(target_arch = "wasm32"))]
fn name() -> impl Strategy<Value = String> {
    prop::collection::vec(part(), 1..5).prop_map(|parts| parts.join("."))
}

#[cfg(not(target_arch = "wasm32"))]
fn address() -> impl Strategy<Value = String> {
    prop_oneof![
        (0_u32..4, 0_u32..4).prop_map(|(high, low)| std::net::Ipv4Addr::from(high << 30 | low).to_string()),
        (0_u128..4, 0_u128..4).prop_map(|(high, low)| std::net::Ipv6Addr::from(high << 126 | low).to_string()),
    ]
}

#[cfg(not(target_arch = "wasm32"))]
fn any_host() -> impl Strategy<Value = Host> {
    prop_oneof![3 => name(), 1 => address()].prop_map(|text| host(&text))
}

#[cfg(not(target_arch = "wasm32"))]
fn any_pattern() -> impl Strategy<Value = Pattern> {
    let starred = prop_oneof![
        3 => part(),
        1 => Just("*".to_owned()),
        2 => ("[ab]{0,2}", "[ab]{0,2}").prop_map(|(before, after)| format!("{before}*{after}")),
    ];
    let names = (any::<bool>(), prop::collection::vec(starred, 1..4))
        .prop_map(|(below, parts)| format!("{}{}", if below { "*." } else { "" }, parts.join(".")));
    let networks =
        (address(), prop_oneof![Just(0_u8), Just(1), Just(2), Just(30), Just(31), Just(32), Just(127), Just(128)])
            .prop_filter_map("a network", |(address, length)| {
                let text = format!("{address}/{length}");
                Pattern::parse(&text).is_ok().then_some(text)
            });
    prop_oneof![6 => names, 2 => networks, 1 => address(), 1 => Just("*".to_owned())]
        .prop_filter_map("a pattern", |text| Pattern::parse(&text).ok())
}

#[cfg(not(target_arch = "wasm32"))]
proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_index_finds_exactly_the_patterns_that_match(
        patterns in prop::collection::vec(any_pattern(), 0..24),
        hosts in prop::collection::vec(any_host(), 1..8),
    ) {
        let mut index = Index::default();
        patterns.iter().enumerate().for_each(|(place, pattern)| index.add(pattern, place));
        for host in &hosts {
            let mut found = Vec::new();
            index.find(host, &mut |place| found.push(place));
            found.sort_unstable();
            let matching: Vec<usize> =
                patterns.iter().enumerate().filter(|(_, pattern)| pattern.matches(host)).map(|(place, _)| place).collect();
            prop_assert_eq!(found, matching, "{:?}", host);
        }
    }

    #[test]
    fn what_covers_another_matches_all_that_it_matches(
        wide in any_pattern(),
        narrow in any_pattern(),
        hosts in prop::collection::vec(any_host(), 1..16),
    ) {
        prop_assert!(wide.covers(&wide));
        if wide.covers(&narrow) {
            for host in hosts.iter().chain(narrow.single().as_ref()).filter(|host| narrow.matches(host)) {
                prop_assert!(wide.matches(host), "{} {} {}", wide, narrow, host);
            }
        }
    }

    #[test]
    fn a_pattern_that_names_one_host_matches_it_alone(pattern in any_pattern(), host in any_host()) {
        if let Some(single) = pattern.single() {
            prop_assert_eq!(pattern.matches(&host), host == single);
            prop_assert!(pattern.matches(&single));
        }
    }

    #[test]
    fn a_pattern_is_read_as_it_is_told(pattern in any_pattern()) {
        let told = pattern.to_string();
        prop_assert_eq!(Pattern::parse(&told), Ok(pattern), "{}", told);
    }

    #[test]
    fn any_text_is_read_without_fault(text in "\\PC{0,30}|[*a-z0-9./:\\[\\]]{0,20}", host in any_host()) {
        if let Ok(pattern) = Pattern::parse(&text) {
            prop_assert_eq!(Pattern::parse(&pattern.to_string()), Ok(pattern.clone()), "{}", text);
            let _matches = pattern.matches(&host);
        }
    }
}

/// A look-up costs as many steps as the name has parts, so the patterns that do not match cost nothing; that it is fast with
/// many is shown by the benchmark, and that it stays right, here.
#[test]
fn ten_thousand_patterns_are_told_apart() {
    let texts: Vec<String> = (0..10_000)
        .map(|number| match number % 4 {
            0 => format!("api-{number}.example.com"),
            1 => format!("*.zone-{number}.example.com"),
            2 => format!("s{number}-*.region.example.com"),
            _ => format!("10.{}.{}.0/24", number / 256, number % 256),
        })
        .collect();
    let patterns: BTreeSet<Pattern> = texts.iter().map(|text| pattern(text)).collect();
    assert_eq!(patterns.len(), texts.len());
    let mut index = Index::default();
    texts.iter().enumerate().for_each(|(place, text)| index.add(&pattern(text), place));
    let found = |text: &str| {
        let mut found = Vec::new();
        index.find(&host(text), &mut |place| found.push(place));
        found
    };
    assert_eq!(found("api-4000.example.com"), [4000]);
    assert_eq!(found("x.zone-4001.example.com"), [4001]);
    assert_eq!(found("s4002-eu.region.example.com"), [4002]);
    assert_eq!(found(&format!("10.{}.{}.77", 4003 / 256, 4003 % 256)), [4003]);
    assert_eq!(found("api-4001.example.com"), [0_usize; 0]);
}
