"""Trained networks."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _native
from ._arrays import floats
from ._lives import LifeRun
from ._tasks import native
from .errors import UnknownNameError, UsageError

#: Fresh trials per network by default.
TRIALS = 400


class Run:
    """Trained networks, with the record of their training. A run does not change: `resume` returns a new one."""

    def __init__(self, native: _native.Run, own: _native.OwnTask | None) -> None:
        self._native = native
        self._own = own

    def __repr__(self) -> str:
        return f"<Run: {self._native.describe()}>"

    def _repr_html_(self) -> str:
        return self.learning_curve()

    @cached_property
    def tensors(self) -> dict[str, NDArray[Any]]:
        """All tensors of the checkpoint that learning or activity changes, by name; the first dimension is the network.

        They cannot be written to: `with_weights` makes networks with other weights."""
        tensors = self._native.tensors()
        for tensor in tensors.values():
            tensor.flags.writeable = False
        return tensors

    @property
    def weights(self) -> dict[str, NDArray[Any]]:
        """The weights by name: `w_rec` is [networks, post, pre], `w_in` [networks, post, n_in]."""
        return {name: self.tensors[name] for name in self._native.weight_names()}

    @cached_property
    def metrics(self) -> dict[str, NDArray[Any]]:
        """The columns of metrics.csv, one value for each update and network: `pandas.DataFrame(run.metrics)` is a table."""
        return self._native.metrics()

    @cached_property
    def config(self) -> dict[str, Any]:
        """Every key of the configuration, table by table."""
        return self._native.config()

    @property
    def updates(self) -> int:
        """Updates made."""
        return self._native.updates

    @property
    def moment(self) -> str:
        """How far it has come, in words."""
        return f"{self.updates} updates"

    @property
    def began(self) -> bool:
        """Whether anything has been learnt."""
        return self.updates > 0

    @property
    def trials(self) -> int:
        """Trials per network."""
        return self._native.trials

    @property
    def folder(self) -> str | None:
        """The run's folder; `None` if it is only in memory."""
        folder = self._native.folder
        return None if folder is None else os.fspath(folder)

    @property
    def stopped(self) -> str | None:
        """Why training stopped: "limit", "criterion", "frozen" (every network diverged) or "interrupted"."""
        return self._native.stopped

    @property
    def criterion_trials(self) -> list[int | None]:
        """The number of trials after which each network reached the criterion."""
        return self._native.criterion_trials

    def with_weights(self, **weights: ArrayLike) -> Run:
        """The same networks with other values of some weights, or of other tensors, in memory: `run.with_weights(w_rec=w)`."""
        arrays = {name: floats(name, array) for name, array in weights.items()}
        return Run(self._native.with_tensors(arrays), self._own)

    def __reduce__(self) -> Any:
        if self._own is not None:
            raise TypeError("a run on a task of your own cannot be pickled; save it, and load it with its task")
        return _from_parts, self._native.parts()

    def evaluate(
        self, trials: int = TRIALS, seed: int | None = None, *, silence: Iterable[int | str] = ()
    ) -> dict[str, NDArray[Any]]:
        """Tests the networks on fresh trials, with frozen weights and without perturbation.

        silence: neurons whose rates do not reach other neurons or the readout: indices, or texts as in `--silence`, such as
            "10..20" or, under Dale's law, "inhibitory".

        Returns columns with a value for each network: `error`, `fraction_correct`, `criterion_trials` and, in an environment,
        `mean_return`, `standard_error`, `mean_steps`. `types` are the names of the trial types; `trials_by_type`, `error_by_type`
        and `fraction_correct_by_type` [networks, types] tell them apart. `chance` is the error at chance level, NaN if unknown.
        """
        columns, names, by_type, chance = self._native.evaluate(trials, seed, [str(neuron) for neuron in silence])
        numbers = np.array(by_type)
        tested = np.where(numbers[..., 0] > 0, 1.0, np.nan)
        return {
            **columns,
            "types": np.array(names),
            "trials_by_type": numbers[..., 0].astype(np.int64),
            "error_by_type": numbers[..., 1] * tested,
            "fraction_correct_by_type": numbers[..., 2] * tested,
            "chance": np.array(np.nan if chance is None else chance),
        }

    def simulate(
        self,
        inputs: ArrayLike,
        *,
        record: Sequence[str] = (),
        modulator: ArrayLike | None = None,
        x: ArrayLike | None = None,
        hebbian_trace: ArrayLike | None = None,
        seed: int | None = None,
        silence: Iterable[int | str] = (),
    ) -> dict[str, NDArray[Any]]:
        """Runs the networks on `inputs` [trials, T, n_in] or [networks, trials, T, n_in].

        `record` can contain "rates", "activations" and "trace". Optional: the `modulator` of the fast weights [trials, T], the
        initial activations `x` [trials, N] and fast weights `hebbian_trace` [trials, N, N], each also with a dimension of
        networks. Returns `outputs` [networks, trials, T, n_out] and the recorded arrays. `silence`: as in `evaluate`.
        """
        given = {"inputs": inputs, "modulator": modulator, "x": x, "hebbian_trace": hebbian_trace}
        arrays = {name: floats(name, array) for name, array in given.items() if array is not None}
        return self._native.simulate(arrays, list(record), seed, [str(neuron) for neuron in silence])

    def record(
        self,
        trials: int,
        *,
        types: Sequence[str] = (),
        record: Sequence[str] = ("rates",),
        seed: int | None = None,
        silence: Iterable[int | str] = (),
    ) -> dict[str, NDArray[Any]]:
        """Runs fresh trials, or episodes, of the networks' own task, with frozen weights and without perturbation.

        `types`: only trials of these types, by name; `silence`: as in `evaluate`. `record` can contain "rates" and "activations".

        Returns, for S networks, B trials and T steps, `inputs` [S, B, T, n_in], `outputs` [S, B, T, n_out], the recorded arrays
        [S, B, T, N], `type` [S, B], an index into `types`, `steps` [S, B], after which a trial has ended, and `correct` [S, B]. Of
        a task: `targets` [S, B, T, n_out], `mask` [S, B, T] (1 where outputs are scored), `error` [S, B] and its labels. Of an
        environment with E steps: `observations` and `actions` [S, B, E, ...], `rewards` and a critic's `values` [S, B, E], and
        `terminated` [S, B].
        """
        neurons = [str(neuron) for neuron in silence]
        arrays, names = self._native.record(trials, list(types), list(record), seed, neurons)
        return {**arrays, "types": np.array(names)}

    def record_update(self) -> dict[str, NDArray[Any]]:
        """The parts of the next update in training, computed with plain operations, to check it by another program.

        The run stays as it is. Only for tasks, and for rules with an eligibility that a modulator multiplies after each trial.

        Returns, for S networks, B trials and T steps, `inputs` [S, B, T, n_in], the initial activations `x0` [S, B, N], the
        perturbations `perturbation`, `activations` and `rates` [S, B, T, N], `outputs` [S, B, T, n_out]; `cost`, `type`,
        `expected_error` and `modulator` [S, B]; `eligibility` [S, B, post, pre]; `eta`, `bound`, and `w_rec_before` and
        `w_rec_after` [S, post, pre], which is w_rec_before + clip(eta · Σ modulator · eligibility, ±bound).
        """
        return self._native.record_update()

    def save(self, path: str | os.PathLike[str], force: bool = False) -> Run:
        """Writes a checkpoint if `path` ends in .safetensors, else a run's folder, and returns the saved run.

        The command can read both. `force`: if the folder already holds a run, it is moved aside.
        """
        self._native.save(os.fspath(path), force)
        return Run(_native.load(os.fspath(path), self._own), self._own)

    def resume(self, **arguments: Any) -> Run:
        """Continues training as if it had never stopped: `train` with this run instead of a task.

        The arguments are `trials`, `updates` or `until_criterion`, `device`, `progress` and those about output; nothing else can
        change. `accept_edited=True` continues from an edited checkpoint. A run in a folder continues there.
        """
        from ._train import train

        return train(self, **arguments)

    def analyse(self, name: str, trials: int | None = None, seed: int | None = None) -> Findings:
        """An analysis, by its name in `hebbian-rnn analyse`."""
        title, (figures, tables, pictures) = self._native.analyse(name, trials, seed)
        arrays = {table: {column: _column(values) for column, values in of.items()} for table, of in tables.items()}
        summary = {figure: text for figure, (text, _) in figures.items()}
        numbers = {figure: dict(numbers) for figure, (_, numbers) in figures.items()}
        return Findings(title, summary, numbers, arrays, pictures)

    def report(self, path: str | os.PathLike[str] | None = None, analyses: bool = True) -> str:
        """Writes a self-contained page about the run, in its folder or to `path`; returns its path."""
        if path is None:
            if self.folder is None:
                raise UsageError(
                    "this run is only in memory: report(path) says where the page goes, or save(folder) first"
                )
            path = os.path.join(self.folder, "report.html")
        page = self._native.report(analyses, TRIALS)
        _native.write(os.fspath(path), page.encode())
        return os.fspath(path)

    def learning_curve(self, log: bool = False) -> str:
        """The learning curve as SVG; `log`: logarithmic error axis."""
        return self._native.learning_curve(log)


