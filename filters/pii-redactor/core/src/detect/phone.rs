//! Telephone numbers: international ones by themselves, national ones beside a word that says so.
//!
//! Sources: ITU-T E.164 and its list of country codes, the lengths of national numbers as regulators publish them (ITU-T's
//! national numbering plans), the North American Numbering Plan (NANPA), ITU-T E.123 for how they are written.

use super::date::is_date;
use super::form::{FIELDS, Names, Written, is_named, read, stops};
use super::{Entity, EntitySet, Found, View, Word, is_word};

/// Words beside a telephone number, in the languages of the countries below.
const NAMES: &Names = &Names::among(
    &[
        "phone",
        "phones",
        "phonenumber",
        "phoneno",
        "telephone",
        "telephonenumber",
        "tel",
        "telno",
        "ph",
        "call",
        "mobile",
        "mobilenumber",
        "mobileno",
        "mobilephone",
        "cell",
        "cellphone",
        "cellnumber",
        "fax",
        "faxnumber",
        "whatsapp",
        "wa me",
        "sms",
        "dial",
        "hotline",
        "contactnumber",
        "contact number",
        "homephone",
        "workphone",
        "landline",
        "reach me at",
        "text me",
        "msisdn",
        "telefon",
        "telefonnummer",
        "telefonnr",
        "mobil",
        "mobilnummer",
        "mobiltelefon",
        "handy",
        "handynummer",
        "rufnummer",
        "téléphone",
        "telephoner",
        "portable",
        "appelez",
        "teléfono",
        "móvil",
        "movil",
        "celular",
        "llama",
        "llame",
        "llámame",
        "telefone",
        "telemóvel",
        "telemovel",
        "ligue",
        "telefono",
        "cellulare",
        "chiama",
        "chiamare",
        "telefoon",
        "telefoonnummer",
        "mobiel",
        "tlf",
        "telefonu",
        "telefonicznym",
        "komórka",
        "komórkowy",
        "zadzwoń",
        "puhelin",
        "cep",
        "फोन",
        "मोबाइल",
        "电话",
        "手机",
        "電話",
        "電話番号",
        "携帯",
        "전화",
        "휴대폰",
    ],
    FIELDS,
);

/// Names to which a number may be joined (`tel-0171…`).
const JOINED_NAMES: &Names =
    &Names::new(&["=phone", "=tel", "=mobile", "=cell", "=fax", "=number", "=telefon", "=mobil", "=sms"]);

/// What begins with a word that has a digit, and is no part of another.
pub(super) fn look(view: &View<'_>, word: Word, wanted: EntitySet, found: &mut Vec<Found>) {
    let is_wanted = wanted.has_any(&[Entity::Phone, Entity::NationalPhone]);
    if !is_wanted || word.letters || !may_go_on(view, word) {
        return;
    }
    if wanted.has(Entity::Phone) {
        found.extend(american(view, word).or_else(|| international_without_plus(view, word)));
    }
    if wanted.has(Entity::NationalPhone) {
        found.extend(national(view, 0));
    }
}

/// Whether a word of digits is a number, or digits follow behind a sign. Almost all do neither.
fn may_go_on(view: &View<'_>, word: Word) -> bool {
    match word.length {
        8..=MOST => true,
        1..8 if matches!(word.next, Some(b' ' | b'-' | b'.' | b'/' | b'(')) => {
            view.byte(word.length + 1).is_some_and(|byte| byte.is_ascii_digit() || byte == b'(')
        }
        _ => false,
    }
}

/// What begins with `+` or `(`.
pub(super) fn look_at_sign(view: &View<'_>, wanted: EntitySet, found: &mut Vec<Found>) {
    if !wanted.has_any(&[Entity::Phone, Entity::NationalPhone])
        || view.before().is_some_and(|byte| is_word(byte) || byte == b'+')
    {
        return;
    }
    if view.byte(0) == Some(b'+') {
        if wanted.has(Entity::Phone) {
            found.extend(international(view, 0));
        }
        return;
    }
    match view.byte(1) {
        Some(b'+') if wanted.has(Entity::Phone) => found.extend(international(view, 1)),
        Some(b'0'..=b'9') => {
            if wanted.has(Entity::Phone) {
                found.extend(american_by(view, IN_BRACKETS).or_else(|| code_in_brackets(view)));
            }
            if wanted.has(Entity::NationalPhone) {
                found.extend(national(view, 1));
            }
        }
        _ => {}
    }
}

