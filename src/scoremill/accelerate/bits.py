"""Tables that transformers read and return: pick rows, and compare in every bit, memory order included."""

from __future__ import annotations

import struct
from typing import Any, Literal

import numpy as np
import pandas as pd

from .codes import Codes


def pick(table: Any, positions: Codes) -> Any:
    """Return the rows at `positions` of a frame, a series or an array, as a pipeline would get them: without an index."""
    if isinstance(table, np.ndarray):
        return _rows(table, positions)
    return table.iloc[positions].reset_index(drop=True)


def take(result: Any, codes: Codes, index: pd.Index | None) -> Any:
    """Return the rows `codes` of a result as the transformer would return them; `index` is that of its input.

    None for a result of an unknown kind.
    """
    if type(result) is np.ndarray and result.ndim in {1, 2}:
        return _rows(result, codes)
    if getattr(result, "format", None) == "csr":
        return result[codes]
    if not isinstance(result, pd.DataFrame | pd.Series) or not _is_plain(result.index):
        return None
    index = pd.RangeIndex(len(codes)) if index is None else index
    dtypes = set(result.dtypes) if isinstance(result, pd.DataFrame) else set()
    if len(dtypes) == 1 and isinstance(dtype := dtypes.pop(), np.dtype):
        # One block of the same memory order, which decides the memory order of what is built from it.
        values = _rows(result.to_numpy(), codes)
        return pd.DataFrame(values, index=index, columns=result.columns, dtype=dtype, copy=False)
    return result.take(codes).set_axis(index, axis=0)


def _rows(array: Any, codes: Codes) -> Any:
    order: Literal["C", "F"] = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    return np.asarray(array[codes], order=order)


def _is_plain(index: pd.Index) -> bool:
    return bool(index.equals(pd.RangeIndex(len(index))))


def is_equal(one: Any, other: Any) -> bool:
    """Return True if two results are equal in every bit, in their types, labels and memory order."""
    if type(one) is not type(other) or one.shape != other.shape:
        return False
    if hasattr(one, "indptr"):
        return bool(one.format == other.format == "csr") and all(
            is_equal(getattr(one, name), getattr(other, name)) for name in ("data", "indices", "indptr")
        )
    if isinstance(one, pd.DataFrame):
        same = one.columns.equals(other.columns) and one.index.equals(other.index)
        each = (_is_same_column(one.iloc[:, at], other.iloc[:, at]) for at in range(one.shape[1]))
        return same and all(each) and _order(one.to_numpy()) == _order(other.to_numpy())
    if isinstance(one, pd.Series):
        return one.name == other.name and one.index.equals(other.index) and _is_same_column(one, other)
    return one.dtype == other.dtype and _order(one) == _order(other) and _is_same_array(one, other)


def _is_same_column(one: pd.Series, other: pd.Series) -> bool:
    if one.dtype != other.dtype:
        return False
    if isinstance(one.dtype, np.dtype):
        return _is_same_array(one.to_numpy(), other.to_numpy())
    return bool(one.array.equals(other.array))


def _is_same_array(one: Any, other: Any) -> bool:
    if one.dtype.kind != "O":
        return bool(one.tobytes() == other.tobytes())
    return all(_is_same_object(a, b) for a, b in zip(one.ravel().tolist(), other.ravel().tolist(), strict=True))


def _is_same_object(one: Any, other: Any) -> bool:
    if one is other or type(one) is not type(other):
        return one is other
    if isinstance(one, float):
        return struct.pack("d", one) == struct.pack("d", other)
    return bool(one == other)


def _order(array: Any) -> tuple[bool, bool]:
    return array.flags.c_contiguous, array.flags.f_contiguous
