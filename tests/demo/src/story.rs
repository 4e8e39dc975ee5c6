//! What is shown, and checked: every word about an arm is read from an answer of the running Envoy. Each claim that does not
//! hold is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use harness::{Error, H2Client, RawClient, Request, Response, Result, run_many};

use crate::plugin::{self, CANARY};
use crate::proxy::Proxy;
use crate::say;
use crate::state::State;

/// The host that the gateway serves.
pub(crate) const HOST: &str = "devmentor.local";
const PATH: &str = "/api/ai";

/// The users that the tables name.
pub(crate) const NAMES: [&str; 20] = [
    "ada",
    "alan",
    "barbara",
    "dennis",
    "edsger",
    "elizabeth",
    "frances",
    "grace",
    "guido",
    "hedy",
    "james",
    "jean",
    "john",
    "katherine",
    "ken",
    "linus",
    "margaret",
    "niklaus",
    "radia",
    "tim",
];
/// The users that are counted: user-1 to user-1000.
const CROWD: usize = 1000;
/// Visitors without a name.
const VISITORS: usize = 100;
const CONNECTIONS: usize = 8;

/// How far a share may be off with 1,000 users, in users: four standard deviations at 25 %.
const TOLERANCE: usize = 55;

/// What the named users got when they last asked.
#[derive(Debug)]
pub(crate) struct Users {
    got: Vec<String>,
    ask: fn(&str) -> Request,
    read: fn(&Response) -> Result<String>,
}

impl Users {
    /// Has each of them ask, and reads what it got.
    pub(crate) async fn new(
        proxy: &Proxy,
        ask: fn(&str) -> Request,
        read: fn(&Response) -> Result<String>,
    ) -> Result<Self> {
        let mut users = Self { got: vec![String::new(); NAMES.len()], ask, read };
        users.moves(proxy).await?;
        Ok(users)
    }

    fn of_arms(got: Vec<String>) -> Self {
        Self { got, ask: user, read: |response| Ok(Answer::of(response)?.served_by) }
    }

    /// A user that got this, if any.
    pub(crate) fn one_of(&self, got: &str) -> Option<&'static str> {
        NAMES.iter().zip(&self.got).find(|(_, found)| *found == got).map(|(name, _)| *name)
    }

    /// How many got this.
    pub(crate) fn count(&self, got: &str) -> usize {
        self.got.iter().filter(|found| *found == got).count()
    }

    /// Has all of them ask again and tells the moves, such as `v1 -> v2: alan, grace`.
    pub(crate) async fn moves(&mut self, proxy: &Proxy) -> Result<Vec<String>> {
        let mut client = RawClient::connect(proxy.gateway).await?;
        let mut now = Vec::new();
        for name in NAMES {
            now.push((self.read)(&client.send(&(self.ask)(name)).await?)?);
        }
        let mut moves: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (name, (before, after)) in NAMES.iter().zip(self.got.iter().zip(&now)) {
            if before != after {
                moves.entry(format!("{before} -> {after}")).or_default().push(name);
            }
        }
        self.got = now;
        Ok(moves.into_iter().map(|(way, names)| format!("{way}: {}", names.join(", "))).collect())
    }
}

/// What an answer tells.
#[derive(Clone, Debug)]
struct Answer {
    /// The version that answered.
    served_by: String,
    /// Why, as canary-router tells it; empty where it does not.
    reason: String,
    /// The cookie that came with it, without its attributes.
    cookie: Option<String>,
    /// What the service says reached it.
    body: String,
}

impl Answer {
    fn of(response: &Response) -> Result<Self> {
        let text = |name: &str| response.headers.text(name).unwrap_or_default();
        let body = response.text().trim_end().to_owned();
        if response.status != 200 {
            return Err(Error::new(format!("the gateway answered {}: {body}", response.status)));
        }
        let (served_by, echoed) = (response.served_by(), text("x-canary-arm"));
        if !echoed.is_empty() && echoed != served_by {
            return Err(Error::new(format!("canary-router says {echoed}, and {served_by} answered")));
        }
        let cookie =
            response.headers.text("set-cookie").map(|line| line.split(';').next().unwrap_or_default().to_owned());
        Ok(Self { served_by, reason: text("x-canary-reason"), cookie, body })
    }
}

fn user(id: &str) -> Request {
    Request::get(PATH).host(HOST).header("x-user-id", id)
}

fn crowd_user(number: usize) -> String {
    format!("user-{}", number + 1)
}

/// Tells all of it.
pub(crate) async fn tell(proxy: &Proxy, state: &State) -> Result<Users> {
    let users = sticky_and_raised(proxy).await?;
    trusted_ids(proxy, state).await?;
    own_header(proxy, &users).await?;
    visitors(proxy).await?;
    kill_switch(proxy, users).await
}

/// What was seen at 10 %, for the comparison in the end.
struct Seen {
    users: Users,
    crowd: Vec<String>,
    raised: Users,
}

