"""The input of a job: its objects, their format, and how they are split into partitions."""

from __future__ import annotations

import codecs
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, field_validator, model_validator

from scoremill.units import MIB, quoted

from .base import Size, Spec
from .dates import split_formats
from .storage import Storage
from .where import RowCondition

_OF_EXCEL = ("#N/A", "#N/A N/A", "#NA")
_OF_C = ("-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN")
_WORDS = ("<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null")
NULL_VALUES = ("", *_OF_EXCEL, *_OF_C, *_WORDS)
"""The spellings that pandas.read_csv takes for a missing value."""


_STATEFUL = ("hz", "iso2022", "utf-7", "idna", "punycode", "raw-unicode", "unicode")
"""Encodings in which a byte means what those before it say."""


class Csv(Spec):
    """Dialect of CSV inputs, and how their text is converted to values."""

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """Character between fields."""
    quote: Annotated[str, Field(max_length=1)] = '"'
    """Character around fields that contain delimiters, newlines, or the character itself (doubled). Empty if no field is quoted."""
    escape: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """Character that makes a following quote, or itself, an ordinary character inside quotes, such as `\\` in files written by Spark."""
    escape_unquoted: bool = False
    """Apply `escape` also outside quotes and before any character (MySQL, Snowflake, Python's csv module)."""
    skip_rows: Annotated[int, Field(ge=0)] = 0
    """Number of lines to skip at the start of each file. Quotes have no meaning in them."""
    comment: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """Character that marks a line as a comment if the line starts with it. Elsewhere in a line it is data."""
    skip_initial_space: bool = False
    """Drop spaces after a delimiter."""
    surplus_fields: Literal["Reject", "DropEmpty"] = "Reject"
    """What to do with a row that has more fields than columns: reject it, or accept it if the surplus fields are empty."""
    encoding: str = "utf-8"
    """Encoding of the files: any that Python knows and that encodes a newline as one byte (not UTF-16 or UTF-32)."""
    header: bool = True
    """True if the first row of each file contains the column names."""
    columns: tuple[str, ...] | None = None
    """Column names, in order, of files without a header."""
    null_values: tuple[str, ...] = NULL_VALUES
    """Texts that are read as a missing value."""
    true_values: tuple[str, ...] = ("True", "TRUE", "true")
    """Texts that are read as true in boolean columns."""
    false_values: tuple[str, ...] = ("False", "FALSE", "false")
    """Texts that are read as false in boolean columns."""
    decimal: Annotated[str, Field(min_length=1, max_length=1)] = "."
    """Decimal separator of numbers."""
    thousands: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """Thousands separator of numbers, which is removed before conversion."""
    date_formats: dict[str, str] = {}
    """Formats of date columns, by column: a strptime format, `epoch_s`, `epoch_ms`, `epoch_us`, `epoch_ns`, or `ISO8601` (the default). Separate several with a vertical bar."""
    dtypes: dict[str, str] = {}
    """Types of columns, by column name, such as `float64`, `int64`, `string`, `category`, `bool`, or `datetime64[ns]`."""

    @field_validator("encoding")
    @classmethod
    def _keeps_newlines_whole(cls, encoding: str) -> str:
        try:
            plain = b'\n\r,;\t|"'.decode(encoding) == '\n\r,;\t|"'
        except LookupError:
            raise ValueError(f"{quoted(encoding)} is not an encoding that Python knows") from None
        except UnicodeDecodeError:
            plain = False
        if not plain or codecs.lookup(encoding).name.startswith(_STATEFUL):
            raise ValueError(
                f"in {quoted(encoding)} a newline is not one byte, so files cannot be cut; convert them to UTF-8"
            )
        return encoding

    @field_validator("date_formats")
    @classmethod
    def _has_date_formats(cls, formats: dict[str, str]) -> dict[str, str]:
        for each in formats.values():
            split_formats(each)
        return formats

    def date_formats_of(self, column: str) -> tuple[str, ...]:
        """The date formats that are given for a column; none means ISO 8601."""
        return split_formats(self.date_formats[column]) if column in self.date_formats else ()

    @field_validator("delimiter", "quote", "escape", "comment")
    @classmethod
    def _is_one_byte(cls, mark: str | None) -> str | None:
        if mark and (not mark.isascii() or mark in "\r\n\0"):
            raise ValueError(f"{quoted(mark)} is not an ASCII character other than a newline")
        return mark

    @property
    def marks(self) -> dict[str, str]:
        """The characters that structure a file, by the names of their fields."""
        marks = {"delimiter": self.delimiter, "quote": self.quote, "escape": self.escape, "comment": self.comment}
        return {name: mark for name, mark in marks.items() if mark}

    @model_validator(mode="after")
    def _marks_differ(self) -> Self:
        names: dict[str, str] = {}
        for name, mark in self.marks.items():
            if mark in names:
                raise ValueError(f"`{names[mark]}` and `{name}` are the same character")
            names[mark] = name
        if self.skip_initial_space and " " in names:
            raise ValueError(f"`{names[' ']}` is a blank, which `skipInitialSpace` drops")
        return self

    @model_validator(mode="after")
    def _escape_has_a_place(self) -> Self:
        if self.escape_unquoted and not self.escape:
            raise ValueError("`escapeUnquoted` needs `escape`")
        if self.escape and not self.quote and not self.escape_unquoted:
            raise ValueError("without quotes, `escape` has no effect; add `escapeUnquoted: true`")
        return self

    @model_validator(mode="after")
    def _marks_are_whole_characters(self) -> Self:
        for mark in self.marks.values():
            if mark.encode().decode(self.encoding) != mark:
                raise ValueError(
                    f"in {quoted(self.encoding)} {quoted(mark)} is another character; convert the files to UTF-8"
                )
            # Second halves of characters begin at the digits.
            if mark >= "0" and any(
                _is_one_character(bytes([lead, ord(mark)]), self.encoding) for lead in range(0x80, 0x100)
            ):
                raise ValueError(
                    f"in {quoted(self.encoding)} {quoted(mark)} can be half a character; convert the files to UTF-8"
                )
        return self

    @model_validator(mode="after")
    def _headerless_is_named(self) -> Self:
        if not self.header and not self.columns:
            raise ValueError(
                "files without a header need the names of their columns, in order: `spec.input.csv.columns`"
            )
        if self.header and self.columns:
            raise ValueError(
                "`spec.input.csv.columns` is for files without a header: add `spec.input.csv.header: false`, or drop it"
            )
        if self.columns and len(set(self.columns)) < len(self.columns):
            raise ValueError("`columns` names a column twice")
        return self


