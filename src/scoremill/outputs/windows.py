"""The rows of published parts in their order, a window at a time."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from scoremill.ledger import Manifest
from scoremill.storage.filesystem import Store

WINDOW = 65_536
"""Rows read or written at a time, and the most in a row group; a few such windows are held, however large the parts."""

Rows = Any
"""A pyarrow Table, or a list of records."""


def parts_by_folder(manifest: Manifest) -> dict[str, list[str]]:
    """The names of the parts by their folder, in the order of the input."""
    folders: dict[str, list[str]] = {}
    for entry in manifest.entries():
        if entry.kind == "part":
            folder, slash, _ = entry.part.name.rpartition("/")
            folders.setdefault(folder + slash, []).append(entry.part.name)
    return folders


def regrouped(groups: Iterable[Rows], sizes: Iterator[int]) -> Iterator[Rows]:
    """Yield the same rows in groups of `sizes`, fewer at the end; one empty group if there are none."""
    held: list[Rows] = []
    count, size = 0, next(sizes)
    for rows in groups:
        held.append(rows)
        count += len(rows)
        while count > size:
            whole = _joined(held)
            yield whole[:size]
            held, count, size = [whole[size:]], count - size, next(sizes)
    if held:
        yield _joined(held)


def _joined(groups: list[Rows]) -> Rows:
    return pa.concat_tables(groups) if isinstance(groups[0], pa.Table) else [row for rows in groups for row in rows]


def read_windows(store: Store, names: list[str]) -> Iterator[Rows]:
    """The rows of parts, some at a time: tables of Parquet, else records as they stand in the file."""
    for name in names:
        with store.open(name) as file:
            if name.endswith(".parquet"):
                parquet = pq.ParquetFile(file)
                yield parquet.schema_arrow.empty_table()
                yield from (pa.Table.from_batches([batch]) for batch in parquet.iter_batches(WINDOW))
            else:
                is_csv = name.endswith(".csv")
                rows = islice(records(file, quoted=is_csv), int(is_csv), None)
                yield []
                while window := list(islice(rows, WINDOW)):
                    yield window


def records(file: BinaryIO, *, quoted: bool) -> Iterator[bytes]:
    """The records of a text; a newline inside quotes does not end one."""
    record = b""
    for line in io.BufferedReader(file, 2**20):  # type: ignore[type-var]
        record += line
        if not quoted or record.count(b'"') % 2 == 0:
            yield record
            record = b""
