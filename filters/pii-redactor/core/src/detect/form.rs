//! What numbers have in common: forms that are written down, what may stand around them, and the words that name them.

use super::view::{End, Ends, is_called};
use super::{Entity, EntitySet, Found, View, Word, is_word};

/// The most characters that a form has: those of an IBAN.
const MOST: usize = 34;

/// How far back a word that is joined to a number is looked at, in bytes.
const JOINED: usize = 40;

/// Words that name another number than those that are looked for. One that is nearer than the right name takes it away.
const OTHERS: &[&str] = &[
    "order",
    "orders",
    "orderid",
    "orderno",
    "ordernumber",
    "invoice",
    "invoices",
    "invoiceid",
    "invoiceno",
    "invoicenumber",
    "ticket",
    "tickets",
    "tracking",
    "trackingnumber",
    "shipment",
    "parcel",
    "sku",
    "isbn",
    "issn",
    "ean",
    "gtin",
    "upc",
    "imei",
    "serial",
    "timestamp",
    "epoch",
    "unixtime",
    "version",
    "build",
    "commit",
    "price",
    "amount",
    "total",
    "bestellung",
    "bestellnummer",
    "rechnung",
    "rechnungsnummer",
    "pedido",
    "commande",
    "facture",
    "factura",
    "fatura",
    "fattura",
    "ordine",
];

/// Where detectors look and what they find.
pub(super) struct Place<'p, 'v> {
    /// The text from the place on.
    pub view: &'p View<'v>,
    /// The word there.
    pub word: Word,
    /// What is looked for.
    pub wanted: EntitySet,
    /// What was found so far.
    pub found: &'p mut Vec<Found>,
}

impl Place<'_, '_> {
    /// Tells of a value that begins at the place.
    pub fn tell(&mut self, entity: Entity, end: usize, confidence: u8) {
        self.found.push(Found { start: 0, end, entity, confidence });
    }

    /// The first value by one of these rules, for each kind.
    pub fn apply(&mut self, rules: &Rules) {
        if !rules.may_begin(self.word) {
            return;
        }
        let mut told = EntitySet::default();
        for rule in rules.all {
            if !rule.may_begin(self.word) || !self.wanted.has(rule.entity) || told.has(rule.entity) {
                continue;
            }
            if let Some((end, confidence)) = rule.value(self.view) {
                told.add(rule.entity);
                self.tell(rule.entity, end, confidence);
            }
        }
    }
}

/// What was read by a form: its letters (upper case) and digits without what parts them.
pub(super) struct Written {
    characters: [u8; MOST],
    length: usize,
    /// The byte after the last.
    pub end: usize,
    /// What parts the groups, where the form leaves that open.
    pub separator: Option<u8>,
    /// Whether it has letters of lower case.
    pub lower: bool,
}

impl Written {
    pub const EMPTY: Self = Self { characters: [0; MOST], length: 0, end: 0, separator: None, lower: false };

    /// Letters and digits.
    pub fn characters(&self) -> &[u8] {
        self.characters.get(..self.length).unwrap_or_default()
    }

    /// Adds a letter or digit; what is too much is dropped.
    pub fn push(&mut self, byte: u8) {
        if let Some(place) = self.characters.get_mut(self.length) {
            *place = byte.to_ascii_uppercase();
            self.lower |= byte.is_ascii_lowercase();
            self.length += 1;
        }
    }

    /// The number that some of the digits make.
    pub fn number(&self, start: usize, end: usize) -> u32 {
        let digits = self.characters.get(start..end).unwrap_or_default();
        digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit.wrapping_sub(b'0')))
    }
}

