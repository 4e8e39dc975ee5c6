//! What the targets try stands beside pii-core's own tests, which try it with every seed.

#[path = "../../../filters/pii-redactor/core/tests/fuzz_common/mod.rs"]
mod fuzz_common;

pub use fuzz_common::{config, decode, detectors, events, json, redact};
