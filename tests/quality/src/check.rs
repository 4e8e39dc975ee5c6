//! Check digits of the values that are made up. Written from the issuers' texts for this set alone: what the detectors compute
//! is not asked, so that an error there can't hide here.

use sha2::{Digest, Sha256};

fn values(digits: &str) -> impl DoubleEndedIterator<Item = usize> + '_ {
    digits.bytes().map(|digit| usize::from(digit - b'0'))
}

/// The sum of digits, each times its weight.
fn weighted(digits: &str, weights: &[usize]) -> usize {
    values(digits).zip(weights).map(|(digit, weight)| digit * weight).sum()
}

/// The digit that ISO/IEC 7812-1 (annex B, "Luhn") puts behind these.
#[must_use]
pub fn luhn(digits: &str) -> usize {
    let doubled = |digit: usize| if digit < 5 { digit * 2 } else { digit * 2 - 9 };
    let sum: usize =
        values(digits).rev().enumerate().map(|(at, digit)| if at % 2 == 0 { doubled(digit) } else { digit }).sum();
    (10 - sum % 10) % 10
}

/// The two check digits of ISO 13616 for a country and the account behind them.
#[must_use]
pub fn iban(country: &str, account: &str) -> String {
    let mut rest = 0;
    for sign in format!("{account}{country}00").chars() {
        let value = sign.to_digit(36).unwrap_or(0);
        rest = if value < 10 { rest * 10 + value } else { rest * 100 + value } % 97;
    }
    format!("{:02}", 98 - rest)
}

