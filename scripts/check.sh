#!/usr/bin/env bash
# Everything that must pass before a change lands. CI runs this script.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo fmt --all --check
cargo clippy --locked --workspace --all-targets -- -D warnings
# The library without default features.
cargo clippy --locked --lib --no-default-features -- -D warnings
cargo test --locked
# The tests' build, since a release build takes minutes; scripts/release.sh looks at what is released.
scripts/check-tiles.sh "${CARGO_TARGET_DIR:-target}/debug/hebbian-rnn"
scripts/check-msrv.sh
scripts/check-supply.sh
scripts/check-cuda.sh
scripts/check-python.sh
scripts/check-cluster.sh
scripts/make_book.sh
cargo run --locked --quiet --example quickstart
cargo run --locked --quiet --example custom_task
cargo run --locked --quiet --example custom_rule
cargo run --locked --quiet --example custom_world
cargo run --locked --quiet --example custom_life
RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --quiet
echo "all checks passed"
