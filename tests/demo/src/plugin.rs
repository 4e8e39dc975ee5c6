//! The files that Envoy takes the filters from (ECDS), and what they look like: an envelope as Istio's control plane sends it,
//! with the configuration as JSON in the form in which it was written, so that people can edit it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::SystemTime;

use harness::Result;

use crate::state::{at, replaced, write};

/// One filter: its built module, and the file that Envoy watches.
#[derive(Debug)]
pub(crate) struct Plugin {
    /// The plugin's name as Istio makes it, namespace and all; the same as in `deploy/local/envoy.yaml`.
    pub(crate) name: &'static str,
    /// The built filter.
    pub(crate) wasm: &'static str,
    /// The file that Envoy watches.
    pub(crate) path: &'static str,
    /// A new version of it, before it is renamed.
    new: &'static str,
    /// What its envelope says of the kind of filter, and of what is done when the filter fails.
    kind: &'static str,
    failure_policy: &'static str,
    /// The configuration to start with.
    example: &'static str,
    /// What becomes of a part of a configuration that is wrong and has no last good form, and of one that is wrong as a whole.
    pub(crate) part_amiss: &'static str,
    pub(crate) all_amiss: &'static str,
    /// A variable of Envoy's environment that it may read.
    variable: Option<&'static str>,
}

/// canary-router.
pub(crate) static CANARY: Plugin = Plugin {
    name: "default.canary-router",
    wasm: "dist/canary-router.wasm",
    path: ".run/canary-router.yaml",
    new: ".run/canary-router.new.yaml",
    kind: "http",
    failure_policy: "FAIL_OPEN",
    part_amiss: OFF,
    all_amiss: STRIPS,
    example: "deploy/local/canary-router.json",
    variable: None,
};

/// flag-headers.
pub(crate) static FLAGS: Plugin = Plugin {
    name: "default.flag-headers",
    wasm: "dist/flag-headers.wasm",
    path: ".run/flag-headers.yaml",
    new: ".run/flag-headers.new.yaml",
    kind: "http",
    failure_policy: "FAIL_OPEN",
    part_amiss: OFF,
    all_amiss: STRIPS,
    example: "deploy/local/flag-headers.json",
    variable: Some(UNLEASH_TOKEN),
};

/// egress-audit for HTTP.
pub(crate) static EGRESS: Plugin = Plugin {
    name: "default.egress-audit",
    wasm: "dist/egress-audit.wasm",
    path: ".run/egress-audit.yaml",
    new: ".run/egress-audit.new.yaml",
    kind: "http",
    // what enforces must not be gone around by making it fail
    failure_policy: "FAIL_RELOAD",
    example: "deploy/local/egress-audit.json",
    part_amiss: DENIES,
    all_amiss: DEFAULTS,
    variable: None,
};

/// egress-audit for TLS: the same module with the same configuration.
pub(crate) static EGRESS_TLS: Plugin = Plugin {
    name: "default.egress-audit-tls",
    wasm: "dist/egress-audit.wasm",
    path: ".run/egress-audit-tls.yaml",
    new: ".run/egress-audit-tls.new.yaml",
    kind: "network",
    failure_policy: "FAIL_RELOAD",
    example: "deploy/local/egress-audit.json",
    part_amiss: DENIES,
    all_amiss: DEFAULTS,
    variable: None,
};

/// pii-redactor.
pub(crate) static PII: Plugin = Plugin {
    name: "default.pii-redactor",
    wasm: "dist/pii-redactor.wasm",
    path: ".run/pii-redactor.yaml",
    new: ".run/pii-redactor.new.yaml",
    kind: "http",
    // nothing unredacted leaves because of a fault
    failure_policy: "FAIL_RELOAD",
    example: "deploy/local/pii-redactor.json",
    part_amiss: REFUSES,
    all_amiss: REFUSES,
    variable: None,
};

/// All of them.
pub(crate) static PLUGINS: [&Plugin; 5] = [&FLAGS, &CANARY, &EGRESS, &EGRESS_TLS, &PII];

