#!/usr/bin/env bash
# Decides where the client libraries of OpenAI, Anthropic and Google are that pii-redactor is tested with, installs what is missing,
# and prints the directory: DIRECTORY/node/node_modules is for NODE_PATH, DIRECTORY/node/node a node that is new enough for them,
# DIRECTORY/python for PYTHONPATH. Versions and checksums are pinned in tests/e2e/clients/package-lock.json and requirements.txt.
#
#   tools/ai-clients.sh [node | python]     both without an argument
#   NODE_PATH_BINARY, TOOLS_STATE_DIR
set -euo pipefail

# shellcheck source=tools/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

pins=$root/tests/e2e/clients
# What the libraries themselves ask for.
node_min=22
python_min=3.10

# install_node DIRECTORY: the packages of the lock file, each checked against its checksum, without running their scripts.
install_node() {
    mkdir "$1/node"
    cp "$pins/package.json" "$pins/package-lock.json" "$1/node"
    (cd "$1/node" && npm_of "$node" ci --loglevel=error --ignore-scripts --no-audit --no-fund --no-update-notifier >&2) ||
        die "npm could not install the AI clients: no network, or another checksum than the pinned one (npm's words are above)"
}

# install_python DIRECTORY: --target needs no venv and is allowed on "externally managed" Pythons.
install_python() {
    local pip
    find_pip || die "no pip to be had (see above)"
    # pip speaks on stdout; that is for our answer.
    PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 \
        PIP_RETRIES=${PIP_RETRIES:-2} PIP_DEFAULT_TIMEOUT=${PIP_DEFAULT_TIMEOUT:-20} \
        "${pip[@]}" install --quiet --no-deps --require-hashes --only-binary :all: --target "$1/python" \
        -r "$pins/requirements.txt" >&2 ||
        die "pip could not install the AI clients: no network, no wheel for this Python, or another checksum than the pinned one (pip's words are above)"
}

# ensure LANGUAGE DIRECTORY: DIRECTORY/LANGUAGE appears complete or not at all; two calls at once do not disturb each other.
ensure() {
    local language=$1 dir=$2 began=$SECONDS
    [ ! -d "$dir/$language" ] || return 0
    lock "$dir/$language.lock"
    if [ ! -d "$dir/$language" ]; then
        say "installing the AI clients for $language (a few seconds, 70 to 110 MB, once)"
        scratch=$dir/$language.new.$$
        mkdir "$scratch"
        "install_$language" "$scratch"
        mv "$scratch/$language" "$dir/$language"
        rm -rf "$scratch"
        scratch=
        say "AI clients for $language installed in $((SECONDS - began)) s"
    fi
    unlock
}

# ensure_node DIRECTORY: the packages, and the node to run them, which is looked for anew each time.
ensure_node() {
    local dir=$1 node
    node=$(NODE_MIN=$node_min "$tools_dir/node.sh")
    ensure node "$dir"
    ln -sfn "$node" "$dir/node/node.$$"
    mv "$dir/node/node.$$" "$dir/node/node"
}

# ensure_python DIRECTORY: what was built for one version of Python is not for another.
ensure_python() {
    local dir=$1 version
    version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)
    version_at_least "${version:-0.0}" "$python_min" ||
        die "python3 is ${version:-missing}; the AI clients need $python_min or newer (or call: tools/ai-clients.sh node)"
    ensure python "$dir"
}

main() {
    local dir language version
    case $# in
        0) set -- node python ;;
        1) case $1 in node | python) ;; *) say "usage: tools/ai-clients.sh [node | python]"; exit 2 ;; esac ;;
        *) say "usage: tools/ai-clients.sh [node | python]"; exit 2 ;;
    esac
    load_versions
    version=$(python3 -c 'import sys; print(sys.version)' 2>/dev/null || true)
    # Named by what is pinned and by the Python: changed pins are another directory, and a call under way keeps its own.
    dir=$state/ai-clients/$({ printf '%s\n' "$version"; cat "$pins/package-lock.json" "$pins/requirements.txt"; } | cksum | cut -d ' ' -f 1)
    mkdir -p "$dir"
    for language in "$@"; do "ensure_$language" "$dir"; done
    printf '%s\n' "$dir"
}

main "$@"
