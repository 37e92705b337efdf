"""What the other layers use of the stores; fsspec stays behind it."""

from __future__ import annotations

from scoremill.spec import JobSpec

from .listing.find import Findings, find, find_outputs
from .store import Store
from .stores.commit import Publication
from .stores.objects import Found, ObjectInfo
from .uri import is_local

__all__ = [
    "Findings",
    "Found",
    "ObjectInfo",
    "Publication",
    "Store",
    "find",
    "find_outputs",
    "is_local",
    "output_store",
]


def output_store(spec: JobSpec) -> Store:
    """The store of a job's output."""
    return Store(spec.output.uri, spec.output_storage)
