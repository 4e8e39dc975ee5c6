//! What host a text names, whatever its spelling: case, a dot at the end, ports, international names, and addresses in decimal,
//! octal, hexadecimal, short, mapped and bracketed form.
//!
//! Addresses are told from names as browsers and most clients do it (WHATWG URL, "host parsing" and "IPv4 parser"): what ends
//! in a number is an address. Only what a Host header or a handshake can hold is taken: percent-encoding and user information
//! are refused, since servers differ in what they make of them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::idna;

/// A host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A name: ASCII, in lower case, without a dot at its end.
    Name(String),
    /// An address; IPv4 in place of an IPv6 form that stands for one.
    Address(IpAddr),
}

/// Why a text is no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// There is nothing.
    Empty,
    /// A byte that no host may hold, `@` and `%` among them.
    Byte,
    /// Letters that have no ASCII form here.
    Letters,
    /// Two dots in a row, or one in front.
    EmptyLabel,
    /// A label over 63 bytes, or a name over 253.
    TooLong,
    /// It ends in a number and is no address.
    Address,
    /// What follows the host is no port.
    Port,
}

impl Invalid {
    /// In words, as a message goes on after showing the text.
    #[must_use]
    pub fn told(self) -> &'static str {
        match self {
            Self::Empty => "is empty",
            Self::Byte => "holds a byte that no host may hold",
            Self::Letters => "holds letters whose ascii form has to be written out (xn--…)",
            Self::EmptyLabel => "has an empty part between its dots",
            Self::TooLong => "is too long: 63 bytes a part, 253 in all",
            Self::Address => "ends in a number and is no address",
            Self::Port => "has a port that is none",
        }
    }
}

/// The longest name and label (RFC 1035, section 2.3.4).
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

impl Host {
    /// Reads a host, without a port. An IPv6 address may stand in brackets or without.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(text: &[u8]) -> Result<Self, Invalid> {
        let text = std::str::from_utf8(text).map_err(|_| Invalid::Byte)?;
        if text.is_empty() {
            return Err(Invalid::Empty);
        }
        // no letter has more than four bytes, or less than one in the end; longer ones cost more the longer they are
        if text.len() > LONGEST_NAME.saturating_add(1).saturating_mul(4) {
            return Err(Invalid::TooLong);
        }
        let bracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        if let Some(address) = bracketed.or_else(|| (text.matches(':').count() > 1).then_some(text)) {
            return address.parse().map(|address| Self::Address(plain(address))).map_err(|_| Invalid::Address);
        }
        let mut name =
            if text.is_ascii() { text.to_ascii_lowercase() } else { idna::to_ascii(text).ok_or(Invalid::Letters)? };
        if name.ends_with('.') {
            name.pop();
        }
        check(&name)?;
        if !ends_in_number(&name) {
            return Ok(Self::Name(name));
        }
        ipv4(&name).map(|address| Self::Address(IpAddr::V4(address))).ok_or(Invalid::Address)
    }

    /// The name, where it is one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Address(_) => None,
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// A host and the port behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// The host.
    pub host: Host,
    /// The port, where one is named.
    pub port: Option<u16>,
}

impl Authority {
    /// Reads `host`, `host:port` or `[address]:port`: a Host header or `:authority`.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(text: &[u8]) -> Result<Self, Invalid> {
        let colon = text.iter().rposition(|byte| *byte == b':');
        // more than one colon outside of brackets: an address without them, so without a port as well
        let bare = !text.starts_with(b"[") && text.iter().filter(|byte| **byte == b':').count() > 1;
        match colon.filter(|_| !bare && !text.ends_with(b"]")).and_then(|at| text.split_at_checked(at)) {
            None => Ok(Self { host: Host::parse(text)?, port: None }),
            Some((host, port)) => Ok(Self { host: Host::parse(host)?, port: port_of(port)? }),
        }
    }
}

/// A port behind its colon. RFC 3986 allows none at all.
fn port_of(text: &[u8]) -> Result<Option<u16>, Invalid> {
    match text.strip_prefix(b":").unwrap_or_default() {
        [] => Ok(None),
        digits if digits.iter().all(u8::is_ascii_digit) => {
            let port = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
            port.map(Some).ok_or(Invalid::Port)
        }
        _ => Err(Invalid::Port),
    }
}

fn check(name: &str) -> Result<(), Invalid> {
    if name.is_empty() {
        return Err(Invalid::EmptyLabel);
    }
    if name.len() > LONGEST_NAME {
        return Err(Invalid::TooLong);
    }
    let mut length = 0;
    for byte in name.bytes() {
        match byte {
            b'.' if length == 0 => return Err(Invalid::EmptyLabel),
            b'.' => length = 0,
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' if length < LONGEST_LABEL => length += 1,
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => return Err(Invalid::TooLong),
            _ => return Err(Invalid::Byte),
        }
    }
    if length == 0 { Err(Invalid::EmptyLabel) } else { Ok(()) }
}

/// Whether the last label is a number: all digits, or `0x` and hexadecimal digits, perhaps none.
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    last.bytes().all(|byte| byte.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// An IPv4 address in any of its spellings: one to four numbers, the last of which fills all bytes that are left.
fn ipv4(name: &str) -> Option<Ipv4Addr> {
    let mut bytes = 0_u64;
    let mut parts = name.split('.').peekable();
    let mut place = 0_u32;
    while let Some(part) = parts.next() {
        let value = number(part)?;
        let left = 4_u32.checked_sub(place).filter(|left| *left > 0)?;
        if parts.peek().is_none() {
            let room = 1_u64.checked_shl(left.checked_mul(8)?)?;
            return (value < room)
                .then_some(())
                .and_then(|()| u32::try_from(bytes.checked_add(value)?).ok())
                .map(Ipv4Addr::from);
        }
        let shift = left.checked_sub(1)?.checked_mul(8)?;
        bytes = bytes.checked_add(value.checked_shl(shift).filter(|_| value < 256)?)?;
        place = place.checked_add(1)?;
    }
    None
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some("") => Some(0),
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None if text.len() > 1 && text.starts_with('0') => u64::from_str_radix(text, 8).ok(),
        None => text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?,
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped (RFC 4291, section 2.5.5.2), or behind the well-known prefix of
/// NAT64 (RFC 6052, section 2.1).
#[must_use]
pub fn plain(address: Ipv6Addr) -> IpAddr {
    let nat64 = match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))),
        _ => None,
    };
    address.to_ipv4_mapped().or(nat64).map_or(IpAddr::V6(address), IpAddr::V4)
}
