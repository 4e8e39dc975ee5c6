//! The file that Envoy takes canary-router from (ECDS), and what it looks like: an envelope as Istio's control plane sends
//! it, with the configuration as JSON in the form in which it was written, so that people can edit it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::SystemTime;

use harness::Result;

use crate::state::{at, replaced, write};

/// The plugin's name as Istio makes it, namespace and all; the same as in `deploy/local/envoy.yaml`.
pub(crate) const NAME: &str = "default.canary-router";
/// The built filter.
pub(crate) const WASM: &str = "dist/canary-router.wasm";
/// The file that Envoy watches.
pub(crate) const PATH: &str = ".run/canary-router.yaml";
/// The configuration to start with.
const EXAMPLE: &str = "deploy/local/canary-router.json";
/// A new version, before it is renamed.
const NEW: &str = ".run/canary-router.new.yaml";

/// The configuration to start with, as it is checked in.
pub(crate) fn example() -> Result<String> {
    fs::read_to_string(EXAMPLE).map_err(at(EXAMPLE))
}

/// `example` with another weight for v2 of the first rule.
pub(crate) fn with_weight(weight: u32) -> Result<String> {
    replaced(&example()?, r#""weight": 10}"#, &format!(r#""weight": {weight}}}"#), EXAMPLE)
}

/// `example` with the kill switch thrown.
pub(crate) fn switched_off() -> Result<String> {
    replaced(&example()?, r#""mode": "enforce""#, r#""mode": "off""#, EXAMPLE)
}

/// The file that Envoy watches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PluginFile;

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

impl PluginFile {
    /// Puts a configuration in the place of the one that is there.
    pub(crate) fn put(self, configuration: &str) -> Result<()> {
        write(NEW, &envelope(configuration))?;
        fs::rename(NEW, PATH).map_err(at(PATH))
    }

    /// Renames a copy over the file, so that Envoy notices what was written into it.
    pub(crate) fn rename(self) -> Result<()> {
        fs::copy(PATH, NEW).map_err(at(PATH))?;
        fs::rename(NEW, PATH).map_err(at(PATH))
    }

    /// The file's present state; none while there is no file.
    pub(crate) fn stamp(self) -> Option<Stamp> {
        let metadata = fs::metadata(PATH).ok()?;
        Some(Stamp { inode: metadata.ino(), size: metadata.size(), modified: metadata.modified().ok() })
    }
}

fn envelope(configuration: &str) -> String {
    let mut text = format!(
        r#"# What the demo's Envoy runs as canary-router; the configuration is the JSON below. Envoy notices this file when another
# is renamed over it, so edit a copy and move it here:
#
#   cp {PATH} .run/new.yaml; edit .run/new.yaml; mv .run/new.yaml {PATH}
#
# As long as `make run` is up it also does that itself for an edit in place, and tells what came of it.
resources:
- "@type": type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig
  name: {NAME}
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
    config:
      name: {NAME}
      root_id: {NAME}
      failure_policy: FAIL_OPEN
      vm_config:
        runtime: envoy.wasm.runtime.v8
        code: {{local: {{filename: {WASM}}}}}
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
