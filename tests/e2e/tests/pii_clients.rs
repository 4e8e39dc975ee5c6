//! The client libraries of OpenAI, Anthropic and Google (Python and Node) make the same objects of an answer with the proxy between
//! them and the API as without.
//!
//! `AI_CLIENTS` is the directory that `tools/ai-clients.sh` prints; `python3` is the one on `PATH`. What each scenario sends is in
//! `tests/e2e/clients`.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use e2e::ai::{Ai, Answer, Encoding};
use e2e::pii::{Setup, Sidecar, config};
use harness::{envoy_binaries, workspace_root};
use serde_json::{Value, json};

/// What the API sees of the prompt's address.
const PLACEHOLDER: &str = "[EMAIL";

/// The proxy before an API, which it asks in HTTP/1.1 or HTTP/2.
fn setup(http2: bool) -> Setup {
    Setup { http2, ..Setup::new(config("enforce")) }
}

/// What the API must not see.
const VALUES: [&str; 4] =
    ["ada.lovelace@example.com", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "+442079460958"];

/// Values, and around them what JSON, HTML and UTF-8 treat in ways of their own. An order's number only looks like a value.
fn prompt() -> String {
    let [mail, card, iban, phone] = VALUES;
    format!(
        "Write to {mail} (phone {phone}): \"card {card}\"\n\tIBAN: {iban}; <b>O'Hara & Söhne</b> \\ 漢字 🙂 order 2025-0001-77 {mail}"
    )
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Client {
    OpenAiPython,
    AnthropicPython,
    GeminiPython,
    OpenAiNode,
    AnthropicNode,
}

const OPENAI: &[&str] = &[
    "chat",
    "chat_n",
    "tools",
    "tool_result",
    "stream",
    "stream_n",
    "stream_tools",
    "stream_chunks",
    "error_400",
    "error_401",
    "error_429",
    "error_midstream",
    "completions",
    "completions_stream",
    "embeddings",
    "responses",
    "responses_text",
    "responses_tools",
    "responses_tool_result",
    "responses_stream",
    "responses_stream_tools",
    "responses_error_midstream",
];
const ANTHROPIC: &[&str] = &[
    "chat",
    "tools",
    "tool_result",
    "thinking",
    "stream",
    "stream_tools",
    "stream_thinking",
    "stream_events",
    "error_400",
    "error_401",
    "error_429",
    "error_midstream",
];
const GEMINI: &[&str] = &[
    "chat",
    "tools",
    "tool_result",
    "stream",
    "stream_tools",
    "error_400",
    "error_429",
    "error_midstream",
    "embeddings",
];

impl Client {
    fn program(self) -> &'static str {
        match self {
            Self::OpenAiPython => "openai_client.py",
            Self::AnthropicPython => "anthropic_client.py",
            Self::GeminiPython => "gemini_client.py",
            Self::OpenAiNode => "openai_client.mjs",
            Self::AnthropicNode => "anthropic_client.mjs",
        }
    }

    fn is_node(self) -> bool {
        matches!(self, Self::OpenAiNode | Self::AnthropicNode)
    }

    fn scenarios(self) -> &'static [&'static str] {
        match self {
            Self::OpenAiPython | Self::OpenAiNode => OPENAI,
            Self::AnthropicPython | Self::AnthropicNode => ANTHROPIC,
            Self::GeminiPython => GEMINI,
        }
    }

    fn command(self) -> Command {
        let clients = installed();
        let python =
            || on_path("python3").expect("python3 is not on PATH: install Python 3.10 or newer, then run `make test`");
        let mut command = Command::new(if self.is_node() { clients.join("node/node") } else { python() });
        command.env("NODE_PATH", clients.join("node/node_modules")).env("PYTHONPATH", clients.join("python"));
        // where the programs are belongs to the sources
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONIOENCODING", "utf-8");
        command.arg(workspace_root().join("tests/e2e/clients").join(self.program()));
        command
    }

    /// What the library makes of each scenario's answers, by the scenario's name.
    fn run(self, base_url: &str, scenarios: &[&str]) -> BTreeMap<String, Told> {
        let mut command = self.command();
        command.arg(base_url).arg(prompt()).args(scenarios).stdin(Stdio::null());
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{self:?}: {}", text(&output.stderr));
        let mut all: BTreeMap<String, Told> = BTreeMap::new();
        for line in text(&output.stdout).lines() {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{self:?}: {error}: {line}"));
            let told = all.entry(line["scenario"].as_str().unwrap().to_owned()).or_default();
            let list = if line["kind"] == "event" { &mut told.events } else { &mut told.ends };
            list.push(json!([line["kind"], line["value"]]));
        }
        assert_eq!(all.len(), scenarios.len(), "{self:?} has left out one: {:?}", all.keys());
        all
    }
}

/// What a library tells of one scenario.
#[derive(Debug, Default, PartialEq)]
struct Told {
    events: Vec<Value>,
    /// The object that it gathers or gets, or its error.
    ends: Vec<Value>,
}

