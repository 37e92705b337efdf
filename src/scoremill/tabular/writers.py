"""Parts as Parquet, CSV and JSON lines: written batch by batch to a stream, and counted again."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import BinaryIO, Protocol

import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from scoremill.spec import CsvFormulas, Format

from .formulas import escape_formulas


class Sink(Protocol):
    """Where a writer's bytes go."""

    def write(self, data: bytes, /) -> int: ...


class Writer(Protocol):
    """Writes tables of one schema; `close` ends the object, also one without rows."""

    def write(self, table: pa.Table) -> None: ...

    def close(self) -> None: ...


class ParquetWriter:
    """One row group a batch, compressed by zstd; text in dictionaries, numbers as they are.

    Predictions hardly repeat: trying a dictionary first costs five times their encoding, and size.
    """

    def __init__(self, sink: Sink, schema: pa.Schema) -> None:
        text = [field.name for field in schema if pa.types.is_string(field.type)]
        self._writer = pq.ParquetWriter(sink, schema, compression="zstd", compression_level=1, use_dictionary=text)

    def write(self, table: pa.Table) -> None:
        self._writer.write_table(table)

    def close(self) -> None:
        self._writer.close()


class CsvWriter:
    """A header, then rows as RFC 4180 has them, numbers in their shortest exact form.

    Texts are quoted and missing values are empty, so that an empty text stays one. Bytes are base64, durations ISO 8601.
    """

    def __init__(self, sink: Sink, schema: pa.Schema, formulas: CsvFormulas = "Keep") -> None:
        self._is_alone, self._formulas = len(schema) == 1, formulas
        self._writer = pacsv.CSVWriter(sink, self._as_text(schema.empty_table()).schema)

    def write(self, table: pa.Table) -> None:
        self._writer.write_table(self._as_text(table))

    def _as_text(self, table: pa.Table) -> pa.Table:
        table = pa.table([_as_text(column) for column in table.columns], table.column_names)
        if self._formulas == "Escape":
            table = escape_formulas(table)
        if self._is_alone and not pa.types.is_floating(table.schema.types[0]):
            # A line without a character is no row to most readers.
            return pa.table([pc.fill_null(table.column(0).cast(pa.string()), "")], table.column_names)
        return table

    def close(self) -> None:
        self._writer.close()


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column whose type Arrow's writer of CSV takes."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_duration(kind) or pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return pa.chunked_array([[None if v is None else _spelled(v) for v in column.to_pylist()]], pa.string())
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return _as_text(column.cast(pa.binary()))
    return column.cast(pa.string()) if pa.types.is_string_view(kind) else column


def _spelled(value: object) -> str:
    """Values that neither CSV nor JSON has a form for: bytes as base64, times and durations as ISO 8601."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, timedelta):
        return pd.Timedelta(value).isoformat()
    return value.isoformat() if isinstance(value, datetime) else str(value)


class JsonLinesWriter:
    """One object a line; missing, NaN and infinite numbers are null.

    Decimals are texts, so that no digit is lost; times and durations are ISO 8601, bytes base64.
    """

    def __init__(self, sink: Sink, schema: pa.Schema) -> None:
        self._sink = sink

    def write(self, table: pa.Table) -> None:
        lines = (orjson.dumps(row, default=_spelled, option=orjson.OPT_APPEND_NEWLINE) for row in table.to_pylist())
        self._sink.write(b"".join(lines))

    def close(self) -> None:
        """Nothing: a line is whole when it is written."""


def open_writer(format: Format, sink: Sink, schema: pa.Schema, formulas: CsvFormulas = "Keep") -> Writer:
    """A writer of `format` to `sink`."""
    match format:
        case "parquet":
            return ParquetWriter(sink, schema)
        case "csv":
            return CsvWriter(sink, schema, formulas)
        case "jsonl":
            return JsonLinesWriter(sink, schema)


def count_rows(file: BinaryIO, name: str) -> int:
    """The rows in a part or errors object, read again from its bytes; its format is in its name."""
    if name.endswith(".parquet"):
        return int(pq.ParquetFile(file).metadata.num_rows)
    if name.endswith(".csv"):
        return _count_csv(file)
    return sum(block.count(b"\n") for block in iter(lambda: file.read(2**20), b""))


def _count_csv(file: BinaryIO) -> int:
    """Data rows of one of our own CSVs: records whose newline lies outside quotes, less the header."""
    newlines, inside = 0, False
    for block in iter(lambda: file.read(2**24), b""):
        pieces = block.split(b'"')
        newlines += sum(piece.count(b"\n") for piece in pieces[inside::2])
        inside ^= len(pieces) % 2 == 0
    return max(0, newlines - 1)
