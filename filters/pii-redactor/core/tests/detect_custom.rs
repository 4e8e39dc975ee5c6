//! Custom patterns: what matches where, what is refused, that no split matters, and that no text makes a search slow.

#![allow(clippy::panic, clippy::indexing_slicing, clippy::expect_used, reason = "a test may fail loudly")]

use pii_core::detect::{NEAR, Patterns, View};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn patterns(texts: &[&str]) -> Patterns {
    Patterns::new(texts).unwrap_or_else(|(index, why)| panic!("{index}: {why}"))
}

/// What matches at a place of a whole text.
fn at(patterns: &Patterns, text: &[u8], place: usize) -> Vec<(usize, usize)> {
    let view = View::new(text, place, true);
    let mut found = Vec::new();
    patterns.look(&view, &mut found);
    assert!(!view.short(), "a text that is whole is never short");
    found.sort_unstable();
    found
}

/// All that one pattern matches in a text, wherever it begins.
fn all<'a>(pattern: &str, text: &'a str) -> Vec<&'a str> {
    let patterns = patterns(&[pattern]);
    let places = (0..text.len()).filter(|place| patterns.first()[usize::from(text.as_bytes()[*place])]);
    places
        .flat_map(|place| at(&patterns, text.as_bytes(), place).into_iter().map(move |(_, end)| (place, place + end)))
        .map(|(start, end)| text.get(start..end).expect("whole characters"))
        .collect()
}

#[test]
fn the_longest_match_of_each_pattern_is_found() {
    assert_eq!(all("DM-[0-9]{6}", "ids DM-123456, DM-1234567 and DM-12345"), ["DM-123456", "DM-123456"]);
    assert_eq!(all("EMP[0-9]+|EMP[0-9]{2}-[A-Z]+", "EMP12-XY EMP1"), ["EMP12-XY", "EMP1"]);
    let several = patterns(&["a+", "a{2}", "b", "aab?", "[a-z]+"]);
    assert_eq!(at(&several, b"aaab", 0), [(0, 3), (1, 2), (3, 2), (4, 4)]);
    assert_eq!(at(&several, b"aaab", 3), [(2, 1), (4, 1)]);
    assert_eq!(at(&several, b" ", 0), []);
    assert_eq!(at(&several, b"", 0), []);
}

#[test]
fn a_sign_that_only_looks_like_a_flag_is_none() {
    assert_eq!(all(r"\(?u\)", "(u) u)"), ["(u)", "u)", "u)"]);
    assert_eq!(all("(?-u)x", "x"), ["x"]);
}

#[test]
fn what_was_found_before_stays() {
    let (several, text) = (patterns(&["ab?"]), b"ab");
    let mut found = vec![(0, 7)];
    several.look(&View::new(text, 0, true), &mut found);
    assert_eq!(found, [(0, 7), (0, 2)]);
}

#[test]
fn letter_case_matters_unless_it_is_said_not_to() {
    assert_eq!(all("emp[0-9]", "emp1 EMP2 Emp3"), ["emp1"]);
    assert_eq!(all("(?i)emp[0-9]", "emp1 EMP2 Emp3"), ["emp1", "EMP2", "Emp3"]);
}

#[test]
fn a_word_ends_where_it_does_at_both_sides() {
    assert_eq!(
        all(r"\bid[0-9]{2}\b", "id12 xid34 id56x id7 id89-id10,_id11 id12_ \u{e9}id13\u{e9}"),
        ["id12", "id89", "id10", "id13"]
    );
    assert_eq!(all(r"\Bb", "ab b"), ["b"]);
    let ends = patterns(&[r"[0-9]+\b"]);
    assert_eq!(at(&ends, b"12", 0), [(0, 2)]);
    assert_eq!(at(&ends, b"12x", 0), []);
}

#[test]
fn a_text_ends_at_both_sides() {
    assert_eq!(all("^ab", "ab ab"), ["ab"]);
    assert_eq!(all("ab$", "ab ab"), ["ab"]);
    assert_eq!(all("(?m)^ab$", "ab\nab\nxab\nab"), ["ab", "ab", "ab"]);
}

#[test]
fn letters_of_other_scripts_stand_for_themselves_and_are_never_cut() {
    assert_eq!(all("\u{43a}\u{43e}\u{434}-[0-9]+", "\u{43a}\u{43e}\u{434}-17"), ["\u{43a}\u{43e}\u{434}-17"]);
    // `.` is a byte here: what would end within a character ends before it.
    assert_eq!(all("x..?", "x\u{e9}"), ["x\u{e9}"]);
    assert_eq!(all("x.", "x\u{e9}"), [""; 0]);
    assert_eq!(all("x.{1,4}", "x\u{8bf7}\u{8bf7}"), ["x\u{8bf7}"]);
    assert_eq!(all("[^ ]+", "\u{e9}"), ["\u{e9}"]);
}

#[test]
fn what_a_match_may_begin_with_is_known() {
    let begins = |texts: &[&str]| {
        let patterns = patterns(texts);
        (0..=255_u8).filter(|byte| patterns.first()[usize::from(*byte)]).map(char::from).collect::<String>()
    };
    assert_eq!(begins(&["DM-[0-9]{6}", "(?i)x1"]), "DXx");
    assert_eq!(begins(&[r"\b[ab]c", "^-"]), "-ab");
    assert_eq!(begins(&["(?m)^q"]), "q");
    assert_eq!(begins(&[]), "");
    assert!(!begins(&[r"[^a]b"]).contains('a'));
}

