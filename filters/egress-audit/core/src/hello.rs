//! What a TLS client says in clear at the start: the name it wants (SNI), and whether it hides one.
//!
//! The first bytes of a connection are read as a TLS record that begins a ClientHello (RFC 8446, sections 4.1.2 and 5.1; RFC
//! 6066, section 3). They may come in any number of pieces, and the message may lie in any number of records. Reading ends at
//! the first byte that can't belong to a ClientHello, so no other protocol is held up for longer than it takes to tell.

/// What the first bytes of a connection are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hello {
    /// They may begin a ClientHello, and more is needed.
    Unfinished,
    /// They begin none.
    NotTls,
    /// They begin one that does not go on as one.
    Malformed,
    /// They are one.
    Client(ClientHello),
}

/// What a ClientHello says in clear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// The name that it asks for, as it was sent; none where it names none.
    pub server_name: Option<Vec<u8>>,
    /// Whether it carries an encrypted ClientHello (RFC 9849), so that the name in clear may be another's. Clients also send
    /// one for show (GREASE), which looks the same.
    pub encrypted: bool,
    /// The application protocols that it offers (RFC 7301), values reserved for GREASE (RFC 8701) left out.
    pub protocols: Vec<Vec<u8>>,
}

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: u16 = 0;
const PROTOCOLS: u16 = 16;
const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
const HOST_NAME: u8 = 0;
/// A record's header, and the longest content (RFC 8446, section 5.1).
const HEADER: usize = 5;
const RECORD: usize = 1 << 14;
/// The longest message that is read: what large post-quantum key shares and session tickets need, several times over.
const MESSAGE: usize = 1 << 16;

/// The most bytes that are looked at before a connection is something: a message in very small records.
const MOST: usize = 2 * MESSAGE;

/// Reads the first bytes of a connection as they come.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    /// A record that is not whole yet.
    record: Vec<u8>,
    /// What the records before it held.
    message: Vec<u8>,
    /// How long those were, headers included.
    done: usize,
}

/// Reads bytes that came at once.
#[must_use]
pub fn read(bytes: &[u8]) -> Hello {
    Parser::default().feed(bytes)
}

impl Parser {
    /// Takes the next bytes, and says what all of them are. Once that is anything but [`Hello::Unfinished`] it stands, and no
    /// more are to be given.
    pub fn feed(&mut self, bytes: &[u8]) -> Hello {
        self.record.extend_from_slice(bytes);
        let mut rest = std::mem::take(&mut self.record);
        let mut used = 0;
        let answer = loop {
            let next = rest.get(used..).unwrap_or_default();
            match record(next) {
                Record::Unfinished(part)
                    if part.first().is_some_and(|kind| self.message.is_empty() && *kind != CLIENT_HELLO) =>
                {
                    break Hello::NotTls;
                }
                Record::Unfinished(_) if self.done.saturating_add(next.len()) > MOST => break Hello::Malformed,
                Record::Unfinished(_) => break Hello::Unfinished,
                Record::Other => break self.other(),
                Record::Whole(part, length) => {
                    let first = self.message.is_empty();
                    self.message.extend_from_slice(part);
                    used = used.saturating_add(length);
                    self.done = self.done.saturating_add(length);
                    match begun(&self.message) {
                        _ if self.done > MOST => break Hello::Malformed,
                        Begun::Whole(body) => break client(body),
                        Begun::Other if first => break Hello::NotTls,
                        Begun::Other | Begun::TooLong => break Hello::Malformed,
                        Begun::Unfinished => {}
                    }
                }
            }
        };
        rest.drain(..used.min(rest.len()));
        self.record = rest;
        answer
    }

    fn other(&self) -> Hello {
        if self.message.is_empty() { Hello::NotTls } else { Hello::Malformed }
    }
}

/// Whether the first bytes of a connection may begin HTTP: a request line of HTTP/1 (RFC 9112, section 3), as far as it has come,
/// or the preface of HTTP/2 (RFC 9113, section 3.4).
#[must_use]
pub fn begins_http(bytes: &[u8]) -> bool {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const LONGEST_METHOD: usize = 24;
    let (start, preface) = (bytes.len().min(PREFACE.len()), PREFACE);
    if bytes.get(..start) == preface.get(..start) {
        return !bytes.is_empty();
    }
    let method = bytes.iter().take_while(|byte| byte.is_ascii_uppercase() || **byte == b'-').count();
    if method == 0 || method > LONGEST_METHOD {
        return false;
    }
    let Some([b' ', rest @ ..]) = bytes.get(method..) else { return bytes.len() == method };
    match rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')).and_then(|end| rest.get(..end)) {
        Some(line) => line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0"),
        None => rest.iter().all(|byte| !byte.is_ascii_control()),
    }
}

