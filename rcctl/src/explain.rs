//! `rcctl explain`: the decision for one request, step by step, and what an update moves.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use canary_core::rule::{BASELINE, Rule};
use canary_core::written::Mode;
use canary_core::{Decision, Policy, admit, decide, load};
use filter_config::NothingKept;
use filter_request::{Request, Stated, resolve};

use crate::described::Described;
use crate::{Outcome, document, filters, update};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The configuration: bare, or in a manifest.
    #[arg(long)]
    config: PathBuf,
    /// The manifest that is meant, where the file holds more than one.
    #[arg(long)]
    manifest: Option<String>,
    #[command(flatten)]
    request: Described,
    /// An older configuration: says whom the update moves, and exits with 1 where it moves users between canary arms.
    #[arg(long, value_name = "OLD")]
    from: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let policy = policy(&arguments.config, arguments.manifest.as_deref())?;
    let (headers, verified) = arguments.request.as_headers(&policy.settings.identity)?;
    let admitted = admit(&policy.settings, &headers, &verified);
    let request = Request::new(&admitted.headers);
    print!("{}", explained(&policy, &request, &verified));
    let Some(old) = &arguments.from else { return Ok(true) };
    let old = self::policy(old, arguments.manifest.as_deref())?;
    let updates = update::of(&old, &policy);
    println!();
    for update in &updates {
        let mut text = String::new();
        line(&mut text, "update", &update.to_string());
        print!("{text}");
    }
    Ok(!updates.iter().any(|update| update.crosses))
}

fn policy(path: &Path, manifest: Option<&str>) -> Result<Policy, String> {
    let configuration = document::only(path, filters::named("canary-router")?, manifest)?;
    let loaded = load(configuration.to_string().as_bytes(), &NothingKept);
    loaded.report.errors.is_empty().then_some(loaded.policy).ok_or_else(|| document::mistakes(path, &loaded.report))
}

/// One line of an explanation.
pub(crate) fn line(text: &mut String, what: &str, value: &str) {
    let _written = writeln!(text, "{what:<9} {value}");
}

fn explained(policy: &Policy, request: &Request, verified: &Stated) -> String {
    let mut text = String::new();
    let chance = || Some([0; 16]);
    let Some(decision) = decide(policy, request, verified, &chance) else {
        line(&mut text, "rule", "none is for this request, so no arm header is set");
        return text;
    };
    let Some(rule) = policy.rules.get(decision.rule) else { return text };
    let mode = decision.mode.as_str();
    line(&mut text, "rule", &format!("{} (rules[{}], mode {mode})", rule.name.as_str(), decision.rule));
    line(&mut text, "user", &user(policy, request, verified));
    if let Some(placement) = decision.placement.filter(|_| decision.issued.is_none()) {
        line(&mut text, "hash", &format!("murmur3_x86_32(\"{}:<id>\", 0) = {:#010x}", rule.salt, placement.hash));
        line(&mut text, "bucket", &format!("{} of 10000", placement.bucket));
    }
    line(&mut text, "ranges", &ranges(rule));
    let overridden = decision.overridden.map(|place| format!("overrides[{place}] holds"));
    line(&mut text, "override", overridden.as_deref().unwrap_or("none holds"));
    line(&mut text, "arm", &arm(rule, &decision));
    let header = policy.settings.arm_header.as_str();
    let effect = match (decision.mode, decision.arm.and_then(|arm| rule.arm(arm))) {
        (Mode::Enforce, Some(arm)) => format!("{header}: {}", arm.as_str()),
        (Mode::Report, Some(_)) => format!("{header} is not set: the mode is report"),
        _ => format!("{header} is not set, so the VirtualService decides"),
    };
    line(&mut text, "header", &effect);
    text
}

fn user(policy: &Policy, request: &Request, verified: &Stated) -> String {
    match resolve(&policy.settings.identity, request, verified) {
        None => "none".to_owned(),
        Some(identity) => {
            let trust = if identity.trusted { "trusted" } else { "not trusted" };
            format!("{} ({trust})", String::from_utf8_lossy(&identity.id))
        }
    }
}

fn arm(rule: &Rule, decision: &Decision) -> String {
    let name = decision.arm.and_then(|arm| rule.arm(arm)).map_or("none", |arm| arm.as_str());
    let chance = match (&decision.issued, decision.reason.as_str()) {
        (Some(_), _) => "; by an anonymous id that is given by chance",
        (None, "random") => "; by chance at each request",
        _ => "",
    };
    format!("{name} (reason {}{chance})", decision.reason.as_str())
}

/// The buckets of each arm, such as `v2 0-999 (10 %), v1 the rest`.
fn ranges(rule: &Rule) -> String {
    let canaries = rule.split.taken().iter().zip(rule.arms.iter().skip(1)).map(|(taken, arm)| {
        let percent = f64::from(taken.width()) / 100.0;
        match taken.to.checked_sub(1).filter(|_| taken.width() > 0) {
            Some(last) => format!("{} {}-{last} ({percent} %)", arm.as_str(), taken.from),
            None => format!("{} none (0 %)", arm.as_str()),
        }
    });
    let baseline = rule.arm(BASELINE).map_or("", |arm| arm.as_str());
    canaries.chain([format!("{baseline} the rest")]).collect::<Vec<_>>().join(", ")
}
