"""Exceptions. Every error of this package, other than Ctrl-C, is a `HebbianError` and also the built-in that it resembles."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import LifeRun, Run

__all__ = [
    "ContentError",
    "DeviceError",
    "DivergedError",
    "FileError",
    "HebbianError",
    "InternalError",
    "Interrupted",
    "SettingError",
    "ShortageError",
    "TensorError",
    "UnknownNameError",
    "UsageError",
]


class HebbianError(Exception):
    """Any error of this package. Its text says what was found, what was expected, and what to do."""

    run: Run | LifeRun | None = None
    """The networks trained before it occurred, if training had begun."""


class SettingError(HebbianError, ValueError):
    """A setting has a value out of range or of the wrong type."""

    key: str
    """The dotted key, such as `network.neurons`."""
    found: str
    expected: str


class UnknownNameError(HebbianError, ValueError):
    """No task, rule, key, … has this name."""

    kind: str
    """What it should name: "task", "rule", "key", …."""
    found: str
    known: list[str]


class UsageError(HebbianError, ValueError):
    """The request is contradictory or impossible, such as incompatible settings."""


class TensorError(HebbianError, ValueError):
    """An array is missing, or has the wrong shape or type."""

    name: str
    found: str
    expected: str


class ContentError(HebbianError, ValueError):
    """The contents of a file are invalid, or your own task or world returned something invalid."""


class DeviceError(HebbianError, RuntimeError):
    """A device is not available, or does not support the request."""


class ShortageError(HebbianError, MemoryError):
    """A run does not fit into its device's memory."""


class DivergedError(HebbianError, ArithmeticError):
    """A network diverged, and `train.strict_numbers` is set."""

    network: int
    update: int


class FileError(HebbianError, OSError):
    """Reading or writing failed; `filename` and `errno` say where and why."""


class InternalError(HebbianError, RuntimeError):
    """An operation on tensors failed, or there is a bug in this package."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C stopped it. Everything is kept: in `run`, and in its folder if it has one."""

    def __init__(self, text: str, run: Run | LifeRun) -> None:
        super().__init__(text)
        self.run = run
