//! Hosts that look like an allowed one, held against Unicode's own table of confusables (the crate `unicode-security`).

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod common;

use common::{host, pattern};
use egress_core::confusable::{Lookalikes, mixes_scripts};
use egress_core::host::Host;
use proptest::prelude::*;

fn lookalikes(patterns: &[&str]) -> Lookalikes {
    let patterns: Vec<_> = patterns.iter().map(|text| pattern(text)).collect();
    Lookalikes::of(patterns.iter())
}

/// A host by its letters, whatever the script; none where they are mapped to others, and so are those.
fn lettered(name: &str) -> Option<Host> {
    let ascii = idna::domain_to_ascii(name).ok()?;
    let host = Host::parse(ascii.as_bytes()).ok()?;
    (idna::domain_to_unicode(&ascii).0 == name).then_some(host)
}

#[test]
fn hosts_that_look_like_an_allowed_one_are_found() {
    let allowed =
        lookalikes(&["apple.com", "api.openai.com", "*.anthropic.com", "*.media-*.example.org", "modern.net"]);
    let cases = [
        ("аррӏе.com", Some("apple.com")),
        ("xn--80ak6aa92e.com", Some("apple.com")),
        ("appie.com", Some("apple.com")),
        ("app1e.com", Some("apple.com")),
        ("аpple.com", Some("apple.com")),
        ("www.аррӏе.com", Some("apple.com")),
        ("api.0penai.com", Some("api.openai.com")),
        ("api.openаi.com", Some("api.openai.com")),
        ("x.y.openа1.com", Some("openai.com")),
        ("аpi.openai.com", None), // whoever has openai.com has this
        ("anthropıc.com", Some("anthropic.com")),
        ("x.anthroplc.com", Some("anthropic.com")),
        ("rnodern.net", Some("modern.net")),
        ("rnodem.net", Some("modern.net")),
        ("ехample.org", Some("example.org")),
        ("apple.com", None),
        ("store.apple.com", None),
        ("api.openai.com", None),
        ("openai.com", None),
        ("api.anthropic.com", None),
        ("example.org", None),
        ("apple.org", None),
        ("apples.com", None),
        ("com", None),
        ("redis", None),
        ("россия.рф", None),
    ];
    for (name, expected) in cases {
        assert_eq!(allowed.of_host(&lettered(name).unwrap_or_else(|| host(name))), expected, "{name}");
    }
    assert_eq!(allowed.of_host(&host("192.0.2.7")), None);
    assert_eq!(lookalikes(&[]).of_host(&host("apple.com")), None);
    assert_eq!(lookalikes(&["*", "*.com", "192.0.2.0/24", "redis"]).of_host(&host("c0m")), None);
}

/// Below `co.uk` anybody can have a name, so that one who is allowed there vouches for no other.
#[test]
fn names_below_a_shared_end_are_held_against_each_other() {
    let allowed = lookalikes(&["api.google.co.uk", "*.nsw.gov.au", "t.co"]);
    for (name, expected) in [
        ("g00gle.co.uk", Some("google.co.uk")),
        ("api.gοοgle.co.uk", Some("api.google.co.uk")),
        ("google.co.uk", None),
        ("x.google.co.uk", None),
        ("x.co.uk", None),
        ("х.nsvv.gov.au", Some("nsw.gov.au")),
        ("т.со", None),
        ("t.c0", Some("t.co")),
    ] {
        assert_eq!(allowed.of_host(&lettered(name).unwrap()), expected, "{name}");
    }
}

/// Letters that one looks for: those that look the same in most fonts count as one.
fn group(letter: char) -> char {
    match letter {
        '0' => 'o',
        '1' | 'i' => 'l',
        other => other,
    }
}

#[test]
fn the_table_is_that_of_unicode() {
    // the scripts that it is for: Latin, Greek, Cyrillic, Armenian, Georgian
    let complete = [0x80..=0x58f_u32, 0x10a0..=0x10ff, 0x1d00..=0x1d25, 0x1e00..=0x1fff];
    // not letters, and no registry takes them
    let signs = ['¡', '×'];
    let plain: Vec<char> = ('a'..='z').chain('0'..='9').collect();
    let patterns: Vec<String> = plain.iter().map(|letter| format!("q{letter}q.example")).collect();
    let allowed = lookalikes(&patterns.iter().map(String::as_str).collect::<Vec<_>>());
    let skeleton = |letter: char| unicode_security::skeleton(&letter.to_string()).collect::<String>();
    let skeletons: Vec<(char, String)> = plain.iter().map(|letter| (*letter, skeleton(*letter))).collect();
    let mut found = 0;
    for letter in '\u{80}'..'\u{3400}' {
        let Some(host) = lettered(&format!("q{letter}q.example")) else { continue };
        let own = skeleton(letter);
        let theirs: Vec<char> = skeletons.iter().filter(|(_, other)| *other == own).map(|(plain, _)| *plain).collect();
        let ours = allowed.of_host(&host).map(|name| name.chars().nth(1).unwrap());
        match ours {
            Some(ours) => {
                found += 1;
                let same = theirs.iter().any(|theirs| group(*theirs) == group(ours));
                assert!(same, "{letter} is taken for {ours}; Unicode has {theirs:?}");
            }
            None => {
                let asked = complete.iter().any(|range| range.contains(&u32::from(letter))) && !signs.contains(&letter);
                assert!(!asked || theirs.is_empty(), "{letter} (U+{:04X}) looks like {theirs:?}", u32::from(letter));
            }
        }
    }
    assert!(found >= 80, "{found}");
}

#[test]
fn scripts_that_no_language_mixes_are_told() {
    let cases = [
        ("аpple.com", true),
        ("аррӏе.com", false),
        ("gοogle.com", true),
        ("βόλος.com", false),
        ("россия.com", false),
        ("яndex.ru", true),
        ("bücher.example", false),
        ("日本go.jp", false),
        ("ドメイン名例.jp", false),
        ("한국abc.kr", false),
        ("日本ж.jp", true),
        ("հայ-abc.am", true),
        ("café-1.fr", false),
        ("россия-24.рф", false),
        ("plain.example", false),
        ("a.россия.com", false),
    ];
    for (name, mixed) in cases {
        assert_eq!(mixes_scripts(&lettered(name).unwrap()), mixed, "{name}");
    }
    // a code that decodes to nothing
    assert!(!mixes_scripts(&host("xn--a-ecp.example")) && !mixes_scripts(&host("xn--99999999.example")));
    assert!(!mixes_scripts(&host("192.0.2.7")));
}

proptest! {
    /// Whoever is allowed, and whatever is below it, is never taken for a lookalike, even of another that is allowed.
    #[test]
    fn allowed_names_are_never_flagged(
        names in prop::collection::vec("[il10orn]{1,4}\\.[il10om]{1,3}\\.(com|co\\.uk)", 1..6),
        below in "([a-z0-9]{1,4}\\.){0,2}",
    ) {
        let allowed = lookalikes(&names.iter().map(String::as_str).collect::<Vec<_>>());
        for name in &names {
            prop_assert_eq!(allowed.of_host(&host(&format!("{below}{name}"))), None, "{} {:?}", name, names);
        }
    }

    #[test]
    fn any_host_is_looked_at_without_fault(text in "\\PC{0,30}|(xn--[a-z0-9-]{0,20}\\.)?[a-z]{1,5}") {
        if let Ok(host) = Host::parse(text.as_bytes()) {
            let _found = (lookalikes(&["apple.com"]).of_host(&host).map(str::to_owned), mixes_scripts(&host));
        }
    }
}
