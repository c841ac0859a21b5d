"""Tasks and worlds of one's own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SMALL, light

import hebbian_rnn as hr


@pytest.mark.parametrize("rule", ["delta-x", "rflo", "bptt"])
def test_a_function_is_learnt(rule: str) -> None:
    sizes = {"networks": 3, "neurons": 50, "batch": 32, "trials": 12_000, "network.tau_ms": 3.0}
    run = hr.train(light, rule=rule, until_criterion=True, progress=False, **sizes)
    assert sum(trials is not None for trials in run.criterion_trials) >= 2
    assert run.config["task"] == {"name": "light"}


def test_a_function_draws_the_same_for_a_seed_a_network_and_a_number() -> None:
    run = hr.train(light, updates=5, **SMALL)
    alone = hr.train(light, updates=5, **{**SMALL, "networks": range(1, 2)})
    assert np.array_equal(run.weights["w_rec"][1:], alone.weights["w_rec"])
    half = hr.train(light, updates=3, **SMALL).resume(updates=5, progress=False)
    assert np.array_equal(half.weights["w_rec"], run.weights["w_rec"])
    other = hr.train(light, updates=5, seed=2, **SMALL)
    assert not np.array_equal(other.weights["w_rec"], run.weights["w_rec"])


def test_a_function_is_called_once_for_an_update_and_network_and_ahead() -> None:
    calls: list[int] = []

    @hr.task
    def counted(rng: np.random.Generator, trials: int) -> Any:
        calls.append(trials)
        return {"inputs": rng.normal(size=(trials, 5, 1)), "targets": np.zeros((trials, 5, 1))}

    training = hr.start(counted, updates=4, networks=2, batch=3, neurons=5)
    training.wait()
    time.sleep(0.1)
    # One to see the sizes; then the trials of four updates, and of the fifth, ahead.
    assert calls == [2] + [3] * 10


def test_a_function_that_asks_is_told_the_number_of_its_first_trial() -> None:
    firsts: list[int] = []

    @hr.task(types=2)
    def blocked(rng: np.random.Generator, trials: int, first: int) -> Any:
        firsts.append(first)
        kinds = np.arange(first, first + trials) // 6 % 2
        return {"inputs": np.ones((trials, 5, 1)), "targets": np.zeros((trials, 5, 1)), "type": kinds}

    hr.train(blocked, updates=4, networks=1, batch=3, neurons=5, progress=False)
    assert firsts[:5] == [0, 0, 3, 6, 9]


def test_networks_of_a_function_come_back_with_it(tmp_path: Path) -> None:
    run = hr.train(light, updates=3, out=tmp_path / "run", **SMALL)
    back = hr.load(tmp_path / "run", light)
    assert np.array_equal(run.evaluate(10)["error"], back.evaluate(10)["error"])
    more = back.resume(updates=5, progress=False)
    assert np.array_equal(more.weights["w_rec"], hr.train(light, updates=5, **SMALL).weights["w_rec"])
    with pytest.raises(hr.errors.UnknownNameError, match="unknown task `light`"):
        hr.load(tmp_path / "run")


class Tensor:
    """An array with the conventions of torch: numpy gets it once it is detached and on the CPU."""

    def __init__(self, array: np.ndarray, ready: int = 0) -> None:
        self.array, self.ready = array, ready

    def detach(self) -> Tensor:
        return Tensor(self.array, self.ready + 1)

    def cpu(self) -> Tensor:
        return Tensor(self.array, self.ready + 1)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        assert self.ready == 2
        return self.array


@pytest.mark.parametrize("kind", ["dict", "npz", "mat", "torch"])
def test_arrays_are_tasks(kind: str, tmp_path: Path) -> None:
    arrays = dict(light(np.random.default_rng(1), 40))
    given: Any = arrays
    if kind == "npz":
        given = tmp_path / "trials.npz"
        np.savez(given, **arrays)
    elif kind == "mat":
        pytest.importorskip("scipy.io").savemat(tmp_path / "trials.mat", arrays)
        given = tmp_path / "trials.mat"
    elif kind == "torch":
        given = {name: Tensor(array) for name, array in arrays.items()}
    run = hr.train(given, updates=3, **SMALL)
    assert np.array_equal(run.weights["w_rec"], hr.train(arrays, updates=3, **SMALL).weights["w_rec"])


class Corridor:
    """A world of its own with Gymnasium's conventions: walk to the right end, which a light tells at first."""

    class Box:
        low, high, shape = np.array([-3.0, -1.0]), np.array([3.0, 1.0]), (2,)

    class Discrete:
        n, shape = 2, ()

    observation_space, action_space = Box(), Discrete()

    def reset(self, seed: int | None = None) -> tuple[np.ndarray, dict[str, Any]]:
        self.goal = 1 if np.random.default_rng(seed).integers(2) else -1
        self.at = 0
        return np.array([0.0, self.goal]), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.at += 1 if action == 1 else -1
        over = abs(self.at) == 3
        return np.array([self.at, 0.0]), float(over and np.sign(self.at) == self.goal), over, False, {}


