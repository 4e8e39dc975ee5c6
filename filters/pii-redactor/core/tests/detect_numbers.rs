//! Which numbers are values: those of cards, banks, states, telephones, documents and dates of birth, each with its form, its
//! checks and its words; and what looks like one and is none. The samples are those that issuers and standards publish, or are
//! made up to fit the check.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod common;

use common::{assert_no_split_matters, found_of};
use pii_core::detect::{Entity, EntitySet, View, look};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// All kinds of this file.
const NUMBERS: &[Entity] = &[
    Entity::Phone,
    Entity::CreditCard,
    Entity::Iban,
    Entity::UsSsn,
    Entity::UsItin,
    Entity::UkNino,
    Entity::UkNhs,
    Entity::CaSin,
    Entity::AuTfn,
    Entity::AuAbn,
    Entity::AuMedicare,
    Entity::InAadhaar,
    Entity::InPan,
    Entity::EsNif,
    Entity::ItCodiceFiscale,
    Entity::PlPesel,
    Entity::SgNric,
    Entity::DeSteuerId,
    Entity::BrCpf,
    Entity::BrCnpj,
    Entity::Passport,
    Entity::DrivingLicence,
    Entity::BankAccount,
    Entity::DateOfBirth,
    Entity::NationalPhone,
];

/// What is found of a kind: the value between `<` and `>` and nothing else, or nothing where there is none.
fn assert_marked(entity: Entity, texts: &[&str]) {
    let mut wrong = Vec::new();
    for marked in texts {
        let text = marked.replace(['<', '>'], "");
        let value = marked.split_once('<').map(|(_, rest)| rest.split_once('>').unwrap().0.to_owned());
        let mut found = found_of(&text, &[entity]);
        // A number has parts that are such numbers too: the longest wins.
        found.sort_by_key(|(_, value)| core::cmp::Reverse(value.len()));
        let longest = found.first().map(|(_, value)| value.clone());
        let is_within = found.iter().all(|(_, part)| value.as_ref().is_some_and(|value| value.contains(part)));
        if longest != value || !is_within {
            wrong.push(format!("{marked:?}: {found:?}"));
        }
        assert_no_split_matters(&text, [entity].into_iter().collect());
    }
    assert!(wrong.is_empty(), "{}:\n{}", entity.name(), wrong.join("\n"));
}

/// Nothing of any kind is found.
fn assert_nothing(texts: &[&str]) {
    let found: Vec<_> =
        texts.iter().map(|text| (text, found_of(text, NUMBERS))).filter(|(_, found)| !found.is_empty()).collect();
    assert!(found.is_empty(), "{found:#?}");
    texts.iter().for_each(|text| assert_no_split_matters(text, NUMBERS.iter().copied().collect()));
}

#[test]
fn cards_have_an_issuer_its_length_and_luhn() {
    assert_marked(
        Entity::CreditCard,
        &[
            "pay with <4111111111111111>.",
            "<4111 1111 1111 1111>",
            "<5555-5555-5555-4444>, thanks",
            "card: <378282246310005>",
            "<3782 822463 10005> is Amex",
            "<6011111111111117>",
            "<30569309025904>",
            "<3056 930902 5904>",
            "<3530111333300000>",
            "<2223003122003222>",
            "<6759649826438453>",
            "<6205500000000000004>",
            "visa <4222222222222>",
            "(<4012888888881881>)",
            "card_number=<5105105105105100>",
            "4111 <4012 8888 8888 1881> 12/27",
            "карта:<4111111111111111>",
            "order of card <4111111111111111>",
            // A wrong check digit, issuer or length; short without a word; all the same; glued; called something else.
            "4111111111111112",
            "card 4111 1111 1111 1112",
            "card 1111111111111117",
            "card 9111111111111114",
            "card 411111111111116",
            "4222222222222",
            "4006381333931",
            "5029875928683246316",
            "card <5029875928683246316>",
            "card 4444444444444448x",
            "5555555555555555",
            "x4111111111111111",
            "4111111111111111x",
            "84111111111111111",
            "41111111111111110000000",
            "1-4111111111111111",
            "4111111111111111-12",
            "0.4111111111111111",
            "4111111111111111.25",
            "$4111111111111111",
            "+4111111111111111",
            "order 4111111111111111",
            "invoice no 4111111111111111",
            "4111-1111 1111-1111",
            "4111  1111 1111 1111",
        ],
    );
}

