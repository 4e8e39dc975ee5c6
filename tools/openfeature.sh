#!/usr/bin/env bash
# Decides where the OpenFeature SDKs and OFREP providers are that flag-headers is tested with, installs what is missing, and prints
# the directory: DIRECTORY/node/node_modules is for NODE_PATH, DIRECTORY/python for PYTHONPATH. Versions and checksums are pinned
# in tests/openfeature/node/package-lock.json and tests/openfeature/python/requirements.txt.
#
#   tools/openfeature.sh [node | python]     both without an argument
#   NODE_PATH_BINARY, TOOLS_STATE_DIR
set -euo pipefail

# shellcheck source=tools/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

pins=$root/tests/openfeature
# What the SDKs themselves ask for.
node_min=20
python_min=3.10

# npm is a script: beside node where node was installed, in its library where the wheel carries it.
npm() {
    local node cli
    node=$(NODE_MIN=$node_min "$tools_dir/node.sh")
    if command -v npm >/dev/null; then
        command npm "$@"
        return
    fi
    cli=$(dirname "$(dirname "$node")")/lib/node_modules/npm/bin/npm-cli.js
    [ -f "$cli" ] || die "no npm beside $node: install npm, then call again"
    "$node" "$cli" "$@"
}

# install_node DIRECTORY: the packages of the lock file, each checked against its checksum, without running their scripts.
install_node() {
    mkdir "$1/node"
    cp "$pins/node/package.json" "$pins/node/package-lock.json" "$1/node"
    (cd "$1/node" && npm ci --loglevel=error --ignore-scripts --no-audit --no-fund >&2) ||
        die "npm could not install the OpenFeature clients: no network, or another checksum than the pinned one (npm's words are above)"
}

# install_python DIRECTORY: --target needs no venv and is allowed on "externally managed" Pythons.
install_python() {
    local pip version
    version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)
    version_at_least "${version:-0.0}" "$python_min" ||
        die "python3 is ${version:-missing}; OpenFeature's SDK needs $python_min or newer (or call: tools/openfeature.sh node)"
    find_pip || die "no pip to be had (see above)"
    # pip speaks on stdout; that is for our answer.
    PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 \
        PIP_RETRIES=${PIP_RETRIES:-2} PIP_DEFAULT_TIMEOUT=${PIP_DEFAULT_TIMEOUT:-20} \
        "${pip[@]}" install --quiet --no-deps --require-hashes --only-binary :all: --target "$1/python" \
        -r "$pins/python/requirements.txt" >&2 ||
        die "pip could not install the OpenFeature clients: no network, or another checksum than the pinned one (pip's words are above)"
}

# ensure LANGUAGE DIRECTORY: DIRECTORY/LANGUAGE appears complete or not at all; two calls at once do not disturb each other.
ensure() {
    local language=$1 dir=$2 began=$SECONDS
    [ ! -d "$dir/$language" ] || return 0
    lock "$dir/$language.lock"
    if [ ! -d "$dir/$language" ]; then
        say "installing the OpenFeature clients for $language (a few seconds, once)"
        scratch=$dir/$language.new.$$
        mkdir "$scratch"
        "install_$language" "$scratch"
        mv "$scratch/$language" "$dir/$language"
        rm -rf "$scratch"
        scratch=
        say "OpenFeature clients for $language installed in $((SECONDS - began)) s"
    fi
    unlock
}

main() {
    local dir language
    case $# in
        0) set -- node python ;;
        1) case $1 in node | python) ;; *) say "usage: tools/openfeature.sh [node | python]"; exit 2 ;; esac ;;
        *) say "usage: tools/openfeature.sh [node | python]"; exit 2 ;;
    esac
    load_versions
    # Named by what is pinned: changed pins are another directory, and a call under way keeps its own.
    dir=$state/openfeature/$(cat "$pins/node/package-lock.json" "$pins/python/requirements.txt" | cksum | cut -d ' ' -f 1)
    for language in "$@"; do ensure "$language" "$dir"; done
    printf '%s\n' "$dir"
}

main "$@"
