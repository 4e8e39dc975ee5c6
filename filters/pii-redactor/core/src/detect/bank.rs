//! Payment cards, IBANs and accounts of banks.
//!
//! Sources: ISO/IEC 7812-1 (cards: issuer, length, Luhn) and the issuers' published ranges; the SWIFT IBAN Registry, release 101
//! (lengths and characters by country) and ISO 13616 (the check); the American Bankers Association's routing numbers (first two
//! digits, weights 3, 7, 1).

use super::checksum::{is_luhn, is_uniform, mod97, weighted};
use super::form::{FIELDS, Names, Place, Rule, Rules, Written, is_named, is_other, is_within_other, read, stops};
use super::{Entity, EntitySet, Found, View, Word};

const KINDS: &[Entity] = &[Entity::CreditCard, Entity::Iban, Entity::BankAccount];

/// What begins with a word that has a digit, and is no part of another.
pub(super) fn look(view: &View<'_>, word: Word, wanted: EntitySet, found: &mut Vec<Found>) {
    if word.length < 2 || !wanted.has_any(KINDS) {
        return;
    }
    let mut place = Place { view, word, wanted, found };
    if word.letters {
        look_for_iban(&mut place);
    } else if word.length <= 19 {
        look_for_card(&mut place);
        look_for_account(&mut place);
    }
}

/// Words beside the number of a card.
const CARD_NAMES: &Names = &Names::new(&[
    "card",
    "cards",
    "cardnumber",
    "cardno",
    "creditcard",
    "creditcardnumber",
    "debitcard",
    "debitcardnumber",
    "cc",
    "ccn",
    "ccnumber",
    "pan",
    "visa",
    "mastercard",
    "maestro",
    "amex",
    "american express",
    "discover",
    "diners",
    "jcb",
    "unionpay",
    "rupay",
    "credit",
    "debit",
    "karte",
    "kartennummer",
    "kreditkarte",
    "kreditkartennummer",
    "carte",
    "tarjeta",
    "carta",
    "cartão",
    "karta",
    "kaart",
    "卡号",
    "カード番号",
]);

/// How cards are printed: Visa and most others, American Express, Diners Club. The longer ones first.
const CARD_FORMS: &[&str] =
    &["9999_9999_9999_9999_999", "9999_9999_9999_9999", "9999_999999_99999", "9999_999999_9999"];

fn look_for_card(place: &mut Place<'_, '_>) {
    let view = place.view;
    if !place.wanted.has(Entity::CreditCard) || !matches!(view.byte(0), Some(b'1'..=b'6')) {
        return;
    }
    let grouped = place.word.length == 4 && matches!(place.word.next, Some(b' ' | b'-'));
    let card = if grouped {
        CARD_FORMS.iter().find_map(|form| read(view, 0, form).filter(|card| is_card(view, card)))
    } else if place.word.length >= 12 {
        Some(bare(view, place.word)).filter(|card| is_card(view, card))
    } else {
        None
    };
    let Some(card) = card else { return };
    if let Some(confidence) = card_confidence(view, &card, grouped) {
        place.tell(Entity::CreditCard, card.end, confidence);
    }
}

/// How sure a number with a card's check is one. Without groups short ones may be anything (articles of shops have 13 digits),
/// and long ones are rare but for UnionPay's (ids of posts have 18 and 19).
fn card_confidence(view: &View<'_>, card: &Written, grouped: bool) -> Option<u8> {
    match card.characters().len() {
        _ if is_named(view, CARD_NAMES) => Some(99),
        _ if grouped => (!is_within_other(view, card.end)).then_some(95),
        _ if is_other(view) => None,
        15 | 16 => Some(90),
        14 => Some(80),
        17.. if card.number(0, 2) == 62 => Some(90),
        _ => None,
    }
}

fn is_card(view: &View<'_>, card: &Written) -> bool {
    let digits = card.characters();
    is_issued(card.number(0, 6), digits.len()) && !is_uniform(digits) && is_luhn(digits) && stops(view, card.end)
}

