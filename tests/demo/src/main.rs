//! The local demo, `make run` and `make demo`: from a built filter to a running gateway, with proof. Decides the order of
//! things: prepare `.run/`, start Unleash if that is wanted, and Envoy, tell the story (which fails where a claim does not hold),
//! then watch for edits until Ctrl-C. What was started is stopped in the end, whatever the end is.

mod egress;
mod flags;
mod pii;
mod plugin;
mod proxy;
mod state;
mod story;
mod unleash;
mod watch;

use std::fmt::Display;
use std::future::Future;
use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use harness::{Error, Result, workspace_root};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::egress::Calls;
use crate::pii::Chats;
use crate::proxy::{Launch, Proxy};
use crate::state::{Ports, State};
use crate::story::Users;
use crate::unleash::Unleash;

/// Runs flag-headers, canary-router, egress-audit and pii-redactor in an Envoy on this machine and shows what they do.
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
    /// Takes flags from a real Unleash, which it starts with the programs that UNLEASH_SERVER and POSTGRES_BIN name.
    #[arg(long)]
    unleash: bool,
    /// The gateway's port.
    #[arg(long, default_value_t = 8080, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// The port of Envoy's admin interface.
    #[arg(long, default_value_t = 9901, value_parser = clap::value_parser!(u16).range(1..))]
    admin_port: u16,
    /// The port for HTTP that ai-gateway sends out of the mesh.
    #[arg(long, default_value_t = 8081, value_parser = clap::value_parser!(u16).range(1..))]
    egress_port: u16,
    /// The port for TLS that it sends.
    #[arg(long, default_value_t = 8443, value_parser = clap::value_parser!(u16).range(1..))]
    egress_tls_port: u16,
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
    let mut state = State::prepare(Ports {
        gateway: arguments.port,
        admin: arguments.admin_port,
        egress: arguments.egress_port,
        egress_tls: arguments.egress_tls_port,
    })?;
    let unleash = if arguments.unleash { Some(ends.before(Unleash::start()).await?) } else { None };
    let launch = match &unleash {
        Some(unleash) => {
            state.attach(unleash.port())?;
            launch.with_token(unleash.token())
        }
        None => launch,
    };
    let mut proxy = Proxy::spawn(&launch, &state)?;
    let outcome = match ends.before(show(&mut proxy, &state, unleash.as_ref())).await {
        Ok(shown) if !arguments.once => {
            let stays = stay(&mut proxy, &state, shown, unleash.as_ref());
            tokio::select! {
                failed = stays => failed,
                name = ends.any() => say(format_args!("\n{name}: stopping all")),
            }
        }
        Ok(_) => say("\nAll of it held. Stopping all."),
        Err(error) => Err(error),
    };
    proxy.stop().await;
    outcome
}

/// What users got in the end, and what came of calls and chats, by which later changes are told.
struct Shown {
    arms: Users,
    flags: Users,
    http: Calls,
    tls: Calls,
    chats: Chats,
}

/// Waits for Envoy and tells the story.
async fn show(proxy: &mut Proxy, state: &State, unleash: Option<&Unleash>) -> Result<Shown> {
    proxy.live().await?;
    let arms = story::tell(proxy, state).await?;
    let (flags, chapter) = match unleash {
        None => (flags::tell(proxy, state, "bootstrap").await?, 8),
        Some(unleash) => {
            flags::live(proxy).await?;
            let mut flags = flags::tell(proxy, state, "live").await?;
            flags::flip(proxy, unleash, &mut flags).await?;
            (flags, 9)
        }
    };
    let (http, tls) = egress::tell(proxy, chapter).await?;
    let chats = pii::tell(proxy, chapter + 2).await?;
    Ok(Shown { arms, flags, http, tls, chats })
}

/// Says how to go on from here, and reports edits for as long as Envoy runs.
async fn stay(proxy: &mut Proxy, state: &State, shown: Shown, unleash: Option<&Unleash>) -> Result<()> {
    watch::explain(state, &shown, unleash)?;
    watch::edits(proxy, shown, unleash.is_some()).await
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

    /// What comes of a future, unless the end comes first.
    async fn before<T>(&mut self, future: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            done = future => done,
            name = self.any() => Err(Error::new(format!("ended by {name} before the story was told"))),
        }
    }

    async fn any(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "Ctrl-C",
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.hang_up.recv() => "SIGHUP",
        }
    }
}