def _is_one_character(text: bytes, encoding: str) -> bool:
    try:
        return len(text.decode(encoding)) == 1
    except UnicodeDecodeError:
        return False


class EarlierOutput(Spec):
    """The output of an earlier job."""

    uri: Annotated[str, Field(min_length=1, max_length=2048)]
    """URI of the output, or a glob that matches several complete outputs."""
    optional: bool = False
    """Accept a missing or incomplete output. If there is one, no objects are skipped because of it."""


class Input(Spec):
    """The objects to score, in the order listed. The objects that a glob matches are sorted by name."""

    uris: Annotated[tuple[str, ...], Field(min_length=1, max_length=10_000)]
    """Paths, URIs, or globs of the objects to score."""
    format: Literal["auto", "csv", "parquet"] = "auto"
    """Format of the objects. `auto` decides by extension: `.parquet` and `.pq` are Parquet, everything else is CSV."""
    csv: Csv = Csv()
    """Dialect and column types of CSV inputs."""
    partition_bytes: Annotated[Size, Field(ge=1024)] = 64 * MIB
    """Size of a partition of a CSV file."""
    rename: dict[str, str] = {}
    """Columns to rename, as name in the input and new name. The model and all other fields of the job use the new name."""
    match_columns: Literal["Exact", "Relaxed"] = "Exact"
    """How input columns are matched to the columns of the model: by exact name, or ignoring case, spaces, and underscores."""
    where: Annotated[str, Field(max_length=10_000)] | None = None
    """Condition that a row must meet to be scored, such as `fare > 0 and vendor in ("A", "B")`."""
    hive: bool = False
    """Read folders such as `year=2009/` as columns (Hive partitioning)."""
    id_by: Literal["version", "content"] = "version"
    """How a changed object is recognized: by its version (ETag, or size and modification time) or by a hash of its content."""
    since: Literal["LastSuccess"] | AwareDatetime | None = None
    """Score only objects modified at or after this time (RFC 3339). In a ScoringSchedule, `LastSuccess` selects the objects that none of its runs has scored."""
    until: AwareDatetime | None = None
    """Score only objects modified before this time (RFC 3339)."""
    not_scored_by: Annotated[tuple[EarlierOutput, ...], Field(max_length=1000)] = ()
    """Outputs of earlier jobs. Objects that one of them, or a run that it followed, has scored are skipped, by name and version."""
    allow_empty: bool = False
    """Accept an input without objects or rows. Always true with `notScoredBy`."""
    storage: Storage | None = None
    """Settings of the store that holds the input. Defaults to the job's `storage`."""

    @field_validator("where")
    @classmethod
    def _is_a_condition(cls, where: str | None) -> str | None:
        if where is not None and not RowCondition(where).columns:
            raise ValueError("a condition names at least one column")
        return where

    @model_validator(mode="after")
    def _is_a_span(self) -> Self:
        if self.until is not None and isinstance(self.since, datetime) and self.since > self.until:
            raise ValueError("`since` is after `until`")
        return self
