//! Numbers that states and their offices give to people and companies.

use super::Language::{De, En, Es, Fr, It, Pl, Pt};
use super::{Value, Vocabulary, grouped};
use crate::check;
use crate::random::{CAPITALS, Random};

static SSN: Vocabulary = Vocabulary {
    words: &[
        (En, "SSN"),
        (En, "social security number"),
        (En, "Social Security no."),
        (En, "social"),
        (Es, "número de seguro social"),
    ],
    keys: &["ssn", "social_security_number", "SSN", "employeeSsn"],
};

pub(super) fn us_ssn(random: &mut Random) -> Value {
    let area = loop {
        let area = random.between(1, 899);
        if area != 666 {
            break area;
        }
    };
    let digits = format!("{area:03}{:02}{:04}", random.between(1, 99), random.between(1, 9999));
    american(&digits, &SSN, random)
}

static ITIN: Vocabulary = Vocabulary {
    words: &[
        (En, "ITIN"),
        (En, "individual taxpayer identification number"),
        (En, "taxpayer id"),
        (En, "tax ID number"),
    ],
    keys: &["itin", "taxpayer_id", "ITIN"],
};

pub(super) fn us_itin(random: &mut Random) -> Value {
    let group = loop {
        let group = random.between(50, 99);
        if matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99) {
            break group;
        }
    };
    let digits = format!("9{}{group}{:04}", random.digits(2), random.between(1, 9999));
    american(&digits, &ITIN, random)
}

/// Dashes tell by themselves; anything else needs its words.
fn american(digits: &str, vocabulary: &'static Vocabulary, random: &mut Random) -> Value {
    match random.below(10) {
        0..6 => Value::new(grouped(digits, &[3, 2, 4], "-"), vocabulary),
        6..8 => Value::named(digits, vocabulary),
        _ => Value::named(grouped(digits, &[3, 2, 4], " "), vocabulary),
    }
}

static NINO: Vocabulary = Vocabulary {
    words: &[(En, "NI number"), (En, "National Insurance number"), (En, "NINO"), (En, "national insurance no.")],
    keys: &["nino", "national_insurance_number", "niNumber"],
};

pub(super) fn uk_nino(random: &mut Random) -> Value {
    let prefix = loop {
        let prefix = random.signs("ABCEGHJKLMNOPRSTWXYZ", 1) + &random.signs("ABCEGHJKLMNPRSTWXYZ", 1);
        if !["BG", "GB", "NK", "KN", "NT", "TN", "ZZ"].contains(&prefix.as_str()) && !prefix.starts_with('O') {
            break prefix;
        }
    };
    let (digits, suffix) = (random.digits(6), random.signs("ABCD", 1));
    match random.below(10) {
        0..5 => Value::new(format!("{prefix}{digits}{suffix}"), &NINO),
        5..8 => Value::new(format!("{prefix} {} {suffix}", grouped(&digits, &[2, 2, 2], " ")), &NINO),
        8 => Value::new(format!("{prefix} {digits} {suffix}"), &NINO),
        _ => Value::named(format!("{prefix}{digits}{suffix}").to_lowercase(), &NINO),
    }
}

static NHS: Vocabulary = Vocabulary {
    words: &[(En, "NHS number"), (En, "NHS no."), (En, "NHS No"), (En, "NHS")],
    keys: &["nhs_number", "nhsNumber", "nhs_no"],
};

pub(super) fn uk_nhs(random: &mut Random) -> Value {
    let digits = loop {
        let nine = random.signs("4567", 1) + &random.digits(8);
        if let Some(check) = check::nhs(&nine) {
            break format!("{nine}{check}");
        }
    };
    match random.below(3) {
        0 => Value::named(digits, &NHS),
        1 => Value::named(grouped(&digits, &[3, 3, 4], "-"), &NHS),
        _ => Value::named(grouped(&digits, &[3, 3, 4], " "), &NHS),
    }
}

static SIN: Vocabulary = Vocabulary {
    words: &[
        (En, "SIN"),
        (En, "social insurance number"),
        (En, "Social Insurance No."),
        (Fr, "NAS"),
        (Fr, "numéro d'assurance sociale"),
    ],
    keys: &["sin", "social_insurance_number", "sinNumber"],
};

pub(super) fn ca_sin(random: &mut Random) -> Value {
    let eight = random.signs("1234567", 1) + &random.digits(7);
    let digits = format!("{eight}{}", check::luhn(&eight));
    nine(&digits, &SIN, random)
}

fn nine(digits: &str, vocabulary: &'static Vocabulary, random: &mut Random) -> Value {
    match random.below(3) {
        0 => Value::named(digits, vocabulary),
        1 => Value::named(grouped(digits, &[3, 3, 3], "-"), vocabulary),
        _ => Value::named(grouped(digits, &[3, 3, 3], " "), vocabulary),
    }
}

