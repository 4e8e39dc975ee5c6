//! Passports and driving licences: numbers in the forms of the main countries, beside a word that says what they are.
//!
//! Sources: ICAO Doc 9303 (passport numbers: nine letters and digits at most) and the forms that the issuers publish (PRADO, the
//! Council of the EU's register of documents); the DVLA's form of driver numbers (GB), AAMVA's list of the licence formats of the
//! states (US), the Kraftfahrt-Bundesamt's (DE).

use super::date::is_date;
use super::form::{FIELDS, Names, Place, Rule, Rules, Written, continues};
use super::{Entity, EntitySet, Found, View, Word};

const KINDS: &[Entity] = &[Entity::Passport, Entity::DrivingLicence];

/// What begins with a word that has a digit, and is no part of another.
pub(super) fn look(view: &View<'_>, word: Word, wanted: EntitySet, found: &mut Vec<Found>) {
    if word.length <= 16 && wanted.has_any(KINDS) {
        Place { view, word, wanted, found }.apply(if word.letters { &WITH_LETTERS } else { &OF_DIGITS });
    }
}

/// What begins with a word of letters alone: up to five, upper case, digits behind them.
pub(super) fn look_at_letters(view: &View<'_>, word: Word, wanted: EntitySet, found: &mut Vec<Found>) {
    let is_short = word.length <= 5 && matches!(word.next, Some(b' ' | b'-')) && wanted.has_any(KINDS);
    if is_short && view.slice(0, word.length).iter().all(u8::is_ascii_uppercase) && !continues(view) {
        Place { view, word, wanted, found }.apply(&AFTER_LETTERS);
    }
}

const PASSPORT: &Names = &Names::among(
    &[
        "passport",
        "passports",
        "passportnumber",
        "passportno",
        "passportid",
        "ppt",
        "reisepass",
        "reisepassnummer",
        "passnummer",
        "pass nr",
        "passeport",
        "pasaporte",
        "passaporto",
        "passaporte",
        "paspoort",
        "paspoortnummer",
        "paszport",
        "paszportu",
        "passnr",
        "pasnummer",
        "护照",
        "旅券",
        "パスポート",
    ],
    FIELDS,
);

const LICENCE: &Names = &Names::among(
    &[
        "driving licence",
        "driving license",
        "driver licence",
        "driver license",
        "drivers licence",
        "drivers license",
        "driver s licence",
        "driver s license",
        "driver’s licence",
        "driver’s license",
        "drivinglicence",
        "drivinglicense",
        "driverlicence",
        "driverlicense",
        "driverslicence",
        "driverslicense",
        "driverlicensenumber",
        "driverslicensenumber",
        "drivinglicencenumber",
        "driver number",
        "license number",
        "licence number",
        "license no",
        "licence no",
        "licensenumber",
        "licencenumber",
        "licenseno",
        "licenceno",
        "dl",
        "dln",
        "dl number",
        "dlnumber",
        "dl no",
        "dlno",
        "führerschein",
        "führerscheinnummer",
        "fuehrerschein",
        "fuehrerscheinnummer",
        "permis",
        "permis de conduire",
        "numéro de permis",
        "numeropermis",
        "carnet de conducir",
        "permiso de conducir",
        "licencia de conducir",
        "patente",
        "patente di guida",
        "carta de condução",
        "cnh",
        "rijbewijs",
        "rijbewijsnummer",
        "prawo jazdy",
        "prawa jazdy",
        "körkort",
        "驾驶证",
        "運転免許証",
    ],
    FIELDS,
);

const fn passport(form: &'static str, check: fn(&Written) -> bool) -> Rule {
    Rule::new(Entity::Passport, form, check, PASSPORT, 0, 80)
}

const fn licence(form: &'static str, check: fn(&Written) -> bool) -> Rule {
    Rule::new(Entity::DrivingLicence, form, check, LICENCE, 0, 80)
}

static OF_DIGITS: Rules = Rules::new(&[
    // United States and United Kingdom, then Sweden, then some of Russia.
    passport("999999999", is_any),
    passport("99999999", is_no_date),
    passport("99 9999999", is_any),
    // Texas and others, New York and others, Brazil, France and Japan, Australia, then as New York and Poland print them.
    licence("9999999", is_any),
    licence("99999999", is_no_date),
    licence("999999999", is_any),
    licence("9999999999", is_any),
    licence("99999999999", is_any),
    licence("999999999999", is_any),
    licence("999 999 999", is_any),
    licence("99999/99/9999", is_any),
    licence("99999999A", is_any),
]);

