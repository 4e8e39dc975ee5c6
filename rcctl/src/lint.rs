//! `rcctl lint`: every mistake in every configuration, strictly: an unknown field is one.

use std::path::PathBuf;

use serde_json::Value;

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
    /// What is applied now: warns where the update moves users who need not move.
    #[arg(long, value_name = "OLD")]
    from: Option<PathBuf>,
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
    let old = match &arguments.from {
        Some(old) => document::read(old)?.iter().flat_map(|document| document::find(document, filter)).collect(),
        None => Vec::new(),
    };
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
                    lint(&place, &found, &old, &mut tally);
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

fn lint(place: &str, found: &Found, old: &[Found], tally: &mut Tally) {
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
    let updates = if report.errors.is_empty() { warnings_of_update(found, configuration, old) } else { Vec::new() };
    let warnings: Vec<String> = report.warnings.iter().map(ToString::to_string).chain(updates).collect();
    for warning in &warnings {
        println!("{place}: {holder}warning: {warning}");
    }
    tally.mistakes += report.errors.len() + report.unknown.len();
    tally.warnings += warnings.len();
}

/// The warnings of an update of what was found: over the configuration of the same holder, or the only one there is.
fn warnings_of_update(found: &Found, configuration: &Value, old: &[Found]) -> Vec<String> {
    let same = old.iter().find(|old| old.filter.name == found.filter.name && old.holder == found.holder);
    let only = || old.first().filter(|only| old.len() == 1 && only.filter.name == found.filter.name);
    let Some(Ok(old)) = same.or_else(only).map(|old| &old.configuration) else { return Vec::new() };
    if (found.filter.check)(old).errors.is_empty() {
        (found.filter.warn_of_update)(old, configuration)
    } else {
        Vec::new()
    }
}
