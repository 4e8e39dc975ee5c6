//! `make bench`: what the filters cost in a real Envoy. Beside each run no filter, an empty one, and one that makes the same
//! host calls and decides nothing; README.md says how to read the figures.

mod bodies;
mod calls;
mod canary;
mod egress;
mod figures;
mod flags;
mod hold;
mod load;
mod machine;
mod measure;
mod pump;
mod report;
mod scene;
mod text;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use harness::{Error, Result};
use tokio::runtime::Runtime;

use crate::egress::Told;
use crate::flags::Carried;
use crate::machine::Cores;
use crate::measure::{Contender, Measured, Plan, measure};
use crate::report::Floor;
use crate::scene::{Filter, Scene, Visitor, World};

/// Measures the CPU time that Envoy spends on a request with each filter, beside filters to compare with.
#[derive(Debug, Parser)]
struct Arguments {
    /// The Envoy to run; without, the first of ENVOY_BINARIES.
    #[arg(long)]
    envoy: Option<PathBuf>,
    /// Measures this filter alone.
    #[arg(long, value_name = "FILTER")]
    only: Option<Subject>,
    /// The module of canary-router; without, dist/canary-router.wasm.
    #[arg(long, value_name = "FILE")]
    canary_router: Option<PathBuf>,
    /// The module of flag-headers; without, dist/flag-headers.wasm.
    #[arg(long, value_name = "FILE")]
    flag_headers: Option<PathBuf>,
    /// The module of egress-audit; without, dist/egress-audit.wasm.
    #[arg(long, value_name = "FILE")]
    egress_audit: Option<PathBuf>,
    /// The module of pii-redactor; without, dist/pii-redactor.wasm.
    #[arg(long, value_name = "FILE")]
    pii_redactor: Option<PathBuf>,
    /// Where bench_empty.wasm, bench_same_calls.wasm and bench_body_copy.wasm are; without, wasm32-wasip1/release in cargo's target directory.
    #[arg(long)]
    filters: Option<PathBuf>,
    /// One more build of the filter to run side by side, such as the one before a change. May be given several times.
    #[arg(long, value_name = "NAME=FILE", value_parser = named, requires = "only")]
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
    /// The size of a body for pii-redactor.
    #[arg(long, default_value_t = 100)]
    megabytes: usize,
    /// Only what the floors are about: direct responses with a matching rule, and bodies of prose.
    #[arg(long)]
    floors_only: bool,
    /// Writes the report to a file too.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Exits with 1 where a floor is missed.
    #[arg(long)]
    check: bool,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Subject {
    CanaryRouter,
    FlagHeaders,
    EgressAudit,
    PiiRedactor,
}

impl Subject {
    fn name(self) -> &'static str {
        match self {
            Self::CanaryRouter => "canary-router",
            Self::FlagHeaders => "flag-headers",
            Self::EgressAudit => "egress-audit",
            Self::PiiRedactor => "pii-redactor",
        }
    }
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

    /// How large a body is, in megabytes.
    fn body(&self) -> usize {
        if self.quick { 20 } else { self.megabytes.max(1) }
    }

    fn binary(&self) -> Result<PathBuf> {
        let list = std::env::var_os("ENVOY_BINARIES").unwrap_or_default();
        let listed = std::env::split_paths(&list).find(|path| !path.as_os_str().is_empty());
        let binary = self.envoy.clone().or(listed);
        existing(binary.ok_or_else(|| Error::new("no Envoy: give --envoy PATH, or run `make bench`"))?)
    }

    /// The module of what is measured.
    fn module(&self, subject: Subject) -> Result<PathBuf> {
        let given = match subject {
            Subject::CanaryRouter => &self.canary_router,
            Subject::FlagHeaders => &self.flag_headers,
            Subject::EgressAudit => &self.egress_audit,
            Subject::PiiRedactor => &self.pii_redactor,
        };
        let built = || harness::workspace_root().join(format!("dist/{}.wasm", subject.name()));
        existing(given.clone().unwrap_or_else(built))
    }

    /// One of the filters to compare with.
    fn bench_filter(&self, name: &str) -> Result<PathBuf> {
        let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
        let built = || harness::workspace_root().join(target).join("wasm32-wasip1/release");
        existing(self.filters.clone().unwrap_or_else(built).join(name))
    }

