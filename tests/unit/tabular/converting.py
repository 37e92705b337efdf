"""Rows made by hand, for tests of conversion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from scoremill.spec import Csv
from scoremill.tabular.rows import Rows


def typed_rows(**columns: pa.Array) -> Rows:
    """Rows of a Parquet file."""
    table = pa.table(columns)
    count = table.num_rows
    return Rows(table, np.arange(count), [], lambda: np.full(count, -1), lambda i: b"%d" % i, lambda _: -1)


def text_rows(dialect: Csv, **columns: Sequence[Any]) -> Rows:
    """Rows of a CSV, as its reader gives them: text, null spellings null."""
    return typed_rows(
        **{
            name: pa.array([None if value in dialect.null_values else value for value in values], pa.string())
            for name, values in columns.items()
        }
    )
