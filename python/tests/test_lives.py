"""Simulations of networks whose weights change at every step."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

import hebbian_rnn as hr

SMALL = {"population.hidden.size": 10, "population.excitatory.size": 6, "population.inhibitory.size": 6}


def test_a_simulation_has_metrics_weights_results_and_pictures() -> None:
    run = hr.live("xor-rate", networks=2, seconds=4, **SMALL)
    assert (run.seconds, run.stopped, run.networks) == (4.0, "limit", [0, 1])
    assert "xor-rate, 2 networks" in repr(run)
    assert list(run.metrics)[:3] == ["network", "seconds", "weights_fixed"]
    assert len(run.metrics["seconds"]) == 16
    assert run.metrics["seconds"][-1] == 4.0
    weights = run.weights["hidden-output"]
    assert weights.shape == (2, 1, 10)
    synapses = run.synapses["hidden-output"][1]
    assert np.array_equal(weights[1][synapses.post, synapses.pre], synapses.weight)
    assert run.populations["hidden"] == 10
    activity = run.simulate(1.0, network=1, watch=["hidden.3"])
    assert activity.outputs.shape == (1000, 23)
    assert activity.membranes.shape == (1000, 1)
    times, neurons = activity.spikes["hidden"]
    assert activity.outputs[:, 12:22].sum() == len(times) > 0
    assert times.max() < 1000
    assert neurons.max() < 10
    found = run.evaluate()
    assert list(found["network"]) == [0, 1]
    assert "apart_hz" in found
    assert run.picture().startswith("<svg")
    assert "hidden" in run.circuit()
    assert run.config["life"]["seconds"] == 4.0


def test_a_simulation_continues_to_the_same_bytes(tmp_path: Path) -> None:
    whole = hr.live("xor-rate", networks=2, seconds=6, out=tmp_path / "whole", **SMALL)
    half = hr.live("xor-rate", networks=range(2), seconds=3, **SMALL)
    in_memory = half.resume(seconds=6)
    in_folder = half.save(tmp_path / "half").resume(seconds=6)
    loaded = hr.load(tmp_path / "half")
    assert isinstance(loaded, hr.LifeRun)
    for run in (in_memory, in_folder, loaded):
        assert np.array_equal(run.weights["hidden-output"], whole.weights["hidden-output"])
        assert np.array_equal(run.metrics["seconds"], whole.metrics["seconds"])
    for name in ("metrics.csv", "checkpoint.safetensors", "config.toml"):
        assert (tmp_path / "half" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert Path(whole.report()).exists()


def test_what_cannot_be_simulated_is_refused() -> None:
    with pytest.raises(hr.errors.UnknownNameError, match="life `xor`"):
        hr.live("xor")
    run = hr.live("xor-rate", networks=1, seconds=1, **SMALL)
    with pytest.raises(hr.errors.UsageError, match=r"life\.seed is 1 in this run and 2 now"):
        run.resume(seconds=2, seed=2)
    with pytest.raises(hr.errors.UsageError, match="own folder"):
        hr.live(run, out="elsewhere")
    with pytest.raises(hr.errors.UsageError, match="only in memory"):
        run.report()


def test_a_simulation_runs_in_the_background() -> None:
    running = hr.start_life("xor-rate", networks=1, seconds=100_000)
    while running.progress.updates < 4:
        time.sleep(0.01)
    assert "simulated seconds" in running.progress.text
    seen = running.inspect()
    assert seen.seconds > 0
    run = running.abort()
    assert run.stopped == "interrupted"
    assert run.seconds >= seen.seconds


def test_a_sweep_of_lives_gives_its_runs(tmp_path: Path) -> None:
    found = hr.sweep(
        {
            "life": "xor-rate",
            "networks": 2,
            "networks_per_job": 1,
            "set": {"life.seconds": 2.0, **SMALL},
            "grid": {"life.dt_ms": [1.0]},
        },
        tmp_path / "sweep",
    )
    run = found.run(1)
    assert isinstance(run, hr.LifeRun)
    assert run.networks == [0, 1]


def test_a_killed_simulation_continues(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import sys, hebbian_rnn as hr
        hr.live("xor-rate", networks=1, seconds=100_000, out=sys.argv[1], progress=False,
                **{"life.checkpoint_every_seconds": 1.0})
    """)
    process = subprocess.Popen([sys.executable, "-c", program, os.fspath(tmp_path / "run")])
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    while not checkpoint.exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    begun = hr.load(tmp_path / "run")
    later = begun.resume(seconds=begun.seconds + 2)
    whole = hr.live("xor-rate", networks=1, seconds=later.seconds)
    assert np.array_equal(later.weights["hidden-output"], whole.weights["hidden-output"])


