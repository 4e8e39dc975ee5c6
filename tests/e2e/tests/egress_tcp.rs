//! Connections that are no TLS: what stays in the mesh and what a server begins is left alone, the rest is judged by the service or
//! the address, and nothing is held for longer than it takes to tell that it is no TLS.

use e2e::egress::{PASSTHROUGH, Setup, Sidecar, each, tls_plugin};
use e2e::egress_tls::{ALLOWED, ANTHROPIC, UNKNOWN, hello, hosts, leading, renamed};
use e2e::with;
use harness::{Listener, TcpServer, envoy_binaries, static_cluster};
use serde_json::{Value, json};

/// A service inside of the mesh, one outside that the mesh knows.
const REDIS: &str = "outbound|6379||redis.devmentor-app.svc.cluster.local";
const DATABASE: &str = "outbound|5432||db.example.com";

const EXEMPT: &str = "runtime_control_egress_audit_exempt_total";
const CONNECTIONS: &str = "runtime_control_egress_audit_connections_total";

/// Rules with this one more under `allow`.
fn allowing(mode: &str, rule: Value) -> Value {
    with(hosts(mode), "/policies/0/allow/-", rule)
}

/// A listener that takes the address that a client says it connected to for the one that it did connect to, as a sidecar takes
/// that from the kernel.
fn with_address(listener: Listener) -> Listener {
    listener.json(json!({"listener_filters": [{
        "name": "envoy.filters.listener.proxy_protocol",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol"},
    }]}))
}