/// An example for each country of the registry would be a list of public numbers; these have each kind of layout.
#[test]
fn ibans_have_their_countrys_length_and_layout_and_mod_97() {
    assert_marked(
        Entity::Iban,
        &[
            "<DE89370400440532013000>",
            "<DE89 3704 0044 0532 0130 00>, thanks",
            "IBAN: <GB29 NWBK 6016 1331 9268 19>.",
            "<GB29NWBK60161331926819>",
            "<gb29nwbk60161331926819>",
            "<DE89-3704-0044-0532-0130-00>",
            "<DE89 370400440532013000>",
            "<FR1420041010050500013M02606>",
            "<NO9386011117947>",
            "<NO93 8601 1117 947> 12",
            "<MT84MALT011000012345MTLCAST001S>",
            "<MT84 MALT 0110 0001 2345 MTLC AST0 01S>",
            "<BR1800360305000010009795493C1>",
            "<CH9300762011623852957>",
            "<ES9121000418450200051332>",
            "<SC18SSCB11010000000000001497USD>",
            "<NL91ABNA0417164300>",
            "<SA0380000000608010167519>",
            "<RU0304452522540817810538091310419>",
            "DE88370400440532013000",
            "DE893704004405320130001",
            "DE8937040044053201300",
            "XDE89370400440532013000",
            "DE89 3704 0044 0532 0130 0A",
            "De89370400440532013000",
            "ZZ89370400440532013000",
            "GB29N1BK60161331926819",
            "DE89 3704 0044 0532 0130 001",
            "id-1-DE89370400440532013000",
        ],
    );
}

#[test]
fn bank_accounts_need_their_words_and_routing_numbers_their_check_too() {
    assert_marked(
        Entity::BankAccount,
        &[
            "account number: <12345678>",
            "account_number <000123456789>",
            "bank account <1234 5678>",
            "acct <9876543210>",
            "Kontonummer <532013000>",
            "routing number <021000021>",
            "aba: <121000248>",
            "sort code <12-34-56>",
            "sort code: <200052>",
            "BSB <062-000>",
            "BLZ <37040044>",
            "CLABE <032180000118359719>",
            "routing number 021000022",
            "routing 992000021",
            "account 12345678",
            "AWS account number 123456789012",
            "12345678",
            "account number 11111111",
            "account number 12345678x",
            "account number for order 12345678",
        ],
    );
}

#[test]
fn social_security_numbers_are_given_ones() {
    assert_marked(
        Entity::UsSsn,
        &[
            "<078-05-1120>",
            "my ssn is <123-45-6789>.",
            "ssn <123456789>",
            "SSN: <123 45 6789>",
            "social security number: <219-09-9999>",
            "social_security_number <219099999>",
            "ssnNumber <219099999>",
            "123 45 6789",
            "123456789",
            "000-12-3456",
            "666-12-3456",
            "900-12-3456",
            "123-00-4567",
            "123-45-0000",
            "ssn 123-45 6789",
            "1-123-45-6789",
            "123-45-6789-1",
            "123-45-67890",
            "a123-45-6789",
            "order 123-45-6789",
        ],
    );
    assert_marked(
        Entity::UsItin,
        &[
            "<912-70-1234>",
            "itin <912701234>",
            "ITIN: <999 88 1234>",
            "912-66-1234",
            "912-89-1234",
            "812-70-1234",
            "912701234",
        ],
    );
}

