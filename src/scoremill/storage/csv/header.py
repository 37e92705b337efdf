"""The first row of a CSV: names of columns, and where the records begin."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from dataclasses import dataclass

from scoremill.errors import InputError
from scoremill.spec import Csv
from scoremill.units import MIB, format_bytes

from ..rows import Source
from ..text import is_utf8
from .grammar import Grammar

_CHUNK = 1 << 16
_MOST = 8 * MIB
"""Bytes after which a header that has not ended is taken for a mistake."""


@dataclass(frozen=True, slots=True)
class Header:
    """Names of the columns of one file, and where its data are."""

    names: tuple[str, ...]
    """In their order; an empty one is called `Unnamed: N`, as pandas does."""
    data_start: int
    """Byte of the first record, behind byte order mark and header."""
    text_start: int = 0
    """Byte behind the byte order mark."""


def read_header(source: Source, dialect: Csv) -> Header | None:
    """The header of a CSV; None where it holds nothing but blank lines.

    InputError where a name is there twice, the bytes are not text, or it is UTF-16.
    """
    text = source.read(0, _CHUNK)
    begin = _behind_mark(source, text, dialect)
    if not dialect.header:
        return Header(dialect.columns or (), begin, begin) if len(text) > begin else None
    grammar = Grammar(dialect)
    final = len(text) < _CHUNK
    while True:
        match = grammar.record.match(text, len(text) - len(text[begin:].lstrip(b"\r\n")))
        if match and (final or match.end() < len(text)):
            break
        if len(text) >= _MOST:
            raise InputError(
                f"{source.name}: the header does not end within {format_bytes(_MOST)}",
                "Check its first row for a quote that is never closed, or that this is a CSV.",
            )
        more = source.read(len(text), len(text) * 2)
        final = len(more) < len(text)
        text += more
    if not match[1]:
        return None
    return Header(_names(source, match[1], dialect), match.end(), begin)


def _behind_mark(source: Source, text: bytes, dialect: Csv) -> int:
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InputError(f"{source.name} is UTF-16", "Convert it to UTF-8, for example with iconv.")
    if not text.startswith(codecs.BOM_UTF8):
        return 0
    if not is_utf8(dialect.encoding):
        raise InputError(
            f"{source.name} begins with the mark of UTF-8, but its encoding is said to be {dialect.encoding}",
            "Score files of different encodings by jobs of their own, and give `input.csv.encoding` in each.",
        )
    return len(codecs.BOM_UTF8)


def _names(source: Source, record: bytes, dialect: Csv) -> tuple[str, ...]:
    try:
        text = record.decode(dialect.encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{source.name}: the header is not {dialect.encoding} at byte {error.start} of it",
            "Give `input.csv.encoding`, for example latin-1 or cp1252.",
        ) from None
    csv.field_size_limit(max(csv.field_size_limit(), _MOST * 2))
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=dialect.delimiter, quotechar=dialect.quote)
    names = tuple(name or f"Unnamed: {i}" for i, name in enumerate(next(rows)))
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(
            f"{source.name}: the header names {', '.join(map(repr, twice))} twice",
            "Rename one of them; or, if this file has no header, give `input.csv.header: false` and `columns`.",
        )
    return names
