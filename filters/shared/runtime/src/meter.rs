//! Metrics that cost a request nothing: counts gather in the VM and go to the host at the next tick.
//!
//! A host call for each counter and request would be a good part of what a filter costs. Gathered, a request pays an
//! addition. What is not yet told when a VM dies is lost, at most one tick's worth.

use std::cell::Cell;
use std::fmt::Write;

use filter_host::metric::{self, Kind, Metric};

/// A metric's name in Istio's tag form: `name.tag=.=value;.;tag=.=value;.;`. A proxy that has these tags among its
/// `extraStatTags` shows them as labels.
#[must_use]
pub fn metric_name(name: &str, tags: &[(&str, &str)]) -> String {
    let mut full = name.to_owned();
    for (index, (tag, value)) in tags.iter().enumerate() {
        let part = if index == 0 { "." } else { "" };
        // writing to a string cannot fail
        let _written = write!(full, "{part}{tag}=.={value};.;");
    }
    full
}

/// A counter of this proxy.
#[derive(Debug, Default)]
pub struct Counter {
    pending: Cell<u64>,
    metric: Cell<Option<Metric>>,
}

impl Counter {
    /// Counts one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Counts several.
    pub fn add(&self, count: u64) {
        self.pending.set(self.pending.get().saturating_add(count));
    }

    /// Tells the host what has gathered; what it refuses is told again the next time. The name ([`metric_name`]) is made only
    /// for a counter that counts for the first time: most combinations of tags never do.
    pub fn flush(&self, name: impl FnOnce() -> String) {
        let pending = self.pending.get();
        if pending == 0 {
            return;
        }
        let metric = self.metric.get().or_else(|| metric::define(Kind::Counter, &name()).ok());
        self.metric.set(metric);
        let by = i64::try_from(pending).unwrap_or(i64::MAX);
        if metric.is_some_and(|metric| metric.increment(by).is_ok()) {
            self.pending.set(0);
        }
    }
}

/// A gauge that all VMs of the proxy share, each with its part of the sum. The part of a VM that dies stays.
#[derive(Debug, Default)]
pub struct SharedGauge {
    told: Cell<i64>,
}

impl SharedGauge {
    /// Tells this VM's part, by the gauge's full name. What the host refuses is told again the next time.
    pub fn set(&self, name: &str, part: i64) {
        let change = part.saturating_sub(self.told.get());
        if change != 0 && metric::define(Kind::Gauge, name).and_then(|metric| metric.increment(change)).is_ok() {
            self.told.set(part);
        }
    }
}

/// Sets a gauge of this proxy, by its full name. A host that refuses is left with the value before.
pub fn set_gauge(name: &str, value: u64) {
    let _refused = metric::define(Kind::Gauge, name).and_then(|metric| metric.record(value));
}
