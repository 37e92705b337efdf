"""What stands before the first record of a CSV: lines to skip, blank lines, comments, the header."""

from __future__ import annotations

import re

from scoremill.errors import InputError
from scoremill.units import MIB, format_bytes

from ..rows import ByteSource
from .grammar import Grammar

_CHUNK = 1 << 16
_MOST = 8 * MIB
"""Bytes after which a header that has not ended is taken for a mistake."""


class Beginning:
    """The bytes at the beginning of a file, of which more are read as long as they are needed."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self.text = source.read(0, _CHUNK)
        self._is_all = len(self.text) < _CHUNK

    def skip_lines(self, at: int, count: int) -> int:
        """Where line `count` begins, counted from 0 at byte `at`; the end of the file if it has no more lines."""
        line = re.compile(rb"[^\r\n]*+(?:\r\n?|\n)")
        while count > 0:
            match = line.match(self.text, at)
            if match and (match.end() < len(self.text) or self._is_all):
                at, count = match.end(), count - 1
            elif not self._read_more():
                return len(self.text)
        return at

    def first_record(self, at: int, grammar: Grammar) -> re.Match[bytes] | None:
        """The first record at or behind byte `at`, less blank lines and comments."""
        while True:
            match = grammar.pattern.record.match(self.text, at)
            if match and (match.end() < len(self.text) or self._is_all):
                if grammar.is_record(match[1]):
                    return match
                if match.end() == len(self.text):
                    return None
                at = match.end()
            elif not self._read_more():
                return None

    def _read_more(self) -> bool:
        """Read more and return whether there was more. Raise InputError if a header is longer than allowed."""
        if self._is_all:
            return False
        if len(self.text) >= _MOST:
            raise InputError(
                f"{self._source.name}: the header does not end within {format_bytes(_MOST)}",
                "Check its first row for a quote that is never closed, or that this is a CSV.",
                code="WrongFormat",
            )
        more = self._source.read(len(self.text), len(self.text) * 2)
        self._is_all = len(more) < len(self.text)
        self.text += more
        return True
