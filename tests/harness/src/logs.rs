//! A process's output, line by line, as it comes.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::watch;

use crate::error::{Error, Result};
use crate::{TIMEOUT, within};

/// How many lines stay in memory; the file has all.
const KEPT: usize = 200_000;

/// The lines of stdout and stderr, in the order they were read. Clones share them.
#[derive(Clone)]
pub struct Logs(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    count: watch::Sender<usize>,
}

struct State {
    lines: VecDeque<String>,
    /// Lines no longer in memory.
    dropped: usize,
    file: Option<File>,
}

impl Logs {
    pub(crate) fn new(file: Option<File>) -> Self {
        let state = Mutex::new(State { lines: VecDeque::new(), dropped: 0, file });
        Self(Arc::new(Shared { state, count: watch::Sender::new(0) }))
    }

    /// Reads lines from `source` to its end, in a thread.
    pub(crate) fn read(&self, source: impl Read + Send + 'static) -> JoinHandle<()> {
        let logs = self.clone();
        std::thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            while source.read_until(b'\n', &mut line).is_ok_and(|size| size > 0) {
                logs.push(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned());
                line.clear();
            }
        })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: String) {
        let mut state = self.state();
        if let Some(file) = &mut state.file {
            let _ = writeln!(file, "{line}");
        }
        state.lines.push_back(line);
        if state.lines.len() > KEPT {
            state.lines.pop_front();
            state.dropped += 1;
        }
        let count = state.dropped + state.lines.len();
        drop(state);
        self.0.count.send_replace(count);
    }

    /// All lines so far (the newest 200,000).
    pub fn lines(&self) -> Vec<String> {
        self.state().lines.iter().cloned().collect()
    }

    /// The lines after a [`mark`](Self::mark).
    pub fn lines_after(&self, mark: usize) -> Vec<String> {
        let state = self.state();
        state.lines.iter().skip(mark.saturating_sub(state.dropped)).cloned().collect()
    }

    /// How many lines came so far: a mark for [`wait_after`](Self::wait_after).
    pub fn mark(&self) -> usize {
        let state = self.state();
        state.dropped + state.lines.len()
    }

    /// The last `count` lines as one text.
    pub fn tail(&self, count: usize) -> String {
        let state = self.state();
        let from = state.lines.len().saturating_sub(count);
        state.lines.range(from..).map(|line| format!("  {line}\n")).collect()
    }

    /// Waits up to [`TIMEOUT`] for a line, of those already there or to come, that `wanted` accepts.
    pub async fn wait(&self, wanted: impl Fn(&str) -> bool) -> Result<String> {
        self.wait_after(0, wanted).await
    }

    /// The same for lines after a [`mark`](Self::mark).
    pub async fn wait_after(&self, mark: usize, wanted: impl Fn(&str) -> bool) -> Result<String> {
        let mut news = self.0.count.subscribe();
        let search = async {
            let mut next = mark;
            loop {
                {
                    let state = self.state();
                    let from = next.saturating_sub(state.dropped).min(state.lines.len());
                    if let Some(line) = state.lines.range(from..).find(|line| wanted(line)) {
                        return Ok(line.clone());
                    }
                    next = state.dropped + state.lines.len();
                }
                news.changed().await.map_err(|_| Error::new("the log has ended"))?;
            }
        };
        match within(TIMEOUT, "log line", search).await {
            Ok(found) => found,
            Err(error) => Err(Error::new(format!("{error}; the last lines:\n{}", self.tail(30)))),
        }
    }
}
