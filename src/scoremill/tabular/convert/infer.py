"""Types of columns that nobody gave: guessed from the text of samples."""

from __future__ import annotations

import pyarrow as pa

from scoremill.spec import Column, Csv

from .columns import convert_column


def infer_dtypes(table: pa.Table, dialect: Csv) -> dict[str, str]:
    """For each column of text the narrowest of int64, float64, bool and string that holds all of it; never dates.

    A column given in the dialect has that type; one of nulls only is a string.
    """
    return {name: dialect.dtypes.get(name) or _infer(table[name], name, dialect) for name in table.column_names}


def _infer(values: pa.ChunkedArray, name: str, dialect: Csv) -> str:
    if values.null_count == len(values):
        return "string"
    if set(values.unique().drop_null().to_pylist()) <= {*dialect.true_values, *dialect.false_values}:
        return "bool"
    # Without a point or an exponent, so that a column of 1.0 stays one of real numbers.
    is_whole = pa.compute.match_substring_regex(values, r"[.,eE]")
    candidates = ("float64",) if pa.compute.any(is_whole).as_py() else ("int64", "float64")
    for dtype in candidates:
        if convert_column(values, Column(name, dtype), dialect)[1] is None:
            return dtype
    return "string"
