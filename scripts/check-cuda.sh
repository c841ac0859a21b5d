#!/usr/bin/env bash
# Type-checks the CUDA code, warnings denied, where there is no toolkit: a stand-in takes nvcc's place, so no kernel is
# compiled and no program comes out. Linux only.
set -euo pipefail
cd "$(dirname "$0")/.."
host=$(rustc -vV | sed -n 's/^host: //p')
case $host in *-linux-*) ;; *) echo "CUDA code is not checked on $host" >&2; exit ;; esac
variable=CARGO_TARGET_$(echo "$host" | tr 'a-z-' 'A-Z_')_RUSTFLAGS
# As in scripts/build-cuda.sh: the code that looks for the driver is then part of the check.
export NVCC=$PWD/scripts/nvcc-stand-in CUDA_COMPUTE_CAP=90 CUDARC_CUDA_VERSION=13000
export "$variable=--cfg feature=\"dynamic-loading\""
# Nothing made here runs for long: no time goes into optimising macros and build scripts.
cargo clippy --locked --features cuda --all-targets --target "$host" --target-dir target-cuda-check \
  --config 'profile.dev.package."*".opt-level=0' -- -D warnings
