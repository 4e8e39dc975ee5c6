//! pii-redactor: what it costs to read bodies, and by how much the first byte of a stream is later.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use harness::{Bootstrap, Envoy, EnvoyOptions, Error, Listener, PluginConfig, Result, route_to, virtual_hosts};
use serde_json::json;

use crate::figures::Summary;
use crate::measure::{Contender, Costs, Plan, worker_time};
use crate::pump::{Answer, Ask, Connection, Counted, Parts, Service};
use crate::report::{Floor, MEASURED, NO_FILTER, SAME_CALLS, shown, size_floor};
use crate::scene::{Filter, World};
use crate::text::Text;

/// The place of the filter that scans.
const SCAN: usize = 4;
/// The place of pii-redactor that only reports.
const REPORT: usize = 5;

/// What is demanded of pii-redactor: megabytes in a second of the worker's time, of prose without a value and with one in each
/// kB; by how many microseconds the first byte of a stream may be later; how many bytes its module may have.
const PROSE: f64 = 100.0;
const VALUES: f64 = 60.0;
const FIRST_BYTE: f64 = 1000.0;
const SIZE: u64 = 1_500_000;

/// How many streams each contender has in a round for the time of the first byte.
const STREAMS: usize = 200;
/// The time between events that come one by one: long enough for each to be read by itself.
const PAUSE: Duration = Duration::from_micros(100);
/// What a worker needs after a large body to clean up and fall asleep.
const SETTLE: Duration = Duration::from_millis(20);
const TITLE_FIRST_BYTE: &str = "The first byte of a stream";

/// Those to measure beside the first four, in the order that the report counts on; others may follow.
pub(crate) fn beside(copy: &Path, wasm: &Path) -> [Contender; 2] {
    let scan = Filter { config: PluginConfig::from("scan"), ..Filter::bare(copy.into()) };
    let contender = |name: &str, filter: Filter| Contender { name: name.to_owned(), filter };
    [contender("same calls and a scan", scan), contender("pii-redactor, report", filter(wasm, "report"))]
}

/// The built module with all detectors on.
pub(crate) fn filter(wasm: &Path, mode: &str) -> Filter {
    // a body of 100 MB has as many values as a request may have; that limit is not what is measured
    let config = json!({"mode": mode, "entities": {"preset": "all@1"}, "limits": {"maxValues": 1_000_000}});
    Filter { config: config.into(), ..Filter::bare(wasm.into()) }
}

/// What one figure is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Bytes(usize),
    Events(usize),
}

/// One kind of body, in one direction.
struct Scene {
    title: &'static str,
    is_request: bool,
    ask: Ask,
    unit: Unit,
    /// What there is to be counted in what is sent, and how many values.
    sent: Counted,
    values: usize,
    /// At least so many megabytes per second are demanded.
    floor: Option<f64>,
}

/// What came of one scene: seconds of CPU for each contender in each round.
struct Measured {
    title: &'static str,
    unit: Unit,
    floor: Option<f64>,
    costs: Costs,
}

/// All that was measured.
pub(crate) struct Outcome {
    scenes: Vec<Measured>,
    /// Microseconds until the first byte.
    first_byte: Costs,
}

/// A service with its answers, and the scenes that ask for them.
struct Stage {
    service: Service,
    scenes: Vec<Scene>,
    stream: Ask,
}

impl Stage {
    /// Bodies of that many bytes; `all` or only those that something is demanded of.
    fn new(size: usize, all: bool) -> Result<Self> {
        let service = Service::start()?;
        let small = json_answer(vec![Arc::from(&b"{\"id\":\"1\"}"[..])]);
        let small = service.answer(small);
        let mut scenes = Vec::new();
        let mut both = |text: Text, titles: [&'static str; 2], floor: Option<f64>| {
            let (values, text) = (text.values, Arc::from(text.bytes));
            scenes.push(Scene::request(titles[0], &text, small, values, floor));
            scenes.push(Scene::response(titles[1], &text, &service, values, floor));
        };
        let titles = ["Requests: prose without a value", "Answers: prose without a value"];
        both(Text::prose(size), titles, Some(PROSE));
        let titles = ["Requests: prose with a value in each kB", "Answers: prose with a value in each kB"];
        both(Text::values(size), titles, Some(VALUES));
        if all {
            let titles = ["Requests: escapes and CJK", "Answers: escapes and CJK"];
            both(Text::escapes(size), titles, None);
            let (many, few) = (size / 1000, size / 20_000);
            scenes.push(Scene::stream("Streams: events as fast as they go", many, None, &service));
            scenes.push(Scene::stream("Streams: events one by one", few, Some(PAUSE), &service));
        }
        let short = Answer { pause: None, ..stream_answer(&["", "The", " mesh"].map(event)) };
        let stream = Ask { parts: small_request(), answer: service.answer(short) };
        Ok(Self { service, scenes, stream })
    }
}

