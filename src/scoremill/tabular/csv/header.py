"""The first row of a CSV: names of columns, and where the records begin."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from scoremill.errors import InputError
from scoremill.spec import Csv
from scoremill.spec.mention import mention
from scoremill.units import quoted

from ..kinds import refuse_other_kinds
from ..rows import ByteSource
from ..text import is_utf8
from .beginning import Beginning
from .grammar import Grammar
from .names import parse_names

_SEPARATOR_LINE = re.compile(rb'"?sep=([^\r\n])"?(?=[\r\n])', re.IGNORECASE)
"""What Excel writes and reads as the first line, and nobody else."""


@dataclass(frozen=True, slots=True)
class Header:
    """Names of the columns of one file, and where its data are."""

    names: tuple[str, ...]
    """In their order; an empty one is called `Unnamed: N`, as pandas does."""
    data_start: int
    """Byte of the first record, behind byte order mark and header."""
    text_start: int = 0
    """Byte behind the byte order mark."""


def read_header(source: ByteSource, dialect: Csv) -> Header | None:
    """Return the header of a CSV; None if it holds nothing but blank lines and comments.

    InputError if it names a column twice, is not text, or is not a CSV of this dialect at all.
    """
    grammar, beginning = Grammar(dialect), Beginning(source)
    refuse_other_kinds(source.name, beginning.text, is_decoded=source.size is None)
    start = _behind_mark(source, beginning.text, dialect)
    _refuse_separator_line(source, beginning.text[start : start + 16], dialect)
    at = beginning.skip_lines(start, dialect.skip_rows)
    if not dialect.header:
        return Header(dialect.columns or (), at, start) if at < len(beginning.text) else None
    match = beginning.first_record(at, grammar)
    if match is None:
        return None
    return Header(parse_names(source.name, match[1], grammar), match.end(), start)


def first_record(source: ByteSource, dialect: Csv) -> list[str]:
    """Return the fields of the first record, be it a header or not; empty if there is none."""
    grammar, beginning = Grammar(dialect), Beginning(source)
    start = _behind_mark(source, beginning.text, dialect)
    match = beginning.first_record(beginning.skip_lines(start, dialect.skip_rows), grammar)
    fields = grammar.pattern.fields(match[1]) if match else ()
    return [field.value.decode(dialect.encoding, errors="replace") for field in fields]


def _refuse_separator_line(source: ByteSource, text: bytes, dialect: Csv) -> None:
    match = _SEPARATOR_LINE.match(text)
    if match and not dialect.skip_rows:
        dialect_named = {"skipRows": 1, "delimiter": match[1].decode("latin-1")}
        raise InputError(
            f"{source.name}: the first line, {quoted(match[0].decode('latin-1'))}, is an instruction to Excel",
            f"Skip it, and give the delimiter that it names: {mention('spec.input.csv', dialect_named)}.",
            code="WrongDialect",
        )


def _behind_mark(source: ByteSource, text: bytes, dialect: Csv) -> int:
    if not text.startswith(codecs.BOM_UTF8):
        return 0
    if not is_utf8(dialect.encoding):
        raise InputError(
            f"{source.name} begins with the mark of UTF-8, but its encoding is said to be {dialect.encoding}",
            "Score files of different encodings by jobs of their own, and give `spec.input.csv.encoding` in each.",
            code="WrongEncoding",
        )
    return len(codecs.BOM_UTF8)
