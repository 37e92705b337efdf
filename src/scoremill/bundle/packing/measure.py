"""What an estimator reads and gives, tried on rows before it is packed."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from scoremill.errors import FitError, ModelError, UsageError
from scoremill.spec import Column
from scoremill.spec.mention import mention
from scoremill.units import quoted

from ..columns import Feed, feed_of, used_names
from ..results import METHODS, Results, call, difference, named, result_names, scored
from ..schema import Bundle
from .csv_sample import CsvSample
from .dtypes import dtype_name
from .fit import refuse_gaps, refuse_other_frame, refuse_other_kinds, refuse_unreadable
from .learned import learned
from .parity import gaps
from .sample import FrameSample, PackingSample, synthetic_frames


@dataclass(frozen=True)
class Measured:
    """A bundle without its files, the rows it was tried on, and what each method gave for them."""

    bundle: Bundle
    frame: pd.DataFrame
    expected: dict[str, Results]


def measure(
    estimator: Any, sample: PackingSample | pd.DataFrame | None, method: str | None, columns: Sequence[str] | None
) -> Measured:
    """What `estimator` reads and gives; tried on `sample`, or on made-up rows if there is none."""
    if isinstance(sample, pd.DataFrame):
        sample = FrameSample(sample)
    offered = [name for name in METHODS if hasattr(estimator, name)]
    own = _method(estimator, method, offered)
    feed = feed_of(estimator, None if sample is None else sample.names, columns)
    failures = []
    for rows in _samples(feed, sample):
        try:
            with threadpool_limits(limits=1), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return _measured(estimator, feed, rows, own, offered)
        except FitError as error:
            failures.append(error)
    if sample is not None:
        raise failures[0]
    raise UsageError(
        f"could not determine without a sample what the model reads ({failures[0].message})",
        "Give a sample (`sample=`): a few rows of what it was trained on.",
        code="SampleNeeded",
    )


def _samples(feed: Feed, sample: PackingSample | None) -> Sequence[PackingSample]:
    return [FrameSample(frame) for frame in synthetic_frames(feed.names)] if sample is None else [sample]


def _measured(estimator: Any, feed: Feed, sample: PackingSample, own: str, offered: Sequence[str]) -> Measured:
    """What the estimator gives for the sample directly, and for the same rows as input files bring them."""
    known = learned(estimator, feed.names)
    rows, columns = sample.read(feed.names, known)
    if rows.empty:
        raise UsageError(
            "the sample has no rows", "Give one with a few rows of what the model was trained on.", code="InvalidSample"
        )
    refuse_other_kinds(columns, known, rows, in_csv=isinstance(sample, CsvSample))
    draft = _draft(estimator, feed, columns, own)
    bundle, direct = _tried(
        estimator, draft, rows, offered, _failure_hint(sample, columns, named=feed.named or feed.series)
    )
    plain = _plain(rows, feed.names)
    refuse_other_frame(_score(estimator, bundle), direct, rows, plain)
    bundle, plain = _narrowed(estimator, bundle, plain)
    refuse_unreadable(bundle.columns)
    read = {column.name: known[column.name] for column in bundle.columns if column.name in known}
    found, frame = gaps(_score(estimator, bundle), plain, bundle.columns, sample.csv, read)
    refuse_gaps(found)
    return Measured(replace(bundle, gaps=found), frame, _score(estimator, bundle)(frame))


def _draft(estimator: Any, feed: Feed, columns: tuple[Column, ...], method: str) -> Bundle:
    kind = type(estimator)
    return Bundle(
        uri="",
        digest="",
        model_class=f"{kind.__module__}.{kind.__qualname__}",
        format="",
        results={},
        columns=columns,
        named=feed.named,
        series=feed.series,
        method=method,
        classes=_classes(estimator),
    )


def _score(estimator: Any, bundle: Bundle) -> Callable[[pd.DataFrame], dict[str, Results]]:
    return lambda frame: {method: call(estimator, bundle, method, frame) for method in bundle.results}


def _plain(rows: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """`rows` as a model gets them when it scores: text as labels, no index, nothing sparse."""
    series = [rows.iloc[:, at].reset_index(drop=True) for at in range(len(names))]
    dense = [pd.Series(one.to_numpy()) if isinstance(one.dtype, pd.SparseDtype) else one for one in series]
    return pd.DataFrame(dict(zip(names, dense, strict=True)))


def _method(estimator: Any, asked: str | None, offered: Sequence[str]) -> str:
    kind = type(estimator).__name__
    if not offered:
        keys = ", ".join(map(quoted, estimator)) if isinstance(estimator, dict) else ""
        hint = (
            f"It has the keys {keys}: pack the fitted estimator under one of them."
            if keys
            else "Pack a fitted estimator."
        )
        raise UsageError(f"a {kind} has none of the methods {', '.join(METHODS)}", hint)
    if asked is None:
        return next(name for name in ("predict", "transform", *METHODS) if name in offered)
    if asked not in offered:
        raise UsageError(f"a {kind} has no method {quoted(asked)}", f"It has {', '.join(offered)}.")
    return asked


def _tried(
    estimator: Any, bundle: Bundle, rows: pd.DataFrame, offered: Sequence[str], hint: str
) -> tuple[Bundle, dict[str, Results]]:
    """Results and result columns of each method that works; ModelError if the bundle's own does not."""
    direct: dict[str, Results] = {}
    for method in offered:
        try:
            values = scored(estimator, method, _handed(bundle, rows))
            names = result_names(estimator, method, len(values))
            direct[method] = named(names, values, len(rows), method)
        except Exception as error:
            if method == bundle.method:
                reason = " ".join(str(error).split())[:_LONGEST]
                raise ModelError(f"{method} fails on the sample: {type(error).__name__}: {reason}", hint) from error
    results = {
        method: tuple(Column(name, dtype_name(column.dtype)) for name, column in columns.items())
        for method, columns in direct.items()
    }
    return replace(bundle, results=results), direct


