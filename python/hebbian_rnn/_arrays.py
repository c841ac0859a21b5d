"""Arrays of any kind as numpy arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import TensorError


def wrong(name: str, found: str, expected: str) -> TensorError:
    """The error for an invalid array."""
    error = TensorError(f"array `{name}` is {found}; expected {expected}")
    error.name, error.found, error.expected = name, found, expected
    return error


def plain(name: str, array: Any) -> NDArray[Any]:
    """An array as a contiguous numpy array; a torch tensor is copied from its device."""
    if hasattr(array, "detach"):
        array = array.detach().cpu()
    found = np.asarray(array)
    if found.dtype.kind not in "fiub":
        raise wrong(name, f"of {found.dtype}, shape {list(found.shape)}", "real numbers")
    return np.ascontiguousarray(found)


def floats(name: str, array: Any) -> NDArray[Any]:
    """An array in single or double precision, each number finite."""
    found = plain(name, array)
    if found.dtype not in (np.float32, np.float64):
        found = found.astype(np.float32 if found.dtype == np.float16 else np.float64)
    return finite(name, found)


def finite(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """The array, if all of its numbers are finite."""
    # One pass in the usual case.
    if not np.isfinite(array.sum(dtype=np.float64)):
        places = np.argwhere(~np.isfinite(array))
        if len(places):
            place = [int(k) for k in places[0]]
            raise wrong(name, f"{array[tuple(place)]} at {place}", "finite numbers")
    return array


def read(path: str) -> Mapping[str, Any]:
    """The arrays in a .npz file or a MATLAB file."""
    if path.endswith(".npz"):
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    from scipy.io import loadmat  # type: ignore[import-untyped,unused-ignore]

    arrays = {name: array for name, array in loadmat(path).items() if not name.startswith("__")}
    # MATLAB has no one-dimensional arrays.
    return {name: array.ravel() if name == "type" else array for name, array in arrays.items()}
