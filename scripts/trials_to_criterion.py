#!/usr/bin/env python3
"""Prints trials to criterion of runs with a confidence interval, and compares the first run with each of the others.

    pip install scipy
    python scripts/trials_to_criterion.py runs/dnms runs/dnms-np [--within 3000]

A network that did not reach the criterion (within the given number of trials) ranks after all others. The interval of the
median is the distribution-free one from order statistics. The tests are two-sided: Mann-Whitney for the trials, Fisher's
exact test for how many networks reached the criterion. For environments, their steps until then are printed too.
"""

import argparse
import csv
import math
import pathlib

from scipy.stats import binom, fisher_exact, mannwhitneyu


def trials_to_criterion(run, within):
    """Sorted; infinite for networks that did not reach the criterion."""
    with open(run / "metrics.csv") as file:
        last = {row["network"]: row["criterion_trials"] for row in csv.DictReader(file)}
    trials = (int(reached) if reached else math.inf for reached in last.values())
    return sorted(t if t <= within else math.inf for t in trials)


def world_steps_to_criterion(run):
    """Sorted, for the networks that reached the criterion; empty if the run is not in an environment."""
    steps, reached = {}, set()
    with open(run / "metrics.csv") as file:
        for row in csv.DictReader(file):
            if "world_steps" in row and row["network"] not in reached:
                steps[row["network"]] = steps.get(row["network"], 0) + int(row["world_steps"])
                if row["criterion_trials"]:
                    reached.add(row["network"])
    return sorted(steps[network] for network in reached)


def quantile(values, q):
    """Linear between order statistics."""
    place = q * (len(values) - 1)
    below, above = values[math.floor(place)], values[math.ceil(place)]
    return below if below == above else below + (place % 1) * (above - below)


def interval(values, level=0.95):
    """The narrowest symmetric interval of order statistics that covers the median with at least this probability."""
    n = len(values)
    k = max((k for k in range(n // 2) if 1 - 2 * binom.cdf(k, n, 0.5) >= level), default=None)
    return (-math.inf, math.inf) if k is None else (values[k], values[n - 1 - k])


def shown(trials):
    return f"{trials:.0f}" if math.isfinite(trials) else "not reached"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=pathlib.Path)
    parser.add_argument("--within", type=float, default=math.inf, help="count only what was reached within so many trials")
    options = parser.parse_args()
    all_trials = [trials_to_criterion(run, options.within) for run in options.runs]
    for run, trials in zip(options.runs, all_trials):
        reached = sum(map(math.isfinite, trials))
        low, high = map(shown, interval(trials))
        quartiles = " and ".join(shown(quantile(trials, q)) for q in (0.25, 0.75))
        median, last = shown(quantile(trials, 0.5)), max((t for t in trials if math.isfinite(t)), default=math.inf)
        print(f"{run}: {reached} of {len(trials)}; median {median} (95 %: {low} to {high}), quartiles {quartiles}, last {shown(last)}")
        if steps := world_steps_to_criterion(run):
            print(f"{run}: median {quantile(steps, 0.5):.0f} environment steps until then")
    first = all_trials[0]
    for run, trials in zip(options.runs[1:], all_trials[1:]):
        finite = [[t if math.isfinite(t) else 1e18 for t in values] for values in (first, trials)]
        counts = [[sum(map(math.isfinite, values)), sum(map(math.isinf, values))] for values in (first, trials)]
        p_trials, p_reached = mannwhitneyu(*finite).pvalue, fisher_exact(counts).pvalue
        print(f"{options.runs[0]} and {run}: Mann-Whitney p = {p_trials:.2g}, Fisher p = {p_reached:.2g}")


if __name__ == "__main__":
    main()
