//! Finds the patterns that match a host without looking at the others.
//!
//! Names are a tree by their parts, the last part first, so a look-up takes as many steps as the name has parts, however many
//! patterns there are. A part with a star in it (`s3-*`) is found by the lengths of what stands before and behind the star: one
//! step for each pair of lengths that occurs at that place of the tree. Networks are found the same way by their length.

use std::collections::HashMap;
use std::net::IpAddr;

use foldhash::fast::RandomState;

use crate::host::Host;
use crate::pattern::{Label, Network, Pattern};

/// Patterns, each with what it leads to.
#[derive(Clone, Debug)]
pub struct Index<T> {
    any: Vec<T>,
    nodes: Vec<Node<T>>,
    networks: Vec<Networks<T>>,
}

/// The networks of one length, by their first address.
#[derive(Clone, Debug)]
struct Networks<T> {
    v4: bool,
    length: u8,
    by_address: Map<IpAddr, Vec<T>>,
}

/// Keys come from the configuration, so no client can choose them to collide.
type Map<K, V> = HashMap<K, V, RandomState>;

/// A place in the tree, in [`Index::nodes`].
type Place = usize;
const ROOT: Place = 0;

#[derive(Clone, Debug)]
struct Node<T> {
    exact: Map<Box<str>, Place>,
    any: Option<Place>,
    around: Vec<Around>,
    /// What ends here.
    here: Vec<T>,
    /// What is for all that goes on from here.
    below: Vec<T>,
}

/// Parts with a star, by how much stands before and behind it.
#[derive(Clone, Debug)]
struct Around {
    before: usize,
    after: usize,
    places: Map<Box<str>, Place>,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { exact: Map::default(), any: None, around: Vec::new(), here: Vec::new(), below: Vec::new() }
    }
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self { any: Vec::new(), nodes: vec![Node::default()], networks: Vec::new() }
    }
}

impl<T: Copy> Index<T> {
    /// Adds a pattern.
    pub fn add(&mut self, pattern: &Pattern, item: T) {
        match pattern {
            Pattern::Any => self.any.push(item),
            Pattern::Network(network) => self.add_network(*network, item),
            Pattern::Name { below, labels } => {
                let place = labels.iter().fold(ROOT, |place, label| self.step(place, label));
                if let Some(node) = self.nodes.get_mut(place) {
                    let list = if *below { &mut node.below } else { &mut node.here };
                    list.push(item);
                }
            }
        }
    }

    fn add_network(&mut self, network: Network, item: T) {
        let (v4, length) = (network.address.is_ipv4(), network.length);
        let place = self.networks.iter().position(|known| known.v4 == v4 && known.length == length);
        let place = place.unwrap_or_else(|| {
            self.networks.push(Networks { v4, length, by_address: Map::default() });
            self.networks.len().saturating_sub(1)
        });
        if let Some(networks) = self.networks.get_mut(place) {
            networks.by_address.entry(network.address).or_default().push(item);
        }
    }

    /// The place behind a part, made where it is not there yet.
    fn step(&mut self, place: Place, label: &Label) -> Place {
        let new = self.nodes.len();
        let Some(node) = self.nodes.get_mut(place) else { return place };
        let next = match label {
            Label::Any => *node.any.get_or_insert(new),
            Label::Exact(part) => *node.exact.entry(part.as_str().into()).or_insert(new),
            Label::Around(before, after) => {
                let found = node.around.iter().position(|one| one.before == before.len() && one.after == after.len());
                let found = found.unwrap_or_else(|| {
                    node.around.push(Around { before: before.len(), after: after.len(), places: Map::default() });
                    node.around.len().saturating_sub(1)
                });
                let Some(around) = node.around.get_mut(found) else { return place };
                *around.places.entry(format!("{before}{after}").into()).or_insert(new)
            }
        };
        if next == new {
            self.nodes.push(Node::default());
        }
        next
    }

    /// Calls `found` with what every matching pattern leads to, in no order.
    pub fn find(&self, host: &Host, found: &mut impl FnMut(T)) {
        match host {
            Host::Address(address) => {
                for networks in self.networks.iter().filter(|networks| networks.v4 == address.is_ipv4()) {
                    let network = Network::of(*address, networks.length);
                    let items = network.and_then(|network| networks.by_address.get(&network.address));
                    items.into_iter().flatten().for_each(|item| found(*item));
                }
            }
            Host::Name(name) => {
                self.any.iter().for_each(|item| found(*item));
                self.walk(ROOT, Some(name), found);
            }
        }
    }

    /// Goes on from a place with what is left of a name; none where nothing is.
    fn walk(&self, place: Place, name: Option<&str>, found: &mut impl FnMut(T)) {
        let Some(node) = self.nodes.get(place) else { return };
        let Some(name) = name else {
            node.here.iter().for_each(|item| found(*item));
            return;
        };
        node.below.iter().for_each(|item| found(*item));
        let (rest, part) = match name.rsplit_once('.') {
            Some((rest, part)) => (Some(rest), part),
            None => (None, name),
        };
        if let Some(next) = node.exact.get(part) {
            self.walk(*next, rest, found);
        }
        for around in &node.around {
            let ends = part.len().checked_sub(around.after).filter(|at| *at >= around.before);
            let (before, after) = (part.get(..around.before), ends.and_then(|at| part.get(at..)));
            let Some((before, after)) = before.zip(after) else { continue };
            if let Some(next) = around.places.get([before, after].concat().as_str()) {
                self.walk(*next, rest, found);
            }
        }
        if let Some(next) = node.any {
            self.walk(next, rest, found);
        }
    }
}
