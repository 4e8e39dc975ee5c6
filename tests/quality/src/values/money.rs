//! Cards, accounts and purses.

use super::Language::{De, En, Es, Fr, It, Nl, Pl, Pt};
use super::{Value, Vocabulary, grouped};
use crate::check;
use crate::random::{CAPITALS, HEX, Random};

static CARD: Vocabulary = Vocabulary {
    words: &[
        (En, "card number"),
        (En, "credit card"),
        (En, "Visa card"),
        (En, "card"),
        (De, "Kreditkarte"),
        (De, "Kartennummer"),
        (Fr, "carte bancaire"),
        (Es, "tarjeta de crédito"),
        (It, "carta di credito"),
        (Pt, "cartão de crédito"),
    ],
    keys: &["card_number", "cardNumber", "credit_card", "cc_number", "pan"],
};

/// Beginnings of cards, how many digits they have, and how they are grouped.
const CARDS: [(&str, usize, &[usize]); 12] = [
    ("4", 16, &[4, 4, 4, 4]),
    ("4", 16, &[4, 4, 4, 4]),
    ("4539", 16, &[4, 4, 4, 4]),
    ("51", 16, &[4, 4, 4, 4]),
    ("54", 16, &[4, 4, 4, 4]),
    ("2221", 16, &[4, 4, 4, 4]),
    ("34", 15, &[4, 6, 5]),
    ("37", 15, &[4, 6, 5]),
    ("6011", 16, &[4, 4, 4, 4]),
    ("36", 14, &[4, 6, 4]),
    ("3530", 16, &[4, 4, 4, 4]),
    ("62", 16, &[4, 4, 4, 4]),
];

pub(super) fn card(random: &mut Random) -> Value {
    let (begin, length, groups) = random.pick(&CARDS);
    let digits = format!("{begin}{}", random.digits(length - 1 - begin.len()));
    let digits = format!("{digits}{}", check::luhn(&digits));
    match random.below(10) {
        0..4 => Value::new(digits, &CARD),
        4..8 => Value::new(grouped(&digits, groups, " "), &CARD),
        _ => Value::new(grouped(&digits, groups, "-"), &CARD),
    }
}

static IBAN: Vocabulary = Vocabulary {
    words: &[
        (En, "IBAN"),
        (En, "bank account"),
        (De, "IBAN"),
        (De, "Bankverbindung"),
        (Fr, "IBAN"),
        (Es, "cuenta bancaria"),
        (It, "IBAN"),
        (Nl, "rekeningnummer"),
        (Pl, "numer konta"),
    ],
    keys: &["iban", "bank_account", "IBAN", "payeeIban"],
};

/// Countries and the layout of their accounts, by the SWIFT IBAN registry: `n` a digit, `a` a capital, `c` either.
const IBANS: [(&str, &str); 16] = [
    ("DE", "nnnnnnnnnnnnnnnnnn"),
    ("GB", "aaaannnnnnnnnnnnnn"),
    ("FR", "nnnnnnnnnncccccccccccnn"),
    ("ES", "nnnnnnnnnnnnnnnnnnnn"),
    ("IT", "annnnnnnnnncccccccccccc"),
    ("NL", "aaaannnnnnnnnn"),
    ("BE", "nnnnnnnnnnnn"),
    ("AT", "nnnnnnnnnnnnnnnn"),
    ("CH", "nnnnncccccccccccc"),
    ("PL", "nnnnnnnnnnnnnnnnnnnnnnnn"),
    ("PT", "nnnnnnnnnnnnnnnnnnnnn"),
    ("SE", "nnnnnnnnnnnnnnnnnnnn"),
    ("NO", "nnnnnnnnnnn"),
    ("DK", "nnnnnnnnnnnnnn"),
    ("FI", "nnnnnnnnnnnnnn"),
    ("IE", "aaaannnnnnnnnnnnnn"),
];

