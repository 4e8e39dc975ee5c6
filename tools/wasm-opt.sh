#!/usr/bin/env bash
# Makes a built module smaller: Binaryen's wasm-opt, exactly the version of tools/wasm-opt/package-lock.json, from the npm
# registry (.tools/wasm-opt, 100 MB, once). What was made of the same module before is taken from .tools.
#
#   tools/wasm-opt.sh target/wasm32-wasip1/release/flag_headers.wasm dist/flag-headers.wasm
#   WASM_OPT (a wasm-opt of your own; `none` leaves the module as it is), TOOLS_STATE_DIR
set -euo pipefail

# shellcheck source=tools/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# What rustc takes for granted in wasm32-wasip1, and Envoy 1.36 has. No other feature may come in by optimizing.
features=(--enable-bulk-memory --enable-multivalue --enable-mutable-globals --enable-nontrapping-float-to-int
    --enable-reference-types --enable-sign-ext)

main() {
    local from=$1 to=$2 node kept packages
    local optimize=("${WASM_OPT:-}")
    load_versions
    if [ -z "${WASM_OPT:-}" ]; then
        node=$("$tools_dir/node.sh")
        npm_packages "$node" wasm-opt ||
            die "no wasm-opt to be had: fetch it where the npm registry can be reached, or set WASM_OPT (none: modules stay as they are, larger)"
        optimize=("$node" "$packages/node_modules/binaryen/bin/wasm-opt")
    fi
    kept=$state/wasm-opt/made/$(basename "$to").$(cat "$from" "${BASH_SOURCE[0]}" "$tools_dir/wasm-opt/package.json" <(echo "${WASM_OPT:-}") | cksum | tr ' ' .)
    if [ ! -f "$kept" ]; then
        mkdir -p "${kept%/*}"
        if [ "${WASM_OPT:-}" = none ]; then
            cp "$from" "$kept.$$"
        else
            "${optimize[@]}" -Os "${features[@]}" "$from" -o "$kept.$$" || die "wasm-opt did not take $from"
        fi
        mv "$kept.$$" "$kept"
        # of each module, what was made last is enough
        find "${kept%/*}" -name "$(basename "$to").*" ! -name "${kept##*/}" -type f -delete
    fi
    cmp -s "$kept" "$to" || { cp "$kept" "$to.$$" && mv "$to.$$" "$to"; }
}

[ $# -eq 2 ] || { say "usage: tools/wasm-opt.sh MODULE SMALLER"; exit 2; }
main "$@"
