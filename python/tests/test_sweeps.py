"""Sweeps by everything that runs functions elsewhere."""

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import hebbian_rnn as hr

PLAN = {
    "task": "echo",
    "networks": 4,
    "networks_per_job": 2,
    "set": {"train.batch": 4, "train.updates": 12, "network": {"neurons": 6}},
    "grid": {"rule.eta": [0.01, 0.1], "network.connectivity": [0.5, 1.0]},
}
FILES = ("config.toml", "metrics.csv", "checkpoint.safetensors")


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """The sweep in this process."""
    return hr.sweep(PLAN, tmp_path_factory.mktemp("sweep") / "here")


def same(found, here):
    for setting in range(1, 5):
        for name in FILES:
            one, other = (sweep.folder / "runs" / str(setting) / name for sweep in (found, here))
            assert one.read_bytes() == other.read_bytes(), (setting, name)
    assert (found.folder / "results.csv").read_bytes() == (here.folder / "results.csv").read_bytes()


def test_a_sweep_is_its_runs(here, tmp_path):
    assert [setting["networks"] for setting in here.settings] == [4] * 4
    errors = [setting["measured_quartiles"][1] for setting in here.settings]
    assert errors == sorted(errors)
    best = here.settings[0]
    run = here.run(best["setting"])
    assert run.config["rule"]["eta"] == best["values"]["rule.eta"]
    alone = hr.train(
        "echo", networks=4, batch=4, updates=12, neurons=6, **{"rule.eta": 0.1, "network.connectivity": 1.0}
    )
    number = next(s["setting"] for s in here.settings if s["values"] == {"rule.eta": 0.1, "network.connectivity": 1.0})
    np.testing.assert_array_equal(here.run(number).weights["w_rec"], alone.weights["w_rec"])
    results = here.results
    assert results["network"].tolist() == [0, 1, 2, 3] * 4
    assert (here.folder / "report.html").exists()


def test_a_sweep_goes_on(here, tmp_path):
    seen = []

    def stop(done, count):
        seen.append(count)
        if done >= 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hr.sweep(PLAN, tmp_path / "again", jobs_at_once=1, on_progress=stop)
    assert seen[0] == 8
    seen.clear()
    found = hr.sweep(PLAN, tmp_path / "again", on_progress=lambda done, count: seen.append((done, count)))
    assert seen[-1][0] == seen[-1][1] <= 5
    same(found, here)


def test_executors_give_the_same_bytes(here, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        same(hr.sweep(PLAN, tmp_path / "threads", executor=pool), here)


def test_dask_gives_the_same_bytes(here, tmp_path):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        same(hr.sweep(PLAN, tmp_path / "dask", executor=client), here)


def test_submitit_gives_the_same_bytes(here, tmp_path):
    submitit = pytest.importorskip("submitit")
    executor = submitit.LocalExecutor(tmp_path / "logs")
    executor.update_parameters(timeout_min=5)
    same(hr.sweep(PLAN, tmp_path / "submitit", executor=executor), here)


def test_a_plan_that_does_not_hold_is_refused(here, tmp_path):
    with pytest.raises(hr.errors.UsageError, match="expected an array of values"):
        hr.sweep({**PLAN, "grid": {"rule.eta": 0.1}}, tmp_path / "a")
    with pytest.raises(hr.errors.UnknownNameError, match=r"rule\.eta"):
        hr.sweep({**PLAN, "grid": {"rule.ets": [0.1]}}, tmp_path / "b")
    with pytest.raises(hr.errors.UsageError, match="holds another plan"):
        hr.sweep({**PLAN, "networks": 5}, here.folder)
    with pytest.raises(hr.errors.UsageError, match="there is no job 9"):
        hr.run_job(here.folder, 9)


def test_optuna_asks_and_tells(tmp_path):
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    program = os.environ["HEBBIAN_RNN"]
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1))
    for _ in range(3):
        trial = study.ask()
        eta = trial.suggest_float("rule.eta", 1e-3, 1e-1, log=True)
        command = [
            program,
            "train",
            "echo",
            "--neurons",
            "6",
            "--batch",
            "4",
            "--updates",
            "20",
            "--networks",
            "2",
            "--json",
        ]
        out = tmp_path / str(trial.number)
        done = subprocess.run([*command, "--set", f"rule.eta={eta}", "--out", out], check=True, capture_output=True)
        errors = [network["error"] for network in json.loads(done.stdout)["networks"]]
        study.tell(trial, sum(errors) / len(errors))
    assert len(study.trials) == 3
    assert 0 < study.best_value < 10
