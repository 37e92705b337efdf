"""An open partition: its rows, and facts about its pieces found while reading."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from scoremill.planning import Partition
from scoremill.tabular.csv import Tally
from scoremill.tabular.place import RejectedRow
from scoremill.tabular.rows import Reject, Rows


@dataclass(slots=True)
class OpenPiece:
    """A piece that is being read or was read."""

    first: int
    """Number of its first row in the partition."""
    origin: int = 0
    """Number of rows of a Parquet object before the piece; 0 for CSV, whose rows are located by byte offsets"""
    header: tuple[str, ...] = ()
    """The names in the header of a CSV."""
    tally: Tally = field(default_factory=Tally)
    path: dict[str, str | None] = field(default_factory=dict)
    """Values of the columns in its path, by the names that the job uses."""


@dataclass(frozen=True, slots=True)
class Quotes:
    """The quotes of a partition in its receipt."""

    quotes: int
    irregular: tuple[int, ...]

    @classmethod
    def of(cls, pieces: Sequence[OpenPiece]) -> Quotes:
        """Return the quotes of pieces that were read completely."""
        tallies = [piece.tally for piece in pieces]
        irregular = tuple(at for at, tally in enumerate(tallies) if tally.irregular)
        return cls(sum(tally.quotes for tally in tallies), irregular)


class OpenPartition(ABC):
    """Iterate over the rows, numbered through all pieces; `pieces` and `left_out` describe the rows so far."""

    def __init__(self, partition: Partition) -> None:
        self.partition = partition
        self.pieces: list[OpenPiece] = []
        self.left_out = 0
        """Number of rows that the condition of the job does not select."""

    @abstractmethod
    def __iter__(self) -> Iterator[Rows]: ...

    @property
    def quotes(self) -> Quotes:
        """The quotes of all pieces, after they were read."""
        return Quotes.of(self.pieces)

    def piece_of(self, row: int) -> int:
        """Return the index of the piece that contains row `row` of the partition."""
        return bisect_right(self.pieces, row, key=lambda piece: piece.first) - 1

    def rejected_row(self, reject: Reject, first_line: int = 0) -> RejectedRow:
        """Return a rejected row with its place in its object.

        `first_line` is the line, from 1, at which the partition starts, or 0 if it is not known. Then lines are known only
        in pieces at the start of their files.
        """
        at = self.piece_of(reject.row)
        piece, uri = self.pieces[at], self.partition.pieces[at].source.uri
        if reject.offset < 0:
            row = reject.row - piece.first + piece.origin
            return RejectedRow(file=uri, row=row, column=reject.column, reason=reject.reason)
        begin = first_line if self.partition.pieces[at].start else 1
        line = begin + reject.line if begin else None
        return RejectedRow(file=uri, line=line, offset=reject.offset, column=reject.column, reason=reject.reason)