// International numbers.

/// The most digits of an international number (E.164).
const MOST: usize = 15;

/// Country codes by how many digits follow them, at least and at most.
const COUNTRIES: &[(usize, usize, &[u32])] = &[
    (4, 5, &[290]),
    (4, 7, &[683, 690]),
    (4, 11, &[352]),
    (5, 5, &[247, 500, 682]),
    (5, 7, &[676, 677, 678, 688]),
    (5, 8, &[686]),
    (5, 9, &[27]),
    (5, 10, &[358, 685, 82]),
    (5, 12, &[43]),
    (6, 6, &[298, 299, 672, 681, 687]),
    (6, 7, &[597]),
    (6, 9, &[252, 359, 376, 40, 421, 508]),
    (6, 10, &[53, 63, 880, 95, 98]),
    (6, 11, &[39, 49]),
    (7, 7, &[238, 239, 246, 248, 269, 291, 297, 501, 592, 673, 674, 679, 680, 691, 692, 960]),
    (7, 8, &[230, 241, 267, 372, 507, 599, 670, 675, 961, 975]),
    (7, 9, &[220, 231, 245, 254, 265, 354, 423, 46, 48, 595, 967]),
    (7, 10, &[243, 353]),
    (7, 11, &[381, 62, 86, 882]),
    (
        8,
        8,
        &[
            216, 222, 223, 226, 227, 228, 232, 235, 236, 253, 257, 266, 268, 350, 356, 357, 370, 371, 373, 374, 382,
            386, 389, 45, 47, 502, 503, 504, 505, 506, 509, 591, 598, 65, 689, 800, 808, 852, 853, 965, 968, 973, 974,
            993,
        ],
    ),
    (8, 9, &[213, 224, 250, 258, 264, 32, 355, 36, 377, 385, 387, 51, 593, 66, 855, 962, 963, 970, 971]),
    (8, 10, &[20, 378, 57, 60, 64, 850, 856, 964, 976, 977]),
    (8, 11, &[383, 883, 886, 972]),
    (
        9,
        9,
        &[
            211, 212, 218, 221, 233, 237, 240, 242, 244, 249, 251, 255, 256, 260, 261, 262, 33, 34, 351, 375, 380, 41,
            420, 56, 590, 594, 596, 61, 93, 94, 966, 979, 992, 994, 995, 996, 998,
        ],
    ),
    (9, 10, &[263, 44, 81, 84, 881, 92]),
    (9, 11, &[31, 870]),
    (10, 10, &[1, 225, 229, 234, 30, 52, 58, 7, 90, 91]),
    (10, 11, &[54, 55]),
    (11, 11, &[888]),
    (12, 12, &[878]),
];

/// How many digits follow the country code that the digits begin with, and how long the code is.
fn country(number: &Written) -> Option<(usize, usize, usize)> {
    (1..=3).find_map(|length| {
        let code = number.number(0, length);
        let plan = COUNTRIES.iter().find(|(_, _, codes)| code > 0 && codes.contains(&code));
        plan.map(|(least, most, _)| (length, *least, *most))
    })
}

/// A number whose `+` is at `start`, 1 where it stands in brackets.
fn international(view: &View<'_>, start: usize) -> Option<Found> {
    if !view.byte(start + 1).is_some_and(|byte| matches!(byte, b'1'..=b'9')) {
        return None;
    }
    let groups = Groups::read(view, start + 1, start);
    let end = groups.longest(view, is_international)?;
    let confidence = if is_named(view, NAMES) { 97 } else { 92 };
    Some(Found { start: 0, end: extension(view, end), entity: Entity::Phone, confidence })
}

fn is_international(number: &Written, _: usize) -> bool {
    let digits = number.characters();
    let Some((code, least, most)) = country(number) else { return false };
    let national = digits.get(code..).unwrap_or_default();
    // Many write the 0 of home behind the country code.
    let more = usize::from(national.first() == Some(&b'0'));
    let fits = digits.len() <= MOST && (least..=most + more).contains(&national.len());
    fits && is_varied(national) && (number.number(0, 1) != 1 || is_american(number))
}

