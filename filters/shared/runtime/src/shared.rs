//! Shared data under a prefix, so that no two plugins and no two versions of a format meet.

use filter_config::{Keep, Kept};
use filter_host::{Failure, Result, shared};
use serde_json::Value;

/// The shared data of one plugin.
#[derive(Clone, Debug)]
pub struct Store {
    prefix: String,
}

impl Store {
    /// How often a replacement is tried when other workers come in between.
    pub const TRIES: u32 = 16;

    /// The data of a plugin, by its name and the version of the format it keeps.
    #[must_use]
    pub fn new(plugin: &str, format: u32) -> Self {
        Self { prefix: format!("runtime_control/{plugin}/{format}/") }
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The bytes under a name; none where there are none, or the host refuses.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Vec<u8>> {
        shared::get(&self.key(name)).ok().flatten().map(|stored| stored.value).filter(|value| !value.is_empty())
    }

    /// Puts bytes under a name, whatever stands there; empty ones stand for none.
    ///
    /// # Errors
    /// When the host refuses.
    pub fn put(&self, name: &str, value: &[u8]) -> Result<()> {
        shared::set(&self.key(name), value, None)
    }

    /// Replaces what stands under a name by what `change` makes of it, so that no other worker's change is lost; leaves it
    /// where `change` has nothing to put. Tells whether it was replaced.
    ///
    /// # Errors
    /// [`Failure::CasMismatch`] when others came in between [`Store::TRIES`] times; others when the host refuses.
    pub fn update(&self, name: &str, mut change: impl FnMut(Option<&[u8]>) -> Option<Vec<u8>>) -> Result<bool> {
        let key = self.key(name);
        for _ in 0..Self::TRIES {
            let stored = shared::get(&key)?;
            let current = stored.as_ref().map(|stored| stored.value.as_slice()).filter(|value| !value.is_empty());
            let Some(value) = change(current) else { return Ok(false) };
            let version = stored.map_or(shared::ABSENT, |stored| stored.version);
            match shared::set(&key, &value, Some(version)) {
                Err(Failure::CasMismatch) => {}
                done => return done.map(|()| true),
            }
        }
        Err(Failure::CasMismatch)
    }

    /// Keeps the last good forms of a configuration's parts. What already stands there is not written again.
    ///
    /// # Errors
    /// When the host refuses one; the others are kept.
    pub fn keep(&self, parts: &[Keep]) -> Result<()> {
        let mut outcome = Ok(());
        for Keep { part, value } in parts {
            let bytes = value.as_ref().map(ToString::to_string).unwrap_or_default().into_bytes();
            if self.get(part).unwrap_or_default() != bytes {
                outcome = self.put(part, &bytes).and(outcome);
            }
        }
        outcome
    }
}

impl Kept for Store {
    fn kept(&self, part: &str) -> Option<Value> {
        serde_json::from_slice(&self.get(part)?).ok()
    }
}
