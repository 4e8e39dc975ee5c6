//! A child process that never outlives its parent, and what the kernel says of it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::error::{Context, Error, Result};
use crate::logs::Logs;
use crate::{POLL, TIMEOUT};

/// The shell becomes the program (same pid) after it left a watcher behind, which reads the pipe from us. The pipe's end means that we are gone, by
/// whatever cause, and the watcher kills the process group, itself included. As long as it lives the group's number cannot be anyone else's.
const WRAPPER: &str = r#"exec 3<&0 </dev/null
{ read -r _ <&3; kill -s KILL -- -$$; } >/dev/null 2>&1 &
exec "$@" 3<&-"#;

/// A running program whose output is captured. Dropping it kills it and all it started; so does the end of this process, SIGKILL included.
pub struct Process {
    child: Child,
    logs: Logs,
    readers: Vec<JoinHandle<()>>,
    program: PathBuf,
}

/// What a process has used, from `/proc`.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// CPU time in user mode, to 10 ms.
    pub user: Duration,
    /// CPU time in the kernel, to 10 ms.
    pub system: Duration,
    /// Resident memory, bytes.
    pub rss: u64,
    /// CPU time of each living thread by its name (Envoy's workers are `wrk:worker_0` …), to the nanosecond; same names are summed.
    pub threads: BTreeMap<String, Duration>,
}

impl Process {
    /// Starts `command` (program and arguments) with more environment variables; every line it prints goes to [`logs`](Self::logs) and to `log_file`.
    pub fn spawn(command: &[String], env: &BTreeMap<String, String>, log_file: Option<&Path>) -> Result<Self> {
        use std::os::unix::process::CommandExt;
        let [program, ..] = command else { return Err(Error::new("no program to start")) };
        let file = log_file.map(File::create).transpose().context("log file")?;
        let mut child = Command::new("/bin/sh")
            .args(["-c", WRAPPER, "harness"])
            .args(command)
            .envs(env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .context(format_args!("starting {program}"))?;
        let logs = Logs::new(file);
        let mut readers = Vec::new();
        readers.extend(child.stdout.take().map(|out| logs.read(out)));
        readers.extend(child.stderr.take().map(|out| logs.read(out)));
        Ok(Self { child, logs, readers, program: program.into() })
    }

    /// What it printed.
    pub fn logs(&self) -> &Logs {
        &self.logs
    }

    /// The process id of the started program (of the first one, if it is a launcher that starts another).
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, or `None` while it runs. After the end all its output is in the logs.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        if status.is_some() {
            let start = Instant::now();
            while start.elapsed() < Duration::from_secs(1) && !self.readers.iter().all(JoinHandle::is_finished) {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(status)
    }

    /// Waits for its end, up to [`TIMEOUT`].
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        let start = Instant::now();
        while start.elapsed() < TIMEOUT {
            if let Some(status) = self.exited()? {
                return Ok(status);
            }
            tokio::time::sleep(POLL).await;
        }
        Err(Error::new(format!("{} still runs after {TIMEOUT:?}", self.program.display())))
    }

    /// Kills it, with all it started, and waits for its end.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        // The watcher now kills what is left of the group.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }

    /// What the process `pid` has used; `None` off Linux or when it is gone.
    pub fn usage(pid: u32) -> Option<Usage> {
        // Ticks are 1/100 s on every platform that Linux and Envoy share.
        const TICK: Duration = Duration::from_millis(10);
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold anything; after it come state (field 3) and so on.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |field: usize| fields.get(field - 3)?.parse::<u32>().ok();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let rss =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<u64>().ok());
        let mut threads = BTreeMap::new();
        for task in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
            let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            let schedstat = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let nanos = schedstat.split(' ').next().and_then(|text| text.parse().ok());
            if let Some(nanos) = nanos {
                *threads.entry(name.trim().to_owned()).or_default() += Duration::from_nanos(nanos);
            }
        }
        Some(Usage { user: TICK * ticks(14)?, system: TICK * ticks(15)?, rss: rss.unwrap_or_default() * 1024, threads })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
