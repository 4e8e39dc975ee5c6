//! The published OpenFeature clients, and services that read headers, get the same values of flag-headers.
//!
//! `OPENFEATURE_CLIENTS` is the directory that `tools/openfeature.sh` prints, and `NODE` a node of 20 or newer; `python3` is the
//! one on `PATH`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use e2e::flags::{FLAGS_HOST, FakeUnleash, HOST, Mesh, Setup, config, each, home, until};
use e2e::with;
use harness::{Headers, Process, Reply, Request, envoy_binaries, workspace_root};
use serde_json::{Value, json};

/// The file or directory that an environment variable names.
fn installed(variable: &str) -> PathBuf {
    let path = PathBuf::from(std::env::var_os(variable).unwrap_or_default());
    assert!(!path.as_os_str().is_empty(), "no OpenFeature clients to test with: set {variable} or run `make test`");
    assert!(path.exists(), "{variable} names {}, which is not there: fix it or run `make test`", path.display());
    path
}

/// An OpenFeature client in a process of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Client {
    /// Node's server SDK with the provider as it is published, or as it is from 0.2.2 on.
    Node { provider: &'static str },
    /// The Python SDK.
    Python,
    /// The web SDK: all flags by one request for each context.
    Web,
}

/// Those that ask for each flag.
const SINGLE: [Client; 3] = [Client::Node { provider: "published" }, Client::Node { provider: "core" }, Client::Python];

