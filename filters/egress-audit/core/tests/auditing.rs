//! What becomes of events: folding, chains, what was seen before, the queue for the collector, and the form that it takes.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod common;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use common::{ai_gateway, decision, get, outside, policy};
use egress_core::audit::{Audit, Line};
use egress_core::chain::{START, hash};
use egress_core::config::OnFull;
use egress_core::event::{Event, Facts, Severity, Stamp, schema};
use egress_core::fold::Fold;
use egress_core::otlp;
use egress_core::policy::Settings;
use egress_core::queue::{Answer, Queue, Waiting};
use egress_core::seen::{enter, mark};
use egress_core::workload::Workload;
use proptest::prelude::*;
use serde_json::{Value, json};

/// The settings of a configuration.
fn settings(audit: &Value, export: &Value) -> Settings {
    policy(&json!({"audit": audit, "export": export})).settings
}

fn otlp_export() -> Value {
    json!({"otlp": {"cluster": "collector"}})
}

/// One worker's audit, driven as the proxy does it.
struct Worker {
    audit: Audit,
    lines: Vec<String>,
}

impl Worker {
    fn new(audit: &Value, export: &Value) -> Self {
        Self { audit: Audit::new("pod/0/1".to_owned(), "w".to_owned(), &settings(audit, export)), lines: Vec::new() }
    }

    fn take(&mut self, lines: Vec<Line>) {
        self.lines.extend(lines.into_iter().map(|line| line.text));
    }

    /// A call to a host. Gives the id that a denied client would be told.
    fn call(&mut self, host: &str, now_ms: u64) -> String {
        let id = self.audit.event_id(host.as_bytes());
        if !self.audit.counted(host.as_bytes(), 10, 100) {
            let event = event(host, &id, now_ms);
            let lines = self.audit.tell(host.as_bytes(), event, now_ms);
            self.take(lines);
        }
        id
    }

    fn tick(&mut self, now_ms: u64) {
        let lines = self.audit.tick(now_ms);
        self.take(lines);
    }

    fn flush(&mut self, now_ms: u64) {
        let lines = self.audit.flush(now_ms);
        self.take(lines);
    }

    fn adopt(&mut self, audit: &Value, export: &Value, now_ms: u64) {
        let lines = self.audit.adopt(&settings(audit, export), now_ms);
        self.take(lines);
    }