_LONGEST = 1000
"""Characters of an error of the model's."""


def _handed(bundle: Bundle, rows: pd.DataFrame) -> Any:
    """`rows` as their owner would hand them to the estimator."""
    if bundle.series:
        return rows.iloc[:, 0]
    return rows if bundle.named else rows.to_numpy()


def _failure_hint(sample: PackingSample, columns: Sequence[Column], *, named: bool) -> str:
    hint = "Check that the model is fitted, and that the sample has rows such as it was fitted on."
    if not named:
        hint = f"{hint} It was trained without column names, so it gets an array; if it reads columns by name, train it with names that are text."
    if not isinstance(sample, CsvSample):
        return hint
    types = ", ".join(f"{column.name} {column.dtype}" for column in columns[:_MANY])
    example = next((column.name for column in columns if column.dtype == "int64"), columns[0].name)
    return (
        f"{hint} The CSV was read with these types: {types}{', …' if len(columns) > _MANY else ''}. "
        f"Give those that differ in training: {mention('spec.input.csv.dtypes', {example: 'string'})} "
        "(or int64, float64, bool, category, datetime64[us])."
    )


_MANY = 10
"""Columns named in a hint."""


def _narrowed(estimator: Any, bundle: Bundle, plain: pd.DataFrame) -> tuple[Bundle, pd.DataFrame]:
    """The columns alone that the model uses, if it then gives the same bits; else all."""
    used = used_names(estimator, tuple(column.name for column in bundle.columns)) if bundle.named else ()
    if not used or len(used) == len(bundle.columns):
        return bundle, plain
    fewer = replace(bundle, columns=tuple(column for column in bundle.columns if column.name in used))
    frame = plain[list(used)]
    try:
        expected, found = _score(estimator, bundle)(plain), _score(estimator, fewer)(frame)
    except Exception:  # a step behind the entrance asks for a column after all
        return bundle, plain
    same = all(difference(found[method], values) == 0 for method, values in expected.items())
    return (fewer, frame) if same else (bundle, plain)


def _classes(estimator: Any) -> tuple[Any, ...] | None:
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        return None
    if isinstance(classes, list):
        return tuple(tuple(np.asarray(labels).tolist()) for labels in classes)
    return tuple(np.asarray(classes).tolist())
