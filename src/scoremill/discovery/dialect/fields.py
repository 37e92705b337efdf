"""A change of the CSV dialect as the fields that make it."""

from __future__ import annotations

from scoremill.spec import Csv
from scoremill.spec.mention import mention

FIELDS = (
    "encoding",
    "skip_rows",
    "comment",
    "header",
    "columns",
    "delimiter",
    "quote",
    "escape",
    "escape_unquoted",
    "skip_initial_space",
    "surplus_fields",
    "decimal",
    "thousands",
    "null_values",
)
"""Fields of a dialect that planning can suggest, in the order in which they are named."""


def fields_between(before: Csv, after: Csv) -> str:
    """Return the fields, as a message mentions them, that make the dialect `after` out of `before`; empty for none."""
    values = after.model_dump(mode="json", by_alias=True)
    changed = [name for name in FIELDS if getattr(before, name) != getattr(after, name)]
    aliases = [str(Csv.model_fields[name].alias) for name in changed]
    return mention("spec.input.csv", {alias: values[alias] for alias in aliases}) if changed else ""
