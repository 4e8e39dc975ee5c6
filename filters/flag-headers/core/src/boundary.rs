//! The trust boundary: which flag headers of a request are removed before anything is evaluated, and which values a verified
//! peer has given.

use std::borrow::Cow;
use std::collections::BTreeMap;

use filter_request::{HeaderName, Pairs, Trust, Verified};
use percent_encoding::percent_decode;

use crate::config::{HeaderSettings, Strip};
use crate::flag::{Flag, Selector};
use crate::names::{FLAG, PAYLOAD, SOURCE, VARIANT, encoded, folded};

/// The header names that an instance owns, in the spelling in which servers can't tell them apart.
#[derive(Clone, Debug, Default)]
pub struct Owned {
    names: Vec<Vec<u8>>,
    prefixes: Vec<Vec<u8>>,
    /// The names of flags inside of header names, as they are written.
    flags: Vec<String>,
    /// The header for all flags, where there is one.
    pub all: Option<HeaderName>,
}

impl Owned {
    /// The names that go with some flags. An instance that carries none in headers owns none: in a sidecar, on the calls that
    /// an application makes, it must not take away what that hands on.
    #[must_use]
    pub fn of<'f>(flags: impl Iterator<Item = &'f Selector>, headers: &HeaderSettings) -> Self {
        if !headers.carries() && headers.strip == Strip::Owned {
            return Self::default();
        }
        let mut owned = Self { all: headers.all.clone(), ..Self::default() };
        // where another instance says where flags come from, that one owns the header
        owned.names.extend(headers.source.then(|| folded(SOURCE.as_bytes())));
        owned.names.extend(headers.all.iter().map(|name| folded(name.as_str().as_bytes())));
        let kinds = [FLAG, VARIANT, PAYLOAD];
        let written = |name: &str| kinds.map(|kind| folded(format!("{kind}{}", encoded(name)).as_bytes()));
        for selector in flags {
            match selector {
                Selector::Name(name) => {
                    owned.names.extend(written(name));
                    owned.flags.push(encoded(name));
                }
                Selector::Prefix(prefix) => owned.prefixes.extend(written(prefix)),
            }
        }
        if headers.strip == Strip::All {
            owned.prefixes.extend(written(""));
        }
        owned
    }

    fn holds(&self, name: &[u8]) -> bool {
        // nearly every header ends here
        let may_be = match name.get(..6) {
            Some([x, _, f, l, a, g]) => [x, f, l, a, g].map(u8::to_ascii_lowercase) == *b"xflag",
            _ => false,
        };
        let all = self.all.as_ref().is_some_and(|all| all.as_str().len() == name.len());
        if !may_be && !all {
            return false;
        }
        let name = folded(name);
        self.names.contains(&name) || self.prefixes.iter().any(|prefix| name.starts_with(prefix))
    }

    /// Whether a flag's name is written as this instance writes it: another spelling of the same is nobody's decision.
    fn spells(&self, flag: &str) -> bool {
        let other = |own: &String| own.len() == flag.len() && folded(own.as_bytes()) == folded(flag.as_bytes());
        self.flags.iter().any(|own| own == flag) || !self.flags.iter().any(other)
    }
}

/// What a verified peer has decided about a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// Whether it is on.
    pub enabled: bool,
    /// Its variant's name.
    pub variant: Option<String>,
}

/// A request's headers behind the boundary.
#[derive(Clone, Debug)]
pub struct Admitted<'h> {
    /// The headers that are left.
    pub headers: Cow<'h, Pairs>,
    /// The names that are not, each once.
    pub removed: Vec<&'h [u8]>,
    /// What a verified peer has decided, by the flag's name in headers.
    pub given: BTreeMap<String, Given>,
}

/// Admits a request's headers. Values of owned headers pass from a verified peer only, and that at `trust: mesh` only.
#[must_use]
pub fn admit<'h>(owned: &Owned, trust: Trust, headers: &'h Pairs, verified: &dyn Verified) -> Admitted<'h> {
    let mut removed: Vec<&[u8]> = Vec::new();
    for (name, _) in headers {
        if owned.holds(name) && !removed.contains(&name) {
            removed.push(name);
        }
    }
    if removed.is_empty() {
        return Admitted { headers: Cow::Borrowed(headers), removed, given: BTreeMap::new() };
    }
    let mut given = BTreeMap::new();
    if trust == Trust::Mesh && verified.peer() {
        given = given_by_peer(owned, headers, &removed);
        removed.retain(|name| !passes(name, &given, headers));
    }
    Admitted { headers: Cow::Owned(headers.without(&removed)), removed, given }
}

/// Whether a header of a peer stays as it is: those of a flag that the peer decided, and where flags come from.
fn passes(name: &[u8], given: &BTreeMap<String, Given>, headers: &Pairs) -> bool {
    let (Ok(name), Some(value)) = (std::str::from_utf8(name), single(headers, name)) else { return false };
    let decided = |kind| name.strip_prefix(kind).is_some_and(|flag| given.contains_key(flag));
    (decided(FLAG) && truth(value).is_some())
        || decided(VARIANT)
        || decided(PAYLOAD)
        || (name == SOURCE && !given.is_empty())
}

/// The value of a header that comes once: two values are nobody's decision.
fn single<'h>(headers: &'h Pairs, name: &[u8]) -> Option<&'h str> {
    let mut copies = headers.all(name);
    let first = copies.next().and_then(|value| std::str::from_utf8(value).ok());
    first.filter(|_| copies.next().is_none())
}

fn given_by_peer(owned: &Owned, headers: &Pairs, names: &[&[u8]]) -> BTreeMap<String, Given> {
    let mut given: BTreeMap<String, Given> = BTreeMap::new();
    let single = |name: &str| single(headers, name.as_bytes());
    if let Some(all) = owned.all.as_ref().and_then(|all| single(all.as_str())) {
        let entries: Vec<(String, Given)> = all.split(',').filter_map(entry_of).collect();
        let contested = |flag: &str| entries.iter().filter(|(name, _)| name == flag).count() > 1;
        given.extend(entries.iter().filter(|(flag, _)| owned.spells(flag) && !contested(flag)).cloned());
    }
    let flags = names.iter().filter_map(|name| std::str::from_utf8(name).ok()?.strip_prefix(FLAG));
    for flag in flags.filter(|flag| owned.spells(flag)) {
        let enabled = single(&format!("{FLAG}{flag}")).and_then(truth);
        let variant = single(&format!("{VARIANT}{flag}")).map(decoded);
        if let Some(enabled) = enabled {
            given.insert(flag.to_owned(), Given { enabled, variant });
        }
    }
    given
}

/// One entry of the header for all flags: `name=true;variant=blue`.
fn entry_of(entry: &str) -> Option<(String, Given)> {
    let mut parts = entry.split(';').map(str::trim);
    let (name, value) = parts.next()?.split_once('=')?;
    let variant = parts.find_map(|part| part.strip_prefix("variant=")).map(decoded);
    Some((name.trim().to_owned(), Given { enabled: truth(value.trim())?, variant }))
}

fn truth(value: &str) -> Option<bool> {
    match value {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn decoded(text: &str) -> String {
    percent_decode(text.as_bytes()).decode_utf8_lossy().into_owned()
}

/// The selectors of flags, as [`Owned::of`] takes them.
pub fn selectors(flags: &[Flag]) -> impl Iterator<Item = &Selector> {
    flags.iter().map(|flag| &flag.selector)
}