#[test]
fn british_numbers() {
    assert_marked(
        Entity::UkNino,
        &[
            "<AB123456C>",
            "<AB 12 34 56 C>.",
            "NINO: <JG-10-37-59-A>",
            "<JG 103759 A>",
            "national insurance <ab123456c>",
            "ab123456c",
            "DA123456C",
            "AO123456C",
            "BG123456A",
            "GB 12 34 56 A",
            "AB123456E",
            "AB1234567C",
            "XAB123456C",
            "AB 12 34 56 CD",
        ],
    );
    assert_marked(
        Entity::UkNhs,
        &[
            "NHS <943 476 5919>",
            "nhs number: <9434765919>",
            "nhs_number=<401-023-2137>",
            "943 476 5919",
            "nhs 943 476 5918",
            "nhs 9434765910",
            "nhs 0000000000",
            "nhs order 9434765919",
        ],
    );
}

#[test]
fn canadian_and_australian_numbers() {
    assert_marked(
        Entity::CaSin,
        &[
            "SIN: <130 692 544>",
            "sin <130692544>",
            "social insurance number <130-692-544>",
            "130 692 544",
            "sin 130 692 545",
            "sin 046 454 286",
            "sin 830692549",
        ],
    );
    assert_marked(
        Entity::AuTfn,
        &[
            "TFN <123 456 782>",
            "tax file number: <123456782>",
            "tfn <876543210>",
            "123 456 782",
            "tfn 123 456 783",
            "tfn 1234567822",
        ],
    );
    assert_marked(
        Entity::AuAbn,
        &[
            "<51 824 753 556>",
            "ABN: <53004085616>",
            "51824753556",
            "51 824 753 557",
            "51 824 753 556 1",
            "abn 51824753557",
            "1 51 824 753 556",
        ],
    );
    assert_marked(
        Entity::AuMedicare,
        &[
            "Medicare <2123 45670 1>",
            "medicare no <2123456701>",
            "medicare: <21234567011>",
            "<2123 45670 1/1>",
            "2123 45670 1",
            "medicare 2123 45671 1",
            "medicare 7123456701",
            "medicare 2123 45670 0",
        ],
    );
}

#[test]
fn indian_numbers() {
    assert_marked(
        Entity::InAadhaar,
        &[
            "<2345 6789 0124>",
            "aadhaar: <234567890124>",
            "uid <2345-6789-0124>",
            "234567890124",
            "aadhaar 234567890125",
            "2345 6789 0125",
            "1234 5678 9010",
            "2345 6789 0124 5555",
            "5555 2345 6789 0124",
        ],
    );
    assert_marked(
        Entity::InPan,
        &[
            "<ABCPE1234F>",
            "PAN <aaapl1234c>",
            "pan: <AAAPL1234C>",
            "ABCDE1234F",
            "abcpe1234f",
            "ABCPE0000F",
            "ABCPE1234",
            "ABCPE12345F",
        ],
    );
}

#[test]
fn european_numbers() {
    assert_marked(
        Entity::EsNif,
        &[
            "<12345678Z>",
            "DNI: <12345678-Z>",
            "dni <12345678z>",
            "<X1234567L>",
            "<Y-1234567-X>",
            "NIE <Z1234567R>",
            "<12.345.678-Z>",
            "12345678A",
            "12345678z",
            "X1234567A",
            "W1234567L",
            "112345678Z",
            "12345678ZA",
        ],
    );
    assert_marked(
        Entity::ItCodiceFiscale,
        &[
            "<RSSMRA85T10A562S>",
            "cf: <rssmra85t10a562s>",
            "<rssmra85t10a562s>",
            "<RSS MRA 85T10 A562S>",
            "<MRTMTT91D08F205J>",
            "RSSMRA85T10A562T",
            "RSSMRA85F10A562S",
            "RSSMRA85T40A562S",
            "RSSMRA85T10A5621",
            "XRSSMRA85T10A562S",
            "RSSMRA85T10A562SX",
        ],
    );
    assert_marked(
        Entity::PlPesel,
        &[
            "PESEL <44051401359>",
            "pesel: <02070803628>",
            "44051401359",
            "pesel 44051401358",
            "pesel 44133201359",
            "pesel 440514013591",
        ],
    );
    assert_marked(
        Entity::DeSteuerId,
        &[
            "Steuer-ID: <86095742719>",
            "steuer_id <86 095 742 719>",
            "IdNr. <65929970489>",
            "Steueridentifikationsnummer <47036892816>",
            "86095742719",
            "idnr 86095742718",
            "idnr 12345678903",
            "idnr 11111111111",
            "idnr 06095742719",
        ],
    );
}

