#!/usr/bin/env python3
"""Compares learning rules on one task: trials and seconds to criterion, and the relative change of the weights.

    python scripts/compare_rules.py dnms --rules delta-x,node-perturbation,bptt --networks 100..108 --trials 6400

Needs numpy, safetensors and the built program (cargo build --release). Each rule trains the same networks, which start from
the same weights, until all have reached the criterion or the trials are used up; runs are kept in --out. Seconds depend
on the machine: they are a network's trials to criterion times the seconds per trial while all networks train at once.
"""

import argparse
import json
import subprocess
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file


def train(program, task, rule, out, options):
    """Trains and returns the command's JSON."""
    command = [program, "train", task, "--rule", rule, "--out", str(out), "--force", "--json", *options]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def weights(run):
    """w_rec of a run, one row per network."""
    w = load_file(run / "checkpoint.safetensors")["w_rec"]
    return w.reshape(len(w), -1)


def quartiles(values):
    """Lower quartile, median and upper quartile; networks that did not reach the criterion count as infinity."""
    values, places = np.sort(values), np.array([0.25, 0.5, 0.75]) * (len(values) - 1)
    low, high = values[np.floor(places).astype(int)], values[np.ceil(places).astype(int)]
    return [a if a == b else a + (b - a) * (p % 1) for a, b, p in zip(low, high, places)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task")
    parser.add_argument("--rules", default="delta-x,node-perturbation,bptt")
    parser.add_argument("--networks", default="20")
    parser.add_argument("--trials", default="6400")
    parser.add_argument("--batch", help="trials of each network in parallel [default: the task's]")
    parser.add_argument("--out", type=Path, default=Path("runs/compare"))
    parser.add_argument("--program", default="target/release/hebbian-rnn")
    args = parser.parse_args()

    common = ["--networks", args.networks] + (["--batch", args.batch] if args.batch else [])
    limits = ["--trials", args.trials, "--until-criterion"]
    print("| rule | reached | trials to criterion | seconds to criterion | change of w_rec | error |")
    print("|---|---|---|---|---|---|")
    for rule in args.rules.split(","):
        start, run = args.out / f"{rule}-untrained", args.out / rule
        train(args.program, args.task, rule, start, [*common, "--updates", "0"])
        result = train(args.program, args.task, rule, run, [*common, *limits])
        networks = result["networks"]
        reached = np.array([n["criterion_trials"] or np.inf for n in networks], float)
        low, median, high = quartiles(reached)
        # All networks train at once, so this is the time of one trial of each network.
        seconds = len(networks) / result["trials_per_second"]
        before, after = weights(start), weights(run)
        change = np.linalg.norm(after - before, axis=1) / np.linalg.norm(before, axis=1)
        error = np.median([n["error"] for n in networks])
        print(
            f"| `{rule}` | {np.isfinite(reached).sum()} of {len(networks)} | {median:.0f} ({low:.0f} and {high:.0f}) "
            f"| {median * seconds:.1f} | {np.median(change):.3f} | {error:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
