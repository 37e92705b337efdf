"""Rows of Parquet, a row group at a time, in batches."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scoremill.errors import ClusterError, InputError
from scoremill.units import format_bytes, quoted

from .memory import OutOfMemoryError, bounded
from .rows import Rows

_AS_IN_FILE: Mapping[str, str] = MappingProxyType({})


def footer(file: BinaryIO) -> tuple[list[int], str]:
    """Return the rows of each row group, and a hash of the columns' names and types; ValueError if it is no Parquet."""
    parquet = pq.ParquetFile(file)
    rows = [parquet.metadata.row_group(i).num_rows for i in range(parquet.num_row_groups)]
    columns = [(field.name, str(field.type)) for field in parquet.schema_arrow]
    return rows, hashlib.sha256(repr(columns).encode()).hexdigest()[:16]


def column_names(file: BinaryIO) -> list[str]:
    """The names of the columns, from the footer."""
    names: list[str] = pq.ParquetFile(file).schema_arrow.names
    return names


def read_row_group(
    file: BinaryIO,
    uri: str,
    index: int,
    columns: Sequence[str],
    batch_rows: int,
    in_file: Mapping[str, str] = _AS_IN_FILE,
) -> Iterator[Rows]:
    """The rows of one row group, at most `batch_rows` at a time, typed as the file has them; offsets are -1.

    `in_file` has the names that columns have in the file if those are others. ClusterError if a batch does not fit in the
    memory that is left: that is not the object's fault alone, and with more memory it can be read.
    """
    try:
        yield from bounded(_batches(file, index, columns, batch_rows, in_file))
    except OutOfMemoryError as error:
        raise ClusterError(
            f"{uri}: row group {index}: a batch of its rows needs more than the {format_bytes(error.spare)} of memory "
            "that are left",
            "Give workers more memory (`spec.cluster.memory`), or leave the object out of `spec.input.uris`; the same command resumes. If its rows are "
            "large, a lower `spec.model.batchRows` with `spec.output.mode: Overwrite` helps too.",
            code="NotEnoughMemory",
        ) from None


def _batches(
    file: BinaryIO, index: int, columns: Sequence[str], batch_rows: int, in_file: Mapping[str, str]
) -> Iterator[Rows]:
    parquet = pq.ParquetFile(file)
    names = [in_file.get(name, name) for name in columns]
    missing = [name for name in names if name not in parquet.schema_arrow.names]
    if missing:
        raise InputError(
            f"there is no column {', '.join(map(quoted, missing))}",
            f"Its columns are: {', '.join(parquet.schema_arrow.names)}.",
            code="ColumnMissing",
        )
    if not columns:
        yield from _without_columns(parquet.metadata.row_group(index).num_rows, batch_rows)
        return
    first = 0
    for batch in parquet.iter_batches(batch_rows, row_groups=[index], columns=names, use_threads=False):
        yield _rows(pa.Table.from_batches([batch]).select(names).rename_columns(list(columns)), first, batch.num_rows)
        first += batch.num_rows


def _without_columns(count: int, batch_rows: int) -> Iterator[Rows]:
    for first in range(0, count, batch_rows):
        yield _rows(pa.table({}), first, min(batch_rows, count - first))


def _rows(table: pa.Table, first: int, count: int) -> Rows:
    numbers = np.arange(first, first + count)
    return Rows(table, numbers, [], lambda: np.full(count, -1, np.int64), lambda i: as_message(table, i), lambda _: -1)


def as_message(table: pa.Table, i: int) -> bytes:
    """Row i of the columns that were read, as an Arrow stream: Parquet has no text of a row.

    Its bytes depend on the row alone, not on the rows that were read with it.
    """
    columns = [_alone(column.slice(i, 1).combine_chunks()) for column in table.columns]
    row = pa.table(columns, table.column_names)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, row.schema) as stream:
        stream.write_table(row)
    message: bytes = sink.getvalue().to_pybytes()
    return message


def _alone(value: pa.Array) -> pa.Array:
    """An array of one value, with nothing of the array that it was sliced from."""
    if not pa.types.is_dictionary(value.type):
        return value.take(pa.array([0]))
    kind = value.type
    encoded = value.dictionary_decode().dictionary_encode()
    indices = encoded.indices.cast(kind.index_type)
    return pa.DictionaryArray.from_arrays(indices, encoded.dictionary, ordered=kind.ordered)


def from_message(message: bytes) -> pa.Table:
    """The row that `as_message` gave, with its types."""
    return pa.ipc.open_stream(message).read_all()


def as_json(message: bytes) -> bytes:
    """That row as JSON, for people."""
    return json.dumps(from_message(message).to_pylist()[0], default=str, ensure_ascii=False).encode()