/// Whether an issuer has cards of that many digits whose first six are these.
fn is_issued(first: u32, length: usize) -> bool {
    match first {
        // Mastercard and Mir.
        222_100..=272_099 | 510_000..=559_999 => length == 16,
        220_000..=220_499 => (16..=19).contains(&length),
        // American Express.
        340_000..=349_999 | 370_000..=379_999 => length == 15,
        // Diners Club.
        300_000..=305_999 | 309_500..=309_599 | 360_000..=369_999 | 380_000..=399_999 => matches!(length, 14 | 16),
        // JCB, the old ones first.
        180_000..=180_099 | 213_100..=213_199 => length == 15,
        352_800..=358_999 => (16..=19).contains(&length),
        // Visa, and Elo among its numbers.
        400_000..=499_999 => matches!(length, 13 | 16 | 19),
        // RuPay, Verve, Elo and Dankort, then Maestro, which has any length.
        508_000..=508_999 | 506_000..=507_999 | 509_000..=509_999 | 501_900..=501_999 => (16..=19).contains(&length),
        500_000..=505_999 | 560_000..=589_999 | 630_400..=630_499 | 639_000..=639_099 | 670_000..=679_999 => true,
        // Discover, RuPay, UnionPay, Hipercard.
        600_000..=629_999 | 644_000..=659_999 => (16..=19).contains(&length),
        // InstaPayment and Elo.
        636_000..=639_999 => length == 16,
        _ => false,
    }
}

/// A word of digits alone.
fn bare(view: &View<'_>, word: Word) -> Written {
    let mut written = Written::EMPTY;
    view.slice(0, word.length).iter().for_each(|byte| written.push(*byte));
    written.end = word.length;
    written
}

/// By country: what follows the two check digits. `n` are digits, `a` letters, `c` both, each that many times.
const IBANS: &[(&[u8; 2], &str)] = &[
    (b"AD", "n8c12"),
    (b"AE", "n19"),
    (b"AL", "n8c16"),
    (b"AT", "n16"),
    (b"AZ", "a4c20"),
    (b"BA", "n16"),
    (b"BE", "n12"),
    (b"BG", "a4n6c8"),
    (b"BH", "a4c14"),
    (b"BI", "n23"),
    (b"BR", "n23a1c1"),
    (b"BY", "c4n4c16"),
    (b"CH", "n5c12"),
    (b"CR", "n18"),
    (b"CY", "n8c16"),
    (b"CZ", "n20"),
    (b"DE", "n18"),
    (b"DJ", "n23"),
    (b"DK", "n14"),
    (b"DO", "c4n20"),
    (b"EE", "n16"),
    (b"EG", "n25"),
    (b"ES", "n20"),
    (b"FI", "n14"),
    (b"FK", "a2n12"),
    (b"FO", "n14"),
    (b"FR", "n10c11n2"),
    (b"GB", "a4n14"),
    (b"GE", "a2n16"),
    (b"GI", "a4c15"),
    (b"GL", "n14"),
    (b"GR", "n7c16"),
    (b"GT", "c24"),
    (b"HN", "a4n20"),
    (b"HR", "n17"),
    (b"HU", "n24"),
    (b"IE", "a4n14"),
    (b"IL", "n19"),
    (b"IQ", "a4n15"),
    (b"IS", "n22"),
    (b"IT", "a1n10c12"),
    (b"JO", "a4n4c18"),
    (b"KW", "a4c22"),
    (b"KZ", "n3c13"),
    (b"LB", "n4c20"),
    (b"LC", "a4c24"),
    (b"LI", "n5c12"),
    (b"LT", "n16"),
    (b"LU", "n3c13"),
    (b"LV", "a4c13"),
    (b"LY", "n21"),
    (b"MC", "n10c11n2"),
    (b"MD", "c20"),
    (b"ME", "n18"),
    (b"MK", "n3c10n2"),
    (b"MN", "n16"),
    (b"MR", "n23"),
    (b"MT", "a4n5c18"),
    (b"MU", "a4n19a3"),
    (b"NI", "a4n20"),
    (b"NL", "a4n10"),
    (b"NO", "n11"),
    (b"OM", "n3c16"),
    (b"PK", "a4c16"),
    (b"PL", "n24"),
    (b"PS", "a4c21"),
    (b"PT", "n21"),
    (b"QA", "a4c21"),
    (b"RO", "a4c16"),
    (b"RS", "n18"),
    (b"RU", "n14c15"),
    (b"SA", "n2c18"),
    (b"SC", "a4n20a3"),
    (b"SD", "n14"),
    (b"SE", "n20"),
    (b"SI", "n15"),
    (b"SK", "n20"),
    (b"SM", "a1n10c12"),
    (b"SO", "n19"),
    (b"ST", "n21"),
    (b"SV", "a4n20"),
    (b"TL", "n19"),
    (b"TN", "n20"),
    (b"TR", "n6c16"),
    (b"UA", "n6c19"),
    (b"VA", "n18"),
    (b"VG", "a4n16"),
    (b"XK", "n16"),
    (b"YE", "a4n4c18"),
];

