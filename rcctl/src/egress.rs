//! `rcctl egress`: what egress-audit decides on one call, and why.

use std::net::SocketAddr;
use std::path::PathBuf;

use egress_core::config::Mode;
use egress_core::decide::{Exemption, Kind};
use egress_core::event::Protocol;
use egress_core::host::{Authority, Host};
use egress_core::scope::{Leads, Proxy};
use egress_core::workload::{ProxyKind, Workload};
use egress_core::{Call, Decision, Outcome as Decided, Policy, Reason, decide, load};
use filter_config::NothingKept;
use filter_request::{Pairs, Request};

use crate::described::pair;
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
    /// The host that is called, perhaps with a port, as the application writes it.
    #[arg(long, value_name = "HOST[:PORT]")]
    host: String,
    /// The port that is called; without, that of the host, else 443 of TLS and 80 of HTTP.
    #[arg(long)]
    port: Option<u16>,
    /// The request's method.
    #[arg(long, default_value = "GET")]
    method: String,
    /// The request's path and query.
    #[arg(long, default_value = "/")]
    path: String,
    /// A header, name=value; any number of them.
    #[arg(long = "header", value_name = "NAME=VALUE")]
    headers: Vec<String>,
    /// The application speaks TLS itself, so that its proxy sees no request.
    #[arg(long)]
    tls: bool,
    /// The application speaks something else than HTTP and TLS.
    #[arg(long, conflicts_with_all = ["tls", "sni"])]
    tcp: bool,
    /// The name in the handshake, "" for none. With --tls that is the host's where this is not said; without, it is of a
    /// connection whose TLS ended in the proxy.
    #[arg(long, value_name = "NAME")]
    sni: Option<String>,
    /// A label of the proxy's pod, name=value; any number of them.
    #[arg(long = "label", value_name = "NAME=VALUE")]
    labels: Vec<String>,
    /// The namespace of the proxy's pod.
    #[arg(long, default_value = "default")]
    namespace: String,
    /// The service account of the proxy's pod.
    #[arg(long, default_value = "default")]
    service_account: String,
    /// The identity (URI SAN) of the peer that calls; the proxy then is a gateway.
    #[arg(long)]
    principal: Option<String>,
    /// The cluster that the proxy chose, such as PassthroughCluster; without, that of a service of this host's name.
    #[arg(long)]
    cluster: Option<String>,
    /// The address that the application connected to.
    #[arg(long, value_name = "IP:PORT")]
    address: Option<SocketAddr>,
}

/// An address that is nobody's (RFC 5737), for calls of which none is told.
const SOMEWHERE: [u8; 4] = [192, 0, 2, 1];

/// What a proxy would know of the described call, and whether that was said or is assumed.
struct Known {
    cluster: (String, bool),
    address: Option<(SocketAddr, bool)>,
    server_name: Option<String>,
    principal: Option<String>,
}

impl Proxy for Known {
    fn cluster(&self) -> Option<Vec<u8>> {
        Some(self.cluster.0.clone().into_bytes())
    }

    fn destination(&self) -> Option<SocketAddr> {
        self.address.map(|(address, _)| address)
    }

    fn server_name(&self) -> Option<Vec<u8>> {
        self.server_name.clone().map(String::into_bytes)
    }

    fn principal(&self) -> Option<String> {
        self.principal.clone()
    }
}

impl Arguments {
    fn protocol(&self) -> Protocol {
        match (self.tls, self.tcp) {
            (true, _) => Protocol::Tls,
            (_, true) => Protocol::Tcp,
            _ => Protocol::Http,
        }
    }

    fn workload(&self) -> Result<Workload, String> {
        Ok(Workload {
            namespace: self.namespace.clone(),
            service_account: self.service_account.clone(),
            labels: self.labels.iter().map(|label| pair(label, "--label")).collect::<Result<_, _>>()?,
            kind: if self.principal.is_some() { ProxyKind::Gateway } else { ProxyKind::Sidecar },
            ..Workload::default()
        })
    }

