//! Nobody moves who need not: properties of the split.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

use canary_core::bucket::BUCKETS;
use canary_core::split::{Lane, Share, Split, moves};
use canary_core::weight::Weight;
use filter_config::{Path, Report};
use proptest::prelude::*;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn split(shares: &[(u16, Option<(u16, u16)>)]) -> Result<Split, Vec<String>> {
    let shares: Vec<Share> = shares
        .iter()
        .map(|(buckets, lane)| Share {
            weight: Weight::from_buckets(*buckets).unwrap(),
            lane: lane.map(|(from, to)| Lane { from, to }),
        })
        .collect();
    let mut report = Report::default();
    let arms = Path::Root.field("arms");
    let split = Split::new(&shares, &arms, &mut report);
    split.ok_or_else(|| report.errors.iter().map(ToString::to_string).collect())
}

fn arm(split: &Split, bucket: u16) -> &'static str {
    split.arm_of(bucket).map_or("base", |arm| NAMES[arm])
}

fn moved(old: &Split, new: &Split) -> Vec<(&'static str, &'static str, u16)> {
    moves(|bucket| arm(old, bucket), |bucket| arm(new, bucket)).iter().map(|m| (m.from, m.to, m.buckets)).collect()
}

fn share_of(split: &Split, name: &str) -> usize {
    (0..BUCKETS).filter(|bucket| arm(split, *bucket) == name).count()
}

/// Two weights that fit beside each other.
fn pair() -> impl Strategy<Value = (u16, u16)> {
    (0..=BUCKETS).prop_flat_map(|a| (Just(a), 0..=BUCKETS - a))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn each_arm_gets_its_weight((a, b) in pair()) {
        let split = split(&[(a, None), (b, None)]).unwrap();
        prop_assert_eq!(share_of(&split, "a"), usize::from(a));
        prop_assert_eq!(share_of(&split, "b"), usize::from(b));
    }

    #[test]
    fn raising_one_arm_moves_baseline_users_into_it_and_nobody_else(before in 0..=BUCKETS, after in 0..=BUCKETS) {
        let (low, high) = (before.min(after), before.max(after));
        let (low, high) = (split(&[(low, None)]).unwrap(), split(&[(high, None)]).unwrap());
        let difference = before.abs_diff(after);
        let expected = |from, to| if difference == 0 { vec![] } else { vec![(from, to, difference)] };
        prop_assert_eq!(moved(&low, &high), expected("base", "a"));
        prop_assert_eq!(moved(&high, &low), expected("a", "base"));
    }

    #[test]
    fn with_two_arms_changing_one_weight_moves_nobody_between_them((a, b) in pair(), other in 0..=BUCKETS, first: bool) {
        let old = split(&[(a, None), (b, None)]).unwrap();
        let new = if first { (other.min(BUCKETS - b), b) } else { (a, other.min(BUCKETS - a)) };
        let new = split(&[(new.0, None), (new.1, None)]).unwrap();
        for (from, to, _) in moved(&old, &new) {
            prop_assert!(from == "base" || to == "base", "{from} to {to}");
        }
    }

    #[test]
    fn with_two_arms_changing_both_crosses_exactly_when_old_and_new_overlap((a, b) in pair(), (c, d) in pair()) {
        let (old, new) = (split(&[(a, None), (b, None)]).unwrap(), split(&[(c, None), (d, None)]).unwrap());
        let crossing = moved(&old, &new).iter().any(|(from, to, _)| *from != "base" && *to != "base");
        prop_assert_eq!(crossing, u32::from(a) + u32::from(d) > 10_000 || u32::from(b) + u32::from(c) > 10_000);
    }

    #[test]
    fn a_third_arm_at_nothing_moves_nobody(a in 0_u16..=4000, b in 0_u16..=4000) {
        let two = split(&[(a, None), (b, None)]).unwrap();
        let three = split(&[(a, Some((0, 4000))), (b, Some((6000, 10_000))), (0, Some((4000, 6000)))]).unwrap();
        prop_assert!(moved(&two, &three).is_empty());
    }

    #[test]
    fn with_lanes_any_change_moves_nobody_between_arms(
        old in (0_u16..=4000, 0_u16..=4000, 0_u16..=2000),
        new in (0_u16..=4000, 0_u16..=4000, 0_u16..=2000),
    ) {
        let lanes = |(a, b, c)| split(&[(a, Some((0, 4000))), (b, Some((6000, 10_000))), (c, Some((4000, 6000)))]).unwrap();
        for (from, to, _) in moved(&lanes(old), &lanes(new)) {
            prop_assert!(from == "base" || to == "base", "{from} to {to}");
        }
    }
}

#[test]
fn changing_both_of_two_arms_can_cross() {
    let (old, new) = (split(&[(6000, None), (3000, None)]).unwrap(), split(&[(3000, None), (6000, None)]).unwrap());
    assert!(moved(&old, &new).contains(&("a", "b", 2000)));
}

#[test]
fn what_does_not_fit_is_told_with_its_place() {
    type Shares<'s> = &'s [(u16, Option<(u16, u16)>)];
    let cases: [(Shares, &[&str]); 5] = [
        (&[(6000, None), (4001, None)], &["arms: the weights add up to 100.01, over 100"]),
        (
            &[(1, None), (1, None), (1, None)],
            &[
                "arms[0].lane: is missing: three and more arms need a lane each, such as [0, 4000]",
                "arms[1].lane: is missing: three and more arms need a lane each, such as [0, 4000]",
                "arms[2].lane: is missing: three and more arms need a lane each, such as [0, 4000]",
            ],
        ),
        (
            &[(1, Some((0, 5000))), (1, None)],
            &["arms[1].lane: is missing: where one arm has a lane, all need a lane each, such as [0, 4000]"],
        ),
        (&[(2050, Some((0, 2000)))], &["arms[0].weight: 20.5 % is 2050 buckets and the lane [0, 2000] has 2000"]),
        (
            &[(1, Some((0, 2000))), (1, Some((1999, 3000)))],
            &["arms[1].lane: [1999, 3000] overlaps [0, 2000], the lane of arm 0"],
        ),
    ];
    for (shares, errors) in cases {
        assert_eq!(split(shares).unwrap_err(), errors);
    }
}