/// Where two people would have the same code, digits become letters, the last first: 5 is Q, 0 is L, 2 is N.
#[test]
fn an_italian_code_may_have_letters_for_digits() {
    let code = |body: &str| {
        ('A'..='Z')
            .map(|check| format!("{body}{check}"))
            .filter(|code| !found_of(code, &[Entity::ItCodiceFiscale]).is_empty())
            .count()
    };
    for body in ["RSSMRA85T10A562", "RSSMRA85T10A56N", "RSSMRA85T10AQSN", "RSSMRAUQTM0AQSN"] {
        assert_eq!(code(body), 1, "{body} has one check character");
    }
    assert_eq!(code("RSSMRA85T10A56A"), 0, "A stands for no digit");
}

#[test]
fn numbers_of_singapore_and_brazil() {
    assert_marked(
        Entity::SgNric,
        &[
            "<S1234567D>",
            "nric <s1234567d>",
            "FIN: <G1234567X>",
            "<T1234567J>",
            "<F1234567N>",
            "<M1234567K>",
            "S1234567A",
            "s1234567d",
            "A1234567D",
            "S12345678D",
        ],
    );
    assert_marked(
        Entity::BrCpf,
        &[
            "<111.444.777-35>",
            "CPF <11144477735>",
            "cpf: <529.982.247-25>",
            "11144477735",
            "111.444.777-36",
            "cpf 111.111.111-11",
            "cpf 11144477736",
            "1.111.444.777-35",
            "111.444.777-351",
        ],
    );
    assert_marked(
        Entity::BrCnpj,
        &[
            "<11.222.333/0001-81>",
            "CNPJ <11222333000181>",
            "<12.ABC.345/01DE-35>",
            "cnpj: <12ABC34501DE35>",
            "11222333000181",
            "11.222.333/0001-82",
            "cnpj 11222333000182",
            "12.ABC.345/01DE-36",
            "12ABC34501DE35",
        ],
    );
}

#[test]
fn telephones_with_a_country_code_are_known_by_themselves() {
    assert_marked(
        Entity::Phone,
        &[
            "<+14155552671>",
            "call <+1 415 555 2671> now",
            "<+1 (415) 555-2671>",
            "<+1-415-555-2671>, please",
            "<+49 30 1234567>",
            "<+49 (0)30 123 4567>",
            "<+49 (30) 1234567>",
            "<+49 151 23456789>.",
            "tel:<+4915123456789>",
            "<(+49) 151 23456789>",
            "<+33 1 23 45 67 89>",
            "<+33.1.23.45.67.89>",
            "<+44 20 7946 0958>",
            "<+44 (0) 20 7946 0958>",
            "<+91 98765 43210>",
            "<+91-9876543210>",
            "<+86 138 0013 8000>",
            "<+65 6123 4567>",
            "<+351 912 345 678> 2024",
            "<+1 415 555 2671> 2024",
            "<+39 06 1234 5678>",
            "<+55 11 91234-5678>",
            "<+1-415-555-2671x123>",
            "<+44 20 7946 0958 ext. 12>",
            "whatsapp: https://wa.me/<4915123456789>",
            "phone <0049 30 1234567>",
            "tel. <00 33 1 23 45 67 89>",
            "电话<+8613800138000>",
            "telefone <(351) 912 345 678>",
            "0049 30 1234567",
            "4915123456789",
            "+999 12345678",
            "+0 415 555 2671",
            "+1 115 555 2671",
            "+1 415 155 2671",
            "+1 911 555 2671",
            "+49 12",
            "+4911111111111",
            "+12345678901234567890",
            "a+14155552671",
            "1+14155552671",
            "12:00:00+0200",
            "+25 %",
            "+1000000",
        ],
    );
}

