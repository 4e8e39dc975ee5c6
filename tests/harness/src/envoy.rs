//! A running Envoy.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use serde_json::Value;

use crate::admin::Admin;
use crate::bootstrap::{Bootstrap, ecds_path};
use crate::ecds::{EcdsFile, Update};
use crate::error::{Context, Error, Result};
use crate::logs::Logs;
use crate::process::{Process, Usage};
use crate::stats::Stats;
use crate::wasm::{PluginConfig, WasmPlugin};
use crate::{POLL, TIMEOUT};

/// How to start an Envoy.
#[derive(Clone, Debug)]
pub struct EnvoyOptions {
    /// The binary.
    pub binary: PathBuf,
    /// Its configuration.
    pub bootstrap: Bootstrap,
    /// Worker threads; 1 unless set.
    pub concurrency: u32,
    /// `--log-level`; `warning` unless set.
    pub log_level: String,
    /// `--component-log-level`; `wasm:info` unless set, as the filters' users are told to.
    pub component_log_level: String,
    /// Whether a plugin whose first configuration is refused (500 to every request) is an error of [`Envoy::start`]; it is unless set.
    pub rejected_is_error: bool,
    /// Put before the command: `["taskset", "-c", "1"]`, `["perf", "record", …]`.
    pub launcher: Vec<String>,
    /// More command-line arguments.
    pub args: Vec<String>,
    /// More environment variables.
    pub env: BTreeMap<String, String>,
}

impl EnvoyOptions {
    /// The defaults of each field.
    pub fn new(binary: impl Into<PathBuf>, bootstrap: Bootstrap) -> Self {
        Self {
            binary: binary.into(),
            bootstrap,
            concurrency: 1,
            log_level: "warning".into(),
            component_log_level: "wasm:info".into(),
            rejected_is_error: true,
            launcher: Vec::new(),
            args: Vec::new(),
            env: BTreeMap::new(),
        }
    }

    /// Sets the number of worker threads.
    #[must_use]
    pub fn concurrency(mut self, workers: u32) -> Self {
        self.concurrency = workers;
        self
    }

    /// Sets the log level and the levels of components (`wasm:debug,config:debug`).
    #[must_use]
    pub fn log_level(mut self, level: &str, components: &str) -> Self {
        self.log_level = level.into();
        self.component_log_level = components.into();
        self
    }

    /// Lets Envoy start with plugins whose first configuration is refused.
    #[must_use]
    pub fn allow_rejected(mut self) -> Self {
        self.rejected_is_error = false;
        self
    }

    /// Sets what stands before the command.
    #[must_use]
    pub fn launcher(mut self, words: &[&str]) -> Self {
        self.launcher = words.iter().map(ToString::to_string).collect();
        self
    }

    /// Appends a command-line argument.
    #[must_use]
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Sets an environment variable of Envoy.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }
}

/// A running Envoy. Dropped, it is killed and its directory removed; while a test panics its last log lines are printed and the directory stays.
/// Nor does it outlive this process, however that ends.
pub struct Envoy {
    process: Process,
    admin: Admin,
    ports: BTreeMap<String, SocketAddr>,
    plugins: BTreeMap<String, EcdsFile>,
    pid: u32,
    dir: Dir,
}

