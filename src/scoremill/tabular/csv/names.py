"""Names of columns, read from a header and written as one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from scoremill.errors import InputError
from scoremill.spec import Csv
from scoremill.units import quoted

from .grammar import Grammar


def parse_names(file: str, record: bytes, grammar: Grammar) -> tuple[str, ...]:
    """Return the names of columns in the header `record` of `file`; an empty one is called `Unnamed: N`, as by pandas."""
    fields = (field.value for field in grammar.pattern.fields(record))
    try:
        names = tuple(name.decode(grammar.dialect.encoding) or f"Unnamed: {i}" for i, name in enumerate(fields))
    except UnicodeDecodeError:
        raise InputError(
            f"{file}: the header is not {grammar.dialect.encoding}: {quoted(record[:80])}",
            "Give its encoding, such as `spec.input.csv.encoding: cp1252` (Windows) or `spec.input.csv.encoding: latin-1`.",
            code="WrongEncoding",
        ) from None
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(
            f"{file}: the header names {', '.join(map(quoted, twice))} twice",
            "Rename one of them; or, if this file has no header, give `spec.input.csv.header: false` and `spec.input.csv.columns`.",
            code="DuplicateColumn",
        )
    return names


def header_line(names: Sequence[str], dialect: Csv) -> bytes:
    """Return a header, without its newline, in which `dialect` reads these names."""
    return dialect.delimiter.join(_written(name, dialect) for name in names).encode(dialect.encoding)


def _written(name: str, dialect: Csv) -> str:
    quote, escape = dialect.quote, dialect.escape or ""
    if quote:
        escaped = name.replace(escape, escape * 2) if escape else name
        return quote + escaped.replace(quote, quote * 2) + quote
    # What was read without quotes can be written without them.
    special = f"[{re.escape(dialect.delimiter + escape)}\r\n]|^[ {re.escape(dialect.comment or '')}]"
    return re.sub(special, lambda match: escape + match[0], name)
