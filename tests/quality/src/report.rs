//! The report: what stands in RESULTS.md.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use pii_core::detect::Entity;
use serde_json::json;

use crate::presidio::has;
use crate::score::{Counts, Finding, Score, Verdict, family, verdict};
use crate::set::fingerprint;
use crate::text::Text;

/// Presidio's side.
#[derive(Debug)]
pub struct Presidio {
    /// Our detectors, of the kinds alone that Presidio has.
    pub shared: Score,
    /// As it comes, for English, at any score.
    pub default: Score,
    /// All recognizers, at any score.
    pub all: Score,
    /// All recognizers, at the threshold that is best for it.
    pub tuned: Score,
    /// That threshold.
    pub threshold: f64,
    /// What its packages take on disk, in bytes.
    pub size: u64,
    /// How long it took as it comes, and with all recognizers.
    pub times: (Duration, Duration),
    /// How many recognizers that were.
    pub recognizers: (usize, usize),
    /// Versions in words.
    pub versions: String,
}

/// All that is reported.
#[derive(Debug)]
pub struct Contest<'a> {
    /// The seed of the set.
    pub seed: u64,
    /// The set.
    pub texts: &'a [Text],
    /// Our score.
    pub ours: &'a Score,
    /// How long our detectors took.
    pub time: Duration,
    /// Presidio's side, if it was asked.
    pub presidio: Option<&'a Presidio>,
}

