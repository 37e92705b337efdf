"""The model that a job scores with."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import Digest, Spec
from .storage import Storage

Method = Literal["predict", "predict_proba", "predict_log_proba", "decision_function", "transform", "score_samples"]
"""The methods of scikit-learn's estimators that give one result for each row."""

BATCH_ROWS = 131_072
"""Rows in one call of the model if neither job nor bundle gives a number: the fastest of those tried."""


class Model(Spec):
    """The model bundle to score with, as written by `scoremill model pack`."""

    uri: Annotated[str, Field(min_length=1, max_length=2048)]
    """Path or URI of the bundle."""
    digest: Digest | None = None
    """Required digest of the bundle. A remote pickle is loaded only if `digest` matches or the bundle is below a trusted prefix."""
    method: Method | None = None
    """Method of the model to call. Defaults to the method recorded in the bundle."""
    batch_rows: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    """Number of rows passed to the model in one call. Changing it can change the last bits of predictions. Defaults to the number measured by `scoremill model pack --measure-batch`, else to 131072. A run that resumes uses the number of the output."""
    trusted_prefixes: tuple[str, ...] = ()
    """URI prefixes below which bundles are loaded without a digest."""
    trusted_types: tuple[str, ...] = ()
    """Types and functions allowed in a skops bundle in addition to those that skops trusts."""
    allow_version_skew: bool = False
    """Score with a minor version of scikit-learn other than the one used in training."""
    accelerate: Literal["Auto", "Off"] = "Auto"
    """`Auto` runs the steps of the model that packing has proven once for each distinct row of a batch. Results are equal in every bit."""
    parity_rows: Annotated[int, Field(ge=0)] = 0
    """Minimum number of rows to score with the original model as well, in whole batches chosen at random. The run fails if a result differs."""
    storage: Storage | None = None
    """Settings of the store that holds the bundle. Defaults to the job's `storage`."""
