#!/usr/bin/env bash
# Holds a program built for CUDA against the CPU where there is no GPU: all of it runs, the GPU is simulated (simulate-gpu.sh).
# Usage: scripts/check-simulated-gpu.sh [BINARY]     after scripts/build-cuda.sh; takes some minutes
set -uo pipefail
cd "$(dirname "$0")/.."
binary=${1:-target-cuda/x86_64-unknown-linux-gnu/release/hebbian-rnn}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

check() {
  local name=$1
  shift
  if "$@" >"$work/out" 2>&1; then
    echo "ok      $name"
  else
    failed=1
    echo "FAILED  $name: $(tail -1 "$work/out")"
  fi
}
simulated() { scripts/simulate-gpu.sh "$binary" "$@"; }
# NAME ARGUMENTS…: an update, by every implementation, against the plain operations on the CPU; each has to repeat to the bit.
compare() { check "$1" simulated compare --device cuda --set modulator.warmup_trials=0 "${@:2}"; }
same() { for file in metrics.csv weights; do cmp "$work/$1/$file" "$work/$2/$file" || return; done; }
# Trains, and puts the bytes behind a checkpoint's header, which names the devices, into `weights`.
train() {
  local name=$1
  shift
  simulated train dnms $short --updates 3 --networks 3 --batch 8 --out "$work/$name" "$@" || return
  python3 - "$work/$name" <<'PYTHON'
import sys
checkpoint = open(sys.argv[1] + "/checkpoint.safetensors", "rb").read()
open(sys.argv[1] + "/weights", "wb").write(checkpoint[8 + int.from_bytes(checkpoint[:8], "little") :])
PYTHON
}
resume() { simulated train --resume --updates 5 --device "$2" --out "$work/$1"; }
refused() { ! simulated "$@" >"$work/refusal" 2>&1 && grep "would fit" "$work/refusal" && ! grep -i panic "$work/refusal"; }

# Trials of two stretches, with as many perturbations as make a difference.
short='--set network.neurons=12 --set task.steps=150 --set task.second_stimulus=15 --set task.stimulus_steps=8
  --set task.response_steps=10 --set perturbation.probability=0.05'
dnms="--task dnms --batch 8 $short"
sequence='--task sequence --batch 4 --set network.neurons=16 --set trace.alpha=0.2'
echo='--task echo --batch 4 --set network.neurons=16'

for order in late now 1 2 3 4 5; do
  for backwards in 0 1; do
    export SIMULATED_GPU_ORDER=$order SIMULATED_GPU_BACKWARDS=$backwards
    for rule in delta-x node-perturbation; do
      compare "$rule, work done in order \`$order\`$([ $backwards = 1 ] && echo ', threads backwards')" --rule $rule $dnms
    done
  done
done
unset SIMULATED_GPU_ORDER SIMULATED_GPU_BACKWARDS

# As large as fits into a block, and smaller: 8, 4 or 2 trials of a thread.
form() {
  local trials=$1 neurons=$2 batch=$3
  SIMULATED_GPU_PROCESSORS=$4 SIMULATED_GPU_LOG=$work/log simulated compare --device cuda --set modulator.warmup_trials=0 \
    --task dnms --batch "$batch" ${short/neurons=12/neurons=$neurons} && grep "whole_trial_$trials" "$work/log"
}
check "whole trials, 8 a thread" form 8 200 40 2
check "whole trials, 4 a thread" form 4 133 20 2
check "whole trials, 2 a thread" form 2 133 9 132

compare "eh" --rule eh $dnms
compare "rflo" --rule rflo $echo
compare "private noise" $dnms --set network.private_noise=0.1
compare "discrete dynamics" $dnms --set network.dynamics=discrete --set network.gain=0.9
compare "f64" $dnms --set train.dtype=f64
compare "rectified responses" --task dnms-ei --batch 8 --set network.neurons=20
for rule in eh node-perturbation delta; do compare "readout learns by $rule" $echo --set readout.rule=$rule; done
for stage in hebb outer accumulate decay modulated oja retroactive; do
  for form in written history; do
    compare "trace $stage, $form" $sequence --set trace.stage=$stage --set trace.form=$form
  done
done
compare "trace kept from trial to trial" $sequence --set trace.stage=decay --set trace.persistent=true --rule hebbian-trace

export SIMULATED_GPU_COUNT=2
for kernels in fused stepwise reference; do
  train "$kernels" --device cuda:0 --set train.kernels=$kernels >"$work/out" 2>&1
  for devices in cuda:0,cuda:1 cuda:1; do
    train "$kernels-$devices" --device $devices --set train.kernels=$kernels >"$work/out" 2>&1
    check "$kernels on $devices makes the files of cuda:0" same "$kernels" "$kernels-$devices"
  done
done
train moved --device cpu >"$work/out" 2>&1
for device in cuda:1 cpu; do check "a run goes on on $device" resume moved $device; done
check "bptt runs" train bptt --rule bptt --device cuda

# No more than is planned: what is planned has to be 0.9 of what there is.
fits() {
  local bytes
  bytes=$(python3 -c 'import sys; print(int(float(sys.argv[1]) * {"KiB": 1 << 10, "MiB": 1 << 20}[sys.argv[2]] * 1.02 / 0.9))' \
    $(SIMULATED_GPU_MEMORY=1000 simulated train "$@" --device cuda --out "$work/none" 2>&1 | grep -o 'needs [0-9.]* [KM]iB' | cut -c 7-))
  SIMULATED_GPU_MEMORY=$bytes simulated train "$@" --updates 2 --device cuda --force --out "$work/memory"
}
wide="--networks 2 --batch 16 --set network.neurons=50"
for kernels in fused reference; do
  check "dnms, $kernels: no more memory than is planned" fits dnms $short $wide --set train.kernels=$kernels
  for stage in decay retroactive; do
    check "sequence, $stage, $kernels: likewise" fits sequence $wide --set trace.stage=$stage --set trace.persistent=true --set train.kernels=$kernels
  done
done
SIMULATED_GPU_MEMORY=30000000 check "too large a run is refused" refused train dnms --networks 2 --batch 64 --device cuda --out "$work/none"
exit $failed
