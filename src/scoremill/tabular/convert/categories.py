"""Values to a pandas Categorical with the categories of training."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from scoremill.spec import Column, Csv

from .numbers import parse_bool, parse_float


def categorize(values: pa.Array, column: Column, dialect: Csv) -> tuple[pd.Categorical, int]:
    """The Categorical, and how many values are none of the categories; those become NaN."""
    encoded = values.dictionary_encode()
    categories = column.categories or ()
    place = _places(encoded.dictionary, categories, dialect)
    indices = encoded.indices
    codes = np.full(len(values), -1, np.int32)
    is_given = indices.is_valid().to_numpy(zero_copy_only=False)
    codes[is_given] = place[indices.drop_null().to_numpy()]
    unseen = int((codes[is_given] < 0).sum())
    dtype = pd.CategoricalDtype(list(categories), ordered=column.ordered)
    return pd.Categorical.from_codes(codes, dtype=dtype), unseen


def _places(
    distinct: pa.Array, categories: tuple[str | int | float | bool, ...], dialect: Csv
) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """Return the position of each distinct value among the categories, or -1."""
    if all(isinstance(one, bool) for one in categories):
        known = pa.array(categories, pa.bool_())
        if pa.types.is_string(distinct.type):
            distinct = parse_bool(distinct, dialect)[0]
    elif all(isinstance(one, int | float) for one in categories):
        known = pa.array([float(one) for one in categories], pa.float64())
        if pa.types.is_string(distinct.type):
            distinct = parse_float(distinct, dialect, pa.float64())[0]
    else:
        known = pa.array([str(one) for one in categories], pa.string())
    if distinct.type != known.type:
        distinct = pc.cast(distinct, known.type, safe=False)
    places: np.ndarray[tuple[int], np.dtype[np.int32]] = pc.fill_null(
        pc.index_in(distinct, pa.concat_arrays([known])), -1
    ).to_numpy(zero_copy_only=False)
    return np.where(distinct.is_valid().to_numpy(zero_copy_only=False), places, -1).astype(np.int32)
