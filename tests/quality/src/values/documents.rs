//! Documents, and dates of birth.

use super::Language::{De, En, Es, Fr, It, Nl, Pl, Pt};
use super::{Value, Vocabulary};
use crate::random::{CAPITALS, Random};

static PASSPORT: Vocabulary = Vocabulary {
    words: &[(En, "passport number"), (En, "passport no."), (En, "passport"), (En, "US passport")],
    keys: &["passport_number", "passportNo", "passport"],
};
static PASSPORT_DE: Vocabulary = Vocabulary {
    words: &[(De, "Reisepass"), (De, "Reisepassnummer"), (De, "Passnummer"), (De, "Pass-Nr.")],
    keys: &["reisepass_nr", "passport_number"],
};
static PASSPORT_FR: Vocabulary = Vocabulary {
    words: &[(Fr, "passeport"), (Fr, "numéro de passeport"), (Fr, "passeport n°")],
    keys: &["numero_passeport", "passeport"],
};
static PASSPORT_ES: Vocabulary =
    Vocabulary { words: &[(Es, "pasaporte"), (Es, "número de pasaporte")], keys: &["pasaporte", "numero_pasaporte"] };
static PASSPORT_IT: Vocabulary =
    Vocabulary { words: &[(It, "passaporto"), (It, "numero di passaporto")], keys: &["passaporto", "passport_number"] };

pub(super) fn passport(random: &mut Random) -> Value {
    match random.below(10) {
        0..3 => Value::named(random.number(9), &PASSPORT),
        3..5 => Value::named(random.signs(CAPITALS, 1) + &random.digits(8), &PASSPORT),
        5 => Value::named(random.signs("ABCDEFGHJKLMNPRSTUVWXYZ", 1) + &random.number(7), &PASSPORT),
        6 => Value::named(
            random.signs("CFGHJK", 1) + &random.signs("0123456789CFGHJKLMNPRTVWXYZ", 7) + &random.digits(1),
            &PASSPORT_DE,
        ),
        7 => Value::named(random.digits(2) + &random.signs(CAPITALS, 2) + &random.digits(5), &PASSPORT_FR),
        8 => Value::named(random.signs(CAPITALS, 3) + &random.digits(6), &PASSPORT_ES),
        _ => Value::named(random.signs("ABCY", 1) + &random.signs("AB", 1) + &random.digits(7), &PASSPORT_IT),
    }
}

static LICENCE: Vocabulary = Vocabulary {
    words: &[
        (En, "driver's license"),
        (En, "driving licence number"),
        (En, "driver license no."),
        (En, "DL number"),
        (En, "license number"),
    ],
    keys: &["driver_license", "driversLicense", "dl_number", "licence_number"],
};
static LICENCE_DE: Vocabulary = Vocabulary {
    words: &[(De, "Führerschein"), (De, "Führerscheinnummer"), (De, "Führerschein-Nr.")],
    keys: &["fuehrerschein_nr", "fuehrerscheinnummer"],
};
static LICENCE_FR: Vocabulary =
    Vocabulary { words: &[(Fr, "permis de conduire"), (Fr, "numéro de permis")], keys: &["permis", "numero_permis"] };
static LICENCE_IT: Vocabulary =
    Vocabulary { words: &[(It, "patente"), (It, "patente di guida")], keys: &["patente", "numero_patente"] };

/// California, Florida, New York, Illinois, Great Britain, Germany, France, Italy.
pub(super) fn driving_licence(random: &mut Random) -> Value {
    match random.below(10) {
        0..2 => Value::named(random.signs(CAPITALS, 1) + &random.number(7), &LICENCE),
        2 => {
            let digits = random.digits(12);
            let groups = super::grouped(&digits, &[3, 3, 2, 3, 1], "-");
            Value::named(random.signs(CAPITALS, 1) + &if random.percent(50) { digits } else { groups }, &LICENCE)
        }
        3 => Value::named(random.number(9), &LICENCE),
        4 => Value::named(random.signs(CAPITALS, 1) + &random.digits(11), &LICENCE),
        5..7 => Value::named(british_licence(random), &LICENCE),
        7 => Value::named(
            random.signs(CAPITALS, 1)
                + &random.digits(2)
                + &random.signs("0123456789ABCDEFGHJKLMNPRSTUVWXYZ", 6)
                + &random.digits(1)
                + &random.signs("12345", 1),
            &LICENCE_DE,
        ),
        8 => Value::named(random.digits(12), &LICENCE_FR),
        _ => Value::named(random.signs(CAPITALS, 2) + &random.digits(7) + &random.signs(CAPITALS, 1), &LICENCE_IT),
    }
}

/// DVLA: five letters of the name, the decade, month (50 more for women) and day, the year's last digit, two initials (9 for
/// none), a digit and two letters.
fn british_licence(random: &mut Random) -> String {
    let name = random.pick(&["MORGA", "JONES", "SMITH", "EVANS", "TAYLO", "BROWN", "FOX99", "LEE99", "WILSO"]);
    let month = random.between(1, 12) + if random.percent(50) { 50 } else { 0 };
    let (decade, day, year) = (random.digits(1), random.between(1, 28), random.digits(1));
    let initials = random.pick(&["SM", "AJ", "R9", "EM", "K9"]);
    format!("{name}{decade}{month:02}{day:02}{year}{initials}9{}", random.signs(CAPITALS, 2))
}

static BIRTH: Vocabulary = Vocabulary {
    words: &[
        (En, "date of birth"),
        (En, "DOB"),
        (En, "birthday"),
        (En, "birth date"),
        (De, "Geburtsdatum"),
        (De, "Geburtstag"),
        (Fr, "date de naissance"),
        (Es, "fecha de nacimiento"),
        (It, "data di nascita"),
        (Pt, "data de nascimento"),
        (Pl, "data urodzenia"),
        (Nl, "geboortedatum"),
    ],
    keys: &["date_of_birth", "dob", "birthDate", "birthday", "dateOfBirth"],
};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) fn date_of_birth(random: &mut Random) -> Value {
    let (year, month, day) = (random.between(1935, 2012), random.between(1, 12), random.between(1, 28));
    let name = MONTHS[month - 1];
    let text = match random.below(9) {
        0..2 => format!("{year}-{month:02}-{day:02}"),
        2 => format!("{day:02}/{month:02}/{year}"),
        3 => format!("{month}/{day}/{year}"),
        4 => format!("{day:02}.{month:02}.{year}"),
        5 => format!("{name} {day}, {year}"),
        6 => format!("{day} {name} {year}"),
        7 => format!("{day}-{}-{year}", &name[..3]),
        _ => format!("{month:02}/{day:02}/{:02}", year % 100),
    };
    Value::named(text, &BIRTH)
}
