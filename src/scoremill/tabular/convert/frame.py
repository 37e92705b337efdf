"""Rows as the data frame that a model gets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from scoremill.spec import Column, Csv, Missing
from scoremill.units import quoted

from ..rows import Positions, Reject, Rows
from .categories import categorize
from .columns import convert_column
from .nulls import given_values
from .numbers import Mask
from .types import ARROW, arrow_dtype, arrow_type, described


@dataclass(frozen=True, slots=True)
class Converted:
    """What a model gets of some rows."""

    frame: pd.DataFrame
    """The asked columns, in that order; a plain RangeIndex."""
    positions: Positions
    """Position of each row of the frame in the table of the rows."""
    rejects: list[Reject]
    """The other rows, each with the first column that does not convert."""
    unseen: Counter[str]
    """Values in each category column that training did not have; they are NaN in the frame."""


def to_frame(rows: Rows, columns: Sequence[Column], dialect: Csv, also: Sequence[Column] = ()) -> Converted:
    """Return `rows` with the dtypes of `columns`; rows whose values there, or in `also`, do not convert are rejected."""
    arrays: list[pa.Array] = []
    masks: list[tuple[Column, Mask]] = []
    for column in (*columns, *also):
        array, bad = convert_column(given_values(rows, column, dialect), column, dialect)
        arrays.append(array)
        if bad is not None:
            masks.append((column, bad))
    arrays = arrays[: len(columns)]
    positions = np.arange(len(rows))
    if masks:
        good = ~np.logical_or.reduce([bad for _, bad in masks])
        positions = positions[good]
        arrays = [array.filter(pa.array(good)) for array in arrays]
    unseen: Counter[str] = Counter()
    series = {c.name: _series(array, c, dialect, unseen) for c, array in zip(columns, arrays, strict=True)}
    frame = pd.DataFrame(series, index=pd.RangeIndex(len(positions)), copy=False)
    return Converted(frame, positions, _rejects(rows, masks), unseen)


def _rejects(rows: Rows, masks: Sequence[tuple[Column, Mask]]) -> list[Reject]:
    """One reject for each row that is bad in any column, by the first such column; in order."""
    first: dict[int, Column] = {}
    for column, bad in masks:
        for i in np.flatnonzero(bad).tolist():
            first.setdefault(i, column)
    return [rows.reject(i, first[i].name, _reason(rows, i, first[i])) for i in sorted(first)]


_LONGEST = 100
"""Characters of a value in a reason."""


def _reason(rows: Rows, i: int, column: Column) -> str:
    value = rows.table[column.name][i].as_py()
    return f"{quoted(value, _LONGEST)} is not {described(arrow_type(column))}"


def _series(array: pa.Array, column: Column, dialect: Csv, unseen: Counter[str]) -> Any:
    """The array as pandas holds a column of its dtype, null being NaN, NaT or NA."""
    dtype = column.dtype
    if dtype == "category" and column.categories is not None:
        values, count = categorize(array, column, dialect)
        if count:
            unseen[column.name] += count
        return values
    if dtype in ("string", "str", "category"):
        text = pd.StringDtype(na_value=pd.NA if column.missing == "NA" else np.nan)
        return array.cast(pa.string()).to_pandas(types_mapper=lambda _: text)
    if dtype == "object" or (dtype == "bool" and array.null_count):
        return _objects(array, column.missing or "NaN")
    if dtype.endswith(ARROW):
        return pd.Series(pd.arrays.ArrowExtensionArray(array.cast(arrow_dtype(dtype).pyarrow_dtype)))
    if dtype[:1].isupper() or dtype == "boolean":
        return pd.array(array.to_pandas(types_mapper={array.type: pd.api.types.pandas_dtype(dtype)}.get))
    if pa.types.is_timestamp(array.type):
        return array.to_pandas()
    return array.to_numpy(zero_copy_only=False)


_MISSING = {"NaN": np.nan, "None": None, "NA": pd.NA}


def _objects(array: pa.Array, missing: Missing) -> pd.Series:
    """The values as Python's own objects."""
    if pa.types.is_string(array.type):
        objects = array.to_numpy(zero_copy_only=False)
    else:
        objects = np.empty(len(array), object)
        objects[:] = array.to_pylist()
    if missing != "None" and array.null_count:
        objects[array.is_null().to_numpy(zero_copy_only=False)] = _MISSING[missing]
    return pd.Series(objects, dtype=object)
