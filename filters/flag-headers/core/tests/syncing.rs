//! When Unleash is asked, what comes of each answer, and how old flags may grow.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod common;

use std::sync::LazyLock;

use common::{document, example_with, feature, policy};
use flag_core::config::Unleash;
use flag_core::flag::Selector;
use flag_core::serve::Origin;
use flag_core::sync::{
    Answer, Millis, Outcome, Poll, Sync, authority_of, cluster_of, exposure_of, millis, read_answer, source_of,
};
use serde_json::{Value, json};

const START: Millis = 1_700_000_000_000;
const SECOND: Millis = 1000;
const REFRESH: Millis = 15 * SECOND;
const TIMEOUT: Millis = 2 * SECOND;
const EXPOSURE: &str = "these";

fn unleash_with(changes: &[(&str, Value)]) -> Unleash {
    policy(&example_with(changes)).settings.unleash.unwrap()
}

fn unleash() -> Unleash {
    static UNLEASH: LazyLock<Unleash> = LazyLock::new(|| unleash_with(&[]));
    UNLEASH.clone()
}

fn good(poll: Poll) -> Outcome {
    Outcome { poll, error: None, update: None }
}

fn bad(poll: Poll) -> Outcome {
    Outcome::failed(poll, "it failed")
}

/// Asked at a time and answered at once.
fn polled(sync: &mut Sync, now: Millis, outcome: &Outcome, chance: u64) {
    sync.asking(now, &unleash(), EXPOSURE, chance);
    if outcome.poll == Poll::Updated {
        sync.generation += 1;
        sync.etag = Some("\"abc:42:v1\"".to_owned());
    }
    sync.answered(now, outcome, &unleash(), chance);
}

/// The state after a good poll.
fn synced(now: Millis) -> Sync {
    let mut sync = Sync::default();
    polled(&mut sync, now, &good(Poll::Updated), 0);
    sync
}

#[test]
fn the_first_poll_is_due_at_once_and_the_next_after_an_interval() {
    assert!(Sync::default().is_due(START, &unleash(), EXPOSURE));
    let sync = synced(START);
    let due = |after: Millis| sync.is_due(START + after, &unleash(), EXPOSURE);
    assert!(!due(0) && !due(REFRESH * 9 / 10 - 1) && due(REFRESH * 9 / 10));
}

#[test]
fn pauses_grow_with_failures_up_to_ten_intervals_give_or_take_a_tenth() {
    let chances: Vec<u64> =
        (0..4000).map(|n: u64| n.wrapping_mul(0x9E37_79B9_7F4A_7C15)).chain([0, u64::MAX]).collect();
    for failures in 0..14 {
        let expected = REFRESH * (failures + 1).min(10);
        let mut pauses: Vec<Millis> = chances
            .iter()
            .map(|chance| {
                let mut sync = synced(START);
                (0..failures).for_each(|_| polled(&mut sync, START, &bad(Poll::Unavailable), *chance));
                if failures == 0 {
                    polled(&mut sync, START, &good(Poll::NotModified), *chance);
                }
                assert_eq!(sync.failures, failures);
                sync.next - START
            })
            .collect();
        pauses.sort_unstable();
        let (least, most) = (pauses[0], pauses[pauses.len() - 1]);
        assert!(least >= expected * 9 / 10 && most <= expected * 11 / 10, "{failures}: {least} to {most}");
        assert!(most - least > expected * 19 / 100, "{failures}: spread over {least} to {most}");
    }
}

#[test]
fn one_good_poll_ends_a_row_of_failures() {
    for poll in [Poll::Updated, Poll::NotModified] {
        let mut sync = synced(START);
        (0..20).for_each(|_| polled(&mut sync, START, &bad(Poll::Timeout), 0));
        assert_eq!((sync.failures, sync.error.as_deref(), sync.last), (20, Some("it failed"), Some(Poll::Timeout)));
        polled(&mut sync, START + 1, &good(poll), 0);
        assert_eq!((sync.failures, sync.error.as_deref(), sync.confirmed), (0, None, START + 1));
        assert!(sync.is_due(START + 1 + REFRESH, &unleash(), EXPOSURE));
    }
}

