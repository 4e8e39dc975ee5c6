//! A canary by weight picks exactly the users that an Unleash gradual rollout picks: Unleash's own published cases, as they
//! are, through the built filter in Envoy.

use std::path::PathBuf;

use e2e::{HOST, Setup, ai, each};
use harness::{Request, workspace_root};
use serde_json::{Value, json};

/// The files of the specification with rollouts: by user id, flexible, with custom stickiness.
const FILES: [&str; 3] =
    ["03-gradual-rollout-user-id-strategy.json", "10-flexible-rollout-strategy.json", "12-custom-stickiness.json"];

/// One published case: who asks, for which rollout, and whether it is on.
#[derive(Debug)]
struct Case {
    description: String,
    feature: String,
    /// The id that the rollout's stickiness names; none where the case has none.
    id: Option<String>,
    expected: bool,
}

/// A published rollout: feature, group, percentage.
#[derive(Debug)]
struct Rollout {
    feature: String,
    group: String,
    percentage: u64,
}

fn directory() -> PathBuf {
    let set = std::env::var_os("UNLEASH_SPECIFICATION").map(PathBuf::from);
    set.unwrap_or_else(|| workspace_root().join(".tools/unleash-specification/6.1.0/specifications"))
}

fn read(file: &str) -> Value {
    let path = directory().join(file);
    let text = std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}: run tools/unleash-specification.sh", path.display()));
    serde_json::from_slice(&text).unwrap()
}

/// The rollout of a feature whose only strategy is one.
fn rollout(feature: &Value) -> Option<(Rollout, String)> {
    let [strategy] = feature["strategies"].as_array()?.as_slice() else { return None };
    let parameters = &strategy["parameters"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let (percentage, stickiness) = match strategy["name"].as_str()? {
        "gradualRolloutUserId" => (text(&parameters["percentage"])?, "userId".to_owned()),
        "flexibleRollout" => (text(&parameters["rollout"])?, text(&parameters["stickiness"])?),
        _ => return None,
    };
    let rollout = Rollout {
        feature: text(&feature["name"])?,
        group: text(&parameters["groupId"])?,
        percentage: percentage.parse().ok()?,
    };
    Some((rollout, stickiness))
}

/// The id in a case's context: `default` stands for the user's, else the session's.
fn id(context: &Value, stickiness: &str) -> Option<String> {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    match stickiness {
        "default" => text(&context["userId"]).or_else(|| text(&context["sessionId"])),
        name => text(&context[name]).or_else(|| text(&context["properties"][name])),
    }
}

fn published() -> (Vec<Rollout>, Vec<Case>) {
    let (mut rollouts, mut cases) = (Vec::new(), Vec::new());
    for file in FILES {
        let specification = read(file);
        for feature in specification["state"]["features"].as_array().unwrap() {
            let Some((rollout, stickiness)) = rollout(feature) else { continue };
            for case in specification["tests"].as_array().unwrap() {
                if case["toggleName"] == rollout.feature.as_str() && feature["enabled"] == true {
                    cases.push(Case {
                        description: case["description"].as_str().unwrap().to_owned(),
                        feature: rollout.feature.clone(),
                        id: id(&case["context"], &stickiness),
                        expected: case["expectedResult"].as_bool().unwrap(),
                    });
                }
            }
            rollouts.push(rollout);
        }
    }
    (rollouts, cases)
}

/// A rule for each rollout, told apart by the path.
fn config(rollouts: &[Rollout]) -> Value {
    let rules: Vec<Value> = rollouts
        .iter()
        .map(|rollout| {
            json!({
                "name": rollout.feature,
                "match": [{"uri": {"exact": format!("/{}", rollout.feature)}}],
                "salt": rollout.group,
                "baseline": "v1",
                "arms": [{"name": "v2", "weight": rollout.percentage}],
                "noIdentity": "random",
            })
        })
        .chain([json!({
            "name": "ai-gateway",
            "match": [{"uri": {"prefix": "/api/ai"}}],
            "salt": "ai", "baseline": "v1",
            "overrides": [{"arm": "v2", "headers": {"x-env": {}}}],
            "arms": [{"name": "v2", "weight": 0}],
        })])
        .collect();
    json!({"identity": [{"header": "x-id"}], "rules": rules})
}

#[tokio::test(flavor = "multi_thread")]
async fn unleashs_published_rollouts_pick_the_same_users() {
    let (rollouts, cases) = published();
    assert!(rollouts.len() >= 8 && cases.len() >= 20, "{} rollouts, {} cases", rollouts.len(), cases.len());
    // without an id only nothing and all are sure: the rest is by chance, there as here
    let sure = |case: &&Case| case.id.is_some() || case.expected;
    each(Setup::new(config(&rollouts)), async |mesh| {
        for case in cases.iter().filter(sure) {
            let request = Request::get(&format!("/{}", case.feature)).host(HOST);
            let request = case.id.iter().fold(request, |request, id| request.header("x-id", id));
            let served = mesh.ask(request).await.served_by();
            assert_eq!(served == "v2", case.expected, "{}: {case:?}", case.description);
        }
        assert_eq!(mesh.ask(ai().header("x-env", "canary")).await.served_by(), "v2");
    })
    .await;
}
