#!/usr/bin/env bash
# Fetches Unleash's published client specification, the peers' vectors that the tests run unmodified, and prints the
# directory of its files. It comes from the npm registry, by the npm beside the node that tools/node.sh finds.
#
#   tools/unleash-specification.sh
#   UNLEASH_SPECIFICATION_VERSION, TOOLS_STATE_DIR
set -euo pipefail

# shellcheck source=tools/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

main() {
    local dir node
    [ $# -eq 0 ] || { say "usage: tools/unleash-specification.sh"; exit 2; }
    load_versions
    dir=$state/unleash-specification/$UNLEASH_SPECIFICATION_VERSION
    if [ ! -d "$dir" ]; then
        say "fetching Unleash's client specification $UNLEASH_SPECIFICATION_VERSION (a few seconds)"
        node=$("$tools_dir/node.sh")
        mkdir -p "$state/unleash-specification"
        scratch=$(mktemp -d "$state/unleash-specification/new.XXXXXX")
        (cd "$scratch" && npm_of "$node" pack --silent "@unleash/client-specification@$UNLEASH_SPECIFICATION_VERSION" >/dev/null &&
            tar xzf ./*.tgz) || die "Unleash's client specification could not be fetched from the npm registry"
        # another call may have been quicker; what it put there is the same
        mv "$scratch/package" "$dir" 2>/dev/null || [ -d "$dir" ]
    fi
    printf '%s\n' "$dir/specifications"
}

main "$@"
