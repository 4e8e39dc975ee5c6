//! A real Unleash for the demo, with the flags that flag-headers' configuration has as its bootstrap.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Instant;

use harness::{FlagKind, Result, UnleashServer};
use serde_json::{Value, json};

use crate::plugin::FLAGS;
use crate::say;

/// A running Unleash, which goes with its value.
pub(crate) struct Unleash {
    server: UnleashServer,
    password: String,
}

impl Unleash {
    /// Starts one, makes the flags, and says how to log in.
    pub(crate) async fn start() -> Result<Self> {
        say("Starting Unleash and its database ...")?;
        let start = Instant::now();
        let unleash = Self { server: UnleashServer::start().await?, password: password() };
        unleash.seed().await?;
        let config = unleash.server.admin("GET", "/api/admin/ui-config", Value::Null).await?;
        let (version, password) = (config["version"].as_str().unwrap_or("of unknown version"), &unleash.password);
        // the first user of a server; its first password is not known here
        let change = json!({"password": password});
        unleash.server.admin("POST", "/api/admin/user-admin/1/change-password", change).await?;
        say(format_args!("Unleash {version} is up after {:.1} s.", start.elapsed().as_secs_f64()))?;
        say(format_args!("   unleash   http://localhost:{}   (user admin, password {password})", unleash.port()))?;
        Ok(unleash)
    }

    /// Its port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.server.port()
    }

    /// The password of its user admin.
    pub(crate) fn password(&self) -> &str {
        &self.password
    }

    /// The token by which a proxy gets flags.
    pub(crate) fn token(&self) -> &str {
        self.server.backend_token()
    }

    /// The strategies that a flag has in the beginning.
    pub(crate) fn strategies(&self, flag: &str) -> Result<Vec<Value>> {
        let features = bootstrap()?;
        let found = features.iter().find(|feature| feature["name"] == flag);
        Ok(found.and_then(|feature| feature["strategies"].as_array().cloned()).unwrap_or_default())
    }

    /// Replaces the strategies of a flag.
    pub(crate) async fn set_strategies(&self, flag: &str, strategies: &[Value]) -> Result<()> {
        self.server.set_strategies(flag, strategies).await
    }

    async fn seed(&self) -> Result<()> {
        for feature in bootstrap()? {
            let name = feature["name"].as_str().unwrap_or_default();
            self.server.create_flag(name, FlagKind::Release).await?;
            for strategy in feature["strategies"].as_array().into_iter().flatten() {
                self.server.add_strategy(name, strategy.clone()).await?;
            }
            self.server.enable(name).await?;
        }
        Ok(())
    }
}

/// The flags of the configuration that is checked in.
fn bootstrap() -> Result<Vec<Value>> {
    let configuration: Value = serde_json::from_str(&FLAGS.example()?)?;
    Ok(configuration["bootstrap"]["features"].as_array().cloned().unwrap_or_default())
}

/// A password that Unleash takes: with capitals, digits and others, and no letter three times in a row.
fn password() -> String {
    let random = RandomState::new().build_hasher().finish().to_be_bytes();
    random.iter().fold("Demo1".to_owned(), |text, byte| format!("{text}-{byte:02x}"))
}
