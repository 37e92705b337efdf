"""A partition held in a worker's memory: a data frame from which the same rows come as from its objects."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa

from scoremill.errors import InputChanged
from scoremill.ledger import Receipt
from scoremill.planning import Partition, Settings
from scoremill.spec import Storage
from scoremill.tabular.csv import Tally, without_nulls
from scoremill.tabular.parquet_reader import as_message
from scoremill.tabular.rename import renamed
from scoremill.tabular.rows import Positions, Reject, Rows, verbatim_name

from ..worker.inputs import Opened, Reading, _wanted, changes_of, open_partition, where_of
from ..worker.task import score_opened
from ..worker.work import Task

ROW, OFFSET = "scoremill.row", "scoremill.offset"
"""Columns beside the input's own: a row's number in its partition, and its byte in the object (-1 in Parquet)."""
_LEARNED = "scoremill"


@dataclass(frozen=True, slots=True)
class ReadOnly:
    """What reading needs to know where nothing is scored."""

    settings: Settings
    settings_hash: str
    used: tuple[str, ...]
    carried: tuple[str, ...]
    input_storage: Storage
    rejects_objects: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """What was learned while a partition was read; as in Opened. Travels with its frame."""

    firsts: tuple[int, ...]
    origins: tuple[int, ...]
    tallies: tuple[Tally, ...]
    headers: tuple[tuple[str, ...], ...]
    rejects: tuple[Reject, ...]
    left_out: int
    paths: tuple[dict[str, str | None], ...]
    was_chosen: bool
    """Whether a condition chose the rows when they were read."""


def read_partition(partition: Partition, reading: ReadOnly) -> pd.DataFrame:
    """The rows of `partition` with the asked columns: the text of CSV as it stands in the file, the types of Parquet."""
    return as_frame(open_partition(reading, partition), reading)


def as_frame(opened: Opened, reading: ReadOnly) -> pd.DataFrame:
    """All rows of `opened` as Arrow-backed columns; no block that they came from is held."""
    names = reading.carried
    tables: list[pa.Table] = []
    rejects: list[Reject] = []
    for rows in opened.rows:
        places = [pa.array(rows.numbers, pa.int64()), pa.array(rows.offsets(), pa.int64())]
        tables.append(pa.table([*map(rows.carried, names), *places], [*names, ROW, OFFSET]))
        rejects += rows.rejects
    if not tables:
        kinds = [(name, pa.string()) for name in names]
        tables.append(pa.schema([*kinds, (ROW, pa.int64()), (OFFSET, pa.int64())]).empty_table())
    frame: pd.DataFrame = pa.concat_tables(tables).to_pandas(types_mapper=pd.ArrowDtype)
    frame.attrs[_LEARNED] = Learned(
        tuple(opened.firsts),
        tuple(opened.origins),
        tuple(opened.tallies),
        tuple(opened.headers),
        tuple(rejects),
        opened.left_out,
        tuple(opened.paths),
        reading.settings.where is not None,
    )
    return frame


def learned_of(frame: pd.DataFrame) -> Learned:
    """What was learned when the rows of `frame` were read."""
    learned: Learned = frame.attrs[_LEARNED]
    return learned


def size_of(frame: pd.DataFrame) -> int:
    """Bytes that `frame` takes, with the text of rejected rows."""
    columns = sum(int(_arrow(frame, name).nbytes) for name in frame.columns)
    return columns + sum(len(reject.raw) for reject in learned_of(frame).rejects)


def score_held(task: Task, frame: pd.DataFrame) -> Receipt:
    """Scores one partition as `score_partition` does, its rows coming from `frame`."""
    return score_opened(task, open_held(task.work, task.partition, frame))


def open_held(work: Reading, partition: Partition, frame: pd.DataFrame) -> Opened:
    """The rows of `partition` as open_partition gives them, from memory."""
    learned = learned_of(frame)
    opened = Opened(
        partition,
        iter(()),
        list(learned.firsts),
        list(learned.origins),
        list(learned.tallies),
        list(learned.headers),
        learned.left_out,
        list(learned.paths),
    )
    opened.rows = _rows(work, opened, frame, learned)
    return opened


def _rows(work: Reading, opened: Opened, frame: pd.DataFrame, learned: Learned) -> Iterator[Rows]:
    where = None if learned.was_chosen else where_of(work)
    places = _Places(work, opened.partition)
    held = _Held(
        pa.table({name: _arrow(frame, name) for name in dict.fromkeys((*work.used, *work.carried))}),
        _arrow(frame, ROW).to_numpy(),
        _arrow(frame, OFFSET).to_numpy(),
        learned.rejects,
    )
    ends = [*learned.firsts[1:], None]
    for at, (piece, first, end) in enumerate(zip(opened.partition.pieces, learned.firsts, ends, strict=True)):
        in_parquet = piece.source.format == "parquet"
        header, path = learned.headers[at], learned.paths[at]
        changes = changes_of(work, piece.source, (*header, *(piece.source.hive() if work.settings.hive else ())))
        names = _wanted(work, piece.source, path, renamed(header, changes) or None)
        rows = held.between(first, end, places, names if in_parquet else None)
        batches = iter([rows]) if in_parquet else _as_read(rows, names, work)
        if where is None:
            yield from batches
            continue
        for batch in batches:
            chosen, left_out = where.choose(batch, names, holds_text=False)
            opened.left_out += left_out
            yield chosen


def _as_read(rows: Rows, names: Sequence[str], work: Reading) -> Iterator[Rows]:
    """Rows of a CSV as its reader gives them, a batch at a time: null spellings null, carried columns verbatim."""
    size, left = work.settings.batch_rows, list(rows.rejects)
    for begin in range(0, max(len(rows), 1), size):
        batch = rows.slice(begin, min(begin + size, len(rows)))
        batch.table = _interpreted(batch.table, names, work)
        is_last = begin + size >= len(rows)
        cut = len(left) if is_last else bisect_left(left, rows.numbers[begin + size], key=lambda reject: reject.row)
        batch.rejects, left = left[:cut], left[cut:]
        yield batch


def _interpreted(table: pa.Table, names: Sequence[str], work: Reading) -> pa.Table:
    """Columns as a CSV's reader gives them; those that are not among the file's `names` come from its path."""
    nulls = work.settings.csv.null_values
    columns = {name: without_nulls(table[name], nulls) if name in names else table[name] for name in work.used}
    for name in work.carried:
        columns[verbatim_name(name) if name in names else name] = table[name]
    return pa.table(columns)


@dataclass(frozen=True, slots=True)
class _Held:
    """The rows of a frame."""

    table: pa.Table
    numbers: Positions
    offsets: Positions
    rejects: Sequence[Reject]

    def between(self, first: int, end: int | None, places: _Places, in_parquet: Sequence[str] | None) -> Rows:
        """Those numbered `first` to before `end`; `in_parquet` are the columns that stand for a row's text there."""
        begin, stop = np.searchsorted(self.numbers, [first, np.iinfo(np.int64).max if end is None else end]).tolist()
        table, numbers, offsets = (
            self.table.slice(begin, stop - begin),
            self.numbers[begin:stop],
            self.offsets[begin:stop],
        )
        rejects = [reject for reject in self.rejects if first <= reject.row and (end is None or reject.row < end)]
        raw, line = _typed_places(table, in_parquet) if in_parquet is not None else places.of(numbers)
        return Rows(table, numbers, rejects, lambda: offsets, raw, line)