/// The first two chapters, and what later ones compare with.
async fn sticky_and_raised(proxy: &Proxy) -> Result<Seen> {
    let mut client = RawClient::connect(proxy.gateway).await?;
    let multiplexed = H2Client::connect(proxy.gateway).await?;
    // the same user: first, again, over HTTP/2, over a new connection
    let mut rows: Vec<Vec<String>> = Vec::new();
    for name in NAMES {
        let request = user(name);
        let mut row = Vec::new();
        for response in [
            client.send(&request).await?,
            client.send(&request).await?,
            multiplexed.send(&request).await?,
            RawClient::connect(proxy.gateway).await?.send(&request).await?,
        ] {
            row.push(Answer::of(&response)?.served_by);
        }
        rows.push(row);
    }
    let crowd = arms_of_crowd(proxy).await?;
    let took = proxy.configure(&plugin::with_weight(25)?).await?;
    for (name, row) in NAMES.iter().zip(&mut rows) {
        row.push(Answer::of(&client.send(&user(name)).await?)?.served_by);
    }
    let crowd_raised = arms_of_crowd(proxy).await?;

    say("\n1. The same user, the same arm")?;
    say("   20 users ask for /api/ai, where v2 gets 10 % of the users; then it gets 25 %.\n")?;
    say("   user        at 10 %   again   HTTP/2   reconnected   at 25 %")?;
    for (name, row) in NAMES.iter().zip(&rows) {
        let [first, again, http2, reconnected, raised] = row.as_slice() else { continue };
        let moved = if first == raised { "" } else { "   moved" };
        say(format_args!("   {name:<12}{first:<10}{again:<8}{http2:<9}{reconnected:<14}{raised}{moved}"))?;
        if let Some(other) = [again, http2, reconnected].into_iter().find(|other| *other != first) {
            return Err(Error::new(format!("{name} had {first}, asked again and got {other}")));
        }
    }
    let column = |at: usize| rows.iter().filter_map(|row| row.get(at).cloned()).collect::<Vec<_>>();
    let seen = Seen { users: Users::of_arms(column(0)), crowd, raised: Users::of_arms(column(4)) };
    raise(&seen.crowd, &crowd_raised, took)?;
    Ok(seen)
}

/// The second chapter: what raising the weight did to the crowd.
fn raise(before: &[String], after: &[String], took: Duration) -> Result<()> {
    say("\n2. Raising the weight moves users to v2 only")?;
    say(
        "   1,000 users (user-1 to user-1000) ask at each weight. The hash of an id decides, so shares are off by chance,",
    )?;
    say("   by 1 to 3 points with so few.\n")?;
    say("   weight      v1     v2")?;
    for (weight, arms) in [(10, before), (25, after)] {
        let canary = arms.iter().filter(|arm| *arm == "v2").count();
        say(format_args!("   {weight} %   {:>7}{canary:>7}   = {:.1} %", arms.len() - canary, canary as f64 / 10.0))?;
        if canary.abs_diff(weight * CROWD / 100) > TOLERANCE {
            return Err(Error::new(format!("{canary} of {CROWD} users in v2 are too far from {weight} %")));
        }
    }
    let moved = |from: &str| -> Vec<usize> {
        (0..before.len()).filter(|&at| before[at] == from && before[at] != after[at]).collect()
    };
    let (into, back) = (moved("v1"), moved("v2"));
    let some: Vec<_> = into.iter().take(5).map(|&number| crowd_user(number)).collect();
    let took = took.as_millis();
    say(format_args!("\n   moved from v1 to v2: {} ({}, ...)", into.len(), some.join(", ")))?;
    say(format_args!("   moved from v2 to v1: {}", back.len()))?;
    say(format_args!("   The new weight was at work {took} ms after the file was in place; nothing restarted."))?;
    match back.first() {
        None => Ok(()),
        Some(&number) => Err(Error::new(format!("raising the weight moved {} out of v2", crowd_user(number)))),
    }
}

/// Named users count when a token proves who they are.
async fn trusted_ids(proxy: &Proxy, state: &State) -> Result<()> {
    let mut client = RawClient::connect(proxy.gateway).await?;
    let token = |id: &str| Request::get(PATH).host(HOST).bearer(&state.token(id));
    let cases = [
        ("qa-1, with a token", token("qa-1"), Some("v2"), "override"),
        ("qa-1, in a plain header", user("qa-1"), None, "user"),
        ("vip-7, with a token", token("vip-7"), Some("v1"), "override"),
        ("anybody, x-env: canary", user("ada").header("x-env", "canary"), Some("v2"), "override"),
    ];
    say("\n3. Testers get v2 and a customer v1, whatever the weight: by a token that Envoy has verified\n")?;
    say("   who                        arm   reason")?;
    for (who, request, arm, reason) in cases {
        let answer = Answer::of(&client.send(&request).await?)?;
        say(format_args!("   {who:<27}{:<6}{}", answer.served_by, answer.reason))?;
        if answer.reason != reason || arm.is_some_and(|arm| arm != answer.served_by) {
            let arm = arm.unwrap_or("an arm");
            let got = (&answer.served_by, &answer.reason);
            return Err(Error::new(format!("{who}: {got:?} in place of {arm} by {reason}")));
        }
    }
    let forged = client.send(&Request::get(PATH).host(HOST).bearer(&format!("{}x", state.token("qa-1")))).await?;
    say(format_args!("   a token that was tampered with: {}", forged.status))?;
    if forged.status != 401 {
        return Err(Error::new(format!("a token that was tampered with got {}", forged.status)));
    }
    Ok(())
}

