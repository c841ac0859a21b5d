#!/usr/bin/env python3
"""Prints trials to criterion of runs with a confidence interval, and compares the first run with each of the others.

    pip install numpy scipy
    python scripts/trials_to_criterion.py runs/dnms runs/dnms-np [--within 3000]

A network that did not reach the criterion (within the given number of trials) ranks after all others. The interval of the
median is the distribution-free one from order statistics, that of a count Wilson's. The tests are two-sided. Runs with the same
networks (seed and indices) are compared in pairs: Wilcoxon's signed ranks for the trials, McNemar's exact test for how many
networks reached the criterion. Others are compared by Mann-Whitney's and Fisher's tests. With several comparisons, p values are
corrected by Holm's method. The ratio of medians, other run by first, has a bootstrap interval (networks are drawn, in pairs if both
runs have the same): where the claim is "no difference", it says which differences are excluded. For environments, their steps until
then are printed too.
"""

import argparse
import csv
import math
import pathlib
import tomllib

import numpy
from scipy.stats import binom, binomtest, fisher_exact, mannwhitneyu, wilcoxon


def trials_to_criterion(run, within):
    """By network; infinite for those that did not reach the criterion."""
    with open(run / "metrics.csv") as file:
        last = {row["network"]: row["criterion_trials"] for row in csv.DictReader(file)}
    trials = {network: int(reached) if reached else math.inf for network, reached in last.items()}
    return {network: t if t <= within else math.inf for network, t in trials.items()}


def seed(run):
    with open(run / "config.toml", "rb") as file:
        return tomllib.load(file)["train"]["seed"]


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


def paired(first, other):
    """p of Wilcoxon's signed ranks and of McNemar's test; networks that failed in both differ by 0."""
    big = 1e18
    pairs = [(min(first[network], big), min(other[network], big)) for network in first]
    differences = [a - b for a, b in pairs if a != b]
    only = [sum(a < big <= b for a, b in pairs), sum(b < big <= a for a, b in pairs)]
    p_reached = binomtest(only[0], sum(only)).pvalue if sum(only) else 1.0
    return (wilcoxon(differences).pvalue if differences else 1.0), p_reached


def unpaired(first, other):
    """p of Mann-Whitney's and of Fisher's test."""
    finite = [[min(t, 1e18) for t in trials.values()] for trials in (first, other)]
    counts = [[sum(t < 1e18 for t in values), sum(t == 1e18 for t in values)] for values in finite]
    return mannwhitneyu(*finite).pvalue, fisher_exact(counts).pvalue


def ratio_of_medians(first, other, same):
    """Other by first, and its 95 % bootstrap interval; a median that is not reached leaves the interval open."""
    networks = sorted(first)
    a, b = numpy.array([first[k] for k in networks]), numpy.array([other[k] for k in (networks if same else sorted(other))])
    draws = numpy.random.default_rng(1)
    drawn = draws.integers(len(a), size=(10_000, len(a)))
    drawn_other = drawn if same else draws.integers(len(b), size=(10_000, len(b)))
    with numpy.errstate(invalid="ignore"):
        ratio = numpy.median(b) / numpy.median(a)
        ratios = numpy.median(b[drawn_other], axis=1) / numpy.median(a[drawn], axis=1)
    # Both medians are infinite: the ratio can be anything.
    ratios = numpy.where(numpy.isnan(ratios), [[0.0], [math.inf]], ratios)
    return ratio, numpy.sort(ratios[0])[250], numpy.sort(ratios[1])[-251]


def holm(p):
    """The p values of a family of tests, corrected."""
    order, largest, corrected = sorted(range(len(p)), key=p.__getitem__), 0.0, [0.0] * len(p)
    for done, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - done) * p[place]))
        corrected[place] = largest
    return corrected


def shown(trials):
    return f"{trials:.0f}" if math.isfinite(trials) else "not reached"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=pathlib.Path)
    parser.add_argument("--within", type=float, default=math.inf, help="count only what was reached within so many trials")
    options = parser.parse_args()
    all_trials = [trials_to_criterion(run, options.within) for run in options.runs]
    for run, by_network in zip(options.runs, all_trials):
        trials = sorted(by_network.values())
        reached = sum(map(math.isfinite, trials))
        low, high = map(shown, interval(trials))
        quartiles = " and ".join(shown(quantile(trials, q)) for q in (0.25, 0.75))
        median, last = shown(quantile(trials, 0.5)), max((t for t in trials if math.isfinite(t)), default=math.inf)
        bounds = " to ".join(f"{b:.2f}" for b in binomtest(reached, len(trials)).proportion_ci(method="wilson"))
        print(f"{run}: {reached} of {len(trials)} (95 %: {bounds}); median {median} (95 %: {low} to {high}), quartiles {quartiles}, last {shown(last)}")
        if steps := world_steps_to_criterion(run):
            print(f"{run}: median {quantile(steps, 0.5):.0f} environment steps until then")
    first, compared = all_trials[0], []
    for run, trials in zip(options.runs[1:], all_trials[1:]):
        same = seed(options.runs[0]) == seed(run) and first.keys() == trials.keys()
        tests = "Wilcoxon, McNemar" if same else "Mann-Whitney, Fisher"
        compared.append((run, tests, ratio_of_medians(first, trials, same), (paired if same else unpaired)(first, trials)))
    families = [holm([p[k] for *_, p in compared]) for k in (0, 1)]
    for (run, tests, (ratio, low, high), _), p_trials, p_reached in zip(compared, *families):
        print(f"{options.runs[0]} and {run}: trials p = {p_trials:.2g}, networks p = {p_reached:.2g} ({tests})")
        if not math.isnan(ratio):
            print(f"{options.runs[0]} and {run}: ratio of medians {ratio:.2f} (95 %: {low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
