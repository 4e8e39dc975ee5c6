//! Which hosts a rule names.
//!
//! | pattern | hosts |
//! |---|---|
//! | `api.openai.com` | this one |
//! | `*.anthropic.com` | every name below it, at any depth; never `anthropic.com` itself |
//! | `ec2.*.amazonaws.com`, `s3-*.amazonaws.com` | `*` for one part, or for some of one part |
//! | `*` | every name; no address |
//! | `192.0.2.7`, `[2001:db8::7]` | this address, in every spelling |
//! | `192.0.2.0/24`, `2001:db8::/32` | the addresses of a network |

use std::net::IpAddr;

use filter_config::schema::Definitions;
use filter_config::{Path, Read, Report, serde_json::Value, serde_json::json, shown};

use crate::host::{Host, Invalid, plain};

/// A host pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    /// Every name.
    Any,
    /// Names by their parts.
    Name {
        /// Whether the name goes on, by one part or more, before these.
        below: bool,
        /// The parts, the last (`com`) first.
        labels: Vec<Label>,
    },
    /// The addresses of a network; a single one where the length is that of an address.
    Network(Network),
}

/// One part of a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    /// Any.
    Any,
    /// Any that begins and ends so, with anything in between.
    Around(String, String),
    /// This one.
    Exact(String),
}

/// A network by its first address and the number of leading bits that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    /// The first address.
    pub address: IpAddr,
    /// How many bits of an address count.
    pub length: u8,
}

impl Network {
    /// The network of that length that an address is in; none where the address has fewer bits.
    #[must_use]
    pub fn of(address: IpAddr, length: u8) -> Option<Self> {
        let masked = match address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32_u32.checked_sub(u32::from(length))?).unwrap_or(0);
                IpAddr::V4((u32::from(v4) & mask).into())
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128_u32.checked_sub(u32::from(length))?).unwrap_or(0);
                IpAddr::V6((u128::from(v6) & mask).into())
            }
        };
        Some(Self { address: masked, length })
    }

    /// Whether an address is one of it.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && Self::of(address, self.length) == Some(*self)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (address, length) = text.split_once('/').unwrap_or((text, ""));
        let Ok(Host::Address(address)) = Host::parse(address.as_bytes()) else {
            return Err("is no network: an address, / and how many of its bits count".to_owned());
        };
        let length = length.bytes().all(|byte| byte.is_ascii_digit()).then(|| length.parse().ok()).flatten();
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let network = length.and_then(|length| Self::of(address, length));
        let network = network.ok_or_else(|| format!("is no network: behind / stands a number from 0 to {bits}"))?;
        if network.address != address {
            return Err(format!("is no network: with bits beyond /{} it would be {}", network.length, network.told()));
        }
        Ok(network)
    }

    fn told(&self) -> String {
        format!("{}/{}", self.address, self.length)
    }
}

