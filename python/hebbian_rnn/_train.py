"""Training."""

from __future__ import annotations

import atexit
import os
import sys
import tempfile
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from . import _native
from ._bar import shown
from ._lives import BASE, LifeRun, LifeWorld, check
from ._native import Progress
from ._run import Run
from ._settings import LIFE_KEYS, flat, put
from ._tasks import of_any
from .errors import Interrupted, UsageError

#: Runs to stop when Python exits.
_alive: weakref.WeakSet[_native.Training] = weakref.WeakSet()


@atexit.register
def _stop() -> None:
    for training in list(_alive):
        training.abort()
    _native.leave()


AnyRun = TypeVar("AnyRun", Run, LifeRun)


class Training(Generic[AnyRun]):
    """A run in the background, as returned by `start` and `start_life`. Dropping it stops it."""

    def __init__(self, native: _native.Training, wrap: Callable[[Any], AnyRun]) -> None:
        self._native = native
        self._wrap: Callable[[Any], AnyRun] = wrap
        #: The number of its warnings that have been shown.
        self._warned = 0
        _alive.add(native)

    @property
    def progress(self) -> Progress:
        """Its progress."""
        return self._native.progress

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._native.ended

    def wait(
        self, timeout: float | None = None, on_progress: Callable[[Progress], object] | None = None
    ) -> AnyRun | None:
        """Waits until it ends, at most `timeout` seconds; returns the networks, or `None` if it has not ended.

        `on_progress` is called ten times a second with the progress. Ctrl-C, or an exception in `on_progress`, stops
        it after the update in progress; everything is kept, in the exception's `run`.
        """

        def watch(progress: Progress) -> None:
            for warning in progress.warnings[self._warned :]:
                warnings.warn(warning, RuntimeWarning, stacklevel=2)
            self._warned = len(progress.warnings)
            if on_progress is not None:
                on_progress(progress)

        try:
            if not self._native.wait(timeout, watch):
                return None
        except KeyboardInterrupt:
            run = self.abort()
            where = f"in {run.folder}" if run.folder else "in this exception's `run`"
            text = f"after {run.moment}; everything is kept {where}; its resume() continues"
            raise Interrupted(text, run) from None
        except BaseException as error:
            _attach(error, self.abort())
            raise
        return self._result()

    def pause(self) -> None:
        """Stops after the update in progress, until `proceed`."""
        self._native.pause()

    def proceed(self) -> None:
        """Continues after `pause`."""
        self._native.proceed()

    def inspect(self) -> AnyRun:
        """The networks after the update in progress. The run continues."""
        return self._wrap(self._native.inspect())

    def abort(self) -> AnyRun:
        """Stops after the update in progress, keeping everything; returns the networks."""
        self._native.abort()
        return self._wrap(self._native.run())

    def _result(self) -> AnyRun:
        failure = self._native.failure()
        try:
            run = self._wrap(self._native.run())
        except RuntimeError:
            # A block that failed in the middle leaves only what was saved before it.
            if failure is None:
                raise
            raise failure from None
        if failure is not None:
            _attach(failure, run)
            raise failure
        return run


def _attach(error: BaseException, run: Run | LifeRun) -> None:
    """Attaches the networks so far to an exception."""
    error.run = run  # type: ignore[attr-defined]
    if run.began and sys.version_info >= (3, 11):
        error.add_note(f"{run.moment} are kept: in {run.folder or 'the `run` of this exception'}")


def start(
    task: Any,
    /,
    *,
    rule: str | Mapping[str, Any] | None = None,
    networks: int | range | None = None,
    batch: int | str | None = None,
    trials: int | None = None,
    updates: int | None = None,
    until_criterion: bool | None = None,
    seed: int | None = None,
    neurons: int | None = None,
    init: Run | str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    device: str | None = None,
    accept_edited: bool = False,
    **settings: Any,
) -> Training[Run]:
    """Starts training in the background. The arguments are those of `train`."""
    if isinstance(init, Run) and init.folder is None:
        # Weights are read from a file, once, before training starts.
        with tempfile.TemporaryDirectory() as place:
            file = os.path.join(place, "init.safetensors")
            init.save(file)
            arguments: dict[str, Any] = {
                "rule": rule,
                "networks": networks,
                "batch": batch,
                "trials": trials,
                "updates": updates,
                "until_criterion": until_criterion,
                "seed": seed,
                "neurons": neurons,
                "out": out,
                "force": force,
                "device": device,
            }
            return start(task, init=file, accept_edited=accept_edited, **arguments, **settings)
    if isinstance(init, Run):
        init = init.folder
    if trials is not None and updates is not None:
        raise UsageError(f"trials is {trials} and updates is {updates}: give one of them")
    given = flat(
        {
            "networks": networks,
            "batch": None if batch == "auto" else batch,
            "trials": trials,
            "updates": updates,
            "until_criterion": until_criterion,
            "seed": seed,
            "neurons": neurons,
            "device": device,
            "train.init": init,
            "train.init_sha256": None if init is None else "",
            "rule": rule,
        }
    )
    for key, value in flat(settings).items():
        put(given, key, value)
    if isinstance(task, Run):
        if out is not None or batch == "auto":
            raise UsageError("a run continues in its own folder, with its own batch: leave out `out` and `batch`")
        return Training(task._native.resume(given, accept_edited, task._own), lambda run: Run(run, task._own))
    found = of_any(task)
    named: str | _native.OwnTask
    if isinstance(found, str):
        named, own = found, None
    else:
        named = own = found.native
    folder = None if out is None else os.fspath(out)
    return Training(_native.start(named, given, folder, force, batch == "auto"), lambda run: Run(run, own))


