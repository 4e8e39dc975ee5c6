//! The chapters about calls out of the mesh: what the application gets, and what the audit tells. Every word is read from an
//! answer of the running Envoy or from an event in its log; each claim that does not hold is an error.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use harness::{Endpoint, Error, RawClient, Request, Response, Result};
use serde_json::Value;

use crate::proxy::{LOG, Proxy};
use crate::say;
use crate::state::State;

/// The names that the demo's internet can prove to have.
pub(crate) const CERTIFIED: [&str; 2] = ["api.openai.com", "*.anthropic.com"];
/// What ai-gateway may not send, by a rule.
const UPLOAD: &str = "http://api.openai.com/v1/files";
/// What a policy that only reports would deny.
const REPORTED: &str = "http://api.openai.com/v1/completions";
/// A call that is made again and again.
const REPEATED: &str = "http://paste.example.org/raw/1";
const REPEATS: usize = 100;
/// How long an event may take: a worker gathers those that only inform for up to a second.
const TOLD: Duration = Duration::from_secs(4);
/// How long the event that counts repeated calls may take: the time of `fold`, and until the worker looks again.
const FOLDED: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(10);
/// How wide text that is wrapped may be.
const WIDTH: usize = 116;

/// Where ai-gateway's calls go in: at the listeners of its sidecar.
#[derive(Clone)]
pub(crate) struct Outbound {
    /// HTTP.
    pub(crate) http: SocketAddr,
    /// TLS, with no server's name yet.
    pub(crate) tls: Endpoint,
}

impl Outbound {
    fn tls_to(&self, name: &str) -> Endpoint {
        let mut endpoint = self.tls.clone();
        if let Some((_, server_name)) = &mut endpoint.tls {
            name.clone_into(server_name);
        }
        endpoint
    }
}

/// A call that the demo makes, and what has to come of it.
struct Call {
    method: &'static str,
    url: &'static str,
    /// The answer, the decision, the reason, and policy and rule; nothing but the answer for what is not told of.
    expected: [&'static str; 4],
}

const fn call(method: &'static str, url: &'static str, expected: [&'static str; 4]) -> Call {
    Call { method, url, expected }
}

/// What is told of a call inside the mesh.
const NOTHING: &str = "-";

/// HTTP. The call inside the mesh has others behind it, whose events would not come before its own.
static HTTP: [Call; 9] = [
    call("POST", "http://api.openai.com/v1/chat/completions", ["200", "allow", "rule_allow", "ai-gateway: openai"]),
    call("POST", "http://x.anthropic.com/v1/messages", ["200", "allow", "rule_allow", "ai-gateway: anthropic"]),
    call("GET", "http://memory.devmentor-app.svc.cluster.local/notes", ["200", NOTHING, NOTHING, NOTHING]),
    call("POST", REPORTED, ["200", "allow, would_deny", "rule_deny", "next-month: old-completions"]),
    call("GET", "http://api.openai.com/v1/models", ["403", "deny", "default_deny", "ai-gateway"]),
    call("POST", UPLOAD, ["403", "deny", "rule_deny", "ai-gateway: no-uploads"]),
    call("POST", "http://API.OpenAI.com.:80/v1/files", ["403", "deny", "rule_deny", "ai-gateway: no-uploads"]),
    call("POST", "http://paste.example.org/", ["403", "deny", "default_deny", "ai-gateway"]),
    call("GET", "http://169.254.169.254/latest/meta-data/", ["403", "deny", "ip_literal", "ai-gateway"]),
];

/// TLS. What a call is for can't be seen, so one for each host will do.
static TLS: [Call; 4] = [
    call("", "https://api.openai.com", ["200", "allow", "rule_allow", "ai-gateway: openai-tls"]),
    call("", "https://x.anthropic.com", ["200", "allow", "rule_allow", "ai-gateway: anthropic"]),
    call("", "https://console.anthropic.com", ["200", "allow, would_deny", "rule_deny", "next-month: old-console"]),
    call("", "https://paste.example.org", ["closed", "deny", "default_deny", "ai-gateway"]),
];

impl Call {
    fn request(&self) -> Request {
        let rest = self.url.split_once("://").map_or(self.url, |(_, rest)| rest);
        let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let request = if self.method == "POST" { Request::post(path, "{}") } else { Request::get(path) };
        request.host(host)
    }

    fn host(&self) -> String {
        self.request().host.unwrap_or_default()
    }

    fn is_tls(&self) -> bool {
        self.url.starts_with("https:")
    }

    fn is_told(&self) -> bool {
        self.expected[1] != NOTHING
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&if self.is_tls() { self.url.to_owned() } else { format!("{:<5}{}", self.method, self.url) })
    }
}

/// What the audit told.
struct Event {
    /// As it stands in the log.
    line: String,
    fields: Value,
}

/// What came of a call.
struct End {
    answer: String,
    body: String,
    event: Option<Event>,
}

impl End {
    /// Answer, decision, reason, and policy and rule.
    fn row(&self) -> [String; 4] {
        let Some(Event { fields: event, .. }) = &self.event else {
            return [&self.answer, NOTHING, NOTHING, NOTHING].map(str::to_owned);
        };
        let text = |name: &str| event[name].as_str().unwrap_or(NOTHING);
        let would = if event["would_deny"] == true { ", would_deny" } else { "" };
        let rule = event["rule_id"].as_str().map_or(String::new(), |rule| format!(": {rule}"));
        [
            self.answer.clone(),
            format!("{}{would}", text("decision")),
            text("reason_code").to_owned(),
            format!("{}{rule}", text("policy")),
        ]
    }