def corridor() -> hr.World:
    return hr.world(Corridor, limit=30, solved=0.9)


def test_a_world_is_learnt_from_reward_alone() -> None:
    run = hr.train(corridor(), networks=3, batch=16, trials=8000, until_criterion=True, progress=False)
    assert sum(trials is not None for trials in run.criterion_trials) >= 2
    scores = run.evaluate(50)
    assert sorted(scores["mean_return"])[1] > 0.8 and (scores["mean_steps"] <= 30).all()


def test_a_world_is_repeatable_and_its_copies_apart() -> None:
    small = {**SMALL, "updates": 6}
    run = hr.train(corridor(), **small)
    assert np.array_equal(run.weights["w_out"], hr.train(corridor(), **small).weights["w_out"])
    alone = hr.train(corridor(), **{**small, "networks": range(1, 2)})
    assert np.array_equal(run.weights["w_out"][1:], alone.weights["w_out"])


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_a_vector_environment_is_its_environments_one_by_one(mode: str) -> None:
    gymnasium = pytest.importorskip("gymnasium")
    mode = next(one for one in gymnasium.vector.AutoresetMode if one.value == mode)
    envs = gymnasium.vector.SyncVectorEnv([lambda: gymnasium.make("CartPole-v1")] * 9, autoreset_mode=mode)
    run = hr.train(hr.world(envs), updates=4, **SMALL)
    one_by_one = hr.train(hr.world("CartPole-v1"), updates=4, **SMALL)
    assert np.array_equal(run.weights["w_rec"], one_by_one.weights["w_rec"])
    assert run.metrics["world_steps"].sum() > 100


def test_gymnasiums_cartpole_is_the_built_in_one_but_for_its_starts() -> None:
    """From the same states, the same actions earn the same: mean returns of untrained networks agree."""
    pytest.importorskip("gymnasium")
    same = {"networks": 4, "batch": 64, "updates": 1, "progress": False}
    theirs, ours = hr.train(hr.world("CartPole-v1"), **same), hr.train("cartpole", **same)
    theirs_mean, ours_mean = (run.metrics["mean_return"].mean() for run in (theirs, ours))
    assert theirs_mean == pytest.approx(ours_mean, rel=0.15)


def test_continuous_actions_are_clipped_and_learn() -> None:
    pytest.importorskip("gymnasium")
    run = hr.train(hr.world("Pendulum-v1", limit=20), updates=2, networks=2, batch=4, progress=False)
    assert run.config["task"]["acting"] == "direct" and np.isfinite(run.metrics["mean_return"]).all()


def test_settings_of_a_world_are_those_of_any() -> None:
    run = hr.train(corridor(), updates=1, task={"hold": 3, "acting": "argmax"}, **SMALL)
    assert run.config["task"]["hold"] == 3 and run.config["task"]["acting"] == "argmax"


