//! What the first bytes of a connection are: ClientHellos written by hand and by rustls, in any pieces and records, and what is
//! none.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

use std::sync::Arc;

use egress_core::hello::{ClientHello, Hello, Parser, read};
use proptest::prelude::*;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

/// Behind its length of two bytes.
fn sized(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

/// Behind its length of one byte.
fn short(bytes: &[u8]) -> Vec<u8> {
    [&[u8::try_from(bytes.len()).unwrap()][..], bytes].concat()
}

fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [kind.to_be_bytes().to_vec(), sized(data)].concat()
}

/// The names of an extension `server_name`: kind and text.
fn names(names: &[(u8, &[u8])]) -> Vec<u8> {
    let list: Vec<u8> = names.iter().flat_map(|(kind, name)| [vec![*kind], sized(name)].concat()).collect();
    extension(0, &sized(&list))
}

fn sni(name: &str) -> Vec<u8> {
    names(&[(0, name.as_bytes())])
}

fn alpn(protocols: &[&[u8]]) -> Vec<u8> {
    extension(16, &sized(&protocols.iter().flat_map(|protocol| short(protocol)).collect::<Vec<u8>>()))
}

/// The content of a hello without what follows the compression methods.
fn beginning() -> Vec<u8> {
    let ciphers = sized(&[0x7a, 0x7a, 0x13, 0x01, 0x13, 0x02, 0xc0, 0x2f]);
    [&[3, 3][..], &[7; 32], &short(&[9; 32]), &ciphers, &short(&[0])].concat()
}

/// A handshake message with these extensions.
fn message(extensions: &[Vec<u8>]) -> Vec<u8> {
    handshake(1, &[beginning(), sized(&extensions.concat())].concat())
}

fn handshake(kind: u8, content: &[u8]) -> Vec<u8> {
    let [_, high, middle, low] = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[kind, high, middle, low][..], content].concat()
}

/// A message in records of at most that many bytes.
fn records(message: &[u8], most: usize) -> Vec<u8> {
    message.chunks(most).flat_map(|part| [&[22, 3, 1][..], &sized(part)].concat()).collect()
}

fn hello(extensions: &[Vec<u8>]) -> Vec<u8> {
    records(&message(extensions), 1 << 14)
}

/// What is read when bytes come in pieces.
fn in_pieces<'b>(pieces: impl IntoIterator<Item = &'b [u8]>) -> Hello {
    let mut parser = Parser::default();
    let mut answer = Hello::Unfinished;
    for piece in pieces {
        answer = parser.feed(piece);
        if answer != Hello::Unfinished {
            break;
        }
    }
    answer
}

fn client(bytes: &[u8]) -> ClientHello {
    match read(bytes) {
        Hello::Client(hello) => hello,
        other => panic!("{other:?}"),
    }
}

/// What rustls sends first.
fn of_rustls(name: &str, protocols: &[&[u8]], old: bool) -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions: &[&rustls::SupportedProtocolVersion] =
        if old { &[&rustls::version::TLS12] } else { rustls::ALL_VERSIONS };
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let mut config = config.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut bytes).unwrap();
    }
    bytes
}

fn typical() -> Vec<u8> {
    hello(&[sni("api.openai.com"), alpn(&[b"h2", b"http/1.1"]), extension(43, &[4, 3, 4, 3, 3])])
}

#[test]
fn the_name_is_read() {
    let named = |name: Option<&str>| name.map(|name| name.as_bytes().to_vec());
    let cases = [
        ("alone", vec![sni("api.openai.com")], Some("api.openai.com")),
        ("last", vec![extension(43, &[2, 3, 4]), extension(0xff01, &[0]), sni("a.example")], Some("a.example")),
        ("as it was sent", vec![sni("API.OpenAI.com.")], Some("API.OpenAI.com.")),
        ("whatever it is", vec![sni("no host at all")], Some("no host at all")),
        ("an address", vec![sni("192.0.2.7")], Some("192.0.2.7")),
        ("none", vec![alpn(&[b"h2"])], None),
        ("no extension", vec![], None),
        ("of another kind", vec![names(&[(1, b"a.example")])], None),
        ("behind one of another kind", vec![names(&[(1, b"x"), (0, b"a.example")])], Some("a.example")),
        ("an empty list", vec![names(&[])], None),
    ];
    for (what, extensions, expected) in cases {
        assert_eq!(client(&hello(&extensions)).server_name, named(expected), "{what}");
    }
    // TLS 1.0 may end behind the compression methods
    assert_eq!(client(&records(&handshake(1, &beginning()), 1 << 14)), ClientHello::default());
}

