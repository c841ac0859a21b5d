#!/usr/bin/env bash
# Retrains the networks in weights/: one per task, with the task's default configuration except for the number of networks.
set -euo pipefail
cd "$(dirname "$0")/.."
program=${HEBBIAN_RNN:-target/release/hebbian-rnn}
if [ "$program" = target/release/hebbian-rnn ]; then
    cargo build --locked --release --quiet --bin hebbian-rnn
fi
runs=$(mktemp -d)
trap 'rm -rf "$runs"' EXIT

make() {
    "$program" train "$1" --networks 1 --device cpu --out "$runs/$1"
    cp "$runs/$1/checkpoint.safetensors" "weights/$1.safetensors"
    "$program" evaluate "weights/$1.safetensors" --trials 400
}
mkdir -p weights
make dnms
make selective-integration
