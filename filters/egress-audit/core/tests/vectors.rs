//! Peers' published vectors of hosts, unmodified: IdnaTestV2.txt of Unicode, and the host part of urltestdata.json of WHATWG. They
//! are read from the packages of the crates `idna` and `url`.
//!
//! What is refused here and taken there is safe: a refused host is denied, with its reason. What is taken has to come out the
//! same.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod common;

use std::collections::BTreeMap;

use common::vectors;
use egress_core::host::{Host, Invalid};
use egress_core::idna::to_ascii;
use serde_json::Value;

/// One line of IdnaTestV2.txt; what it says of `toAsciiN`, that is nontransitional processing.
struct Line {
    number: usize,
    source: String,
    ascii: String,
    /// What is wrong, by the steps of UTS #46.
    wrong: Vec<String>,
}

/// A text with its escapes `\uXXXX` and `\x{XXXX}` replaced; none where that is no text (half of a surrogate pair).
fn unescaped(text: &str) -> Option<String> {
    if text == "\"\"" {
        return Some(String::new());
    }
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        plain.push_str(before);
        let (digits, after) = match escape.split_at(1) {
            ("u", escape) => escape.split_at(4),
            ("x", escape) => escape.strip_prefix('{').unwrap().split_once('}').unwrap(),
            (other, _) => panic!("an escape \\{other}"),
        };
        plain.push(char::from_u32(u32::from_str_radix(digits, 16).unwrap())?);
        rest = after;
    }
    plain.push_str(rest);
    Some(plain)
}

/// All lines, and how many hold what is no text.
fn lines() -> (Vec<Line>, usize) {
    let (mut lines, mut no_text) = (Vec::new(), 0);
    for (number, line) in vectors("idna", "tests/IdnaTestV2.txt").lines().enumerate() {
        let line = line.split('#').next().unwrap();
        if line.trim().is_empty() {
            continue;
        }
        let columns: Vec<&str> = line.split(';').map(str::trim).collect();
        let [source, unicode, unicode_status, ascii, status, ..] = columns[..] else { panic!("{line}") };
        // a blank column says the same as the one that it follows from
        let column = |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { text.to_owned() };
        let unicode = column(unicode, source);
        let status = column(status, unicode_status);
        let wrong = status.trim_matches(['[', ']']).split(',').map(|step| step.trim().to_owned());
        let wrong = wrong.filter(|step| !step.is_empty()).collect();
        match (unescaped(source), unescaped(&column(ascii, &unicode))) {
            (Some(source), Some(ascii)) => lines.push(Line { number: number + 1, source, ascii, wrong }),
            _ => no_text += 1,
        }
    }
    (lines, no_text)
}

#[test]
fn what_is_taken_of_the_idna_vectors_comes_out_as_published() {
    let (lines, no_text) = lines();
    let (mut taken, mut right, mut refused) = (0, 0, 0);
    for line in lines.iter().filter(|line| !line.source.is_ascii()) {
        refused += usize::from(line.wrong.is_empty());
        let Some(ascii) = to_ascii(&line.source) else { continue };
        // what is checked of any name, international or not, stands in `Host::parse`: bytes and lengths
        let later = |step: &String| matches!(step.as_str(), "U1" | "A4_1" | "A4_2" | "X4_2");
        let wrong: Vec<&String> = line.wrong.iter().filter(|step| !later(step)).collect();
        assert!(wrong.is_empty(), "line {}: {} has {wrong:?}", line.number, line.source);
        assert_eq!(ascii, line.ascii, "line {}: {}", line.number, line.source);
        taken += 1;
        if line.wrong.is_empty() {
            right += 1;
            refused -= 1;
        }
    }
    println!("{} lines that are text, {no_text} that are none", lines.len());
    println!("international: {taken} taken, {right} of them without fault; {refused} without fault are refused");
    assert!(right >= 50, "{right}");
}