impl Envoy {
    /// Starts it and waits until every listener serves. The error holds the last log lines.
    pub async fn start(options: EnvoyOptions) -> Result<Self> {
        let dir = Dir::new()?;
        let mut plugins = BTreeMap::new();
        for (plugin, network) in options.bootstrap.plugins() {
            plugins.insert(plugin.name.clone(), EcdsFile::create(&ecds_path(&dir.0, &plugin.name), plugin, network)?);
        }
        let (config, admin_file) = (dir.0.join("bootstrap.json"), dir.0.join("admin"));
        fs::write(&config, format!("{:#}", options.bootstrap.render(&dir.0))).context(config.display())?;

        let mut command = options.launcher.clone();
        command.push(options.binary.display().to_string());
        let path = |path: &Path| path.display().to_string();
        command.extend(["-c".into(), path(&config), "--admin-address-path".into(), path(&admin_file)]);
        command.extend([
            "--concurrency".into(),
            options.concurrency.to_string(),
            "--log-level".into(),
            options.log_level.clone(),
        ]);
        if !options.component_log_level.is_empty() {
            command.extend(["--component-log-level".into(), options.component_log_level.clone()]);
        }
        // Without hot restart there is no shared memory to collide in; access logs reach us at once.
        command.extend(["--disable-hot-restart", "--file-flush-interval-msec", "10"].map(String::from));
        command.extend(options.args.iter().cloned());
        let mut process = Process::spawn(&command, &options.env, Some(&dir.0.join("envoy.log")))?;

        let wanted = options.bootstrap.listener_names();
        let (admin, ports) = match ready(&mut process, &admin_file, &wanted).await {
            Ok(found) => found,
            Err(error) => return Err(failed(&error, &mut process)),
        };
        let pid = find_pid(process.id(), &admin_file);
        let envoy = Self { process, admin, ports, plugins, pid, dir };
        if options.rejected_is_error {
            for (name, file) in &envoy.plugins {
                if !file.loaded(&envoy.admin).await? {
                    let tail = envoy.logs().tail(30);
                    return Err(Error::new(format!(
                        "the first configuration of plugin `{name}` was refused; the last lines:\n{tail}"
                    )));
                }
            }
        }
        Ok(envoy)
    }

    /// The address of a listener.
    ///
    /// # Panics
    /// When there is none of that name.
    pub fn addr(&self, listener: &str) -> SocketAddr {
        let found = self.ports.get(listener);
        *found.unwrap_or_else(|| panic!("no listener `{listener}` but {:?}", self.ports.keys()))
    }

    /// The admin interface.
    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// What it printed: its log, filters' log lines among them, and access logs that go to stdout.
    pub fn logs(&self) -> &Logs {
        self.process.logs()
    }

    /// The directory with `bootstrap.json`, `envoy.log` and the ECDS files.
    pub fn dir(&self) -> &Path {
        &self.dir.0
    }

    /// All metrics, with labels.
    pub async fn stats(&self) -> Result<Stats> {
        self.admin.stats().await
    }

    /// The text of `/stats/prometheus`.
    pub async fn prometheus(&self) -> Result<String> {
        self.admin.prometheus().await
    }

    /// Waits until the counter `name` with these labels has reached `value` and gives the metrics.
    pub async fn wait_for_counter(&self, name: &str, labels: &[(&str, &str)], value: u64) -> Result<Stats> {
        self.admin.wait_for(name, |stats| stats.counter(name, labels) >= value).await
    }

    /// Gives a plugin a new configuration and waits until Envoy has taken or refused it. Requests sent from then on meet the new one.
    pub async fn update_plugin(&self, name: &str, config: impl Into<PluginConfig>) -> Result<Update> {
        self.plugin_file(name)?.update(&self.admin, self.logs(), config).await
    }

    /// The same with everything of the plugin changed (another wasm, policy, environment); it is found by its name.
    pub async fn replace_plugin(&self, plugin: WasmPlugin) -> Result<Update> {
        self.plugin_file(&plugin.name)?.replace(&self.admin, self.logs(), plugin).await
    }

    fn plugin_file(&self, name: &str) -> Result<&EcdsFile> {
        self.plugins.get(name).ok_or_else(|| Error::new(format!("no plugin `{name}` but {:?}", self.plugins.keys())))
    }

    /// Envoy's process id, also when a launcher started it.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// CPU time and memory so far; `None` off Linux.
    pub fn usage(&self) -> Option<Usage> {
        Process::usage(self.pid)
    }

