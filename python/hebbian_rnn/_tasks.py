"""Your own tasks: functions that draw trials, arrays, and tasks from other packages."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from . import _native
from ._arrays import floats, plain, read, wrong
from .errors import ContentError, UsageError

if TYPE_CHECKING:
    from ._worlds import World

#: The result of a draw: arrays by name.
Trials = Mapping[str, Any]
Draw = Callable[..., Trials]

#: The arrays that a function may return, with the dimensions of each.
KNOWN = {
    "inputs": "[trials, T, n_in]",
    "targets": "[trials, T, n_out]",
    "mask": "[trials, T]",
    "type": "[trials]",
    "modulator": "[trials, T]",
    "steps": "[trials]",
}

#: The prefix of labels, [trials] each, which describe a trial for analyses.
LABEL = "label."


class Task:
    """A task made from a function that draws trials. `@task` creates it."""

    def __init__(
        self,
        draw: Draw,
        *,
        name: str | None = None,
        inputs: Sequence[str] | None = None,
        outputs: Sequence[str] | None = None,
        types: Sequence[str] | int = 1,
        measure: str = "absolute",
        correct_below: float = 0.5,
    ) -> None:
        self._draw = draw
        self._counts = "first" in inspect.signature(draw).parameters
        self.name: str = name or str(getattr(draw, "__name__", "task"))
        self._inputs = inputs
        self._outputs = outputs
        self.types = [f"type {k}" for k in range(types)] if isinstance(types, int) else list(types)
        self._measure = measure
        self._correct_below = correct_below
        if not self.types:
            raise UsageError("types is empty; expected the names of trial types, or how many there are")

    def __repr__(self) -> str:
        return f"<Task: {self.name}>"

    def __call__(self, rng: np.random.Generator, trials: int, first: int = 0) -> Trials:
        """Draws trials, as the function does."""
        return self._draw(rng, trials, **({"first": first} if self._counts else {}))

    def draw(self, seed: Sequence[int], trials: int, first: int = 0) -> dict[str, NDArray[Any]]:
        """Draws trials and checks them, for the native part."""
        drawn = self(np.random.default_rng(list(seed)), trials, first)
        if not isinstance(drawn, Mapping):
            kind = type(drawn).__name__
            raise ContentError(f"task `{self.name}` returned a {kind}; expected a dict of arrays: {', '.join(KNOWN)}")
        unknown = {key for key in drawn if key not in KNOWN and not key.startswith(LABEL)}
        if unknown:
            known = f"{', '.join(KNOWN)}, {LABEL}…"
            raise ContentError(f"task `{self.name}` returned `{min(unknown)}`; known are: {known}")
        found = {key: self._read(key, array) for key, array in drawn.items() if array is not None}
        self._check(found, trials)
        return found

    def _read(self, key: str, array: Any) -> NDArray[Any]:
        label = f"{self.name}: {key}"
        if key in ("type", "steps"):
            return plain(label, array).astype(np.int64)
        if key.startswith(LABEL):
            return np.ascontiguousarray(plain(label, array))
        if key == "mask":
            return np.ascontiguousarray(plain(label, array) != 0)
        return floats(label, array).astype(np.float32, copy=False)

    def _check(self, found: Mapping[str, NDArray[Any]], trials: int) -> None:
        for key in ("inputs", "targets"):
            if key not in found:
                raise wrong(f"{self.name}: {key}", "missing", KNOWN[key])
        shape = found["inputs"].shape
        steps = shape[1] if len(shape) == 3 else 0
        for key, array in found.items():
            of_trials = key in ("type", "steps") or key.startswith(LABEL)
            expected = (trials,) if of_trials else {"mask": (trials, steps), "modulator": (trials, steps)}.get(key)
            fits = array.shape == expected if expected else array.ndim == 3 and array.shape[:2] == (trials, steps)
            if not fits:
                also = f" and T = {steps}, as `inputs` has it" if steps else ""
                text = f"{KNOWN.get(key, '[trials]')} with {trials} trials{also}"
                raise wrong(f"{self.name}: {key}", f"of shape {list(array.shape)}", text)
        if "mask" in found and not found["mask"].any(axis=1).all():
            trial = int(np.argmin(found["mask"].any(axis=1)))
            raise wrong(f"{self.name}: mask", f"0 throughout trial {trial}", "at least one step that is judged")
        if "steps" in found and trials:
            odd = found["steps"][(found["steps"] < 1) | (found["steps"] > steps)]
            if len(odd):
                raise wrong(f"{self.name}: steps", str(odd[0]), f"1 to {steps}, the steps of `inputs`")
        if "type" in found and trials:
            strange = found["type"][(found["type"] < 0) | (found["type"] >= len(self.types))]
            if len(strange):
                known = f"0 to {len(self.types) - 1}: @task(types=…) says how many there are"
                raise wrong(f"{self.name}: type", str(strange[0]), known)

    @property
    def native(self) -> _native.OwnTask:
        """Its form for the native part."""
        # A first draw shows the sizes.
        sample = self.draw([0], 2)
        _, steps, n_in = sample["inputs"].shape
        names = list(self._inputs) if self._inputs is not None else [f"input {k}" for k in range(n_in)]
        if len(names) != n_in:
            raise UsageError(f"task `{self.name}` names {len(names)} inputs, but draws {n_in}")
        sizes = (steps, sample["targets"].shape[2])
        outputs = list(self._outputs) if self._outputs is not None else []
        if outputs and len(outputs) != sizes[1]:
            raise UsageError(f"task `{self.name}` names {len(outputs)} outputs, but draws {sizes[1]}")
        labels = [
            (key[len(LABEL) :], array.dtype.kind == "f") for key, array in sample.items() if key.startswith(LABEL)
        ]
        about = (names, outputs, self.types, labels)
        lengths_vary = "steps" in sample
        return _native.function_task(
            self.name, self.draw, about, sizes, lengths_vary, self._measure, self._correct_below
        )


@overload
def task(draw: Draw) -> Task: ...
@overload
def task(
    draw: None = None,
    *,
    name: str | None = None,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    types: Sequence[str] | int = 1,
    measure: str = "absolute",
    correct_below: float = 0.5,
) -> Callable[[Draw], Task]: ...
def task(draw: Draw | None = None, **options: Any) -> Task | Callable[[Draw], Task]:
    """Makes a task from a function that draws trials.

    The function gets a numpy random generator and the number of trials, and returns a dict of arrays: `inputs` [trials, T, n_in]
    and `targets` [trials, T, n_out]; optionally `mask` [trials, T], not 0 where outputs are judged (default: everywhere); `type`
    [trials], integers from 0 for trials whose rewards are compared with one another (default: all 0); `modulator` [trials, T], m(t)
    of the fast weights; `steps` [trials], the length of each trial, where some are shorter than T; `label.NAME` [trials], a
    property of each trial, for analyses: integers are classes, floating-point numbers are degrees. Every call must return the
    same arrays, with the same T, n_in and n_out.

    A function with a parameter `first` is also told the number of the first of these trials in the network's own count, as blocks
    need it: `kinds = np.arange(first, first + trials) // 50 % 2`.

    The generator depends only on the seed, the network and the trials, so a function that uses no other randomness gives the same
    networks each time. It is called in advance, on its own thread.

    name: in the configuration; default: the function's.
    inputs, outputs: their names, for pictures.
    types: the names of the trial types, or their number.
    measure: "absolute" or "squared", the difference of outputs and targets.
    correct_below: a trial with a smaller mean error is correct.
    """
    return Task(draw, **options) if draw is not None else lambda draw: Task(draw, **options)


def of_arrays(arrays: Trials, name: str = "trials") -> Task:
    """A task that draws from ready-made trials: arrays as a `@task` returns them."""
    ready = {
        key: plain(f"{name}: {key}", array) for key, array in arrays.items() if key in KNOWN or key.startswith(LABEL)
    }
    if "inputs" not in ready:
        raise wrong(f"{name}: inputs", "missing", KNOWN["inputs"])
    count = len(ready["inputs"])
    for key, array in ready.items():
        if array.ndim == 0 or len(array) != count:
            expected = f"{KNOWN.get(key, '[trials]')} with {count} trials, as `inputs` has"
            raise wrong(f"{name}: {key}", f"of shape {list(array.shape)}", expected)
    types = int(ready["type"].max()) + 1 if "type" in ready and count else 1
    # All types are equally likely, however many trials each has.
    of_type = [np.flatnonzero(ready["type"] == k) for k in range(types)] if "type" in ready else [np.arange(count)]
    for k, places in enumerate(of_type):
        if len(places) == 0:
            raise wrong(f"{name}: type", f"without any {k}", "every integer from 0 to the largest")

    def draw(rng: np.random.Generator, trials: int) -> Trials:
        kinds = rng.integers(types, size=trials)
        places = np.array([of_type[kind][rng.integers(len(of_type[kind]))] for kind in kinds], dtype=np.int64)
        return {key: array[places] for key, array in ready.items()}

    return Task(draw, name=name, types=types)


def native(given: Any) -> _native.OwnTask:
    """Your own task in the form for the native part."""
    if isinstance(given, _native.OwnTask):
        return given
    found = of_any(given)
    if isinstance(found, str):
        raise UsageError(f"task is {found!r}; expected your own task, not the name of one")
    return found.native


def of_any(given: Any) -> str | Task | World:
    """The task that `train` was given: a name, a task, arrays, a file, a PsychRNN task, or a source of environments."""
    from ._worlds import World, neurogym_env, world

    if isinstance(given, (Task, World)):
        return given
    if isinstance(given, (str, os.PathLike)):
        path = os.fspath(given)
        if not path.endswith((".npz", ".mat")):
            return path
        return of_arrays(read(path), os.path.splitext(os.path.basename(path))[0])
    if isinstance(given, Mapping):
        return of_arrays(given)
    if hasattr(given, "get_trial_batch"):
        return psychrnn(given)
    if hasattr(given, "new_trial"):
        return neurogym_env(given)
    if hasattr(given, "step") and hasattr(given, "reset"):
        return world(given)
    if callable(given):
        raise UsageError(f"{given!r} is a function; turn it into a task with @task")
    raise UsageError(f"task is a {type(given).__name__}; expected a name, a @task, a dict of arrays, or an environment")


def psychrnn(given: Any, *, name: str | None = None, **options: Any) -> Task:
    """A PsychRNN task (1.0): anything with `get_trial_batch`. It draws from numpy's global generator, which is seeded for
    each batch."""

    def draw(rng: np.random.Generator, trials: int) -> Trials:
        np.random.seed(int(rng.integers(2**32)))
        parts: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []
        drawn = 0
        while drawn < trials:
            parts.append(given.get_trial_batch()[:3])
            drawn += len(parts[-1][0])
        inputs, targets, mask = (np.concatenate(part)[:trials] for part in zip(*parts, strict=True))
        return {"inputs": inputs, "targets": targets, "mask": mask.any(axis=2)}

    return Task(draw, name=name or type(given).__name__, **options)


def neurogym_task(
    given: Any,
    *,
    settings: Mapping[str, Any] | None = None,
    steps: int | None = None,
    name: str | None = None,
    **options: Any,
) -> Task:
    """A trial-based NeuroGym task (1.x or 2.x), trained on its ground truth.

    Outputs, one for each action, should be 0.9 for the right one and -0.9 for the others throughout the last period. The trial
    type is the right action. A trial counts as correct if on average the right action was favoured over one other.

    given: an environment, or the name of one, which is created with `settings`, such as {"dt": 20}.
    steps: longer trials are not used; default: the longest of 100.
    """
    env = neurogym(given, settings)
    actions = env.action_space
    if not hasattr(actions, "n"):
        raise UsageError(f"{env!r} has the actions {actions}; expected a discrete set")

    def one(seed: int | None = None) -> tuple[NDArray[Any], NDArray[Any], int]:
        if seed is not None:
            env.seed(seed)
        env.new_trial()
        last = max(env.start_ind, key=lambda period: (env.end_ind[period], env.start_ind[period]))
        return np.asarray(env.ob, dtype=np.float32), np.asarray(env.gt), env.start_ind[last]

    most = steps or max(len(one(0 if k == 0 else None)[0]) for k in range(100))

    def draw(rng: np.random.Generator, trials: int) -> Trials:
        inputs = np.zeros((trials, most, env.observation_space.shape[0]), dtype=np.float32)
        targets = np.full((trials, most, int(actions.n)), -0.9, dtype=np.float32)
        mask, kind = np.zeros((trials, most), dtype=bool), np.zeros(trials, dtype=np.int64)
        seed: int | None = int(rng.integers(2**31))
        for k in range(trials):
            for _ in range(1000):
                ob, gt, start = one(seed)
                seed = None
                if len(ob) <= most:
                    break
            else:
                raise UsageError(f"{env!r}: none of 1000 trials had at most {most} steps")
            inputs[k, : len(ob)] = ob
            targets[k, np.arange(len(ob)), gt] = 0.9
            mask[k, start : len(ob)] = True
            kind[k] = gt[-1]
        return {"inputs": inputs, "targets": targets, "mask": mask, "type": kind}

    types = [f"action {k}" for k in range(int(actions.n))]
    options.setdefault("correct_below", 1.8 / int(actions.n))
    return Task(draw, name=name or type(env).__name__, types=types, **options)


class Names(ModuleType):
    """A module in which every name is an empty class."""

    def __getattr__(self, name: str) -> Any:
        """The class of that name."""
        return type(name, (), {})


def imported_neurogym() -> Any:
    """NeuroGym. Its tasks need no torch, but its wrappers, which it imports beside them, name classes of torch: where torch is
    missing, names without content take its place for the import."""
    if find_spec("torch") is not None or "neurogym" in sys.modules:
        return import_module("neurogym")
    torch, layers = Names("torch"), Names("torch.nn")
    torch.nn = layers  # type: ignore[attr-defined]
    sys.modules.update({"torch": torch, "torch.nn": layers})
    try:
        return import_module("neurogym")
    finally:
        del sys.modules["torch"], sys.modules["torch.nn"]


def neurogym(given: Any, settings: Mapping[str, Any] | None) -> Any:
    """A NeuroGym environment, given itself or its name, without wrappers."""
    if isinstance(given, str):
        given = imported_neurogym().make(given, **(settings or {}))
    env = getattr(given, "unwrapped", given)
    if not hasattr(env, "new_trial"):
        raise UsageError(f"{env!r} has no trials; expected a NeuroGym task")
    return env
