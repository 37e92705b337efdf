"""The columns of a data frame as values: dtype, categories, and how missing values are represented."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from scoremill.errors import UsageError
from scoremill.spec import Column, Missing
from scoremill.tabular.convert import arrow_type
from scoremill.units import quoted

FORMS: dict[Missing, Any] = {"NaN": np.nan, "None": None, "NA": pd.NA}
"""Each form of a missing value."""
_VALUES = {
    "boolean": "bool",
    "integer": "int64",
    "floating": "float64",
    "mixed-integer-float": "float64",
    "date": "date",
}
"""What pandas calls the kinds of objects that are not text, and the dtype that holds them."""


def column_of(name: str, series: pd.Series, learned: Collection[Missing] = ()) -> Column:
    """The column that gives a model values such as those in `series`.

    `learned` are the forms of missing values that the model knows; they count if `series` has no missing value.
    A dtype that no input can have stays as it is.
    """
    dtype = series.dtype
    if isinstance(dtype, pd.SparseDtype):
        dtype = np.dtype(dtype.subtype)
    if isinstance(dtype, pd.CategoricalDtype):
        return _categorical(name, dtype)
    if isinstance(dtype, pd.StringDtype):
        return Column(name, "string", missing="NA" if dtype.na_value is pd.NA else None)
    if isinstance(dtype, pd.DatetimeTZDtype):
        # Arrow's names of fixed offsets differ from those of pandas.
        return Column(name, f"datetime64[{dtype.unit}, {pa.Array.from_pandas(series.head(0)).type.tz}]")
    if isinstance(dtype, np.dtype) and dtype.kind == "O":
        return _objects(name, series, learned)
    return Column(name, str(dtype))


def holds_text(column: Column) -> bool:
    """Return whether the values of a column, or its categories, are text as it stands in a CSV."""
    try:
        return bool(pa.types.is_string(arrow_type(column)))
    except UsageError:
        return False


def dtype_name(dtype: Any) -> str:
    """The name that scoremill gives the dtype of a result; texts are `string`, however they are held."""
    if isinstance(dtype, pd.StringDtype) or getattr(dtype, "kind", "") in ("O", "U", "S"):
        return "string"
    return str(dtype)


def missing_forms(series: pd.Series) -> set[Missing]:
    """The forms of missing values in `series`."""
    missing = [value for value in series.array[series.isna().to_numpy()] if value is not pd.NaT]
    return {"None" if value is None else "NA" if value is pd.NA else "NaN" for value in missing}


def with_missing(series: pd.Series, form: Missing) -> pd.Series:
    """`series` with every missing value in one form; UsageError if its dtype has a form of its own."""
    if not (series.dtype == object or isinstance(series.dtype, pd.StringDtype)):
        raise UsageError(
            f"column {quoted(series.name)} is {series.dtype}, which has one form of missing values",
            "Choose a form for columns of text or objects only.",
        )
    objects = np.array(series, dtype=object)
    objects[series.isna().to_numpy()] = FORMS[form]
    return pd.Series(objects, series.index, dtype=object, name=series.name)


def _categorical(name: str, dtype: pd.CategoricalDtype) -> Column:
    categories = tuple(item.item() if isinstance(item, np.generic) else item for item in dtype.categories)
    if not all(isinstance(item, str | int | float | bool) for item in categories):
        return Column(name, f"category[{dtype.categories.dtype}]")
    return Column(name, "category", categories, bool(dtype.ordered))


def _objects(name: str, series: pd.Series, learned: Collection[Missing]) -> Column:
    forms = missing_forms(series) or set(learned)
    missing = next(iter(forms)) if len(forms) == 1 else None
    values = _VALUES.get(pd.api.types.infer_dtype(series, skipna=True))
    if values == "int64" and max(series.dropna()) >= 2**63:
        values = "uint64"
    return Column(name, "object", missing=missing, values=values)
