"""CSV cut at any byte, its rows exactly those that Python's csv module reads. See docs/design/0002-csv.md."""

from .header import Header, first_record, read_header
from .names import header_line
from .nulls import without_nulls
from .range import Range, Tally
from .reader import CsvReader

__all__ = [
    "CsvReader",
    "Header",
    "Range",
    "Tally",
    "first_record",
    "header_line",
    "read_header",
    "without_nulls",
]