#[test]
fn the_name_of_real_clients_is_read() {
    for old in [false, true] {
        let bytes = of_rustls("api.openai.com", &[b"h2", b"http/1.1"], old);
        let hello = client(&bytes);
        assert_eq!(hello.server_name.as_deref(), Some(&b"api.openai.com"[..]));
        assert_eq!(hello.protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
        assert!(!hello.encrypted);
        // RFC 6066 allows no address there
        assert_eq!(client(&of_rustls("192.0.2.7", &[], old)).server_name, None);
        assert_eq!(client(&of_rustls("2001:db8::7", &[], old)).server_name, None);
    }
}

/// More than one record's worth, as large key shares and many protocols make it.
#[test]
fn a_big_hello_of_a_real_client_is_read() {
    let protocols: Vec<Vec<u8>> = (0..200).map(|number| format!("{number:0>200}").into_bytes()).collect();
    let protocols: Vec<&[u8]> = protocols.iter().map(Vec::as_slice).collect();
    let bytes = of_rustls("api.openai.com", &protocols, false);
    assert!(bytes.len() > 40_000 && bytes.len() < 1 << 16, "{}", bytes.len());
    let hello = client(&bytes);
    assert_eq!((hello.server_name.as_deref(), hello.protocols.len()), (Some(&b"api.openai.com"[..]), 200));
    for at in (0..bytes.len()).step_by(997) {
        assert_eq!(in_pieces([&bytes[..at], &bytes[at..]]), Hello::Client(hello.clone()), "{at}");
    }
}

#[test]
fn encrypted_hellos_are_noted() {
    // an outer hello: cipher suite, id of the configuration, encapsulated key, payload
    let outer = [&[0, 0, 1, 0, 1, 42][..], &sized(&[1; 32]), &sized(&[2; 128])].concat();
    let hello = client(&hello(&[extension(0xfe0d, &outer), sni("public.example")]));
    assert!(hello.encrypted);
    assert_eq!(hello.server_name.as_deref(), Some(&b"public.example"[..]));
    assert!(!client(&typical()).encrypted);
}

#[test]
fn grease_and_what_is_unknown_is_passed_over() {
    let grease: Vec<Vec<u8>> = (0_u16..16).map(|high| extension(high << 12 | 0xa0a | high << 4, &[0; 3])).collect();
    let ticket = extension(35, &[5; 4000]);
    let unknown = extension(0x1234, &[]);
    let protocols = alpn(&[b"\x0a\x0a", b"h2", b"\xfa\xfa", b"http/1.1", b"\x3a\x4a", b"\x3b\x3b"]);
    let extensions = [grease, vec![ticket, unknown, sni("a.example"), protocols, extension(21, &[0; 500])]].concat();
    let hello = client(&hello(&extensions));
    assert_eq!(hello.server_name.as_deref(), Some(&b"a.example"[..]));
    let expected: [&[u8]; 4] = [b"h2", b"http/1.1", b"\x3a\x4a", b"\x3b\x3b"];
    assert_eq!(hello.protocols, expected);
}

#[test]
fn a_hello_that_servers_may_read_in_two_ways_is_malformed() {
    let after = |extensions: &[u8]| records(&handshake(1, &[beginning(), extensions.to_vec()].concat()), 1 << 14);
    let cases = [
        ("two extensions for names", hello(&[sni("a.example"), sni("b.example")])),
        ("the same twice", hello(&[sni("a.example"), sni("a.example")])),
        ("one of them empty", hello(&[names(&[]), sni("b.example")])),
        ("two names", hello(&[names(&[(0, b"a.example"), (0, b"b.example")])])),
        ("an empty name", hello(&[sni("")])),
        ("no list of names", hello(&[extension(0, &[])])),
        ("a name that is cut", hello(&[extension(0, &sized(&[0, 0, 9, b'a']))])),
        ("bytes behind the list of names", hello(&[extension(0, &[sized(&[0, 0, 1, b'a']), vec![0]].concat())])),
        ("a protocol that is cut", hello(&[extension(16, &sized(&[9, b'h']))])),
        ("bytes behind the list of protocols", hello(&[extension(16, &[sized(&[1, b'a']), vec![0]].concat())])),
        ("bytes behind the extensions", after(&[sized(&sni("a.example")), vec![0]].concat())),
        ("one byte in place of extensions", after(&[0])),
        ("extensions that are cut", after(&[0, 9, 0])),
        ("an extension that is cut", after(&sized(&[0, 0, 0, 9, 1]))),
        ("nothing in it", records(&handshake(1, &[]), 1 << 14)),
        ("no ciphers", records(&handshake(1, &[3; 35]), 1 << 14)),
        ("a session id that is cut", records(&handshake(1, &[&[3; 34][..], &[255, 1]].concat()), 1 << 14)),
    ];
    for (what, bytes) in cases {
        assert_eq!(read(&bytes), Hello::Malformed, "{what}");
    }
    let whole = typical();
    let (_, content) = whole.split_at(5);
    let cut = |second: &[u8]| [&[22, 3, 1, 0, 9][..], &content[..9], second].concat();
    for (what, second) in [
        ("an alert in the middle", &[21, 3, 3, 0, 2, 1, 0][..]),
        ("application data in the middle", &[23, 3, 3, 0, 1, 1]),
        ("an empty record in the middle", &[22, 3, 3, 0, 0]),
        ("a record that is too long", &[22, 3, 3, 0x40, 1]),
        ("another version in the middle", &[22, 2, 0]),
    ] {
        assert_eq!(read(&cut(second)), Hello::Malformed, "{what}");
    }
}

#[test]
fn other_protocols_are_told_at_their_first_bytes() {
    let cases: &[(&str, &[u8], usize)] = &[
        ("HTTP", b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", 1),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 1),
        ("SSH", b"SSH-2.0-OpenSSH_9.6\r\n", 1),
        ("PostgreSQL, SSLRequest", &[0, 0, 0, 8, 4, 210, 22, 47], 1),
        ("Redis", b"*1\r\n$4\r\nPING\r\n", 1),
        ("SSL 2", &[0x80, 0x2e, 1, 0, 2, 0, 21, 0, 0, 0, 16], 1),
        ("an alert", &[21, 3, 1, 0, 2, 2, 40], 1),
        ("application data", &[23, 3, 3, 0, 1, 0], 1),
        ("SSL 2 in a record", &[22, 2, 0, 0, 1], 2),
        ("a version that never was", &[22, 3, 5, 0, 9, 1], 3),
        ("DTLS", &[22, 254, 253, 0, 0], 2),
        ("an empty record", &[22, 3, 1, 0, 0], 5),
        ("a record that is too long", &[22, 3, 1, 0x40, 1, 1], 5),
        ("a ServerHello", &[22, 3, 3, 0, 9, 2, 0, 0, 5], 6),
        ("MQTT", &[0x10, 0x0c, 0, 4, b'M'], 1),
        ("a proxy's line", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 443\r\n", 1),
    ];
    for (what, bytes, needed) in cases {
        for end in 1..=bytes.len() {
            let expected = if end < *needed { Hello::Unfinished } else { Hello::NotTls };
            assert_eq!(read(&bytes[..end]), expected, "{what}, {end} bytes");
            assert_eq!(in_pieces(bytes[..end].chunks(1)), expected, "{what}, {end} bytes one by one");
        }
    }
    assert_eq!(read(b""), Hello::Unfinished);
}

#[test]
fn a_hello_in_two_pieces_or_byte_by_byte_is_the_same() {
    for bytes in [typical(), hello(&[]), of_rustls("a.example", &[b"h2"], false)] {
        let whole = read(&bytes);
        assert!(matches!(whole, Hello::Client(_)));
        for at in 0..=bytes.len() {
            assert_eq!(in_pieces([&bytes[..at], &bytes[at..]]), whole, "{at}");
        }
        assert_eq!(in_pieces(bytes.chunks(1)), whole);
        let mut behind = bytes.clone();
        behind.extend([23, 3, 3, 0, 2, 1, 1]);
        assert_eq!(read(&behind), whole, "early data behind it");
    }
}

#[test]
fn a_hello_in_many_records_is_the_same() {
    let message = message(&[sni("api.openai.com"), alpn(&[b"h2"]), extension(35, &[5; 300])]);
    let whole = read(&records(&message, 1 << 14));
    assert!(matches!(whole, Hello::Client(_)));
    for most in [1, 2, 3, 4, 5, 7, 64, 255] {
        let bytes = records(&message, most);
        assert_eq!(read(&bytes), whole, "{most}");
        assert_eq!(in_pieces(bytes.chunks(1)), whole, "{most}");
        assert_eq!(in_pieces(bytes.chunks(6)), whole, "{most}");
    }
}

#[test]
fn a_hello_that_is_cut_is_never_taken_for_one() {
    for bytes in [typical(), records(&message(&[sni("a.example")]), 3)] {
        for end in 0..bytes.len() {
            assert_eq!(read(&bytes[..end]), Hello::Unfinished, "{end}");
        }
    }
}

/// What is read before a connection is something is bounded, whatever the lengths that are claimed.
#[test]
fn a_hello_that_never_ends_is_given_up() {
    assert_eq!(read(&[22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff]), Hello::Malformed);
    assert_eq!(read(&[22, 3, 1, 0, 4, 1, 1, 0, 1]), Hello::Malformed);
    assert_eq!(read(&[22, 3, 1, 0, 4, 1, 1, 0, 0]), Hello::Unfinished);
    // 64 KiB in records of one byte each: the headers alone are more than is looked at
    let tiny = records(&handshake(1, &vec![0; 1 << 16]), 1);
    assert_eq!(read(&tiny), Hello::Malformed);
    let mut parser = Parser::default();
    let mut fed = 0;
    let answer = loop {
        fed += 1;
        match parser.feed(&tiny[fed - 1..fed]) {
            Hello::Unfinished => {}
            answer => break answer,
        }
    };
    assert_eq!((answer, fed), (Hello::Malformed, (1 << 17) + 1));
}

#[test]
fn a_big_hello_byte_by_byte_is_the_same() {
    let tickets: Vec<Vec<u8>> = (0..30).map(|number| extension(0x2000 + number, &[5; 2000])).collect();
    let message = message(&[vec![sni("api.openai.com")], tickets].concat());
    for most in [1 << 14, 100, 10] {
        let bytes = records(&message, most);
        assert!(bytes.len() > 60_000);
        assert_eq!(in_pieces(bytes.chunks(1)), read(&bytes));
        assert!(matches!(read(&bytes), Hello::Client(_)));
    }
}

/// Something that may be a hello, and is often damaged.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just(sni("a.example")),
        Just(sni("")),
        Just(names(&[(0, b"a"), (0, b"b")])),
        Just(alpn(&[b"h2", b"\x0a\x0a"])),
        Just(extension(0xfe0d, &[1; 9])),
        (any::<u16>(), prop::collection::vec(any::<u8>(), 0..20)).prop_map(|(kind, data)| extension(kind, &data)),
    ];
    let hello = (prop::collection::vec(part, 0..5), prop_oneof![1_usize..40, Just(1 << 14)])
        .prop_map(|(extensions, most)| records(&message(&extensions), most));
    let damaged = (hello.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut bytes, at, new)| {
        let at = at.index(bytes.len());
        bytes[at] = new;
        bytes
    });
    let begun =
        prop::collection::vec(any::<u8>(), 0..60).prop_map(|rest| [&[22, 3, 1, 0, 40, 1, 0, 0][..], &rest].concat());
    prop_oneof![2 => hello, 4 => damaged, 1 => begun, 1 => prop::collection::vec(any::<u8>(), 0..60)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_bytes_in_any_pieces_are_read_as_at_once(
        bytes in damaged(),
        lengths in prop::collection::vec(1_usize..30, 1..40),
    ) {
        let mut pieces = Vec::new();
        let mut rest = bytes.as_slice();
        for length in lengths.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*length).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        prop_assert_eq!(in_pieces(pieces), read(&bytes));
    }

    /// Once the answer is given it stands, whatever follows.
    #[test]
    fn what_follows_changes_no_answer(bytes in damaged(), behind in prop::collection::vec(any::<u8>(), 0..40)) {
        let answer = read(&bytes);
        if answer != Hello::Unfinished {
            prop_assert_eq!(read(&[bytes, behind].concat()), answer);
        }
    }

    #[test]
    fn any_name_comes_out_as_it_was_sent(name in prop::collection::vec(any::<u8>(), 1..300), most in 1_usize..100) {
        let bytes = records(&message(&[alpn(&[b"h2"]), names(&[(0, &name)])]), most);
        prop_assert_eq!(client(&bytes).server_name, Some(name));
    }
}

#[test]
fn http_is_known_by_its_first_bytes() {
    let http: [&[u8]; 7] = [
        b"G",
        b"GET",
        b"GET /",
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"M-SEARCH * HTTP/1.0\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0",
        b"CONNECT x:443 HTTP/1.1\r\n",
    ];
    for bytes in http {
        assert!(egress_core::hello::begins_http(bytes), "{:?}", String::from_utf8_lossy(bytes));
    }
    let other: [&[u8]; 8] = [
        b"",
        b"\x16\x03\x01",
        b"SSH-2.0-x\r\n",
        b"get / HTTP/1.1\r\n",
        b"GET / RTSP/1.0\r\n",
        b"GET \x00\x01",
        b"*1\r\n$4\r\nPING\r\n",
        b"\0\0\0\x08",
    ];
    for bytes in other {
        assert!(!egress_core::hello::begins_http(bytes), "{:?}", String::from_utf8_lossy(bytes));
    }
}
