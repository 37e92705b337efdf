from __future__ import annotations

import numpy as np
import pytest

from scoremill.spec import Csv
from scoremill.tabular.csv import CsvReader, Header, Range
from scoremill.tabular.rows import BytesSource, Rows, concat

DATA = b"a,b\n" + b"".join(b"%d,x\n%s" % (i, b"bad\n" if i % 3 == 0 else b"") for i in range(40))


@pytest.fixture
def blocks() -> list[Rows]:
    return list(CsvReader(BytesSource(DATA), Range(0, len(DATA)), Header(("a", "b"), 4), Csv(), ["a"], block_bytes=20))


def places(rows: Rows) -> list[tuple[str, int, int, bytes, int]]:
    offsets = rows.offsets().tolist()
    values = rows.table["a"].to_pylist()
    return [(values[i], int(rows.numbers[i]), offsets[i], rows.raw(i), rows.line(i)) for i in range(len(rows))]


def test_blocks_joined_know_where_each_row_came_from(blocks: list[Rows]) -> None:
    assert len(blocks) > 5
    joined = concat(blocks)
    assert places(joined) == [place for block in blocks for place in places(block)]
    assert [r.row for r in joined.rejects] == [r.row for block in blocks for r in block.rejects]
    for value, _, offset, raw, line in places(joined):
        assert raw == f"{value},x".encode()
        assert DATA[offset:].startswith(raw)
        assert line == DATA[:offset].count(b"\n")


def test_slices_and_choices_of_rows_keep_their_places(blocks: list[Rows]) -> None:
    joined = concat(blocks)
    everything = places(joined)
    assert places(joined.slice(5, 12)) == everything[5:12]
    assert places(joined.slice(5, 12).slice(2, 4)) == everything[7:9]
    chosen = np.array([1, 7, 30])
    assert places(joined.take(chosen)) == [everything[i] for i in chosen]
    assert places(joined.slice(3, 20).take(np.array([0, 4]))) == [everything[3], everything[7]]
    assert len(joined.take(np.array([], np.int64))) == 0


def test_a_row_becomes_a_reject_with_its_place(blocks: list[Rows]) -> None:
    reject = concat(blocks).reject(2, "a", "because")
    assert (reject.row, reject.column, reject.reason, reject.raw) == (3, "a", "because", b"2,x")
    assert DATA[reject.offset :].startswith(b"2,x\n")
