//! `make bench-quality`: precision, recall and F2 of pii-redactor's detectors on the labelled set, beside Presidio's.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use quality::report::{Contest, Presidio};
use quality::score::Finding;
use quality::set::{SEED, Size};
use quality::text::Text;
use quality::{ours, presidio, report, score, set};

/// Measures what is found in a set of texts whose values are known, and what is found besides.
#[derive(Debug, Parser)]
struct Arguments {
    /// Our detectors alone: no Python, seconds.
    #[arg(long)]
    ours: bool,
    /// The seed of the set.
    #[arg(long, default_value_t = SEED)]
    seed: u64,
    /// The directory with Presidio's packages, as tools/presidio.sh prints it.
    #[arg(long, value_name = "DIRECTORY", required_unless_present_any = ["ours", "texts"])]
    presidio: Option<PathBuf>,
    /// The program that asks Presidio.
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/presidio.py"))]
    script: PathBuf,
    /// Writes the report to a file too.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Tells each label that our detectors miss or leave in part, and each finding that is wrong. (The set's values are made
    /// up.)
    #[arg(long)]
    misses: bool,
    /// Prints the texts with their labels, as JSON lines, and ends.
    #[arg(long)]
    texts: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-quality: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let texts = set::generate(arguments.seed, Size::default());
    if arguments.texts {
        texts.iter().for_each(|text| println!("{}", report::line(text)));
        return Ok(());
    }
    let found = ours::find(&texts);
    if arguments.misses {
        print!("{}", report::misses(&texts, &found));
    }
    let presidio = match &arguments.presidio {
        Some(packages) if !arguments.ours => Some(ask(arguments, packages, &texts, &found)?),
        _ => None,
    };
    let ours = score::score(&texts, &found);
    let contest = Contest {
        seed: arguments.seed,
        texts: &texts,
        ours: &ours,
        time: ours::time(&texts),
        presidio: presidio.as_ref(),
    };
    let text = contest.report();
    println!("{text}");
    if let Some(file) = &arguments.write {
        std::fs::write(file, format!("{text}\n")).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(())
}

fn ask(arguments: &Arguments, packages: &Path, texts: &[Text], ours: &[Vec<Finding>]) -> Result<Presidio, String> {
    let ask = |all: bool| {
        eprintln!("asking Presidio, {} (half a minute) ...", if all { "all recognizers" } else { "as it comes" });
        presidio::ask(&arguments.script, packages, all, texts)
    };
    let (all, default) = (ask(true)?, ask(false)?);
    let at = |findings: &[Vec<Finding>], threshold: f64| score::score(texts, &presidio::resolved(findings, threshold));
    let kinds: Vec<_> = presidio::KINDS.iter().map(|(_, entity)| *entity).collect();
    let f2 = |threshold: f64| at(&all.findings, threshold).of(&kinds).f2().unwrap_or(0.0);
    let steps = (0..20).map(|step| f64::from(step) * 0.05);
    let best = steps.max_by(|one, other| f2(*one).total_cmp(&f2(*other))).unwrap_or(0.0);
    let is_shared = |finding: &&Finding| presidio::has(score::family(finding.entity));
    let shared: Vec<Vec<Finding>> =
        ours.iter().map(|found| found.iter().filter(is_shared).cloned().collect()).collect();
    Ok(Presidio {
        shared: score::score(texts, &shared),
        default: at(&default.findings, 0.0),
        all: at(&all.findings, 0.0),
        tuned: at(&all.findings, best),
        threshold: best,
        size: report::size_of(packages),
        times: (default.time, all.time),
        recognizers: (default.recognizers, all.recognizers),
        versions: all.versions,
    })
}
