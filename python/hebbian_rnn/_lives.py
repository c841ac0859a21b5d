"""Simulated networks whose weights change at every step."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import _native
from .errors import UsageError


class Synapses(NamedTuple):
    """The synapses of a projection in one network."""

    pre: NDArray[Any]
    """Presynaptic neurons, counted from the first of their population."""
    post: NDArray[Any]
    """Postsynaptic neurons."""
    weight: NDArray[Any]
    """Weights."""


@dataclass(frozen=True)
class Activity:
    """The activity of one network, step by step."""

    dt_ms: float
    """The duration of a step."""
    outputs: NDArray[Any]
    """The output of each neuron [steps, neurons]: a rate, or 1 for a spike."""
    membranes: NDArray[Any]
    """The membrane potentials of the watched neurons [steps, watched], in mV."""
    populations: dict[str, int]
    """The populations and their sizes, in the order of the neurons."""

    @property
    def spikes(self) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
        """The spikes of each population: their times in ms, ascending, and their neurons, counted from its first."""
        found, first = {}, 0
        for name, size in self.populations.items():
            step, neuron = np.nonzero(self.outputs[:, first : first + size])
            found[name] = (step * self.dt_ms, neuron)
            first += size
        return found


#: The life whose settings a world of your own starts from.
BASE = "one-synapse"


class LifeWorld:
    """A world of your own, for networks whose weights change at every step.

    Time is divided into blocks of `steps` steps. At the end of a block a world reports `figures`, which become a row of
    metrics.csv; a simulation is saved and resumed between blocks. Subclasses set these attributes and define `start`:

        class Clicks(hr.LifeWorld):
            name, steps, figures = "clicks", 500, ("spikes",)

            def start(self, network, seed, populations):
                return Click(populations)

        class Click(hr.LifeWorldState):
            def __init__(self, populations):
                self.input, self.output = populations["input"], populations["output"]

            def stimulate(self, step, input):
                input[self.input] = step % 50 == 0

            def observe(self, step, r):
                return r[self.output].sum()

            def end(self, spikes, seconds):
                return [spikes[self.output].sum()]

        hr.live(Clicks(), seconds=10, populations=[
            {"name": "input", "size": 5, "neurons": {"model": "input"}},
            {"name": "output", "size": 1, "neurons": {"model": "lif"}},
        ], projections=[{
            "from": "input", "to": "output", "connect": {"density": 1.0}, "weights": {"constant": 0.5},
            "w_min": 0.0, "w_max": 5.0, "delay_ms": 1.0, "rule": {"name": "mstdpet"},
        }])

    Python is called twice for each step of each network, one network after another, so this is slower than a built-in world.
    """

    name: str
    """Its name in configurations."""
    steps: int
    """The number of steps in a block."""
    figures: Sequence[str] = ()
    """The names of the figures of a block."""

    def start(self, network: int, seed: int, populations: Mapping[str, slice]) -> LifeWorldState:
        """The world of one network. `seed`: the simulation's. `populations`: the places of each population's neurons."""
        raise NotImplementedError


class LifeWorldState:
    """The world of one network: see `LifeWorld`."""

    def begin(self, block: int, frozen: bool, seed: int) -> None:
        """Called at the start of each block, counted from 0. `frozen`: weights do not change in it. `seed`: use it for this block's
        random numbers, which are then the same after a resume."""

    def stimulate(self, step: int, input: NDArray[Any]) -> None:
        """Adds the stimuli of a step to `input`, which is 0 at first: spikes or rates of sources, currents into other neurons."""

    def observe(self, step: int, r: NDArray[Any]) -> float:
        """Sees the outputs of all neurons in a step; returns the reward, which acts in the next one."""
        return 0.0

    def end(self, spikes: NDArray[Any], seconds: float) -> Sequence[float]:
        """Called at the end of a block of this duration, with the number of spikes of each neuron in it; returns its figures."""
        return []

    def state(self) -> Any:
        """Everything it remembers from block to block, in types that JSON can express: numbers, text, lists, dicts, `None`."""
        return None

    def restore(self, state: Any) -> None:
        """Restores `state()`."""


def check(world: LifeWorld) -> None:
    """Refuses a world that lacks an attribute."""
    for attribute in ("name", "steps"):
        if not hasattr(world, attribute):
            raise UsageError(f"{type(world).__name__} has no attribute `{attribute}`, which a LifeWorld needs")


class LifeRun:
    """Simulated networks, with the record of their simulation. It does not change: `resume` returns a new one."""

    def __init__(self, native: _native.LifeRun, world: LifeWorld | None = None) -> None:
        self._native = native
        self._world = world

    def __repr__(self) -> str:
        return f"<LifeRun: {self._native.describe()}>"

    def _repr_html_(self) -> str:
        return self.picture()

    @cached_property
    def metrics(self) -> dict[str, NDArray[Any]]:
        """The columns of metrics.csv, one value for each block and network: `pandas.DataFrame(run.metrics)` is a table."""
        return self._native.metrics()

    @cached_property
    def config(self) -> dict[str, Any]:
        """Every key of the configuration, table by table."""
        return self._native.config()

    @property
    def populations(self) -> dict[str, int]:
        """The populations and their sizes, in the order in which neurons are numbered."""
        return {name: size for name, size, _ in self._native.populations()}

    @cached_property
    def synapses(self) -> dict[str, list[Synapses]]:
        """The synapses of each projection, by its name such as "hidden-output": one entry for each network."""
        every = self._native.synapses()
        return {name: [Synapses(*network) for network in networks] for name, networks in every.items()}

    @cached_property
    def weights(self) -> dict[str, NDArray[Any]]:
        """The weights of each projection as an array [networks, post, pre], 0 where there is no synapse."""
        sizes = self.populations
        weights = {}
        for name, networks in self.synapses.items():
            source, target = name.split("-")
            array = np.zeros((len(networks), sizes[target], sizes[source]))
            for matrix, synapses in zip(array, networks, strict=True):
                matrix[synapses.post, synapses.pre] = synapses.weight
            weights[name] = array
        return weights

    @property
    def networks(self) -> list[int]:
        """The indices of the networks."""
        return self._native.networks

    @property
    def seconds(self) -> float:
        """The simulated time."""
        return self._native.seconds

    @property
    def moment(self) -> str:
        """How far it has come, in words."""
        return f"{self.seconds:g} simulated seconds"

    @property
    def began(self) -> bool:
        """Whether any time has been simulated."""
        return self.seconds > 0

    @property
    def folder(self) -> str | None:
        """The run's folder; `None` if it is only in memory."""
        folder = self._native.folder
        return None if folder is None else os.fspath(folder)

    @property
    def stopped(self) -> str | None:
        """Why the simulation stopped: "limit" or "interrupted"."""
        return self._native.stopped

    def evaluate(self) -> dict[str, Any]:
        """The results of each network, from its metrics.

        Returns columns with a value for each network: `network`, `learnt` (`None` if it is too early to say), and the figures
        that `hebbian-rnn live` prints.
        """
        return self._native.verdicts()

    def simulate(self, seconds: float = 1.0, network: int = 0, watch: Sequence[str] = ()) -> Activity:
        """Simulates a network, by its place in `networks`, for another `seconds`, or a little longer up to the end of a block, with
        frozen weights. The run stays as it is. `watch`: the neurons whose membrane potentials are kept, such as "hidden.3"."""
        dt_ms, outputs, membranes = self._native.simulate(seconds, network, list(watch))
        return Activity(dt_ms, outputs, membranes, self.populations)

    def record(
        self, seconds: float, *, learn: bool = False, weights: bool = False, watch: Sequence[str] = ()
    ) -> dict[str, NDArray[Any]]:
        """Continues all networks for `seconds`, or a little longer up to the end of a block, and records every step; the run stays
        as it is. With `learn`, weights change as if the simulation had gone on; otherwise they are frozen.

        Returns, for S networks and T steps, `modulator` [S, T], what acts on the weights after each step (a reward or a prediction
        error); `level.PROJECTION` [S, T], what its rule keeps (dopamine, or a mean or expected reward); the world's signals [S, T],
        such as `value` and `reward`; for each network K `K.spikes.POPULATION` [n, 2], the step and the neuron of every spike, or
        `K.rates.POPULATION` [T, neurons]; with `weights`, `K.weights.PROJECTION` [blocks + 1, synapses] and the synapses' ends
        `K.pre.PROJECTION` and `K.post.PROJECTION`; with `watch`, such as ["hidden.3"], `membranes` [S, T, watched] in mV. `dt_ms`
        is the length of a step, `start_seconds` the time at which the recording begins, and `block_seconds` the time between
        weights.
        """
        arrays, about = self._native.record(seconds, learn, weights, list(watch))
        numbers = {name: np.array(float(about[name])) for name in ("dt_ms", "start_seconds", "block_seconds")}
        return {**arrays, **numbers}

    def save(self, path: str | os.PathLike[str], force: bool = False) -> LifeRun:
        """Writes a checkpoint if `path` ends in .safetensors, else a run's folder, and returns the saved run.

        The command can read both. `force`: if the folder already holds a run, it is moved aside.
        """
        self._native.save(os.fspath(path), force)
        return LifeRun(_native.load_life(os.fspath(path), self._world), self._world)

    def resume(self, **arguments: Any) -> LifeRun:
        """Continues the simulation as if it had never stopped: `live` with this run instead of a name.

        The arguments are `seconds`, `frozen_seconds`, `device` and `progress`; nothing else can change. `accept_edited=True`
        continues from an edited checkpoint. A run in a folder continues there.
        """
        from ._train import live

        return live(self, **arguments)

    def picture(self, watch: list[str] | None = None) -> str:
        """The figures over time, the weights, and the activity after the simulation, as SVG. `watch`: the neurons whose membrane
        potentials are drawn, such as "hidden.3"."""
        return self._native.pictures(watch or [])[0]

    def circuit(self) -> str:
        """Populations and projections, as SVG."""
        return self._native.pictures([])[1]

    def report(self, watch: list[str] | None = None) -> str:
        """Draws the pictures and writes the page into the run's folder; returns its path."""
        if self.folder is None:
            raise UsageError("this run is only in memory: save(folder) first")
        self._native.report(self.folder, watch or [])
        return os.path.join(self.folder, "report.html")
