"""Promise 1 at its heart: wherever a file is cut, its rows are those that Python's csv module reads."""

from __future__ import annotations

import codecs
import csv
import io
import os

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scoremill.spec import Csv
from scoremill.tabular.csv import CsvReader, Range, read_header
from scoremill.tabular.rows import BytesSource, Reject
from tests.unit.tabular.csv.reading import PLAIN, Read, as_csv_reads, newlines, read_cut

EXAMPLES = int(os.environ.get("CSV_EXAMPLES", "300"))
"""Set the variable to a larger number to search longer."""

texts = st.text(
    st.one_of(
        st.sampled_from(list("ab,;\t|\"'\r\n \\é€😀\ufeff")), st.characters(exclude_characters="\0", codec="utf-8")
    ),
    max_size=12,
)
delimiters = st.sampled_from([",", ";", "\t", "|"])


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    width = draw(st.integers(1, 4))
    rows = draw(st.lists(st.lists(texts, min_size=width, max_size=width), max_size=8))
    return [[f"c{i}" for i in range(width)], *rows]


def check(data: bytes, cut: int, block_bytes: int, dialect: Csv = PLAIN) -> Read:
    """Asserts that rows, order, counts and places are right; gives what was read."""
    read = read_cut(data, cut, block_bytes, dialect)
    header, *expected = as_csv_reads(data.removeprefix(codecs.BOM_UTF8), dialect)
    assert len(read.rows) == len(expected)
    for row, fields in zip(read.rows, (in_width(row, len(header), dialect) for row in expected), strict=True):
        if len(fields) == len(header):
            assert row == fields
        else:
            assert isinstance(row, Reject)
            assert row.reason == f"expected {len(header)} fields, found {len(fields)}"
    assert sum(tally.lines for tally in read.tallies) == newlines(data)
    assert sum(tally.bytes for tally in read.tallies) == len(data)
    for block in read.blocks:
        for i, offset in enumerate(block.offsets().tolist()):
            raw = block.raw(i)
            assert data[offset : offset + len(raw)] == raw
            (fields,) = as_csv_reads(raw, dialect.model_copy(update={"skip_rows": 0}))
            assert in_width(fields, len(header), dialect) == [column[i].as_py() for column in block.table.columns]
    return read


def in_width(fields: list[str], width: int, dialect: Csv) -> list[str]:
    """`fields` without empty ones behind the columns, if the dialect drops those."""
    drops = dialect.surplus_fields == "DropEmpty" and not any(fields[width:])
    return fields[:width] if drops else fields


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    tables(),
    st.sampled_from(["excel", "excel-tab", "unix"]),
    delimiters,
    st.integers(1, 40),
    st.integers(1, 64),
    st.booleans(),
)
def test_rows_are_those_of_the_csv_module_in_every_dialect_cut_at_any_byte(
    table: list[list[str]], style: str, delimiter: str, cut: int, block_bytes: int, ends_with_newline: bool
) -> None:
    out = io.StringIO(newline="")
    if style == "excel-tab":
        delimiter = "\t"
    csv.writer(out, style, delimiter=delimiter).writerows(table)
    text = out.getvalue() if ends_with_newline else out.getvalue().rstrip("\r\n")
    read = check(text.encode(), cut, block_bytes, Csv(null_values=(), delimiter=delimiter))
    # What csv.writer writes has regular quotes only, unless its last newline was a part of a field.
    assert not read.whole or not ends_with_newline
    if ends_with_newline:
        assert read.values == table[1:]


@settings(max_examples=EXAMPLES, deadline=None)
@example(b'a,b\n5" disk,x\n"y\nz",w\n', 3, 4)
@example(b'"",b\r\n"\r', 1, 1)
@given(
    st.lists(
        st.sampled_from([b"a", b",", b'"', b"\n", b"\r", b"\r\n", b" ", b'""', b'"x\ny",', "é".encode()]), max_size=24
    )
    .map(b"".join)
    .map(lambda body: b"a,b\n" + body),
    st.integers(1, 12),
    st.sampled_from([1, 2, 3, 7, 64]),
)
def test_any_bytes_whatever_their_quotes_give_the_rows_of_the_csv_module(
    data: bytes, cut: int, block_bytes: int
) -> None:
    check(data, cut, block_bytes)


def every_cut(data: bytes, dialect: Csv = PLAIN) -> list[Read]:
    return [check(data, cut, block, dialect) for cut in range(1, len(data) + 2) for block in (1, 5, 4096)]


