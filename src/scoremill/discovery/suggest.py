"""Columns of a file that resemble missing columns, and the flags that rename them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from scoremill.naming import nearest
from scoremill.spec.mention import mention
from scoremill.tabular.rename import relaxed
from scoremill.units import quoted

_CLOSE = 0.75
"""Least likeness of a misspelled name; `mean area` and `mean radius` have 0.6."""
_MANY = 40
"""Columns named in a hint."""


def pairs_of(missing: Sequence[str], names: Sequence[str], used: Collection[str]) -> list[tuple[str, str]]:
    """Return pairs of a missing column and a similar column of the file; no column twice, and none that is `used`."""
    free = {name: relaxed(name) for name in names if name not in used}
    found: dict[str, str] = {}
    for find in (_alike, _closest):
        for wanted in missing:
            if wanted not in found and (name := find(relaxed(wanted), free)) is not None:
                found[wanted] = name
                del free[name]
    return [(found[wanted], wanted) for wanted in missing if wanted in found]


def _alike(wanted: str, free: dict[str, str]) -> str | None:
    alike = [name for name, spelling in free.items() if spelling == wanted]
    return alike[0] if len(alike) == 1 else None


def _closest(wanted: str, free: dict[str, str]) -> str | None:
    return next(iter(nearest(wanted, free, likeness=_CLOSE, spelling=relaxed)), None)


def rename_hint(missing: Sequence[str], names: Sequence[str], used: Collection[str]) -> str:
    """Return how to have columns of the file read as those that the model reads."""
    pairs = pairs_of(missing, names, used)
    columns = f"Its columns: {', '.join(names[:_MANY])}."
    if not pairs:
        return columns
    field = mention("spec.input.rename", dict(pairs))
    if all(relaxed(old) == relaxed(new) for old, new in pairs):
        field = f"`spec.input.matchColumns: Relaxed`, or {field}"
    these = "this is the same column" if len(pairs) == 1 else "these are the same columns"
    return f"If {these}, give {field}. {columns}"


def close_hint(missing: Sequence[str], names: Sequence[str], used: Collection[str]) -> str:
    """Return a hint with the column names that are close to those given by a field."""
    pairs = pairs_of(missing, names, used)
    columns = f"Its columns: {', '.join(names[:_MANY])}."
    if not pairs:
        return columns
    close = ", ".join(quoted(name) for name, _ in pairs)
    return f"The closest name is {close}. {columns}" if len(pairs) == 1 else f"The closest names are {close}. {columns}"
