//! Which hosts were seen before: a bounded memory that all workers of a proxy share.
//!
//! It is a ring of the first eight bytes of each host's SHA-256, so it does not grow with the hosts, and nobody can choose a
//! host that passes for another. When it is full, the host that was entered first is forgotten, and would be told as seen for
//! the first time once more.

use sha2::{Digest, Sha256};

/// What stands for a host.
pub type Mark = [u8; 8];

/// What stands for a host.
#[must_use]
pub fn mark(host: &str) -> Mark {
    let hash = Sha256::digest(host.as_bytes());
    hash.first_chunk::<8>().copied().unwrap_or_default()
}

/// Enters a host into a ring of that many. Gives the ring as it is then, and whether another host was forgotten; none where it
/// was there already. What is no ring of that size is an empty one.
#[must_use]
pub fn enter(ring: Option<&[u8]>, mark: Mark, capacity: usize) -> Option<(Vec<u8>, bool)> {
    let (head, entries) = ring.and_then(|ring| ring.split_first_chunk::<4>()).unwrap_or((&[0; 4], &[]));
    let (known, rest) = entries.as_chunks::<8>();
    let sound = rest.is_empty() && known.len() <= capacity;
    let known = if sound { known } else { &[] };
    if known.contains(&mark) {
        return None;
    }
    let next = usize::try_from(u32::from_le_bytes(*head)).unwrap_or(0);
    let full = known.len() >= capacity;
    let place = if full { next.checked_rem(capacity).unwrap_or(0) } else { known.len() };
    let mut entries: Vec<Mark> = known.to_vec();
    match entries.get_mut(place) {
        Some(oldest) => *oldest = mark,
        None => entries.push(mark),
    }
    let next = place.saturating_add(1).checked_rem(capacity).unwrap_or(0);
    let head = u32::try_from(next).unwrap_or(0).to_le_bytes();
    Some(([&head[..], entries.as_flattened()].concat(), full))
}
