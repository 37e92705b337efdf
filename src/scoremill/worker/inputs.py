"""Read the rows of a partition, piece by piece, from objects of any format."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

import pyarrow as pa

from scoremill.discovery import Source
from scoremill.errors import InputChanged, InputError, ObjectError, RefusedError
from scoremill.planning import Partition, Piece
from scoremill.spec import Storage
from scoremill.storage.filesystem import Store, is_local
from scoremill.tabular.csv import CsvReader, Header, Range, read_header
from scoremill.tabular.damage import damage_reported
from scoremill.tabular.decode import DecodedSource
from scoremill.tabular.kinds import CompressedError
from scoremill.tabular.parquet_reader import column_names, footer, read_row_group
from scoremill.tabular.rename import renamed
from scoremill.tabular.rows import ByteSource as Bytes
from scoremill.tabular.rows import Rows, verbatim_name

from .ahead import Ahead, Fetched
from .opened import OpenPartition, OpenPiece
from .reading import Reading


@dataclass(frozen=True, slots=True)
class ObjectBytes:
    """An input object for the CSV reader; reads the planned version, or raises InputChanged."""

    source: Source
    storage: Storage

    @property
    def name(self) -> str:
        return self.source.uri

    @property
    def size(self) -> int | None:
        return self.source.size

    def read(self, start: int, end: int) -> bytes:
        return Store(self.source.root, self.storage).read(self.source.name, start, end, self.source.version)


class PartitionReader(OpenPartition):
    """The rows of a partition, read from their objects on demand."""

    def __init__(self, reading: Reading, partition: Partition) -> None:
        super().__init__(partition)
        self._reading = reading

    def __iter__(self) -> Iterator[Rows]:
        count, where = 0, self._reading.where
        with Ahead(self.partition.pieces, self._reading.input_storage) as ahead:
            for piece in self.partition.pieces:
                opened = OpenPiece(count)
                self.pieces.append(opened)
                for block in self._rows_of(piece, opened, ahead):
                    rows = _numbered_from(block, opened.first)
                    count += len(rows) + len(rows.rejects)
                    read = rows.table.column_names
                    rows = self._with_path_columns(rows, opened)
                    if where is not None:
                        rows, left_out = where.choose(rows, read)
                        self.left_out += left_out
                    yield rows

    def _rows_of(self, piece: Piece, opened: OpenPiece, ahead: Ahead) -> Iterator[Rows]:
        source, storage = piece.source, self._reading.input_storage
        try:
            with damage_reported(source.uri):
                yield from self._read(piece, opened, ahead.take(piece))
        except InputChanged:
            raise
        except InputError as error:
            _refuse_changed(source, storage)
            raise ObjectError(error.message, error.hint, error.code, source.uri) from None
        except RefusedError as error:
            if not self._reading.rejects_objects:
                raise
            raise ObjectError(error.message, error.hint, error.code, source.uri) from None
        if is_local(source.root):
            # An open file can be overwritten; a store compares the version at each request.
            _refuse_changed(source, storage)

    def _read(self, piece: Piece, opened: OpenPiece, fetched: Fetched | None) -> Iterator[Rows]:
        source, reading = piece.source, self._reading
        if source.size == 0 or piece.rejected:
            return
        if source.format == "parquet":
            yield from self._parquet_rows(piece, opened, fetched)
            return
        if not source.is_compressed:
            data = fetched or ObjectBytes(source, reading.input_storage)
            try:
                header = _header(reading, source, data)
            except CompressedError:
                if (piece.start, piece.end) != (0, source.size):
                    raise
            else:
                yield from self._csv_rows(piece, opened, data, header)
                return
        with DecodedSource(self._open(source, fetched), source.uri) as decoded:
            yield from self._csv_rows(piece, opened, decoded, read_header(decoded, reading.settings.csv))

    def _csv_rows(self, piece: Piece, opened: OpenPiece, data: Bytes, header: Header | None) -> Iterator[Rows]:
        if header is None:
            return
        reading, opened.header = self._reading, header.names
        header = replace(header, names=renamed(header.names, self._changes(piece.source, header.names, opened)))
        end = 2**62 if data.size is None else piece.end
        cut = Range(piece.start, end, piece.inside_quotes, piece.whole)
        wanted = reading.wanted(piece.source, opened.path, header.names)
        used, carried = ([name for name in names if name in wanted] for names in (reading.used, reading.carried))
        reader = CsvReader(data, cut, header, reading.settings.csv, used, carried)
        opened.tally = reader.tally
        yield from reader

    def _open(self, source: Source, fetched: Fetched | None) -> BinaryIO:
        if fetched is not None:
            return io.BytesIO(fetched.content)
        return Store(source.root, self._reading.input_storage).open(source.name, source.version)

    def _parquet_rows(self, piece: Piece, opened: OpenPiece, fetched: Fetched | None) -> Iterator[Rows]:
        source, settings = piece.source, self._reading.settings
        with self._open(source, fetched) as file:
            opened.origin = sum(footer(file)[0][: piece.start])
            names = column_names(file) if settings.renaming else ()
            in_file = {new: old for old, new in self._changes(source, names, opened).items()}
            wanted = self._reading.wanted(source, opened.path, None)
            first = 0
            for group in range(piece.start, piece.end):
                for rows in read_row_group(file, source.uri, group, wanted, settings.batch_rows, in_file):
                    yield _numbered_from(rows, first)
                    first += len(rows)

    def _changes(self, source: Source, names: Sequence[str], opened: OpenPiece) -> dict[str, str]:
        """Return the new names of the columns `names` of `source`, and store the columns in its path in `opened`."""
        changes, path = self._reading.changes(source, names), self._reading.path_columns(source)
        opened.path = dict(zip(renamed(list(path), changes), path.values(), strict=True))
        return changes

    def _with_path_columns(self, rows: Rows, opened: OpenPiece) -> Rows:
        for name, value in opened.path.items():
            there = {name, verbatim_name(name)}.intersection(rows.table.column_names)
            if not there and name in self._reading.needed:
                rows.table = rows.table.append_column(name, pa.array([value] * len(rows), pa.string()))
        return rows


def _refuse_changed(source: Source, storage: Storage) -> None:
    """Raise InputChanged if `source` is not the planned version any more."""
    Store(source.root, storage).open(source.name, source.version).close()


_headers: dict[tuple[str, str, str], Header | None] = {}
_MOST_HEADERS = 1024


def _header(reading: Reading, source: Source, data: Bytes) -> Header | None:
    """Return the header of `source`; a process reads it once for all partitions of the file."""
    key = (reading.settings_hash, source.uri, source.version)
    # Another thread can clear it at any time.
    header = _headers.get(key)
    if header is None:
        if len(_headers) >= _MOST_HEADERS:
            _headers.clear()
        header = _headers[key] = read_header(data, reading.settings.csv)
    return header


def _numbered_from(rows: Rows, first: int) -> Rows:
    if first:
        rows.numbers = rows.numbers + first
        rows.rejects = [replace(reject, row=reject.row + first) for reject in rows.rejects]
    return rows