#[test]
fn hosts_of_the_idna_vectors_are_the_published_ones() {
    let (lines, _) = lines();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for line in &lines {
        let host = Host::parse(line.source.as_bytes());
        let what = match (&host, line.wrong.is_empty()) {
            (Ok(Host::Name(name)), true) => {
                assert_eq!(*name, line.ascii, "line {}: {}", line.number, line.source);
                "taken, as published"
            }
            // an address is no name, so UTS #46 says nothing of it
            (Ok(Host::Address(_)), _) => "an address",
            (Ok(Host::Name(_)), false) if line.source.is_ascii() => {
                // the wire form is what is looked up and compared, so nobody decodes it here: one that decodes to nothing good
                // is a name all the same, and no rule with another name is for it
                "ascii that decodes to nothing good, taken as it stands"
            }
            // a dot at the end is allowed in a Host header; what is told has none
            (Ok(Host::Name(name)), false) => {
                let root = line.wrong == ["A4_2"] && line.ascii.strip_suffix('.') == Some(name);
                assert!(root, "line {}: {} is {name} and has {:?}", line.number, line.source, line.wrong);
                "a dot at the end"
            }
            (Err(Invalid::Letters), true) => "letters beyond what is taken",
            (Err(wrong), true) => panic!("line {}: {} is refused: {wrong:?}", line.number, line.source),
            (Err(_), false) => "wrong, and refused",
        };
        *counts.entry(what).or_default() += 1;
    }
    println!("{counts:#?}");
    assert!(counts["taken, as published"] >= 180, "{counts:?}");
}

/// Why a host that WHATWG takes is refused here, or the other way round.
fn difference(raw: &str, expected: Option<&str>, ours: &Result<Host, Invalid>) -> Option<&'static str> {
    Some(match (expected, ours) {
        (Some(_), Err(Invalid::Byte)) if raw.contains('%') => {
            "percent-encoding: clients and servers differ in whether they decode it"
        }
        (Some(_), Err(Invalid::Letters)) => "letters whose ASCII form has to be written out",
        (Some(_), Err(Invalid::Byte)) => "bytes that no DNS name and no certificate holds",
        (Some(_), Err(Invalid::EmptyLabel)) => "empty labels, which no DNS name has",
        (Some(_), Err(Invalid::TooLong)) => "longer than a DNS name may be",
        (Some(expected), Ok(Host::Address(std::net::IpAddr::V4(_)))) if expected.starts_with('[') => {
            "IPv6 that stands for IPv4 is read as that"
        }
        (Some(expected), Ok(Host::Name(name))) if expected.strip_suffix('.') == Some(name) => {
            "the dot at the end is taken off"
        }
        (None, Ok(Host::Address(_))) if raw.matches(':').count() > 1 && !raw.contains('[') => {
            "an IPv6 address may stand without brackets"
        }
        (None, Ok(Host::Name(_))) if raw.to_ascii_lowercase().contains("xn--") => {
            "an ASCII name is taken as it stands, whatever it decodes to"
        }
        _ => return None,
    })
}

#[test]
fn hosts_of_the_url_vectors_are_the_published_ones() {
    let data: Value = serde_json::from_str(&vectors("url", "tests/urltestdata.json")).unwrap();
    let mut agreed: BTreeMap<&str, usize> = BTreeMap::new();
    let mut differ: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for case in data.as_array().unwrap().iter().filter(|case| case.is_object()) {
        let input = case["input"].as_str().unwrap();
        let Some((scheme, rest)) = input.split_once("://") else { continue };
        if !matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https" | "ws" | "wss") {
            continue;
        }
        // what a URL's own grammar takes from it before the host is read is not the host's: ends, paths, line ends, user names
        let authority = rest.split(['/', '?', '#', '\\']).next().unwrap();
        if authority.is_empty()
            || authority.contains('@')
            || input.contains(['\t', '\n', '\r'])
            || input.trim() != input
        {
            continue;
        }
        let (raw, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port),
            _ => (authority, ""),
        };
        let expected = case["hostname"].as_str();
        // a failure may be the port's, or the path's
        let by_port =
            !port.bytes().all(|byte| byte.is_ascii_digit()) || port.parse::<u16>().is_err() && !port.is_empty();
        if case["failure"] == true && (by_port || raw.is_empty()) {
            continue;
        }
        let ours = Host::parse(raw.as_bytes());
        let told = ours.as_ref().ok().map(|host| match host {
            Host::Address(std::net::IpAddr::V6(address)) => format!("[{address}]"),
            host => host.to_string(),
        });
        if told.as_deref() == expected {
            *agreed.entry(if expected.is_some() { "the same host" } else { "both refuse" }).or_default() += 1;
            continue;
        }
        let Some(why) = difference(raw, expected, &ours) else {
            panic!("{input:?}: {raw:?} is {expected:?} there and {ours:?} here")
        };
        differ.entry(why).or_default().push(format!("{raw} ({})", expected.unwrap_or("refused there")));
    }
    println!("{agreed:?}");
    for (why, hosts) in &differ {
        println!("{:3} {why}: {}", hosts.len(), hosts.join(", "));
    }
    assert!(agreed["the same host"] >= 100 && agreed["both refuse"] >= 50, "{agreed:?}");
}
