from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, final

from numpy.typing import NDArray

__all__ = [
    "OwnTask",
    "Progress",
    "Run",
    "Training",
    "__version__",
    "explain",
    "function_task",
    "leave",
    "load",
    "start",
    "world_task",
    "write",
]
__version__: str

@final
class OwnTask: ...

@final
class Progress:
    """How far a training is."""

    @property
    def updates(self) -> int:
        """Updates so far."""
    @property
    def limit(self) -> int | None:
        """Updates at which it stops; `None` if no number is set."""
    @property
    def trials(self) -> int:
        """Trials of each network so far."""
    @property
    def measured(self) -> str:
        """What is measured: "error" or, in a world, "return"."""
    @property
    def mean(self) -> float:
        """Its mean over networks in the newest update."""
    @property
    def correct(self) -> float:
        """Fraction correct among the last 100 trials, mean over networks."""
    @property
    def trials_per_second(self) -> float:
        """Trials of all networks in a second of this training."""
    @property
    def seconds(self) -> float:
        """Seconds since it began."""
    @property
    def warnings(self) -> list[str]:
        """Warnings so far, such as that a file could not be written."""

@final
class Training:
    def wait(self, timeout: float | None = None, on_progress: Callable[[Progress], object] | None = None) -> bool: ...
    @property
    def progress(self) -> Progress: ...
    @property
    def ended(self) -> bool: ...
    def pause(self) -> None: ...
    def proceed(self) -> None: ...
    def abort(self) -> None: ...
    def inspect(self) -> Run: ...
    def run(self) -> Run: ...
    def failure(self) -> Exception | None: ...

@final
class Run:
    def tensors(self) -> dict[str, NDArray[Any]]: ...
    def weight_names(self) -> list[str]: ...
    def metrics(self) -> dict[str, NDArray[Any]]: ...
    def config(self) -> dict[str, Any]: ...
    @property
    def updates(self) -> int: ...
    @property
    def trials(self) -> int: ...
    @property
    def folder(self) -> PathLike[str] | None: ...
    @property
    def stopped(self) -> str | None: ...
    @property
    def edited(self) -> bool: ...
    @property
    def criterion_trials(self) -> list[int | None]: ...
    def evaluate(self, trials: int, seed: int | None) -> dict[str, NDArray[Any]]: ...
    def simulate(
        self, inputs: Mapping[str, NDArray[Any]], record: Sequence[str], seed: int | None
    ) -> dict[str, NDArray[Any]]: ...
    def save(self, path: str, force: bool) -> None: ...
    def resume(self, given: Mapping[str, Any], accept_edited: bool, task: OwnTask | None) -> Training: ...
    def analyse(
        self, name: str, trials: int | None, seed: int | None
    ) -> tuple[
        str, tuple[dict[str, tuple[str, list[tuple[str, float]]]], dict[str, dict[str, list[str]]], dict[str, str]]
    ]: ...
    def report(self, analyses: bool, trials: int) -> str: ...
    def learning_curve(self, log: bool) -> str: ...
    def describe(self) -> str: ...

def start(task: str | OwnTask, given: Mapping[str, Any], out: str | None, force: bool, automatic: bool) -> Training: ...
def load(path: str, task: OwnTask | None = None) -> Run: ...
def function_task(
    name: str,
    draw: Callable[[Sequence[int], int, int], Mapping[str, NDArray[Any]]],
    about: tuple[Sequence[str], Sequence[str], Sequence[str], Sequence[tuple[str, bool]]],
    sizes: tuple[int, int],
    lengths_vary: bool,
    measure: str,
    correct_below: float,
) -> OwnTask: ...
def world_task(world: Any) -> OwnTask: ...
def write(path: str, bytes: bytes) -> None: ...
def leave() -> None: ...
def explain(name: str) -> str: ...
