"""What the other layers use of the stores; fsspec stays behind it."""

from __future__ import annotations

from .commit import Publication
from .find import Findings, find, find_outputs
from .objects import Found, ObjectInfo
from .store import Store
from .uri import is_local

__all__ = ["Findings", "Found", "ObjectInfo", "Publication", "Store", "find", "find_outputs", "is_local"]
