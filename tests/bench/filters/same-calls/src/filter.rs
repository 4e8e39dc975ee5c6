//! The contexts, shaped as canary-router's: a root that ticks and a small context for each stream.

use std::rc::Rc;
use std::time::Duration;

use filter_host::headers::{self, Map};
use filter_host::{Result, plugin, property, time};
use filter_runtime::{Counter, follow_host_level};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

const ISSUER: &[u8] = b"metadata\0filter_metadata\0envoy.filters.http.jwt_authn\0payload\0iss";
const SUBJECT: &[u8] = b"metadata\0filter_metadata\0envoy.filters.http.jwt_authn\0payload\0sub";
const ARM_HEADER: &[u8] = b"x-canary-arm";
/// The arm of every request. The benchmark's user gets the same from canary-router, so that the same route is taken.
const ARM: &[u8] = b"v2";

struct Shared {
    /// Whether requests are to look as if a rule was for them.
    matched: bool,
    decisions: Counter,
    responses: Counter,
}

impl Shared {
    fn new(matched: bool) -> Self {
        Self { matched, decisions: Counter::default(), responses: Counter::default() }
    }
}

pub(crate) struct Root {
    shared: Rc<Shared>,
}

impl Default for Root {
    fn default() -> Self {
        Self { shared: Rc::new(Shared::new(true)) }
    }
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        let unmatched = plugin::configuration().is_ok_and(|text| text == b"unmatched");
        self.shared = Rc::new(Shared::new(!unmatched));
        time::tick_every(Duration::from_secs(1)).is_ok()
    }

    fn on_tick(&mut self) {
        follow_host_level();
        self.shared.decisions.flush(|| "bench_same_calls_decisions_total".to_owned());
        self.shared.responses.flush(|| "bench_same_calls_responses_total".to_owned());
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream(Rc::clone(&self.shared))))
    }
}

struct Stream(Rc<Shared>);

impl Stream {
    fn request(&self) -> Result<()> {
        let _headers = headers::all(Map::Request)?;
        if self.0.matched {
            // the claim is asked for where there is a token, as canary-router does
            let _subject = property::get(ISSUER).and_then(|_| property::get(SUBJECT));
            headers::set(Map::Request, ARM_HEADER, ARM)?;
            self.0.decisions.increment();
        }
        Ok(())
    }

    fn response(&self) -> Result<()> {
        if self.0.matched {
            let _status = headers::get(Map::Response, b":status")?;
            self.0.responses.increment();
        }
        Ok(())
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _headers: usize, _end_of_stream: bool) -> Action {
        // a call that fails shows in the benchmark's comparison of calls and answers
        let _failed = self.request();
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _headers: usize, _end_of_stream: bool) -> Action {
        let _failed = self.response();
        Action::Continue
    }
}
