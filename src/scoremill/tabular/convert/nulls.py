"""Which values of a column are missing."""

from __future__ import annotations

import pyarrow as pa

from scoremill.spec import Column, Csv

from ..csv import without_nulls
from ..rows import Rows, verbatim_name


def given_values(rows: Rows, column: Column, dialect: Csv) -> pa.ChunkedArray:
    """Return the values of a column before their conversion: of CSV, its `texts` are not missing.

    Such a column must have been read verbatim. Values of Parquet, and of paths, are missing or not as they are.
    """
    verbatim = verbatim_name(column.name)
    if column.texts and verbatim in rows.table.column_names:
        return without_nulls(rows.table[verbatim], [text for text in dialect.null_values if text not in column.texts])
    return rows.table[column.name]
