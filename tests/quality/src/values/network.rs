//! How people and machines are reached.

use super::Language::{De, En, Es, Fr, It, Nl, Pl, Pt};
use super::{Value, Vocabulary, grouped};
use crate::random::{HEX, Random, SMALL, WORD};

static EMAIL: Vocabulary = Vocabulary {
    words: &[
        (En, "email"),
        (En, "e-mail address"),
        (De, "E-Mail-Adresse"),
        (Fr, "adresse e-mail"),
        (Es, "correo electrónico"),
        (It, "indirizzo email"),
        (Pt, "e-mail"),
        (Nl, "e-mailadres"),
        (Pl, "adres e-mail"),
    ],
    keys: &["email", "userEmail", "contact_email", "from", "user"],
};

const FIRST_NAMES: [&str; 16] = [
    "anna", "john", "maria", "li", "ahmed", "sofia", "peter", "olga", "priya", "lucas", "emma", "yuki", "Tom", "Ines",
    "carlos", "nina",
];
const LAST_NAMES: [&str; 14] = [
    "smith", "garcia", "mueller", "rossi", "kowalska", "silva", "tanaka", "dubois", "Jones", "o'brien", "van.dijk",
    "khan", "nguyen", "berg",
];
const HOSTS: [&str; 16] = [
    "example.com",
    "gmail.com",
    "mail.example.org",
    "outlook.com",
    "example.co.uk",
    "web.de",
    "orange.fr",
    "libero.it",
    "uol.com.br",
    "wp.pl",
    "acme-corp.io",
    "kliniek.nl",
    "firma.at",
    "startup.dev",
    "uni-bonn.de",
    "post.museum",
];

/// An email address.
#[must_use]
pub fn email(random: &mut Random) -> Value {
    let (first, last, host) = (random.pick(&FIRST_NAMES), random.pick(&LAST_NAMES), random.pick(&HOSTS));
    let text = match random.below(10) {
        0..4 => format!("{first}.{last}@{host}"),
        4..6 => format!("{first}{}@{host}", random.between(1, 1999)),
        6 => format!("{first}+{}@{host}", random.pick(&["news", "github", "test1"])),
        7 => format!("{first}_{}@{host}", random.signs(SMALL, 5)),
        8 => format!("{first}.{last}@{host}").to_uppercase(),
        _ => format!("jos\u{e9}.{first}@{}", random.pick(&["b\u{fc}ro-nord.de", "correo.es", "example.com"])),
    };
    Value::new(text, &EMAIL)
}

static PHONE: Vocabulary = Vocabulary {
    words: &[
        (En, "phone number"),
        (En, "phone"),
        (En, "mobile"),
        (En, "cell"),
        (De, "Telefonnummer"),
        (De, "Handynummer"),
        (Fr, "numéro de téléphone"),
        (Es, "teléfono"),
        (It, "numero di telefono"),
        (Pt, "telefone"),
        (Pl, "numer telefonu"),
        (Nl, "telefoonnummer"),
    ],
    keys: &["phone", "phone_number", "mobile", "phoneNumber", "tel"],
};

/// Area codes of North America.
const AREAS: [&str; 10] = ["212", "415", "312", "646", "206", "617", "305", "702", "604", "416"];

/// Country codes with the beginnings of mobile and other numbers, and the sizes of the groups behind them.
const COUNTRIES: [(&str, &str, &[usize]); 16] = [
    ("49", "151", &[4, 4]),
    ("49", "30", &[4, 4]),
    ("44", "20", &[4, 4]),
    ("44", "7911", &[6]),
    ("33", "6", &[2, 2, 2, 2]),
    ("34", "612", &[3, 3]),
    ("39", "347", &[3, 4]),
    ("48", "601", &[3, 3]),
    ("31", "6", &[4, 4]),
    ("55", "11", &[5, 4]),
    ("91", "98", &[3, 5]),
    ("61", "4", &[2, 3, 3]),
    ("65", "9", &[3, 4]),
    ("81", "90", &[4, 4]),
    ("43", "664", &[3, 4]),
    ("46", "70", &[3, 4]),
];

/// Those whose numbers begin with a zero within the country.
const WITH_ZERO: [&str; 7] = ["49", "44", "33", "31", "61", "43", "46"];

pub(super) fn phone(random: &mut Random) -> Value {
    if random.percent(45) {
        return american_phone(random);
    }
    let (country, begin, groups) = random.pick(&COUNTRIES);
    let rest: Vec<String> = groups.iter().map(|size| random.digits(*size)).collect();
    match random.below(10) {
        0..4 => Value::new(format!("+{country} {begin} {}", rest.join(" ")), &PHONE),
        4..7 => Value::new(format!("+{country}{begin}{}", rest.concat()), &PHONE),
        7 => Value::new(format!("+{country}-{begin}-{}", rest.join("-")), &PHONE),
        8 if WITH_ZERO.contains(&country) => Value::new(format!("+{country} (0) {begin} {}", rest.join(" ")), &PHONE),
        8 => Value::new(format!("+{country} {begin}{}", rest.concat()), &PHONE),
        _ => Value::named(format!("00{country} {begin} {}", rest.join(" ")), &PHONE),
    }
}

