"""Rows that are chosen keep their places, and hold little of the block that they came from."""

from __future__ import annotations

import gc
import weakref

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scoremill.spec import Column, Csv
from scoremill.tabular.csv import CsvReader, Header, Range
from scoremill.tabular.parquet_reader import as_json, read_row_group
from scoremill.tabular.rows import BytesSource, Rows
from scoremill.tabular.where import RowFilter

COLUMNS = (Column("a", "int64"),)


def csv_block(count: int) -> Rows:
    data = b"".join(b"%d,x\n" % i for i in range(count))
    header = Header(("a", "b"), 0)
    (block,) = CsvReader(BytesSource(data), Range(0, len(data)), header, Csv(), ["a"], block_bytes=len(data))
    return block


@pytest.mark.parametrize("bound", [7, 990], ids=["few", "many"])
def test_rows_that_are_chosen_keep_their_places(bound):
    chosen, left_out = RowFilter(f"a < {bound}", COLUMNS, Csv()).choose(csv_block(1000), ["a"])
    everything = csv_block(1000)
    assert (len(chosen), left_out) == (bound, 1000 - bound)
    assert chosen.offsets().tolist() == everything.offsets().tolist()[:bound]
    assert [chosen.raw(i) for i in range(bound)] == [b"%d,x" % i for i in range(bound)]
    assert [chosen.line(i) for i in range(bound)] == list(range(bound))


def test_few_rows_do_not_hold_the_block_that_they_came_from():
    block = csv_block(1000)
    text, table = weakref.ref(block.raw.__closure__[0].cell_contents), weakref.ref(block.table)
    chosen, _ = RowFilter("a == 3", COLUMNS, Csv()).choose(block, ["a"])
    del block
    gc.collect()
    assert (text(), table()) == (None, None)
    assert chosen.raw(0) == b"3,x"


def test_few_rows_of_parquet_are_selected_by_its_columns(tmp_path):
    pq.write_table(pa.table({"a": range(1000), "b": ["x"] * 1000}), tmp_path / "a.parquet")
    with (tmp_path / "a.parquet").open("rb") as file:
        (rows,) = read_row_group(file, "x.parquet", 0, ["a", "b"], 1000)
    rows.table = rows.table.append_column("year", pa.array(["2009"] * 1000))
    chosen, _ = RowFilter("a == 3", COLUMNS, Csv()).choose(rows, ["a", "b"])
    assert (as_json(chosen.raw(0)), chosen.offsets().tolist()) == (b'{"a": 3, "b": "x"}', [-1])


def test_long_value_is_shortened_in_the_error():
    data = b"x" * 10_000 + b",1\n"
    header = Header(("a", "b"), 0)
    (block,) = CsvReader(BytesSource(data), Range(0, len(data)), header, Csv(), ["a"], block_bytes=len(data))
    chosen, left_out = RowFilter("a > 1", COLUMNS, Csv()).choose(block, ["a"])
    (reject,) = chosen.rejects
    assert (left_out, len(reject.reason) < 150, reject.column) == (0, True, "a")
