//! The harness on itself, against each Envoy of `ENVOY_BINARIES`.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use harness::*;
use serde_json::{Value, json};

/// `x-canary-arm: v2` to v2, all else to v1.
fn arms() -> Value {
    virtual_hosts([route_on_header("x-canary-arm", "v2", "v2"), route_to("v1")])
}

fn with_arms(listener: Listener, v1: &Upstream, v2: &Upstream) -> Bootstrap {
    Bootstrap::new().listener(listener).cluster("v1", v1.addr()).cluster("v2", v2.addr())
}

/// Runs `test` with every Envoy of `ENVOY_BINARIES`.
async fn each(bootstrap: &Bootstrap, test: impl AsyncFn(Envoy)) {
    for binary in envoy_binaries() {
        let envoy = Envoy::start(EnvoyOptions::new(&binary, bootstrap.clone())).await.unwrap();
        test(envoy).await;
    }
}

/// Whether a process is there and no zombie.
fn alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

fn wait_gone(pid: u32) {
    let start = Instant::now();
    while alive(pid) {
        assert!(start.elapsed() < TIMEOUT, "process {pid} is still there");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[tokio::test]
async fn routes_and_keeps_every_byte() {
    let (v1, v2) = (Upstream::start("v1"), Upstream::start("v2"));
    let listener = Listener::http("main", arms()).max_headers(1000, 8192);
    each(&with_arms(listener, &v1, &v2), async |envoy| {
        let mut client = RawClient::connect(envoy.addr("main")).await.unwrap();
        let plain = client.get("/a?b=c", "shop.example", &[]).await.unwrap();
        assert_eq!((plain.status, plain.served_by(), plain.text()), (200, "v1".into(), "v1".into()));
        let canary = client.get("/", "shop.example", &[("x-canary-arm", "v2")]).await.unwrap();
        assert_eq!(canary.served_by(), "v2");
        let (first, second) = (v1.take_one(), v2.take_one());
        assert_eq!(
            (&*first.method, &*first.path, first.headers.text("host").unwrap()),
            ("GET", "/a?b=c", "shop.example".into())
        );
        assert!(second.headers.contains("x-canary-arm"));

        let big = vec![b'x'; 16 << 10];
        let odd = Request::post("/odd", "hello")
            .header("X-Twice", "1")
            .header("x-other", b"\xff\xfe")
            .header("x-tWICE", "2")
            .header("x-big", &big);
        assert_eq!(client.send(&odd).await.unwrap().status, 200);
        let seen = v1.take_one();
        assert_eq!(seen.headers.get_all("x-twice").collect::<Vec<_>>(), [b"1", b"2"]);
        assert_eq!(seen.headers.get("x-other").unwrap(), b"\xff\xfe");
        assert_eq!(seen.headers.get("x-big").unwrap(), big);
        assert_eq!((seen.text(), seen.complete), ("hello".into(), true));

        let many = (0..500).fold(Request::get("/"), |request, i| request.header(format!("x-{i}"), "v"));
        assert_eq!(client.send(&many).await.unwrap().status, 200);
        assert!(v1.take_one().headers.len() > 500);

        client.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\nGET /second HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        assert_eq!((client.read().await.unwrap().status, client.read().await.unwrap().status), (200, 200));
        assert_eq!(v1.take_requests().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn bodies_in_pieces_trailers_and_bad_ends() {
    let upstream = Upstream::start("v1");
    upstream.respond(|request| match &*request.path {
        "/events" => Reply::events(["1", "2"], Duration::from_millis(20)),
        "/cut" => Reply::text("half").ending(Ending::Cut),
        "/refuse" => Reply::new(200).ending(Ending::Refuse),
        "/silent" => Reply::new(200).ending(Ending::Silent),
        "/status" => Reply::new(503).header("set-cookie", "a=b").header("set-cookie", "c=d"),
        _ => Reply::json(&request.to_json()).piece(" ").trailer("x-end", "1"),
    });
    let routes = virtual_hosts([
        json!({"match": {"path": "/silent"}, "route": {"cluster": "v1", "timeout": "0.05s"}}),
        json!({"match": {"prefix": "/"}, "route": {"cluster": "v1"}}),
    ]);
    let hcm = json!({"http_protocol_options": {"enable_trailers": true}});
    let mut cluster = static_cluster("v1", upstream.addr());
    merge(
        &mut cluster,
        json!({"typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http_protocol_options": {"enable_trailers": true}},
        }}}),
    );
    let bootstrap = Bootstrap::new().listener(Listener::http("main", routes).hcm(hcm)).cluster_json(cluster);
    each(&bootstrap, async |envoy| {
        let mut client = RawClient::connect(envoy.addr("main")).await.unwrap();
        let pieces = Request::new("PUT", "/").piece("one ").piece("two").trailer("x-last", "t");
        let answer = client.send(&pieces).await.unwrap();
        assert_eq!(
            (answer.json().unwrap()["body"].clone(), answer.trailers.text("x-end")),
            (json!("one two"), Some("1".into()))
        );
        assert_eq!(upstream.take_one().trailers.text("x-last").unwrap(), "t");

        assert_eq!(client.start(&Request::get("/events")).await.unwrap().status, 200);
        assert_eq!(client.piece().await.unwrap().unwrap(), b"data: 1\n\n");
        assert_eq!(client.piece().await.unwrap().unwrap(), b"data: 2\n\n");
        assert_eq!(client.piece().await.unwrap(), None);

        let status = client.send(&Request::get("/status")).await.unwrap();
        assert_eq!((status.status, status.headers.get_all("set-cookie").count()), (503, 2));
        assert_eq!(client.send(&Request::get("/refuse")).await.unwrap().status, 503);
        assert_eq!(client.send(&Request::get("/silent")).await.unwrap().status, 504);
        assert!(client.send(&Request::get("/cut")).await.is_err());
        assert!(!client.is_open());

        let mut client = RawClient::connect(envoy.addr("main")).await.unwrap();
        upstream.take_requests();
        let before = upstream.count();
        client.write(b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc").await.unwrap();
        envoy.wait_for_counter("envoy_cluster_upstream_rq_active", &[], 1).await.unwrap();
        drop(client);
        upstream.wait_for(before + 1).await.unwrap();
        assert!(!upstream.take_one().complete);
        upstream.take_requests();
    })
    .await;
}

#[tokio::test]
async fn http2_both_ways() {
    let upstream = Upstream::start("v1");
    upstream.respond(|request| Reply::json(&request.to_json()));
    let bootstrap = Bootstrap::new()
        .listener(Listener::http("main", virtual_hosts([route_to("v1")])))
        .cluster_json(http2_cluster("v1", upstream.addr()));
    each(&bootstrap, async |envoy| {
        let client = H2Client::connect(envoy.addr("main")).await.unwrap();
        let request = Request::post("/a?b", "x").piece("y").host("h.example").header("x-a", b"\xff").header("x-a", "2");
        let (one, two) = tokio::join!(client.send(&request), client.send(&request));
        assert_eq!((one.unwrap().status, two.unwrap().json().unwrap()["body"].clone()), (200, json!("xy")));
        let seen = upstream.take_requests().remove(0);
        assert_eq!(
            (&*seen.path, seen.protocol, seen.headers.text("host").unwrap()),
            ("/a?b", "HTTP/2", "h.example".into())
        );
        assert_eq!(seen.headers.get_all("x-a").collect::<Vec<_>>(), [&b"\xff"[..], b"2"]);
        upstream.take_requests();
    })
    .await;
}

#[tokio::test]
async fn jwt_payload_is_metadata() {
    let (v1, v2) = (Upstream::start("v1"), Upstream::start("v2"));
    let (issuer, stranger) = (JwtIssuer::new("https://issuer.example"), JwtIssuer::new("https://issuer.example"));
    let listener = Listener::http("main", arms())
        .jwt(&issuer, JwtNeed::Optional)
        .access_log_stdout("access %REQ(:PATH)% sub=%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:sub)%");
    each(&with_arms(listener, &v1, &v2), async |envoy| {
        let mut client = RawClient::connect(envoy.addr("main")).await.unwrap();
        let mut status = async |path: &str, token: Option<String>| {
            let request = Request::get(path);
            client.send(&token.iter().fold(request, |request, token| request.bearer(token))).await.unwrap().status
        };
        assert_eq!(status("/known", Some(issuer.token(json!({"sub": "alice"})))).await, 200);
        assert_eq!(status("/none", None).await, 200);
        assert_eq!(status("/bad", Some(stranger.token(json!({"sub": "mallory"})))).await, 401);
        assert_eq!(status("/old", Some(issuer.token(json!({"sub": "alice", "exp": 1})))).await, 401);
        envoy.logs().wait(|line| line == "access /known sub=alice").await.unwrap();
        envoy.logs().wait(|line| line == "access /none sub=-").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn mtls_knows_the_peer_and_headers_go_early() {
    let (v1, v2) = (Upstream::start("v1"), Upstream::start("v2"));
    let pki = Pki::new().unwrap();
    let server = pki.identity(&["gateway.example", "spiffe://mesh/gateway"]).unwrap();
    let peer = pki.identity(&["spiffe://mesh/ns/shop/sa/web"]).unwrap();
    let listener = |name: &str| {
        let listener =
            Listener::http(name, arms()).access_log_stdout("access %REQ(:PATH)% peer=%DOWNSTREAM_PEER_URI_SAN%");
        listener.early_header_removal(&["x-canary-arm", "x_canary_arm"])
    };
    let bootstrap = with_arms(listener("plain"), &v1, &v2)
        .listener(listener("strict").tls(&pki, &server, ClientCert::Required))
        .listener(listener("permissive").tls(&pki, &server, ClientCert::Optional));
    each(&bootstrap, async |envoy| {
        let config = |identity| pki.client_config(identity).unwrap();
        let to = |name: &str, identity| Endpoint::tls(envoy.addr(name), config(identity), "gateway.example");
        let mut client = RawClient::connect(to("strict", Some(&peer))).await.unwrap();
        assert_eq!(client.get("/strict", "a", &[]).await.unwrap().status, 200);
        envoy.logs().wait(|line| line == "access /strict peer=spiffe://mesh/ns/shop/sa/web").await.unwrap();
        let client = H2Client::connect(to("permissive", None)).await.unwrap();
        assert_eq!(client.get("/permissive", "a", &[]).await.unwrap().status, 200);
        envoy.logs().wait(|line| line == "access /permissive peer=-").await.unwrap();
        let refused = async { RawClient::connect(to("strict", None)).await?.get("/", "a", &[]).await };
        assert!(refused.await.is_err());

        let mut client = RawClient::connect(envoy.addr("plain")).await.unwrap();
        let spoofed = [("x-canary-arm", "v2"), ("X_Canary_Arm", "v2")];
        assert_eq!(client.get("/", "a", &spoofed).await.unwrap().served_by(), "v1");
        let seen = v1.take_requests().pop().unwrap();
        assert!(!seen.headers.contains("x-canary-arm") && !seen.headers.contains("x_canary_arm"));
    })
    .await;
}

#[tokio::test]
async fn tls_to_the_upstream() {
    let pki = Pki::new().unwrap();
    let upstream = Upstream::start_tls("secure", &pki.identity(&["api.example"]).unwrap());
    let cluster =
        |name: &str, server_name: &str| with_tls(static_cluster(name, upstream.addr()), &pki, server_name, None);
    let mut fast = http2_cluster("h2", upstream.addr());
    merge(&mut fast, with_tls(json!({}), &pki, "api.example", None));
    let to = |path: &str, cluster: &str| json!({"match": {"path": path}, "route": {"cluster": cluster}});
    let bootstrap = Bootstrap::new()
        .listener(Listener::http("main", virtual_hosts([to("/h1", "h1"), to("/h2", "h2"), to("/wrong", "wrong")])))
        .cluster_json(cluster("h1", "api.example"))
        .cluster_json(cluster("wrong", "other.example"))
        .cluster_json(fast);
    each(&bootstrap, async |envoy| {
        let mut client = RawClient::connect(envoy.addr("main")).await.unwrap();
        let mut status = async |path: &str| client.get(path, "api.example", &[]).await.unwrap().status;
        assert_eq!((status("/h1").await, status("/h2").await, status("/wrong").await), (200, 200, 503));
        let protocols: Vec<_> = upstream.take_requests().iter().map(|request| request.protocol).collect();
        assert_eq!(protocols, ["HTTP/1.1", "HTTP/2"]);
    })
    .await;
}

#[test]
fn versions_are_read() {
    for binary in envoy_binaries() {
        let version = envoy_version(&binary);
        assert!(version.split('.').count() == 3 && version.starts_with("1."), "{version}");
    }
}

/// A filter in 20 lines: it refuses a configuration of 3 bytes and traps on one of 4.
const FILTER: &str = r#"(module
  (memory (export "memory") 2)
  (global $heap (mut i32) (i32.const 1024))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32)
    global.get $heap  global.get $heap local.get 0 i32.add global.set $heap)
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) i32.const 1)
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    local.get 1 i32.const 4 i32.eq if unreachable end
    local.get 1 i32.const 3 i32.ne)
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) i32.const 0)
)"#;