impl Client {
    /// Gives a job to it that asks the proxy.
    fn run(self, mesh: &Mesh, job: Value) -> Value {
        let mut job = with(job, "/baseUrl", json!(format!("http://{}", mesh.envoy.addr("main"))));
        job["headers"] = json!({"host": FLAGS_HOST});
        // longer than a busy machine takes
        job["timeoutSeconds"] = json!(20);
        let clients = installed("OPENFEATURE_CLIENTS");
        let programs = workspace_root().join("tests/openfeature");
        let mut command = match self {
            Self::Python => Command::new("python3"),
            _ => Command::new(installed("NODE")),
        };
        match self {
            Self::Node { provider } => {
                job["provider"] = json!(provider);
                command.arg(programs.join("node/evaluate.mjs"))
            }
            Self::Web => command.arg(programs.join("node/bulk.mjs")),
            Self::Python => command.arg(programs.join("python/evaluate.py")),
        };
        command.env("NODE_PATH", clients.join("node/node_modules")).env("PYTHONPATH", clients.join("python"));
        // where the programs are belongs to the sources
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut client = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        client.stdin.take().unwrap().write_all(job.to_string().as_bytes()).unwrap();
        let output = client.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{self:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{self:?} said {}", text(&output.stdout)))
    }

    /// Evaluates flags, each `(name, type, the client's default, context)`; gives the details by their order.
    fn evaluate(self, mesh: &Mesh, asked: &[Asked]) -> Vec<Value> {
        let one = |asked: &Asked| {
            let (flag, kind, default, context) = asked;
            json!({"flag": flag, "type": kind, "default": default, "context": context})
        };
        let job = json!({"evaluations": asked.iter().map(one).collect::<Vec<_>>()});
        let answer = self.run(mesh, job);
        let evaluations = answer["evaluations"].as_array().unwrap().clone();
        assert_eq!(evaluations.len(), asked.len(), "{answer}");
        evaluations
    }
}

type Asked = (&'static str, &'static str, Value, Value);

/// The flags of these tests: of each type, with one that only the configuration knows and one whose payload is no number.
fn typed() -> Value {
    let payload = |kind: &str, default: Value| {
        if default.is_null() { json!({"type": kind}) } else { json!({"type": kind, "default": default}) }
    };
    let flags = json!([
        {"name": "new-ui-enabled"},
        {"name": "ai-safety-pii", "default": true},
        {"name": "ai-provider-openai-enabled", "default": true, "variant": true},
        {"name": "ai-timeout-seconds", "payload": payload("number", json!(30))},
        {"name": "ai-temperature", "payload": payload("number", json!(0.5))},
        {"name": "greeting", "payload": payload("string", json!("hello"))},
        {"name": "regions", "payload": payload("csv", json!("eu"))},
        {"name": "limits", "payload": payload("json", json!({"requests": 1}))},
        {"name": "no-number", "payload": payload("number", json!(7))},
        {"name": "no-payload", "payload": payload("string", Value::Null)},
        {"name": "archived", "default": true},
    ]);
    with(config(), "/flags", flags)
}

/// What Unleash answers for them: `new-ui-enabled` for these users, the timeout.
fn document(users: &[&str], timeout: &str) -> Value {
    let of = |name: &str, kind: &str, value: &str| {
        json!({"name": name, "enabled": true, "strategies": [{"name": "default"}],
               "variants": [{"name": "only", "weight": 1000, "payload": {"type": kind, "value": value}}]})
    };
    let for_users = json!([{"contextName": "userId", "operator": "IN", "values": users}]);
    json!({"version": 2, "features": [
        {"name": "new-ui-enabled", "enabled": true, "strategies": [{"name": "default", "constraints": for_users}]},
        {"name": "ai-safety-pii", "enabled": false, "strategies": [{"name": "default"}]},
        {"name": "ai-provider-openai-enabled", "enabled": true, "strategies": [{"name": "default"}],
         "variants": [{"name": "large", "weight": 500, "stickiness": "userId"}, {"name": "small", "weight": 500, "stickiness": "userId"}]},
        of("ai-timeout-seconds", "number", timeout),
        of("ai-temperature", "number", "2.5"),
        of("greeting", "string", "Grüße, 100 %"),
        of("regions", "csv", "eu,us"),
        of("limits", "json", r#"{"requests": 3, "models": ["é", 1.5]}"#),
        of("no-number", "string", "seven"),
        {"name": "no-payload", "enabled": true, "strategies": [{"name": "default"}]},
        {"name": "secret-flag", "enabled": true, "strategies": [{"name": "default"}]},
    ]})
}

/// Every flag of [`typed`] with its type and a default that no flag has.
fn questions(context: &Value) -> Vec<Asked> {
    let mut asked = vec![
        ("new-ui-enabled", "boolean", json!(false)),
        ("ai-safety-pii", "boolean", json!(true)),
        ("ai-provider-openai-enabled", "boolean", json!(false)),
        ("ai-timeout-seconds", "number", json!(-1)),
        ("ai-temperature", "number", json!(-1.5)),
        ("greeting", "string", json!("the client's")),
        ("regions", "string", json!("the client's")),
        ("limits", "object", json!({"client": true})),
        ("no-number", "number", json!(-1)),
        ("archived", "boolean", json!(false)),
    ];
    asked.drain(..).map(|(flag, kind, default)| (flag, kind, default, context.clone())).collect()
}

/// What a flag's headers say, as a value of that type. Everything after the first header's `%` is decoded as a service would.
fn by_header(headers: &Headers, flag: &str, kind: &str) -> Value {
    let text = |name: &str| headers.text(&format!("{name}{flag}"));
    match kind {
        "boolean" => json!(text("x-flag-").unwrap() == "true"),
        "string" => json!(decoded(&text("x-flagpayload-").unwrap())),
        _ => serde_json::from_str(&text("x-flagpayload-").unwrap()).unwrap(),
    }
}

fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).unwrap()
}

/// No application has seen anything since the last look.
fn untouched(mesh: &Mesh) {
    let seen = mesh.app.take_requests();
    assert!(seen.is_empty(), "an application saw {seen:#?}");
}

/// What the clients give of an evaluation; the rest differs between them.
fn essence(found: &Value) -> Value {
    json!([found["value"], found["variant"], found["reason"], found["flagMetadata"]["source"], found["errorCode"]])
}

