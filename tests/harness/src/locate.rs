//! Where the things to test are: Envoy binaries and built filters.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace's root directory.
pub fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// The Envoy binaries to test with: paths in the environment variable `ENVOY_BINARIES`, separated by `:`.
///
/// # Panics
/// When the variable is unset or empty, or names a file that is not there.
pub fn envoy_binaries() -> Vec<PathBuf> {
    let list = std::env::var_os("ENVOY_BINARIES").unwrap_or_default();
    let binaries: Vec<_> = std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect();
    assert!(!binaries.is_empty(), "no Envoy to test with: set ENVOY_BINARIES or run `make test`");
    for path in &binaries {
        assert!(
            path.is_file(),
            "ENVOY_BINARIES names {}, which is not a file: fix it or run `make test`",
            path.display()
        );
    }
    binaries
}

/// The version a binary reports, such as `1.36.4`.
///
/// # Panics
/// When it cannot be run.
pub fn envoy_version(binary: &Path) -> String {
    let output = Command::new(binary).arg("--version").output();
    let output = output.unwrap_or_else(|error| panic!("{} --version: {error}", binary.display()));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // `<path>  version: <commit>/1.36.4/Clean/RELEASE/BoringSSL`
    let version = text.rsplit_once("version: ").and_then(|(_, rest)| rest.split('/').nth(1));
    version.unwrap_or_else(|| panic!("{} --version said `{text}`", binary.display())).to_owned()
}

/// A built filter: `dist/<filter>.wasm` under the workspace's root, or under the directory in the environment variable `DIST`.
///
/// # Panics
/// When it is not there.
pub fn wasm_path(filter: &str) -> PathBuf {
    let dist = std::env::var_os("DIST").map_or_else(|| workspace_root().join("dist"), PathBuf::from);
    let path = workspace_root().join(dist).join(format!("{filter}.wasm"));
    assert!(path.is_file(), "{} is not there: run `make build`", path.display());
    path
}
