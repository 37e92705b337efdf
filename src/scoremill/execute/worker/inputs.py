"""The rows of a partition, piece by piece, from whatever its objects are."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import pyarrow as pa

from scoremill.discovery import Source
from scoremill.errors import InputChanged, InputError, ObjectError, RefusedError
from scoremill.planning import Partition, Piece, Settings
from scoremill.spec import Storage
from scoremill.storage.filesystem import Store, is_local
from scoremill.tabular.csv import CsvReader, Header, Range, Tally, read_header
from scoremill.tabular.damage import damage_reported
from scoremill.tabular.decode import DecodedSource
from scoremill.tabular.kinds import CompressedError
from scoremill.tabular.memory import OutOfMemoryError
from scoremill.tabular.parquet_reader import column_names, footer, read_row_group, too_large
from scoremill.tabular.rename import renamed
from scoremill.tabular.rows import Place, Reject, Rows, verbatim_name
from scoremill.tabular.rows import Source as Bytes
from scoremill.tabular.where import Where


class Reading(Protocol):
    """What reading needs to know; a run's Work says that and more."""

    @property
    def settings(self) -> Settings: ...

    @property
    def settings_hash(self) -> str: ...

    @property
    def input_storage(self) -> Storage: ...

    @property
    def rejects_objects(self) -> bool: ...

    @property
    def used(self) -> tuple[str, ...]:
        """Columns whose values are interpreted, every null value of CSV being missing."""

    @property
    def carried(self) -> tuple[str, ...]:
        """Columns that are read as the input holds them."""


@dataclass(slots=True)
class Opened:
    """A partition being read: its rows, and what was learned of each piece so far."""

    partition: Partition
    rows: Iterator[Rows]
    """Rows with numbers that count through all pieces."""
    firsts: list[int] = field(default_factory=list)
    """Number of the first row of each piece that was opened."""
    origins: list[int] = field(default_factory=list)
    """Of each piece of Parquet, the rows of its object before it; 0 of CSV, whose rows are found by their bytes."""
    tallies: list[Tally] = field(default_factory=list)
    headers: list[tuple[str, ...]] = field(default_factory=list)
    left_out: int = 0
    """Rows that the job's condition does not choose."""
    paths: list[dict[str, str | None]] = field(default_factory=list)
    """The columns in the path of each piece, by the names that the job uses."""

    def piece_of(self, row: int) -> int:
        """Index of the piece that row `row` of the partition is in."""
        return bisect_right(self.firsts, row) - 1

    def place_of(self, reject: Reject, first_line: int) -> Place:
        """Where a rejected row is in its object.

        `first_line` is the line, from 1, at which the partition begins, or 0: then the line is known only in pieces
        that begin with their files.
        """
        at = self.piece_of(reject.row)
        piece = self.partition.pieces[at]
        if reject.offset < 0:
            return Place(piece.source.uri, row=reject.row - self.firsts[at] + self.origins[at])
        begin = first_line if piece.start else 1
        return Place(piece.source.uri, begin + reject.line if begin else None, reject.offset)


@dataclass(frozen=True, slots=True)
class ObjectBytes:
    """An input object as the CSV reader wants it; reads the version that was planned, or raises InputChanged."""

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


def open_partition(work: Reading, partition: Partition) -> Opened:
    """The rows of `partition`, read as they are asked for."""
    opened = Opened(partition, iter(()))
    opened.rows = _rows(work, opened)
    return opened


def _rows(work: Reading, opened: Opened) -> Iterator[Rows]:
    first, where = 0, where_of(work)
    for piece in opened.partition.pieces:
        opened.firsts.append(first)
        opened.origins.append(0)
        opened.paths.append({})
        for block in _piece_rows(work, piece, opened):
            rows = _numbered_from(block, opened.firsts[-1])
            first += len(rows) + len(rows.rejects)
            read = rows.table.column_names
            rows = _with_path_columns(rows, opened.paths[-1], work)
            if where is not None:
                rows, left_out = where.choose(rows, read)
                opened.left_out += left_out
            yield rows


def where_of(work: Reading) -> Where | None:
    """The job's condition, if it has one."""
    settings = work.settings
    return Where(settings.where, settings.where_columns, settings.csv) if settings.where else None


def _piece_rows(work: Reading, piece: Piece, opened: Opened) -> Iterator[Rows]:
    source = piece.source
    try:
        with damage_reported(source.uri):
            yield from _read(work, piece, opened)
    except InputChanged:
        raise
    except InputError as error:
        _refuse_changed(source, work.input_storage)
        raise ObjectError(error.message, error.hint, source.uri) from None
    except RefusedError as error:
        if not work.rejects_objects:
            raise
        raise ObjectError(error.message, error.hint, source.uri) from None
    if is_local(source.root):
        # A file that is open may be written over; a store's objects are compared at each request.
        _refuse_changed(source, work.input_storage)


def _refuse_changed(source: Source, storage: Storage) -> None:
    """InputChanged where `source` is not there any more as it was planned."""
    Store(source.root, storage).open(source.name, source.version).close()