    /// A field of the event.
    fn told(&self, name: &str) -> &Value {
        self.event.as_ref().map_or(&Value::Null, |event| &event.fields[name])
    }
}

/// Some of the calls, and what came of them when they were last made.
pub(crate) struct Calls {
    calls: &'static [Call],
    ends: Vec<End>,
}

impl Calls {
    async fn new(proxy: &Proxy, calls: &'static [Call]) -> Result<Self> {
        Ok(Self { calls, ends: make(proxy, calls).await? })
    }

    fn iter(&self) -> impl Iterator<Item = (&'static Call, &End)> {
        self.calls.iter().zip(&self.ends)
    }

    /// Prints all in a table, and fails where an end is not as it has to be.
    fn show(&self) -> Result<()> {
        let width = self.calls.iter().map(|call| call.to_string().len()).max().unwrap_or_default() + 3;
        let column = |at: usize| {
            let rows = self.ends.iter().map(|end| end.row()[at].len());
            rows.max().unwrap_or_default().max(6) + 3
        };
        let (answer, decision, reason) = (column(0), column(1), column(2));
        let head = ("call", "answer", "decision", "reason");
        say(format_args!(
            "   {:<width$}{:<answer$}{:<decision$}{:<reason$}policy: rule",
            head.0, head.1, head.2, head.3
        ))?;
        for (call, end) in self.iter() {
            let row = end.row();
            let [first, second, third, fourth] = &row;
            say(format_args!("   {call:<width$}{first:<answer$}{second:<decision$}{third:<reason$}{fourth}"))?;
            if row != call.expected {
                return Err(Error::new(format!("{call} ended with {row:?} in place of {:?}", call.expected)));
            }
        }
        Ok(())
    }

    fn end_of(&self, url: &str) -> Result<&End> {
        let found = self.iter().find(|(call, _)| call.url == url).map(|(_, end)| end);
        found.ok_or_else(|| Error::new(format!("no call to {url}")))
    }

