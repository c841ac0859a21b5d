#!/usr/bin/env bash
# Builds hebbian-rnn for CUDA where there is neither a GPU nor a CUDA toolkit (Linux, x86-64). The program is then in
# target-cuda/x86_64-unknown-linux-gnu/release; it opens the CUDA libraries when it runs, so it starts on any machine.
# Usage: scripts/build-cuda.sh [cargo arguments…]     CUDA_COMPUTE_CAP=80 for another GPU than Hopper (90)
# The first build takes long, nearly all of it for candle's own kernels; target-cuda keeps them.
set -euo pipefail
cd "$(dirname "$0")/.."
toolkit=$PWD/.cuda-toolkit
target=x86_64-unknown-linux-gnu

# The compiler, its headers and the static runtime of CUDA 13.0, as Python wheels. A driver of that release may refuse what
# a newer compiler makes.
export CUDA_HOME=$toolkit/nvidia/cu13 NVCC=$toolkit/nvidia/cu13/bin/nvcc
if [ ! -x "$NVCC" ]; then
  python3 -m pip install -q --no-deps --only-binary=:all: --target "$toolkit" \
    nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 \
    nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85
fi

# What the linker asks for: the runtime as a static archive, and empty archives for the libraries opened at run time.
link=$toolkit/link
mkdir -p "$link"
cp -f "$CUDA_HOME/lib/libcudart_static.a" "$link/libcudart.a"
for library in cuda nvrtc curand cublas cublasLt; do
  rm -f "$link/lib$library.a"
  ar rcs "$link/lib$library.a"
done

# candle asks cudarc for `dynamic-linking`, whose programs do not start where the driver is missing. With --target these flags
# reach cudarc's library, which then loads dynamically, but not its build script, which refuses both at once.
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS="--cfg feature=\"dynamic-loading\" -L native=$link"
export CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-90} CUDARC_CUDA_VERSION=13000 CUDAFORGE_THREADS=${CUDAFORGE_THREADS:-2}
cargo build --release --locked --features cuda --target "$target" --target-dir target-cuda "$@"
echo "built target-cuda/$target/release/hebbian-rnn" >&2
