//! Which of 10,000 buckets a user falls into.
//!
//! `h = murmur3_x86_32("{salt}:{id}", 0)`, `bucket = (h % 100) * 100 + (h / 100) % 100`.
//!
//! The hash and its key are those of Unleash's gradual rollout (`groupId:id`, seed 0, enabled where
//! `h % 100 + 1 <= rollout`). The hundreds of a bucket are Unleash's own hundredth, so at every whole percent exactly the
//! users are picked whom Unleash picks, and each percent is refined into a hundred parts. The map is a permutation of
//! `h % 10000`, so all buckets are alike to within 2e-6.

/// How many buckets there are: one is 0.01 % of the users.
pub const BUCKETS: u16 = 10_000;

/// A user's place in one rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The 32 bits of the hash.
    pub hash: u32,
    /// The bucket, from 0 to 9999.
    pub bucket: u16,
}

/// Places a user, by the bytes of the id, in the rollout named by the salt.
#[must_use]
pub fn place(salt: &str, id: &[u8]) -> Placement {
    let key = [salt.as_bytes(), b":", id].concat();
    // reading from memory cannot fail
    let hash = murmur3::murmur3_32(&mut key.as_slice(), 0).unwrap_or_default();
    let bucket = (hash % 100) * 100 + (hash / 100) % 100;
    Placement { hash, bucket: u16::try_from(bucket).unwrap_or_default() }
}
