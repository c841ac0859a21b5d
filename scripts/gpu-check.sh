#!/usr/bin/env bash
# Checks and measures a built program on a machine with a GPU, and prints one table of Markdown for docs/gpu.md.
#
#   scripts/gpu-check.sh BINARY [DEVICE]          DEVICE: cuda (default) or cpu
#
# SMALL=1 tries the script itself, with small sizes.
#
# Needs the binary, bash and python3; no Rust. Takes under 8 minutes. Where JAX is installed, its version of the same trial
# (scripts/peers) is measured beside ours. A check that fails is a line of the table, and the exit code is then 1.
set -uo pipefail
binary=$(realpath "${1:?usage: gpu-check.sh BINARY [DEVICE]}")
device=${2:-cuda}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
deadline=$((SECONDS + 450))

if [ -n "${SMALL:-}" ]; then
  sizes='1,8' pairs='1:8' small='--set network.neurons=30' most=192
else
  sizes='20,64' pairs='1:64 4:64 20:64 20:240 132:40 132:80' small='' most=4000
fi

row() { printf '| %s | %s |\n' "$1" "$2"; }
# What is left of the time, but no more than $1 seconds.
limit() { local left=$((deadline - SECONDS)); [ "$left" -lt 1 ] && left=1; [ "$left" -gt "$1" ] && left=$1; echo "$left"; }
# row NAME, and "passed" or the first line of what went wrong.
check() {
  local name=$1 seconds=$2
  shift 2
  output=$(timeout "$(limit "$seconds")" "$@" 2>&1)
  local status=$?
  if [ "$status" = 0 ]; then
    row "$name" passed
  else
    failed=1
    row "$name" "**failed** (exit $status): $(grep -m1 '^error' <<<"$output" || head -1 <<<"$output")"
  fi
}
# The last checkpoint and metrics of two runs on the same device are the same to the bit.
repeats() {
  for run in a b; do
    "$binary" train dnms --updates 3 --networks 4 --batch 16 $small --device "$device" --out "$work/$run" || return
  done
  for file in metrics.csv checkpoint.safetensors; do cmp "$work/a/$file" "$work/b/$file" || return; done
}
# A run begun on one device goes on on another.
moves() {
  "$binary" train dnms --updates 2 --networks 2 --batch 8 $small --device "$1" --force --out "$work/$1-$2" &&
    "$binary" train --resume --updates 4 --device "$2" --out "$work/$1-$2"
}
export -f repeats moves
export binary device work small
field() { python3 -c 'import json, sys; d = json.load(sys.stdin); print(eval(sys.argv[1], {"d": d}))' "$1"; }

echo "| what | result |"
echo "|---|---|"
row "date" "$(date -u +%F)"
row "program" "$("$binary" --version), commit ${COMMIT:-$(git -C "$here" rev-parse --short HEAD 2>/dev/null || echo unknown)}"
row "device" "$("$binary" devices --json | field '"; ".join(f["name"] + ": " + f["detail"] for f in d if f["usable"])')"
row "driver" "$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -1 || true)"

# NAME ARGUMENTS…: one update by every implementation against the plain operations on the CPU.
compare() { check "one update, $1, equals the CPU's within 1e-4" 60 "$binary" compare --device "$device" --set modulator.warmup_trials=0 "${@:2}"; }
echo_task='--task echo --batch 4 --set network.neurons=16'
sequence='--task sequence --batch 4 --set network.neurons=16 --set trace.alpha=0.2'
for rule in delta-x node-perturbation eh; do compare "\`$rule\`" --rule "$rule" $small; done
compare "\`sequence\` (fast weights, readout)" --task sequence --set trace.alpha=0.5
compare "\`rflo\`" --rule rflo $echo_task
compare "private noise" $small --batch 8 --set network.private_noise=0.1
compare "discrete dynamics" $small --batch 8 --set network.dynamics=discrete --set network.gain=0.9
compare "f64" $small --batch 8 --set train.dtype=f64
compare "rectified-linear rates" --task dnms-ei --batch 8 --set network.neurons=20
for rule in eh node-perturbation delta; do compare "readout by \`$rule\`" $echo_task --set readout.rule=$rule; done
for stage in hebb outer accumulate decay modulated oja retroactive; do
  for form in written history; do
    compare "fast weights \`$stage\`, $form" $sequence --set trace.stage=$stage --set trace.form=$form
  done
done
compare "persistent fast weights" $sequence --set trace.stage=decay --set trace.persistent=true --rule hebbian-trace
check "two runs are the same to the bit" 60 bash -c repeats
check "a run begun on the CPU goes on on $device" 60 bash -c "moves cpu $device"
check "a run begun on $device goes on on the CPU" 60 bash -c "moves $device cpu"

speed() {
  timeout "$(limit 60)" "$binary" bench --json --device "$device" --networks "$1" --batch "$2" --kernels "$3" --rounds 3 \
    --updates "$4" $small 2>"$work/error" |
    field '"{trials_per_second:,.0f} trials/s, {gflops:,.0f} GFLOP/s, of {matrix_gflops:,.0f} in square products".format(**d[0])' \
      2>/dev/null || echo "not measured: $(head -1 "$work/error")"
}
row "\`reference\`, S, B = ${sizes/,/, }" "$(speed "${sizes%,*}" "${sizes#*,}" reference 1)"
for kernels in stepwise fused; do
  for pair in $pairs; do
    row "\`$kernels\`, S, B = ${pair/:/, }" "$(speed "${pair%:*}" "${pair#*:}" "$kernels" 2)"
  done
done

begun=$SECONDS
if timeout "$(limit 60)" "$binary" train dnms --networks 20 --until-criterion --trials $most $small \
  --device "$device" --out "$work/twenty" --json >"$work/twenty.json" 2>"$work/error"; then
  row "20 networks to criterion, at most $most trials each, training alone" "$(field \
    '"{:.1f} s, {} of 20 reached it".format(d["seconds"], sum(n["criterion_trials"] is not None for n in d["networks"]))' \
    <"$work/twenty.json")"
else
  row "20 networks to criterion" "not within $((SECONDS - begun)) s $(head -1 "$work/error")"
fi

if [ -f "$here/peers/jax_dnms.py" ] && python3 -c 'import jax' 2>/dev/null; then
  for pair in $pairs; do
    row "JAX jit + scan, S, B = ${pair/:/, }" "$(timeout "$(limit 60)" python3 "$here/peers/jax_dnms.py" \
      --networks "${pair%:*}" --batch "${pair#*:}" 2>/dev/null | field '"{:,.0f} trials/s".format(1e3 / d["ms_per_trial"])' 2>/dev/null ||
      echo "not measured")"
  done
else
  row "JAX" "not installed here"
fi
row "seconds for all this" "$SECONDS"
exit "$failed"
