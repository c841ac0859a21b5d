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


def flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by their dotted keys: `rule={"eta": 1}` and `{"rule.eta": 1}` are the same; `None` is left out."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if value is None:
            continue
        if isinstance(value, Mapping):
            for inner, one in flat(value).items():
                put(found, f"{name}.{inner}", one)
        elif name in KEYS:
            put(found, KEYS[name], value)
        else:
            put(found, name, value)
    if isinstance(found.get("train.networks"), range):
        networks = found["train.networks"]
        found["train.networks"] = f"{networks.start}..{networks.stop}"
    return found


def put(found: dict[str, Any], key: str, value: Any) -> None:
    if key in found and found[key] != value:
        raise UsageError(f"{key} is given twice, as {found[key]!r} and {value!r}; give it once")
    found[key] = os.fspath(value) if isinstance(value, os.PathLike) else value
