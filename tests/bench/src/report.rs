//! What is printed: a table for each kind of request, the growth with the number of rules, sizes, and what is demanded.

use std::fmt::Write;

use crate::figures::Summary;
use crate::hold::Held;
use crate::measure::{Contender, Measured};
use crate::scene::Scene;

/// The places of those that others are compared with, and of the measured filter.
pub(crate) const NO_FILTER: usize = 0;
pub(crate) const EMPTY: usize = 1;
pub(crate) const SAME_CALLS: usize = 2;
pub(crate) const MEASURED: usize = 3;
/// The place of egress-audit that tells each request.
const EACH: usize = 4;

/// What is demanded of canary-router: how much more than the same host calls, and than an empty filter, it may cost, and how
/// many bytes its module may have.
mod canary {
    pub(super) const OVER_SAME_CALLS: f64 = 1.1;
    pub(super) const OVER_EMPTY: f64 = 1.35;
    pub(super) const SIZE: u64 = 400_000;
}

/// What is demanded of flag-headers: how many microseconds more than the same host calls it may cost, for how many
/// milliseconds an update may hold a worker, and how many bytes its module may have.
mod flags {
    pub(super) const OVER_SAME_CALLS: f64 = 5.0;
    pub(super) const HOLD: f64 = 20.0;
    pub(super) const SIZE: u64 = 1_800_000;
}

/// What is demanded of egress-audit: how much more than an empty filter it may cost where requests are counted and where each is
/// told, and how many bytes its module may have.
mod egress {
    pub(super) const FOLDED_OVER_EMPTY: f64 = 1.35;
    pub(super) const EACH_OVER_EMPTY: f64 = 1.8;
    pub(super) const SIZE: u64 = 500_000;
}

/// One demand and whether it is met.
pub(crate) struct Floor {
    pub(crate) met: bool,
    pub(crate) line: String,
}

/// What is demanded of canary-router, against what was measured.
pub(crate) fn canary_floors(measured: &[Measured], contenders: &[Contender]) -> Vec<Floor> {
    let mut floors = Vec::new();
    let limits =
        [(SAME_CALLS, canary::OVER_SAME_CALLS, "the same host calls"), (EMPTY, canary::OVER_EMPTY, "the empty filter")];
    // without a token Envoy itself does less, so that a filter's share is largest there
    for direct in measured.iter().filter(|measured| Scene::DIRECT.contains(&measured.scene)) {
        for (over, limit, name) in limits {
            let Some(ratio) = direct.costs.ratio(MEASURED, over) else { continue };
            let line = format!("at most {limit} times {name}: {ratio:.3} ({})", direct.scene.title().to_lowercase());
            floors.push(Floor { met: ratio.median <= limit, line });
        }
    }
    floors.extend(size_floor(contenders, canary::SIZE));
    floors
}

/// What is demanded of flag-headers, against what was measured.
pub(crate) fn flags_floors(measured: &[Measured], contenders: &[Contender], held: Option<&Held>) -> Vec<Floor> {
    let mut floors = Vec::new();
    for direct in measured.iter().filter(|measured| Scene::DIRECT.contains(&measured.scene)) {
        let Some(decides) = direct.costs.difference(MEASURED, SAME_CALLS) else { continue };
        let (limit, scene) = (flags::OVER_SAME_CALLS, direct.scene.title().to_lowercase());
        let line = format!("decides in at most {limit} µs, beside the same host calls: {decides:.1} ({scene})");
        floors.push(Floor { met: decides.median <= limit, line });
    }
    if let Some((held, worst)) = held.and_then(|held| Some((held, held.worst()?))) {
        let line =
            format!("an update holds a worker for at most {} ms: {worst:.1} at worst ({})", flags::HOLD, held.told());
        floors.push(Floor { met: worst <= flags::HOLD, line });
    }
    floors.extend(size_floor(contenders, flags::SIZE));
    floors
}

/// What is demanded of egress-audit, against what was measured.
pub(crate) fn egress_floors(measured: &[Measured], contenders: &[Contender]) -> Vec<Floor> {
    let mut floors = Vec::new();
    let limits = [
        (MEASURED, egress::FOLDED_OVER_EMPTY, "with 1,000 rules and requests counted"),
        (EACH, egress::EACH_OVER_EMPTY, "with 1,000 rules and an event for each request"),
    ];
    for direct in measured.iter().filter(|measured| Scene::DIRECT.contains(&measured.scene)) {
        for (place, limit, what) in limits {
            let Some(ratio) = direct.costs.ratio(place, EMPTY) else { continue };
            let scene = direct.scene.title().to_lowercase();
            let line = format!("at most {limit} times the empty filter {what}: {ratio:.3} ({scene})");
            floors.push(Floor { met: ratio.median <= limit, line });
        }
    }
    floors.extend(size_floor(contenders, egress::SIZE));
    floors
}

