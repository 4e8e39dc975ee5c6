#!/usr/bin/env bash
# Tests tools/toolchain.sh's fallback from nothing to a running wasm module: std built from Debian's packages, then a
# cdylib (fat LTO), a library, clippy and a test binary for both targets, all below .tools/test-toolchain.
# Takes 1 to 2 minutes. Where Debian's packages for this rustc cannot be had it says `skipped: ...` and exits 0.
#
#   tools/test-toolchain.sh
#   REQUIRE=1 tools/test-toolchain.sh    being skipped is a failure too
set -euo pipefail

# shellcheck source=tools/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

base=$root/.tools/test-toolchain
targets="wasm32-wasip1 wasm32-unknown-unknown"
passed=0

# Nothing of the caller's set-up may leak into what is tested, or the other way round.
isolate() {
    case ${RUSTC:-} in */wasm-std/*/bin/rustc) unset RUSTC RUSTDOC SYSROOT ;; esac
    unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET
    export TOOLS_STATE_DIR=$base/state CARGO_TARGET_DIR=$base/target WASM_STD=build
}

fail() { say "FAILED: $*"; exit 1; }
ok() { passed=$((passed + 1)); say "ok: $*"; }

# Where the user's rustc looks for wasm targets, and every file there with size and time.
user_state() {
    local target dir
    (
        unset RUSTC SYSROOT
        cd "$root"
        rustc --print sysroot
        for target in $targets; do
            dir=$(rustc --print target-libdir --target "$target")
            printf '%s\n' "$dir"
            ls -lR "$dir" 2>/dev/null || echo none
        done
        ls -l "$(rustc --print sysroot)/lib/rustlib"
    )
}

# Uses what a std must get right: allocation, formatting, collections, panics' paths; and no crate from outside.
write_sample() {
    mkdir -p "$base/sample/src"
    cat >"$base/sample/Cargo.toml" <<'TOML'
[package]
name = "sample"
version = "0.1.0"
edition = "2021"

[lib]
crate-type = ["cdylib", "rlib"]

[profile.release]
lto = "fat"
codegen-units = 1
panic = "abort"

[workspace]
TOML
    cat >"$base/sample/src/lib.rs" <<'RUST'
//! A sample that the toolchain test builds.
use std::collections::HashMap;

/// The digits' sum of `n`, the long way round.
#[no_mangle]
pub extern "C" fn digit_sum(n: u32) -> u32 {
    let mut counts: HashMap<char, u32> = HashMap::new();
    for digit in format!("{n}").chars() {
        *counts.entry(digit).or_default() += 1;
    }
    counts.iter().filter_map(|(digit, count)| Some(digit.to_digit(10)? * count)).sum()
}

#[cfg(test)]
mod tests {
    #[test]
    fn sums() {
        assert_eq!(super::digit_sum(1234), 10);
    }
}
RUST
}

install() {
    local code=0 began=$SECONDS
    "$tools_dir/toolchain.sh" || code=$?
    if [ "$code" -eq 3 ]; then
        [ "${REQUIRE:-}" != 1 ] || fail "Debian's packages for this rustc cannot be had (REQUIRE=1)"
        echo "skipped: Debian's packages for this rustc cannot be had"
        exit 0
    fi
    [ "$code" -eq 0 ] || fail "tools/toolchain.sh exits with $code"
    ok "private sysroot made ($((SECONDS - began)) s)"
    began=$SECONDS
    "$tools_dir/toolchain.sh" --quiet
    [ $((SECONDS - began)) -le 2 ] || fail "a second call works again ($((SECONDS - began)) s)"
    grep -q '/wasm-std/.*/bin/rustc' "$TOOLS_STATE_DIR/toolchain.env" || fail "toolchain.env does not name the private rustc"
    ok "a second call is content"
}

wasm_cargo() { (cd "$base/sample" && "$tools_dir/wasm-cargo" "$@") >&2; }

builds() {
    local target=$1 file=$CARGO_TARGET_DIR/$1/release/sample.wasm
    wasm_cargo build --quiet --release --target "$target" || fail "the sample does not build for $target"
    [ "$(head -c 4 "$file" | od -An -tx1 | tr -d ' \n')" = 0061736d ] || fail "$file is no wasm module"
    [ -e "$CARGO_TARGET_DIR/$target/release/libsample.rlib" ] || fail "no library came out for $target"
    ! grep -q "$base" "$file" || fail "$file carries a path of this machine"
    ok "cdylib with fat LTO and library for $target ($(wc -c <"$file" | tr -d ' ') bytes)"
}

# In a node, where there is one: the module must compute, not only exist.
runs() {
    local target=$1 file=$CARGO_TARGET_DIR/$1/release/sample.wasm
    command -v node >/dev/null || return 0
    node --no-warnings -e '
        const { WASI } = require("node:wasi");
        const wasi = new WASI({ version: "preview1" });
        WebAssembly.instantiate(require("fs").readFileSync(process.argv[1]), { wasi_snapshot_preview1: wasi.wasiImport })
            .then(({ instance }) => {
                wasi.initialize(instance);
                if (instance.exports.digit_sum(987654) !== 39) process.exit(1);
            }).catch(e => { console.error(e); process.exit(1); });' "$file" || fail "the module for $target computes nonsense"
    ok "the module for $target computes"
}

lints_and_tests() {
    local target=$1
    if cargo clippy --version >/dev/null 2>&1; then
        wasm_cargo clippy --quiet --target "$target" -- -D warnings || fail "clippy for $target"
        ok "clippy for $target"
    fi
    wasm_cargo test --quiet --no-run --target "$target" || fail "a test binary for $target"
    ok "test binary for $target"
}

main() {
    local before target
    isolate
    rm -rf "$base"
    mkdir -p "$base"
    before=$(user_state)
    install
    write_sample
    for target in $targets; do
        builds "$target"
        runs "$target"
        lints_and_tests "$target"
    done
    [ "$(user_state)" = "$before" ] || fail "the user's own toolchain was changed"
    ok "the user's own toolchain is as it was"
    [ "${KEEP:-}" = 1 ] || rm -rf "$base"
    say "$passed checks passed in $SECONDS s"
}

main "$@"
