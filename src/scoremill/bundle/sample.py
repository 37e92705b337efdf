"""A few rows of what a model was trained on: they tell types, and the model is proven on them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from scoremill.errors import ScoremillError, UsageError
from scoremill.spec import Column, Storage
from scoremill.storage.filesystem import Store

MAX_ROWS = 1_000_000
"""Rows of a CSV that are read for its types; more are left alone."""
_SYNTHETIC_ROWS = 64


def read_sample(sample: Any, storage: Storage) -> pd.DataFrame:
    """`sample` as a data frame: itself, or the CSV or Parquet file at that path or URI."""
    if isinstance(sample, pd.DataFrame):
        return sample
    folder, _, name = str(sample).rpartition("/")
    try:
        with Store(folder or ".", storage).open(name) as file:
            if PurePosixPath(name).suffix in (".parquet", ".pq"):
                return pd.read_parquet(file)
            return pd.read_csv(file, nrows=MAX_ROWS, low_memory=False, compression=_compression(name))
    except ScoremillError:
        raise
    except Exception as error:
        raise UsageError(
            f"cannot read the sample {sample}: {error}", "Give a CSV or a Parquet file with a header."
        ) from None


def columns_of(frame: pd.DataFrame) -> tuple[Column, ...]:
    """Name and type of each column of `frame`."""
    return tuple(column_of(str(name), series) for name, series in frame.items())


def column_of(name: str, series: pd.Series) -> Column:
    """Name and type of `series`, with its categories where it has some."""
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        categories = tuple(item.item() if isinstance(item, np.generic) else item for item in dtype.categories)
        if not all(isinstance(item, str | int | float | bool) for item in categories):
            raise UsageError(f"the categories of {name!r} are neither texts nor numbers nor booleans")
        return Column(name, "category", categories, bool(dtype.ordered))
    return Column(name, dtype_name(dtype))


def dtype_name(dtype: Any) -> str:
    """The name that scoremill gives a NumPy or pandas dtype; texts are `string`, however they are held."""
    if isinstance(dtype, pd.StringDtype) or getattr(dtype, "kind", "") in ("O", "U", "S"):
        return "string"
    return str(dtype)


def synthetic_frames(names: Sequence[str]) -> Iterable[pd.DataFrame]:
    """Made-up numbers for models packed without a sample: around zero, and, for those that want them, counts."""
    random = np.random.default_rng(0)
    shape = (_SYNTHETIC_ROWS, len(names))
    yield pd.DataFrame(random.normal(size=shape), columns=list(names))
    yield pd.DataFrame(random.integers(0, 4, size=shape).astype("float64"), columns=list(names))


def _compression(name: str) -> Any:
    return {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}.get(PurePosixPath(name).suffix)
