"""Results of pandas and scikit-learn, and outputs of runs, both as columns of plain values."""

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
    """Pack a bundle without testing it in a separate process, which takes seconds and has its own tests."""
    folder.mkdir(parents=True)
    with warnings.catch_warnings():
        # Warnings of a model about its sample, such as log(0), must not fail the test.
        warnings.simplefilter("ignore")
        stage(estimator, folder, sample=sample, method=method)
    return str(folder)


def read_csv(source: Any, **options: Any) -> pd.DataFrame:
    """Read a CSV with pandas and exact numbers, which are the default from pandas 3.1 on."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The 'float_precision' argument is deprecated")
        return pd.read_csv(source, float_precision="round_trip", **options)


def written(output: str | Path, nulls: Sequence[str] | None = None, *, of_csv: bool = True) -> Values:
    """Return all rows of an output, in the order of part names, with texts of CSV converted as pandas does."""
    parts = sorted(Path(output).glob("part-*"))
    frames = [_frame(part) for part in parts]
    names = list(next((frame for frame in frames if len(frame.columns)), pd.DataFrame()).columns)
    values = {name: [value for frame in frames if len(frame) for value in plain(frame[name])] for name in names}
    return {name: read(column, nulls) for name, column in values.items()} if of_csv else values


def read(values: list[Any], nulls: Sequence[str] | None = None) -> list[Any]:
    """Convert texts as pandas does when it reads a CSV, and leave other values unchanged."""
    return plain(as_pandas_reads(values, nulls)) if any(isinstance(value, str) for value in values) else values


def plain(values: Any) -> list[Any]:
    """Return plain Python values, with None for each missing value."""
    return [
        None
        if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and np.isnan(value))
        else value.item()
        if isinstance(value, np.generic)
        else value
        for value in (values.tolist() if hasattr(values, "tolist") else values)
    ]


def columns(names: Sequence[str], values: Any) -> Values:
    """Return a result of scikit-learn with one column per name."""
    values = np.asarray(values)
    return dict(zip(names, map(plain, values.reshape(len(values), -1).T), strict=True))


def kept(frame: pd.DataFrame, names: Sequence[str]) -> Values:
    """Return these columns of `frame`."""
    return {name: plain(frame[name]) for name in names}


def difference(one: Mapping[str, Sequence[Any]], other: Mapping[str, Sequence[Any]]) -> str | None:
    """Return the first difference in names, counts or values (numbers bit for bit), or None."""
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