impl Pattern {
    /// Reads a pattern; the error goes on after showing it.
    ///
    /// # Errors
    /// What is wrong, and what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if text.contains('/') {
            return Network::parse(text).map(Self::Network);
        }
        let below = text.starts_with("*.");
        let name = text.strip_prefix("*.").unwrap_or(text);
        // a letter that no name begins with keeps the place of each star while the rest is brought into its one form
        let starred = name.contains('*');
        if !starred {
            return match Host::parse(name.as_bytes()) {
                Err(wrong) => Err(refused(wrong)),
                Ok(Host::Address(_)) if below => Err("names an address, which has nothing below it".to_owned()),
                Ok(Host::Address(address)) => Ok(Self::Network(single(address))),
                Ok(Host::Name(name)) => Ok(Self::Name { below, labels: labels(&name)? }),
            };
        }
        // addresses are no names, so it would name nothing
        let digits = name.bytes().any(|byte| byte.is_ascii_digit());
        if digits && matches!(Host::parse(name.replace('*', "1").as_bytes()), Ok(Host::Address(_))) {
            return Err("has a * in an address; name a network, such as 192.0.2.0/24".to_owned());
        }
        // what is not a star has to be a name as it stands
        Host::parse(name.replace('*', "a").as_bytes()).map_err(refused)?;
        if !name.is_ascii() {
            return Err("has a * beside letters that are not ascii; write those in their ascii form, xn--…".to_owned());
        }
        let name = name.to_ascii_lowercase();
        Ok(Self::Name { below, labels: labels(name.strip_suffix('.').unwrap_or(&name))? })
    }

    /// Whether a host is one that the pattern names. The index answers the same, faster: [`crate::index`].
    #[must_use]
    pub fn matches(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Any, Host::Name(_)) => true,
            (Self::Network(network), Host::Address(address)) => network.holds(*address),
            (Self::Name { below, labels }, Host::Name(name)) => {
                let mut parts = name.rsplit('.');
                labels.iter().all(|label| parts.next().is_some_and(|part| label.matches(part)))
                    && parts.next().is_some() == *below
            }
            (Self::Any | Self::Name { .. }, Host::Address(_)) | (Self::Network(_), Host::Name(_)) => false,
        }
    }

    /// Whether every host of another pattern is one of this.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, Self::Any | Self::Name { .. }) => true,
            (Self::Network(wide), Self::Network(narrow)) => wide.length <= narrow.length && wide.holds(narrow.address),
            (Self::Name { below, labels }, Self::Name { below: other_below, labels: others }) => {
                let heads = labels.iter().zip(others).all(|(label, other)| label.covers(other));
                let deeper = others.len() > labels.len();
                let same = others.len() == labels.len();
                heads && if *below { deeper || (same && *other_below) } else { same && !other_below }
            }
            _ => false,
        }
    }

    /// The name or address, where the pattern names just one host.
    #[must_use]
    pub fn single(&self) -> Option<Host> {
        match self {
            Self::Any => None,
            Self::Network(network) => (*network == single(network.address)).then_some(Host::Address(network.address)),
            Self::Name { below: true, .. } => None,
            Self::Name { labels, .. } => {
                let mut parts = Vec::new();
                for label in labels.iter().rev() {
                    let Label::Exact(part) = label else { return None };
                    parts.push(part.as_str());
                }
                Some(Host::Name(parts.join(".")))
            }
        }
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Network(network) if *network == single(network.address) => network.address.fmt(f),
            Self::Network(network) => f.write_str(&network.told()),
            Self::Name { below, labels } => {
                let parts = labels.iter().rev().map(|label| match label {
                    Label::Any => "*".to_owned(),
                    Label::Around(before, after) => format!("{before}*{after}"),
                    Label::Exact(part) => part.clone(),
                });
                let below = below.then(|| "*".to_owned());
                f.write_str(&below.into_iter().chain(parts).collect::<Vec<_>>().join("."))
            }
        }
    }
}

fn single(address: IpAddr) -> Network {
    let (address, length) = match address {
        IpAddr::V4(_) => (address, 32),
        IpAddr::V6(v6) => match plain(v6) {
            v4 @ IpAddr::V4(_) => (v4, 32),
            v6 @ IpAddr::V6(_) => (v6, 128),
        },
    };
    Network { address, length }
}

fn refused(wrong: Invalid) -> String {
    let allowed = "allowed are a name, *.name, a * within a part, an address, a network or *, without a port";
    format!("{}; {allowed}", wrong.told())
}

fn labels(name: &str) -> Result<Vec<Label>, String> {
    let label = |part: &str| match part.split_once('*') {
        None => Ok(Label::Exact(part.to_owned())),
        Some(("", "")) => Ok(Label::Any),
        Some((_, after)) if after.contains('*') => Err("has more than one * in one part".to_owned()),
        Some((before, after)) => Ok(Label::Around(before.to_owned(), after.to_owned())),
    };
    name.rsplit('.').map(label).collect()
}

impl Label {
    fn matches(&self, part: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact == part,
            Self::Around(before, after) => {
                part.strip_prefix(before.as_str()).is_some_and(|rest| rest.ends_with(after.as_str()))
            }
        }
    }

    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (_, Self::Exact(part)) => self.matches(part),
            (Self::Around(before, after), Self::Around(other_before, other_after)) => {
                other_before.starts_with(before.as_str()) && other_after.ends_with(after.as_str())
            }
            (Self::Exact(_) | Self::Around(..), _) => false,
        }
    }
}

impl Read for Pattern {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let text = String::read(value, at, report)?;
        Self::parse(&text).map_err(|wrong| report.error(at, format!("{} {wrong}", shown(value)))).ok()
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({"type": "string", "pattern": r"^[^\s:/@]+$|^[0-9A-Fa-fx:.\[\]]+(/[0-9]{1,3})?$"})
    }
}
