#!/usr/bin/env bash
# Runs the tests of the unsafe code under AddressSanitizer: the CPU's matrix products, and every kernel and task built on
# them. Works on a stable toolchain (RUSTC_BOOTSTRAP=1 allows -Z flags). Miri cannot run it: the `gemm` crate's kernels are
# written in assembly and vendor intrinsics. docs/reliability-hostile.md has the last result.
set -euo pipefail
cd "$(dirname "$0")/.."
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-Zsanitizer=address --cfg sanitized"
# Thread pools live until the process ends: what they hold is no leak.
export ASAN_OPTIONS="detect_leaks=0:abort_on_error=1"
host=$(rustc -vV | sed -n 's/^host: //p')
cargo test --locked --target "$host" --target-dir target-sanitizer --lib "${@:-ops::}"
