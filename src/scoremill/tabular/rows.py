"""Rows as all readers give them: a table, where each row came from, and those that could not be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa

Positions = np.ndarray[tuple[int], np.dtype[np.int64]]
"""One int64 for each row: row numbers, byte offsets or positions."""


class ByteSource(Protocol):
    """The bytes of one input object, decompressed."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def size(self) -> int | None:
        """Number of its bytes; None if that is known only after reading."""

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` to before `end`; fewer only where the object ends."""


@dataclass(frozen=True, slots=True)
class Reject:
    """One row that could not be read or converted."""

    row: int
    """Number of the row in its range, from 0; rejected rows count too."""
    offset: int
    """Byte of the (decompressed) object at which it starts; -1 in Parquet."""
    column: str | None
    """Name of the column at fault; None if it is the row."""
    reason: str
    """Such as `expected 18 fields, found 17` or `"abc" is not a number`."""
    raw: bytes
    """The row as it stands in the object, without its newline; of Parquet an Arrow stream of the columns that were read."""
    line: int = -1
    """Physical line in its range, from 0; -1 in Parquet. Sums over earlier ranges make it the line of the file."""


def verbatim_name(name: str) -> str:
    """The name in `Rows.table` of the verbatim text of a CSV's column; no field of a CSV holds a NUL."""
    return f"\0{name}"


@dataclass(slots=True)
class Rows:
    """Consecutive rows of an input, in order; their places are computed when they are requested."""

    table: pa.Table
    """CSV: the asked columns as text, null spellings already null, and verbatim ones. Parquet: typed.

    For the values of a column, see convert.nulls.
    """
    numbers: Positions
    """Row-in-range number of each row of the table; rejected rows are missing."""
    rejects: list[Reject]
    """Rows in between that could not be read."""
    offsets: Callable[[], Positions]
    """Byte offset of each row of the table."""
    raw: Callable[[int], bytes]
    """The text of row i of the table; of Parquet an Arrow stream."""
    line: Callable[[int], int]
    """The physical line in the range at which row i of the table starts."""
    _offsets: Positions | None = field(default=None, init=False, repr=False)
    _pieces: tuple[Piece, ...] = field(default=(), init=False, repr=False)
    """Blocks of the readers from which the slice or join was made."""

    def __len__(self) -> int:
        return len(self.numbers)

    def carried(self, name: str) -> pa.ChunkedArray:
        """The column `name` as the input holds it: of CSV its text, of Parquet its own type."""
        verbatim = verbatim_name(name)
        return self.table[verbatim if verbatim in self.table.column_names else name]

    def reject(self, i: int, column: str | None, reason: str) -> Reject:
        """Row i of the table as a reject."""
        if self._offsets is None:
            self._offsets = self.offsets()
        return Reject(int(self.numbers[i]), int(self._offsets[i]), column, reason, self.raw(i), self.line(i))

    def take(self, positions: Positions) -> Rows:
        """The rows at `positions` of the table, without rejects."""
        offsets, raw, line = self.offsets, self.raw, self.line
        return Rows(
            self.table.take(pa.array(positions)),
            self.numbers[positions],
            [],
            lambda: offsets()[positions],
            lambda i: raw(int(positions[i])),
            lambda i: line(int(positions[i])),
        )

    def slice(self, start: int, stop: int) -> Rows:
        """Rows `start` to before `stop` of the table, without copying and without rejects."""
        pieces, at = [], 0
        for block, begin, end in self.pieces():
            low, high = max(begin, begin + start - at), min(end, begin + stop - at)
            if low < high:
                pieces.append((block, low, high))
            at += end - begin
        return _of_pieces(self.table.slice(start, stop - start), self.numbers[start:stop], [], pieces)

    def pieces(self) -> tuple[Piece, ...]:
        """What it is made of, in order."""
        return self._pieces or ((self, 0, len(self)),)


Piece = tuple[Rows, int, int]
"""Rows `begin` to before `end` of a block as a reader gave it."""


def concat(parts: Sequence[Rows]) -> Rows:
    """`parts` as one, in their order; their tables stay chunks of one table."""
    if len(parts) == 1:
        return parts[0]
    return _of_pieces(
        pa.concat_tables([part.table for part in parts]),
        np.concatenate([part.numbers for part in parts]),
        [reject for part in parts for reject in part.rejects],
        [piece for part in parts for piece in part.pieces() if len(part)],
    )


def _of_pieces(table: pa.Table, numbers: Positions, rejects: list[Reject], pieces: Sequence[Piece]) -> Rows:
    """Rows whose places are those of `pieces`."""
    starts = np.cumsum([0, *(end - begin for _, begin, end in pieces)])

    def find(i: int) -> tuple[Rows, int]:
        k = int(np.searchsorted(starts, i, side="right")) - 1
        block, begin, _ = pieces[k]
        return block, begin + i - int(starts[k])

    def offsets() -> Positions:
        return np.concatenate([np.empty(0, np.int64), *(block.offsets()[begin:end] for block, begin, end in pieces)])

    def raw(i: int) -> bytes:
        block, k = find(i)
        return block.raw(k)

    def line(i: int) -> int:
        block, k = find(i)
        return block.line(k)

    rows = Rows(table, numbers, rejects, offsets, raw, line)
    rows._pieces = tuple(pieces)
    return rows


@dataclass(frozen=True, slots=True)
class BytesSource:
    """Bytes at hand as a Source."""

    data: bytes
    name: str = "the sample"

    @property
    def size(self) -> int | None:
        return len(self.data)

    def read(self, start: int, end: int) -> bytes:
        return self.data[start:end]
