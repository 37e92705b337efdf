from __future__ import annotations

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scoremill.errors import InputError
from scoremill.tabular.parquet_reader import as_json, footer, read_row_group


@pytest.fixture
def file() -> io.BytesIO:
    out = io.BytesIO()
    table = pa.table({"a": range(25), "b": [f"t{i % 3}" for i in range(25)]})
    pq.write_table(table.set_column(1, "b", table["b"].dictionary_encode()), out, row_group_size=10)
    return out


def test_rows_of_row_groups_are_counted_from_the_footer(file: io.BytesIO) -> None:
    assert footer(file)[0] == [10, 10, 5]


def test_a_group_is_read_in_batches_numbered_from_its_start(file: io.BytesIO) -> None:
    batches = list(read_row_group(file, "x.parquet", 1, ["b", "a"], 4))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert [n for batch in batches for n in batch.numbers.tolist()] == list(range(10))
    assert [a for batch in batches for a in batch.table["a"].to_pylist()] == list(range(10, 20))
    assert batches[0].table.column_names == ["b", "a"]
    assert set(batches[0].offsets().tolist()) == {-1}


def test_without_columns_the_rows_are_still_counted(file: io.BytesIO) -> None:
    batches = list(read_row_group(file, "x.parquet", 2, [], 3))
    assert [batch.numbers.tolist() for batch in batches] == [[0, 1, 2], [3, 4]]


def test_the_raw_text_of_a_row_is_json_of_what_was_read(file: io.BytesIO) -> None:
    (batch,) = read_row_group(file, "x.parquet", 0, ["a", "b"], 100)
    reject = batch.reject(3, "b", "because")
    assert json.loads(as_json(reject.raw)) == {"a": 3, "b": "t0"}
    assert (reject.row, reject.offset, reject.line) == (3, -1, -1)


def test_a_column_that_is_not_there_is_named(file: io.BytesIO) -> None:
    with pytest.raises(InputError, match='no column "z"'):
        list(read_row_group(file, "x.parquet", 0, ["a", "z"], 100))


def test_what_is_no_parquet_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="Parquet"):
        footer(io.BytesIO(b"a,b\n1,2\n" * 10))
