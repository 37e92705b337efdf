"""Which model scores, and what of it is trusted."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import Digest, Spec
from .storage import Storage

Method = Literal["predict", "predict_proba", "predict_log_proba", "decision_function", "transform", "score_samples"]
"""The methods of scikit-learn's estimators that give one result for each row."""

BATCH_ROWS = 131_072
"""Rows in one call of the model: the fastest of those tried, and part of a partition's id."""


class Model(Spec):
    """A bundle, made by `scoremill model pack`."""

    uri: Annotated[str, Field(min_length=1, max_length=2048)]
    """Folder or prefix of the bundle."""
    digest: Digest | None = None
    """The digest that the bundle must have. A remote pickle runs only with it, or from a trusted prefix."""
    method: Method | None = None
    """What to call; the bundle's own method where it is not given."""
    batch_rows: Annotated[int, Field(ge=1, le=100_000_000)] = BATCH_ROWS
    """Rows in one call of the model. Changing it may change the last bits of predictions."""
    trusted_prefixes: tuple[str, ...] = ()
    """URIs below which bundles are trusted without a digest."""
    trusted_types: tuple[str, ...] = ()
    """Types and functions that the file of a skops bundle may hold beyond those that skops trusts itself."""
    allow_version_skew: bool = False
    """Score although scikit-learn's minor version differs from the one that the model was trained with."""
    storage: Storage | None = None
    """How the bundle's store is reached; the job's `storage` where it is not given."""
