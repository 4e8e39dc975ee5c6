#!/usr/bin/env bash
# Builds the fuzz targets of tests/fuzz and runs them in turn, each for some seconds; prints how many inputs each tried.
#
#   tools/fuzz.sh 60                    all
#   tools/fuzz.sh 600 json events       some
#   tools/fuzz.sh --again FILE TARGET   one input
#   tools/fuzz.sh --minimize FILE TARGET
#   CARGO_TARGET_DIR; FUZZ_DIR (what was found, .run/fuzz); FUZZ_FLAGS (libFuzzer's own)
#
# It sets the compiler's flags for libFuzzer itself: a stable rustc does (there is no unsafe code, so no sanitizer), and a C++
# compiler. `cargo fuzz run --fuzz-dir tests/fuzz -s none TARGET` does the same, where cargo-fuzz is installed.
set -euo pipefail

# shellcheck source=tools/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

known="json events detectors redact decode config"
# What one input may take, in seconds.
slowest=10

# How long an input may get, in bytes: as long as it takes for what is tried, and no longer, so that many are.
longest() {
    case $1 in
        redact) printf 48 ;;
        detectors) printf 384 ;;
        json) printf 1024 ;;
        *) printf 2048 ;;
    esac
}

usage() {
    say "usage: tools/fuzz.sh SECONDS [TARGET ...]   (targets: $known)"
    exit 2
}

# Counters at each branch; the names are LLVM's. (Tracing what is compared as well would make detectors three times slower.)
instrumented() {
    local flag flags=()
    for flag in level=4 inline-8bit-counters pc-table; do
        flags+=(-Cllvm-args=-sanitizer-coverage-"$flag")
    done
    printf '%s\037' -Cpasses=sancov-module "${flags[@]}" --cfg=fuzzing
    # what folds branches hides them
    printf %s -Cllvm-args=-simplifycfg-branch-fold-threshold=0
}

build() {
    command -v c++ >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null ||
        die "libFuzzer needs a C++ compiler (on Debian: apt install g++)"
    say "building the fuzz targets (a minute the first time) ..."
    # with --target, so that build scripts are not instrumented
    CARGO_ENCODED_RUSTFLAGS=$(instrumented) cargo build --locked --quiet --release --manifest-path "$root/tests/fuzz/Cargo.toml" \
        --target "$host" --target-dir "$built" --bins >&2
}

# run TARGET SECONDS: what it found is a file in artifacts/TARGET.
run() {
    local target=$1 seconds=$2 log=$found/$1.log code=0 tried folders=()
    mkdir -p "$found/corpus/$target" "$found/artifacts/$target"
    folders=("$found/corpus/$target" "$root/tests/fuzz/seeds/$target")
    [ ! -d "$root/tests/fuzz/regressions/$target" ] || folders+=("$root/tests/fuzz/regressions/$target")
    # shellcheck disable=SC2086 # a list of flags
    "$built/$host/release/$target" -max_total_time="$seconds" -timeout=$slowest -max_len="$(longest "$target")" -print_final_stats=1 \
        -artifact_prefix="$found/artifacts/$target/" ${FUZZ_FLAGS:-} "${folders[@]}" >"$log" 2>&1 || code=$?
    tried=$(awk '/^stat::number_of_executed_units/ { print $2 }' "$log")
    if [ "$code" -eq 0 ]; then
        printf '%-10s %10s inputs in %s s\n' "$target" "${tried:-?}" "$seconds"
        return
    fi
    printf '%-10s %10s inputs, and one that fails:\n' "$target" "${tried:-?}"
    # what the target said, without libFuzzer's own lines
    grep -v -E '^(#|INFO|NEW_FUNC|stat::|==[0-9]+==)' "$log" | tail -n 20 >&2 || true
    return 1
}

main() {
    local target targets failed='' flags=()
    [ $# -ge 1 ] || usage
    host=$(rustc -vV | awk '/^host:/ { print $2 }')
    built=${CARGO_TARGET_DIR:-$root/target}/fuzz
    found=${FUZZ_DIR:-$root/.run/fuzz}
    case $1 in --again | --minimize)
        [ $# -eq 3 ] || usage
        build
        [ "$1" = --again ] || flags=(-minimize_crash=1 -max_total_time=60 -exact_artifact_path="$2.min")
        exec "$built/$host/release/$3" ${flags[@]+"${flags[@]}"} "$2"
        ;;
    esac
    case $1 in '' | *[!0-9]*) usage ;; esac
    targets=${*:2}
    for target in ${targets:=$known}; do
        case " $known " in *" $target "*) ;; *) die "$target is no target; there are: $known" ;; esac
    done
    build
    for target in $targets; do
        run "$target" "$1" || failed="$failed $target"
    done
    [ -z "$failed" ] || die "found in$failed: see $found/artifacts, and tests/fuzz/README.md for what to do with it"
}

main "$@"
