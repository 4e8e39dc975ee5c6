//! The hash and the buckets against what others publish.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use canary_core::bucket::{BUCKETS, place};

/// smhasher's verification of a hash: of the hashes of the keys `[]`, `[0]`, `[0, 1]`, … with seeds 256, 255, 254, …, all
/// together hashed with seed 0. It publishes 0xB0F57EE3 for murmur3_x86_32.
#[test]
fn murmur3_has_smhashers_verification_value() {
    let mut hashes = Vec::new();
    for length in 0..256_u32 {
        let key: Vec<u8> = (0..length).map(|byte| byte as u8).collect();
        let hash = murmur3::murmur3_32(&mut key.as_slice(), 256 - length).unwrap();
        hashes.extend(hash.to_le_bytes());
    }
    assert_eq!(murmur3::murmur3_32(&mut hashes.as_slice(), 0).unwrap(), 0xB0F5_7EE3);
}

/// The normalized values that Unleash's SDKs are tested against: `(id, groupId, h % 100 + 1)`.
#[test]
fn the_hundreds_of_a_bucket_are_unleashs_own() {
    for (id, group, normalized) in [("123", "gr1", 73), ("999", "groupX", 25)] {
        assert_eq!(place(group, id.as_bytes()).bucket / 100 + 1, normalized, "{group}:{id}");
    }
}

#[test]
fn ids_are_hashed_as_utf_8_bytes_and_any_others() {
    // Unleash's Node SDK answers 12 here, since it does not hash UTF-8; Rust, Java and Go agree on 67
    assert_eq!(place("demo", "José".as_bytes()).bucket / 100 + 1, 67);
    assert_ne!(place("demo", b"\xff").hash, place("demo", b"\xfe").hash);
    assert_eq!(place("demo", &[b'x'; 20_000]), place("demo", &[b'x'; 20_000]));
}

#[test]
fn buckets_are_a_permutation_of_the_hash_modulo_their_number() {
    let mut seen = vec![false; usize::from(BUCKETS)];
    for hash in 0..u32::from(BUCKETS) {
        let bucket = (hash % 100) * 100 + (hash / 100) % 100;
        assert!(!std::mem::replace(&mut seen[bucket as usize], true));
    }
}

#[test]
fn users_fall_evenly_over_the_buckets() {
    const USERS: u32 = 200_000;
    let mut tenths = [0_u32; 10];
    for user in 0..USERS {
        tenths[usize::from(place("even", user.to_string().as_bytes()).bucket / 1000)] += 1;
    }
    // chi-squared with 9 degrees of freedom: 27.9 is passed by one rollout name in a thousand, and this one is fixed
    let expected = f64::from(USERS) / 10.0;
    let chi: f64 = tenths.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
    assert!(chi < 27.9, "{tenths:?} {chi}");
}
