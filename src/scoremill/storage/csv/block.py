"""One block of whole records, parsed by Arrow into Rows."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.csv

from scoremill.spec import Csv

from ..rows import Positions, Reject, Rows
from ..text import to_utf8
from .grammar import Grammar, newline_ends


@dataclass(slots=True)
class Layout:
    """How Arrow is to parse a file: all that does not change from block to block."""

    names: Sequence[str]
    columns: Sequence[str]
    dialect: Csv

    def parse(self, text: bytes | memoryview) -> tuple[pa.Table, list[tuple[int, int]]]:
        """The asked columns as text, and (number from 0, fields found) of each record with another count of fields."""
        ragged: list[tuple[int, int]] = []

        def set_aside(row: pa.csv.InvalidRow) -> str:
            ragged.append((row.number - 1, row.actual_columns))
            return "skip"

        if text[:3] == codecs.BOM_UTF8:
            # Arrow strips a mark from each buffer that it parses; here it is data.
            text = codecs.BOM_UTF8 + bytes(text)
        wanted = list(self.columns) or [self.names[0]]
        table = pa.csv.read_csv(
            pa.py_buffer(text),
            pa.csv.ReadOptions(column_names=list(self.names), use_threads=False, block_size=max(len(text), 1)),
            pa.csv.ParseOptions(
                delimiter=self.dialect.delimiter,
                quote_char=self.dialect.quote,
                double_quote=True,
                escape_char=False,
                newlines_in_values=True,
                ignore_empty_lines=True,
                invalid_row_handler=set_aside,
            ),
            pa.csv.ConvertOptions(
                check_utf8=False,
                include_columns=wanted,
                column_types=dict.fromkeys(wanted, pa.string()),
                null_values=list(self.dialect.null_values),
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
        return table if self.columns else table.select([]), ragged


@dataclass(frozen=True)
class Block:
    """Consecutive whole records of a file, and what was counted in its range before them."""

    text: bytes
    offset: int
    """Byte of the file at which it starts."""
    first_row: int
    first_line: int
    is_regular: bool
    grammar: Grammar

    @cached_property
    def starts(self) -> Positions:
        """Where its records begin, in bytes from its own start; blank lines are none."""
        return self.grammar.record_starts(self.text, self.is_regular)

    @cached_property
    def _newlines(self) -> Positions:
        return newline_ends(self.text, final=True)

    def raw(self, record: int) -> bytes:
        """The text of a record, without its newline."""
        match = self.grammar.record.match(self.text, int(self.starts[record]))
        return match[1] if match else b""

    def line(self, record: int) -> int:
        """The physical line in the range at which a record starts."""
        return self.first_line + int(np.searchsorted(self._newlines, self.starts[record], side="right"))

    def rows(self, layout: Layout) -> Rows:
        """Its rows, those that cannot be read set aside."""
        text, broken = self._as_utf8(layout.dialect.encoding)
        table, ragged = layout.parse(text)
        if not broken and not ragged:
            return self._rows(table, np.arange(table.num_rows), [])
        sound = np.setdiff1d(np.arange(len(self.starts)), [record for record, _ in broken])
        reasons = dict(broken) | {
            int(sound[number]): f"expected {len(layout.names)} fields, found {found}" for number, found in ragged
        }
        kept = np.setdiff1d(sound, sound[[number for number, _ in ragged]])
        return self._rows(table, kept, [self._reject(record, reasons[record]) for record in sorted(reasons)])

    def _rows(self, table: pa.Table, records: Positions, rejects: list[Reject]) -> Rows:
        return Rows(
            table,
            records + self.first_row,
            rejects,
            lambda: self.starts[records] + self.offset,
            lambda i: self.raw(int(records[i])),
            lambda i: self.line(int(records[i])),
        )

    def _reject(self, record: int, reason: str) -> Reject:
        offset = self.offset + int(self.starts[record])
        return Reject(self.first_row + record, offset, None, reason, self.raw(record), self.line(record))

    def _as_utf8(self, encoding: str) -> tuple[bytes | memoryview, list[tuple[int, str]]]:
        """The text as UTF-8 without the records that are not text, and those with the reason."""
        if b"\0" not in self.text:
            text = to_utf8(self.text, encoding)
            if text is not None:
                return text, []
        good: list[bytes | memoryview] = []
        broken: list[tuple[int, str]] = []
        ends = np.append(self.starts[1:], len(self.text))
        for record, (start, end) in enumerate(zip(self.starts.tolist(), ends.tolist(), strict=True)):
            piece = self.text[start:end]
            text = to_utf8(piece, encoding)
            if text is None:
                broken.append((record, f"not {encoding} at byte {self.offset + start + _undecodable(piece, encoding)}"))
            elif b"\0" in piece:
                broken.append((record, f"a NUL byte at byte {self.offset + start + piece.index(0)}"))
            else:
                good.append(text)
        return b"".join(good) or b"\n", broken


def _undecodable(text: bytes, encoding: str) -> int:
    try:
        codecs.decode(text, encoding)
    except UnicodeDecodeError as error:
        return error.start
    return 0