def _read(work: Reading, piece: Piece, opened: Opened) -> Iterator[Rows]:
    source = piece.source
    if source.size == 0 or piece.rejected:
        opened.headers.append(())
        opened.tallies.append(Tally())
    elif source.format == "parquet":
        yield from _parquet_rows(work, piece, opened)
    elif source.is_compressed:
        yield from _decoded_rows(work, piece, opened)
    else:
        try:
            header = _header(work, source)
        except CompressedError:
            if (piece.start, piece.end) != (0, source.size):
                raise
            yield from _decoded_rows(work, piece, opened)
        else:
            yield from _csv_rows(work, piece, ObjectBytes(source, work.input_storage), header, opened)


def _decoded_rows(work: Reading, piece: Piece, opened: Opened) -> Iterator[Rows]:
    source = piece.source
    file = Store(source.root, work.input_storage).open(source.name, source.version)
    with DecodedSource(file, source.uri) as decoded:
        yield from _csv_rows(work, piece, decoded, read_header(decoded, work.settings.csv), opened)


def _csv_rows(work: Reading, piece: Piece, data: Bytes, header: Header | None, opened: Opened) -> Iterator[Rows]:
    opened.headers.append(header.names if header else ())
    if header is None:
        opened.tallies.append(Tally())
        return
    header = replace(header, names=renamed(header.names, _changes(work, piece.source, header.names, opened)))
    end = 2**62 if data.size is None else piece.end
    cut = Range(piece.start, end, piece.inside_quotes, piece.whole)
    wanted = _wanted(work, piece.source, opened.paths[-1], header.names)
    used, carried = ([name for name in names if name in wanted] for names in (work.used, work.carried))
    reader = CsvReader(data, cut, header, work.settings.csv, used, carried)
    opened.tallies.append(reader.tally)
    yield from reader


def _parquet_rows(work: Reading, piece: Piece, opened: Opened) -> Iterator[Rows]:
    source = piece.source
    opened.headers.append(())
    opened.tallies.append(Tally())
    with Store(source.root, work.input_storage).open(source.name, source.version) as file:
        opened.origins[-1] = sum(footer(file)[0][: piece.start])
        names = column_names(file) if work.settings.renaming else ()
        in_file = {new: old for old, new in _changes(work, source, names, opened).items()}
        wanted = _wanted(work, source, opened.paths[-1], None)
        first = 0
        for group in range(piece.start, piece.end):
            try:
                for rows in read_row_group(file, group, wanted, work.settings.batch_rows, in_file):
                    yield _numbered_from(rows, first)
                    first += len(rows)
            except OutOfMemoryError as error:
                # Not the object's fault alone, so that the object is not rejected: with more memory it may be read.
                raise too_large(source.uri, group, error) from None


def _changes(work: Reading, source: Source, names: Sequence[str], opened: Opened) -> dict[str, str]:
    """The new names of the columns of `source`, which has these `names`; those in its path are noted in `opened`."""
    path = source.hive() if work.settings.hive else {}
    changes = changes_of(work, source, (*names, *path))
    opened.paths[-1] = dict(zip(renamed(list(path), changes), path.values(), strict=True))
    return changes


def changes_of(work: Reading, source: Source, names: Sequence[str]) -> dict[str, str]:
    """The new names of the columns of `source`, which has these `names`, those in its path included."""
    try:
        wanted = dict.fromkeys((*work.used, *work.carried))
        return work.settings.renaming.changes(list(dict.fromkeys(names)), wanted)
    except InputError as error:
        raise InputError(f"{source.uri}: {error.message}", error.hint) from None


_headers: dict[tuple[str, str, str], Header | None] = {}
_MOST_HEADERS = 1024


def _header(work: Reading, source: Source) -> Header | None:
    """The header of `source`; a process reads it once, however many of the file's partitions it scores."""
    key = (work.settings_hash, source.uri, source.version)
    # Another thread may clear it at any time.
    header = _headers.get(key)
    if header is None:
        if len(_headers) >= _MOST_HEADERS:
            _headers.clear()
        header = _headers[key] = read_header(ObjectBytes(source, work.input_storage), work.settings.csv)
    return header


def _wanted(work: Reading, source: Source, path: Collection[str], names: Sequence[str] | None) -> list[str]:
    """Columns to read from the object itself: those used or carried, less those in its `path`."""
    needed = dict.fromkeys((*work.used, *work.carried))
    wanted = [name for name in needed if name not in path or (names is not None and name in names)]
    missing = [name for name in wanted if names is not None and name not in names]
    if missing:
        raise InputError(
            f"{source.uri} has no column {', '.join(map(repr, missing))}",
            f"Its columns are: {', '.join((names or ())[:40])}. Leave the file out, or give it the same header.",
        )
    return wanted


def _with_path_columns(rows: Rows, path: Mapping[str, str | None], work: Reading) -> Rows:
    for name, value in path.items():
        there = {name, verbatim_name(name)}.intersection(rows.table.column_names)
        if not there and name in (*work.used, *work.carried):
            rows.table = rows.table.append_column(name, pa.array([value] * len(rows), pa.string()))
    return rows


def _numbered_from(rows: Rows, first: int) -> Rows:
    if first:
        rows.numbers = rows.numbers + first
        rows.rejects = [replace(reject, row=reject.row + first) for reject in rows.rejects]
    return rows
