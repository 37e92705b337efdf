"""Scoring of data too large for one machine, with models that were trained in RAM.

The public API is what `__all__` names; nothing heavy is imported before it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from scoremill.bundle import pack
    from scoremill.execute import build_plan, score, verify
    from scoremill.spec import ScoringJob, load_job

__all__ = ["ScoringJob", "__version__", "build_plan", "load_job", "pack", "score", "verify"]

_HOMES = {
    "ScoringJob": "spec",
    "build_plan": "execute",
    "load_job": "spec",
    "pack": "bundle",
    "score": "execute",
    "verify": "execute",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