#[test]
fn a_match_goes_as_far_as_a_detector_sees() {
    let all = patterns(&["a+", "a{2,3}$"]);
    let text = vec![b'a'; 2 * NEAR];
    assert_eq!(at(&all, &text, 0), [(0, NEAR - 1)]);
    assert_eq!(at(&all, &text, 2 * NEAR - 3), [(0, 3), (1, 3)]);
}

#[test]
fn what_is_no_pattern_is_refused_with_its_place_and_a_reason() {
    let deep = format!("{}a{}", "(".repeat(60), ")".repeat(60));
    let long = "a".repeat(5000);
    for (pattern, reason) in [
        ("(a", "is not a regular expression: unclosed group"),
        ("a(?=b)", "is not a regular expression: look-around"),
        (r"(a)\1", "is not a regular expression: backreferences"),
        ("", "matches the empty text"),
        ("a*", "matches the empty text"),
        (r"\b", "matches the empty text"),
        (r"\p{L}", "is not a regular expression: Unicode"),
        ("[\u{e9}]", "is not a regular expression: Unicode"),
        ("(?u:\\w)x", "has the flag `u`"),
        ("(?iu)x", "has the flag `u`"),
        (r"\\(?u)x", "has the flag `u`"),
        (r"((\w{1,90}){1,90}){1,90}", "is too large: it may take 128 kB"),
        ("(((a{1000}){1000}){1000}){1000}", "is too large"),
        (&deep, "is not a regular expression: exceed the maximum number of nested"),
        (&long, "is 5000 bytes long, over 4096"),
    ] {
        let Err((index, why)) = Patterns::new(&["a", pattern, "("]) else { panic!("{pattern} is refused") };
        assert_eq!(index, 1, "{pattern}");
        assert!(why.starts_with(reason) && !why.contains('\n'), "{pattern}: {why}");
    }
}

#[test]
fn patterns_are_refused_that_are_too_large_together() {
    let many = vec!["[0-9a-f]{1,500}"; 400];
    let Err((index, why)) = Patterns::new(&many) else { panic!("they are refused") };
    assert!((10..399).contains(&index) && why.starts_with("is too large with those before"), "{index}: {why}");
}

/// At each place, every beginning of a text either asks for more or says what the whole does.
fn assert_no_split_matters(patterns: &Patterns, text: &[u8]) {
    for place in 0..text.len() {
        let whole = at(patterns, text, place);
        for end in place..=text.len() {
            let view = View::new(&text[..end], place, false);
            let mut found = Vec::new();
            patterns.look(&view, &mut found);
            found.sort_unstable();
            assert!(view.short() || found == whole, "{text:?} from {place}, cut at {end}: {found:?}, whole {whole:?}");
        }
    }
}

#[test]
fn every_split_decides_the_same() {
    let all = patterns(&["DM-[0-9]{6}", r"\bab\b", "(?i)x+y?$", "[^a]{2}", "(?m)^a", "a.c|a.{3}"]);
    for text in ["DM-123456", "DM-12345", "ab abc ab", "xxxY", "a\u{e9}c a\u{8bf7}", "\na\nab", "abcabc"] {
        assert_no_split_matters(&all, text.as_bytes());
    }
}

#[test]
fn only_as_much_is_read_as_decides() {
    let digits = patterns(&["[0-9]{3}"]);
    let look = |text: &[u8]| {
        let view = View::new(text, 0, false);
        digits.look(&view, &mut Vec::new());
        view.short()
    };
    assert!(look(b"12") && look(b"123"));
    assert!(!look(b"1234") && !look(b"1x") && !look(b"x"));
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn a_search_costs_the_same_for_each_byte_whatever_the_pattern() {
    let steps = |patterns: &Patterns, text: &[u8]| {
        let start = std::time::Instant::now();
        (0..2000).for_each(|_| drop(std::hint::black_box(at(patterns, text, 0))));
        start.elapsed()
    };
    let long = [&[b'a'; NEAR - 1][..], b"!"].concat();
    let plain = patterns(&["a+b"]);
    let nested = patterns(&["(a+)+b", "(a|a)*b", "(a|aa)+c", "a*a*a*a*a*a*a*b", "(.*)(.*)(.*)(.*)(.*)[^a!]"]);
    steps(&nested, &long);
    let (plain, nested) = (steps(&plain, &long), steps(&nested, &long));
    assert!(nested < plain * 20 + std::time::Duration::from_millis(50), "{nested:?}, {plain:?} for a plain one");
}

#[test]
fn a_full_cache_misses_nothing() {
    // It takes 2^18 states to know which of the last 18 were `a`: far more than are kept.
    let (all, mut seed) = (patterns(&["[ab]*a[ab]{18}c", "[ab]+"]), 1_u32);
    for _ in 0..400 {
        let mut text: Vec<u8> = (0..NEAR - 30).map(|_| random(&mut seed)).collect();
        text.extend([b"a".as_slice(), &[b'b'; 18], b"c"].concat());
        let length = text.len();
        assert_eq!(at(&all, &text, 0), [(0, length), (1, length - 1)]);
    }
}

/// `a` or `b`, by the generator of Numerical Recipes.
fn random(seed: &mut u32) -> u8 {
    *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    if *seed >> 31 == 0 { b'a' } else { b'b' }
}

#[cfg(not(target_arch = "wasm32"))]
proptest::proptest! {
    #[test]
    fn every_split_of_any_text_decides_the_same(text in "[abxD0-9 \n\u{e9}\\-]{0,40}") {
        let all = patterns(&["DM-[0-9]{2}", r"\bab\b", "(?i)x+y?$", "[^a]{2}", "(?m)^a.*", r"\w+\B"]);
        assert_no_split_matters(&all, text.as_bytes());
    }
}
