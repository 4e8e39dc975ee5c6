//! The mesh's own resources for what passed: ServiceEntries, a DestinationRule where the proxy is to begin TLS, and the Sidecar
//! that leaves nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use egress_core::config::Config;

use super::gather::{Gathered, Seen, Sums};
use super::suggest::{Slugs, is_label};
use super::yaml::scalar;

/// What a host is called for in one namespace.
#[derive(Default)]
struct Entry {
    /// What was seen on each port; TLS first where there is more than one.
    ports: BTreeMap<u16, BTreeSet<Seen>>,
    sums: Sums,
}

/// What is called from one namespace.
#[derive(Default)]
struct Namespace {
    entries: BTreeMap<String, Entry>,
    /// Hosts that no ServiceEntry can name, and addresses.
    others: BTreeMap<String, Sums>,
}

const HTTP: u16 = 80;
const HTTPS: u16 = 443;

/// The documents, with --- between them.
pub(crate) fn of(gathered: &Gathered, name: &str, config: Option<&Config>) -> String {
    let mut documents = Vec::new();
    for (namespace, called) in &by_namespace(gathered) {
        let mut names = Slugs::default();
        for (host, entry) in &called.entries {
            let metadata = metadata(&names.of(host), namespace);
            documents.push(service_entry(host, entry, &metadata));
            documents.extend(destination_rule(host, entry, &metadata));
        }
        documents.push(sidecar(&called.others, &metadata(name, namespace), config));
    }
    documents.join("---\n")
}

fn by_namespace(gathered: &Gathered) -> BTreeMap<&str, Namespace> {
    let mut namespaces: BTreeMap<&str, Namespace> = BTreeMap::new();
    for (caller, calls) in &gathered.callers {
        let called = namespaces.entry(&caller.namespace).or_default();
        for (target, sums) in &calls.passed {
            let host = target.host.to_string();
            match target.port.filter(|_| can_be_entry(&host)) {
                Some(port) => {
                    let entry = called.entries.entry(host).or_default();
                    entry.ports.entry(port).or_default().insert(target.seen);
                    entry.sums.add(sums);
                }
                None => {
                    let unknown = if target.port.is_none() { " on a port that is not known" } else { "" };
                    called.others.entry(format!("{host}{unknown}")).or_default().add(sums);
                }
            }
        }
        for (target, sums) in &calls.addresses {
            let port = target.port.map(|port| format!(" port {port}")).unwrap_or_default();
            let shown = format!("{}{port} ({})", target.host, target.seen.as_str());
            called.others.entry(shown).or_default().add(sums);
        }
    }
    namespaces
}

/// Whether Istio takes a host in a ServiceEntry: labels as in RFC 1123, and more than one of them.
fn can_be_entry(host: &str) -> bool {
    host.contains('.') && host.split('.').all(is_label)
}

fn metadata(name: &str, namespace: &str) -> String {
    let namespace = if namespace.is_empty() { String::new() } else { format!(", namespace: {}", scalar(namespace)) };
    format!("metadata: {{name: {}{namespace}}}\n", scalar(name))
}

impl Entry {
    /// The ports on which the application speaks HTTP and the proxy should begin TLS, and the server's port for each.
    fn originated(&self) -> impl Iterator<Item = (u16, u16)> {
        let plain = |seen: &BTreeSet<Seen>| seen.first() == Some(&Seen::Http);
        let ports = self.ports.iter().filter(move |(_, seen)| plain(seen)).map(|(port, _)| *port);
        ports.filter(|port| [HTTP, HTTPS].contains(port)).map(|port| (port, HTTPS))
    }
}

fn service_entry(host: &str, entry: &Entry, metadata: &str) -> String {
    let mut text = format!("# {}.\n", entry.sums.told());
    for (port, seen) in entry.ports.iter().filter(|(_, seen)| seen.len() > 1) {
        let seen = seen.iter().map(|seen| seen.as_str()).collect::<Vec<_>>().join(" and ");
        let _written = writeln!(text, "# On port {port} there was {seen}; the first counts here.");
    }
    text.push_str("apiVersion: networking.istio.io/v1\nkind: ServiceEntry\n");
    text.push_str(metadata);
    let _written = write!(
        text,
        "spec:\n  hosts: [{}]\n  exportTo: [\".\"]\n  location: MESH_EXTERNAL\n  resolution: DNS\n  ports:\n",
        scalar(host)
    );
    for (port, seen) in &entry.ports {
        let Some(seen) = seen.first() else { continue };
        let (name, protocol) = (seen.as_str(), seen.as_str().to_ascii_uppercase());
        let target = entry.originated().find(|(from, to)| from == port && to != port);
        let target = target.map(|(_, to)| format!(", targetPort: {to}")).unwrap_or_default();
        let _written = writeln!(text, "  - {{number: {port}, name: {name}-{port}, protocol: {protocol}{target}}}");
    }
    text
}

fn destination_rule(host: &str, entry: &Entry, metadata: &str) -> Option<String> {
    entry.originated().next()?;
    let mut text = "# The application speaks plain HTTP to it, so its proxy sees each request, and speaks TLS from there on. If the\n\
         # server takes no TLS, leave this out, and targetPort above as well.\n\
         apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"
        .to_owned();
    text.push_str(metadata);
    let host = scalar(host);
    let _written =
        write!(text, "spec:\n  host: {host}\n  exportTo: [\".\"]\n  trafficPolicy:\n    portLevelSettings:\n");
    for (port, _) in entry.originated() {
        let _written = write!(text, "    - port: {{number: {port}}}\n      tls: {{mode: SIMPLE, sni: {host}}}\n");
    }
    Some(text)
}

fn sidecar(others: &BTreeMap<String, Sums>, metadata: &str, config: Option<&Config>) -> String {
    let mut text =
        "# The wall: what no ServiceEntry names is not reached any more. Apply it last, once nothing else is told.\n"
            .to_owned();
    if !others.is_empty() {
        text.push_str("# Seen without a name, and stopped by it; a ServiceEntry for an address has addresses and resolution: STATIC:\n");
    }
    for (shown, sums) in others {
        let _written = writeln!(text, "#   {shown}: {}", sums.told());
    }
    text.push_str("apiVersion: networking.istio.io/v1\nkind: Sidecar\n");
    text.push_str(metadata);
    text.push_str("spec:\n  outboundTrafficPolicy: {mode: REGISTRY_ONLY}\n  egress:\n  - hosts:\n    - ./*\n    - istio-system/*\n");
    let otlp = config.and_then(|config| config.export.otlp.as_ref());
    match otlp.and_then(|otlp| otlp.service.as_ref()).map(|service| service.namespace.as_str()) {
        Some(namespace) if namespace != "istio-system" => {
            let _written = writeln!(text, "    # Where the collector is.\n    - {}", scalar(&format!("{namespace}/*")));
        }
        Some(_) => {}
        None => text.push_str(
            "    # The collector's namespace too, where export.otlp names a service:\n    # - observability/*\n",
        ),
    }
    text.push_str("    # And each other namespace of the mesh that is called from here.\n");
    text
}