async fn live(mesh: &Mesh) {
    mesh.until("live", |page| page["source"] == "live").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_get_the_same_values_as_the_headers() {
    let unleash = FakeUnleash::start(&document(&["ada"], "45"));
    each(Setup::new(typed(), Some(unleash.upstream.addr())), async |mesh: Mesh| {
        live(&mesh).await;
        let users = ["ada", "bob", "eve"];
        let mut by_headers = Vec::new();
        for user in users {
            let headers = mesh.seen(home(user)).await;
            let mut of_user: Vec<Value> =
                questions(&json!({})).iter().map(|(flag, kind, ..)| by_header(&headers, flag, kind)).collect();
            let variant = headers.text("x-flagvariant-ai-provider-openai-enabled").unwrap();
            of_user.push(json!(variant));
            by_headers.push(of_user);
        }
        for client in SINGLE {
            let asked: Vec<Asked> = users.iter().flat_map(|user| questions(&json!({"targetingKey": user}))).collect();
            let found = client.evaluate(&mesh, &asked);
            untouched(&mesh);
            for ((user, headers), found) in users.iter().zip(&by_headers).zip(found.chunks(questions(&json!({})).len()))
            {
                let mut values: Vec<Value> = found.iter().map(|found| found["value"].clone()).collect();
                values.push(found[2]["variant"].clone());
                assert_eq!(&values, headers, "{client:?} for {user}");
            }
            let variant = by_headers[0].last().unwrap();
            let expected = [
                json!([true, "on", "TARGETING_MATCH", "live", null]),
                json!([false, "off", "DISABLED", "live", null]),
                json!([true, variant, "SPLIT", "live", null]),
                json!([45, "only", "SPLIT", "live", null]),
                json!([2.5, "only", "SPLIT", "live", null]),
                json!(["Grüße, 100 %", "only", "SPLIT", "live", null]),
                json!(["eu,us", "only", "SPLIT", "live", null]),
                json!([{"requests": 3, "models": ["é", 1.5]}, "only", "SPLIT", "live", null]),
                json!([7, "only", "SPLIT", "live", null]),
                json!([true, "on", "DEFAULT", "live", null]),
            ];
            let ada: Vec<Value> = found.iter().take(expected.len()).map(essence).collect();
            assert_eq!(ada, expected, "{client:?}");
            assert_eq!(found[expected.len()]["value"], false, "bob has no new ui: {client:?}");
        }
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_fall_back_to_their_own_default_and_say_why() {
    let unleash = FakeUnleash::start(&document(&["ada"], "45"));
    each(Setup::new(typed(), Some(unleash.upstream.addr())), async |mesh: Mesh| {
        live(&mesh).await;
        let ada = json!({"targetingKey": "ada"});
        let asked: [Asked; 6] = [
            ("no-such-flag", "boolean", json!(true), ada.clone()),
            // in Unleash, and not exposed: nobody can tell
            ("secret-flag", "boolean", json!(false), ada.clone()),
            ("secret-flag", "string", json!("mine"), ada.clone()),
            ("ai-timeout-seconds", "boolean", json!(true), ada.clone()),
            ("greeting", "number", json!(3), ada.clone()),
            ("no-payload", "string", json!("mine"), ada.clone()),
        ];
        for client in SINGLE {
            let found = client.evaluate(&mesh, &asked);
            for ((_, _, default, _), found) in asked.iter().zip(&found) {
                assert_eq!(&found["value"], default, "{client:?}");
            }
            let codes: Vec<&Value> = found.iter().take(5).map(|found| &found["errorCode"]).collect();
            let expected = ["FLAG_NOT_FOUND", "FLAG_NOT_FOUND", "FLAG_NOT_FOUND", "TYPE_MISMATCH", "TYPE_MISMATCH"];
            assert_eq!(codes, expected, "{client:?}");
            assert!(found.iter().take(5).all(|found| found["reason"] == "ERROR"), "{client:?}: {found:?}");
            // No payload and no default for it: the answer holds no value, which the oldest provider calls an error.
            let expected = if client == SINGLE[0] { json!("GENERAL") } else { Value::Null };
            assert_eq!(found[5]["errorCode"], expected, "{client:?}");
        }
        untouched(&mesh);
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_see_where_values_come_from() {
    for binary in envoy_binaries() {
        let unleash = FakeUnleash::start(&document(&["ada"], "45"));
        let mesh = Mesh::start(&binary, &Setup::new(typed(), Some(unleash.upstream.addr()))).await;
        live(&mesh).await;
        unleash.answer_with(|_| Reply::new(500));
        mesh.until("stale", |page| page["source"] == "stale").await;
        let asked = questions(&json!({"targetingKey": "ada"}));
        let sources = async |expected: [Value; 3]| {
            let headers = mesh.seen(home("ada")).await;
            assert_eq!(json!(headers.text("x-flags-source")), expected[0][2], "{headers:?}");
            for client in SINGLE {
                let found = client.evaluate(&mesh, &asked);
                let places = [0, 3, 9].map(|place| &found[place]);
                let told =
                    places.map(|found| json!([found["value"], found["reason"], found["flagMetadata"]["source"]]));
                assert_eq!(told, expected, "{client:?}");
                for (found, (flag, kind, ..)) in found.iter().zip(&asked) {
                    assert_eq!(found["value"], by_header(&headers, flag, kind), "{client:?}: {flag}");
                }
            }
            untouched(&mesh);
        };
        sources([json!([true, "STALE", "stale"]), json!([45, "STALE", "stale"]), json!([true, "DEFAULT", "stale"])])
            .await;

        let mut alone = typed();
        alone.as_object_mut().unwrap().remove("unleash");
        mesh.configure(alone.clone()).await;
        mesh.until("default", |page| page["source"] == "default").await;
        let default = |value: Value| json!([value, "DEFAULT", "default"]);
        sources([default(json!(false)), default(json!(30)), default(json!(true))]).await;

        mesh.configure(with(alone, "/bootstrap", document(&["ada"], "20"))).await;
        mesh.until("bootstrap", |page| page["source"] == "bootstrap").await;
        let of = |value: Value, reason: &str| json!([value, reason, "bootstrap"]);
        sources([of(json!(true), "TARGETING_MATCH"), of(json!(20), "SPLIT"), of(json!(true), "DEFAULT")]).await;
        mesh.assert_whole().await;
    }
}

/// Flags that are each on for one thing in a context.
fn mapped() -> Value {
    let of = |name: &str, field: &str, operator: &str, value: Value| {
        let place = if value.is_array() { "values" } else { "value" };
        let constraint = json!({"contextName": field, "operator": operator, place: value});
        json!({"name": name, "enabled": true, "strategies": [{"name": "default", "constraints": [constraint]}]})
    };
    json!({"version": 2, "features": [
        of("for-ada", "userId", "IN", json!(["ada"])),
        of("for-session", "sessionId", "IN", json!(["s-1"])),
        of("for-address", "remoteAddress", "IN", json!(["10.1.2.3"])),
        of("for-staging", "environment", "IN", json!(["staging"])),
        of("for-batch", "appName", "IN", json!(["batch"])),
        of("for-future", "currentTime", "DATE_AFTER", json!("2100-01-01T00:00:00Z")),
        of("for-pro", "plan", "IN", json!(["pro"])),
        of("for-teams", "seats", "NUM_GTE", json!("10")),
        of("for-staff", "staff", "IN", json!(["true"])),
    ]})
}

const MAPPED: [&str; 9] = [
    "for-ada",
    "for-session",
    "for-address",
    "for-staging",
    "for-batch",
    "for-future",
    "for-pro",
    "for-teams",
    "for-staff",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_context_of_clients_is_unleashs_context() {
    let contexts = [
        (json!({"targetingKey": "ada"}), vec!["for-ada"]),
        (json!({"targetingKey": "bob", "userId": "ada"}), vec!["for-ada"]),
        (json!({"targetingKey": "ada", "userId": "bob"}), vec![]),
        (json!({"targetingKey": "ada", "userId": ""}), vec!["for-ada"]),
        (json!({"targetingKey": "bob", "sessionId": "s-1"}), vec!["for-session"]),
        (json!({"targetingKey": "bob", "remoteAddress": "10.1.2.3"}), vec!["for-address"]),
        (json!({"targetingKey": "bob", "environment": "staging"}), vec!["for-staging"]),
        (json!({"targetingKey": "bob", "appName": "batch"}), vec!["for-batch"]),
        (json!({"targetingKey": "bob", "currentTime": "2100-01-02T00:00:00Z"}), vec!["for-future"]),
        (json!({"targetingKey": "bob", "plan": "pro"}), vec!["for-pro"]),
        (json!({"targetingKey": "bob", "properties": {"plan": "pro"}}), vec!["for-pro"]),
        (json!({"targetingKey": "bob", "seats": 12}), vec!["for-teams"]),
        (json!({"targetingKey": "bob", "seats": 9.5, "staff": true}), vec!["for-staff"]),
        (json!({"targetingKey": "ada", "plan": "pro", "sessionId": "s-1"}), vec!["for-ada", "for-session", "for-pro"]),
        // what no constraint can mean is left out, and spoils nothing
        (json!({"targetingKey": "ada", "plan": ["pro"], "seats": {"n": 12}}), vec!["for-ada"]),
    ];
    let flags: Vec<Value> = MAPPED.iter().map(|name| json!({"name": name})).collect();
    let unleash = FakeUnleash::start(&mapped());
    each(Setup::new(with(config(), "/flags", json!(flags)), Some(unleash.upstream.addr())), async |mesh: Mesh| {
        live(&mesh).await;
        let on = |found: &[Value]| -> Vec<String> {
            let on = found.iter().filter(|found| found["value"] == true);
            on.map(|found| found["flag"].as_str().unwrap().to_owned()).collect()
        };
        let of_context = |context: &Value| MAPPED.map(|flag| (flag, "boolean", json!(false), context.clone()));
        let asked: Vec<Asked> = contexts.iter().flat_map(|(context, _)| of_context(context)).collect();
        for client in SINGLE {
            let found = client.evaluate(&mesh, &asked);
            for ((context, expected), found) in contexts.iter().zip(found.chunks(MAPPED.len())) {
                assert_eq!(&on(found), expected, "{client:?}: {context}");
            }
        }
        let steps: Vec<Value> = contexts.iter().map(|(context, _)| json!({"context": context})).collect();
        let evaluations = MAPPED.map(|flag| json!({"flag": flag, "type": "boolean", "default": false}));
        let found = Client::Web.run(&mesh, json!({"steps": steps, "evaluations": evaluations}));
        for ((context, expected), step) in contexts.iter().zip(found["steps"].as_array().unwrap()) {
            assert_eq!(&on(step["evaluations"].as_array().unwrap()), expected, "web: {context}");
        }
        untouched(&mesh);

        let request = home("ada").header("x-plan", "pro").header("cookie", "sid=s-1");
        let headers = mesh.seen(request).await;
        let on = MAPPED.iter().filter(|flag| headers.text(&format!("x-flag-{flag}")).unwrap() == "true");
        assert_eq!(on.copied().collect::<Vec<_>>(), ["for-ada", "for-session", "for-pro"], "by headers");
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn web_clients_get_all_flags_at_once_and_nothing_twice() {
    let mut document = document(&["ada"], "45");
    let pro = json!([{"contextName": "plan", "operator": "IN", "values": ["pro"]}]);
    let pro = json!({"name": "pro-only", "enabled": true, "strategies": [{"name": "default", "constraints": pro}]});
    document["features"].as_array_mut().unwrap().push(pro);
    let unleash = FakeUnleash::start(&document);
    let config = with(typed(), "/flags/-", json!({"name": "pro-only"}));
    each(Setup::new(config, Some(unleash.upstream.addr())), async |mesh: Mesh| {
        live(&mesh).await;
        let mut asked = questions(&Value::Null);
        asked.push(("pro-only", "boolean", json!(false), Value::Null));
        let mut evaluations: Vec<Value> = asked
            .iter()
            .map(|(flag, kind, default, _)| json!({"flag": flag, "type": kind, "default": default}))
            .collect();
        evaluations.push(json!({"flag": "secret-flag", "type": "boolean", "default": false}));
        evaluations.push(json!({"flag": "no-payload", "type": "string", "default": "mine"}));
        let steps = [("ada", ""), ("ada", ""), ("ada", "pro"), ("bob", "pro")];
        let contexts = steps.map(|(user, plan)| json!({"context": {"targetingKey": user, "plan": plan}}));
        let found = Client::Web.run(&mesh, json!({"steps": contexts, "evaluations": evaluations}));
        untouched(&mesh);
        let mut requests = Vec::new();
        for ((user, plan), step) in steps.iter().zip(found["steps"].as_array().unwrap()) {
            requests.extend(step["requests"].as_array().unwrap());
            let headers = mesh.seen(home(user).header("x-plan", plan)).await;
            let found = step["evaluations"].as_array().unwrap();
            for (found, (flag, kind, ..)) in found.iter().zip(&asked) {
                assert_eq!(found["value"], by_header(&headers, flag, kind), "{flag} for {user} of plan `{plan}`");
                assert_eq!(found["flagMetadata"]["source"], "live", "{found}");
            }
            let [.., secret, bare] = found.as_slice() else { panic!("{step}") };
            assert_eq!((&secret["errorCode"], &secret["value"]), (&json!("FLAG_NOT_FOUND"), &json!(false)), "{secret}");
            assert_eq!((&bare["errorCode"], &bare["value"]), (&Value::Null, &json!("mine")), "{bare}");
        }
        let statuses: Vec<&Value> = requests.iter().map(|request| &request["status"]).collect();
        assert_eq!(statuses, [200, 304, 200, 200], "{requests:#?}");
        // the first tag is asked with again; another plan has another tag; for another user none is asked with
        let tags: Vec<&Value> = requests.iter().map(|request| &request["etag"]).collect();
        assert_eq!((&requests[1]["ifNoneMatch"], &requests[2]["ifNoneMatch"]), (tags[0], tags[0]));
        assert!(tags[1] == tags[0] && tags[2] != tags[0] && tags[3] != tags[2], "{requests:#?}");
        assert_eq!(requests[3]["ifNoneMatch"], Value::Null);

        let all = mesh.ofrep("", json!({"targetingKey": "ada"})).await;
        assert_eq!(all.status, 200);
        assert!(!all.text().contains("secret-flag"), "{}", all.text());
        untouched(&mesh);
        mesh.assert_whole().await;
    })
    .await;
}

/// A directory that goes with its value.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("flag-openfeature-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A service of `filters/flag-headers/clients/node` on a free port.
struct Service {
    process: Process,
    port: u16,
}

impl Service {
    async fn start(arguments: &[&str], file: &Path, env: &[(&str, &str)]) -> Self {
        let mut command = vec![installed("NODE").display().to_string()];
        command.extend(arguments.iter().map(ToString::to_string));
        command.push(file.display().to_string());
        let env: BTreeMap<String, String> =
            env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let process = Process::spawn(&command, &env, None).expect("node");
        let line = process.logs().wait(|line| line.starts_with("listening on ")).await.expect("a service");
        Self { process, port: line["listening on ".len()..].parse().unwrap() }
    }

    fn addr(&self) -> std::net::SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }
}

fn clients() -> PathBuf {
    workspace_root().join("filters/flag-headers/clients/node")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_reads_its_timeout_from_a_header() {
    let service = Service::start(&[], &clients().join("service.mjs"), &[("PORT", "0")]).await;
    let unleash = FakeUnleash::start(&document(&["ada"], "45"));
    let config = with(typed(), "/headers", json!({"all": "x-feature-flags"}));
    let setup = Setup { app: Some(service.addr()), ..Setup::new(config, Some(unleash.upstream.addr())) };
    each(setup, async |mesh: Mesh| {
        unleash.serve(&document(&["ada"], "45"));
        let answer = async |request: Request| mesh.ask(request).await.json().expect("json");
        until("45 from Unleash", async || answer(home("ada")).await["aiTimeoutSeconds"] == 45).await;
        let told = answer(home("ada")).await;
        assert_eq!((&told["newUi"], &told["source"]), (&json!(true), &json!("live")), "{told}");
        assert_eq!(told["headers"]["x-flagpayload-ai-timeout-seconds"], "45", "{told}");
        let variant = &told["headers"]["x-flagvariant-ai-provider-openai-enabled"];
        let all = &told["flags"]["ai-provider-openai-enabled"];
        assert_eq!((&all["enabled"], &all["variant"]), (&json!(true), variant), "{told}");
        assert_eq!(answer(home("bob")).await["newUi"], false);

        // changed in Unleash; what a client says does not count
        unleash.serve(&document(&[], "60"));
        until("60 from Unleash", async || answer(home("ada")).await["aiTimeoutSeconds"] == 60).await;
        let forged =
            home("ada").header("x-flagpayload-ai-timeout-seconds", "99").header("x-flag-new-ui-enabled", "true");
        let told = answer(forged).await;
        assert_eq!((&told["aiTimeoutSeconds"], &told["newUi"]), (&json!(60), &json!(false)), "{told}");

        // what is no number has the proxy's default, and what is beyond the service's limits the service's
        unleash.serve(&document(&[], "soon"));
        until("the proxy's default", async || answer(home("ada")).await["aiTimeoutSeconds"] == 30).await;
        assert_eq!(answer(home("ada")).await["headers"]["x-flagpayload-ai-timeout-seconds"], "30");
        unleash.serve(&document(&[], "9000"));
        let header = "x-flagpayload-ai-timeout-seconds";
        until("9000 in the header", async || answer(home("ada")).await["headers"][header] == "9000").await;
        assert_eq!(answer(home("ada")).await["aiTimeoutSeconds"], 30);
        mesh.assert_whole().await;
    })
    .await;
    assert!(
        !service.process.logs().lines().iter().any(|line| line.contains("rror")),
        "{}",
        service.process.logs().tail(9)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_asks_by_openfeature_as_the_readme_says() {
    // beside its packages, as `npm install` would have it
    let directory = Directory::new();
    let file = directory.0.join("openfeature.mjs");
    std::fs::copy(clients().join("openfeature.mjs"), &file).unwrap();
    let packages = installed("OPENFEATURE_CLIENTS").join("node/node_modules");
    std::os::unix::fs::symlink(packages, directory.0.join("node_modules")).unwrap();
    // in a mesh the name leads to the sidecar; here a line in /etc/hosts would do that
    let hosts = directory.0.join("hosts.mjs");
    let resolves = format!(
        "import dns from 'node:dns';\nconst lookup = dns.lookup;\n\
         dns.lookup = (name, ...rest) => lookup(name === '{FLAGS_HOST}' ? '127.0.0.1' : name, ...rest);\n"
    );
    std::fs::write(&hosts, resolves).unwrap();
    let hosts = hosts.display().to_string();

    let unleash = FakeUnleash::start(&document(&["ada"], "45"));
    each(Setup::new(typed(), Some(unleash.upstream.addr())), async |mesh: Mesh| {
        unleash.serve(&document(&["ada"], "45"));
        live(&mesh).await;
        let url = format!("http://{FLAGS_HOST}:{}", mesh.envoy.addr("main").port());
        let service = Service::start(&["--import", &hosts], &file, &[("PORT", "0"), ("FLAGS_URL", &url)]).await;
        let answer = async || {
            let mut client = harness::RawClient::connect(service.addr()).await.unwrap();
            client.send(&Request::get("/").host(HOST).header("x-user-id", "ada")).await.unwrap().json().unwrap()
        };
        let before = json!({"newUi": true, "reason": "TARGETING_MATCH", "aiTimeoutSeconds": 45});
        until("the first values", async || answer().await == before).await;
        unleash.serve(&document(&[], "60"));
        let after = json!({"newUi": false, "reason": "DEFAULT", "aiTimeoutSeconds": 60});
        until("the changed values", async || answer().await == after).await;
        untouched(&mesh);
        mesh.assert_whole().await;
    })
    .await;
}
