"""Where a row is in an input object, and why it was rejected, in the one way in which people read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from scoremill.units import quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A row of an input object."""

    file: str
    line: int | None = None
    """Physical line of the file, from 1; None in Parquet, or if it is not known."""
    offset: int | None = None
    """Byte of the (decompressed) file, from 0; None in Parquet."""
    row: int | None = None
    """Row of the file, from 0; None in CSV."""

    @property
    def position(self) -> str:
        """The place within the file."""
        if self.row is not None:
            return f"row {self.row:,}"
        return f"line {self.line:,}" if self.line is not None else f"byte {self.offset:,}"

    def __str__(self) -> str:
        return f"{self.file} {self.position}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRow(Place):
    """A row that could not be scored."""

    column: str | None
    """The column at fault; None if it is the row."""
    reason: str

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """Return the row that a line of an errors object is about."""
        return cls(**{name: record[name] for name in ("file", "line", "offset", "row", "column", "reason")})

    @property
    def fault(self) -> str:
        """The place within the file, the column and the reason."""
        column = f", column {quoted(self.column)}" if self.column else ""
        return f"{self.position}{column}: {self.reason}"

    def __str__(self) -> str:
        return f"{self.file} {self.fault}"
