//! A client without a protocol, and the bytes with which TLS begins.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::error::{Context, Result};
use crate::{TIMEOUT, within};

/// A TCP connection whose every byte, and when it goes, is the test's. Every wait ends after [`TIMEOUT`].
pub struct TcpClient {
    tcp: TcpStream,
}

impl TcpClient {
    /// Connects.
    pub async fn connect(to: SocketAddr) -> Result<Self> {
        let tcp =
            within(TIMEOUT, "connecting", TcpStream::connect(to)).await?.context(format_args!("connecting to {to}"))?;
        tcp.set_nodelay(true)?;
        Ok(Self { tcp })
    }

    /// Sends bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        within(TIMEOUT, "write", self.tcp.write_all(bytes)).await?.context("write")
    }

    /// Sends bytes and waits until the peer has read them from its socket, so that what follows is read by itself.
    pub async fn write_alone(&mut self, bytes: &[u8]) -> Result<()> {
        self.write(bytes).await?;
        taken(&self.tcp).await
    }

    /// Reads just so many bytes.
    pub async fn read(&mut self, count: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        within(TIMEOUT, "read", self.tcp.read_exact(&mut bytes)).await?.context("read")?;
        Ok(bytes)
    }

    /// Reads until the peer ends its side or breaks off.
    pub async fn rest(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match within(TIMEOUT, "the connection's end", self.tcp.read_to_end(&mut bytes)).await? {
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => Err(error).context("read"),
            _ => Ok(bytes),
        }
    }

    /// Ends its own side; what comes can still be read.
    pub async fn finish(&mut self) -> Result<()> {
        self.tcp.shutdown().await.context("shutdown")
    }

    /// Breaks off: the peer gets a reset.
    pub fn reset(self) -> Result<()> {
        self.tcp.set_zero_linger().context("linger")
    }
}

/// What a TLS client of this configuration says first to a server of this name or address.
pub fn client_hello(config: &Arc<rustls::ClientConfig>, server_name: &str) -> Result<Vec<u8>> {
    let name = ServerName::try_from(server_name.to_owned()).context("server name")?;
    let mut session = rustls::ClientConnection::new(config.clone(), name)?;
    opening(&mut session)
}

/// Takes what a session wants to send first.
pub(super) fn opening(session: &mut rustls::ClientConnection) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while session.wants_write() {
        session.write_tls(&mut bytes)?;
    }
    Ok(bytes)
}

/// Waits until the peer, on this machine, has read all that was sent to it. Where the kernel does not tell, it is not waited for.
pub(super) async fn taken(tcp: &TcpStream) -> Result<()> {
    let (here, there) = (tcp.local_addr()?, tcp.peer_addr()?);
    let empty = async {
        while waiting(here, there) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    within(TIMEOUT, "the peer to read what was sent", empty).await
}

/// Whether the peer has bytes that it has not read yet. (That it has not acknowledged them would be no sign: it may put that off.)
fn waiting(here: SocketAddr, there: SocketAddr) -> bool {
    let (SocketAddr::V4(here), SocketAddr::V4(there)) = (here, there) else { return false };
    let hex = |addr: std::net::SocketAddrV4| format!("{:08X}:{:04X}", u32::from(*addr.ip()).swap_bytes(), addr.port());
    let (here, there) = (hex(here), hex(there));
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    table.lines().any(|line| {
        // number, local, remote, state, sent-and-not-acknowledged:come-and-not-read, ...
        let words: Vec<_> = line.split_whitespace().take(5).collect();
        let [_, local, remote, _, queues] = words[..] else { return false };
        let come = queues.split_once(':').unwrap_or_default().1;
        local == there && remote == here && come.bytes().any(|digit| digit != b'0')
    })
}
