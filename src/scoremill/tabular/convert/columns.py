"""One column of an input, text or typed, as the Arrow array of the type that is wanted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scoremill.errors import InputError
from scoremill.spec import Column, Csv
from scoremill.spec.mention import mention
from scoremill.units import quoted

from .dates import cast_date, date_of_integers, parse_date
from .numbers import Parsed, parse_bool, parse_float, parse_int
from .types import arrow_type


def convert_column(values: pa.ChunkedArray, column: Column, dialect: Csv) -> Parsed:
    """`values` with the Arrow type of the column's dtype, null where they do not convert; and a mask of those.

    A category is whatever its input is; InputError where no value of the input's type could convert.
    """
    kind = arrow_type(column)
    try:
        array = _in_one_piece(values)
        if column.dtype == "category" or array.type == kind:
            return array, None
        if pa.types.is_date(kind):
            times, bad = _converted(array, column, pa.timestamp("s"), dialect)
            return pc.cast(times, kind, safe=False), bad
        return _converted(array, column, kind, dialect)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise InputError(
            f"column {quoted(column.name)} is {values.type} in the input, but {column.dtype} is wanted",
            _other_type(values.type, column, kind),
            code="ColumnType",
        ) from None


def _other_type(found: pa.DataType, column: Column, kind: pa.DataType) -> str:
    hint = "Write the input with that type, or train with this one."
    if not (pa.types.is_integer(found) and pa.types.is_timestamp(kind)):
        return hint
    return f"{hint} If it counts seconds since 1970, give {mention('spec.input.csv.dateFormats', {column.name: 'epoch_s'})} (or _ms, _us, _ns)."


def _converted(array: pa.Array, column: Column, kind: pa.DataType, dialect: Csv) -> Parsed:
    if pa.types.is_string(array.type):
        return _parse(array, column, kind, dialect)
    return _cast(array, kind, dialect.date_formats_of(column.name))


def _in_one_piece(values: pa.ChunkedArray) -> pa.Array:
    array = values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_nested(array.type):
        raise pa.ArrowInvalid("a list is no value")
    if not pa.types.is_string(array.type) and array.type in _TEXTS:
        # Some writers call text binary.
        array = array.cast(pa.string())
    return array


_TEXTS = (pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view())


def _parse(text: pa.Array, column: Column, kind: pa.DataType, dialect: Csv) -> Parsed:
    if pa.types.is_floating(kind):
        return parse_float(text, dialect, kind)
    if pa.types.is_integer(kind):
        return parse_int(text, dialect, kind)
    if pa.types.is_boolean(kind):
        return parse_bool(text, dialect)
    return parse_date(text, dialect.date_formats_of(column.name), kind, dialect)


def _cast(array: pa.Array, kind: pa.DataType, date_formats: Sequence[str]) -> Parsed:
    """A typed array as another type: numbers among each other, times among each other, anything to text."""
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), kind), None
    if pa.types.is_timestamp(kind):
        if pa.types.is_date(array.type):
            array = array.cast(pa.timestamp("ms"))
        if pa.types.is_integer(array.type):
            return date_of_integers(array, date_formats, kind)
        if not pa.types.is_timestamp(array.type):
            raise pa.ArrowInvalid("no time")
        return cast_date(array.cast(pa.timestamp(array.type.unit)), kind, array.is_valid())
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return _cast_whole(array, kind)
    if pa.types.is_floating(kind) and pa.types.is_temporal(array.type):
        raise pa.ArrowInvalid("a time is no number")
    if pa.types.is_floating(kind) and pa.types.is_decimal(array.type):
        # Arrow's direct cast is off by one unit in the last place for every tenth value; its parser is exact.
        array = array.cast(pa.string()).cast(pa.float64())
    return pc.cast(array, kind, safe=False), None


def _cast_whole(array: pa.Array, kind: pa.DataType) -> Parsed:
    """To integers or truth values: only values that both types hold, NaN being null."""
    if pa.types.is_temporal(array.type):
        raise pa.ArrowInvalid("a time is no number")
    if pa.types.is_boolean(array.type):
        return pc.cast(array, kind), None
    if pa.types.is_floating(array.type):
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
    low, high = (0, 1) if pa.types.is_boolean(kind) else _bounds(kind)
    fits = _lies_between(array, low, high)
    values = pc.cast(pc.if_else(fits, array, pa.scalar(None, array.type)), kind, safe=False)
    bad = array.is_valid().to_numpy(zero_copy_only=False) & ~fits.to_numpy(zero_copy_only=False)
    return values, bad if bad.any() else None


def _lies_between(array: pa.Array, low: int, high: int) -> pa.Array:
    if pa.types.is_integer(array.type):
        numbers = array.fill_null(0).to_numpy()
        mine = np.iinfo(numbers.dtype)
        return pa.array((numbers >= max(low, mine.min)) & (numbers <= min(high, mine.max)))
    floats = pc.fill_null(pc.cast(array, pa.float64(), safe=False), np.nan).to_numpy(zero_copy_only=False)
    return pa.array((floats >= low) & (floats < float(high) + 1) & (floats == np.floor(floats)))


def _bounds(kind: pa.DataType) -> tuple[int, int]:
    info = np.iinfo(kind.to_pandas_dtype())
    return int(info.min), int(info.max)
