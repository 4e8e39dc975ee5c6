//! See `decode` in pii-core's `tests/fuzz_common`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::decode(bytes));
