#!/usr/bin/env bash
# Runs the tests of the unsafe code of the CPU, of the kernels built on it, and of the CUDA kernels as C++, under a memory
# checker.
#
# The default is valgrind's memcheck, which also covers the vendor intrinsics and inline assembly of the `gemm` crate that Miri
# cannot run. It does not support AVX-512 and hides it from the program, which then uses its AVX2 kernels.
# `scripts/check-unsafe.sh asan` rebuilds everything with AddressSanitizer in a separate target folder (RUSTC_BOOTSTRAP=1 allows
# the flag on a stable toolchain). docs/reliability.md has the latest results.
set -euo pipefail
cd "$(dirname "$0")/.."
tests=(engine::product engine::cpu engine::cuda model::tanh)
if [ "${1:-memcheck}" = asan ]; then
    export RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address"
    # Thread pools live until the process ends, so their memory is not a leak.
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