impl Contest<'_> {
    /// The report.
    #[must_use]
    pub fn report(&self) -> String {
        let mut text = self.head();
        text.push_str(&self.totals());
        text.push_str(&self.entities());
        text.push_str(&self.styles());
        text.push_str(&self.negatives());
        text.trim_end().to_owned()
    }

    fn bytes(&self) -> usize {
        self.texts.iter().map(|text| text.text.len()).sum()
    }

    fn head(&self) -> String {
        let labels: usize = self.texts.iter().map(|text| text.labels.len()).sum();
        let negatives = self.texts.iter().filter(|text| text.negative.is_some()).count();
        let mut text = format!(
            "# What is found, and what else\n\n{}. pii-core {}, all {} kinds, confidence {} and more. Set: seed {}, {} \
             texts ({} kB), {negatives} of them hard negatives, with {labels} labels; fingerprint `{}`.\n",
            date(),
            env!("CARGO_PKG_VERSION"),
            Entity::ALL.len(),
            crate::ours::MINIMUM,
            self.seed,
            self.texts.len(),
            self.bytes() / 1000,
            fingerprint(self.texts),
        );
        if let Some(presidio) = self.presidio {
            let _ = writeln!(
                text,
                "Presidio: {}, {} MB on disk. Without a trained spaCy model (spaCy's are not on PyPI): a blank English \
                 pipeline, with which patterns and context words work, and names and places are not asked for.",
                presidio.versions,
                presidio.size / 1_000_000,
            );
        }
        text + "\nWritten by `make bench-quality`; README.md says what is in the set and how it is counted. The set is \
                made up, by the project that the detectors are of: these figures compare builds, show what is weak, and are no promise \
                about your texts.\n\n"
    }

    fn totals(&self) -> String {
        let shared: Vec<Entity> = Entity::ALL.iter().copied().filter(|entity| has(family(*entity))).collect();
        let mut text = format!(
            "## All together\n\n| | kinds | precision | recall | F2 | leak | finds where no value is | \
             negatives touched | MB/s |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n{}",
            self.total_row("pii-redactor, all its kinds", self.ours, Entity::ALL, Some(self.time)),
        );
        if let Some(presidio) = self.presidio {
            let (default, all) = presidio.times;
            text.push_str(&self.total_row("pii-redactor, kinds that both have", &presidio.shared, &shared, None));
            let name = format!(
                "Presidio, {} recognizers, score {:.2} and more (best F2)",
                presidio.recognizers.1, presidio.threshold
            );
            text.push_str(&self.total_row(&name, &presidio.tuned, &shared, None));
            let name = format!("Presidio, {} recognizers, any score", presidio.recognizers.1);
            text.push_str(&self.total_row(&name, &presidio.all, &shared, Some(all)));
            let name = format!("Presidio as it comes, {} recognizers for English, any score", presidio.recognizers.0);
            text.push_str(&self.total_row(&name, &presidio.default, &shared, Some(default)));
            let _ = write!(
                text,
                "\nSpeed is one thread on this set, which is denser with values and numbers than traffic is, detectors \
                 alone. Ours is native code here (in Envoy it is Wasm: see `make bench`), {:.0} times as fast as Presidio with all \
                 recognizers.\n",
                all.as_secs_f64() / self.time.as_secs_f64(),
            );
        }
        text + "\nThe two kinds of telephones count as one. Precision counts a value that is called something else as \
                wrong; leak does not.\n\n"
    }

    fn total_row(&self, name: &str, score: &Score, entities: &[Entity], time: Option<Duration>) -> String {
        let counts = score.of(entities);
        let (all, touched) = score.touched();
        let speed = time.map_or("".to_owned(), |time| speed(self.bytes(), time));
        let touched = percent(Some(touched as f64 / all.max(1) as f64));
        let kinds = entities.iter().filter(|entity| family(**entity) == **entity).count();
        format!("| {name} | {kinds} | {} | {} | {touched} | {speed} |\n", figures(&counts), counts.wrong)
    }

    fn entities(&self) -> String {
        let mut text = "## By kind\n\n`PHONE` stands for `NATIONAL_PHONE` as well.".to_owned();
        if let Some(presidio) = self.presidio {
            let _ = write!(
                text,
                " Presidio with all recognizers, score {:.2} and more; `-` where it has none for the kind.",
                presidio.threshold
            );
            text.push_str(
                "\n\n| kind | labels | precision | recall | F2 | leak | Presidio: precision | recall | F2 | leak |\n",
            );
            text.push_str("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n");
        } else {
            text.push_str("\n\n| kind | labels | precision | recall | F2 | leak |\n|---|--:|--:|--:|--:|--:|\n");
        }
        for entity in Entity::ALL.iter().filter(|entity| family(**entity) == **entity) {
            let counts = self.ours.of(&[*entity]);
            let _ = write!(text, "| `{}` | {} | {} |", entity.name(), counts.labels, figures(&counts));
            if let Some(presidio) = self.presidio {
                let theirs = presidio.tuned.of(&[*entity]);
                let _ = write!(text, " {} |", if has(*entity) { figures(&theirs) } else { "- | - | - | -".to_owned() });
            }
            text.push('\n');
        }
        text + "\n"
    }

    fn styles(&self) -> String {
        let mut text = "## By where the value stands\n\n| | labels | recall | leak |".to_owned();
        text.push_str(if self.presidio.is_some() {
            " Presidio: recall of the kinds it has |\n|---|--:|--:|--:|--:|\n"
        } else {
            "\n|---|--:|--:|--:|\n"
        });
        for (style, counts) in &self.ours.styles {
            let _ = write!(
                text,
                "| {} | {} | {} | {} |",
                style.name(),
                counts.labels,
                percent(counts.recall()),
                percent(counts.leak())
            );
            if let Some(presidio) = self.presidio {
                let theirs = presidio.tuned.styles.get(style).copied().unwrap_or_default();
                let known = self.texts.iter().flat_map(|text| &text.labels);
                let known = known.filter(|label| label.style == *style && has(family(label.entity))).count();
                let _ = write!(text, " {} |", percent(Some(theirs.found as f64 / known.max(1) as f64)));
            }
            text.push('\n');
        }
        text + "\n"
    }

    fn negatives(&self) -> String {
        let mut text = "## Hard negatives in which something is found\n\n".to_owned();
        let theirs = |kind: &str| {
            self.presidio.map(|presidio| presidio.tuned.negatives.get(kind).map_or(0, |(_, touched)| *touched))
        };
        let touched: Vec<_> = self
            .ours
            .negatives
            .iter()
            .filter(|(kind, (_, touched))| *touched > 0 || theirs(kind).unwrap_or(0) > 0)
            .collect();
        text.push_str(if self.presidio.is_some() {
            "| | texts | pii-redactor | Presidio |\n|---|--:|--:|--:|\n"
        } else {
            "| | texts | pii-redactor |\n|---|--:|--:|\n"
        });
        for (kind, (all, ours)) in touched {
            let _ = write!(text, "| {kind} | {all} | {ours} |");
            if let Some(theirs) = theirs(kind) {
                let _ = write!(text, " {theirs} |");
            }
            text.push('\n');
        }
        text
    }
}

