//! Check digits. Characters are ASCII digits and upper case letters; what is neither counts as nothing.

/// The worth of a character: of a digit itself, of `A` 10 and so on (ISO 7064, ISO 13616).
pub(super) const fn worth(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => (byte - b'0') as u32,
        b'A'..=b'Z' => (byte - b'A') as u32 + 10,
        _ => 0,
    }
}

/// Whether all characters are the same.
pub(super) fn is_uniform(characters: &[u8]) -> bool {
    characters.first().is_none_or(|first| characters.iter().all(|byte| byte == first))
}

/// The sum of characters times weights, as far as both go.
pub(super) fn weighted(characters: &[u8], weights: &[u32]) -> u32 {
    characters.iter().zip(weights).map(|(byte, weight)| worth(*byte) * weight).sum()
}

/// Luhn's check (ISO/IEC 7812-1, annex B): every second digit from the right counts twice, with its digits added.
pub(super) fn is_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, byte)| match (place % 2, worth(*byte)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The remainder by 97 of the number that characters make, letters as two digits (ISO 7064 MOD 97-10).
pub(super) fn mod97(characters: impl Iterator<Item = u8>) -> u32 {
    characters.fold(0, |rest, byte| {
        let worth = worth(byte);
        (rest * if worth > 9 { 100 } else { 10 } + worth) % 97
    })
}

/// ISO 7064 MOD 11,10: whether the last digit checks those before.
pub(super) fn is_mod11_10(digits: &[u8]) -> bool {
    let Some((check, digits)) = digits.split_last() else { return false };
    let product = digits.iter().fold(10, |product, byte| match (worth(*byte) + product) % 10 {
        0 => 9,
        sum => sum * 2 % 11,
    });
    (11 - product) % 10 == worth(*check)
}

/// Verhoeff's check (J. Verhoeff, Error Detecting Decimal Codes, 1969): products in the dihedral group of order ten, each digit
/// permuted as often as its place says.
pub(super) fn is_verhoeff(digits: &[u8]) -> bool {
    let product = digits.iter().rev().enumerate().fold(0, |product, (place, byte)| {
        let permuted = (0..place % 8).fold(worth(*byte), |digit, _| permute(digit));
        turn(product, permuted)
    });
    product == 0
}

/// Verhoeff's permutation: (0 1 5 8 9 4 2 7)(3 6).
const fn permute(digit: u32) -> u32 {
    match digit {
        0 => 1,
        1 => 5,
        2 => 7,
        3 => 6,
        4 => 2,
        5 => 8,
        6 => 3,
        7 => 0,
        8 => 9,
        _ => 4,
    }
}

/// The product in the dihedral group: 0 to 4 turn a pentagon, 5 to 9 also flip it.
const fn turn(left: u32, right: u32) -> u32 {
    match (left < 5, right < 5) {
        (true, true) => (left + right) % 5,
        (true, false) => 5 + (left + right) % 5,
        (false, true) => 5 + (left - right) % 5,
        (false, false) => (5 + left - right) % 5,
    }
}

/// The check digit of a sum that Brazil and others use: 11 less the remainder by 11, 0 where that has two digits.
pub(super) const fn mod11_digit(sum: u32) -> u32 {
    match sum % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_numbers_pass_and_each_other_last_digit_fails() {
        let numbers = [("79927398713", 0), ("2363", 1), ("234567890124", 1), ("86095742719", 2)];
        for (number, check) in numbers {
            let check = [is_luhn, is_verhoeff, is_mod11_10][check];
            for last in b'0'..=b'9' {
                let mut digits = number.as_bytes().to_vec();
                let right = digits.pop() == Some(last);
                digits.push(last);
                assert_eq!(check(&digits), right, "{number} with {}", last as char);
            }
        }
    }

    #[test]
    fn verhoeff_finds_each_pair_that_changed_places() {
        for (left, right) in (0..10).flat_map(|left| (0..10).map(move |right| (left, right))) {
            let check =
                (b'0'..=b'9').filter(|check| is_verhoeff(&[b'0' + left, b'0' + right, *check])).collect::<Vec<_>>();
            assert_eq!(check.len(), 1);
            assert_eq!(is_verhoeff(&[b'0' + right, b'0' + left, check[0]]), left == right);
        }
    }

    #[test]
    fn mod_97_of_a_letter_is_that_of_its_two_digits() {
        assert_eq!(mod97(b"3214282912345698765432161182".iter().copied()), 1);
        assert_eq!(mod97(b"WEST12345698765432GB82".iter().copied()), 1);
    }
}
