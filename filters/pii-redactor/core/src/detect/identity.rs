//! Numbers that states give to people and companies.
//!
//! Sources: United States: 20 CFR 422.103 and the SSA's rule of 2011 (SSN), IRS Publication 1915 (ITIN). United Kingdom: HMRC's
//! NIM39110 (NINO), the NHS Data Dictionary (NHS number). Canada: Service Canada's rules for the SIN. Australia: the ATO's
//! algorithms for TFN and ABN, Services Australia's for Medicare. India: UIDAI (Aadhaar), Income Tax Rules 114 (PAN). Spain:
//! Real Decreto 1553/2005 and Orden INT/2058/2008. Italy: Decreto Ministeriale 23.12.1976. Poland: the act on the register of
//! people, 2010. Singapore: the ICA's letters. Germany: the BZSt's rules of 2016, with ISO 7064. Brazil: Receita Federal's
//! IN 1.548/2015 (CPF) and IN 2.229/2024 (CNPJ with letters).

use super::checksum::{is_luhn, is_mod11_10, is_uniform, is_verhoeff, mod11_digit, weighted, worth};
use super::date::is_date;
use super::form::{Names, Place, Rule, Rules, Written, continues};
use super::{Entity, EntitySet, Found, View, Word};

/// The shortest and the longest first word of a form.
const FIRST_WORD: core::ops::RangeInclusive<usize> = 2..=16;

/// What begins with a word that has a digit, and is no part of another.
pub(super) fn look(view: &View<'_>, word: Word, wanted: EntitySet, found: &mut Vec<Found>) {
    if FIRST_WORD.contains(&word.length) {
        Place { view, word, wanted, found }.apply(if word.letters { &WITH_LETTERS } else { &OF_DIGITS });
    }
}

/// What begins with a word of letters alone: two or three, upper case, and something else in the same line behind them.
pub(super) fn look_at_letters(view: &View<'_>, word: Word, wanted: EntitySet, found: &mut Vec<Found>) {
    let is_short = word.length <= 3 && matches!(word.next, Some(b' ' | b'-'));
    if is_short && view.slice(0, word.length).iter().all(u8::is_ascii_uppercase) && !continues(view) {
        Place { view, word, wanted, found }.apply(&AFTER_LETTERS);
    }
}

const SSN: &Names = &Names::new(&[
    "ssn",
    "ssns",
    "ssnnumber",
    "ssnno",
    "social security",
    "social security number",
    "social security no",
    "socialsecurity",
    "socialsecuritynumber",
    "soc sec",
    "seguro social",
    "=social",
    "=social is",
    "=social to",
    "tax id",
    "taxid",
]);
const ITIN: &Names = &Names::new(&["itin", "itinnumber", "taxpayer", "taxpayer id", "tax id", "taxid", "taxpayerid"]);
const NINO: &Names = &Names::new(&[
    "nino",
    "ni",
    "ni number",
    "ninumber",
    "national insurance",
    "national insurance number",
    "nationalinsurance",
    "nationalinsurancenumber",
    "insurance number",
]);
const NHS: &Names = &Names::new(&["nhs", "nhsnumber", "nhsno", "nhs number", "nhs no"]);
const SIN: &Names = &Names::new(&[
    "sin",
    "sinnumber",
    "social insurance",
    "social insurance number",
    "socialinsurance",
    "socialinsurancenumber",
    "nas",
    "assurance sociale",
]);
const TFN: &Names =
    &Names::new(&["tfn", "tfnnumber", "tax file", "tax file number", "tax file no", "taxfile", "taxfilenumber"]);
const ABN: &Names =
    &Names::new(&["abn", "abnnumber", "australian business number", "business number", "businessnumber"]);