#[test]
fn a_token_that_is_not_accepted_is_tried_again_and_again() {
    let mut sync = Sync::default();
    let mut now = START;
    for _ in 0..50 {
        polled(&mut sync, now, &bad(Poll::Unauthorized), 0);
        assert!(sync.next > now && sync.next <= now + 10 * REFRESH);
        now = sync.next;
        assert!(sync.is_due(now, &unleash(), EXPOSURE));
    }
}

#[test]
fn an_answer_that_never_comes_is_waited_for_and_asked_again() {
    for (refresh, timeout) in [("15s", "2s"), ("1s", "2m"), ("10s", "10s"), ("0s", "2s")] {
        let unleash = unleash_with(&[("/unleash/refresh", json!(refresh)), ("/unleash/timeout", json!(timeout))]);
        let timeout = std::time::Duration::from(unleash.timeout).as_millis() as Millis;
        let mut sync = synced(START);
        sync.asking(START, &unleash, EXPOSURE, u64::MAX);
        for after in [0, timeout / 2, timeout - 1] {
            assert!(!sync.is_due(START + after, &unleash, EXPOSURE), "{refresh} {timeout} {after}");
        }
        assert!(sync.is_due(sync.next, &unleash, EXPOSURE), "{refresh} {timeout}");
        assert!(sync.next <= START + timeout + REFRESH * 11 / 10);
    }
}

#[test]
fn a_clock_that_jumps_stops_nothing() {
    let sync = synced(START);
    assert!(sync.is_due(START + 400 * 24 * 3600 * SECOND, &unleash(), EXPOSURE), "far ahead");
    assert!(sync.is_due(START - 3600 * SECOND, &unleash(), EXPOSURE), "set back");
    assert!(sync.is_due(0, &unleash(), EXPOSURE), "no clock");
    assert!(!sync.is_due(START - 1, &unleash(), EXPOSURE), "a little back is nothing");
    assert_eq!(sync.origin(START - 3600 * SECOND, &unleash(), false), Origin::Live, "not of the future");
}

#[test]
fn flags_are_live_then_stale_then_defaults() {
    let in_time = 2 * REFRESH + TIMEOUT;
    let max_stale = 3600 * SECOND;
    let synced = synced(START);
    let mut failing = synced.clone();
    polled(&mut failing, START + 1, &bad(Poll::Unavailable), 0);
    let cases = [
        (&synced, 0, Origin::Live),
        (&synced, in_time, Origin::Live),
        (&synced, in_time + 1, Origin::Stale),
        (&synced, max_stale, Origin::Stale),
        (&synced, max_stale + 1, Origin::Default),
        (&failing, 1, Origin::Stale),
        (&failing, max_stale, Origin::Stale),
        (&failing, max_stale + 1, Origin::Default),
    ];
    for (sync, age, expected) in cases {
        for bootstrap in [true, false] {
            assert_eq!(sync.origin(START + age, &unleash(), bootstrap), expected, "{age} {sync:?}");
        }
    }
    assert_eq!(Sync::default().origin(START, &unleash(), true), Origin::Bootstrap);
    assert_eq!(Sync::default().origin(START, &unleash(), false), Origin::Default);
    let strict = unleash_with(&[("/unleash/maxStale", json!("0s"))]);
    assert_eq!(
        synced.origin(START + in_time, &strict, false),
        Origin::Live,
        "polls that are not due yet are no failure"
    );
    assert_eq!(synced.origin(START + in_time + 1, &strict, false), Origin::Default);
}

