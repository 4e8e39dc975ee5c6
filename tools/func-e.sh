#!/usr/bin/env bash
# Decides which func-e is run, and prints its path: the one on PATH, else one that `go install` puts below .tools/func-e.
#
# func-e runs an Envoy and fetches it where needed, on Macs too, where no wheel carries one. With
# `make run FUNC_E=1` the demo starts
#     <this path> run <envoy's arguments>        instead of        <envoy> <envoy's arguments>
# Everything after `run` goes to Envoy as it is; func-e adds --admin-address-path unless that is given, and an admin port
# where the bootstrap has none. An interrupt or a TERM to func-e ends Envoy too, and func-e then exits with 0; a killed
# func-e takes Envoy along (on Linux).
# What it heeds: ENVOY_PATH (run this binary, fetch nothing), ENVOY_VERSION (fetch this one; else what `func-e use` chose,
# else the newest), FUNC_E_HOME (where it keeps binaries and the logs of each run; by default below the user's home, so a
# caller that wants all below .tools sets FUNC_E_HOME=.tools/func-e/home).
#
#   tools/func-e.sh
#   FUNC_E_VERSION, TOOLS_STATE_DIR
set -euo pipefail

# shellcheck source=tools/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

from_path() {
    local path
    path=$(command -v func-e) || return 0
    # A Python package for something else brings a command of this name.
    case $("$path" help 2>/dev/null || true) in
        *Envoy*) printf '%s\n' "$path"; exit 0 ;;
    esac
    say "$path is another program of the name func-e, looking further"
}

from_go() {
    local dir=$1 began=$SECONDS
    command -v go >/dev/null ||
        die "func-e is missing. Install it as its own documentation says (brew install func-e, or its install script with curl), or install Go and call again."
    lock "$dir.lock"
    if [ ! -x "$dir/func-e" ]; then
        say "building func-e $FUNC_E_VERSION with go install (about 20 s, once) ..."
        scratch=$dir.tmp.$$
        mkdir -p "$scratch"
        GOBIN=$scratch GOFLAGS='' CGO_ENABLED=0 go install "$FUNC_E_MODULE@v$FUNC_E_VERSION" >&2 ||
            die "go could not install func-e $FUNC_E_VERSION (its words are above). Other ways: brew install func-e, or its install script with curl."
        rm -rf "$dir"
        mv "$scratch" "$dir"
        scratch=
        say "func-e built in $((SECONDS - began)) s"
    fi
    unlock
}

main() {
    local dir
    [ $# -eq 0 ] || { say "usage: tools/func-e.sh"; exit 2; }
    load_versions
    dir=$state/func-e/$FUNC_E_VERSION
    from_path
    [ -x "$dir/func-e" ] || from_go "$dir"
    printf '%s\n' "$dir/func-e"
}

main "$@"