static TFN: Vocabulary = Vocabulary {
    words: &[(En, "TFN"), (En, "tax file number"), (En, "Tax File No."), (En, "ATO tax file number")],
    keys: &["tfn", "tax_file_number", "taxFileNumber"],
};

pub(super) fn au_tfn(random: &mut Random) -> Value {
    let digits = loop {
        let eight = random.number(8);
        if let Some(check) = check::tfn(&eight) {
            break format!("{eight}{check}");
        }
    };
    nine(&digits, &TFN, random)
}

static ABN: Vocabulary = Vocabulary {
    words: &[(En, "ABN"), (En, "Australian Business Number"), (En, "business number")],
    keys: &["abn", "supplier_abn", "businessNumber"],
};

pub(super) fn au_abn(random: &mut Random) -> Value {
    let digits = check::abn(&random.digits(9));
    let together = random.percent(35);
    Value::new(if together { digits } else { grouped(&digits, &[2, 3, 3, 3], " ") }, &ABN).needing_words(together)
}

static MEDICARE: Vocabulary = Vocabulary {
    words: &[(En, "Medicare number"), (En, "Medicare card"), (En, "Medicare no."), (En, "medicare")],
    keys: &["medicare_number", "medicareNo", "medicare"],
};

pub(super) fn au_medicare(random: &mut Random) -> Value {
    let eight = random.signs("23456", 1) + &random.digits(7);
    let (check, issue, person) = (check::medicare(&eight), random.between(1, 9), random.between(1, 9));
    let digits = format!("{eight}{check}{issue}");
    let groups = grouped(&digits, &[4, 5, 1], " ");
    match random.below(4) {
        0 => Value::named(digits, &MEDICARE),
        1 => Value::named(format!("{groups}/{person}"), &MEDICARE).needing_words(false),
        2 => Value::new(format!("{groups}-{person}"), &MEDICARE),
        _ => Value::named(groups, &MEDICARE),
    }
}

static AADHAAR: Vocabulary = Vocabulary {
    words: &[(En, "Aadhaar"), (En, "Aadhaar number"), (En, "aadhar card"), (En, "UIDAI number")],
    keys: &["aadhaar", "aadhaar_number", "aadhaarNo"],
};

pub(super) fn in_aadhaar(random: &mut Random) -> Value {
    let eleven = random.signs("23456789", 1) + &random.digits(10);
    let digits = format!("{eleven}{}", check::verhoeff(&eleven));
    match random.below(10) {
        0..6 => Value::new(grouped(&digits, &[4, 4, 4], " "), &AADHAAR),
        6 => Value::new(grouped(&digits, &[4, 4, 4], "-"), &AADHAAR),
        _ => Value::named(digits, &AADHAAR),
    }
}

static PAN: Vocabulary = Vocabulary {
    words: &[(En, "PAN"), (En, "PAN card"), (En, "permanent account number"), (En, "PAN no.")],
    keys: &["pan", "pan_number", "panCard"],
};

pub(super) fn in_pan(random: &mut Random) -> Value {
    let letters = random.signs(CAPITALS, 3) + &random.signs("ABCFGHJLPT", 1) + &random.signs(CAPITALS, 1);
    let pan = format!("{letters}{:04}{}", random.between(1, 9999), random.signs(CAPITALS, 1));
    let small = random.percent(10);
    Value::new(if small { pan.to_lowercase() } else { pan }, &PAN).needing_words(small)
}

static NIF: Vocabulary = Vocabulary {
    words: &[
        (Es, "DNI"),
        (Es, "NIF"),
        (Es, "NIE"),
        (Es, "documento de identidad"),
        (En, "Spanish tax number"),
        (En, "DNI number"),
    ],
    keys: &["nif", "dni", "nie", "documento"],
};

pub(super) fn es_nif(random: &mut Random) -> Value {
    if random.percent(35) {
        let (first, digits) = (random.below(3), random.digits(7));
        let letter = check::nif(format!("{first}{digits}").parse().unwrap_or(0));
        let first = ['X', 'Y', 'Z'][first];
        let dashes = random.percent(40);
        return Value::new(
            if dashes { format!("{first}-{digits}-{letter}") } else { format!("{first}{digits}{letter}") },
            &NIF,
        );
    }
    let digits = random.number(8);
    let letter = check::nif(digits.parse().unwrap_or(0));
    match random.below(10) {
        0..5 => Value::new(format!("{digits}{letter}"), &NIF),
        5..7 => Value::new(format!("{digits}-{letter}"), &NIF),
        7 => Value::new(format!("{}-{letter}", grouped(&digits, &[2, 3, 3], ".")), &NIF),
        8 => Value::named(format!("{digits} {letter}"), &NIF),
        _ => Value::named(format!("{digits}{letter}").to_lowercase(), &NIF),
    }
}

static CODICE: Vocabulary = Vocabulary {
    words: &[
        (It, "codice fiscale"),
        (It, "C.F."),
        (It, "cod. fiscale"),
        (En, "Italian tax code"),
        (En, "codice fiscale"),
    ],
    keys: &["codice_fiscale", "codiceFiscale", "cf"],
};

