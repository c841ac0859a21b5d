"""Training, and what comes of it."""

from __future__ import annotations

import gc
import pickle
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL, files, light

import hebbian_rnn as hr

Command = Callable[..., str]


def test_a_folder_is_what_the_command_writes_to_the_byte(tmp_path: Path, command: Command) -> None:
    settings = {"rule.eta": 0.05, "network.gain": 1.2}
    run = hr.train(
        "dnms", networks=2, batch=4, updates=3, neurons=20, seed=7, out=tmp_path / "python", progress=False, **settings
    )
    given = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    sizes = ["--networks", 2, "--batch", 4, "--updates", 3, "--neurons", 20, "--seed", 7]
    command("train", "dnms", *sizes, *given, "--out", tmp_path / "command")
    for name, held in files(tmp_path / "python").items():
        assert held == (tmp_path / "command" / name).read_bytes(), name
    assert sorted(files(tmp_path / "python")) == ["checkpoint.safetensors", "config.toml", "metrics.csv"]
    # Each goes on with the other's.
    command("train", "--resume", "--out", tmp_path / "python", "--updates", 5)
    resumed = hr.load(tmp_path / "command").resume(updates=5, progress=False)
    assert resumed.updates == 5 and run.updates == 3
    for name in ("checkpoint.safetensors", "metrics.csv", "config.toml"):
        assert files(tmp_path / "python")[name] == files(tmp_path / "command")[name], name


def test_figures_of_a_seed() -> None:
    run = hr.train("echo", networks=2, updates=40, seed=3, progress=False)
    again = hr.train("echo", networks=range(1, 2), updates=40, seed=3, progress=False)
    assert run.weights["w_rec"].shape == (2, 32, 32)
    # Network 1 learns the same alone.
    assert np.array_equal(run.weights["w_rec"][1:], again.weights["w_rec"])
    error = run.metrics["error"][run.metrics["update"] == 40]
    assert error == pytest.approx([0.1764, 0.0617], abs=5e-4)


def test_memory_folder_and_file_hold_the_same(tmp_path: Path) -> None:
    run = hr.train("echo", updates=3, **SMALL)
    assert run.folder is None and run.stopped == "limit"
    kept = run.save(tmp_path / "kept")
    alone = run.save(tmp_path / "alone.safetensors")
    for other in (kept, alone, hr.load(tmp_path / "kept")):
        for name, tensor in run.tensors.items():
            assert np.array_equal(tensor, other.tensors[name]), name
    for name, column in run.metrics.items():
        assert np.array_equal(column, kept.metrics[name], equal_nan=True), name
    assert alone.metrics == {} and kept.folder == str(tmp_path / "kept")
    # Going on gives the same in memory and in the folder, and as without a stop.
    more, there = run.resume(updates=6, progress=False), kept.resume(updates=6, progress=False)
    whole = hr.train("echo", updates=6, **SMALL)
    for other in (more, there, hr.load(tmp_path / "kept")):
        assert np.array_equal(other.weights["w_rec"], whole.weights["w_rec"])
        assert np.array_equal(other.metrics["error"], whole.metrics["error"])


def test_evaluation_simulation_and_pages(tmp_path: Path) -> None:
    run = hr.train("dnms", updates=2, **SMALL)
    scores = run.evaluate(8)
    assert list(scores)[:4] == ["network", "error", "fraction_correct", "criterion_trials"]
    assert scores["types"].tolist() == ["AA", "AB", "BA", "BB"] and scores["chance"] == pytest.approx(0.98)
    assert scores["error_by_type"].shape == (2, 4) and scores["trials_by_type"].sum() == 16
    together = np.nansum(scores["error_by_type"] * scores["trials_by_type"], axis=1) / 8
    assert together == pytest.approx(scores["error"])
    silenced = run.evaluate(8, silence=[3, "5..7"])
    assert not np.array_equal(silenced["error"], scores["error"])
    with pytest.raises(hr.errors.UsageError, match="neurons are `inhibitory`"):
        run.evaluate(8, silence=["inhibitory"])
    assert np.array_equal(scores["error"], run.evaluate(8)["error"])
    inputs = np.zeros((3, 20, 2), dtype=np.float32)
    result = run.simulate(inputs, record=["rates"])
    assert result["outputs"].shape == (2, 3, 20, 1) and result["rates"].shape == (2, 3, 20, 12)
    assert "<svg" in run._repr_html_()
    findings = run.analyse("weights")
    assert findings.pictures and "<svg" in findings._repr_html_()
    assert all(len({len(column) for column in table.values()}) == 1 for table in findings.tables.values())
    page = run.report(tmp_path / "page.html", analyses=False)
    assert "dnms" in Path(page).read_text()
    kept = run.save(tmp_path / "kept")
    assert Path(kept.report(analyses=False)) == tmp_path / "kept" / "report.html"
    with pytest.raises(hr.errors.UsageError, match="only in memory"):
        run.report()


