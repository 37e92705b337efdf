"""A column as model, plan and files agree on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Missing = Literal["NaN", "None", "NA"]
"""How a data frame represents a missing value: NumPy's NaN, Python's None or pandas' NA."""


@dataclass(frozen=True, slots=True)
class Column:
    """Name and type of a column of a model, a file, or the results of a method."""

    name: str
    dtype: str
    """A pandas dtype's name: `float64`, `int64`, `string`, `bool`, `category`, `datetime64[ns]`, …"""
    categories: tuple[str | int | float | bool, ...] | None = None
    """Categories of a `category` column, in order."""
    ordered: bool = False
    """True if the order of the categories has a meaning."""
    missing: Missing | None = None
    """How a missing value is represented in the data frame; the usual one of the dtype if it is not given."""
    values: str | None = None
    """The dtype of the values of an `object` column, if they are not text."""
    texts: tuple[str, ...] = ()
    """Null values of CSV that are text in this column, because they are text in the training data."""


@dataclass(frozen=True, slots=True)
class KeptColumn:
    """An input column that is carried to the output."""

    name: str
    type: str = "string"
    """The Arrow type in the output, as Arrow spells it; text of a CSV file is an unchanged string."""
    dtype: str | None = None
    """The pandas dtype that the job requests; None if the column is carried as the input has it."""
    schema: str | None = None
    """The Arrow type as an IPC schema in base64, unless `type` is a name that Arrow reads back."""
