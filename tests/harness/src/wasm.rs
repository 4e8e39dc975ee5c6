//! One Wasm plugin as Istio would configure it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// What Envoy does when the VM fails; Istio's `failStrategy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailurePolicy {
    /// Requests pass without the filter.
    FailOpen,
    /// Requests get 503.
    #[default]
    FailClosed,
    /// A new VM is made on the next request, 503 until then.
    FailReload,
}

/// The plugin configuration as the filter reads it.
#[derive(Clone, Debug, Default)]
pub enum PluginConfig {
    /// None is sent: the filter reads none.
    #[default]
    None,
    /// This JSON as text in a `StringValue`, as Istio sends `pluginConfig`.
    Json(Value),
    /// This text in a `StringValue`: anything that is not JSON.
    Raw(String),
    /// These bytes in a `BytesValue`: anything that is not UTF-8.
    Bytes(Vec<u8>),
}

impl From<Value> for PluginConfig {
    fn from(value: Value) -> Self {
        Self::Json(value)
    }
}

impl From<&str> for PluginConfig {
    fn from(text: &str) -> Self {
        Self::Raw(text.into())
    }
}

impl From<&[u8]> for PluginConfig {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.into())
    }
}

/// One plugin. Plugins with the same `wasm`, `vm_id` and environment share a VM per worker.
#[derive(Clone, Debug)]
pub struct WasmPlugin {
    /// The plugin's name: the ECDS resource's, the HTTP filter's and `plugin_name` to the filter.
    pub name: String,
    /// The built filter.
    pub wasm: PathBuf,
    /// The VM's id; empty, as in Istio, unless set.
    pub vm_id: String,
    /// The root context's id; Istio sets the plugin's name, so does the default.
    pub root_id: Option<String>,
    /// What happens when the VM fails.
    pub failure_policy: FailurePolicy,
    /// The configuration.
    pub config: PluginConfig,
    /// Environment variables of the VM with their values.
    pub env: BTreeMap<String, String>,
    /// Environment variables the VM gets from Envoy's own environment (Istio's `valueFrom: HOST`); see [`EnvoyOptions::env`](crate::EnvoyOptions::env).
    pub host_env: Vec<String>,
}

impl WasmPlugin {
    /// A plugin without configuration, fail-closed.
    pub fn new(name: &str, wasm: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            wasm: wasm.into(),
            vm_id: String::new(),
            root_id: None,
            failure_policy: FailurePolicy::default(),
            config: PluginConfig::None,
            env: BTreeMap::new(),
            host_env: Vec::new(),
        }
    }

    /// Sets the configuration to JSON.
    #[must_use]
    pub fn json(self, config: Value) -> Self {
        self.config(config)
    }

    /// Sets the configuration: JSON (`Value`), text (`&str`) or bytes (`&[u8]`).
    #[must_use]
    pub fn config(mut self, config: impl Into<PluginConfig>) -> Self {
        self.config = config.into();
        self
    }

    /// Sets the VM's id.
    #[must_use]
    pub fn vm_id(mut self, id: &str) -> Self {
        self.vm_id = id.into();
        self
    }

    /// Sets the root context's id.
    #[must_use]
    pub fn root_id(mut self, id: &str) -> Self {
        self.root_id = Some(id.into());
        self
    }

    /// Sets what happens when the VM fails.
    #[must_use]
    pub fn failure_policy(mut self, policy: FailurePolicy) -> Self {
        self.failure_policy = policy;
        self
    }

    /// Sets an environment variable of the VM.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Hands a variable of Envoy's own environment to the VM.
    #[must_use]
    pub fn host_env(mut self, name: &str) -> Self {
        self.host_env.push(name.into());
        self
    }

    /// The filter's `typed_config`: of the HTTP filter, or with `network` of the network filter.
    pub fn typed_config(&self, network: bool) -> Value {
        let kind = if network { "network" } else { "http" };
        let policy = match self.failure_policy {
            FailurePolicy::FailOpen => "FAIL_OPEN",
            FailurePolicy::FailClosed => "FAIL_CLOSED",
            FailurePolicy::FailReload => "FAIL_RELOAD",
        };
        let value = |kind: &str, text: String| json!({"@type": format!("type.googleapis.com/google.protobuf.{kind}"), "value": text});
        let mut config = json!({
            "name": self.name,
            "root_id": self.root_id.as_ref().unwrap_or(&self.name),
            "failure_policy": policy,
            "vm_config": {
                "vm_id": self.vm_id,
                "runtime": "envoy.wasm.runtime.v8",
                "code": {"local": {"filename": self.wasm}},
            },
        });
        match &self.config {
            PluginConfig::None => {}
            PluginConfig::Json(json) => config["configuration"] = value("StringValue", json.to_string()),
            PluginConfig::Raw(text) => config["configuration"] = value("StringValue", text.clone()),
            PluginConfig::Bytes(bytes) => config["configuration"] = value("BytesValue", STANDARD.encode(bytes)),
        }
        if !self.env.is_empty() || !self.host_env.is_empty() {
            config["vm_config"]["environment_variables"] =
                json!({"key_values": self.env, "host_env_keys": self.host_env});
        }
        json!({"@type": format!("type.googleapis.com/envoy.extensions.filters.{kind}.wasm.v3.Wasm"), "config": config})
    }
}
