//! How the buckets are shared out among the arms, so that a change of weight moves nobody who need not move.
//!
//! Each canary arm has a lane of buckets and an end of it from which it grows. Its weight is how far it has grown. The
//! baseline takes what no arm has taken. So raising one weight moves only baseline users into that arm, and lowering it
//! moves only those back.
//!
//! - **One arm** grows up from bucket 0 and may grow over all.
//! - **Two arms** share all buckets as their lane: the first grows up from 0, the second down from 9999. They meet only
//!   where the weights add up to more than 100, which is an error. Changing *both at once* can still take a bucket from
//!   one to the other (60/30 to 30/60): [`moves`] tells.
//! - **Three and more** cannot be had so: were the third to grow anywhere between two that may each grow up to it, it
//!   would have to give way to both. (With all three free, the buckets of B would have to be those that A has left at
//!   weight 100 - b, for every a and b; and so would those of C.) So each arm is given an explicit lane that no other
//!   touches. The first two arms keep their ends, so that adding a third moves nobody.

use filter_config::schema::Definitions;
use filter_config::{Path, Read, Report, serde_json::Value, serde_json::json, shown};

use crate::bucket::BUCKETS;
use crate::weight::Weight;

/// The buckets that an arm may grow over: `[from, to]`, from the first bucket to the one behind the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The first bucket.
    pub from: u16,
    /// The bucket behind the last.
    pub to: u16,
}

impl Lane {
    /// All buckets.
    pub const ALL: Self = Self { from: 0, to: BUCKETS };

    /// How many buckets it has.
    #[must_use]
    pub fn width(self) -> u16 {
        self.to.saturating_sub(self.from)
    }

    fn overlaps(self, other: Self) -> bool {
        self.from < other.to && other.from < self.to
    }
}

impl Read for Lane {
    fn read(value: &Value, at: &Path, report: &mut Report) -> Option<Self> {
        let ends: Option<Vec<u64>> = value.as_array().and_then(|list| list.iter().map(Value::as_u64).collect());
        let read = match ends.as_deref() {
            Some([from, to]) if from < to => u16::try_from(*from).ok().zip(u16::try_from(*to).ok()),
            _ => None,
        };
        let lane = read.map(|(from, to)| Self { from, to }).filter(|lane| lane.to <= BUCKETS);
        if lane.is_none() {
            let allowed = "is not a lane: [from, to] in whole buckets, from below to, to at most 10000";
            report.error(at, format!("{} {allowed}", shown(value)));
        }
        lane
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": BUCKETS},
            "minItems": 2,
            "maxItems": 2,
        })
    }
}

/// One canary arm as far as sharing out goes.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// How many users it gets.
    pub weight: Weight,
    /// Its lane, where one is given.
    pub lane: Option<Lane>,
}

/// Which buckets belong to which canary arm; the rest are the baseline's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    taken: Vec<Lane>,
}

impl Split {
    /// Shares the buckets out. `at` is where the list of arms stands in the configuration.
    pub fn new(shares: &[Share], at: &Path, report: &mut Report) -> Option<Self> {
        let before = report.errors.len();
        check_lanes(shares, at, report);
        let taken = shares.iter().enumerate().map(|(index, share)| taken(index, share)).collect();
        if report.errors.len() == before {
            check_sum(shares, at, report);
        }
        (report.errors.len() == before).then_some(Self { taken })
    }

    /// The canary arm, by its place in the list, that a bucket belongs to; none for the baseline.
    #[must_use]
    pub fn arm_of(&self, bucket: u16) -> Option<usize> {
        self.taken.iter().position(|taken| (taken.from..taken.to).contains(&bucket))
    }

    /// The buckets that each canary arm has now, in the order of the arms.
    #[must_use]
    pub fn taken(&self) -> &[Lane] {
        &self.taken
    }
}

/// What an arm has taken of its lane. The second arm grows down from the upper end, all others up from the lower.
fn taken(index: usize, share: &Share) -> Lane {
    let lane = share.lane.unwrap_or(Lane::ALL);
    let width = share.weight.buckets().min(lane.width());
    if index == 1 {
        Lane { from: lane.to.saturating_sub(width), to: lane.to }
    } else {
        Lane { from: lane.from, to: lane.from.saturating_add(width) }
    }
}

fn check_lanes(shares: &[Share], at: &Path, report: &mut Report) {
    let given = shares.iter().filter(|share| share.lane.is_some()).count();
    if given == 0 && shares.len() <= 2 {
        return;
    }
    for (index, share) in shares.iter().enumerate() {
        let arm = at.index(index);
        let at = arm.field("lane");
        let Some(lane) = share.lane else {
            let why = if given == 0 { "three and more arms need" } else { "where one arm has a lane, all need" };
            report.error(&at, format!("is missing: {why} a lane each, such as [0, 4000]"));
            continue;
        };
        if share.weight.buckets() > lane.width() {
            let message = format!(
                "{} % is {} buckets and the lane [{}, {}] has {}",
                share.weight,
                share.weight.buckets(),
                lane.from,
                lane.to,
                lane.width()
            );
            report.error(&arm.field("weight"), message);
        }
        for (other, earlier) in shares.iter().take(index).enumerate() {
            if let Some(earlier) = earlier.lane.filter(|earlier| earlier.overlaps(lane)) {
                let message = format!(
                    "[{}, {}] overlaps [{}, {}], the lane of arm {other}",
                    lane.from, lane.to, earlier.from, earlier.to
                );
                report.error(&at, message);
            }
        }
    }
}

fn check_sum(shares: &[Share], at: &Path, report: &mut Report) {
    let sum: u32 = shares.iter().map(|share| u32::from(share.weight.buckets())).sum();
    if sum > u32::from(BUCKETS) {
        report.error(at, format!("the weights add up to {}.{:02}, over 100", sum / 100, sum % 100));
    }
}

/// How many buckets (of 10,000) an update moves from one arm to another. Arms go by name, the baseline included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move<'a> {
    /// The arm that loses them.
    pub from: &'a str,
    /// The arm that gets them.
    pub to: &'a str,
    /// How many.
    pub buckets: u16,
}

/// Everything that an update moves. `old` and `new` name the arm of each bucket.
pub fn moves<'a>(old: impl Fn(u16) -> &'a str, new: impl Fn(u16) -> &'a str) -> Vec<Move<'a>> {
    let mut moves: Vec<Move> = Vec::new();
    for bucket in 0..BUCKETS {
        let (from, to) = (old(bucket), new(bucket));
        if from == to {
            continue;
        }
        match moves.iter_mut().find(|known| known.from == from && known.to == to) {
            Some(known) => known.buckets = known.buckets.saturating_add(1),
            None => moves.push(Move { from, to, buckets: 1 }),
        }
    }
    moves
}
