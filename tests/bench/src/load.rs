//! The load: a fixed number of requests over a few connections, and the service behind the proxy.
//!
//! One thread writes and reads with plain blocking sockets. A request is in flight on every connection at all times, so
//! Envoy, the slower of the two, never waits for work: its event loop takes up the same few requests at each turn, whatever
//! the load's own speed.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use harness::{Error, Result, TIMEOUT};

/// How many requests are in flight. Enough to keep Envoy busy; few enough that its queue is that of a normal day.
const CONNECTIONS: usize = 8;
/// The most that an answer may take.
const ANSWER: usize = 4096;

/// Connections to one listener that all send the same request and expect the same answer.
pub(crate) struct Lane {
    connections: Vec<Connection>,
    request: Vec<u8>,
    /// The body that tells that the route was the expected one.
    body: String,
}

impl Lane {
    pub(crate) fn open(address: SocketAddr, request: &[u8], body: &str) -> Result<Self> {
        let connections = (0..CONNECTIONS).map(|_| Connection::open(address)).collect::<Result<_>>()?;
        Ok(Self { connections, request: request.to_vec(), body: body.to_owned() })
    }

    /// Sends that many requests and reads every answer.
    pub(crate) fn send(&mut self, count: usize) -> Result<()> {
        for connection in self.connections.iter_mut().take(count) {
            connection.stream.write_all(&self.request)?;
        }
        let last_writes = count.saturating_sub(self.connections.len());
        for number in 0..count {
            let turn = number % self.connections.len();
            let connection = &mut self.connections[turn];
            let body = connection.answer()?;
            if body != self.body.as_bytes() {
                let body = String::from_utf8_lossy(body);
                return Err(Error::new(format!("answered `{body}`, where `{}` was to come", self.body)));
            }
            if number < last_writes {
                connection.stream.write_all(&self.request)?;
            }
        }
        Ok(())
    }
}

/// Sends one request on a connection of its own and gives the answer's body.
pub(crate) fn ask(address: SocketAddr, request: &[u8]) -> Result<String> {
    let mut connection = Connection::open(address)?;
    connection.stream.write_all(request)?;
    connection.answer().map(|body| String::from_utf8_lossy(body).into_owned())
}

struct Connection {
    stream: TcpStream,
    buffer: Box<[u8; ANSWER]>,
}

impl Connection {
    fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self { stream, buffer: Box::new([0; ANSWER]) })
    }

    /// Reads one answer, which has to be a 200 with a `content-length`, and gives its body.
    fn answer(&mut self) -> Result<&[u8]> {
        let mut filled = 0;
        loop {
            let size = self.stream.read(&mut self.buffer[filled..])?;
            filled += size;
            let got = &self.buffer[..filled];
            if let Some((start, end)) = body_of(got)? {
                return Ok(&self.buffer[start..end]);
            }
            if size == 0 {
                return Err(Error::new(format!("cut short: {}", String::from_utf8_lossy(got))));
            }
        }
    }
}

/// Where the body of an answer stands, once all of it is there.
fn body_of(got: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(start) = got.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4) else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(&got[..start]);
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    let Some(length) = length.filter(|_| head.starts_with("HTTP/1.1 200")) else {
        return Err(Error::new(format!("not a plain 200: {}", String::from_utf8_lossy(got))));
    };
    Ok((got.len() >= start + length).then_some((start, start + length)))
}

/// Starts a service that answers every request without a body with its name. It runs until the program ends.
pub(crate) fn serve(name: &str) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let length = name.len();
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\n\r\n{name}");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            // a connection that fails is Envoy's end of it, and shows in the answers
            std::thread::spawn(move || answer_all(stream, answer.as_bytes()));
        }
    });
    Ok(address)
}

fn answer_all(mut stream: TcpStream, answer: &[u8]) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut buffer, mut filled) = ([0; 16 * 1024], 0);
    loop {
        match stream.read(&mut buffer[filled..])? {
            0 => return Ok(()),
            size => filled += size,
        }
        if buffer[..filled].ends_with(b"\r\n\r\n") {
            stream.write_all(answer)?;
            filled = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_to_their_length() {
        let request = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        let address = serve("v2").unwrap();
        Lane::open(address, request, "v2").unwrap().send(30).unwrap();
        let wrong = Lane::open(address, request, "v1").unwrap().send(1).unwrap_err();
        assert_eq!(wrong.to_string(), "answered `v2`, where `v1` was to come");
        assert_eq!(ask(address, request).unwrap(), "v2");
    }

    #[test]
    fn what_is_no_plain_200_is_an_error() {
        assert!(body_of(b"HTTP/1.1 200 OK\r\ncontent-le").unwrap().is_none());
        assert!(body_of(b"HTTP/1.1 503 no\r\ncontent-length: 0\r\n\r\n").is_err());
        assert!(body_of(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }
}
