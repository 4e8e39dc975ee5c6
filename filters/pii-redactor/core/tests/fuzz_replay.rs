//! Every seed and every input that once failed, through what the fuzzer tries (`tests/fuzz` at the top of the repository).

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod fuzz_common;

use std::path::{Path, PathBuf};

/// The files of a target, by what they are.
fn inputs(kind: &str, target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fuzz").join(kind).join(target);
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort_unstable();
    files
}

fn replay(target: &str) {
    let (_, run) = fuzz_common::TARGETS.iter().find(|(name, _)| *name == target).unwrap();
    let seeds = inputs("seeds", target);
    assert!(!seeds.is_empty(), "a target has seeds");
    let all = seeds.into_iter().chain(inputs("regressions", target));
    // all that fail are named, not the first alone
    let failed: Vec<String> = all
        .filter(|file| {
            let bytes = std::fs::read(file).unwrap();
            std::panic::catch_unwind(|| run(&bytes)).is_err()
        })
        .map(|file| file.display().to_string())
        .collect();
    assert!(failed.is_empty(), "these fail (the reasons are above): {failed:#?}");
}

#[test]
fn documents() {
    replay("json");
}

#[test]
fn streams() {
    replay("events");
}

#[test]
fn texts() {
    replay("detectors");
}

#[test]
fn prompts_and_answers() {
    replay("redact");
}

#[test]
fn content_codings() {
    replay("decode");
}

#[test]
fn configurations_and_patterns() {
    replay("config");
}
