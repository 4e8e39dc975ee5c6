//! What the tests of egress-audit below HTTP share: rules that can be held against connections, and ClientHellos with what no
//! client of today would send.

use std::cell::RefCell;
use std::net::SocketAddr;

use harness::{Pki, TcpClient, client_hello, static_cluster};
use serde_json::{Value, json};

use crate::egress::{Setup, Sidecar, event};

/// The cluster of a wildcard ServiceEntry: names no one host.
pub const ANTHROPIC: &str = "outbound|443||*.anthropic.com";
/// A name that the rules of [`hosts`] allow.
pub const ALLOWED: &str = "api.anthropic.com";
/// One that no rule names.
pub const UNKNOWN: &str = "api.example.com";
/// One that a rule denies.
pub const DENIED: &str = "files.anthropic.com";

/// Rules that ask for nothing that a connection does not show. The outside of these tests is on loopback, so that is not `internal`.
#[must_use]
pub fn hosts(mode: &str) -> Value {
    json!({
        "mode": "report",
        "internal": ["*.svc.cluster.local", "*.local", "10.0.0.0/8"],
        "policies": [{
            "name": "ai-gateway",
            "selector": {"matchLabels": {"app": "ai-gateway"}},
            "mode": mode,
            "allow": [{"id": "anthropic", "hosts": ["*.anthropic.com"], "ports": [443]}],
            "deny": [{"id": "no-files", "hosts": [DENIED]}],
        }],
        "audit": {"fold": "0s"},
        "export": {"accessLog": true},
    })
}

/// A sidecar whose listener `tls` leads by this cluster to that server.
#[must_use]
pub fn leading(config: Value, cluster: &'static str, to: SocketAddr) -> Setup {
    Setup { tls_to: cluster, clusters: vec![static_cluster(cluster, to)], ..Setup::new(config) }
}

/// What rustls says first to a server of this name.
#[must_use]
pub fn hello(server_name: &str) -> Vec<u8> {
    let config = Pki::new().and_then(|pki| pki.client_config(None)).expect("a configuration");
    client_hello(&config, server_name).expect("a hello")
}

/// The same with another name of the same length, which need not be one.
#[must_use]
pub fn renamed(hello: &[u8], from: &str, to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = hello.windows(from.len()).position(|window| window == from.as_bytes()).expect("the name");
    [&hello[..at], to, &hello[at + to.len()..]].concat()
}

/// The same with one more extension at the end.
#[must_use]
pub fn extended(hello: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let mut extension = kind.to_be_bytes().to_vec();
    extension.extend(u16::try_from(data.len()).expect("a short extension").to_be_bytes());
    extension.extend(data);
    let mut message = hello[5..].to_vec();
    let mut at = 4 + 2 + 32;
    at += 1 + usize::from(message[at]); // session
    at += 2 + usize::from(u16::from_be_bytes([message[at], message[at + 1]])); // cipher suites
    at += 1 + usize::from(message[at]); // compression
    let extensions = u16::try_from(message.len() - at - 2 + extension.len()).expect("a short hello");
    message[at..at + 2].copy_from_slice(&extensions.to_be_bytes());
    message.extend(extension);
    let length = u32::try_from(message.len() - 4).expect("a short hello").to_be_bytes();
    message[1..4].copy_from_slice(&length[1..]);
    in_records(&message, 1 << 14).concat()
}

/// A handshake message in records of that many bytes each.
#[must_use]
pub fn in_records(message: &[u8], size: usize) -> Vec<Vec<u8>> {
    let record = |part: &[u8]| {
        let length = u16::try_from(part.len()).expect("a record").to_be_bytes();
        [&[22, 3, 1], &length[..], part].concat()
    };
    message.chunks(size).map(record).collect()
}

/// The message in records.
#[must_use]
pub fn message(mut records: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    while let [_, _, _, high, low, rest @ ..] = records {
        let (part, others) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        message.extend(part);
        records = others;
    }
    message
}

impl Sidecar {
    /// A connection to a listener.
    pub async fn connect(&self, listener: &str) -> TcpClient {
        TcpClient::connect(self.envoy.addr(listener)).await.expect("a connection")
    }

    /// Sends bytes to the listener `tls`, ends its side, and gives all that comes back.
    pub async fn say(&self, bytes: &[u8]) -> Vec<u8> {
        let mut client = self.connect("tls").await;
        // where it is closed before all is written, that is an answer as well
        let _ = client.write_alone(bytes).await;
        let _ = client.finish().await;
        client.rest().await.expect("an end")
    }

    /// Waits until there are so many events that are as wanted, and gives them.
    pub async fn told(&self, count: usize, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let found = RefCell::new(Vec::new());
        let enough = |line: &str| {
            let mut found = found.borrow_mut();
            found.extend(event(line).filter(|event| wanted(event)));
            found.len() >= count
        };
        let line = self.envoy.logs().wait(enough).await;
        line.unwrap_or_else(|error| panic!("{count} events: {error}"));
        found.into_inner()
    }
}
