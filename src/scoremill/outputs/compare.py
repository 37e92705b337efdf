"""Compare the rows of two outputs, in order, to the bit or within a tolerance."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from itertools import repeat, zip_longest
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scoremill.errors import VerificationError
from scoremill.ledger import read_manifest, verify
from scoremill.storage.filesystem import Store

from .windows import WINDOW, Rows, parts_by_folder, read_windows, regrouped


def compare(output: Store, other: Store, tolerance: float) -> float:
    """The largest difference of two numbers in the same place, relative to the larger one where that is above 1.

    `output` is taken as proven, `other` is proven first. VerificationError where a difference is above `tolerance`, or rows, columns or other values
    differ. Scores of two sets of library versions or two families of processors are compared so.
    """
    verify(other)
    largest = 0.0
    for folder, count, here, there in _pairs(output, other):
        if here is None or there is None or len(here) != len(there):
            raise _different(output, other, f"{folder or 'the output'} has more rows in one of them")
        found = _difference(here, there)
        if found is None or found > tolerance:
            where = f"rows {count + 1:,} to {count + len(here):,}{f' of {folder}' if folder else ''}"
            if found is None:
                raise _different(output, other, f"{where} differ")
            size = f"{where} differ by {found:.3g}, more than {tolerance:g}"
            raise _different(output, other, size, f"If that is acceptable, give `tolerance={_above(found)}`.")
        largest = max(largest, found)
    return largest


def _different(output: Store, other: Store, how: str, hint: str | None = None) -> VerificationError:
    return VerificationError(f"{output.uri} and {other.uri} are not equal: {how}", hint, code="OutputsDiffer")


def _above(number: float) -> str:
    """A short number that is not below `number`."""
    return f"{number * 1.01:.2g}" if float(f"{number:.2g}") < number else f"{number:.2g}"


def _pairs(output: Store, other: Store) -> Iterator[tuple[str, int, Rows, Rows]]:
    """Folder, rows of it before, and the windows of both."""
    folders = []
    for store in (output, other):
        manifest = read_manifest(store)
        folders.append(parts_by_folder(manifest) if manifest else {})
    for folder in dict.fromkeys((*folders[0], *folders[1])):
        windows = (
            regrouped(read_windows(store, names.get(folder, [])), repeat(WINDOW))
            for store, names in zip((output, other), folders, strict=True)
        )
        count = 0
        for here, there in zip_longest(*windows):
            yield folder, count, here, there
            count += len(here or ())


def _difference(here: Rows, there: Rows) -> float | None:
    """The largest difference of numbers; None where anything else differs."""
    if is_same(here, there):
        return 0.0
    if isinstance(here, pa.Table) != isinstance(there, pa.Table):
        return None
    if not isinstance(here, pa.Table):
        here, there = _parsed(here), _parsed(there)
    if here.column_names != there.column_names:
        return None
    found = [_of_columns(*pair) for pair in zip(here.columns, there.columns, strict=True)]
    return None if None in found else max(filter(None, found), default=0.0)


def _of_columns(here: pa.ChunkedArray, there: pa.ChunkedArray) -> float | None:
    if not (pa.types.is_floating(here.type) and pa.types.is_floating(there.type)):
        return 0.0 if here.equals(there) else None
    first, second = (column.to_numpy().astype(float) for column in (here, there))
    equal = (first == second) | (np.isnan(first) & np.isnan(second))
    scale = np.maximum(1.0, np.maximum(np.abs(first), np.abs(second)))
    with np.errstate(invalid="ignore"):
        differences = np.where(equal, 0.0, np.abs(first - second) / scale)
    largest = float(differences.max(initial=0.0))
    return None if math.isnan(largest) or not here.is_null().equals(there.is_null()) else largest


def _parsed(records: list[bytes]) -> pa.Table:
    """Records of CSV, named by their place, or of JSON lines; what looks like a number is one."""
    if records and records[0][:1] == b"{":
        return pa.Table.from_pylist([json.loads(record) for record in records])
    rows = csv.reader(io.StringIO(b"".join(records).decode(), newline=""))
    return pa.table({str(i): _numbers(column) for i, column in enumerate(zip(*rows, strict=True))})


def _numbers(values: tuple[str, ...]) -> list[Any]:
    try:
        return [float(value) if value else None for value in values]
    except ValueError:
        return list(values)


def is_same(here: Rows, there: Rows) -> bool:
    """Return whether two windows are equal to the bit, schema included."""
    if not (isinstance(here, pa.Table) and isinstance(there, pa.Table)):
        return bool(here == there)
    # To Arrow a NaN is no other's equal.
    return here.schema.equals(there.schema) and all(
        _is_equal(column, other) for column, other in zip(here.columns, there.columns, strict=True)
    )


def _is_equal(column: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    pairs = zip(_numbers_and_nans(column), _numbers_and_nans(other), strict=True)
    if all(first.equals(second) for first, second in pairs):
        return True
    # A NaN inside a list is no other's equal either, but spelled as one.
    return pa.types.is_nested(column.type) and repr(column.to_pylist()) == repr(other.to_pylist())


def _numbers_and_nans(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, ...]:
    if not pa.types.is_floating(column.type):
        return (column,)
    is_nan = pc.is_nan(column)
    return pc.if_else(is_nan, None, column), is_nan