    fn told(&self) -> Vec<Value> {
        self.lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn event(host: &str, id: &str, now_ms: u64) -> Event {
    let policy = policy(&json!({}));
    let decision = decision(&policy, &get(host), &outside());
    let facts =
        Facts { sent: 10, received: 100, duration_ms: Some(5), request_id: Some(b"r".to_vec()), ..Facts::default() };
    let stamp = Stamp { id: id.to_owned(), time_ms: now_ms, count: 1, first_seen: true, ..Stamp::default() };
    Event::new(&policy, &ai_gateway(), &decision, &facts, &stamp)
}

/// What is wrong with a chain of lines, if anything: the simplest reader.
fn broken(lines: &[String]) -> Option<usize> {
    let mut before = START.to_owned();
    lines.iter().enumerate().position(|(place, line)| {
        let event: Value = serde_json::from_str(line).unwrap();
        let sound = event["prev_hash"] == before && event["seq"] == place;
        before = hash(line);
        !sound
    })
}

#[test]
fn calls_of_one_kind_are_told_once_and_then_their_number() {
    let mut worker = Worker::new(&json!({"fold": "60s"}), &json!({}));
    for second in 0..30 {
        worker.call("a.example", 1_000 + second * 1_000);
    }
    worker.call("b.example", 40_000);
    assert_eq!(worker.lines.len(), 2, "the first of each is told at once");
    worker.tick(60_999);
    assert_eq!(worker.lines.len(), 2);
    worker.tick(61_000);
    let told = worker.told();
    let counting = &told[2];
    assert_eq!((&counting["count"], &counting["server.address"]), (&json!(29), &json!("a.example")));
    assert_eq!(counting["since"], "1970-01-01T00:00:01.000Z");
    assert_eq!(counting["time"], "1970-01-01T00:01:01.000Z");
    assert_eq!((&counting["sent.bytes"], &counting["received.bytes"]), (&json!(290), &json!(2900)));
    assert_eq!(counting["event_id"], told[0]["event_id"]);
    for of_one in ["duration_ms", "request_id", "first_seen"] {
        assert!(told[0].get(of_one).is_some() && counting.get(of_one).is_none(), "{of_one}");
    }
    // a kind of which there was one call has nothing more to tell
    worker.tick(200_000);
    assert_eq!(worker.lines.len(), 3);
    // and begins anew
    worker.call("a.example", 200_001);
    assert_eq!((worker.lines.len(), &worker.told()[3]["count"]), (4, &json!(1)));
    assert_eq!((worker.audit.tally.told, worker.audit.tally.folded, worker.audit.tally.lost), (4, 29, 0));
}

#[test]
fn a_denied_call_that_is_folded_is_told_the_id_that_the_audit_has() {
    let mut worker = Worker::new(&json!({"fold": "60s"}), &json!({}));
    let ids: Vec<String> = (0..5).map(|second| worker.call("a.example", second)).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 1);
    assert_eq!(worker.told()[0]["event_id"], ids[0].as_str());
    let other = worker.call("b.example", 5);
    assert_ne!(other, ids[0]);
    worker.flush(6);
    let counting = worker.told().pop().unwrap();
    assert_eq!((&counting["event_id"], &counting["count"]), (&json!(ids[0]), &json!(4)));
    // after the window there is a new one
    assert_ne!(worker.call("a.example", 7), ids[0]);
}

#[test]
fn without_folding_each_call_is_told() {
    let mut worker = Worker::new(&json!({"fold": "0s"}), &json!({}));
    let ids: BTreeSet<String> = (0..10).map(|second| worker.call("a.example", second)).collect();
    assert_eq!((ids.len(), worker.lines.len()), (10, 10));
    worker.flush(100);
    assert_eq!(worker.lines.len(), 10);
}

#[test]
fn more_kinds_than_can_be_counted_are_told_before_their_time() {
    let mut worker = Worker::new(&json!({"fold": "60s", "foldCapacity": 16}), &json!({}));
    for kind in 0..16 {
        worker.call(&format!("h{kind}.example"), kind);
        worker.call(&format!("h{kind}.example"), kind);
    }
    assert_eq!(worker.lines.len(), 16);
    worker.call("new.example", 20);
    let told = worker.told();
    assert_eq!((told.len(), &told[16]["server.address"], &told[16]["count"]), (18, &json!("h0.example"), &json!(1)));
    assert_eq!(told[17]["server.address"], "new.example");
}

#[test]
fn a_clock_that_is_set_back_ends_the_windows() {
    let mut fold = Fold::new(1_000, 16);
    assert!(fold.begin(b"a", 'a', 50_000).is_none());
    fold.count(b"a", 1, 2);
    assert!(fold.over(50_999).is_empty());
    let over = fold.over(49_000);
    assert_eq!((over.len(), over[0].more, over[0].sent, over[0].received), (1, 1, 1, 2));
    assert!(fold.first_of(b"a").is_none());
}

/// The glue should not do it; should it happen all the same, nothing may be lost or stuck.
#[test]
fn a_kind_that_begins_once_more_loses_no_call() {
    let mut fold = Fold::new(1_000, 4);
    for now in 0..10 {
        let out = fold.begin(b"a", now, now);
        assert_eq!(out.map(|folded| folded.more), (now > 0).then_some(1));
        assert!(fold.count(b"a", 0, 0));
    }
    assert!(fold.begin(b"b", 0, 10).is_none());
    assert!(fold.count(b"b", 0, 0));
    let mut kinds: Vec<u64> = fold.over(5_000).iter().map(|folded| folded.more).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [1, 1]);
    assert!(fold.drain().is_empty());
}

