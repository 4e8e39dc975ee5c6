#!/usr/bin/env bash
# Decides which rustc builds wasm32-wasip1 and wasm32-unknown-unknown, and makes sure that it can:
#   1. the active rustc, where both targets are installed already (the usual case; takes a moment);
#   2. else `rustup target add`, within a time limit;
#   3. else a private sysroot below .tools/: links to the installed toolchain plus a std for both targets, built from
#      the sources that Debian packages (1 to 2 minutes). The installed toolchain stays as it is.
# The answer stands in .tools/toolchain.env; tools/wasm-cargo runs cargo with it.
#
#   tools/toolchain.sh            make it so ("make setup"; a second call only checks)
#   tools/toolchain.sh --quiet    the same without a word when there is nothing to do
#   tools/toolchain.sh --check    print the state; exit 1 where something is missing
#
#   WASM_STD=auto|rustup|build    auto: 1, 2, 3 in this order; rustup: no 3; build: 3 at once
#   RUSTUP_LIMIT                  seconds for step 2
#   TOOLS_STATE_DIR               where to keep things (default: .tools)
#   DEBIAN_MIRROR, DEBIAN_KEYRING for step 3, where apt's own settings name no Debian archive (on Ubuntu, say)
# Exit codes: 0 fine, 1 failed, 2 wrong usage, 3 Debian has no packages for this rustc or cannot be reached.
set -euo pipefail

