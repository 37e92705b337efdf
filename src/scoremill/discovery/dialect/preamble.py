"""Where the header of a CSV is, if it is not the first line, and what separates its names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from scoremill.errors import InputError
from scoremill.spec import Csv
from scoremill.tabular.csv import first_record
from scoremill.tabular.rows import BytesSource

Change = dict[str, Any]
IsHeader = Callable[[Sequence[str]], bool]
"""Return True if these names are those of a header that has all columns that are wanted."""

_LINES = 100
"""Lines among which the header is sought."""
_DELIMITERS = ",;\t|"
_COMMENTS = "#%!*"


def header_changes(csv: Csv, data: bytes, is_header: IsHeader) -> Iterator[Change]:
    """Yield changes of the dialect with which one of the first lines is a header that has all columns."""
    if not csv.header:
        return
    lines = data[: 1 << 16].splitlines(keepends=True)[:_LINES]
    for change in _readings(csv, data):
        at = _header_at(csv, lines, is_header, change)
        if at is not None:
            yield from ({**change, **skipped} for skipped in _before_header(lines[:at], change["delimiter"]))


def _readings(csv: Csv, data: bytes) -> Iterator[Change]:
    encodings = [csv.encoding] if data.isascii() else dict.fromkeys((csv.encoding, "utf-8", "cp1252"))
    for encoding in encodings:
        for delimiter in dict.fromkeys((csv.delimiter, *_DELIMITERS)):
            for skips in dict.fromkeys((csv.skip_initial_space, True)):
                yield {"encoding": encoding, "delimiter": delimiter, "skip_initial_space": skips}


def with_changes(csv: Csv, change: Change) -> Csv | None:
    """The dialect `csv` with a change; None if there is no such dialect."""
    try:
        return Csv.model_validate({**csv.model_dump(), **change})
    except ValidationError:
        return None


def _header_at(csv: Csv, lines: Sequence[bytes], is_header: IsHeader, change: Change) -> int | None:
    """Which of `lines` is a header that has all columns, counted from 0."""
    dialect = with_changes(csv, {**change, "skip_rows": 0, "comment": None})
    if dialect is None:
        return None
    for at, line in enumerate(lines):
        try:
            if is_header(first_record(BytesSource(line), dialect)):
                return at
        except InputError:
            continue
    return None


def _before_header(lines: Sequence[bytes], delimiter: str) -> Iterator[Change]:
    """How the lines before a header are left out: as comments if all of them begin alike, or by their number."""
    filled = [line for line in lines if line.strip(b"\r\n")]
    for mark in _COMMENTS:
        if filled and mark != delimiter and all(line.startswith(mark.encode()) for line in filled):
            yield {"comment": mark, "skip_rows": 0}
    yield {"skip_rows": len(lines) if filled else 0}
