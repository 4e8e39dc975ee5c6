//! How findings are held against labels.

use std::collections::BTreeMap;

use pii_core::detect::Entity;

use crate::text::{Style, Text};

/// Something that was found in a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
    /// Its kind.
    pub entity: Entity,
    /// How sure it is, from 0 to 1.
    pub score: f64,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Labels.
    pub labels: usize,
    /// Labels that a finding of their kind overlaps.
    pub found: usize,
    /// Labels of which all bytes are within findings of any kind: nothing of them leaks.
    pub covered: usize,
    /// Findings that overlap a label of their kind.
    pub right: usize,
    /// Findings that overlap labels of other kinds only: a value, but called something else.
    pub misnamed: usize,
    /// Findings where no value is.
    pub wrong: usize,
}

impl Counts {
    /// How many findings are right; none without findings.
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        ratio(self.right, self.right + self.misnamed + self.wrong)
    }

    /// How many labels are found by their kind; none without labels.
    #[must_use]
    pub fn recall(&self) -> Option<f64> {
        ratio(self.found, self.labels)
    }

    /// How many labels leak, wholly or in part.
    #[must_use]
    pub fn leak(&self) -> Option<f64> {
        ratio(self.labels - self.covered, self.labels)
    }

    /// The F measure with beta 2: recall counts four times as much as precision.
    #[must_use]
    pub fn f2(&self) -> Option<f64> {
        let recall = self.recall()?;
        let precision = self.precision().unwrap_or(0.0);
        Some(if precision + recall == 0.0 { 0.0 } else { 5.0 * precision * recall / (4.0 * precision + recall) })
    }

    /// Adds others.
    pub const fn add(&mut self, other: &Self) {
        self.labels += other.labels;
        self.found += other.found;
        self.covered += other.covered;
        self.right += other.right;
        self.misnamed += other.misnamed;
        self.wrong += other.wrong;
    }
}

fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// All that was counted on a set.
#[derive(Clone, Debug, Default)]
pub struct Score {
    /// By kind; the two kinds of telephones count as [`Entity::Phone`].
    pub entities: BTreeMap<Entity, Counts>,
    /// By how the value stands in its text; of these only what is about labels is counted.
    pub styles: BTreeMap<Style, Counts>,
    /// By kind of negative: how many texts there are, and in how many something is found.
    pub negatives: BTreeMap<&'static str, (usize, usize)>,
}

impl Score {
    /// All kinds together.
    #[must_use]
    pub fn total(&self) -> Counts {
        self.of(Entity::ALL)
    }

    /// Some kinds together.
    #[must_use]
    pub fn of(&self, entities: &[Entity]) -> Counts {
        let mut total = Counts::default();
        self.entities.iter().filter(|(entity, _)| entities.contains(entity)).for_each(|(_, counts)| total.add(counts));
        total
    }

    /// Negatives, and those in which something is found.
    #[must_use]
    pub fn touched(&self) -> (usize, usize) {
        self.negatives.values().fold((0, 0), |(all, touched), (more, hit)| (all + more, touched + hit))
    }
}

/// Telephones are one family: which of the two kinds a number is depends on how it is written.
#[must_use]
pub const fn family(entity: Entity) -> Entity {
    match entity {
        Entity::NationalPhone => Entity::Phone,
        other => other,
    }
}

/// Holds findings against labels.
#[must_use]
pub fn score(texts: &[Text], findings: &[Vec<Finding>]) -> Score {
    let mut score = Score::default();
    for (text, findings) in texts.iter().zip(findings) {
        count_labels(text, findings, &mut score);
        count_findings(text, findings, &mut score);
        if let Some(kind) = text.negative {
            let (all, touched) = score.negatives.entry(kind).or_default();
            *all += 1;
            *touched += usize::from(!findings.is_empty());
        }
    }
    score
}

fn count_labels(text: &Text, findings: &[Finding], score: &mut Score) {
    for label in &text.labels {
        let entity = family(label.entity);
        let is_found = findings
            .iter()
            .any(|finding| family(finding.entity) == entity && overlaps(finding, label.start, label.end));
        let is_covered = (label.start..label.end)
            .all(|at| findings.iter().any(|finding| (finding.start..finding.end).contains(&at)));
        let counts =
            Counts { labels: 1, found: usize::from(is_found), covered: usize::from(is_covered), ..Counts::default() };
        score.entities.entry(entity).or_default().add(&counts);
        score.styles.entry(label.style).or_default().add(&counts);
    }
}

fn count_findings(text: &Text, findings: &[Finding], score: &mut Score) {
    for finding in findings {
        let entity = family(finding.entity);
        let counts = score.entities.entry(entity).or_default();
        match verdict(text, finding) {
            Verdict::Right => counts.right += 1,
            Verdict::Misnamed => counts.misnamed += 1,
            Verdict::Wrong => counts.wrong += 1,
        }
    }
}

/// What a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It overlaps a label of its kind.
    Right,
    /// It overlaps labels of other kinds only.
    Misnamed,
    /// It overlaps no label.
    Wrong,
}

/// What a finding is, by the labels of its text.
#[must_use]
pub fn verdict(text: &Text, finding: &Finding) -> Verdict {
    let mut met = text.labels.iter().filter(|label| overlaps(finding, label.start, label.end)).peekable();
    if met.peek().is_none() {
        return Verdict::Wrong;
    }
    if met.any(|label| family(label.entity) == family(finding.entity)) { Verdict::Right } else { Verdict::Misnamed }
}

const fn overlaps(finding: &Finding, start: usize, end: usize) -> bool {
    finding.start < end && start < finding.end
}