impl Scene {
    fn request(title: &'static str, text: &Arc<[u8]>, answer: usize, values: usize, floor: Option<f64>) -> Self {
        let parts = around(r#"{"model":"gpt-5","messages":[{"role":"user","content":""#, text, r#""}]}"#);
        let (unit, sent) = (Unit::Bytes(bytes(&parts)), Counted::of(&parts));
        Self { title, is_request: true, ask: Ask { parts, answer }, unit, sent, values, floor }
    }

    fn response(title: &'static str, text: &Arc<[u8]>, service: &Service, values: usize, floor: Option<f64>) -> Self {
        let before = r#"{"id":"chatcmpl-1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":""#;
        let parts = around(before, text, r#""},"finish_reason":"stop"}]}"#);
        let (unit, sent) = (Unit::Bytes(bytes(&parts)), Counted::of(&parts));
        let ask = Ask { parts: small_request(), answer: service.answer(json_answer(parts)) };
        Self { title, is_request: false, ask, unit, sent, values, floor }
    }

    fn stream(title: &'static str, count: usize, pause: Option<Duration>, service: &Service) -> Self {
        let first = [""].into_iter().chain(Text::words(count.saturating_sub(1)));
        let events: Vec<_> = first.enumerate().map(|(at, word)| event(spaced(at, word))).collect();
        let answer = match pause {
            Some(_) => Answer { pause, ..stream_answer(&events) },
            None => {
                let mut answer = stream_answer(&events);
                answer.parts = vec![answer.parts.concat().into()];
                answer
            }
        };
        let sent = Counted::of(&answer.parts);
        let ask = Ask { parts: small_request(), answer: service.answer(answer) };
        Self { title, is_request: false, ask, unit: Unit::Events(count), sent, values: 0, floor: None }
    }

    /// Seconds of the worker's CPU time for one body.
    fn turn(&self, proxy: &mut Proxy, service: &Service, place: usize, count: bool) -> Result<f64> {
        let before = worker_time(&proxy.envoy)?;
        let passed = proxy.connection.ask(service, &self.ask, count)?;
        std::thread::sleep(SETTLE);
        let spent = worker_time(&proxy.envoy)?.saturating_sub(before);
        let counted = if self.is_request { passed.request } else { passed.response };
        if count && counted != self.expected(place) {
            return Err(Error::new(format!("{counted:?} came out, where {:?} was to", self.expected(place))));
        }
        Ok(spent.as_secs_f64())
    }

    /// What is to be counted of what comes out: of each value there is a placeholder, where values are taken out.
    fn expected(&self, place: usize) -> Counted {
        let redacts = place == MEASURED || place > REPORT;
        Counted { brackets: self.sent.brackets + if redacts { self.values } else { 0 }, ..self.sent }
    }
}

/// Words of a stream come with the space before them.
fn spaced(at: usize, word: &str) -> String {
    if at > 1 { format!(" {word}") } else { word.to_owned() }
}

fn around(before: &str, text: &Arc<[u8]>, after: &str) -> Parts {
    vec![before.as_bytes().into(), Arc::clone(text), after.as_bytes().into()]
}

fn bytes(parts: &[Arc<[u8]>]) -> usize {
    parts.iter().map(|part| part.len()).sum()
}

fn small_request() -> Parts {
    vec![Arc::from(&br#"{"model":"gpt-5","stream":true,"messages":[{"role":"user","content":"Go on."}]}"#[..])]
}

fn json_answer(parts: Parts) -> Answer {
    Answer { content_type: "application/json", chunked: false, parts, pause: None }
}

/// A stream as OpenAI's chat sends it, each event in a chunk of its own.
fn stream_answer(events: &[String]) -> Answer {
    let chunk = |event: &str| Arc::from(format!("{:x}\r\n{event}\r\n", event.len()).into_bytes());
    let mut parts: Parts = events.iter().map(|event| chunk(event)).collect();
    parts.push(chunk("data: [DONE]\n\n"));
    parts.push(Arc::from(&b"0\r\n\r\n"[..]));
    Answer { content_type: "text/event-stream", chunked: true, parts, pause: None }
}

fn event(content: impl AsRef<str>) -> String {
    let content = json!(content.as_ref());
    format!(
        r#"data: {{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764115200,"model":"gpt-5","choices":[{{"index":0,"delta":{{"content":{content}}},"logprobs":null,"finish_reason":null}}]}}"#
    ) + "\n\n"
}

/// One Envoy with one filter, and a connection to it.
struct Proxy {
    envoy: Envoy,
    connection: Connection,
}

impl Proxy {
    async fn start(world: &World, filter: &Filter, service: &Service) -> Result<Self> {
        let mut route = route_to("model");
        route["route"]["timeout"] = json!("0s");
        let listener = Listener::http("main", virtual_hosts([route]));
        let listener = filter.plugin(false).iter().fold(listener, Listener::wasm);
        let bootstrap = Bootstrap::new().listener(listener).cluster("model", service.address);
        let options = EnvoyOptions::new(&world.binary, bootstrap)
            .launcher(&world.cores.launcher())
            .log_level("warning", "wasm:info");
        let envoy = Envoy::start(options).await?;
        let connection = Connection::open(envoy.addr("main"))?;
        Ok(Self { envoy, connection })
    }
}

/// Measures all contenders side by side, with bodies of `size` bytes.
pub(crate) async fn measure(
    world: &World,
    contenders: &[Contender],
    plan: Plan,
    size: usize,
    all: bool,
) -> Result<Outcome> {
    let stage = Stage::new(size, all)?;
    let nothing = || Costs(vec![Vec::new(); contenders.len()]);
    let (mut costs, mut first_byte) = (vec![nothing(); stage.scenes.len()], nothing());
    for start in 1..=plan.starts {
        let mut proxies = Vec::new();
        for contender in contenders {
            proxies.push(Proxy::start(world, &contender.filter, &stage.service).await?);
        }
        for round in 0..=plan.rounds {
            let step = if round == 0 { "warming up".into() } else { format!("round {round} of {}", plan.rounds) };
            for (scene, costs) in stage.scenes.iter().zip(&mut costs) {
                eprintln!("start {start} of {}, {step}: {}", plan.starts, scene.title);
                let spent =
                    bodies(scene, &mut proxies, &stage.service, round).map_err(named(contenders, scene.title))?;
                costs.add(&spent, round > 0);
            }
            eprintln!("start {start} of {}, {step}: {TITLE_FIRST_BYTE}", plan.starts);
            let waited = first_bytes(&stage, &mut proxies).map_err(named(contenders, TITLE_FIRST_BYTE))?;
            first_byte.add(&waited, round > 0);
        }
    }
    let measured =
        |(scene, costs): (&Scene, Costs)| Measured { title: scene.title, unit: scene.unit, floor: scene.floor, costs };
    Ok(Outcome { scenes: stage.scenes.iter().zip(costs).map(measured).collect(), first_byte })
}

/// Says whose error it is, and of which scene.
fn named<'a>(contenders: &'a [Contender], title: &'a str) -> impl Fn((usize, Error)) -> Error + 'a {
    move |(place, error)| {
        let name = contenders.get(place).map_or("", |contender| &contender.name);
        Error::new(format!("{name}, {title}: {error}"))
    }
}

/// One body through each, another one first in each round. What comes out is counted in the first round, which is not measured.
fn bodies(scene: &Scene, proxies: &mut [Proxy], service: &Service, round: usize) -> Result<Vec<f64>, (usize, Error)> {
    let mut spent = vec![0.0; proxies.len()];
    for turn in 0..proxies.len() {
        let place = (round + turn) % proxies.len();
        spent[place] = scene.turn(&mut proxies[place], service, place, round == 0).map_err(|error| (place, error))?;
    }
    Ok(spent)
}

/// Many short streams through each in turns: microseconds from when the service began to answer to the first byte of its
/// body, the median of each.
fn first_bytes(stage: &Stage, proxies: &mut [Proxy]) -> Result<Vec<f64>, (usize, Error)> {
    let mut waited = vec![Vec::new(); proxies.len()];
    for stream in 0..STREAMS {
        for turn in 0..proxies.len() {
            let place = (stream + turn) % proxies.len();
            let passed = proxies[place].connection.ask(&stage.service, &stage.stream, false);
            let passed = passed.map_err(|error| (place, error))?;
            waited[place].push(passed.first_byte.as_secs_f64() * 1e6);
        }
    }
    Ok(waited.into_iter().map(|waited| Summary::of(waited).map_or(0.0, |waited| waited.median)).collect())
}

impl Measured {
    /// How much passes in a second of the worker's time: megabytes, or events.
    fn speed(&self, place: usize) -> Option<Summary> {
        let amount = match self.unit {
            Unit::Bytes(bytes) => bytes as f64 / 1e6,
            Unit::Events(events) => events as f64,
        };
        Summary::of(self.costs.0.get(place)?.iter().map(|cost| amount / cost))
    }

    fn floor(&self) -> Option<Floor> {
        let (floor, speed) = (self.floor?, self.speed(MEASURED)?);
        let title = self.title;
        let line = format!("{title}: at least {floor} MB in a second of the worker's time: {speed:.1}");
        Some(Floor { met: speed.median >= floor, line })
    }

    fn table(&self, contenders: &[Contender]) -> String {
        let (of, (first, second)) = match self.unit {
            Unit::Bytes(bytes) => {
                (format!("{:.1} MB", bytes as f64 / 1e6), ("MB per second of CPU", "ms of CPU per MB"))
            }
            Unit::Events(events) => (format!("{events} events"), ("events per second of CPU", "µs of CPU per event")),
        };
        let mut text = format!("## {}\n\n{of} in each turn.\n\n", self.title);
        let _ = writeln!(text, "| filter | {first} | {second} | × no filter | × same calls | × scan |");
        text.push_str("|---|---|---|---|---|---|\n");
        let (amount, digits) = match self.unit {
            Unit::Bytes(bytes) => (bytes as f64 / 1e9, (1, 2)),
            Unit::Events(events) => (events as f64 / 1e6, (0, 2)),
        };
        for (place, contender) in contenders.iter().enumerate() {
            let over = |other: usize| shown(self.costs.ratio(place, other).filter(|_| other != place), 2);
            let cost = self.costs.0.get(place).and_then(|costs| Summary::of(costs.iter().map(|cost| cost / amount)));
            let (speed, cost) = (shown(self.speed(place), digits.0), shown(cost, digits.1));
            let (none, same, scan) = (over(NO_FILTER), over(SAME_CALLS), over(SCAN));
            // writing to a string cannot fail
            let _ = writeln!(text, "| {} | {speed} | {cost} | {none} | {same} | {scan} |", contender.name);
        }
        text
    }
}

impl Outcome {
    pub(crate) fn floors(&self, contenders: &[Contender]) -> Vec<Floor> {
        let mut floors: Vec<Floor> = self.scenes.iter().filter_map(Measured::floor).collect();
        if let Some(later) = self.first_byte.difference(MEASURED, NO_FILTER) {
            let line = format!("the first byte of a stream at most {FIRST_BYTE} µs later than without: {later:.0}");
            floors.push(Floor { met: later.median <= FIRST_BYTE, line });
        }
        floors.extend(size_floor(contenders, SIZE));
        floors
    }

    pub(crate) fn tables(&self, contenders: &[Contender]) -> String {
        let mut text = String::new();
        for scene in &self.scenes {
            text.push_str(&scene.table(contenders));
            text.push('\n');
        }
        let _ = writeln!(
            text,
            "## {TITLE_FIRST_BYTE}\n\nFrom when the service began to answer to the first byte of the body at the client, by the \
             clock; medians of {STREAMS} streams.\n"
        );
        text.push_str("| filter | µs | µs more than no filter |\n|---|---|---|\n");
        for (place, contender) in contenders.iter().enumerate() {
            let waited = self.first_byte.cost(place);
            let later = self.first_byte.difference(place, NO_FILTER).filter(|_| place != NO_FILTER);
            let _ = writeln!(text, "| {} | {} | {} |", contender.name, shown(waited, 0), shown(later, 0));
        }
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_and_answered_is_json() {
        let stage = Stage::new(4_000_000, true).unwrap();
        assert_eq!(stage.scenes.len(), 8);
        for scene in &stage.scenes {
            assert!(serde_json::from_slice::<serde_json::Value>(&scene.ask.parts.concat()).is_ok(), "{}", scene.title);
        }
        let values: Vec<bool> = stage.scenes.iter().map(|scene| scene.values > 3_900).collect();
        assert_eq!(values, [false, false, true, true, false, false, false, false]);
        let event = event("a\"b");
        let data = event.strip_prefix("data: ").and_then(|event| event.strip_suffix("\n\n")).unwrap();
        let read: serde_json::Value = serde_json::from_str(data).unwrap();
        assert_eq!(read["choices"][0]["delta"]["content"], "a\"b");
    }

    #[test]
    fn speed_is_what_passes_in_a_second() {
        let costs = Costs(vec![vec![0.5, 0.5]; 4]);
        let measured = Measured { title: "x", unit: Unit::Bytes(30_000_000), floor: Some(60.0), costs };
        assert_eq!(measured.speed(MEASURED).unwrap().median, 60.0);
        assert!(measured.floor().unwrap().met);
    }
}
