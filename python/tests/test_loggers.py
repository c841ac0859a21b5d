"""Logs are read back as the tools read them."""

from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL

import hebbian_rnn as hr


def test_tensorboard_shows_every_update(tmp_path: Path) -> None:
    writers = pytest.importorskip("tensorboardX")
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with writers.SummaryWriter(str(tmp_path)) as writer:
        logger = hr.loggers.TensorBoard(writer)
        run = hr.train("dnms", updates=6, **{**SMALL, "progress": logger})
        logger.log_run(run)
    events = reader.EventAccumulator(str(tmp_path))
    events.Reload()
    assert "error" in events.Tags()["scalars"]
    found = events.Scalars("error/network_1")
    own = run.metrics["network"] == 1
    assert [event.step for event in found] == run.metrics["trials"][own].tolist()
    assert [event.value for event in found] == pytest.approx(run.metrics["error"][own], rel=1e-6)


class Recorded:
    """What `wandb.init` returns, as far as it is used."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, dict[str, float]]] = []

    def log(self, values: dict[str, float], step: int) -> None:
        self.rows.append((step, values))


def test_weights_and_biases_get_means_and_networks() -> None:
    recorded = Recorded()
    logger = hr.loggers.WandB(recorded)
    run = hr.train("cartpole", updates=5, **{**SMALL, "progress": logger})
    seen = [step for step, values in recorded.rows if "return" in values]
    assert seen == sorted(set(seen)) and seen[-1] == run.trials
    logger.log_run(run)
    last = recorded.rows[-1][1]
    newest = run.metrics["trials"] == run.trials
    assert last["return/network_0"] == pytest.approx(run.metrics["mean_return"][newest][0])
    assert np.isfinite(list(last.values())).all()
