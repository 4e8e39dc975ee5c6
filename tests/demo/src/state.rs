//! What Envoy finds below `.run/`, made anew by each run: the key set and the tokens it proves, the certificate of the demo's
//! internet, the plugins' files, and the bootstrap where ports are not the usual ones. Also decides whether a run can begin at
//! all: the filters have to be built, the ports have to be free, and no other demo may use `.run/`.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use harness::{Endpoint, Error, JwtIssuer, Pki, Result};
use serde_json::json;

use crate::egress::{self, Outbound};
use crate::plugin::{FLAGS, PLUGINS, with_unleash};

/// The users that have a token, in `.run/<user>.jwt`.
const TOKENS: [&str; 3] = ["qa-1", "vip-7", "ada"];
/// How long a token lasts: longer than any run, since the key is a new one each time.
const TOKEN_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

const BOOTSTRAP: &str = "deploy/local/envoy.yaml";
const ISSUER: &str = "https://auth.devmentor.local";
/// The ports in the bootstrap as it is checked in.
const USUAL: Ports = Ports { gateway: 8080, admin: 9901, egress: 8081, egress_tls: 8443 };
const UNLEASH_PORT: u16 = 4242;

/// The ports of a run, all on 127.0.0.1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) gateway: u16,
    pub(crate) admin: u16,
    pub(crate) egress: u16,
    pub(crate) egress_tls: u16,
}

/// A port, the variable of make that chooses it, and what it is for.
type Use = (u16, &'static str, &'static str);

impl Ports {
    fn uses(self) -> [Use; 4] {
        [
            (self.gateway, "PORT", "the gateway"),
            (self.admin, "ADMIN_PORT", "Envoy's admin interface"),
            (self.egress, "EGRESS_PORT", "HTTP out of the mesh"),
            (self.egress_tls, "EGRESS_TLS_PORT", "TLS out of the mesh"),
        ]
    }
}

/// A prepared `.run/`, which no other demo uses as long as this value lives.
pub(crate) struct State {
    /// The bootstrap that Envoy is to run.
    pub(crate) bootstrap: &'static str,
    /// Where the gateway will listen.
    pub(crate) gateway: SocketAddr,
    /// Where its admin interface will listen.
    pub(crate) admin: SocketAddr,
    /// Where it will take what ai-gateway calls.
    pub(crate) outbound: Outbound,
    ports: Ports,
    issuer: JwtIssuer,
    _lock: File,
}

impl State {
    pub(crate) fn prepare(ports: Ports) -> Result<Self> {
        if let Some(missing) = PLUGINS.iter().map(|plugin| plugin.wasm).find(|wasm| !Path::new(wasm).is_file()) {
            return Err(Error::new(format!("{missing} is not there: run `make build`")));
        }
        fs::create_dir_all(".run").map_err(at(".run"))?;
        let lock = lock()?;
        free(&ports.uses())?;
        let tls = Endpoint::tls(local(ports.egress_tls), certificates()?.client_config(None)?, "");
        let state = Self {
            bootstrap: bootstrap(ports, UNLEASH_PORT)?,
            gateway: local(ports.gateway),
            admin: local(ports.admin),
            outbound: Outbound { http: local(ports.egress), tls },
            ports,
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
        self.bootstrap = bootstrap(self.ports, unleash)?;
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

/// Makes the certificate of the demo's internet, and the authority that clients of it have to trust.
fn certificates() -> Result<Pki> {
    let pki = Pki::new()?;
    let internet = pki.identity(&egress::CERTIFIED)?;
    write(".run/ca.pem", pki.ca_pem())?;
    write(".run/internet.pem", &internet.cert_pem)?;
    write(".run/internet-key.pem", &internet.key_pem)?;
    Ok(pki)
}

/// Makes sure that all of these ports can be had. Envoy says it too, but late and in words of its own.
fn free(uses: &[Use]) -> Result<()> {
    let wanted = |port: u16| uses.iter().filter(move |(other, ..)| *other == port);
    for &(port, variable, whose) in uses {
        let choose = || {
            let other = (port.saturating_add(1)..u16::MAX)
                .find(|port| wanted(*port).next().is_none() && TcpListener::bind(local(*port)).is_ok());
            format!("choose another: {variable}={} make run", other.unwrap_or(port))
        };
        if let Some((_, _, first)) = wanted(port).next().filter(|(_, first, _)| *first != variable) {
            return Err(Error::new(format!("port {port} is for {first} and for {whose}: {}", choose())));
        }
        match TcpListener::bind(local(port)) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                let what = format!("port {port}, for {whose}, is in use. Stop what uses it, or {}", choose());
                return Err(Error::new(what));
            }
            Err(error) => return Err(Error::new(format!("port {port}, for {whose}, can't be used: {error}"))),
        }
    }
    Ok(())
}

/// The checked-in bootstrap; for other ports, a copy of it that has them.
fn bootstrap(ports: Ports, unleash: u16) -> Result<&'static str> {
    const COPY: &str = ".run/envoy.yaml";
    let usual = USUAL.uses().map(|(port, ..)| port).into_iter().chain([UNLEASH_PORT]);
    let wanted = ports.uses().map(|(port, ..)| port).into_iter().chain([unleash]);
    let (gateway, ports) = (ports.gateway, usual.zip(wanted).collect::<Vec<_>>());
    if ports.iter().all(|(usual, port)| usual == port) {
        return Ok(BOOTSTRAP);
    }
    let mut text = fs::read_to_string(BOOTSTRAP).map_err(at(BOOTSTRAP))?;
    // by way of a mark: one of the new ports may be another's usual one
    for (usual, _) in &ports {
        text = replaced(&text, &format!("port_value: {usual}"), &format!("port_value: <{usual}>"), BOOTSTRAP)?;
    }
    for (usual, port) in ports {
        text = text.replace(&format!("<{usual}>"), &port.to_string());
    }
    write(COPY, &text.replace(&format!("localhost:{}", USUAL.gateway), &format!("localhost:{gateway}")))?;
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

    #[test]
    fn a_port_for_two_is_told_and_one_that_is_free_is_named() {
        let taken = TcpListener::bind(local(0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let said = free(&[(port, "A", "a"), (port.saturating_add(1), "B", "b")]).unwrap_err().to_string();
        assert!(said.starts_with(&format!("port {port}, for a, is in use. Stop what uses it, or choose another: A=")));
        assert!(!said.contains(&format!("A={} ", port.saturating_add(1))), "{said}");
        drop(taken);
        let said = free(&[(port, "A", "a"), (port, "B", "b")]).unwrap_err().to_string();
        assert!(said.starts_with(&format!("port {port} is for a and for b: choose another: B=")), "{said}");
    }
}
