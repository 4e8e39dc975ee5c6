//! The plugin's life in one VM: configured, ticking, making a context for each request.

use std::rc::Rc;
use std::time::Duration;

use filter_host::{plugin, time};
use filter_runtime::follow_host_level;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use crate::exchange::Exchange;
use crate::instance::Instance;

/// How often counts go to the host.
const TICK: Duration = Duration::from_secs(1);

pub(crate) struct Root {
    instance: Rc<Instance>,
}

impl Default for Root {
    fn default() -> Self {
        Self { instance: Rc::new(Instance::unconfigured()) }
    }
}

impl Context for Root {
    /// The proxy is done with this configuration: what was counted is told.
    fn on_done(&mut self) -> bool {
        self.instance.meters.flush();
        true
    }
}

impl RootContext for Root {
    /// Always takes the configuration: a rejected first one would answer 500 to all traffic, under every fail strategy.
    /// What is wrong in it is told by log and metric, and refuses what it would guard.
    fn on_configure(&mut self, _size: usize) -> bool {
        follow_host_level();
        match plugin::configuration() {
            Ok(configuration) => {
                let instance = Instance::configure(&configuration, &plugin::name());
                self.instance.meters.flush();
                self.instance = Rc::new(instance);
            }
            Err(failure) => log::error!("the configuration could not be read: {failure}"),
        }
        if let Err(failure) = time::tick_every(TICK) {
            log::error!("no timer, so no metrics: {failure}");
        }
        true
    }

    fn on_tick(&mut self) {
        follow_host_level();
        self.instance.meters.flush();
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Exchange::new(Rc::clone(&self.instance))))
    }
}
