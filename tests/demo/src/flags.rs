//! The chapters about flags: what services get, what OFREP says, and, with an Unleash, how soon a flip is there. Every word about
//! a flag is read from an answer of the running Envoy; each claim that does not hold is an error.

use std::time::{Duration, Instant};

use harness::{Error, RawClient, Request, Response, Result};
use serde_json::{Value, json};

use crate::proxy::Proxy;
use crate::say;
use crate::state::State;
use crate::story::{HOST, NAMES, Users};
use crate::unleash::Unleash;

/// The host that flag-headers answers for itself.
pub(crate) const FLAGS_HOST: &str = "flags.runtime-control.local";
/// The flag that users differ in.
pub(crate) const FLAG: &str = "new-ui-enabled";
/// The path under which the service says which flags it got.
const PATH: &str = "/api/projects";
const OFREP: &str = "/ofrep/v1/evaluate/flags";
/// How long flags of Unleash may take to be there.
const SYNC: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(5);

/// The columns: a flag, the header that tells its value, and the one that tells more of it.
const COLUMNS: [(&str, &str, Option<&str>); 4] = [
    (FLAG, "x-flag-new-ui-enabled", None),
    ("ai-safety-pii", "x-flag-ai-safety-pii", None),
    (
        "ai-provider-openai-enabled",
        "x-flag-ai-provider-openai-enabled",
        Some("x-flagvariant-ai-provider-openai-enabled"),
    ),
    ("ai-timeout-seconds", "x-flagpayload-ai-timeout-seconds", None),
];

fn user(id: &str) -> Request {
    Request::get(PATH).host(HOST).header("x-user-id", id)
}

/// The value of a header as the service got it; `-` where it did not.
fn got(response: &Response, header: &str) -> Result<String> {
    let (status, text) = (response.status, response.text());
    let value = text.lines().find_map(|line| line.strip_prefix(header)?.strip_prefix(": "));
    match value {
        Some(value) if status == 200 => Ok(value.to_owned()),
        _ => Err(Error::new(format!("{PATH} does not say what {header} it got, but {status}: {text}"))),
    }
}

fn new_ui(response: &Response) -> Result<String> {
    got(response, COLUMNS[0].1)
}

/// One row of the table.
fn cells(response: &Response) -> Result<Vec<String>> {
    let cell = |(_, value, more): &(&str, &str, Option<&str>)| {
        let value = got(response, value)?;
        Ok(match more {
            Some(more) => format!("{value}, {}", got(response, more)?),
            None => value,
        })
    };
    COLUMNS.iter().map(cell).collect()
}

/// The values of an answer to a bulk call, in the order and the form of a row.
fn ofrep_cells(answer: &Value) -> Vec<String> {
    let of = |name: &str| answer["flags"].as_array().into_iter().flatten().find(|flag| flag["key"] == name);
    let cell = |(name, _, more): &(&str, &str, Option<&str>)| {
        let flag = of(name).unwrap_or(&Value::Null);
        match more {
            Some(_) => format!("{}, {}", flag["value"], flag["variant"].as_str().unwrap_or_default()),
            None => flag["value"].to_string(),
        }
    };
    COLUMNS.iter().map(cell).collect()
}

/// Tells what services and OpenFeature clients get. `source` is where flags come from. Gives what the users have.
pub(crate) async fn tell(proxy: &Proxy, state: &State, source: &str) -> Result<Users> {
    let origin = if source == "live" { "Unleash" } else { "the configuration's bootstrap" };
    say("\n7. Flags for each user, decided in the proxy: the headers that the service behind /api/projects gets")?;
    say(format_args!(
        "   They come from {origin} (x-flags-source: {source}); new-ui-enabled is on for 30 % of the users.\n"
    ))?;
    let mut users = Users::new(proxy, user, new_ui).await?;
    let (Some(on), Some(off)) = (users.one_of("true"), users.one_of("false")) else {
        return Err(Error::new(format!("{FLAG} is the same for all of 20 users")));
    };
    let mut client = RawClient::connect(proxy.gateway).await?;
    let rows = [
        (on.to_owned(), user(on), "true"),
        (off.to_owned(), user(off), "false"),
        (format!("{off}, x-plan: beta"), user(off).header("x-plan", "beta"), "true"),
        (format!("{off}, sends x-flag-{FLAG}: true"), user(off).header("x-flag-new-ui-enabled", "true"), "false"),
        (format!("{off}, with a token that says {on}"), user(off).bearer(&state.token(on)), "true"),
    ];
    let [first, second, third, fourth] = COLUMNS.map(|(name, _, _)| name);
    say(format_args!("   {:<44}{first:<17}{second:<16}{third:<29}{fourth}", "user"))?;
    for (who, request, expected) in &rows {
        let response = client.send(request).await?;
        let row = cells(&response)?;
        let [first, second, third, fourth] = row.as_slice() else { continue };
        say(format_args!("   {who:<44}{first:<17}{second:<16}{third:<29}{fourth}"))?;
        let told = got(&response, "x-flags-source")?;
        if first != expected || second != "true" || fourth != "45" || told != source {
            return Err(Error::new(format!("{who} got {row:?} from {told}, in place of {expected}, true, ..., 45")));
        }
    }
    if let Some(moved) = users.moves(proxy).await?.first() {
        return Err(Error::new(format!("asked again: {moved}")));
    }
    say(format_args!(
        "\n   {} of 20 users get the new UI, the same ones again on a new connection.",
        users.count("true")
    ))?;
    openfeature(proxy, state, on).await?;
    Ok(users)
}

