"""What several tests use."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import hebbian_rnn as hr

#: A training that takes a moment.
SMALL = {"networks": 2, "batch": 4, "neurons": 12, "progress": False}


@pytest.fixture(scope="session")
def command() -> Callable[..., str]:
    """Runs `hebbian-rnn`, which HEBBIAN_RNN names, else the one on the path; returns its output."""
    program = os.environ.get("HEBBIAN_RNN") or shutil.which("hebbian-rnn")
    if program is None:
        pytest.skip("HEBBIAN_RNN does not name the program")

    def run(*arguments: object) -> str:
        done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@hr.task(types=["low", "high"], inputs=["light"])
def light(rng: np.random.Generator, trials: int) -> dict[str, np.ndarray]:
    """Say whether the light was on."""
    on = rng.integers(2, size=trials)
    inputs = np.zeros((trials, 10, 1), dtype=np.float32)
    inputs[:, :5, 0] = on[:, None]
    targets = np.broadcast_to(np.where(on, 0.9, -0.9)[:, None, None], (trials, 10, 1))
    mask = np.arange(10) >= 7
    return {"inputs": inputs, "targets": targets, "mask": np.broadcast_to(mask, (trials, 10)), "type": on}


def files(folder: Path) -> dict[str, bytes]:
    """What the files of a folder hold."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != ".lock"}
