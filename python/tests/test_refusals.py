"""Bad input: each gets an exception that says what was found and what was expected, and nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SMALL, light
from test_own import Corridor, corridor

import hebbian_rnn as hr
from hebbian_rnn import errors


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        ({"task": "dnmss"}, errors.UnknownNameError, "unknown task `dnmss`; did you mean `dnms`"),
        ({"rule": "delta"}, errors.UnknownNameError, "unknown rule `delta`"),
        ({"network": {"neuron": 3}}, errors.UnknownNameError, "network.neurons"),
        ({"rule.eta": -1.0}, errors.SettingError, "rule.eta is -1; expected"),
        ({"rule": {"eta": "fast"}}, errors.SettingError, "rule.eta"),
        ({"rule": {"eta": 1.0}, "rule.eta": 2.0}, errors.UsageError, "given twice"),
        ({"networks": 0}, errors.HebbianError, "networks"),
        ({"trials": 4, "updates": 4}, errors.UsageError, "give one of them"),
        ({"device": "gpu"}, errors.UsageError, "unknown device `gpu`"),
        ({"neurons": object()}, TypeError, "network.neurons is a object"),
        ({"neurons": 400_000}, errors.ShortageError, "memory"),
        ({"device": "cuda"}, errors.DeviceError, "built without CUDA"),
        (
            {"rule.eta": 1e30, "rule.max_dw": 0.0, "train.strict_numbers": True},
            errors.DivergedError,
            "diverged in update",
        ),
        ({"init": "nowhere"}, errors.FileError, "nowhere"),
        ({"task": 3}, errors.UsageError, "task is a int"),
        ({"task": print}, errors.UsageError, "turn it into a task with @task"),
    ],
)
def test_settings(arguments: dict[str, Any], kind: type[Exception], text: str) -> None:
    task = arguments.pop("task", "dnms")
    with pytest.raises(kind, match=text.replace("(", r"\(")):
        hr.train(task, progress=False, **arguments)


def test_exceptions_have_fields_and_builtin_kin() -> None:
    with pytest.raises(ValueError) as caught:
        hr.train("dnms", **{"rule.eta": -1.0})
    assert isinstance(caught.value, errors.SettingError)
    assert (caught.value.key, caught.value.found) == ("rule.eta", "-1")
    with pytest.raises(OSError) as missing:
        hr.load("/nowhere/run")
    assert isinstance(missing.value, errors.FileError) and missing.value.filename == "/nowhere/run"


def drawing(**changes: Any) -> hr.Task:
    """The task `light`, with some of what it returns replaced."""

    def draw(rng: np.random.Generator, trials: int) -> Any:
        return {**light(rng, trials), **changes}

    return hr.Task(draw, name="changed", types=2)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"inputs": None}, "inputs` is missing"),
        ({"inputs": np.zeros((2, 10))}, r"inputs` is of shape \[2, 10\]"),
        ({"targets": np.zeros((2, 9, 1))}, r"targets` is of shape \[2, 9, 1\]; expected .* T = 10"),
        ({"targets": np.full((2, 10, 1), np.nan)}, "nan at .*; expected finite numbers"),
        ({"targets": np.full((2, 10, 1), "x")}, "expected real numbers"),
        ({"targets": np.zeros((2, 10, 1), dtype=complex)}, "expected real numbers"),
        ({"mask": np.zeros((2, 10))}, "0 throughout trial 0"),
        ({"type": np.array([0, 2])}, "is 2; expected 0 to 1"),
        ({"type": np.zeros((2, 1))}, "type` is of shape"),
        ({"speed": 1}, "returned `speed`; known are"),
    ],
)
def test_what_a_function_returns(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(errors.HebbianError, match=text):
        hr.train(drawing(**changes), **SMALL)


def test_a_function_that_raises_or_changes_its_mind(tmp_path: Path) -> None:
    class Moody(RuntimeError):
        pass

    calls = 0

    def moody(rng: np.random.Generator, trials: int) -> Any:
        nonlocal calls
        calls += 1
        if calls > 6:
            raise Moody("no more")
        return light(rng, trials)

    with pytest.raises(Moody, match="no more") as caught:
        hr.train(hr.Task(moody, types=2), updates=50, out=tmp_path / "run", **SMALL)
    # What was trained before is kept, in the folder and beside the exception.
    kept = caught.value.run
    assert kept.updates >= 1
    assert hr.load(tmp_path / "run", hr.Task(light, types=2, name="moody")).updates == kept.updates

    def grows(rng: np.random.Generator, trials: int) -> Any:
        steps = 10 if trials == 2 else 11
        return {"inputs": np.zeros((trials, steps, 1)), "targets": np.zeros((trials, steps, 1))}

    with pytest.raises(errors.ContentError, match=r"shape \[4, 11, 1\]; expected \[4, 10, 1\], as in the first draw"):
        hr.train(hr.Task(grows), updates=2, **SMALL)
    with pytest.raises(errors.ContentError, match="returned a list; expected a dict"):
        hr.train(hr.Task(lambda rng, trials: [1]), **SMALL)


def test_worlds() -> None:
    class Ends(Corridor):
        def step(self, action: int) -> Any:
            raise ValueError("the environment was closed")

    class Strange(Corridor):
        def step(self, action: int) -> Any:
            return np.array([np.nan, 0.0]), 0.0, False, False, {}

    class Worthless(Corridor):
        def step(self, action: int) -> Any:
            return np.array([0.0, 0.0]), float("inf"), False, False, {}

    with pytest.raises(ValueError, match="the environment was closed"):
        hr.train(hr.world(Ends, limit=5), **SMALL)
    with pytest.raises(errors.ContentError, match="an observation that is not finite"):
        hr.train(hr.world(Strange, limit=5), **SMALL)
    with pytest.raises(errors.ContentError, match="finite numbers"):
        hr.train(hr.world(Worthless, limit=5), **SMALL)
    with pytest.raises(errors.UsageError, match="no step limit"):
        hr.world(Corridor)
    with pytest.raises(errors.UsageError, match="a single environment"):
        hr.world(Corridor())
    with pytest.raises(errors.UsageError, match="expected 2 positive numbers"):
        hr.world(Corridor, limit=5, sizes=[1.0])
    with pytest.raises(errors.UsageError, match="cannot learn from what an episode"):
        hr.train(corridor(), rule="rflo", **SMALL)


def test_more_networks_than_copies() -> None:
    gymnasium = pytest.importorskip("gymnasium")
    envs = gymnasium.make_vec("CartPole-v1", num_envs=7)
    with pytest.raises(errors.UsageError, match="2 × 4, but `CartPole-v1` has 7 copies"):
        hr.train(hr.world(envs), **SMALL)


def test_runs(tmp_path: Path) -> None:
    run = hr.train("echo", updates=2, out=tmp_path / "run", **SMALL)
    with pytest.raises(errors.UsageError, match="already holds a run"):
        hr.train("echo", updates=2, out=tmp_path / "run", **SMALL)
    with pytest.raises(errors.UsageError, match=r"rule.eta is .* change only"):
        run.resume(**{"rule.eta": 0.5})
    with pytest.raises(errors.UsageError, match="leave out `out`"):
        run.resume(out=tmp_path / "other")
    with pytest.raises(errors.UnknownNameError, match="unknown analysis"):
        run.analyse("colour")
    with pytest.raises(errors.TensorError, match="inputs"):
        run.simulate(np.zeros((3, 4, 5)))
    with pytest.raises(errors.UnknownNameError, match="thing to record"):
        run.simulate(np.zeros((3, 4, 1)), record=["x"])
    with pytest.raises(errors.UsageError, match="is now at update 3, this run at 2"):
        run.resume(updates=3, progress=False)
        run.resume(updates=4, progress=False)


def test_an_edited_checkpoint_is_used_with_a_warning(tmp_path: Path) -> None:
    from struct import unpack

    hr.train("echo", updates=2, out=tmp_path / "run", **SMALL)
    file = tmp_path / "run" / "checkpoint.safetensors"
    held = bytearray(file.read_bytes())
    (header,) = unpack("<Q", held[:8])
    held[8 + header + 3] ^= 1
    file.write_bytes(held)
    with pytest.warns(RuntimeWarning, match="checksum"):
        run = hr.load(tmp_path / "run")
    run.evaluate(4)
    with pytest.raises(errors.UsageError, match="accept_edited=True"):
        run.resume(updates=3)
    assert run.resume(updates=3, accept_edited=True, progress=False).updates == 3


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_keeps_everything(tmp_path: Path) -> None:
    script = f"""
        import hebbian_rnn as hr
        try:
            hr.train("echo", networks=2, batch=4, updates=10**9, out={str(tmp_path / "run")!r},
                     progress=lambda now: print(now.updates, flush=True))
        except hr.errors.Interrupted as stop:
            print("kept", stop.run.updates, stop.run.stopped, flush=True)
            raise
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    while int(child.stdout.readline()) < 1:
        pass
    os.kill(child.pid, signal.SIGINT)
    out, err = child.communicate(timeout=60)
    kept = int(out.split("kept ")[1].split()[0])
    assert "interrupted" in out and "everything is kept" in err and child.returncode != 0
    run = hr.load(tmp_path / "run")
    assert run.updates == kept
    whole = hr.train("echo", networks=2, batch=4, updates=kept, progress=False)
    assert np.array_equal(run.weights["w_rec"], whole.weights["w_rec"])


@pytest.mark.parametrize("held", ["training = ", ""])
@pytest.mark.parametrize("task", ['"echo"', "slow"])
def test_the_end_of_python_stops_a_training(task: str, held: str, tmp_path: Path) -> None:
    script = f"""
        import sys, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import hebbian_rnn as hr
        from conftest import light
        slow = hr.Task(lambda rng, trials: time.sleep(0.03) or light(rng, trials), types=2, name="slow")
        {held}hr.start({task}, networks=2, batch=4, neurons=12, updates=10**9, out={str(tmp_path / "run")!r}).wait(0.5)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    time.sleep(0.1)
    assert hr.load(tmp_path / "run", None if task == '"echo"' else hr.Task(light, types=2, name="slow")).updates > 0
