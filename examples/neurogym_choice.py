"""Question: how do I train on a NeuroGym task? Answer: from its ground truth, as a task, or from its rewards alone, in an
environment.

    pip install ./python neurogym
    python examples/neurogym_choice.py [--networks 4] [--seed 1]

Prints how often the networks choose correctly in fresh trials. Some trials have no evidence, so 100 % correct is impossible.
"""

import argparse

import hebbian_rnn as hr
import numpy as np

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--networks", type=int, default=4)
parser.add_argument("--seed", type=int, default=1)
sizes = vars(parser.parse_args())

name = "PerceptualDecisionMaking-v0"
settings = {"dt": 20, "timing": {"fixation": 100, "stimulus": 500, "delay": 0, "decision": 100}}
slow = {"network.tau_ms": 100.0, "network.dt_ms": 20.0}
task, world = hr.neurogym_task(name, settings=settings), hr.neurogym_env(name, settings=settings)


def tell(what: str, right: np.ndarray) -> None:
    """Prints the quartiles of a figure over networks."""
    low, middle, high = np.quantile(right, [0.25, 0.5, 0.75])
    print(f"{what}: median {middle:.3f}, quartiles {low:.3f} and {high:.3f}")


for rule in ("none", "delta-x", "node-perturbation", "bptt"):
    run = hr.train(task, rule=rule, trials=12_800, **sizes, **slow)
    tell(f"ground truth, {rule}", run.evaluate(1000)["fraction_correct"])

# A right choice earns 1, an early one costs 0.1.
slow |= {"network.dynamics": "leaky", "network.gain": 1.2, "network.input_scale": 3.0, "perturbation.amplitude": 1.0}
for rule in ("none", "node-perturbation"):
    readout = {} if rule != "none" else {"readout.rule": "none"}
    run = hr.train(world, rule=rule, trials=12_800, **sizes, **slow, **readout)
    tell(f"rewards alone, {rule}: mean return", run.evaluate(1000)["mean_return"])
