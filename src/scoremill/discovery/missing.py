"""Columns that are wanted of an input object and that it does not have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scoremill.spec import Csv
from scoremill.spec.mention import mention
from scoremill.units import quoted

from .asked import Wanted
from .problem import Problem
from .source import Source
from .suggest import close_hint, rename_hint


def columns_missing(
    source: Source, names: Sequence[str], wanted: Wanted, csv: Csv | None, first: Sequence[str]
) -> Iterator[Problem]:
    """Yield the problems of columns that are wanted and not among `names`; `first` is the first record of a CSV."""
    read, asked = [column.name for column in wanted.columns], wanted.asked
    for who, meant in (
        ("the model reads", read),
        ("`spec.output.keep` names", asked.keep),
        ("`spec.input.where` names", asked.where),
    ):
        missing = [name for name in meant if name != "*" and name not in names]
        if missing:
            listed = ", ".join(map(quoted, missing))
            message = f"{who} {'a column' if len(missing) == 1 else 'columns'} that the file does not have: {listed}"
            hint = _other_dialect(names, csv, first) if csv is not None else None
            code = "ColumnMissing" if hint is None else "WrongDialect"
            if hint is None:
                suggest = rename_hint if meant is read else close_hint
                hint = suggest(missing, names, {*read, *asked.names})
            yield Problem(
                "error", source.uri, message, hint, about=f"{message}: {hint.partition(' columns: ')[0]}", code=code
            )


def _other_dialect(names: Sequence[str], csv: Csv, first: Sequence[str]) -> str | None:
    """What the user most probably has to do if the columns are not those of the file."""
    if not csv.header:
        given = len(csv.columns or ())
        return None if len(first) == given else names_hint(given, len(first))
    if len(first) == 1:
        others = [mark for mark in ",;\t|" if mark != csv.delimiter and mark in first[0]]
        if others:
            return f"Its header holds {quoted(others[0])}: try {mention('spec.input.csv.delimiter', others[0])}."
    if any(map(is_number, names)):
        return "Its first row looks like data: for files without a header, give `spec.input.csv.header: false` and `spec.input.csv.columns`."
    return None


def names_hint(given: int, found: int) -> str:
    """What to do if as many names are given for files without a header, and a row has as many fields."""
    count = f"{given} name{'s' * (given != 1)}"
    return f"`spec.input.csv.columns` gives {count}, and the first row has {found} fields: give a name for each field, in their order."


def is_number(text: str) -> bool:
    """Return whether a text is a number, and so hardly the name of a column."""
    try:
        float(text)
    except ValueError:
        return False
    return True
