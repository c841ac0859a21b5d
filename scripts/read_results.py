#!/usr/bin/env python3
"""Reads a run's metrics and its trained networks.

    pip install numpy safetensors
    python scripts/read_results.py runs/dnms
"""

import csv
import json
import pathlib
import sys

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file


def main(run):
    # One row for each update and network.
    with open(run / "metrics.csv") as file:
        rows = list(csv.DictReader(file))
    for network in sorted({int(row["network"]) for row in rows}):
        own = [row for row in rows if int(row["network"]) == network]
        reached = own[-1]["criterion_trials"] or "not reached"
        errors = f"error {float(own[0]['error']):.3f} to {float(own[-1]['error']):.3f}"
        print(f"network {network}: {own[-1]['trials']} trials, {errors}, criterion after: {reached}")

    # The checkpoint: tensors by name, with networks as the first dimension, and one metadata key with everything else.
    path = run / "checkpoint.safetensors"
    tensors = load_file(path)
    header = json.loads(safe_open(path, "numpy").metadata()["hebbian_rnn"])
    print(f"task {header['config']['task']['name']}, rule {header['config']['rule']['name']}, seed {header['seed']}")
    for name, tensor in sorted(tensors.items()):
        print(f"  {name:16} {tensor.dtype!s:8} {list(tensor.shape)}")
    for network, w_rec in enumerate(tensors["w_rec"]):
        radius = np.abs(np.linalg.eigvals(w_rec)).max()
        print(f"network {network}: spectral radius of w_rec {radius:.3f}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(pathlib.Path(sys.argv[1]))