const MEDICARE: &Names = &Names::new(&["medicare", "medicarenumber", "medicareno", "medicarecard"]);
const AADHAAR: &Names = &Names::new(&[
    "aadhaar",
    "aadhar",
    "adhaar",
    "adhar",
    "aadhaarnumber",
    "aadharnumber",
    "aadhaarno",
    "uidai",
    "uid",
    "आधार",
]);
const PAN: &Names = &Names::new(&["pan", "pannumber", "panno", "pancard", "permanent account number", "income tax"]);
const NIF: &Names = &Names::new(&[
    "nif",
    "dni",
    "nie",
    "nifnumber",
    "dninumber",
    "nienumber",
    "identidad",
    "numerodni",
    "spanish tax number",
    "spanish tax id",
]);
const CODICE: &Names = &Names::new(&["codice fiscale", "codicefiscale", "cf", "fiscal code", "tax code", "fiscalcode"]);
const PESEL: &Names = &Names::new(&["pesel", "peselu", "numer pesel", "nr pesel", "peselnumber", "numerpesel"]);
const NRIC: &Names =
    &Names::new(&["nric", "fin", "nricnumber", "nricno", "nricfin", "finnumber", "identity card", "ic"]);
const STEUER_ID: &Names = &Names::new(&[
    "steuer id",
    "steuerid",
    "idnr",
    "id nr",
    "steueridnr",
    "steuer idnr",
    "steueridentifikationsnummer",
    "steuer identifikationsnummer",
    "identifikationsnummer",
    "steuerliche identifikationsnummer",
    "steuernummer",
    "tin",
    "tax id",
    "taxid",
    "tax identification number",
]);
const CPF: &Names = &Names::new(&["cpf", "cpfs", "cpfnumber", "numerocpf", "cpfcnpj"]);
const CNPJ: &Names = &Names::new(&["cnpj", "cnpjs", "cnpjnumber", "numerocnpj", "cpfcnpj"]);

use Entity::{
    AuAbn, AuMedicare, AuTfn, BrCnpj, BrCpf, CaSin, DeSteuerId, EsNif, InAadhaar, InPan, ItCodiceFiscale, PlPesel,
    SgNric, UkNhs, UkNino, UsItin, UsSsn,
};

/// Forms that begin with digits alone. Without a name only those count that nothing else looks like.
static OF_DIGITS: Rules = Rules::new(&[
    Rule::new(UsSsn, "999-99-9999", is_ssn, SSN, 85, 97),
    Rule::new(UsSsn, "999 99 9999", is_ssn, SSN, 0, 92),
    Rule::new(UsSsn, "999.99.9999", is_ssn, SSN, 0, 85),
    Rule::new(UsSsn, "999999999", is_ssn, SSN, 0, 80),
    Rule::new(UsItin, "999-99-9999", is_itin, ITIN, 85, 97),
    Rule::new(UsItin, "999 99 9999", is_itin, ITIN, 0, 92),
    Rule::new(UsItin, "999999999", is_itin, ITIN, 0, 80),
    Rule::new(UkNhs, "999_999_9999", is_nhs, NHS, 0, 95),
    Rule::new(UkNhs, "9999999999", is_nhs, NHS, 0, 92),
    Rule::new(CaSin, "999_999_999", is_sin, SIN, 0, 95),
    Rule::new(CaSin, "999999999", is_sin, SIN, 0, 90),
    Rule::new(AuTfn, "999_999_999", is_tfn, TFN, 0, 95),
    Rule::new(AuTfn, "999999999", is_tfn, TFN, 0, 90),
    Rule::new(AuAbn, "99 999 999 999", is_abn, ABN, 80, 97),
    Rule::new(AuAbn, "99999999999", is_abn, ABN, 0, 95),
    Rule::new(AuMedicare, "9999_99999_9_9", is_medicare, MEDICARE, 0, 95),
    Rule::new(AuMedicare, "9999 99999 9/9", is_medicare, MEDICARE, 80, 97),
    Rule::new(AuMedicare, "9999 99999 9-9", is_medicare, MEDICARE, 80, 97),
    Rule::new(AuMedicare, "9999_99999_9", is_medicare, MEDICARE, 0, 95),
    Rule::new(AuMedicare, "9999999999", is_medicare, MEDICARE, 0, 90),
    Rule::new(AuMedicare, "99999999999", is_medicare, MEDICARE, 0, 90),
    Rule::new(InAadhaar, "9999 9999 9999", is_aadhaar, AADHAAR, 80, 97),
    Rule::new(InAadhaar, "9999-9999-9999", is_aadhaar, AADHAAR, 80, 97),
    Rule::new(InAadhaar, "999999999999", is_aadhaar, AADHAAR, 0, 95),
    Rule::new(EsNif, "99999999A", is_nif, NIF, 85, 95),
    Rule::new(EsNif, "99999999-A", is_nif, NIF, 85, 95),
    Rule::new(EsNif, "99999999 A", is_nif, NIF, 0, 90),
    Rule::new(EsNif, "99.999.999-A", is_nif, NIF, 90, 97),
    Rule::new(EsNif, "99.999.999A", is_nif, NIF, 90, 97),
    Rule::new(PlPesel, "99999999999", is_pesel, PESEL, 0, 95),
    Rule::new(DeSteuerId, "99_999_999_999", is_steuer_id, STEUER_ID, 0, 95),
    Rule::new(DeSteuerId, "99999999999", is_steuer_id, STEUER_ID, 0, 92),
    Rule::new(BrCpf, "999.999.999-99", is_cpf, CPF, 95, 99),
    Rule::new(BrCpf, "999999999-99", is_cpf, CPF, 85, 97),
    Rule::new(BrCpf, "99999999999", is_cpf, CPF, 0, 92),
    Rule::new(BrCnpj, "99.XXX.XXX/XXXX-99", is_cnpj, CNPJ, 95, 99),
    Rule::new(BrCnpj, "99999999/9999-99", is_cnpj, CNPJ, 90, 99),
    Rule::new(BrCnpj, "99999999999999", is_cnpj, CNPJ, 0, 95),
]);

