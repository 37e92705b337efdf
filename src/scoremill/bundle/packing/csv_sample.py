"""A sample in a CSV, read by the reader that scores: what it gives a model, packing and scoring see alike."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

import pandas as pd
import pyarrow as pa

from scoremill.errors import UsageError
from scoremill.spec import Column, Csv, Missing
from scoremill.tabular.convert import convert_column, infer_dtypes, to_frame
from scoremill.tabular.csv import CsvReader, Range, read_header, without_nulls
from scoremill.tabular.decode import DecodedSource
from scoremill.tabular.rows import Rows, concat
from scoremill.units import quoted

from ..columns import delimiter_hint
from .dtypes import holds_text
from .learned import Learned, sole_form, texts_of

ROWS = 10_000
"""Rows of a sample that a model is tried on."""
MAX_ROWS = 1_000_000
"""Rows of a CSV that are read for its types; more are left alone."""


@dataclass(frozen=True)
class CsvSample:
    """The text of a CSV, whose types are given, or those that the model learned, or inferred."""

    path: str
    header: tuple[str, ...]
    text: Rows
    """Nothing in it is missing yet."""
    csv: Csv
    missing: Mapping[str, Missing]

    @property
    def names(self) -> tuple[str, ...]:
        return self.header

    @property
    def notes(self) -> tuple[str, ...]:
        rejects = self.text.rejects
        return (f"{len(rejects)} rows of the sample are left out: {rejects[0].reason}",) if rejects else ()

    def read(self, names: Sequence[str], learned: Mapping[str, Learned]) -> tuple[pd.DataFrame, tuple[Column, ...]]:
        columns = tuple(self._column(name, learned.get(name, Learned())) for name in names)
        rows = self.text.slice(0, ROWS)
        rows.table = pa.table({column.name: self._values(rows, column.name, column.texts) for column in columns})
        converted = to_frame(rows, columns, self.csv)
        if converted.rejects:
            first = converted.rejects[0]
            raise UsageError(
                f"column {quoted(first.column)} of the sample {self.path}: {first.reason} "
                f"({len(converted.rejects)} rows of {len(self.text)})",
                "Correct `spec.input.csv.dtypes`, `spec.input.csv.decimal`, `spec.input.csv.dateFormats` or "
                "`spec.input.csv.nullValues`, or the sample.",
                code="InvalidSample",
            )
        return converted.frame, columns

    def _column(self, name: str, known: Learned) -> Column:
        form = self.missing.get(name) or sole_form(name, known)
        texts = texts_of((), known, self.csv, has_missing=False)
        column = self._typed(name, known, self._values(self.text, name, texts))
        if holds_text(column):
            column = replace(column, texts=texts)
        if column.dtype not in {"string", "object"} or form in {None, "NaN"}:
            return column
        return replace(column, dtype="string" if form == "NA" else "object", missing=form)

    def _values(self, rows: Rows, name: str, texts: Collection[str]) -> pa.ChunkedArray:
        return without_nulls(rows.table[name], [text for text in self.csv.null_values if text not in texts])

    def _typed(self, name: str, known: Learned, values: pa.ChunkedArray) -> Column:
        given = self.csv.dtypes.get(name)
        if given == "category":
            return Column(name, given, tuple(sorted(values.unique().drop_null().to_pylist())))
        if given is not None or known.is_text:
            return Column(name, given or "string")
        return _inferred(values, name, self.csv)


def read_csv_sample(file: BinaryIO, path: str, csv: Csv, missing: Mapping[str, Missing]) -> CsvSample:
    """The sample in the CSV `file`, compressed or not; UsageError if it has no row."""
    source = DecodedSource(file, path)
    header = read_header(source, csv)
    if header is None:
        raise UsageError(
            f"the sample {path} is empty", "Give a CSV with a header and a few rows.", code="InvalidSample"
        )
    blocks: list[Rows] = []
    verbatim = csv.model_copy(update={"null_values": ()})
    for block in CsvReader(source, Range(0, 2**62, whole=True), header, verbatim, header.names):
        blocks.append(block)
        if sum(map(len, blocks)) >= MAX_ROWS:
            break
    text = concat(blocks) if blocks else None
    if text is None or not len(text):
        reason = f" that can be read: {text.rejects[0].reason}" if text is not None and text.rejects else ""
        hint = delimiter_hint(header.names) or "Give one with a few rows of the training data."
        raise UsageError(f"the sample {path} has no rows{reason}", hint, code="InvalidSample")
    for name in (*missing, *csv.dtypes, *csv.date_formats):
        if name not in header.names:
            raise UsageError(
                f"the sample has no column {quoted(name)}", f"It has {', '.join(header.names)}.", code="InvalidSample"
            )
    return CsvSample(path, header.names, text, csv, missing)


def _inferred(values: pa.ChunkedArray, name: str, csv: Csv) -> Column:
    """The column that pandas.read_csv would make of `values`."""
    if values.null_count == len(values):
        return Column(name, "float64")
    dtype = infer_dtypes(pa.table({name: values}), csv)[name]
    if dtype == "float64" and _fits(values, name, csv, "uint64"):
        dtype = "uint64"
    if not values.null_count:
        return Column(name, dtype)
    if dtype == "bool":
        return Column(name, "object", values="bool")
    return Column(name, "float64" if dtype in {"int64", "uint64"} else dtype)


def _fits(values: pa.ChunkedArray, name: str, csv: Csv, dtype: str) -> bool:
    is_whole = pa.compute.all(pa.compute.match_substring_regex(values, r"^\s*\+?\d+\s*$")).as_py()
    return bool(is_whole) and convert_column(values, Column(name, dtype), csv)[1] is None