pub(super) fn iban(random: &mut Random) -> Value {
    let (country, layout) = random.pick(&IBANS);
    let sign = |kind: char, random: &mut Random| match kind {
        'n' => random.digits(1),
        'a' => random.signs(CAPITALS, 1),
        _ => random.signs("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", 1),
    };
    let account: String = layout.chars().map(|kind| sign(kind, random)).collect();
    let iban = format!("{country}{}{account}", check::iban(country, &account));
    match random.below(10) {
        0..5 => Value::new(iban, &IBAN),
        5..9 => Value::new(grouped(&iban, &[4, 4, 4, 4, 4, 4, 4, 4], " ").trim_end().to_owned(), &IBAN),
        _ => Value::new(iban.to_lowercase(), &IBAN),
    }
}

static ACCOUNT: Vocabulary = Vocabulary {
    words: &[
        (En, "account number"),
        (En, "bank account number"),
        (En, "checking account"),
        (En, "acct no."),
        (De, "Kontonummer"),
        (Fr, "numéro de compte"),
        (Es, "número de cuenta"),
        (It, "numero di conto"),
    ],
    keys: &["account_number", "accountNumber", "bank_account", "acct_no"],
};
static ROUTING: Vocabulary = Vocabulary {
    words: &[(En, "routing number"), (En, "ABA routing number"), (En, "ABA number"), (En, "bank routing no.")],
    keys: &["routing_number", "routingNumber", "aba"],
};
static SORT_CODE: Vocabulary =
    Vocabulary { words: &[(En, "sort code"), (En, "bank sort code")], keys: &["sort_code", "sortCode"] };
static BLZ: Vocabulary = Vocabulary { words: &[(De, "BLZ"), (De, "Bankleitzahl")], keys: &["blz", "bankleitzahl"] };

pub(super) fn account(random: &mut Random) -> Value {
    match random.below(10) {
        0..5 => {
            let length = random.between(7, 12);
            Value::named(random.number(length), &ACCOUNT)
        }
        5..8 => {
            let eight = random.pick(&["0210", "1110", "0260", "1220", "0310", "2720"]).to_owned() + &random.digits(4);
            Value::named(format!("{eight}{}", check::routing(&eight)), &ROUTING)
        }
        8 => Value::named(grouped(&random.number(6), &[2, 2, 2], "-"), &SORT_CODE),
        _ => {
            let digits = random.signs("12345678", 1) + &random.digits(7);
            Value::named(if random.percent(50) { grouped(&digits, &[3, 3, 2], " ") } else { digits }, &BLZ)
        }
    }
}

static BITCOIN: Vocabulary = Vocabulary {
    words: &[
        (En, "bitcoin address"),
        (En, "BTC wallet"),
        (En, "wallet"),
        (De, "Bitcoin-Adresse"),
        (Es, "dirección bitcoin"),
    ],
    keys: &["btc_address", "wallet", "walletAddress"],
};
static ETHER: Vocabulary = Vocabulary {
    words: &[(En, "Ethereum address"), (En, "ETH wallet"), (En, "wallet"), (Fr, "adresse Ethereum")],
    keys: &["eth_address", "wallet", "to"],
};

/// The addresses that EIP-55 gives as examples: their upper and lower case are a checksum.
const EIP_55: [&str; 4] = [
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
];

pub(super) fn crypto(random: &mut Random) -> Value {
    let bytes = |count: usize, random: &mut Random| (0..count).map(|_| random.bits() as u8).collect::<Vec<u8>>();
    let version = |version: u8, random: &mut Random| check::base58(&[vec![version], bytes(20, random)].concat());
    match random.below(10) {
        0..2 => Value::new(version(0, random), &BITCOIN),
        2 => Value::new(version(5, random), &BITCOIN),
        3 => Value::new(check::bech32("bc", 0, &bytes(20, random)), &BITCOIN),
        4 => Value::new(check::bech32("bc", 1, &bytes(32, random)), &BITCOIN),
        5 => Value::new(version(48, random), &BITCOIN),
        6 => Value::new(version(65, random), &BITCOIN),
        7..9 => Value::new(format!("0x{}", random.signs(HEX, 40)), &ETHER),
        _ => Value::new(random.pick(&EIP_55), &ETHER),
    }
}
