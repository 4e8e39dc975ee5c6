//! One request and its response.

use std::rc::Rc;

use egress_core::decide::{Call, Kind};
use egress_core::denial;
use egress_core::event::{Facts, Protocol};
use egress_core::scope::Proxy;
use filter_host::headers::{self, Map};
use filter_host::{Result, local, property};
use filter_request::Request;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use crate::instance::{Instance, Judged};
use crate::known::HostProxy;

const STATUS: &[u8] = b"response\0code";
const FLAGS: &[u8] = b"response\0flags";
const DURATION: &[u8] = b"request\0duration";

pub(crate) struct RequestStream {
    instance: Rc<Instance>,
    proxy: HostProxy,
    judged: Option<Judged>,
    sent: u64,
    received: u64,
}

impl RequestStream {
    pub(crate) fn new(instance: Rc<Instance>) -> Self {
        let proxy = HostProxy::new(instance.workload.kind);
        Self { instance, proxy, judged: None, sent: 0, received: 0 }
    }

    /// Reads, decides, and answers where the call is denied.
    fn judge(&mut self) -> Result<Action> {
        let instance = Rc::clone(&self.instance);
        let headers = headers::all(Map::Request)?;
        let request = Request::new(&headers);
        let (path, query) = instance.told_path(request.path, request.query);
        let call = Call { kind: Kind::Request(&request), proxy: &self.proxy };
        // a host in another spelling is another kind: the event tells how it was sent
        let parts = [request.authority, request.method, path, query];
        let Some(mut judged) = instance.judge(&call, &parts) else { return Ok(Action::Continue) };
        let mut action = Action::Continue;
        if judged.decision.denies() {
            action = Action::Pause;
            let status = u16::try_from(instance.policy.settings.denial.status.0).unwrap_or(403);
            let id = judged.key.as_deref().map(|key| instance.event_id(key, Some(status)));
            let body = denial::body(&instance.policy, &judged.decision, id.as_deref().unwrap_or_default());
            let details = format!("egress_denied:{}", judged.decision.reason.as_str());
            judged.event_id = id;
            instance.set_state(&judged);
            let headers: [(&[u8], &[u8]); 1] = [(b"content-type", b"application/json")];
            let answered = local::send(status.into(), &headers, body.as_bytes(), &details);
            self.judged = Some(judged);
            // without an answer the request still must not pass: it stays paused until a timeout ends it
            return answered.map(|()| action);
        }
        instance.set_state(&judged);
        self.judged = Some(judged);
        Ok(action)
    }

    /// What is told of the call beside the decision. The request's headers can be read again when all is over.
    fn facts(&self) -> Facts {
        let headers = headers::all(Map::Request).unwrap_or_default();
        let owned = |name: &[u8]| headers.get(name).map(<[u8]>::to_vec);
        Facts {
            protocol: Protocol::Http,
            authority: owned(b":authority"),
            method: owned(b":method"),
            target: owned(b":path"),
            request_id: owned(b"x-request-id"),
            destination: self.proxy.destination(),
            cluster: self.proxy.cluster(),
            flags: property::number(FLAGS),
            duration_ms: property::number(DURATION).map(|nanoseconds| nanoseconds / 1_000_000),
            ..Facts::default()
        }
    }
}

impl Context for RequestStream {}

impl HttpContext for RequestStream {
    fn on_http_request_headers(&mut self, _headers: usize, _end_of_stream: bool) -> Action {
        match self.judge() {
            Ok(action) => action,
            Err(_) => {
                self.instance.meters.host_failed();
                let action = self.instance.unreadable();
                if action == Action::Pause && local::send(403, &[], b"", "egress_denied:unreadable").is_err() {
                    self.instance.meters.host_failed();
                }
                action
            }
        }
    }

    fn on_http_request_body(&mut self, size: usize, _end_of_stream: bool) -> Action {
        self.sent = self.sent.saturating_add(size as u64);
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, _end_of_stream: bool) -> Action {
        self.received = self.received.saturating_add(size as u64);
        Action::Continue
    }

    fn on_log(&mut self) {
        let Some(judged) = self.judged.take() else { return };
        let status = if judged.key.is_some() { property::number(STATUS) } else { None };
        let status = status.and_then(|status| u16::try_from(status).ok()).filter(|status| *status > 0);
        let instance = Rc::clone(&self.instance);
        instance.ended(judged, status, self.sent, self.received, || self.facts());
    }
}
