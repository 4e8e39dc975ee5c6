//! Where it runs: which core for whom, and what the report says of the machine.

use std::fs;
use std::process::{Command, Stdio};

use harness::{Error, Result};

/// The cores: one for Envoy, another for the requests and the upstreams, where there are two to be had.
pub(crate) struct Cores {
    pub(crate) envoy: Option<String>,
    pub(crate) load: Option<String>,
}

impl Cores {
    /// Picks two of the cores that this process may use.
    pub(crate) fn pick() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default();
        let mut cores = allowed(list).into_iter().map(|core| core.to_string());
        let taskset = Command::new("taskset").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        match (cores.next(), cores.next()) {
            (envoy, load @ Some(_)) if taskset.is_ok_and(|status| status.success()) => Self { envoy, load },
            _ => Self { envoy: None, load: None },
        }
    }

    /// What to put before Envoy's command.
    pub(crate) fn launcher(&self) -> Vec<&str> {
        self.envoy.as_deref().map_or(Vec::new(), |core| vec!["taskset", "-c", core])
    }

    /// Moves this process, and every thread that it will start, to the core for the load.
    pub(crate) fn move_here(&self) -> Result<()> {
        let Some(core) = &self.load else { return Ok(()) };
        let pid = std::process::id().to_string();
        let moved = Command::new("taskset").args(["-acp", core, &pid]).stdout(Stdio::null()).status()?;
        if moved.success() { Ok(()) } else { Err(Error::new(format!("taskset -acp {core} {pid}: {moved}"))) }
    }

    /// Who runs where, in words.
    pub(crate) fn told(&self) -> String {
        match (&self.envoy, &self.load) {
            (Some(envoy), Some(load)) => format!("Envoy on core {envoy}, requests and upstreams on core {load}"),
            _ => "Envoy and the requests pinned to no core (one core only, or no `taskset`): expect more spread".into(),
        }
    }
}

/// The numbers of a list such as `0-3,6`.
fn allowed(list: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        Some(from.trim().parse().ok()?..=to.trim().parse().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

/// The processor and how many cores of it there are.
pub(crate) fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{}, {cores} cores", name.map_or("unknown processor", |(_, name)| name))
}

/// How busy the machine is with other work, before anything here runs.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// Today's date.
pub(crate) fn date() -> String {
    let output = Command::new("date").args(["-u", "+%Y-%m-%d"]).output();
    output.map_or(String::new(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores_are_read_as_the_kernel_writes_them() {
        assert_eq!(allowed("\t0-2,5"), [0, 1, 2, 5]);
        assert_eq!(allowed(" 7"), [7]);
        assert!(allowed("").is_empty());
    }
}
