"""A partition that is open: its rows, and what was learned of its pieces."""

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
    """A piece, as far as it was read."""

    first: int
    """Number of its first row in the partition."""
    origin: int = 0
    """Of Parquet, the rows of its object before it; 0 of CSV, whose rows are found by their bytes."""
    header: tuple[str, ...] = ()
    """The names in the header of a CSV."""
    tally: Tally = field(default_factory=Tally)
    path: dict[str, str | None] = field(default_factory=dict)
    """The columns in its path, by the names that the job uses."""


@dataclass(frozen=True, slots=True)
class Quotes:
    """What a receipt says of a partition's quotes."""

    quotes: int
    irregular: tuple[int, ...]

    @classmethod
    def of(cls, pieces: Sequence[OpenPiece]) -> Quotes:
        """Return those of pieces that were read to their ends."""
        tallies = [piece.tally for piece in pieces]
        irregular = tuple(at for at, tally in enumerate(tallies) if tally.irregular)
        return cls(sum(tally.quotes for tally in tallies), irregular)


class OpenPartition(ABC):
    """Iterate for the rows, whose numbers count through all pieces; `pieces` and `left_out` are true of those so far."""

    def __init__(self, partition: Partition) -> None:
        self.partition = partition
        self.pieces: list[OpenPiece] = []
        self.left_out = 0
        """Rows that the job's condition does not choose."""

    @abstractmethod
    def __iter__(self) -> Iterator[Rows]: ...

    @property
    def quotes(self) -> Quotes:
        """The quotes of all pieces, once they are read."""
        return Quotes.of(self.pieces)

    def piece_of(self, row: int) -> int:
        """Index of the piece that row `row` of the partition is in."""
        return bisect_right(self.pieces, row, key=lambda piece: piece.first) - 1

    def rejected_row(self, reject: Reject, first_line: int = 0) -> RejectedRow:
        """A rejected row with its place in its object.

        `first_line` is the line, from 1, at which the partition begins, or 0: then the line is known only in pieces
        that begin with their files.
        """
        at = self.piece_of(reject.row)
        piece, uri = self.pieces[at], self.partition.pieces[at].source.uri
        if reject.offset < 0:
            row = reject.row - piece.first + piece.origin
            return RejectedRow(file=uri, row=row, column=reject.column, reason=reject.reason)
        begin = first_line if self.partition.pieces[at].start else 1
        line = begin + reject.line if begin else None
        return RejectedRow(file=uri, line=line, offset=reject.offset, column=reject.column, reason=reject.reason)