/// One record at the start of some bytes.
enum Record<'b> {
    /// It may be one; what has come of its content.
    Unfinished(&'b [u8]),
    /// None of a handshake.
    Other,
    /// Its content, and how long it is in all.
    Whole(&'b [u8], usize),
}

fn record(bytes: &[u8]) -> Record<'_> {
    // type, major version 3, minor version up to that of TLS 1.2, which TLS 1.3 names as well
    let fits = |byte: &u8, place: usize| match place {
        0 => *byte == HANDSHAKE,
        1 => *byte == 3,
        _ => *byte <= 4,
    };
    if !bytes.iter().take(3).enumerate().all(|(place, byte)| fits(byte, place)) {
        return Record::Other;
    }
    let Some(([_, _, _, high, low], rest)) = bytes.split_first_chunk::<HEADER>() else {
        return Record::Unfinished(&[]);
    };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if length == 0 || length > RECORD {
        return Record::Other;
    }
    match rest.get(..length) {
        Some(content) => Record::Whole(content, HEADER.saturating_add(length)),
        None => Record::Unfinished(rest),
    }
}

/// A handshake message that has begun.
enum Begun<'m> {
    Unfinished,
    Other,
    /// A ClientHello that is longer than what is read.
    TooLong,
    /// A ClientHello's content.
    Whole(&'m [u8]),
}

fn begun(message: &[u8]) -> Begun<'_> {
    if message.first().is_some_and(|kind| *kind != CLIENT_HELLO) {
        return Begun::Other;
    }
    let Some(([_, high, middle, low], rest)) = message.split_first_chunk::<4>() else { return Begun::Unfinished };
    let length = usize::try_from(u32::from_be_bytes([0, *high, *middle, *low])).unwrap_or(usize::MAX);
    if length > MESSAGE {
        return Begun::TooLong;
    }
    rest.get(..length).map_or(Begun::Unfinished, Begun::Whole)
}

fn client(body: &[u8]) -> Hello {
    content(body).map_or(Hello::Malformed, Hello::Client)
}

/// Takes bytes from the front; none where there are fewer.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn short(&mut self) -> Option<u16> {
        let (bytes, rest) = self.0.split_first_chunk::<2>()?;
        self.0 = rest;
        Some(u16::from_be_bytes(*bytes))
    }

    /// What stands behind its own length of one byte.
    fn of_byte(&mut self) -> Option<Reader<'b>> {
        let length = self.byte()?;
        self.take(usize::from(length)).map(Reader)
    }

    /// What stands behind its own length of two bytes.
    fn of_short(&mut self) -> Option<Reader<'b>> {
        let length = self.short()?;
        self.take(usize::from(length)).map(Reader)
    }
}

fn content(body: &[u8]) -> Option<ClientHello> {
    let mut reader = Reader(body);
    reader.take(2 + 32)?; // version, random
    reader.of_byte()?; // session
    reader.of_short()?; // cipher suites
    reader.of_byte()?; // compression
    let mut hello = ClientHello::default();
    if reader.0.is_empty() {
        return Some(hello);
    }
    let mut extensions = reader.of_short().filter(|_| reader.0.is_empty())?;
    let mut named = false;
    while !extensions.0.is_empty() {
        let kind = extensions.short()?;
        let data = extensions.of_short()?;
        match kind {
            // a second one would be read by some servers and not by others (RFC 8446, section 4.2 forbids it)
            SERVER_NAME if named => return None,
            SERVER_NAME => {
                named = true;
                hello.server_name = server_name(data)?;
            }
            PROTOCOLS => hello.protocols = protocols(data)?,
            ENCRYPTED_CLIENT_HELLO => hello.encrypted = true,
            _ => {}
        }
    }
    Some(hello)
}

fn server_name(mut data: Reader) -> Option<Option<Vec<u8>>> {
    let mut list = data.of_short().filter(|_| data.0.is_empty())?;
    let mut name = None;
    while !list.0.is_empty() {
        let kind = list.byte()?;
        let text = list.of_short()?;
        if kind == HOST_NAME {
            // the list must not hold two of a kind, for the reason above
            if text.0.is_empty() || name.is_some() {
                return None;
            }
            name = Some(text.0.to_vec());
        }
    }
    Some(name)
}

fn protocols(mut data: Reader) -> Option<Vec<Vec<u8>>> {
    let mut list = data.of_short().filter(|_| data.0.is_empty())?;
    let mut protocols = Vec::new();
    while !list.0.is_empty() {
        let name = list.of_byte()?.0;
        if !is_grease(name) {
            protocols.push(name.to_vec());
        }
    }
    Some(protocols)
}

/// Two equal bytes that end in `a` (RFC 8701, section 2).
fn is_grease(name: &[u8]) -> bool {
    matches!(name, [first, second] if first == second && first & 0x0f == 0x0a)
}
