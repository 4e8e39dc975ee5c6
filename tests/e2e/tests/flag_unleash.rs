//! flag-headers with a real Unleash server and its database: `UNLEASH_SERVER` and `POSTGRES_BIN` say which.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Command;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use e2e::flags::{FLAGS_HOST, Mesh, Setup, config, home, until};
use e2e::with;
use harness::{FlagKind, FlagUsage, Request, TIMEOUT, UnleashServer, envoy_binaries, envoy_version, workspace_root};
use serde_json::{Value, json};
use tokio::sync::Mutex;

const FLAG: &str = "new-ui-enabled";
const HEADER: &str = "x-flag-new-ui-enabled";
const USER: &str = "test-user-1";
const POLLS: &str = "runtime_control_flag_headers_polls_total";
const EVALUATIONS: &str = "runtime_control_flag_headers_evaluations_total";

/// The server that the tests of this file share as long as one of them runs. Each has flags and applications of its own.
async fn shared() -> Arc<UnleashServer> {
    static SERVER: Mutex<Weak<UnleashServer>> = Mutex::const_new(Weak::new());
    let mut server = SERVER.lock().await;
    if let Some(running) = server.upgrade() {
        return running;
    }
    let started = Arc::new(UnleashServer::start().await.expect("an Unleash"));
    *server = Arc::downgrade(&started);
    started
}

/// A proxy that asks the real server.
struct Proxy {
    version: String,
    /// What it is called in Unleash.
    app: String,
    mesh: Mesh,
}

/// One with each Envoy, all at work at the same time.
async fn proxies(unleash: &UnleashServer, token: &str, name: &str, config: &Value) -> Vec<Proxy> {
    let mut proxies = Vec::new();
    for binary in envoy_binaries() {
        let version = envoy_version(&binary);
        let app = format!("{name}-{version}");
        let config = with(config.clone(), "/unleash/appName", json!(app));
        let setup = Setup { token: token.to_owned(), ..Setup::new(config, Some(unleash.address())) };
        proxies.push(Proxy { mesh: Mesh::start(&binary, &setup).await, app, version });
    }
    proxies
}

/// Asks every second and reports no usage.
fn polling() -> Value {
    with(config(), "/unleash/metricsInterval", json!("0s"))
}

fn exposing(config: Value, flags: Value) -> Value {
    with(config, "/flags", flags)
}

/// On for these users.
fn for_users(users: &[&str]) -> Value {
    let constraint = json!({"contextName": "userId", "operator": "IN", "values": users});
    json!({"name": "flexibleRollout", "constraints": [constraint],
           "parameters": {"rollout": "100", "stickiness": "default", "groupId": FLAG}})
}

fn everybody() -> Value {
    json!({"name": "default"})
}

async fn create(unleash: &UnleashServer, flag: &str, kind: FlagKind, strategies: &[Value]) {
    unleash.create_flag(flag, kind).await.unwrap();
    unleash.set_strategies(flag, strategies).await.unwrap();
    unleash.enable(flag).await.unwrap();
}

impl Proxy {
    async fn source(&self, source: &str) -> Value {
        self.mesh.until(source, |page| page["source"] == source).await
    }

    /// Waits until a header comes to a value for a user.
    async fn sees(&self, user: &str, header: &str, value: &str) {
        let what = format!("{header}: {value} for {user} in Envoy {}", self.version);
        until(&what, async || self.mesh.flag(user, header).await.as_deref() == Some(value)).await;
    }

    async fn polls(&self, result: &str) -> u64 {
        self.mesh.envoy.stats().await.unwrap().counter(POLLS, &[("result", result)])
    }

    /// Waits for more polls that came to this.
    async fn more_polls(&self, result: &str, more: u64) {
        let wanted = self.polls(result).await + more;
        self.mesh.envoy.wait_for_counter(POLLS, &[("result", result)], wanted).await.unwrap();
    }