/// Forms that begin with a word of letters and digits.
static WITH_LETTERS: Rules = Rules::new(&[
    Rule::new(UkNino, "AA999999A", is_nino, NINO, 85, 95),
    Rule::new(UkNino, "AA999999 A", is_nino, NINO, 0, 90),
    Rule::new(InPan, "AAAAA9999A", is_pan, PAN, 80, 95),
    Rule::new(EsNif, "99999999A", is_nif, NIF, 85, 95),
    Rule::new(EsNif, "A9999999A", is_nif, NIF, 90, 97),
    Rule::new(EsNif, "A9999999-A", is_nif, NIF, 90, 97),
    Rule::new(ItCodiceFiscale, "AAAAAAXXAXXAXXXA", is_codice_fiscale, CODICE, 97, 99),
    Rule::new(SgNric, "A9999999A", is_nric, NRIC, 90, 97),
    Rule::new(BrCnpj, "XX.XXX.XXX/XXXX-99", is_cnpj, CNPJ, 95, 99),
    Rule::new(BrCnpj, "XXXXXXXXXXXX99", is_cnpj, CNPJ, 0, 95),
]);

/// Forms that begin with a word of letters alone.
static AFTER_LETTERS: Rules = Rules::new(&[
    Rule::new(UkNino, "AA_99_99_99_A", is_nino, NINO, 90, 97),
    Rule::new(UkNino, "AA_999999_A", is_nino, NINO, 85, 95),
    Rule::new(UkNino, "AA 999999A", is_nino, NINO, 0, 90),
    Rule::new(EsNif, "A-9999999-A", is_nif, NIF, 90, 97),
    Rule::new(EsNif, "A-99999999-A", is_nif, NIF, 0, 90),
    Rule::new(ItCodiceFiscale, "AAA AAA XXAXX AXXXA", is_codice_fiscale, CODICE, 97, 99),
    Rule::new(ItCodiceFiscale, "AAA AAA XXA XXA XXXA", is_codice_fiscale, CODICE, 97, 99),
    Rule::new(BrCnpj, "XX.XXX.XXX/XXXX-99", is_cnpj, CNPJ, 95, 99),
]);

