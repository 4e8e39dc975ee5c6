//! What `rcctl redact` prints. No value that was found is in it, but for the bodies themselves.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};

use pii_core::config::Mode;
use pii_core::gate::{Source, Verdict};
use pii_core::refusal::Refusal;
use pii_core::session::{Direction, Tally};
use serde_json::{Value, json};

use super::{Account, Fate, Output, Show, Telling, Treated};
use crate::explain::line;

/// Prints the bodies, what was found, or both.
pub(super) fn print(account: &Account, show: Show, output: Output) -> Result<(), String> {
    if output == Output::Json {
        println!("{}", as_json(account, show));
        return Ok(());
    }
    if show != Show::Findings {
        bodies(&account.treated).map_err(|error| format!("standard output: {error}"))?;
    }
    match show {
        Show::Findings => print!("{}", findings(account)),
        Show::Body => {}
        Show::Both => eprint!("{}", findings(account)),
    }
    Ok(())
}

/// The bodies byte for byte. A line's end is added only to part two of them, and for a terminal.
fn bodies(treated: &[Treated]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let shown = treated.len() > 1 || out.is_terminal();
    for treated in treated {
        out.write_all(&treated.body)?;
        if shown && !treated.body.is_empty() && !treated.body.ends_with(b"\n") {
            out.write_all(b"\n")?;
        }
    }
    out.flush()
}

fn findings(account: &Account) -> String {
    let mut text = String::new();
    if let Some(chosen) = &account.chosen {
        let place = account.place.map_or("by its path".to_owned(), |place| format!("rules[{place}]"));
        line(&mut text, "rule", &format!("{} ({place}, mode {})", chosen.name(), chosen.mode.as_str()));
        line(&mut text, "api", chosen.endpoint.as_str());
    } else {
        line(&mut text, "rule", "none");
    }
    if let Some(verdict) = account.verdict {
        line(&mut text, "gate", &gate(verdict));
    }
    if account.stand_in {
        line(&mut text, "key", "not in the environment here: one of zeros stands for it");
    }
    for treated in &account.treated {
        line(&mut text, side(treated.direction), &fate(account, treated));
    }
    table(&mut text, &account.session.tally);
    let tally = &account.session.tally;
    if tally.restored > 0 || tally.missed > 0 {
        let missed = match tally.missed {
            0 => String::new(),
            missed => format!(", and {missed} that stand for no value of this request stay"),
        };
        let placeholders = if tally.restored == 1 { "placeholder" } else { "placeholders" };
        line(&mut text, "restored", &format!("{} {placeholders}{missed}", tally.restored));
    }
    text
}

const fn side(direction: Direction) -> &'static str {
    match direction {
        Direction::Request => "request",
        Direction::Response => "answer",
    }
}

fn gate(verdict: Verdict) -> String {
    let what = if verdict.guarded { "guarded" } else { "let past" };
    let why = match verdict.source {
        Source::Always => "there is no gate",
        Source::State => "by filter state",
        Source::Header => "by a header that is believed",
        Source::Missing => "nothing says, so whenMissing counts",
    };
    format!("{what}: {why}")
}

fn fate(account: &Account, treated: &Treated) -> String {
    let mode = account.chosen.as_ref().map_or(Mode::Off, |chosen| chosen.mode);
    match &treated.fate {
        Fate::Unread(why) => format!("passes as it is: {why}"),
        Fate::Passes { changed: true } => "passes, changed".to_owned(),
        Fate::Passes { changed: false } if mode != Mode::Enforce => {
            format!("passes as it is: the mode is {}", mode.as_str())
        }
        Fate::Passes { changed: false } => "passes as it is".to_owned(),
        Fate::Unreadable(word) => format!("passes as it is, though it can't be read ({word})"),
        Fate::Refused(refusal, telling) => refused(account, refusal, *telling),
    }
}

fn refused(account: &Account, refusal: &Refusal, telling: Telling) -> String {
    let word = refusal.word();
    match telling {
        Telling::Answer => {
            format!("refused ({word}): the client gets {} and is told: {}", refusal.status(), told(account, refusal))
        }
        Telling::Event => format!("ended ({word}): the last event says why"),
        Telling::Reset => format!("cut off ({word}): it has begun, so that the client gets a reset"),
    }
}

