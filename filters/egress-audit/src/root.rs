//! The plugin's life in one VM: configured, ticking, told of the collector's answers, making a context for each stream.

use std::rc::Rc;
use std::time::Duration;

use filter_host::{plugin, time};
use filter_runtime::follow_host_level;
use proxy_wasm::traits::{Context, HttpContext, RootContext, StreamContext};
use proxy_wasm::types::ContextType;

use crate::connection::Connection;
use crate::instance::Instance;
use crate::known::is_request;
use crate::link::Link;
use crate::recorder::now_ms;
use crate::request::RequestStream;

/// How often counts go to the host, and batches to the collector.
const TICK: Duration = Duration::from_secs(1);

pub(crate) struct Root {
    instance: Rc<Instance>,
    link: Option<Link>,
}

impl Default for Root {
    fn default() -> Self {
        Self { instance: Rc::new(Instance::unconfigured()), link: None }
    }
}

impl Context for Root {
    /// The proxy is done with this configuration: what was counted is told.
    fn on_done(&mut self) -> bool {
        self.instance.end();
        true
    }

    fn on_http_call_response(&mut self, token: u32, _headers: usize, body: usize, _trailers: usize) {
        if let Some(link) = &self.link {
            link.answered(&self.instance, token, body, now_ms());
        }
    }
}

impl RootContext for Root {
    /// Always takes the configuration: a rejected first one would answer 500 to all traffic, under every fail strategy.
    /// What is wrong in it is told by log and metric, and runs in its last good form.
    fn on_configure(&mut self, _size: usize) -> bool {
        follow_host_level();
        match plugin::configuration() {
            Ok(configuration) => {
                let instance = Instance::configure(&configuration, &plugin::name());
                self.instance.end();
                let otlp = instance.policy.settings.export.otlp.as_ref();
                self.link = otlp.map(|otlp| Link::new(otlp, &instance.workload));
                self.instance = Rc::new(instance);
            }
            Err(failure) => log::error!("the configuration could not be read: {failure}"),
        }
        if let Err(failure) = time::tick_every(TICK) {
            log::error!("no timer, so no export and no metrics: {failure}");
        }
        true
    }

    fn on_tick(&mut self) {
        follow_host_level();
        let now_ms = now_ms();
        if !self.instance.recorder.is_owned(self.instance.number, now_ms) {
            // a former configuration beside the newest: its streams still count
            self.instance.meters.flush(&self.instance.policy);
            return;
        }
        self.instance.tick(now_ms);
        if let Some(link) = &mut self.link {
            link.tick(&self.instance, now_ms);
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(if is_request() { ContextType::HttpContext } else { ContextType::StreamContext })
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(RequestStream::new(Rc::clone(&self.instance))))
    }

    fn create_stream_context(&self, _id: u32) -> Option<Box<dyn StreamContext>> {
        Some(Box::new(Connection::new(Rc::clone(&self.instance))))
    }
}