    /// The host of the call without its port, as it is written.
    fn name(&self) -> &str {
        match Authority::parse(self.host.as_bytes()) {
            Ok(Authority { port: Some(_), .. }) => self.host.rsplit_once(':').map_or(&self.host, |(host, _)| host),
            _ => &self.host,
        }
    }

    /// The name in the handshake, where the application speaks TLS.
    fn server_name(&self) -> Option<String> {
        let own = || match Host::parse(self.name().as_bytes()) {
            Ok(Host::Address(_)) => String::new(),
            _ => self.name().to_owned(),
        };
        Some(self.sni.clone().unwrap_or_else(own)).filter(|name| !name.is_empty())
    }

    /// Why there is no host.
    fn wrong(&self) -> String {
        let wrong = match (self.protocol(), self.server_name()) {
            (Protocol::Http, _) => Authority::parse(self.host.as_bytes()).err(),
            (Protocol::Tls, Some(name)) => Host::parse(name.as_bytes()).err(),
            _ => None,
        };
        wrong.map_or("none".to_owned(), |wrong| format!("none: it {}", wrong.told()))
    }

    fn known(&self) -> Known {
        let authority = Authority::parse(self.host.as_bytes()).ok();
        let usual = if self.tls { 443 } else { 80 };
        let port = authority.as_ref().and_then(|authority| authority.port);
        let port = self.port.or(port).or(self.address.map(|at| at.port())).unwrap_or(usual);
        let host = authority.map(|authority| authority.host);
        let service = host.as_ref().and_then(Host::name).map(|name| match name.contains('.') {
            false => format!("outbound|{port}||{name}.{}.svc.cluster.local", self.namespace),
            true if name.ends_with(".svc") => format!("outbound|{port}||{name}.cluster.local"),
            true => format!("outbound|{port}||{name}"),
        });
        let assumed = || (service.unwrap_or_else(|| "PassthroughCluster".to_owned()), true);
        let cluster = self.cluster.clone().map_or_else(assumed, |cluster| (cluster, false));
        let leads = Leads::of(Some(cluster.0.as_bytes()));
        let address = match (self.address, host, leads) {
            (Some(address), ..) => Some((address, false)),
            (None, Some(Host::Address(address)), _) => Some((SocketAddr::new(address, port), true)),
            (None, _, Leads::Service { .. }) => None,
            (None, ..) => Some((SocketAddr::from((SOMEWHERE, port)), true)),
        };
        let server_name = self.sni.clone().filter(|_| !self.tls);
        Known { cluster, address, server_name, principal: self.principal.clone() }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let filter = filters::named("egress-audit")?;
    let configuration = document::only(&arguments.config, filter, arguments.manifest.as_deref())?;
    let loaded = load(configuration.to_string().as_bytes(), &NothingKept, &arguments.workload()?);
    if !loaded.report.errors.is_empty() {
        return Err(document::mistakes(&arguments.config, &loaded.report));
    }
    let mut headers = vec![
        (":method".to_owned(), arguments.method.clone()),
        (":scheme".to_owned(), "http".to_owned()),
        (":authority".to_owned(), arguments.host.clone()),
        (":path".to_owned(), arguments.path.clone()),
    ];
    for header in &arguments.headers {
        let (name, value) = pair(header, "--header")?;
        headers.push((name.to_ascii_lowercase(), value));
    }
    let headers = Pairs::from_list(&headers);
    let request = Request::new(&headers);
    let server_name = arguments.server_name();
    let kind = match arguments.protocol() {
        Protocol::Http => Kind::Request(&request),
        Protocol::Tls => Kind::Tls(server_name.as_deref().map(str::as_bytes)),
        Protocol::Tcp => Kind::Tcp,
    };
    let known = arguments.known();
    let decided = decide(&loaded.policy, &Call { kind, proxy: &known });
    print!("{}", explained(arguments, &loaded.policy, &known, &decided));
    Ok(true)
}

fn explained(arguments: &Arguments, policy: &Policy, known: &Known, decided: &Decided) -> String {
    let mut text = String::new();
    let protocol = arguments.protocol();
    line(&mut text, "call", &format!("{} to {}", protocol.as_str(), arguments.host.escape_default()));
    let assumed = |assumed: bool| if assumed { " (assumed)" } else { "" };
    let (cluster, by_default) = &known.cluster;
    line(&mut text, "cluster", &format!("{}{}", cluster.escape_default(), assumed(*by_default)));
    if let Some((address, by_default)) = known.address {
        line(&mut text, "address", &format!("{address}{}", assumed(by_default)));
    }
    match decided {
        Decided::Exempt(exemption) => line(&mut text, "exempt", &exempt(*exemption)),
        Decided::Judged(decision) => {
            let host = decision.host.as_ref().map(ToString::to_string);
            line(&mut text, "host", &host.unwrap_or_else(|| arguments.wrong()));
            judged(&mut text, protocol, policy, decision);
        }
    }
    text
}

fn exempt(exemption: Exemption) -> String {
    let why = match exemption {
        Exemption::Off => "the mode is off",
        Exemption::Internal => "the call stays inside the mesh, which scope: external leaves alone",
        Exemption::ServerFirst => "the server speaks first, so that nothing names a host",
        Exemption::Requests => "the proxy takes the connection apart, and its requests are looked at one by one",
    };
    format!("yes ({}): {why}", exemption.as_str())
}

fn judged(text: &mut String, protocol: Protocol, policy: &Policy, decision: &Decision) {
    line(text, "port", &decision.port.map_or("unknown".to_owned(), |port| port.to_string()));
    if let Some(agree) = decision.sni_host.as_str() {
        let name = decision.server_name.as_deref().map(|name| name.escape_ascii().to_string());
        let name = name.map(|name| format!(" (the handshake names {name})")).unwrap_or_default();
        line(text, "sni_host", &format!("{agree}{name}"));
    }
    line(text, "exempt", "no");
    let principal = decision.principal.as_deref();
    let guards = policy.guards.iter().filter(|guard| guard.peers.as_ref().is_none_or(|peers| peers.hold(principal)));
    let guards = guards.map(|guard| format!("{} ({})", guard.name.as_str(), guard.mode.as_str()));
    let guards = guards.collect::<Vec<_>>().join(", ");
    let none = "none is for this workload, so the configuration's mode and default count";
    line(text, "policies", if guards.is_empty() { none } else { &guards });
    let (guard, rule) = policy.names(decision.guard, decision.rule);
    line(text, "policy", guard.unwrap_or("none"));
    let denies = decision.rule.and_then(|rule| policy.rules.get(rule)).is_some_and(|rule| rule.denies);
    let list = if denies { "deny" } else { "allow" };
    line(text, "rule", &rule.map_or("none".to_owned(), |rule| format!("{rule} (under {list})")));
    line(text, "mode", decision.mode.as_str());
    line(text, "reason", decision.reason.as_str());
    line(text, "decision", &told(policy, protocol, decision));
    if protocol != Protocol::Http {
        let what = match protocol {
            Protocol::Tls => "method, path and headers: the application speaks TLS itself",
            _ => "host, method, path and headers: the connection is neither HTTP nor TLS",
        };
        let asks = if decision.reason == Reason::L7Unenforceable { "; the rule asks for some of it" } else { "" };
        line(text, "unseen", &format!("{what}{asks}"));
    }
}

fn told(policy: &Policy, protocol: Protocol, decision: &Decision) -> String {
    match (decision.against, decision.mode) {
        (false, _) => "allowed".to_owned(),
        (true, Mode::Enforce) if protocol == Protocol::Http => {
            let denial = &policy.settings.denial;
            format!("denied: the client gets {} and is told: {}", denial.status.0, denial.help)
        }
        (true, Mode::Enforce) => "denied: the connection is closed".to_owned(),
        (true, Mode::Report) => "would be denied: the mode is report, so it passes and is told (would_deny)".to_owned(),
        (true, mode) => format!("allowed: the mode is {}; in enforce it would be denied", mode.as_str()),
    }
}