/// Whether the digits are not all the same but for the first.
fn is_varied(digits: &[u8]) -> bool {
    digits.iter().skip(1).any(|digit| Some(digit) != digits.get(1))
}

/// How many digits an international number has at least that nothing marks.
const BARE: usize = 11;

/// The same with `00` or `011` for the plus, or with nothing, beside a word that says so.
fn international_without_plus(view: &View<'_>, word: Word) -> Option<Found> {
    let start = if view.is(0, b"00") {
        2
    } else if view.is(0, b"011") {
        3
    } else if word.length >= BARE {
        0
    } else {
        return None;
    };
    // Dashes behind 001 are the mark of a number that is dialled from abroad.
    let named = is_named(view, NAMES);
    if !named && (start != 2 || read(view, 0, "001-999-999-9999").is_none()) {
        return None;
    }
    let groups = Groups::read(view, groups_start(view, start)?, 0);
    let end = groups.longest(view, is_international)?;
    let confidence = if named && start > 0 { 90 } else { 75 };
    Some(Found { start: 0, end: extension(view, end), entity: Entity::Phone, confidence })
}

/// The same with the country code in brackets, beside a word that says so.
fn code_in_brackets(view: &View<'_>) -> Option<Found> {
    if !is_named(view, NAMES) {
        return None;
    }
    let groups = Groups::read(view, 1, 1);
    let end = groups.longest(view, |number, end| number.characters().len() >= BARE && is_international(number, end))?;
    Some(Found { start: 0, end: extension(view, end), entity: Entity::Phone, confidence: 75 })
}

/// Where the country code begins behind a prefix: a space or dash may part them.
fn groups_start(view: &View<'_>, start: usize) -> Option<usize> {
    match view.byte(start)? {
        b'1'..=b'9' => Some(start),
        b' ' | b'-' if start > 0 => view.byte(start + 1).filter(|byte| matches!(byte, b'1'..=b'9')).map(|_| start + 1),
        _ => None,
    }
}

// Numbers of North America.

/// How they are written, and how sure that is without a word: 0 where it may be anything.
type Forms = &'static [(&'static str, u8)];

const IN_BRACKETS: Forms = &[
    ("(999) 999-9999", 90),
    ("(999)999-9999", 90),
    ("(999) 999 9999", 85),
    ("(999)-999-9999", 85),
    ("(999) 999.9999", 85),
];

fn american(view: &View<'_>, word: Word) -> Option<Found> {
    let forms: Forms = match (word.length, word.next) {
        (3, Some(b'-')) => &[("999-999-9999", 80)],
        (3, Some(b'.')) => &[("999.999.9999", 75)],
        (3, Some(b' ')) => &[("999 999 9999", 0), ("999 999-9999", 75)],
        (10, _) => &[("9999999999", 0)],
        (1, Some(b'-')) => &[("1-999-999-9999", 85), ("1-(999)-999-9999", 90)],
        (1, Some(b'.')) => &[("1.999.999.9999", 80)],
        (1, Some(b' ')) => &[("1 999 999 9999", 0), ("1 999-999-9999", 85), ("1 (999) 999-9999", 92)],
        (1, Some(b'(')) => &[("1(999)999-9999", 90)],
        (11, _) => &[("19999999999", 0)],
        _ => return None,
    };
    american_by(view, forms)
}

fn american_by(view: &View<'_>, forms: Forms) -> Option<Found> {
    let (number, alone) = forms.iter().find_map(|(form, alone)| read(view, 0, form).map(|number| (number, *alone)))?;
    let end = extension(view, number.end);
    if !is_american(&number) || (end == number.end && !stops(view, end)) {
        return None;
    }
    let confidence = if is_named(view, NAMES) { 95.min(alone.max(80) + 10) } else { alone };
    (confidence > 0).then_some(Found { start: 0, end, entity: Entity::Phone, confidence })
}

