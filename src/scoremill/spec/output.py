"""What is written, where, and what happens to rows that cannot be scored."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .base import Spec
from .storage import Storage

Format = Literal["parquet", "csv", "jsonl"]
"""Formats of the parts of an output."""
CsvFormulas = Literal["Keep", "Escape"]
"""What CSV output does to texts that a spreadsheet takes for formulas."""


class Output(Spec):
    """The predictions, one for each row of input that could be scored."""

    uri: Annotated[str, Field(min_length=1, max_length=2048)]
    """Folder or prefix that the run writes to."""
    format: Format = "parquet"
    """Format of the parts."""
    csv_formulas: CsvFormulas = "Keep"
    """How CSV output writes texts that a spreadsheet takes for formulas: as they are, or with a single quote before them."""
    mode: Literal["Resume", "ErrorIfExists", "Overwrite"] = "Resume"
    """What to do where an earlier run wrote: go on with it, refuse, or begin anew."""
    keep: tuple[str, ...] = ()
    """Input columns to carry along; `*` is all of them."""
    drop: tuple[str, ...] = ()
    """Columns that `keep: ["*"]` leaves out."""
    partition_by: tuple[str, ...] = ()
    """Kept or result columns that become folders, such as `vendor=CMT/`, instead of columns of the parts."""
    rows_per_file: Annotated[int, Field(ge=1)] | None = None
    """The most rows of a part; a partition with more writes several. One part a partition where it is not given."""
    row_id: bool = False
    """Whether to write where each row came from: its object, its byte offset or row number."""
    columns: dict[str, str] = {}
    """Selects and renames result columns: a class or column, and its name in the output."""
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    """Of a binary classifier's `predict`: the probability from which a row is of the second class."""
    dtype: Literal["float32", "float64"] | None = None
    """The type of real-valued results; as the model gives them where it is not given."""
    storage: Storage | None = None
    """How the output's store is reached; the job's `storage` where it is not given."""

    @model_validator(mode="after")
    def _escapes_formulas_of_csv_only(self) -> Self:
        if self.csv_formulas == "Escape" and self.format != "csv":
            raise ValueError(
                "--csv-formulas Escape (output.csvFormulas) is for CSV output: add --format csv (output.format), or drop it"
            )
        return self


class Errors(Spec):
    """How many rejected rows are allowed, and what is kept of them."""

    on_row_error: Literal["Quarantine", "Fail"] = "Quarantine"
    """Set a bad row aside and go on, or end the run at the first."""
    max_rows: Annotated[int, Field(ge=0)] | None = None
    """Most rejected rows allowed; the run fails when there are more."""
    max_fraction: Annotated[float, Field(ge=0, le=1)] | None = 0.01
    """Largest fraction of rejected rows allowed; the run fails when it is exceeded."""
    on_file_error: Literal["Fail", "Reject"] = "Fail"
    """What to do if an input object cannot be read: fail the run, or list the object in `_errors/` and score the others."""
    max_files: Annotated[int, Field(ge=0)] = 10
    """Most rejected input objects allowed; the run fails when there are more."""
    raw: Literal["Keep", "Hash", "Omit"] = "Keep"
    """What the errors objects hold of a rejected row's text."""
