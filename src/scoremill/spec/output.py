"""The output of a job, and what happens to rows that cannot be scored."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .base import Spec
from .reject_limit import RejectLimit
from .storage import Storage

Format = Literal["parquet", "csv", "jsonl"]
"""Formats of the parts of an output."""
CsvFormulas = Literal["Keep", "Escape"]
"""What CSV output does to texts that a spreadsheet takes for formulas."""


class Output(Spec):
    """The predictions: one row for each input row that was scored."""

    uri: Annotated[str, Field(min_length=1, max_length=2048)]
    """Path or URI of the folder to write to."""
    format: Format = "parquet"
    """Format of the output files."""
    csv_formulas: CsvFormulas = "Keep"
    """How CSV output writes text that a spreadsheet would run as a formula: unchanged, or with a leading single quote."""
    mode: Literal["Resume", "ErrorIfExists", "Overwrite"] = "Resume"
    """What to do if the output exists: resume the earlier run, fail, or overwrite it."""
    keep: tuple[str, ...] = ()
    """Input columns to copy to the output. `*` copies all."""
    drop: tuple[str, ...] = ()
    """Columns to exclude from `keep: ["*"]`."""
    partition_by: tuple[str, ...] = ()
    """Kept or result columns to partition the output by. They become folders such as `vendor=CMT/` instead of columns."""
    rows_per_file: Annotated[int, Field(ge=1)] | None = None
    """Maximum number of rows in an output file. Defaults to one file per partition."""
    row_id: bool = False
    """Write the origin of each row: its object, and its byte offset or row number."""
    columns: dict[str, str] = {}
    """Result columns to write, as class or column and its name in the output."""
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    """Probability at or above which `predict` of a binary classifier returns the second class."""
    dtype: Literal["float32", "float64"] | None = None
    """Type of floating-point results. Defaults to the type that the model returns."""
    storage: Storage | None = None
    """Settings of the store that holds the output. Defaults to the job's `storage`."""

    @model_validator(mode="after")
    def _escapes_formulas_of_csv_only(self) -> Self:
        if self.csv_formulas == "Escape" and self.format != "csv":
            raise ValueError(
                "`spec.output.csvFormulas: Escape` is for CSV output: add `spec.output.format: csv`, or drop it"
            )
        return self


class Errors(Spec):
    """How many rejected rows are allowed, and what is kept of them."""

    on_row_error: Literal["Reject", "Fail"] = "Reject"
    """What to do with a row that cannot be scored: write it to `_errors/` and continue, or fail the run."""
    max_rows: Annotated[int, Field(ge=0)] | None = None
    """Maximum number of rejected rows. The run fails if there are more."""
    max_fraction: Annotated[float, Field(ge=0, le=1)] | None = 0.01
    """Maximum fraction of rejected rows. The run fails if it is exceeded."""
    on_file_error: Literal["Fail", "Reject"] = "Fail"
    """What to do if an input object cannot be read: fail the run, or list the object in `_errors/` and score the others."""
    max_files: Annotated[int, Field(ge=0)] = 10
    """Maximum number of rejected input objects. The run fails if there are more."""
    raw: Literal["Keep", "Hash", "Omit"] = "Keep"
    """What is stored of the text of a rejected row: the text, its hash, or nothing."""

    @property
    def limit(self) -> RejectLimit:
        return RejectLimit(self.max_rows, self.max_fraction)
