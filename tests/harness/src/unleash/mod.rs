//! A real Unleash server with a database of its own.

mod directory;
mod postgres;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Value, json};
use tokio::net::TcpSocket;

use self::directory::Directory;
use self::postgres::Postgres;
use crate::client::RawClient;
use crate::error::{Context as _, Error, Result};
use crate::logs::Logs;
use crate::message::{Request, Response};
use crate::process::Process;
use crate::{POLL, TIMEOUT};

/// The one project of a server without a licence, and the environment of the backend token.
const PROJECT: &str = "default";
const ENVIRONMENT: &str = "development";

/// The first start loads 2000 files and runs 500 migrations: seconds, or a minute where the disk is cold and the machine busy.
const START: Duration = Duration::from_secs(120);

/// The server writes counts down every 5 s and registrations every 20 s.
const REPORT: Duration = Duration::from_secs(60);

/// A running Unleash server. Dropped, it is killed with its database and all files go; while a test panics the last log lines are printed and the
/// files stay. Nothing of it outlives this process, however that ends.
///
/// ```no_run
/// # async fn example() -> harness::Result<()> {
/// use harness::{FlagKind, UnleashServer};
/// use serde_json::json;
/// let unleash = UnleashServer::start().await?;
/// unleash.create_flag("new-ui-enabled", FlagKind::Release).await?;
/// let ada = json!({"contextName": "userId", "operator": "IN", "values": ["ada"]});
/// unleash.set_strategies("new-ui-enabled", &[json!({"name": "default", "constraints": [ada]})]).await?;
/// unleash.enable("new-ui-enabled").await?;
/// assert_eq!(unleash.features(None).await?.status, 200);
/// # Ok(()) }
/// ```
pub struct UnleashServer {
    // dropped in this order: the server before its database, and the files last
    process: Process,
    postgres: Postgres,
    directory: Directory,
    program: PathBuf,
    secrets: Secrets,
    address: SocketAddr,
    /// While the server is stopped: keeps its port from being given to others, and refuses connections.
    reserved: Option<TcpSocket>,
    starts: u32,
}

/// What a flag is for; the server keeps it and does nothing else with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagKind {
    /// `release`
    Release,
    /// `experiment`
    Experiment,
    /// `operational`
    Operational,
    /// `kill-switch`
    KillSwitch,
    /// `permission`
    Permission,
}

/// How often clients said that a flag was on or off, and which variants they gave, summed over all applications.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlagUsage {
    /// On.
    pub yes: u64,
    /// Off.
    pub no: u64,
    /// By the variant's name.
    pub variants: BTreeMap<String, u64>,
}

/// Made for each server and held in memory only.
struct Secrets {
    backend: String,
    admin: String,
    session: String,
}

impl UnleashServer {
    /// Starts a database and the server and waits until it answers. The programs are those that the environment variables `UNLEASH_SERVER` and
    /// `POSTGRES_BIN` name (`make` sets them). The error holds the last log lines.
    pub async fn start() -> Result<Self> {
        let program = installed("UNLEASH_SERVER")?;
        let bin = installed("POSTGRES_BIN")?;
        let directory = Directory::new("unleash")?;
        let secrets = Secrets::new()?;
        let postgres = Postgres::start(&bin, directory.path()).await?;
        // The kernel picks the port.
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (process, address) = launch(&program, &postgres, &secrets, any, &log_file(&directory, 0)).await?;
        Ok(Self { process, postgres, directory, program, secrets, address, reserved: None, starts: 1 })
    }

    /// Where it listens: 127.0.0.1 and a port that stays the same over [`restart`](Self::restart).
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port of [`address`](Self::address).
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// A token for the client API: project `default`, environment `development`.
    pub fn backend_token(&self) -> &str {
        &self.secrets.backend
    }

    /// A token for the admin API.
    pub fn admin_token(&self) -> &str {
        &self.secrets.admin
    }

    /// What the server printed since it was last started.
    pub fn logs(&self) -> &Logs {
        self.process.logs()
    }

    /// Kills the server, in the middle of whatever it does. Its port refuses connections until it is started again; the database stays.
    pub fn stop(&mut self) -> Result<()> {
        self.process.kill();
        if self.reserved.is_none() {
            let socket = TcpSocket::new_v4()?;
            // Or connections that have just ended would be in the way.
            socket.set_reuseaddr(true)?;
            socket.bind(self.address).context(format_args!("keeping {}", self.address))?;
            self.reserved = Some(socket);
        }
        Ok(())
    }

