//! The way to the collector: batches go out at ticks, and are kept until it has taken them.

use std::time::Duration;

use egress_core::config::Otlp;
use egress_core::otlp;
use egress_core::queue::Answer;
use egress_core::workload::Workload;
use filter_config::{authority_of_cluster, serde_json::json};
use filter_host::headers::Map;
use filter_host::{Failure, callout, headers};
use filter_runtime::{event, random_id};

use crate::instance::Instance;
use crate::known;
use crate::meters::Batch;
use crate::recorder::Recorder;

/// How long past its time an answer is waited for.
const OVERDUE_MS: u64 = 5_000;
/// How much of an answer is read: a partial success is short.
const ANSWER: usize = 4096;

/// One configuration's way to its collector.
pub(crate) struct Link {
    otlp: Otlp,
    cluster: String,
    authority: String,
    authorization: Option<String>,
    /// What stands before and behind the records.
    envelope: (String, &'static str),
    /// When the last batch went out.
    sent_ms: u64,
}

impl Link {
    pub(crate) fn new(otlp: &Otlp, workload: &Workload) -> Self {
        let cluster = match (&otlp.service, &otlp.cluster) {
            (Some(service), _) => service.cluster(),
            (None, cluster) => cluster.clone().unwrap_or_default(),
        };
        let authority = match (&otlp.authority, &otlp.service) {
            (Some(authority), _) => authority.clone(),
            (None, Some(service)) => service.authority(),
            (None, None) => authority_of_cluster(&cluster).to_owned(),
        };
        let instance = known::node_id().unwrap_or_default();
        Self {
            envelope: otlp::envelope(workload, &instance, env!("CARGO_PKG_VERSION")),
            authorization: otlp.authorization_env.as_deref().and_then(authorization),
            otlp: otlp.clone(),
            cluster,
            authority,
            sent_ms: 0,
        }
    }

    /// Sends the next batch, where it is time.
    pub(crate) fn tick(&mut self, instance: &Instance, now_ms: u64) {
        let recorder = &instance.recorder;
        self.give_up(recorder, instance, now_ms);
        let interval = u64::try_from(Duration::from(self.otlp.interval).as_millis()).unwrap_or(u64::MAX);
        // a tick comes a little early at times
        if now_ms >= self.sent_ms && now_ms - self.sent_ms < interval.saturating_sub(interval / 20) {
            return;
        }
        let Some(body) = self.next_body(recorder, now_ms) else { return };
        self.sent_ms = now_ms;
        match self.send(&body) {
            Ok(token) => recorder.sending.set(Some((Some(token), now_ms))),
            Err(failure) => {
                let no_cluster = failure == Failure::BadArgument;
                self.settle(
                    instance,
                    Answer::Later(None),
                    if no_cluster { Batch::NoCluster } else { Batch::Later },
                    now_ms,
                );
            }
        }
    }

    fn next_body(&self, recorder: &Recorder, now_ms: u64) -> Option<String> {
        let mut audit = recorder.audit.borrow_mut();
        let most = usize::try_from(self.otlp.batch.0).unwrap_or(usize::MAX);
        let batch = audit.queue.as_mut()?.next_batch(most, now_ms)?;
        let size: usize = batch.iter().map(|waiting| waiting.record.len().saturating_add(1)).sum();
        let mut body = String::with_capacity(size.saturating_add(self.envelope.0.len()).saturating_add(16));
        body.push_str(&self.envelope.0);
        for (place, waiting) in batch.iter().enumerate() {
            if place > 0 {
                body.push(',');
            }
            body.push_str(&waiting.record);
        }
        body.push_str(self.envelope.1);
        Some(body)
    }

    /// Waits no longer for an answer that the proxy owes: the configuration that asked may be gone.
    fn give_up(&self, recorder: &Recorder, instance: &Instance, now_ms: u64) {
        let limit = u64::try_from(Duration::from(self.otlp.timeout).as_millis()).unwrap_or(u64::MAX);
        let overdue = |since: u64| now_ms < since || now_ms - since > limit.saturating_add(OVERDUE_MS);
        if recorder.sending.get().is_some_and(|(_, since)| overdue(since)) {
            self.settle(instance, Answer::Later(None), Batch::Later, now_ms);
        }
    }

    /// An answer has come.
    pub(crate) fn answered(&self, instance: &Instance, token: u32, body: usize, now_ms: u64) {
        let sending = instance.recorder.sending.get().and_then(|(token, _)| token);
        if sending != Some(callout::Token(token)) {
            return;
        }
        let status = headers::get(Map::CalloutResponse, b":status").ok().flatten();
        let status = status.and_then(|status| std::str::from_utf8(&status).ok()?.parse().ok());
        let retry_after = headers::get(Map::CalloutResponse, b"retry-after").ok().flatten();
        let body = callout::response_body(0, body.min(ANSWER)).unwrap_or_default();
        let answer = otlp::answer(status, retry_after.as_deref(), &body);
        let batch = match answer {
            Answer::Taken { .. } => Batch::Taken,
            Answer::Later(_) => Batch::Later,
            Answer::Wrong => Batch::Refused,
        };
        self.settle_with(instance, answer, batch, status, now_ms);
    }

    fn settle(&self, instance: &Instance, answer: Answer, batch: Batch, now_ms: u64) {
        self.settle_with(instance, answer, batch, None, now_ms);
    }

    /// Notes what came of a batch. A row of the same failures is one line.
    fn settle_with(&self, instance: &Instance, answer: Answer, batch: Batch, status: Option<u16>, now_ms: u64) {
        instance.recorder.sending.set(None);
        instance.meters.batch(batch);
        let mut audit = instance.recorder.audit.borrow_mut();
        let Some(queue) = &mut audit.queue else { return };
        let (before, lost) = (queue.failures(), queue.answered(answer, now_ms, random_id()));
        let (after, pending) = (queue.failures(), queue.len());
        audit.tally.lost = audit.tally.lost.saturating_add(lost);
        drop(audit);
        let fields = json!({
            "filter": "egress_audit", "result": batch.as_str(), "status": status, "cluster": self.cluster,
            "pending": pending, "lost": lost,
        });
        if before == 0 && after > 0 || lost > 0 {
            event(log::Level::Warn, "egress_export_failed", fields);
        } else if before > 0 && after == 0 {
            event(log::Level::Info, "egress_export_recovered", fields);
        }
    }

    fn send(&self, body: &str) -> filter_host::Result<callout::Token> {
        let mut headers: Vec<(&[u8], &[u8])> = vec![
            (b":method", b"POST"),
            (b":path", self.otlp.path.as_bytes()),
            (b":authority", self.authority.as_bytes()),
            (b"content-type", b"application/json"),
            (b"user-agent", b"runtime-control-egress-audit"),
        ];
        headers.extend(self.authorization.as_deref().map(|value| (&b"authorization"[..], value.as_bytes())));
        callout::dispatch(&self.cluster, &headers, body.as_bytes(), self.otlp.timeout.into())
    }
}

/// The content of a variable of the proxy's environment, where it can stand in a header.
fn authorization(name: &str) -> Option<String> {
    let value = std::env::var(name).ok().map(|value| value.trim().to_owned());
    let value =
        value.filter(|value| !value.is_empty() && value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
    if value.is_none() {
        log::warn!(
            "{name} is not set, or can't stand in a header, in the environment of the proxy: nothing authorizes its events"
        );
    }
    value
}
