"""What an estimator reads and gives, tried on rows before it is packed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from scoremill.errors import ModelError, UsageError
from scoremill.spec import Column

from .columns import Feed, feed_of, used_names
from .results import METHODS, Results, call, difference, fed, named, result_names, scored
from .sample import columns_of, dtype_name, synthetic_frames
from .schema import Bundle

ROWS = 10_000
"""Rows of the sample that a model is tried on."""


@dataclass(frozen=True)
class Measured:
    """A bundle without its files, the rows it was tried on, and what each method gave for them."""

    bundle: Bundle
    frame: pd.DataFrame
    expected: dict[str, Results]


def measure(estimator: Any, sample: pd.DataFrame | None, method: str | None, columns: Sequence[str] | None) -> Measured:
    """What `estimator` reads and gives; tried on `sample`, or on made-up rows where there is none."""
    offered = [name for name in METHODS if hasattr(estimator, name)]
    own = _method(estimator, method, offered)
    feed = feed_of(estimator, sample, columns)
    failures = []
    for frame in _frames(feed, sample):
        draft = _draft(estimator, feed, frame, own)
        try:
            with threadpool_limits(limits=1):
                return _narrowed(estimator, _tried(estimator, draft, frame, offered))
        except ModelError as error:
            failures.append(error)
    if sample is not None:
        raise failures[0]
    raise UsageError(f"without a sample it cannot be told what the model reads ({failures[0].message})",
                     "Give a sample (--sample FILE): a few rows of what it was trained on.")  # fmt: skip


def _frames(feed: Feed, sample: pd.DataFrame | None) -> Sequence[pd.DataFrame]:
    if sample is None:
        return list(synthetic_frames(feed.names))
    if sample.empty:
        raise UsageError("the sample has no rows", "Give one with a few rows of what the model was trained on.")
    return [sample[list(feed.names)].head(ROWS).reset_index(drop=True)]


def _draft(estimator: Any, feed: Feed, frame: pd.DataFrame, method: str) -> Bundle:
    kind = type(estimator)
    return Bundle(uri="", digest="", model_class=f"{kind.__module__}.{kind.__qualname__}", format="", results={},
                  columns=columns_of(frame), named=feed.named, series=feed.series, method=method,
                  classes=_classes(estimator))  # fmt: skip


def _method(estimator: Any, asked: str | None, offered: Sequence[str]) -> str:
    kind = type(estimator).__name__
    if not offered:
        raise UsageError(f"a {kind} has none of the methods {', '.join(METHODS)}", "Pack a fitted estimator.")
    if asked is None:
        return next(name for name in ("predict", "transform", *METHODS) if name in offered)
    if asked not in offered:
        raise UsageError(f"a {kind} has no method {asked!r}", f"It has {', '.join(offered)}.")
    return asked


def _tried(estimator: Any, bundle: Bundle, frame: pd.DataFrame, offered: Sequence[str]) -> Measured:
    """Results and result columns of each method that works; ModelError if the bundle's own does not."""
    expected: dict[str, Results] = {}
    for method in offered:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                values = scored(estimator, method, fed(bundle, frame))
            names = result_names(estimator, method, len(values))
            expected[method] = named(names, values, len(frame), method)
        except Exception as error:
            if method == bundle.method:
                reason = str(error).strip().partition("\n")[0][:300]
                raise ModelError(f"{method} fails on the sample: {type(error).__name__}: {reason}",
                                 "Is the model fitted, and the sample like what it was fitted on?") from error  # fmt: skip
    results = {
        method: tuple(Column(name, dtype_name(column.dtype)) for name, column in columns.items())
        for method, columns in expected.items()
    }
    return Measured(replace(bundle, results=results), frame, expected)


def _narrowed(estimator: Any, measured: Measured) -> Measured:
    """`measured` with the columns alone that the model uses, if it then gives the same bits; else as it was."""
    bundle = measured.bundle
    used = used_names(estimator, tuple(column.name for column in bundle.columns)) if bundle.named else ()
    if not used or len(used) == len(bundle.columns):
        return measured
    fewer = replace(bundle, columns=tuple(column for column in bundle.columns if column.name in used))
    frame = measured.frame[list(used)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            same = all(
                difference(call(estimator, fewer, method, frame), values) == 0
                for method, values in measured.expected.items()
            )
    except Exception:  # a step behind the entrance asks for a column after all
        same = False
    return Measured(fewer, frame, measured.expected) if same else measured


def _classes(estimator: Any) -> tuple[Any, ...] | None:
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        return None
    if isinstance(classes, list):
        return tuple(tuple(np.asarray(labels).tolist()) for labels in classes)
    return tuple(np.asarray(classes).tolist())
