#!/usr/bin/env bash
# Makes sure that there is an Unleash server to test with, and prints the path of a program that runs it: exactly the
# versions of tools/unleash-server/package-lock.json, from the npm registry (.tools/unleash-server, 200 MB, once), with a
# node that is new enough. It is configured by its environment, as Unleash says, and needs a PostgreSQL: tools/postgres.sh.
#
#   DATABASE_URL=... HTTP_PORT=4242 "$(tools/unleash-server.sh)"
#   UNLEASH_SERVER (this program and no other), UNLEASH_NODE_MIN, TOOLS_STATE_DIR
set -euo pipefail

# shellcheck source=tools/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

main() {
    local node packages program
    [ $# -eq 0 ] || { say "usage: tools/unleash-server.sh"; exit 2; }
    load_versions
    if [ -n "${UNLEASH_SERVER:-}" ]; then
        [ -x "$UNLEASH_SERVER" ] || die "UNLEASH_SERVER=$UNLEASH_SERVER is not a program"
        printf '%s\n' "$UNLEASH_SERVER"
        return
    fi
    node=$(NODE_MIN=$UNLEASH_NODE_MIN "$tools_dir/node.sh")
    npm_packages "$node" unleash-server ||
        die "no Unleash server to be had: fetch it where the npm registry can be reached (TOOLS_STATE_DIR moves what is installed), then call again"
    program=$packages/unleash-server
    # Written anew each time, since another node may have been found; whoever runs the old one is not disturbed.
    {
        echo '#!/bin/sh'
        # exec: signals reach the server itself
        printf 'exec %q %q\n' "$node" "$packages/node_modules/unleash-server/dist/server.js"
    } >"$program.$$"
    chmod +x "$program.$$"
    mv "$program.$$" "$program"
    printf '%s\n' "$program"
}

main "$@"
