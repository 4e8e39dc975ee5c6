//! The local demo, `make run` and `make demo`: from a built filter to a running gateway, with proof. Decides the order of
//! things: prepare `.run/`, start Envoy, tell the story (which fails where a claim does not hold), then watch for edits
//! until Ctrl-C. Envoy is stopped in the end, whatever the end is.

mod plugin;
mod proxy;
mod state;
mod story;
mod watch;

use std::fmt::Display;
use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use harness::{Error, Result, workspace_root};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::proxy::{Launch, Proxy};
use crate::state::State;

/// Runs canary-router in an Envoy on this machine and shows what it does.
#[derive(Debug, Parser)]
struct Arguments {
    /// The Envoy to run.
    #[arg(long, required_unless_present = "func_e")]
    envoy: Option<PathBuf>,
    /// The func-e that starts it; without --envoy it chooses the Envoy too.
    #[arg(long)]
    func_e: Option<PathBuf>,
    /// Ends after the story, with 0 if all of it held.
    #[arg(long)]
    once: bool,
    /// The gateway's port.
    #[arg(long, default_value_t = 8080, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// The port of Envoy's admin interface.
    #[arg(long, default_value_t = 9901, value_parser = clap::value_parser!(u16).range(1..))]
    admin_port: u16,
}

/// Prints a line. A reader who has gone away ends the demo.
fn say(line: impl Display) -> Result<()> {
    Ok(writeln!(stdout(), "{line}")?)
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(demo(&Arguments::parse())),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn demo(arguments: &Arguments) -> Result<()> {
    let mut ends = Ends::new()?;
    let launch = Launch::new(arguments.envoy.as_deref(), arguments.func_e.as_deref())?;
    // All paths in Envoy's configuration are relative to the repository's root.
    std::env::set_current_dir(workspace_root())?;
    let state = State::prepare(arguments.port, arguments.admin_port)?;
    let mut proxy = Proxy::spawn(&launch, &state)?;
    let shown = tokio::select! {
        shown = show(&mut proxy, &state) => shown,
        name = ends.any() => Err(Error::new(format!("ended by {name} before the story was told"))),
    };
    let outcome = match shown {
        Ok(users) if !arguments.once => {
            let stays = stay(&mut proxy, &state, users);
            tokio::select! {
                failed = stays => failed,
                name = ends.any() => say(format_args!("\n{name}: stopping Envoy")),
            }
        }
        Ok(_) => say("\nAll of it held. Stopping Envoy."),
        Err(error) => Err(error),
    };
    proxy.stop().await;
    outcome
}

/// Waits for Envoy and tells the story.
async fn show(proxy: &mut Proxy, state: &State) -> Result<story::Users> {
    proxy.live().await?;
    story::tell(proxy, state).await
}

/// Says how to go on from here, and reports edits for as long as Envoy runs.
async fn stay(proxy: &mut Proxy, state: &State, users: story::Users) -> Result<()> {
    watch::explain(state, &users)?;
    watch::edits(proxy, users).await
}

/// The signals that end the demo.
struct Ends {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Ends {
    fn new() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn any(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "Ctrl-C",
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.hang_up.recv() => "SIGHUP",
        }
    }
}