    /// Those to measure, in the order that the report counts on.
    fn contenders(&self, subject: Subject) -> Result<Vec<Contender>> {
        let same_calls = self.bench_filter(match subject {
            Subject::PiiRedactor => "bench_body_copy.wasm",
            _ => "bench_same_calls.wasm",
        })?;
        let (same_calls, of): (_, fn(&Path) -> Filter) = match subject {
            Subject::CanaryRouter => (canary::same_calls(&same_calls), |wasm| canary::filter(wasm, canary::RULES)),
            Subject::FlagHeaders => {
                (flags::same_calls(&same_calls, Carried::DEFAULT), |wasm| flags::filter(wasm, Carried::DEFAULT))
            }
            Subject::EgressAudit => {
                (egress::same_calls(&same_calls), |wasm| egress::filter(wasm, egress::RULES, Told::Folded))
            }
            Subject::PiiRedactor => (Filter::bare(same_calls), |wasm| bodies::filter(wasm, "enforce")),
        };
        let contender = |name: &str, filter: Filter| Contender { name: name.to_owned(), filter };
        let mut contenders = vec![
            contender("no filter", Filter::default()),
            contender("empty", Filter::bare(self.bench_filter("bench_empty.wasm")?)),
            contender("same calls", same_calls),
            contender(subject.name(), of(&self.module(subject)?)),
        ];
        if subject == Subject::EgressAudit {
            let each = egress::filter(&self.module(subject)?, egress::RULES, Told::Each);
            contenders.push(contender("egress-audit, an event for each", each));
        }
        if subject == Subject::PiiRedactor {
            let copy = self.bench_filter("bench_body_copy.wasm")?;
            contenders.extend(bodies::beside(&copy, &self.module(subject)?));
        }
        for (name, file) in &self.also {
            contenders.push(contender(name, of(&existing(file.clone())?)));
        }
        Ok(contenders)
    }

    /// egress-audit looks at every request, so none is unmatched.
    fn scenes(&self, subject: Subject) -> &'static [Scene] {
        match (self.floors_only, subject) {
            (true, _) => &Scene::DIRECT,
            (false, Subject::EgressAudit) => &Scene::SEEN_BY_ALL,
            (false, _) => &Scene::ALL,
        }
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
    let subjects = Subject::value_variants().iter().copied();
    let subjects: Vec<Subject> = subjects.filter(|one| arguments.only.is_none_or(|only| only == *one)).collect();
    let (binary, plan) = (arguments.binary()?, arguments.plan());
    // what is not there is told before minutes have gone by
    for subject in &subjects {
        arguments.contenders(*subject)?;
    }
    // asked before this process moves to one core
    let (processor, busy) = (machine::processor(), machine::load_average());
    let cores = Cores::pick();
    cores.move_here()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut world = World::new(binary, cores)?;
    let (mut text, mut met) = (String::new(), true);
    for subject in subjects {
        let contenders = arguments.contenders(subject)?;
        let bench = Bench { arguments, subject, runtime: &runtime, plan, contenders };
        let (floors, tables) = match subject {
            Subject::CanaryRouter => bench.canary_router(&mut world)?,
            Subject::FlagHeaders => bench.flag_headers(&mut world)?,
            Subject::EgressAudit => bench.egress_audit(&mut world)?,
            Subject::PiiRedactor => bench.pii_redactor(&world)?,
        };
        met &= floors.iter().all(|floor| floor.met);
        text.push_str(&format!(
            "# {} in Envoy {}\n\n{}; {}. Load average before the run: {busy}.\n{}. {} starts × {} rounds × {} \
             through each filter, in turns. Medians, quartiles in brackets; ratios and differences are taken within a \
             round.\n\n{}\n{tables}\n",
            subject.name(),
            harness::envoy_version(&world.binary),
            machine::date(),
            processor,
            world.cores.told(),
            plan.starts,
            plan.rounds,
            bench.turn(),
            report::floor_lines(&floors),
        ));
    }
    let text = text.trim_end();
    println!("{text}");
    if let Some(file) = &arguments.write {
        std::fs::write(file, format!("{text}\n"))?;
    }
    Ok(met)
}

/// One filter's part of the run.
struct Bench<'a> {
    arguments: &'a Arguments,
    subject: Subject,
    runtime: &'a Runtime,
    plan: Plan,
    contenders: Vec<Contender>,
}

