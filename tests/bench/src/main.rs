//! `make bench`: what canary-router costs in a real Envoy. Beside it run no filter, an empty one, and one that makes the
//! same host calls and decides nothing; README.md says how to read the figures.

mod calls;
mod figures;
mod load;
mod machine;
mod measure;
mod report;
mod scene;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use harness::{Error, Result};

use crate::machine::Cores;
use crate::measure::{Contender, Plan, measure};
use crate::scene::{Filter, RULES, Scene, World};

/// Measures the CPU time that Envoy spends on a request with canary-router, beside filters to compare with.
#[derive(Debug, Parser)]
struct Arguments {
    /// The Envoy to run; without, the first of ENVOY_BINARIES.
    #[arg(long)]
    envoy: Option<PathBuf>,
    /// The module to measure; without, dist/canary-router.wasm.
    #[arg(long)]
    canary_router: Option<PathBuf>,
    /// Where bench_empty.wasm and bench_same_calls.wasm are; without, wasm32-wasip1/release in cargo's target directory.
    #[arg(long)]
    filters: Option<PathBuf>,
    /// One more build of canary-router to run side by side, such as the one before a change. May be given several times.
    #[arg(long, value_name = "NAME=FILE", value_parser = named)]
    also: Vec<(String, PathBuf)>,
    /// How often all Envoys start anew.
    #[arg(long, default_value_t = 3)]
    starts: usize,
    /// Rounds after each start.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Requests through each filter in a round.
    #[arg(long, default_value_t = 10_000)]
    requests: usize,
    /// One start and a few short rounds, to see that all of it runs. Its figures mean little.
    #[arg(long)]
    quick: bool,
    /// Only the direct responses with a matching rule, which the floors are about.
    #[arg(long)]
    floors_only: bool,
    /// Writes the report to a file too.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Exits with 1 where a floor is missed.
    #[arg(long)]
    check: bool,
}

fn named(text: &str) -> std::result::Result<(String, PathBuf), String> {
    let (name, file) = text.split_once('=').ok_or("is not NAME=FILE")?;
    Ok((name.to_owned(), file.into()))
}

impl Arguments {
    fn plan(&self) -> Plan {
        if self.quick {
            return Plan { starts: 1, rounds: 3, requests: 2_000 };
        }
        Plan { starts: self.starts.max(1), rounds: self.rounds.max(1), requests: self.requests.max(1) }
    }

    fn binary(&self) -> Result<PathBuf> {
        let list = std::env::var_os("ENVOY_BINARIES").unwrap_or_default();
        let listed = std::env::split_paths(&list).find(|path| !path.as_os_str().is_empty());
        let binary = self.envoy.clone().or(listed);
        existing(binary.ok_or_else(|| Error::new("no Envoy: give --envoy PATH, or run `make bench`"))?)
    }

    /// Those to measure, in the order that the report counts on.
    fn contenders(&self) -> Result<Vec<Contender>> {
        let root = harness::workspace_root();
        let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
        let built = root.join(target).join("wasm32-wasip1/release");
        let filters = self.filters.clone().unwrap_or(built);
        let canary_router = self.canary_router.clone().unwrap_or_else(|| root.join("dist/canary-router.wasm"));
        let contender = |name: &str, filter: Filter| Contender { name: name.to_owned(), filter };
        let mut contenders = vec![
            contender("no filter", Filter::None),
            contender("empty", Filter::Empty(existing(filters.join("bench_empty.wasm"))?)),
            contender("same calls", Filter::SameCalls(existing(filters.join("bench_same_calls.wasm"))?)),
            contender("canary-router", Filter::CanaryRouter(existing(canary_router)?, RULES)),
        ];
        for (name, file) in &self.also {
            contenders.push(contender(name, Filter::CanaryRouter(existing(file.clone())?, RULES)));
        }
        Ok(contenders)
    }
}

/// An absolute path to a file, since Envoy runs elsewhere.
fn existing(file: PathBuf) -> Result<PathBuf> {
    let found = file.canonicalize().ok().filter(|file| file.is_file());
    found.ok_or_else(|| Error::new(format!("{} is not there: run `make bench`, which builds it", file.display())))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(met) if met || !arguments.check => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::from(2)
        }
    }
}

/// Measures and tells; gives whether all floors are met.
fn run(arguments: &Arguments) -> Result<bool> {
    if !cfg!(target_os = "linux") {
        return Err(Error::new("the CPU time of a thread comes from /proc, so this runs on Linux only"));
    }
    let (binary, contenders, plan) = (arguments.binary()?, arguments.contenders()?, arguments.plan());
    // asked before this process moves to one core
    let (processor, busy) = (machine::processor(), machine::load_average());
    let cores = Cores::pick();
    cores.move_here()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut world = World::new(binary, cores)?;
    let scenes = if arguments.floors_only { &Scene::DIRECT[..] } else { &Scene::ALL[..] };

    eprintln!("comparing host calls");
    let (same_calls, canary_router) = (&contenders[report::SAME_CALLS], &contenders[report::CANARY_ROUTER]);
    let calls = runtime.block_on(calls::compare(&mut world, &same_calls.filter, &canary_router.filter))?;
    let measured = runtime.block_on(measure(&world, &contenders, scenes, plan))?;
    let floors = report::floors(&measured, &contenders);

    let mut text = format!(
        "# canary-router in Envoy {}\n\n{}; {}. Load average before the run: {busy}.\n{}. {} starts × {} rounds × {} requests \
         through each filter, in turns. Medians, quartiles in brackets; ratios are taken within a round.\n\n{}",
        harness::envoy_version(&world.binary),
        machine::date(),
        processor,
        world.cores.told(),
        plan.starts,
        plan.rounds,
        plan.requests,
        report::floor_lines(&floors),
    );
    for measured in &measured {
        let calls = calls.iter().find(|(scene, _)| *scene == measured.scene).map_or(&[][..], |(_, calls)| calls);
        text.push('\n');
        text.push_str(&report::scene_table(measured, &contenders, calls));
    }
    if !arguments.floors_only {
        let contenders = growth(same_calls, canary_router);
        let measured = runtime.block_on(measure(&world, &contenders, &[Scene::Direct], plan))?;
        for measured in &measured {
            text.push('\n');
            text.push_str(&report::growth_table(measured, &contenders));
        }
    }
    text.push('\n');
    text.push_str(&report::size_table(&contenders));
    println!("{text}");
    if let Some(file) = &arguments.write {
        std::fs::write(file, &text)?;
    }
    Ok(floors.iter().all(|floor| floor.met))
}

/// canary-router with ever more rules, beside the filter that has none.
fn growth(same_calls: &Contender, canary_router: &Contender) -> Vec<Contender> {
    let mut contenders = vec![same_calls.clone()];
    if let Some(wasm) = report::module(&canary_router.filter) {
        contenders.extend([1, 10, 100, 1000].map(|rules| Contender {
            name: format!("canary-router, {rules} rule{}", if rules == 1 { "" } else { "s" }),
            filter: Filter::CanaryRouter(wasm.clone(), rules),
        }));
    }
    contenders
}
