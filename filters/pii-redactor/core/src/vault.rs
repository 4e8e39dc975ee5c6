//! What stands for what: the placeholders of one request, and the values that they stand for.
//!
//! A value has one placeholder in all of a request and its answer. Without a key they are numbered as they come; with one, a placeholder
//! is made of a keyed hash of the value (HMAC-SHA-256, RFC 2104), so that it is the same in every request.

use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

use sha2::{Digest, Sha256};

use crate::style::Style;

/// The length of what a keyed placeholder has for a number: 48 bits in hexadecimal digits.
pub const KEYED_LENGTH: usize = 12;

/// How many bytes the values of a request may have together. Further ones get placeholders, but are not remembered.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// The block length of SHA-256, to which HMAC fills up its key.
const BLOCK: usize = 64;

/// A value with the name of its kind.
type Named = (Rc<str>, Rc<[u8]>);

/// See the module.
pub struct Vault {
    style: Style,
    key: Option<Rc<[u8]>>,
    most: usize,
    bytes: usize,
    numbers: HashMap<Rc<str>, u64>,
    by_value: HashMap<Named, Rc<[u8]>>,
    /// By the placeholder in upper case: models change case.
    values: HashMap<Vec<u8>, Rc<[u8]>>,
    known: HashSet<Rc<[u8]>>,
    /// Placeholders that the request itself holds: they stand for themselves.
    taken: HashSet<Vec<u8>>,
    forgotten: u64,
}

impl Vault {
    /// An empty one, that remembers `most` values.
    #[must_use]
    pub fn new(style: Style, key: Option<Rc<[u8]>>, most: usize) -> Self {
        Self {
            style,
            key,
            most,
            bytes: 0,
            numbers: HashMap::new(),
            by_value: HashMap::new(),
            values: HashMap::new(),
            known: HashSet::new(),
            taken: HashSet::new(),
            forgotten: 0,
        }
    }

    /// Whether placeholders are the same in every request.
    #[must_use]
    pub const fn is_keyed(&self) -> bool {
        self.key.is_some()
    }

    /// The placeholder of a value. `own` says that it is the caller's: only these come back.
    pub fn placeholder(&mut self, name: &str, value: &[u8], own: bool) -> Vec<u8> {
        let entry: Named = (name.into(), value.into());
        if let Some(placeholder) = self.by_value.get(&entry) {
            return placeholder.to_vec();
        }
        let placeholder = self.new_placeholder(name, value);
        if self.by_value.len() >= self.most || self.bytes + value.len() > MOST_BYTES {
            self.forgotten += 1;
            return placeholder;
        }
        self.bytes += value.len();
        if own {
            self.values.insert(placeholder.to_ascii_uppercase(), entry.1.clone());
            self.known.insert(entry.1.clone());
        }
        self.by_value.insert(entry, placeholder.as_slice().into());
        placeholder
    }

    /// The value that a placeholder stands for.
    #[must_use]
    pub fn value(&self, placeholder: &[u8]) -> Option<&[u8]> {
        self.values.get(&placeholder.to_ascii_uppercase()).map(AsRef::as_ref)
    }

    /// Whether a value is one of the caller's that have a placeholder.
    #[must_use]
    pub fn knows(&self, value: &[u8]) -> bool {
        self.known.contains(value)
    }

    /// Keeps a placeholder for itself that the request holds as text. False where it already stands for a value.
    pub fn take(&mut self, placeholder: &[u8]) -> bool {
        let upper = placeholder.to_ascii_uppercase();
        if self.values.contains_key(&upper) {
            return false;
        }
        if self.taken.len() < self.most {
            self.taken.insert(upper);
        }
        true
    }

    /// How many values could not be remembered.
    #[must_use]
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// A keyed hash of a value, in hexadecimal digits; none without a key.
    #[must_use]
    pub fn hash(&self, name: &str, value: &[u8]) -> Option<String> {
        let digest = hmac(self.key.as_deref()?, &[name.as_bytes(), &[0], value]);
        Some(digest.iter().take(KEYED_LENGTH / 2).map(|byte| format!("{byte:02x}")).collect())
    }

    fn new_placeholder(&mut self, name: &str, value: &[u8]) -> Vec<u8> {
        if let Some(hash) = self.hash(name, value) {
            return self.style.write(name, &hash);
        }
        loop {
            let number = self.numbers.entry(name.into()).or_default();
            *number += 1;
            let placeholder = self.style.write(name, &number.to_string());
            if !self.taken.contains(&placeholder.to_ascii_uppercase()) {
                return placeholder;
            }
        }
    }
}

/// HMAC-SHA-256 (RFC 2104).
fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut block = [0; BLOCK];
    if key.len() > BLOCK {
        block.iter_mut().zip(Sha256::digest(key)).for_each(|(place, byte)| *place = byte);
    } else {
        block.iter_mut().zip(key).for_each(|(place, byte)| *place = *byte);
    }
    let pad = |with: u8| block.map(|byte| byte ^ with);
    let mut inner = Sha256::new();
    inner.update(pad(0x36));
    parts.iter().for_each(|part| inner.update(part));
    let mut outer = Sha256::new();
    outer.update(pad(0x5c));
    outer.update(inner.finalize());
    outer.finalize().into()
}
