#!/usr/bin/env bash
# Runs one sweep by everything that can run its jobs, and compares what is collected, byte for byte, with the undivided runs:
# xargs, GNU parallel, Snakemake, and a real Slurm of one node that is started here and ended at the end. Under Slurm one job is
# queued again while it runs, one is killed and submitted again, and the node's daemon is restarted.
#
#     scripts/check-cluster.sh
#
# What is missing is passed over with a word, or is an error if HEBBIAN_RNN_REQUIRE_CLUSTER is set: Debian's packages parallel,
# slurm-wlm and munge (Slurm needs root), and Snakemake, which comes from PyPI and is looked for where check-python.sh installs it.
set -euo pipefail
cd "$(dirname "$0")/.."
program=${HEBBIAN_RNN:-$PWD/target/debug/hebbian-rnn}
[ -x "$program" ] || cargo build --locked --quiet
# Slurm's daemons do not like long paths.
dir=$(mktemp -d /tmp/sweep-XXXXXX)
trap 'end_slurm; rm -rf "$dir"' EXIT
end_slurm() {
    local pids=()
    for daemon in slurmctld slurmd munged; do
        if [ -s "$dir/$daemon.pid" ]; then pids+=("$(cat "$dir/$daemon.pid")"); fi
    done
    [ ${#pids[@]} -gt 0 ] || return 0
    kill "${pids[@]}" 2>/dev/null || true
    # They save their state before they end; the folder cannot be removed while they write to it.
    for _ in $(seq 100); do
        kill -0 "${pids[@]}" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL "${pids[@]}" 2>/dev/null || true
}
missing() {
    if [ -n "${HEBBIAN_RNN_REQUIRE_CLUSTER:-}" ]; then
        echo "error: $1 is missing"
        exit 1
    fi
    echo "skipped: $1 is not there"
}

# Four settings in eight jobs of some seconds each.
cat > "$dir/sweep.toml" <<'PLAN'
task = "dnms"
networks = 4
networks_per_job = 2
[set]
train = { trials = 1600, batch = 16, checkpoint_every = 5 }
network.neurons = 100
[grid]
rule.eta = [0.03, 0.1]
network.gain = [1.2, 1.5]
PLAN
echo "the undivided runs"
setting=0
for gain in 1.2 1.5; do
    for eta in 0.03 0.1; do
        setting=$((setting + 1))
        "$program" train dnms --networks 4 --trials 1600 --batch 16 --checkpoint-every 5 --neurons 100 \
            --set network.gain=$gain --set rule.eta=$eta --out "$dir/whole/$setting" > /dev/null 2>&1
    done
done

plan() {
    "$program" sweep plan "$dir/sweep.toml" --out "$dir/$1" > /dev/null
}
# What is collected of sweep $1 is what the undivided runs wrote.
same() {
    "$program" sweep collect "$dir/$1" > /dev/null
    for setting in 1 2 3 4; do
        for file in config.toml metrics.csv checkpoint.safetensors; do
            cmp "$dir/$1/runs/$setting/$file" "$dir/whole/$setting/$file"
        done
    done
    if [ -e "$dir/xargs/results.csv" ]; then cmp "$dir/$1/results.csv" "$dir/xargs/results.csv"; fi
    echo "$1: the same bytes"
}

plan xargs
seq 8 | RAYON_NUM_THREADS=1 xargs -P2 -I{} "$program" sweep run "$dir/xargs" --job {} 2> /dev/null
same xargs

if command -v parallel > /dev/null; then
    plan parallel
    "$program" sweep script "$dir/parallel" --engine parallel > "$dir/parallel.sh"
    bash "$dir/parallel.sh"
    same parallel
else
    missing "GNU parallel"
fi

snakemake=$PWD/target/python/venv/bin/snakemake
[ -x "$snakemake" ] || snakemake=snakemake
if command -v "$snakemake" > /dev/null; then
    plan snakemake
    "$program" sweep script "$dir/snakemake" --engine snakemake > "$dir/Snakefile"
    (cd "$dir" && "$snakemake" --snakefile Snakefile --cores 2 --quiet all 2> "$dir/snakemake.log") || { cat "$dir/snakemake.log"; exit 1; }
    same snakemake
else
    missing Snakemake
fi

if ! command -v slurmctld > /dev/null || ! command -v slurmd > /dev/null || ! command -v munged > /dev/null; then
    missing "Slurm (slurm-wlm, munge)"
    exit 0
elif [ "$(id -u)" != 0 ]; then
    missing "root, whom Slurm's daemons need,"
    exit 0
fi

node=$(hostname -s)
mkdir -p "$dir/state" "$dir/spool" "$dir/munge"
chown -R munge:munge "$dir/munge"
chmod 755 "$dir" "$dir/munge"
dd if=/dev/urandom of="$dir/munge/key" bs=128 count=1 status=none
chown munge:munge "$dir/munge/key"
chmod 400 "$dir/munge/key"
cat > "$dir/slurm.conf" <<CONF
ClusterName=check
SlurmctldHost=$node(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1
ReturnToService=2
KillWait=5
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
SlurmctldPort=16817
SlurmdPort=16818
NodeName=$node NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=$node Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$dir/slurm.conf
# Runs as its own user where there is one.
runuser -u munge -- munged --socket="$dir/munge/socket" --key-file="$dir/munge/key" --pid-file="$dir/munge/pid" \
    --log-file="$dir/munge/log" --seed-file="$dir/munge/seed"
ln -sf "$dir/munge/pid" "$dir/munged.pid"
slurmctld
slurmd
wait_for() { # seconds, what, command …
    local left=$(($1 * 5)) what=$2
    shift 2
    until "$@"; do
        left=$((left - 1))
        if [ $left -le 0 ]; then
            echo "error: waited in vain for $what"
            squeue || true
            "$program" sweep status "$dir/slurm" || true
            tail -n 20 "$dir"/slurmctld.log "$dir"/slurmd.log "$dir"/slurm/logs/* || true
            exit 1
        fi
        sleep 0.2
    done
}
wait_for 60 "the node" bash -c '[ "$(sinfo --noheader --format=%t)" = idle ]'

plan slurm
# Some of the cores' time goes to this script: jobs that take seconds can be caught while they run.
"$program" sweep script "$dir/slurm" --engine slurm > "$dir/slurm.sbatch"
array=$(sbatch --parsable "$dir/slurm.sbatch")
begun() { [ -s "$dir/slurm/jobs/$1/checkpoint.safetensors" ] && [ ! -e "$dir/slurm/jobs/$1/scores.csv" ]; }
process() { pgrep -f "sweep run .*$dir/slurm.* --job $1\$" | while read -r pid; do
    if [ "$(basename "$(readlink "/proc/$pid/exe")")" = "$(basename "$program")" ]; then echo "$pid"; fi
done; }

wait_for 120 "job 1 to begin" begun 1
scontrol requeue "${array}_1"
# Slurm would wait for two minutes.
wait_for 60 "job 1 to be queued" bash -c "squeue --noheader --array --format='%i %t' | grep -q '^${array}_1 PD'"
scontrol update JobId="${array}_1" StartTime=now
echo "slurm: job 1 was queued again after update $(tail -n 1 "$dir/slurm/jobs/1/metrics.csv" | cut -d, -f1) of 100"

wait_for 120 "job 3 to begin" begun 3
kill -KILL $(process 3)
echo "slurm: job 3 was killed after update $(tail -n 1 "$dir/slurm/jobs/3/metrics.csv" | cut -d, -f1) of 100"

wait_for 120 "job 5 to begin" begun 5
daemon=$(cat "$dir/slurmd.pid")
kill "$daemon"
wait_for 20 "the end of slurmd" bash -c "! kill -0 $daemon 2> /dev/null"
slurmd
echo "slurm: the node's daemon was restarted while job 5 ran"

# As Slurm does two minutes before the time limit: the job saves, and its script queues it again.
wait_for 120 "job 7 to begin" begun 7
scancel --signal=USR1 "${array}_7"
wait_for 60 "job 7 to be queued" bash -c "squeue --noheader --array --format='%i %t' | grep -q '^${array}_7 PD'"
scontrol update JobId="${array}_7" StartTime=now
echo "slurm: job 7 was told that its time is up after update $(tail -n 1 "$dir/slurm/jobs/7/metrics.csv" | cut -d, -f1) of 100, and queued itself again"

wait_for 300 "the array" bash -c '[ -z "$(squeue --noheader)" ]'
again=$("$program" sweep status "$dir/slurm" | sed -n 's/.*--array=\([0-9,-]*\),.*/\1/p')
echo "slurm: jobs $again are submitted again"
[ "$again" = 3 ]
sbatch --array="$again" "$dir/slurm.sbatch" > /dev/null
wait_for 120 "the jobs submitted again" bash -c '[ -z "$(squeue --noheader)" ]'
same slurm
grep -q "DUE TO JOB REQUEUE" "$dir/slurm/logs/1.log"
grep -q "interrupted; everything is saved" "$dir/slurm/logs/7.log"
