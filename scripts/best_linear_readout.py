#!/usr/bin/env python3
"""How well could any linear readout of a network's rates do in `t-maze` or `delayed-comparison`?

    pip install numpy safetensors
    hebbian-rnn train t-maze --networks 20 --updates 0 --out runs/untrained
    python scripts/best_linear_readout.py runs/untrained [--episodes 20000]

The networks of the run are simulated in episodes that walk straight to the choice. Fisher's linear discriminant of the rates at
the moment of the choice, which knows the right answers, is fitted to half of the episodes and tested on the other half. Prints
the fraction correct of each network, sorted, and their median.
"""

import argparse
import pathlib
import tomllib

import numpy as np
from safetensors.numpy import load_file


def episodes(task, count, rng):
    """Inputs `[steps, count, n_in]` and right answers (0 or 1)."""
    answers = rng.integers(0, 2, count)
    sign = 2.0 * answers - 1
    if task["name"] == "t-maze":
        steps, channels = task["corridor"] + 1, 2
    else:
        steps, channels = 2 * task["stimulus"] + task["delay"], 1
    inputs = task["noise"] * rng.standard_normal((steps, count, channels + task["distractors"]))
    if task["name"] == "t-maze":
        inputs[0, :, 0] += sign
        inputs[-1, :, 1] += 1
    else:
        first = rng.uniform(-1, 1, count)
        inputs[: task["stimulus"], :, 0] += first
        inputs[-task["stimulus"] :, :, 0] += first + sign * task["difference"]
    return inputs, answers


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
    if task["name"] not in ("t-maze", "delayed-comparison") or network["dynamics"] != "leaky":
        raise SystemExit("expected a run of t-maze or delayed-comparison with network.dynamics leaky")
    leak = network["dt_ms"] / network["tau_ms"]
    weights = {name: tensor.astype(float) for name, tensor in load_file(args.run / "checkpoint.safetensors").items()}
    correct = []
    for w_rec, w_in, bias in zip(weights["w_rec"], weights["w_in"], weights["b_rec"]):
        rng = np.random.default_rng(0)
        inputs, answers = episodes(task, args.episodes, rng)
        r = rates(inputs, w_rec, w_in, bias, leak)
        half = args.episodes // 2
        fit, truth = r[:half], answers[:half]
        means = [fit[truth == k].mean(0) for k in (0, 1)]
        within = np.concatenate([fit[truth == k] - means[k] for k in (0, 1)])
        axis = np.linalg.solve(within.T @ within / half + 1e-9 * np.eye(len(w_rec)), means[1] - means[0])
        chosen = (r[half:] - (means[0] + means[1]) / 2) @ axis > 0
        correct.append((chosen == answers[half:]).mean())
    print("fraction correct:", " ".join(f"{c:.3f}" for c in sorted(correct)))
    print(f"median {np.median(correct):.3f}")


if __name__ == "__main__":
    main()