    /// Makes all again and tells those that have another end, such as `GET … : 403 deny -> 200 allow`.
    pub(crate) async fn moves(&mut self, proxy: &Proxy) -> Result<Vec<String>> {
        let before = std::mem::replace(&mut self.ends, make(proxy, self.calls).await?);
        let pairs = self.iter().zip(&before);
        let other = pairs.filter(|((_, now), before)| now.row() != before.row());
        Ok(other.map(|((call, now), before)| format!("{call}: {} -> {}", brief(before), brief(now))).collect())
    }
}

/// An end in few words.
fn brief(end: &End) -> String {
    match end.row() {
        [answer, decision, ..] if decision == NOTHING => format!("{answer} (nothing told)"),
        [answer, decision, reason, rule] => format!("{answer} ({decision}; {reason}; {rule})"),
    }
}

/// Makes these calls one after the other, and gathers what is told of them.
async fn make(proxy: &Proxy, calls: &[Call]) -> Result<Vec<End>> {
    let mark = proxy.logs().mark();
    let mut ends = Vec::new();
    let mut client: Option<RawClient> = None;
    for (number, call) in calls.iter().enumerate() {
        ends.push(if call.is_tls() {
            tls(proxy, call).await?
        } else {
            // one connection is one worker, whose events come in the order of the calls
            let mut open = match client.take().filter(RawClient::is_open) {
                Some(open) => open,
                None => RawClient::connect(proxy.outbound.http).await?,
            };
            let response = open.send(&call.request().header("x-request-id", id(number))).await?;
            client = Some(open);
            End { answer: response.status.to_string(), body: response.text(), event: None }
        });
    }
    let start = Instant::now();
    loop {
        for event in events(proxy, mark) {
            let is_its = |number: usize, call: &Call| match call.is_tls() {
                // those that count further calls are not of this one
                true => event.fields["tls.client.server_name"] == call.host() && event.fields["since"].is_null(),
                false => event.fields["request_id"] == id(number),
            };
            if let Some(number) = (0..calls.len()).find(|number| is_its(*number, &calls[*number])) {
                ends[number].event = Some(event);
            }
        }
        let whole = calls.iter().zip(&ends).all(|(call, end)| end.event.is_some() || !call.is_told());
        // an edit may have switched it off: then there is none
        if whole || start.elapsed() > TOLD {
            return Ok(ends);
        }
        tokio::time::sleep(POLL).await;
    }
}

fn id(number: usize) -> String {
    format!("demo-{number}")
}

/// A call with TLS of its own.
async fn tls(proxy: &Proxy, call: &Call) -> Result<End> {
    match RawClient::connect(proxy.outbound.tls_to(&call.host())).await {
        Ok(mut client) => {
            let response = client.send(&call.request()).await?;
            Ok(End { answer: response.status.to_string(), body: response.text(), event: None })
        }
        // before a single byte came
        Err(error) if error.to_string().contains("eof") || error.to_string().contains("reset") => {
            Ok(End { answer: "closed".to_owned(), body: String::new(), event: None })
        }
        Err(error) => Err(Error::new(format!("{call}: {error}"))),
    }
}

/// The events in the log after a mark.
fn events(proxy: &Proxy, mark: usize) -> Vec<Event> {
    let event = |whole: &String| {
        let line = whole.get(whole.find(r#"{"event":"egress_audit""#)?..)?.to_owned();
        serde_json::from_str(&line).ok().map(|fields| Event { line, fields })
    };
    proxy.logs().lines_after(mark).iter().filter_map(event).collect()
}

/// Tells all of it, in two chapters of which the first has this number.
pub(crate) async fn tell(proxy: &Proxy, chapter: u32) -> Result<(Calls, Calls)> {
    let http = Calls::new(proxy, &HTTP).await?;
    let allowed = http.end_of(HTTP[0].url)?;
    let word = |name: &str| allowed.told(name).as_str().unwrap_or(NOTHING);
    let (namespace, workload) = (word("k8s.namespace.name"), word("k8s.workload.name"));
    say(format_args!(
        "\n{chapter}. Calls out of the mesh: what {workload} in {namespace} may call, what it may not, and what it may not next month"
    ))?;
    say(
        "   HTTP through its sidecar, which sees all of a request, and puts what passes into TLS. Each line is an answer and the",
    )?;
    say("   event for it in the log; a call inside the mesh is nobody's business, and has none.\n")?;
    http.show()?;
    for url in [HTTP[0].url, HTTP[1].url, REPORTED] {
        let body = &http.end_of(url)?.body;
        if !body.contains("TLS: TLSv1") {
            return Err(Error::new(format!("{url} reached the internet without TLS: {body}")));
        }
    }
    denial(http.end_of(UPLOAD)?)?;
    let repeated = repeat(proxy).await?;
    let tls = below_http(proxy, chapter + 1).await?;
    repeated.told(proxy).await?;
    say("\n   One event as it stands in the log, that of the upload:")?;
    whole(http.end_of(UPLOAD)?.event.as_ref())?;
    tools()?;
    Ok((http, tls))
}

/// What a client is told whose call was denied.
fn denial(end: &End) -> Result<()> {
    let body: Value = serde_json::from_str(&end.body).map_err(|error| Error::new(format!("{error}: {}", end.body)))?;
    let error = &body["error"];
    let word = |name: &str| error[name].as_str().unwrap_or(NOTHING);
    say(format_args!("\n   The upload's answer, {}: {}", end.answer, word("message")))?;
    say(format_args!("   reason    {}", word("reason")))?;
    say(format_args!("   rule      {}, of policy {}", word("rule"), word("policy")))?;
    say(format_args!("   help      {}", word("help")))?;
    say(format_args!("   event     {}, by which the log has it", word("event_id")))?;
    let pairs = [("reason", "reason_code"), ("rule", "rule_id"), ("policy", "policy"), ("event_id", "event_id")];
    for (name, told) in pairs {
        if error[name].is_null() || &error[name] != end.told(told) {
            return Err(Error::new(format!("the answer's {name} is not that of the event: {body}")));
        }
    }
    match word("help") {
        NOTHING => Err(Error::new(format!("the answer does not say how to ask for access: {body}"))),
        _ => Ok(()),
    }
}

/// Calls that differ in nothing.
struct Repeated {
    mark: usize,
    event_id: Value,
}

/// Makes one call again and again.
async fn repeat(proxy: &Proxy) -> Result<Repeated> {
    let mark = proxy.logs().mark();
    let mut client = RawClient::connect(proxy.outbound.http).await?;
    let request = call("GET", REPEATED, [""; 4]).request();
    let mut event_id = Value::Null;
    for number in 0..REPEATS {
        let answer: Response = client.send(&request).await?;
        let told = answer.json().unwrap_or_default()["error"]["event_id"].take();
        if answer.status != 403 || told.is_null() || (number > 0 && told != event_id) {
            return Err(Error::new(format!("call {number} to {REPEATED} got {}: {}", answer.status, answer.text())));
        }
        event_id = told;
    }
    Ok(Repeated { mark, event_id })
}

impl Repeated {
    /// Waits until all of them are told, and tells by how many events.
    async fn told(&self, proxy: &Proxy) -> Result<()> {
        let start = Instant::now();
        loop {
            let all = events(proxy, self.mark);
            let counts: Vec<u64> = all
                .iter()
                .filter(|event| event.fields["event_id"] == self.event_id)
                .filter_map(|event| event.fields["count"].as_u64())
                .collect();
            if counts.iter().sum::<u64>() >= REPEATS as u64 {
                let [first, more] = counts.as_slice() else {
                    return Err(Error::new(format!("{REPEATS} calls that differ in nothing are events of {counts:?}")));
                };
                return say(format_args!(
                    "\n   GET {REPEATED}, {REPEATS} times: {} events, of {first} call at once, and of {more} when the time to fold was over.",
                    counts.len()
                ));
            }
            if start.elapsed() > FOLDED {
                return Err(Error::new(format!("of {REPEATS} calls, events tell of {counts:?} after {FOLDED:?}")));
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// The second chapter: what can be done where only the host's name can be seen.
async fn below_http(proxy: &Proxy, chapter: u32) -> Result<Calls> {
    let tls = Calls::new(proxy, &TLS).await?;
    say(format_args!(
        "\n{chapter}. TLS that the application speaks itself: the name in its handshake decides, and no byte is changed\n"
    ))?;
    tls.show()?;
    for (call, end) in tls.iter() {
        let told = [end.told("network.protocol.name"), end.told("tls.client.server_name")];
        if told != ["tls", &call.host()] {
            return Err(Error::new(format!("the event of {call} is of {told:?}")));
        }
    }
    Ok(tls)
}

/// Prints an event.
fn whole(event: Option<&Event>) -> Result<()> {
    wrapped(&event.ok_or_else(|| Error::new("there is no event to show"))?.line)
}

/// Prints a line of JSON, wrapped between its fields.
pub(crate) fn wrapped(line: &str) -> Result<()> {
    let mut shown = String::new();
    for field in line.replace(",\"", ",\n\"").lines() {
        if !shown.is_empty() && shown.len() + field.len() > WIDTH {
            say(format_args!("   {shown}"))?;
            shown = " ".to_owned();
        }
        shown.push_str(field);
    }
    say(format_args!("   {shown}"))
}

/// rcctl, which is built beside the demo.
fn rcctl() -> Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("rcctl"))
}

/// Has rcctl verify the log, and write the allow-list that it amounts to.
fn tools() -> Result<()> {
    let rcctl = rcctl()?;
    let run = |arguments: &[&str]| -> Result<String> {
        let output = Command::new(&rcctl).args(arguments).output();
        let output = output.map_err(|error| Error::new(format!("{}: {error}: run `make build`", rcctl.display())))?;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        match output.status.success() {
            true => Ok(out.into_owned()),
            false => Err(Error::new(format!("rcctl {}: {out}{err}", arguments.join(" ")))),
        }
    };
    let whole = run(&["audit", "verify", LOG])?;
    say(format_args!("\n   {} audit verify {LOG}", shown(&rcctl)))?;
    for line in whole.lines().filter(|line| line.starts_with("all ")) {
        say(format_args!("   {line}"))?;
    }
    let draft = run(&["audit", "suggest", "--only", "policy", LOG])?;
    say(format_args!(
        "\n   {} audit suggest {LOG}   # the allow-list for what passed, here without its comments",
        shown(&rcctl)
    ))?;
    let list: Vec<&str> = draft.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    for line in &list {
        say(format_args!("   {line}"))?;
    }
    let has = |host: &str| list.iter().any(|line| line.contains(&format!("hosts: [{host}]")));
    match (has("api.openai.com"), has("paste.example.org")) {
        (true, false) => Ok(()),
        _ => Err(Error::new("the allow-list is not of what passed")),
    }
}

/// A path as it is typed in the repository's root.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

/// What to try.
pub(crate) fn explain(state: &State) -> Result<()> {
    let (http, tls) = (state.outbound.http.port(), state.outbound.tls.addr.port());
    let try_out = |flags: &str, url: &str, expect: &str| say(format_args!("   curl {flags} {url}   # {expect}"));
    let plain = format!("--connect-to ::localhost:{http}");
    let sealed = format!("--connect-to ::localhost:{tls} --cacert .run/ca.pem");
    try_out(&plain, &format!("-d '{{}}' {}", HTTP[0].url), "allowed")?;
    try_out(&plain, &format!("-d '{{}}' {UPLOAD}"), "403, and why")?;
    try_out(&plain, &format!("-d '{{}}' {REPORTED}"), "passes, and the log says would_deny")?;
    try_out(&sealed, TLS[0].url, "allowed")?;
    try_out(&sealed, TLS[3].url, "closed")?;
    say(format_args!(
        "   {} audit suggest {LOG}   # the allow-list and Istio's resources for what was called",
        shown(&rcctl()?)
    ))
}
