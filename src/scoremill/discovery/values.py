"""Sampled rows and values that would be rejected, or altered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import pyarrow as pa

from scoremill.spec import Column, Csv
from scoremill.tabular.convert import to_frame
from scoremill.tabular.rows import Reject, Rows
from scoremill.units import quoted

from .asked import Wanted
from .date_formats import date_hint
from .dates import date_notes, is_date
from .missing import names_hint
from .problem import Problem
from .source import Source

_MANY = 0.5
"""Fraction of sampled values that do not convert, from which the column is taken to be another."""

_QUOTED = re.compile(r'"(.*)" is not ', re.DOTALL)


def rejected_rows(blocks: Sequence[Rows], columns: Sequence[Column], csv: Csv) -> list[Reject]:
    """Return a reject for each sampled row that cannot be read or converted."""
    ragged = [reject for block in blocks for reject in block.rejects]
    return [*ragged, *(reject for block in blocks for reject in to_frame(block, columns, csv).rejects)]


def unconverted_texts(rejects: Sequence[Reject]) -> tuple[str, ...]:
    """Return the distinct texts that did not convert, as far as the reasons quote them."""
    quoted = (_QUOTED.match(reject.reason) for reject in rejects)
    return tuple(dict.fromkeys(match[1] for match in quoted if match))


def check_values(
    source: Source, blocks: list[Rows], columns: list[Column], rejects: list[Reject], wanted: Wanted, csv: Csv
) -> Iterator[Problem]:
    """Yield an error for each column whose sampled text mostly is of another type, and warnings of stray values."""
    rows = sum(block.table.num_rows + len(block.rejects) for block in blocks)
    for name in dict.fromkeys(reject.column for reject in rejects):
        those = [reject for reject in rejects if reject.column == name]
        # A column can be wrong throughout if that many rows can be rejected.
        is_error = len(those) > max(_MANY, wanted.allowed) * rows
        yield Problem(
            "error" if is_error else "warning",
            f"{source.uri}, column {quoted(name)}" if name else source.uri,
            f"{len(those)} of the first {rows} rows would be rejected: {those[0].reason}",
            " ".join(_hints(name, those[0], blocks, columns, csv, is_error=is_error)),
            about=f"values of {name}",
            code="InvalidValues",
        )
    yield from _times_altered(source, blocks, columns, csv)


def _hints(
    name: str | None, reject: Reject, blocks: list[Rows], columns: list[Column], csv: Csv, *, is_error: bool
) -> Iterator[str]:
    date = next((column for column in columns if column.name == name and is_date(column)), None)
    if not is_error:
        yield "Rejected rows go to _errors/; `spec.errors.maxRows` bounds them."
    elif name is None:
        yield _row_hint(reject, csv)
    elif date is None:
        yield "Check the column, `spec.input.csv.decimal` and `spec.input.csv.nullValues`, or train with such values."
    if date is not None and all(pa.types.is_string(block.table[date.name].type) for block in blocks):
        yield date_hint(date, pa.concat_tables([block.table for block in blocks])[date.name].combine_chunks(), csv)


def _row_hint(reject: Reject, csv: Csv) -> str:
    found = reject.reason.rpartition("found ")[2]
    if not csv.header and found.isdecimal():
        return names_hint(len(csv.columns or ()), int(found))
    return f"Check `spec.input.csv.delimiter` (now {quoted(csv.delimiter)}), quotes and `spec.input.csv.encoding` (now {csv.encoding})."


def _times_altered(source: Source, blocks: list[Rows], columns: list[Column], csv: Csv) -> Iterator[Problem]:
    """Notes on times that the model's types cannot hold as they are."""
    if blocks:
        for column, note in date_notes(pa.concat_tables([block.table for block in blocks]), columns, csv):
            where = f"{source.uri}, column {quoted(column.name)}"
            yield Problem("warning", where, note, about=f"times of {column.name}: {note.lstrip('0123456789')}")
