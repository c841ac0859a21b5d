"""Settings as keyword arguments."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .errors import UsageError

#: Arguments that are short for a configuration key.
KEYS = {
    "networks": "train.networks",
    "batch": "train.batch",
    "trials": "train.trials",
    "updates": "train.updates",
    "until_criterion": "train.until_criterion",
    "seed": "train.seed",
    "device": "train.device",
    "dtype": "train.dtype",
    "rule": "rule.name",
    "neurons": "network.neurons",
}


#: The same for simulations.
LIFE_KEYS = {
    "networks": "life.networks",
    "seconds": "life.seconds",
    "frozen_seconds": "life.frozen_seconds",
    "seed": "life.seed",
    "device": "life.device",
    "dtype": "life.dtype",
}


def flat(settings: Mapping[str, Any], keys: Mapping[str, str] = KEYS) -> dict[str, Any]:
    """Settings by their dotted keys: `rule={"eta": 1}` and `{"rule.eta": 1}` are the same; `None` is left out."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if value is None:
            continue
        if isinstance(value, Mapping):
            for inner, one in flat(value, keys).items():
                put(found, f"{name}.{inner}", one)
        elif name in keys:
            put(found, keys[name], value)
        else:
            put(found, name, value)
    for key in ("train.networks", "life.networks"):
        if isinstance(found.get(key), range):
            found[key] = f"{found[key].start}..{found[key].stop}"
    return found


def put(found: dict[str, Any], key: str, value: Any) -> None:
    if key in found and found[key] != value:
        raise UsageError(f"{key} is given twice, as {found[key]!r} and {value!r}; give it once")
    found[key] = os.fspath(value) if isinstance(value, os.PathLike) else value