/// Reads by a form from `start` on: `9` is a digit, `A` a letter, `X` one of both, `_` a space or a dash (the same each time),
/// anything else itself. It looks no further than the first byte that doesn't fit.
pub(super) fn read(view: &View<'_>, start: usize, form: &str) -> Option<Written> {
    let mut written = Written { end: start, ..Written::EMPTY };
    for sign in form.bytes() {
        let byte = view.byte(written.end)?;
        let fits = match sign {
            b'9' => byte.is_ascii_digit(),
            b'A' => byte.is_ascii_alphabetic(),
            b'X' => is_word(byte),
            b'_' => matches!(byte, b' ' | b'-') && *written.separator.get_or_insert(byte) == byte,
            _ => byte == sign,
        };
        if !fits {
            return None;
        }
        if matches!(sign, b'9' | b'A' | b'X') {
            written.push(byte);
        }
        written.end += 1;
    }
    Some(written)
}

/// Whether what stands before the place belongs to the same number or code: a letter or digit, a sign of a sum, or a sign
/// that joins it to a word with a digit (`a716-446655440000`, `1.4155552671`).
pub(super) fn continues(view: &View<'_>) -> bool {
    match view.before() {
        Some(b'+' | b'$') => true,
        Some(b'-' | b'.' | b'_') => is_joined_to_code(view),
        Some(byte) => is_word(byte),
        None => false,
    }
}

/// Whether the word before the byte before the place has a digit, or is four letters that are hexadecimal.
fn is_joined_to_code(view: &View<'_>) -> bool {
    let mut letters = 0;
    for count in 2..JOINED {
        match view.back(count) {
            Some(byte) if byte.is_ascii_digit() => return true,
            Some(b'a'..=b'f') => letters += 1,
            Some(byte) if is_word(byte) => letters = JOINED,
            _ => break,
        }
    }
    letters == 4
}

/// Whether a value may end at `end`: no word goes on there, and no digit is joined to it.
pub(super) fn stops(view: &View<'_>, end: usize) -> bool {
    match view.byte(end) {
        Some(b'-' | b'.' | b'_') => !view.byte(end + 1).is_some_and(|byte| byte.is_ascii_digit()),
        Some(byte) => !is_word(byte),
        None => true,
    }
}

/// Whether digits stand behind a space before or after a value: it may be a part of a longer number.
fn is_among_digits(view: &View<'_>, end: usize) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit();
    (view.before() == Some(b' ') && view.back(2).is_some_and(is_digit))
        || (view.byte(end) == Some(b' ') && view.byte(end + 1).is_some_and(is_digit))
}

/// Fields of a person that stand beside each other. Among kinds that only their words tell apart the nearest of these has the
/// number.
pub(super) const FIELDS: &[&str] = &[
    "phone",
    "phones",
    "phonenumber",
    "telephone",
    "tel",
    "mobile",
    "mobilenumber",
    "cell",
    "cellphone",
    "fax",
    "mobil",
    "handy",
    "telefon",
    "telefonnummer",
    "téléphone",
    "teléfono",
    "telefono",
    "telefone",
    "celular",
    "cellulare",
    "telefoon",
    "passport",
    "passportnumber",
    "passportno",
    "reisepass",
    "passeport",
    "pasaporte",
    "passaporto",
    "licence",
    "license",
    "licencenumber",
    "licensenumber",
    "führerschein",
    "account",
    "accountnumber",
    "konto",
    "kontonummer",
    "acct",
    "iban",
    "ssn",
];

/// Words that name a kind, and those that name another.
pub(super) struct Names {
    /// In lower case; the words of one are parted by a space. One that begins with `=` has to be the last before the number.
    all: &'static [&'static str],
    /// How they end.
    ends: Ends,
    /// Words that take the name away where they are nearer, wherever a sentence ends.
    rivals: &'static [&'static str],
    /// How these end.
    rival_ends: Ends,
}

impl Names {
    pub const fn new(all: &'static [&'static str]) -> Self {
        Self::among(all, &[])
    }

    pub const fn among(all: &'static [&'static str], rivals: &'static [&'static str]) -> Self {
        Self { all, ends: ends_of(all), rivals, rival_ends: ends_of(rivals) }
    }
}