/// Ten digits, maybe behind a 1: area and exchange begin with 2 to 9, and neither an area nor an exchange is a service (911).
fn is_american(number: &Written) -> bool {
    let digits = match number.characters() {
        [b'1', ten @ ..] if ten.len() == 10 => ten,
        ten => ten,
    };
    let [area, area_2, area_3, exchange, exchange_2, exchange_3, _, _, _, _] = digits else { return false };
    let is_service = [[area_2, area_3], [exchange_2, exchange_3]].contains(&[&b'1', &b'1']);
    *area >= b'2' && *exchange >= b'2' && !is_service
}

/// The end of an extension behind a number (` ext. 12`, `x12`), or of the number itself.
fn extension(view: &View<'_>, end: usize) -> usize {
    let mut at = end + usize::from(view.byte(end) == Some(b' '));
    if view.is_any_case(at, b"ext") {
        at += 3;
        at += usize::from(view.byte(at) == Some(b'.'));
        at += usize::from(view.byte(at) == Some(b' '));
    } else if view.is_any_case(at, b"x") {
        at += 1;
    } else {
        return end;
    }
    let digits = view.run(at, 7, |byte| byte.is_ascii_digit());
    if matches!(digits, 1..=6) && view.ends(at + digits) { at + digits } else { end }
}

// National numbers.

/// Which national numbers there are: the first two digits as they are written, from and to, how many digits, from and to, and
/// whether a number has to be in groups, because without them it may be a time in seconds.
type Plan = (u32, u32, usize, usize, bool);

const PLANS: &[Plan] = &[
    // With a 0 in front: Germany, Austria, United Kingdom, France, Italy, Netherlands, Belgium, Switzerland, Sweden, Ireland,
    // Australia, Japan, South Africa, Turkey, India, China.
    (1, 9, 9, 13, false),
    (1, 9, 8, 8, true),
    // Spain, Portugal, Poland, Italy's mobile numbers.
    (20, 29, 9, 9, false),
    (41, 99, 9, 9, false),
    (30, 39, 9, 10, false),
    (11, 19, 9, 9, true),
    // Denmark and Norway.
    (20, 99, 8, 8, false),
    // India and Mexico, the areas of Brazil.
    (20, 99, 10, 10, false),
    (11, 19, 10, 10, true),
    // Brazil's mobile numbers, Russia with its 8, and China's mobile numbers.
    (11, 99, 11, 11, false),
    // Australia's 1300 and 1800.
    (13, 13, 10, 10, false),
];

/// The fewest digits of a number as it is written within a country (`555-1234`, and a few of six).
const SHORTEST: usize = 6;

/// A national number at `start`, behind a bracket where that is not 0.
fn national(view: &View<'_>, start: usize) -> Option<Found> {
    let groups = Groups::read(view, start, start);
    // reading the words before costs more than reading the digits, of which most have too few
    let few = groups.digits.characters().len() < SHORTEST;
    if few || !is_named(view, NAMES) || is_in_path(view) || continues_international(view) {
        return None;
    }
    let local = || read(view, 0, "999-9999").filter(|number| number.number(0, 1) > 1 && stops(view, number.end));
    let end = groups.longest_national(view).or_else(|| local().map(|number| number.end))?;
    Some(Found { start: 0, end: extension(view, end), entity: Entity::NationalPhone, confidence: 75 })
}

/// Whether the place is joined to a word that doesn't name a telephone: a part of a path or of an id (`bucket-3633/2026/03`).
fn is_in_path(view: &View<'_>) -> bool {
    let joined = matches!(view.before(), Some(b'-' | b'/')) && view.back(2).is_some_and(is_word);
    joined && !is_named(view, JOINED_NAMES)
}

/// Whether the digits before the place are of an international number, which this would be a part of.
fn continues_international(view: &View<'_>) -> bool {
    let is_part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b' ' | b'-' | b'.' | b'(' | b')');
    (1..24).find_map(|count| view.back(count).filter(|byte| !is_part(*byte))) == Some(b'+')
}

fn is_national(number: &Written, end: usize) -> bool {
    let (first, length) = (number.number(0, 2), number.characters().len());
    let is_planned = |(from, to, least, most, grouped): &Plan| {
        (*from..=*to).contains(&first) && (*least..=*most).contains(&length) && (!grouped || end > length)
    };
    PLANS.iter().any(is_planned) && is_varied(number.characters())
}

