"""A pickle that joblib maps into memory, in which what a script or notebook defines travels by value."""

from __future__ import annotations

import pickle
import sys
import types
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
from joblib.numpy_pickle import NumpyPickler

PROTOCOL = 5
"""Fixed, so that a newer Python's default does not change digests."""

_TREES = ("sklearn.neighbors._kd_tree", "sklearn.neighbors._ball_tree")


def dump(estimator: Any, path: Path) -> tuple[str, ...]:
    """Write `estimator` to `path`, uncompressed; the names of what travels by value."""
    with path.open("wb") as file:
        pickler = _Pickler(file, protocol=PROTOCOL)
        pickler.dump(estimator)
    return tuple(sorted(pickler.by_value))


class _Pickler(NumpyPickler):  # type: ignore[misc]
    """joblib's pickler, with cloudpickle for what no other process can import."""

    def __init__(self, file: Any, protocol: int) -> None:
        super().__init__(file, protocol=protocol)
        self.by_value: set[str] = set()
        self._equals: dict[Any, Any] = {}

    def save(self, obj: Any) -> None:
        if type(obj) is str or isinstance(obj, np.dtype):
            # Which equal texts are one object depends on who made the model; its digest must not.
            obj = self._equals.setdefault(obj, obj)
        if type(obj) is np.memmap:
            obj = obj.view(np.ndarray)
        # joblib hands arrays of objects to a plain pickler, which knows neither us nor memory maps.
        if type(obj) is np.ndarray and obj.dtype.hasobject:
            pickle._Pickler.save(self, obj)  # type: ignore[attr-defined]
        else:
            super().save(obj)

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type | types.FunctionType) and not is_importable(obj):
            self.by_value.add(f"{obj.__module__}.{obj.__qualname__}")
            return pickle.loads, (cloudpickle.dumps(obj, protocol=PROTOCOL),)
        if type(obj) in (set, frozenset) and all(type(item) is str for item in obj):
            # Sets of texts have another order in each process; a digest must not.
            return type(obj), (sorted(obj),)
        if type(obj).__module__ in _TREES:
            return _without_statistics(obj)
        return NotImplemented


def _without_statistics(tree: Any) -> Any:
    """What pickles a k-d or ball tree, its counts of past queries put back to zero."""
    make, arguments, state = tree.__reduce__()
    if state[7:10] != tree.get_tree_stats():
        return make, arguments, state
    return make, arguments, (*state[:7], 0, 0, 0, 0, *state[11:])


def is_importable(obj: Any) -> bool:
    """Return whether another process can import the class or function `obj` by its name."""
    module = getattr(obj, "__module__", None)
    if module == "__main__":
        return False
    if isinstance(obj, type) and "<locals>" not in obj.__qualname__:
        return True
    found: Any = sys.modules.get(module or "")
    for name in obj.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is obj
