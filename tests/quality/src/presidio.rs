//! Microsoft Presidio over the same texts: `presidio.py` asks it, in a process of its own.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use pii_core::detect::Entity;
use serde_json::{Value, json};

use crate::score::Finding;
use crate::text::Text;

/// Presidio's kinds, and ours. What is not here is not asked for: URLs, dates of any sort, names, plates of cars and the like,
/// for which the set has no labels.
pub const KINDS: &[(&str, Entity)] = &[
    ("EMAIL_ADDRESS", Entity::Email),
    ("PHONE_NUMBER", Entity::Phone),
    ("CREDIT_CARD", Entity::CreditCard),
    ("IBAN_CODE", Entity::Iban),
    ("US_SSN", Entity::UsSsn),
    ("US_ITIN", Entity::UsItin),
    ("UK_NINO", Entity::UkNino),
    ("UK_NHS", Entity::UkNhs),
    ("CA_SIN", Entity::CaSin),
    ("AU_TFN", Entity::AuTfn),
    ("AU_ABN", Entity::AuAbn),
    ("AU_MEDICARE", Entity::AuMedicare),
    ("IN_AADHAAR", Entity::InAadhaar),
    ("IN_PAN", Entity::InPan),
    ("ES_NIF", Entity::EsNif),
    ("ES_NIE", Entity::EsNif),
    ("IT_FISCAL_CODE", Entity::ItCodiceFiscale),
    ("PL_PESEL", Entity::PlPesel),
    ("SG_NRIC_FIN", Entity::SgNric),
    ("DE_TAX_ID", Entity::DeSteuerId),
    ("IP_ADDRESS", Entity::IpAddress),
    ("MAC_ADDRESS", Entity::MacAddress),
    ("CRYPTO", Entity::CryptoAddress),
    ("US_PASSPORT", Entity::Passport),
    ("UK_PASSPORT", Entity::Passport),
    ("DE_PASSPORT", Entity::Passport),
    ("ES_PASSPORT", Entity::Passport),
    ("IT_PASSPORT", Entity::Passport),
    ("US_DRIVER_LICENSE", Entity::DrivingLicence),
    ("UK_DRIVING_LICENCE", Entity::DrivingLicence),
    ("DE_FUEHRERSCHEIN", Entity::DrivingLicence),
    ("IT_DRIVER_LICENSE", Entity::DrivingLicence),
    ("US_BANK_NUMBER", Entity::BankAccount),
    ("ABA_ROUTING_NUMBER", Entity::BankAccount),
];

/// Whether Presidio has a kind.
#[must_use]
pub fn has(entity: Entity) -> bool {
    KINDS.iter().any(|(_, ours)| *ours == entity)
}

/// What Presidio found, and how fast.
#[derive(Debug)]
pub struct Answer {
    /// What is found in each text, at any score.
    pub findings: Vec<Vec<Finding>>,
    /// How long it took, without starting and loading.
    pub time: Duration,
    /// Versions of Python, Presidio and spaCy.
    pub versions: String,
    /// How many recognizers were asked.
    pub recognizers: usize,
}

/// Asks Presidio: with all of its recognizers of our kinds, or those that it has by itself for English.
///
/// # Errors
/// What went wrong, in words.
pub fn ask(script: &Path, packages: &Path, all: bool, texts: &[Text]) -> Result<Answer, String> {
    let mut child = Command::new("python3")
        .arg(script)
        .arg(if all { "all" } else { "default" })
        .env("PYTHONPATH", packages)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("python3 can't be run: {error}"))?;
    let kinds: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
    let texts_of: Vec<&str> = texts.iter().map(|text| text.text.as_str()).collect();
    let question = json!({ "entities": kinds, "texts": texts_of }).to_string();
    let mut input = child.stdin.take().ok_or("python3 takes no input")?;
    input.write_all(question.as_bytes()).map_err(|error| format!("presidio.py can't be asked: {error}"))?;
    drop(input);
    let output = child.wait_with_output().map_err(|error| format!("presidio.py ended early: {error}"))?;
    if !output.status.success() {
        return Err(format!("presidio.py: {}", output.status));
    }
    let answer: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("presidio.py's answer is no JSON: {error}"))?;
    read(&answer, texts).ok_or_else(|| "presidio.py's answer has another form than expected".to_owned())
}

fn read(answer: &Value, texts: &[Text]) -> Option<Answer> {
    let found = answer["findings"].as_array()?;
    Some(Answer {
        findings: texts.iter().zip(found).map(|(text, found)| findings(&text.text, found)).collect::<Option<_>>()?,
        time: Duration::from_secs_f64(answer["seconds"].as_f64()?),
        versions: answer["versions"].as_str()?.to_owned(),
        recognizers: usize::try_from(answer["recognizers"].as_u64()?).ok()?,
    })
}

/// Python counts characters; labels count bytes.
fn findings(text: &str, found: &Value) -> Option<Vec<Finding>> {
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let place = |value: &Value| places.get(usize::try_from(value.as_u64()?).ok()?).copied();
    let finding = |one: &Value| {
        let entity = KINDS.iter().find(|(name, _)| Some(*name) == one[2].as_str())?.1;
        Some(Finding { start: place(&one[0])?, end: place(&one[1])?, entity, score: one[3].as_f64()? })
    };
    found.as_array()?.iter().map(finding).collect()
}

/// What Presidio's anonymizer would replace at a threshold: of those at one place the surest, and none that lies within
/// another.
#[must_use]
pub fn resolved(findings: &[Vec<Finding>], threshold: f64) -> Vec<Vec<Finding>> {
    let loses = |one: &Finding, at: usize, other: &Finding, other_at: usize| {
        let within = other.start <= one.start && one.end <= other.end;
        let same = one.start == other.start && one.end == other.end;
        at != other_at && within && (!same || (other.score, at) > (one.score, other_at))
    };
    let resolve = |findings: &Vec<Finding>| {
        let sure: Vec<&Finding> = findings.iter().filter(|finding| finding.score >= threshold - 1e-9).collect();
        let wins = |at: usize, one: &Finding| {
            !sure.iter().enumerate().any(|(other_at, other)| loses(one, at, other, other_at))
        };
        sure.iter().enumerate().filter(|(at, one)| wins(*at, one)).map(|(_, one)| (*one).clone()).collect()
    };
    findings.iter().map(resolve).collect()
}
