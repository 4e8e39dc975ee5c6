//! Clients that speak to a listener: [`RawClient`] (HTTP/1.1, byte for byte), [`H2Client`] (HTTP/2), [`run_many`] (thousands of requests),
//! [`TcpClient`] (no protocol).

mod h2;
mod many;
mod raw;
mod tcp;

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

pub use self::h2::H2Client;
pub use self::many::{get_many, run_many};
pub use self::raw::RawClient;
pub use self::tcp::{TcpClient, client_hello};
use crate::error::{Context, Result};
use crate::http1::Stream;

/// Makes pieces of a ClientHello.
pub type HelloPieces = fn(&[u8]) -> Vec<Vec<u8>>;

/// Where a client connects to, and with which TLS if any. A `SocketAddr` converts into a plain one.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The address.
    pub addr: SocketAddr,
    /// TLS from [`Pki::client_config`](crate::Pki::client_config), with the server name for SNI and for the check of its certificate.
    pub tls: Option<(Arc<rustls::ClientConfig>, String)>,
    /// How the ClientHello goes out: the pieces in which it is sent, each once the peer has read the one before. Whole unless set.
    pub hello: Option<HelloPieces>,
}

impl From<SocketAddr> for Endpoint {
    fn from(addr: SocketAddr) -> Self {
        Self { addr, tls: None, hello: None }
    }
}

impl From<&Endpoint> for Endpoint {
    fn from(endpoint: &Endpoint) -> Self {
        endpoint.clone()
    }
}

impl Endpoint {
    /// TLS to `addr`; the server's certificate must be valid for `server_name`.
    pub fn tls(addr: SocketAddr, config: Arc<rustls::ClientConfig>, server_name: &str) -> Self {
        Self { addr, tls: Some((config, server_name.into())), hello: None }
    }

    /// The same with the ClientHello sent in these pieces, each once the peer has read the one before.
    #[must_use]
    pub fn hello(mut self, pieces: HelloPieces) -> Self {
        self.hello = Some(pieces);
        self
    }

    pub(crate) async fn connect(&self, alpn: &[u8]) -> Result<Box<dyn Stream>> {
        let tcp = TcpStream::connect(self.addr).await.context(format_args!("connecting to {}", self.addr))?;
        tcp.set_nodelay(true)?;
        let Some((config, name)) = &self.tls else { return Ok(Box::new(tcp)) };
        let mut config = rustls::ClientConfig::clone(config);
        // what the configuration offers beside it stays
        config.alpn_protocols.insert(0, alpn.to_vec());
        let name = ServerName::try_from(name.clone()).context("server name")?;
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let Some(shape) = self.hello else {
            let tls = connector.connect(name, tcp).await;
            return Ok(Box::new(tls.context(format_args!("TLS to {}", self.addr))?));
        };
        let tcp = tcp.into_std()?;
        let mut writer = TcpStream::from_std(tcp.try_clone()?)?;
        let mut hello = Ok(Vec::new());
        let connecting =
            connector.connect_with(name, TcpStream::from_std(tcp)?, |session| hello = self::tcp::opening(session));
        for piece in shape(&hello?) {
            writer.write_all(&piece).await?;
            self::tcp::taken(&writer).await?;
        }
        Ok(Box::new(connecting.await.context(format_args!("TLS to {}", self.addr))?))
    }
}
