"""Training in TensorBoard and Weights & Biases.

    from torch.utils.tensorboard import SummaryWriter  # or tensorboardX
    hr.train("dnms", progress=hr.loggers.TensorBoard(SummaryWriter("logs/dnms")))

    hr.train("dnms", progress=hr.loggers.WandB(wandb.init(project="dnms")))

A logger is the `progress` of `train`, `live`, `start(…).wait` and so on: it logs the means over networks while the run proceeds.
`log_run` logs every update of every network once the run has ended.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._native import Progress
from ._run import Run


def _values(progress: Progress) -> dict[str, float]:
    values = {progress.measured: progress.mean, "correct": progress.correct}
    values["trials_per_second"] = progress.trials_per_second
    return {name.replace(" ", "_"): value for name, value in values.items() if np.isfinite(value)}


class _Logger:
    """Logs the progress once for each update at which it is seen."""

    def __init__(self) -> None:
        self._seen = 0

    def __call__(self, progress: Progress) -> None:
        """Logs where the run is now."""
        if progress.updates > self._seen:
            self._seen = progress.updates
            self._log(_values(progress), progress.trials)

    def _log(self, values: dict[str, float], trials: int) -> None:
        raise NotImplementedError

    def log_run(self, run: Run) -> None:
        """Logs the error (or return) and the fraction correct of every network in every update of a run."""
        metrics = run.metrics
        measured = "return" if "mean_return" in metrics else "error"
        column = metrics["mean_return" if measured == "return" else "error"]
        for trials in np.unique(metrics["trials"]):
            rows = metrics["trials"] == trials
            values = {
                f"{measured}/network_{network}": float(value)
                for network, value in zip(metrics["network"][rows], column[rows], strict=True)
                if np.isfinite(value)
            }
            self._log(values, int(trials))


class TensorBoard(_Logger):
    """Logs to a `SummaryWriter`, against trials per network."""

    def __init__(self, writer: Any) -> None:
        super().__init__()
        self._writer = writer

    def _log(self, values: dict[str, float], trials: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, trials)


class WandB(_Logger):
    """Logs to a run of Weights & Biases, as `wandb.init` returns it, against trials per network."""

    def __init__(self, run: Any) -> None:
        super().__init__()
        self._run = run

    def _log(self, values: dict[str, float], trials: int) -> None:
        self._run.log({**values, "trials": trials}, step=trials)
