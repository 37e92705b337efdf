"""Names of pandas dtypes, and what they mean to Arrow."""

from __future__ import annotations

import base64
import re

import numpy as np
import pandas as pd
import pyarrow as pa

from scoremill.errors import UsageError
from scoremill.spec import Column, KeptColumn
from scoremill.units import quoted

_NUMERIC = re.compile(r"float(16|32|64)|u?int(8|16|32|64)", re.IGNORECASE)
ARROW = "[pyarrow]"
"""End of the names of Arrow-backed dtypes."""
_DATE = re.compile(r"datetime64\[(s|ms|us|ns)(?:, *(.+))?\]")
DATE = "date"
"""Values of objects that are days, Python's `datetime.date`."""
TEXT = ("string", "str", "object", "category")
"""Dtypes whose values are text as it stands."""


def arrow_type(column: Column) -> pa.DataType:
    """The Arrow type that holds a column's pandas dtype; UsageError if no CSV could hold it.

    Text, objects and categories are strings; nullable dtypes (`Int64`, `boolean`) are as the plain ones. Objects
    whose values are not text have the type of their values.
    """
    dtype = column.values or column.dtype if column.dtype == "object" else column.dtype
    if dtype.endswith(ARROW):
        dtype = _plain(dtype)
    if dtype in TEXT:
        return pa.string()
    if dtype == DATE:
        return pa.date32()
    if dtype in ("bool", "boolean"):
        return pa.bool_()
    if _NUMERIC.fullmatch(dtype):
        return pa.from_numpy_dtype(np.dtype(dtype.lower()))
    if match := _DATE.fullmatch(dtype):
        return pa.timestamp(match[1], match[2])
    raise UsageError(
        f"column {quoted(column.name)}: {quoted(dtype)} is not a type that values are read as",
        "Use float64, int64, string, bool, category or datetime64[ns], or a narrower kind of these.",
    )


def described(kind: pa.DataType) -> str:
    """Return what a value of an Arrow type is, for people: `a number`, `a 64-bit integer`, `a date or time`."""
    if pa.types.is_integer(kind):
        sign = "unsigned " if pa.types.is_unsigned_integer(kind) else ""
        return f"{'an' if sign or kind.bit_width == 8 else 'a'} {sign}{kind.bit_width}-bit integer"
    if pa.types.is_floating(kind):
        return "a number"
    if pa.types.is_boolean(kind):
        return "true or false"
    return "text" if pa.types.is_string(kind) else "a date or time"


def arrow_dtype(name: str) -> pd.ArrowDtype:
    """The pandas dtype called `name`, which ends in `[pyarrow]`; TypeError if there is none."""
    if name == f"string{ARROW}":
        # pandas reads this name as its own text dtype.
        return pd.ArrowDtype(pa.string())
    dtype = pd.api.types.pandas_dtype(name)
    assert isinstance(dtype, pd.ArrowDtype)
    return dtype


def _plain(name: str) -> str:
    """The dtype without Arrow that has the values of the Arrow-backed dtype `name`; `name` itself if there is none."""
    try:
        kind = arrow_dtype(name).pyarrow_dtype
    except (TypeError, NotImplementedError):
        return name
    plain = dtype_of(kind)
    return plain if plain != "string" or kind in {pa.string(), pa.large_string()} else name


def dtype_of(kind: pa.DataType) -> str:
    """The dtype that a Parquet column has for us; decimals are float64, dates datetime64[s], all else text."""
    if pa.types.is_dictionary(kind):
        return dtype_of(kind.value_type)
    if pa.types.is_boolean(kind):
        return "bool"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return str(np.dtype(kind.to_pandas_dtype()))
    if pa.types.is_decimal(kind):
        return "float64"
    if pa.types.is_date(kind):
        return "datetime64[s]"
    if pa.types.is_timestamp(kind):
        return f"datetime64[{kind.unit}, {kind.tz}]" if kind.tz else f"datetime64[{kind.unit}]"
    return "string"


def arrow_dtypes(schema: pa.Schema) -> dict[str, str]:
    """The dtype of each column of a Parquet schema, by name."""
    return {field.name: dtype_of(field.type) for field in schema}


def kept_as(name: str, kind: pa.DataType) -> KeptColumn:
    """The column `name` carried with the Arrow type `kind`."""
    spelled = str(kind)
    if _alias(spelled) == kind:
        return KeptColumn(name, spelled)
    schema = base64.b64encode(pa.schema([("", kind)]).serialize().to_pybytes()).decode()
    return KeptColumn(name, spelled, schema=schema)


def kept_type(column: KeptColumn) -> pa.DataType:
    """The Arrow type that a kept column has in the output."""
    if column.dtype is not None:
        return arrow_type(Column(column.name, column.dtype))
    if column.schema is not None:
        return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(column.schema))).field(0).type
    return _alias(column.type)


def _alias(spelled: str) -> pa.DataType | None:
    try:
        return pa.type_for_alias(spelled)
    except ValueError:
        return None


def wider_of(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """The type that holds every value of both exactly; None if there is none."""
    if one == other:
        return one
    if pa.types.is_dictionary(one) != pa.types.is_dictionary(other):
        return wider_of(*(kind.value_type if pa.types.is_dictionary(kind) else kind for kind in (one, other)))
    try:
        both = pa.unify_schemas([pa.schema([("", one)]), pa.schema([("", other)])], promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return None
    wider = both.field(0).type
    # Arrow widens integers to floating-point numbers, which do not hold all of them.
    return None if pa.types.is_floating(wider) and not all(map(_is_inexact, (one, other))) else wider


def _is_inexact(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_null(kind))
