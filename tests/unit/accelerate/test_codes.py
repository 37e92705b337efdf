from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoremill.accelerate.bits import pick
from scoremill.accelerate.codes import distinct_rows

CELLS = {
    "object": st.sampled_from(["a", "b", "", "A", None]),
    "str": st.sampled_from(["a", "b", "", None]),
    "float64": st.sampled_from([0.0, -0.0, 1.0, float("nan"), float("inf")]),
    "int64": st.integers(-2, 2),
    "bool": st.booleans(),
    "Int64": st.sampled_from([1, 2, None]),
}


@st.composite
def tables(draw):
    rows = draw(st.integers(1, 30))
    columns = draw(st.lists(st.sampled_from(list(CELLS)), min_size=1, max_size=3))
    values = [draw(st.lists(CELLS[dtype], min_size=rows, max_size=rows)) for dtype in columns]
    return pd.DataFrame({str(at): pd.Series(v, dtype=d) for at, (v, d) in enumerate(zip(values, columns, strict=True))})


def shown(table: pd.DataFrame) -> list[str]:
    # As text, 0.0 and -0.0 differ, and so do kinds of missing values.
    return [repr(row) for row in table.astype(object).to_numpy().tolist()]


@given(tables())
def test_the_distinct_rows_by_code_are_the_rows(table):
    distinct = distinct_rows(table)
    assert distinct is not None
    rows = shown(table)
    assert shown(pick(pick(table, distinct.first), distinct.codes)) == rows
    assert len(set(distinct.codes.tolist())) == len(set(rows))
    assert len(distinct.first) == max(2, len(set(rows)))
    assert distinct.first[0] == 0


@pytest.mark.parametrize(
    "values",
    [[1, True], [1, 1.0], ["1", 1], [None, float("nan")], [None, pd.NA], ["a", np.str_("a")], [b"a", "a"]],
    ids=repr,
)
def test_objects_that_can_be_equal_and_differ_are_not_numbered(values):
    assert distinct_rows(pd.DataFrame({"x": pd.Series(values * 5, dtype=object)})) is None


def test_tables_of_many_columns_are_not_numbered():
    assert distinct_rows(pd.DataFrame(np.zeros((9, 5)))) is None
    assert distinct_rows(np.zeros((9, 4))) is not None
    assert distinct_rows(np.zeros((9, 0))) is None
    assert distinct_rows(np.zeros((0, 2))) is None


def test_more_distinct_rows_than_allowed_are_noticed():
    assert distinct_rows(np.arange(100_000), 0.25) is None
    assert distinct_rows(np.arange(100_000) // 2, 0.5) is not None
    assert distinct_rows(np.r_[np.zeros(2000), np.arange(100_000)], 0.25) is None