# A relative target directory is relative to where the caller stands.
target_dir=${CARGO_TARGET_DIR:-}
case $target_dir in '' | /*) ;; *) target_dir=$PWD/$target_dir ;; esac

# shellcheck source=tools/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

targets="wasm32-wasip1 wasm32-unknown-unknown"
env_file=$state/toolchain.env
stamp_file=$state/toolchain.stamp
: "${target_dir:=$root/target}"

unavailable() { printf 'error: %s\n' "$*" >&2; exit 3; }

# --- what is there

# An earlier answer of ours may be in the environment (make inside wasm-cargo): the question is about the user's own.
forget_own_answer() {
    case ${RUSTC:-} in
        */wasm-std/*/bin/rustc) unset RUSTC RUSTDOC SYSROOT ;;
    esac
}

# Sets rustc, rustc_version (release and commit), release, host, sysroot of the active toolchain.
look_at_rustc() {
    local verbose commit
    rustc=${RUSTC:-rustc}
    command -v "$rustc" >/dev/null || die "$rustc is missing: install Rust (rustup, or your system's packages), then call again"
    verbose=$("$rustc" -vV) || die "$rustc -vV failed (its words are above)"
    release=$(printf '%s\n' "$verbose" | sed -n 's/^release: //p')
    host=$(printf '%s\n' "$verbose" | sed -n 's/^host: //p')
    commit=$(printf '%s\n' "$verbose" | sed -n 's/^commit-hash: //p')
    sysroot=$("$rustc" --print sysroot)
    rustc_commit=$commit
    rustc_version=$release-$(printf %.9s "$commit")-$host
    private=$state/wasm-std/$rustc_version
}

# has_std SYSROOT TARGET
has_std() {
    local lib
    for lib in "$1/lib/rustlib/$2/lib/"libstd-*.rlib; do
        [ ! -e "$lib" ] || return 0
    done
    return 1
}

has_all() {
    local target
    for target in $targets; do has_std "$1" "$target" || return 1; done
}

# Which std the stamp must name to be current.
stamp_for() { printf '%s %s %s' "$1" "$rustc_version" "$sysroot"; }

# --- 2. rustup

add_by_rustup() {
    local code=0 began=$SECONDS
    if ! command -v rustup >/dev/null; then
        say "no rustup here"
        return 1
    fi
    say "adding the wasm targets with rustup (a few seconds; at most ${RUSTUP_LIMIT} s) ..."
    export RUSTUP_MAX_RETRIES=${RUSTUP_MAX_RETRIES:-1} RUST_BACKTRACE=0
    # shellcheck disable=SC2086 # a list of targets
    limited "$RUSTUP_LIMIT" rustup target add $targets >&2 || code=$?
    if [ "$code" -eq 124 ]; then
        say "rustup did not finish within $RUSTUP_LIMIT s"
    elif [ "$code" -ne 0 ]; then
        say "rustup could not fetch them"
    elif ! has_all "$sysroot"; then
        say "rustup is content, but $rustc (sysroot $sysroot) still lacks them: it is not the toolchain that rustup manages"
        code=1
    else
        say "wasm targets added in $((SECONDS - began)) s"
    fi
    return "$code"
}

# --- 3. a private sysroot

# The Debian archive as this machine's apt knows it (a mirror or proxy set up there is used), else DEBIAN_MIRROR.
debian_mirror() {
    if [ -n "${DEBIAN_MIRROR:-}" ]; then
        printf '%s\n' "$DEBIAN_MIRROR"
        return
    fi
    # apt itself reads its sources here, in both formats: no parser of ours.
    # shellcheck disable=SC2016 # the fields are for apt
    apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null | awk '
        $2 ~ /security/ { next }
        $1 ~ /^(stable|oldstable|testing|unstable|sid|bullseye|bookworm|trixie|forky|duke)(-updates|-backports)?$/ && !seen { print $2; seen = 1 }'
}

debian_keyring() {
    local file
    for file in "${DEBIAN_KEYRING:-}" /usr/share/keyrings/debian-archive-keyring.gpg /usr/share/keyrings/debian-archive-keyring.pgp; do
        if [ -n "$file" ] && [ -r "$file" ]; then
            printf '%s\n' "$file"
            return
        fi
    done
}

# private_apt SUITE command...: apt with that suite alone and all its state below $work; the system's is not touched.
private_apt() {
    local dir=$work/apt/$1 tool=$2
    shift 2
    "$tool" -c "$dir/apt.conf" "$@"
}

# Reads the package list of a suite; the system's update hooks (clean caches, refresh desktops) are left out.
read_suite() {
    local suite=$1 dir=$work/apt/$1 signed=
    [ ! -e "$dir/read" ] || return 0
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
    [ -z "$keyring" ] || signed="[signed-by=$keyring] "
    printf 'deb %s%s %s main\n' "$signed" "$mirror" "$suite" >"$dir/sources.list"
    cat >"$dir/apt.conf" <<CONF
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::Etc::SourceList "$dir/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State::Lists "$dir/lists";
Dir::Cache "$dir/cache";
APT::Update::Error-Mode "any";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::Retries "1";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
CONF
    say "reading Debian's package list of $suite ..."
    if ! private_apt "$suite" apt-get -qq update >&2; then
        say "the list of $suite could not be read"
        return 1
    fi
    : >"$dir/read"
}

# fetch_package NAME PATTERN SUITES FILES: takes the first version that fits and unpacks the FILES (a glob) to $work/NAME.
# Only those: rust-src carries the compiler too, 300 MB that nobody asked for.
fetch_package() {
    local name=$1 pattern=$2 suite package_version dir=$work/debs
    for suite in ${3//,/ }; do
        read_suite "$suite" || continue
        package_version=$(private_apt "$suite" apt-cache madison "$name" | awk -F' *[|] *' -v p="$pattern" '$2 ~ p && !seen { print $2; seen = 1 }' || true)
        [ -n "$package_version" ] || continue
        say "fetching Debian's $name $package_version ($suite) ..."
        mkdir -p "$dir"
        (cd "$dir" && private_apt "$suite" apt-get -qq download "$name=$package_version") >&2 || continue
        mkdir -p "$work/$name"
        dpkg-deb --fsys-tarfile "$dir/${name}_"*.deb | tar -xf - -C "$work/$name" --wildcards "$4" || die "could not unpack $name $package_version"
        rm -f "$dir/${name}_"*.deb
        return 0
    done
    return 1
}

# Sources of std for exactly this rustc: rustup's rust-src where it is installed, else Debian's.
provide_source() {
    local dest=$1/lib/rustlib/src/rust version=${release//./\\.}
    mkdir -p "$dest"
    if [ -e "$sysroot/lib/rustlib/src/rust/library/std/Cargo.toml" ]; then
        cp -R "$sysroot/lib/rustlib/src/rust/library" "$dest/library"
        return
    fi
    fetch_package rust-src "^${version}[+~-]" "$RUST_SRC_SUITES" './usr/src/rustc-*/library/*' ||
        unavailable "no Debian suite of $RUST_SRC_SUITES at $mirror gave rust-src $release (to have the targets from elsewhere: rustup target add $targets)"
    mv "$work"/rust-src/usr/src/rustc-*/library "$dest/library"
    rm -rf "$work/rust-src"
}

