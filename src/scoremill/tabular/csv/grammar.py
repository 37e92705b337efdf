"""Where records begin and end in CSV text, and whether counting its quotes is enough to know.

A quote is *regular* if its parity determines its meaning: an opening one begins a field, a closing one ends it or is the
first of a doubled quote. `5" disk` holds an irregular one. Escaped quotes are not counted at all.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from scoremill.spec import Csv

from ..rows import Positions
from .pattern import RecordPattern, record_pattern
from .positions import CR, LF, NONE, SPACE, Flags, Text, are_in, as_array, escaping, newline_ends

_FIRST_LOOK = 1 << 16
"""Bytes looked at first when the record that ends next or last is sought."""


class Grammar:
    """The structure of one dialect: bytes only, whatever the encoding."""

    def __init__(self, dialect: Csv) -> None:
        self.dialect = dialect
        self.delimiter, self.quote = dialect.delimiter.encode(), dialect.quote.encode()
        self.escape, self.comment = (dialect.escape or "").encode(), (dialect.comment or "").encode()
        self._last: tuple[bytes, Positions] = (b"", NONE)

    @cached_property
    def pattern(self) -> RecordPattern:
        return record_pattern(self.dialect)

    def quotes(self, text: bytes) -> Positions:
        """Positions of all quotes that are not escaped; text without any costs one memchr."""
        if not self.quote or self.quote not in text:
            return NONE
        found = np.flatnonzero(as_array(text) == self.quote[0])
        escaped = self.escaped(text)
        return found[~are_in(found, escaped)] if len(escaped) else found

    def escaped(self, text: bytes) -> Positions:
        """Positions of the bytes that an escape character makes ordinary; only of quotes, if it counts in quotes alone.

        The run of escape characters before a byte decides, inside quotes and outside: outside them, a quote behind an
        escape character does not begin a field, so it is an ordinary character as well.
        """
        if not self.escape or self.escape not in text:
            return NONE
        if self._last[0] is not text:
            after = escaping(text, self.escape) + 1
            after = after[after < len(text)]
            if not self.dialect.escape_unquoted:
                after = after[as_array(text)[after] == self.quote[0]]
            self._last = (text, after)
        return self._last[1]

    @property
    def looks_back(self) -> bool:
        """Return whether the meaning of a byte can depend on more than the one before it."""
        return bool(self.escape) or self.dialect.skip_initial_space

    def context(self, text: bytes, at: int) -> int:
        """Return where text can begin so that the bytes from position `at` on mean the same as in `text`."""
        begin = max(at - 1, 0)
        runs = self.escape + b" " * self.dialect.skip_initial_space
        while runs and begin > 0 and (text[begin] in runs or text[begin - 1 : begin] == self.escape):
            begin -= 1
        return begin

    def is_regular(self, text: bytes, quotes: Positions, odd: bool) -> bool:
        """Return whether parity determines the meaning of `quotes`, positions in `text` with (`odd`) one open before them.

        Before the first byte of `text` begins a field, after its last ends one.
        """
        if not len(quotes):
            return True
        array = as_array(text)
        opening, closing = quotes[int(odd) :: 2], quotes[1 - int(odd) :: 2]
        closing = closing[:-1] if len(closing) and closing[-1] == len(text) - 1 else closing
        before = self._before_fields(array, opening)
        return self._separate(array[1:][closing]) and self._separate(array[before], before, self.escaped(text))

    def are_escaped(self, text: bytes, positions: Positions) -> Flags:
        """Return for each of `positions` whether its byte is escaped."""
        return are_in(positions, self.escaped(text))

    def begin_fields(self, text: bytes, positions: Positions, quotes: Positions) -> Flags:
        """Return for each of `positions` whether a field begins there, by parity; one begins with the text."""
        before = np.pad(as_array(text), (0, 1), constant_values=LF)[positions - 1]
        outside = (np.searchsorted(quotes, positions) & 1) == 0
        separate = (before == self.delimiter[0]) | (before == LF) | (before == CR)
        begin: Flags = separate & outside & ~self.are_escaped(text, positions - 1)
        return begin

    def line_starts(self, text: bytes, quotes: Positions) -> Positions:
        """Where records, comment lines and blank lines of `text` begin, which begins one, by parity."""
        starts: Positions = np.append(0, self._ends(text, quotes, 0, len(text), final=True))
        return starts[starts < len(text)]

    def record_starts(self, text: bytes, is_regular: bool) -> Positions:
        """Where the records of `text` begin, which holds whole records only; blank lines and comments are none."""
        if not is_regular:
            found = (m.start() for m in self.pattern.record.finditer(text) if self.is_record(m[1]))
            return np.array(list(found), np.int64)
        starts = self.line_starts(text, self.quotes(text))
        first = as_array(text)[starts]
        filled = (first != LF) & (first != CR)
        if self.comment:
            filled &= first != self.comment[0]
        records: Positions = starts[filled]
        return records

    def is_record(self, line: bytes) -> bool:
        """Return whether a line that begins outside quotes is a record: neither blank nor a comment."""
        return bool(line) and not (self.comment and line.startswith(self.comment))

    def last_end(self, text: bytes, quotes: Positions, final: bool) -> int | None:
        """Where the last record that `text` holds whole ends, by parity; text begins a record."""
        if final:
            return len(text)
        look = _FIRST_LOOK
        while True:
            begin = max(len(text) - look, 0)
            ends = self._ends(text, quotes, begin, len(text), final)
            if len(ends) or begin == 0:
                return int(ends[-1]) if len(ends) else None
            look *= 8

    def first_end(self, text: bytes, quotes: Positions, odd: bool, begin: int, final: bool) -> int | None:
        """Return the first place at or after `begin` where a record can start, by parity, which can be the end of a `final` text."""
        look = _FIRST_LOOK
        while True:
            stop = min(begin + look, len(text))
            ends = self._ends(text, quotes, max(begin - 1, 0), stop, final and stop == len(text), odd)
            ends = ends[ends >= begin]
            if len(ends):
                return int(ends[0])
            if stop == len(text):
                return stop if final else None
            look *= 8

    def last_end_by_machine(self, text: bytes, final: bool) -> int | None:
        """Where the last record that `text` holds whole ends, with quotes of any kind; text begins a record."""
        if final:
            return len(text)
        last = None
        for match in self.pattern.record.finditer(text):
            if match.end() < len(text):
                last = match.end()
        return last

    def _ends(self, text: bytes, quotes: Positions, begin: int, stop: int, final: bool, odd: bool = False) -> Positions:
        """Positions just behind the newlines between `begin` and `stop` that are neither quoted nor escaped."""
        ends: Positions = newline_ends(memoryview(text)[begin:stop], final) + begin
        if len(quotes) or odd:
            ends = ends[(np.searchsorted(quotes, ends) & 1) == int(odd)]
        if self.dialect.escape_unquoted and len(ends):
            ends = ends[~are_in(ends - 1, self.escaped(text))]
        return ends

    def _before_fields(self, array: Text, opening: Positions) -> Positions:
        """Positions of what stands before each field that a quote in `opening` would begin; none before the first byte."""
        before = opening - 1
        if self.dialect.skip_initial_space:
            blank = array == SPACE
            runs = np.flatnonzero(blank & ~np.append(False, blank[:-1]))
            behind = (before >= 0) & blank[before]
            before[behind] = runs[np.searchsorted(runs, before[behind], side="right") - 1] - 1
        return before[before >= 0]

    def _separate(self, marks: Text, at: Positions = NONE, escaped: Positions = NONE) -> bool:
        """Return whether each of `marks`, `at` these positions, can be next to the quotes of a field."""
        if len(escaped) and are_in(at, escaped).any():
            return False
        # A comparison of all is several times as fast as a table of 256.
        delimiter, quote = self.delimiter[0], self.quote[0]
        return bool(((marks == delimiter) | (marks == LF) | (marks == quote) | (marks == CR)).all())
