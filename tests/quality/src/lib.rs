//! How much of what pii-redactor should find it finds, and how much else: precision and recall for each kind on a set of texts
//! that is made up here, from a seed, with its labels. README.md says what is in the set and how it is counted.

pub mod check;
pub mod negatives;
pub mod ours;
pub mod presidio;
pub mod random;
pub mod report;
pub mod score;
pub mod set;
pub mod text;
pub mod values;