fn american_phone(random: &mut Random) -> Value {
    let (area, exchange, line) =
        (random.pick(&AREAS), random.signs("23456789", 1) + random.pick(&["34", "55", "67", "90"]), random.digits(4));
    match random.below(12) {
        0..3 => Value::new(format!("({area}) {exchange}-{line}"), &PHONE),
        3..5 => Value::new(format!("{area}-{exchange}-{line}"), &PHONE),
        5 => Value::new(format!("{area}.{exchange}.{line}"), &PHONE),
        6 => Value::new(format!("+1 {area} {exchange} {line}"), &PHONE),
        7 => Value::new(format!("+1 ({area}) {exchange}-{line}"), &PHONE),
        8 => Value::new(format!("1-{area}-{exchange}-{line}"), &PHONE),
        9 => Value::new(format!("({area}) {exchange}-{line} ext. {}", random.number(3)), &PHONE),
        10 => Value::named(format!("{area} {exchange} {line}"), &PHONE),
        _ => Value::named(format!("{area}{exchange}{line}"), &PHONE),
    }
}

macro_rules! national {
    ($($name:ident: $(($language:ident, $words:literal)),+; $($key:literal),+;)+) => {
        $(static $name: Vocabulary = Vocabulary { words: &[$(($language, $words)),+], keys: &[$($key),+] };)+
    };
}

national! {
    TELEFON: (De, "Telefon"), (De, "Handynummer"), (De, "Mobil"), (De, "Tel."), (De, "Rufnummer");
        "telefon", "phone", "mobil";
    TELEPHONE: (Fr, "téléphone"), (Fr, "numéro de téléphone"), (Fr, "portable"), (Fr, "tél.");
        "telephone", "phone", "portable";
    TELEFONO: (Es, "teléfono"), (Es, "móvil"), (Es, "número de teléfono"), (Es, "tel."); "telefono", "movil", "phone";
    CELLULARE: (It, "cellulare"), (It, "numero di telefono"), (It, "telefono"); "telefono", "cellulare", "phone";
    TELEFONE: (Pt, "telefone"), (Pt, "celular"), (Pt, "WhatsApp"); "telefone", "celular", "phone";
    TELEFON_PL: (Pl, "numer telefonu"), (Pl, "telefon"), (Pl, "tel."); "telefon", "phone";
    TELEFOON: (Nl, "telefoonnummer"), (Nl, "mobiel"), (Nl, "telefoon"); "telefoon", "phone";
    TELEPHONE_UK: (En, "phone number"), (En, "mobile"), (En, "telephone"), (En, "mobile number"), (En, "phone");
        "phone", "mobile", "contact_number";
}

pub(super) fn national_phone(random: &mut Random) -> Value {
    let digits = |begin: &str, count: usize, random: &mut Random| format!("{begin}{}", random.digits(count));
    let (whole, groups, vocabulary): (String, &[usize], _) = match random.below(12) {
        0 => (digits("030", 8, random), &[3, 8], &TELEFON),
        1 => (digits("0171", 7, random), &[4, 7], &TELEFON),
        2 => (digits("06", 8, random), &[2, 2, 2, 2, 2], &TELEPHONE),
        3 => (digits("01", 8, random), &[2, 2, 2, 2, 2], &TELEPHONE),
        4 => (digits("6", 8, random), &[3, 3, 3], &TELEFONO),
        5 => (digits("347", 7, random), &[3, 3, 4], &CELLULARE),
        6 => return brazilian_phone(random),
        7 => (digits("60", 7, random), &[3, 3, 3], &TELEFON_PL),
        8 => (digits("06", 8, random), &[2, 8], &TELEFOON),
        9 => (digits("07911", 6, random), &[5, 6], &TELEPHONE_UK),
        10 => (digits("020", 8, random), &[3, 4, 4], &TELEPHONE_UK),
        _ => (digits("04", 8, random), &[4, 3, 3], &TELEPHONE_UK),
    };
    Value::named(if random.percent(60) { grouped(&whole, groups, " ") } else { whole }, vocabulary)
}

fn brazilian_phone(random: &mut Random) -> Value {
    Value::named(
        format!("({}) 9{}-{}", random.pick(&["11", "21", "31"]), random.digits(4), random.digits(4)),
        &TELEFONE,
    )
}