/// OFREP, and the debug page.
async fn openfeature(proxy: &Proxy, state: &State, one: &str) -> Result<()> {
    let mut client = RawClient::connect(proxy.gateway).await?;
    let mut shown = Value::Null;
    for name in NAMES {
        let body = json!({"context": {"targetingKey": name}}).to_string();
        let asked = Request::post(OFREP, body).host(FLAGS_HOST).header("content-type", "application/json");
        let answer = client.send(&asked).await?;
        let read = answer.json().unwrap_or_default();
        let (by_ofrep, by_header) = (ofrep_cells(&read), cells(&client.send(&user(name)).await?)?);
        if answer.status != 200 || by_ofrep != by_header {
            let text = answer.text();
            return Err(Error::new(format!("{name} has {by_header:?} by headers, by OFREP {}: {text}", answer.status)));
        }
        if name == one {
            shown = read["flags"][0].clone();
        }
    }
    let port = state.gateway.port();
    let flag = format_args!("{} = {} ({})", shown["key"], shown["value"], shown["reason"]).to_string().replace('"', "");
    say("   By OFREP, which any OpenFeature SDK speaks, all 20 have the same values:")?;
    say(format_args!(
        "   curl -H 'host: {FLAGS_HOST}' -d '{{\"context\": {{\"targetingKey\": \"{one}\"}}}}' localhost:{port}{OFREP}   # {flag} ..."
    ))?;
    let stray = client.send(&Request::get("/api/ai").host(FLAGS_HOST)).await?;
    if stray.status != 503 || stray.headers.contains("x-served-by") {
        return Err(Error::new(format!("another path of {FLAGS_HOST} got to a service: {}", stray.status)));
    }
    let debug = format!("/runtime-control/flags?userId={one}");
    let page = client.send(&Request::get(&debug).host("localhost").header("accept", "text/html")).await?;
    if page.status != 200 || !COLUMNS.iter().all(|(name, _, _)| page.text().contains(name)) {
        return Err(Error::new(format!("the debug page is {}: {}", page.status, page.text())));
    }
    say(format_args!("   Why a user has which value, in a browser: http://localhost:{port}{debug}"))
}

/// Waits until flags come from Unleash.
pub(crate) async fn live(proxy: &Proxy) -> Result<()> {
    let mut client = RawClient::connect(proxy.gateway).await?;
    let start = Instant::now();
    loop {
        let source = got(&client.send(&user("ada")).await?, "x-flags-source")?;
        if source == "live" {
            return Ok(());
        }
        if start.elapsed() > SYNC {
            return Err(Error::new(format!("flags still come from {source} after {SYNC:?}, not from Unleash")));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Flips a flag for one user in Unleash, and back, and tells when it was there.
pub(crate) async fn flip(proxy: &Proxy, unleash: &Unleash, users: &mut Users) -> Result<()> {
    let Some(one) = users.one_of("false") else { return Err(Error::new(format!("{FLAG} is on for everybody"))) };
    say("\n8. A flip in Unleash is there for the next requests; nothing restarts\n")?;
    let strategies = unleash.strategies(FLAG)?;
    let constraint = json!({"contextName": "userId", "operator": "IN", "values": [one]});
    let parameters = json!({"rollout": "100", "stickiness": "default", "groupId": FLAG});
    let more = json!({"name": "flexibleRollout", "constraints": [constraint], "parameters": parameters});
    let flipped: Vec<Value> = strategies.iter().cloned().chain([more]).collect();
    for (value, strategies) in [("true", &flipped), ("false", &strategies)] {
        unleash.set_strategies(FLAG, strategies).await?;
        let took = when(proxy, one, value).await?.as_millis();
        let before = if value == "true" { "false" } else { "true" };
        say(format_args!("   {FLAG} for {one}: {value}, {took} ms after Unleash had it"))?;
        let moves = users.moves(proxy).await?;
        if moves != [format!("{before} -> {value}: {one}")] {
            return Err(Error::new(format!("{FLAG} was flipped for {one}, and moved were {moves:?}")));
        }
    }
    say("   Nobody else moved. (The proxy asks every second here, every 15 s unless told otherwise.)")
}

/// How long it took until a user has a value.
async fn when(proxy: &Proxy, one: &str, value: &str) -> Result<Duration> {
    let mut client = RawClient::connect(proxy.gateway).await?;
    let start = Instant::now();
    while new_ui(&client.send(&user(one)).await?)? != value {
        if start.elapsed() > SYNC {
            return Err(Error::new(format!("{FLAG} for {one} is not {value} within {SYNC:?}")));
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(start.elapsed())
}
