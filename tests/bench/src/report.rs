//! What is printed: a table for each kind of request, the growth with the number of rules, sizes, and the floors.

use std::fmt::Write;
use std::path::PathBuf;

use crate::measure::{Contender, Measured};
use crate::scene::{Filter, Scene};

/// How much more than the same host calls canary-router may cost.
const OVER_SAME_CALLS: f64 = 1.1;
/// How much more than an empty filter.
const OVER_EMPTY: f64 = 1.35;
/// How large its module may be, in bytes.
const SIZE: u64 = 400_000;

/// The places of those that others are compared with.
pub(crate) const NO_FILTER: usize = 0;
pub(crate) const EMPTY: usize = 1;
pub(crate) const SAME_CALLS: usize = 2;
pub(crate) const CANARY_ROUTER: usize = 3;

/// One demand and whether it is met.
pub(crate) struct Floor {
    pub(crate) met: bool,
    line: String,
}

/// The demands, against what was measured.
pub(crate) fn floors(measured: &[Measured], contenders: &[Contender]) -> Vec<Floor> {
    let mut floors = Vec::new();
    let limits = [(SAME_CALLS, OVER_SAME_CALLS, "the same host calls"), (EMPTY, OVER_EMPTY, "the empty filter")];
    // without a token Envoy itself does less, so that a filter's share is largest there
    for direct in measured.iter().filter(|measured| Scene::DIRECT.contains(&measured.scene)) {
        for (over, limit, name) in limits {
            let Some(ratio) = direct.ratio(CANARY_ROUTER, over) else { continue };
            let line = format!("at most {limit} times {name}: {ratio:.3} ({})", direct.scene.title().to_lowercase());
            floors.push(Floor { met: ratio.median <= limit, line });
        }
    }
    if let Some(size) = contenders.get(CANARY_ROUTER).and_then(size) {
        let line = format!("module under {} kB: {:.1}", SIZE / 1000, size as f64 / 1000.0);
        floors.push(Floor { met: size < SIZE, line });
    }
    floors
}

pub(crate) fn floor_lines(floors: &[Floor]) -> String {
    let line = |floor: &Floor| format!("- {}: {}\n", if floor.met { "pass" } else { "**FAIL**" }, floor.line);
    floors.iter().map(line).collect()
}

/// One scene's table.
pub(crate) fn scene_table(measured: &Measured, contenders: &[Contender], calls: &[String]) -> String {
    let mut text = format!("## {}\n\nHost calls per request: `{}`.\n\n", measured.scene.title(), calls.join("`, `"));
    text.push_str("| filter | µs of CPU per request | × no filter | × empty | × same calls |\n|---|---|---|---|---|\n");
    for (place, contender) in contenders.iter().enumerate() {
        let over = |other: usize| match measured.ratio(place, other) {
            Some(ratio) if other < place => format!("{ratio:.3}"),
            _ => String::new(),
        };
        let cost = measured.cost(place).map_or(String::new(), |cost| format!("{cost:.1}"));
        let (none, empty, same) = (over(NO_FILTER), over(EMPTY), over(SAME_CALLS));
        // writing to a string cannot fail
        let _ = writeln!(text, "| {} | {cost} | {none} | {empty} | {same} |", contender.name);
    }
    text
}

/// How the cost grows with the rules, beside the contender that stands first.
pub(crate) fn growth_table(measured: &Measured, contenders: &[Contender]) -> String {
    let mut text = format!("## By number of rules, the last of which matches\n\n{}.\n\n", measured.scene.title());
    text.push_str("| filter | µs of CPU per request | × same calls |\n|---|---|---|\n");
    for (place, contender) in contenders.iter().enumerate() {
        let cost = measured.cost(place).map_or(String::new(), |cost| format!("{cost:.1}"));
        let ratio = measured.ratio(place, 0).filter(|_| place > 0).map_or(String::new(), |ratio| format!("{ratio:.3}"));
        let _ = writeln!(text, "| {} | {cost} | {ratio} |", contender.name);
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

fn size(contender: &Contender) -> Option<u64> {
    module(&contender.filter).and_then(|wasm| std::fs::metadata(wasm).ok()).map(|found| found.len())
}

/// The file that a filter comes from.
pub(crate) fn module(filter: &Filter) -> Option<&PathBuf> {
    match filter {
        Filter::None => None,
        Filter::Empty(wasm) | Filter::SameCalls(wasm) | Filter::CanaryRouter(wasm, _) => Some(wasm),
    }
}
