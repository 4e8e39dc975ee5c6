//! TLS that the application speaks itself: the name in the handshake is read, however it comes, and the bytes pass untouched; a
//! denied connection is closed.

use e2e::egress::{OPENAI_TLS, PASSTHROUGH, Setup, Sidecar, config, each, tls_plugin};
use e2e::egress_tls::{
    ALLOWED, ANTHROPIC, DENIED, UNKNOWN, extended, hello, hosts, in_records, leading, message, renamed,
};
use e2e::with;
use harness::{
    Endpoint, H2Client, HelloPieces, Listener, Pki, RawClient, Request, TcpServer, Upstream, static_cluster,
};
use serde_json::{Value, json};

/// An outside that speaks TLS as each of these names, and who trusts it.
fn tls_outside(names: &[&str]) -> (Upstream, Pki) {
    let pki = Pki::new().unwrap();
    let outside = Upstream::start_tls("tls", &pki.identity(names).unwrap());
    (outside, pki)
}

fn tls_to(event: &Value, name: &str) -> bool {
    event["tls.client.server_name"] == name
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_and_http_2_pass_over_tls_and_the_name_is_told() {
    let (outside, pki) = tls_outside(&["*.anthropic.com"]);
    each(leading(hosts("enforce"), ANTHROPIC, outside.addr()), async |sidecar| {
        let endpoint = |name| Endpoint::tls(sidecar.envoy.addr("tls"), pki.client_config(None).unwrap(), name);
        let body = "x".repeat(200_000);
        let request = Request::post("/v1/messages", &body).host(ALLOWED);
        let mut http1 = RawClient::connect(endpoint(ALLOWED)).await.unwrap();
        assert_eq!(http1.send(&request).await.unwrap().served_by(), "tls");
        let at_server = outside.take_one();
        assert_eq!((at_server.text() == body, at_server.protocol), (true, "HTTP/1.1"));
        drop(http1);

        let event = sidecar.event(|event| tls_to(event, ALLOWED)).await;
        let told = |name: &str| event[name].clone();
        assert_eq!(told("decision"), "allow", "{event:#}");
        assert_eq!(told("reason_code"), "rule_allow");
        assert_eq!((told("policy"), told("rule_id")), (json!("ai-gateway"), json!("anthropic")));
        assert_eq!(told("network.protocol.name"), "tls");
        assert_eq!((told("server.address"), told("server.port")), (json!(ALLOWED), json!(443)));
        assert_eq!(told("envoy.cluster"), ANTHROPIC);
        assert_eq!(told("network.peer.address"), "127.0.0.1");
        assert_eq!(told("k8s.workload.name"), "ai-gateway");
        assert_eq!(told("first_seen"), true);
        assert!(told("sent.bytes").as_u64().unwrap() > 200_000, "{event:#}");
        assert!(told("received.bytes").as_u64().unwrap() > 500, "{event:#}");
        assert!(told("duration_ms").is_u64(), "{event:#}");

        let http2 = H2Client::connect(endpoint("v2.anthropic.com")).await.unwrap();
        assert_eq!(http2.send(&request).await.unwrap().served_by(), "tls");
        assert_eq!(outside.take_one().protocol, "HTTP/2");
        drop(http2);
        sidecar.event(|event| tls_to(event, "v2.anthropic.com")).await;
        let stats = sidecar
            .envoy
            .wait_for_counter("runtime_control_egress_audit_connections_total", &[("opening", "tls")], 2)
            .await;
        let allowed = [("decision", "allow"), ("rule", "anthropic"), ("reason", "rule_allow"), ("mode", "enforce")];
        assert_eq!(stats.unwrap().counter("runtime_control_egress_audit_decisions_total", &allowed), 2);
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hello_in_two_pieces_is_read_wherever_it_is_cut() {
    let server = TcpServer::echo();
    each(leading(hosts("enforce"), ANTHROPIC, server.addr()), async |sidecar| {
        let hello = hello(ALLOWED);
        for at in 1..hello.len() {
            let mut client = sidecar.connect("tls").await;
            client.write_alone(&hello[..at]).await.unwrap();
            client.write(&hello[at..]).await.unwrap();
            assert_eq!(client.read(hello.len()).await.unwrap(), hello, "cut at {at}");
        }
        sidecar.told(hello.len() - 1, |event| tls_to(event, ALLOWED)).await;
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hello_byte_by_byte_or_in_many_records_is_read_and_passes_untouched() {
    let server = TcpServer::echo();
    each(leading(hosts("enforce"), ANTHROPIC, server.addr()), async |sidecar| {
        for (name, passes) in [(ALLOWED, true), (DENIED, false), (UNKNOWN, false)] {
            let hello = hello(name);
            let mut ways: Vec<Vec<Vec<u8>>> = vec![hello.iter().map(|byte| vec![*byte]).collect()];
            for size in [1, 7, 100] {
                let records = in_records(&message(&hello), size);
                ways.push(vec![records.concat()]);
                ways.push(records);
            }
            for pieces in ways {
                let before = server.connections();
                let mut client = sidecar.connect("tls").await;
                for piece in &pieces {
                    // one that is denied is closed at the last piece, or where the name is whole
                    client.write_alone(piece).await.unwrap();
                }
                if passes {
                    let whole = pieces.concat();
                    assert_eq!(client.read(whole.len()).await.unwrap(), whole);
                } else {
                    assert_eq!(client.rest().await.unwrap(), b"");
                    let taken = server.wait(before, |taken| taken.ended).await.unwrap();
                    assert_eq!(taken.bytes, b"", "what is denied never leaves");
                }
            }
        }
        for (name, reason) in [(ALLOWED, "rule_allow"), (DENIED, "rule_deny"), (UNKNOWN, "default_deny")] {
            let events = sidecar.told(7, |event| tls_to(event, name)).await;
            assert!(events.iter().all(|event| event["reason_code"] == reason), "{events:#?}");
        }
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_completes_however_its_hello_is_sent() {
    let (outside, pki) = tls_outside(&["*.anthropic.com"]);
    each(leading(hosts("enforce"), ANTHROPIC, outside.addr()), async |sidecar| {
        let shapes: [HelloPieces; 4] = [
            |hello| hello.iter().map(|byte| vec![*byte]).collect(),
            |hello| in_records(&message(hello), 1),
            |hello| vec![in_records(&message(hello), 16).concat()],
            |hello| vec![hello[..5].to_vec(), hello[5..].to_vec()],
        ];
        for shape in shapes {
            let config = pki.client_config(None).unwrap();
            let endpoint = Endpoint::tls(sidecar.envoy.addr("tls"), config, ALLOWED).hello(shape);
            let mut http1 = RawClient::connect(&endpoint).await.unwrap();
            let answer = http1.send(&Request::post("/v1/messages", "hello").host(ALLOWED)).await.unwrap();
            assert_eq!(answer.served_by(), "tls");
            let http2 = H2Client::connect(&endpoint).await.unwrap();
            let answer = http2.send(&Request::post("/v1/messages", "hello").host(ALLOWED)).await.unwrap();
            assert_eq!(answer.served_by(), "tls");
        }
        sidecar.told(8, |event| tls_to(event, ALLOWED)).await;
        assert_eq!(sidecar.events().len(), 8);
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hello_over_several_full_records_is_read() {
    let (outside, pki) = tls_outside(&["*.anthropic.com"]);
    each(leading(hosts("enforce"), ANTHROPIC, outside.addr()), async |sidecar| {
        for protocols in [85, 200] {
            let mut config = (*pki.client_config(None).unwrap()).clone();
            config.alpn_protocols = (0..protocols).map(|n| format!("{n:0>200}").into_bytes()).collect();
            let endpoint = Endpoint::tls(sidecar.envoy.addr("tls"), config.into(), ALLOWED);
            let mut client = RawClient::connect(&endpoint).await.unwrap();
            let answer = client.send(&Request::get("/").host(ALLOWED)).await.unwrap();
            assert_eq!(answer.served_by(), "tls");
            drop(client);
            let size = 201 * protocols;
            sidecar.event(|event| tls_to(event, ALLOWED) && event["sent.bytes"].as_u64() > Some(size)).await;

            // denied ones are as long
            let mut denied = endpoint.clone();
            denied.tls.as_mut().unwrap().1 = DENIED.into();
            assert!(RawClient::connect(&denied).await.is_err());
        }
        sidecar.told(2, |event| tls_to(event, DENIED)).await;
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hello_without_end_is_not_gathered_for_ever() {
    let server = TcpServer::echo();
    each(leading(hosts("enforce"), ANTHROPIC, server.addr()), async |sidecar| {
        // it says that 64 kB follow, in records of one byte
        let message = [&[1, 0, 0xff, 0xff, 3, 3][..], &[0; 60_000]].concat();
        let mut client = sidecar.connect("tls").await;
        let _ = client.write(&in_records(&message, 1).concat()).await;
        assert_eq!(client.rest().await.unwrap(), b"");
        let event = sidecar.event(|event| event["reason_code"] == "hello_malformed").await;
        assert_eq!(event["decision"], "deny");
        assert!(server.taken().iter().all(|taken| taken.bytes.is_empty()));
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_denied_is_closed_before_a_byte_leaves_though_the_server_saw_a_connection() {
    let server = TcpServer::start();
    each(leading(hosts("enforce"), ANTHROPIC, server.addr()), async |sidecar| {
        for (name, reason, rule) in [(DENIED, "rule_deny", json!("no-files")), (UNKNOWN, "default_deny", Value::Null)] {
            let before = server.connections();
            let mut client = sidecar.connect("tls").await;
            // Envoy connects before the client has said anything
            server.wait(before, |_| true).await.unwrap();
            client.write(&hello(name)).await.unwrap();
            assert_eq!(client.rest().await.unwrap(), b"");
            let taken = server.wait(before, |taken| taken.ended).await.unwrap();
            assert_eq!(taken.bytes, b"");

            let event = sidecar.event(|event| tls_to(event, name)).await;
            assert_eq!((&event["decision"], &event["reason_code"]), (&json!("deny"), &json!(reason)), "{event:#}");
            assert_eq!((&event["policy"], &event["rule_id"]), (&json!("ai-gateway"), &rule), "{event:#}");
            assert_eq!((&event["mode"], &event["would_deny"]), (&json!("enforce"), &json!(false)));
            assert_eq!((&event["sent.bytes"], &event["received.bytes"]), (&json!(0), &json!(0)), "{event:#}");
            assert!(event["duration_ms"].is_u64(), "{event:#}");
            // the access log names the same event
            let id = event["event_id"].as_str().unwrap();
            let word = format!(
                "decision=deny reason={reason} policy=ai-gateway rule={} mode=enforce event_id={id}",
                rule.as_str().unwrap_or("none")
            );
            sidecar.envoy.logs().wait(|line| line.starts_with("ACCESS") && line.contains(&word)).await.unwrap();
        }
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn report_and_observe_let_all_pass_and_report_tells_what_would_be_denied() {
    let server = TcpServer::echo();
    for (mode, would_deny) in [("report", json!(true)), ("observe", Value::Null)] {
        each(leading(hosts(mode), ANTHROPIC, server.addr()), async |sidecar| {
            for (name, reason) in [(DENIED, "rule_deny"), (UNKNOWN, "default_deny")] {
                let hello = hello(name);
                assert_eq!(sidecar.say(&hello).await, hello);
                let event = sidecar.event(|event| tls_to(event, name)).await;
                assert_eq!((&event["decision"], &event["reason_code"]), (&json!("allow"), &json!(reason)), "{event:#}");
                assert_eq!(event["would_deny"], would_deny, "{event:#}");
                assert_eq!(event["sent.bytes"], json!(hello.len()));
                assert_eq!(event["received.bytes"], json!(hello.len()));
            }
            let hello = hello(ALLOWED);
            assert_eq!(sidecar.say(&hello).await, hello);
            let event = sidecar.event(|event| tls_to(event, ALLOWED)).await;
            assert_eq!(event["would_deny"].as_bool(), would_deny.as_bool().map(|_| false), "{event:#}");
            sidecar.assert_whole().await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_mode_off_nothing_is_looked_at() {
    let server = TcpServer::echo();
    each(leading(with(hosts("enforce"), "/mode", json!("off")), ANTHROPIC, server.addr()), async |sidecar| {
        let hello = hello(DENIED);
        assert_eq!(sidecar.say(&hello).await, hello);
        let off = [("reason", "off")];
        sidecar.envoy.wait_for_counter("runtime_control_egress_audit_exempt_total", &off, 1).await.unwrap();
        assert_eq!(sidecar.events(), Vec::<Value>::new());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_go_by_the_port_of_the_service() {
    let server = TcpServer::echo();
    const OTHER_PORT: &str = "outbound|8443||*.anthropic.com";
    let setup = leading(hosts("enforce"), ANTHROPIC, server.addr());
    for binary in harness::envoy_binaries() {
        let mut setup = setup.clone();
        setup.clusters.push(static_cluster(OTHER_PORT, server.addr()));
        let config = setup.config.clone();
        let sidecar = Sidecar::start_with(&binary, &setup, |mut listeners| {
            listeners.push(Listener::tcp("8443", OTHER_PORT).network_wasm(&tls_plugin(config.clone())));
            listeners
        })
        .await;
        let hello = hello(ALLOWED);
        assert_eq!(sidecar.say(&hello).await, hello);
        let mut client = sidecar.connect("8443").await;
        client.write(&hello).await.unwrap();
        assert_eq!(client.rest().await.unwrap(), b"");
        let event = sidecar.event(|event| event["decision"] == "deny").await;
        assert_eq!((&event["server.port"], &event["reason_code"]), (&json!(8443), &json!("default_deny")), "{event:#}");
        sidecar.assert_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_cannot_see_of_tls_is_denied_or_left_out_as_configured() {
    let server = TcpServer::echo();
    let rules = json!([
        {"id": "chat", "hosts": ["api.openai.com"], "match": [{"method": {"exact": "POST"}, "uri": {"prefix": "/v1/"}}]},
        {"id": "anthropic", "hosts": ["*.anthropic.com"]},
    ]);
    let deny = json!([{"id": "no-files", "hosts": [ALLOWED], "match": [{"uri": {"prefix": "/v1/files"}}]}]);
    let config = with(with(hosts("enforce"), "/policies/0/allow", rules), "/policies/0/deny", deny);
    each(leading(config.clone(), PASSTHROUGH, server.addr()), async |sidecar| {
        for (name, rule) in [("api.openai.com", "chat"), (ALLOWED, "no-files")] {
            assert_eq!(sidecar.say(&hello(name)).await, b"");
            let event = sidecar.event(|event| tls_to(event, name)).await;
            assert_eq!(
                (&event["decision"], &event["reason_code"]),
                (&json!("deny"), &json!("l7_unenforceable")),
                "{event:#}"
            );
            assert_eq!(event["rule_id"], rule, "{event:#}");
        }
        sidecar.assert_whole().await;
    })
    .await;
    // by host and port alone: a rule that allows holds, one that denies does not
    each(leading(with(config, "/undecidable", json!("allow")), PASSTHROUGH, server.addr()), async |sidecar| {
        for (name, rule) in [("api.openai.com", "chat"), (ALLOWED, "anthropic")] {
            let hello = hello(name);
            assert_eq!(sidecar.say(&hello).await, hello);
            let event = sidecar.event(|event| tls_to(event, name)).await;
            assert_eq!(
                (&event["decision"], &event["reason_code"]),
                (&json!("allow"), &json!("rule_allow")),
                "{event:#}"
            );
            assert_eq!(event["rule_id"], rule, "{event:#}");
        }
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_the_same_in_any_spelling_and_what_is_none_is_denied() {
    let server = TcpServer::echo();
    each(leading(hosts("enforce"), ANTHROPIC, server.addr()), async |sidecar| {
        let plain = hello(ALLOWED);
        let longer = hello("apix.anthropic.com");
        let denied = hello(DENIED);
        let same: [(&[u8], Vec<u8>, bool); 4] = [
            (b"API.Anthropic.COM", renamed(&plain, ALLOWED, b"API.Anthropic.COM"), true),
            (b"api.anthropic.com.", renamed(&longer, "apix.anthropic.com", b"api.anthropic.com."), true),
            (b"FILES.anthropic.COM", renamed(&denied, DENIED, b"FILES.anthropic.COM"), false),
            (
                b"files.anthropic.com.",
                renamed(&hello("filesx.anthropic.com"), "filesx.anthropic.com", b"files.anthropic.com."),
                false,
            ),
        ];
        for (spelled, hello, passes) in same {
            let spelled = String::from_utf8_lossy(spelled);
            let back = sidecar.say(&hello).await;
            assert_eq!(back, if passes { hello } else { Vec::new() }, "{spelled}");
            let event = sidecar.event(|event| tls_to(event, &spelled)).await;
            assert_eq!(event["server.address"], if passes { ALLOWED } else { DENIED }, "{event:#}");
            assert_eq!(event["rule_id"], if passes { "anthropic" } else { "no-files" }, "{event:#}");
        }
        for odd in [
            &b"api@anthropic.com"[..],
            b"api.anthropic\0com",
            b"api..nthropic.com",
            b"api.anthropic.c/m",
            b"\xff\xfei.anthropic.com",
        ] {
            let hello = renamed(&plain, ALLOWED, odd);
            let mark = sidecar.envoy.logs().mark();
            assert_eq!(sidecar.say(&hello).await, b"", "{}", odd.escape_ascii());
            let event = sidecar.event_after(mark, |_| true).await;
            assert_eq!(
                (&event["decision"], &event["reason_code"]),
                (&json!("deny"), &json!("host_invalid")),
                "{event:#}"
            );
            assert_eq!(event["tls.client.server_name"], String::from_utf8_lossy(odd).as_ref(), "{event:#}");
        }
        // an address is not a name, in whatever spelling: it is judged as one
        for (spelled, from) in [("127.0.0.1", "127-0-0-1"), ("0x7f.1", "0x7f-1"), ("2130706433", "2130706433x")] {
            let from = &from[..spelled.len()];
            let hello =
                renamed(&hello(&format!("{from}.ab")), &format!("{from}.ab"), format!("{spelled}...").as_bytes());
            assert_eq!(sidecar.say(&hello).await, b"", "two dots at the end are none of a host's");
        }
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_other_than_the_service_it_goes_to_is_told_or_denied() {
    let server = TcpServer::echo();
    for (setting, denies) in [("report", false), ("deny", true)] {
        let config = with(hosts("enforce"), "/sniMismatch", json!(setting));
        let openai = json!({"id": "openai", "hosts": ["api.openai.com"]});
        let config = with(config, "/policies/0/allow/-", openai);
        each(leading(config, OPENAI_TLS, server.addr()), async |sidecar| {
            // allowed for itself, but this is not its service
            let hello_to = hello(ALLOWED);
            assert_eq!(sidecar.say(&hello_to).await, if denies { Vec::new() } else { hello_to });
            let event = sidecar.event(|event| tls_to(event, ALLOWED)).await;
            assert_eq!(event["sni_host"], "mismatch", "{event:#}");
            let (decision, reason) = if denies { ("deny", "sni_mismatch") } else { ("allow", "rule_allow") };
            assert_eq!((&event["decision"], &event["reason_code"]), (&json!(decision), &json!(reason)), "{event:#}");

            // in another spelling it is the same
            let plain = hello("api.openai.com");
            let spelled = renamed(&plain, "api.openai.com", b"API.OpenAI.com");
            assert_eq!(sidecar.say(&spelled).await, spelled);
            let event = sidecar.event(|event| tls_to(event, "API.OpenAI.com")).await;
            assert_eq!((&event["sni_host"], &event["rule_id"]), (&json!("same"), &json!("openai")), "{event:#}");
            sidecar.assert_whole().await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_name_the_service_counts_and_else_the_address() {
    let (outside, pki) = tls_outside(&["127.0.0.1"]);
    // what the connection shows: no name, as the client knows an address only
    let ask = async |sidecar: &Sidecar| {
        let config = pki.client_config(None).unwrap();
        let mut client = RawClient::connect(Endpoint::tls(sidecar.envoy.addr("tls"), config, "127.0.0.1")).await?;
        client.send(&Request::get("/").host("127.0.0.1")).await
    };
    let allow = |host: &str| with(hosts("enforce"), "/policies/0/allow/0", json!({"id": "by-host", "hosts": [host]}));
    let known = "outbound|443||api.openai.com";
    let cases = [
        // the service that the proxy chose
        (allow("api.openai.com"), known, true, "rule_allow", "api.openai.com"),
        (allow("127.0.0.0/8"), known, false, "default_deny", "api.openai.com"),
        // nothing but the address
        (allow("127.0.0.0/8"), PASSTHROUGH, true, "rule_allow", "127.0.0.1"),
        (allow("127.0.0.0/8"), ANTHROPIC, true, "rule_allow", "127.0.0.1"),
        (allow("*"), PASSTHROUGH, false, "host_absent", "127.0.0.1"),
        (with(hosts("enforce"), "/ipLiterals", json!("allow")), PASSTHROUGH, true, "host_absent", "127.0.0.1"),
        (with(hosts("enforce"), "/ipLiterals", json!("default")), PASSTHROUGH, false, "default_deny", "127.0.0.1"),
    ];
    for (config, cluster, passes, reason, host) in cases {
        each(leading(config, cluster, outside.addr()), async |sidecar| {
            let answer = ask(&sidecar).await;
            assert_eq!(answer.is_ok(), passes, "{reason} {cluster}: {answer:?}");
            let event = sidecar.event(|event| event["network.protocol.name"] == "tls").await;
            assert_eq!(event["sni_host"], "sni_absent", "{event:#}");
            assert_eq!((&event["reason_code"], &event["server.address"]), (&json!(reason), &json!(host)), "{event:#}");
            assert_eq!(event["decision"], if passes { "allow" } else { "deny" }, "{event:#}");
            let opening = [("opening", "tls_without_name")];
            sidecar
                .envoy
                .wait_for_counter("runtime_control_egress_audit_connections_total", &opening, 1)
                .await
                .unwrap();
            sidecar.assert_whole().await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_hello_is_told_and_judged_by_the_name_in_clear() {
    let server = TcpServer::echo();
    each(leading(hosts("enforce"), ANTHROPIC, server.addr()), async |sidecar| {
        // outer, HKDF-SHA256 with AES-128-GCM, config 7, a key and a payload
        let encrypted = [&[0, 0, 1, 0, 1, 7, 0, 32][..], &[5; 32], &[0, 144], &[6; 144]].concat();
        for name in [ALLOWED, UNKNOWN] {
            let hello = extended(&hello(name), 0xfe0d, &encrypted);
            assert_eq!(sidecar.say(&hello).await, if name == ALLOWED { hello } else { Vec::new() });
            let event = sidecar.event(|event| tls_to(event, name)).await;
            assert_eq!(event["tls.client.encrypted_hello"], true, "{event:#}");
        }
        let opening = [("opening", "encrypted_hello")];
        sidecar.envoy.wait_for_counter("runtime_control_egress_audit_connections_total", &opening, 2).await.unwrap();
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hello_that_goes_wrong_is_denied_and_never_held() {
    let server = TcpServer::echo();
    let whole = hello(ALLOWED);
    let name = [&[0, 22, 0, 0, 19][..], DENIED.as_bytes()].concat();
    let broken: Vec<(&str, Vec<u8>)> = vec![
        // a server may read the first of two names, and another the second
        ("a second name", extended(&whole, 0, &name)),
        (
            "a message in a record that goes on in none",
            [&in_records(&message(&whole), 50)[0], &b"GET / HTTP/1.1\r\n\r\n"[..]].concat(),
        ),
        ("lengths that do not fit", in_records(&[&[1, 0, 0, 40, 3, 3][..], &[9; 38]].concat(), 1 << 14).concat()),
        ("a message over 64 kB", in_records(&[&[1, 2, 0, 0][..], &[0; 1000]].concat(), 1 << 14).concat()),
        ("bytes after the extensions", {
            let mut message = message(&whole);
            message.push(0);
            let length = u32::try_from(message.len() - 4).unwrap().to_be_bytes();
            message[1..4].copy_from_slice(&length[1..]);
            in_records(&message, 1 << 14).concat()
        }),
    ];
    for (mode, passes) in [("enforce", false), ("report", true)] {
        each(leading(hosts(mode), ANTHROPIC, server.addr()), async |sidecar| {
            for (what, bytes) in &broken {
                let mark = sidecar.envoy.logs().mark();
                // the client stays: nothing but the bytes tells
                let mut client = sidecar.connect("tls").await;
                client.write(bytes).await.unwrap();
                if passes {
                    assert_eq!(&client.read(bytes.len()).await.unwrap(), bytes, "{what}");
                } else {
                    assert_eq!(client.rest().await.unwrap(), b"", "{what}");
                }
                drop(client);
                let event = sidecar.event_after(mark, |_| true).await;
                assert_eq!(event["reason_code"], "hello_malformed", "{what}: {event:#}");
                assert_eq!((&event["network.protocol.name"], &event["would_deny"]), (&json!("tls"), &json!(passes)));
            }
            sidecar.assert_whole().await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_hello_is_judged_when_the_client_ends_it() {
    let server = TcpServer::echo();
    for (mode, passes) in [("enforce", false), ("report", true)] {
        each(leading(hosts(mode), ANTHROPIC, server.addr()), async |sidecar| {
            let hello = hello(ALLOWED);
            for half in [1, 3, 5, 6, 40, hello.len() - 1].map(|size| &hello[..size]) {
                let (mark, before) = (sidecar.envoy.logs().mark(), server.connections());
                let mut client = sidecar.connect("tls").await;
                client.write_alone(half).await.unwrap();
                client.finish().await.unwrap();
                assert_eq!(client.rest().await.unwrap(), if passes { half } else { b"" });
                let taken = server.wait(before, |taken| taken.ended).await.unwrap();
                assert_eq!(taken.bytes, if passes { half } else { b"" });
                let event = sidecar.event_after(mark, |_| true).await;
                assert_eq!(event["reason_code"], "hello_malformed", "{event:#}");
            }
            sidecar.assert_whole().await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_says_nothing_or_goes_is_told_of_and_holds_up_nobody() {
    let server = TcpServer::echo();
    each(leading(hosts("enforce"), ANTHROPIC, server.addr()), async |sidecar| {
        let hello = hello(ALLOWED);
        // one that is slow, all the while
        let mut slow = sidecar.connect("tls").await;
        slow.write_alone(&hello[..20]).await.unwrap();

        let silent = server.connections();
        let mut client = sidecar.connect("tls").await;
        client.finish().await.unwrap();
        assert_eq!(client.rest().await.unwrap(), b"");
        assert_eq!(server.wait(silent, |taken| taken.ended).await.unwrap().bytes, b"");

        for said in [0, 30] {
            let gone = server.connections();
            let mut client = sidecar.connect("tls").await;
            client.write_alone(&hello[..said]).await.unwrap();
            client.reset().unwrap();
            assert_eq!(server.wait(gone, |taken| taken.ended).await.unwrap().bytes, b"");
        }

        assert_eq!(sidecar.say(&hello).await, hello);
        slow.write(&hello[20..]).await.unwrap();
        assert_eq!(slow.read(hello.len()).await.unwrap(), hello);
        drop(slow);
        sidecar.told(2, |event| event["reason_code"] == "rule_allow").await;
        // they reached out, though no byte left: twice without a word, once in the middle of a handshake
        for (reason, count) in [("host_absent", 2), ("hello_malformed", 1)] {
            let told = sidecar.told(count, |event| event["reason_code"] == reason).await;
            assert!(told.iter().all(|event| event["sent.bytes"] == 0 && event["decision"] == "deny"), "{told:#?}");
        }
        assert_eq!(sidecar.events().len(), 5);
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_of_the_issue_denies_tls_that_it_cannot_look_into() {
    let (outside, pki) = tls_outside(&["api.openai.com"]);
    let setup = Setup { tls_upstream: Some(outside.addr()), ..Setup::new(config("enforce")) };
    each(setup, async |sidecar| {
        let config = pki.client_config(None).unwrap();
        let endpoint = Endpoint::tls(sidecar.envoy.addr("tls"), config, "api.openai.com");
        assert!(RawClient::connect(endpoint).await.is_err());
        let event = sidecar.event(|event| tls_to(event, "api.openai.com")).await;
        assert_eq!(
            (&event["decision"], &event["reason_code"]),
            (&json!("deny"), &json!("l7_unenforceable")),
            "{event:#}"
        );
        sidecar.assert_whole().await;
    })
    .await;
}
