"""A row is named in one way, wherever people read of it."""

from __future__ import annotations

import pytest

from scoremill.tabular.place import Place, RejectedRow

RECORD = {"file": "in.csv", "line": None, "offset": None, "row": None, "column": None, "reason": "too short"}


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Place(file="in.csv", line=1402, offset=9), "in.csv line 1,402"),
        (Place(file="in.csv", offset=12345), "in.csv byte 12,345"),
        (Place(file="in.parquet", row=0), "in.parquet row 0"),
    ],
)
def test_a_place_is_a_row_or_a_line_or_where_that_is_not_known_a_byte(place, text):
    assert str(place) == text


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ({"line": 2, "offset": 8, "partition": 3, "raw": "a"}, "in.csv line 2: too short"),
        ({"row": 7, "column": "x"}, 'in.csv row 7, column "x": too short'),
    ],
)
def test_a_rejected_row_is_its_place_its_column_and_its_reason(record, text):
    row = RejectedRow.of({**RECORD, **record})
    assert str(row) == text
    assert f"{row.file} {row.fault}" == text
