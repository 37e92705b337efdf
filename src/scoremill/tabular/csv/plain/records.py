"""Text with quotes of any kind rewritten as plain CSV, record by record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..grammar import Grammar
from ..pattern import Field


def plain_records(text: bytes, grammar: Grammar, width: int) -> bytes:
    """Return `text` as plain CSV, without comments; and without empty fields behind `width`, if the dialect says so.

    Most records are plain already, and stay as they are.
    """
    lines = (match[1] for match in grammar.pattern.record.finditer(text))
    kept = (line for line in lines if grammar.is_record(line))
    # No newline at the end: the last record can be an open quote.
    return b"\n".join(_plain_record(line, grammar, width) for line in kept)


def _plain_record(line: bytes, grammar: Grammar, width: int) -> bytes:
    dialect = grammar.dialect
    is_wide = dialect.surplus_fields == "DropEmpty" and line.count(grammar.delimiter) >= width
    has_blanks = dialect.skip_initial_space and b" " in line
    if not is_wide and not has_blanks and not (grammar.escape and grammar.escape in line):
        return line
    fields = list(grammar.pattern.fields(line))
    return _joined(_without_empty_surplus(fields, width) if is_wide else fields, grammar.delimiter, grammar.quote)


def _without_empty_surplus(fields: Sequence[Field], width: int) -> Sequence[Field]:
    return fields if any(field.value for field in fields[width:]) else fields[:width]


def _joined(fields: Iterable[Field], delimiter: bytes, quote: bytes) -> bytes:
    """The record of `fields`; one of an empty field is quoted, since a blank line is no record."""
    special = (delimiter, quote, b"\n", b"\r")
    record = delimiter.join(
        quote + value.replace(quote, quote * 2) + quote
        if is_quoted or any(mark in value for mark in special)
        else value
        for value, is_quoted in fields
    )
    return record or quote * 2
