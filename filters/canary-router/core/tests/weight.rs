//! Weights are the decimals that were written.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use canary_core::weight::Weight;
use filter_config::{Path, Read, Report};
use serde_json::Value;

fn read(text: &str) -> Result<u16, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut report = Report::default();
    let read = Weight::read(&value, &Path::Root.field("weight"), &mut report);
    read.map(Weight::buckets).ok_or_else(|| report.errors.iter().map(ToString::to_string).collect())
}

#[test]
fn weights_are_decimals() {
    let cases = [
        ("0", Ok(0)),
        ("-0.0", Ok(0)),
        ("10", Ok(1000)),
        ("10.0", Ok(1000)),
        ("8.2", Ok(820)),
        ("0.29", Ok(29)),
        ("99.99", Ok(9999)),
        ("100", Ok(10_000)),
        ("1e1", Ok(1000)),
        ("120", Err("weight: 120 is over 100")),
        ("100.01", Err("weight: 100.01 is over 100")),
        ("1e300", Err("weight: 1e+300 is over 100")),
        ("-1", Err("weight: -1 is under 0")),
        ("-0.01", Err("weight: -0.01 is under 0")),
        ("8.123", Err("weight: 8.123 has more than two decimals")),
        ("1e-7", Err("weight: 1e-7 is not a percentage such as 10 or 2.5")),
        ("\"10\"", Err("weight: 10 is not a number")),
    ];
    for (text, expected) in cases {
        assert_eq!(read(text), expected.map_err(str::to_owned), "{text}");
    }
}

/// Every weight there is, through the JSON number that a user writes.
#[test]
fn every_hundredth_reads_back() {
    for buckets in 0..=10_000 {
        let weight = Weight::from_buckets(buckets).map(|weight| weight.to_string());
        assert_eq!(read(&weight.unwrap_or_default()), Ok(buckets));
    }
}
