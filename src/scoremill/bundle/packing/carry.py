"""Rows of training data as a model gets them from each input format: written, and read by the code that scores."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from scoremill.errors import InputError
from scoremill.spec import EPOCHS, ISO, Column, Csv
from scoremill.tabular.convert import arrow_type, to_frame
from scoremill.tabular.csv import CsvReader, Range, read_header
from scoremill.tabular.parquet_reader import read_row_group
from scoremill.tabular.rows import BytesSource, Positions, Reject, Rows, concat
from scoremill.units import quoted

Format = Literal["parquet", "csv"]

_VALUES = ("null_values", "true_values", "false_values", "decimal", "thousands", "date_formats")
"""Fields of a dialect that say how values are written; the others say how fields are separated."""


@dataclass(frozen=True)
class Carried:
    """What a model gets of some rows."""

    frame: pd.DataFrame
    positions: Positions
    """Position of each row of the frame among those that were written."""
    rejects: list[Reject]
    """The other rows, numbered by those positions."""


def carried(form: Format, frame: pd.DataFrame, columns: Sequence[Column], csv: Csv) -> Carried:
    """What a model that reads `columns` gets of `frame` from a file of the format.

    InputError if the format cannot hold the frame, naming the column if it is one.
    """
    dialect = Csv(**{name: getattr(csv, name) for name in _VALUES})
    rows = concat(list(_ROWS[form](frame, columns, dialect)))
    converted = to_frame(rows, columns, dialect)
    return Carried(converted.frame, rows.numbers[converted.positions], rows.rejects + converted.rejects)


def _through_csv(frame: pd.DataFrame, columns: Sequence[Column], csv: Csv) -> Sequence[Rows]:
    texts = [_written(frame[column.name], column, csv) for column in columns]
    data = (
        pd.concat(texts, axis=1)
        .to_csv(index=False, na_rep=_null(columns, csv), decimal=csv.decimal)
        .encode("utf-8", "surrogatepass")
    )
    source = BytesSource(data)
    header = read_header(source, csv)
    assert header is not None
    names, verbatim = ([column.name for column in columns if bool(column.texts) is kept] for kept in (False, True))
    return list(CsvReader(source, Range(0, len(data), whole=True), header, csv, names, verbatim))


def _null(columns: Sequence[Column], csv: Csv) -> str:
    """The spelling of missing values: the first that is text in none of the columns, if there is one."""
    texts = {text for column in columns for text in column.texts}
    return next((null for null in csv.null_values if null not in texts), next(iter(csv.null_values), ""))


def _written(series: pd.Series, column: Column, csv: Csv) -> pd.Series:
    """Return `series` as text, as it is written in such CSVs."""
    if column.values == "float64" and csv.decimal != ".":
        return series.astype("float64")
    if formats := csv.date_formats_of(column.name):
        return _dated(series, formats[0])
    if column.dtype in {"bool", "boolean"} or column.values == "bool":
        spelling = {True: csv.true_values[0], False: csv.false_values[0]}
        return series.astype(object).map(spelling, na_action="ignore")
    return series


def _dated(series: pd.Series, form: str) -> pd.Series:
    """Points in time, or days, in a format of `dateFormats`."""
    if form == ISO:
        return series
    if form in EPOCHS:
        times = pd.to_datetime(series, utc=True).dt.as_unit(cast(Any, EPOCHS[form]))
        return times.astype("int64").astype("Int64").mask(times.isna())
    return series.astype(object).map(lambda time: time.strftime(form), na_action="ignore")


def _through_parquet(frame: pd.DataFrame, columns: Sequence[Column], csv: Csv) -> Sequence[Rows]:
    arrays = [_array(frame[column.name], column) for column in columns]
    file = io.BytesIO()
    pq.write_table(pa.table(arrays, names=[column.name for column in columns]), file)
    return list(read_row_group(file, "the sample", 0, [column.name for column in columns], len(frame)))


def _array(series: pd.Series, column: Column) -> pa.Array | pa.ChunkedArray:
    try:
        return pa.Array.from_pandas(series, type=arrow_type(column) if column.values else None)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise InputError(f"column {quoted(series.name)} cannot be written: {error}", code="InvalidColumn") from None


_ROWS: dict[Format, Callable[[pd.DataFrame, Sequence[Column], Csv], Sequence[Rows]]] = {
    "parquet": _through_parquet,
    "csv": _through_csv,
}