    /// Bytes allocated in Envoy's heap (the memory of Wasm VMs is not among them: see [`Usage::rss`]).
    pub async fn allocated(&self) -> Result<u64> {
        let memory = self.admin.json("/memory").await?;
        let allocated = memory["allocated"].as_str().and_then(|text| text.parse().ok());
        allocated.ok_or_else(|| Error::new(format!("admin /memory: {memory}")))
    }

    /// Asks it to end and waits until it has.
    pub async fn shutdown(mut self) -> Result<ExitStatus> {
        self.admin.post("/quitquitquit").await?;
        self.process.wait().await
    }

    /// How it ended, if it has (a crash).
    pub fn exited(&mut self) -> Result<Option<ExitStatus>> {
        self.process.exited()
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("Envoy's files are in {}; its last lines:\n{}", self.dir.0.display(), self.logs().tail(40));
        }
        self.process.kill();
        // A launcher's child is killed by the watcher, a moment later.
        let start = Instant::now();
        while self.pid != self.process.id()
            && Path::new(&format!("/proc/{}", self.pid)).exists()
            && start.elapsed() < TIMEOUT
        {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
}

/// Waits until the admin answers, the server is live and its workers run; gives the addresses of admin and listeners.
async fn ready(
    process: &mut Process,
    admin_file: &Path,
    wanted: &[String],
) -> Result<(Admin, BTreeMap<String, SocketAddr>)> {
    let start = Instant::now();
    let mut admin = None;
    loop {
        if let Some(status) = process.exited()? {
            return Err(Error::new(format!("ended with {status}")));
        }
        if admin.is_none() {
            let text = fs::read_to_string(admin_file).unwrap_or_default();
            admin = text.trim().parse().ok().map(Admin::new);
        }
        if let Some(admin) = &admin
            && let Some(ports) = live(admin, wanted).await
        {
            return Ok((admin.clone(), ports));
        }
        if start.elapsed() > TIMEOUT {
            return Err(Error::new(format!("not ready within {TIMEOUT:?}")));
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn live(admin: &Admin, wanted: &[String]) -> Option<BTreeMap<String, SocketAddr>> {
    let ready = admin.get("/ready").await.ok()?;
    let stats = admin.counters(r"^listener_manager\.workers_started$").await.ok()?;
    if ready.trim() != "LIVE" || stats.values().sum::<u64>() == 0 {
        return None;
    }
    let list = admin.json("/listeners?format=json").await.ok()?;
    let port = |status: &Value| {
        let address = &status["local_address"]["socket_address"];
        let port = u16::try_from(address["port_value"].as_u64()?).ok()?;
        Some((status["name"].as_str()?.to_owned(), SocketAddr::new(address["address"].as_str()?.parse().ok()?, port)))
    };
    let ports: BTreeMap<_, _> = list["listener_statuses"].as_array().into_iter().flatten().filter_map(port).collect();
    let bound = wanted.iter().all(|name| ports.get(name).is_some_and(|addr| addr.port() != 0));
    bound.then_some(ports)
}

/// The process that has `admin_file` among its arguments: `started` itself, or what the launcher made of it.
fn find_pid(started: u32, admin_file: &Path) -> u32 {
    let file = admin_file.display().to_string();
    let place = |pid: u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let place = String::from_utf8_lossy(&line).find(&file)?;
        Some((place, pid))
    };
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    // Launchers and the watcher have Envoy's arguments behind their own; in Envoy itself the file stands foremost.
    pids.filter_map(place).min().map_or(started, |(_, pid)| pid)
}

fn failed(error: &Error, process: &mut Process) -> Error {
    process.kill();
    let _ = process.exited();
    Error::new(format!("Envoy did not start: {error}; its last lines:\n{}", process.logs().tail(40)))
}

/// A directory that is removed with its value, unless the thread panics or `HARNESS_KEEP` is set.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("harness-{}-{number}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).context(path.display()),
            }
        }
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        if !std::thread::panicking() && std::env::var_os("HARNESS_KEEP").is_none() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}
