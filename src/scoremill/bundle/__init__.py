"""A model as it is shipped: packed with proof, opened without unpickling, loaded once a process."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .load import LoadedModel, load_estimator, load_model
    from .packing.pack import PackWarning, pack
    from .read import inspect, open_bundle, verify_bundle
    from .results import call
    from .schema import Bundle
    from .threads import limit_threads

_HOMES = {
    "Bundle": "schema",
    "LoadedModel": "load",
    "PackWarning": "packing.pack",
    "call": "results",
    "inspect": "read",
    "limit_threads": "threads",
    "load_estimator": "load",
    "load_model": "load",
    "open_bundle": "read",
    "pack": "packing.pack",
    "verify_bundle": "read",
}

__all__ = [
    "Bundle",
    "LoadedModel",
    "PackWarning",
    "call",
    "inspect",
    "limit_threads",
    "load_estimator",
    "load_model",
    "open_bundle",
    "pack",
    "verify_bundle",
]


def __getattr__(name: str) -> Any:
    # Only who packs or scores pays for pandas and scikit-learn.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
