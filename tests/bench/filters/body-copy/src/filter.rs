//! The contexts: a root that knows whether to scan, and one for each stream.

use std::hint::black_box;

use filter_host::body::{self, Which};
use filter_host::headers::{self, Map};
use filter_host::{Result, plugin};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

#[derive(Default)]
pub(crate) struct Root {
    scan: bool,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        self.scan = plugin::configuration().is_ok_and(|text| text == b"scan");
        true
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { scan: self.scan }))
    }
}

struct Stream {
    scan: bool,
}

impl Stream {
    fn copy(&self, which: Which, size: usize) -> Result<()> {
        let bytes = body::of(which, 0, size)?;
        if self.scan {
            // the count is of no use, and has to be made all the same
            black_box(bytes.iter().filter(|byte| matches!(byte, b'@' | b'\n')).count());
        }
        body::replace(which, size, &bytes)
    }
}

fn rewrite_headers(map: Map) -> Result<()> {
    if headers::all(map)?.get(b"content-length").is_some() {
        headers::remove(map, b"content-length")?;
    }
    Ok(())
}

/// A call that fails shows: the benchmark counts what comes out.
fn shown(made: Result<()>) -> Action {
    if made.is_ok() { Action::Continue } else { Action::Pause }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _headers: usize, _end_of_stream: bool) -> Action {
        shown(rewrite_headers(Map::Request))
    }

    fn on_http_request_body(&mut self, size: usize, _end_of_stream: bool) -> Action {
        shown(self.copy(Which::Request, size))
    }

    fn on_http_response_headers(&mut self, _headers: usize, _end_of_stream: bool) -> Action {
        shown(rewrite_headers(Map::Response))
    }

    fn on_http_response_body(&mut self, size: usize, _end_of_stream: bool) -> Action {
        shown(self.copy(Which::Response, size))
    }
}