/// What is stored was cut down for the flags of its time: `not modified` would leave the new ones out for good.
#[test]
fn flags_that_are_newly_exposed_are_asked_for_at_once_and_without_an_etag_until_they_come() {
    let mut sync = synced(START);
    assert_eq!(sync.etag_for(EXPOSURE), Some("\"abc:42:v1\""));
    assert!(!sync.is_due(START + 1, &unleash(), EXPOSURE));
    assert!(sync.is_due(START + 1, &unleash(), "others"));
    assert_eq!(sync.etag_for("others"), None);
    sync.asking(START + 1, &unleash(), "others", 0);
    assert!(!sync.is_due(START + 2, &unleash(), "others"), "once");
    sync.answered(START + 2, &bad(Poll::Timeout), &unleash(), 0);
    assert_eq!(sync.etag_for("others"), None, "they have not come yet");
    assert_eq!(sync.origin(START + 2, &unleash(), false), Origin::Stale, "the old ones go on");
    assert_eq!(Sync::default().etag_for(""), None, "nothing is stored");
}

#[test]
fn every_answer_comes_to_a_word_and_a_sentence() {
    let unleash = unleash();
    let flags = document(&json!([feature("a", &json!([])), feature("not-exposed", &json!([]))])).to_string();
    let answer = |status: u16, body: &str| Answer {
        status: Some(status),
        etag: Some("\"e\"".to_owned()),
        length: body.len(),
        body: body.as_bytes().to_vec(),
    };
    let too_long = Answer { length: 16_777_217, ..answer(200, "") };
    let cases = [
        (Answer::default(), true, Poll::Truncated, "the answer broke off"),
        (too_long, true, Poll::TooLarge, "the answer has 16777217 bytes and 16777216 are read"),
        (answer(200, ""), true, Poll::Garbage, "the answer is not the json of flags, at line 1 column 0"),
        (answer(200, "<html>"), true, Poll::Garbage, "the answer is not the json of flags, at line 1 column 1"),
        (
            answer(200, flags.split_at(40).0),
            true,
            Poll::Garbage,
            "the answer is not the json of flags, at line 1 column 40",
        ),
        (answer(200, "{}"), true, Poll::Garbage, "the answer is without a list named features"),
        (answer(304, ""), true, Poll::NotModified, ""),
        (answer(304, ""), false, Poll::Garbage, "the answer says not modified and was not asked so"),
        (answer(401, ""), true, Poll::Unauthorized, "401: the token in UNLEASH_API_TOKEN is not accepted"),
        (answer(403, ""), true, Poll::Unauthorized, "403: the token in UNLEASH_API_TOKEN is not a backend token"),
        (answer(503, ""), true, Poll::Unavailable, "503: no connection, or unleash is not ready"),
        (answer(504, ""), true, Poll::Timeout, "no answer in time"),
        (answer(500, &flags), true, Poll::Status, "status 500"),
        (answer(204, ""), true, Poll::Status, "status 204"),
        (answer(302, &flags), true, Poll::Status, "status 302"),
        (answer(429, ""), true, Poll::Status, "status 429"),
    ];
    let selectors = [Selector::Name("a".to_owned())];
    for (answer, with_etag, poll, error) in cases {
        let outcome = read_answer(&answer, &unleash, with_etag, &selectors);
        assert_eq!((outcome.poll, outcome.error.as_deref().unwrap_or_default()), (poll, error));
        assert_eq!(outcome.update, None, "it changes nothing");
    }
    let outcome = read_answer(&answer(200, &flags), &unleash, true, &selectors);
    let (subset, etag) = outcome.update.unwrap();
    assert_eq!((outcome.poll, outcome.error, etag.as_deref()), (Poll::Updated, None, Some("\"e\"")));
    assert!(subset.contains("\"a\"") && !subset.contains("not-exposed"));
    let missing = Outcome::no_cluster("outbound|4242||unleash");
    assert_eq!(missing.poll, Poll::NoCluster);
    assert!(missing.error.unwrap().starts_with("cluster outbound|4242||unleash is not known to this proxy"));
}

#[test]
fn only_confirmation_by_unleash_is_good() {
    let good: Vec<Poll> = Poll::ALL.iter().copied().filter(|poll| poll.is_good()).collect();
    assert_eq!(good, [Poll::Updated, Poll::NotModified]);
}

