//! `rcctl audit suggest`: policies and the mesh's own resources from what was called.

use std::path::PathBuf;

use egress_core::config::Config;
use filter_config::{Name, Path, Read, Report};
use serde_json::Value;

use super::Sources;
use super::gather::{Gathered, counted, merge};
use super::logs::{self, Found, Place};
use super::{policy, resources};
use crate::{Outcome, document, filters};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    sources: Sources,
    /// Only calls of this namespace; calls of an unknown one count as of this. Without, each namespace gets its resources.
    #[arg(long)]
    namespace: Option<String>,
    /// The name of the Sidecar.
    #[arg(long, default_value = "default")]
    name: String,
    /// The configuration that runs now: tells which of its rules nothing used, and what it does not allow is a comment, for you to
    /// decide. Without, all that passed is allowed.
    #[arg(long, value_name = "CURRENT")]
    config: Option<PathBuf>,
    /// The manifest that is meant, where the file of --config holds more than one.
    #[arg(long, requires = "config")]
    manifest: Option<String>,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Part::All)]
    only: Part,
}

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// All of it.
    All,
    /// The configuration of egress-audit, which `rcctl lint` takes.
    Policy,
    /// The resources of Istio, which `kubectl apply` takes.
    Istio,
}

/// The rule of a configuration.
pub(crate) struct Unused {
    /// Its policy.
    pub(crate) policy: String,
    /// The list that it stands in.
    pub(crate) list: &'static str,
    /// Its name.
    pub(crate) id: String,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    for (option, value) in [("--namespace", arguments.namespace.as_ref()), ("--name", Some(&arguments.name))] {
        if let Some(value) = value.filter(|value| !is_label(value)) {
            return Err(format!("{option} {value}: it has to be 1 to 63 of a-z 0-9 -, without - at its ends"));
        }
    }
    let config = arguments.config.as_ref().map(|path| {
        let found = document::only(path, filters::named("egress-audit")?, arguments.manifest.as_deref())?;
        read(&found).map_err(|report| document::mistakes(path, &report))
    });
    let config = config.transpose()?;
    let sources = &arguments.sources;
    let mut gathered = Gathered::default();
    let mut broken: (u64, Option<(Place, &'static str)>) = (0, None);
    logs::read(sources, &mut |at, found| match found {
        Found::Event { fields, .. } => gathered.take(fields),
        Found::Broken(why) => {
            broken.0 += 1;
            broken.1.get_or_insert((at, why));
        }
    })?;
    if let (count, Some((at, why))) = broken {
        let what = counted(count, "event");
        eprintln!("rcctl: {what} can't be read, such as {}, which {why}", logs::shown(sources, at));
    }
    if gathered.foreign.0 > 0 {
        let (count, schema) = &gathered.foreign;
        let (what, known) = (counted(*count, "event"), egress_core::event::SCHEMA);
        eprintln!("rcctl: {what} of another schema left out: \"{schema}\" is not {known}");
    }
    if gathered.events == 0 {
        return Err("these files hold no event of egress-audit".to_owned());
    }
    if gathered.beyond > 0 {
        eprintln!("rcctl: {} to still more different hosts left out", counted(gathered.beyond, "call"));
    }
    eprintln!("rcctl: {} of {}", counted(gathered.events, "event"), gathered.all.told());
    let unused = config.as_ref().map(|config| unused(config, &gathered));
    for Unused { policy, list, id } in unused.iter().flatten() {
        eprintln!("rcctl: policy {policy}: rule {id} under {list} met no call in these logs");
    }
    if let Some(namespace) = &arguments.namespace {
        keep(&mut gathered, namespace);
    }
    // a first allow-list takes all that passed; one that is there is not widened by itself
    for calls in gathered.callers.values_mut() {
        let unruled = std::mem::take(&mut calls.unruled);
        merge(if config.is_some() { &mut calls.refused } else { &mut calls.passed }, unruled);
    }
    let mut text = String::new();
    if arguments.only != Part::Istio {
        text.push_str(&policy::of(&gathered, unused.as_deref()));
    }
    if arguments.only != Part::Policy {
        let resources = resources::of(&gathered, &arguments.name, config.as_ref());
        if !text.is_empty() && !resources.is_empty() {
            text.push_str("---\n");
        }
        text.push_str(&resources);
    }
    print!("{text}");
    Ok(true)
}

fn read(configuration: &Value) -> Result<Config, Report> {
    let mut report = Report::default();
    let config = Config::read(configuration, &Path::Root, &mut report);
    config.filter(|_| report.errors.is_empty()).ok_or(report)
}

/// Leaves the calls of one namespace.
fn keep(gathered: &mut Gathered, namespace: &str) {
    let callers = std::mem::take(&mut gathered.callers);
    for (mut caller, calls) in callers {
        if caller.namespace.is_empty() {
            namespace.clone_into(&mut caller.namespace);
        }
        if caller.namespace == namespace {
            let kept = gathered.callers.entry(caller).or_default();
            merge(&mut kept.passed, calls.passed);
            merge(&mut kept.unruled, calls.unruled);
            merge(&mut kept.refused, calls.refused);
            merge(&mut kept.addresses, calls.addresses);
            kept.accounts.extend(calls.accounts);
        }
    }
}

fn unused(config: &Config, gathered: &Gathered) -> Vec<Unused> {
    let mut unused = Vec::new();
    for policy in config.policies.iter().filter_map(|entry| entry.read.as_ref()) {
        for (list, rules) in [("allow", &policy.allow), ("deny", &policy.deny)] {
            for rule in rules.iter().filter_map(|entry| entry.read.as_ref()) {
                let named = |name: &Name| name.as_str().to_owned();
                let key = (named(&policy.name), named(&rule.id));
                if !gathered.rules.contains(&key) {
                    unused.push(Unused { policy: key.0, list, id: key.1 });
                }
            }
        }
    }
    unused
}

/// Whether a text is a name of Kubernetes (RFC 1123, a label).
pub(crate) fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| inner(byte) || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Names of resources and rules made of hosts, no two alike.
#[derive(Debug, Default)]
pub(crate) struct Slugs(std::collections::BTreeSet<String>);

impl Slugs {
    /// A name for a text: its letters and digits, with - for all else.
    pub(crate) fn of(&mut self, text: &str) -> String {
        let letters = text.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' });
        let slug: String = letters.collect::<String>().to_ascii_lowercase();
        let mut slug: String = slug.trim_matches('-').chars().take(56).collect();
        if slug.is_empty() {
            slug.push('x');
        }
        let base = slug.trim_end_matches('-').to_owned();
        let mut slug = base.clone();
        let mut number = 2;
        while !self.0.insert(slug.clone()) {
            slug = format!("{base}-{number}");
            number += 1;
        }
        slug
    }
}