class Choice:
    """A task with NeuroGym's conventions: after a stimulus of varying length, say on which side it was."""

    class Box:
        low, high, shape = np.array([-np.inf, -np.inf]), np.array([np.inf, np.inf]), (2,)

    class Discrete:
        n, shape = 3, ()

    observation_space, action_space = Box(), Discrete()

    def __init__(self) -> None:
        self.seed(0)
        self.t = self.t_ind = 0

    def seed(self, seed: int) -> None:
        self.rng = np.random.RandomState(seed)

    def new_trial(self) -> None:
        shown, side = int(self.rng.randint(4, 8)), int(self.rng.randint(2))
        self.start_ind, self.end_ind = {"stimulus": 0, "decision": shown}, {"stimulus": shown, "decision": shown + 4}
        self.ob, self.gt = np.zeros((shown + 4, 2)), np.zeros(shown + 4, dtype=int)
        self.ob[:shown, side] = 1
        self.gt[shown:] = side + 1

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        deciding = self.t_ind >= self.start_ind["decision"]
        over = self.t_ind + 1 == len(self.ob) or (deciding and action != 0)
        reward = float(deciding and action == self.gt[self.t_ind])
        self.t_ind += 1
        seen = np.zeros(2) if over else self.ob[self.t_ind]
        return seen, reward, False, False, {"new_trial": over}


def test_a_task_of_neurogym_by_its_ground_truth_and_by_its_rewards() -> None:
    task = hr.neurogym_task(Choice())
    drawn = task.draw([3], 40)
    assert drawn["inputs"].shape == (40, 11, 2) and drawn["targets"].shape == (40, 11, 3)
    assert np.array_equal(drawn["inputs"].argmax(2).max(1) + 1, drawn["type"])
    judged = drawn["targets"][drawn["mask"]]
    assert (judged.max(1) == np.float32(0.9)).all() and drawn["mask"].sum() == 40 * 4
    run = hr.train(task, networks=2, neurons=50, rule="bptt", trials=6000, progress=False, **{"network.tau_ms": 3.0})
    assert (run.evaluate(100)["fraction_correct"] > 0.9).all()

    world = hr.neurogym_env(Choice())
    assert (world.limit, world.actions, world.name) == (11, 3, "Choice")
    run = hr.train(world, networks=3, trials=6000, progress=False)
    assert sorted(run.evaluate(100)["mean_return"])[1] > 0.7
    with pytest.raises(hr.errors.UsageError, match="has no trials"):
        hr.neurogym_env(Corridor())


def test_a_task_of_psychrnn() -> None:
    class Batches:
        """Trials in batches of 3, drawn from numpy's global generator, as PsychRNN does."""

        def get_trial_batch(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, None]:
            inputs = np.random.normal(size=(3, 8, 1))
            return inputs, np.sign(inputs[:, :1]) * np.full((3, 8, 1), 0.5), np.ones((3, 8, 1)), None

    small = {**SMALL, "updates": 3}
    run = hr.train(Batches(), **small)
    assert run.config["task"] == {"name": "Batches"}
    assert np.array_equal(run.weights["w_rec"], hr.train(hr.psychrnn(Batches()), **small).weights["w_rec"])


def test_labels_and_lengths(tmp_path: Path) -> None:
    @hr.task(inputs=["evidence"], outputs=["choice"])
    def sides(rng: np.random.Generator, trials: int) -> dict[str, Any]:
        evidence = rng.choice([-1.0, -0.5, 0.5, 1.0], trials)
        inputs = np.zeros((trials, 30, 1))
        inputs[:, :10, 0] = evidence[:, None]
        targets = np.broadcast_to(0.5 * np.sign(evidence)[:, None, None], (trials, 30, 1))
        steps = np.where(evidence > 0, 30, 20)
        return {
            "inputs": inputs,
            "targets": targets,
            "steps": steps,
            "label.evidence": evidence,
            "label.side": (evidence > 0).astype(int),
        }

    run = hr.train(sides, networks=2, batch=8, updates=2, neurons=20, out=tmp_path / "run", progress=False)
    curve = run.analyse("psychometric", trials=60).tables["psychometric"]
    assert set(curve["stimulus"]) == {-1.0, -0.5, 0.5, 1.0}
    found = run.analyse("decoding", trials=60)
    assert set(found.tables["decoding"]["variable"]) == {"side"}
    numbers = found.numbers["side, trained and tested at the same time"]
    assert 0.5 <= numbers["best"] <= 1.0