@dataclass(frozen=True)
class Findings:
    """The results of an analysis. A notebook shows its pictures."""

    title: str
    summary: dict[str, str]
    """The main results, in words."""
    numbers: dict[str, dict[str, float]]
    """The same results as numbers: for each result, its numbers by name."""
    tables: dict[str, dict[str, NDArray[Any]]]
    """The tables: their columns, by the names of the files that the command writes."""
    pictures: dict[str, str]
    """The pictures, as SVG."""

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(f"<li>{escape(name)}: {escape(value)}</li>" for name, value in self.summary.items())
        return f"<h4>{escape(self.title)}</h4><ul>{rows}</ul>" + "".join(self.pictures.values())


def _from_parts(file: bytes, rows: str) -> Run:
    """A run that was pickled."""
    return Run(_native.Run.from_parts(file, rows), None)


def _column(values: list[str]) -> NDArray[Any]:
    """Numbers if all values are numbers, else text."""
    try:
        return np.array([np.nan if value == "" else float(value) for value in values])
    except ValueError:
        return np.array(values)


@overload
def load(path: str | os.PathLike[str]) -> Any: ...
@overload
def load(path: str | os.PathLike[str], task: Any) -> Run: ...
def load(path: str | os.PathLike[str], task: Any = None) -> Run | LifeRun:
    """The networks of a run's folder or a checkpoint's file: a `Run` or, of a simulation, a `LifeRun`. Networks trained on your own
    task, or simulated in your own world, need it as `task`."""
    run: Run | LifeRun
    if _native.is_life(os.fspath(path)):
        run = LifeRun(_native.load_life(os.fspath(path), task), task)
    else:
        own = None if task is None else native(task)
        try:
            run = Run(_native.load(os.fspath(path), own), own)
        except UnknownNameError as error:
            if own is None and "task" in str(error):
                raise UnknownNameError(f"{error}; a task of your own is given as load(path, task)") from None
            raise
    if run._native.edited:
        warnings.warn(
            f"{os.fspath(path)}: its checksum does not match: damaged, or edited by hand", RuntimeWarning, stacklevel=2
        )
    return run