LONG = b"x" * 50 + b"\n,\r\n" + b"y" * 50


@pytest.mark.parametrize("partitions", [1, 3])
def test_quoted_field_can_be_longer_than_several_partitions(partitions: int) -> None:
    data = b'a,b\n1,"' + LONG + b'"\n2,z\n3,w\n'
    read = check(data, len(LONG) // (partitions + 1), 16)
    assert read.redone >= partitions
    assert not read.whole
    assert read.values[0] == ["1", LONG.decode()]


def test_a_cut_between_the_two_quotes_of_a_doubled_quote() -> None:
    data = b'a,b\n1,"say ""yes"""\n2,"""\n"""\n'
    for read in every_cut(data):
        assert read.values == [["1", 'say "yes"'], ["2", '"\n"']]
        assert not read.whole


def test_a_cut_between_cr_and_lf() -> None:
    for read in every_cut(b"a,b\r\n1,2\r\n\r\n3,4\r\n"):
        assert read.values == [["1", "2"], ["3", "4"]]


def test_a_cut_in_the_middle_of_a_character() -> None:
    for read in every_cut("a,b\n€,😀\né,\ufeff\n".encode()):
        assert read.values == [["€", "😀"], ["é", "\ufeff"]]


def test_a_file_that_is_one_quoted_field() -> None:
    for read in every_cut(b'a\n"1\n2\n3,4\n\n5"'):
        assert read.values == [["1\n2\n3,4\n\n5"]]
        assert not read.whole


def test_an_inch_mark_makes_the_rest_of_the_file_one_partition() -> None:
    for read in every_cut(b'a,b\n1,2\n3,5" disk\n4,"x\ny"\n5,6\n'):
        assert read.whole
        assert read.values == [["1", "2"], ["3", '5" disk'], ["4", "x\ny"], ["5", "6"]]


def test_text_behind_a_closing_quote_makes_the_rest_of_the_file_one_partition() -> None:
    for read in every_cut(b'a,b\n1,"2"3\n"4\n",5\n'):
        assert read.whole
        assert read.values == [["1", "23"], ["4\n", "5"]]


def test_a_quote_never_closed_takes_the_rest_of_the_file_as_one_field() -> None:
    for read in every_cut(b'a,b\n1,2\n3,"4\n5,6\n7,8\n'):
        assert read.values == [["1", "2"], ["3", "4\n5,6\n7,8\n"]]
        assert not read.whole


def test_a_header_over_several_lines_and_partitions_is_cut_too() -> None:
    for read in every_cut(b'\xef\xbb\xbf"a\nlong\n""name""","b"\n1,2\n3,4\n'):
        assert read.names == ('a\nlong\n"name"', "b")
        assert read.values == [["1", "2"], ["3", "4"]]
        assert not read.whole


def test_a_partition_in_which_no_row_starts_reads_no_further_than_its_end() -> None:
    class Counting(BytesSource):
        furthest = 0

        def read(self, start: int, end: int) -> bytes:
            Counting.furthest = max(Counting.furthest, end)
            return super().read(start, end)

    data = b"a\n1\n" + b"x" * 1_000_000 + b"\n2\n"
    source = Counting(data)
    header = read_header(BytesSource(data), PLAIN)
    assert header is not None
    reader = CsvReader(source, Range(1000, 2000), header, PLAIN, ["a"], block_bytes=64)
    assert list(reader) == []
    assert Counting.furthest == 2001
    assert reader.tally.bytes == 1000


def test_files_without_quotes_are_never_read_twice() -> None:
    data = b"a,b\n" + b"1,2\n" * 500
    read = check(data, 97, 64)
    assert read.redone == 0
    assert not read.whole


def test_bits_of_blocks_do_not_matter_to_row_numbers_and_lines() -> None:
    data = b'a,b\n\n1,"x\ny"\n\n2\n3,4\n'
    for cut in range(1, 30):
        for block in (1, 7, 100):
            read = read_cut(data, cut, block)
            (reject,) = read.rejects
            assert (reject.offset, reject.raw) == (data.index(b"2\n"), b"2")
            # Its line in the file: what the ranges before counted, and its line in its own.
            earlier = sum(t.lines for t in read.tallies[: reject.offset // cut])
            assert earlier + reject.line == data[: reject.offset].count(b"\n")
