"""Number the distinct rows of a table, where equal means equal in every bit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

MOST_COLUMNS = 4
"""Number of columns above which rows are rarely repeated."""
_PROBED = 1024
"""Number of rows that are examined first."""

Codes = np.ndarray[Any, np.dtype[np.intp]]


@dataclass(frozen=True, slots=True)
class Distinct:
    """The distinct rows of a table, in the order in which they first appear."""

    first: Codes
    """Position of the first row of each distinct row; at least two positions, the second one repeated if need be."""
    codes: Codes
    """Number of the distinct row that each row equals."""


def distinct_rows(table: Any, most: float = 1.0) -> Distinct | None:
    """Return the distinct rows of a frame, a series or an array.

    None if they are more than the fraction `most` of all rows, or if equal values can differ in their bits.
    """
    columns, rows = _columns(table), len(table)
    if not 0 < len(columns) <= MOST_COLUMNS or not rows:
        return None
    if most < 1.0 and rows > _PROBED:
        # Most columns with many values are noticed early.
        probed = _codes([column[:_PROBED] for column in columns])
        if probed is None or probed[1] > max(most, 0.5) * _PROBED:
            return None
    found = _codes(columns)
    if found is None or found[1] > max(1.0, most * rows):
        return None
    codes, count = found
    first = np.empty(count, np.intp)
    first[codes[::-1]] = np.arange(rows - 1, -1, -1)
    # The memory order of a result with one row is ambiguous.
    return Distinct(first if count > 1 else np.repeat(first, 2), codes)


def _columns(table: Any) -> list[Any]:
    if isinstance(table, pd.DataFrame):
        return [table.iloc[:, at] for at in range(min(table.shape[1], MOST_COLUMNS + 1))]
    if isinstance(table, pd.Series):
        return [table]
    if isinstance(table, np.ndarray) and table.ndim <= 2:
        return [table] if table.ndim == 1 else list(table.T[: MOST_COLUMNS + 1])
    return []


def _codes(columns: list[Any]) -> tuple[Codes, int] | None:
    """Return the number of the distinct row for each row, and how many there are; None if that is unknown."""
    combined: Codes | None = None
    count = 0
    for column in columns:
        bits = _bits(column)
        if bits is None:
            return None
        codes, values = pd.factorize(bits, use_na_sentinel=False)
        if combined is not None:
            codes, values = pd.factorize(combined * len(values) + codes)
        combined, count = codes, len(values)
    return None if combined is None else (combined, count)


def _bits(column: Any) -> Any:
    """Return values that are equal exactly where those of `column` are equal in every bit; None if unknown."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy()
    if isinstance(dtype, pd.StringDtype | pd.DatetimeTZDtype):
        return column
    if isinstance(dtype, pd.api.extensions.ExtensionDtype):
        # Masked floats and Arrow's types have equal values with different bits.
        is_exact = isinstance(dtype, pd.BooleanDtype) or pd.api.types.is_integer_dtype(dtype)
        return column if is_exact and not isinstance(dtype, pd.ArrowDtype) else None
    values = np.asarray(column)
    if dtype.kind == "O":
        return values if _has_one_kind(values) else None
    if dtype.kind in "fmM" and dtype.itemsize in {2, 4, 8}:
        return np.ascontiguousarray(values).view(f"i{dtype.itemsize}")
    return values if dtype.kind in "iub" else None


def _has_one_kind(values: Any) -> bool:
    """Return True for text with at most one kind of missing value: 1, 1.0 and True are equal, and so are None and NaN."""
    others = set(map(type, values)) - {str}
    if not others:
        return True
    if len(others) > 1 or not others <= {type(None), float, type(pd.NA)}:
        return False
    return others != {float} or all(math.isnan(value) for value in values if type(value) is float)
