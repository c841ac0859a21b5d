#!/usr/bin/env bash
# Makes the documentation's site in target/book and checks its links. mdBook comes from crates.io, in a minute or two.
set -euo pipefail
cd "$(dirname "$0")/.."
version=0.5.4
mdbook=target/tools/bin/mdbook
if [ "$("$mdbook" --version 2>/dev/null)" != "mdbook v$version" ]; then
    cargo install --quiet --locked --root target/tools --target-dir target/tools/build --no-default-features "mdbook@$version"
fi
"$mdbook" build
python3 scripts/book_links.py target/book
echo "the site: target/book/index.html"
