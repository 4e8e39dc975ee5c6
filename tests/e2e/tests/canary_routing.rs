//! canary-router in a real Envoy: who gets which arm, and that it stays so.

use e2e::{Mesh, Setup, ai, config, core_arm, each, policy, user, with};
use harness::{ClientCert, Endpoint, H2Client, Listener, Pki, RawClient, Reply, Request, envoy_binaries, run_many};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_users_keep_the_arm_that_the_hash_gives_them() {
    const USERS: usize = 10_000;
    let config = config(10.0);
    let policy = policy(&config);
    let expected: Vec<String> = (0..USERS).map(|n| core_arm(&policy, format!("user-{n}").as_bytes())).collect();
    each(Setup { workers: 2, ..Setup::new(config) }, async |mesh| {
        let first = mesh.served(USERS).await;
        assert_eq!(first, expected, "the proxy decides as the core does");
        assert_eq!(mesh.served(USERS).await, first, "asking again gives the same arm");
        let canary = first.iter().filter(|arm| *arm == "v2").count();
        // 1000 expected; the standard deviation of 10,000 draws at 10 % is 30
        assert!((880..=1120).contains(&canary), "{canary} of {USERS} in v2");
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn raising_moves_only_baseline_users_into_the_canary() {
    each(Setup::new(config(10.0)), async |mesh| {
        let ten = mesh.served(2000).await;
        mesh.configure(config(25.0)).await;
        let quarter = mesh.served(2000).await;
        assert!(ten.iter().zip(&quarter).all(|(old, new)| old == new || (old == "v1" && new == "v2")));
        assert!(ten != quarter);
        mesh.configure(config(10.0)).await;
        assert_eq!(mesh.served(2000).await, ten, "lowering moves just those back");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_and_http_2_agree() {
    each(Setup::new(config(50.0)), async |mesh| {
        let mut first = mesh.client().await;
        let second = H2Client::connect(mesh.envoy.addr("main")).await.unwrap();
        for n in 0..200 {
            let (one, two) = (first.send(&user(n)).await.unwrap(), second.send(&user(n)).await.unwrap());
            assert_eq!((one.status, one.served_by()), (two.status, two.served_by()), "user-{n}");
        }
        // http/2 parts a cookie header into one for each pair
        let crumbs = ai().header("cookie", "a=b").header("cookie", "uid=user-3");
        let whole = ai().header("cookie", "a=b; uid=user-3");
        assert_eq!(second.send(&crumbs).await.unwrap().served_by(), first.send(&whole).await.unwrap().served_by());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_identity_source_is_read_in_its_order() {
    let config = with(config(50.0), "/rules/0/overrides", json!([]));
    let policy = policy(&config);
    let (in_v1, in_v2) = {
        let find =
            |arm: &str| (0..100).map(|n| format!("u{n}")).find(|id| core_arm(&policy, id.as_bytes()) == arm).unwrap();
        (find("v1"), find("v2"))
    };
    each(Setup::new(config), async |mesh| {
        let token = |claims| mesh.issuer.token(claims);
        let other = harness::JwtIssuer::new("https://auth.devmentor.local").token(json!({"sub": in_v2}));
        let path = |id: &str| Request::get(&format!("/api/ai/chat?a=b&uid={id}")).host(e2e::HOST);
        let cases = [
            ("the verified token", ai().bearer(&token(json!({"sub": in_v2}))).header("x-user-id", &in_v1), "v2"),
            ("a token with more claims", ai().bearer(&token(json!({
                "sub": in_v2, "roles": ["a", "b"], "org": {"id": 7}, "exp": 4_000_000_000_u64, "admin": true, "none": null,
            }))), "v2"),
            ("a forged token", ai().bearer(&other).header("x-user-id", &in_v1), "v1"),
            ("a token of another issuer", ai().bearer(&token(json!({"sub": in_v2, "iss": "https://x"}))).header("x-user-id", &in_v1), "v1"),
            ("a token whose subject is a number", ai().bearer(&token(json!({"sub": 12_345_678}))).header("x-user-id", &in_v2), "v2"),
            ("a token whose subject is empty", ai().bearer(&token(json!({"sub": ""}))).header("x-user-id", &in_v2), "v2"),
            ("a header before a cookie", ai().header("x-user-id", &in_v2).header("cookie", format!("uid={in_v1}")), "v2"),
            ("an empty header counts as none", ai().header("x-user-id", "").header("cookie", format!("uid={in_v2}")), "v2"),
            ("a cookie before the query", path(&in_v1).header("cookie", format!("a=b; uid={in_v2}")), "v2"),
            ("the query", path(&in_v2), "v2"),
            ("the query of the other", path(&in_v1), "v1"),
        ];
        for (what, request, arm) in cases {
            let answer = mesh.ask(request).await;
            assert_eq!((answer.served_by().as_str(), answer.headers.text("x-canary-reason").as_deref()), (arm, Some("user")), "{what}");
        }
        let none = mesh.ask(ai()).await;
        assert_eq!((none.served_by().as_str(), none.headers.text("x-canary-reason").as_deref()), ("v1", Some("no_identity")));
        mesh.assert_whole_without_overrides().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn overrides_count_for_trusted_users_only() {
    each(Setup::new(config(0.0)), async |mesh| {
        let named = |id: &str| ai().bearer(&mesh.issuer.token(json!({"sub": id})));
        let cases = [
            (ai().header("x-env", "canary"), "v2", "override"),
            (named("vip-7").header("x-env", "canary"), "v2", "override"),
            (named("qa-1"), "v2", "override"),
            (named("vip-7"), "v1", "override"),
            (ai().header("x-user-id", "qa-1"), "v1", "user"),
            (ai().header("x-env", "canaries"), "v1", "no_identity"),
        ];
        for (request, arm, reason) in cases {
            let answer = mesh.ask(request.clone()).await;
            let told = answer.headers.text("x-canary-reason").unwrap();
            assert_eq!((answer.served_by().as_str(), told.as_str()), (arm, reason), "{request:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_arms_in_lanes_are_routed_and_a_third_at_nothing_moves_nobody() {
    let two = with(config(10.0), "/rules/0/arms", json!([{"name": "v2", "weight": 30}, {"name": "v3", "weight": 20}]));
    let lanes = |third: f64| {
        with(
            config(10.0),
            "/rules/0/arms",
            json!([
                {"name": "v2", "weight": 30, "lane": [0, 4000]},
                {"name": "v3", "weight": 20, "lane": [6000, 10000]},
                {"name": "v4", "weight": third, "lane": [4000, 6000]},
            ]),
        )
    };
    each(Setup::new(two), async |mesh| {
        let arms = async || {
            let answers = run_many(mesh.envoy.addr("main"), 2000, 8, user).await.unwrap();
            answers.iter().map(|answer| answer.headers.text("x-canary-arm").unwrap()).collect::<Vec<_>>()
        };
        let before = arms().await;
        mesh.configure(lanes(0.0)).await;
        assert_eq!(arms().await, before);
        mesh.configure(lanes(20.0)).await;
        let after = arms().await;
        assert!(before.iter().zip(&after).all(|(old, new)| old == new || (old == "v1" && new == "v4")));
        for (arm, share) in [("v1", 600), ("v2", 600), ("v3", 400), ("v4", 400)] {
            let count = after.iter().filter(|found| *found == arm).count();
            assert!(count.abs_diff(share) < 100, "{count} in {arm}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_anonymous_visitor_is_sticky_from_the_first_request_on() {
    let config = with(config(50.0), "/anonymous", json!({"cookie": "rc_anon", "maxAge": "8760h"}));
    each(Setup::new(config), async |mesh| {
        mesh.v1.respond(|_| {
            Reply::text("v1").header("cache-control", "public, max-age=60").header("cdn-cache-control", "max-age=9")
        });
        let mut arms = [0, 0];
        for _ in 0..60 {
            let first = mesh.ask(ai()).await;
            let cookie = first.headers.text("set-cookie").unwrap();
            let (pair, attributes) = cookie.split_once("; ").unwrap();
            assert_eq!(attributes, "Path=/; Max-Age=31536000; SameSite=Lax; Secure; HttpOnly");
            let control = first.headers.text("cache-control").unwrap();
            assert!(control.starts_with("private") && !control.contains("public"), "{control}");
            assert!(!first.headers.contains("cdn-cache-control"));
            let again = mesh.ask(ai().header("cookie", format!("x=y; {pair}"))).await;
            assert_eq!(again.served_by(), first.served_by());
            assert!(!again.headers.contains("set-cookie"));
            assert_eq!(again.headers.text("x-canary-reason").as_deref(), Some("anonymous"));
            arms[usize::from(first.served_by() == "v2")] += 1;
        }
        assert!(arms[0] > 10 && arms[1] > 10, "ids are dealt by chance: {arms:?}");
        let known = mesh.ask(user(1)).await;
        assert!(!known.headers.contains("set-cookie"));
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_by_chance_differ_between_workers_and_requests() {
    let config = with(config(50.0), "/anonymous", json!({}));
    each(Setup { workers: 4, ..Setup::new(config) }, async |mesh| {
        mesh.record(false);
        let answers = run_many(mesh.envoy.addr("main"), 2000, 32, |_| ai()).await.unwrap();
        let mut cookies: Vec<_> = answers.iter().map(|answer| answer.headers.text("set-cookie").unwrap()).collect();
        cookies.sort();
        cookies.dedup();
        assert_eq!(cookies.len(), 2000);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_id_the_rule_decides() {
    for (written, expected) in [("unset", None), ("baseline", Some("v1")), ("random", Some("v2"))] {
        let config = with(with(config(100.0), "/rules/0/noIdentity", json!(written)), "/rules/0/overrides", json!([]));
        each(Setup::new(config), async |mesh| {
            let answer = mesh.ask(ai()).await;
            assert_eq!(answer.headers.text("x-canary-arm").as_deref(), expected, "{written}");
        })
        .await;
    }
    let config = with(config(50.0), "/rules/0/noIdentity", json!("random"));
    each(Setup::new(config), async |mesh| {
        let answers = run_many(mesh.envoy.addr("main"), 400, 4, |_| ai()).await.unwrap();
        let canary = answers.iter().filter(|answer| answer.served_by() == "v2").count();
        assert!((120..280).contains(&canary), "{canary} of 400");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn inside_the_mesh_only_a_verified_peers_arm_is_kept() {
    let config = with(config(0.0), "/trust", json!("mesh"));
    for binary in envoy_binaries() {
        let pki = Pki::new().unwrap();
        let server = pki.identity(&["mesh.local"]).unwrap();
        let peer = pki.identity(&["spiffe://cluster.local/ns/istio-system/sa/gateway"]).unwrap();
        let nameless = pki.identity(&["just.a.name"]).unwrap();
        let setup = Setup::new(config.clone());
        let secured =
            |main: Listener| vec![main.clone().named("mutual").tls(&pki, &server, ClientCert::Optional), main];
        let mesh = Mesh::start_with(&binary, &setup, secured).await;
        let forged = || user(1).header("x-canary-arm", "v2");
        assert_eq!(mesh.ask(forged()).await.served_by(), "v1", "in plain text");
        let cases = [(Some(&peer), "v2", "peer"), (Some(&nameless), "v1", "user"), (None, "v1", "user")];
        for (identity, arm, reason) in cases {
            let config = pki.client_config(identity).unwrap();
            let endpoint = Endpoint::tls(mesh.envoy.addr("mutual"), config, "mesh.local");
            let answer = RawClient::connect(&endpoint).await.unwrap().send(&forged()).await.unwrap();
            let told = answer.headers.text("x-canary-reason").unwrap();
            assert_eq!((answer.served_by().as_str(), told.as_str()), (arm, reason));
        }
        mesh.assert_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_that_depend_on_an_arm_can_vary() {
    each(Setup::new(with(config(10.0), "/armCaching", json!("vary"))), async |mesh| {
        let answer = mesh.ask(user(1)).await;
        assert_eq!(answer.headers.text("vary").as_deref(), Some("authorization, x-user-id, cookie, x-env"));
    })
    .await;
}