/// Says so.
fn to_address(address: &str, port: u16) -> Vec<u8> {
    let (kind, from) = if address.contains(':') { ("TCP6", "fd00::7") } else { ("TCP4", "10.0.0.7") };
    format!("PROXY {kind} {from} {address} 40000 {port}\r\n").into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_speaks_first_is_let_through_at_once_also_in_enforce() {
    let banners: [&[u8]; 3] =
        [b"220 mail.example.com ESMTP\r\n", b"J\0\0\0\x0a8.4.3\0\x08\0\0\0salt\0", b"SSH-2.0-OpenSSH_9.9\r\n"];
    for banner in banners {
        let server = TcpServer::greeting(banner);
        each(leading(hosts("enforce"), PASSTHROUGH, server.addr()), async |sidecar| {
            let number = server.connections();
            let mut client = sidecar.connect("tls").await;
            assert_eq!(client.read(banner.len()).await.unwrap(), banner);
            // then it is a conversation, even one that goes on in TLS (STARTTLS)
            let said = [b"EHLO ai-gateway\r\n", &hello(UNKNOWN)[..]].concat();
            client.write(&said).await.unwrap();
            assert_eq!(server.wait(number, |taken| taken.bytes.len() >= said.len()).await.unwrap().bytes, said);
            server.say(number, b"250 ok\r\n");
            assert_eq!(client.read(8).await.unwrap(), b"250 ok\r\n");
            client.finish().await.unwrap();
            assert_eq!(client.rest().await.unwrap(), b"");
            // told in this order, so that with the second the first is there
            let opening = [("opening", "server_first")];
            let stats = sidecar.envoy.wait_for_counter(CONNECTIONS, &opening, 1).await.unwrap();
            assert_eq!(stats.counter(CONNECTIONS, &opening), 1);
            assert_eq!(stats.counter(EXEMPT, &[("reason", "server_first")]), 1);
            assert_eq!(sidecar.events(), Vec::<Value>::new());
            sidecar.assert_whole().await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_held_when_the_server_speaks_arrives_untouched() {
    let server = TcpServer::start();
    let greeting = b"220 late\r\n";
    each(leading(hosts("enforce"), PASSTHROUGH, server.addr()), async |sidecar| {
        let hello = hello(UNKNOWN);
        for size in [1, 6, 100] {
            let (held, rest) = hello.split_at(size);
            let number = server.connections();
            let mut client = sidecar.connect("tls").await;
            client.write_alone(held).await.unwrap();
            assert_eq!(server.wait(number, |_| true).await.unwrap().bytes, b"");
            server.say(number, greeting);
            assert_eq!(client.read(greeting.len()).await.unwrap(), greeting);
            assert_eq!(server.wait(number, |taken| taken.bytes.len() >= size).await.unwrap().bytes, held);
            client.write(rest).await.unwrap();
            assert_eq!(server.wait(number, |taken| taken.bytes.len() >= hello.len()).await.unwrap().bytes, hello);
        }
        assert_eq!(sidecar.events(), Vec::<Value>::new());
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scope_all_judges_a_server_that_speaks_first() {
    let greeting = b"220 mail.example.com ESMTP\r\n";
    let server = TcpServer::greeting(greeting);
    let config = |rule: Value| with(allowing("enforce", rule), "/scope", json!("all"));
    let denying = config(json!({"id": "other", "hosts": ["other.example.com"]}));
    for (cluster, reason) in [(PASSTHROUGH, "host_absent"), (DATABASE, "default_deny")] {
        each(leading(denying.clone(), cluster, server.addr()), async |sidecar| {
            let number = server.connections();
            let mut client = sidecar.connect("tls").await;
            assert_eq!(client.rest().await.unwrap(), b"", "what is denied does not come back either");
            assert_eq!(server.wait(number, |taken| taken.ended).await.unwrap().bytes, b"");
            let event = sidecar.event(|_| true).await;
            assert_eq!((&event["decision"], &event["reason_code"]), (&json!("deny"), &json!(reason)), "{event:#}");
            assert_eq!(event["network.protocol.name"], "tcp", "{event:#}");
            sidecar.assert_whole().await;
        })
        .await;
    }
    // one that is allowed is told with every byte, those that were held among them
    let late = TcpServer::start();
    let config = config(json!({"id": "db", "hosts": ["db.example.com"], "ports": [5432]}));
    each(leading(config, DATABASE, late.addr()), async |sidecar| {
        let hello = hello(ALLOWED);
        let number = late.connections();
        let mut client = sidecar.connect("tls").await;
        client.write_alone(&hello[..50]).await.unwrap();
        late.wait(number, |_| true).await.unwrap();
        late.say(number, greeting);
        assert_eq!(client.read(greeting.len()).await.unwrap(), greeting);
        client.write(&hello[50..]).await.unwrap();
        client.finish().await.unwrap();
        assert_eq!(client.rest().await.unwrap(), b"");
        assert_eq!(late.wait(number, |taken| taken.ended).await.unwrap().bytes, hello);
        let event = sidecar.event(|_| true).await;
        assert_eq!((&event["rule_id"], &event["server.port"]), (&json!("db"), &json!(5432)), "{event:#}");
        assert_eq!(event["sent.bytes"], json!(hello.len()), "{event:#}");
        assert_eq!(event["received.bytes"], json!(greeting.len()), "{event:#}");
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_only_ends_its_side_has_not_spoken() {
    let server = TcpServer::ending_first();
    each(leading(hosts("enforce"), PASSTHROUGH, server.addr()), async |sidecar| {
        let hello = hello(UNKNOWN);
        for held in [0, 10] {
            let number = server.connections();
            let mut client = sidecar.connect("tls").await;
            client.write_alone(&hello[..held]).await.unwrap();
            // the server's end reaches the client, and both can still be told apart
            assert_eq!(client.rest().await.unwrap(), b"");
            let _ = client.write(&hello[held..]).await;
            let _ = client.finish().await;
            let taken = server.wait(number, |taken| taken.ended).await.unwrap();
            assert_eq!(taken.bytes, b"", "what is denied never leaves");
        }
        sidecar.told(2, |event| event["reason_code"] == "default_deny").await;
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_inside_the_mesh_is_left_alone_in_enforce() {
    let server = TcpServer::echo();
    each(leading(hosts("enforce"), REDIS, server.addr()), async |sidecar| {
        let ping = b"*1\r\n$4\r\nPING\r\n";
        let mut client = sidecar.connect("tls").await;
        client.write(ping).await.unwrap();
        assert_eq!(client.read(ping.len()).await.unwrap(), ping);
        // whatever is said to it: TLS to any name, half a hello
        for said in [hello(UNKNOWN), hello(ALLOWED)[..30].to_vec(), b"\x16\x03\x01 no hello".to_vec()] {
            assert_eq!(sidecar.say(&said).await, said);
        }
        drop(client);
        sidecar.envoy.wait_for_counter(EXEMPT, &[("reason", "internal")], 4).await.unwrap();
        assert_eq!(sidecar.events(), Vec::<Value>::new());
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tcp_to_a_service_that_the_mesh_knows_goes_by_its_host_and_port() {
    let server = TcpServer::echo();
    let startup = b"\0\0\0\x08\x04\xd2\x16\x2f";
    for (ports, passes) in [(json!([5432]), true), (json!([5433]), false)] {
        let config = allowing("enforce", json!({"id": "db", "hosts": ["db.example.com"], "ports": ports}));
        each(leading(config, DATABASE, server.addr()), async |sidecar| {
            let number = server.connections();
            assert_eq!(sidecar.say(startup).await, if passes { &startup[..] } else { b"" });
            let taken = server.wait(number, |taken| taken.ended).await.unwrap();
            assert_eq!(taken.bytes, if passes { &startup[..] } else { b"" });
            let event = sidecar.event(|_| true).await;
            let (decision, reason) = if passes { ("allow", "rule_allow") } else { ("deny", "default_deny") };
            assert_eq!((&event["decision"], &event["reason_code"]), (&json!(decision), &json!(reason)), "{event:#}");
            assert_eq!(event["server.address"], "db.example.com", "{event:#}");
            assert_eq!((&event["server.port"], &event["network.protocol.name"]), (&json!(5432), &json!("tcp")));
            assert_eq!((&event["sni_host"], &event["tls.client.server_name"]), (&Value::Null, &Value::Null));
            let size = if passes { startup.len() } else { 0 };
            assert_eq!((&event["sent.bytes"], &event["received.bytes"]), (&json!(size), &json!(size)), "{event:#}");
            sidecar.envoy.wait_for_counter(CONNECTIONS, &[("opening", "other")], 1).await.unwrap();
            sidecar.assert_whole().await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tcp_by_address_goes_by_networks_and_ip_literals() {
    let server = TcpServer::echo();
    let rules = |ip_literals: &str| {
        let rule = json!({"id": "partner", "hosts": ["93.184.216.0/24", "2606:2800::/32"], "ports": [5432]});
        let config = with(allowing("enforce", rule), "/ipLiterals", json!(ip_literals));
        with(config, "/policies/0/deny/-", json!({"id": "metadata", "hosts": ["169.254.169.254"]}))
    };
    // address, port, what is said; whether it passes, why, by which rule
    type Case = (&'static str, u16, Vec<u8>, bool, &'static str, Option<&'static str>);
    let plain = || b"hello".to_vec();
    let same: Vec<Case> = vec![
        ("93.184.216.34", 5432, plain(), true, "rule_allow", Some("partner")),
        ("2606:2800::1", 5432, plain(), true, "rule_allow", Some("partner")),
        ("::ffff:93.184.216.34", 5432, plain(), true, "rule_allow", Some("partner")),
        ("169.254.169.254", 80, b"GET / HTTP/1.1\r\n\r\n".to_vec(), false, "rule_deny", Some("metadata")),
        // the name counts where there is one, and not the address beside it
        ("93.184.216.34", 443, hello(ALLOWED), true, "rule_allow", Some("anthropic")),
        ("93.184.216.34", 5432, hello(UNKNOWN), false, "default_deny", None),
        // a name that claims to be inside, on an address that is not
        ("93.184.216.34", 443, hello("redis.devmentor-app.svc.cluster.local"), false, "default_deny", None),
        // an address in the handshake is one: RFC 6066 allows none, some clients send it
        (
            "93.184.216.34",
            5432,
            renamed(&hello("93-184-216-34.a"), "93-184-216-34.a", b"93.184.0330.34."),
            true,
            "rule_allow",
            Some("partner"),
        ),
    ];
    let mut deny = same.clone();
    deny.push(("93.184.216.34", 5433, plain(), false, "host_absent", None));
    deny.push(("93.184.217.34", 5432, plain(), false, "host_absent", None));
    let mut allow = same.clone();
    allow.push(("93.184.217.34", 5432, plain(), true, "host_absent", None));
    let mut default = same;
    default.push(("93.184.217.34", 5432, plain(), false, "default_deny", None));
    for (setting, cases) in [("deny", deny), ("allow", allow), ("default", default)] {
        let setup = leading(rules(setting), PASSTHROUGH, server.addr());
        for binary in envoy_binaries() {
            let sidecar =
                Sidecar::start_with(&binary, &setup, |listeners| listeners.into_iter().map(with_address).collect())
                    .await;
            for (address, port, said, passes, reason, rule) in &cases {
                let mark = sidecar.envoy.logs().mark();
                let back = sidecar.say(&[to_address(address, *port), said.clone()].concat()).await;
                assert_eq!(&back, if *passes { said } else { &[][..] }, "{address}:{port} {reason}");
                let event = sidecar.event_after(mark, |_| true).await;
                let told = (&event["reason_code"], event["rule_id"].as_str(), &event["network.peer.port"]);
                assert_eq!(told, (&json!(reason), *rule, &json!(port)), "{address}: {event:#}");
                assert_eq!(event["decision"], if *passes { "allow" } else { "deny" });
            }
            // an address of the mesh's own, and a name of it there, are inside
            let mark = sidecar.envoy.logs().mark();
            for said in [plain(), hello("redis.devmentor-app.svc.cluster.local"), hello("redis")] {
                let back = sidecar.say(&[to_address("10.1.2.3", 6379), said.clone()].concat()).await;
                assert_eq!(back, said);
            }
            sidecar.envoy.wait_for_counter(EXEMPT, &[("reason", "internal")], 3).await.unwrap();
            let told = sidecar.envoy.logs().lines_after(mark);
            assert!(!told.iter().any(|line| e2e::egress::event(line).is_some()), "{told:#?}");
            sidecar.assert_whole().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_claims_to_be_inside_is_not_believed_behind_a_wildcard_either() {
    let server = TcpServer::echo();
    let setup = leading(hosts("enforce"), ANTHROPIC, server.addr());
    for binary in envoy_binaries() {
        let sidecar =
            Sidecar::start_with(&binary, &setup, |listeners| listeners.into_iter().map(with_address).collect()).await;
        for (address, name, passes) in [
            ("93.184.216.34", "redis.devmentor-app.svc.cluster.local", false),
            ("93.184.216.34", "redis", false),
            ("93.184.216.34", ALLOWED, true),
            ("10.1.2.3", "redis.devmentor-app.svc.cluster.local", true),
        ] {
            let hello = hello(name);
            let back = sidecar.say(&[to_address(address, 443), hello.clone()].concat()).await;
            assert_eq!(back, if passes { hello } else { Vec::new() }, "{name} at {address}");
        }
        sidecar.assert_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_tls_is_told_at_the_first_byte_that_shows_it() {
    let server = TcpServer::echo();
    // each with the reason of a denial; none of the clients ends its side
    let said: Vec<(&[u8], &str)> = vec![
        (b"GET / HTTP/1.1\r\nhost: api.anthropic.com\r\n\r\n", "host_absent"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "host_absent"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "host_absent"),
        (b"\0", "host_absent"),
        (b"\x80\x2e\x01\0\x02", "host_absent"),
        (b"\x15\x03\x01\0\x02\x02\x28", "host_absent"),
        // as TLS begins, and then not
        (b"\x16\xff", "host_absent"),
        (b"\x16\x03\xff", "host_absent"),
        (b"\x16\x03\x01\0\0", "host_absent"),
        (b"\x16\x03\x01\xff\xff", "host_absent"),
        (b"\x16\x03\x01\0\x05\x02", "host_absent"),
        (b"\x16\x03\x01\0\x05\x01\0\0\x01\0", "hello_malformed"),
        (b"\x16\x03\x01\0\x04\x01\xff\xff\xff", "hello_malformed"),
    ];
    for (mode, passes) in [("enforce", false), ("report", true)] {
        each(leading(hosts(mode), PASSTHROUGH, server.addr()), async |sidecar| {
            for (bytes, reason) in &said {
                let (mark, number) = (sidecar.envoy.logs().mark(), server.connections());
                let mut client = sidecar.connect("tls").await;
                client.write(bytes).await.unwrap();
                let what = bytes.escape_ascii();
                if passes {
                    assert_eq!(&client.read(bytes.len()).await.unwrap(), bytes, "{what}");
                    client.finish().await.unwrap();
                }
                assert_eq!(client.rest().await.unwrap(), b"", "{what}");
                let taken = server.wait(number, |taken| taken.ended).await.unwrap();
                assert_eq!(taken.bytes, if passes { bytes } else { &b""[..] });
                let event = sidecar.event_after(mark, |_| true).await;
                assert_eq!(
                    (&event["reason_code"], &event["would_deny"]),
                    (&json!(reason), &json!(passes)),
                    "{what}: {event:#}"
                );
            }
            sidecar.assert_whole().await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_bytes_neither_hang_nor_harm() {
    let server = TcpServer::echo();
    each(leading(hosts("report"), PASSTHROUGH, server.addr()), async |sidecar| {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        };
        let plain = hello(ALLOWED);
        for round in 0..300 {
            // nonsense after the first bytes of TLS, or a hello with some bytes changed
            let mut bytes: Vec<u8> = match round % 3 {
                0 => (0..next() % 400 + 1).map(|_| next().to_le_bytes()[0]).collect(),
                1 => [&[22, 3, 1][..], &(0..next() % 400 + 1).map(|_| next().to_le_bytes()[0]).collect::<Vec<_>>()]
                    .concat(),
                _ => plain.clone(),
            };
            if round % 3 == 2 {
                for _ in 0..=next() % 4 {
                    let at = usize::try_from(next()).unwrap() % bytes.len();
                    bytes[at] = next().to_le_bytes()[0];
                }
            }
            let mut client = sidecar.connect("tls").await;
            let cut = usize::try_from(next()).unwrap() % bytes.len();
            client.write_alone(&bytes[..cut]).await.unwrap();
            client.write(&bytes[cut..]).await.unwrap();
            client.finish().await.unwrap();
            assert_eq!(client.rest().await.unwrap(), bytes, "{}", bytes.escape_ascii());
        }
        sidecar.told(300, |_| true).await;
        sidecar.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_listeners_share_the_plugin_and_each_has_its_own_service() {
    let (redis, database) = (TcpServer::greeting("+OK\r\n"), TcpServer::echo());
    let config = allowing("enforce", json!({"id": "db", "hosts": ["db.example.com"]}));
    let mut setup: Setup = leading(config.clone(), ANTHROPIC, database.addr());
    setup.clusters.extend([static_cluster(REDIS, redis.addr()), static_cluster(DATABASE, database.addr())]);
    for binary in envoy_binaries() {
        let sidecar = Sidecar::start_with(&binary, &setup, |mut listeners| {
            let plugin = tls_plugin(config.clone());
            listeners.push(Listener::tcp("redis", REDIS).network_wasm(&plugin));
            listeners.push(Listener::tcp("database", DATABASE).network_wasm(&plugin));
            listeners
        })
        .await;
        let mut client = sidecar.connect("redis").await;
        assert_eq!(client.read(5).await.unwrap(), b"+OK\r\n");
        let mut client = sidecar.connect("database").await;
        client.write(b"select 1").await.unwrap();
        assert_eq!(client.read(8).await.unwrap(), b"select 1");
        assert_eq!(sidecar.say(&hello(UNKNOWN)).await, b"");
        drop(client);
        let event = sidecar.event(|event| event["rule_id"] == "db").await;
        assert_eq!(event["envoy.cluster"], DATABASE);
        sidecar.event(|event| event["decision"] == "deny" && event["envoy.cluster"] == ANTHROPIC).await;
        sidecar.assert_whole().await;
    }
}
