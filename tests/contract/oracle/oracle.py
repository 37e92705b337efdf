"""What pandas and scikit-learn say, and what an output says, in one form: columns of plain values."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scoremill.bundle.packing.pack import stage
from tests.support.jobs import as_pandas_reads

FORMATS = ("parquet", "csv", "jsonl")

Values = dict[str, list[Any]]


def staged(estimator: Any, folder: Path, sample: pd.DataFrame, method: str | None = None) -> str:
    """A bundle without the proof by a process of its own, which takes seconds and has tests of its own."""
    folder.mkdir(parents=True)
    with warnings.catch_warnings():
        # What a model says of its sample, such as log(0), is no failure of the test.
        warnings.simplefilter("ignore")
        stage(estimator, folder, sample=sample, method=method)
    return str(folder)


def read_csv(source: Any, **options: Any) -> pd.DataFrame:
    """As pandas reads it when asked for exact numbers, which from 3.1 on it need not be asked for."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The 'float_precision' argument is deprecated")
        return pd.read_csv(source, float_precision="round_trip", **options)


def written(output: str | Path, nulls: Sequence[str] | None = None, *, of_csv: bool = True) -> Values:
    """All rows of an output, in the order of the names of its parts; of a CSV texts as pandas reads them there."""
    parts = sorted(Path(output).glob("part-*"))
    frames = [_frame(part) for part in parts]
    names = list(next((frame for frame in frames if len(frame.columns)), pd.DataFrame()).columns)
    values = {name: [value for frame in frames if len(frame) for value in plain(frame[name])] for name in names}
    return {name: read(column, nulls) for name, column in values.items()} if of_csv else values


def read(values: list[Any], nulls: Sequence[str] | None = None) -> list[Any]:
    """Texts as pandas reads them, and other values as they are."""
    return plain(as_pandas_reads(values, nulls)) if any(isinstance(value, str) for value in values) else values


def plain(values: Any) -> list[Any]:
    """Python's own values; everything missing is None."""
    return [
        None
        if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and np.isnan(value))
        else value.item()
        if isinstance(value, np.generic)
        else value
        for value in (values.tolist() if hasattr(values, "tolist") else values)
    ]


def columns(names: Sequence[str], values: Any) -> Values:
    """A result of scikit-learn's, one column for each name."""
    values = np.asarray(values)
    return dict(zip(names, map(plain, values.reshape(len(values), -1).T), strict=True))


def kept(frame: pd.DataFrame, names: Sequence[str]) -> Values:
    """Columns of `frame`."""
    return {name: plain(frame[name]) for name in names}


def difference(one: Mapping[str, Sequence[Any]], other: Mapping[str, Sequence[Any]]) -> str | None:
    """The first difference in names, counts or values, numbers being compared bit for bit; None where there is none."""
    if list(one) != list(other):
        return f"columns {list(one)} and {list(other)}"
    for name in one:
        if len(one[name]) != len(other[name]):
            return f"{name}: {len(one[name])} and {len(other[name])} rows"
        for row, pair in enumerate(zip(one[name], other[name], strict=True)):
            if pair[0] != pair[1]:
                return f"{name}, row {row}: {pair[0]!r} and {pair[1]!r}"
    return None


def _frame(part: Path) -> pd.DataFrame:
    if part.suffix == ".parquet":
        return pd.read_parquet(part)
    if part.suffix == ".csv":
        return pd.read_csv(part, dtype=str, na_values=[""], keep_default_na=False)
    return pd.DataFrame([json.loads(line) for line in part.read_text().splitlines()])
