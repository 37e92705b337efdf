"""A partition in the memory of a worker: a data frame with the same rows as its objects."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa

from scoremill.errors import InputChanged
from scoremill.ledger import Receipt
from scoremill.planning import Partition, Piece
from scoremill.tabular.csv import without_nulls
from scoremill.tabular.parquet_reader import as_message
from scoremill.tabular.rename import renamed
from scoremill.tabular.rows import Positions, Reject, Rows, verbatim_name
from scoremill.worker.inputs import PartitionReader
from scoremill.worker.opened import OpenPartition, OpenPiece
from scoremill.worker.reading import Reading
from scoremill.worker.task import ready, score_opened
from scoremill.worker.work import Task

ROW, OFFSET = "scoremill.row", "scoremill.offset"
"""Added columns: the number of a row in its partition, and its byte offset in the object (-1 in Parquet)."""
_LEARNED = "scoremill"


@dataclass(frozen=True, slots=True, eq=False)
class FrameFacts:
    """Facts found while reading a partition, stored with its frame."""

    pieces: tuple[OpenPiece, ...]
    rejects: tuple[Reject, ...]
    left_out: int
    was_chosen: bool
    """True if a condition selected the rows when they were read."""


def read_partition(partition: Partition, reading: Reading) -> pd.DataFrame:
    """Return the rows of `partition` with the requested columns, as the exact text of CSV or the types of Parquet."""
    opened = PartitionReader(reading, partition)
    return as_frame(opened, opened, reading)


def as_frame(opened: OpenPartition, blocks: Iterable[Rows], reading: Reading) -> pd.DataFrame:
    """Return the `blocks` of `opened` as Arrow-backed columns, without keeping the blocks in memory."""
    names = reading.carried
    tables: list[pa.Table] = []
    rejects: list[Reject] = []
    for rows in blocks:
        places = [pa.array(rows.numbers, pa.int64()), pa.array(rows.offsets(), pa.int64())]
        tables.append(pa.table([*map(rows.carried, names), *places], [*names, ROW, OFFSET]))
        rejects += rows.rejects
    if not tables:
        kinds = [(name, pa.string()) for name in names]
        tables.append(pa.schema([*kinds, (ROW, pa.int64()), (OFFSET, pa.int64())]).empty_table())
    frame: pd.DataFrame = pa.concat_tables(tables).to_pandas(types_mapper=pd.ArrowDtype)
    was_chosen = reading.settings.where is not None
    frame.attrs[_LEARNED] = FrameFacts(tuple(opened.pieces), tuple(rejects), opened.left_out, was_chosen)
    return frame


def learned_of(frame: pd.DataFrame) -> FrameFacts:
    """Return the facts found while reading the rows of `frame`."""
    learned: FrameFacts = frame.attrs[_LEARNED]
    return learned


def size_of(frame: pd.DataFrame) -> int:
    """Return the size of `frame` in bytes, including the text of rejected rows."""
    columns = sum(int(_arrow(frame, name).nbytes) for name in frame.columns)
    return columns + sum(len(reject.raw) for reject in learned_of(frame).rejects)


def score_held(task: Task, frame: pd.DataFrame) -> Receipt:
    """Score one partition like `score_partition`, with the rows of `frame`."""
    model = ready(task.work)
    return score_opened(task, model, HeldPartition(task.work.reading(model.bundle.columns), task.partition, frame))


class HeldPartition(OpenPartition):
    """The rows that PartitionReader returns, from memory."""

    def __init__(self, reading: Reading, partition: Partition, frame: pd.DataFrame) -> None:
        super().__init__(partition)
        self._reading, self._frame, self._learned = reading, frame, learned_of(frame)
        self.pieces, self.left_out = list(self._learned.pieces), self._learned.left_out

    def __iter__(self) -> Iterator[Rows]:
        where = None if self._learned.was_chosen else self._reading.where
        for piece, opened, rows in self._held():
            source, reading = piece.source, self._reading
            changes = reading.changes(source, opened.header)
            names = reading.wanted(source, opened.path, renamed(opened.header, changes) or None)
            in_parquet = source.format == "parquet"
            for batch in iter([_typed(rows, names)]) if in_parquet else _as_read(rows, names, reading):
                if where is None:
                    yield batch
                    continue
                chosen, left_out = where.choose(batch, names, holds_text=False)
                self.left_out += left_out
                yield chosen

    def _held(self) -> Iterator[tuple[Piece, OpenPiece, Rows]]:
        """Yield each piece with its rows, whose text is read again if it is needed."""
        frame, places = self._frame, _Places(self._reading, self.partition)
        table = pa.table({name: _arrow(frame, name) for name in self._reading.needed})
        held = _HeldRows(table, _arrow(frame, ROW).to_numpy(), _arrow(frame, OFFSET).to_numpy(), self._learned.rejects)
        ends = [*(piece.first for piece in self.pieces[1:]), None]
        for piece, opened, end in zip(self.partition.pieces, self.pieces, ends, strict=True):
            yield piece, opened, held.between(opened.first, end, places)


def _as_read(rows: Rows, names: Sequence[str], reading: Reading) -> Iterator[Rows]:
    """Yield batches of rows like the CSV reader: spellings of null are null, carried columns are verbatim."""
    size, left = reading.settings.batch_rows, list(rows.rejects)
    for begin in range(0, max(len(rows), 1), size):
        batch = rows.slice(begin, min(begin + size, len(rows)))
        batch.table = _interpreted(batch.table, names, reading)
        is_last = begin + size >= len(rows)
        cut = len(left) if is_last else bisect_left(left, rows.numbers[begin + size], key=lambda reject: reject.row)
        batch.rejects, left = left[:cut], left[cut:]
        yield batch


def _interpreted(table: pa.Table, names: Sequence[str], reading: Reading) -> pa.Table:
    """Return the columns like the CSV reader; those not in `names`, the columns of the file, come from its path."""
    nulls = reading.settings.csv.null_values
    columns = {name: without_nulls(table[name], nulls) if name in names else table[name] for name in reading.used}
    for name in reading.carried:
        columns[verbatim_name(name) if name in names else name] = table[name]
    return pa.table(columns)


@dataclass(frozen=True, slots=True)
class _HeldRows:
    """The rows of a frame."""

    table: pa.Table
    numbers: Positions
    offsets: Positions
    rejects: Sequence[Reject]

    def between(self, first: int, end: int | None, places: _Places) -> Rows:
        """Return the rows with numbers from `first` to before `end`."""
        last = np.iinfo(np.int64).max if end is None else end
        begin, stop = np.searchsorted(self.numbers, [first, last]).tolist()
        numbers, offsets = self.numbers[begin:stop], self.offsets[begin:stop]
        rejects = [reject for reject in self.rejects if first <= reject.row < last]
        return Rows(self.table.slice(begin, stop - begin), numbers, rejects, lambda: offsets, *places.of(numbers))


def _typed(rows: Rows, names: Sequence[str]) -> Rows:
    """Return rows of Parquet, whose text consists of the columns `names`, and which have no lines."""
    shown = rows.table.select(list(names))
    rows.raw, rows.line = lambda i: as_message(shown, i), lambda _: -1
    return rows


class _Places:
    """Text and lines of rows, read again from their objects; only rejected rows need them."""

    def __init__(self, reading: Reading, partition: Partition) -> None:
        settings = replace(reading.settings, where=None, where_columns=())
        self._reading = Reading(settings, reading.settings_hash, (), (), reading.input_storage)
        self._partition = partition
        self._blocks: Iterator[Rows] = iter(())
        self._block: Rows | None = None

    def of(self, numbers: Positions) -> tuple[Callable[[int], bytes], Callable[[int], int]]:
        """Return functions that return the text and the line of row i of those with these `numbers`."""

        def raw(i: int) -> bytes:
            block, at = self._find(int(numbers[i]))
            return block.raw(at)

        def line(i: int) -> int:
            block, at = self._find(int(numbers[i]))
            return block.line(at)

        return raw, line

    def _find(self, number: int) -> tuple[Rows, int]:
        """Return the block that row `number` is in, and its position; blocks are read forward, one at a time."""
        if self._block is None or number < self._block.numbers[0]:
            self._blocks = (rows for rows in PartitionReader(self._reading, self._partition) if len(rows))
            self._block = next(self._blocks, None)
        while self._block is not None and number > self._block.numbers[-1]:
            self._block = next(self._blocks, None)
        at = int(np.searchsorted(self._block.numbers, number)) if self._block is not None else 0
        if self._block is None or self._block.numbers[at] != number:
            raise InputChanged(
                f"{self._partition.pieces[0].source.uri} changed since it was loaded", "Load the dataset again."
            )
        return self._block, at


def _arrow(frame: pd.DataFrame, name: str) -> pa.ChunkedArray:
    values = frame[name].array.__arrow_array__()
    return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
