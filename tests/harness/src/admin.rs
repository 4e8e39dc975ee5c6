//! Envoy's admin interface.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use serde_json::Value;

use crate::client::RawClient;
use crate::error::{Context, Error, Result};
use crate::message::{Request, Response};
use crate::stats::Stats;
use crate::{POLL, TIMEOUT};

/// Speaks to one Envoy's admin; each call is a connection of its own.
#[derive(Clone, Debug)]
pub struct Admin {
    addr: SocketAddr,
}

impl Admin {
    /// The admin at this address.
    pub fn new(addr: SocketAddr) -> Self {
        Self { addr }
    }

    /// Its address.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `GET path`; an error unless it is 200.
    pub async fn get(&self, path: &str) -> Result<String> {
        let response = self.send(&Request::get(path)).await?;
        match response.status {
            200 => Ok(response.text()),
            status => Err(Error::new(format!("admin {path}: {status} {}", response.text()))),
        }
    }

    /// `GET path` as JSON.
    pub async fn json(&self, path: &str) -> Result<Value> {
        serde_json::from_str(&self.get(path).await?).context(format_args!("admin {path}"))
    }

    /// `POST path` without a body; an error unless it is 200.
    pub async fn post(&self, path: &str) -> Result<String> {
        let response = self.send(&Request::new("POST", path)).await?;
        match response.status {
            200 => Ok(response.text()),
            status => Err(Error::new(format!("admin POST {path}: {status} {}", response.text()))),
        }
    }

    /// Any request.
    pub async fn send(&self, request: &Request) -> Result<Response> {
        RawClient::connect(self.addr).await?.send(request).await.context(format_args!("admin {}", request.path))
    }

    /// The text of `/stats/prometheus`.
    pub async fn prometheus(&self) -> Result<String> {
        self.get("/stats/prometheus").await
    }

    /// All metrics, with labels.
    pub async fn stats(&self) -> Result<Stats> {
        Ok(Stats::parse(&self.prometheus().await?))
    }

    /// Counters and gauges by Envoy's own full names, labels inside the name; only those whose name matches the regular expression `filter`.
    pub async fn counters(&self, filter: &str) -> Result<BTreeMap<String, u64>> {
        let escape = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        };
        let text = self.get(&format!("/stats?filter={}", filter.bytes().map(escape).collect::<String>())).await?;
        let pair =
            |line: &str| line.rsplit_once(": ").and_then(|(name, value)| Some((name.to_owned(), value.parse().ok()?)));
        Ok(text.lines().filter_map(pair).collect())
    }

    /// Waits up to [`TIMEOUT`] until `wanted` accepts the metrics, which are read every 10 ms; on failure the error lists those named `shown`….
    pub async fn wait_for(&self, shown: &str, wanted: impl Fn(&Stats) -> bool) -> Result<Stats> {
        let start = Instant::now();
        loop {
            let stats = self.stats().await?;
            if wanted(&stats) {
                return Ok(stats);
            }
            if start.elapsed() > TIMEOUT {
                let list: String = stats.named(shown).map(|sample| format!("  {sample}\n")).collect();
                return Err(Error::new(format!("metrics not as wanted within {TIMEOUT:?}; {shown}… are\n{list}")));
            }
            tokio::time::sleep(POLL).await;
        }
    }
}
