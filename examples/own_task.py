"""Question: how do I train on my own task in Python? Answer: draw its trials in a function with `@task`.

The task is a delayed go/no-go: a short cue, a delay, and a response period in which the output should be high after the go cue
and low after the no-go cue.

    pip install ./python
    python examples/own_task.py
"""

import hebbian_rnn as hr
import numpy as np

CUE, DELAY, RESPONSE = 100, 200, 100
STEPS = CUE + DELAY + RESPONSE


@hr.task(types=["go", "no-go"], inputs=["go", "no-go"], correct_below=0.9)
def go_no_go(rng: np.random.Generator, trials: int) -> dict[str, np.ndarray]:
    """A trial shows one of the two cues."""
    kinds = rng.integers(2, size=trials)
    inputs = np.zeros((trials, STEPS, 2))
    inputs[np.arange(trials), :CUE, kinds] = 1
    targets = np.broadcast_to(np.array([0.9, -0.9])[kinds, None, None], (trials, STEPS, 1))
    mask = np.broadcast_to(np.arange(STEPS) >= CUE + DELAY, (trials, STEPS))
    return {"inputs": inputs, "targets": targets, "mask": mask, "type": kinds}


run = hr.train(go_no_go, networks=3, neurons=100, batch=32, trials=1500, until_criterion=True)
for network, error in enumerate(run.evaluate(100)["error"]):
    reached = run.criterion_trials[network]
    print(f"network {network}: criterion {f'after {reached} trials' if reached else 'never'}, error {error:.3f}")
assert sum(trials is not None for trials in run.criterion_trials) >= 2, "did not learn"
