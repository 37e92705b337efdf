"""Small files of Parquet that decode to a hundred megabytes and more, each in another way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .jobs import trips


def _one_text_in_a_dictionary(rows: int) -> pa.Array:
    """One text of 100 KB, which the file holds once."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array(["x" * 100_000]))


def _long_lists(rows: int) -> pa.Array:
    """Lists of a million zeros in all but a few rows, which the file holds as runs."""
    filled = min(rows, 20)
    ends = np.minimum(np.arange(rows + 1), filled) * 1_000_000
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(np.zeros(filled * 1_000_000, np.int8)))


def _one_long_page(rows: int) -> pa.Array:
    """Zeros that compress well."""
    return pa.array([bytes(12 * 2**20) if row < 8 else b"" for row in range(rows)])


BOMBS: dict[str, Callable[[int], pa.Array]] = {
    "dictionary": _one_text_in_a_dictionary,
    "lists": _long_lists,
    "page": _one_long_page,
}


def write_bomb(path: Path, kind: str, rows: int = 20_000) -> None:
    """Write trips in two row groups; the column `note` of the second decodes to a hundred megabytes or more."""
    table = pa.Table.from_pandas(trips(rows).drop(columns="note"), preserve_index=False)
    note = BOMBS[kind](rows)
    table = table.append_column("note", note)
    harmless = table.slice(0, 10).set_column(4, "note", pa.nulls(10).cast(note.type))
    # Without Arrow's own schema a dictionary is read as the text that it stands for.
    with pq.ParquetWriter(
        path, table.schema, compression="zstd", store_schema=False, use_dictionary=kind != "page"
    ) as writer:
        writer.write_table(harmless)
        writer.write_table(table)
