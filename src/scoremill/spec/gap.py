"""What an input format cannot carry to a model that was trained on it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from scoremill.units import quoted

from .input import Csv
from .mention import mention

_TITLES = {"csv": "CSV", "parquet": "Parquet"}
_OTHER = {"csv": "Parquet", "parquet": "CSV"}


@dataclass(frozen=True, slots=True)
class Gap:
    """A value of the training data that one input format alters or rejects."""

    format: Literal["csv", "parquet"]
    """The input format."""
    column: str | None
    """The column; None if it is not one column alone."""
    value: str
    """The value in the training data, as messages show it."""
    becomes: str
    """What the model gets in its place, as messages show it; or why it gets nothing."""
    rows: int
    """Rows of the sample whose results differ, or that are rejected; 0 if only the model knows the value."""
    spelling: str | None = None
    """The text of the value, if CSV input reads it as missing because it is one of the null values."""

    is_rejected: bool = False
    """True if the rows are rejected."""

    @property
    def message(self) -> str:
        """What the format does to the value, and how many rows of the sample that changes."""
        where = "" if self.column is None else f"column {quoted(self.column)}: "
        title = f"{_TITLES[self.format]} input"
        rows = f"which changes {self.rows:,} rows of the sample" if self.rows else "and the model learned it as a value"
        if self.is_rejected:
            return f"{where}{title} has {self.rows:,} rows of the sample rejected: {self.becomes}"
        if self.column is None:
            return f"{title}: {self.becomes}"
        if self.spelling is not None:
            return f"{where}{title} reads the text {quoted(self.spelling)} as missing, {rows}"
        return f"{where}{title} turns {self.value} into {self.becomes}, {rows}"

    def hint(self, csv: Csv, spellings: Collection[str] = ()) -> str:
        """What to do about it if CSV input is read as `csv` says; `spellings` are further texts to keep."""
        if self.spelling is not None:
            kept = [value for value in csv.null_values if value not in {self.spelling, *spellings}]
            return f"Write missing values as another null value, and keep this one as text: {mention('spec.input.csv.nullValues', kept)}."
        return (
            f"Write the input as {_OTHER[self.format]}; or, if it has no such value, "
            "pack the model with a sample that has none."
        )

    def is_open(self, csv: Csv) -> bool:
        """Return whether input that is read as `csv` says has the gap."""
        return self.spelling is None or self.spelling in csv.null_values