fn figures(counts: &Counts) -> String {
    [counts.precision(), counts.recall(), counts.f2(), counts.leak()].map(percent).join(" | ")
}

fn percent(ratio: Option<f64>) -> String {
    ratio.map_or("-".to_owned(), |ratio| format!("{:.1} %", ratio * 100.0))
}

/// Megabytes (10^6) in a second.
fn speed(bytes: usize, time: Duration) -> String {
    let speed = bytes as f64 / 1e6 / time.as_secs_f64();
    if speed < 10.0 { format!("{speed:.3}") } else { format!("{speed:.0}") }
}

/// Today, as the machine has it.
fn date() -> String {
    let output = Command::new("date").args(["-u", "+%Y-%m-%d"]).output();
    output.map_or(String::new(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The bytes of all files below a directory.
#[must_use]
pub fn size_of(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(about) if about.is_dir() => size_of(&entry.path()),
        Ok(about) => about.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}

/// A text with its labels, as a line of JSON.
#[must_use]
pub fn line(text: &Text) -> String {
    let labels: Vec<_> = text
        .labels
        .iter()
        .map(|label| json!([label.start, label.end, label.entity.name(), label.style.name()]))
        .collect();
    json!({ "text": text.text, "labels": labels, "negative": text.negative }).to_string()
}

/// What our detectors miss, leave in part, or find where nothing is.
#[must_use]
pub fn misses(texts: &[Text], findings: &[Vec<Finding>]) -> String {
    let mut told = String::new();
    for (text, findings) in texts.iter().zip(findings) {
        for label in &text.labels {
            let met: Vec<&Finding> =
                findings.iter().filter(|one| one.start < label.end && label.start < one.end).collect();
            let is_covered = met.iter().any(|one| one.start <= label.start && label.end <= one.end);
            let verdict = match met.iter().find(|one| family(one.entity) == family(label.entity)) {
                Some(_) if is_covered => continue,
                Some(_) => "in part",
                None if met.is_empty() => "missed",
                None if is_covered => "misnamed",
                None => "misnamed and in part",
            };
            let kinds: Vec<&str> = met.iter().map(|one| one.entity.name()).collect();
            let value = text.text.get(label.start..label.end).unwrap_or_default();
            let around = around(&text.text, label.start, label.end);
            let _ = writeln!(
                told,
                "{verdict}\t{}\t{}\t{value:?}\t{kinds:?}\t{around:?}",
                label.entity.name(),
                label.style.name()
            );
        }
        for finding in findings.iter().filter(|finding| verdict(text, finding) == Verdict::Wrong) {
            let value = text.text.get(finding.start..finding.end).unwrap_or_default();
            let around = around(&text.text, finding.start, finding.end);
            let _ = writeln!(
                told,
                "wrong\t{}\t{}\t{value:?}\t[]\t{around:?}",
                finding.entity.name(),
                text.negative.unwrap_or("beside a value")
            );
        }
    }
    told
}

/// Sixty bytes before a value and twenty behind it.
fn around(text: &str, start: usize, end: usize) -> &str {
    let mut from = start.saturating_sub(60);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let mut to = (end + 20).min(text.len());
    while !text.is_char_boundary(to) {
        to -= 1;
    }
    text.get(from..to).unwrap_or_default()
}