pub(super) fn it_codice_fiscale(random: &mut Random) -> Value {
    const CONSONANTS: &str = "BCDFGLMNPRSTVZ";
    let name = random.signs(CONSONANTS, 6);
    let day = random.between(1, 28) + if random.percent(50) { 40 } else { 0 };
    let (year, month) = (random.digits(2), random.signs("ABCDEHLMPRST", 1));
    let place = random.signs("ABCDEFGHILM", 1) + &format!("{:03}", random.between(1, 899));
    let fifteen = format!("{name}{year}{month}{day:02}{place}");
    let code = format!("{fifteen}{}", check::codice_fiscale(&fifteen));
    match random.below(10) {
        0..7 => Value::new(code, &CODICE),
        7 => Value::new(code.to_lowercase(), &CODICE),
        _ => Value::new(grouped(&code, &[3, 3, 5, 5], " "), &CODICE),
    }
}

static PESEL: Vocabulary = Vocabulary {
    words: &[(Pl, "PESEL"), (Pl, "numer PESEL"), (Pl, "nr PESEL"), (En, "PESEL"), (En, "PESEL number")],
    keys: &["pesel", "numer_pesel", "peselNumber"],
};

pub(super) fn pl_pesel(random: &mut Random) -> Value {
    let (year, day) = (random.between(1930, 2015), random.between(1, 28));
    let month = random.between(1, 12) + if year >= 2000 { 20 } else { 0 };
    let ten = format!("{:02}{month:02}{day:02}{}", year % 100, random.digits(4));
    Value::named(format!("{ten}{}", check::pesel(&ten)), &PESEL)
}

static NRIC: Vocabulary = Vocabulary {
    words: &[(En, "NRIC"), (En, "NRIC number"), (En, "FIN"), (En, "IC number"), (En, "NRIC/FIN")],
    keys: &["nric", "nric_no", "fin"],
};

pub(super) fn sg_nric(random: &mut Random) -> Value {
    let series = random.pick(&['S', 'S', 'T', 'F', 'G', 'M']);
    let seven = match series {
        'S' => random.signs("012356789", 1) + &random.digits(6),
        'T' => random.signs("012", 1) + &random.digits(6),
        _ => random.digits(7),
    };
    Value::new(format!("{series}{seven}{}", check::nric(series, &seven)), &NRIC)
}

static STEUER: Vocabulary = Vocabulary {
    words: &[
        (De, "Steuer-ID"),
        (De, "Steueridentifikationsnummer"),
        (De, "IdNr."),
        (De, "steuerliche Identifikationsnummer"),
        (De, "Steuer-IdNr."),
        (En, "German tax ID"),
    ],
    keys: &["steuer_id", "steuerId", "steueridentifikationsnummer", "tax_id"],
};

/// One digit stands twice among the first ten, one is missing; or one three times and two are missing.
pub(super) fn de_steuer_id(random: &mut Random) -> Value {
    let ten = loop {
        let digits = random.number(10);
        let mut counts: Vec<usize> = ('0'..='9').map(|digit| digits.matches(digit).count()).collect();
        counts.sort_unstable();
        let threefold =
            (0..8).any(|at| digits.as_bytes()[at..at + 3].iter().all(|digit| *digit == digits.as_bytes()[at]));
        if counts.iter().filter(|count| **count > 1).count() == 1 && counts[9] <= 3 && !threefold {
            break digits;
        }
    };
    let digits = format!("{ten}{}", check::steuer_id(&ten));
    let groups = random.percent(50);
    Value::named(if groups { grouped(&digits, &[2, 3, 3, 3], " ") } else { digits }, &STEUER)
}

static CPF: Vocabulary = Vocabulary {
    words: &[(Pt, "CPF"), (Pt, "número do CPF"), (Pt, "CPF do titular"), (En, "CPF")],
    keys: &["cpf", "cpf_cliente", "documentoCpf"],
};

pub(super) fn br_cpf(random: &mut Random) -> Value {
    let digits = check::cpf(&random.digits(9));
    let together = random.percent(35);
    let text = if together { digits } else { format!("{}-{}", grouped(&digits[..9], &[3, 3, 3], "."), &digits[9..]) };
    Value::new(text, &CPF).needing_words(together)
}

static CNPJ: Vocabulary = Vocabulary {
    words: &[(Pt, "CNPJ"), (Pt, "CNPJ da empresa"), (En, "CNPJ")],
    keys: &["cnpj", "cnpj_empresa", "companyCnpj"],
};

pub(super) fn br_cnpj(random: &mut Random) -> Value {
    let digits = check::cnpj(&format!("{}000{}", random.digits(8), random.between(1, 3)));
    let together = random.percent(35);
    let written = format!("{}/{}-{}", grouped(&digits[..8], &[2, 3, 3], "."), &digits[8..12], &digits[12..]);
    Value::new(if together { digits } else { written }, &CNPJ).needing_words(together)
}
