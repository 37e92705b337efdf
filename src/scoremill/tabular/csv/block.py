"""One block of whole records, parsed by Arrow into Rows."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.csv

from scoremill.spec import Csv

from ..rows import Positions, Reject, Rows, verbatim_name
from ..text import to_utf8
from .grammar import Grammar
from .nulls import without_nulls
from .plain.rewrite import plain_text
from .positions import as_array, newline_ends

_PIECE = 1 << 12
"""Bytes decoded at a time where some are known not to be text."""


@dataclass(slots=True)
class Layout:
    """How Arrow is to parse a file: all that does not change from block to block."""

    names: Sequence[str]
    columns: Sequence[str]
    """Columns whose null spellings become null."""
    verbatim: Sequence[str]
    """Columns whose text stays as it stands in the file; only unquoted empty fields are null."""
    grammar: Grammar

    @property
    def dialect(self) -> Csv:
        return self.grammar.dialect

    def parse(self, text: bytes | memoryview, is_regular: bool = True) -> tuple[pa.Table, list[tuple[int, int]]]:
        """The asked columns as text, and (number from 0, fields found) of each record with another count of fields."""
        text, quote = plain_text(bytes(text), self.grammar, is_regular, len(self.names))
        ragged: list[tuple[int, int]] = []

        def set_aside(row: pa.csv.InvalidRow) -> str:
            ragged.append((row.number - 1, row.actual_columns))
            return "skip"

        if text[:3] == codecs.BOM_UTF8:
            # Arrow strips a mark from each buffer that it parses; here it is data.
            text = codecs.BOM_UTF8 + bytes(text)
        wanted = list(dict.fromkeys((*self.columns, *self.verbatim))) or [self.names[0]]
        table = pa.csv.read_csv(
            pa.py_buffer(text or b"\n"),
            pa.csv.ReadOptions(column_names=list(self.names), use_threads=False, block_size=max(len(text), 1)),
            pa.csv.ParseOptions(
                delimiter=self.dialect.delimiter,
                quote_char=quote.decode() or False,
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
                null_values=[""] if self.verbatim else list(self.dialect.null_values),
                strings_can_be_null=True,
                quoted_strings_can_be_null=not self.verbatim,
            ),
        )
        return self._as_asked(table), ragged

    def _as_asked(self, table: pa.Table) -> pa.Table:
        """The parsed columns, those that stay verbatim under names of their own."""
        if not self.verbatim:
            return table.select(list(self.columns))
        columns = {name: without_nulls(table[name], self.dialect.null_values) for name in self.columns}
        return pa.table(columns | {verbatim_name(name): table[name] for name in self.verbatim})


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
        match = self.grammar.pattern.record.match(self.text, int(self.starts[record]))
        return match[1] if match else b""

    def line(self, record: int) -> int:
        """The physical line in the range at which a record starts."""
        return self.first_line + int(np.searchsorted(self._newlines, self.starts[record], side="right"))

    def rows(self, layout: Layout) -> Rows:
        """Return its rows; those that cannot be read are rejected."""
        text, broken = self._as_utf8(layout.dialect.encoding)
        table, ragged = layout.parse(text, self.is_regular)
        if not broken and not ragged:
            return self._rows(table, np.arange(table.num_rows), [])
        parsed = self._without(broken)
        for number, found in ragged:
            broken[int(parsed[number])] = f"expected {len(layout.names)} fields, found {found}"
        return self._rows(table, self._without(broken), self._rejects(broken))

    def _rows(self, table: pa.Table, records: Positions, rejects: list[Reject]) -> Rows:
        return Rows(
            table,
            records + self.first_row,
            rejects,
            lambda: self.starts[records] + self.offset,
            lambda i: self.raw(int(records[i])),
            lambda i: self.line(int(records[i])),
        )

    def _rejects(self, reasons: dict[int, str]) -> list[Reject]:
        records = np.array(sorted(reasons))
        starts = self.starts[records]
        lines = self.first_line + np.searchsorted(self._newlines, starts, side="right")
        places = zip(records.tolist(), (starts + self.offset).tolist(), lines.tolist(), strict=True)
        return [
            Reject(self.first_row + record, offset, None, reasons[record], self.raw(record), line)
            for record, offset, line in places
        ]

    def _as_utf8(self, encoding: str) -> tuple[bytes | memoryview, dict[int, str]]:
        """The text as UTF-8 without the records that are not text, and why those are not."""
        has_nul = b"\0" in self.text
        text = None if has_nul else to_utf8(self.text, encoding)
        if text is not None:
            return text, {}
        broken = {
            self._record_at(at): f"not {encoding} at byte {self.offset + at}" for at in self._undecodable(encoding)
        }
        if has_nul:
            nuls = np.flatnonzero(as_array(self.text) == 0)
            records, firsts = np.unique(np.searchsorted(self.starts, nuls, side="right") - 1, return_index=True)
            for record, at in zip(records.tolist(), nuls[firsts].tolist(), strict=True):
                broken.setdefault(record, f"a NUL byte at byte {self.offset + at}")
        bounds = np.append(self.starts, len(self.text))
        records = np.array(sorted(broken))
        gaps = zip([0, *bounds[records + 1].tolist()], [*bounds[records].tolist(), len(self.text)], strict=True)
        good = b"".join(self.text[begin:end] for begin, end in gaps)
        return to_utf8(good, encoding) or b"\n", broken

    def _undecodable(self, encoding: str) -> Iterator[int]:
        """The first place in each record at which it is not text."""
        at = 0
        while at < len(self.text):
            # The error of a decoder holds a copy of all that it was given, hence in pieces.
            stop = self._end_of_record_at(min(at + _PIECE, len(self.text) - 1))
            try:
                codecs.decode(self.text[at:stop], encoding)
                at = stop
            except UnicodeDecodeError as error:
                yield at + error.start
                at = self._end_of_record_at(at + error.start)

    def _record_at(self, at: int) -> int:
        return max(int(np.searchsorted(self.starts, at, side="right")) - 1, 0)

    def _end_of_record_at(self, at: int) -> int:
        following = self._record_at(at) + 1
        return int(self.starts[following]) if following < len(self.starts) else len(self.text)

    def _without(self, records: Iterable[int]) -> Positions:
        mask = np.ones(len(self.starts), np.bool_)
        mask[list(records)] = False
        return np.flatnonzero(mask)