static WITH_LETTERS: Rules = Rules::new(&[
    // United States and China, France, Spain, Italy and Poland, India and Switzerland, Canada, Brazil and Portugal.
    passport("A99999999", is_any),
    passport("99AA99999", is_any),
    passport("AAA999999", is_any),
    passport("AA9999999", is_any),
    passport("A9999999", is_any),
    passport("AA999999", is_any),
    passport("A999999", is_any),
    // Canada since 2023, Singapore, Mexico, then Germany and the Netherlands with letters at any place.
    passport("A999999AA", is_any),
    passport("A9999999A", is_any),
    passport("A9999999999", is_any),
    passport("AXXXXXXX9", has_many_digits),
    passport("AXXXXXXX9", is_german),
    // United Kingdom, with the two characters that the counterpart adds or without.
    licence("XXXXX999999XXXAA", is_british),
    licence("AA9999999A", is_any),
    // California and its like, then longer ones of other states.
    licence("A9999999", is_any),
    licence("A99999999", is_any),
    licence("A999999999", is_any),
    licence("A99999999999", is_any),
    licence("A999999999999", is_any),
    licence("A99999999999999", is_any),
    licence("AA999999A", is_any),
    licence("AA9999999", is_any),
    // Italy since 2005, Spain, Germany, India.
    licence("A9A9999999", is_any),
    licence("A9A999999A", is_any),
    licence("99999999A", is_any),
    licence("XXXXXXXXX9X", has_many_digits),
    licence("AA9999999999999", is_any),
    licence("AA99 99999999999", is_any),
    licence("AA99-99999999999", is_any),
    // Ontario, Florida, then Illinois and others, as they are printed.
    licence("A9999-99999-99999", is_any),
    licence("A999-999-99-999-9", is_any),
    licence("A999-9999-9999", is_any),
]);

static AFTER_LETTERS: Rules = Rules::new(&[
    passport("A 99999999", is_any),
    passport("A 9999999", is_any),
    passport("AA 999999", is_any),
    passport("AA 9999999", is_any),
    passport("AAA 999999", is_any),
    licence("AAAAA 999999 XXXAA", is_british),
    licence("A 9999999", is_any),
    licence("AA 9999999", is_any),
    licence("AA-9999999999999", is_any),
]);

fn is_any(_: &Written) -> bool {
    true
}

/// Eight digits that are no day of this century or the last, as passports have beside their numbers.
fn is_no_date(written: &Written) -> bool {
    let is_day = |year: u32, month, day| (1900..2100).contains(&year) && is_date(year, month, day);
    let (year, month, day) = (written.number(0, 4), written.number(4, 6), written.number(6, 8));
    let (day_first, month_second, year_last) = (written.number(0, 2), written.number(2, 4), written.number(4, 8));
    !is_day(year, month, day)
        && !is_day(year_last, month_second, day_first)
        && !is_day(year_last, day_first, month_second)
}

/// Letters at any place, but at least three digits, and none of the vowels that these documents don't use.
fn has_many_digits(written: &Written) -> bool {
    let characters = written.characters();
    let digits = characters.iter().filter(|byte| byte.is_ascii_digit()).count();
    digits >= 3 && !characters.iter().any(|byte| b"AEIOU".contains(byte) && characters.len() == 9)
}

/// Two digits at least, the last character among them, and the letters that serial numbers of German documents have: no vowels,
/// and no B, D, Q and S (the Federal Ministry of the Interior on passports since 2007).
fn is_german(written: &Written) -> bool {
    let characters = written.characters();
    let digits = characters.iter().filter(|byte| byte.is_ascii_digit()).count();
    let known = characters.iter().all(|byte| byte.is_ascii_digit() || b"CFGHJKLMNPRTVWXYZ".contains(byte));
    digits >= 2 && known && !written.lower
}

/// Five letters of the surname (9 fills up), the decade, the month (50 more for women), the day, the year, two initials (9 where
/// there is none), a digit and two letters.
fn is_british(written: &Written) -> bool {
    let name = written.characters().get(..5).unwrap_or_default();
    let is_name = name.first().is_some_and(u8::is_ascii_alphabetic)
        && name.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'9');
    is_name && matches!(written.number(6, 8), 1..=12 | 51..=62) && matches!(written.number(8, 10), 1..=31)
}