#[test]
fn american_telephones_are_known_by_their_groups() {
    assert_marked(
        Entity::Phone,
        &[
            "<(415) 555-2671>",
            "<(415)555-2671>",
            "at <415-555-2671>.",
            "<415.555.2671>",
            "<1-415-555-2671>",
            "<1 (415) 555-2671>",
            "<415-555-2671 ext. 12>",
            "<415-555-2671x1234>",
            "<001-415-555-2671>",
            "phone <415 555 2671>",
            "phone: <4155552671>",
            "phoneNumber <4155552671>",
            "phone_number=<14155552671>",
            "415 555 2671",
            "4155552671",
            "14155552671",
            "115-555-2671",
            "415-055-2671",
            "(115) 555-2671",
            "f(415) 555-2671",
            "415-555-26711",
            "1415-555-2671",
            "9-415-555-2671",
            "v415.555.2671",
            "415-555-2671-1",
            "phone 1155552671",
            "phone order 4155552671",
        ],
    );
}

#[test]
fn national_telephones_need_a_word() {
    assert_marked(
        Entity::NationalPhone,
        &[
            "Telefon: <030 1234567>",
            "Tel. <(030) 1234567>",
            "Handy <0151-23456789>",
            "Tel <030/1234567>",
            "téléphone : <06 12 34 56 78>",
            "tél. tel <01.23.45.67.89>",
            "teléfono <612 345 678>",
            "móvil: <612345678>",
            "telefone <(11) 91234-5678>",
            "telemóvel <912 345 678>",
            "telefono <06 1234 5678>",
            "cellulare <347 1234567>",
            "call me on <020 7946 0958>",
            "mobile: <07700 900123>",
            "mobile <0412 345 678>",
            "phone <(02).4161.7841>",
            "Telefon <(05301) 29040 479>",
            "phone +49 30 1234567",
            "mobile no. <98765 43210>",
            "phone <09876543210>",
            "tlf <22 33 44 55>",
            "telefon <601 234 567>",
            "手机<13800138000>",
            "電話番号: <03-1234-5678>",
            "celular <55 1234 5678>",
            "cep telefonu <0532 123 45 67>",
            "call <555-1234>",
            "phone <080 1234 5678>",
            "030 1234567",
            "612 345 678",
            "phone 0000000000",
            "phone 2024-12-31",
            "call 31.12.2024",
            "call 192.168.10.20",
            "call 12345",
            "call 1700000000",
            "call 1700000000000",
            "phone a0301234567",
            "phone 0301234567b",
        ],
    );
}

#[test]
fn passports_and_licences_need_their_words() {
    assert_marked(
        Entity::Passport,
        &[
            "passport number: <123456789>",
            "passport_number <C01X00T47>",
            "Reisepass <C01X00T47>",
            "Passport No. <A12345678>",
            "passeport <12AB34567>",
            "pasaporte <AAA123456>",
            "passaporto <YA1234567>",
            "passport <AB 123456>",
            "passportNumber <e1234567>",
            "护照<E12345678>",
            "123456789",
            "C01X00T47",
            "passport 12345",
            "passport 20301231",
            "passport expires 31122030",
            "passport 1234567890123",
            "passport order 123456789",
            "passport AB-1234567-9",
        ],
    );
    assert_marked(
        Entity::DrivingLicence,
        &[
            "driving licence <MORGA657054SM9IJ>",
            "Driving Licence: <MORGA 657054 SM9IJ>",
            "driver's license <D1234567>",
            "driver's license number: <A1234-12345-12345>",
            "DL <MH12 20110012345>",
            "DL: <12345678>",
            "Führerschein <B072RRE2I55>",
            "permis de conduire <123456789012>",
            "patente di guida <U1A2345678>",
            "CNH <12345678901>",
            "driverLicense <S9998880>",
            "MORGA657054SM9IJ",
            "driving licence MORGA699054SM9IJ",
            "license D1234567",
            "driving licence 20240101",
            "driving licence D1234567-99",
        ],
    );
}

