"""Scoring of data too large for one machine, with models that were trained in RAM.

The public API is what `__all__` names; nothing heavy is imported before it is used.
"""

from __future__ import annotations

import importlib as _importlib
from typing import TYPE_CHECKING, Any

from . import errors, events
from .version import __version__

if TYPE_CHECKING:
    from . import bundle, clusters, datasets, jobs, schedules
    from .bundle import pack
    from .draft import Draft, draft_job
    from .environment import doctor
    from .errors.registry import explain
    from .execute import plan, score, verify
    from .execute.profile import profile
    from .jobs import JobHandle, find_job, submit
    from .outputs.api import clean, compact, retry_rejected
    from .outputs.rejected import rejected
    from .report.read import read_report
    from .spec import ScoringJob, job, load_job

__all__ = [
    "Draft",
    "JobHandle",
    "ScoringJob",
    "__version__",
    "bundle",
    "clean",
    "clusters",
    "compact",
    "datasets",
    "doctor",
    "draft_job",
    "errors",
    "events",
    "explain",
    "find_job",
    "job",
    "jobs",
    "load_job",
    "pack",
    "plan",
    "profile",
    "read_report",
    "rejected",
    "retry_rejected",
    "schedules",
    "score",
    "submit",
    "verify",
]

_HOMES = {
    "Draft": "draft",
    "JobHandle": "jobs",
    "ScoringJob": "spec",
    "clean": "outputs.api",
    "compact": "outputs.api",
    "doctor": "environment",
    "draft_job": "draft",
    "explain": "errors.registry",
    "plan": "execute",
    "profile": "execute.profile",
    "find_job": "jobs",
    "job": "spec",
    "load_job": "spec",
    "pack": "bundle",
    "read_report": "report.read",
    "rejected": "outputs.rejected",
    "retry_rejected": "outputs.api",
    "score": "execute",
    "submit": "jobs",
    "verify": "execute",
}


_MODULES = ("bundle", "clusters", "datasets", "jobs", "schedules")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return _importlib.import_module(f".{name}", __name__)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_importlib.import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