/// The characters of an IBAN without those that part it: the shortest is of Norway, the longest of Russia.
const SHORTEST_IBAN: usize = 15;

fn look_for_iban(place: &mut Place<'_, '_>) {
    let view = place.view;
    let Some(layout) = iban_layout(place) else { return };
    let Some(iban) = read_iban(view, layout, place.word.length < SHORTEST_IBAN) else { return };
    let (bank, country) = (iban.characters().iter().skip(4), iban.characters().iter().take(4));
    let checked = mod97(bank.chain(country).copied()) == 1 && (2..=98).contains(&iban.number(2, 4));
    if checked && stops(view, iban.end) {
        place.tell(Entity::Iban, iban.end, 98);
    }
}

/// The layout of the country whose letters, with two check digits, the word begins with.
fn iban_layout(place: &Place<'_, '_>) -> Option<&'static str> {
    if place.word.length < 4 || !place.wanted.has(Entity::Iban) {
        return None;
    }
    let [first, second, tens, ones] = *place.view.slice(0, 4) else { return None };
    let begins = first.is_ascii_alphabetic() && tens.is_ascii_digit() && ones.is_ascii_digit();
    if !begins {
        return None;
    }
    let country = [first.to_ascii_uppercase(), second.to_ascii_uppercase()];
    IBANS.iter().find(|(code, _)| **code == country).map(|(_, layout)| *layout)
}

/// Reads an IBAN: in one word, its letters all of one case, or with single spaces or dashes where its writer likes them.
fn read_iban(view: &View<'_>, layout: &str, parted: bool) -> Option<Written> {
    let mut iban = Written::EMPTY;
    let mut upper = false;
    for kind in b"aann".iter().copied().chain(kinds(layout)) {
        let byte = view.byte(iban.end)?;
        let byte = if parted && iban.end > 2 && matches!(byte, b' ' | b'-') {
            iban.end += 1;
            view.byte(iban.end)?
        } else {
            byte
        };
        upper |= byte.is_ascii_uppercase();
        let fits = match kind {
            b'n' => byte.is_ascii_digit(),
            b'a' => byte.is_ascii_alphabetic(),
            _ => byte.is_ascii_alphanumeric(),
        };
        if !fits || (upper && byte.is_ascii_lowercase()) {
            return None;
        }
        iban.push(byte);
        iban.end += 1;
    }
    (upper != iban.lower).then_some(iban)
}

/// The kind of each character of a layout.
fn kinds(layout: &str) -> impl Iterator<Item = u8> {
    layout.as_bytes().chunk_by(|_, next| next.is_ascii_digit()).flat_map(|part| {
        let count = part.iter().skip(1).fold(0, |count, digit| count * 10 + usize::from(digit.wrapping_sub(b'0')));
        core::iter::repeat_n(part.first().copied().unwrap_or_default(), count)
    })
}