#[test]
fn dates_of_birth_are_days_of_the_calendar_behind_words_of_birth() {
    assert_marked(
        Entity::DateOfBirth,
        &[
            "born <1985-03-12>",
            "date of birth: <12/03/1985>",
            "dob <03/31/1985>",
            "date_of_birth <1985-03-12>T00:00:00Z",
            "DOB (dd/mm/yyyy): <1/2/1985>",
            "dateOfBirth <19850312>",
            "geboren am <12.03.1985>",
            "geb. <12. 3. 1985>",
            "Geburtsdatum: <12. März 1985>",
            "born on <12 March 1985>.",
            "born on <12th of March, 1985>",
            "born <March 12, 1985>",
            "born <Mar. 12th, 1985>",
            "birthday <12-Mar-85>",
            "birthday: <29/02/00>",
            "né le <1er mars 1985>",
            "née le <12 août 1985>",
            "date de naissance <12 février 1985>",
            "nacido el <12 de marzo de 1985>",
            "fecha de nacimiento: <12/03/85>",
            "nata il <12 maggio 1985>",
            "nascido em <12 de março de 1985>",
            "出生日期: <1985年3月12日>",
            "1985-03-12",
            "on 12 March 1985",
            "born 1985",
            "born 1985-02-30",
            "born 31/04/1985",
            "born 1885-03-12",
            "born 2985-03-12",
            "born 29/02/1985",
            "born 12/13/14/15",
            "born v1.12.03.1985",
            "born 12.03.1985.7",
            "born in March 1985",
            "born may 5 apples",
            "birth 1985-03-12-44",
        ],
    );
}

#[test]
fn other_numbers_are_nothing() {
    assert_nothing(&[
        "order 1234567890, ticket 123456789, invoice 2024-000123",
        "order id 112-3456789-1234567",
        "1700000000 1700000000000 1700000000000000 1700000000000000000",
        "ts=1718000000.123 and 1718000000123",
        "commit 4f2d9c1b7e6a5f4e3d2c1b0a9f8e7d6c5b4a3f2e",
        "4111111 9c1b7e6 1234567 12345678e",
        "550e8400-e29b-41d4-a716-446655440000",
        "123e4567-e89b-12d3-a456-426614174000 00000000-0000-0000-0000-000000000000",
        "d41d8cd98f00b204e9800998ecf8427e da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "version 1.2.3.4, v10.11.12-rc1, 2024.12.1, 415.55.26711",
        "$1,234,567.89 and 1.234.567,89 EUR, 1 234 567,00",
        "ISBN 978-3-16-148410-0, isbn 9783161484100, 0-306-40615-2, 4006381333931",
        "for (i = 0; i < 1000000007; i++) { x[123456789] = 0x1F2E3D4C; }",
        "2024-01-02T03:04:05+0100, 12:34:56.789, 2024/01/02",
        "192.168.100.200:8080, 10.0.0.1/24",
        "AB12CD34, SKU-1234567, part ABC-123-456-789, model XR2000B",
        "3.14159265358979323846 2.718281828459045",
        "lat 52.520008, lon -13.404954",
        "1234567890123456789012345678901234567890",
        "MAY 5 APPLES IN 12 BOXES, AB 12 CDS, A 1234",
        "IT 85 of 100, DE 89 37 of them, GB29 apples",
        "123456789 234567890 12345678901 123456789012",
    ]);
}

