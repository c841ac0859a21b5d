"""Gymnasium and NeuroGym environments to train in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from . import _native
from ._tasks import neurogym
from .errors import ContentError, UsageError

Array = NDArray[Any]


class Bank(Protocol):
    """Copies of an environment that take their steps together."""

    def reset(self, seeds: Sequence[int]) -> Array:
        """Starts an episode in each; returns observations [copies, …]."""

    def step(self, actions: Array, living: Array) -> tuple[Array, Array, Array, Array]:
        """Takes a step in the running ones; returns observations, rewards, and which were terminated and which truncated."""


class Vector:
    """A Gymnasium vector environment. Copies whose episode has ended start others, which are ignored."""

    def __init__(self, env: Any) -> None:
        self._env = env
        mode = env.metadata.get("autoreset_mode")
        self._resets_itself = getattr(mode, "name", str(mode)).upper() != "DISABLED"
        self._one_seed = False

    def reset(self, seeds: Sequence[int]) -> Array:
        # Unused copies start too.
        spare = [0] * (self._env.num_envs - len(seeds))
        if not self._one_seed:
            try:
                return self._env.reset(seed=[*seeds, *spare])[0][: len(seeds)]  # type: ignore[no-any-return]
            except Exception:
                # Array-based environments have one generator for all copies.
                self._one_seed = True
        return self._env.reset(seed=seeds[0])[0][: len(seeds)]  # type: ignore[no-any-return]

    def step(self, actions: Array, living: Array) -> tuple[Array, Array, Array, Array]:
        env, used = self._env, len(living)
        if used < env.num_envs:
            spare = np.repeat(actions[:1], env.num_envs - used, axis=0)
            actions = np.concatenate([actions, spare])
        if not self._resets_itself:
            over = np.ones(env.num_envs, dtype=bool)
            over[:used] = ~living
            if over.any():
                env.reset(options={"reset_mask": over})
        observations, rewards, terminated, truncated, _ = env.step(actions)
        return observations[:used], rewards[:used], terminated[:used], truncated[:used]


class Single:
    """Separate environments, of which only the running ones take steps."""

    def __init__(self, envs: Sequence[Any]) -> None:
        self._envs = envs
        self._seen: list[Any] = []

    def reset(self, seeds: Sequence[int]) -> Array:
        self._seen = [env.reset(seed=seed)[0] for env, seed in zip(self._envs, seeds, strict=True)]
        return np.asarray(self._seen)

    def step(self, actions: Array, living: Array) -> tuple[Array, Array, Array, Array]:
        rewards = np.zeros(len(living))
        terminated, truncated = np.zeros(len(living), dtype=bool), np.zeros(len(living), dtype=bool)
        for k in np.flatnonzero(living):
            self._seen[int(k)], rewards[k], terminated[k], truncated[k], _ = self._envs[int(k)].step(actions[k])
        return np.asarray(self._seen), rewards, terminated, truncated


class OneTrial:
    """A NeuroGym task as an environment: an episode is a trial."""

    def __init__(self, env: Any) -> None:
        self._env = env

    def reset(self, seed: int) -> tuple[Array, dict[str, Any]]:
        env = self._env
        env.seed(seed)
        # Its own reset takes a random step.
        env.t = env.t_ind = 0
        env.new_trial()
        return np.asarray(env.ob[0]), {}

    def step(self, action: Any) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        seen, reward, terminated, truncated, info = self._env.step(action)
        return seen, reward, terminated or info["new_trial"], truncated, info


class World:
    """An environment to train in. `world` creates it."""

    def __init__(
        self,
        bank: Callable[[int], Bank],
        sample: Any,
        *,
        copies: int | None,
        name: str,
        limit: int | None,
        solved: float | None,
        sizes: Sequence[float] | None,
    ) -> None:
        self.name = name
        self._bank = bank
        self._banks: dict[int, Bank] = {}
        self._now: Bank | None = None
        self._turn = threading.Lock()
        #: The number of copies; `None`: as many as needed.
        self.copies = copies
        observed = getattr(sample, "single_observation_space", None) or sample.observation_space
        acted = getattr(sample, "single_action_space", None) or sample.action_space
        self._one_hot: int | None = None
        if hasattr(observed, "n"):
            self._one_hot = int(observed.n)
            width, usual = self._one_hot, [1.0] * self._one_hot
        elif getattr(observed, "shape", None) and hasattr(observed, "high"):
            width = int(np.prod(observed.shape))
            # Bounds that are never reached say nothing about the size.
            high = np.maximum(np.abs(observed.high), np.abs(observed.low)).astype(np.float64).ravel()
            usual = [float(h) if 0 < h < 1e6 else 1.0 for h in high]
        else:
            raise UsageError(
                f"`{name}` has the observations {observed}; expected a Box or Discrete (gymnasium's FlattenObservation helps)"
            )
        self.sizes = usual if sizes is None else [float(size) for size in sizes]
        if len(self.sizes) != width or not all(0 < size < np.inf for size in self.sizes):
            raise UsageError(f"sizes is {self.sizes}; expected {width} positive numbers, one for each observation")
        self.width = width
        self.actions: int | tuple[list[float], list[float]]
        self._action_shape: tuple[int, ...] = ()
        self._first = 0
        if hasattr(acted, "n") and not getattr(acted, "shape", ()):
            self.actions, self._first = int(acted.n), int(getattr(acted, "start", 0))
        elif hasattr(acted, "high") and np.isfinite(acted.high).all() and np.isfinite(acted.low).all():
            self._action_shape = acted.shape
            self.actions = (acted.low.astype(float).ravel().tolist(), acted.high.astype(float).ravel().tolist())
        else:
            raise UsageError(f"`{name}` has the actions {acted}; expected a Discrete, or a Box with bounds")
        spec = specification(sample)
        found = limit if limit is not None else getattr(spec, "max_episode_steps", None)
        if found is None:
            raise UsageError(f"`{name}` has no step limit; set one with world(…, limit=…)")
        self.limit = int(found)
        threshold = solved if solved is not None else getattr(spec, "reward_threshold", None)
        self.solved = float("inf") if threshold is None else float(threshold)

    def __repr__(self) -> str:
        return f"<World: {self.name}>"

    def reset(self, seeds: Sequence[int]) -> Array:
        """Starts an episode in one copy per seed, once no other thread uses them; called by the native part."""
        self._turn.acquire()
        count = self.copies or len(seeds)
        if count not in self._banks:
            self._banks[count] = self._bank(count)
        self._now = self._banks[count]
        return self._seen(self._now.reset(seeds), len(seeds))

    def step(self, actions: Array, living: Array) -> tuple[Array, Array, Array, Array]:
        """Takes a step in the running copies."""
        assert self._now is not None
        if isinstance(self.actions, int):
            chosen: Array = actions[:, 0].astype(np.int64) + self._first
        else:
            chosen = np.clip(actions, *self.actions).astype(np.float32).reshape(len(actions), *self._action_shape)
        observations, rewards, terminated, truncated = self._now.step(chosen, living)
        rewards = np.ascontiguousarray(rewards, dtype=np.float64)
        if rewards.shape != living.shape or not np.isfinite(rewards[living]).all():
            raise ContentError(f"`{self.name}` gave the rewards {rewards}; expected {len(living)} finite numbers")
        over = [np.ascontiguousarray(flags, dtype=bool) for flags in (terminated, truncated)]
        return self._seen(observations, len(living)), rewards, over[0], over[1]

    def leave(self) -> None:
        """Lets others start episodes."""
        self._turn.release()

    def _seen(self, observations: Any, count: int) -> Array:
        found = np.asarray(observations)
        if self._one_hot is not None:
            found = np.eye(self._one_hot)[found.astype(np.int64).ravel()]
        if found.size != count * self.width or not np.isfinite(found).all():
            what = (
                f"observations of shape {list(found.shape)}"
                if found.size != count * self.width
                else "an observation that is not finite"
            )
            raise ContentError(f"`{self.name}` gave {what}; expected {count} of {self.width} finite numbers")
        return np.ascontiguousarray(found, dtype=np.float64).reshape(count, self.width)

    @property
    def native(self) -> _native.OwnTask:
        """What the native part knows it by."""
        return _native.world_task(self)


def specification(env: Any) -> Any:
    """Gymnasium's registry entry for an environment, or for those in a vector environment."""
    spec = getattr(env, "spec", None)
    if spec is None and hasattr(env, "get_attr"):
        spec = env.get_attr("spec")[0]
    return spec