class Clicks(hr.LifeWorld):
    """A click at a time drawn for each block; spikes of the output are rewarded until there were ten."""

    name, steps, figures = "clicks", 100, ("spikes", "total")

    def start(self, network: int, seed: int, populations: object) -> Click:
        return Click(populations)


class Click(hr.LifeWorldState):
    def __init__(self, populations: object) -> None:
        self.input, self.output = populations["input"], populations["output"]  # type: ignore[index]
        self.at, self.total = 0, 0

    def begin(self, block: int, frozen: bool, seed: int) -> None:
        self.at = int(np.random.default_rng(seed).integers(0, 50))

    def stimulate(self, step: int, input: np.ndarray) -> None:
        input[self.input] = step % 50 == self.at

    def observe(self, step: int, r: np.ndarray) -> float:
        self.total += int(r[self.output].sum())
        return float(r[self.output].sum()) if self.total < 10 else 0.0

    def end(self, spikes: np.ndarray, seconds: float) -> list[float]:
        return [spikes[self.output].sum(), self.total]

    def state(self) -> object:
        return self.total

    def restore(self, state: object) -> None:
        assert isinstance(state, int)
        self.total = state


NETWORK = {
    "populations": [
        {"name": "input", "size": 20, "neurons": {"model": "input"}},
        {"name": "output", "size": 2, "neurons": {"model": "lif"}},
    ],
    "projections": [
        {
            "from": "input",
            "to": "output",
            "connect": {"density": 1.0},
            "weights": {"uniform": [0.5, 1.5]},
            "w_min": 0.0,
            "w_max": 5.0,
            "delay_ms": 1.0,
            "rule": {"name": "mstdpet"},
        }
    ],
}


def test_a_simulation_in_a_world_of_ones_own_is_killed_and_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    whole = hr.live(Clicks(), networks=2, seconds=4, out=tmp_path / "whole", **NETWORK)
    assert whole.config["world"] == {"name": "clicks"}
    assert whole.metrics["total"][-1] > 0
    assert list(whole.evaluate())[2:] == ["spikes", "total"]
    assert whole.picture().startswith("<svg")
    program = textwrap.dedent("""
        import sys, hebbian_rnn as hr
        sys.path.insert(0, sys.argv[2])
        from test_lives import Clicks, NETWORK
        hr.live(Clicks(), networks=2, seconds=4, out=sys.argv[1], progress=False,
                **NETWORK, **{"life.checkpoint_every_seconds": 0.5})
    """)
    here = os.fspath(Path(__file__).parent)
    process = subprocess.Popen([sys.executable, "-c", program, os.fspath(tmp_path / "run"), here])
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    while not checkpoint.exists() and process.poll() is None:
        time.sleep(0.001)
    process.kill()
    process.wait()
    with pytest.raises(hr.errors.HebbianError, match="clicks"):
        hr.load(tmp_path / "run")
    begun = hr.load(tmp_path / "run", Clicks())
    assert begun.seconds < 4
    begun.resume(seconds=4)
    assert (tmp_path / "run" / "metrics.csv").read_bytes() == (tmp_path / "whole" / "metrics.csv").read_bytes()
    ended, expected = (hr.load(tmp_path / name, Clicks()) for name in ("run", "whole"))
    assert np.array_equal(ended.weights["input-output"], expected.weights["input-output"])


def test_an_exception_in_a_world_ends_the_simulation_and_keeps_what_is_saved(tmp_path: Path) -> None:
    class Fails(Click):
        def observe(self, step: int, r: np.ndarray) -> float:
            if self.total < 0:
                raise ZeroDivisionError("on purpose")
            return super().observe(step, r)

        def begin(self, block: int, frozen: bool, seed: int) -> None:
            super().begin(block, frozen, seed)
            if block == 6:
                self.total = -1000

    class Failing(Clicks):
        def start(self, network: int, seed: int, populations: object) -> Click:
            return Fails(populations)

    with pytest.raises(ZeroDivisionError, match="on purpose"):
        hr.live(Failing(), seconds=4, out=tmp_path / "run", **NETWORK, **{"life.checkpoint_every_seconds": 0.2})
    assert hr.load(tmp_path / "run", Clicks()).seconds > 0
    with pytest.raises(hr.errors.UsageError, match="needs `seconds`"):
        hr.live(Clicks())
