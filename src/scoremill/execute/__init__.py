"""Run a job: the coordinator of a run, datasets, and the Python API."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import engine_for, plan, prepare_job, preview, score, verify
    from .coordinator.run import execute

_HOMES = {
    "plan": "api",
    "engine_for": "api",
    "execute": "coordinator.run",
    "prepare_job": "api",
    "preview": "api",
    "score": "api",
    "verify": "api",
}

__all__ = ["engine_for", "execute", "plan", "prepare_job", "preview", "score", "verify"]


def __getattr__(name: str) -> Any:
    # Lazy, so that an invalid job fails before scikit-learn and Dask are loaded.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
