#!/usr/bin/env bash
# Writes tests/fixtures/begun: small runs by the given program, stopped half way, and their files after they continued.
# They were written by the program at commit 4c2df55 and never change.
#   scripts/make_begun_runs.sh target/release/hebbian-rnn
set -euo pipefail
program=$(realpath "${1:?the program: scripts/make_begun_runs.sh target/release/hebbian-rnn}")
cd "$(dirname "$0")/../tests/fixtures"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# begun NAME VERB LIMIT LATER ARGUMENTS…: a run of `train` or `live` stopped at LIMIT, and its checkpoint and metrics at LATER.
begun() {
  local name=$1 verb=$2 limit=$3 later=$4 run=$work/$1 kept=begun/$1
  shift 4
  "$program" "$verb" "$@" --device cpu $limit --out "$run" > /dev/null
  mkdir -p "$kept/later"
  cp "$run"/{config.toml,metrics.csv,checkpoint.safetensors} "$kept"
  "$program" "$verb" --resume --out "$run" $later > /dev/null
  cp "$run"/{metrics.csv,checkpoint.safetensors} "$kept/later"
  echo "$kept"
}

begun cartpole-critic train "--updates 3" "--updates 6" cartpole --neurons 8 --networks 2 --batch 4 --set task.critic_eta=0.01
begun curriculum train "--updates 3" "--updates 6" echo --neurons 6 --networks 2 --batch 3 \
  --set 'curriculum=[{until={trials=12},set={rule={eta=0.05}}}]'
begun xor-rate live "--seconds 10" "--seconds 20" xor-rate --networks 2 --set population.hidden.size=10 \
  --set population.excitatory.size=6 --set population.inhibitory.size=6
begun distal-reward live "--seconds 3" "--seconds 6" distal-reward --networks 2 --set population.excitatory.size=40 \
  --set population.inhibitory.size=10 --set projection.excitatory-excitatory.connect.out_degree=8 \
  --set projection.excitatory-inhibitory.connect.out_degree=4 --set projection.inhibitory-excitatory.connect.out_degree=8
begun linear-track live "--seconds 6" "--seconds 12" linear-track --networks 1 --set population.critic.size=20

# A sweep, half of whose jobs have run.
cat > "$work/sweep.toml" << 'PLAN'
task = "echo"
networks = 2
networks_per_job = 1
[set]
network.neurons = 6
train.batch = 3
train.updates = 4
[grid]
"rule.eta" = [0.1, 0.2]
PLAN
"$program" sweep plan "$work/sweep.toml" --out "$work/sweep" > /dev/null
"$program" sweep run "$work/sweep" --job 1-2 > /dev/null
cp -r "$work/sweep" begun/sweep
cp -r "$work/sweep" "$work/whole"
"$program" sweep run "$work/whole" > /dev/null
"$program" sweep collect "$work/whole" > /dev/null
cp "$work/whole/results.csv" begun/sweep.csv
echo begun/sweep