/// NHS Data Dictionary: weights 10 to 2, modulus 11; none where the check would be 10.
#[must_use]
pub fn nhs(digits: &str) -> Option<usize> {
    let check = 11 - weighted(digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    (check != 10).then_some(check % 11)
}

/// Australian Taxation Office: the sum with weights 1 4 3 7 5 8 6 9 10 is divisible by 11; none where no digit does it.
#[must_use]
pub fn tfn(digits: &str) -> Option<usize> {
    (0..10).find(|last| (weighted(digits, &[1, 4, 3, 7, 5, 8, 6, 9]) + last * 10).is_multiple_of(11))
}

/// Australian Business Register: 89 minus the rest of the weighted sum of nine digits, plus the ten that two leading digits
/// begin at.
#[must_use]
pub fn abn(nine: &str) -> String {
    let sum = weighted(nine, &[3, 5, 7, 9, 11, 13, 15, 17, 19]);
    (10..100)
        .map(|two| format!("{two}{nine}"))
        .find(|abn| {
            let first = values(abn).next().unwrap_or(0) - 1;
            let second = values(abn).nth(1).unwrap_or(0);
            (first * 10 + second + sum).is_multiple_of(89)
        })
        .unwrap_or_default()
}

/// Services Australia: weights 1 3 7 9 1 3 7 9 over eight digits, modulus 10.
#[must_use]
pub fn medicare(digits: &str) -> usize {
    weighted(digits, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10
}

/// The digit that Verhoeff's scheme (dihedral group of order 10) puts behind these.
#[must_use]
pub fn verhoeff(digits: &str) -> usize {
    // The group: below 5 rotations, from 5 on reflections.
    let product = |one: usize, other: usize| match (one < 5, other < 5) {
        (true, true) => (one + other) % 5,
        (true, false) => 5 + (one + other - 5) % 5,
        (false, true) => 5 + (one - 5 + 5 - other) % 5,
        (false, false) => (one + 5 - other) % 5,
    };
    let permuted =
        |digit: usize, times: usize| (0..times).fold(digit, |digit, _| [1, 5, 7, 6, 2, 8, 3, 0, 9, 4][digit]);
    let sum = values(digits).rev().enumerate().fold(0, |sum, (at, digit)| product(sum, permuted(digit, (at + 1) % 8)));
    (0..10).find(|check| product(sum, *check) == 0).unwrap_or(0)
}

/// Spain: the letter that a number's rest by 23 stands for.
#[must_use]
pub fn nif(number: usize) -> char {
    char::from(b"TRWAGMYFPDXBNJZSQVHLCKE"[number % 23])
}

/// Italy, DM 23.12.1976: the letter behind fifteen signs; those at odd places have values of a table.
#[must_use]
pub fn codice_fiscale(fifteen: &str) -> char {
    const ODD: [usize; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let value = |sign: u8| usize::from(if sign.is_ascii_digit() { sign - b'0' } else { sign - b'A' });
    let sum: usize =
        fifteen.bytes().enumerate().map(|(at, sign)| if at % 2 == 0 { ODD[value(sign)] } else { value(sign) }).sum();
    char::from(b'A' + (sum % 26) as u8)
}

/// Poland: weights 1 3 7 9, modulus 10.
#[must_use]
pub fn pesel(ten: &str) -> usize {
    (10 - weighted(ten, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10) % 10
}

/// Singapore: weights 2 7 6 5 4 3 2, four more for T and G, three more for M.
#[must_use]
pub fn nric(series: char, seven: &str) -> char {
    let sum = weighted(seven, &[2, 7, 6, 5, 4, 3, 2])
        + match series {
            'T' | 'G' => 4,
            'M' => 3,
            _ => 0,
        };
    let letters: &[u8; 11] = match series {
        'S' | 'T' => b"JZIHGFEDCBA",
        'F' | 'G' => b"XWUTRQPNMLK",
        _ => b"KLJNPQRTUWX",
    };
    let at = if series == 'M' { 10 - sum % 11 } else { sum % 11 };
    char::from(letters[at])
}

/// Germany: ISO/IEC 7064 MOD 11,10.
#[must_use]
pub fn steuer_id(ten: &str) -> usize {
    let product = values(ten).fold(10, |product, digit| {
        let sum = (digit + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10
}

/// Brazil: the digit of a sum by 11, less than 2 is 0.
fn brazilian(sum: usize) -> char {
    let rest = sum % 11;
    char::from(b'0' + if rest < 2 { 0 } else { (11 - rest) as u8 })
}

/// Receita Federal: nine digits and their two check digits.
#[must_use]
pub fn cpf(nine: &str) -> String {
    let first = format!("{nine}{}", brazilian(weighted(nine, &[10, 9, 8, 7, 6, 5, 4, 3, 2])));
    let second = brazilian(weighted(&first, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]));
    format!("{first}{second}")
}

/// Receita Federal: twelve digits and their two check digits.
#[must_use]
pub fn cnpj(twelve: &str) -> String {
    let first = format!("{twelve}{}", brazilian(weighted(twelve, &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])));
    let second = brazilian(weighted(&first, &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]));
    format!("{first}{second}")
}

/// American Bankers Association: weights 3 7 1, modulus 10.
#[must_use]
pub fn routing(eight: &str) -> usize {
    (10 - weighted(eight, &[3, 7, 1, 3, 7, 1, 3, 7]) % 10) % 10
}

/// CRC-32 (IEEE 802.3, reflected) in base 62, six digits: what GitHub and npm end their tokens with.
#[must_use]
pub fn crc_62(text: &str) -> String {
    let mut crc = u32::MAX;
    for byte in text.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    let (mut rest, mut digits) = (!crc, Vec::new());
    for _ in 0..6 {
        digits.push(crate::random::WORD.as_bytes()[(rest % 62) as usize]);
        rest /= 62;
    }
    digits.iter().rev().map(|digit| char::from(*digit)).collect()
}

/// Base58 with the first four bytes of a double SHA-256 behind the payload, as Bitcoin has it.
#[must_use]
pub fn base58(payload: &[u8]) -> String {
    const SIGNS: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let sum = Sha256::digest(Sha256::digest(payload));
    let bytes = [payload, &sum[..4]].concat();
    let mut digits: Vec<u32> = Vec::new();
    for byte in &bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += *digit * 256;
            *digit = carry % 58;
            carry /= 58;
        }
        while carry > 0 {
            digits.push(carry % 58);
            carry /= 58;
        }
    }
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let signs = digits.iter().rev().map(|digit| char::from(SIGNS[*digit as usize]));
    std::iter::repeat_n('1', zeros).chain(signs).collect()
}

/// A witness program as BIP 173 (version 0) or BIP 350 writes it.
#[must_use]
pub fn bech32(prefix: &str, version: u8, program: &[u8]) -> String {
    const SIGNS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let step = |sum: u32, value: u8| {
        let mut next = ((sum & 0x01ff_ffff) << 5) ^ u32::from(value);
        for (at, part) in [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3].iter().enumerate() {
            next ^= if (sum >> 25) >> at & 1 == 1 { *part } else { 0 };
        }
        next
    };
    let (mut data, mut bits, mut held) = (vec![version], 0_u32, 0);
    for byte in program {
        (bits, held) = (bits << 8 | u32::from(*byte), held + 8);
        while held >= 5 {
            held -= 5;
            data.push((bits >> held) as u8 & 31);
        }
    }
    if held > 0 {
        data.push((bits << (5 - held)) as u8 & 31);
    }
    let head = prefix.bytes().map(|byte| byte >> 5).chain([0]).chain(prefix.bytes().map(|byte| byte & 31));
    let sum = head.chain(data.iter().copied()).chain([0; 6]).fold(1, step) ^ if version == 0 { 1 } else { 0x2bc8_30a3 };
    data.extend((0..6).map(|at| (sum >> (5 * (5 - at))) as u8 & 31));
    format!("{prefix}1{}", data.iter().map(|value| char::from(SIGNS[usize::from(*value)])).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each vector is one that its issuer or its standard publishes.
    #[test]
    fn published_numbers_have_these_checks() {
        assert_eq!(luhn("411111111111111"), 1);
        assert_eq!(iban("DE", "370400440532013000"), "89");
        assert_eq!(iban("GB", "NWBK60161331926819"), "29");
        assert_eq!(nhs("943476591"), Some(9));
        assert_eq!(abn("824753556"), "51824753556");
        assert_eq!(verhoeff("236"), 3);
        assert_eq!(nif(12_345_678), 'Z');
        assert_eq!(codice_fiscale("RSSMRA85T10A562"), 'S');
        assert_eq!(pesel("4405140135"), 9);
        assert_eq!(steuer_id("8609574271"), 9);
        assert_eq!(cpf("111444777"), "11144477735");
        assert_eq!(cnpj("112223330001"), "11222333000181");
        assert_eq!(routing("02100002"), 1);
        assert_eq!(
            bech32(
                "bc",
                0,
                &[
                    0x75, 0x1e, 0x76, 0xe8, 0x19, 0x91, 0x96, 0xd4, 0x54, 0x94, 0x1c, 0x45, 0xd1, 0xb3, 0xa3, 0x23,
                    0xf1, 0x43, 0x3b, 0xd6
                ]
            ),
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
        );
        assert_eq!(base58(&[0; 21]), "1111111111111111111114oLvT2");
        assert_eq!(nric('S', "1234567"), 'D');
        assert_eq!(medicare("21234567"), 0);
    }
}
