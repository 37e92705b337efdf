"""A few rows of what a model was trained on: they show the types, and the model is proven on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, Protocol, cast, get_args

import numpy as np
import pandas as pd

from scoremill.errors import FitError, ScoremillError, UsageError
from scoremill.naming import PARQUET_SUFFIXES
from scoremill.spec import Column, Csv, Missing, Storage
from scoremill.spec.mention import mention_argument
from scoremill.storage.filesystem import Store
from scoremill.storage.listing.nearby import did_you_mean
from scoremill.units import quoted

from .csv_sample import ROWS, CsvSample, read_csv_sample
from .dtypes import column_of, holds_text, missing_forms, with_missing
from .learned import Learned, sole_form, texts_of

_SYNTHETIC_ROWS = 64


class PackingSample(Protocol):
    """Rows such as a model was trained on."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its columns."""

    @property
    def csv(self) -> Csv:
        """How CSV input is read."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What its owner should know."""

    def read(self, names: Sequence[str], learned: Mapping[str, Learned]) -> tuple[pd.DataFrame, tuple[Column, ...]]:
        """The first rows of some columns, as the estimator takes them directly; and what these columns are."""


@dataclass(frozen=True)
class FrameSample:
    """A data frame, used as it is; or what pandas reads from a Parquet file."""

    frame: pd.DataFrame
    csv: Csv = field(default_factory=Csv)
    chosen: frozenset[str] = frozenset()
    """Columns whose missing values have the form that the packer chose."""
    is_file: bool = False
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(str(name) for name in self.frame.columns)

    def read(self, names: Sequence[str], learned: Mapping[str, Learned]) -> tuple[pd.DataFrame, tuple[Column, ...]]:
        rows = self.frame.iloc[:, [self._position(name) for name in names]]
        columns = []
        for i, name in enumerate(names):
            known = learned.get(name, Learned())
            series = self._formed(name, rows.iloc[:, i], known)
            if series is not None:
                rows.isetitem(i, cast(Any, series))
            columns.append(self._column(name, rows.iloc[:, i], known))
        return rows.head(ROWS), tuple(columns)

    def _column(self, name: str, series: pd.Series, known: Learned) -> Column:
        column = column_of(name, series, known.missing)
        if not holds_text(column):
            return column
        values = column.categories or (series if series.dtype == object else series.unique())
        return replace(column, texts=texts_of(values, known, self.csv, has_missing=bool(series.isna().any())))

    def _formed(self, name: str, series: pd.Series, known: Learned) -> pd.Series | None:
        """`series` with the form of missing values that the model learned, if it came from a file and has another."""
        if name in self.chosen or (not self.is_file and len(missing_forms(series)) == 1):
            return None
        form = sole_form(name, known)
        is_text = series.dtype == object or isinstance(series.dtype, pd.StringDtype)
        has_form = isinstance(series.dtype, pd.StringDtype) and form == "NaN" and series.dtype.na_value is not pd.NA
        return with_missing(series, form) if self.is_file and is_text and form and not has_form else None

    def _position(self, name: str) -> int:
        count = Counter(self.names)[name]
        if count > 1:
            raise FitError(
                f"the sample has {count} columns {quoted(name)}",
                "Give each column a name of its own.",
                code="DuplicateColumn",
            )
        return self.names.index(name)


def sample_of(
    source: Any, storage: Storage, csv: Csv, missing: Mapping[str, Missing], names: Sequence[str] = ()
) -> FrameSample | CsvSample:
    """The sample in a data frame, series or array, or in the CSV or Parquet file at a path or URI.

    `names` are the columns of an array, if they are as many.
    """
    for name, form in missing.items():
        if form not in get_args(Missing):
            raise UsageError(
                f"{quoted(form)} is not a form of missing values",
                f"Give NaN, None or NA: {mention_argument('missing', {name: 'None'})}.",
            )
    if isinstance(source, str) or hasattr(source, "__fspath__"):
        return _read(str(source), storage, csv, missing)
    if isinstance(source, pd.Series):
        source = source.to_frame(source.name if source.name is not None else "text")
    elif isinstance(source, np.ndarray) and source.ndim == 2:
        numbered = [f"x{i}" for i in range(source.shape[1])]
        source = pd.DataFrame(source, columns=list(names) if len(names) == len(numbered) else numbered)
    if not isinstance(source, pd.DataFrame):
        raise UsageError(
            f"a sample cannot be a {type(source).__module__}.{type(source).__qualname__}",
            "Give a pandas data frame, a two-dimensional NumPy array, or the path of a CSV or Parquet file.",
            code="InvalidSample",
        )
    return _with_forms(FrameSample(source, csv), missing)


def synthetic_frames(names: Sequence[str]) -> Iterable[pd.DataFrame]:
    """Made-up numbers for models packed without a sample: around zero, and, for those that want them, counts."""
    random = np.random.default_rng(0)
    shape = (_SYNTHETIC_ROWS, len(names))
    yield pd.DataFrame(random.normal(size=shape), columns=list(names))
    yield pd.DataFrame(random.integers(0, 4, size=shape).astype("float64"), columns=list(names))


def other_columns(sample: PackingSample, names: Sequence[str]) -> tuple[Column, ...]:
    """The columns of `sample` other than `names`."""
    counts = Counter(sample.names)
    return sample.read([name for name in sample.names if name not in names and counts[name] == 1], {})[1]


def _read(path: str, storage: Storage, csv: Csv, missing: Mapping[str, Missing]) -> FrameSample | CsvSample:
    folder, _, name = path.rpartition("/")
    store = Store(folder or ("/" if path.startswith("/") else "."), storage)
    if not name or store.info(name) is None:
        raise UsageError(
            f"there is no sample file {path}",
            did_you_mean(path, storage, "Check the path that `sample=` gives."),
            code="SampleNotFound",
        )
    with store.open(name) as file:
        if PurePosixPath(name).suffix not in PARQUET_SUFFIXES:
            return read_csv_sample(file, path, csv, missing)
        try:
            return _with_forms(FrameSample(pd.read_parquet(file), csv, is_file=True), missing)
        except ScoremillError:
            raise
        except Exception as error:
            raise UsageError(
                f"the sample {path} cannot be read as Parquet: {error}",
                "Give a Parquet file or a CSV.",
                code="InvalidSample",
            ) from None


def _with_forms(sample: FrameSample, missing: Mapping[str, Missing]) -> FrameSample:
    frame = sample.frame.copy(deep=False) if missing else sample.frame
    for name, form in missing.items():
        if name not in sample.names:
            raise UsageError(
                f"the sample has no column {quoted(name)}", f"It has {', '.join(sample.names)}.", code="InvalidSample"
            )
        at = sample._position(name)
        frame.isetitem(at, cast(Any, with_missing(frame.iloc[:, at], form)))
    return FrameSample(frame, sample.csv, frozenset(missing), sample.is_file)
