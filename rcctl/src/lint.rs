//! `rcctl lint`: every mistake in every configuration, strictly: an unknown field is one.

use std::path::PathBuf;

use crate::document::{self, Found};
use crate::{Outcome, filters};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Manifests or bare configurations, YAML or JSON; - for standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The filter that bare configurations are for, where they don't show it.
    #[arg(long)]
    filter: Option<String>,
    /// Takes warnings as mistakes.
    #[arg(long)]
    strict: bool,
}

/// What was found, counted.
#[derive(Debug, Default)]
struct Tally {
    configurations: usize,
    mistakes: usize,
    warnings: usize,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let filter = arguments.filter.as_deref().map(filters::named).transpose()?;
    let mut tally = Tally::default();
    for file in &arguments.files {
        let place = file.display().to_string();
        match document::read(file) {
            Err(message) => {
                println!("{message}");
                tally.mistakes += 1;
            }
            Ok(documents) => {
                for found in documents.iter().flat_map(|document| document::find(document, filter)) {
                    lint(&place, &found, &mut tally);
                }
            }
        }
    }
    println!("{} configurations, {} mistakes, {} warnings", tally.configurations, tally.mistakes, tally.warnings);
    if tally.configurations == 0 && tally.mistakes == 0 {
        let known: Vec<&str> = filters::FILTERS.iter().map(|filter| filter.name).collect();
        return Err(format!("no configuration of {} in these files; --filter names one", known.join(", ")));
    }
    Ok(tally.mistakes == 0 && (!arguments.strict || tally.warnings == 0))
}

fn lint(place: &str, found: &Found, tally: &mut Tally) {
    tally.configurations += 1;
    let holder = &found.holder;
    let configuration = match &found.configuration {
        Ok(configuration) => configuration,
        Err(message) => {
            println!("{place}: {holder}{message}");
            tally.mistakes += 1;
            return;
        }
    };
    let report = (found.filter.check)(configuration);
    for mistake in report.errors.iter().chain(&report.unknown) {
        println!("{place}: {holder}{mistake}");
    }
    for warning in &report.warnings {
        println!("{place}: {holder}warning: {warning}");
    }
    tally.mistakes += report.errors.len() + report.unknown.len();
    tally.warnings += report.warnings.len();
}