const ACCOUNT_NAMES: &Names = &Names::among(
    &[
        "account number",
        "account no",
        "account nr",
        "account num",
        "accountnumber",
        "accountno",
        "bank account",
        "bankaccount",
        "bankaccountnumber",
        "checking account",
        "savings account",
        "current account",
        "acct",
        "acct no",
        "acct number",
        "acctnumber",
        "acctno",
        "konto",
        "kontonummer",
        "kontonr",
        "konto nr",
        "compte",
        "numéro de compte",
        "compte bancaire",
        "cuenta",
        "cuenta bancaria",
        "número de cuenta",
        "conta",
        "conta corrente",
        "conto",
        "conto corrente",
        "rekening",
        "rekeningnummer",
        "numer konta",
        "rachunek",
        "rachunku",
        "clabe",
        "账号",
        "口座番号",
    ],
    FIELDS,
);

const ROUTING_NAMES: &Names = &Names::among(
    &[
        "routing",
        "routing number",
        "routing no",
        "routing num",
        "routingnumber",
        "routingno",
        "aba",
        "aba number",
        "rtn",
        "transit number",
        "bankrouting",
        "bankroutingnumber",
        "abarouting",
    ],
    FIELDS,
);

const SORT_CODE_NAMES: &Names = &Names::among(&["sort code", "sortcode", "sort", "sc"], FIELDS);

const BSB_NAMES: &Names = &Names::new(&["bsb", "bsbnumber"]);

const BLZ_NAMES: &Names = &Names::new(&["blz", "bankleitzahl"]);

/// Numbers of accounts have no check that all banks share: the words decide. A routing number is known by its own.
static ACCOUNTS: Rules = Rules::new(&[
    account("99-99-99", is_any, SORT_CODE_NAMES),
    account("99 99 99", is_any, SORT_CODE_NAMES),
    account("999999", is_any, SORT_CODE_NAMES),
    account("999-999", is_any, BSB_NAMES),
    account("999999", is_any, BSB_NAMES),
    account("99999999", is_any, BLZ_NAMES),
    account("999 999 99", is_any, BLZ_NAMES),
    Rule::new(Entity::BankAccount, "999999999", is_routing_number, ROUTING_NAMES, 0, 90),
    account("9999_9999", is_any, ACCOUNT_NAMES),
    account("9999_9999_99", is_any, ACCOUNT_NAMES),
    account("9999_9999_9999", is_any, ACCOUNT_NAMES),
    account("9999_9999_99_9999999999", is_any, ACCOUNT_NAMES),
    account("999_999_999", is_any, ACCOUNT_NAMES),
    account("99-9999999-9", is_any, ACCOUNT_NAMES),
]);

const fn account(form: &'static str, check: fn(&Written) -> bool, names: &'static Names) -> Rule {
    Rule::new(Entity::BankAccount, form, check, names, 0, 75)
}

fn is_any(written: &Written) -> bool {
    !is_uniform(written.characters())
}

/// The lengths of account numbers that are written in one word.
const ACCOUNT_LENGTHS: core::ops::RangeInclusive<usize> = 6..=18;

fn look_for_account(place: &mut Place<'_, '_>) {
    if !place.wanted.has(Entity::BankAccount) {
        return;
    }
    place.apply(&ACCOUNTS);
    let (view, length) = (place.view, place.word.length);
    let is_told = place.found.iter().any(|found| found.entity == Entity::BankAccount);
    if is_told || !ACCOUNT_LENGTHS.contains(&length) || !is_named(view, ACCOUNT_NAMES) || !stops(view, length) {
        return;
    }
    // Clouds have accounts too, and their numbers are in every address of theirs.
    if is_any(&bare(view, place.word)) && !view.context(&["aws", "amazon"]) {
        place.tell(Entity::BankAccount, length, 75);
    }
}

/// Whether nine digits are a routing number: of a Federal Reserve district, a thrift, an electronic or a cheque's number.
fn is_routing_number(written: &Written) -> bool {
    let is_assigned = matches!(written.number(0, 2), 0..=12 | 21..=32 | 61..=72 | 80);
    is_assigned && weighted(written.characters(), &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10) && is_any(written)
}
