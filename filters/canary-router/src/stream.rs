//! One request and its response.

use std::rc::Rc;

use canary_core::effects::changes_response;
use canary_core::written::Mode;
use canary_core::{Decision, HeaderChange, admit, decide, request_effects, response_effects};
use filter_host::Result;
use filter_host::headers::{self, Map};
use filter_request::{Pairs, Request};
use filter_runtime::{HostVerified, event};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use serde_json::json;

use crate::instance::Instance;

pub(crate) struct Stream {
    instance: Rc<Instance>,
    decision: Option<Decision>,
}

impl Stream {
    pub(crate) fn new(instance: Rc<Instance>) -> Self {
        Self { instance, decision: None }
    }

    /// Reads, decides, and writes what the decision says.
    fn route(&mut self) -> Result<()> {
        let instance = Rc::clone(&self.instance);
        let policy = &instance.policy;
        let headers = headers::all(Map::Request).inspect_err(|_| self.strip_unseen())?;
        let verified = HostVerified::default();
        let admitted = admit(&policy.settings, &headers, &verified);
        let request = Request::new(&admitted.headers);
        let decision = decide(policy, &request, &verified, &chance);
        let effects = request_effects(policy, &admitted, decision.as_ref());
        for name in effects.remove {
            headers::remove(Map::Request, name)?;
        }
        if let Some(arm) = effects.arm {
            headers::set(Map::Request, policy.settings.arm_header.as_str().as_bytes(), arm.as_bytes())?;
        }
        if let Some(decision) = &decision {
            instance.meters.decided(decision);
            if decision.mode == Mode::Report {
                report(&instance, decision, &request);
            }
        }
        self.decision = decision;
        Ok(())
    }

    /// The headers could not be read, so what is to be removed is removed unseen, in the spellings that are likely.
    fn strip_unseen(&self) {
        for name in &self.instance.policy.settings.owned {
            let folded = name.as_str().replace('-', "_");
            for name in [name.as_str(), folded.as_str()] {
                if headers::remove(Map::Request, name.as_bytes()).is_err() {
                    self.instance.meters.host_failed();
                }
            }
        }
    }

    fn answer(&self) -> Result<()> {
        let Some(decision) = &self.decision else { return Ok(()) };
        let Instance { policy, meters } = &*self.instance;
        if !changes_response(policy, decision) {
            let status = headers::get(Map::Response, b":status")?;
            meters.responded(decision, &status.unwrap_or_default());
            return Ok(());
        }
        let response = headers::all(Map::Response)?;
        meters.responded(decision, response.get(b":status").unwrap_or_default());
        response_effects(policy, decision, &response).iter().try_for_each(apply)
    }
}

fn apply(change: &HeaderChange) -> Result<()> {
    match change {
        HeaderChange::Add(name, value) => headers::add(Map::Response, name.as_bytes(), value.as_bytes()),
        HeaderChange::Set(name, value) => headers::set(Map::Response, name.as_bytes(), value.as_bytes()),
        HeaderChange::Remove(name) => headers::remove(Map::Response, name.as_bytes()),
    }
}

fn chance() -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).is_ok().then_some(bytes)
}

/// The line of a rule in mode `report`: what would be done. It names no user.
fn report(instance: &Instance, decision: &Decision, request: &Request) {
    if log::max_level() < log::LevelFilter::Info {
        return;
    }
    let rule = instance.policy.rules.get(decision.rule);
    let arm = rule.zip(decision.arm).and_then(|(rule, arm)| rule.arm(arm));
    let fields = json!({
        "filter": "canary_router",
        "mode": decision.mode.as_str(),
        "rule": rule.map(|rule| rule.name.as_str()),
        "arm": arm.map(filter_config::Name::as_str),
        "reason": decision.reason.as_str(),
        "bucket": decision.placement.map(|placement| placement.bucket),
        "request_id": request_id(request.headers),
    });
    event(log::Level::Info, "canary_decision", fields);
}

fn request_id(headers: &Pairs) -> Option<String> {
    headers.get(b"x-request-id").map(|id| String::from_utf8_lossy(id).into_owned())
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _headers: usize, _end_of_stream: bool) -> Action {
        if self.route().is_err() {
            self.instance.meters.host_failed();
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _headers: usize, _end_of_stream: bool) -> Action {
        if self.answer().is_err() {
            self.instance.meters.host_failed();
        }
        Action::Continue
    }
}
