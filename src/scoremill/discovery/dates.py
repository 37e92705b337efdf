"""What happens to times that the types of the model's columns cannot hold as they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from scoremill.spec import EPOCHS, Column, Csv
from scoremill.tabular.convert import arrow_type
from scoremill.tabular.convert.columns import convert_column
from scoremill.tabular.convert.instants import PER_SECOND

_OFFSET = r"\d[T ]\d.*[+-]\d{2}(?::?\d{2})?\s*$|(?:Z|UTC)\s*$"


def is_date(column: Column) -> bool:
    """Return whether the column holds points in time."""
    return bool(pa.types.is_timestamp(arrow_type(column)))


def date_notes(table: pa.Table, columns: Sequence[Column], csv: Csv) -> Iterator[tuple[Column, str]]:
    """What happens to the times of a sample that the model's types cannot hold as they are, by column."""
    for column in filter(is_date, columns):
        if column.name in table.column_names:
            values = table[column.name].combine_chunks().drop_null()
            yield from ((column, note) for note in _notes(values, column, csv))


def _notes(values: pa.Array, column: Column, csv: Csv) -> Iterator[str]:
    zone, count = arrow_type(column).tz, len(values)
    zoned = _zoned(values, csv.date_formats_of(column.name))
    if zoned and not zone:
        yield f"{zoned} of the first {count} values have an offset and are converted to UTC; the model reads no time zone"
    if zone and zoned is not None and zoned < count:
        yield f"{count - zoned} of the first {count} values have no offset and are taken to be in UTC; the model reads {zone}"
    if _is_cut(values, column, csv):
        yield f"values are finer than {column.dtype}, and what is finer is cut off"


def _zoned(values: pa.Array, formats: Sequence[str]) -> int | None:
    """How many values say how they differ from UTC; None if they count from a moment."""
    if pa.types.is_timestamp(values.type):
        return len(values) if values.type.tz else 0
    if not pa.types.is_string(values.type) or any(form in EPOCHS for form in formats):
        return None
    if any("%z" in form.lower() for form in formats):
        return len(values)
    return int(pc.sum(pc.match_substring_regex(values, _OFFSET)).as_py() or 0)


def _is_cut(values: pa.Array, column: Column, csv: Csv) -> bool:
    finest, _ = convert_column(pa.chunked_array([values]), Column(column.name, "datetime64[ns]"), csv)
    factor = PER_SECOND["ns"] // PER_SECOND[arrow_type(column).unit]
    return bool((finest.drop_null().cast(pa.int64()).to_numpy() % factor).any())