pub(crate) fn size_floor(contenders: &[Contender], limit: u64) -> Option<Floor> {
    let size = contenders.get(MEASURED).and_then(size)?;
    let line = format!("module under {} kB: {:.1}", limit / 1000, size as f64 / 1000.0);
    Some(Floor { met: size < limit, line })
}

pub(crate) fn floor_lines(floors: &[Floor]) -> String {
    let line = |floor: &Floor| format!("- {}: {}\n", if floor.met { "pass" } else { "**FAIL**" }, floor.line);
    floors.iter().map(line).collect()
}

/// One scene's table.
pub(crate) fn scene_table(measured: &Measured, contenders: &[Contender], calls: &[String]) -> String {
    let mut text = format!("## {}\n\nHost calls per request: `{}`.\n\n", measured.scene.title(), calls.join("`, `"));
    text.push_str("| filter | µs of CPU per request | × no filter | × empty | × same calls | µs over same calls |\n");
    text.push_str("|---|---|---|---|---|---|\n");
    for (place, contender) in contenders.iter().enumerate() {
        let over = |other: usize| shown(measured.costs.ratio(place, other).filter(|_| other < place), 3);
        let more = shown(measured.costs.difference(place, SAME_CALLS).filter(|_| SAME_CALLS < place), 1);
        let cost = shown(measured.costs.cost(place), 1);
        let (none, empty, same) = (over(NO_FILTER), over(EMPTY), over(SAME_CALLS));
        // writing to a string cannot fail
        let _ = writeln!(text, "| {} | {cost} | {none} | {empty} | {same} | {more} |", contender.name);
    }
    text
}

/// How the cost grows with the rules, beside the contender that stands first.
pub(crate) fn growth_table(measured: &Measured, contenders: &[Contender]) -> String {
    let mut text = format!("## By number of rules, the last of which matches\n\n{}.\n\n", measured.scene.title());
    text.push_str("| filter | µs of CPU per request | × same calls |\n|---|---|---|\n");
    for (place, contender) in contenders.iter().enumerate() {
        let ratio = shown(measured.costs.ratio(place, 0).filter(|_| place > 0), 3);
        let _ = writeln!(text, "| {} | {} | {ratio} |", contender.name, shown(measured.costs.cost(place), 1));
    }
    text
}

/// What each way to hand flags on costs: every second contender, beside the one before it, which makes the same calls.
pub(crate) fn ways_table(measured: &Measured, ways: &[&str]) -> String {
    let mut text = format!("## By what is set\n\n{}; µs of CPU per request.\n\n", measured.scene.title());
    text.push_str("| set | flag-headers | same calls | over same calls | × the first |\n|---|---|---|---|---|\n");
    for (number, way) in ways.iter().enumerate() {
        let (same_calls, place) = (2 * number, 2 * number + 1);
        let (cost, floor) = (shown(measured.costs.cost(place), 1), shown(measured.costs.cost(same_calls), 1));
        let more = shown(measured.costs.difference(place, same_calls), 1);
        let ratio = shown(measured.costs.ratio(place, 1).filter(|_| number > 0), 3);
        let _ = writeln!(text, "| {way} | {cost} | {floor} | {more} | {ratio} |");
    }
    text
}

/// The modules' sizes.
pub(crate) fn size_table(contenders: &[Contender]) -> String {
    let mut text = "## Modules\n\n| filter | bytes |\n|---|---|\n".to_owned();
    for contender in contenders {
        if let Some(size) = size(contender) {
            let _ = writeln!(text, "| {} | {size} |", contender.name);
        }
    }
    text
}

pub(crate) fn shown(figure: Option<Summary>, digits: usize) -> String {
    figure.map_or(String::new(), |figure| format!("{figure:.digits$}"))
}

fn size(contender: &Contender) -> Option<u64> {
    let wasm = contender.filter.wasm.as_ref()?;
    std::fs::metadata(wasm).ok().map(|found| found.len())
}