    /// Starts the server again (stops it first, if it runs), on the same port, with the same tokens and data, and waits until it answers.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.reserved = None;
        let log = log_file(&self.directory, self.starts);
        self.starts += 1;
        (self.process, _) = launch(&self.program, &self.postgres, &self.secrets, self.address, &log).await?;
        Ok(())
    }

    /// Freezes the server: connections are still accepted, by the kernel, but nothing is answered.
    pub async fn pause(&self) -> Result<()> {
        let pid = self.process.id();
        signal(pid, "STOP")?;
        let start = Instant::now();
        // `T` is stopped. Where there is no `/proc` the signal must be trusted to work at once.
        while let Some(state) = state(pid)
            && state != 'T'
        {
            if start.elapsed() > TIMEOUT {
                return Err(Error::new(format!("Unleash is not stopped within {TIMEOUT:?} but `{state}`")));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Lets a frozen server go on; it answers what came meanwhile.
    pub fn resume(&self) -> Result<()> {
        signal(self.process.id(), "CONT")
    }

    /// Creates a flag; it is off and has no strategies.
    pub async fn create_flag(&self, name: &str, kind: FlagKind) -> Result<()> {
        let kind = match kind {
            FlagKind::Release => "release",
            FlagKind::Experiment => "experiment",
            FlagKind::Operational => "operational",
            FlagKind::KillSwitch => "kill-switch",
            FlagKind::Permission => "permission",
        };
        let flag = json!({"name": name, "type": kind});
        self.admin("POST", &format!("/api/admin/projects/{PROJECT}/features"), flag).await.map(drop)
    }

    /// Gives a flag one more strategy: `{"name": "flexibleRollout", "parameters": {…}, "constraints": […], "variants": […]}`.
    pub async fn add_strategy(&self, flag: &str, strategy: Value) -> Result<()> {
        self.admin("POST", &in_environment(flag, "/strategies"), strategy).await.map(drop)
    }

    /// Replaces all strategies of a flag. In between it has the old and the new ones: without any the server would switch it off. So does an empty list.
    pub async fn set_strategies(&self, flag: &str, strategies: &[Value]) -> Result<()> {
        let path = in_environment(flag, "/strategies");
        let before = self.admin("GET", &path, Value::Null).await?;
        for strategy in strategies {
            self.admin("POST", &path, strategy.clone()).await?;
        }
        for id in before.as_array().into_iter().flatten().filter_map(|strategy| strategy["id"].as_str()) {
            self.admin("DELETE", &format!("{path}/{id}"), Value::Null).await?;
        }
        Ok(())
    }

    /// Replaces the variants of all strategies that a flag has (a server of today refuses variants of a flag as such):
    /// `[{"name": …, "weight": 1000, "weightType": "fix" | "variable", "stickiness": "default", "payload": {"type": "string", "value": …}}]`.
    /// An error where it has no strategies.
    pub async fn set_variants(&self, flag: &str, variants: Value) -> Result<()> {
        let path = in_environment(flag, "/strategies");
        let strategies = self.admin("GET", &path, Value::Null).await?;
        let ids: Vec<_> = strategies.as_array().into_iter().flatten().filter_map(|one| one["id"].as_str()).collect();
        if ids.is_empty() {
            return Err(Error::new(format!("flag `{flag}` has no strategies that could have variants")));
        }
        let patch = json!([{"op": "add", "path": "/variants", "value": variants}]);
        for id in ids {
            self.admin("PATCH", &format!("{path}/{id}"), patch.clone()).await?;
        }
        Ok(())
    }

    /// Switches a flag on. One without strategies gets one from the server: on for all.
    pub async fn enable(&self, flag: &str) -> Result<()> {
        self.admin("POST", &in_environment(flag, "/on"), Value::Null).await.map(drop)
    }

    /// Switches a flag off.
    pub async fn disable(&self, flag: &str) -> Result<()> {
        self.admin("POST", &in_environment(flag, "/off"), Value::Null).await.map(drop)
    }

    /// Archives a flag: clients no longer get it.
    pub async fn archive(&self, flag: &str) -> Result<()> {
        self.admin("DELETE", &feature(flag), Value::Null).await.map(drop)
    }

    /// The counts that clients sent for a flag (of the last two days) and that the server has written down, which it does every 5 s. The server drops
    /// counts of flags that it does not know, and learns of new ones only every 10 s: create flags before clients report.
    pub async fn usage(&self, flag: &str) -> Result<FlagUsage> {
        let path = format!("/api/admin/client-metrics/features/{flag}/raw");
        let answer = self.admin("GET", &path, Value::Null).await?;
        let mut usage = FlagUsage::default();
        for bucket in answer["data"].as_array().into_iter().flatten() {
            usage.yes += bucket["yes"].as_u64().unwrap_or_default();
            usage.no += bucket["no"].as_u64().unwrap_or_default();
            for (name, count) in bucket["variants"].as_object().into_iter().flatten() {
                *usage.variants.entry(name.clone()).or_default() += count.as_u64().unwrap_or_default();
            }
        }
        Ok(usage)
    }

    /// Waits up to a minute until `wanted` accepts the counts; the error says what they are.
    pub async fn wait_for_usage(&self, flag: &str, wanted: impl Fn(&FlagUsage) -> bool) -> Result<FlagUsage> {
        let start = Instant::now();
        loop {
            let usage = self.usage(flag).await?;
            if wanted(&usage) {
                return Ok(usage);
            }
            if start.elapsed() > REPORT {
                return Err(Error::new(format!("counts of `{flag}` not as wanted within {REPORT:?}: {usage:?}")));
            }
            tokio::time::sleep(10 * POLL).await;
        }
    }

    /// The names of the applications that registered or sent counts, as far as the server has written them down, which it does every 20 s.
    pub async fn applications(&self) -> Result<Vec<String>> {
        let answer = self.admin("GET", "/api/admin/metrics/applications", Value::Null).await?;
        let name = |application: &Value| application["appName"].as_str().map(str::to_owned);
        Ok(answer["applications"].as_array().into_iter().flatten().filter_map(name).collect())
    }

    /// Whether an application is among [`applications`](Self::applications).
    pub async fn registered(&self, application: &str) -> Result<bool> {
        Ok(self.applications().await?.iter().any(|name| name == application))
    }

    /// Waits up to a minute until an application is [`registered`](Self::registered), and gives what the server knows of it and its instances.
    pub async fn wait_for_registration(&self, application: &str) -> Result<Value> {
        let start = Instant::now();
        while !self.registered(application).await? {
            if start.elapsed() > REPORT {
                let others = self.applications().await?;
                return Err(Error::new(format!("`{application}` not registered within {REPORT:?}; {others:?} are")));
            }
            tokio::time::sleep(10 * POLL).await;
        }
        self.admin("GET", &format!("/api/admin/metrics/applications/{application}"), Value::Null).await
    }

    /// `GET /api/client/features` with the backend token, as an SDK asks for the flags.
    pub async fn features(&self, etag: Option<&str>) -> Result<Response> {
        let request = Request::get("/api/client/features").header("authorization", self.backend_token());
        let request = etag.into_iter().fold(request, |request, etag| request.header("if-none-match", etag));
        self.send(&request).await
    }

    /// Any call of the admin API, with a body unless it is null; an error unless the status is 2xx. Gives the answer's body, null if there is none.
    pub async fn admin(&self, method: &str, path: &str, body: Value) -> Result<Value> {
        let mut request = Request::new(method, path).header("authorization", self.admin_token());
        if !body.is_null() {
            request = request.header("content-type", "application/json").piece(body.to_string());
        }
        let response = self.send(&request).await?;
        match response.status {
            200..300 if response.body.is_empty() => Ok(Value::Null),
            // some answer with a word, such as `OK`
            200..300 => Ok(response.json().unwrap_or_else(|_| response.text().into())),
            status => Err(Error::new(format!("Unleash {method} {path}: {status} {}", response.text()))),
        }
    }

    /// Any request, on a connection of its own.
    pub async fn send(&self, request: &Request) -> Result<Response> {
        let mut client = RawClient::connect(self.address).await?;
        client.send(request).await.context(format_args!("Unleash {} {}", request.method, request.path))
    }
}

impl Drop for UnleashServer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "Unleash's files are in {}; its last lines:\n{}",
                self.directory.path().display(),
                self.logs().tail(40)
            );
        }
        self.process.kill();
    }
}