/// Area, group and serial are given; areas from 900 on are not of the SSA.
fn is_ssn(written: &Written) -> bool {
    let area = written.number(0, 3);
    !matches!(area, 0 | 666 | 900..) && written.number(3, 5) > 0 && written.number(5, 9) > 0
}

/// The groups that the IRS gives out (Publication 1915, and the renewals of 2016).
fn is_itin(written: &Written) -> bool {
    let group = written.number(3, 5);
    written.number(0, 3) >= 900 && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99) && written.number(5, 9) > 0
}

/// Letters that no number has, pairs that are not given, and a suffix of A to D.
fn is_nino(written: &Written) -> bool {
    let [first, second, .., suffix] = written.characters() else { return false };
    let pair = [*first, *second];
    !b"DFIQUV".contains(first)
        && !b"DFIOQUV".contains(second)
        && ![b"BG", b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ"].contains(&&pair)
        && matches!(suffix, b'A'..=b'D')
}

fn is_nhs(written: &Written) -> bool {
    let digits = written.characters();
    !is_uniform(digits) && weighted(digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

fn is_sin(written: &Written) -> bool {
    let digits = written.characters();
    !matches!(digits.first(), Some(b'0' | b'8')) && !is_uniform(digits) && is_luhn(digits)
}

fn is_tfn(written: &Written) -> bool {
    let digits = written.characters();
    !is_uniform(digits) && weighted(digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11)
}

/// The first digit counts less one. The first two are the check, from 11 to 99.
fn is_abn(written: &Written) -> bool {
    let digits = written.characters();
    let sum = weighted(digits, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
    written.number(0, 2) > 10 && (sum - 10).is_multiple_of(89)
}

/// The ninth digit checks the first eight; the issue and, if any, the person are counted from 1.
fn is_medicare(written: &Written) -> bool {
    let digits = written.characters();
    let check = weighted(digits, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10;
    matches!(digits.first(), Some(b'2'..=b'6'))
        && check == written.number(8, 9)
        && digits.iter().skip(9).all(|byte| *byte != b'0')
}

fn is_aadhaar(written: &Written) -> bool {
    let digits = written.characters();
    matches!(digits.first(), Some(b'2'..)) && !is_uniform(digits) && is_verhoeff(digits)
}

/// The fourth letter says whose number it is; the four digits are counted from 1.
fn is_pan(written: &Written) -> bool {
    written.characters().get(3).is_some_and(|kind| b"ABCFGHJLPT".contains(kind)) && written.number(5, 9) > 0
}

/// Eight digits, or a letter (of foreigners X, Y and Z, which count as 0, 1 and 2; of others K, L and M) and seven; then the
/// letter that the remainder by 23 has.
fn is_nif(written: &Written) -> bool {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let characters = written.characters();
    let length = characters.len();
    let number = match characters.first() {
        Some(b'0'..=b'9') => written.number(0, 8),
        Some(b'X' | b'K' | b'L' | b'M') => written.number(1, length - 1),
        Some(b'Y') => 10_000_000 + written.number(1, length - 1),
        Some(b'Z') => 20_000_000 + written.number(1, length - 1),
        _ => return false,
    };
    number > 0 && characters.last() == LETTERS.get(number as usize % LETTERS.len())
}

/// The places of digits, which may be letters where two people would have the same code.
const CODICE_DIGITS: [usize; 7] = [6, 7, 9, 10, 12, 13, 14];

fn is_codice_fiscale(written: &Written) -> bool {
    let characters = written.characters();
    let digit = |place: usize| characters.get(place).and_then(|byte| codice_digit(*byte));
    let is_month = characters.get(8).is_some_and(|month| b"ABCDEHLMPRST".contains(month));
    if !is_month || !CODICE_DIGITS.iter().all(|place| digit(*place).is_some()) {
        return false;
    }
    let day = digit(9).unwrap_or_default() * 10 + digit(10).unwrap_or_default();
    let sum: u32 = characters.iter().take(15).enumerate().map(|(place, byte)| codice_worth(place, *byte)).sum();
    matches!(day, 1..=31 | 41..=71) && characters.last().is_some_and(|check| worth(*check) == sum % 26 + 10)
}

/// The digit that a character at the place of one stands for.
fn codice_digit(byte: u8) -> Option<u32> {
    match byte {
        b'0'..=b'9' => Some(worth(byte)),
        _ => b"LMNPQRSTUV".iter().zip(0..).find(|(letter, _)| **letter == byte).map(|(_, digit)| digit),
    }
}

/// What a character counts: at even places (from 0, odd in the decree) by a table, at the others its number.
fn codice_worth(place: usize, byte: u8) -> u32 {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let number = if byte.is_ascii_digit() { worth(byte) } else { worth(byte).saturating_sub(10) };
    if place % 2 == 1 { number } else { ODD.get(number as usize).copied().unwrap_or_default() }
}

/// The century is in the month: 80 more for the 1800s, 20 more for the 2000s and so on.
fn is_pesel(written: &Written) -> bool {
    let (year, month, day) = (written.number(0, 2), written.number(2, 4), written.number(4, 6));
    let century = [1900, 2000, 2100, 2200, 1800].get(month as usize / 20).copied().unwrap_or_default();
    is_date(century + year, month % 20, day)
        && weighted(written.characters(), &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]).is_multiple_of(10)
}

/// A letter for the century or the kind, seven digits, and the letter that their sum has.
fn is_nric(written: &Written) -> bool {
    let [kind, digits @ .., check] = written.characters() else { return false };
    let sum = weighted(digits, &[2, 7, 6, 5, 4, 3, 2]);
    let (letters, more) = match kind {
        b'S' => (b"JZIHGFEDCBA", 0),
        b'T' => (b"JZIHGFEDCBA", 4),
        b'F' => (b"XWUTRQPNMLK", 0),
        b'G' => (b"XWUTRQPNMLK", 4),
        b'M' => (b"XWUTRQPNJLK", 3),
        _ => return false,
    };
    letters.get((sum + more) as usize % letters.len()) == Some(check)
}

/// One of the first ten digits is there twice or three times (then not in a row), the others at most once.
fn is_steuer_id(written: &Written) -> bool {
    let digits = written.characters();
    let first: &[u8] = digits.get(..10).unwrap_or_default();
    let mut counts =
        (b'0'..=b'9').map(|digit| first.iter().filter(|byte| **byte == digit).count()).filter(|count| *count > 1);
    let (repeated, others) = (counts.next(), counts.next());
    let in_a_row = first.windows(3).any(is_uniform);
    digits.first() != Some(&b'0')
        && matches!(repeated, Some(2 | 3))
        && others.is_none()
        && !in_a_row
        && is_mod11_10(digits)
}

/// Two check digits, each over all before it.
fn is_cpf(written: &Written) -> bool {
    let digits = written.characters();
    let first = mod11_digit(weighted(digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2]));
    let second = mod11_digit(weighted(digits, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]));
    !is_uniform(digits) && written.number(9, 10) == first && written.number(10, 11) == second
}

/// The same for companies. Letters count by their place in ASCII, less 48.
fn is_cnpj(written: &Written) -> bool {
    const WEIGHTS: [u32; 13] = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];
    let characters = written.characters();
    let check = |weights: &[u32]| {
        let sum =
            characters.iter().zip(weights).map(|(byte, weight)| u32::from(byte.wrapping_sub(b'0')) * weight).sum();
        mod11_digit(sum)
    };
    let (first, second) = (check(WEIGHTS.get(1..).unwrap_or_default()), check(&WEIGHTS));
    !is_uniform(characters) && written.number(12, 13) == first && written.number(13, 14) == second
}
