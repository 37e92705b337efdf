"""The records that start in one range of a CSV, in blocks, and what proves that they are records."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import numpy as np

from scoremill.errors import InputError
from scoremill.spec import Csv
from scoremill.units import MIB, format_bytes, quoted

from ..place import Place
from ..rows import ByteSource, Positions, Rows
from .block import Block, Layout
from .grammar import Grammar
from .header import Header
from .plain.comments import quotes_outside_comments
from .positions import NONE, count_newlines
from .range import Range, Tally
from .window import Window

_BEHIND = 1 << 16
"""Bytes read behind a range at first, to finish its last record."""
_BEFORE = 1 << 12
"""Bytes read before a range at first, in dialects where the meaning of a byte can depend on several before it."""


class CsvReader:
    """Iterates over the rows of `range`; `tally` is complete once the iterator is exhausted.

    Where the tally says `irregular`, iteration ended early and its rows count for nothing: from its start on the file
    must be read as one `whole` range. A record longer than `max_row_bytes` is an InputError in a whole range, irregular in others.
    Bytes are read forwards, in blocks; a block grows until it holds a whole record. `columns` are read for a model: null
    spellings are null; `verbatim` ones are carried as they stand, see `Rows.carried`.
    """

    def __init__(
        self,
        source: ByteSource,
        range: Range,
        header: Header,
        dialect: Csv,
        columns: Sequence[str],
        verbatim: Sequence[str] = (),
        *,
        block_bytes: int = 8 * MIB,
        max_row_bytes: int = 64 * MIB,
    ) -> None:
        missing = [name for name in (*columns, *verbatim) if name not in header.names]
        if missing:
            raise InputError(
                f"{source.name} has no column {', '.join(map(quoted, missing))}",
                f"Its columns are: {', '.join(header.names)}.",
                code="ColumnMissing",
            )
        self.tally = Tally(range.inside_quotes)
        # Of a compressed file there are no cuts to prove.
        self._is_whole = range.whole or source.size is None
        self._start, self._end = range.start, sys.maxsize if self._is_whole else range.end
        self._source, self._name, self._header = source, source.name, header
        self._grammar = Grammar(dialect)
        self._window = Window(source, max(self._start - 1, header.text_start))
        self._layout = Layout(header.names, columns, verbatim, self._grammar)
        self._block_bytes, self._max_row_bytes = block_bytes, max_row_bytes

    def __iter__(self) -> Iterator[Rows]:
        if self._find_first_record():
            while self._window.at < self._end and (block := self._next_block()) is not None:
                rows = block.rows(self._layout)
                self.tally.rows += len(rows) + len(rows.rejects)
                yield rows
        self.tally.bytes = max(min(self._window.at + len(self._window.text), self._end) - self._start, 0)

    def _find_first_record(self) -> bool:
        """Move to the first record that starts in the range and count all before it. Return False if none does."""
        first = self._header.data_start
        if self._start > first:
            return self._skip(self._look_back(), self.tally.inside_quotes, self._end, is_sought=True)
        self._pass_lines(min(first, self._end))
        self._window.drop(max(first - self._window.at, 0))
        return first < self._end

    def _pass_lines(self, limit: int) -> None:
        """Moves towards byte `limit`, before the first record: its newlines count, quotes there mean nothing."""
        window = self._window
        here = max(self._start - window.at, 0)
        while window.at + here < limit:
            window.read(min(window.at + here + self._block_bytes, limit) + 1)
            stop = min(len(window.text) - (not window.is_final), limit - window.at)
            if stop <= here:
                break
            self._count(here, stop, NONE)
            window.drop(stop - 1)
            here = 1

    def _look_back(self) -> int:
        """The position of the range's first byte in the window, which holds what that byte's meaning depends on."""
        back = _BEFORE if self._grammar.looks_back else 1
        while True:
            at = max(self._start - back, self._header.data_start)
            here = self._start - at
            if back == 1:
                return here
            self._window = Window(self._source, at)
            self._window.read(min(self._start + self._block_bytes, self._end) + 1)
            if at == self._header.data_start or self._grammar.context(self._window.text, here) > 0:
                return here
            back *= 8

    def _skip(self, here: int, odd: bool, limit: int, is_sought: bool) -> bool:
        """Counts from position `here` of the window to byte `limit`, or to a record that starts before it, if sought.

        After an irregular quote it counts to the end of the range. True where it stopped at a record.
        """
        window = self._window
        while window.at + here < limit:
            window.read(min(window.at + here + self._block_bytes, limit) + 1)
            # A quote and a CR mean what the byte behind them says, so the last one waits.
            stop = min(len(window.text) - (not window.is_final), limit - window.at)
            if stop <= here:
                break
            quotes = self._grammar.quotes(window.text)
            quotes = quotes[slice(*np.searchsorted(quotes, (here, stop)))]
            found = self._grammar.first_end(window.text, quotes, odd, here, window.is_final) if is_sought else None
            if found is not None and window.at + found < limit:
                stop, quotes = found, quotes[: np.searchsorted(quotes, found)]
            if not self._is_regular(quotes, odd):
                self.tally.irregular, is_sought, limit = True, False, self._end
            self._count(here, stop, quotes)
            if stop == found and is_sought:
                window.drop(stop)
                return True
            odd ^= bool(len(quotes) & 1)
            kept = self._grammar.context(window.text, stop)
            window.drop(kept)
            here = stop - kept
        return False

    def _next_block(self) -> Block | None:
        """The next whole records; None at the end of the file, or where the range turned out irregular."""
        window = self._window
        stop = min(window.at + self._block_bytes, self._end + min(_BEHIND, self._block_bytes))
        while True:
            window.read(stop)
            if not window.text:
                return None
            quotes = self._grammar.quotes(window.text)
            end = self._end_of_records(quotes)
            is_regular = self._is_regular_block(quotes, end)
            if not is_regular and self._is_whole:
                end = self._grammar.last_end_by_machine(window.text, window.is_final)
            if end is not None and (is_regular or self._is_whole):
                return self._take(end, quotes[: np.searchsorted(quotes, end)], is_regular)
            if (not is_regular and not self._is_whole) or len(window.text) >= self._max_row_bytes:
                self._give_up()
                return None
            stop = window.at + min(2 * len(window.text), self._max_row_bytes)

    def _is_regular_block(self, quotes: Positions, end: int | None) -> bool:
        text, grammar = self._window.text, self._grammar
        stop = len(text) if end is None else end
        counted = quotes_outside_comments(text, quotes[: np.searchsorted(quotes, stop)], stop, grammar)
        return counted is not None and grammar.is_regular(text, counted, odd=False)

    def _end_of_records(self, quotes: Positions) -> int | None:
        """Where the last whole record of the window that starts in the range ends, by parity."""
        text, is_final, limit = self._window.text, self._window.is_final, self._end - self._window.at
        if limit <= len(text):
            end = self._grammar.first_end(text, quotes, False, limit, is_final)
            if end is not None:
                return end
        return self._grammar.last_end(text, quotes, is_final)

    def _take(self, end: int, quotes: Positions, is_regular: bool) -> Block:
        window, tally = self._window, self.tally
        block = Block(window.text[:end], window.at, tally.rows, tally.lines, is_regular, self._grammar)
        self._count(0, end, quotes)
        window.drop(end)
        return block

    def _give_up(self) -> None:
        """Counts the rest of a range that cannot be read by parity; of a whole file there is no other way."""
        if self._is_whole:
            raise InputError(
                f"{Place(file=self._name, offset=self._window.at)}: the row is longer than {format_bytes(self._max_row_bytes)}",
                "Look for a quote that is never closed there; all text behind it is one field.",
                code="RowTooLong",
            )
        self.tally.irregular = True
        self._skip(0, False, self._end, is_sought=False)

    def _is_regular(self, quotes: Positions, odd: bool) -> bool:
        return self._is_whole or self._grammar.is_regular(self._window.text, quotes, odd)

    def _count(self, begin: int, stop: int, quotes: Positions) -> None:
        """Adds what lies between positions `begin` and `stop` of the window, as far as the range owns it."""
        stop = min(stop, self._end - self._window.at)
        self.tally.quotes += int(np.searchsorted(quotes, stop))
        self.tally.lines += count_newlines(self._window.text, begin, stop)
