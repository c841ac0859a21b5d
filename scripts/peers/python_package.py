"""How fast the Python package trains: beside the command, on a task written in Python, and in environments of Gymnasium.

    pip install ./python gymnasium
    python scripts/peers/python_package.py [--program target/release/hebbian-rnn] [--rounds 7]

Prints medians over rounds that take turns.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import gymnasium
import hebbian_rnn as hr
import numpy as np

#: `dnms` as the command has it: 1000 steps of 1 ms.
STEPS, PULSE, DELAY, RESPONSE = 1000, 200, 200, 200


@hr.task(name="dnms-in-python", types=["AA", "AB", "BA", "BB"], inputs=["A", "B"], correct_below=1.0)
def dnms(rng: np.random.Generator, trials: int) -> dict[str, np.ndarray]:
    """Delayed non-match to sample: were the two stimuli different?"""
    kinds, place = rng.integers(4, size=trials), np.arange(trials)
    inputs = np.zeros((trials, STEPS, 2), dtype=np.float32)
    inputs[place, :PULSE, kinds // 2] = 1
    inputs[place, PULSE + DELAY : 2 * PULSE + DELAY, kinds % 2] = 1
    targets = np.where(kinds // 2 == kinds % 2, -0.98, 0.98)[:, None, None]
    mask = np.arange(STEPS) >= STEPS - RESPONSE
    return {
        "inputs": inputs,
        "targets": np.broadcast_to(targets, (trials, STEPS, 1)),
        "mask": np.broadcast_to(mask, (trials, STEPS)),
        "type": kinds,
    }


def seconds(work: Callable[[], object]) -> float:
    """How long some work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


class Timed:
    """An environment whose steps are timed."""

    def __init__(self, env: gymnasium.vector.VectorEnv) -> None:
        self.env, self.spent = env, 0.0

    def __getattr__(self, name: str) -> object:
        return getattr(self.env, name)

    def step(self, actions: np.ndarray) -> tuple:
        """A step, timed."""
        start = time.perf_counter()
        answer = self.env.step(actions)
        self.spent += time.perf_counter() - start
        return answer


def share(mode: str, copies: int) -> tuple[float, float]:
    """The share of a training that Gymnasium takes, and environment steps a second."""
    env = Timed(gymnasium.make_vec("CartPole-v1", num_envs=copies, vectorization_mode=mode))
    world = hr.world(env, name="CartPole-v1", limit=500)
    start = time.perf_counter()
    run = hr.train(world, networks=4, batch=copies // 4, trials=10 * copies, progress=False)
    spent = time.perf_counter() - start
    return env.spent / spent, run.metrics["world_steps"].sum() / spent


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/hebbian-rnn")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    beside, own = [], []
    for _ in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as folder:
            sizes = ["--networks", "4", "--updates", "20", "--out", str(Path(folder) / "command"), "--json"]
            told = subprocess.run([arguments.program, "train", "dnms", *sizes], capture_output=True, check=True)
            command = json.loads(told.stdout)["seconds"]
            same = {"networks": 4, "updates": 20, "progress": False}
            package = seconds(lambda: hr.train("dnms", out=Path(folder) / "package", **same))  # noqa: B023
            python = seconds(lambda: hr.train(dnms, out=Path(folder) / "own", **same))  # noqa: B023
        beside.append(package / command)
        own.append(package / python)
    print(f"time of train beside that of the command: {statistics.median(beside):.3f}")
    print(f"trials a second on a Python task beside the built-in one: {statistics.median(own):.3f}")
    importing = "import time, numpy; t = time.perf_counter(); import hebbian_rnn; print(time.perf_counter() - t)"
    told = [subprocess.run([sys.executable, "-c", importing], capture_output=True, check=True) for _ in range(5)]
    print(f"import, after numpy's: {statistics.median(float(one.stdout) for one in told):.3f} s")
    for mode in ("sync", "vector_entry_point"):
        shares, speeds = zip(*(share(mode, 64) for _ in range(3)), strict=True)
        print(
            f"CartPole-v1, 64 copies, {mode}: {statistics.median(shares):.0%} of the time in Gymnasium's steps,",
            end=" ",
        )
        print(f"{statistics.median(speeds):,.0f} environment steps a second")


if __name__ == "__main__":
    main()
