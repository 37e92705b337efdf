"""What a store says of its objects."""

from __future__ import annotations

from dataclasses import dataclass

MOST_CHILDREN = 1000
"""Names that one look into a folder gives at most."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object, as its store describes it."""

    name: str
    """Below the store's root, with `/` between folders."""
    size: int
    """Size in bytes."""
    version: str
    """Changes whenever the content does: an ETag, a generation, or size and time in nanoseconds."""
    modified: float
    """Seconds since the epoch by the store's clock; 0.0 if it reports none."""


@dataclass(frozen=True, slots=True)
class Found:
    """One object that a URI or glob stands for: `Store(root).read(name)` reads it."""

    root: str
    """URI of its bucket; elsewhere of the folder before the first glob character."""
    name: str
    """Below `root`, with `/` between folders."""
    size: int
    """Size in bytes."""
    version: str
    """As in ObjectInfo."""
    modified: float
    """As in ObjectInfo."""
