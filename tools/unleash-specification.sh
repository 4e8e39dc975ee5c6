#!/usr/bin/env bash
# Fetches Unleash's published client specification, the peers' vectors that the tests run unmodified, and prints the
# directory of its files. It comes from the npm registry, by the npm beside the node that tools/node.sh finds.
#
#   tools/unleash-specification.sh
#   UNLEASH_SPECIFICATION_VERSION, TOOLS_STATE_DIR
set -euo pipefail

# shellcheck source=tools/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# npm is a script: beside node where node was installed, in its library where the wheel carries it.
npm() {
    local node cli
    node=$("$tools_dir/node.sh")
    if command -v npm >/dev/null; then
        command npm "$@"
        return
    fi
    cli=$(dirname "$(dirname "$node")")/lib/node_modules/npm/bin/npm-cli.js
    [ -f "$cli" ] || die "no npm beside $node: install npm, then call again"
    "$node" "$cli" "$@"
}

main() {
    local dir
    [ $# -eq 0 ] || { say "usage: tools/unleash-specification.sh"; exit 2; }
    load_versions
    dir=$state/unleash-specification/$UNLEASH_SPECIFICATION_VERSION
    if [ ! -d "$dir" ]; then
        say "fetching Unleash's client specification $UNLEASH_SPECIFICATION_VERSION (a few seconds)"
        mkdir -p "$state/unleash-specification"
        scratch=$(mktemp -d "$state/unleash-specification/new.XXXXXX")
        (cd "$scratch" && npm pack --silent "@unleash/client-specification@$UNLEASH_SPECIFICATION_VERSION" >/dev/null &&
            tar xzf ./*.tgz) || die "Unleash's client specification could not be fetched from the npm registry"
        # another call may have been quicker; what it put there is the same
        mv "$scratch/package" "$dir" 2>/dev/null || [ -d "$dir" ]
    fi
    printf '%s\n' "$dir/specifications"
}

main "$@"
