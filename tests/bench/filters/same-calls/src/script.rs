//! What is called, as the configuration tells it.

use std::time::Duration;

use filter_host::headers::{self, Map};
use filter_host::{Result, property};
use filter_runtime::Counter;

/// All calls of a request, and how often the root ticks.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) tick: Duration,
    create: Vec<Call>,
    request: Vec<Call>,
    response: Vec<Call>,
    log: Vec<Call>,
}

enum Call {
    All,
    Get(Vec<u8>),
    Properties(Vec<Vec<u8>>),
    Set(Vec<u8>, Vec<u8>),
    State(Vec<u8>, Vec<u8>),
    Count(Counter),
}

impl Script {
    /// None where a line is none of those that there are.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut script = Self::default();
        for line in text.lines() {
            let (when, what) = line.split_once(' ')?;
            match when {
                "tick" => script.tick = Duration::from_millis(what.parse().ok()?),
                "create" => script.create.push(Call::parse(what)?),
                "request" => script.request.push(Call::parse(what)?),
                "response" => script.response.push(Call::parse(what)?),
                "log" => script.log.push(Call::parse(what)?),
                _ => return None,
            }
        }
        Some(script)
    }

    pub(crate) fn create(&self) -> Result<()> {
        self.create.iter().try_for_each(|call| call.make(Map::Request))
    }

    pub(crate) fn request(&self) -> Result<()> {
        self.request.iter().try_for_each(|call| call.make(Map::Request))
    }

    pub(crate) fn response(&self) -> Result<()> {
        self.response.iter().try_for_each(|call| call.make(Map::Response))
    }

    pub(crate) fn log(&self) -> Result<()> {
        self.log.iter().try_for_each(|call| call.make(Map::Response))
    }

    /// Tells the host what was counted.
    pub(crate) fn flush(&self) {
        for (place, call) in self.request.iter().chain(&self.response).enumerate() {
            if let Call::Count(counter) = call {
                counter.flush(|| format!("bench_same_calls_{place}_total"));
            }
        }
    }
}

impl Call {
    fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
        let pair = || rest.split_once(' ').map(|(name, value)| (name.into(), value.into()));
        Some(match kind {
            "all" => Self::All,
            "get" => Self::Get(rest.into()),
            "properties" => Self::Properties(rest.split(' ').map(|path| path.replace('/', "\0").into()).collect()),
            "set" => pair().map(|(name, value)| Self::Set(name, value))?,
            "state" => pair().map(|(name, value)| Self::State(name, value))?,
            "count" => Self::Count(Counter::default()),
            _ => return None,
        })
    }

    fn make(&self, map: Map) -> Result<()> {
        match self {
            Self::All => headers::all(map).map(drop),
            Self::Get(name) => headers::get(map, name).map(drop),
            Self::Properties(paths) => {
                let _absent = paths.iter().try_for_each(|path| property::get(path).map(drop));
                Ok(())
            }
            Self::Set(name, value) => headers::set(map, name, value),
            Self::State(name, value) => property::set(name, value),
            Self::Count(counter) => {
                counter.increment();
                Ok(())
            }
        }
    }
}
