//! What Envoy finds below `.run/`, made anew by each run: the key set and the tokens it proves, the plugins' files, and the
//! bootstrap where ports are not the usual ones. Also decides whether a run can begin at all: the filters have to be built,
//! the ports have to be free, and no other demo may use `.run/`.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use harness::{Error, JwtIssuer, Result};
use serde_json::json;

use crate::plugin::{FLAGS, PLUGINS, with_unleash};

/// The users that have a token, in `.run/<user>.jwt`.
const TOKENS: [&str; 3] = ["qa-1", "vip-7", "ada"];
/// How long a token lasts: longer than any run, since the key is a new one each time.
const TOKEN_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

const BOOTSTRAP: &str = "deploy/local/envoy.yaml";
const ISSUER: &str = "https://auth.devmentor.local";
const PORT: u16 = 8080;
const ADMIN_PORT: u16 = 9901;
const UNLEASH_PORT: u16 = 4242;

/// A prepared `.run/`, which no other demo uses as long as this value lives.
pub(crate) struct State {
    /// The bootstrap that Envoy is to run.
    pub(crate) bootstrap: &'static str,
    /// Where the gateway will listen.
    pub(crate) gateway: SocketAddr,
    /// Where its admin interface will listen.
    pub(crate) admin: SocketAddr,
    issuer: JwtIssuer,
    _lock: File,
}

impl State {
    pub(crate) fn prepare(port: u16, admin_port: u16) -> Result<Self> {
        if let Some(missing) = PLUGINS.iter().map(|plugin| plugin.wasm).find(|wasm| !Path::new(wasm).is_file()) {
            return Err(Error::new(format!("{missing} is not there: run `make build`")));
        }
        fs::create_dir_all(".run").map_err(at(".run"))?;
        let lock = lock()?;
        free(port, "PORT", "the gateway")?;
        free(admin_port, "ADMIN_PORT", "Envoy's admin interface")?;
        let state = Self {
            bootstrap: bootstrap(port, admin_port, UNLEASH_PORT)?,
            gateway: local(port),
            admin: local(admin_port),
            issuer: JwtIssuer::new(ISSUER),
            _lock: lock,
        };
        write(".run/jwks.json", &state.issuer.jwks().to_string())?;
        for user in TOKENS {
            write(&format!(".run/{user}.jwt"), &state.token(user))?;
        }
        for plugin in PLUGINS {
            plugin.put(&plugin.example()?)?;
        }
        Ok(state)
    }

    /// Has Envoy take its flags from the Unleash at this port of 127.0.0.1.
    pub(crate) fn attach(&mut self, unleash: u16) -> Result<()> {
        self.bootstrap = bootstrap(self.gateway.port(), self.admin.port(), unleash)?;
        FLAGS.put(&with_unleash()?)
    }

    /// A token of this user that the gateway will accept.
    pub(crate) fn token(&self, user: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.issuer.token(json!({"sub": user, "exp": (now + TOKEN_LIFE).as_secs()}))
    }
}

/// The kernel forgets this lock with its holder, so that none is ever stale.
fn lock() -> Result<File> {
    const PATH: &str = ".run/lock";
    let file = File::create(PATH).map_err(at(PATH))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(Error::new("another `make run` or `make demo` of this directory is up: stop it first"))
        }
        Err(TryLockError::Error(error)) => Err(at(PATH)(error)),
    }
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Envoy says it too, but late and in words of its own.
fn free(port: u16, variable: &str, whose: &str) -> Result<()> {
    match TcpListener::bind(local(port)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let other = (port.saturating_add(1)..u16::MAX).find(|port| TcpListener::bind(local(*port)).is_ok());
            let other = other.unwrap_or(port);
            Err(Error::new(format!(
                "port {port}, for {whose}, is in use. Stop what uses it, or choose another: {variable}={other} make run"
            )))
        }
        Err(error) => Err(Error::new(format!("port {port}, for {whose}, can't be used: {error}"))),
    }
}

/// The checked-in bootstrap; for other ports, a copy of it that has them.
fn bootstrap(port: u16, admin_port: u16, unleash: u16) -> Result<&'static str> {
    const COPY: &str = ".run/envoy.yaml";
    let ports = [(ADMIN_PORT, admin_port), (PORT, port), (UNLEASH_PORT, unleash)];
    if ports.iter().all(|(usual, port)| usual == port) {
        return Ok(BOOTSTRAP);
    }
    let mut text = fs::read_to_string(BOOTSTRAP).map_err(at(BOOTSTRAP))?;
    // by way of a mark: one of the new ports may be another's usual one
    for (usual, _) in ports {
        text = replaced(&text, &format!("port_value: {usual}"), &format!("port_value: <{usual}>"), BOOTSTRAP)?;
    }
    for (usual, port) in ports {
        text = text.replace(&format!("<{usual}>"), &port.to_string());
    }
    write(COPY, &text.replace(&format!("localhost:{PORT}"), &format!("localhost:{port}")))?;
    Ok(COPY)
}

/// `text` with its one `from` become `to`. Files that people edit keep their form this way.
pub(crate) fn replaced(text: &str, from: &str, to: &str, file: &str) -> Result<String> {
    match text.matches(from).count() {
        1 => Ok(text.replacen(from, to, 1)),
        count => Err(Error::new(format!("{file} has `{from}` {count} times; the demo changes the only one"))),
    }
}

pub(crate) fn write(path: &str, text: &str) -> Result<()> {
    fs::write(path, text).map_err(at(path))
}

/// Names the file in an error about it.
pub(crate) fn at(path: &str) -> impl Fn(std::io::Error) -> Error {
    move |error| Error::new(format!("{path}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_there_once_is_replaced() {
        assert_eq!(replaced("a 1 b", "1", "2", "file").unwrap(), "a 2 b");
        for text in ["a b", "1 1"] {
            assert!(replaced(text, "1", "2", "file").is_err(), "{text}");
        }
    }
}