def _typed_places(table: pa.Table, names: Sequence[str]) -> tuple[Callable[[int], bytes], Callable[[int], int]]:
    shown = table.select(list(names))
    return lambda i: as_message(shown, i), lambda _: -1


class _Places:
    """Text and line of rows, read again from their objects where somebody asks: only rejected rows are asked for."""

    def __init__(self, work: Reading, partition: Partition) -> None:
        settings = replace(work.settings, where=None, where_columns=())
        self._reading = ReadOnly(settings, work.settings_hash, (), (), work.input_storage)
        self._partition = partition
        self._blocks: Iterator[Rows] = iter(())
        self._block: Rows | None = None

    def of(self, numbers: Positions) -> tuple[Callable[[int], bytes], Callable[[int], int]]:
        """Functions for the text and the line of row i of those numbered `numbers`."""

        def raw(i: int) -> bytes:
            block, at = self._find(int(numbers[i]))
            return block.raw(at)

        def line(i: int) -> int:
            block, at = self._find(int(numbers[i]))
            return block.line(at)

        return raw, line

    def _find(self, number: int) -> tuple[Rows, int]:
        """The block that row `number` is in, and where; blocks are read forwards and one is held."""
        if self._block is None or number < self._block.numbers[0]:
            self._blocks = (rows for rows in open_partition(self._reading, self._partition).rows if len(rows))
            self._block = next(self._blocks, None)
        while self._block is not None and number > self._block.numbers[-1]:
            self._block = next(self._blocks, None)
        at = int(np.searchsorted(self._block.numbers, number)) if self._block is not None else 0
        if self._block is None or self._block.numbers[at] != number:
            raise InputChanged(f"{self._partition.pieces[0].source.uri} is not what was loaded", "Load it anew.")
        return self._block, at


def _arrow(frame: pd.DataFrame, name: str) -> pa.ChunkedArray:
    values = frame[name].array.__arrow_array__()
    return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
