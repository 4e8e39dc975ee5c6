//! Large bodies: one connection that sends and reads them, and the service behind the proxy that swallows and makes them.
//!
//! Plain blocking sockets, a thread at each end. What passes is looked at only where it is counted, so that neither end is
//! slower than Envoy in what is measured.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use harness::{Error, Result, TIMEOUT};

/// How much is read at once.
const BUFFER: usize = 256 * 1024;
/// The header that says which answer is to come, by its number.
const ANSWER: &str = "x-bench-answer";
/// The header that asks the service to count.
const COUNT: &str = "x-bench-count";

/// Bytes that go over the wire one after the other.
pub(crate) type Parts = Vec<Arc<[u8]>>;

/// What is asked: a body, and the number of the answer.
pub(crate) struct Ask {
    pub(crate) parts: Parts,
    pub(crate) answer: usize,
}

/// What the service answers.
pub(crate) struct Answer {
    pub(crate) content_type: &'static str,
    /// Whether the parts come with the framing of `transfer-encoding: chunked`.
    pub(crate) chunked: bool,
    /// The first goes with the headers.
    pub(crate) parts: Parts,
    /// The time before each other part.
    pub(crate) pause: Option<Duration>,
}

/// How often two bytes stand in a body: the one with which a placeholder begins, and one that no filter here takes or adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) brackets: usize,
    pub(crate) spaces: usize,
}

impl Counted {
    pub(crate) fn of(parts: &[Arc<[u8]>]) -> Self {
        let mut counted = Self::default();
        parts.iter().for_each(|part| counted.add(part));
        counted
    }

    fn add(&mut self, bytes: &[u8]) {
        self.brackets += bytes.iter().filter(|byte| **byte == b'[').count();
        self.spaces += bytes.iter().filter(|byte| **byte == b' ').count();
    }
}

/// What the service has to tell of a request.
struct Told {
    counted: Counted,
    /// When it began to answer.
    answered: Instant,
}

/// What came of a request.
pub(crate) struct Passed {
    /// What reached the service, where it was counted.
    pub(crate) request: Counted,
    /// What came back, where it was counted.
    pub(crate) response: Counted,
    /// From when the service began to answer until the first byte of its body was here.
    pub(crate) first_byte: Duration,
}

/// The service.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    answers: Arc<Mutex<Vec<Arc<Answer>>>>,
    told: Receiver<Told>,
}

impl Service {
    /// Starts one that runs until the program ends.
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (address, answers) = (listener.local_addr()?, Arc::new(Mutex::new(Vec::new())));
        let (tell, told) = channel();
        let known = Arc::clone(&answers);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (known, tell) = (Arc::clone(&known), tell.clone());
                // a connection that fails is Envoy's end of it, and shows in the answers
                std::thread::spawn(move || serve(stream, &known, &tell));
            }
        });
        Ok(Self { address, answers, told })
    }

    /// One more answer; gives its number.
    pub(crate) fn answer(&self, answer: Answer) -> usize {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.push(Arc::new(answer));
        answers.len() - 1
    }
}

fn serve(stream: TcpStream, answers: &Mutex<Vec<Arc<Answer>>>, tell: &Sender<Told>) -> Result<()> {
    let mut connection = Connection::of(stream)?;
    loop {
        let request = connection.read(|head| header(head, COUNT).is_some())?;
        let number = header(&request.head, ANSWER).and_then(|number| number.parse::<usize>().ok());
        let answer = number
            .and_then(|number| answers.lock().unwrap_or_else(PoisonError::into_inner).get(number).map(Arc::clone));
        let answer = answer.ok_or_else(|| Error::new("asked for no answer that there is"))?;
        let length = match answer.chunked {
            true => "transfer-encoding: chunked".to_owned(),
            false => format!("content-length: {}", length(&answer.parts)),
        };
        let mut first =
            format!("HTTP/1.1 200 OK\r\ncontent-type: {}\r\n{length}\r\n\r\n", answer.content_type).into_bytes();
        let mut parts = answer.parts.iter();
        first.extend(parts.next().into_iter().flat_map(|part| part.iter()));
        let told = Told { counted: request.counted, answered: Instant::now() };
        tell.send(told).map_err(|_| Error::new("nobody listens any more"))?;
        connection.stream.write_all(&first)?;
        for part in parts {
            if let Some(pause) = answer.pause {
                std::thread::sleep(pause);
            }
            connection.stream.write_all(part)?;
        }
    }
}

fn length(parts: &[Arc<[u8]>]) -> usize {
    parts.iter().map(|part| part.len()).sum()
}

/// One end of a connection on which messages come one after the other, each answered before the next.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

