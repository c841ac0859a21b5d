#!/usr/bin/env bash
# Looks at the machine code of the tiles (src/engine/tiles.rs) in a binary: every factor must be broadcast from memory.
#
# A broadcast from a register takes one of the two ports that Intel's processors need for 512-bit multiply-adds, and with it a fifth
# of the speed of products. It appears as soon as a check, a slice or a call stands between a factor's read and its broadcast. No
# test can notice, since results stay the same. `scripts/check-tiles.sh [BINARY]`; without one, it builds and takes the release binary.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v objdump >/dev/null; then
    echo "skipped: objdump is not installed (it belongs to binutils)"
    exit 0
fi
binary=${1:-}
if [ -z "$binary" ]; then
    cargo build --locked --release
    binary=${CARGO_TARGET_DIR:-target}/release/hebbian-rnn
fi
# The tiles' code is the function compiled by pulp for AVX-512 that has hundreds of multiply-adds of whole vectors.
objdump -d --no-show-raw-insn "$binary" | awk '
    /^[0-9a-f]+ <.*>:$/ { name = $2; compiled += name ~ /V4.*vectorize/ }
    name !~ /V4.*vectorize/ { next }
    /vfmadd.*%zmm/ { adds[name]++ }
    /vbroadcastss %xmm[0-9]+,%zmm/ { from_register[name]++ }
    /vbroadcastss .*\(.*\),%zmm|vfmadd.*\{1to16\}/ { from_memory[name]++ }
    END {
        if (!compiled) { print "skipped: the binary holds no AVX-512 code"; exit 0 }
        for (name in adds) {
            if (adds[name] < 400) continue
            found++
            print "tiles: " adds[name] " multiply-adds, " from_memory[name] + 0 " factors broadcast from memory, " from_register[name] + 0 " from registers"
            bad += from_register[name]
        }
        if (!found) { print "error: the code of the tiles was not found in the binary; adapt scripts/check-tiles.sh" > "/dev/stderr"; exit 1 }
        if (bad) { print "error: factors are broadcast from registers; in src/engine/tiles.rs, splat each factor where it is read" > "/dev/stderr"; exit 1 }
    }'
