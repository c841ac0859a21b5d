#!/usr/bin/env bash
# Fuzzes without cargo-fuzz and without building the dependencies anew: only this project's own code is instrumented, with the
# flags that cargo-fuzz passes. usage: fuzz/run.sh TARGET [SECONDS]
set -euo pipefail
cd "$(dirname "$0")"
target=${1:?usage: fuzz/run.sh TARGET [SECONDS]}
flags='"-Cpasses=sancov-module", "-Cllvm-args=-sanitizer-coverage-level=4", "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters", "-Cllvm-args=-sanitizer-coverage-trace-compares"'
flags=${flags//$'\n'/}
# -Zprofile-rustflags is there on stable toolchains as well, with RUSTC_BOOTSTRAP=1.
RUSTC_BOOTSTRAP=1 cargo build --locked --target-dir ../target -Zprofile-rustflags --bin seeds --bin "$target" \
    --config "profile.dev.package.hebbian-rnn.rustflags=[$flags]" \
    --config "profile.dev.package.hebbian-rnn-fuzz.rustflags=[$flags]"
[ -d corpus/"$target" ] || ../target/debug/seeds
mkdir -p artifacts/"$target"
../target/debug/"$target" corpus/"$target" -artifact_prefix=artifacts/"$target"/ -max_total_time="${2:-300}" \
    -rss_limit_mb=1024 -timeout=10 -print_final_stats=1
