"""Columns that are carried to the output: as the input has them, or as a type that the job asks for."""

from __future__ import annotations

import pyarrow as pa

from scoremill.errors import InputError
from scoremill.spec import Column, Csv, KeptColumn
from scoremill.spec.mention import mention
from scoremill.units import quoted

from ..rows import Rows
from .columns import convert_column
from .types import kept_type, wider_of


def carry(rows: Rows, column: KeptColumn, dialect: Csv) -> pa.Array:
    """Return a kept column of `rows` as one array of its output type.

    Of a column with a `dtype`, rows whose values do not convert must have been rejected before. Raises InputError if
    an object has the column with a type whose values the output type does not hold exactly.
    """
    kind = kept_type(column)
    if column.dtype is not None:
        return convert_column(rows.table[column.name], Column(column.name, column.dtype), dialect)[0].cast(kind)
    values = rows.carried(column.name).combine_chunks()
    if values.type == kind:
        return values
    if wider_of(values.type, kind) == kind:
        return values.cast(kind)
    raise InputError(
        f"the kept column {quoted(column.name)} is {values.type} here and {column.type} in the files that were sampled",
        f"Score files of different types separately, or give one type to convert to: {mention('spec.input.csv.dtypes', {column.name: 'string'})}.",
        code="ColumnType",
    )
