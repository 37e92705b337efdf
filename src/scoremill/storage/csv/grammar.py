"""Where records begin and end in CSV text, and whether counting its quotes is enough to know.

A quote is *regular* where Python's csv module gives it a meaning that its parity tells: an opening one begins a
field, a closing one ends it or is the first of a doubled quote. `5" disk` holds an irregular one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from scoremill.spec import Csv

from ..rows import Positions

Text = np.ndarray[tuple[int], np.dtype[np.uint8]]

_LF, _CR = 10, 13
_FIRST_LOOK = 1 << 16
"""Bytes looked at first when the record that ends next or last is sought."""


def as_array(text: bytes | memoryview) -> Text:
    """The bytes of `text` as uint8, not copied."""
    return np.frombuffer(text, np.uint8)


@dataclass(frozen=True)
class Grammar:
    """The structure of one dialect: bytes only, whatever the encoding."""

    dialect: Csv
    quote: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "quote", self.dialect.quote.encode())

    @cached_property
    def record(self) -> re.Pattern[bytes]:
        """One record as Python's csv module (strict=False) reads it: its text, then its newline."""
        quote, delimiter = (re.escape(mark.encode()) for mark in (self.dialect.quote, self.dialect.delimiter))
        rest = rb"[^" + delimiter + rb"\r\n]*+"
        quoted = quote + rb"(?:[^" + quote + rb"]++|" + quote * 2 + rb")*+(?:" + quote + rb"|\Z)"
        one = rb"(?:" + quoted + rb")?+" + rest
        return re.compile(rb"(" + one + rb"(?:" + delimiter + one + rb")*+)(\r\n?|\n|\Z)")

    def quotes(self, text: bytes | memoryview) -> Positions:
        """Positions of all quotes; text without any costs one memchr."""
        if isinstance(text, bytes) and self.quote not in text:
            return np.empty(0, np.int64)
        return np.flatnonzero(as_array(text) == self.quote[0])

    def is_regular(self, text: bytes, quotes: Positions, odd: bool) -> bool:
        """Whether parity tells the meaning of `quotes`, positions in `text` with (`odd`) one open before them.

        Before the first byte of `text` begins a field, after its last ends one.
        """
        if not len(quotes):
            return True
        array = as_array(text)
        opening, closing = quotes[int(odd) :: 2], quotes[1 - int(odd) :: 2]
        if len(opening) and opening[0] == 0:
            opening = opening[1:]
        if len(closing) and closing[-1] == len(text) - 1:
            closing = closing[:-1]
        return self._separate(array[opening - 1]) and self._separate(array[1:][closing])

    def _separate(self, marks: Text) -> bool:
        """Whether each of `marks` may stand beside a field's quotes."""
        # A comparison of all is several times as fast as a table of 256.
        delimiter, quote = ord(self.dialect.delimiter), self.quote[0]
        return bool(((marks == delimiter) | (marks == _LF) | (marks == quote) | (marks == _CR)).all())

    def record_starts(self, text: bytes, is_regular: bool) -> Positions:
        """Where the records of `text` begin, which holds whole records only; blank lines are none."""
        if not is_regular:
            return np.array([m.start() for m in self.record.finditer(text) if m[1]], np.int64)
        starts = np.concatenate([[0], line_ends(text, self.quotes(text), odd=False, final=True)])
        starts = starts[starts < len(text)]
        first = as_array(text)[starts]
        filled: Positions = starts[(first != _LF) & (first != _CR)]
        return filled

    def last_end(self, text: bytes, quotes: Positions, final: bool) -> int | None:
        """Where the last record that `text` holds whole ends, by parity; text begins a record."""
        if final:
            return len(text)
        look = _FIRST_LOOK
        while True:
            begin = max(len(text) - look, 0)
            ends = _ends_within(text, quotes, begin, len(text), final)
            if len(ends) or begin == 0:
                return int(ends[-1]) if len(ends) else None
            look *= 8

    def first_end(self, text: bytes, quotes: Positions, odd: bool, begin: int, final: bool) -> int | None:
        """The first place at or after `begin` where a record may start, by parity; the end of a `final` text too."""
        look = _FIRST_LOOK
        while True:
            stop = min(begin + look, len(text))
            ends = _ends_within(text, quotes, max(begin - 1, 0), stop, final and stop == len(text), odd)
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
        for match in self.record.finditer(text):
            if match.end() < len(text):
                last = match.end()
        return last


def _ends_within(text: bytes, quotes: Positions, begin: int, stop: int, final: bool, odd: bool = False) -> Positions:
    low, high = np.searchsorted(quotes, (begin, stop))
    inside = odd ^ bool(low & 1)
    ends: Positions = line_ends(memoryview(text)[begin:stop], quotes[low:high] - begin, inside, final) + begin
    return ends


def line_ends(text: bytes | memoryview, quotes: Positions, odd: bool, final: bool) -> Positions:
    """Positions just behind each newline (LF, CR, CRLF) outside quotes.

    A CR that ends a text that is not `final` may be half a CRLF and does not count.
    """
    ends: Positions = newline_ends(text, final)
    outside: Positions = ends[(np.searchsorted(quotes, ends) & 1) == int(odd)] if len(quotes) or odd else ends
    return outside


def newline_ends(text: bytes | memoryview, final: bool) -> Positions:
    """Positions just behind each newline (LF, CR, CRLF), quoted or not."""
    array = as_array(text)
    newline = array == _LF
    carriage = array == _CR
    if carriage.any():
        carriage[:-1] &= ~newline[1:]
        carriage[-1] &= final
        newline |= carriage
    ends: Positions = np.flatnonzero(newline) + 1
    return ends


def count_newlines(text: bytes, begin: int, stop: int) -> int:
    """Newlines (LF, CR, CRLF) whose last byte lies between positions `begin` and `stop` of `text`."""
    array = as_array(text)
    count = int(np.count_nonzero(array[begin:stop] == _LF))
    if text.find(b"\r", begin, stop) < 0:
        return count
    carriages = np.flatnonzero(array[begin:stop] == _CR) + begin
    alone = np.append(array, 0)[carriages + 1] != _LF
    return count + int(alone.sum())
