"""Recurrent networks that learn by reward-modulated Hebbian plasticity: many networks and trials in parallel.

    import hebbian_rnn as hr

    run = hr.train("dnms", networks=4, until_criterion=True)
    run                       # in a notebook: its learning curve
    run.weights["w_rec"]      # a numpy array, [networks, post, pre]
    run.evaluate()            # frozen weights, fresh trials

    life = hr.live("xor-rate")  # spiking networks that learn while they are simulated
    life.weights["hidden-output"]

Tasks are named (`hebbian-rnn tasks` lists them), or are yours: a function with `@task`, arrays, an environment of
Gymnasium or NeuroGym.
"""

from __future__ import annotations

import os as _os

# Otherwise every matrix product asks the system for the number of processors. This is the number that would be used anyway.
_os.environ.setdefault(
    "RAYON_NUM_THREADS",
    str(len(_os.sched_getaffinity(0)) if hasattr(_os, "sched_getaffinity") else _os.cpu_count() or 1),
)

from . import errors, loggers
from ._lives import Activity, LifeRun, LifeWorld, LifeWorldState, Synapses
from ._native import Progress, __version__, explain
from ._run import Findings, Run, load
from ._sweep import Sweep, collect_sweep, run_job, sweep
from ._tables import Table, lives, rules, tasks
from ._tasks import Task, neurogym_task, psychrnn, task
from ._train import Training, live, start, start_life, train
from ._worlds import World, neurogym_env, world

__all__ = [
    "Activity",
    "Findings",
    "LifeRun",
    "LifeWorld",
    "LifeWorldState",
    "Progress",
    "Run",
    "Sweep",
    "Synapses",
    "Table",
    "Task",
    "Training",
    "World",
    "__version__",
    "collect_sweep",
    "errors",
    "explain",
    "live",
    "lives",
    "load",
    "loggers",
    "neurogym_env",
    "neurogym_task",
    "psychrnn",
    "rules",
    "run_job",
    "start",
    "start_life",
    "sweep",
    "task",
    "tasks",
    "train",
    "world",
]
