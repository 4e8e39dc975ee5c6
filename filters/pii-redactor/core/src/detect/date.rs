//! Dates of birth: a date that the calendar has, behind a word of birth.
//!
//! Sources: ISO 8601 (year first), and how dates are written by CLDR in English, German, French, Spanish, Italian and Portuguese.

use super::form::{Names, continues, is_named, stops};
use super::{Entity, EntitySet, Found, View, Word};

/// The years in which living people are born; the last one is a little ahead of now, because a filter knows no calendar.
const YEARS: core::ops::RangeInclusive<u32> = 1900..=2030;

/// Words of birth.
const NAMES: &Names = &Names::among(
    &[
        "born",
        "birth",
        "dob",
        "d o b",
        "birthday",
        "birthdate",
        "birth date",
        "dateofbirth",
        "dayofbirth",
        "bday",
        "b day",
        "geboren",
        "geb",
        "geburtsdatum",
        "geburtstag",
        "né",
        "née",
        "nés",
        "naissance",
        "datenaissance",
        "datedenaissance",
        "nacido",
        "nacida",
        "nació",
        "nacimiento",
        "fechanacimiento",
        "fechadenacimiento",
        "nato",
        "nata",
        "nascita",
        "datanascita",
        "datadinascita",
        "nascido",
        "nascida",
        "nasceu",
        "nascimento",
        "datanascimento",
        "datadenascimento",
        "geboortedatum",
        "urodzenia",
        "urodzony",
        "urodzona",
        "födelsedatum",
        "född",
        "fødselsdato",
        "出生",
        "出生日期",
        "生年月日",
    ],
    OTHER_DATES,
);

/// Words of other dates. One that is nearer has the date.
const OTHER_DATES: &[&str] = &[
    "created",
    "createdat",
    "creationdate",
    "updated",
    "updatedat",
    "modified",
    "changed",
    "issued",
    "issuedate",
    "expires",
    "expiry",
    "expirydate",
    "expiration",
    "expirationdate",
    "due",
    "duedate",
    "since",
    "start",
    "startdate",
    "started",
    "end",
    "enddate",
    "ended",
    "until",
    "valid",
    "login",
    "lastlogin",
    "signup",
    "registered",
    "joined",
    "hired",
    "hiredate",
    "visit",
    "visited",
    "admitted",
    "died",
    "death",
    "married",
    "signed",
    "ausgestellt",
    "gültig",
    "erstellt",
];

/// Months in English, German, French, Spanish, Italian and Portuguese, and how they are shortened.
const MONTHS: [&[&str]; 12] = [
    &["january", "jan", "januar", "jänner", "janvier", "janv", "enero", "ene", "gennaio", "gen", "janeiro"],
    &["february", "feb", "februar", "février", "fevrier", "févr", "febrero", "febbraio", "fevereiro", "fev"],
    &["march", "mar", "märz", "mÄrz", "maerz", "mrz", "mars", "marzo", "março", "marco"],
    &["april", "apr", "avril", "avr", "abril", "abr", "aprile"],
    &["may", "mai", "mayo", "maggio", "mag", "maio"],
    &["june", "jun", "juni", "juin", "junio", "giugno", "giu", "junho"],
    &["july", "jul", "juli", "juillet", "juil", "julio", "luglio", "lug", "julho"],
    &["august", "aug", "août", "aout", "agosto", "ago"],
    &["september", "sep", "sept", "septembre", "septiembre", "settembre", "set", "setembro"],
    &["october", "oct", "oktober", "okt", "octobre", "octubre", "ottobre", "ott", "outubro", "out"],
    &["november", "nov", "novembre", "noviembre", "novembro"],
    &["december", "dec", "dezember", "dez", "décembre", "decembre", "déc", "diciembre", "dic", "dicembre", "dezembro"],
];

