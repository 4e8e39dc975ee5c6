//! `rcctl audit verify`: whether the chains of events are whole.

use std::collections::BTreeMap;

use egress_core::chain;
use serde_json::{Map, Value};

use super::Sources;
use super::gather::{counted, is_time};
use super::logs::{self, Found, Place};
use super::yaml::shown;
use crate::Outcome;
use crate::explain::line;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    sources: Sources,
    /// Takes a chain whose beginning is not there for a broken one. Logs that were rotated away leave such chains.
    #[arg(long)]
    from_start: bool,
}

/// A SHA-256 as a number.
type Hash = [u8; 32];

/// What is kept of an event: some 80 bytes, whatever its length.
struct Link {
    seq: u64,
    hash: Hash,
    /// What it names as the hash of the one before; none where that is no hash.
    before: Option<Hash>,
    at: Place,
}

/// The events of one chain, in the order in which they were read.
#[derive(Default)]
struct Chain {
    links: Vec<Link>,
    /// Events that something wrote anew, so that their hash is lost.
    rewritten: Vec<(u64, Place)>,
    first: String,
    last: String,
    /// Whether events of allowed calls are here.
    informs: bool,
}

#[derive(Default)]
struct Read {
    chains: BTreeMap<String, Chain>,
    unchained: u64,
    broken: Vec<(Place, &'static str)>,
}

/// How many findings of one kind are told one by one.
const TOLD: usize = 50;

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let sources = &arguments.sources;
    let mut read = Read::default();
    logs::read(sources, &mut |at, found| match found {
        Found::Broken(why) => read.broken.push((at, why)),
        Found::Event { fields, line } => read.take(at, fields, line),
    })?;
    if read.chains.is_empty() && read.unchained == 0 && read.broken.is_empty() {
        return Err("these files hold no event of egress-audit".to_owned());
    }
    let mut text = String::new();
    let place = |at: Place| logs::shown(sources, at);
    let (mut events, mut findings) = (0, 0);
    for (id, chain) in &mut read.chains {
        events += chain.links.len() + chain.rewritten.len();
        findings += chain.tell(&mut text, id, arguments.from_start, &place);
    }
    for (at, why) in read.broken.iter().take(TOLD) {
        line(&mut text, "finding", &format!("{}: {why}", place(*at)));
    }
    more(&mut text, read.broken.len());
    findings += read.broken.len();
    let unchained = match read.unchained {
        0 => String::new(),
        count => format!("; {} of no chain", counted(count, "event")),
    };
    let number = |number: usize, word: &str| counted(u64::try_from(number).unwrap_or(u64::MAX), word);
    let (chains, found) = (number(read.chains.len(), "chain"), number(findings, "finding"));
    line(&mut text, "all", &format!("{} in {chains}, {found}{unchained}", number(events, "event")));
    line(&mut text, "unproved", "that no chain goes on after its last event here, nor was written anew up to its end");
    print!("{text}");
    Ok(findings == 0)
}

fn more(text: &mut String, count: usize) {
    if let Some(more) = count.checked_sub(TOLD).filter(|more| *more > 0) {
        line(text, "finding", &format!("… and {more} more"));
    }
}

impl Read {
    fn take(&mut self, at: Place, fields: &Map<String, Value>, line: Option<&str>) {
        let word = |name: &str| fields.get(name).and_then(Value::as_str);
        let (Some(id), Some(seq)) = (word("chain_id"), fields.get("seq").and_then(Value::as_u64)) else {
            self.unchained += 1;
            return;
        };
        if !self.chains.contains_key(id) {
            self.chains.insert(id.to_owned(), Chain::default());
        }
        let Some(chain) = self.chains.get_mut(id) else { return };
        if let Some(time) = word("time").filter(|time| is_time(time)) {
            if chain.first.is_empty() || *time < *chain.first {
                time.clone_into(&mut chain.first);
            }
            if *time > *chain.last {
                time.clone_into(&mut chain.last);
            }
        }
        chain.informs |= word("decision") == Some("allow") && fields.get("would_deny") != Some(&Value::Bool(true));
        match line {
            Some(line) => {
                let before = word("prev_hash").and_then(parse);
                let hash = parse(&chain::hash(line)).unwrap_or_default();
                chain.links.push(Link { seq, hash, before, at });
            }
            None => chain.rewritten.push((seq, at)),
        }
    }
}

/// A hash in lower-case hexadecimal digits, as chains have it.
fn parse(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    if pairs.len() != hash.len() {
        return None;
    }
    for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(hash)
}

