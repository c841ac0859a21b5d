"""Question: how do I train in my own world in Python? Answer: write it as an environment of Gymnasium.

The world is a corridor with a reward at one end. A light shows which end, but only in the first step, so a network has to
remember it while it walks.

    pip install ./python gymnasium
    python examples/own_world.py
"""

from typing import Any

import gymnasium
import hebbian_rnn as hr
import numpy as np


class Corridor(gymnasium.Env[np.ndarray, int]):
    """The position and the light are seen; actions are steps to the left and right."""

    half = 4
    observation_space = gymnasium.spaces.Box(np.array([-half, -1.0]), np.array([half, 1.0]), dtype=np.float64)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        """Starts in the middle, with a goal drawn anew."""
        super().reset(seed=seed)
        self.position, self.goal = 0, int(self.np_random.choice([-1, 1]))
        return np.array([0.0, self.goal]), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Ends at either end, with a reward at the right one."""
        self.position += 1 if action == 1 else -1
        arrived = abs(self.position) == self.half
        right = arrived and np.sign(self.position) == self.goal
        return np.array([self.position, 0.0]), float(right), arrived, False, {}


corridor = hr.world(Corridor, limit=40, solved=0.9)
run = hr.train(corridor, networks=3, trials=8000, until_criterion=True)
for network, earned in enumerate(run.evaluate(100)["mean_return"]):
    reached = run.criterion_trials[network]
    print(
        f"network {network}: criterion {f'after {reached} episodes' if reached else 'never'}, mean return {earned:.2f}"
    )
assert sum(trials is not None for trials in run.criterion_trials) >= 2, "did not learn"
