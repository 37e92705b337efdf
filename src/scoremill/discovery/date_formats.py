"""Formats that would read the text of a date column which is rejected, as flags."""

from __future__ import annotations

from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scoremill.spec import EPOCHS, ISO, Column, Csv
from scoremill.spec.mention import mention
from scoremill.tabular.convert.columns import convert_column

_DIGITS = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y")
_MONTH_NAMES = ("%d-%b-%Y", "%d %b %Y", "%b %d %Y")
_SHORT_YEARS = ("%d/%m/%y", "%m/%d/%y")
_YEAR_FIRST = ("%Y.%m.%d", "%Y-%m-%d")
_DATES = (*_DIGITS, *_MONTH_NAMES, *_SHORT_YEARS, *_YEAR_FIRST)
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
_COUNTS = (*EPOCHS, "%Y%m%d%H%M%S")
"""Formats that read any number, most of them in some other century."""
_CANDIDATES = (*_COUNTS, *map("".join, product(_DATES, _CLOCKS)))
_YEARS = (1980, 2100)
"""Those that numbers are expected to mean."""
_FEW, _MANY = 10, 1000
"""Values that a format is tried on, at first and in all."""
_FIELD = "spec.input.csv.dateFormats"
_ENOUGH = 0.5
"""Fraction of the rejected values that a format must read to be worth naming."""


def date_hint(column: Column, text: pa.Array, csv: Csv) -> str:
    """The fields that read `text`, which is rejected at least in part; else how to write them."""
    failed = text.filter(_rejected(column, text, csv)).unique()
    forms = _single_formats(column, failed, csv) or _other_formats(column, text, failed, csv)
    fields = [mention(_FIELD, {column.name: form}) for form in forms]
    if not fields:
        return f"Give its format as strptime writes it, such as {mention(_FIELD, {column.name: '%d.%m.%Y'})}."
    return f"Say which format it has: {' or '.join(fields)}."


def _single_formats(column: Column, failed: pa.Array, csv: Csv) -> list[str]:
    """Those of the column's formats that read by themselves what together they read as different times."""
    return [form for form in csv.date_formats_of(column.name) if not _all(_rejected_as(form, column, failed, csv))]


def _other_formats(column: Column, text: pa.Array, failed: pa.Array, csv: Csv) -> list[str]:
    """The formats that read most of what failed; added to those that read the rest."""
    kept = "" if len(failed) == len(text.drop_null().unique()) else f"{csv.date_formats.get(column.name, ISO)}|"
    few, many = failed[:_FEW], text.unique()[:_MANY]
    counts = {
        kept + form: pc.sum(_rejected_as(kept + form, column, many, csv)).as_py()
        for form in _CANDIDATES
        if not _all(_rejected_as(form, column, few, csv)) and _is_sensible(form, column, few, csv)
    }
    least = min(counts.values(), default=len(failed))
    return [form for form, count in counts.items() if count == least and count <= (1 - _ENOUGH) * len(failed)]


def _all(values: pa.Array) -> bool:
    return bool(pc.all(values).as_py())


def _rejected_as(formats: str, column: Column, text: pa.Array, csv: Csv) -> pa.Array:
    return _rejected(column, text, _with_formats(csv, column, formats))


def _with_formats(csv: Csv, column: Column, formats: str) -> Csv:
    return csv.model_copy(update={"date_formats": {column.name: formats}})


def _rejected(column: Column, text: pa.Array, csv: Csv) -> pa.Array:
    """Return for each value whether it is rejected."""
    bad = convert_column(pa.chunked_array([text]), column, csv)[1]
    return pa.array(np.zeros(len(text), np.bool_) if bad is None else bad)


def _is_sensible(form: str, column: Column, text: pa.Array, csv: Csv) -> bool:
    if form not in _COUNTS:
        return True
    values, _ = convert_column(pa.chunked_array([text]), column, _with_formats(csv, column, form))
    low, high = _YEARS
    return all(low <= year < high for year in pc.year(values).drop_null().to_pylist())
