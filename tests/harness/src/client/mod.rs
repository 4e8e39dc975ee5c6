//! Clients that speak to a listener: [`RawClient`] (HTTP/1.1, byte for byte), [`H2Client`] (HTTP/2), [`run_many`] (thousands of requests).

mod h2;
mod many;
mod raw;

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;

pub use self::h2::H2Client;
pub use self::many::{get_many, run_many};
pub use self::raw::RawClient;
use crate::error::{Context, Result};
use crate::http1::Stream;

/// Where a client connects to, and with which TLS if any. A `SocketAddr` converts into a plain one.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The address.
    pub addr: SocketAddr,
    /// TLS from [`Pki::client_config`](crate::Pki::client_config), with the server name for SNI and for the check of its certificate.
    pub tls: Option<(Arc<rustls::ClientConfig>, String)>,
}

impl From<SocketAddr> for Endpoint {
    fn from(addr: SocketAddr) -> Self {
        Self { addr, tls: None }
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
        Self { addr, tls: Some((config, server_name.into())) }
    }

    pub(crate) async fn connect(&self, alpn: &[u8]) -> Result<Box<dyn Stream>> {
        let tcp = TcpStream::connect(self.addr).await.context(format_args!("connecting to {}", self.addr))?;
        tcp.set_nodelay(true)?;
        let Some((config, name)) = &self.tls else { return Ok(Box::new(tcp)) };
        let mut config = rustls::ClientConfig::clone(config);
        config.alpn_protocols = vec![alpn.to_vec()];
        let name = ServerName::try_from(name.clone()).context("server name")?;
        let tls = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await;
        Ok(Box::new(tls.context(format_args!("TLS to {}", self.addr))?))
    }
}