impl Chain {
    /// Tells of the chain, and gives the number of findings.
    fn tell(&mut self, text: &mut String, id: &str, from_start: bool, place: &dyn Fn(Place) -> String) -> usize {
        let mut findings = self.out_of_order(place);
        self.links.sort_unstable_by_key(|link| (link.seq, link.hash, link.at));
        let read = self.links.len();
        self.links.dedup_by(|next, link| next.seq == link.seq && next.hash == link.hash);
        let repeated = read - self.links.len();
        findings.extend(self.broken_links(place));
        findings.extend(self.rewritten.iter().map(|(seq, at)| {
            let what = "was written anew by what shipped it, so its hash is lost";
            (*at, format!("{}: event {seq} {what}", place(*at)))
        }));
        let seqs = || self.links.iter().map(|link| link.seq).chain(self.rewritten.iter().map(|(seq, _)| *seq));
        let (first, last) = (seqs().min().unwrap_or_default(), seqs().max().unwrap_or_default());
        let gaps = self.gaps(place);
        let hint = !gaps.is_empty() && !self.informs;
        findings.extend(gaps);
        if first > 0 && from_start {
            let at = self.links.first().map_or(Place { file: 0, line: 0 }, |link| link.at);
            findings
                .push((at, format!("{}: event {first} is the first here; 0 to {} are missing", place(at), first - 1)));
        }
        findings.sort();
        line(text, "chain", &shown(id));
        let count = seqs().count();
        let times = if self.last.is_empty() { String::new() } else { format!(", {} to {}", self.first, self.last) };
        line(text, "events", &format!("{count}, {first} to {last}{times}"));
        if repeated > 0 {
            line(text, "repeated", &format!("{repeated} stand here again, to the letter"));
        }
        if first > 0 && !from_start {
            line(text, "start", &format!("0 to {} are not here, such as in a log that was rotated away", first - 1));
        }
        for (_, finding) in findings.iter().take(TOLD) {
            line(text, "finding", finding);
        }
        more(text, findings.len());
        if hint {
            line(text, "hint", "events of allowed calls are not here at all: is the log's level over info?");
        }
        line(text, "verdict", if findings.is_empty() { "ok" } else { "broken" });
        findings.len()
    }

    /// Events that stand behind a later one in the same file. One that is told again may stand anywhere.
    fn out_of_order(&self, place: &dyn Fn(Place) -> String) -> Vec<(Place, String)> {
        let mut findings = Vec::new();
        let mut highest: BTreeMap<u32, u64> = BTreeMap::new();
        let mut late: Vec<(usize, &Link, u64)> = Vec::new();
        for (turn, link) in self.links.iter().enumerate() {
            match highest.get_mut(&link.at.file) {
                Some(highest) if link.seq < *highest => late.push((turn, link, *highest)),
                Some(highest) => *highest = link.seq,
                None => {
                    highest.insert(link.at.file, link.seq);
                }
            }
        }
        if late.is_empty() {
            return findings;
        }
        let mut told: BTreeMap<(u64, &Hash), usize> = BTreeMap::new();
        for (turn, link) in self.links.iter().enumerate() {
            told.entry((link.seq, &link.hash)).or_insert(turn);
        }
        for (turn, link, highest) in late {
            if told.get(&(link.seq, &link.hash)) == Some(&turn) {
                findings.push((link.at, format!("{}: event {} stands after {highest}", place(link.at), link.seq)));
            }
        }
        findings
    }

    /// Where events differ from what the ones after them name, and where there are two of one place. The links are sorted.
    fn broken_links(&self, place: &dyn Fn(Place) -> String) -> Vec<(Place, String)> {
        let mut findings = Vec::new();
        let groups: Vec<&[Link]> = self.links.chunk_by(|link, next| link.seq == next.seq).collect();
        for group in &groups {
            if let [first, others @ ..] = group {
                findings.extend(others.iter().map(|other| {
                    let (at, seq) = (place(other.at), other.seq);
                    (other.at, format!("{at}: event {seq} is another one than at {}", place(first.at)))
                }));
                for link in *group {
                    let starts = link.before == parse(chain::START);
                    if link.before.is_none() || starts != (link.seq == 0) {
                        let what = "names as the one before what it can't";
                        findings.push((link.at, format!("{}: event {} {what} (prev_hash)", place(link.at), link.seq)));
                    }
                }
            }
        }
        let follows = |group: &[Link], next: &[Link]| {
            let hashes = || group.iter().map(|link| Some(link.hash));
            next.iter().any(|link| hashes().any(|hash| hash == link.before))
        };
        for (place_of, pair) in groups.windows(2).enumerate() {
            let [group, next] = pair else { continue };
            let (Some(link), Some(after)) = (group.first(), next.first()) else { continue };
            if link.seq.checked_add(1) != Some(after.seq) || follows(group, next) {
                continue;
            }
            // what a third one vouches for is as it was told
            let third = groups.get(place_of + 2).filter(|third| {
                third.first().map(|third| third.seq) == after.seq.checked_add(1) && follows(next, third)
            });
            let (seq, at) = (link.seq, place(link.at));
            let what = match third {
                Some(_) => format!("{at}: event {seq} was changed: event {} names another hash", after.seq),
                None => format!("{at}: event {seq} was changed, or what event {} names as its hash", after.seq),
            };
            findings.push((link.at, what));
        }
        findings
    }

    /// Where events are missing between two others. The links are sorted.
    fn gaps(&self, place: &dyn Fn(Place) -> String) -> Vec<(Place, String)> {
        let links = self.links.iter().map(|link| (link.seq, link.at));
        let mut all: Vec<(u64, Place)> = links.chain(self.rewritten.iter().copied()).collect();
        all.sort_unstable();
        let mut gaps = Vec::new();
        for pair in all.windows(2) {
            let [(seq, _), (next, at)] = *pair else { continue };
            let missing = next.saturating_sub(seq).saturating_sub(1);
            let (from, to) = (seq.saturating_add(1), next.saturating_sub(1));
            match missing {
                0 => {}
                1 => gaps.push((at, format!("{}: event {from} is missing before {next}", place(at)))),
                _ => gaps.push((at, format!("{}: events {from} to {to} are missing before {next}", place(at)))),
            }
        }
        gaps
    }
}
