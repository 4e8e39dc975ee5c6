//! `rcctl audit`: what egress-audit told, read from logs.

mod gather;
mod logs;
mod policy;
mod resources;
mod suggest;
mod verify;
mod yaml;

use std::path::PathBuf;

use crate::Outcome;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Prints the allow-list, the ServiceEntries (with a DestinationRule for TLS origination) and the Sidecar for REGISTRY_ONLY
    /// that would let pass what passed, as YAML. It is a draft to be read: whoever can call out can get a host into it. Calls
    /// that are in the logs twice, such as in the proxy's and in the collector's, count twice.
    Suggest(suggest::Arguments),
    /// Verifies the chains of events: finds each edit, gap and other order inside a chain. Exits with 1 where it finds one, and
    /// with 2 where a file can't be read. It can't tell that the end of a chain is missing, nor that a chain was written anew
    /// from some point on to its end: hashes are no signatures. Keep the logs where who runs the workload can't write. A log
    /// that leaves out allowed calls (Istio's default level is warning) has gaps.
    Verify(verify::Arguments),
}

/// What both commands read.
#[derive(Debug, clap::Args)]
struct Sources {
    /// Logs; - for standard input. Each line may be the proxy's log line, the event alone, JSON with either in a field, or OTLP in
    /// JSON, which may also be the whole file.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Another field of JSON logs whose text may hold an event; log, message, msg, body, textPayload and some more are known.
    #[arg(long = "field", value_name = "NAME")]
    fields: Vec<String>,
}

pub(crate) fn run(command: &Command) -> Outcome {
    match command {
        Command::Suggest(arguments) => suggest::run(arguments),
        Command::Verify(arguments) => verify::run(arguments),
    }
}
