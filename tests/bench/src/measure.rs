//! How it is measured: CPU time of Envoy's worker, in turns so short that the machine's mood falls on all alike.
//!
//! A round is a fixed number of requests through each filter. It goes in slices, one filter after the other, the first of
//! them another one at each turn; so a ratio within a round compares what ran side by side. How a process happens to lie in
//! memory shifts its figures by a percent or two for as long as it lives, so all Envoys start anew between groups of rounds.

use std::time::Duration;

use harness::{Envoy, Error, Result};

use crate::figures::Summary;
use crate::load::Lane;
use crate::scene::{Filter, Scene, World};

/// How many requests a filter gets before the next has its turn: about 30 ms.
const SLICE: usize = 500;
/// What a worker needs after the last answer to clean up and fall asleep.
const SETTLE: Duration = Duration::from_millis(1);

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// How often all Envoys start.
    pub(crate) starts: usize,
    /// Rounds after each start.
    pub(crate) rounds: usize,
    /// Requests of one filter in one round; as many go before, unmeasured, until V8 has compiled what runs often.
    pub(crate) requests: usize,
}

/// A filter and its name in the report.
#[derive(Clone, Debug)]
pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) filter: Filter,
}

/// For each contender, what it cost in each round.
#[derive(Clone, Debug)]
pub(crate) struct Costs(pub(crate) Vec<Vec<f64>>);

impl Costs {
    /// Takes what a round has cost, in the order of the contenders; a round that does not count leaves nothing.
    pub(crate) fn add(&mut self, costs: &[f64], counts: bool) {
        if counts {
            self.0.iter_mut().zip(costs).for_each(|(all, cost)| all.push(*cost));
        }
    }

    /// A contender's cost.
    pub(crate) fn cost(&self, contender: usize) -> Option<Summary> {
        Summary::of(self.0.get(contender)?.iter().copied())
    }

    /// A contender's cost over another's, round by round.
    pub(crate) fn ratio(&self, contender: usize, over: usize) -> Option<Summary> {
        let (costs, others) = (self.0.get(contender)?, self.0.get(over)?);
        Summary::of(costs.iter().zip(others).map(|(cost, other)| cost / other))
    }

    /// What a contender costs more than another, round by round.
    pub(crate) fn difference(&self, contender: usize, over: usize) -> Option<Summary> {
        let (costs, others) = (self.0.get(contender)?, self.0.get(over)?);
        Summary::of(costs.iter().zip(others).map(|(cost, other)| cost - other))
    }
}

/// What came of one scene: microseconds of CPU per request.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) scene: Scene,
    pub(crate) costs: Costs,
}

/// Measures all contenders side by side in each scene.
pub(crate) async fn measure(
    world: &World,
    contenders: &[Contender],
    scenes: &[Scene],
    plan: Plan,
) -> Result<Vec<Measured>> {
    let nothing = |scene: &Scene| Measured { scene: *scene, costs: Costs(vec![Vec::new(); contenders.len()]) };
    let mut measured: Vec<Measured> = scenes.iter().map(nothing).collect();
    for start in 1..=plan.starts {
        let mut proxies = Vec::new();
        for contender in contenders {
            proxies.push(world.start(&contender.filter, "info").await?);
        }
        for round in 0..=plan.rounds {
            for (place, scene) in scenes.iter().enumerate() {
                let step = if round == 0 { "warming up".into() } else { format!("round {round} of {}", plan.rounds) };
                eprintln!("start {start} of {}, {step}: {}", plan.starts, scene.title());
                let mut lanes = Vec::new();
                for proxy in &proxies {
                    lanes.push((&proxy.envoy, world.lane(proxy, *scene)?));
                }
                let costs = run(&mut lanes, plan.requests).map_err(|(place, error)| {
                    let name = contenders.get(place).map_or("", |contender| &contender.name);
                    Error::new(format!("{name}, {}: {error}", scene.title()))
                })?;
                measured[place].costs.add(&costs, round > 0);
            }
        }
    }
    Ok(measured)
}

/// One round: microseconds of CPU per request, in the order of the lanes. An error comes with the place of its lane.
fn run(lanes: &mut [(&Envoy, Lane)], requests: usize) -> Result<Vec<f64>, (usize, Error)> {
    let mut spent = vec![Duration::ZERO; lanes.len()];
    for slice in 0..requests.div_ceil(SLICE) {
        let size = SLICE.min(requests - slice * SLICE);
        for turn in 0..lanes.len() {
            let place = (slice + turn) % lanes.len();
            let (envoy, lane) = &mut lanes[place];
            spent[place] += turn_of(envoy, lane, size).map_err(|error| (place, error))?;
        }
    }
    Ok(spent.iter().map(|spent| spent.as_secs_f64() * 1e6 / requests as f64).collect())
}

/// What a number of requests cost one Envoy.
fn turn_of(envoy: &Envoy, lane: &mut Lane, requests: usize) -> Result<Duration> {
    let before = worker_time(envoy)?;
    lane.send(requests)?;
    std::thread::sleep(SETTLE);
    Ok(worker_time(envoy)?.saturating_sub(before))
}

/// CPU time, user and system, of the threads that serve requests. The main thread's and V8's compilers' is not a request's.
pub(crate) fn worker_time(envoy: &Envoy) -> Result<Duration> {
    let usage = envoy.usage().ok_or_else(|| Error::new("Envoy is gone, or /proc does not tell what it used"))?;
    let workers = usage.threads.iter().filter(|(name, _)| name.starts_with("wrk:worker"));
    Ok(workers.map(|(_, time)| *time).sum())
}
