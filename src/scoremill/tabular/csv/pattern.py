"""One record of a dialect as a regular expression, whatever its quotes are, and the fields in it.

Patterns are possessive throughout, and so linear. They are the grammar of Python's csv module (strict=False), with two
additions: comment lines, and escape characters that count inside quotes alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from scoremill.spec import Csv


class Field(NamedTuple):
    """One field of a record."""

    value: bytes
    """Return the text without quotes and escape characters."""
    is_quoted: bool


class RecordPattern:
    """The records of one dialect: bytes only, whatever the encoding."""

    def __init__(self, marks: _Marks, nulls: tuple[bytes, ...]) -> None:
        self._nulls = nulls
        self._field = re.compile(marks.field, re.DOTALL)
        self._quoted = re.compile(marks.pairs_in_quotes, re.DOTALL)
        self._unquoted = re.compile(marks.pairs_outside, re.DOTALL)
        self.record = re.compile(rb"(" + marks.record + rb")(\r\n?|\n|\Z)", re.DOTALL)
        """A record or a comment line, and the newline that ends it."""

    def fields(self, record: bytes) -> Iterator[Field]:
        """The fields of `record`, which ends without a newline."""
        at = 0
        while at <= len(record):
            match = self._field.match(record, at)
            assert match is not None
            yield self._field_of(match)
            at = match.end() + 1

    def _field_of(self, match: re.Match[bytes]) -> Field:
        quoted, rest = match["quoted"], match["rest"]
        if quoted is None:
            return Field(rest if rest in self._nulls else self._unquoted.sub(_second, rest), is_quoted=False)
        text = self._quoted.sub(_second, quoted) + (match["literal"] or b"") + self._unquoted.sub(_second, rest)
        return Field(text, is_quoted=True)


def record_pattern(dialect: Csv) -> RecordPattern:
    """Return the pattern of a dialect; dialects of the same characters share one."""
    escape, comment = (dialect.escape or "").encode(), (dialect.comment or "").encode()
    marks = _Marks(
        dialect.delimiter.encode(),
        dialect.quote.encode(),
        escape,
        comment,
        dialect.escape_unquoted,
        dialect.skip_initial_space,
    )
    return _compiled(marks, escaped_nulls(dialect))


@lru_cache(maxsize=256)
def _compiled(marks: _Marks, nulls: tuple[bytes, ...]) -> RecordPattern:
    return RecordPattern(marks, nulls)


def escaped_nulls(dialect: Csv) -> tuple[bytes, ...]:
    """Spellings of a missing value that begin with the escape character, such as `\\N`: fields are them as they stand."""
    if not dialect.escape_unquoted or dialect.escape is None:
        return ()
    return tuple(null.encode() for null in dialect.null_values if null.startswith(dialect.escape))


def _second(match: re.Match[bytes]) -> bytes:
    # Python's csv module reads an escape character that ends a file as an escaped newline.
    return match[match.lastindex or 0] or b"\n"


@dataclass(frozen=True)
class _Marks:
    """The characters of a dialect, and the parts of its patterns."""

    delimiter: bytes
    quote: bytes
    escape: bytes
    comment: bytes
    escape_unquoted: bool
    skip_initial_space: bool

    @property
    def _delimiter(self) -> bytes:
        return re.escape(self.delimiter)

    @property
    def _quote(self) -> bytes:
        return re.escape(self.quote)

    @property
    def _escape(self) -> bytes:
        return re.escape(self.escape)

    @property
    def record(self) -> bytes:
        field = re.sub(rb"\?P<\w+>", b"?:", self.field)
        record = field + b"(?:" + self._delimiter + field + b")*+"
        if not self.comment:
            return record
        return re.escape(self.comment) + rb"[^\r\n]*+|" + record

    @property
    def field(self) -> bytes:
        blanks = b" *+" if self.skip_initial_space else b""
        return blanks + b"(?:" + self._quoted + b")?+(?P<rest>" + self._outside + b")"

    @property
    def _quoted(self) -> bytes:
        if not self._quote:
            return b"(?P<quoted>(?!))(?P<literal>)"
        # Behind a closing quote an escape character is text.
        literal = self._escape + b"?+" if self.escape_unquoted else b""
        closing = b"(?:" + self._quote + b"(?P<literal>" + literal + rb")|\Z)"
        return self._quote + b"(?P<quoted>" + self._inside + b")" + closing

    @property
    def pairs_in_quotes(self) -> bytes:
        """Pairs of characters inside quotes that stand for the second one."""
        if not self._quote:
            return b"(?!)"
        doubled = self._quote + b"(" + self._quote + b")"
        if not self._escape:
            return doubled
        return doubled + b"|" + self._escape + b"(" + self._escapable + b")"

    @property
    def pairs_outside(self) -> bytes:
        return self._escape + b"(" + self._escapable + b")" if self.escape_unquoted else b"(?!)"

    @property
    def _escapable(self) -> bytes:
        return rb".|\Z" if self.escape_unquoted else b"[" + self._quote + self._escape + b"]"

    @property
    def _inside(self) -> bytes:
        pair = b"|" + self._escape + b"(?:" + self._escapable + b")?+" if self._escape else b""
        return b"(?:[^" + self._quote + self._escape + b"]++|" + self._quote * 2 + pair + b")*+"

    @property
    def _outside(self) -> bytes:
        if not self.escape_unquoted:
            return b"[^" + self._delimiter + rb"\r\n]*+"
        text = b"[^" + self._delimiter + self._escape + rb"\r\n]++"
        return b"(?:" + text + b"|" + self._escape + b"(?:" + self._escapable + b"))*+"
