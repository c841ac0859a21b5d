#!/usr/bin/env bash
# Writes tests/fixtures/format-N: small runs by the given program, where N is the format it writes.
# Run once for each format with the program that introduced it; the fixtures never change afterwards.
#   scripts/make_fixtures.sh target/release/hebbian-rnn
set -euo pipefail
program=$(realpath "${1:?the program: scripts/make_fixtures.sh target/release/hebbian-rnn}")
cd "$(dirname "$0")/../tests/fixtures"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# fixture NAME ARGUMENTS…: three updates of `train`, their `evaluate` output, and the checkpoint two updates later.
fixture() {
  local name=$1 run=$work/$1
  shift
  "$program" train "$@" --device cpu --updates 3 --set modulator.warmup_trials=0 --out "$run" > /dev/null
  local format
  format=$("$program" inspect "$run" --json | sed -n 's/^ *"format": \([0-9]*\),*$/\1/p')
  local kept=format-$format/$name
  mkdir -p "$kept"
  cp "$run"/{config.toml,metrics.csv,checkpoint.safetensors} "$kept"
  "$program" evaluate "$run" --device cpu --trials 12 --json > "$kept/evaluate.json"
  "$program" train --resume --out "$run" --updates 5 > /dev/null
  cp "$run/checkpoint.safetensors" "$kept/two-updates-later.safetensors"
  echo "$kept"
}

dnms=(--set task.steps=40 --set task.second_stimulus=15 --set task.stimulus_steps=8 --set task.response_steps=10)
fixture dnms-delta-x dnms "${dnms[@]}" --neurons 12 --networks 2 --batch 4 --set network.connectivity=0.6
fixture dnms-ei-dale dnms-ei "${dnms[@]}" --neurons 12 --networks 2 --batch 4
fixture sequence-persistent sequence --neurons 6 --networks 2 --batch 3 --set trace.persistent=true
fixture echo-readout echo --neurons 6 --networks 2..4 --batch 4 --dtype f64 --set readout.rule=eh \
  --set trace.modulator=reward
fixture echo-retroactive echo --neurons 6 --networks 2 --batch 3 --set trace.stage=retroactive \
  --set trace.persistent=true --set trace.clip=1
fixture pattern-generation-rflo pattern-generation --neurons 8 --networks 2 --batch 2 --set task.steps=30 \
  --set network.feedback_scale=0.5 --set network.initial_activation=0.3