/// What begins with a word.
pub(super) fn look(view: &View<'_>, word: Word, wanted: EntitySet, found: &mut Vec<Found>) {
    if !wanted.has(Entity::DateOfBirth) || !may_begin(view, word) {
        return;
    }
    let end = if word.digits { numbers(view, word).or_else(|| day_first(view)) } else { month_first(view, word) };
    let Some(end) = end else { return };
    if !continues(view) && ends(view, end) && is_named(view, NAMES) {
        found.push(Found { start: 0, end, entity: Entity::DateOfBirth, confidence: 90 });
    }
}

/// Whether a word may begin a date: a number of a day or year, or an English month. Almost all are not.
fn may_begin(view: &View<'_>, word: Word) -> bool {
    if word.digits {
        return view.slice(0, 1).first().is_some_and(u8::is_ascii_digit) && word.length <= 9;
    }
    if word.length < 3 || word.length > 9 || !matches!(word.next, Some(b' ' | b'.' | b'-')) {
        return false;
    }
    let [first, second, third] = *view.slice(0, 3) else { return false };
    if !matches!(first | 32, b'a' | b'd' | b'f' | b'j' | b'm'..=b'o' | b's') {
        return false;
    }
    matches!(
        &[first | 32, second | 32, third | 32],
        b"jan" | b"feb" | b"mar" | b"apr" | b"may" | b"jun" | b"jul" | b"aug" | b"sep" | b"oct" | b"nov" | b"dec"
    )
}

/// Whether the date ends at `end`, or a time of day follows (`T12:00`).
fn ends(view: &View<'_>, end: usize) -> bool {
    match view.byte(end) {
        Some(b'T') => view.byte(end + 1).is_some_and(|byte| byte.is_ascii_digit()),
        Some(b'/') => !view.byte(end + 1).is_some_and(|byte| byte.is_ascii_digit()),
        _ => stops(view, end),
    }
}

/// Whether the Gregorian calendar has that day.
pub(super) const fn is_date(year: u32, month: u32, day: u32) -> bool {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => 0,
    };
    0 < day && day <= days
}

fn is_birth(year: u32, month: u32, day: u32) -> bool {
    YEARS.contains(&year) && is_date(year, month, day)
}

/// Reads a text from the place on.
struct Reader<'p, 'v> {
    view: &'p View<'v>,
    at: usize,
}

impl Reader<'_, '_> {
    /// A number of one to `most` digits, and how many it has. None where more follow.
    fn number(&mut self, most: usize) -> Option<(u32, usize)> {
        let (mut number, mut count) = (0, 0);
        while let Some(digit) = self.view.byte(self.at).filter(u8::is_ascii_digit) {
            if count == most {
                return None;
            }
            number = number * 10 + u32::from(digit - b'0');
            (self.at, count) = (self.at + 1, count + 1);
        }
        (count > 0).then_some((number, count))
    }

    /// Goes over a text, whatever its case, if it stands here.
    fn skip(&mut self, text: &str) -> bool {
        let is_here = self.view.is_any_case(self.at, text.as_bytes());
        self.at += if is_here { text.len() } else { 0 };
        is_here
    }

    /// Goes over the first of some texts that stands here.
    fn skip_one(&mut self, texts: &[&str]) -> bool {
        texts.iter().any(|text| self.skip(text))
    }

    /// A sign between the numbers of a date; behind a dot there may be a space.
    fn sign(&mut self, spaced: bool) -> Option<u8> {
        let sign = self.view.byte(self.at).filter(|byte| matches!(byte, b'-' | b'/' | b'.'))?;
        self.at += 1;
        if spaced && sign == b'.' {
            self.skip(" ");
        }
        Some(sign)
    }

    /// The name of a month, from 1 on.
    fn month(&mut self) -> Option<u32> {
        let first = self.view.byte(self.at)?.to_ascii_lowercase();
        for (names, month) in MONTHS.iter().zip(1..) {
            for name in names.iter().filter(|name| name.as_bytes().first() == Some(&first)) {
                let end = self.at + name.len();
                let is_here = self.view.is_any_case(self.at, name.as_bytes());
                if is_here && !self.view.byte(end).is_some_and(|byte| byte.is_ascii_alphabetic() || byte >= 0x80) {
                    self.at = end;
                    return Some(month);
                }
            }
        }
        None
    }

