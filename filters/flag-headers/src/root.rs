//! The plugin's life in one VM: configured, ticking, told of Unleash's answers, making a context for each stream.

use std::rc::Rc;
use std::time::Duration;

use filter_host::{plugin, time};
use filter_runtime::{Store, follow_host_level};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use crate::instance::Instance;
use crate::link::{self, Link};
use crate::meters::tell_without_unleash;
use crate::stream::Stream;

/// How often a worker looks for news and tells its counts. A flip is seen that much later than Unleash tells it.
const TICK: Duration = Duration::from_millis(500);

/// The version of what is kept in shared data. To be raised when an older image could not read what a newer one keeps.
const FORMAT: u32 = 1;

pub(crate) struct Root {
    instance: Rc<Instance>,
    link: Option<Link>,
    store: Option<Store>,
}

impl Default for Root {
    fn default() -> Self {
        Self { instance: Rc::new(Instance::unconfigured()), link: None, store: None }
    }
}

impl Root {
    fn configure(&mut self, configuration: &[u8]) {
        let plugin = plugin::name();
        let store = Store::new(&plugin, FORMAT);
        let instance = Rc::new(Instance::configure(configuration, &plugin, &store));
        link::supersede(&store, &instance.fingerprint);
        let unleash = instance.policy.settings.unleash.clone();
        self.link = unleash.map(|unleash| Link::new(unleash, store.clone(), Rc::clone(&instance)));
        self.store = Some(store);
        if let Some(link) = &mut self.link {
            link.follow();
        }
        self.instance = instance;
    }

    fn end(&mut self) {
        self.instance.flush();
        if let Some(link) = &mut self.link {
            link.end();
        }
    }
}

impl Context for Root {
    /// The proxy is done with this configuration: what was counted is told.
    fn on_done(&mut self) -> bool {
        self.end();
        true
    }

    fn on_http_call_response(&mut self, token: u32, _headers: usize, body: usize, _trailers: usize) {
        if let Some(link) = &mut self.link {
            link.answered(token, body);
        }
    }
}

impl RootContext for Root {
    /// Always takes the configuration: a rejected first one would answer 500 to all traffic, under every fail strategy.
    /// What is wrong in it is told by log and metric, and runs in its last good form.
    fn on_configure(&mut self, _size: usize) -> bool {
        follow_host_level();
        self.end();
        match plugin::configuration() {
            Ok(configuration) => self.configure(&configuration),
            Err(failure) => log::error!("the configuration could not be read: {failure}"),
        }
        if let Err(failure) = time::tick_every(TICK) {
            log::error!("no timer, so no flags from unleash and no metrics: {failure}");
        }
        true
    }

    fn on_tick(&mut self) {
        follow_host_level();
        self.instance.flush();
        match (&mut self.link, &self.store) {
            (Some(link), _) => link.tick(),
            // a former configuration can tick on beside the newest
            (None, Some(store)) if link::is_newest(store, &self.instance.fingerprint) => {
                tell_without_unleash(self.instance.serving().served.origin);
            }
            (None, _) => {}
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream::new(Rc::clone(&self.instance))))
    }
}
