"""Compare a transformer with itself on distinct rows, for altered batches of the rows that it was given."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from .bits import is_equal, pick
from .codes import distinct_rows
from .step import by_distinct

_UNSEEN = "a text that training did not have"
_SPECIAL = (np.nan, np.inf, -np.inf, -0.0)


def refutation(step: Any, table: Any) -> str:
    """Return why `step` cannot run on the distinct rows of tables like `table`; empty if nothing was found."""
    if distinct_rows(table) is None:
        return "it reads too many columns, or values that are not text, numbers, dates or truth values"
    for what, batch in _batches(table):
        untouched = batch.copy()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wanted, found = _attempt(step, batch), by_distinct(step, batch, distinct_rows(batch))
        if not is_equal(batch, untouched):
            return "it changes its input"
        if found is None and wanted is not None and len(batch):
            return "its result is neither an array, a CSR matrix nor a data frame with one row for each row"
        if found is not None and wanted is not None and not is_equal(found, wanted):
            return f"its result for a row depends on other rows ({what})"
    return ""


def _attempt(step: Any, batch: Any) -> Any:
    try:
        return step.transform(batch)
    except Exception:
        return None


def _batches(table: Any) -> Iterator[tuple[str, Any]]:
    rows, random = len(table), np.random.default_rng(0)
    order = random.permutation(rows)
    yield "all rows", table
    yield "all rows, again", table
    yield "permuted rows", pick(table, order)
    yield "repeated rows", pick(table, np.repeat(order, 3))
    yield "the same row", pick(table, np.zeros(4, np.intp))
    yield "one row", pick(table, order[:1])
    yield "no row", pick(table, order[:0])
    for start, end in ((0, rows // 3), (rows // 3, rows // 2 + 1), (rows // 2 + 1, rows)):
        yield "a part of the rows", pick(table, np.arange(start, end))
    for value in (None, _UNSEEN, *_SPECIAL):
        altered = _altered(table, value, random.random(rows) < 0.25)
        if altered is not None:
            yield f"rows with {'missing values' if value is None else value}", altered


def _altered(table: Any, value: Any, at: Any) -> Any:
    """Return a copy of `table` with `value` in the rows `at` of all columns that can hold it; None if no column can."""
    if isinstance(table, np.ndarray):
        return _altered_array(table, value, at)
    frame = table.to_frame() if isinstance(table, pd.Series) else table
    columns = [_altered_column(frame.iloc[:, i], value, at) for i in range(frame.shape[1])]
    if all(column is None for column in columns):
        return None
    kept = [frame.iloc[:, i] if column is None else column for i, column in enumerate(columns)]
    altered = pd.concat(kept, axis=1).set_axis(frame.columns, axis=1)
    return altered.iloc[:, 0].rename(table.name) if isinstance(table, pd.Series) else altered


def _altered_array(array: Any, value: Any, at: Any) -> Any:
    if array.dtype.kind != "f" or isinstance(value, str) or value is None:
        return None
    altered = array.copy()
    altered[at] = value
    return altered


def _altered_column(column: pd.Series, value: Any, at: Any) -> pd.Series | None:
    is_text = pd.api.types.is_string_dtype(column.dtype) and not isinstance(column.dtype, pd.CategoricalDtype)
    is_float = isinstance(column.dtype, np.dtype) and column.dtype.kind == "f"
    if isinstance(value, str) and not is_text:
        return None
    if isinstance(value, float) and not is_float:
        return None
    try:
        return column.mask(at, value) if value is not None else column.mask(at)
    except (TypeError, ValueError):
        return None
