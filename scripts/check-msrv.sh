#!/usr/bin/env bash
# Compares every dependency's `rust-version` with ours. If that toolchain is installed (rustup toolchain install 1.89), the code
# itself is checked with it as well; clippy's `incompatible_msrv` (scripts/check.sh) reports newer items of std.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo metadata --locked --format-version 1 --all-features | python3 -c '
import json, sys

packages = json.load(sys.stdin)["packages"]
number = lambda version: tuple(int(part) for part in (version.split("-")[0] + ".0.0").split(".")[:3])
ours = next(p["rust_version"] for p in packages if p["name"] == "hebbian-rnn" and not p["source"])
newer = [p for p in packages if p["rust_version"] and number(p["rust_version"]) > number(ours)]
for p in newer:
    print("{} {} needs Rust {}; this package says {}".format(p["name"], p["version"], p["rust_version"], ours), file=sys.stderr)
silent = sum(1 for p in packages if not p["rust_version"])
print(f"rust-version {ours}: {len(packages) - silent} packages need no newer one, {silent} do not say")
sys.exit(bool(newer))
'
version=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
if rustup toolchain list 2>/dev/null | grep -q "^$version"; then
    CARGO_TARGET_DIR=target-msrv cargo "+$version" check --locked --all-targets
else
    echo "skipped: cargo +$version check (rustup toolchain install $version)"
fi
