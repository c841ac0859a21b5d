#!/usr/bin/env bash
# Builds what a release holds, in target/release-files: a static program for Linux (x86-64) with manual, completions and trained
# networks, and the crate; each with its SHA-256. The program needs no library of the system: it is tried in an empty root.
set -euo pipefail
cd "$(dirname "$0")/.."
target=x86_64-unknown-linux-musl
command -v musl-gcc >/dev/null || { echo 'the allocator is written in C and needs musl-gcc: apt-get install musl-tools' >&2; exit 1; }
built=${CARGO_TARGET_DIR:-target}
rustup target list --installed | grep -qx "$target" || rustup target add "$target"
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)
name=hebbian-rnn-$version-$target
out=target/release-files
rm -rf "$out" && mkdir -p "$out/$name/man" "$out/$name/completions"

cargo build --locked --release --target "$target"
program=$built/$target/release/hebbian-rnn
scripts/check-tiles.sh "$program"
cp "$program" README.md CHANGELOG.md LICENSE-* CITATION.cff "$out/$name"
cp -r weights "$out/$name"
"$program" manual "$out/$name/man"
for shell in bash zsh fish; do
    "$program" completions "$shell" >"$out/$name/completions/hebbian-rnn.$shell"
done
strip "$out/$name/hebbian-rnn"

# An empty root with nothing but the program and a network.
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir "$root/tmp"
cp "$out/$name/hebbian-rnn" weights/dnms.safetensors "$root"
unshare --map-root-user chroot "$root" /hebbian-rnn evaluate /dnms.safetensors --trials 40
unshare --map-root-user chroot "$root" /hebbian-rnn train echo --networks 2 --trials 320 --out /tmp/echo >/dev/null

cargo package --locked --allow-dirty --no-verify --quiet
cp "$built"/package/hebbian-rnn-"$version".crate "$out"
# The same files give the same bytes.
tar --sort=name --owner=0 --group=0 --mtime=@0 -C "$out" -czf "$out/$name.tar.gz" "$name"
rm -r "${out:?}/$name"
(cd "$out" && sha256sum -- *.tar.gz *.crate >SHA256SUMS && cat SHA256SUMS)
