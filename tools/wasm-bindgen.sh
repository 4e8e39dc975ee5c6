#!/usr/bin/env bash
# Decides which wasm-bindgen-test-runner runs the cores' tests in node, and prints its path. It must be exactly of the
# version of `wasm-bindgen` in Cargo.lock: the one on PATH if it is, else one that cargo builds into .tools/wasm-bindgen.
#
#   CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=$(tools/wasm-bindgen.sh) tools/wasm-cargo test --target wasm32-unknown-unknown -p canary-core
#   tools/wasm-bindgen.sh 0.2.130       where there is no Cargo.lock
#   TOOLS_STATE_DIR
set -euo pipefail

# shellcheck source=tools/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

runner=wasm-bindgen-test-runner

locked_version() {
    [ -e "$root/Cargo.lock" ] || return 0
    awk '/^name = / { found = ($3 == "\"wasm-bindgen\"") } found && /^version = / { gsub(/"/, "", $3); print $3; found = 0 }' "$root/Cargo.lock" | tail -n 1
}

# One optimisation step and no debug information: quicker to build than a release, and a runner that is quick enough.
cargo_install() {
    (
        # Of the host's own rustc, whatever is set for the workspace.
        case ${RUSTC:-} in */wasm-std/*/bin/rustc) unset RUSTC RUSTDOC SYSROOT ;; esac
        unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET
        cd "$scratch"
        CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_DEBUG=false CARGO_PROFILE_RELEASE_STRIP=symbols \
            CARGO_TARGET_DIR=$scratch/build \
            cargo install --quiet --root "$scratch/root" --bin "$runner" --version "=$1" "${@:2}" wasm-bindgen-cli
    ) >&2
}

main() {
    local version=${1:-} dir path began=$SECONDS
    [ $# -le 1 ] || { say "usage: tools/wasm-bindgen.sh [version]"; exit 2; }
    [ -n "$version" ] || version=$(locked_version)
    [ -n "$version" ] || die "Cargo.lock names no wasm-bindgen: run \`cargo generate-lockfile\`, or name the version (tools/wasm-bindgen.sh 0.2.130)"
    dir=$state/wasm-bindgen/$version
    if [ -x "$dir/bin/$runner" ]; then
        printf '%s\n' "$dir/bin/$runner"
        return
    fi
    if path=$(command -v "$runner") && [ "$("$path" --version 2>/dev/null || true)" = "$runner $version" ]; then
        printf '%s\n' "$path"
        return
    fi
    command -v cargo >/dev/null || die "cargo is missing: install Rust, then call again"
    lock "$dir.lock"
    if [ ! -x "$dir/bin/$runner" ]; then
        scratch=$dir.tmp.$$
        mkdir -p "$scratch"
        say "building $runner $version (1 to 2 minutes on two cores, once) ..."
        # The lock file of a release may name crates that a lagging mirror does not have yet; the newest that fit do too.
        if ! cargo_install "$version" --locked; then
            say "not with its own lock file (cargo's words are above); trying with the newest dependencies that fit ..."
            cargo_install "$version" || die "cargo could not install wasm-bindgen-cli $version (its words are above)"
        fi
        rm -rf "$dir"
        mv "$scratch/root" "$dir"
        rm -rf "$scratch"
        scratch=
        say "$runner $version built in $((SECONDS - began)) s"
    fi
    unlock
    printf '%s\n' "$dir/bin/$runner"
}

main "$@"
