"""Reads CSV bytes as a driver does: cut at nominal bytes, refuted ranges read again, what follows an irregular quote as one."""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from scoremill.discovery import Source
from scoremill.execute.coordinator.proofs import Proofs
from scoremill.ledger import Receipt
from scoremill.planning import Group, Piece, Plan, Settings
from scoremill.spec import Csv
from scoremill.tabular.csv import CsvReader, Range, Tally, read_header
from scoremill.tabular.rows import BytesSource, Reject, Rows
from tests.unit.tabular.csv import machine

PLAIN = Csv(null_values=())
SETTINGS = Settings(
    bundle="",
    method="predict",
    batch_rows=1,
    partition_bytes=1,
    csv=Csv(),
    hive=False,
    id_by="version",
    format="parquet",
    keep=(),
    row_id=False,
    columns=(),
    threshold=None,
    dtype=None,
    raw="Keep",
)
Scored = tuple[list[Rows], Tally]


@dataclass
class Read:
    """What was read of a file."""

    names: tuple[str, ...]
    rows: list[list[str] | Reject]
    tallies: list[Tally]
    blocks: list[Rows]
    redone: int
    whole: bool

    @property
    def values(self) -> list[list[str]]:
        return [row for row in self.rows if isinstance(row, list)]

    @property
    def rejects(self) -> list[Reject]:
        return [row for row in self.rows if isinstance(row, Reject)]


def read_cut(data: bytes, cut: int | None = None, block_bytes: int = 64, dialect: Csv = PLAIN, **options: int) -> Read:
    """The rows of `data`, cut every `cut` bytes, with the cuts proven."""
    source = BytesSource(data, "file.csv")
    header = read_header(source, dialect)
    if header is None:
        return Read((), [], [], [], 0, False)

    def run(piece: Piece) -> Scored:
        part = Range(piece.start, piece.end, piece.inside_quotes, piece.whole)
        reader = CsvReader(source, part, header, dialect, header.names, block_bytes=block_bytes, **options)
        return list(reader), reader.tally

    results, redone, whole = prove_cuts(len(data), cut or len(data), run)
    return Read(
        header.names, _in_order(results), [t for _, t in results], [b for bs, _ in results for b in bs], redone, whole
    )


def prove_cuts(size: int, cut: int, run: Callable[[Piece], Scored]) -> tuple[list[Scored], int, bool]:
    """What counts of a file cut every `cut` bytes, in order; how many pieces were run in vain; and if any was whole."""
    file = Source("/", "file.csv", size, "v", "v", "csv")
    proofs = Proofs(Plan(replace(SETTINGS, partition_bytes=cut), (Group(0, -(-size // cut), (file,)),)))
    queue, whole = deque(proofs.pending()), False
    done: dict[str, Scored] = {}
    while queue:
        partition = queue.popleft()
        (piece,) = partition.pieces
        _, tally = done[partition.id] = run(piece)
        whole |= piece.whole
        receipt = Receipt(
            partition.number,
            partition.id,
            tally.rows,
            tally.rows,
            0,
            (),
            quotes=tally.quotes,
            irregular=(0,) * tally.irregular,
        )
        queue += proofs.take(receipt).again
    assert proofs.is_complete
    counted = [done[receipt.id] for _, receipt in proofs.accepted()]
    return counted, len(done) - len(counted), whole


def _in_order(results: list[tuple[list[Rows], Tally]]) -> list[list[str] | Reject]:
    rows: list[list[str] | Reject] = []
    for blocks, tally in results:
        placed: dict[int, list[str] | Reject] = {}
        for block in blocks:
            columns = [column.to_pylist() for column in block.table.columns]
            placed |= {int(number): [c[i] for c in columns] for i, number in enumerate(block.numbers)}
            placed |= {reject.row: reject for reject in block.rejects}
        assert sorted(placed) == list(range(tally.rows))
        rows += [placed[i] for i in range(tally.rows)]
    return rows


def as_csv_reads(data: bytes, dialect: Csv = PLAIN) -> list[list[str]]:
    """The rows of Python's csv module, without blank lines and comments; by `machine` where that has no such dialect."""
    lines = _Lines(data.decode(dialect.encoding), dialect)
    if dialect.escape and not dialect.escape_unquoted:
        return list(machine.rows("".join(lines.rest()), dialect))
    rows = csv.reader(
        lines,
        delimiter=dialect.delimiter,
        quotechar=dialect.quote or None,
        escapechar=dialect.escape,
        skipinitialspace=dialect.skip_initial_space,
        quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
    )
    found = []
    for row in rows:
        lines.begins_row = True
        if row:
            found.append(row)
    return found


class _Lines:
    """The lines of a text less those skipped at its beginning, and comments where a row begins."""

    def __init__(self, text: str, dialect: Csv) -> None:
        self._text, self._comment = io.StringIO(text, newline=""), dialect.comment
        self.begins_row = True
        for _ in range(dialect.skip_rows):
            self._text.readline()

    def rest(self) -> io.StringIO:
        return self._text

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._text)
        while self.begins_row and self._comment and line.startswith(self._comment):
            line = next(self._text)
        self.begins_row = False
        return line


def newlines(data: bytes) -> int:
    """LF, CR and CRLF in `data`."""
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n")
