"""Sweeps over settings and networks."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from . import _native
from ._run import load


class Executor(Protocol):
    """Runs functions elsewhere: an executor from `concurrent.futures` or submitit, or a Dask client."""

    def submit(self, function: Callable[..., Any], /, *args: Any) -> Any:
        """Starts running a function; the returned object has a `result()`."""


@dataclass(frozen=True)
class Sweep:
    """The results of a sweep."""

    folder: Path
    """Its folder: `report.html` shows it, `results.csv` has a row for each network."""
    settings: list[dict[str, Any]]
    """A dict for each setting, the best first: its number `setting`, the `values` of the keys that differ, how many `networks` it
    has, how many `reached` the criterion and how many `diverged`, and quartiles over networks, `criterion_trials_quartiles` and
    `measured_quartiles`; the latter of `measure`, which is `error` on fresh trials or `return`; `more_is_better` says whether
    larger values are better."""

    def run(self, setting: int) -> Any:
        """The networks of a setting, by its number: a `Run`, or a `LifeRun` if lives were swept."""
        return load(self.folder / "runs" / str(setting))

    @property
    def results(self) -> dict[str, NDArray[Any]]:
        """The columns of `results.csv`: `pandas.DataFrame(sweep.results)` is a table."""
        table = np.genfromtxt(
            self.folder / "results.csv",
            delimiter=",",
            names=True,
            dtype=None,
            encoding="utf-8",
            deletechars="",
            ndmin=1,
        )
        return {name: table[name] for name in table.dtype.names or ()}


def run_job(folder: str | os.PathLike[str], job: int) -> int:
    """Runs one job of a planned sweep, by its number from 1, and returns the number. A finished job is skipped, a started one
    continues."""
    _native.run_jobs(os.fspath(folder), [job], 1, _unheard)
    return job


def sweep(
    plan: Mapping[str, Any] | str | os.PathLike[str],
    /,
    out: str | os.PathLike[str],
    *,
    executor: Executor | None = None,
    jobs_at_once: int | None = None,
    on_progress: Callable[[int, int], object] | None = None,
) -> Sweep:
    """Trains every setting of a plan, and returns the results.

    `plan` is a description as in a `sweep.toml`, or the path of one: `{"task": "dnms", "networks": 20, "networks_per_job": 5,
    "set": {"train.trials": 3200}, "grid": {"rule.eta": [0.03, 0.1]}}`. `out` is the sweep's folder: called again with the same
    plan, finished jobs are skipped and started ones continue, including those of `hebbian-rnn sweep run`.

    Jobs run in this process, `jobs_at_once` at a time, or by `executor`, which must see the same files: `submit(function, *args)`
    is all that it needs. `on_progress` is called with the number of finished jobs and the total.

    Raises:
        UsageError: the plan is invalid, or the folder holds another one.
    """
    text: Any = dict(plan) if isinstance(plan, Mapping) else Path(plan).read_text(encoding="utf-8")
    folder = Path(out).absolute()
    count = _native.plan_sweep(text, os.fspath(folder))
    told = on_progress or _unheard
    if executor is None:
        _native.run_jobs(os.fspath(folder), None, jobs_at_once, told)
    else:
        futures = [executor.submit(run_job, os.fspath(folder), job) for job in range(1, count + 1)]
        for done, future in enumerate(futures, start=1):
            future.result()
            told(done, count)
    return collect_sweep(folder)


def collect_sweep(folder: str | os.PathLike[str], *, partial: bool = False) -> Sweep:
    """The results of a sweep whose jobs are finished, merged into one run for each setting.

    With `partial`, settings with unfinished jobs are left out.

    Raises:
        UsageError: jobs are not finished.
    """
    keys, settings = _native.collect_sweep(os.fspath(folder), partial)
    for setting in settings:
        setting["values"] = {key: _value(text) for key, text in zip(keys, setting["values"], strict=True)}
        for name in ("criterion_trials", "measured"):
            setting[f"{name}_quartiles"] = setting.pop(name)
    return Sweep(Path(folder), settings)


def _value(text: str) -> Any:
    """A value as the plan gave it: a bool, a number, a list, otherwise text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _unheard(_done: int, _count: int) -> None:
    """Ignores progress."""