def world(
    given: Any,
    *,
    name: str | None = None,
    limit: int | None = None,
    solved: float | None = None,
    sizes: Sequence[float] | None = None,
) -> World:
    """A Gymnasium environment to train in.

    given: a vector environment, whose number of environments limits networks times batch; or the name of an environment, or a
        function that makes one, called as often as needed.
    name: in the configuration; default: the environment's.
    limit: the number of steps after which an episode is truncated; default: the environment's own.
    solved: the mean return that counts as solved; default: the environment's own.
    sizes: each observation is divided by its size before a network sees it; default: its bounds if it has any, else 1.

    Each episode starts from its own seed: it is repeatable if the environment's randomness is.
    """
    if hasattr(given, "num_envs"):
        label = name or getattr(specification(given), "id", None) or type(given).__name__
        return World(
            lambda _: Vector(given),
            given,
            copies=int(given.num_envs),
            name=label,
            limit=limit,
            solved=solved,
            sizes=sizes,
        )
    if isinstance(given, str):
        import gymnasium

        made = given

        def given() -> Any:
            return gymnasium.make(made)

    elif not callable(given) or (hasattr(given, "step") and not isinstance(given, type)):
        raise UsageError(
            f"{given!r} is a single environment; expected a vector environment, or a function that makes one"
        )
    sample = given()
    label = name or getattr(specification(sample), "id", None) or type(sample).__name__

    def bank(count: int) -> Bank:
        return Single([given() for _ in range(count)])

    return World(bank, sample, copies=None, name=label, limit=limit, solved=solved, sizes=sizes)


def neurogym_env(
    given: Any,
    *,
    settings: Mapping[str, Any] | None = None,
    name: str | None = None,
    limit: int | None = None,
    solved: float | None = None,
    sizes: Sequence[float] | None = None,
) -> World:
    """A trial-based NeuroGym task (1.x or 2.x) as an environment: an episode is a trial, and its rewards are the only feedback.

    given: the name of an environment, which is created with `settings`, such as {"dt": 20}; or one to copy.
    limit: the number of steps after which a trial is truncated; default: the longest of 100 trials.
    """
    from copy import deepcopy

    sample = neurogym(given, settings)
    if limit is None:
        trials = (sample.new_trial() for _ in range(100))
        limit = max(len(sample.ob) for _ in trials)

    def bank(count: int) -> Bank:
        return Single([OneTrial(deepcopy(sample)) for _ in range(count)])

    return World(bank, sample, copies=None, name=name or type(sample).__name__, limit=limit, solved=solved, sizes=sizes)
