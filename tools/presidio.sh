#!/usr/bin/env bash
# Decides where Microsoft Presidio is that pii-redactor's detectors are compared with, installs it if it is missing, and prints
# the directory, which is for PYTHONPATH. Versions and checksums are pinned in tests/quality/requirements.txt.
#
#   tools/presidio.sh
#   TOOLS_STATE_DIR
set -euo pipefail

# shellcheck source=tools/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

pins=$root/tests/quality/requirements.txt
# numpy and spaCy have wheels for these; the pins have their checksums.
python_min=3.11
python_below=3.15

# install DIRECTORY: --target needs no venv and is allowed on "externally managed" Pythons.
install() {
    local pip
    find_pip || die "no pip to be had (see above)"
    # pip speaks on stdout; that is for our answer.
    PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 \
        PIP_RETRIES=${PIP_RETRIES:-2} PIP_DEFAULT_TIMEOUT=${PIP_DEFAULT_TIMEOUT:-20} \
        "${pip[@]}" install --quiet --no-deps --require-hashes --only-binary :all: --target "$1" -r "$pins" >&2 ||
        die "pip could not install Presidio: no network, no wheel for this Python, or another checksum than the pinned one (pip's words are above)"
}

main() {
    local dir version began=$SECONDS
    [ $# -eq 0 ] || { say "usage: tools/presidio.sh"; exit 2; }
    version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)
    { version_at_least "${version:-0.0}" "$python_min" && ! version_at_least "$version" "$python_below"; } ||
        die "python3 is ${version:-missing}; Presidio's pinned wheels are for $python_min and newer, below $python_below"
    # Named by what is pinned and by the Python: changed pins are another directory, and a call under way keeps its own.
    dir=$state/presidio/$({ python3 -c 'import sys; print(sys.version)'; cat "$pins"; } | cksum | cut -d ' ' -f 1)
    if [ ! -d "$dir" ]; then
        lock "$dir.lock"
        if [ ! -d "$dir" ]; then
            say "installing Presidio and spaCy (half a minute, 370 MB, once)"
            scratch=$dir.new.$$
            mkdir -p "$scratch"
            install "$scratch"
            mv "$scratch" "$dir"
            scratch=
            say "Presidio installed in $((SECONDS - began)) s"
        fi
        unlock
    fi
    printf '%s\n' "$dir"
}

main "$@"
