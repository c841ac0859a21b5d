"""A progress bar for training, in a terminal or a notebook."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from ._native import Progress


def _line(progress: Progress) -> str:
    done = f"{progress.updates}" if progress.limit is None else f"{progress.updates}/{progress.limit}"
    turns = "blocks" if progress.measured == "simulated seconds" else "updates"
    return f"{done} {turns}  {progress.text}"


def _in_terminal(progress: Progress) -> None:
    width = 30
    full = 0 if not progress.limit else round(width * min(1.0, progress.updates / progress.limit))
    sys.stderr.write(f"\r\x1b[K{'█' * full}{'░' * (width - full)} {_line(progress)}")
    sys.stderr.flush()


@contextmanager
def shown(progress: bool | Callable[[Progress], object] | None) -> Iterator[Callable[[Progress], object] | None]:
    """The function to call with the progress of training."""
    if callable(progress):
        yield progress
    elif progress is False:
        yield None
    elif "ipykernel" in sys.modules:
        display: Any = import_module("IPython.display").display
        handle = display({"text/plain": ""}, raw=True, display_id=True)
        yield lambda now: handle.update({"text/plain": _line(now)}, raw=True)
        handle.update({"text/plain": ""}, raw=True)
    elif progress or sys.stderr.isatty():
        yield _in_terminal
        sys.stderr.write("\r\x1b[K")
    else:
        yield None