/// How names end.
const fn ends_of(names: &[&str]) -> Ends {
    let (mut rest, mut ends) = (names, Ends::NONE);
    while let [name, behind @ ..] = rest {
        ends = ends.with(end_of(name));
        rest = behind;
    }
    ends
}

/// Whether the last word of a name ends so. The last byte alone tells almost always.
fn has_end(name: &str, end: End) -> bool {
    name.as_bytes().last() == Some(&end.last()) && end_of(name) == end
}

/// How the last word of a name ends.
const fn end_of(name: &str) -> End {
    match name.as_bytes() {
        [.., b' ' | b'=', last] => End::of(&[*last]),
        [.., b' ' | b'=', first, last] => End::of(&[*first, *last]),
        name => End::of(name),
    }
}

static OTHER_ENDS: Ends = ends_of(OTHERS);

/// Whether one of `names` stands among the five words before the place (of three letters and more), and nearer than a word that
/// names something else. In scripts without spaces a name may end a word.
pub(super) fn is_named(view: &View<'_>, names: &Names) -> bool {
    let words = view.words();
    if !words.all_ends.meets(&names.ends) {
        return false;
    }
    for (nearest, (word, end)) in words.all.iter().zip(words.ends).enumerate().take(words.near) {
        let before = words.all.get(nearest..).unwrap_or_default();
        let is_it = |name: &&str| has_end(name, end) && ends_with(before, name, nearest == 0);
        if names.ends.may_have(end) && names.all.iter().any(is_it) {
            return true;
        }
        let is_other = nearest < words.sentence && is_one_of(word, end, OTHERS, &OTHER_ENDS);
        if is_other || is_one_of(word, end, names.rivals, &names.rival_ends) {
            return false;
        }
    }
    false
}

/// Whether the nearest word before the place in its sentence, or the one before that, names something else.
pub(super) fn is_other(view: &View<'_>) -> bool {
    let words = view.words();
    let mut nearest = words.all.iter().zip(words.ends).take(words.sentence.min(2));
    nearest.any(|(word, end)| is_one_of(word, end, OTHERS, &OTHER_ENDS))
}

/// Whether the digits at the place are some of a longer number in groups, which a word names something else.
pub(super) fn is_within_other(view: &View<'_>, end: usize) -> bool {
    let words = view.words();
    let all = words.all.iter().zip(words.ends).take(words.sentence);
    let mut nearest = all.filter(|(word, _)| !word.iter().all(u8::is_ascii_digit)).take(2);
    is_among_digits(view, end) && nearest.any(|(word, end)| is_one_of(word, end, OTHERS, &OTHER_ENDS))
}

fn is_one_of(word: &[u8], end: End, words: &[&str], ends: &Ends) -> bool {
    ends.may_have(end) && words.iter().any(|other| has_end(other, end) && is_called(word, other.as_bytes()))
}

/// Whether words, the last one first, end with those of a name.
fn ends_with(words: &[&[u8]], name: &str, nearest: bool) -> bool {
    let name = match name.strip_prefix('=') {
        Some(name) if nearest => name,
        Some(_) => return false,
        None => name,
    };
    let mut words = words.iter();
    name.rsplit(' ').all(|part| words.next().is_some_and(|word| is_name(word, part.as_bytes())))
}

fn is_name(word: &[u8], name: &[u8]) -> bool {
    // UTF-8 from 0xe3 on: the scripts of China, Japan and Korea.
    let has_no_spaces = name.first().is_some_and(|first| *first >= 0xe3);
    is_called(word, name) || (has_no_spaces && word.ends_with(name))
}

/// How one kind of number is written, checked and named.
pub(super) struct Rule {
    /// The kind.
    pub entity: Entity,
    /// The form, for [`read`].
    form: &'static str,
    /// How many letters and digits the form begins with.
    first: usize,
    /// Whether one of them has to be a letter; none where it may be.
    letters: Option<bool>,
    /// Whether what was read is such a number.
    check: fn(&Written) -> bool,
    /// What parts the first word of the form from the rest; none where there is no more.
    sign: Option<u8>,
    /// The words that name it.
    names: &'static Names,
    /// How sure it is without a name; 0 where it is nothing then.
    alone: u8,
    /// How sure it is with a name.
    named: u8,
}