impl Bench<'_> {
    fn canary_router(&self, world: &mut World) -> Result<(Vec<Floor>, String)> {
        let calls = self.runtime.block_on(async {
            eprintln!("canary-router: comparing host calls");
            let canary = world.start(&self.contenders[report::MEASURED].filter, "trace").await?;
            canary::find_user(world, &canary)?;
            let same_calls = world.start(&self.contenders[report::SAME_CALLS].filter, "trace").await?;
            calls::compare(world, "canary-router", &canary, &same_calls, &Scene::ALL).await
        })?;
        let (measured, mut text) = self.scenes(world, &calls)?;
        let floors = report::canary_floors(&measured, &self.contenders);
        if !self.arguments.floors_only {
            let same_calls = &self.contenders[report::SAME_CALLS];
            let contenders = canary::growth(same_calls, &self.arguments.module(Subject::CanaryRouter)?);
            for measured in &self.runtime.block_on(measure(world, &contenders, &[Scene::Direct], self.plan))? {
                text.push_str(&report::growth_table(measured, &contenders));
                text.push('\n');
            }
        }
        Ok((floors, text + &report::size_table(&self.contenders)))
    }

    fn flag_headers(&self, world: &mut World) -> Result<(Vec<Floor>, String)> {
        let same_calls = self.arguments.bench_filter("bench_same_calls.wasm")?;
        let module = self.arguments.module(Subject::FlagHeaders)?;
        let ways = flags::ways(&same_calls, &module);
        world.visitor = flags::visitor();
        let mut calls = Vec::new();
        self.runtime.block_on(async {
            for pair in ways.chunks_exact(2) {
                eprintln!("{}: comparing host calls", pair[1].name);
                let measured = world.start(&pair[1].filter, "trace").await?;
                let same_calls = world.start(&pair[0].filter, "trace").await?;
                calls.push(calls::compare(world, &pair[1].name, &measured, &same_calls, &Scene::ALL).await?);
            }
            Ok::<(), Error>(())
        })?;
        // the first way is the default
        let (measured, mut text) = self.scenes(world, calls.first().map_or(&[][..], Vec::as_slice))?;
        let mut held = None;
        if !self.arguments.floors_only {
            let told = Carried::WAYS.map(|way| way.told);
            for measured in &self.runtime.block_on(measure(world, &ways, &[Scene::Direct], self.plan))? {
                text.push_str(&report::ways_table(measured, &told));
                text.push('\n');
            }
            let changes = if self.arguments.quick { 3 } else { 10 };
            let measured = self.runtime.block_on(hold::measure(world, &module, changes))?;
            text.push_str(&measured.table());
            text.push('\n');
            held = Some(measured);
        }
        let floors = report::flags_floors(&measured, &self.contenders, held.as_ref());
        Ok((floors, text + &report::size_table(&self.contenders)))
    }

    fn egress_audit(&self, world: &mut World) -> Result<(Vec<Floor>, String)> {
        world.visitor = Visitor { user: "ada".into(), ..Visitor::default() };
        let calls = self.runtime.block_on(async {
            eprintln!("egress-audit: comparing host calls");
            let measured = world.start(&self.contenders[report::MEASURED].filter, "trace").await?;
            let same_calls = world.start(&self.contenders[report::SAME_CALLS].filter, "trace").await?;
            calls::compare(world, "egress-audit", &measured, &same_calls, &Scene::SEEN_BY_ALL).await
        })?;
        let (measured, mut text) = self.scenes(world, &calls)?;
        let floors = report::egress_floors(&measured, &self.contenders);
        if !self.arguments.floors_only {
            let same_calls = &self.contenders[report::SAME_CALLS];
            let contenders = egress::growth(same_calls, &self.arguments.module(Subject::EgressAudit)?);
            for measured in &self.runtime.block_on(measure(world, &contenders, &[Scene::Header], self.plan))? {
                text.push_str(&report::growth_table(measured, &contenders));
                text.push('\n');
            }
        }
        Ok((floors, text + &report::size_table(&self.contenders)))
    }

    fn pii_redactor(&self, world: &World) -> Result<(Vec<Floor>, String)> {
        let (size, all) = (self.arguments.body() * 1_000_000, !self.arguments.floors_only);
        let outcome = self.runtime.block_on(bodies::measure(world, &self.contenders, self.plan, size, all))?;
        let tables = outcome.tables(&self.contenders) + &report::size_table(&self.contenders);
        Ok((outcome.floors(&self.contenders), tables))
    }

    /// What goes through a filter in a round.
    fn turn(&self) -> String {
        match self.subject {
            Subject::PiiRedactor => "one body of each kind".into(),
            _ => format!("{} requests", self.plan.requests),
        }
    }

    /// The table of each scene.
    fn scenes(&self, world: &World, calls: &[(Scene, Vec<String>)]) -> Result<(Vec<Measured>, String)> {
        let scenes = self.arguments.scenes(self.subject);
        let measured = self.runtime.block_on(measure(world, &self.contenders, scenes, self.plan))?;
        let mut text = String::new();
        for measured in &measured {
            let calls = calls.iter().find(|(scene, _)| *scene == measured.scene).map_or(&[][..], |(_, calls)| calls);
            text.push_str(&report::scene_table(measured, &self.contenders, calls));
            text.push('\n');
        }
        Ok((measured, text))
    }
}