static IP: Vocabulary = Vocabulary {
    words: &[
        (En, "IP address"),
        (En, "client IP"),
        (En, "remote address"),
        (De, "IP-Adresse"),
        (Fr, "adresse IP"),
        (Es, "dirección IP"),
    ],
    keys: &["ip", "client_ip", "remote_addr", "src", "x-forwarded-for"],
};

pub(super) fn ip(random: &mut Random) -> Value {
    let octets =
        |random: &mut Random| format!("{}.{}.{}", random.below(256), random.below(256), random.between(1, 254));
    let text = match random.below(10) {
        0..3 => format!("{}.{}", random.pick(&["203", "81", "93", "185", "54", "109"]), octets(random)),
        3 => format!("192.168.{}.{}", random.below(256), random.between(2, 254)),
        4 => format!("10.{}.{}.{}", random.below(256), random.below(256), random.between(2, 254)),
        5..7 => {
            let groups: Vec<String> = (0..6).map(|_| format!("{:x}", random.between(1, 0xffff))).collect();
            format!("2a02:{:x}:{}", random.between(0x100, 0xfff), groups.join(":"))
        }
        7 => format!("2001:db8:{:x}::{:x}", random.below(0xffff), random.between(1, 0xffff)),
        8 => format!(
            "fe80::{:x}:{:x}ff:fe{:02x}:{:x}",
            random.between(1, 0xffff),
            random.below(256),
            random.below(256),
            random.below(0xffff)
        ),
        _ => {
            let address = format!("{}.{}", random.pick(&["203", "81", "93"]), octets(random));
            return Value::new(address, &IP).within("", format!(":{}", random.pick(&["443", "8080", "51234"])));
        }
    };
    Value::new(text, &IP)
}

static MAC: Vocabulary = Vocabulary {
    words: &[(En, "MAC address"), (En, "hardware address"), (De, "MAC-Adresse"), (Fr, "adresse MAC")],
    keys: &["mac", "mac_address", "ether", "hwaddr"],
};

pub(super) fn mac(random: &mut Random) -> Value {
    let digits = random.pick(&["3c", "a4", "00", "f0", "d8"]).to_owned() + &random.signs(HEX, 10);
    Value::new(
        match random.below(10) {
            0..4 => grouped(&digits, &[2; 6], ":"),
            4..6 => grouped(&digits, &[2; 6], ":").to_uppercase(),
            6..9 => grouped(&digits, &[2; 6], "-").to_uppercase(),
            _ => grouped(&digits, &[4; 3], "."),
        },
        &MAC,
    )
}

static ADDRESS: Vocabulary = Vocabulary {
    words: &[(En, "connection string"), (En, "database URL"), (En, "DSN"), (De, "Datenbank-URL"), (En, "proxy")],
    keys: &["DATABASE_URL", "database_url", "dsn", "REDIS_URL", "connectionString"],
};

/// A name of a host.
#[must_use]
pub fn host(random: &mut Random) -> String {
    let host = random.pick(&[
        "db.internal",
        "pg-1.example.com",
        "cache.prod.example.net",
        "cluster0.ab1cd.mongodb.net",
        "localhost",
    ]);
    host.to_owned()
}

pub(super) fn url_credentials(random: &mut Random) -> Value {
    let password = password(random).replace(['@', '#', '/', '?', '%'], "_");
    let (user, host) = (random.pick(&["app", "admin", "svc_report", "postgres", "deploy"]), host(random));
    let pair = format!("{user}:{password}");
    let value = |text: &str, before: &str, after: &str| Value::new(text, &ADDRESS).within(before, after);
    match random.below(10) {
        0..3 => value(&pair, "postgres://", &format!("@{host}:5432/app?sslmode=require")),
        3 => value(&pair, "mysql://", &format!("@{host}/shop")),
        4 => value(&pair, "mongodb+srv://", &format!("@{host}/?retryWrites=true")),
        5 => value(&password, "redis://:", &format!("@{host}:6379/0")),
        6 => value(&pair, "amqp://", &format!("@{host}:5672/%2f")),
        7 => value(&pair, "https://", &format!("@{host}/v1/items")),
        _ => value(&password, &format!("Server={host};Database=app;User Id={user};Password="), ";Encrypt=True;"),
    }
}

/// A password as people and generators make them.
pub(super) fn password(random: &mut Random) -> String {
    match random.below(5) {
        0..3 => {
            let length = random.between(12, 20);
            random.token(WORD, length)
        }
        3 => format!(
            "{}{}{}",
            random.pick(&["Winter", "Berlin", "Monkey", "Passw0rd", "Summer"]),
            random.number(4),
            random.pick(&["!", "#", "?!", "$"])
        ),
        _ => random.token(&format!("{WORD}!#%+"), 14),
    }
}
