"""Records trajectories from Gymnasium, with which the tests compare this program's worlds.

pip install gymnasium==1.4.0
python scripts/gymnasium_trajectories.py tests/fixtures/gymnasium

Each line is an action, the state after it in double precision, the reward, and whether the episode was terminated; a line
`reset` holds the state in which an episode starts.
"""

import sys
from pathlib import Path

import gymnasium
import numpy as np

WORLDS = {
    "cartpole": ("CartPole-v1", lambda rng: rng.uniform(-0.05, 0.05, 4), 6),
    "acrobot": ("Acrobot-v1", lambda rng: rng.uniform(-1.5, 1.5, 4), 12),
    "pendulum": ("Pendulum-v1", lambda rng: rng.uniform(-1, 1, 2) * [np.pi, 1], 6),
}


def policy(name, state, rng):
    """Something that explores the states that matter: it balances badly, pumps energy, or draws a torque."""
    if name == "cartpole":
        push = int(state[2] + 0.5 * state[3] > 0)
        return push if rng.random() < 0.65 else 1 - push
    if name == "acrobot":
        return int(rng.integers(3)) if rng.random() < 0.2 else int(1 + np.sign(state[3]))
    return float(rng.uniform(-2.5, 2.5))


def numbers(values):
    return ",".join(repr(float(value)) for value in values)


def main(folder):
    for name, (id, start, episodes) in WORLDS.items():
        rng = np.random.default_rng(1)
        env = gymnasium.make(id).unwrapped
        lines = [f"# {id}, Gymnasium {gymnasium.__version__}: action, state, reward, terminated"]
        for _ in range(episodes):
            env.reset(seed=0)
            env.state = start(rng)
            lines.append(f"reset,{numbers(env.state)}")
            for _ in range(40):
                action = policy(name, env.state, rng)
                given = action if name != "pendulum" else np.array([action], dtype=np.float64)
                _, reward, terminated, _, _ = env.step(given)
                lines.append(f"step,{numbers([action, *env.state, reward, terminated])}")
                if terminated:
                    break
        Path(folder, f"{name}.csv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