    /// Whatever can be asked of a proxy, by anybody who may: the token is nowhere.
    async fn keeps_its_secret(&self) {
        let envoy = &self.mesh.envoy;
        let mut shown = envoy.logs().lines().join("\n");
        for page in
            ["/config_dump?include_eds", "/stats", "/stats/prometheus", "/clusters", "/server_info", "/listeners"]
        {
            shown += &envoy.admin().get(page).await.unwrap();
        }
        for accept in ["application/json", "text/html"] {
            let page = Request::get("/runtime-control/flags?userId=ada").host(FLAGS_HOST).header("accept", accept);
            shown += &self.mesh.ask(page).await.text();
        }
        let (_, secret) = self.mesh.token.split_once('.').unwrap();
        assert!(shown.contains("flag-headers") && !shown.contains(secret), "the token is told");
        self.mesh.assert_whole().await;
    }
}

/// Runs the script that a cluster's seed job runs; gives what it said.
fn seed(unleash: &UnleashServer) -> String {
    let output = Command::new(workspace_root().join("deploy/unleash/seed.sh"))
        .env("UNLEASH_URL", format!("http://{}", unleash.address()))
        .env("UNLEASH_ADMIN_TOKEN", unleash.admin_token())
        .env("UNLEASH_ENVIRONMENT", "development")
        .env("no_proxy", "127.0.0.1")
        .output()
        .expect("deploy/unleash/seed.sh, sh and curl");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{said}");
    assert!(!said.contains(unleash.admin_token()), "the token is told");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flip_in_unleash_changes_the_header_without_any_restart() {
    let unleash = shared().await;
    assert_eq!(seed(&unleash).matches(": created, ").count(), 4);
    let proxies = proxies(&unleash, unleash.backend_token(), "gateway", &polling()).await;
    for proxy in &proxies {
        proxy.source("live").await;
        let headers = proxy.mesh.seen(home(USER)).await;
        let safe = [
            (HEADER, "false"),
            ("x-flag-ai-safety-pii", "true"),
            ("x-flag-ai-provider-openai-enabled", "true"),
            ("x-flagpayload-ai-timeout-seconds", "30"),
            ("x-flags-source", "live"),
        ];
        for (name, value) in safe {
            assert_eq!(headers.text(name).as_deref(), Some(value), "{name} as it was seeded");
        }
    }

    for (step, on) in [true, false, true, false, true].into_iter().enumerate() {
        // between flips Unleash says that nothing has changed
        for proxy in &proxies {
            proxy.more_polls("not_modified", 1).await;
        }
        match step {
            0 => {
                unleash.set_strategies(FLAG, &[for_users(&[USER, "ada"])]).await.unwrap();
                unleash.enable(FLAG).await.unwrap();
            }
            1 => unleash.set_strategies(FLAG, &[for_users(&["ada"])]).await.unwrap(),
            2 => unleash.set_strategies(FLAG, &[for_users(&[USER])]).await.unwrap(),
            3 => unleash.disable(FLAG).await.unwrap(),
            _ => unleash.enable(FLAG).await.unwrap(),
        }
        let flipped = Instant::now();
        let mut seen = BTreeMap::new();
        while seen.len() < proxies.len() {
            for proxy in &proxies {
                let value = proxy.mesh.flag(USER, HEADER).await;
                if value.as_deref() == Some(if on { "true" } else { "false" }) {
                    seen.entry(&proxy.version).or_insert_with(|| flipped.elapsed().as_millis());
                }
                assert_eq!(proxy.mesh.flag("bob", HEADER).await.as_deref(), Some("false"), "never for others");
            }
            assert!(flipped.elapsed() < TIMEOUT, "flip {step} is seen by {seen:?} alone");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        for (version, took) in &seen {
            let turned = if on { "on" } else { "off" };
            // straight to the terminal: what a passing test prints is kept from it
            let _shown =
                writeln!(std::io::stderr(), "flip to header: {took} ms (Envoy {version}, refresh 1s, turned {turned})");
        }
    }

    // Whoever seeds again changes nothing that somebody has decided.
    unleash.disable("ai-safety-pii").await.unwrap();
    let again = seed(&unleash);
    assert_eq!(again.matches(": exists, left as it is").count(), 4, "{again}");
    for proxy in &proxies {
        proxy.sees(USER, "x-flag-ai-safety-pii", "false").await;
        assert_eq!(proxy.mesh.flag(USER, HEADER).await.as_deref(), Some("true"));
        proxy.keeps_its_secret().await;
    }
}

/// What Unleash itself says that flags are for users of two plans, by the flag's name, user and plan: whether it is on, and its variant.
async fn playground(
    unleash: &UnleashServer,
    app: &str,
    users: &[String],
) -> BTreeMap<(String, String, String), (bool, String)> {
    let context = json!({"appName": app, "userId": users.join(","), "properties": {"plan": "pro,free"}});
    let asked = json!({"environments": ["development"], "projects": ["default"], "context": context});
    let answer = unleash.admin("POST", "/api/admin/playground/advanced", asked).await.unwrap();
    let mut found = BTreeMap::new();
    for flag in answer["features"].as_array().unwrap() {
        for one in flag["environments"]["development"].as_array().unwrap() {
            let text = |pointer: &str| one.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
            let plan =
                if text("/context/plan").is_empty() { text("/context/properties/plan") } else { text("/context/plan") };
            let on = one["isEnabled"].as_bool().unwrap();
            let variant = if on { text("/variant/name") } else { "disabled".to_owned() };
            found.insert((text("/name"), text("/context/userId"), plan), (on, variant));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_flag_is_what_unleash_says_it_is() {
    let unleash = shared().await;
    let share = |rollout: &str, group: &str| json!({"name": "flexibleRollout", "parameters": {"rollout": rollout, "stickiness": "default", "groupId": group}});
    let one = |name: &str, kind: &str, value: &str| {
        json!([{"name": name, "weight": 1000, "weightType": "variable", "stickiness": "default",
                "payload": {"type": kind, "value": value}}])
    };
    let release = FlagKind::Release;
    create(&unleash, "kinds-half", release, &[share("50", "kinds-half")]).await;
    // with a groupId: without one the playground deals variants by the word "undefined", and SDKs by the flag's name
    create(&unleash, "kinds-colors", FlagKind::Experiment, &[share("100", "kinds-colors")]).await;
    let of = |name: &str| json!({"name": name, "weight": 500, "weightType": "variable", "stickiness": "default"});
    unleash.set_variants("kinds-colors", json!([of("blue"), of("red")])).await.unwrap();
    for (flag, kind, value) in [
        ("kinds-text", "string", "Grüße, 100 %"),
        ("kinds-csv", "csv", "a,b,c"),
        ("kinds-number", "number", "12.5"),
        ("kinds-json", "json", r#"{"cap": 3, "models": ["é", 1]}"#),
    ] {
        create(&unleash, flag, FlagKind::Operational, &[everybody()]).await;
        unleash.set_variants(flag, one("only", kind, value)).await.unwrap();
    }
    let pro = json!({"contextName": "plan", "operator": "IN", "values": ["pro"]});
    let segment = json!({"name": "kinds-pro", "constraints": [pro], "project": "default"});
    let segment = unleash.admin("POST", "/api/admin/segments", segment).await.unwrap();
    let mut in_segment = share("50", "kinds-segment");
    in_segment["segments"] = json!([segment["id"]]);
    create(&unleash, "kinds-segment", release, &[in_segment]).await;
    create(&unleash, "kinds-parent", release, &[everybody()]).await;
    create(&unleash, "kinds-child", release, &[everybody()]).await;
    create(&unleash, "kinds-of-blue", release, &[everybody()]).await;
    for (child, parent) in [
        ("kinds-child", json!({"feature": "kinds-parent", "enabled": true})),
        ("kinds-of-blue", json!({"feature": "kinds-colors", "enabled": true, "variants": ["blue"]})),
    ] {
        let path = format!("/api/admin/projects/default/features/{child}/dependencies");
        unleash.admin("POST", &path, parent).await.unwrap();
    }
    create(&unleash, "kinds-retired", release, &[everybody()]).await;
    unleash.disable("kinds-retired").await.unwrap();

    let names = ["half", "colors", "segment", "child", "of-blue"];
    let mut flags: Vec<Value> =
        names.iter().map(|name| json!({"name": format!("kinds-{name}"), "variant": true})).collect();
    for kind in ["text", "csv", "number", "json"] {
        let kind_of = if kind == "text" { "string" } else { kind };
        flags.push(json!({"name": format!("kinds-{kind}"), "payload": {"type": kind_of}}));
    }
    flags.push(json!({"name": "kinds-retired", "default": true}));
    let config = exposing(polling(), json!(flags));
    let users: Vec<String> = (0..40).map(|number| format!("user-{number}")).collect();
    let proxies = proxies(&unleash, unleash.backend_token(), "kinds", &config).await;
    for proxy in &proxies {
        proxy.source("live").await;
        let expected = playground(&unleash, &proxy.app, &users).await;
        let mut on: BTreeMap<&str, usize> = BTreeMap::new();
        for user in &users {
            for plan in ["pro", "free"] {
                let headers = proxy.mesh.seen(home(user).header("x-plan", plan)).await;
                for name in names {
                    let flag = format!("kinds-{name}");
                    let said = headers.text(&format!("x-flag-{flag}")).unwrap() == "true";
                    let variant = headers.text(&format!("x-flagvariant-{flag}")).unwrap();
                    let wanted = &expected[&(flag.clone(), user.clone(), plan.to_owned())];
                    assert_eq!(&(said, variant), wanted, "{flag} for {user} of plan {plan}");
                    *on.entry(name).or_default() += usize::from(said);
                }
            }
        }
        // each says both, or the comparison would be of little worth
        assert!(
            names.iter().all(|name| match *name {
                "colors" | "child" => on[name] == 80,
                _ => (1..80).contains(&on[name]),
            }),
            "{on:?}"
        );

        let headers = proxy.mesh.seen(home("ada")).await;
        for (name, value) in [
            ("text", "Gr%C3%BC%C3%9Fe%2C%20100%20%25"),
            ("csv", "a%2Cb%2Cc"),
            ("number", "12.5"),
            ("json", r#"{"cap":3,"models":["\u00e9",1]}"#),
        ] {
            assert_eq!(headers.text(&format!("x-flagpayload-kinds-{name}")).as_deref(), Some(value), "{name}");
        }
        assert!(!headers.contains("x-flag-kinds-parent"), "needed, and not exposed");
        assert_eq!(headers.text("x-flag-kinds-retired").as_deref(), Some("false"));
    }

    // A parent that nobody exposes is switched off; a flag is archived, and has its default from now on.
    unleash.disable("kinds-parent").await.unwrap();
    unleash.archive("kinds-retired").await.unwrap();
    for proxy in &proxies {
        proxy.sees("ada", "x-flag-kinds-child", "false").await;
        proxy.sees("ada", "x-flag-kinds-retired", "true").await;
        let page = proxy.mesh.debug("").await;
        let retired = page["flags"].as_array().unwrap().iter().find(|flag| flag["name"] == "kinds-retired").unwrap();
        assert_eq!(retired["reason"], "unknown", "{retired}");
        let labels = [("flag", "kinds-retired"), ("result", "true"), ("reason", "unknown")];
        proxy.mesh.envoy.wait_for_counter(EVALUATIONS, &labels, 1).await.unwrap();
        proxy.keeps_its_secret().await;
    }
}

/// What one application has told of a flag.
async fn told(unleash: &UnleashServer, flag: &str, app: &str) -> FlagUsage {
    let path = format!("/api/admin/client-metrics/features/{flag}/raw");
    let answer = unleash.admin("GET", &path, Value::Null).await.unwrap();
    let mut usage = FlagUsage::default();
    for bucket in answer["data"].as_array().unwrap().iter().filter(|bucket| bucket["appName"] == app) {
        usage.yes += bucket["yes"].as_u64().unwrap();
        usage.no += bucket["no"].as_u64().unwrap();
        for (name, count) in bucket["variants"].as_object().into_iter().flatten() {
            *usage.variants.entry(name.clone()).or_default() += count.as_u64().unwrap();
        }
    }
    usage
}

#[tokio::test(flavor = "multi_thread")]
async fn unleash_knows_the_proxy_and_how_often_flags_were_used() {
    let unleash = shared().await;
    create(&unleash, "used", FlagKind::Release, &[for_users(&["ada"])]).await;
    create(&unleash, "used-color", FlagKind::Experiment, &[for_users(&["ada"])]).await;
    let blue = json!([{"name": "blue", "weight": 1000, "weightType": "variable", "stickiness": "default"}]);
    unleash.set_variants("used-color", blue).await.unwrap();
    // one that Unleash does not know spoils nothing
    let flags = json!([{"name": "used"}, {"name": "used-color", "variant": true}, {"name": "used-unknown"}]);
    let config = with(exposing(config(), flags), "/unleash/metricsInterval", json!("1s"));
    let proxies = proxies(&unleash, unleash.backend_token(), "used", &config).await;
    for proxy in &proxies {
        proxy.source("live").await;
        proxy.mesh.app.record(false);
        for (user, times) in [("ada", 7), ("bob", 4)] {
            for _ in 0..times {
                assert_eq!(proxy.mesh.ask(home(user)).await.status, 200);
            }
        }
        // a flag that OpenFeature asks for by its name is used, too
        assert_eq!(proxy.mesh.ofrep("used", json!({"targetingKey": "ada"})).await.status, 200);
    }
    let all = u64::try_from(proxies.len()).unwrap();
    unleash.wait_for_usage("used", |usage| usage.yes >= 8 * all && usage.no >= 4 * all).await.unwrap();
    unleash.wait_for_usage("used-color", |usage| usage.yes >= 7 * all).await.unwrap();
    for proxy in &proxies {
        assert_eq!(told(&unleash, "used", &proxy.app).await, FlagUsage { yes: 8, no: 4, variants: BTreeMap::new() });
        let variants = [("blue".to_owned(), 7), ("disabled".to_owned(), 4)].into();
        assert_eq!(told(&unleash, "used-color", &proxy.app).await, FlagUsage { yes: 7, no: 4, variants });
        let known = unleash.wait_for_registration(&proxy.app).await.unwrap();
        let instance = &known["instances"][0];
        assert_eq!(instance["instanceId"], "harness", "the node's id: {known}");
        assert!(instance["sdkVersion"].as_str().unwrap().starts_with("runtime-control-flag-headers:"), "{known}");
        assert_eq!(proxy.mesh.debug("").await["unleash"]["registered"], true);
        proxy.keeps_its_secret().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_outlive_their_server_and_follow_it_again() {
    let mut unleash = UnleashServer::start().await.unwrap();
    create(&unleash, FLAG, FlagKind::Release, &[for_users(&[USER])]).await;
    let flags = json!([{"name": FLAG}]);
    let config = with(exposing(config(), flags), "/unleash/metricsInterval", json!("1s"));
    // long enough that what is answered late is not told twice
    let config = with(config, "/unleash/timeout", json!("4s"));
    let lent = token(&unleash, "lent", "backend").await;
    let proxies = proxies(&unleash, &lent, "gateway", &config).await;
    for proxy in &proxies {
        proxy.source("live").await;
    }

    // Killed: the last flags hold, and what is counted waits.
    unleash.stop().unwrap();
    for proxy in &proxies {
        let page = proxy.source("stale").await;
        assert_eq!(page["unleash"]["last_poll"], "unavailable", "{page}");
        assert!(page["unleash"]["last_error"].as_str().unwrap().contains("no connection"), "{page}");
        let line = proxy.mesh.envoy.logs().wait(|line| line.contains("flags_poll_failed")).await.unwrap();
        assert!(line.contains(r#""result":"unavailable""#) && line.contains(r#""cluster":"unleash""#), "{line}");
        for _ in 0..5 {
            let headers = proxy.mesh.seen(home(USER)).await;
            assert_eq!(headers.text(HEADER).as_deref(), Some("true"));
            assert_eq!(headers.text("x-flags-source").as_deref(), Some("stale"));
        }
        proxy.more_polls("unavailable", 2).await;
    }

    // Back, with another mind. Unleash is told what was counted meanwhile, once.
    unleash.restart().await.unwrap();
    unleash.set_strategies(FLAG, &[for_users(&["grace"])]).await.unwrap();
    let flipped = Instant::now();
    for proxy in &proxies {
        until("off", async || proxy.mesh.debug(&format!("?userId={USER}")).await["flags"][0]["enabled"] == false).await;
        proxy.source("live").await;
        println!("back and flipped: {} ms (Envoy {})", flipped.elapsed().as_millis(), proxy.version);
        assert_eq!(proxy.mesh.flag("grace", HEADER).await.as_deref(), Some("true"));
        assert_eq!(proxy.mesh.flag(USER, HEADER).await.as_deref(), Some("false"));
        proxy.mesh.envoy.logs().wait(|line| line.contains("flags_poll_recovered")).await.unwrap();
    }
    let all = u64::try_from(proxies.len()).unwrap();
    unleash.wait_for_usage(FLAG, |usage| usage.yes >= 6 * all && usage.no >= all).await.unwrap();
    for proxy in &proxies {
        assert_eq!(told(&unleash, FLAG, &proxy.app).await, FlagUsage { yes: 6, no: 1, variants: BTreeMap::new() });
    }

    // Frozen: connections are taken and nothing is answered.
    unleash.pause().await.unwrap();
    for proxy in &proxies {
        let page = proxy.source("stale").await;
        assert_eq!(page["unleash"]["last_poll"], "timeout", "{page}");
        proxy.more_polls("timeout", 1).await;
        assert_eq!(proxy.mesh.flag("grace", HEADER).await.as_deref(), Some("true"));
    }
    unleash.resume().unwrap();
    unleash.disable(FLAG).await.unwrap();
    for proxy in &proxies {
        proxy.sees("grace", HEADER, "false").await;
        assert_eq!(proxy.source("live").await["unleash"]["last_error"], Value::Null);
    }

    // The token is taken back while it is in use, which Unleash heeds within a minute or when it starts: the last flags hold.
    unleash.set_strategies(FLAG, &[for_users(&["grace"])]).await.unwrap();
    unleash.enable(FLAG).await.unwrap();
    for proxy in &proxies {
        proxy.sees("grace", HEADER, "true").await;
    }
    unleash.admin("DELETE", &format!("/api/admin/api-tokens/{lent}"), Value::Null).await.unwrap();
    unleash.restart().await.unwrap();
    for proxy in &proxies {
        proxy.is_refused("401: the token in UNLEASH_API_TOKEN is not accepted", "stale").await;
        assert_eq!(proxy.mesh.flag("grace", HEADER).await.as_deref(), Some("true"));
        assert_eq!(proxy.mesh.flag(USER, HEADER).await.as_deref(), Some("false"));
    }
}

/// Makes a token, as an operator does.
async fn token(unleash: &UnleashServer, name: &str, kind: &str) -> String {
    let wanted = json!({"tokenName": name, "type": kind, "environment": "development", "projects": ["default"]});
    let made = unleash.admin("POST", "/api/admin/api-tokens", wanted).await.unwrap();
    made["secret"].as_str().unwrap().to_owned()
}

impl Proxy {
    /// Unleash refuses the token, the proxy says which one and why, serves this, and goes on asking.
    async fn is_refused(&self, why: &str, source: &str) {
        let page = self.mesh.until("refused", |page| page["unleash"]["last_poll"] == "unauthorized").await;
        assert_eq!(page["unleash"]["last_error"], why, "{page}");
        assert_eq!(page["source"], source, "{page}");
        let named = |line: &str| line.contains("flags_poll_failed") && line.contains(why);
        self.mesh.envoy.logs().wait(named).await.unwrap();
        self.more_polls("unauthorized", 1).await;
        self.keeps_its_secret().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_refused_is_named_and_never_told() {
    let unleash = shared().await;
    create(&unleash, "guarded", FlagKind::Release, &[for_users(&[USER])]).await;
    let flags = json!([{"name": "guarded", "default": true}, {"name": "ai-safety-pii", "default": true}]);
    let config = exposing(polling(), flags);

    let no_token = "default:development.0123456789abcdef0123456789abcdef";
    for proxy in proxies(&unleash, no_token, "wrong", &config).await {
        let why = "401: the token in UNLEASH_API_TOKEN is not accepted";
        proxy.is_refused(why, "default").await;
        assert_eq!(proxy.mesh.flag(USER, "x-flag-guarded").await.as_deref(), Some("true"));
        let bootstrap = json!({"version": 2, "features": [{"name": "guarded", "enabled": false, "strategies": []}]});
        proxy.mesh.configure(with(config.clone(), "/bootstrap", bootstrap)).await;
        proxy.is_refused(why, "bootstrap").await;
        assert_eq!(proxy.mesh.flag(USER, "x-flag-guarded").await.as_deref(), Some("false"));
    }

    let frontend = token(&unleash, "a-web-page", "frontend").await;
    for proxy in proxies(&unleash, &frontend, "frontend", &config).await {
        proxy.is_refused("403: the token in UNLEASH_API_TOKEN is not a backend token", "default").await;
    }
}
