//! `rcctl explain`: the decision for one request, step by step, and what an update moves.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use canary_core::rule::{BASELINE, Rule};
use canary_core::written::Mode;
use canary_core::{Decision, Policy, admit, decide, load};
use filter_config::NothingKept;
use filter_request::{Pairs, Request, SourceKind, Stated, resolve};

use crate::{Outcome, document, filters, update};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The configuration: bare, or in a manifest.
    #[arg(long)]
    config: PathBuf,
    /// The user's id. It is put where the first identity source looks: a verified claim, a header, a cookie or the query.
    #[arg(long)]
    user: Option<String>,
    /// The request's host.
    #[arg(long, default_value = "localhost")]
    host: String,
    /// The request's path and query.
    #[arg(long, default_value = "/")]
    path: String,
    /// The request's method.
    #[arg(long, default_value = "GET")]
    method: String,
    /// A header, name=value; any number of them.
    #[arg(long = "header", value_name = "NAME=VALUE")]
    headers: Vec<String>,
    /// A verified claim, name=value; any number of them.
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    claims: Vec<String>,
    /// An older configuration: says whom the update moves, and exits with 1 where it moves users between canary arms.
    #[arg(long, value_name = "OLD")]
    from: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let policy = policy(&arguments.config)?;
    let (headers, verified) = request(arguments, &policy)?;
    let admitted = admit(&policy.settings, &headers, &verified);
    let request = Request::new(&admitted.headers);
    print!("{}", explained(&policy, &request, &verified));
    let Some(old) = &arguments.from else { return Ok(true) };
    let old = self::policy(old)?;
    let updates = update::of(&old, &policy);
    println!();
    for update in &updates {
        let mut text = String::new();
        line(&mut text, "update", &update.to_string());
        print!("{text}");
    }
    Ok(!updates.iter().any(|update| update.crosses))
}

fn policy(path: &Path) -> Result<Policy, String> {
    let filter = filters::named("canary-router")?;
    let mut found = document::read(path)?
        .iter()
        .flat_map(|document| document::find(document, None))
        .filter(|found| found.filter.name == filter.name)
        .collect::<Vec<_>>()
        .into_iter();
    let (Some(found), None) = (found.next(), found.next()) else {
        return Err(format!("{}: it has to hold just one configuration of {}", path.display(), filter.name));
    };
    let configuration = found.configuration.map_err(|message| format!("{}: {message}", path.display()))?;
    let loaded = load(configuration.to_string().as_bytes(), &NothingKept);
    match loaded.report.errors.as_slice() {
        [] => Ok(loaded.policy),
        errors => {
            Err(errors.iter().map(|error| format!("{}: {error}", path.display())).collect::<Vec<_>>().join("\nrcctl: "))
        }
    }
}

/// The request and the facts that the command line describes.
fn request(arguments: &Arguments, policy: &Policy) -> Result<(Pairs, Stated), String> {
    let mut headers = vec![
        (":method".to_owned(), arguments.method.clone()),
        (":scheme".to_owned(), "http".to_owned()),
        (":authority".to_owned(), arguments.host.clone()),
    ];
    let mut path = arguments.path.clone();
    for header in &arguments.headers {
        let (name, value) = pair(header, "--header")?;
        headers.push((name.to_ascii_lowercase(), value));
    }
    let mut claims = arguments.claims.iter().map(|claim| pair(claim, "--claim")).collect::<Result<Vec<_>, _>>()?;
    if let Some(user) = &arguments.user {
        match policy.settings.identity.first().map(|source| &source.kind) {
            None => return Err("identity is empty, so no request of --user would be known by it".to_owned()),
            Some(SourceKind::Jwt(jwt)) => {
                claims.push(("iss".to_owned(), jwt.issuer.clone()));
                claims.push((jwt.claim.clone(), user.clone()));
            }
            Some(SourceKind::Header(name)) => headers.push((name.as_str().to_owned(), user.clone())),
            Some(SourceKind::Cookie(name)) => headers.push(("cookie".to_owned(), format!("{name}={user}"))),
            Some(SourceKind::Query(name)) => {
                let mark = if path.contains('?') { '&' } else { '?' };
                let _written = write!(path, "{mark}{name}={user}");
            }
        }
    }
    headers.push((":path".to_owned(), path));
    let claims = (!claims.is_empty()).then(|| Pairs::from_list(&claims));
    Ok((Pairs::from_list(&headers), Stated { claims, peer: false }))
}

fn pair(text: &str, option: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("{option} {text}: it has to be name=value"))?;
    Ok((name.to_owned(), value.to_owned()))
}

/// One line of an explanation.
fn line(text: &mut String, what: &str, value: &str) {
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
