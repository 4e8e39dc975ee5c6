//! The values of the set, made up: one function for each kind, with the spellings that people and programs give it, and the
//! words that stand beside it.

mod documents;
mod money;
mod network;
mod secrets;
mod states;

use pii_core::detect::Entity;

use crate::random::Random;

/// The languages of the texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Language {
    /// English.
    En,
    /// German.
    De,
    /// French.
    Fr,
    /// Spanish.
    Es,
    /// Italian.
    It,
    /// Portuguese.
    Pt,
    /// Polish.
    Pl,
    /// Dutch.
    Nl,
}

/// What a value is called.
#[derive(Debug)]
pub struct Vocabulary {
    /// In sentences.
    pub words: &'static [(Language, &'static str)],
    /// As the name of a field, a variable or a column.
    pub keys: &'static [&'static str],
}

/// A value, with what belongs to it.
#[derive(Clone, Debug)]
pub struct Value {
    /// What stands right before it, such as the scheme of an address.
    pub before: String,
    /// What is labelled.
    pub text: String,
    /// What stands right behind it.
    pub after: String,
    /// What it is called.
    pub vocabulary: &'static Vocabulary,
    /// Whether nobody could tell what it is without its words.
    pub needs_words: bool,
}

impl Value {
    fn new(text: impl Into<String>, vocabulary: &'static Vocabulary) -> Self {
        Self { before: String::new(), text: text.into(), after: String::new(), vocabulary, needs_words: false }
    }

    fn named(text: impl Into<String>, vocabulary: &'static Vocabulary) -> Self {
        Self { needs_words: true, ..Self::new(text, vocabulary) }
    }

    fn within(self, before: impl Into<String>, after: impl Into<String>) -> Self {
        Self { before: before.into(), after: after.into(), ..self }
    }

    fn needing_words(self, needs_words: bool) -> Self {
        Self { needs_words, ..self }
    }
}

/// A value of a kind.
#[must_use]
pub fn value(entity: Entity, random: &mut Random) -> Value {
    match entity {
        Entity::Email => network::email(random),
        Entity::Phone => network::phone(random),
        Entity::NationalPhone => network::national_phone(random),
        Entity::CreditCard => money::card(random),
        Entity::Iban => money::iban(random),
        Entity::BankAccount => money::account(random),
        Entity::CryptoAddress => money::crypto(random),
        Entity::UsSsn => states::us_ssn(random),
        Entity::UsItin => states::us_itin(random),
        Entity::UkNino => states::uk_nino(random),
        Entity::UkNhs => states::uk_nhs(random),
        Entity::CaSin => states::ca_sin(random),
        Entity::AuTfn => states::au_tfn(random),
        Entity::AuAbn => states::au_abn(random),
        Entity::AuMedicare => states::au_medicare(random),
        Entity::InAadhaar => states::in_aadhaar(random),
        Entity::InPan => states::in_pan(random),
        Entity::EsNif => states::es_nif(random),
        Entity::ItCodiceFiscale => states::it_codice_fiscale(random),
        Entity::PlPesel => states::pl_pesel(random),
        Entity::SgNric => states::sg_nric(random),
        Entity::DeSteuerId => states::de_steuer_id(random),
        Entity::BrCpf => states::br_cpf(random),
        Entity::BrCnpj => states::br_cnpj(random),
        Entity::Passport => documents::passport(random),
        Entity::DrivingLicence => documents::driving_licence(random),
        Entity::DateOfBirth => documents::date_of_birth(random),
        Entity::IpAddress => network::ip(random),
        Entity::MacAddress => network::mac(random),
        Entity::UrlCredentials => network::url_credentials(random),
        Entity::AwsKey => secrets::aws(random),
        Entity::GcpKey => secrets::gcp(random),
        Entity::AzureKey => secrets::azure(random),
        Entity::GithubToken => secrets::github(random),
        Entity::GitlabToken => secrets::gitlab(random),
        Entity::SlackToken => secrets::slack(random),
        Entity::StripeKey => secrets::stripe(random),
        Entity::OpenaiKey => secrets::openai(random),
        Entity::AnthropicKey => secrets::anthropic(random),
        Entity::NpmToken => secrets::npm(random),
        Entity::PypiToken => secrets::pypi(random),
        Entity::Jwt => secrets::jwt(random),
        Entity::PrivateKey => secrets::private_key(random),
        Entity::Secret => secrets::other(random),
    }
}

pub use network::{email, host};

/// Digits in groups of these sizes, parted by `sign`.
#[must_use]
pub fn grouped(digits: &str, sizes: &[usize], sign: &str) -> String {
    let (mut rest, mut groups) = (digits, Vec::new());
    for size in sizes {
        let (group, behind) = rest.split_at((*size).min(rest.len()));
        groups.push(group);
        rest = behind;
    }
    groups.join(sign) + rest
}