impl Secrets {
    fn new() -> Result<Self> {
        let backend = format!("{PROJECT}:{ENVIRONMENT}.{}", random()?);
        Ok(Self { backend, admin: format!("*:*.{}", random()?), session: random()? })
    }
}

/// 128 random bits, in hexadecimal digits.
fn random() -> Result<String> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Error::new("the system gives no random bytes"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The file or directory that an environment variable names.
fn installed(variable: &str) -> Result<PathBuf> {
    let path = std::env::var_os(variable).filter(|path| !path.is_empty());
    let path = path.ok_or_else(|| Error::new(format!("no Unleash to test with: set {variable} or run `make test`")))?;
    std::path::absolute(&path)
        .and_then(|path| path.metadata().map(|_| path))
        .context(format_args!("{variable} names {}, which is not there: fix it or run `make test`", path.display()))
}

fn log_file(directory: &Directory, start: u32) -> PathBuf {
    directory.path().join(format!("unleash-{start}.log"))
}

fn feature(flag: &str) -> String {
    format!("/api/admin/projects/{PROJECT}/features/{flag}")
}

fn in_environment(flag: &str, rest: &str) -> String {
    format!("{}/environments/{ENVIRONMENT}{rest}", feature(flag))
}

/// What the server's environment says: nothing but what is written here decides.
fn environment(postgres: &Postgres, secrets: &Secrets, address: SocketAddr) -> BTreeMap<String, String> {
    let host = postgres.host().display().to_string();
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    let variables = [
        ("DATABASE_HOST", &*host),
        ("DATABASE_PORT", postgres::PORT),
        ("DATABASE_USERNAME", postgres::USER),
        ("DATABASE_NAME", "postgres"),
        ("DATABASE_SSL", "false"),
        // would outrank the above
        ("DATABASE_URL", ""),
        ("DATABASE_URL_FILE", ""),
        ("HTTP_HOST", &ip),
        ("HTTP_PORT", &port),
        ("BASE_URI_PATH", ""),
        ("INIT_ADMIN_API_TOKENS", &secrets.admin),
        ("INIT_BACKEND_API_TOKENS", &secrets.backend),
        ("INIT_FRONTEND_API_TOKENS", ""),
        // or it would be a known one
        ("UNLEASH_DEFAULT_ADMIN_PASSWORD", &secrets.session),
        ("UNLEASH_DEFAULT_ADMIN_USERNAME", "admin"),
        ("UNLEASH_SECRET", &secrets.session),
        ("CHECK_VERSION", "false"),
        ("SEND_TELEMETRY", "false"),
        // tells the port
        ("LOG_LEVEL", "info"),
        ("NODE_ENV", "production"),
        ("TZ", "UTC"),
    ];
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// Starts the server on `address` (port 0: any) and waits until it answers; gives where it listens.
async fn launch(
    program: &Path,
    postgres: &Postgres,
    secrets: &Secrets,
    address: SocketAddr,
    log: &Path,
) -> Result<(Process, SocketAddr)> {
    let command = [program.display().to_string()];
    let mut process = Process::spawn(&command, &environment(postgres, secrets, address), Some(log))?;
    match ready(&mut process).await {
        Ok(port) => Ok((process, SocketAddr::new(address.ip(), port))),
        Err(error) => {
            process.kill();
            let _ = process.exited();
            let tail = process.logs().tail(40);
            Err(Error::new(format!("Unleash did not start: {error}; its last lines:\n{tail}")))
        }
    }
}

/// Waits until the server says its port, and there says that it is well.
async fn ready(process: &mut Process) -> Result<u16> {
    let start = Instant::now();
    loop {
        if let Some(status) = process.exited()? {
            return Err(Error::new(format!("ended with {status}")));
        }
        if let Some(port) = process.logs().lines().iter().find_map(|line| port_in(line))
            && healthy(port).await
        {
            return Ok(port);
        }
        if start.elapsed() > START {
            return Err(Error::new(format!("not ready within {START:?}")));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// `… Unleash has started. { address: '127.0.0.1', family: 'IPv4', port: 4242 }`
fn port_in(line: &str) -> Option<u16> {
    let (_, rest) = line.split_once("Unleash has started.")?.1.split_once("port: ")?;
    rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

async fn healthy(port: u16) -> bool {
    let answer = async {
        RawClient::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?.get("/health", "localhost", &[]).await
    };
    answer.await.is_ok_and(|response| response.status == 200)
}

/// Sends a signal by its name. A shell does it, as the standard library cannot.
fn signal(pid: u32, name: &str) -> Result<()> {
    let script = format!("kill -s {name} {pid}");
    let status = Command::new("/bin/sh").args(["-c", &script]).stderr(Stdio::null()).status().context("/bin/sh")?;
    if status.success() { Ok(()) } else { Err(Error::new(format!("process {pid} is gone"))) }
}

/// The letter for a process's state; `None` when it is gone or where there is no `/proc`.
fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}
