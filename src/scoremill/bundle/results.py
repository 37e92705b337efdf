"""Rows in, result columns out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, get_args

import joblib
import numpy as np
import pandas as pd

from scoremill.errors import FitError, ModelError
from scoremill.spec import Method
from scoremill.units import quoted

from .columns import final_estimator
from .schema import Bundle

METHODS: tuple[str, ...] = get_args(Method)
"""All methods that a bundle can offer, in order of preference."""

TOLERANCE = 1e-9
"""Relative difference from which a result depends on the rows scored with it."""

Results = dict[str, np.ndarray[Any, Any]]
"""Result columns by name, one value a row each."""
Mask = np.ndarray[Any, np.dtype[np.bool_]]
"""One truth value a row."""


def call(estimator: Any, bundle: Bundle, method: str, frame: pd.DataFrame) -> Results:
    """The result columns of `method` for the rows of `frame`, in their order.

    Raises FitError for a method that the bundle does not offer, ModelError if the rows out are not the rows in;
    what the model itself raises passes through.
    """
    columns = bundle.results.get(method)
    if columns is None:
        raise FitError(
            f"{bundle.uri} has no method {quoted(method)}",
            f"It offers {', '.join(bundle.results)}.",
            code="MethodMissing",
        )
    values = scored(estimator, method, fed(bundle, frame))
    return named([column.name for column in columns], values, len(frame), method)


def fed(bundle: Bundle, frame: pd.DataFrame) -> Any:
    """What the model of `bundle` is handed for the rows of `frame`."""
    names = [column.name for column in bundle.columns]
    if bundle.series:
        return frame[names[0]]
    if list(frame.columns) != names:
        frame = frame[names]
    return frame if bundle.named else frame.to_numpy()


def scored(estimator: Any, method: str, rows: Any) -> list[Any]:
    """One array of values for each result column, from one call of `method`, on one thread."""
    # Forests add up their trees in the order in which threads finish: n_jobs would change the last bits.
    with joblib.parallel_config(backend="sequential"):
        result = getattr(estimator, method)(rows)
    outputs = result if isinstance(result, list | tuple) else [result]
    return [column for output in outputs for column in _split(output, len(rows))]


def named(names: Sequence[str], values: Sequence[Any], rows: int, method: str) -> Results:
    """`values` under their names; ModelError where their number or length is not what it must be."""
    if len(names) != len(values):
        raise ModelError(
            f"{method} gave {len(values)} columns, not {len(names)} as when the model was packed", code="InvalidResult"
        )
    for value in values:
        if len(value) != rows:
            raise ModelError(
                f"{method} gave {len(value)} results for {rows} rows",
                "A model must give one result for each row.",
                code="InvalidResult",
            )
    return dict(zip(names, values, strict=True))


def result_names(estimator: Any, method: str, count: int) -> list[str]:
    """Names of the result columns of `method`: `prediction`, `proba_<class>`, `decision`, feature names out …"""
    match method:
        case "predict":
            return ["prediction"] if count == 1 else _numbered("prediction_", count)
        case "predict_proba" | "predict_log_proba":
            return _by_class(estimator, method.removeprefix("predict_").replace("_", "") + "_", count)
        case "decision_function":
            return (
                ["decision"] if count == 1 else _by_class(estimator, "decision_", count, pairs=_is_pairwise(estimator))
            )
        case "score_samples":
            return ["score"] if count == 1 else _numbered("score_", count)
        case _:
            return _features_out(estimator, count)


def difference(one: Results, other: Results) -> float:
    """The largest relative difference between two results; infinite between texts, shapes or names that differ."""
    if list(one) != list(other):
        return float("inf")
    return max((_distance(one[name], other[name]) for name in one), default=0.0)


def rows_apart(one: Results, other: Results) -> Mask:
    """Return for each row whether its results differ in any bit; both have the same names and rows."""
    same = [_same(np.asarray(one[name]), np.asarray(other[name])) for name in one]
    apart: Mask = ~np.logical_and.reduce(same)
    return apart


def _same(one: Any, other: Any) -> Any:
    if one.dtype.kind == "f" and other.dtype.kind == "f":
        return (one == other) | (np.isnan(one) & np.isnan(other))
    pairs = zip(one.tolist(), other.tolist(), strict=True)
    return np.array([is_same(a, b) for a, b in pairs], np.bool_)


def is_same(one: Any, other: Any) -> bool:
    """Return whether two values are equal and of one type; NaN is equal to NaN, and to no other missing value."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    return bool(one == other or (isinstance(one, float | np.floating) and np.isnan(one) and np.isnan(other)))


def _split(result: Any, rows: int) -> list[Any]:
    """The columns of one output, dense."""
    if hasattr(result, "columns"):
        return [result[name].to_numpy() for name in result.columns]
    dense = np.asarray(result.toarray() if hasattr(result, "toarray") else result)
    if rows == 1:  # some transformers drop the axis of a single row
        return list(dense.reshape(1, -1).T)
    return [np.atleast_1d(dense)] if dense.ndim <= 1 else list(dense.reshape(len(dense), -1).T)


def _by_class(estimator: Any, prefix: str, count: int, *, pairs: bool = False) -> list[str]:
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        return _numbered(prefix, count)
    if isinstance(classes, list):
        names = [f"{output}_{label}" for output, labels in enumerate(classes) for label in labels]
    else:
        names = [str(label) for label in classes]
        if pairs:
            names = [f"{first}_vs_{second}" for first, second in combinations(names, 2)]
    return [prefix + name for name in names] if _fits(names, count) else _numbered(prefix, count)


def _is_pairwise(estimator: Any) -> bool:
    """Return whether decisions are between pairs of classes, as support vector machines can give them."""
    return getattr(final_estimator(estimator), "decision_function_shape", None) == "ovo"


def _features_out(estimator: Any, count: int) -> list[str]:
    try:
        names = [str(name) for name in estimator.get_feature_names_out()]
    except Exception:  # any custom step can lack it or fail in it
        names = []
    return names if _fits(names, count) else _numbered("x", count)


def _fits(names: Sequence[str], count: int) -> bool:
    return len(names) == count == len(set(names))


def _numbered(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def _distance(one: Any, other: Any) -> float:
    one, other = np.asarray(one), np.asarray(other)
    if one.shape != other.shape or (one.dtype.kind == "f") != (other.dtype.kind == "f"):
        return float("inf")
    if one.dtype.kind != "f":
        return 0.0 if np.array_equal(one, other) else float("inf")
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    if same.all():
        return 0.0
    a, b = one[~same].astype("float64"), other[~same].astype("float64")
    with np.errstate(invalid="ignore"):
        apart = np.abs(a - b) / np.maximum(1.0, np.maximum(np.abs(a), np.abs(b)))
    # Single precision carries seven digits: what double precision means by 1e-9 is a few units in the last place there.
    scale = TOLERANCE / max(TOLERANCE, 64 * float(np.finfo(one.dtype).eps))
    return float("inf") if np.isnan(apart).any() else float(apart.max()) * scale