#[test]
fn each_line_names_the_one_before() {
    let mut worker = Worker::new(&json!({"fold": "0s"}), &json!({}));
    for number in 0..20 {
        worker.call(&format!("h{number}.example"), number);
    }
    let lines = worker.lines.clone();
    assert_eq!(broken(&lines), None);
    assert!(worker.told().iter().all(|event| event["chain_id"] == "pod/0/1"));
    // an edit shows at the line behind it
    let mut edited = lines.clone();
    edited[7] = edited[7].replace("h7.example", "h8.example");
    assert_eq!(broken(&edited), Some(8));
    // so does a gap, another order, and a line twice
    let gap: Vec<String> = [&lines[..7], &lines[8..]].concat();
    assert_eq!(broken(&gap), Some(7));
    let mut order = lines.clone();
    order.swap(4, 5);
    assert_eq!(broken(&order), Some(4));
    let twice: Vec<String> = [&lines[..7], &lines[6..]].concat();
    assert_eq!(broken(&twice), Some(7));
    // that the end is missing does not
    assert_eq!(broken(&lines[..10]), None);
    // SHA-256's published value of "abc"
    assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[test]
fn an_update_breaks_no_chain_and_loses_nothing() {
    let mut worker = Worker::new(&json!({"fold": "60s"}), &otlp_export());
    for now in 0..10 {
        worker.call("a.example", now);
    }
    worker.adopt(&json!({"fold": "10s", "foldCapacity": 32}), &otlp_export(), 20);
    assert_eq!(worker.told()[1]["count"], 9, "what was counted is told");
    worker.call("a.example", 21);
    worker.adopt(&json!({"fold": "0s"}), &otlp_export(), 30);
    worker.call("a.example", 31);
    assert_eq!(broken(&worker.lines), None);
    let queue = worker.audit.queue.as_ref().unwrap();
    assert_eq!((queue.len(), worker.lines.len(), worker.audit.tally.lost), (4, 4, 0));
    // a smaller buffer keeps the newest
    let smaller = json!({"otlp": {"cluster": "collector"}, "bufferEvents": 16});
    for now in 32..60 {
        worker.call("a.example", now);
    }
    worker.adopt(&json!({"fold": "0s"}), &smaller, 60);
    assert_eq!((worker.audit.queue.as_ref().unwrap().len(), worker.audit.tally.lost), (16, 16));
    // without a collector what waits is lost, and counted
    worker.adopt(&json!({"fold": "0s"}), &json!({}), 61);
    assert_eq!((worker.audit.queue.is_none(), worker.audit.tally.lost), (true, 32));
    // without a chain the lines name none; where it begins again it goes on
    let chained = worker.lines.len();
    worker.adopt(&json!({"fold": "0s", "chain": false}), &json!({}), 62);
    worker.call("b.example", 63);
    assert!(worker.told().pop().unwrap().get("prev_hash").is_none());
    worker.lines.truncate(chained);
    worker.adopt(&json!({"fold": "0s"}), &json!({}), 64);
    worker.call("b.example", 65);
    assert_eq!(broken(&worker.lines), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// The sum of what all lines stand for is the number of calls, whatever the kinds and the clock.
    #[test]
    fn no_call_is_lost_or_counted_twice(
        calls in prop::collection::vec((0_u8..24, 0_u64..5_000, 0_u8..12), 1..300),
        capacity in 16_u64..20,
        fold in prop_oneof![Just("0s"), Just("1s"), Just("10s")],
    ) {
        let export = otlp_export();
        let mut worker = Worker::new(&json!({"fold": fold, "foldCapacity": capacity}), &export);
        let mut expected: BTreeMap<String, u64> = BTreeMap::new();
        let mut now: u64 = 100_000;
        for (kind, step, what) in &calls {
            match what {
                0 => now = now.saturating_sub(*step),
                1 => worker.tick(now),
                2 => worker.adopt(&json!({"fold": fold, "foldCapacity": capacity}), &export, now),
                _ => now += step,
            }
            let host = format!("h{kind}.example");
            worker.call(&host, now);
            *expected.entry(host).or_default() += 1;
        }
        worker.flush(now);
        let mut told: BTreeMap<String, u64> = BTreeMap::new();
        let mut bytes = 0;
        let schema = jsonschema::draft202012::new(&schema()).unwrap();
        for event in worker.told() {
            prop_assert!(schema.is_valid(&event), "{}", event);
            let count = event["count"].as_u64().unwrap();
            *told.entry(event["server.address"].as_str().unwrap().to_owned()).or_default() += count;
            bytes += event["sent.bytes"].as_u64().unwrap();
        }
        prop_assert_eq!(told, expected);
        prop_assert_eq!(bytes, 10 * u64::try_from(calls.len()).unwrap());
        prop_assert_eq!(broken(&worker.lines), None);
        let tally = worker.audit.tally;
        prop_assert_eq!(tally.told, u64::try_from(worker.lines.len()).unwrap());
        prop_assert_eq!(tally.lost, 0);
        prop_assert_eq!(worker.audit.queue.unwrap().len(), worker.lines.len());
    }
}

#[test]
fn a_host_is_new_once() {
    let mut ring = None;
    let mut new = |host: &str| {
        let entered = enter(ring.as_deref(), mark(host), 3);
        let told = entered.as_ref().map(|(_, forgot)| *forgot);
        if let Some((after, _)) = entered {
            ring = Some(after);
        }
        told
    };
    assert_eq!(new("a"), Some(false));
    assert_eq!(new("a"), None);
    assert_eq!((new("b"), new("c")), (Some(false), Some(false)));
    assert_eq!((new("a"), new("b"), new("c")), (None, None, None));
    // the first to be entered is the first to be forgotten, and that is told
    assert_eq!(new("d"), Some(true));
    assert_eq!((new("b"), new("c"), new("d")), (None, None, None));
    assert_eq!(new("a"), Some(true));
    assert_eq!((new("b"), new("a")), (Some(true), None));
}

#[test]
fn what_is_no_ring_is_an_empty_one() {
    let (ring, _) = enter(None, mark("a"), 16).unwrap();
    assert_eq!(ring.len(), 12);
    for bytes in [&b""[..], b"x", b"12345", &ring[..11], &[0; 4 + 8 * 17]] {
        let (after, forgot) = enter(Some(bytes), mark("b"), 16).unwrap();
        assert_eq!((after.len(), forgot), (12, false), "{bytes:?}");
        assert_eq!(enter(Some(&after), mark("b"), 16), None);
    }
    // a ring may grow, and still forgets nobody twice
    let mut grown = ring;
    for host in ["b", "c", "d"] {
        grown = enter(Some(&grown), mark(host), 16).unwrap().0;
    }
    for host in ["a", "b", "c", "d"] {
        assert_eq!(enter(Some(&grown), mark(host), 16), None, "{host}");
    }
}

proptest! {
    #[test]
    fn a_ring_remembers_the_newest(hosts in prop::collection::vec(0_u8..40, 0..200), capacity in 1_usize..20) {
        let mut ring: Option<Vec<u8>> = None;
        let mut known: VecDeque<u8> = VecDeque::new();
        for host in hosts {
            let entered = enter(ring.as_deref(), mark(&host.to_string()), capacity);
            prop_assert_eq!(entered.is_none(), known.contains(&host));
            if let Some((after, forgot)) = entered {
                prop_assert_eq!(forgot, known.len() == capacity);
                if known.len() == capacity {
                    known.pop_front();
                }
                known.push_back(host);
                prop_assert_eq!(after.len(), 4 + 8 * known.len());
                ring = Some(after);
            }
        }
    }

    #[test]
    fn any_ring_is_read_without_fault(ring: Vec<u8>, capacity in 0_usize..20) {
        if let Some((after, _)) = enter(Some(&ring), mark("a"), capacity) {
            prop_assert!(after.len() <= 4 + 8 * capacity.max(1));
        }
    }
}

fn waiting(number: usize) -> Waiting {
    Waiting { record: format!("{number:010}") }
}

fn filled(count: usize, most: usize, on_full: OnFull) -> Queue {
    let mut queue = Queue::new(most, 1_000_000, on_full);
    let lost: u64 = (0..count).map(|number| queue.push(waiting(number))).sum();
    assert_eq!(usize::try_from(lost).unwrap(), count.saturating_sub(most));
    queue
}

fn batch(queue: &mut Queue, most: usize, now_ms: u64) -> Option<Vec<String>> {
    queue.next_batch(most, now_ms).map(|events| events.iter().map(|event| event.record.clone()).collect())
}

fn records(numbers: std::ops::Range<usize>) -> Option<Vec<String>> {
    Some(numbers.map(|number| waiting(number).record).collect())
}

#[test]
fn a_full_queue_does_what_it_is_told() {
    let mut oldest = filled(20, 16, OnFull::DropOldest);
    assert_eq!((oldest.len(), oldest.closes()), (16, false));
    assert_eq!(batch(&mut oldest, 2, 0), records(4..6));
    let mut new = filled(20, 16, OnFull::BlockNew);
    assert_eq!((new.len(), new.closes()), (16, false));
    assert_eq!(batch(&mut new, 2, 0), records(0..2));
    let mut closed = filled(15, 16, OnFull::FailClosed);
    assert!(!closed.closes());
    assert_eq!((closed.push(waiting(15)), closed.closes()), (0, true));
    assert_eq!((closed.push(waiting(16)), closed.len()), (1, 16));
    // room opens it again
    assert_eq!(batch(&mut closed, 4, 0), records(0..4));
    assert!(closed.closes());
    assert_eq!(closed.answered(Answer::Taken { rejected: 0 }, 1, 0), 0);
    assert!(!closed.closes());
}

#[test]
fn bytes_are_bounded_as_well_as_events() {
    let mut queue = Queue::new(1_000, 100, OnFull::DropOldest);
    let lost: u64 = (0..12).map(|number| queue.push(waiting(number))).sum();
    assert_eq!((queue.len(), lost), (10, 2));
    // one that takes the room of three
    assert_eq!((queue.push(Waiting { record: "x".repeat(30) }), queue.len()), (3, 8));
    // one that never fits harms no other
    assert_eq!((queue.push(Waiting { record: "x".repeat(101) }), queue.len()), (1, 8));
    let mut queue = Queue::new(1_000, 100, OnFull::BlockNew);
    assert_eq!((queue.push(Waiting { record: "x".repeat(95) }), queue.push(waiting(1)), queue.len()), (0, 1, 1));
    assert_eq!(queue.push(Waiting { record: "x".repeat(5) }), 0);
    assert_eq!(queue.resize(1_000, 90, OnFull::DropOldest), 1);
    assert_eq!((queue.len(), queue.give_up(), queue.is_empty()), (1, 1, true));
}

#[test]
fn a_batch_waits_until_it_is_taken() {
    let mut queue = filled(5, 100, OnFull::DropOldest);
    assert_eq!(batch(&mut queue, 3, 0), records(0..3));
    assert!(queue.is_sending());
    assert_eq!(batch(&mut queue, 3, 1_000_000), None, "one at a time");
    assert_eq!((queue.answered(Answer::Later(None), 0, 0), queue.len()), (0, 5));
    assert_eq!(batch(&mut queue, 3, 499), None);
    assert_eq!(batch(&mut queue, 3, 500), records(0..3), "the same again");
    assert_eq!((queue.answered(Answer::Taken { rejected: 1 }, 500, 0), queue.len()), (1, 2));
    assert_eq!(batch(&mut queue, 3, 500), records(3..5), "at once, and no failure is left");
    assert_eq!((queue.answered(Answer::Taken { rejected: 99 }, 500, 0), queue.len()), (2, 0));
    assert_eq!(batch(&mut queue, 3, 1_000), None);
    assert_eq!(batch(&mut filled(3, 100, OnFull::DropOldest), 0, 0), records(0..1), "a batch holds one at least");
}

#[test]
fn pauses_grow_and_are_bounded_and_chance_spreads_them() {
    let pauses = |chance: u64| {
        let mut queue = filled(1, 100, OnFull::DropOldest);
        let mut pauses = Vec::new();
        let mut now = 1_000_000;
        for _ in 0..10 {
            assert!(queue.next_batch(1, now).is_some());
            queue.answered(Answer::Later(None), now, chance);
            let pause = (0..).find(|pause| queue.clone().next_batch(1, now + pause).is_some()).unwrap();
            pauses.push(pause);
            now += pause;
        }
        assert_eq!(queue.failures(), 10);
        pauses
    };
    assert_eq!(pauses(0), [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000]);
    for (less, full) in pauses(u64::MAX / 3).iter().zip(pauses(0)) {
        assert!(*less <= full && *less > full * 3 / 4, "{less} {full}");
    }
}

#[test]
fn a_pause_that_the_collector_asks_for_is_kept_up_to_a_bound() {
    // asked, kept
    for (asked, kept) in
        [(0, 500), (100, 500), (10_000, 10_000), (300_000, 300_000), (86_400_000, 300_000), (u64::MAX, 300_000)]
    {
        let mut queue = filled(1, 100, OnFull::DropOldest);
        assert!(queue.next_batch(1, 1_000).is_some());
        queue.answered(Answer::Later(Some(asked)), 1_000, 0);
        assert!(queue.next_batch(1, 1_000 + kept - 1).is_none(), "{asked}");
        assert!(queue.next_batch(1, 1_000 + kept).is_some(), "{asked}");
    }
    // a clock that was set back far ends it
    let mut queue = filled(1, 100, OnFull::DropOldest);
    assert!(queue.next_batch(1, 1_000_000_000).is_some());
    queue.answered(Answer::Later(None), 1_000_000_000, 0);
    assert!(queue.next_batch(1, 1_000).is_some());
}

#[test]
fn a_batch_that_is_wrong_three_times_is_given_up() {
    let mut queue = filled(5, 100, OnFull::DropOldest);
    for (now, lost, left) in [(0, 0, 5), (10_000, 0, 5), (20_000, 3, 2)] {
        assert_eq!(batch(&mut queue, 3, now), records(0..3));
        assert_eq!((queue.answered(Answer::Wrong, now, 0), queue.len()), (lost, left));
    }
    // the next has its own three tries, at once
    assert_eq!(batch(&mut queue, 3, 20_000), records(3..5));
    assert_eq!(queue.answered(Answer::Wrong, 20_000, 0), 0);
}

/// Else the answer to the first batch would take the second one out, which may never arrive.
#[test]
fn a_batch_that_had_to_make_room_is_still_on_its_way() {
    let mut queue = filled(16, 16, OnFull::DropOldest);
    assert_eq!(batch(&mut queue, 16, 0), records(0..16));
    let lost: u64 = (16..36).map(|number| queue.push(waiting(number))).sum();
    assert_eq!((lost, queue.len(), queue.is_sending()), (20, 16, true));
    assert_eq!(batch(&mut queue, 16, 0), None);
    assert_eq!((queue.answered(Answer::Taken { rejected: 0 }, 0, 0), queue.len()), (0, 16));
    assert_eq!(batch(&mut queue, 16, 0), records(20..36));
    // a part of it had to make room: the answer is for the rest of it
    let lost: u64 = (36..40).map(|number| queue.push(waiting(number))).sum();
    assert_eq!((lost, queue.answered(Answer::Taken { rejected: 0 }, 0, 0), queue.len()), (4, 0, 4));
    assert_eq!(batch(&mut queue, 16, 0), records(36..40));
}

proptest! {
    /// Each event is taken, lost and counted, or waits.
    #[test]
    fn no_event_is_unaccounted_for(
        steps in prop::collection::vec((0_u8..8, 0_usize..30), 1..200),
        on_full in prop_oneof![Just(OnFull::DropOldest), Just(OnFull::BlockNew), Just(OnFull::FailClosed)],
    ) {
        let mut queue = Queue::new(16, 200, on_full);
        let (mut pushed, mut lost, mut taken, mut now) = (0_u64, 0, 0, 0);
        for (what, size) in steps {
            now += 1_000;
            let before = u64::try_from(queue.len()).unwrap();
            match what {
                0..=3 => {
                    pushed += 1;
                    lost += queue.push(Waiting { record: "x".repeat(size * 8) });
                }
                4 => {
                    let _batch = queue.next_batch(size, now);
                }
                5 if queue.is_sending() => {
                    let rejected = queue.answered(Answer::Taken { rejected: u64::try_from(size / 10).unwrap() }, now, 0);
                    lost += rejected;
                    taken += before - u64::try_from(queue.len()).unwrap() - rejected;
                }
                6 if queue.is_sending() => lost += queue.answered(Answer::Wrong, now, 7),
                7 if queue.is_sending() => lost += queue.answered(Answer::Later(None), now, 7),
                _ => {}
            }
            prop_assert!(queue.len() <= 16);
            prop_assert_eq!(pushed, lost + taken + u64::try_from(queue.len()).unwrap());
        }
    }
}

#[test]
fn records_are_as_the_collector_wants_them() {
    let event = event("a.example", "w-1", 1_732_572_852_345);
    let line = event.line();
    let record: Value = serde_json::from_str(&otlp::record(&event, &line, 1_732_572_852_345).record).unwrap();
    // integers of 64 bits as strings, enumerations as numbers, names in camel case
    assert_eq!(record["timeUnixNano"], "1732572852345000000");
    assert_eq!(record["observedTimeUnixNano"], "1732572852345000000");
    assert_eq!((&record["severityNumber"], &record["severityText"]), (&json!(9), &json!("INFO")));
    assert_eq!(record["eventName"], "runtime_control.egress_audit");
    assert_eq!(record["body"], json!({"stringValue": line}), "to the letter, for the chain");
    let attributes = record["attributes"].as_array().unwrap();
    let told: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(attributes.len(), told.as_object().unwrap().len() - 1, "all but the name");
    for attribute in attributes {
        let (key, value) = (attribute["key"].as_str().unwrap(), &attribute["value"]);
        let expected = match &told[key] {
            Value::Bool(truth) => json!({"boolValue": truth}),
            Value::Number(number) => json!({"intValue": number.to_string()}),
            Value::String(text) => json!({"stringValue": text}),
            other => panic!("{key}: {other}"),
        };
        assert_eq!(value, &expected, "{key}");
    }
    let enforced = policy(&json!({"mode": "enforce"}));
    let decision = decision(&enforced, &get("a.example"), &outside());
    let denied = Event::new(&enforced, &ai_gateway(), &decision, &Facts::default(), &Stamp::default());
    assert_eq!(denied.severity, Severity::Warning);
    let record: Value = serde_json::from_str(&otlp::record(&denied, "", 0).record).unwrap();
    assert_eq!((&record["severityNumber"], &record["severityText"]), (&json!(13), &json!("WARN")));
}

#[test]
fn a_request_to_the_collector_is_one_document() {
    let event = event("a.example", "w-1", 1);
    let records: Vec<String> = (0..3).map(|_| otlp::record(&event, &event.line(), 1).record).collect();
    let (start, end) = otlp::envelope(&ai_gateway(), "ai-gateway-7d4b9/0", "0.1.0");
    let request: Value = serde_json::from_str(&format!("{start}{}{end}", records.join(","))).unwrap();
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    assert_eq!(
        request["resourceLogs"][0]["resource"]["attributes"],
        json!([
            text("service.name", "ai-gateway"),
            text("service.instance.id", "ai-gateway-7d4b9/0"),
            text("k8s.namespace.name", "devmentor-app"),
            text("k8s.pod.name", "ai-gateway-7d4b9"),
        ])
    );
    let logs = &request["resourceLogs"][0]["scopeLogs"][0];
    assert_eq!(logs["scope"], json!({"name": "runtime-control/egress-audit", "version": "0.1.0"}));
    assert_eq!(logs["logRecords"].as_array().unwrap().len(), 3);
    let hostile = Workload { name: "a\"b\\c\n".to_owned(), ..Workload::default() };
    let (start, end) = otlp::envelope(&hostile, "", "");
    assert!(serde_json::from_str::<Value>(&format!("{start}{end}")).is_ok());
}

/// By the types that OpenTelemetry generates from its own definitions.
#[test]
fn opentelemetrys_own_types_read_a_request() {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;

    let event = event("a.example", "a-1", 1_732_572_852_345);
    let line = event.line();
    let (start, end) = otlp::envelope(&ai_gateway(), "ai-gateway-7d4b9/0", "0.1.0");
    let record = otlp::record(&event, &line, 1_732_572_852_345).record;
    let text = format!("{start}{record},{record}{end}");
    let request: ExportLogsServiceRequest = serde_json::from_str(&text).unwrap();
    let resource = request.resource_logs[0].resource.as_ref().unwrap();
    assert!(resource.attributes.iter().any(|attribute| attribute.key == "service.name"));
    let records = &request.resource_logs[0].scope_logs[0].log_records;
    assert_eq!(records.len(), 2);
    let record = &records[0];
    assert_eq!((record.time_unix_nano, record.severity_number), (1_732_572_852_345_000_000, 9));
    assert_eq!(record.event_name, "runtime_control.egress_audit");
    assert_eq!(record.body.clone().unwrap().value, Some(Any::StringValue(line)));
    let attribute = |key: &str| {
        let found = record.attributes.iter().find(|attribute| attribute.key == key);
        found.and_then(|attribute| attribute.value.clone()).and_then(|value| value.value)
    };
    assert_eq!(attribute("server.address"), Some(Any::StringValue("a.example".into())));
    assert_eq!(attribute("count"), Some(Any::IntValue(1)));
}

#[test]
fn answers_of_collectors_are_understood() {
    let later = |milliseconds: Option<u64>| Answer::Later(milliseconds);
    let cases: &[(Option<u16>, Option<&str>, &str, Answer)] = &[
        (Some(200), None, "", Answer::Taken { rejected: 0 }),
        (Some(200), None, "{}", Answer::Taken { rejected: 0 }),
        (Some(202), None, "no json", Answer::Taken { rejected: 0 }),
        (Some(200), None, r#"{"partialSuccess": {}}"#, Answer::Taken { rejected: 0 }),
        (
            Some(200),
            None,
            r#"{"partialSuccess": {"rejectedLogRecords": "3", "errorMessage": "x"}}"#,
            Answer::Taken { rejected: 3 },
        ),
        (Some(200), None, r#"{"partialSuccess": {"rejectedLogRecords": 3}}"#, Answer::Taken { rejected: 3 }),
        (Some(200), None, r#"{"partialSuccess": {"rejectedLogRecords": -3}}"#, Answer::Taken { rejected: 0 }),
        (Some(400), None, "", Answer::Wrong),
        (Some(413), None, "", Answer::Wrong),
        (Some(429), Some("7"), "", later(Some(7_000))),
        (Some(503), Some(" 120 "), "", later(Some(120_000))),
        (Some(503), Some("Wed, 21 Oct 2015 07:28:00 GMT"), "", later(None)),
        (Some(503), Some("-1"), "", later(None)),
        (Some(429), Some("18446744073709551615"), "", later(Some(u64::MAX))),
        (Some(502), None, "", later(None)),
        (Some(504), None, "", later(None)),
        (Some(500), None, "", later(None)),
        // someone mends these, and the events should then still be there
        (Some(401), None, "", later(None)),
        (Some(404), None, "", later(None)),
        (Some(301), None, "", later(None)),
        (None, None, "", later(None)),
    ];
    for (status, retry_after, body, expected) in cases {
        let answer = otlp::answer(*status, retry_after.map(str::as_bytes), body.as_bytes());
        assert_eq!(answer, *expected, "{status:?} {retry_after:?} {body}");
    }
    assert_eq!(otlp::answer(Some(503), Some(b"\xff"), b""), later(None));
}