fn installed() -> PathBuf {
    let path = PathBuf::from(std::env::var_os("AI_CLIENTS").unwrap_or_default());
    assert!(!path.as_os_str().is_empty(), "no AI clients to test with: set AI_CLIENTS or run `make test`");
    assert!(path.is_dir(), "AI_CLIENTS names {}, which is not there: fix it or run `make test`", path.display());
    path
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(|file| file.is_file())
}

/// A stream by what has to be the same wherever its text is cut into deltas: the deltas' texts joined, by their place, and every other
/// thing that an event says, once, in order.
fn joined(events: &[Value]) -> (BTreeMap<String, String>, Vec<Value>) {
    let (mut texts, mut rest, mut seen) = (BTreeMap::<String, String>::new(), Vec::new(), HashSet::new());
    for event in events {
        let mut event = event[1].clone();
        for (place, pointer) in deltas(&event) {
            let Some(text) = event.pointer_mut(&pointer).filter(|text| text.is_string()) else { continue };
            texts.entry(place).or_default().push_str(text.take().as_str().unwrap());
        }
        for name in ["sequence_number", "obfuscation", "snapshot"] {
            event.as_object_mut().unwrap().remove(name);
        }
        if seen.insert(event.to_string()) {
            rest.push(event);
        }
    }
    (texts, rest)
}

/// Where an event holds text that goes on in the next: a name of the place, the same in all of them, and the JSON pointer.
fn deltas(event: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let list = |value: &Value| value.as_array().map_or(0, Vec::len);
    for at in 0..list(&event["choices"]) {
        let choice = &event["choices"][at];
        let index = &choice["index"];
        found.push((format!("content {index}"), format!("/choices/{at}/delta/content")));
        found.push((format!("text {index}"), format!("/choices/{at}/text")));
        for tool in 0..list(&choice["delta"]["tool_calls"]) {
            let call = &choice["delta"]["tool_calls"][tool]["index"];
            let pointer = format!("/choices/{at}/delta/tool_calls/{tool}/function/arguments");
            found.push((format!("arguments {index} {call}"), pointer));
        }
    }
    for at in 0..list(&event["candidates"]) {
        for part in 0..list(&event["candidates"][at]["content"]["parts"]) {
            found.push((format!("part {at} {part}"), format!("/candidates/{at}/content/parts/{part}/text")));
        }
    }
    let kind = event["type"].as_str().unwrap_or_default();
    if kind.ends_with(".delta") {
        found.push((format!("{kind} {}", event["item_id"]), "/delta".into()));
    }
    if kind == "content_block_delta" {
        for field in ["text", "partial_json"] {
            found.push((format!("{field} {}", event["index"]), format!("/delta/{field}")));
        }
    }
    found
}

