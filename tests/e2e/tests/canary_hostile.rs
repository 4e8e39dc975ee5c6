//! canary-router against clients that mean ill: nothing of theirs becomes an arm, and nothing of theirs loses a VM.

use e2e::{HOST, Setup, ai, config, core_arm, each, policy, user, with};
use harness::{H2Client, Request};
use serde_json::json;

/// The arm headers in what an upstream got, in any spelling.
fn arms(recorded: &harness::Recorded) -> Vec<String> {
    let folded = |name: &[u8]| String::from_utf8_lossy(name).to_ascii_lowercase().replace('_', "-");
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    recorded.headers.iter().filter(|(name, _)| folded(name) == "x-canary-arm").map(|(_, value)| text(value)).collect()
}

fn forged(request: Request) -> Request {
    request
        .header("x-canary-arm", "v2")
        .header("X-Canary-ARM", "v2")
        .header("x_canary_arm", "v2")
        .header("X-Canary_Arm", "v2")
        .header("x-canary-arm", b"\xffv2")
        .header("x-canary-arm", "")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_arm_of_a_client_survives_whatever_the_configuration() {
    let cases = [
        (config(0.0).into(), user(1), vec!["v1"]),
        (config(0.0).into(), user(1).header("x-env", "canary"), vec!["v2"]),
        (config(0.0).into(), Request::get("/api/auth/login").host(HOST), vec![]),
        (config(0.0).into(), Request::get("/elsewhere").host(HOST), vec![]),
        (config(0.0).into(), Request::get("/api/ai").host("other.local"), vec![]),
        (with(config(0.0), "/mode", json!("report")).into(), user(1), vec![]),
        (with(config(0.0), "/rules/0/baseline", json!(7)).into(), user(1), vec![]),
        (json!({}).into(), user(1), vec![]),
        (harness::PluginConfig::None, user(1), vec![]),
        ("{not json".into(), user(1), vec![]),
        (b"\xff\xfe".as_slice().into(), user(1), vec![]),
        (json!([1]).into(), user(1), vec![]),
        (json!({"rules": {"a": 1}, "armHeader": "x-canary-arm"}).into(), user(1), vec![]),
    ];
    for (config, request, expected) in cases {
        let config: harness::PluginConfig = config;
        each(Setup::new(config.clone()), async |mesh| {
            let answer = mesh.ask(forged(request.clone())).await;
            assert_eq!(answer.status, 200);
            let upstream = if expected == ["v2"] { &mesh.v2 } else { &mesh.v1 };
            assert_eq!(arms(&upstream.take_one()), expected, "{config:?} {request:?}");
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_override_on_the_arm_header_itself_is_no_way_in() {
    let config = with(config(0.0), "/rules/0/overrides/-", json!({"arm": "v2", "headers": {"x-canary-arm": {}}}));
    each(Setup::new(config), async |mesh| {
        assert_eq!(mesh.ask(forged(user(1))).await.served_by(), "v1");
        assert_eq!(arms(&mesh.v1.take_one()), ["v1"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_strips_as_well() {
    each(Setup::new(config(0.0)), async |mesh| {
        let client = H2Client::connect(mesh.envoy.addr("main")).await.unwrap();
        let request = user(1).header("x-canary-arm", "v2").header("x_canary_arm", "v2").header("x-canary-arm", "v3");
        assert_eq!(client.send(&request).await.unwrap().served_by(), "v1");
        assert_eq!(arms(&mesh.v1.take_one()), ["v1"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_any_bytes_and_any_length_are_used_as_they_are() {
    let config = config(50.0);
    let policy = policy(&config);
    let ids: Vec<Vec<u8>> = vec![
        b"\xff\xfe\x80".to_vec(),
        "José ✓".as_bytes().to_vec(),
        vec![b'x'; 16 * 1024],
        [vec![0xc3; 16 * 1024], b"y".to_vec()].concat(),
        b"a,b;c=d \"e\" %20".to_vec(),
        b"../../etc/passwd".to_vec(),
        b"{\"sub\":\"qa-1\"}".to_vec(),
    ];
    each(Setup::new(config), async |mesh| {
        for id in &ids {
            let answer = mesh.ask(ai().header("x-user-id", id)).await;
            assert_eq!((answer.status, answer.served_by()), (200, core_arm(&policy, id)), "{} bytes", id.len());
        }
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_headers_and_cookies_are_decided_like_any_request() {
    each(Setup::new(config(0.0)), async |mesh| {
        for count in [500, 1500] {
            let flood = (0..count).fold(forged(user(1)), |request, n| request.header(format!("x-flood-{n}"), "v"));
            assert_eq!(mesh.ask(flood).await.status, 200, "{count}");
            assert_eq!(arms(&mesh.v1.take_one()), ["v1"], "{count}");
        }
        let crumbs = (0..500).fold(ai(), |request, n| request.header("cookie", format!("c{n}=v; ; =; uid")));
        assert_eq!(
            mesh.ask(crumbs.header("cookie", "uid=ada")).await.headers.text("x-canary-reason").as_deref(),
            Some("user")
        );
        let long = format!("/api/ai/{}?uid={}", "a/".repeat(8000), "b%".repeat(8000));
        assert_eq!(mesh.ask(Request::get(&long).host(HOST)).await.status, 200);
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_requests_end_well() {
    each(Setup::new(with(config(50.0), "/anonymous", json!({}))), async |mesh| {
        let odd: [&[u8]; 7] = [
            b"GET /api/ai HTTP/1.1\r\nhost: devmentor.local\r\nx-user-id: a\r\nx-user-id: b\r\n\r\n",
            b"GET /api/ai HTTP/1.0\r\nhost: devmentor.local\r\n\r\n",
            b"OPTIONS * HTTP/1.1\r\nhost: devmentor.local\r\n\r\n",
            b"GET http://devmentor.local/api/ai HTTP/1.1\r\nhost: devmentor.local\r\n\r\n",
            b"GET /api/ai?#? HTTP/1.1\r\nhost: devmentor.local:99999\r\n\r\n",
            b"GET /api/ai HTTP/1.1\r\nhost: [::1]:80\r\ncookie: \xff=\xfe; rc_anon=\xff\r\n\r\n",
            b"POST /api/ai HTTP/1.1\r\nhost: devmentor.local\r\ntransfer-encoding: chunked\r\ncookie: rc_anon=\r\n\r\n0\r\n\r\n",
        ];
        for request in odd {
            let mut client = mesh.client().await;
            client.write(request).await.unwrap();
            let answer = client.read().await.unwrap();
            assert!((200..500).contains(&answer.status), "{}: {answer:?}", String::from_utf8_lossy(request));
        }
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_filter_is_absent_envoy_itself_strips() {
    let strip = vec!["x-canary-arm", "x_canary_arm"];
    let absent = Setup { native_strip: strip.clone(), ..Setup::without_plugin() };
    each(absent, async |mesh| {
        let request = user(1).header("x-canary-arm", "v2").header("x_canary_arm", "v2").header("X-Canary-Arm", "v2");
        assert_eq!(mesh.ask(request).await.served_by(), "v1");
        assert!(arms(&mesh.v1.take_one()).is_empty());
    })
    .await;
    let present = Setup { native_strip: strip, ..Setup::new(config(0.0)) };
    each(present, async |mesh| {
        assert_eq!(
            mesh.ask(user(1).header("x-env", "canary")).await.served_by(),
            "v2",
            "the filter's own write survives"
        );
    })
    .await;
}