#[test]
fn what_is_kept_comes_back_and_garbage_counts_as_nothing() {
    for poll in Poll::ALL {
        let mut sync = synced(START);
        polled(&mut sync, START + 5, &bad(*poll), 3);
        sync.registered = true;
        assert_eq!(Sync::read(&sync.write()), sync);
    }
    for garbage in
        [&b""[..], b"x", b"[]", b"null", b"\xff", b"{\"generation\": -1, \"next\": \"soon\", \"last\": \"odd\"}"]
    {
        assert_eq!(Sync::read(garbage), Sync::default());
        assert!(Sync::read(garbage).is_due(START, &unleash(), ""));
    }
    let cut = &synced(START).write()[..20];
    assert_eq!(Sync::read(cut), Sync::default());
}

#[test]
fn the_revision_is_unleashs_own() {
    let cases = [
        (Some("\"76d8bb0e:42:v1\""), Some(42)),
        (Some("W/\"76d8bb0e:42:v1\""), Some(42)),
        (Some("\"76d8bb0e:42\""), Some(42)),
        (Some("\"76d8bb0e\""), None),
        (Some("\"a:b:c\""), None),
        (Some(""), None),
        (None, None),
    ];
    for (etag, expected) in cases {
        let sync = Sync { etag: etag.map(str::to_owned), ..Sync::default() };
        assert_eq!(sync.revision(), expected, "{etag:?}");
    }
}

#[test]
fn the_way_to_unleash_is_told_by_service_or_cluster() {
    let plain = |cluster: &str| vec![("/unleash/service", Value::Null), ("/unleash/cluster", json!(cluster))];
    let cases = [
        (
            vec![],
            "outbound|4242||unleash.devmentor-app.svc.cluster.local",
            "unleash.devmentor-app.svc.cluster.local:4242",
        ),
        (
            vec![("/unleash/service/domain", json!("mesh.local")), ("/unleash/authority", json!("flags.local"))],
            "outbound|4242||unleash.devmentor-app.svc.mesh.local",
            "flags.local",
        ),
        (plain("unleash"), "unleash", "unleash"),
        (plain("outbound|443||eu.unleash.example"), "outbound|443||eu.unleash.example", "eu.unleash.example"),
    ];
    let mut sources = Vec::new();
    for (changes, cluster, authority) in cases {
        let unleash = unleash_with(&changes);
        assert_eq!((cluster_of(&unleash).as_str(), authority_of(&unleash).as_str()), (cluster, authority));
        sources.push(source_of(&unleash));
    }
    let same = unleash_with(&[("/unleash/refresh", json!("1m")), ("/unleash/maxStale", json!("1s"))]);
    assert_eq!(source_of(&same), sources[0], "how often it is asked makes no other source of it");
    for (field, value) in [("tokenEnv", "OTHER"), ("appName", "other"), ("path", "/other")] {
        sources.push(source_of(&unleash_with(&[(&format!("/unleash/{field}"), json!(value))])));
    }
    sources.sort();
    sources.dedup();
    assert_eq!(sources.len(), 7, "each is a source of its own");
}

#[test]
fn exposures_differ_where_their_flags_do() {
    let name = |text: &str| Selector::Name(text.to_owned());
    let prefix = |text: &str| Selector::Prefix(text.to_owned());
    let lists =
        [vec![], vec![name("a")], vec![prefix("a")], vec![name("a"), name("b")], vec![name("a,b")], vec![name("ab")]];
    let mut exposures: Vec<String> = lists.iter().map(|list| exposure_of(list)).collect();
    exposures.sort();
    exposures.dedup();
    assert_eq!(exposures.len(), lists.len());
}

#[test]
fn times_before_1970_are_zero() {
    assert_eq!(millis(std::time::UNIX_EPOCH - std::time::Duration::from_secs(1)), 0);
    assert_eq!(millis(std::time::UNIX_EPOCH + std::time::Duration::from_millis(START)), START);
}