/// Fails if a number of a stream's events is not one more than that before.
fn assert_numbered(events: &[Value], what: &str) {
    let numbers: Vec<u64> = events.iter().filter_map(|event| event[1]["sequence_number"].as_u64()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{what}: {numbers:?}");
}

fn assert_same(direct: &BTreeMap<String, Told>, proxied: &BTreeMap<String, Told>, what: &str) {
    for (scenario, direct) in direct {
        let what = format!("{what}, {scenario}");
        let proxied = &proxied[scenario];
        assert_eq!(proxied.ends, direct.ends, "{what}");
        assert_numbered(&proxied.events, &what);
        assert_eq!(joined(&proxied.events), joined(&direct.events), "{what}");
    }
}

/// Fails if what the API saw is not what it may see.
fn assert_seen(direct: &[Vec<u8>], proxied: &[Vec<u8>], what: &str) {
    assert_eq!(proxied.len(), direct.len(), "{what}");
    for (direct, proxied) in direct.iter().zip(proxied) {
        let sent = String::from_utf8_lossy(direct);
        assert!(VALUES.iter().all(|value| sent.contains(value)), "{what}: {sent}");
        let seen = String::from_utf8_lossy(proxied);
        assert!(!VALUES.iter().any(|value| seen.contains(value)), "{what}: {seen}");
        assert!(seen.contains(PLACEHOLDER), "{what}: {seen}");
    }
}

/// Runs scenarios without the proxy, and with these Envoys, and compares.
async fn same_with_and_without(client: Client, scenarios: &[&str], answer: Answer, envoys: &[PathBuf], http2: bool) {
    let ai = Ai::start();
    ai.answer(answer.clone());
    let direct = client.run(&format!("http://{}", ai.upstream.addr()), scenarios);
    let sent = ai.bodies();
    assert_says_what_it_was_told(client, &direct);
    for binary in envoys {
        let what = format!("{client:?} through {}", name(binary));
        let sidecar = Sidecar::start(binary, &setup(http2)).await;
        sidecar.ai.answer(answer.clone());
        let proxied = client.run(&format!("http://{}", sidecar.envoy.addr("main")), scenarios);
        assert_same(&direct, &proxied, &what);
        assert_seen(&sent, &sidecar.ai.bodies(), &what);
        sidecar.assert_whole(&VALUES).await;
    }
}

fn name(binary: &Path) -> String {
    format!("Envoy {}", harness::envoy_version(binary))
}

/// Fails if a scenario did not show what it is there for: the prompt's values in what the library gathered, or an error.
fn assert_says_what_it_was_told(client: Client, all: &BTreeMap<String, Told>) {
    for (scenario, told) in all {
        let text = if told.ends.is_empty() {
            joined(&told.events).0.into_values().chain(told.events.iter().map(Value::to_string)).collect()
        } else {
            told.ends.iter().map(Value::to_string).collect::<String>()
        };
        let is_error = told.ends.iter().any(|end| end[0] == "error");
        assert_eq!(is_error, scenario.contains("error"), "{client:?}, {scenario}: {:?}", told.ends);
        let says_it = !is_error && !scenario.contains("embeddings") || scenario == "error_400";
        assert!(!says_it || VALUES.iter().all(|value| text.contains(value)), "{client:?}, {scenario}: {text}");
        assert_eq!(!told.events.is_empty(), scenario.contains("stream"), "{client:?}, {scenario}");
    }
}

async fn same_for(client: Client) {
    same_with_and_without(client, client.scenarios(), Answer::echo(), &envoy_binaries(), false).await;
}

/// The streams once more, with the newest Envoy: cut where no server would, compressed, over HTTP/2 to the API, with trailers.
async fn same_however_cut(client: Client) {
    let streams: Vec<_> = client.scenarios().iter().copied().filter(|name| name.contains("stream")).collect();
    let answer = Answer::echo().deltas_of(1).chunks_of(61).encoded(Encoding::Gzip).trailer("x-end", "1");
    let envoys = envoy_binaries();
    let newest = envoys.last().map(std::slice::from_ref).unwrap_or_default();
    same_with_and_without(client, &streams, answer, newest, true).await;
    same_with_and_without(client, &streams, Answer::echo().deltas_of(1000).chunks_of(7), newest, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openai_for_python_makes_the_same_objects() {
    same_for(Client::OpenAiPython).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn anthropic_for_python_makes_the_same_objects() {
    same_for(Client::AnthropicPython).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gemini_for_python_makes_the_same_objects() {
    same_for(Client::GeminiPython).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openai_for_node_makes_the_same_objects() {
    same_for(Client::OpenAiNode).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn anthropic_for_node_makes_the_same_objects() {
    same_for(Client::AnthropicNode).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn python_reads_the_same_streams_however_they_are_cut() {
    for client in [Client::OpenAiPython, Client::AnthropicPython, Client::GeminiPython] {
        same_however_cut(client).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn node_reads_the_same_streams_however_they_are_cut() {
    for client in [Client::OpenAiNode, Client::AnthropicNode] {
        same_however_cut(client).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_compresses_can_be_read() {
    let ai = Ai::start();
    let client = Client::OpenAiNode;
    let read = |encoding: Encoding| {
        ai.answer(Answer::echo().encoded(encoding));
        client.run(&format!("http://{}", ai.upstream.addr()), &["chat", "stream"])
    };
    let plain = read(Encoding::Identity);
    for encoding in [Encoding::Gzip, Encoding::Deflate, Encoding::Brotli] {
        assert_eq!(read(encoding), plain, "{encoding:?}");
    }
}

/// What the comparison with the filter stands on: it may hold text back, and so cut the deltas elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn streams_of_other_deltas_are_the_same_once_joined() {
    for client in [Client::OpenAiNode, Client::AnthropicNode, Client::GeminiPython] {
        let ai = Ai::start();
        let read = |delta: usize| {
            // thinking is never touched, and so compared as it is cut: here it is one delta
            ai.answer(Answer::echo().deltas_of(delta).thinking("2+2"));
            client.run(&format!("http://{}", ai.upstream.addr()), client.scenarios())
        };
        let (few, many) = (read(9), read(4));
        for (scenario, few) in &few {
            let many = &many[scenario];
            assert_eq!(many.ends, few.ends, "{client:?}, {scenario}");
            let cut_short = scenario.ends_with("error_midstream");
            assert!(cut_short || joined(&many.events) == joined(&few.events), "{client:?}, {scenario}");
        }
    }
}

#[test]
fn streams_that_differ_in_their_cuts_only_are_the_same_and_others_are_not() {
    let event = |text: &str, index: u32| json!(["event", {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text}}]);
    let stop = json!(["event", {"type": "content_block_stop", "index": 0}]);
    let whole = [event("ada", 0), stop.clone()];
    assert_eq!(joined(&whole), joined(&[event("a", 0), event("da", 0), stop.clone()]));
    assert_ne!(joined(&whole), joined(&[event("ad", 0), stop.clone()]));
    assert_ne!(joined(&whole), joined(&[event("ad", 0), event("a", 1), stop.clone()]));
    assert_ne!(joined(&whole), joined(&[stop, event("ada", 0)]));
}
