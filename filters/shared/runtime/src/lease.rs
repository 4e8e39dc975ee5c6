//! Which VM of the proxy leads: the one that does for all of them what needs to be done once.
//!
//! Every worker has a VM, and so has the main thread. They know of each other only by shared data, where the leader's name
//! stands with the time at which its lease ends. A leader that is gone renews no more, and another takes over.

use std::time::{Duration, SystemTime};

use crate::{Store, hex_id};

/// One VM's part in who leads.
#[derive(Clone, Debug)]
pub struct Lease {
    store: Store,
    name: &'static str,
    holder: u64,
    term: Duration,
}

impl Lease {
    /// The lease of a name in a plugin's shared data. Each VM is a holder of its own ([`crate::random_id`]); the term is the
    /// same for all, and several times the period at which they [`hold`](Self::hold).
    #[must_use]
    pub fn new(store: Store, name: &'static str, holder: u64, term: Duration) -> Self {
        Self { store, name, holder, term }
    }

    /// Takes or renews the lease where that is possible; tells whether it is ours now. To be called at every tick,
    /// but not at configuration: Envoy tries one in a VM that goes away again, and would wait a term for that one. A host that
    /// refuses shared data has no leader.
    #[must_use]
    pub fn hold(&self, now: SystemTime) -> bool {
        let now = milliseconds(now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
        let mut ours = false;
        let outcome = self.store.update(self.name, |stored| {
            let claim = claim(stored, self.holder, now, milliseconds(self.term));
            ours = claim != Claim::Other;
            match claim {
                Claim::Take(value) => Some(value),
                Claim::Held | Claim::Other => None,
            }
        });
        outcome.is_ok() && ours
    }

    /// Gives the lease up where it is ours, so that another VM need not wait for its end.
    pub fn release(&self) {
        let outcome = self.store.update(self.name, |stored| {
            let (holder, _) = stored.and_then(parsed)?;
            (holder == self.holder).then(Vec::new)
        });
        if let Err(failure) = outcome {
            log::debug!("the lease {} is left to end by itself: {failure}", self.name);
        }
    }
}

/// What a VM makes of a lease as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is ours, for long enough.
    Held,
    /// It is ours once this is put in its place.
    Take(Vec<u8>),
    /// It is another's.
    Other,
}

/// Decides on a lease as it stands. What can't be read is free. So is one that ends further away than a term: a clock was
/// set back since, and it could last forever.
#[must_use]
pub fn claim(stored: Option<&[u8]>, holder: u64, now_ms: u64, term_ms: u64) -> Claim {
    let left = |until: u64| until.checked_sub(now_ms).filter(|left| (1..=term_ms).contains(left));
    let current = stored.and_then(parsed).and_then(|(holder, until)| Some((holder, left(until)?)));
    match current {
        Some((other, _)) if other != holder => Claim::Other,
        // renewing at every tick would be a write at every tick
        Some((_, left)) if term_ms - left < term_ms / 3 => Claim::Held,
        _ => Claim::Take(format!("{} {}", hex_id(holder), now_ms.saturating_add(term_ms)).into_bytes()),
    }
}

/// The holder, and the time in milliseconds since 1970 at which its lease ends.
fn parsed(stored: &[u8]) -> Option<(u64, u64)> {
    let (holder, until) = std::str::from_utf8(stored).ok()?.split_once(' ')?;
    Some((u64::from_str_radix(holder, 16).ok()?, until.parse().ok()?))
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: u64 = 0xab;
    const NOW: u64 = 1_000_000;
    const TERM: u64 = 3_000;

    #[test]
    fn a_lease_is_held_taken_or_left() {
        let take = || Claim::Take(b"00000000000000ab 1003000".to_vec());
        let cases: &[(&str, Option<&str>, Claim)] = &[
            ("nothing stands there", None, take()),
            ("released", Some(""), take()),
            ("ours, just taken", Some("00000000000000ab 1003000"), Claim::Held),
            ("ours, less than a third gone", Some("00000000000000ab 1002001"), Claim::Held),
            ("ours, a third gone", Some("00000000000000ab 1002000"), take()),
            ("ours, almost over", Some("00000000000000ab 1000001"), take()),
            ("ours, over", Some("00000000000000ab 1000000"), take()),
            ("ours, the clock was set back", Some("00000000000000ab 1003001"), take()),
            ("another's, just taken", Some("00000000000000cd 1003000"), Claim::Other),
            ("another's, almost over", Some("00000000000000cd 1000001"), Claim::Other),
            ("another's, over", Some("00000000000000cd 1000000"), take()),
            ("another's, long over", Some("00000000000000cd 1"), take()),
            ("another's, the clock was set back", Some("00000000000000cd 1003001"), take()),
            ("another's, without end", Some("00000000000000cd 18446744073709551615"), take()),
            ("no time", Some("00000000000000cd"), take()),
            ("no number", Some("00000000000000cd soon"), take()),
            ("no holder", Some("nobody 1003000"), take()),
            ("too large", Some("00000000000000cd 18446744073709551616"), take()),
        ];
        for (case, stored, expected) in cases {
            assert_eq!(claim(stored.map(str::as_bytes), US, NOW, TERM), *expected, "{case}");
        }
        assert_eq!(claim(Some(b"\xff 1003000"), US, NOW, TERM), take(), "no text");
    }

    #[test]
    fn what_is_taken_is_held_by_one() {
        let Claim::Take(taken) = claim(None, US, NOW, TERM) else { panic!("not taken") };
        assert_eq!(claim(Some(&taken), US, NOW, TERM), Claim::Held);
        assert_eq!(claim(Some(&taken), 0xcd, NOW, TERM), Claim::Other);
    }

    #[test]
    fn any_numbers_do() {
        for (now, term) in [(0, 0), (u64::MAX, u64::MAX), (0, u64::MAX), (u64::MAX, 0), (NOW, 1)] {
            for stored in [None, Some(&b"ab 0"[..]), Some(b"ab 18446744073709551615"), Some(b"ab 1000001")] {
                assert_ne!(claim(stored, US, now, term), Claim::Other, "{now} {term}");
            }
        }
    }
}
