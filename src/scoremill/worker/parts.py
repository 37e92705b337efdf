"""The parts of one partition: one, or several split by rows or by values of columns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import quote

import numpy as np
import pyarrow as pa

from scoremill.errors import UsageError
from scoremill.ledger import Part
from scoremill.naming import HIVE_NULL, part_name
from scoremill.planning import Settings
from scoremill.storage.filesystem import Publication, Store
from scoremill.storage.hashing import sha256
from scoremill.tabular.writers import open_writer

from .work import Task

MOST_FOLDERS = 1000
"""Maximum number of folders of `partitionBy` in one partition; each has an object that is open at the same time."""


class _Same(Exception):
    """The same object exists already, byte for byte."""


class OutputObject:
    """One object being written; it appears complete when closed, unless the same bytes are there already."""

    def __init__(self, store: Store, name: str, might_exist: bool) -> None:
        self.name, self.rows = name, 0
        self._store, self._might_exist = store, might_exist
        self._context = store.publish(name)
        self.stream: Publication = self._context.__enter__()

    def close(self) -> Part:
        self.stream.close()
        part = Part(self.name, self.rows, self.stream.size, self.stream.sha256)
        if self._might_exist and self._is_there(part):
            # Leave an object of an earlier driver untouched, because someone might be reading it.
            self.abort(_Same())
        else:
            self._context.__exit__(None, None, None)
        return part

    def abort(self, error: BaseException) -> None:
        try:
            self._context.__exit__(type(error), error, error.__traceback__)
        except BaseException as raised:
            if raised is not error:
                raise

    def _is_there(self, part: Part) -> bool:
        info = self._store.info(part.name)
        if info is None or info.size != part.size:
            return False
        with self._store.open(part.name) as file:
            return sha256(file) == part.sha256


class Parts:
    """Write batches to their parts."""

    def __init__(self, task: Task, store: Store, schema: pa.Schema) -> None:
        self._task, self._settings, self._store = task, task.work.settings, store
        folders = set(self._settings.partition_by)
        self._schema = pa.schema([field for field in schema if field.name not in folders])
        self._open: dict[str, _Part] = {}
        self._pieces: dict[str, int] = {}
        self._done: list[Part] = []
        if not folders:
            # A partition without rows has a part too, so that every partition is visibly complete.
            self._part("")

    def write(self, table: pa.Table) -> None:
        """Append a batch."""
        for folder, rows in _by_folder(table, self._settings.partition_by):
            self._write(folder, rows.select(self._schema.names))

    def close(self) -> tuple[Part, ...]:
        """Publish the open parts, and return all parts in the order of their names."""
        while self._open:
            self._finish(next(iter(self._open)))
        return tuple(sorted(self._done, key=lambda part: part.name))

    def abort(self, error: BaseException) -> None:
        """Discard the open parts."""
        for part in self._open.values():
            part.abort(error)

    def _write(self, folder: str, rows: pa.Table) -> None:
        most = self._settings.rows_per_file
        while rows.num_rows:
            part = self._part(folder)
            room = rows.num_rows if most is None else most - part.object.rows
            part.write(rows.slice(0, room))
            rows = rows.slice(room)
            if part.object.rows == most and rows.num_rows:
                self._finish(folder)

    def _part(self, folder: str) -> _Part:
        if folder not in self._open:
            if len(self._open) >= MOST_FOLDERS:
                raise UsageError(
                    f"`spec.output.partitionBy` needs more than {MOST_FOLDERS} folders in one partition",
                    "Choose columns with fewer values.",
                    code="InvalidPartitionBy",
                )
            piece = self._pieces[folder] = self._pieces.get(folder, -1) + 1
            numbered = None if self._settings.rows_per_file is None else piece
            partition = self._task.partition
            name = folder + part_name(partition.number, partition.id, self._settings.format, numbered)
            self._open[folder] = _Part(
                OutputObject(self._store, name, self._task.might_exist), self._schema, self._settings
            )
        return self._open[folder]

    def _finish(self, folder: str) -> None:
        part = self._open[folder]
        self._done.append(part.close())
        del self._open[folder]


class _Part:
    """One part and its writer."""

    def __init__(self, output: OutputObject, schema: pa.Schema, settings: Settings) -> None:
        self.object = output
        self._writer = open_writer(settings.format, output.stream, schema, settings.csv_formulas)

    def write(self, rows: pa.Table) -> None:
        self._writer.write(rows)
        self.object.rows += rows.num_rows

    def close(self) -> Part:
        self._writer.close()
        return self.object.close()

    def abort(self, error: BaseException) -> None:
        # Otherwise Arrow's writer would write its footer to a closed stream when it is garbage-collected.
        with suppress(Exception):
            self._writer.close()
        self.object.abort(error)


def _by_folder(table: pa.Table, columns: tuple[str, ...]) -> Iterator[tuple[str, pa.Table]]:
    """Yield each folder and its rows in their order; folders are in the order of their first rows."""
    if not columns or not table.num_rows:
        yield "", table
        return
    labels = [table[name].cast(pa.string()).to_pylist() for name in columns]
    folders = [
        "".join(f"{quote(name, safe=' ')}={_label(value)}/" for name, value in zip(columns, row, strict=True))
        for row in zip(*labels, strict=True)
    ]
    codes = pa.array(folders).dictionary_encode()
    indices = codes.indices.to_numpy()
    for code, folder in enumerate(codes.dictionary.to_pylist()):
        yield folder, table.take(pa.array(np.flatnonzero(indices == code)))


def _label(value: str | None) -> str:
    """Return the value for the name of a folder; text that equals Hive's name for null is escaped."""
    if value is None:
        return HIVE_NULL
    return f"%5F{value[1:]}" if value == HIVE_NULL else quote(value, safe=" ")
