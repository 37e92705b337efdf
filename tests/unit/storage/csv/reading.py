"""Reads CSV bytes as a driver does: cut at nominal bytes, refuted ranges read again, what follows an irregular quote as one."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from scoremill.spec import Csv
from scoremill.storage.csv import CsvReader, Range, Tally, Verdict, prove, read_header
from scoremill.storage.rows import BytesSource, Reject, Rows

PLAIN = Csv(null_values=())


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

    def run(part: Range) -> tuple[list[Rows], Tally]:
        reader = CsvReader(source, part, header, dialect, header.names, block_bytes, **options)
        return list(reader), reader.tally

    step = cut or len(data)
    ranges = [Range(start, min(start + step, len(data))) for start in range(0, len(data), step)]
    results = [run(part) for part in ranges]
    verdicts = prove([tally for _, tally in results])
    redone = 0
    for k, verdict in enumerate(verdicts):
        if verdict is Verdict.REFUTED:
            ranges[k] = Range(ranges[k].start, ranges[k].end, inside_quotes=not ranges[k].inside_quotes)
            results[k] = run(ranges[k])
            redone += 1
    verdicts = prove([tally for _, tally in results])
    whole = Verdict.IRREGULAR in verdicts
    if whole:
        first = verdicts.index(Verdict.IRREGULAR)
        rest = Range(ranges[first].start, len(data), ranges[first].inside_quotes, whole=True)
        results[first:], verdicts[first:] = [run(rest)], []
    assert set(verdicts) <= {Verdict.PROVEN}
    return Read(
        header.names, _in_order(results), [t for _, t in results], [b for bs, _ in results for b in bs], redone, whole
    )


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
    """The rows of Python's csv module, without blank lines."""
    text = io.StringIO(data.decode(dialect.encoding), newline="")
    return [row for row in csv.reader(text, delimiter=dialect.delimiter, quotechar=dialect.quote) if row]


def newlines(data: bytes) -> int:
    """LF, CR and CRLF in `data`."""
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n")
