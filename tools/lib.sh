# What the scripts of this folder share: messages, pinned versions, time limits, locks, wheels, npm packages. Sourced, never run.
# Runs with bash 3.2 (Mac): no associative arrays, no mapfile, no GNU-only flags.
# shellcheck shell=bash

tools_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
root=$(dirname "$tools_dir")
# Everything that is installed goes below this directory, which git ignores.
state=${TOOLS_STATE_DIR:-$root/.tools}
case $state in /*) ;; *) state=$PWD/$state ;; esac

say() { printf '%s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Reads versions.env without overwriting what the caller's environment sets.
load_versions() {
    local key value
    while IFS='=' read -r key value || [ -n "$key" ]; do
        case $key in '' | \#*) continue ;; esac
        [ -n "${!key:-}" ] || printf -v "$key" %s "$value"
    done <"$tools_dir/versions.env"
}

# --- leaving cleanly: one exit trap for the child of `limited`, the held lock and half-made directories

limited_pid='' held_lock='' scratch=''
leave() {
    local code=$?
    # shellcheck disable=SC2086 # a list of process ids
    [ -z "$limited_pid" ] || kill $limited_pid 2>/dev/null || true
    [ -z "$scratch" ] || rm -rf "$scratch"
    [ -z "$held_lock" ] || rm -rf "$held_lock"
    exit "$code"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# limited SECONDS command...: the command's exit code, or 124 when the time ran out. (Macs have no `timeout`.)
limited() {
    local limit=$(($1 * 5)) ticks=0 code=0
    shift
    "$@" &
    limited_pid=$!
    while kill -0 "$limited_pid" 2>/dev/null; do
        if [ "$ticks" -ge "$limit" ]; then
            kill "$limited_pid" 2>/dev/null || true
            wait "$limited_pid" 2>/dev/null || true
            limited_pid=
            return 124
        fi
        ticks=$((ticks + 1))
        sleep 0.2
    done
    wait "$limited_pid" || code=$?
    limited_pid=
    return "$code"
}

# lock DIRECTORY: waits until no other call holds it. A lock whose process is gone is taken over, one of another
# machine (a shared tree, a container) is not: that cannot be told from here.
lock() {
    local dir=$1 tries=0 owner
    mkdir -p "$(dirname "$dir")"
    until mkdir "$dir" 2>/dev/null; do
        owner=$(cat "$dir/owner" 2>/dev/null || true)
        case $owner in
            "$(uname -n) "*)
                if ! kill -0 "${owner##* }" 2>/dev/null; then
                    # mv is atomic: of two calls that see the dead owner only one gets the directory.
                    if mv "$dir" "$dir.$$" 2>/dev/null; then
                        # ... and where another was quicker and holds the lock by now, it gets it back.
                        if [ "$(cat "$dir.$$/owner" 2>/dev/null)" = "$owner" ] || ! mv "$dir.$$" "$dir" 2>/dev/null; then
                            rm -rf "$dir.$$"
                        fi
                    fi
                    continue
                fi
                ;;
            # Made a moment ago and not yet signed; after ten seconds its maker is taken for dead.
            '') if [ "$tries" -ge 20 ]; then rm -rf "$dir"; tries=0; continue; fi ;;
        esac
        [ "$tries" -ne 2 ] || say "waiting for another call (${owner:-unknown}) that installs the same ..."
        [ "$tries" -lt 1800 ] || die "waited 15 minutes for the lock $dir (held by ${owner:-unknown}); remove it if nothing runs"
        tries=$((tries + 1))
        sleep 0.5
    done
    held_lock=$dir
    printf '%s %s\n' "$(uname -n)" "$$" >"$dir/owner"
}

unlock() {
    rm -rf "$held_lock"
    held_lock=
}

# version_at_least HAVE WANT: compares the first two numbers.
version_at_least() {
    local have_major have_minor want_major want_minor rest
    IFS=. read -r have_major have_minor rest <<<"$1.0"
    IFS=. read -r want_major want_minor rest <<<"$2.0"
    : "$rest"
    case $have_major$have_minor in *[!0-9]* | '') return 1 ;; esac
    [ "$have_major" -gt "$want_major" ] || { [ "$have_major" -eq "$want_major" ] && [ "$have_minor" -ge "$want_minor" ]; }
}

# --- Python wheels that carry a binary

# Sets `pip` to a command that installs wheels: python3's own pip, else one from a venv of the project, else uv.
find_pip() {
    pip=()
    if command -v python3 >/dev/null && python3 -c '' 2>/dev/null; then
        if python3 -m pip --version >/dev/null 2>&1; then
            pip=(python3 -m pip)
            return
        fi
        say "python3 has no pip; making a venv in $state/venv ..."
        if [ -x "$state/venv/bin/pip" ] || python3 -m venv "$state/venv" >/dev/null 2>&1; then
            pip=("$state/venv/bin/python" -m pip)
            return
        fi
        rm -rf "$state/venv"
    fi
    if command -v uv >/dev/null; then
        pip=(uv pip)
        return
    fi
    if command -v python3 >/dev/null && python3 -c '' 2>/dev/null; then
        say "python3 is there, but neither its pip nor its venv (on Debian: apt install python3-pip, or python3-venv)"
    else
        say "python3 is missing (or uv, which does as well)"
    fi
    return 1
}

# wheel NAME VERSION BINARY DIRECTORY: installs the wheel so that DIRECTORY/BINARY exists; says why where it can't.
# Nothing is left behind by a call that fails; two calls at once do not disturb each other.
wheel() {
    local name=$1 version=$2 binary=$3 dir=$4 key hashes hash requirement began=$SECONDS
    local pip
    [ ! -x "$dir/$binary" ] || return 0
    find_pip || return 1
    lock "$dir.lock"
    if [ -x "$dir/$binary" ]; then
        unlock
        return 0
    fi
    scratch=$dir.tmp.$$
    mkdir -p "$scratch"
    requirement=$name==$version
    key=SHA256_$(printf %s "${name}_$version" | tr '.-' '__')
    hashes=${!key:-}
    if [ -n "$hashes" ]; then
        for hash in ${hashes//,/ }; do requirement="$requirement --hash=sha256:$hash"; done
    else
        say "no checksum is pinned for $name $version in tools/versions.env: taking it as the index serves it"
    fi
    printf '%s\n' "$requirement" >"$scratch/requirements.txt"
    say "fetching $name $version with pip (30 to 60 MB, once) ..."
    # --target needs no venv and is allowed on "externally managed" Pythons. pip speaks on stdout; that is for our answer.
    if ! PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 \
        PIP_RETRIES=${PIP_RETRIES:-2} PIP_DEFAULT_TIMEOUT=${PIP_DEFAULT_TIMEOUT:-20} \
        "${pip[@]}" install --quiet --no-deps --only-binary :all: --target "$scratch/wheel" \
        -r "$scratch/requirements.txt" >&2; then
        rm -rf "$scratch"
        scratch=
        unlock
        say "pip could not install $name $version: no network, no wheel for $(uname -s) $(uname -m), or another checksum than the pinned one (pip's words are above)"
        return 1
    fi
    chmod +x "$scratch/wheel/$binary"
    rm -rf "$dir"
    mv "$scratch/wheel" "$dir"
    rm -rf "$scratch"
    scratch=
    unlock
    say "$name $version installed in $((SECONDS - began)) s"
}

# --- npm packages

# npm_of NODE argument...: the npm that came with this node, else the one on PATH. (A wheel's bin/npm is a broken link, so
# its library is asked first; so is that of an installed node, which ends at the same npm.)
npm_of() {
    local node=$1 cli system
    shift
    # A node of its own knows only the authorities that it carries; the machine may know one more, of a company's proxy.
    for system in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
        if [ -z "${NODE_EXTRA_CA_CERTS:-}" ] && [ -f "$system" ]; then
            local -x NODE_EXTRA_CA_CERTS=$system
        fi
    done
    cli=$(dirname "$(dirname "$node")")/lib/node_modules/npm/bin/npm-cli.js
    if [ -f "$cli" ]; then
        "$node" "$cli" "$@"
    elif command -v npm >/dev/null; then
        command npm "$@"
    else
        say "no npm beside $node and none on PATH: install npm, then call again"
        return 1
    fi
}

# npm_packages NODE NAME [command...]: installs what tools/NAME/package-lock.json pins, and sets `packages` to its
# directory, in which `command` has run. Packages' own install scripts do not run. A changed lock file is another directory.
npm_packages() {
    local node=$1 name=$2 source=$tools_dir/$2 sum began=$SECONDS
    shift 2
    sum=$(cat "$source/package.json" "$source/package-lock.json" | cksum)
    packages=$state/$name/${sum%% *}
    [ ! -d "$packages" ] || return 0
    lock "$packages.lock"
    if [ -d "$packages" ]; then
        unlock
        return 0
    fi
    scratch=$packages.tmp.$$
    mkdir -p "$scratch"
    cp "$source/package.json" "$source/package-lock.json" "$scratch/"
    say "fetching $name with npm (once) ..."
    # npm speaks on stdout; that is for our answer.
    if ! (cd "$scratch" && npm_of "$node" ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error &&
        { [ $# -eq 0 ] || "$@"; }) >&2; then
        rm -rf "$scratch"
        scratch=
        unlock
        say "npm could not install what tools/$name/package-lock.json pins: no network, or another checksum than the pinned one (npm's words are above)"
        return 1
    fi
    mv "$scratch" "$packages"
    scratch=
    unlock
    say "$name installed in $((SECONDS - began)) s"
}