/// The filter as a file of this process.
fn filter(dir: &Path) -> WasmPlugin {
    let path = dir.join("filter.wasm");
    std::fs::write(&path, wat::parse_str(FILTER).unwrap()).unwrap();
    WasmPlugin::new("default.filter", path).failure_policy(FailurePolicy::FailReload)
}

#[tokio::test]
async fn plugin_updates_are_taken_or_refused() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (v1, v2) = (Upstream::start("v1"), Upstream::start("v2"));
    let plugin = filter(dir).json(json!({"n": 1}));
    // The same plugin on two listeners: one resource.
    let bootstrap = with_arms(Listener::http("main", arms()).wasm(&plugin), &v1, &v2);
    let bootstrap = bootstrap.listener(Listener::http("other", arms()).wasm(&plugin));
    each(&bootstrap, async |envoy| {
        let mut client = RawClient::connect(envoy.addr("main")).await.unwrap();
        let mut status = async || client.get("/", "a", &[]).await.unwrap().status;
        assert_eq!(status().await, 200);
        let start = Instant::now();
        for n in 2..6 {
            assert_eq!(envoy.update_plugin("default.filter", json!({"n": n})).await.unwrap(), Update::Accepted);
        }
        println!("update: {:?} each", start.elapsed() / 4);
        let why = envoy.update_plugin("default.filter", "bad").await.unwrap().rejected().unwrap();
        assert!(why.contains("default.filter"), "{why}");
        assert_eq!(status().await, 200);
        envoy.update_plugin("default.filter", "trap").await.unwrap().rejected().unwrap();
        assert_eq!(status().await, 200);
        // The same content again is an update too; so is an empty one, and bytes.
        envoy.update_plugin("default.filter", json!({"n": 5})).await.unwrap().accepted().unwrap();
        envoy.update_plugin("default.filter", json!({"n": 5})).await.unwrap().accepted().unwrap();
        envoy.update_plugin("default.filter", PluginConfig::None).await.unwrap().accepted().unwrap();
        envoy.update_plugin("default.filter", &b"\xff\xfe"[..]).await.unwrap().accepted().unwrap();
        assert_eq!(status().await, 200);
    })
    .await;

    let refused = with_arms(Listener::http("main", arms()).wasm(&plugin.config("bad")), &v1, &v2);
    for binary in envoy_binaries() {
        let options = EnvoyOptions::new(&binary, refused.clone());
        let error = Envoy::start(options.clone()).await.err().expect("an error").to_string();
        assert!(error.contains("`default.filter` was refused"), "{error}");
        let envoy = Envoy::start(options.allow_rejected()).await.unwrap();
        let mut client = RawClient::connect(envoy.addr("main")).await.unwrap();
        assert_eq!(client.get("/", "a", &[]).await.unwrap().status, 500);
        envoy.update_plugin("default.filter", json!({})).await.unwrap().accepted().unwrap();
        assert_eq!(client.get("/", "a", &[]).await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn a_start_that_fails_shows_the_log() {
    let bootstrap = Bootstrap::new().json(json!({"nonsense": 1}));
    for binary in envoy_binaries() {
        let error =
            Envoy::start(EnvoyOptions::new(&binary, bootstrap.clone())).await.err().expect("an error").to_string();
        assert!(error.contains("ended with") && error.contains("nonsense"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_requests() {
    let (v1, v2) = (Upstream::start("v1"), Upstream::start("v2"));
    each(&with_arms(Listener::http("main", arms()), &v1, &v2), async |envoy| {
        v1.take_requests();
        let start = Instant::now();
        let request = |i: usize| {
            let request = Request::get(&format!("/{i}"));
            if i.is_multiple_of(4) { request.header("x-canary-arm", "v2") } else { request }
        };
        let answers = run_many(envoy.addr("main"), 10_000, 16, request).await.unwrap();
        println!("10,000 requests: {:?}", start.elapsed());
        assert!(
            answers
                .iter()
                .enumerate()
                .all(|(i, answer)| answer.served_by() == if i.is_multiple_of(4) { "v2" } else { "v1" })
        );
        let paths: HashSet<String> = v1.take_requests().into_iter().map(|request| request.path).collect();
        assert_eq!(paths.len(), 7_500);
        let stats = envoy.wait_for_counter(
            "envoy_http_downstream_rq_total",
            &[("envoy_http_conn_manager_prefix", "main")],
            10_000,
        );
        assert_eq!(
            stats.await.unwrap().counter("envoy_cluster_upstream_rq_total", &[("envoy_cluster_name", "v2")]),
            2_500
        );
        let usage = envoy.usage().unwrap();
        assert!(
            usage.user + usage.system > Duration::ZERO
                && usage.rss > 10 << 20
                && envoy.allocated().await.unwrap() > 1 << 20
        );
        assert!(usage.threads.keys().any(|name| name.starts_with("wrk:")), "{:?}", usage.threads);
        assert!(envoy.shutdown().await.unwrap().success());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_at_once_do_not_collide() {
    let binaries = envoy_binaries();
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..20 {
        let binary = binaries[number % binaries.len()].clone();
        tasks.spawn(async move {
            let name = format!("u{number}");
            let upstream = Upstream::start(&name);
            let listener = |name: &str| Listener::http(name, virtual_hosts([route_to("u")]));
            let bootstrap =
                Bootstrap::new().listener(listener("a")).listener(listener("b")).cluster("u", upstream.addr());
            let envoy = Envoy::start(EnvoyOptions::new(binary, bootstrap).concurrency(2)).await.unwrap();
            for listener in ["a", "b"] {
                for _ in 0..20 {
                    let mut client = RawClient::connect(envoy.addr(listener)).await.unwrap();
                    assert_eq!(client.get("/", "h", &[]).await.unwrap().served_by(), name);
                }
            }
            (envoy, upstream)
        });
    }
    let all = tasks.join_all().await;
    println!("20 Envoys: {:?}", start.elapsed());
    let ports: BTreeSet<_> =
        all.iter().flat_map(|(envoy, _)| [envoy.addr("a"), envoy.addr("b"), envoy.admin().addr()]).collect();
    assert_eq!(ports.len(), 60);
    let pids: Vec<u32> = all.iter().map(|(envoy, _)| envoy.pid()).collect();
    assert!(pids.iter().all(|&pid| alive(pid)));
    let start = Instant::now();
    drop(all);
    println!("dropped: {:?}", start.elapsed());
    assert!(!pids.iter().any(|&pid| alive(pid)));
}

#[tokio::test]
async fn gone_after_drop_and_with_a_launcher() {
    for binary in envoy_binaries() {
        let bootstrap = Bootstrap::new().listener(Listener::tcp("main", "none"));
        let envoy = Envoy::start(EnvoyOptions::new(&binary, bootstrap.clone())).await.unwrap();
        let (pid, dir) = (envoy.pid(), envoy.dir().to_path_buf());
        assert!(alive(pid) && dir.exists());
        drop(envoy);
        assert!(!alive(pid) && !dir.exists());
        // A launcher that stays and has Envoy as its child.
        let launcher = ["sh", "-c", "\"$@\"; exit $?", "launcher"];
        let envoy = Envoy::start(EnvoyOptions::new(&binary, bootstrap).launcher(&launcher)).await.unwrap();
        let pid = envoy.pid();
        assert!(std::fs::read_link(format!("/proc/{pid}/exe")).unwrap().ends_with(binary.file_name().unwrap()));
        drop(envoy);
        assert!(!alive(pid));
    }
}

/// Not a test by itself: the process that `gone_after_the_parent_is_killed` kills.
#[tokio::test]
#[ignore = "run by gone_after_the_parent_is_killed"]
async fn child_that_gets_killed() {
    let Some(file) = std::env::var_os("HARNESS_PID_FILE") else { return };
    let mut envoys = Vec::new();
    for binary in envoy_binaries() {
        envoys.push(Envoy::start(EnvoyOptions::new(&binary, Bootstrap::new())).await.unwrap());
    }
    let pids: Vec<String> = envoys.iter().map(|envoy| envoy.pid().to_string()).collect();
    let new = Path::new(&file).with_extension("new");
    std::fs::write(&new, pids.join(" ")).unwrap();
    std::fs::rename(&new, &file).unwrap();
    std::future::pending::<()>().await;
}

#[test]
fn gone_after_the_parent_is_killed() {
    // The child cannot remove its directories: they go with ours.
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("killed-{}", std::process::id()));
    std::fs::create_dir(&dir).unwrap();
    let file = dir.join("pids");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "child_that_gets_killed"])
        .env("HARNESS_PID_FILE", &file)
        .env("TMPDIR", &dir)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    let pids: Vec<u32> = loop {
        if let Ok(text) = std::fs::read_to_string(&file) {
            break text.split(' ').map(|pid| pid.parse().unwrap()).collect();
        }
        assert!(start.elapsed() < TIMEOUT && child.try_wait().unwrap().is_none(), "the child did not start its Envoys");
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(!pids.is_empty() && pids.iter().all(|&pid| alive(pid)));
    child.kill().unwrap();
    child.wait().unwrap();
    let start = Instant::now();
    pids.iter().for_each(|&pid| wait_gone(pid));
    println!("gone after {:?}", start.elapsed());
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn gone_after_a_panic() {
    let binary = envoy_binaries().remove(0);
    let (send, receive) = std::sync::mpsc::channel();
    let panicked = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let envoy = Envoy::start(EnvoyOptions::new(&binary, Bootstrap::new())).await.unwrap();
            send.send((envoy.pid(), envoy.dir().to_path_buf())).unwrap();
            panic!("on purpose");
        })
    });
    assert!(panicked.join().is_err());
    let (pid, dir) = receive.recv().unwrap();
    assert!(!alive(pid) && dir.join("envoy.log").exists());
    std::fs::remove_dir_all(dir).unwrap();
}