def train(task: Any, /, *, progress: bool | Callable[[Progress], object] | None = None, **arguments: Any) -> Run:
    """Trains networks and returns them.

    task: the name of a task or world; a `@task`, a dict of arrays, a .npz or .mat file of them; a `world`, a vector environment of
        Gymnasium; or a `Run`, to continue it.
    rule: the name of the learning rule, or a dict of its settings; default: the task's.
    networks: the number of independent networks, or a `range` of their indices.
    batch: trials that each network runs in parallel, with one update for each batch; "auto": as many as fit.
    trials, updates: when to stop, counted for each network.
    until_criterion: stop as soon as every network has more than 95 of its last 100 trials correct.
    seed: the seed of all random numbers.
    neurons: the number of neurons in each network.
    init: a run, in a folder or in memory, a checkpoint or a safetensors file from which to take initial weights.
    out: the run's folder, as the command writes it; default: the run is only in memory, until `Run.save`.
    force: if there is a run in that folder, move it aside.
    device: "auto", "cpu", "cuda", "cuda:0", "metal".
    progress: `False` for silence, or a function that is called ten times a second with a `Progress`; default: a bar, in a terminal
        or a notebook.

    Every other key of the configuration is a setting: `network={"gain": 1.3}` and `**{"network.gain": 1.3}` are the same.

    Ctrl-C raises `errors.Interrupted`, whose `run` holds the networks trained so far.
    """
    training = start(task, **arguments)
    return finish(training, progress)


def finish(training: Training[AnyRun], progress: bool | Callable[[Progress], object] | None) -> AnyRun:
    """Waits until a run ends, showing its progress."""
    with shown(progress) as on_progress:
        run = training.wait(None, on_progress)
    assert run is not None  # Without a timeout, it has ended.
    return run


def start_life(
    life: str | LifeWorld | LifeRun,
    /,
    *,
    rule: str | None = None,
    networks: int | range | None = None,
    seconds: float | None = None,
    frozen_seconds: float | None = None,
    seed: int | None = None,
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    device: str | None = None,
    accept_edited: bool = False,
    populations: Sequence[Mapping[str, Any]] | None = None,
    projections: Sequence[Mapping[str, Any]] | None = None,
    **settings: Any,
) -> Training[LifeRun]:
    """Starts a simulation in the background. The arguments are those of `live`."""
    given = flat(
        {
            "networks": networks,
            "seconds": None if seconds is None else float(seconds),
            "frozen_seconds": None if frozen_seconds is None else float(frozen_seconds),
            "seed": seed,
            "device": device,
        },
        LIFE_KEYS,
    )
    for key, value in flat(settings, LIFE_KEYS).items():
        put(given, key, value)
    if isinstance(life, LifeRun):
        if out is not None or rule is not None:
            raise UsageError("a simulation continues in its own folder, with its own rule: leave out `out` and `rule`")
        return Training(life._native.resume(given, accept_edited), lambda run: LifeRun(run, life._world))
    folder = None if out is None else os.fspath(out)
    if isinstance(life, LifeWorld):
        if seconds is None or populations is None:
            raise UsageError("a world of your own needs `seconds`, `populations` and `projections`")
        given |= {"population": populations, "projection": list(projections or [])}
        check(life)
        started = _native.start_life(BASE, rule, given, folder, force, life)
        return Training(started, lambda run: LifeRun(run, life))
    return Training(_native.start_life(life, rule, given, folder, force, None), LifeRun)


def live(
    life: str | LifeWorld | LifeRun, /, *, progress: bool | Callable[[Progress], object] | None = None, **arguments: Any
) -> LifeRun:
    """Simulates networks of spiking or rate neurons whose weights change at every step, and returns them.

    life: a name of `hebbian-rnn lives`; a `LifeWorld` of your own; or a `LifeRun`, to continue it.
    rule: the learning rule of the plastic projections; "none": their weights are fixed.
    networks: the number of independent networks, or a `range` of their indices.
    seconds: the simulated time in which weights change.
    frozen_seconds: the simulated time after that, with frozen weights.
    seed: the seed of all random numbers.
    out: the run's folder, as the command writes it; default: the run is only in memory, until `LifeRun.save`.
    force: if there is a run in that folder, move it aside.
    device: "auto", "cpu", "cuda", "cuda:0", "metal".
    populations, projections: the network in a world of your own, as tables of a config.toml: see `LifeWorld`.
    progress: as for `train`.

    Every other key of the configuration is a setting; populations and projections are addressed by name, as in
    `**{"population.hidden.size": 40}`.

    Ctrl-C raises `errors.Interrupted`, whose `run` holds the networks so far.
    """
    return finish(start_life(life, **arguments), progress)