def test_activity_in_trials_of_the_task() -> None:
    run = hr.train("dnms", updates=2, **SMALL)
    recording = run.record(6, types=["AB", "BB"], record=["rates"])
    assert recording["rates"].shape == (2, 6, 1000, 12) and recording["inputs"].shape == (2, 6, 1000, 2)
    assert set(recording["types"][recording["type"]].ravel()) <= {"AB", "BB"}
    mask = recording["mask"][..., None] > 0
    errors = (np.abs(recording["outputs"] - recording["targets"]) * mask).sum((2, 3)) / mask.sum((2, 3))
    assert recording["error"] == pytest.approx(errors, abs=1e-5)
    poles = hr.train("cartpole", updates=2, **SMALL).record(3)
    assert poles["rewards"].sum(-1) == pytest.approx(poles["steps"])


def test_an_update_is_checked_with_numpy() -> None:
    parts = hr.train("dnms", rule="node-perturbation", updates=30, **SMALL).record_update()
    change = parts["eta"] * np.einsum("sb,sbij->sij", parts["modulator"], parts["eligibility"])
    expected = parts["w_rec_before"] + np.clip(change, -parts["bound"], parts["bound"])
    assert parts["w_rec_after"] == pytest.approx(expected, abs=1e-6)
    assert not np.array_equal(parts["w_rec_after"], parts["w_rec_before"])


def test_weights_are_changed_by_making_another_run() -> None:
    run = hr.train("dnms", updates=2, **SMALL)
    with pytest.raises(ValueError, match="read-only"):
        run.weights["w_rec"][0] = 0
    silent = run.with_weights(w_rec=np.zeros_like(run.weights["w_rec"]))
    assert not silent.weights["w_rec"].any() and run.weights["w_rec"].any()
    assert not np.array_equal(silent.evaluate(8)["error"], run.evaluate(8)["error"])
    with pytest.raises(hr.errors.TensorError, match="w_rec"):
        run.with_weights(w_rec=np.zeros((2, 3, 3)))
    with pytest.raises(hr.errors.UnknownNameError, match="w_recc"):
        run.with_weights(w_recc=np.zeros((2, 12, 12)))


def test_a_run_is_pickled_and_starts_another_from_memory() -> None:
    run = hr.train("dnms", updates=2, **SMALL)
    same = pickle.loads(pickle.dumps(run))
    for name, tensor in run.tensors.items():
        assert np.array_equal(tensor, same.tensors[name])
    assert np.array_equal(run.metrics["error"], same.metrics["error"])
    assert np.array_equal(
        run.resume(updates=3, progress=False).weights["w_rec"], same.resume(updates=3, progress=False).weights["w_rec"]
    )
    after = hr.train("selective-integration", updates=0, init=run, **SMALL)
    assert np.array_equal(after.weights["w_rec"], run.weights["w_rec"])


def test_tables_of_what_there_is() -> None:
    assert "dnms" in [row["name"] for row in hr.tasks()]
    assert "delta-x" in [row["name"] for row in hr.rules()]
    assert {row["name"]: row["rules"] for row in hr.lives()}["maze"].startswith("td-ltp")
    assert "<th>summary</th>" in hr.tasks()._repr_html_()


def test_simulation_in_one_precision_is_that_of_plain_loops() -> None:
    run = hr.train("dnms", updates=1, dtype="f64", **{**SMALL, "networks": 1})
    rng = np.random.default_rng(0)
    inputs, x = rng.normal(size=(2, 30, 2)), rng.normal(size=(2, 12))
    found = run.simulate(inputs, x=x, record=["activations"])["activations"][0]
    network, weights = run.config["network"], {name: array[0] for name, array in run.weights.items()}
    for neuron, value in network["clamped"]:
        x[:, neuron] = value
    leak = network["dt_ms"] / network["tau_ms"]
    free = np.array([k not in dict(network["clamped"]) for k in range(12)])
    for t in range(30):
        drive = np.tanh(x) @ weights["w_rec"].T + inputs[:, t] @ weights["w_in"].T
        x = np.where(free, x + leak * (drive - x), x)
        assert found[:, t] == pytest.approx(x, abs=1e-12), t


