#!/usr/bin/env bash
# Runs a program with a GPU that is simulated on the CPU, for tests where there is none. Linux, x86-64; needs c++ and python3.
# Usage: scripts/simulate-gpu.sh PROGRAM [ARGUMENTS…]
#   as in scripts/simulate-gpu.sh target-cuda/x86_64-unknown-linux-gnu/release/hebbian-rnn devices
# What it can do, and the variables that set it, stand in scripts/simulated-gpu/cuda.cpp.
set -euo pipefail
sources=$(cd "$(dirname "$0")/simulated-gpu" && pwd)
export SIMULATED_GPU_CACHE=${SIMULATED_GPU_CACHE:-${TMPDIR:-/tmp}/simulated-gpu-$(id -u)}
libraries=$SIMULATED_GPU_CACHE/libraries
mkdir -p "$libraries"
[ -O "$SIMULATED_GPU_CACHE" ] || { echo "$SIMULATED_GPU_CACHE belongs to somebody else" >&2; exit 1; }
if [ -z "$(find "$libraries/libcuda.so.1" -newer "$sources/cuda.cpp" -newer "$sources/simulated.h" -newer "$sources/ptx.py" 2>/dev/null)" ]; then
  # What an earlier version has translated is not trusted.
  rm -f "$SIMULATED_GPU_CACHE"/*.so
  c++ -std=c++17 -O2 -Wall -Wextra -Werror -DSOURCES="\"$sources\"" -shared -fPIC "$sources/cuda.cpp" -o "$libraries/libcuda.so.1" -ldl
  ln -sf libcuda.so.1 "$libraries/libcublas.so.13"
  ln -sf libcuda.so.1 "$libraries/libcurand.so.10"
fi
LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} exec "$@"
