#!/usr/bin/env bash
# Checks licences, sources and duplicates of all dependencies and, if asked to, known vulnerabilities.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! cargo deny --version >/dev/null 2>&1; then
    echo "skipped: cargo deny is not installed (cargo install --locked cargo-deny)"
    exit 0
fi
cargo deny --locked check licenses bans sources
# The advisory database is a git repository, which is fetched only if asked for.
if [ "${ADVISORIES:-0}" = 1 ]; then
    cargo deny --locked check advisories
else
    echo "skipped: advisories (ADVISORIES=1 scripts/check-supply.sh fetches their database from the network)"
fi
