//! Unleash's own published cases, as they are, through the built filter in Envoy: the client specification 6.1.0, files
//! 01 to 18, 21 and 22, all 275 cases. Left out are 19 and 20, four cases about a way of polling (deltas) that is not used
//! here.
//!
//! Each case is asked by OFREP, whose context can hold anything, and 264 of them also by plain requests. A context can have
//! several of these:
//!
//! | what a context has | cases | by OFREP | by a request |
//! |---|---|---|---|
//! | `userId` | 76 | the context | a header |
//! | `sessionId` | 10 | the context | a cookie |
//! | properties | 80 | the context | a header for each |
//! | `remoteAddress` | 17 | the context | `x-forwarded-for`, from a proxy that Envoy trusts |
//! | `environment` | 26 | the context | `context.environment` of the configuration, one for each value |
//! | `appName` | 1 | the context | `unleash.appName` of the configuration, without the proxy having that cluster |
//! | `currentTime` | 8 | the context | none: a request's time is now |
//! | text with line breaks | 3 | the context | none: no header holds one |
//!
//! A property that is `null` counts as none either way. Three cases ask for a flag that Unleash does not know: it is exposed
//! by its name and has its default; all others are exposed by `*`. Nothing in the cases is left to chance. The one flag with
//! variants that nothing is sticky for, `F9.globalSegmentOn`, is asked just whether it is on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use e2e::flags::{FLAGS_HOST, HOST, Mesh, Setup, each};
use harness::{Request, workspace_root};
use serde_json::{Value, json};

/// The files, with their numbers of cases.
const FILES: [(&str, usize); 20] = [
    ("01-simple-examples", 5),
    ("02-user-with-id-strategy", 5),
    ("03-gradual-rollout-user-id-strategy", 6),
    ("04-gradual-rollout-session-id-strategy", 6),
    ("05-gradual-rollout-random-strategy", 4),
    ("06-remote-address-strategy", 6),
    ("07-multiple-strategies", 6),
    ("08-variants", 17),
    ("09-strategy-constraints", 17),
    ("10-flexible-rollout-strategy", 10),
    ("11-strategy-constraints-edge-cases", 6),
    ("12-custom-stickiness", 9),
    ("13-constraint-operators", 46),
    ("14-constraint-semver-operators", 25),
    ("15-global-constraints", 6),
    ("16-strategy-variants", 11),
    ("17-dependent-features", 39),
    ("18-utf8-flag-names", 2),
    ("21-regex-constraint-operators", 37),
    ("22-cidr-constraint-operators", 12),
];

/// One published case.
struct Case {
    description: String,
    flag: String,
    context: Value,
    /// Whether the flag is on.
    enabled: bool,
    /// The name and the payload of its variant, where the case is about that.
    variant: Option<(String, Option<String>)>,
}

impl Case {
    fn read(written: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let expected = &written["expectedResult"];
        let variant = expected.is_object().then(|| {
            let name = text(&expected["name"]).unwrap();
            assert_eq!(expected["enabled"], name != "disabled", "a variant is on unless it is the one for none");
            (name, text(&expected["payload"]["value"]))
        });
        let enabled = if variant.is_some() { &expected["feature_enabled"] } else { expected };
        Self {
            description: text(&written["description"]).unwrap(),
            flag: text(&written["toggleName"]).unwrap(),
            context: written["context"].clone(),
            enabled: enabled.as_bool().unwrap(),
            variant,
        }
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.context[name].as_str()
    }

    fn properties(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.context["properties"].as_object().into_iter().flatten();
        all.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
    }

    /// Whether some text of its context stands on more than one line.
    fn has_line_breaks(&self) -> bool {
        let fields = self.context.as_object().into_iter().flatten().filter_map(|(_, value)| value.as_str());
        fields.chain(self.properties().map(|(_, value)| value)).any(|text| text.contains('\n'))
    }