#[test]
fn a_kind_that_is_not_wanted_is_not_looked_for() {
    let text =
        "card 4111 1111 1111 1111, ssn 078-05-1120, <+1 415 555 2671>, DE89 3704 0044 0532 0130 00, born 1985-03-12";
    for entity in NUMBERS {
        assert!(found_of(text, &[*entity]).iter().all(|(found, _)| found == entity));
    }
    assert_eq!(found_of(text, &[]), []);
}

#[test]
fn any_split_of_a_text_decides_the_same_for_all_kinds_at_once() {
    let text = "Call (415) 555-2671 ext. 12 or +49 (0)30 123 4567; card 4111 1111 1111 1111 12/27, IBAN DE89 3704 0044 0532 0130 00. \
                Born 12th of March, 1985, NINO AB 12 34 56 C, passport AB 123456, CPF 111.444.777-35, 51 824 753 556.";
    assert_no_split_matters(text, EntitySet::all());
}

/// What streams: a place is decided with the first byte that no value has there.
#[test]
fn no_place_looks_further_than_it_has_to() {
    let decided = [
        "the ",
        "12 b",
        "12 apples",
        "2024, ",
        "2024. ",
        "4111 x",
        "may b",
        "DE x",
        "DE89 x",
        "IN t",
        "+x",
        "(s",
        "5 of t",
        "1990s ",
        "100% ",
        "12:30 ",
        "$12 ",
        "1st b",
        "AB12C ",
    ];
    for text in decided {
        let view = View::new(text.as_bytes(), 0, false);
        look(&view, NUMBERS.iter().copied().collect(), &mut Vec::new());
        assert!(!view.short(), "{text:?}");
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::prelude::*;

    use super::*;

    /// Texts of what values are made of: digits, their signs, words that name them.
    fn texts() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            "[0-9]{1,12}",
            "[ .,()+/-]",
            "[A-Z]{1,6}",
            "[a-z]{1,6}",
            prop::sample::select(vec![
                " phone ",
                " ssn ",
                " born ",
                " passport ",
                " card ",
                " DE89 3704 0044 ",
                " 12 March ",
                " March 12, 1985",
                "+49 ",
                "(0)",
                " 4111 1111 1111 ",
                "111.444.777-35",
                " ext. 12",
                "é",
                "电话",
                "00",
                " AB 12 34 ",
            ])
            .prop_map(str::to_owned),
        ];
        prop::collection::vec(part, 1..16).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn any_split_of_any_text_decides_the_same(text in texts()) {
            assert_no_split_matters(&text, NUMBERS.iter().copied().collect());
        }

        #[test]
        fn what_is_found_lies_in_the_text_is_no_guess_and_is_told_once_by_kind_and_place(text in texts()) {
            let mut found = common::scan(text.as_bytes(), NUMBERS.iter().copied().collect());
            let is_sound = |found: &pii_core::detect::Found| {
                found.start < found.end && text.is_char_boundary(found.end) && (70..=100).contains(&found.confidence)
            };
            prop_assert!(found.iter().all(is_sound));
            let count = found.len();
            found.dedup_by_key(|found| (found.start, found.entity));
            prop_assert_eq!(count, found.len());
        }
    }
}

/// Names in code are joined words: the last ones count.
#[test]
fn the_end_of_a_name_in_code_names_a_number() {
    assert_marked(
        Entity::UsSsn,
        &[
            "employeeSsn: <219099999>",
            "employeeSSN: <219099999>",
            "\"customerSocialSecurityNumber\": \"<219 09 9999>\"",
            "classn: 219099999",
            "EMPLOYEESSN: 219099999",
            "employeeSsnx: 219099999",
        ],
    );
    assert_marked(Entity::NationalPhone, &["{\"userPhone\":\"<0171 5540659>\"}", "{\"microphone\":\"0171 5540659\"}"]);
    assert_marked(Entity::DateOfBirth, &["{\"customerDob\":\"<1985-03-12>\"}", "{\"snafudob\":\"1985-03-12\"}"]);
    assert_marked(Entity::BrCnpj, &["companyCnpj=<46463632000273>"]);
    assert_marked(Entity::BrCpf, &["documentoCpf=<11144477735>"]);
    assert_marked(Entity::CreditCard, &["lastOrderId: 4111111111111111"]);
}