    /// A year of four digits; of two where that is usual.
    fn year(&mut self, two: bool) -> Option<u32> {
        match self.number(4)? {
            (year, 4) => Some(year),
            (year, 2) if two => Some(year + if year <= YEARS.end() % 100 { 2000 } else { 1900 }),
            _ => None,
        }
    }
}

/// A date in numbers: year first, or last behind day and month in any order.
fn numbers(view: &View<'_>, word: Word) -> Option<usize> {
    if word.letters {
        return None;
    }
    let mut reader = Reader { view, at: 0 };
    let (first, digits) = reader.number(8)?;
    if digits == 8 {
        return is_birth(first / 10_000, first / 100 % 100, first % 100).then_some(8);
    }
    if digits == 4 && view.is(4, "年".as_bytes()) {
        return chinese(reader, first);
    }
    let spaced = digits <= 2;
    let sign = reader.sign(spaced)?;
    let (second, _) = reader.number(2)?;
    if reader.sign(spaced)? != sign {
        return None;
    }
    let (third, last) = reader.number(4)?;
    let is_valid = match (digits, last) {
        (4, 1 | 2) => is_birth(first, second, third),
        (1 | 2, 4) => is_birth(third, second, first) || is_birth(third, first, second),
        // Which century is open; of 2000 the 29th of February is a day.
        (1 | 2, 2) => is_date(2000 + third, second, first) || is_date(2000 + third, first, second),
        _ => false,
    };
    is_valid.then_some(reader.at)
}

/// The rest of a date as in China and Japan, behind the year.
fn chinese(mut reader: Reader<'_, '_>, year: u32) -> Option<usize> {
    reader.skip("年");
    let (month, _) = reader.number(2)?;
    if !reader.skip("月") {
        return None;
    }
    let (day, _) = reader.number(2)?;
    (reader.skip("日") && is_birth(year, month, day)).then_some(reader.at)
}

/// `12 March 1985`, `12. März 1985`, `12th of March, 1985`, `1er mars 1985`, `12 de marzo de 1985`, `12-Mar-85`, `12MAR1985`.
fn day_first(view: &View<'_>) -> Option<usize> {
    let mut reader = Reader { view, at: 0 };
    let (day, _) = reader.number(2)?;
    if !(1..=31).contains(&day) {
        return None;
    }
    reader.skip_one(&["st", "nd", "rd", "th", "er", "º", "°", "."]);
    let dashed = reader.skip_one(&["-", "/"]);
    if !dashed && reader.skip(" ") {
        reader.skip_one(&["of ", "de "]);
    }
    let month = reader.month()?;
    reader.skip(".");
    if dashed {
        reader.skip_one(&["-", "/"]);
    } else {
        reader.skip(",");
        reader.skip_one(&[" del ", " de ", " "]);
    }
    let year = reader.year(dashed)?;
    is_birth(year, month, day).then_some(reader.at)
}

/// `March 12, 1985`, `Mar. 12th 1985`, `Mar-12-1985`.
fn month_first(view: &View<'_>, word: Word) -> Option<usize> {
    let mut reader = Reader { view, at: word.length };
    reader.skip(".");
    if !reader.skip_one(&[" ", "-"]) {
        return None;
    }
    let (day, _) = reader.number(2)?;
    let behind = reader.at;
    reader.at = 0;
    let month = reader.month()?;
    reader.at = behind;
    reader.skip_one(&["st", "nd", "rd", "th"]);
    reader.skip(",");
    if !reader.skip_one(&[" ", "-"]) {
        return None;
    }
    let year = reader.year(false)?;
    is_birth(year, month, day).then_some(reader.at)
}