    /// What of its context a configuration holds. None where no request can carry the rest.
    fn setting(&self) -> Option<Setting> {
        (self.field("currentTime").is_none() && !self.has_line_breaks()).then(|| Setting {
            environment: self.field("environment").map(str::to_owned),
            app_name: self.field("appName").map(str::to_owned),
            remote_address: self.field("remoteAddress").is_some(),
        })
    }

    /// A request with the rest of its context.
    fn request(&self) -> Request {
        let request = Request::get("/").host(HOST);
        let fixed = [("x-user-id", self.field("userId")), ("x-forwarded-for", self.field("remoteAddress"))];
        let fixed = fixed.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
        let cookie = self.field("sessionId").map(|id| ("cookie".to_owned(), format!("sid={id}")));
        let properties = self.properties().map(|(name, value)| (property_header(name), value.to_owned()));
        fixed.chain(cookie).chain(properties).fold(request, |request, (name, value)| request.header(name, value))
    }
}

/// What of a context is configured.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Setting {
    environment: Option<String>,
    app_name: Option<String>,
    remote_address: bool,
}

/// One file.
struct Specification {
    file: &'static str,
    state: Value,
    cases: Vec<Case>,
}

impl Specification {
    fn read((file, count): (&'static str, usize)) -> Self {
        let set = std::env::var_os("UNLEASH_SPECIFICATION").map(PathBuf::from);
        let directory =
            set.unwrap_or_else(|| workspace_root().join(".tools/unleash-specification/6.1.0/specifications"));
        let path = directory.join(format!("{file}.json"));
        let text = std::fs::read(&path)
            .unwrap_or_else(|error| panic!("{}: {error}: run tools/unleash-specification.sh", path.display()));
        let mut written: Value = serde_json::from_slice(&text).unwrap();
        let lists = ["tests", "variantTests"].into_iter().filter_map(|list| written[list].as_array());
        let cases: Vec<Case> = lists.flatten().map(Case::read).collect();
        assert_eq!(cases.len(), count, "{file}");
        Self { file, cases, state: written["state"].take() }
    }

    fn all() -> impl Iterator<Item = Self> {
        FILES.into_iter().map(Self::read)
    }

    /// A configuration that serves the file's flags.
    fn config(&self, payloads: bool, setting: &Setting) -> Value {
        let flag = |name: &str| {
            if payloads {
                json!({"name": name, "variant": true, "payload": {"type": "string"}})
            } else {
                json!({"name": name})
            }
        };
        let known: BTreeSet<&str> =
            self.state["features"].as_array().unwrap().iter().filter_map(|flag| flag["name"].as_str()).collect();
        let unknown = self.cases.iter().map(|case| case.flag.as_str()).filter(|name| !known.contains(name));
        let flags: Vec<Value> = unknown.chain(["*"]).map(flag).collect();
        let properties: BTreeMap<&str, Value> = self
            .cases
            .iter()
            .flat_map(Case::properties)
            .map(|(name, _)| (name, json!({"header": property_header(name)})))
            .collect();
        let mut config = json!({
            "bootstrap": self.state,
            "identity": [{"header": "x-user-id"}],
            "context": {
                "sessionId": {"cookie": "sid"}, "remoteAddress": setting.remote_address, "properties": properties,
            },
            "flags": flags,
            "ofrep": {"hosts": [FLAGS_HOST]},
        });
        if let Some(environment) = &setting.environment {
            config["context"]["environment"] = json!(environment);
        }
        if let Some(name) = &setting.app_name {
            config["unleash"] = json!({"cluster": "none", "appName": name});
        }
        config
    }
}

fn property_header(property: &str) -> String {
    format!("x-property-{}", property.to_ascii_lowercase())
}

/// `text` with all but letters, digits and some signs as `%xx`.
fn encoded(text: &str, plain: &[u8]) -> String {
    text.bytes().fold(String::new(), |encoded, byte| {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            encoded + char::from(byte).encode_utf8(&mut [0])
        } else {
            format!("{encoded}%{byte:02x}")
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_holds_by_ofrep() {
    each(Setup::new(json!({}), None), async |mesh: Mesh| {
        let mut asked = 0;
        for specification in Specification::all() {
            for about_variants in [false, true] {
                let cases = specification.cases.iter().filter(|case| case.variant.is_some() == about_variants);
                let cases: Vec<&Case> = cases.collect();
                if cases.is_empty() {
                    continue;
                }
                mesh.configure(specification.config(about_variants, &Setting::default())).await;
                for case in cases {
                    let what = format!("{}: {} {}", specification.file, case.description, case.context);
                    let answer = mesh.ofrep(&encoded(&case.flag, b""), case.context.clone()).await;
                    assert_eq!(answer.status, 200, "{what}: {answer:?}");
                    let answer = answer.json().unwrap();
                    assert_eq!(answer["key"], case.flag, "{what}: {answer}");
                    assert_eq!(answer["metadata"]["enabled"], case.enabled, "{what}: {answer}");
                    let switch = if case.enabled { "on" } else { "off" };
                    let (variant, value) = match &case.variant {
                        Some((name, payload)) => (name.as_str(), payload.clone().map(Value::from)),
                        None => (switch, Some(Value::from(case.enabled))),
                    };
                    assert_eq!(answer["variant"], variant, "{what}: {answer}");
                    assert_eq!(answer.get("value"), value.as_ref(), "{what}: {answer}");
                    asked += 1;
                }
            }
        }
        assert_eq!(asked, 275);
        assert_eq!(mesh.app.connections(), 0, "no application saw any of it");
        mesh.assert_whole().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_that_a_request_can_carry_holds_by_headers() {
    let behind_a_proxy = |listener: harness::Listener| {
        listener.max_headers(1000, 1000).hcm(json!({"use_remote_address": true, "xff_num_trusted_hops": 1}))
    };
    let setup = Setup { listener: behind_a_proxy, ..Setup::new(json!({}), None) };
    each(setup, async |mesh: Mesh| {
        let mut asked = 0;
        for specification in Specification::all() {
            let settings: BTreeSet<Setting> = specification.cases.iter().filter_map(Case::setting).collect();
            for setting in &settings {
                mesh.configure(specification.config(true, setting)).await;
                for case in specification.cases.iter().filter(|case| case.setting().as_ref() == Some(setting)) {
                    let what = format!("{}: {} {}", specification.file, case.description, case.context);
                    let seen = mesh.seen(case.request()).await;
                    let name = encoded(&case.flag.to_ascii_lowercase(), b"-._");
                    let header = |kind: &str| seen.text(&format!("x-{kind}-{name}"));
                    assert_eq!(header("flag"), Some(case.enabled.to_string()), "{what}");
                    if let Some((variant, payload)) = &case.variant {
                        assert_eq!(header("flagvariant").as_ref(), Some(variant), "{what}");
                        assert_eq!(&header("flagpayload"), payload, "{what}");
                    }
                    assert_eq!(seen.text("x-flags-source").as_deref(), Some("bootstrap"), "{what}");
                    asked += 1;
                }
            }
        }
        assert_eq!(asked, 264);
        mesh.assert_whole().await;
    })
    .await;
}

/// The numbers that stand at the head of this file.
#[test]
fn what_requests_cannot_carry_is_counted() {
    let all: Vec<Case> = Specification::all().flat_map(|specification| specification.cases).collect();
    let count = |wanted: fn(&&Case) -> bool| all.iter().filter(wanted).count();
    assert_eq!(all.len(), 275);
    assert_eq!(count(|case| case.setting().is_some()), 264);
    assert_eq!(count(|case| case.field("userId").is_some()), 76);
    assert_eq!(count(|case| case.field("sessionId").is_some()), 10);
    assert_eq!(count(|case| case.properties().next().is_some()), 80);
    assert_eq!(count(|case| case.field("currentTime").is_some()), 8);
    assert_eq!(count(|case| case.has_line_breaks()), 3);
    assert_eq!(count(|case| case.field("environment").is_some()), 26);
    assert_eq!(count(|case| case.field("appName").is_some()), 1);
    assert_eq!(count(|case| case.field("remoteAddress").is_some()), 17);
}
