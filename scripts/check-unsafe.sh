#!/usr/bin/env bash
# Runs the tests of the unsafe code of the CPU, of the kernels built on it, and of the CUDA kernels as C++, under a memory
# checker.
#
# Valgrind's memcheck by default: it also sees into the vendor intrinsics and inline assembly of the `gemm` crate, which Miri
# cannot run. It knows no AVX-512, and says so to the program, which then takes its AVX2 kernels.
# `scripts/check-unsafe.sh asan` builds everything anew with AddressSanitizer (on a stable toolchain: RUSTC_BOOTSTRAP=1 allows
# the flag), in a target folder of its own. docs/reliability.md has the last results.
set -euo pipefail
cd "$(dirname "$0")/.."
tests=(engine::product engine::cpu engine::cuda model::tanh)
if [ "${1:-memcheck}" = asan ]; then
    export RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address"
    # Thread pools live until the process ends: what they hold is no leak.
    export ASAN_OPTIONS="detect_leaks=0:abort_on_error=1"
    host=$(rustc -vV | sed -n 's/^host: //p')
    cargo test --locked --target "$host" --target-dir target-sanitizer --lib -- "${tests[@]}"
    exit
fi
if ! command -v valgrind >/dev/null; then
    echo "skipped: valgrind is not installed"
    exit 0
fi
CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="valgrind --quiet --error-exitcode=99 --leak-check=no --track-origins=yes" \
    cargo test --locked --lib -- "${tests[@]}"