struct Message {
    head: String,
    counted: Counted,
    /// When the first byte of its body was there.
    first_byte: Instant,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        Self::of(TcpStream::connect(address)?)
    }

    fn of(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; BUFFER] })
    }

    /// Asks for something and reads the answer.
    pub(crate) fn ask(&mut self, service: &Service, ask: &Ask, count: bool) -> Result<Passed> {
        self.stream.set_read_timeout(Some(TIMEOUT))?;
        self.stream.set_write_timeout(Some(TIMEOUT))?;
        let (length, answer) = (length(&ask.parts), ask.answer);
        let count_line = if count { format!("{COUNT}: yes\r\n") } else { String::new() };
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: api.openai.com\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n{ANSWER}: {answer}\r\n{count_line}\r\n"
        );
        self.stream.write_all(head.as_bytes())?;
        for part in &ask.parts {
            self.stream.write_all(part)?;
        }
        let response = self.read(|_| count)?;
        if !response.head.starts_with("HTTP/1.1 200") {
            return Err(Error::new(format!("answered: {}", response.head.trim_end())));
        }
        let told = service.told.recv_timeout(TIMEOUT).map_err(|_| Error::new("the service was not asked"))?;
        let first_byte = response.first_byte.saturating_duration_since(told.answered);
        Ok(Passed { request: told.counted, response: response.counted, first_byte })
    }

    /// Reads one message; `counts` says by its head whether its body is counted.
    fn read(&mut self, counts: impl Fn(&str) -> bool) -> Result<Message> {
        let mut filled = 0;
        let start = loop {
            let size = self.stream.read(&mut self.buffer[filled..])?;
            if size == 0 {
                return Err(Error::new("closed before a whole message came"));
            }
            filled += size;
            let end = self.buffer[..filled].windows(4).position(|window| window == b"\r\n\r\n");
            if let Some(end) = end {
                break end + 4;
            }
        };
        let head = String::from_utf8_lossy(&self.buffer[..start]).into_owned();
        let mut body = Body::of(&head, counts(&head));
        let mut first_byte = Instant::now();
        let (mut from, mut has_begun) = (start, start < filled);
        while !body.takes(&self.buffer[from..filled]) {
            (from, filled) = (0, self.stream.read(&mut self.buffer)?);
            if filled == 0 {
                return Err(Error::new("closed before the whole body came"));
            }
            if !has_begun {
                (first_byte, has_begun) = (Instant::now(), true);
            }
        }
        Ok(Message { head, counted: body.counted, first_byte })
    }
}

/// A body while it is read. The bodies here have no carriage return in them, so that the end of the chunked framing is found
/// without reading it.
struct Body {
    /// How much is still to come, where that is known.
    left: Option<usize>,
    /// What stood last.
    tail: Vec<u8>,
    counts: bool,
    counted: Counted,
}

impl Body {
    const END: &'static [u8] = b"\r\n0\r\n\r\n";

    fn of(head: &str, counts: bool) -> Self {
        let chunked = header(head, "transfer-encoding").is_some();
        let length = header(head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let left = if chunked { None } else { Some(length) };
        Self { left, tail: b"\r\n".to_vec(), counts, counted: Counted::default() }
    }

    /// Takes more of it; says whether that was the last.
    fn takes(&mut self, bytes: &[u8]) -> bool {
        if self.counts {
            self.counted.add(bytes);
        }
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(bytes.len());
            return *left == 0;
        }
        self.tail.extend(&bytes[bytes.len().saturating_sub(Self::END.len())..]);
        self.tail.drain(..self.tail.len().saturating_sub(Self::END.len()));
        self.tail == Self::END
    }
}

/// A header's value; names are as Envoy writes them, in lower case.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Parts {
        vec![text.as_bytes().into()]
    }

    #[test]
    fn what_passes_is_counted_at_both_ends() {
        let service = Service::start().unwrap();
        let plain = Answer { content_type: "a/b", chunked: false, parts: parts("[ [ ["), pause: None };
        let chunks = vec![parts("3\r\n[ [\r\n")[0].clone(), parts("0\r\n\r\n")[0].clone()];
        let pause = Some(Duration::from_millis(20));
        let chunked = Answer { content_type: "a/b", chunked: true, parts: chunks, pause };
        let asks = [plain, chunked].map(|answer| Ask { parts: parts("[[ "), answer: service.answer(answer) });
        let mut connection = Connection::open(service.address).unwrap();
        let passed = asks.each_ref().map(|ask| connection.ask(&service, ask, true).unwrap());
        assert!(passed.iter().all(|passed| passed.request == Counted { brackets: 2, spaces: 1 }));
        let responses = passed.each_ref().map(|passed| (passed.response.brackets, passed.response.spaces));
        assert_eq!(responses, [(3, 2), (2, 1)]);
        assert!(passed[1].first_byte < Duration::from_millis(20));
        let uncounted = connection.ask(&service, &asks[0], false).unwrap();
        assert_eq!((uncounted.request, uncounted.response), (Counted::default(), Counted::default()));
    }

    #[test]
    fn the_end_of_chunks_is_found_however_it_is_cut() {
        let body = b"3\r\n[ 0\r\n0\r\n\r\n";
        for cut in 1..body.len() {
            let mut taken = Body::of("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", true);
            assert!(!taken.takes(&body[..cut]), "{cut}");
            assert!(taken.takes(&body[cut..]), "{cut}");
        }
        assert!(Body::of("transfer-encoding: chunked\r\n", false).takes(b"0\r\n\r\n"));
        assert!(Body::of("GET / HTTP/1.1\r\n\r\n", false).takes(b""));
    }
}
