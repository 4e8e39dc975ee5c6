//! Hosts in every spelling: which texts name the same host, and which name none.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod common;

use common::host;
use egress_core::host::{Authority, Host, Invalid, plain};
#[cfg(not(target_arch = "wasm32"))]
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// What a text is, in its one spelling.
fn read(text: &str) -> Result<String, Invalid> {
    Host::parse(text.as_bytes()).map(|host| host.to_string())
}

#[test]
fn a_name_is_the_same_in_any_case_and_with_a_dot_at_its_end() {
    let cases = [
        ("api.openai.com", "api.openai.com"),
        ("API.OpenAI.Com", "api.openai.com"),
        ("api.openai.com.", "api.openai.com"),
        ("API.OPENAI.COM.", "api.openai.com"),
        ("redis", "redis"),
        ("redis.", "redis"),
        ("_dmarc.example.com", "_dmarc.example.com"),
        ("r3---sn-4g5e.example.com", "r3---sn-4g5e.example.com"),
        ("-a.example", "-a.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("bücher.example.", "xn--bcher-kva.example"),
        ("bücher。example", "xn--bcher-kva.example"),
        ("ｂü\u{ad}cher．ｅxample", "xn--bcher-kva.example"),
        ("faß.de", "xn--fa-hia.de"),
        ("ΒΌΛΟΣ.com", "xn--nxasmq6b.com"),
        ("βόλος.com", "xn--nxasmm1c.com"),
        ("аррӏе.com", "xn--80ak6aa92e.com"),
        ("日本語.jp", "xn--wgv71a119e.jp"),
        ("1.2.3.4.5.example", "1.2.3.4.5.example"),
        ("1.2.3.com", "1.2.3.com"),
        ("0xg", "0xg"),
        ("1x", "1x"),
        ("localhost", "localhost"),
    ];
    for (text, expected) in cases {
        assert_eq!(Host::parse(text.as_bytes()), Ok(Host::Name(expected.to_owned())), "{text}");
    }
}

#[test]
fn an_ipv4_address_is_the_same_in_every_spelling() {
    let all = |expected: &str, texts: &[&str]| {
        for text in texts {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
            assert!(host(text).name().is_none(), "{text}");
        }
    };
    all(
        "127.0.0.1",
        &[
            "127.0.0.1",
            "127.0.0.1.",
            "127.1",
            "127.0.1",
            "2130706433",
            "0x7f000001",
            "0X7F000001",
            "0x7F.1",
            "0177.0.0.1",
            "0177.0.0.01",
            "017700000001",
            "0x7f.0x0.0x0.0x1",
            "0x7f.0.0x.1",
            "127.0.0x0.01",
            "0000177.0.0.1",
            "0x000000000000000000007f000001",
            "::ffff:127.0.0.1",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[0:0:0:0:0:FFFF:7F00:0001]",
            "64:ff9b::127.0.0.1",
            "[64:ff9b::7f00:1]",
            "１２７．０．０．１",
            "127。0。0。1",
            "１２７.1",
            "0ｘ7f.1",
            "12\u{ad}7.0.0.1",
        ],
    );
    all("8.8.8.8", &["8.8.8.8", "134744072", "0x8080808", "010.010.010.010", "8.8.2056", "8.526344"]);
    all("0.0.0.0", &["0", "0x", "0.0.0.0", "00", "0x0.0x0", "[::ffff:0:0]"]);
    all("255.255.255.255", &["4294967295", "0xffffffff", "255.255.65535", "255.16777215", "037777777777"]);
    all("192.0.2.235", &["192.0.2.235", "0xC0.0x00.0x02.0xEB", "0300.0000.0002.0353", "3221226219", "0xC00002EB"]);
    all("169.254.169.254", &["169.254.43518", "0xa9fea9fe", "2852039166", "[::ffff:a9fe:a9fe]"]);
}

#[test]
fn an_ipv6_address_is_the_same_with_brackets_and_without() {
    let cases = [
        ("[::1]", "::1"),
        ("::1", "::1"),
        ("[0:0:0:0:0:0:0:1]", "::1"),
        ("[2001:DB8::7]", "2001:db8::7"),
        ("2001:db8:0:0:0::7", "2001:db8::7"),
        ("[2001:0db8:0000:0000:0000:0000:0000:0007]", "2001:db8::7"),
        // only mapped and NAT64 addresses stand for IPv4 ones
        ("::127.0.0.1", "::7f00:1"),
        ("64:ff9b:1::7f00:1", "64:ff9b:1::7f00:1"),
        ("::ffff:0:7f00:1", "::ffff:0:7f00:1"),
    ];
    for (text, expected) in cases {
        assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        assert_eq!(plain(expected.parse().unwrap()).to_string(), expected);
    }
}

#[test]
fn what_is_no_host_says_why() {
    let long = |length: usize| "a".repeat(length);
    let cases: &[(&str, Invalid)] = &[
        ("", Invalid::Empty),
        (".", Invalid::EmptyLabel),
        ("..", Invalid::EmptyLabel),
        (".example.com", Invalid::EmptyLabel),
        ("a..example.com", Invalid::EmptyLabel),
        ("example.com..", Invalid::EmptyLabel),
        ("\u{ad}", Invalid::EmptyLabel),
        ("a.\u{200b}.b", Invalid::EmptyLabel),
        ("user@example.com", Invalid::Byte),
        ("api.openai.com@evil.example", Invalid::Byte),
        ("api.openai.com\\@evil.example", Invalid::Byte),
        ("api.openai.com#.evil.example", Invalid::Byte),
        ("api.openai.com/.evil.example", Invalid::Byte),
        ("api.openai.com?.evil.example", Invalid::Byte),
        ("api.openai.com%2eevil.example", Invalid::Byte),
        ("api%00.openai.com", Invalid::Byte),
        ("api.openai.com\0.evil.example", Invalid::Byte),
        ("api.openai.com\r\nhost: evil.example", Invalid::Byte),
        ("api openai.com", Invalid::Byte),
        (" api.openai.com", Invalid::Byte),
        ("api.openai.com\t", Invalid::Byte),
        ("*.openai.com", Invalid::Byte),
        ("api.openai.com:443", Invalid::Byte),
        ("a,b.example", Invalid::Byte),
        ("a＠b.example", Invalid::Byte),
        ("a％2eb.example", Invalid::Byte),
        ("a：80", Invalid::Byte),
        ("[api.openai.com]", Invalid::Address),
        ("[]", Invalid::Address),
        ("[::1", Invalid::Address),
        ("::1]", Invalid::Address),
        ("[::1]]", Invalid::Address),
        ("[127.0.0.1]", Invalid::Address),
        ("[fe80::1%eth0]", Invalid::Address),
        ("fe80::1%25eth0", Invalid::Address),
        ("a:b:c", Invalid::Address),
        ("1::2::3", Invalid::Address),
        ("256.0.0.1", Invalid::Address),
        ("127.0.0.256", Invalid::Address),
        ("127.0.65536", Invalid::Address),
        ("127.16777216", Invalid::Address),
        ("4294967296", Invalid::Address),
        ("0x100000000", Invalid::Address),
        ("99999999999999999999999999", Invalid::Address),
        ("1.2.3.4.5", Invalid::Address),
        ("1.2.3.08", Invalid::Address),
        ("09", Invalid::Address),
        ("foo.1", Invalid::Address),
        ("foo.0x4", Invalid::Address),
        ("foo.0x", Invalid::Address),
        ("1.0xffg.3", Invalid::Address),
        ("bücher.1", Invalid::Address),
        ("ı\u{307}.example", Invalid::Letters),
        ("İ.example", Invalid::Letters),
        ("שלום.example", Invalid::Letters),
        ("☃.example", Invalid::Letters),
        ("😀.example", Invalid::Letters),
        ("a\u{200d}b.example", Invalid::Letters),
        ("a\u{202e}b.example", Invalid::Letters),
        ("ﬁ.example", Invalid::Letters),
        ("ⅰ.example", Invalid::Letters),
        ("①.example", Invalid::Letters),
        ("e\u{301}.example", Invalid::Letters),
        ("-ü.example", Invalid::Letters),
        ("ü-.example", Invalid::Letters),
        ("üb--x.example", Invalid::Letters),
        ("ｘn--bcher-kva.example", Invalid::Letters),
        ("x\u{ad}n--bcher-kva.example", Invalid::Letters),
        ("ü.xn--bcher-kva.example", Invalid::Letters),
    ];
    for (text, wrong) in cases {
        assert_eq!(Host::parse(text.as_bytes()), Err(*wrong), "{text:?}");
        assert!(!wrong.told().is_empty());
    }
    assert_eq!(Host::parse(b"a\xff.example"), Err(Invalid::Byte));
    assert_eq!(Host::parse(b"\xc0\xae.example"), Err(Invalid::Byte), "an overlong dot");
    for (text, fits) in [
        (format!("{}.example", long(63)), true),
        (format!("{}.example", long(64)), false),
        (vec![long(49); 5].join(".") + "." + &long(3), true),
        (vec![long(49); 5].join(".") + "." + &long(3) + ".", true),
        (vec![long(49); 5].join(".") + "." + &long(4), false),
        // 59 of them are 63 bytes with the code's beginning
        ("ü".repeat(53) + ".example", true),
        ("ü".repeat(59) + ".example", false),
        ("\u{ad}".repeat(100) + "a", true),
    ] {
        let read = Host::parse(text.as_bytes());
        assert_eq!(read.is_ok(), fits, "{text}: {read:?}");
        assert!(fits || read == Err(Invalid::TooLong), "{text}: {read:?}");
    }
}

/// A header may hold 60 kB of different letters, and the code of a name takes a step for each pair of them.
#[test]
fn a_name_that_is_far_too_long_is_refused_before_its_letters_are_read() {
    let text: String = (0x4e00..0x9fff).filter_map(char::from_u32).collect();
    assert_eq!(Host::parse(text.as_bytes()), Err(Invalid::TooLong));
    assert_eq!(Authority::parse(format!("{text}:443").as_bytes()), Err(Invalid::TooLong));
}

#[test]
fn an_authority_is_a_host_and_perhaps_a_port() {
    let ok = |host: &str, port: Option<u16>| Ok((host.to_owned(), port));
    let cases = [
        ("api.openai.com", ok("api.openai.com", None)),
        ("API.openai.com:443", ok("api.openai.com", Some(443))),
        ("api.openai.com.:443", ok("api.openai.com", Some(443))),
        ("api.openai.com:", ok("api.openai.com", None)),
        ("api.openai.com:0443", ok("api.openai.com", Some(443))),
        ("api.openai.com:0", ok("api.openai.com", Some(0))),
        ("api.openai.com:65535", ok("api.openai.com", Some(65_535))),
        ("127.1:80", ok("127.0.0.1", Some(80))),
        ("[::1]", ok("::1", None)),
        ("[::1]:8443", ok("::1", Some(8443))),
        ("[::1]:", ok("::1", None)),
        ("::1", ok("::1", None)),
        ("[::ffff:8.8.8.8]:53", ok("8.8.8.8", Some(53))),
        ("bücher.example:8080", ok("xn--bcher-kva.example", Some(8080))),
        ("", Err(Invalid::Empty)),
        (":443", Err(Invalid::Empty)),
        (":", Err(Invalid::Empty)),
        ("api.openai.com:65536", Err(Invalid::Port)),
        ("api.openai.com:4 43", Err(Invalid::Port)),
        ("api.openai.com:+443", Err(Invalid::Port)),
        ("api.openai.com:-1", Err(Invalid::Port)),
        ("api.openai.com:https", Err(Invalid::Port)),
        ("api.openai.com:４４３", Err(Invalid::Port)),
        ("[::1]:x", Err(Invalid::Port)),
        ("[::1]x:80", Err(Invalid::Address)),
        ("api.openai.com:80:443", Err(Invalid::Address)),
        ("api.openai.com:443@evil.example", Err(Invalid::Port)),
        ("user:password@evil.example", Err(Invalid::Port)),
        ("user:443", ok("user", Some(443))),
        ("user@evil.example:443", Err(Invalid::Byte)),
        ("api.openai.com:443/path", Err(Invalid::Port)),
        ("api.openai.com:443,evil.example:443", Err(Invalid::Address)),
        ("api.openai.com, evil.example", Err(Invalid::Byte)),
    ];
    for (text, expected) in cases {
        let read = Authority::parse(text.as_bytes()).map(|authority| (authority.host.to_string(), authority.port));
        assert_eq!(read, expected, "{text:?}");
    }
}

/// A number in one of the bases that an address may be written in.
#[cfg(not(target_arch = "wasm32"))]
fn spelt(number: u32) -> impl Strategy<Value = String> {
    prop_oneof![
        Just(number.to_string()),
        Just(format!("0{number:o}")),
        Just(format!("0x{number:x}")),
        Just(format!("0X{number:X}")),
        (1_usize..9).prop_map(move |zeros| format!("{}{number:o}", "0".repeat(zeros))),
    ]
}

#[cfg(not(target_arch = "wasm32"))]
fn spellings(address: u32) -> impl Strategy<Value = String> {
    let [a, b, c, d] = address.to_be_bytes().map(u32::from);
    prop_oneof![
        spelt(address),
        (spelt(a), spelt(address & 0xff_ffff)).prop_map(|(a, rest)| format!("{a}.{rest}")),
        (spelt(a), spelt(b), spelt(address & 0xffff)).prop_map(|(a, b, rest)| format!("{a}.{b}.{rest}")),
        (spelt(a), spelt(b), spelt(c), spelt(d)).prop_map(|(a, b, c, d)| format!("{a}.{b}.{c}.{d}.")),
        Just(format!("[::ffff:{a}.{b}.{c}.{d}]")),
        Just(format!("64:ff9b::{:x}:{:x}", address >> 16, address & 0xffff)),
    ]
}

#[cfg(not(target_arch = "wasm32"))]
proptest! {
    #[test]
    fn any_ipv4_address_is_read_in_any_spelling(
        (address, text) in any::<u32>().prop_flat_map(|address| (Just(address), spellings(address))),
    ) {
        prop_assert_eq!(read(&text), Ok(std::net::Ipv4Addr::from(address).to_string()));
    }

    #[test]
    fn any_ipv6_address_is_read(address: u128) {
        let address = std::net::Ipv6Addr::from(address);
        let expected = Ok(Host::Address(plain(address)));
        prop_assert_eq!(&Host::parse(address.to_string().as_bytes()), &expected);
        prop_assert_eq!(&Host::parse(format!("[{address}]").as_bytes()), &expected);
        let authority = Authority::parse(format!("[{address}]:443").as_bytes()).unwrap();
        prop_assert_eq!((Ok(authority.host), authority.port), (expected, Some(443)));
    }

    /// What a host is told as is read as the same host, so the log can be fed back into rules.
    #[test]
    fn the_one_spelling_of_a_host_stays(text in "\\PC{0,40}|[a-zA-Z0-9.:_\\[\\]-]{0,40}|[0-9xa-f.]{0,20}") {
        if let Ok(host) = Host::parse(text.as_bytes()) {
            let told = host.to_string();
            prop_assert_eq!(Host::parse(told.as_bytes()), Ok(host));
            prop_assert!(told.is_ascii() && told.len() <= 253 && !told.ends_with('.') && told == told.to_lowercase());
        }
    }

    #[test]
    fn any_bytes_are_read_without_fault(bytes: Vec<u8>) {
        let _read = (Host::parse(&bytes), Authority::parse(&bytes));
    }

    #[test]
    fn a_port_changes_no_host(text in "[a-zA-Z0-9._-]{1,30}", port: u16) {
        let alone = Authority::parse(text.as_bytes());
        let both = Authority::parse(format!("{text}:{port}").as_bytes());
        prop_assert_eq!(alone.map(|one| one.host), both.clone().map(|one| one.host));
        prop_assert!(both.is_err() || both.unwrap().port == Some(port));
    }
}
