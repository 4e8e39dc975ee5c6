//! The contexts, shaped as those of the measured filters: a root that ticks and a small context for each stream.

use std::rc::Rc;

use filter_host::{plugin, time};
use filter_runtime::follow_host_level;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

use crate::script::Script;

#[derive(Default)]
pub(crate) struct Root {
    script: Rc<Script>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        let text = plugin::configuration().ok().and_then(|text| String::from_utf8(text).ok());
        let Some(script) = text.and_then(|text| Script::parse(&text)) else { return false };
        self.script = Rc::new(script);
        time::tick_every(self.script.tick).is_ok()
    }

    fn on_tick(&mut self) {
        follow_host_level();
        self.script.flush();
    }

    fn get_type(&self) -> Option<ContextType> {
        let _failed = self.script.create();
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream(Rc::clone(&self.script))))
    }
}

struct Stream(Rc<Script>);

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _headers: usize, _end_of_stream: bool) -> Action {
        // a call that fails shows in the benchmark's comparison of calls and answers
        let _failed = self.0.request();
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _headers: usize, _end_of_stream: bool) -> Action {
        let _failed = self.0.response();
        Action::Continue
    }
    fn on_log(&mut self) {
        let _failed = self.0.log();
    }
}