/// What a client is told.
fn told(account: &Account, refusal: &Refusal) -> String {
    let api = account.chosen.as_ref().map_or(pii_core::config::Api::Json, |chosen| chosen.endpoint.api());
    String::from_utf8_lossy(&refusal.body(api)).into_owned()
}

/// The table of findings.
fn table(text: &mut String, tally: &Tally) {
    let mut rows: Vec<[String; 5]> = Vec::new();
    for ((direction, entity, action), count) in &tally.found {
        let places = tally.paths.iter().filter(|(of, _, kind)| of == direction && kind == entity);
        let mut places: Vec<&str> = places.map(|(_, path, _)| if path.is_empty() { "*" } else { path }).collect();
        if tally.more_paths {
            places.push("…");
        }
        let side = side(*direction).to_owned();
        rows.push([side, entity.clone(), action.as_str().to_owned(), count.to_string(), places.join(", ")]);
    }
    if rows.is_empty() {
        return line(text, "found", "nothing");
    }
    rows.insert(0, ["side", "entity", "action", "count", "where"].map(str::to_owned));
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or_default();
    let widths = [width(0), width(1), width(2), width(3), 0];
    for (index, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(widths).fold(String::new(), |mut cells, (cell, width)| {
            let _written = write!(cells, "{cell:<width$}  ");
            cells
        });
        line(text, if index == 0 { "found" } else { "" }, cells.trim_end());
    }
}

fn as_json(account: &Account, show: Show) -> Value {
    let mut object = json!({});
    let mut add = |name: &str, value: Value| {
        if let Some(fields) = object.as_object_mut() {
            fields.insert(name.to_owned(), value);
        }
    };
    for treated in &account.treated {
        let mut body = json!({});
        let fields = body.as_object_mut();
        if let Some(fields) = fields {
            if show != Show::Findings {
                fields.insert("body".to_owned(), json!(String::from_utf8_lossy(&treated.body)));
            }
            if show != Show::Body {
                fate_as_json(account, treated, fields);
            }
        }
        add(side(treated.direction), body);
    }
    if show == Show::Body {
        return object;
    }
    add("rule", json!(account.chosen.as_ref().map(|chosen| chosen.name())));
    add("api", json!(account.chosen.as_ref().map(|chosen| chosen.endpoint.as_str())));
    add("mode", json!(account.chosen.as_ref().map(|chosen| chosen.mode.as_str())));
    let gate = account.verdict.map(|verdict| json!({"guarded": verdict.guarded, "source": verdict.source.as_str()}));
    add("gate", json!(gate));
    let tally = &account.session.tally;
    add("found", tally.found.iter().map(|((direction, entity, action), count)| {
        json!({"direction": direction.word(), "entity": entity, "action": action.as_str(), "count": count})
    }).collect());
    add(
        "paths",
        tally
            .paths
            .iter()
            .map(|(direction, path, entity)| json!({"direction": direction.word(), "path": path, "entity": entity}))
            .collect(),
    );
    add("more_paths", json!(tally.more_paths));
    add("restored", json!(tally.restored));
    add("restore_misses", json!(tally.missed));
    object
}

fn fate_as_json(account: &Account, treated: &Treated, fields: &mut serde_json::Map<String, Value>) {
    let (fate, why) = match &treated.fate {
        Fate::Unread(why) => ("unread", json!(why)),
        Fate::Passes { changed: true } => ("changed", Value::Null),
        Fate::Passes { changed: false } => ("unchanged", Value::Null),
        Fate::Unreadable(word) => ("unreadable", json!(word)),
        Fate::Refused(refusal, _) => ("refused", json!(refusal.word())),
    };
    fields.insert("fate".to_owned(), json!(fate));
    fields.insert("why".to_owned(), why);
    if let Fate::Refused(refusal, Telling::Answer) = &treated.fate {
        fields.insert("status".to_owned(), json!(refusal.status()));
        let told = told(account, refusal);
        fields.insert("error".to_owned(), serde_json::from_str(&told).unwrap_or(Value::String(told)));
    }
}
