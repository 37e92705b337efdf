"""A change of the CSV dialect as the flags that make it."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Iterator, Sequence

from scoremill.spec import Csv

FLAGS = {
    "encoding": "--encoding",
    "skip_rows": "--skip-rows",
    "comment": "--comment",
    "header": "--no-header",
    "columns": "--names",
    "delimiter": "--delimiter",
    "quote": "--quote",
    "escape": "--escape",
    "escape_unquoted": "--escape-unquoted",
    "skip_initial_space": "--skip-initial-space",
    "surplus_fields": "--surplus-fields",
    "decimal": "--decimal",
    "thousands": "--thousands",
    "null_values": "--null-values",
}
"""The flag of each field of a dialect that planning can suggest."""


def flags_between(before: Csv, after: Csv) -> str:
    """Return the flags, quoted for a shell, that make the dialect `after` out of `before`."""
    return " ".join(
        word for name, flag in FLAGS.items() for word in _words(flag, getattr(before, name), getattr(after, name))
    )


def _words(flag: str, before: object, after: object) -> Iterator[str]:
    if before == after:
        return
    yield flag
    if isinstance(after, str):
        yield shlex.quote(after) if after != "\t" else r"'\t'"
    elif isinstance(after, tuple):
        yield shlex.quote(_row(after))
    elif not isinstance(after, bool):
        yield str(after)


def _row(values: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(values)
    return out.getvalue()
