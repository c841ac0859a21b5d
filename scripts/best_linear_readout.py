#!/usr/bin/env python3
"""How well could any linear readout of a network's rates do in `t-maze`?

    pip install numpy safetensors
    hebbian-rnn train t-maze --networks 20 --updates 0 --out runs/untrained
    python scripts/best_linear_readout.py runs/untrained [--episodes 20000]

The networks of the run walk straight to the junction, without perturbations. Fisher's linear discriminant of their rates there,
which is told the right turns, is fitted to half of the episodes and tested on the other half. Prints the fraction correct of each
network, sorted, and the median.
"""

import argparse
import pathlib
import tomllib

import numpy as np
from safetensors.numpy import load_file


def episodes(task, count, rng):
    """Inputs `[steps, count, n_in]` and right turns (0: left, 1: right)."""
    turns = rng.integers(0, 2, count)
    inputs = task["noise"] * rng.standard_normal((task["corridor"] + 1, count, 2 + task["distractors"]))
    inputs[0, :, 0] += 2.0 * turns - 1
    inputs[-1, :, 1] += 1
    return inputs, turns


def rates(inputs, w_rec, w_in, bias, leak):
    """Rates `[count, neurons]` at the last step: x ← x + leak (−x + w_rec r + w_in u + b), r = tanh(x), from x = 0."""
    x = np.zeros((inputs.shape[1], len(w_rec)))
    for u in inputs:
        x += leak * (-x + np.tanh(x) @ w_rec.T + u @ w_in.T + bias)
    return np.tanh(x)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("--episodes", type=int, default=20000)
    args = parser.parse_args()
    with open(args.run / "config.toml", "rb") as file:
        config = tomllib.load(file)
    task, network = config["task"], config["network"]
    if task["name"] != "t-maze" or network["dynamics"] != "leaky":
        found = f"`{task['name']}`, `{network['dynamics']}`"
        raise SystemExit(f"{args.run}: expected a run of `t-maze` with network.dynamics `leaky`, found {found}")
    leak = network["dt_ms"] / network["tau_ms"]
    weights = {name: tensor.astype(float) for name, tensor in load_file(args.run / "checkpoint.safetensors").items()}
    correct = []
    for w_rec, w_in, bias in zip(weights["w_rec"], weights["w_in"], weights["b_rec"]):
        rng = np.random.default_rng(0)
        inputs, turns = episodes(task, args.episodes, rng)
        r = rates(inputs, w_rec, w_in, bias, leak)
        half = args.episodes // 2
        fit, truth = r[:half], turns[:half]
        means = [fit[truth == k].mean(0) for k in (0, 1)]
        within = np.concatenate([fit[truth == k] - means[k] for k in (0, 1)])
        axis = np.linalg.solve(within.T @ within / half + 1e-9 * np.eye(len(w_rec)), means[1] - means[0])
        chosen = (r[half:] - (means[0] + means[1]) / 2) @ axis > 0
        correct.append((chosen == turns[half:]).mean())
    print("fraction correct:", " ".join(f"{c:.3f}" for c in sorted(correct)))
    print(f"median {np.median(correct):.3f}")


if __name__ == "__main__":
    main()
