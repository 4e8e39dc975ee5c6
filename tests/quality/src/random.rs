//! Numbers that look random and are the same for the same seed, on every machine.

/// SplitMix64, as Steele, Lea and Flood describe it in "Fast splittable pseudorandom number generators" (OOPSLA 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

/// The digits of base 10, 16, 36 and so on are the beginnings of such a row.
pub const DIGITS: &str = "0123456789";
/// Capital letters.
pub const CAPITALS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// Small letters.
pub const SMALL: &str = "abcdefghijklmnopqrstuvwxyz";
/// Hexadecimal digits.
pub const HEX: &str = "0123456789abcdef";
/// Letters and digits.
pub const WORD: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// The signs of base64.
pub const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// The signs of base64 for addresses.
pub const BASE64_URL: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Random {
    /// Numbers of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number from 0 to below `end`.
    pub const fn below(&mut self, end: usize) -> usize {
        (self.bits() % end as u64) as usize
    }

    /// A number of a range, both ends included.
    pub const fn between(&mut self, first: usize, last: usize) -> usize {
        first + self.below(last - first + 1)
    }

    /// Whether what happens in `percent` of all cases happens.
    pub const fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of several.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// `count` signs of `from`, which is ASCII.
    pub fn signs(&mut self, from: &str, count: usize) -> String {
        (0..count).map(|_| char::from(from.as_bytes()[self.below(from.len())])).collect()
    }

    /// `count` decimal digits.
    pub fn digits(&mut self, count: usize) -> String {
        self.signs(DIGITS, count)
    }

    /// `count` decimal digits of which the first is not 0.
    pub fn number(&mut self, count: usize) -> String {
        self.signs("123456789", 1) + &self.digits(count - 1)
    }

    /// `count` letters and digits, with at least one digit, one capital and one small letter, as random tokens have.
    pub fn token(&mut self, from: &str, count: usize) -> String {
        loop {
            let token = self.signs(from, count);
            let has = |is: fn(&u8) -> bool| token.as_bytes().iter().any(is);
            if has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) {
                return token;
            }
        }
    }
}
