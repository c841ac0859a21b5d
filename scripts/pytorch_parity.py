#!/usr/bin/env python3
"""Compares `hebbian-rnn simulate` with an independent forward pass in PyTorch.

An untrained checkpoint of the `sequence` task (32 neurons, discrete dynamics, readout, Hebbian trace) and random inputs
and neuromodulator are given to the program and to a plain loop in PyTorch, in float64. The outputs [T, S, B, n_out], the
rates [T, S, B, N] and the Hebbian trace after the last step [S, B, N, N] may not differ by more than 1e-5 in any entry.
Cases: the modulated trace with each association, then Oja's rule and the retroactive trace.

To show that each case could fail, the trace's largest entry must exceed 0.01, and a PyTorch pass with the wrong
association (the transposed one; for `auto`, whose outer product is symmetric, `post-pre`) must differ by more than 1e-3.

    cargo build --release
    pip install torch numpy safetensors
    python scripts/pytorch_parity.py

Exit status: 0 if all cases agree, 1 if any does not.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

ROOT = Path(__file__).resolve().parent.parent
STEPS, TRIALS, NEURONS = 10, 32, 32
ALPHA, ETA = 1.0, 0.1
TOLERANCE, WRONG_DIFFERS_BY, TRACE_EXCEEDS = 1e-5, 1e-3, 1e-2

CASES = [
    ("modulated", "auto"),
    ("modulated", "post-pre"),
    ("modulated", "pre-post"),
    ("oja", "post-pre"),
    ("oja", "pre-post"),
    ("retroactive", "post-pre"),
    ("retroactive", "pre-post"),
]
WRONG = {"auto": "post-pre", "post-pre": "pre-post", "pre-post": "post-pre"}


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nexited {done.returncode}:\n{done.stderr}")


def make_checkpoint(program, folder, stage, association, updates):
    settings = [f"trace.stage={stage}", f"trace.association={association}", f"trace.alpha={ALPHA}", f"trace.eta={ETA}"]
    run(program, "train", "sequence", "--updates", updates, "--networks", 2, "--seed", 3, "--batch", TRIALS,
        "--out", folder, "--device", "cpu", *[arg for s in settings for arg in ("--set", s)])
    return load_file(folder / "checkpoint.safetensors")


def draw_inputs(seed):
    rng = np.random.default_rng(seed)
    return {
        "inputs": rng.integers(0, 2, (STEPS, TRIALS, 1)).astype(np.float32),
        "modulator": rng.uniform(-1, 1, (STEPS, TRIALS)).astype(np.float32),
    }


def simulate(program, checkpoint, given, folder):
    # Trials come first in the file, time here.
    save_file({name: np.ascontiguousarray(np.swapaxes(array, 0, 1)) for name, array in given.items()}, folder / "inputs.safetensors")
    run(program, "simulate", checkpoint, "--inputs", folder / "inputs.safetensors", "--device", "cpu",
        "--out", folder / "results.safetensors", "--record", "rates,trace")
    results = load_file(folder / "results.safetensors")
    return {name: array if name == "hebbian_trace" else np.moveaxis(array, 2, 0) for name, array in results.items()}


def pair(association, r_old, r_new):
    """The vectors a (rows, post) and b (columns, pre) of the outer product."""
    return {"auto": (r_old, r_old), "post-pre": (r_new, r_old), "pre-post": (r_old, r_new)}[association]


def update_trace(stage, association, h, e, m, r_old, r_new):
    """H and the eligibility e, both [S, B, N, N], after a step; m is [B]."""
    a, b = pair(association, r_old, r_new)
    outer = torch.einsum("sbi,sbj->sbij", a, b)
    m = m[None, :, None, None]
    if stage == "modulated":
        return (1 - ETA) * h + ETA * m * outer, e
    if stage == "oja":
        return h + ETA * m * (outer - a.square()[..., None] * h), e
    if stage == "retroactive":
        e = (1 - ETA) * e + ETA * outer
        return h + m * e, e
    raise ValueError(stage)


def forward(checkpoint, given, stage, association):
    """The network in PyTorch, from r = tanh(0) = 0 and H = 0."""
    w = {name: torch.from_numpy(checkpoint[name]).double() for name in ("w_in", "w_rec", "b_rec", "w_out", "b_out")}
    inputs, modulator = (torch.from_numpy(given[name]).double() for name in ("inputs", "modulator"))
    networks = w["w_rec"].shape[0]
    r = torch.zeros(networks, TRIALS, NEURONS, dtype=torch.float64)
    h = torch.zeros(networks, TRIALS, NEURONS, NEURONS, dtype=torch.float64)
    e = torch.zeros_like(h)
    outputs, rates = [], []
    for u, m in zip(inputs, modulator):
        drive = torch.einsum("sik,bk->sbi", w["w_in"], u) + torch.einsum("sij,sbj->sbi", w["w_rec"], r)
        drive = drive + w["b_rec"][:, None, :] + ALPHA * torch.einsum("sbij,sbj->sbi", h, r)
        r_new = torch.tanh(drive)
        h, e = update_trace(stage, association, h, e, m, r, r_new)
        r = r_new
        rates.append(r)
        outputs.append(torch.einsum("soi,sbi->sbo", w["w_out"], r) + w["b_out"][:, None, :])
    return {"outputs": torch.stack(outputs).numpy(), "rates": torch.stack(rates).numpy(), "hebbian_trace": h.numpy()}


def largest_differences(ours, theirs):
    for name, tensor in ours.items():
        if tensor.shape != theirs[name].shape:
            sys.exit(f"{name}: shape {tensor.shape} in PyTorch, {theirs[name].shape} from the program")
    return {name: float(np.abs(tensor - theirs[name]).max()) for name, tensor in ours.items()}


def at_most(value, bound):
    """False for NaN too."""
    return bool(value <= bound)


def check_case(program, stage, association, updates):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        checkpoint = make_checkpoint(program, folder / "run", stage, association, updates)
        given = draw_inputs(seed=1)
        theirs = simulate(program, folder / "run", given, folder)
    right = largest_differences(forward(checkpoint, given, stage, association), theirs)
    wrong = largest_differences(forward(checkpoint, given, stage, WRONG[association]), theirs)
    largest = float(np.abs(theirs["hebbian_trace"]).max())
    agrees = all(at_most(d, TOLERANCE) for d in right.values())
    can_fail = largest > TRACE_EXCEEDS and all(d > WRONG_DIFFERS_BY for d in wrong.values())
    verdict = "ok" if agrees and can_fail else "DIFFERS" if not agrees else "COULD NOT FAIL"
    columns = [f"{right[n]:.1e} ({wrong[n]:.1e})" for n in ("outputs", "rates", "hebbian_trace")]
    print(f"{stage:12} {association:9} " + " ".join(f"{c:>18}" for c in columns) + f" {largest:14.3f}  {verdict}")
    return verdict == "ok"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=ROOT / "target/release/hebbian-rnn", type=Path,
                        help="the built command [default: target/release/hebbian-rnn of this repository]")
    parser.add_argument("--updates", default=0, type=int, help="train for this many updates first [default: 0]")
    args = parser.parse_args()
    if not args.program.is_file():
        sys.exit(f"{args.program} is not there: build it, or name it with --program")
    program = args.program.resolve()
    print("largest absolute difference to PyTorch (in brackets: with the wrong association)")
    print(f"{'trace':12} {'pairs':9} {'outputs':>18} {'rates':>18} {'trace':>18} {'largest |H|':>14}")
    passed = [check_case(program, stage, association, args.updates) for stage, association in CASES]
    print(f"{sum(passed)} of {len(passed)} cases agree within {TOLERANCE:g}")
    sys.exit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
