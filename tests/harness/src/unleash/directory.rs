//! A temporary directory that goes with its value, or with this process, however that ends.

use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::{Context, Result};

/// Reads the pipe from us. Its end means that the directory's value is gone or that we are: what wrote there is being killed, so it tries until
/// nothing puts files back. A killed PostgreSQL also leaves a piece of System V shared memory, named in its pid file.
const SWEEPER: &str = r#"read -r word
[ "$word" != keep ] || exit 0
memory=$(sed -n 7p "$1/data/postmaster.pid" 2>/dev/null)
[ -z "$memory" ] || ipcrm -m "${memory##* }"
tries=0
until rm -rf -- "$1" 2>/dev/null || [ $tries -ge 100 ]; do tries=$((tries + 1)); sleep 0.1; done"#;

/// Removed when dropped, unless the thread panics or `HARNESS_KEEP` is set; and when this process ends without dropping it, SIGKILL included.
pub(super) struct Directory {
    path: PathBuf,
    sweeper: Child,
}

impl Directory {
    pub(super) fn new(name: &str) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let path = loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("harness-{name}-{}-{number}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => break path,
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).context(path.display()),
            }
        };
        let sweeper = Command::new("/bin/sh")
            .args(["-c", SWEEPER, "harness"])
            .arg(&path)
            // a group of its own: Ctrl-C in a terminal must not reach it
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting /bin/sh")?;
        Ok(Self { path, sweeper })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let keep = std::thread::panicking() || std::env::var_os("HARNESS_KEEP").is_some();
        if let Some(mut pipe) = self.sweeper.stdin.take() {
            let _ = pipe.write_all(if keep { b"keep\n" } else { b"\n" });
        }
        let _ = self.sweeper.wait();
    }
}
