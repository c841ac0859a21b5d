#!/usr/bin/env python3
"""Times `hebbian-rnn train dnms` and its peers side by side on this machine, interleaved round by round.

    cargo build --release
    pip install torch numpy jax
    python scripts/peers/compare.py
    python scripts/peers/compare.py --rule bptt

Settings: 1 and 2 networks with 64 trials each. In each round every program runs once, one after the other; a ratio is
a peer's time divided by ours in the same round, so that slow phases of the machine affect both. Medians over rounds are
printed with the smallest and largest ratio. Above 1 the peer is slower. Peers that are not installed are skipped.

PyTorch runs three times: with a thread for each core, with one thread, and as one process of one thread for each core,
all at once, which can be its fastest way for such small steps; its time is then that of all the processes' trials
together. Each of these processes has as many networks as the setting says, so together they run more networks than ours.

With `delta-x`, PyTorch and JAX run once more with "noise by steps": two random numbers for each neuron and step, as in most such
programs, where the others draw the gaps between the rare perturbations.

Our time is that of the whole training, including the first update and last checkpoint; the peers exclude a first
update. Nothing else should run meanwhile: if threads wait for each other, as PyTorch's do, other work slows them down by
far more than its share. The load before each round is printed.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BATCH = 64


def installed(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def cpu_model():
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def start(command):
    return subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result(process):
    """The JSON that a process printed."""
    out, err = process.communicate()
    if process.returncode != 0:
        sys.exit(f"{' '.join(process.args)}\nexited {process.returncode}:\n{err}")
    return json.loads(out)


def ours(program, rule, networks, updates):
    with tempfile.TemporaryDirectory() as folder:
        said = result(start([
            program, "train", "dnms", "--rule", rule, "--networks", networks, "--batch", BATCH, "--updates", updates, "--device", "cpu",
            "--checkpoint-every", 0, "--out", Path(folder) / "run", "--json",
        ]))
    return 1e3 / said["trials_per_second"]


def peer(script, networks, updates, *more, processes=1):
    """Milliseconds per trial of one or more processes at once."""
    command = [sys.executable, HERE / script, "--networks", networks, "--batch", BATCH, "--updates", updates, *more]
    running = [start([*command, "--seed", k + 1]) for k in range(processes)]
    return 1 / sum(1 / result(process)["ms_per_trial"] for process in running)


def programs(program, rule, updates):
    """Name and a function of the number of networks, for every program that can run here."""
    n = cores()
    all_of_them = [("hebbian-rnn", lambda s: ours(program, rule, s, updates))]
    of = ("--rule", rule)
    if installed("torch"):
        script = "pytorch_dnms.py"
        all_of_them.append((f"pytorch, {n} threads", lambda s: peer(script, s, updates, *of, "--threads", n)))
        if n > 1:
            all_of_them.append(("pytorch, 1 thread", lambda s: peer(script, s, updates, *of, "--threads", 1)))
            many = lambda s: peer(script, s, updates, *of, "--threads", 1, processes=n)
            all_of_them.append((f"pytorch, {n} processes", many))
        steps = lambda s: peer(script, s, updates, "--threads", n, "--noise", "steps")
        if rule == "delta-x":
            all_of_them.append(("pytorch, noise by steps", steps))
    else:
        print("PyTorch is not installed; left out")
    if installed("jax"):
        all_of_them.append(("jax", lambda s: peer("jax_dnms.py", s, updates, *of)))
        if rule == "delta-x":
            all_of_them.append(("jax, noise by steps", lambda s: peer("jax_dnms.py", s, updates, "--noise", "steps")))
    else:
        print("JAX is not installed; left out")
    return all_of_them


def main():
    parser = argparse.ArgumentParser(description="hebbian-rnn and its peers side by side; see the head of this file")
    parser.add_argument("--program", type=Path, default=ROOT / "target/release/hebbian-rnn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=10, help="updates of each run [10]")
    parser.add_argument("--rule", choices=("delta-x", "bptt"), default="delta-x")
    args = parser.parse_args()
    if not args.program.is_file():
        parser.error(f"{args.program} is not there: cargo build --release, or --program")

    version = subprocess.run([args.program, "--version"], capture_output=True, text=True).stdout.strip()
    versions = [version or "hebbian-rnn", f"Python {platform.python_version()}"]
    versions += [f"{name} {installed(name)}" for name in ("torch", "jax", "jaxlib") if installed(name)]
    print(f"{cpu_model()}, {cores()} cores, {platform.system()} {platform.machine()}; {', '.join(versions)}")

    settings = (1, 2)
    running = programs(args.program, args.rule, args.updates)
    times = {(s, name): [] for s in settings for name, _ in running}
    for k in range(args.rounds):
        load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
        print(f"round {k + 1} of {args.rounds}{load}", file=sys.stderr)
        for s in settings:
            for name, run in running:
                times[s, name].append(run(s))

    print(f"\n{'networks':>8}  {'batch':>5}  {'program':<24}  {'ms per trial':>12}  {'times ours':>10}  {'range':>15}")
    for s in settings:
        our_times = times[s, running[0][0]]
        for name, _ in running:
            ratios = [theirs / own for theirs, own in zip(times[s, name], our_times)]
            spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
            print(f"{s:>8}  {BATCH:>5}  {name:<24}  {statistics.median(times[s, name]):>12.3f}  "
                  f"{statistics.median(ratios):>10.2f}  {spread:>15}")


if __name__ == "__main__":
    main()
