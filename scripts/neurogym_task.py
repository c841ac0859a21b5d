#!/usr/bin/env python3
"""Makes a task file from a NeuroGym environment with discrete actions.

    pip install "neurogym<2" numpy safetensors
    python scripts/neurogym_task.py PerceptualDecisionMaking-v0 --trials 256 --dt 20 --timing stimulus=500 --out choice.safetensors
    hebbian-rnn train --task-file choice.safetensors --set network.tau_ms=100 --set network.dt_ms=20

Each action except 0 (waiting) becomes an output, whose target is +TARGET for the correct choice and -TARGET for the others in
the steps where a choice is required; other steps are not scored. The correct choice is the type of the trial.
"""

import argparse
import collections
import warnings

import numpy as np
from safetensors.numpy import save_file

warnings.filterwarnings("ignore")
import neurogym  # noqa: E402  (it warns on import)

TARGET = 0.8


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("environment", help="name in NeuroGym, such as PerceptualDecisionMaking-v0")
    parser.add_argument("--trials", type=int, default=256)
    parser.add_argument("--dt", type=int, default=20, help="duration of a step in ms")
    parser.add_argument("--timing", action="append", default=[], metavar="PERIOD=MS", help="the length of a period")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", required=True)
    return parser.parse_args()


def main():
    args = arguments()
    timing = {period: int(ms) for period, ms in (text.split("=") for text in args.timing)}
    environment = neurogym.make(args.environment, dt=args.dt, **({"timing": timing} if timing else {}))
    # NeuroGym's `reset` takes a seed but does not use it for the trials.
    environment.unwrapped.seed(args.seed)
    environment.reset(seed=args.seed)
    trials = environment.unwrapped
    drawn = []
    for _ in range(args.trials):
        trials.new_trial()
        drawn.append((np.asarray(trials.ob, np.float32), np.asarray(trials.gt, np.int64)))
    choices = int(environment.action_space.n) - 1
    steps = max(len(ob) for ob, _ in drawn)

    # Shorter trials are padded with steps that have no input and are not scored.
    inputs = np.zeros((args.trials, steps, drawn[0][0].shape[1]), np.float32)
    targets = np.full((args.trials, steps, choices), -TARGET, np.float32)
    mask = np.zeros((args.trials, steps), np.float32)
    kinds = np.zeros(args.trials, np.int64)
    for k, (ob, gt) in enumerate(drawn):
        inputs[k, : len(ob)] = ob
        asked = np.flatnonzero(gt)
        if asked.size == 0:
            raise SystemExit(f"{args.environment}: no choice is asked for in trial {k}; such trials cannot be judged here")
        mask[k, asked] = 1.0
        targets[k, asked, gt[asked] - 1] = TARGET
        kinds[k] = gt[asked[-1]] - 1
    # Types are numbered without gaps, even if an action is never correct.
    kinds = np.unique(kinds, return_inverse=True)[1].astype(np.int64)
    save_file({"inputs": inputs, "targets": targets, "mask": mask, "type": kinds}, args.out)
    counts = dict(sorted(collections.Counter(kinds.tolist()).items()))
    print(f"{args.out}: inputs {inputs.shape}, targets {targets.shape}, trials of each type {counts}")


if __name__ == "__main__":
    main()