const OFF: &str = "is off";
const STRIPS: &str = "nothing is decided, and clients' headers are still removed";
const REFUSES: &str = "refuses what it would guard";
const DENIES: &str = "denies what it would be for";
const DEFAULTS: &str = "no policy is left, and the defaults go on under as much of `mode` as can be read";

/// Where flag-headers finds its token for Unleash.
pub(crate) const UNLEASH_TOKEN: &str = "UNLEASH_API_TOKEN";

/// canary-router's configuration with another weight for v2 of the first rule.
pub(crate) fn with_weight(weight: u32) -> Result<String> {
    replaced(&CANARY.example()?, r#""weight": 10}"#, &format!(r#""weight": {weight}}}"#), CANARY.example)
}

/// canary-router's configuration with the kill switch thrown.
pub(crate) fn switched_off() -> Result<String> {
    replaced(&CANARY.example()?, r#""mode": "enforce""#, r#""mode": "off""#, CANARY.example)
}

/// flag-headers' configuration with the Unleash that Envoy has as a cluster.
pub(crate) fn with_unleash() -> Result<String> {
    let bootstrap = "  \"bootstrap\": {\n";
    let unleash =
        r#"  "unleash": {"cluster": "unleash", "appName": "demo", "refresh": "1s", "metricsInterval": "5s"},"#;
    replaced(&FLAGS.example()?, bootstrap, &format!("{unleash}\n{bootstrap}"), FLAGS.example)
}

/// What tells one state of the file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    inode: u64,
    size: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    /// Whether the later state came by writing into the file, which Envoy does not notice.
    pub(crate) fn in_place(self, later: Self) -> bool {
        self.inode == later.inode
    }
}

impl Plugin {
    /// The configuration to start with, as it is checked in.
    pub(crate) fn example(&self) -> Result<String> {
        fs::read_to_string(self.example).map_err(at(self.example))
    }

    /// Puts a configuration in the place of the one that is there.
    pub(crate) fn put(&self, configuration: &str) -> Result<()> {
        write(self.new, &self.envelope(configuration))?;
        fs::rename(self.new, self.path).map_err(at(self.path))
    }

    /// Renames a copy over the file, so that Envoy notices what was written into it.
    pub(crate) fn rename(&self) -> Result<()> {
        fs::copy(self.path, self.new).map_err(at(self.path))?;
        fs::rename(self.new, self.path).map_err(at(self.path))
    }

    /// The file's present state; none while there is no file.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        let metadata = fs::metadata(self.path).ok()?;
        Some(Stamp { inode: metadata.ino(), size: metadata.size(), modified: metadata.modified().ok() })
    }

    /// The name under which Envoy counts what it made of the file.
    pub(crate) fn stat(&self, what: &str) -> String {
        format!("extension_config_discovery.{}_filter.{}.{what}", self.kind, self.name)
    }

    fn envelope(&self, configuration: &str) -> String {
        let Self { name, wasm, path, kind, failure_policy, variable, .. } = self;
        let filter = name.trim_start_matches("default.");
        let variable = variable.map_or(String::new(), |variable| {
            format!("\n        environment_variables: {{host_env_keys: [{variable}]}}")
        });
        let mut text = format!(
            r#"# What the demo's Envoy runs as {filter}; the configuration is the JSON below. Envoy notices this file when another
# is renamed over it, so edit a copy and move it here:
#
#   cp {path} .run/new.yaml; edit .run/new.yaml; mv .run/new.yaml {path}
#
# As long as `make run` is up it also does that itself for an edit in place, and tells what came of it.
resources:
- "@type": type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig
  name: {name}
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.{kind}.wasm.v3.Wasm
    config:
      name: {name}
      root_id: {name}
      failure_policy: {failure_policy}
      vm_config:
        runtime: envoy.wasm.runtime.v8
        code: {{local: {{filename: {wasm}}}}}{variable}
      configuration:
        "@type": type.googleapis.com/google.protobuf.StringValue
        value: |
"#
        );
        for line in configuration.lines() {
            text.push_str("          ");
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}
