//! rcctl: the one tool for users and for make. It runs the code that runs in the proxy.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is a command-line tool")]

mod access;
mod audit;
mod described;
mod document;
mod egress;
mod explain;
mod filters;
mod flags;
mod lint;
mod module;
mod protection;
mod redact;
mod schema;
mod spelling;
mod suffix;
mod update;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runtime control for Istio.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Checks configurations: in WasmPlugin and TrafficExtension manifests, in a local Envoy's files, or bare. Names every
    /// mistake and exits with 1 where there is one.
    Lint(lint::Arguments),
    /// Says which arm a user gets and why; with --from, who an update moves.
    Explain(explain::Arguments),
    /// Says which flag headers a request gets and why, from the configuration's bootstrap or an answer of Unleash in a file.
    Flags(flags::Arguments),
    /// Says what egress-audit decides on one call, and why.
    Egress(egress::Arguments),
    /// Says what pii-redactor makes of a body, and what it finds in it; with --answer, what the caller gets back. Exits with 1
    /// where it would not pass.
    Redact(redact::Arguments),
    /// Reads what egress-audit told, in logs of any kind: suggests policies, or verifies chains.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Prints a filter's JSON Schema, or the table of its fields.
    Schema(schema::Arguments),
    /// Checks built modules: their size, their ABI, and that Envoy 1.36 has what they import.
    Module {
        /// The modules.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

/// What a command answers: whether all is well, or why it could not be told.
type Outcome = Result<bool, String>;

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Lint(arguments) => lint::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Flags(arguments) => flags::run(&arguments),
        Command::Egress(arguments) => egress::run(&arguments),
        Command::Redact(arguments) => redact::run(&arguments),
        Command::Audit(command) => audit::run(&command),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Module { files } => module::run(&files),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(message) => {
            eprintln!("rcctl: {message}");
            ExitCode::from(2)
        }
    }
}
