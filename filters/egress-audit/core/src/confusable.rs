//! Hosts that look like an allowed one without being it, and parts of names that mix scripts.
//!
//! Two names look alike when they are the same once each letter is replaced by what it looks like (UTS #39, section 4, "confusable
//! detection"). The letters are those of the scripts that domains are registered in; beside the standard's pairs stand those
//! of Latin letters that only look alike in most fonts (`rn` and `m`, `i`, `l` and `1`).

use std::collections::HashMap;

use crate::host::Host;
use crate::idna;
use crate::pattern::{Label, Pattern};

/// Letters that look like Latin ones: what they look like, and all that do. From Unicode's confusables.txt.
const LOOK_LIKE: &[(char, &str)] = &[
    ('a', "ɑαа"),
    ('c', "сᴄⲥ"),
    ('e', "еҽ"),
    ('f', "ƒʄքẝ"),
    ('g', "ƍɡցᶃ"),
    ('h', "һհ"),
    ('i', "ıɩɪιіւⲓ"),
    ('j', "ȷϳјյ"),
    ('l', "ǀӏ"),
    ('n', "ոռ"),
    ('o', "οσϭоօჿᴏᴑⲟ"),
    ('p', "þƿρϸрⲣ"),
    ('q', "ԛգզ"),
    ('r', "гᴦⲅ"),
    ('s', "ƽѕ"),
    ('u', "ʋυսᴜ"),
    ('v', "νѵᴠ"),
    ('w', "ɯшѡԝաᴡⲽ"),
    ('x', "х"),
    ('y', "ɣʏγуүყᶌỿⲩ"),
    ('z', "ᴢⱬⲍ"),
    ('d', "ԁ"),
    ('m', "ՠ"),
    ('6', "б"),
    ('8', "ȣ"),
];

/// What a name looks like.
fn skeleton(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for letter in shown(name).chars() {
        let plain = LOOK_LIKE.iter().find(|(_, like)| like.contains(letter)).map_or(letter, |(plain, _)| *plain);
        match plain {
            '0' => text.push('o'),
            '1' | 'i' => text.push('l'),
            'm' => text.push_str("rn"),
            'w' => text.push_str("vv"),
            'd' => text.push_str("cl"),
            other => text.push(other),
        }
    }
    text
}

/// A name with its encoded parts decoded.
fn shown(name: &str) -> String {
    let part = |part: &str| match part.strip_prefix("xn--").and_then(idna::decode) {
        Some(decoded) => decoded,
        None => part.to_owned(),
    };
    name.split('.').map(part).collect::<Vec<_>>().join(".")
}

/// The names that others could be made to look like, by what they look like.
#[derive(Clone, Debug, Default)]
pub struct Lookalikes(HashMap<String, Vec<String>>);

impl Lookalikes {
    /// Those of allowed patterns: a name and the names above it, but for those below which anybody can have a name.
    #[must_use]
    pub fn of<'p>(patterns: impl Iterator<Item = &'p Pattern>) -> Self {
        let mut names: HashMap<String, Vec<String>> = HashMap::new();
        for pattern in patterns {
            let Pattern::Name { labels, .. } = pattern else { continue };
            let fixed = labels.iter().map_while(|label| match label {
                Label::Exact(part) => Some(part.as_str()),
                Label::Any | Label::Around(..) => None,
            });
            let fixed: Vec<&str> = fixed.collect();
            let open = if fixed.len() > 2 && ends_in_shared(&fixed) { 2 } else { 1 };
            let mut name = String::new();
            for (place, part) in fixed.iter().enumerate() {
                name = if place == 0 { (*part).to_owned() } else { format!("{part}.{name}") };
                if place >= open {
                    let alike = names.entry(skeleton(&name)).or_default();
                    if !alike.contains(&name) {
                        alike.push(name.clone());
                    }
                }
            }
        }
        Self(names)
    }

    /// The allowed name that a host, or one above it, looks like without being it.
    #[must_use]
    pub fn of_host(&self, host: &Host) -> Option<&str> {
        let name = host.name().filter(|_| !self.0.is_empty())?;
        let mut rest = Some(name);
        let mut found = None;
        while let Some(name) = rest {
            let alike = self.0.get(&skeleton(name)).into_iter().flatten();
            // whoever has the domain has all below it
            if alike.clone().any(|allowed| allowed == name) {
                return None;
            }
            found = found.or(alike.map(String::as_str).min());
            rest = name.split_once('.').map(|(_, above)| above);
        }
        found
    }
}

/// Whether a name, its last part first, ends as in `co.uk` and `com.au`: a country and a short word, where names of many are. The
/// list of all such ends is too large to be here.
fn ends_in_shared(parts: &[&str]) -> bool {
    matches!(parts, [country, word, ..] if country.len() == 2 && word.len() <= 3)
}

/// A script, as far as mixing goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    Greek,
    Cyrillic,
    Armenian,
    Georgian,
    /// Chinese, Japanese and Korean, which are mixed with each other and with Latin.
    EastAsian,
    Other,
}

fn script(letter: char) -> Option<Script> {
    Some(match u32::from(letter) {
        0x61..=0x7a | 0xc0..=0x24f | 0x250..=0x2af | 0x1d00..=0x1d25 | 0x1e00..=0x1eff => Script::Latin,
        0..=0x7f => return None,
        0x370..=0x3ff | 0x1f00..=0x1fff => Script::Greek,
        0x400..=0x52f => Script::Cyrillic,
        0x530..=0x58f => Script::Armenian,
        0x10a0..=0x10ff => Script::Georgian,
        0x1100..=0x11ff | 0x2e80..=0x9fff | 0xac00..=0xd7ff | 0xff66..=0xff9f | 0x20000..=0x3ffff => Script::EastAsian,
        _ => Script::Other,
    })
}

/// Whether a part of a name mixes scripts that no language mixes (UTS #39, "highly restrictive" for the scripts here).
#[must_use]
pub fn mixes_scripts(host: &Host) -> bool {
    let Some(name) = host.name().filter(|name| name.contains("xn--")) else { return false };
    shown(name).split('.').any(|part| {
        let mut scripts = part.chars().filter_map(script).filter(|script| *script != Script::Other);
        let Some(first) = scripts.next() else { return false };
        let east = |script: Script| matches!(script, Script::EastAsian | Script::Latin);
        scripts.any(|other| other != first && !(east(first) && east(other)))
    })
}