/// Rules, and the lengths of the first words of their forms: almost no word has to be compared with each.
pub(super) struct Rules {
    all: &'static [Rule],
    /// A bit for each length of a form that is one word.
    words: u32,
    /// A bit for each length of a first word that something follows.
    beginnings: u32,
}

impl Rules {
    /// Rules in the order in which they are tried.
    pub const fn new(all: &'static [Rule]) -> Self {
        let (mut rest, mut words, mut beginnings) = (all, 0, 0);
        while let [rule, behind @ ..] = rest {
            if rule.first == rule.form.len() {
                words |= 1 << rule.first;
            } else {
                beginnings |= 1 << rule.first;
            }
            rest = behind;
        }
        Self { all, words, beginnings }
    }

    fn may_begin(&self, word: Word) -> bool {
        let has = |lengths: u32| word.length < 32 && lengths & (1 << word.length) != 0;
        has(self.words) || (matches!(word.next, Some(b' ' | b'-' | b'.' | b'/')) && has(self.beginnings))
    }
}

/// From this confidence on, letters may be of lower case where no word names the number.
const ANY_CASE: u8 = 95;

/// From this confidence on, a word that names another number takes nothing away.
const UNMISTAKABLE: u8 = 90;

impl Rule {
    /// A rule: what it says is beside its fields.
    pub const fn new(
        entity: Entity,
        form: &'static str,
        check: fn(&Written) -> bool,
        names: &'static Names,
        alone: u8,
        named: u8,
    ) -> Self {
        let (first, letters, sign) = beginning(form.as_bytes());
        Self { entity, form, first, letters, check, sign, names, alone, named }
    }

    /// Whether a word may be the first one of the form. Almost all are not.
    fn may_begin(&self, word: Word) -> bool {
        let goes_on = match self.sign {
            Some(b'_') => matches!(word.next, Some(b' ' | b'-')),
            Some(sign) => word.next == Some(sign),
            None => true,
        };
        self.first == word.length && goes_on && self.letters.is_none_or(|letters| letters == word.letters)
    }

    /// Where the value ends that is written at the view's place, and how sure it is.
    fn value(&self, view: &View<'_>) -> Option<(usize, u8)> {
        // Few words fit a form, and few of those have a name before them: checks come last.
        let written = read(view, 0, self.form)?;
        let named = is_named(view, self.names);
        if !named && self.alone == 0 {
            return None;
        }
        if !(self.check)(&written) || !stops(view, written.end) {
            return None;
        }
        if named {
            return Some((written.end, self.named));
        }
        if written.lower && self.alone < ANY_CASE {
            return None;
        }
        // Names of files have numbers too (`report_123-45-6789.pdf`).
        if self.alone < UNMISTAKABLE && (is_other(view) || view.before() == Some(b'_')) {
            return None;
        }
        let is_part = self.form.contains(['_', ' ']) && is_among_digits(view, written.end);
        (!is_part).then_some((written.end, self.alone))
    }
}

/// The length of a form's first word, whether it has letters, and the sign behind it.
const fn beginning(form: &[u8]) -> (usize, Option<bool>, Option<u8>) {
    let (mut rest, mut length, mut letters, mut open, mut next) = (form, 0, false, false, None);
    while let [sign, behind @ ..] = rest {
        match sign {
            b'9' => {}
            b'X' => open = true,
            _ if sign.is_ascii_alphanumeric() => letters = true,
            _ => {
                next = Some(*sign);
                break;
            }
        }
        length += 1;
        rest = behind;
    }
    (length, if open && !letters { None } else { Some(letters) }, next)
}
