//! The harness on itself, with a real Unleash server: `UNLEASH_SERVER` and `POSTGRES_BIN` say which.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use harness::*;
use serde_json::{Value, json};

const FLAG: &str = "new-ui-enabled";
const USER: &str = "test-user-1";

/// On for these users.
fn for_users(users: &[&str]) -> Value {
    let constraint = json!({"contextName": "userId", "operator": "IN", "values": users});
    json!({"name": "flexibleRollout", "parameters": {"rollout": "100", "stickiness": "default", "groupId": FLAG}, "constraints": [constraint]})
}

/// The flag as a client gets it.
fn flag(features: &Response, name: &str) -> Option<Value> {
    let features = features.json().unwrap();
    features["features"].as_array().unwrap().iter().find(|flag| flag["name"] == name).cloned()
}

/// Asks as a client does until the flag is as wanted; gives the answer and how long it took.
async fn features_when(server: &UnleashServer, wanted: impl Fn(Option<Value>) -> bool) -> (Response, Duration) {
    let start = Instant::now();
    loop {
        let response = server.features(None).await.unwrap();
        assert_eq!(response.status, 200, "{}", response.text());
        if wanted(flag(&response, FLAG)) {
            return (response, start.elapsed());
        }
        assert!(start.elapsed() < TIMEOUT, "the flag is {:?}", flag(&response, FLAG));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn enabled(flag: Option<Value>) -> bool {
    flag.is_some_and(|flag| flag["enabled"] == true)
}

async fn post(server: &UnleashServer, path: &str, body: Value) -> u16 {
    let request = Request::post(path, body.to_string())
        .header("authorization", server.backend_token())
        .header("content-type", "application/json");
    server.send(&request).await.unwrap().status
}

/// The data directories that servers of a process left below `dir`.
fn left_in(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn flags_reach_clients_and_counts_come_back() {
    let mut server = UnleashServer::start().await.unwrap();
    println!("up on port {}", server.port());
    server.create_flag(FLAG, FlagKind::Release).await.unwrap();
    server.create_flag("color", FlagKind::Experiment).await.unwrap();
    server.set_strategies(FLAG, &[for_users(&[USER, "ada"])]).await.unwrap();
    server.enable(FLAG).await.unwrap();
    let (on, _) = features_when(&server, enabled).await;
    let strategies = &flag(&on, FLAG).unwrap()["strategies"];
    assert_eq!(strategies[0]["constraints"][0]["values"], json!([USER, "ada"]), "{strategies}");

    // The same again: unchanged, by its ETag, once the server has settled on one.
    let mut etag = on.headers.text("etag").unwrap();
    let start = Instant::now();
    loop {
        let again = server.features(Some(&etag)).await.unwrap();
        if again.status == 304 {
            break;
        }
        assert!(again.status == 200 && start.elapsed() < TIMEOUT);
        etag = again.headers.text("etag").unwrap();
    }

    server.disable(FLAG).await.unwrap();
    let (off, took) = features_when(&server, |flag| !enabled(flag)).await;
    println!("a flip is seen after {took:?}");
    assert!(flag(&off, FLAG).is_some());
    assert_eq!(server.features(Some(&etag)).await.unwrap().status, 200, "changed since {etag}");

    // Strategies are replaced as a whole, without a moment in which the server switches the flag off.
    server.enable(FLAG).await.unwrap();
    server.set_strategies(FLAG, &[json!({"name": "default"}), for_users(&["grace"])]).await.unwrap();
    let count = |flag: Option<Value>| flag.and_then(|flag| flag["strategies"].as_array().map(Vec::len));
    let (two, _) = features_when(&server, |flag| count(flag) == Some(2)).await;
    assert!(enabled(flag(&two, FLAG)));
    server.add_strategy(FLAG, for_users(&[USER])).await.unwrap();
    features_when(&server, |flag| count(flag) == Some(3)).await;
    let variants = json!([{"name": "blue", "weight": 1000, "weightType": "variable", "stickiness": "default"}]);
    assert!(server.set_variants("color", variants.clone()).await.is_err(), "there is no strategy yet");
    server.enable("color").await.unwrap();
    server.set_variants("color", variants).await.unwrap();
    let blue = |response: &Response| flag(response, "color").unwrap()["strategies"][0]["variants"][0]["name"] == "blue";
    let start = Instant::now();
    while !blue(&server.features(None).await.unwrap()) {
        assert!(start.elapsed() < TIMEOUT, "no variant");
    }

    for token in ["default:development.wrong", ""] {
        let request = Request::get("/api/client/features").header("authorization", token);
        assert_eq!(server.send(&request).await.unwrap().status, 401);
    }

    let app = "payments";
    let registration = json!({"appName": app, "instanceId": "proxy-1", "sdkVersion": "harness:1", "strategies": ["default"],
        "interval": 1000, "started": "2026-01-01T00:00:00Z"});
    assert_eq!(post(&server, "/api/client/register", registration).await, 202);
    let now = server.admin("GET", &format!("/api/admin/projects/default/features/{FLAG}"), Value::Null).await.unwrap();
    let now = now["createdAt"].as_str().unwrap();
    let toggles = json!({FLAG: {"yes": 3, "no": 2}, "color": {"yes": 1, "no": 0, "variants": {"blue": 1}}});
    let counts =
        json!({"appName": app, "instanceId": "proxy-1", "bucket": {"start": now, "stop": now, "toggles": toggles}});
    assert_eq!(post(&server, "/api/client/metrics", counts.clone()).await, 202);
    assert_eq!(post(&server, "/api/client/metrics", counts).await, 202);
    let usage = server.wait_for_usage(FLAG, |usage| usage.yes == 6).await.unwrap();
    assert_eq!(usage, FlagUsage { yes: 6, no: 4, ..FlagUsage::default() });
    assert_eq!(server.usage("color").await.unwrap().variants, [("blue".to_owned(), 2)].into());
    let known = server.wait_for_registration(app).await.unwrap();
    assert!(server.registered(app).await.unwrap() && !server.registered("other").await.unwrap());
    assert_eq!(known["instances"][0]["instanceId"], "proxy-1", "{known}");

    // Stopped, it refuses; frozen, it is silent; started again, all is there, on the same port.
    let (port, address) = (server.port(), server.address());
    server.stop().unwrap();
    assert!(RawClient::connect(address).await.is_err());
    let start = Instant::now();
    server.restart().await.unwrap();
    println!("restarted in {:?}", start.elapsed());
    assert_eq!(server.port(), port);
    features_when(&server, |flag| enabled(flag.clone()) && count(flag) == Some(3)).await;
    assert_eq!(server.usage(FLAG).await.unwrap().yes, 6);

    server.pause().await.unwrap();
    let silent = tokio::time::timeout(Duration::from_millis(500), server.features(None)).await;
    assert!(silent.is_err(), "a frozen server answered");
    server.resume().unwrap();
    assert_eq!(server.features(None).await.unwrap().status, 200);

    server.archive(FLAG).await.unwrap();
    features_when(&server, |flag| flag.is_none()).await;
    let error = server.enable("no-such-flag").await.unwrap_err().to_string();
    assert!(error.contains("404") && error.contains("no-such-flag"), "{error}");
}

#[tokio::test]
async fn two_at_once_know_nothing_of_each_other() {
    let (first, second) = tokio::join!(UnleashServer::start(), UnleashServer::start());
    let (first, mut second) = (first.unwrap(), second.unwrap());
    assert_ne!((first.port(), first.backend_token()), (second.port(), second.backend_token()));
    first.create_flag(FLAG, FlagKind::Operational).await.unwrap();
    first.enable(FLAG).await.unwrap();
    features_when(&first, enabled).await;
    assert!(flag(&second.features(None).await.unwrap(), FLAG).is_none());
    let theirs = Request::get("/api/client/features").header("authorization", first.backend_token());
    assert_eq!(second.send(&theirs).await.unwrap().status, 401);
    second.stop().unwrap();
    assert!(enabled(flag(&first.features(None).await.unwrap(), FLAG)));
}

/// Starts itself in another process, which is killed outright while its server runs (then frozen, too).
#[test]
fn nothing_outlives_a_killed_process() {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    if std::env::var_os("HARNESS_UNLEASH_CHILD").is_some() {
        return runtime().block_on(async {
            let server = UnleashServer::start().await.unwrap();
            server.pause().await.unwrap();
            println!("port {}", server.port());
            std::thread::sleep(TIMEOUT);
        });
    }
    // Short, as a socket's path has to be.
    let dir = std::env::temp_dir().join(format!("hu-{}", std::process::id()));
    std::fs::create_dir(&dir).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "nothing_outlives_a_killed_process", "--nocapture"])
        .env("HARNESS_UNLEASH_CHILD", "1")
        .env("TMPDIR", &dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("port ") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut out, &mut line).unwrap() > 0, "the child's server did not start");
    }
    let port: u16 = line["port ".len()..].trim().parse().unwrap();
    assert_eq!(left_in(&dir).len(), 1);
    child.kill().unwrap();
    child.wait().unwrap();
    let start = Instant::now();
    while !left_in(&dir).is_empty() || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
        assert!(start.elapsed() < TIMEOUT, "still there: port {port} or {:?}", left_in(&dir));
        std::thread::sleep(Duration::from_millis(10));
    }
    std::fs::remove_dir(&dir).unwrap();
}