/// A client can't choose its arm.
async fn own_header(proxy: &Proxy, seen: &Seen) -> Result<()> {
    say("\n4. A client that sends x-canary-arm: v2 itself gets what the hash says\n")?;
    let Some(name) = seen.raised.one_of("v1") else { return Err(Error::new("all users are in v2 at 25 %")) };
    let mut client = RawClient::connect(proxy.gateway).await?;
    for header in ["x-canary-arm", "X-Canary-Arm", "x_canary_arm"] {
        let answer = Answer::of(&client.send(&user(name).header(header, "v2")).await?)?;
        say(format_args!("   {name} sends {header}: v2 -> {}", answer.body))?;
        if answer.served_by != "v1" {
            return Err(Error::new(format!("{name} chose its arm by sending {header}")));
        }
    }
    // where a rule only reports, nothing may arrive at all
    let reported = Request::get("/api/auth").host(HOST).header("x-user-id", name).header("x-canary-arm", "v2");
    let answer = Answer::of(&client.send(&reported).await?)?;
    say(format_args!("   the same on /api/auth  -> {}", answer.body))?;
    if !answer.body.contains("x-canary-arm: -,") {
        return Err(Error::new("a client's x-canary-arm reached the service on /api/auth"));
    }
    Ok(())
}

/// Visitors without a name keep their arm by a cookie.
async fn visitors(proxy: &Proxy) -> Result<()> {
    let request = Request::get(PATH).host(HOST);
    let first = answers(proxy, VISITORS, move |_| request.clone()).await?;
    let cookies: Vec<String> = first.iter().filter_map(|answer| answer.cookie.clone()).collect();
    if cookies.iter().collect::<BTreeSet<_>>().len() != VISITORS {
        return Err(Error::new("not every visitor without a name was given a cookie of its own"));
    }
    let sent = cookies.clone();
    let again =
        answers(proxy, VISITORS, move |number| Request::get(PATH).host(HOST).header("cookie", &sent[number])).await?;
    let canary = first.iter().filter(|answer| answer.served_by == "v2").count();
    say("\n5. A visitor without a name is given a cookie and keeps the arm\n")?;
    say(format_args!("   {VISITORS} visitors, {VISITORS} cookies (such as {}), {canary} of them in v2;", cookies[0]))?;
    for (one, other) in first.iter().zip(&again) {
        if one.served_by != other.served_by || other.cookie.is_some() || other.reason != "anonymous" {
            return Err(Error::new(format!("a visitor came back with its cookie: {one:?} became {other:?}")));
        }
    }
    say("   with its cookie each got the same arm again.")
}

/// The kill switch and the way back. Gives the named users' arms as they are in the end.
async fn kill_switch(proxy: &Proxy, seen: Seen) -> Result<Users> {
    say("\n6. The kill switch, and back\n")?;
    let took = proxy.configure(&plugin::switched_off()?).await?.as_millis();
    let off = arms_of_crowd(proxy).await?;
    let baseline = off.iter().filter(|arm| *arm == "v1").count();
    say(format_args!("   \"mode\": \"off\"      {took:>3} ms later: {baseline} of {CROWD} users in v1"))?;
    if baseline != CROWD {
        return Err(Error::new("the kill switch left users in v2"));
    }
    let took = proxy.configure(&CANARY.example()?).await?.as_millis();
    let back = arms_of_crowd(proxy).await?;
    let same = back.iter().zip(&seen.crowd).filter(|(now, then)| now == then).count();
    say(format_args!(
        "   \"enforce\", 10 %    {took:>3} ms later: {same} of {CROWD} users where they were in the beginning"
    ))?;
    if same != CROWD {
        return Err(Error::new("after the kill switch users came back to other arms"));
    }
    let mut users = seen.users;
    match users.moves(proxy).await?.first() {
        None => Ok(users),
        Some(moved) => Err(Error::new(format!("after the kill switch: {moved}"))),
    }
}

async fn arms_of_crowd(proxy: &Proxy) -> Result<Vec<String>> {
    let answers = answers(proxy, CROWD, |number| user(&crowd_user(number))).await?;
    Ok(answers.into_iter().map(|answer| answer.served_by).collect())
}

async fn answers(
    proxy: &Proxy,
    count: usize,
    request: impl Fn(usize) -> Request + Send + Sync + 'static,
) -> Result<Vec<Answer>> {
    run_many(proxy.gateway, count, CONNECTIONS, request).await?.iter().map(Answer::of).collect()
}
