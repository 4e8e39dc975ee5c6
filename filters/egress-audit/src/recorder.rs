//! One worker's audit in the proxy: it outlives configurations, knows which hosts were seen, and writes the log.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::time::SystemTime;

use egress_core::audit::{Audit, Line};
use egress_core::event::Severity;
use egress_core::host::Host;
use egress_core::policy::Settings;
use egress_core::seen;
use filter_host::callout::Token;
use filter_runtime::{Store, hex_id, now, random_id};
use foldhash::fast::RandomState;

use crate::meters::Meters;

/// Where the ring of hosts that were seen stands in shared data.
const SEEN: &str = "seen";
/// How many bytes are gathered for the log at most.
const GATHERED: usize = 64 * 1024;
/// How long a configuration may be without a sign of life until another one does its work.
const SILENT_MS: u64 = 5_000;

thread_local! {
    /// The audits of this VM, by the plugins' names. Plugins of the same module share a VM.
    static RECORDERS: RefCell<HashMap<String, Rc<Recorder>>> = RefCell::default();
}

/// One worker's audit.
pub(crate) struct Recorder {
    pub(crate) audit: RefCell<Audit>,
    /// Hosts that this worker need not ask shared data for.
    known: RefCell<HashSet<Box<str>, RandomState>>,
    /// The configuration that does what the tick brings, and when it last did: former ones tick on as long as their streams.
    owner: Cell<u64>,
    active_ms: Cell<u64>,
    /// Lines for the log that matter less than to be written one by one.
    gathered: RefCell<String>,
    /// The batch that is on its way, and since when.
    pub(crate) sending: Cell<Option<(Option<Token>, u64)>>,
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Recorder {
    /// The audit of a plugin, which `owner` takes over.
    pub(crate) fn of(plugin: &str, node: Option<&str>, settings: &Settings, owner: u64) -> Rc<Self> {
        let existing = RECORDERS.with_borrow(|recorders| recorders.get(plugin).cloned());
        if let Some(recorder) = existing {
            recorder.owner.set(owner);
            let lines = recorder.audit.borrow_mut().adopt(settings, now_ms());
            recorder.log(settings, &lines);
            return recorder;
        }
        let id = hex_id(random_id());
        let name = node.map_or_else(|| id.clone(), |node| format!("{}/{id}", plain(node)));
        let recorder = Rc::new(Self {
            audit: RefCell::new(Audit::new(name, id, settings)),
            known: RefCell::default(),
            owner: Cell::new(owner),
            active_ms: Cell::new(now_ms()),
            gathered: RefCell::default(),
            sending: Cell::new(None),
        });
        RECORDERS.with_borrow_mut(|recorders| recorders.insert(plugin.to_owned(), Rc::clone(&recorder)));
        recorder
    }

    /// Writes lines to the log, where they are wanted there. Each write of Envoy's log costs more than the rest of an event, so
    /// what only informs is gathered until the next tick, or until a warning, which is written at once.
    pub(crate) fn log(&self, settings: &Settings, lines: &[Line]) {
        if !settings.export.log {
            return;
        }
        for Line { severity, text } in lines {
            match severity {
                Severity::Information if log::max_level() < log::LevelFilter::Info => {}
                Severity::Information => {
                    let mut gathered = self.gathered.borrow_mut();
                    if !gathered.is_empty() {
                        gathered.push('\n');
                    }
                    gathered.push_str(text);
                    if gathered.len() > GATHERED {
                        drop(gathered);
                        self.write_gathered();
                    }
                }
                Severity::Warning => {
                    self.write_gathered();
                    log::warn!("{text}");
                }
            }
        }
    }

    /// Writes what was gathered for the log.
    pub(crate) fn write_gathered(&self) {
        let mut gathered = self.gathered.borrow_mut();
        if !gathered.is_empty() {
            log::info!("{gathered}");
            gathered.clear();
        }
    }

    /// Whether a configuration is the one to do what the tick brings. One that was taken back leaves no sign, so that another
    /// takes over after a while.
    pub(crate) fn is_owned(&self, owner: u64, now_ms: u64) -> bool {
        if self.owner.get() != owner && now_ms.saturating_sub(self.active_ms.get()) > SILENT_MS {
            self.owner.set(owner);
        }
        let owned = self.owner.get() == owner;
        if owned {
            self.active_ms.set(now_ms);
        }
        owned
    }

    /// Whether this is the last configuration, so that nobody comes after it.
    pub(crate) fn is_last(&self, owner: u64) -> bool {
        self.owner.get() == owner
    }

    /// Whether this worker has seen a host before.
    pub(crate) fn knows(&self, host: &Host) -> bool {
        host.name().is_none_or(|name| self.known.borrow().contains(name))
    }

    /// Whether no worker has seen a host before, as far as is remembered.
    pub(crate) fn is_first(&self, host: Option<&Host>, settings: &Settings, store: &Store, meters: &Meters) -> bool {
        let Some(name) = host.and_then(Host::name).filter(|name| !self.known.borrow().contains(*name)) else {
            return false;
        };
        let capacity = usize::try_from(settings.audit.first_seen_capacity.0).unwrap_or(usize::MAX);
        let mut known = self.known.borrow_mut();
        if known.len() >= capacity {
            // what others remember is asked for anew
            known.clear();
        }
        known.insert(name.into());
        let mark = seen::mark(name);
        let mut forgotten = false;
        let entered = store.update(SEEN, |ring| {
            let (ring, full) = seen::enter(ring, mark, capacity)?;
            forgotten = full;
            Some(ring)
        });
        let first = matches!(entered, Ok(true));
        if first {
            meters.first_seen(forgotten);
        }
        first
    }
}

/// A node's id as part of a name: the pod, which is what tells nodes apart.
fn plain(node: &str) -> String {
    node.split('~').nth(2).filter(|pod| !pod.is_empty()).unwrap_or(node).to_owned()
}
