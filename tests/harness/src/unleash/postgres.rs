//! A private PostgreSQL: no port, only a socket in its own directory, and nothing that protects data from a crash.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::signal;
use crate::error::{Context, Error, Result};
use crate::process::Process;
use crate::{POLL, TIMEOUT};

/// The role and the number in the socket's name; the port is nobody else's, as there is none.
pub(super) const USER: &str = "unleash";
pub(super) const PORT: &str = "5432";

/// How long a shutdown may take before it is a kill.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running server. Dropped, it ends; it does not outlive this process.
pub(super) struct Postgres {
    process: Process,
    data: PathBuf,
}

impl Postgres {
    /// Makes a database below `dir` with the programs in `bin` and waits until it serves.
    pub(super) async fn start(bin: &Path, dir: &Path) -> Result<Self> {
        let data = dir.join("data");
        fs::create_dir(&data).context(data.display())?;
        let launcher = launcher(&data, bin)?;
        let command = |program: &str, arguments: &[&str]| {
            let mut command = launcher.clone();
            command.push(bin.join(program).display().to_string());
            command.extend(["-D".into(), data.display().to_string()]);
            command.extend(arguments.iter().map(ToString::to_string));
            command
        };
        // Only what may enter the directory can connect, so there are no passwords.
        let initdb = command("initdb", &["-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]);
        let mut initdb = Process::spawn(&initdb, &BTreeMap::new(), Some(&dir.join("initdb.log")))?;
        let status = initdb.wait().await?;
        if !status.success() {
            return Err(failed(&format!("initdb ended with {status}"), &initdb));
        }
        let mut arguments = vec!["-p", PORT, "-k", "."];
        for setting in [
            "listen_addresses=",
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "autovacuum=off",
            "jit=off",
            "max_connections=20",
            "shared_buffers=16MB",
            // files in the data directory, which is removed, instead of shared memory, which stays after a kill
            "dynamic_shared_memory_type=mmap",
        ] {
            arguments.extend(["-c", setting]);
        }
        let postgres = command("postgres", &arguments);
        let process = Process::spawn(&postgres, &BTreeMap::new(), Some(&dir.join("postgres.log")))?;
        let mut server = Self { process, data };
        match server.ready().await {
            Ok(()) => Ok(server),
            Err(error) => Err(failed(&error.to_string(), &server.process)),
        }
    }

    /// The directory of the socket: what clients take for the host.
    pub(super) fn host(&self) -> &Path {
        &self.data
    }

    /// The server says in its pid file when it takes connections.
    async fn ready(&mut self) -> Result<()> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.process.exited()? {
                return Err(Error::new(format!("ended with {status}")));
            }
            let file = fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
            if file.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
                return Ok(());
            }
            if start.elapsed() > TIMEOUT {
                return Err(Error::new(format!("not ready within {TIMEOUT:?}")));
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

impl Drop for Postgres {
    /// Killed, it would leave shared memory behind. Told to quit, it ends as fast and clears up.
    fn drop(&mut self) {
        let start = Instant::now();
        if signal(self.process.id(), "QUIT").is_ok() {
            while start.elapsed() < PATIENCE && matches!(self.process.exited(), Ok(None)) {
                std::thread::sleep(POLL);
            }
        }
        self.process.kill();
    }
}

fn failed(error: &str, process: &Process) -> Error {
    Error::new(format!("PostgreSQL did not start: {error}; its last lines:\n{}", process.logs().tail(40)))
}

/// What stands before the commands in `bin`. They need a working directory that they may enter. And they refuse to run as root: then they run as
/// `nobody`, who gets the data directory.
fn launcher(data: &Path, bin: &Path) -> Result<Vec<String>> {
    let dir = data.display().to_string();
    let mut words = ["/bin/sh", "-c", r#"cd "$1" && shift && exec "$@""#, "harness", &dir].map(String::from).to_vec();
    // What was just made belongs to whom we are.
    let owner = fs::metadata(data).context(data.display())?.uid();
    if owner == 0 {
        let (user, group) = nobody()?;
        for path in [data, bin] {
            open_to_all(path)?;
        }
        chown(data, Some(user), Some(group)).context(format_args!("giving {dir} to nobody"))?;
        words.push("setpriv".into());
        words.extend([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".into(), "--".into()]);
    }
    Ok(words)
}

fn nobody() -> Result<(u32, u32)> {
    let accounts = fs::read_to_string("/etc/passwd").context("/etc/passwd")?;
    let ids = accounts.lines().find_map(|line| {
        let mut fields = line.strip_prefix("nobody:")?.split(':').skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    ids.ok_or_else(|| Error::new("PostgreSQL does not run as root, and there is no user `nobody` to run it as"))
}

/// An error unless every directory above `path` lets any user through.
fn open_to_all(path: &Path) -> Result<()> {
    let path = path.canonicalize().context(path.display())?;
    for above in path.ancestors().skip(1) {
        if above.metadata().context(above.display())?.mode() & 0o001 == 0 {
            return Err(Error::new(format!(
                "PostgreSQL does not run as root but as `nobody`, for whom {} is closed: {} cannot be used (install PostgreSQL, or set \
                 TOOLS_STATE_DIR or TMPDIR to a directory that is open)",
                above.display(),
                path.display()
            )));
        }
    }
    Ok(())
}
