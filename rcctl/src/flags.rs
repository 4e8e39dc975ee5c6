//! `rcctl flags`: the flag headers of one request, and why; and what an update of a configuration takes away.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use filter_config::NothingKept;
use filter_request::{Request, Stated, Verified, resolve};
use flag_core::boundary::{admit, selectors};
use flag_core::context::Proxy;
use flag_core::effects::effects;
use flag_core::engine::Compiled;
use flag_core::flag::{Flag, Selector};
use flag_core::serve::{Origin, Served};
use flag_core::subset::select;
use flag_core::{Policy, decide, load};

use crate::described::Described;
use crate::explain::line;
use crate::{Outcome, document, filters};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The configuration: bare, or in a manifest.
    #[arg(long)]
    config: PathBuf,
    /// The manifest that is meant, where the file holds more than one.
    #[arg(long)]
    manifest: Option<String>,
    /// What Unleash answers at `/api/client/features`, in a file; without, the configuration's bootstrap counts.
    #[arg(long)]
    features: Option<PathBuf>,
    /// The client's address.
    #[arg(long)]
    address: Option<String>,
    #[command(flatten)]
    request: Described,
}

/// What a proxy would know of the described request.
struct Known<'a> {
    verified: &'a Stated,
    address: Option<&'a str>,
}

impl Verified for Known<'_> {
    fn issuer(&self) -> Option<&[u8]> {
        self.verified.issuer()
    }

    fn claim(&self, name: &str) -> Option<Vec<u8>> {
        self.verified.claim(name)
    }

    fn peer(&self) -> bool {
        self.verified.peer()
    }
}

impl Proxy for Known<'_> {
    fn remote_address(&self) -> Option<String> {
        self.address.map(str::to_owned)
    }
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let policy = policy(&arguments.config, arguments.manifest.as_deref())?;
    let served = served(&policy, arguments.features.as_deref())?;
    let (headers, verified) = arguments.request.as_headers(&policy.settings.identity)?;
    let known = Known { verified: &verified, address: arguments.address.as_deref() };
    let admitted = admit(&policy.owned, policy.settings.trust, &headers, &known);
    let request = Request::new(&admitted.headers);
    let mut text = String::new();
    line(&mut text, "source", served.origin.as_str());
    let Some(outcomes) = decide(&policy, &served, &admitted, &request, &known) else {
        line(&mut text, "flags", "none are for this request: hosts, match or mode leave it out");
        print!("{text}");
        return Ok(true);
    };
    let user = resolve(&policy.settings.identity, &request, &known);
    line(&mut text, "user", &user.map_or("none".into(), |user| String::from_utf8_lossy(&user.id).into_owned()));
    for (exposed, outcome) in served.exposed.iter().zip(&outcomes) {
        line(&mut text, "flag", &format!("{} {} (reason {})", exposed.name, outcome.enabled, outcome.reason.as_str()));
    }
    let settings = &policy.settings;
    let changes = effects(settings.mode, &settings.headers, false, &admitted, &served, Some(&outcomes));
    for (name, value) in &changes.set {
        line(&mut text, "header", &format!("{name}: {value}"));
    }
    for trap in served.compiled.iter().flat_map(|compiled| &compiled.traps) {
        line(&mut text, "warning", &format!("{} {}", trap.flag, trap.message));
    }
    print!("{text}");
    Ok(true)
}

fn policy(path: &Path, manifest: Option<&str>) -> Result<Policy, String> {
    let configuration = document::only(path, filters::named("flag-headers")?, manifest)?;
    let loaded = load(configuration.to_string().as_bytes(), &NothingKept);
    loaded.report.errors.is_empty().then_some(loaded.policy).ok_or_else(|| document::mistakes(path, &loaded.report))
}

fn served(policy: &Policy, features: Option<&Path>) -> Result<Served, String> {
    let Some(path) = features else { return Ok(Served::at_start(policy)) };
    let document = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let selectors: Vec<Selector> = selectors(&policy.flags).cloned().collect();
    let compiled = select(&document, &selectors).and_then(|subset| Compiled::compile(&subset));
    let compiled = compiled.map_err(|wrong| format!("{}: {wrong}", path.display()))?;
    Ok(Served::new(&policy.flags, Origin::Live, Some(Rc::new(compiled))))
}

/// What services miss after an update: flags that are exposed no more, and defaults that are others.
pub(crate) fn of_update(old: &[Flag], new: &[Flag]) -> Vec<String> {
    let named = |flag: &Flag| match &flag.selector {
        Selector::Name(name) => name.clone(),
        Selector::Prefix(prefix) => format!("{prefix}*"),
    };
    let told = |flag: &Flag| match new.iter().find(|other| other.selector == flag.selector) {
        None => Some(format!("flag {} is exposed no more: services that read its header get none", named(flag))),
        Some(other) if other.default != flag.default => {
            Some(format!("flag {}: its default is {} now, and was {}", named(flag), other.default, flag.default))
        }
        Some(_) => None,
    };
    old.iter().filter_map(told).collect()
}
