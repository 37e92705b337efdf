"""joblib's pickle, uncompressed: its arrays are mapped into memory, one copy for all processes of a machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import joblib

from ..packing import pickling

ARTIFACT = "model.joblib"


def dump(estimator: Any, path: Path) -> dict[str, Any]:
    """Write `estimator` to `path`."""
    return {"by_value": list(pickling.dump(estimator, path))}


def load(path: Path, facts: dict[str, Any], trusted_types: Sequence[str] = ()) -> Any:
    """The estimator in `path`; its arrays are read-only."""
    return joblib.load(path, mmap_mode="r")
