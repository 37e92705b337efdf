"""One bad row costs one row: what is set aside, with which reason, and what is read around it."""

from __future__ import annotations

import pytest

from scoremill.errors import InputError
from scoremill.spec import Csv
from scoremill.tabular.csv import CsvReader, Header, Range
from scoremill.tabular.rows import BytesSource
from tests.unit.tabular.csv.reading import PLAIN, read_cut


@pytest.mark.parametrize("cut", [1, 3, 10, 1000])
@pytest.mark.parametrize("block", [1, 1000])
def test_rows_with_another_count_of_fields(cut: int, block: int) -> None:
    read = read_cut(b'a,b\n1\n1,2\n\n1,2,3\n"x\ny",4\n9\n', cut, block)
    assert read.values == [["1", "2"], ["x\ny", "4"]]
    assert [(r.offset, r.column, r.reason, r.raw) for r in read.rejects] == [
        (4, None, "expected 2 fields, found 1", b"1"),
        (11, None, "expected 2 fields, found 3", b"1,2,3"),
        (25, None, "expected 2 fields, found 1", b"9"),
    ]


def test_rows_that_are_not_utf_8() -> None:
    data = "a,b\né,1\n".encode() + b"\xe9,2\n3,\xff\n4,\xe2\x82\n" + "€,5".encode()
    for cut in (1, 5, 100):
        for block in (1, 9, 100):
            read = read_cut(data, cut, block)
            assert read.values == [["é", "1"], ["€", "5"]]
            assert [(r.offset, r.raw) for r in read.rejects] == [(9, b"\xe9,2"), (13, b"3,\xff"), (17, b"4,\xe2\x82")]
            assert read.rejects[1].reason == "not utf-8 at byte 15"


def test_rows_with_a_nul_byte() -> None:
    read = read_cut(b"a,b\n1,2\n\x003,4\n5,6\n7,8\x00", 5, 3)
    assert read.values == [["1", "2"], ["5", "6"]]
    assert [(r.offset, r.reason) for r in read.rejects] == [(8, "a NUL byte at byte 8"), (17, "a NUL byte at byte 20")]


def test_a_row_is_text_or_not_whatever_columns_are_asked() -> None:
    data = b"a,b\n1,\xff\n2,3\n"
    reader = CsvReader(BytesSource(data), Range(0, len(data)), Header(("a", "b"), 4), PLAIN, ["a"])
    (rows,) = reader
    assert rows.table.to_pydict() == {"a": ["2"]}
    assert [reject.row for reject in rows.rejects] == [0]
    assert rows.numbers.tolist() == [1]


def test_bad_rows_of_every_kind_in_one_block_keep_their_numbers() -> None:
    data = b"a,b\n\xff,0\n1,1\n2\n3,\x00\n4,4\n5,5,5\n6,6\n"
    read = read_cut(data, None, 1000)
    (block,) = read.blocks
    assert block.numbers.tolist() == [1, 4, 6]
    assert block.offsets().tolist() == [data.index(b"1,1"), data.index(b"4,4"), data.index(b"6,6")]
    assert [(r.row, r.line) for r in block.rejects] == [(0, 1), (2, 3), (3, 4), (5, 6)]


LONG = b"a,b\n1,2\n3," + b"x" * 5000 + b"\n4,5\n"


def test_a_row_longer_than_a_block_is_read_whole() -> None:
    read = read_cut(LONG, 700, 16)
    assert read.values == [["1", "2"], ["3", "x" * 5000], ["4", "5"]]


def test_a_row_longer_than_the_limit_is_named_and_the_quote_suspected() -> None:
    with pytest.raises(InputError, match=r"file\.csv byte 8: the row is longer than 1000 B") as caught:
        read_cut(LONG, 700, 16, max_row_bytes=1000)
    assert "quote" in str(caught.value.hint)


def test_a_quote_never_closed_ends_at_the_limit() -> None:
    data = b'a,b\n1,"2\n' + b"3,4\n" * 2000
    with pytest.raises(InputError, match="byte 4: the row is longer"):
        read_cut(data, 1000, 64, max_row_bytes=2000)


def test_a_range_beyond_the_limit_under_a_wrong_hypothesis_harms_nobody() -> None:
    field = b"x,y\n" * 500
    data = b'a,b\n1,"' + field + b'"\n2,"' + field + b'"\n3,4\n'
    read = read_cut(data, 1500, 64, max_row_bytes=2100)
    assert read.values == [["1", field.decode()], ["2", field.decode()], ["3", "4"]]


@pytest.mark.parametrize("distance", range(1, 60, 7))
def test_a_row_beyond_the_limit_that_starts_just_before_a_cut(distance: int) -> None:
    data = b"a,b\n" + b"1,2\n" * 100 + b'3,"' + b"x" * 5000 + b'"\n'
    with pytest.raises(InputError, match="byte 404: the row is longer"):
        read_cut(data, 404 + distance, 64, max_row_bytes=1000)


def test_a_column_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(InputError, match=r'file\.csv has no column "z"') as caught:
        CsvReader(BytesSource(b"a,b\n", "file.csv"), Range(0, 4), Header(("a", "b"), 4), PLAIN, ["a", "z"])
    assert "a, b" in str(caught.value.hint)


def test_an_irregular_range_still_counts_all_its_quotes() -> None:
    # Its hypothesis can still be wrong, and then the count is what proves it.
    data = b'a,b\n1,5" x\n' + b'2,"y"\n' * 50
    reader = CsvReader(BytesSource(data), Range(0, len(data)), Header(("a", "b"), 4), PLAIN, ["a"], block_bytes=8)
    list(reader)
    assert reader.tally.irregular
    assert reader.tally.quotes == data.count(b'"')
    assert reader.tally.bytes == len(data)


def test_no_column_asked_still_gives_every_row() -> None:
    data = b"a,b\n1,2\n3\n4,5\n"
    reader = CsvReader(BytesSource(data), Range(0, len(data)), Header(("a", "b"), 4), PLAIN, [])
    (rows,) = reader
    assert len(rows) == 2
    assert rows.numbers.tolist() == [0, 2]
    assert rows.table.num_columns == 0


def test_columns_come_in_the_order_asked_whatever_the_file_has() -> None:
    data = b"c,a,b\n3,1,2\n"
    reader = CsvReader(BytesSource(data), Range(0, len(data)), Header(("c", "a", "b"), 6), PLAIN, ["a", "b"])
    (rows,) = reader
    assert list(rows.table.to_pydict().items()) == [("a", ["1"]), ("b", ["2"])]


def test_null_spellings_are_null_quoted_or_not() -> None:
    read = read_cut(b'a,b\nNA,"NA"\n,""\n NA,x\n', None, 1000, Csv())
    assert read.values == [[None, None], [None, None], [" NA", "x"]]
