//! pii-redactor's detectors over the set, as the filter asks them: overlaps are resolved, and what is sure enough counts.

use std::time::{Duration, Instant};

use pii_core::detect::EntitySet;
use pii_core::detectors::{Detectors, Hit, Kind};
use pii_core::scanner::Scanner;
use pii_core::style::Style;
use pii_core::text::Run;

use crate::score::Finding;
use crate::text::Text;

/// The confidence that counts where a configuration says nothing else (`entities.minConfidence`).
pub const MINIMUM: u8 = 50;

/// All kinds.
#[must_use]
pub fn detectors() -> Detectors {
    Detectors::new(EntitySet::all(), MINIMUM, None, Vec::new(), Style::default())
}

/// What is found in each text.
#[must_use]
pub fn find(texts: &[Text]) -> Vec<Vec<Finding>> {
    let (detectors, mut scanner, mut hits) = (detectors(), Scanner::default(), Vec::new());
    texts
        .iter()
        .map(|text| {
            scan(&detectors, &mut scanner, &text.text, &mut hits);
            hits.iter().filter_map(|hit| finding(&scanner, hit)).collect()
        })
        .collect()
}

/// How long it takes to look through all texts, at best of several times.
#[must_use]
pub fn time(texts: &[Text]) -> Duration {
    let (detectors, mut scanner, mut hits) = (detectors(), Scanner::default(), Vec::new());
    let mut once = || {
        let began = Instant::now();
        texts.iter().for_each(|text| scan(&detectors, &mut scanner, &text.text, &mut hits));
        began.elapsed()
    };
    (0..5).map(|_| once()).min().unwrap_or_default()
}

fn scan(detectors: &Detectors, scanner: &mut Scanner, text: &str, hits: &mut Vec<Hit>) {
    hits.clear();
    scanner.begin(b"");
    scanner.push(Run::plain(text.as_bytes(), 0));
    scanner.scan(detectors, true, hits);
}

fn finding(scanner: &Scanner, hit: &Hit) -> Option<Finding> {
    let Kind::Entity(entity) = hit.kind else { return None };
    let ranges = scanner.text().raw(hit.start..hit.end);
    let start = ranges.iter().map(|range| range.start).min()?;
    let end = ranges.iter().map(|range| range.end).max()?;
    Some(Finding {
        start: usize::try_from(start).ok()?,
        end: usize::try_from(end).ok()?,
        entity,
        score: f64::from(hit.confidence) / 100.0,
    })
}