// Digits in groups.

/// The most groups.
const GROUPS: usize = 8;

/// Digits in groups of any size, and where each group ends.
struct Groups {
    /// For each group: the digits up to its end, and that end.
    ends: [(usize, usize); GROUPS],
    count: usize,
    digits: Written,
    /// What stands between the groups, if that is always a dot.
    dotted: bool,
}

impl Groups {
    /// Reads groups from `start` on, with `open` brackets before. It ends before what doesn't belong to a telephone number, and
    /// with the group that has more digits than any.
    fn read(view: &View<'_>, start: usize, open: usize) -> Self {
        let mut groups = Self { ends: [(0, 0); GROUPS], count: 0, digits: Written::EMPTY, dotted: true };
        let (mut at, mut open) = (start, open > 0);
        while groups.count < GROUPS {
            while let Some(digit) = view.byte(at).filter(u8::is_ascii_digit) {
                groups.digits.push(digit);
                at += 1;
                if groups.digits.characters().len() > MOST + 1 {
                    return groups;
                }
            }
            if !open {
                groups.end_at(at);
            }
            let Some((next, opens)) = gap(view, at, open) else { return groups };
            groups.dotted &= view.slice(at, next) == b".";
            (at, open) = (next, opens);
        }
        groups
    }

    fn end_at(&mut self, at: usize) {
        if let Some(end) = self.ends.get_mut(self.count) {
            *end = (self.digits.characters().len(), at);
            self.count += 1;
        }
    }

    /// The end of the longest number of some groups from the first on that is valid.
    fn longest(&self, view: &View<'_>, is_valid: fn(&Written, usize) -> bool) -> Option<usize> {
        let ends = self.ends.get(..self.count)?;
        let found = ends.iter().rev().find(|(length, end)| {
            let mut number = Written::EMPTY;
            self.digits.characters().iter().take(*length).for_each(|digit| number.push(*digit));
            is_valid(&number, *end) && (stops(view, *end) || extension(view, *end) > *end)
        });
        found.map(|(_, end)| *end)
    }

    /// The same for national numbers: neither a date nor an address of IPv4.
    fn longest_national(&self, view: &View<'_>) -> Option<usize> {
        let is_address = self.dotted && self.count == 4 && self.digits.characters().len() <= 12;
        if is_address || self.begins_with_date() { None } else { self.longest(view, is_national) }
    }

    /// Whether the first three groups are year, month and day, in this order or the other.
    fn begins_with_date(&self) -> bool {
        let [(first, _), (second, _), (third, _), ..] = self.ends;
        let part = |start, end| self.digits.number(start, end);
        match (first, second, third) {
            (4, 6, 8) => is_date(part(0, 4), part(4, 6), part(6, 8)) && matches!(part(0, 2), 19 | 20),
            (2, 4, 8) => matches!(part(4, 6), 19 | 20) && part(0, 2) <= 31 && part(2, 4) <= 31,
            _ => false,
        }
    }
}

/// What parts two groups: where the next one begins, and whether a bracket is open there. A 0 in brackets is for callers at home,
/// and no digit of the number.
fn gap(view: &View<'_>, at: usize, open: bool) -> Option<(usize, bool)> {
    let (mut next, mut open, closes) = (at, false, open);
    if closes {
        next += usize::from(view.byte(next)? == b')');
    }
    if next == at && (closes || matches!(view.byte(next), Some(b'.' | b'/'))) {
        return (!closes && is_digit(view, next + 1)).then_some((next + 1, false));
    }
    next += usize::from(matches!(view.byte(next), Some(b' ' | b'-' | b'.')));
    if view.is(next, b"(0)") {
        next += 3;
        next += usize::from(matches!(view.byte(next), Some(b' ' | b'-')));
    } else if view.byte(next) == Some(b'(') {
        next += 1;
        open = true;
    }
    (next > at && is_digit(view, next)).then_some((next, open))
}

fn is_digit(view: &View<'_>, offset: usize) -> bool {
    view.byte(offset).is_some_and(|byte| byte.is_ascii_digit())
}
