#!/usr/bin/env python3
"""Trains with settings drawn at random from lists, and prints the best: how many networks reach a return, and the median.

    python scripts/sweep.py cartpole --reach 475 --settings 24 --networks 8 --seed 3 \\
        --set rule.name=none --draw task.critic_lambda=0.5,0.9,1 --draw readout.eta=1e-5,3e-5,1e-4

For worlds that answer: 100 fresh episodes of each network after training. Needs the built program (cargo build --release).
The settings of the k-th try depend on --draw and k alone. Choose settings with one seed, and report them with another.
"""

import argparse
import json
import random
import statistics
import subprocess
import tempfile


def drawn(lists, k):
    """One value of each list."""
    rng = random.Random(k)
    return [f"{key}={rng.choice(values.split(','))}" for key, values in (given.split("=", 1) for given in lists)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("world")
    parser.add_argument("--reach", type=float, required=True, help="the mean return that counts")
    parser.add_argument("--settings", type=int, default=24, help="how many are tried")
    parser.add_argument("--networks", default="8")
    parser.add_argument("--seed", default="3")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="in every try")
    parser.add_argument("--draw", action="append", default=[], metavar="KEY=VALUE,VALUE", help="one of these in each try")
    parser.add_argument("--program", default="target/release/hebbian-rnn")
    args = parser.parse_args()

    def run(*arguments):
        done = subprocess.run([args.program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return done.returncode, done.stdout, done.stderr.strip().splitlines()[-1:]

    found = []
    for k in range(args.settings):
        settings = drawn(args.draw, k)
        given = [word for setting in args.set + settings for word in ("--set", setting)]
        with tempfile.TemporaryDirectory() as folder:
            out = f"{folder}/run"
            common = ["--networks", args.networks, "--seed", args.seed, "--out", out]
            # If all networks diverge, training fails; they count as they were.
            failed, _, error = run("train", args.world, *common, *given)
            code, text, again = run("evaluate", out, "--trials", "100", "--json")
        if code:
            raise SystemExit(f"{settings}: {error or again}")
        returns = [network["mean_return"] for network in json.loads(text)["networks"]]
        reached = sum(mean >= args.reach for mean in returns)
        found.append((reached, statistics.median(returns), settings))
        print(f"{k + 1}/{args.settings}: {reached} of {len(returns)}{' (all diverged)' if failed else ''}", flush=True)
    for reached, median, settings in sorted(found, reverse=True):
        print(f"{reached:3d} {median:10.1f}  {' '.join(settings)}")


if __name__ == "__main__":
    main()
