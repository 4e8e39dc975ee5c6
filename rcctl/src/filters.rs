//! The filters that rcctl knows: how their configurations are checked, and what shape they have.

use egress_core::workload::Workload;
use filter_config::{NothingKept, Report};
use pii_core::load::any_variable;
use serde_json::Value;

use crate::{access, flags, protection, spelling, suffix, update};

/// A filter as the commands see it.
#[derive(Debug)]
pub(crate) struct Filter {
    /// Its name, as in its image's name.
    pub(crate) name: &'static str,
    /// Places (RFC 6901) that only its configurations have, to know a bare one by.
    marks: &'static [&'static str],
    /// Finds what is wrong with a configuration.
    pub(crate) check: fn(&Value) -> Report,
    /// Finds what an update of a configuration does to users without need; both are without mistakes.
    pub(crate) warn_of_update: fn(&Value, &Value) -> Vec<String>,
    /// Its JSON Schema.
    pub(crate) schema: fn() -> Value,
    /// The JSON Schema of what it tells, where it tells events.
    pub(crate) event_schema: Option<fn() -> Value>,
}

/// All filters.
pub(crate) const FILTERS: &[Filter] = &[
    Filter {
        name: "canary-router",
        marks: &["/armHeader", "/rules/0/baseline", "/rules/0/arms"],
        check: |configuration| canary_core::load(configuration.to_string().as_bytes(), &NothingKept).report,
        warn_of_update: |old, new| {
            let policy = |value: &Value| canary_core::load(value.to_string().as_bytes(), &NothingKept).policy;
            let updates = update::of(&policy(old), &policy(new));
            updates.iter().filter(|update| update.harms).map(ToString::to_string).collect()
        },
        schema: || filter_config::schema::document::<canary_core::config::Config>("canary-router"),
        event_schema: None,
    },
    Filter {
        name: "flag-headers",
        marks: &["/flags"],
        check: |configuration| flag_core::load(configuration.to_string().as_bytes(), &NothingKept).report,
        warn_of_update: |old, new| {
            let policy = |value: &Value| flag_core::load(value.to_string().as_bytes(), &NothingKept).policy;
            flags::of_update(&policy(old).flags, &policy(new).flags)
        },
        schema: || filter_config::schema::document::<flag_core::config::Config>("flag-headers"),
        event_schema: None,
    },
    Filter {
        name: "egress-audit",
        marks: &["/policies"],
        check: |configuration| {
            let bytes = configuration.to_string();
            let mut report = egress_core::load(bytes.as_bytes(), &NothingKept, &Workload::default()).report;
            spelling::tell_ascii_forms(configuration, &mut report);
            egress_core::lint::warnings(configuration, &suffix::is_public, &mut report);
            report
        },
        warn_of_update: access::of_update,
        schema: || filter_config::schema::document::<egress_core::config::Config>("egress-audit"),
        event_schema: Some(egress_core::event::schema),
    },
    Filter {
        name: "pii-redactor",
        marks: &["/entities", "/placeholder", "/neverRedact", "/alwaysRedact", "/custom", "/gate", "/rules/0/api"],
        check: |configuration| {
            let bytes = configuration.to_string();
            let mut report = pii_core::load(bytes.as_bytes(), &NothingKept, &any_variable).report;
            pii_core::lint::warnings(configuration, &mut report);
            report
        },
        warn_of_update: protection::of_update,
        schema: || filter_config::schema::document::<pii_core::config::Config>("pii-redactor"),
        event_schema: None,
    },
];

/// The filter of that name.
pub(crate) fn named(name: &str) -> Result<&'static Filter, String> {
    FILTERS.iter().find(|filter| filter.name == name).ok_or_else(|| {
        let known: Vec<&str> = FILTERS.iter().map(|filter| filter.name).collect();
        format!("no filter {name}; known here: {}", known.join(", "))
    })
}

/// The filter whose name stands in a text, such as an image's address.
pub(crate) fn mentioned(text: &str) -> Option<&'static Filter> {
    FILTERS.iter().find(|filter| text.contains(filter.name))
}

/// The filter that a bare configuration looks like.
pub(crate) fn guessed(configuration: &Value) -> Option<&'static Filter> {
    let marked = |filter: &&Filter| filter.marks.iter().any(|mark| configuration.pointer(mark).is_some());
    FILTERS.iter().find(marked)
}