provide_wasi_libc() {
    local dest=$1/lib/rustlib/wasm32-wasip1/lib/self-contained
    mkdir -p "$dest"
    fetch_package wasi-libc . "$WASI_LIBC_SUITES" './usr/lib/wasm32-wasi/*' ||
        unavailable "no Debian suite of $WASI_LIBC_SUITES at $mirror gave wasi-libc"
    cp "$work"/wasi-libc/usr/lib/wasm32-wasi/*.[ao] "$dest/"
}

# All of the user's sysroot by link, but for the two targets and the sources.
link_sysroot() {
    local dest=$1 entry name tool
    mkdir -p "$dest/bin" "$dest/lib/rustlib"
    for entry in "$sysroot"/lib/librustc_driver-* "$sysroot"/lib/libLLVM*rust* "$sysroot"/lib/rustlib/*; do
        [ -e "$entry" ] || continue
        name=${entry#"$sysroot"/}
        case $name in
            lib/rustlib/src) ;;
            lib/rustlib/wasm32-wasip1 | lib/rustlib/wasm32-unknown-unknown) ;;
            *) ln -s "$entry" "$dest/$name" ;;
        esac
    done
    # rustc finds its sysroot from where its libraries really lie, so a link to it is not enough: say it by a flag.
    for tool in rustc rustdoc; do
        [ -x "$sysroot/bin/$tool" ] || continue
        cat >"$dest/bin/$tool" <<WRAP
#!/bin/sh
# Made by tools/toolchain.sh: the installed $tool with the sysroot that has the wasm targets.
exec "$sysroot/bin/$tool" --sysroot "\${0%/bin/*}" "\$@"
WRAP
        chmod +x "$dest/bin/$tool"
    done
}

# Builds std for both targets with cargo's build-std and puts the libraries where rustc looks for them.
build_std() {
    local dest=$1 target rustflags flags=() began=$SECONDS
    mkdir -p "$work/build/src"
    : >"$work/build/src/lib.rs"
    printf '[package]\nname = "empty"\nedition = "2021"\n\n[workspace]\n' >"$work/build/Cargo.toml"
    for target in $targets; do flags+=(--target "$target"); done
    # The crates that std stands on come with the sources: no registry is asked, no other versions get in.
    if [ -d "$dest/lib/rustlib/src/rust/library/vendor" ]; then
        flags+=(--offline --config 'source.crates-io.replace-with="std-vendor"'
            --config "source.std-vendor.directory='$dest/lib/rustlib/src/rust/library/vendor'")
    fi
    say "building std for $targets (about 1 minute on two cores) ..."
    # - embedded bitcode: fat LTO needs it
    # - force-unstable: or crates of the same name clash with those that a program brings along
    # - remap: panic messages name paths as the official std does, not this machine's
    # - bootstrap: the flags are unstable; this affects std's own build only
    # (encoded with a separator of its own, for paths with spaces; it goes before all other rustflags)
    rustflags=$(printf '%s\037' -Cembed-bitcode=yes -Zforce-unstable-if-unmarked)--remap-path-prefix=$dest/lib/rustlib/src/rust=/rustc/$rustc_commit
    (
        cd "$work/build"
        unset RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER CARGO_BUILD_TARGET
        RUSTC_BOOTSTRAP=1 RUSTC=$dest/bin/rustc CARGO_ENCODED_RUSTFLAGS=$rustflags \
            cargo build --quiet --release -Zbuild-std=std,panic_abort,test,proc_macro "${flags[@]}" --target-dir "$work/build/target"
    ) >&2 || die "std could not be built (cargo's words are above)"
    for target in $targets; do
        mkdir -p "$dest/lib/rustlib/$target/lib"
        rm -f "$work/build/target/$target/release/deps/"libempty-*
        cp "$work/build/target/$target/release/deps/"*.rlib "$dest/lib/rustlib/$target/lib/"
    done
    say "std built in $((SECONDS - began)) s"
}

build_private() {
    local tool mirror keyring work began=$SECONDS
    for tool in apt-get apt-cache dpkg-deb; do
        command -v "$tool" >/dev/null || unavailable "this rustc lacks the wasm targets, rustup did not bring them, and building them here needs Debian's $tool.
Install them yourself: \`rustup target add $targets\`, or your system's package of rust's std for wasm32-wasip1, then call again."
    done
    mirror=$(debian_mirror || true)
    [ -n "$mirror" ] || unavailable "apt's sources name no Debian archive; set DEBIAN_MIRROR to one (and DEBIAN_KEYRING to its keys), or run \`rustup target add $targets\`"
    keyring=$(debian_keyring)
    [ -n "$keyring" ] || say "no Debian archive keyring found (package debian-archive-keyring, or set DEBIAN_KEYRING); trying with apt's own keys"

    say "making a private sysroot for rustc $release in $private (1 to 2 minutes) ..."
    scratch=$private.tmp.$$
    work=$scratch/work
    mkdir -p "$work"
    link_sysroot "$scratch"
    provide_source "$scratch"
    provide_wasi_libc "$scratch"
    build_std "$scratch"
    # The sources are 100 MB and no longer needed; without them no path of this machine gets into messages either.
    rm -rf "$work" "$scratch/lib/rustlib/src"
    rm -rf "$private"
    mv "$scratch" "$private"
    scratch=
    say "private sysroot made in $((SECONDS - began)) s"
}

# --- the answer

# cargo notices a new rustc, but not a new std under the same rustc: what was built with the old one must go.
clear_targets() {
    local target
    for target in $targets; do
        [ -d "$target_dir/$target" ] || continue
        say "removing $target_dir/$target: it was built with another std"
        rm -rf "${target_dir:?}/$target"
    done
}

# answer installed|private
answer() {
    local kind=$1
    mkdir -p "$state"
    if [ "$kind" = private ]; then
        {
            echo "# made by tools/toolchain.sh: the wasm targets come from a private sysroot"
            printf 'export RUSTC=%q\n' "$private/bin/rustc"
            printf 'export RUSTDOC=%q\n' "$private/bin/rustdoc"
            echo "# clippy-driver takes its sysroot from here"
            printf 'export SYSROOT=%q\n' "$private"
        } >"$env_file.$$"
    else
        echo "# made by tools/toolchain.sh: the installed rustc has the wasm targets" >"$env_file.$$"
    fi
    mv "$env_file.$$" "$env_file"
    stamp_for "$kind" >"$stamp_file.$$"
    mv "$stamp_file.$$" "$stamp_file"
}

is_current() {
    local stamp=
    [ -e "$env_file" ] && [ -e "$stamp_file" ] || return 1
    read -r stamp <"$stamp_file" || true
    if [ "$stamp" = "$(stamp_for installed)" ]; then
        [ "$WASM_STD" != build ] && has_all "$sysroot"
    elif [ "$stamp" = "$(stamp_for private)" ]; then
        [ "$WASM_STD" != rustup ] && has_all "$private" && { [ "$WASM_STD" = build ] || ! has_all "$sysroot"; }
    else
        return 1
    fi
}

settle() {
    local before=none kind=installed
    [ ! -e "$stamp_file" ] || before=$(cat "$stamp_file")
    if [ "$WASM_STD" != build ] && has_all "$sysroot"; then
        :
    elif [ "$WASM_STD" != rustup ] && has_all "$private"; then
        kind=private
    elif [ "$WASM_STD" != build ] && add_by_rustup; then
        :
    elif [ "$WASM_STD" != rustup ]; then
        build_private
        kind=private
        before=changed
    else
        die "the wasm targets are missing: run \`rustup target add $targets\` where the network allows it, or leave WASM_STD=rustup out"
    fi
    # Without a stamp all there is was built with the installed std, if anything.
    [ "$before" != none ] || before=$(stamp_for installed)
    [ "$before" = "$(stamp_for "$kind")" ] || clear_targets
    answer "$kind"
}

check() {
    local target code=0
    printf 'rustc %s in %s\n' "$rustc_version" "$sysroot"
    for target in $targets; do
        if has_std "$sysroot" "$target"; then
            printf '%s: installed\n' "$target"
        elif has_std "$private" "$target"; then
            printf '%s: in the private sysroot %s\n' "$target" "$private"
        else
            printf '%s: missing\n' "$target"
        fi
    done
    if is_current; then
        printf 'in use: %s (%s)\n' "$(cut -d' ' -f1 "$stamp_file")" "$env_file"
    else
        code=1
        printf 'in use: nothing yet; run tools/toolchain.sh\n'
    fi
    return "$code"
}

main() {
    local mode=${1:-}
    WASM_STD=${WASM_STD:-auto}
    case $WASM_STD in auto | rustup | build) ;; *) say "error: WASM_STD is $WASM_STD; allowed are auto, rustup, build"; exit 2 ;; esac
    case $mode in '' | --quiet | --check) ;; *) say "usage: tools/toolchain.sh [--quiet | --check]"; exit 2 ;; esac
    load_versions
    # The toolchain that counts is the workspace's (rust-toolchain.toml, rustup's overrides).
    cd "$root"
    forget_own_answer
    look_at_rustc
    if [ "$mode" = --check ]; then
        check
        return
    fi
    if is_current; then
        [ -n "$mode" ] || say "wasm targets: ready ($(cut -d' ' -f1 "$stamp_file"), rustc $release)"
        return
    fi
    lock "$state/toolchain.lock"
    # Whoever held the lock may have done it all.
    is_current || settle
    unlock
    say "wasm targets: ready ($(cut -d' ' -f1 "$stamp_file"), rustc $release)"
}

main "$@"