def test_training_in_the_background() -> None:
    training = hr.start("echo", updates=100_000, **{k: v for k, v in SMALL.items() if k != "progress"})
    assert training.wait(0.3) is None and not training.ended
    training.pause()
    before = training.inspect()
    training.wait(0.2)
    assert training.inspect().updates == before.updates > 0
    training.proceed()
    assert training.wait(0.3) is None
    run = training.abort()
    assert run.stopped == "interrupted" and run.updates > before.updates
    assert len(run.metrics["update"]) == 2 * run.updates
    # What was looked at is what it would have been there.
    there = hr.train("echo", updates=before.updates, **SMALL)
    assert np.array_equal(there.weights["w_rec"], before.weights["w_rec"])


def test_progress_is_told_and_its_exception_stops() -> None:
    seen: list[hr.Progress] = []
    hr.train("echo", updates=300, **{**SMALL, "progress": seen.append})
    assert seen[-1].measured == "error" and 0 < seen[-1].mean < 1
    assert seen[-1].updates == 300 and seen[-1].limit == 300 and seen[-1].trials_per_second > 0

    def stop(progress: hr.Progress) -> None:
        if progress.updates > 5:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough") as caught:
        hr.train("echo", updates=1_000_000, **{**SMALL, "progress": stop})
    assert caught.value.run.updates > 5


def test_a_warning_is_told_once() -> None:
    training = hr.start("echo", updates=10**6, networks=1, **{"bptt.learning_rate": 0.1})
    with pytest.warns(RuntimeWarning, match=r"bptt\.learning_rate has no effect here") as told:
        training.wait(0.2)
        training.wait(0.2)
    assert len(told) == 1
    training.abort()


def test_two_trainings_at_once_are_those_alone() -> None:
    found: dict[int, hr.Run] = {}

    def train(seed: int) -> None:
        found[seed] = hr.train("echo", updates=200, seed=seed, **SMALL)

    threads = [threading.Thread(target=train, args=(seed,)) for seed in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, run in found.items():
        alone = hr.train("echo", updates=200, seed=seed, **SMALL)
        assert np.array_equal(run.weights["w_rec"], alone.weights["w_rec"])


def test_a_paused_training_holds_up_no_other() -> None:
    paused = hr.start("echo", updates=1000, networks=1)
    paused.pause()
    hr.train("echo", updates=50, **SMALL)
    paused.abort()


def test_many_small_trainings_leak_nothing() -> None:
    resource = pytest.importorskip("resource")

    def many(count: int) -> int:
        for seed in range(count):
            hr.train("echo", updates=1, seed=seed, networks=1, batch=1, neurons=4, progress=False)
        return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

    before = many(200)
    assert many(800) - before < 8 * 1024, "kilobytes"


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads as Linux does")
def test_own_tasks_and_their_threads_go() -> None:
    def threads() -> int:
        gc.collect()
        time.sleep(0.2)
        return len(list(Path("/proc/self/task").iterdir()))

    def many() -> None:
        for _ in range(20):
            arrays = dict(light(np.random.default_rng(1), 8))
            run = hr.train(arrays, updates=2, **SMALL)
            run.resume(updates=3, progress=False)
            hr.start(arrays, updates=10**6, networks=1)

    many()
    before = threads()
    many()
    assert threads() <= before + 2


def test_names_are_explained() -> None:
    assert hr.explain("gain").startswith("network.gain: ")
    with pytest.raises(hr.errors.UnknownNameError, match=r"did you mean `network\.gain`"):
        hr.explain("network.gian")


def test_settings_are_plain_values() -> None:
    settings = {"rule": {"name": "delta-x", "eta": np.float64(0.05)}, "train.batch": np.int64(4), "networks": 2}
    run = hr.train("dnms", updates=1, neurons=12, progress=False, **pickle.loads(pickle.dumps(settings)))
    assert run.config["rule"]["eta"] == 0.05 and run.config["train"]["batch"] == 4
    again = hr.train("dnms", updates=1, neurons=12, progress=False, networks=2, batch=4, **{"rule.eta": 0.05})
    assert np.array_equal(run.weights["w_rec"], again.weights["w_rec"])