#[test]
fn another_number_is_named_in_the_same_sentence() {
    assert_marked(
        Entity::UsSsn,
        &[
            "Thanks for your order. <219-09-9999>",
            "Is it on the invoice? <219-09-9999>",
            "status=order; <219-09-9999>",
            "my order\n<219-09-9999>",
            "order no. 219-09-9999",
            "order: 219-09-9999",
            "report_862-45-9164.pdf",
            "ssn_<862-45-9164>",
        ],
    );
    assert_marked(
        Entity::CreditCard,
        &[
            "order. <4111111111111111>",
            "order, 4111111111111111",
            "Tracking number: 9424 5690 3675 9441 6155 42",
            "1234 <4111 1111 1111 1111> 12/27",
        ],
    );
    assert_marked(Entity::UsSsn, &["my ssn for the order. <219099999>"]);
}

#[test]
fn the_nearest_field_has_the_number() {
    assert_marked(
        Entity::BankAccount,
        &[
            "account_number: <641011347390>, telephone: 0101405091",
            "{\"phone\":\"0101405091\",\"account_number\":\"<641011347390>\"}",
            "account number of the holder: <641011347390>",
        ],
    );
    assert_marked(
        Entity::NationalPhone,
        &[
            "account_number: 641011347390, telephone: <0101405091>",
            "phone orders: 48213377",
            "phone\ns3://bucket-3633/2026/03/02/part",
            "phone: x/0171-5540659",
            "tel-<0171 5540659>",
        ],
    );
    assert_marked(
        Entity::DateOfBirth,
        &[
            "{\"dob\":\"<1985-03-12>\",\"created\":\"2026-03-02\"}",
            "{\"birthDate\":\"<1985-03-12>T00:00:00Z\",\"created\":\"2026-03-02T10:11:12Z\"}",
            "{\"created\":\"2026-03-02\",\"dob\":\"<1985-03-12>\"}",
            "born in Berlin since 2026-03-02",
        ],
    );
}

/// Short words (`do`, `é`) don't count among the five.
#[test]
fn names_may_stand_further_off_and_in_more_words() {
    assert_marked(Entity::BrCpf, &["O CPF do titular do cliente é <11144477735>, obrigado."]);
    assert_marked(Entity::AuTfn, &["Here's the Tax File No. you asked for: <123 456 782>"]);
    assert_marked(Entity::EsNif, &["> Spanish tax number?\n<12345678z>"]);
    assert_marked(
        Entity::UsSsn,
        &[
            "social: <312601006>",
            "update the social to <415048541>",
            "my social (<260046438>)",
            "número de seguro social: <778691890>",
            "social media reach 312601006",
            "social media: 312601006",
            "ssn one two three four five 312601006",
        ],
    );
}

#[test]
fn more_licences_and_passports() {
    assert_marked(
        Entity::DrivingLicence,
        &[
            "driver_license: <A96471396378>",
            "license number <I134-2439-4540>",
            "licence_number=<N529-752-82-800-2>",
            "dl_number: <L47807945795>",
            "{\"numero_permis\":\"<111101529666>\"}",
            "permis : <043491360148>",
            "A96471396378",
            "license: 188588450",
        ],
    );
    assert_marked(
        Entity::Passport,
        &[
            "reisepass_nr: <F6GPTNTF4>",
            "passport number <CMPZ0XVV4>",
            "F6GPTNTF4",
            "passport reference ABRAHAM42",
            "passport CMPZFXVV4",
        ],
    );
}
