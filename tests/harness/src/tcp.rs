//! A server without a protocol to put behind Envoy: keeps every byte, and says what it is told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

use crate::error::{Error, Result};
use crate::{TIMEOUT, within};

/// What came over one connection so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Every byte.
    pub bytes: Vec<u8>,
    /// Whether the peer has ended its side, or broken off.
    pub ended: bool,
}

/// What a server does by itself.
#[derive(Clone, Debug, Default)]
struct Manner {
    greeting: Vec<u8>,
    echo: bool,
    ends_first: bool,
}

/// What it is told to do with one connection.
enum Word {
    Say(Vec<u8>),
    Finish,
}

struct Shared {
    manner: Manner,
    connections: Mutex<Vec<(Taken, mpsc::UnboundedSender<Word>)>>,
    changes: watch::Sender<()>,
}

/// A TCP server on a free port of 127.0.0.1, in a thread of its own; stopped when dropped. It closes a connection when the client
/// has ended its side.
pub struct TcpServer {
    addr: SocketAddr,
    shared: Arc<Shared>,
    /// Dropped first, it stops the thread.
    _stop: watch::Sender<()>,
}

impl TcpServer {
    /// One that says nothing by itself.
    ///
    /// # Panics
    /// As [`Upstream::start`](crate::Upstream::start): when the system gives no port or thread.
    pub fn start() -> Self {
        Self::launch(Manner::default())
    }

    /// One that speaks first.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn greeting(greeting: impl AsRef<[u8]>) -> Self {
        Self::launch(Manner { greeting: greeting.as_ref().to_vec(), ..Manner::default() })
    }

    /// One that sends back what it gets.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn echo() -> Self {
        Self::launch(Manner { echo: true, ..Manner::default() })
    }

    /// One that ends its side at once without a word, and still reads.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn ending_first() -> Self {
        Self::launch(Manner { ends_first: true, ..Manner::default() })
    }

    fn launch(manner: Manner) -> Self {
        let shared = Arc::new(Shared { manner, connections: Mutex::default(), changes: watch::Sender::new(()) });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("the port's number");
        listener.set_nonblocking(true).expect("a non-blocking socket");
        let (stop, stopped) = watch::channel(());
        let server = shared.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let run = move || runtime.block_on(serve(listener, server, stopped));
        std::thread::Builder::new().name("tcp server".into()).spawn(run).expect("a thread");
        Self { addr, shared, _stop: stop }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What came over each connection since the start, in the order in which they came.
    pub fn taken(&self) -> Vec<Taken> {
        self.shared.all(|connections| connections.iter().map(|(taken, _)| taken.clone()).collect())
    }

    /// How many connections came since the start.
    pub fn connections(&self) -> usize {
        self.shared.all(|connections| connections.len())
    }

    /// Says something over a connection, by its number from 0; nothing where that is gone.
    pub fn say(&self, connection: usize, bytes: impl AsRef<[u8]>) {
        self.tell(connection, Word::Say(bytes.as_ref().to_vec()));
    }

    /// Ends its side of a connection, and still reads.
    pub fn finish(&self, connection: usize) {
        self.tell(connection, Word::Finish);
    }

    fn tell(&self, connection: usize, word: Word) {
        let _gone = self.shared.all(|connections| connections.get(connection).map(|(_, to)| to.send(word)));
    }

    /// Waits until a connection, by its number from 0, is there and as wanted; gives what came over it by then.
    pub async fn wait(&self, connection: usize, wanted: impl Fn(&Taken) -> bool) -> Result<Taken> {
        let mut changes = self.shared.changes.subscribe();
        let search = async {
            loop {
                changes.borrow_and_update();
                let now = self.shared.all(|connections| connections.get(connection).map(|(taken, _)| taken.clone()));
                match now {
                    Some(taken) if wanted(&taken) => return Ok(taken),
                    _ => changes.changed().await.map_err(|_| Error::new("the server has stopped"))?,
                }
            }
        };
        match within(TIMEOUT, "what a server waits for", search).await {
            Ok(found) => found,
            Err(error) => Err(Error::new(format!("{error}; it has {:?}", self.taken()))),
        }
    }
}

impl Shared {
    fn all<T>(&self, look: impl FnOnce(&mut Vec<(Taken, mpsc::UnboundedSender<Word>)>) -> T) -> T {
        look(&mut self.connections.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn take(&self, connection: usize, bytes: &[u8], ended: bool) {
        self.all(|connections| {
            let taken = &mut connections[connection].0;
            taken.bytes.extend_from_slice(bytes);
            taken.ended |= ended;
        });
        self.changes.send_replace(());
    }
}

async fn serve(listener: std::net::TcpListener, shared: Arc<Shared>, mut stopped: watch::Receiver<()>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            accepted = listener.accept() => if let Ok((tcp, _)) = accepted {
                let _ = tcp.set_nodelay(true);
                let (to, words) = mpsc::unbounded_channel();
                let number = shared.all(|connections| {
                    connections.push((Taken::default(), to));
                    connections.len() - 1
                });
                shared.changes.send_replace(());
                let shared = shared.clone();
                tokio::spawn(async move {
                    // what breaks a connection off ends it
                    let _ = connection(tcp, number, words, &shared).await;
                    shared.take(number, &[], true);
                });
            }
        }
    }
}

async fn connection(
    mut tcp: TcpStream,
    number: usize,
    mut words: mpsc::UnboundedReceiver<Word>,
    shared: &Shared,
) -> std::io::Result<()> {
    let manner = &shared.manner;
    tcp.write_all(&manner.greeting).await?;
    if manner.ends_first {
        tcp.shutdown().await?;
    }
    let mut buffer = vec![0; 64 << 10];
    loop {
        tokio::select! {
            read = tcp.read(&mut buffer) => {
                let bytes = &buffer[..read?];
                if bytes.is_empty() {
                    return Ok(());
                }
                shared.take(number, bytes, false);
                if manner.echo {
                    tcp.write_all(bytes).await?;
                }
            }
            Some(word) = words.recv() => match word {
                Word::Say(bytes) => tcp.write_all(&bytes).await?,
                Word::Finish => tcp.shutdown().await?,
            }
        }
    }
}
