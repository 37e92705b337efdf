"""Options of dialects: wherever a file is cut, its rows are those that the programs have which write it."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoremill.spec import Csv
from tests.unit.tabular.csv.reading import read_cut
from tests.unit.tabular.csv.test_cuts import EXAMPLES, check, every_cut

SPARK: dict[str, Any] = {"escape": "\\"}
PYTHON: dict[str, Any] = {"escape": "\\", "escape_unquoted": True}
TOKENS = [
    b"a",
    b",",
    b'"',
    b"\n",
    b"\r",
    b"\r\n",
    b" ",
    b'""',
    b'"x\ny",',
    b"\\",
    b'\\"',
    b"\\\\",
    b"\\N",
    b"#",
    b"\n#",
    b",,\n",
    b', "b, c"',
    "é".encode(),
]
OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "quote": st.sampled_from(['"', '"', '"', ""]),
    "comment": st.sampled_from([None, "#"]),
    "skip_initial_space": st.booleans(),
    "surplus_fields": st.sampled_from(["Reject", "DropEmpty"]),
    "header": st.just(True),
}


@st.composite
def dialects(draw: st.DrawFn) -> Csv:
    given = {name: draw(values) for name, values in OPTIONS.items()}
    escape = draw(st.sampled_from([{}, SPARK, PYTHON] if given["quote"] else [{}, PYTHON]))
    return Csv(null_values=(), **given, **escape)


@settings(max_examples=EXAMPLES * 2, deadline=None)
@given(
    dialects(),
    st.lists(st.sampled_from(TOKENS), max_size=24).map(b"".join),
    st.integers(1, 12),
    st.sampled_from([1, 2, 3, 7, 64]),
)
def test_any_bytes_give_the_rows_of_the_csv_module_in_every_dialect(
    dialect: Csv, data: bytes, cut: int, block_bytes: int
) -> None:
    check(b"a,b\n" + data, cut, block_bytes, dialect)


@pytest.mark.parametrize("text", [b',,"', b',,,"', b'a,b,"\n', b'a,b,"x', b'1,2,,\na,b,"', b'a,b,""', b'a,b,"",'])
def test_a_surplus_field_that_the_end_of_the_file_leaves_open_is_empty_if_nothing_is_in_it(text: bytes) -> None:
    for cut in range(1, 8):
        check(b"a,b\n" + text, cut, 64, Csv(null_values=(), surplus_fields="DropEmpty"))


lines = st.tuples(
    st.lists(st.sampled_from([b"a", b'"', b"\\", b"#", b","]), max_size=6).map(b"".join),
    st.sampled_from([b"\n", b"\r\n"]),
).map(b"".join)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(lines, max_size=4), st.integers(1, 12))
def test_lines_of_any_bytes_before_the_header_are_not_read(preamble: list[bytes], cut: int) -> None:
    dialect = Csv(null_values=(), skip_rows=len(preamble), comment="#", **PYTHON)
    check(b"".join(preamble) + b'a,b\n"1\n",2\n', cut, 7, dialect)


@pytest.mark.parametrize("options", [{}, SPARK, PYTHON, {"comment": "#"}, {"skip_initial_space": True}])
@pytest.mark.parametrize("width", [1, 3])
def test_blocks_of_real_size_in_every_dialect(options: dict[str, Any], width: int) -> None:
    tokens, chosen = [token for token in TOKENS if token not in {b'"', b'\\"'}], random.Random(0)
    data = b"a,b,c"[: 2 * width - 1] + b"\n" + b"".join(chosen.choice(tokens) for _ in range(60_000)) + b"\n"
    check(data, 50_000, 1 << 16, Csv(null_values=(), surplus_fields="DropEmpty", **options))


def test_a_cut_in_the_middle_of_an_escaped_quote() -> None:
    data = b'a,b\n1,"say \\"yes\\", \\\\"\n2,"\\"\n\\""\n'
    for dialect in (Csv(null_values=(), **SPARK), Csv(null_values=(), **PYTHON)):
        for read in every_cut(data, dialect):
            assert read.values == [["1", 'say "yes", \\'], ["2", '"\n"']]
            assert not read.whole


def test_an_escape_character_outside_quotes_is_text_if_it_counts_in_quotes_alone() -> None:
    data = b'a,b\n\\\\server\\x,"C:\\temp"\n"\\\\s",\\"\n\\,\\\n'
    for read in every_cut(data, Csv(null_values=(), **SPARK)):
        assert read.values == [["\\\\server\\x", "C:\\temp"], ["\\s", '\\"'], ["\\", "\\"]]
        assert not read.whole


def test_an_escape_character_before_any_character() -> None:
    data = b'a,b\n\\x\\,\\\\,"\\x\\""\n1\\\n2,\\"\n'
    for read in every_cut(data, Csv(null_values=(), **PYTHON)):
        assert read.values == [["x,\\", 'x"'], ["1\n2", '"']]
        assert not read.whole


@pytest.mark.parametrize("dialect", [Csv(null_values=(), **SPARK), Csv(null_values=(), **PYTHON)])
@pytest.mark.parametrize("length", [1, 2, 8191, 8192, 70_001])
def test_a_run_of_escape_characters_longer_than_what_is_read_before_a_cut(dialect: Csv, length: int) -> None:
    data = b'a,b\n1,"' + b"\\" * length + b'"\n2,"x"\n3,4\n'
    for cut in range(len(data) - 20, len(data) - 10):
        check(data, cut, 64, dialect)


@pytest.mark.parametrize("length", [1, 8192, 70_001])
def test_a_run_of_blanks_longer_than_what_is_read_before_a_cut(length: int) -> None:
    data = b"a,b\n1," + b" " * length + b'"2\n3",\n' + b'4, "5"\n'
    for cut in range(len(data) - 20, len(data) - 8):
        read = check(data, cut, 64, Csv(null_values=(), skip_initial_space=True, surplus_fields="DropEmpty"))
        assert read.values == [["1", "2\n3"], ["4", "5"]]
        assert not read.whole


def test_comments_with_pairs_of_quotes_leave_a_file_in_its_partitions() -> None:
    data = b'a,b\n# "x", y\n1,"#\n#"\n#2,"5"\n# say "hi" here\n\n3,4\n#'
    for read in every_cut(data, Csv(null_values=(), comment="#")):
        assert read.values == [["1", "#\n#"], ["3", "4"]]
    assert not read_cut(data, 13, 64, Csv(comment="#")).whole


def test_a_comment_with_a_single_quote_makes_the_rest_of_the_file_one_partition() -> None:
    data = b'a,b\n1,2\n# 5" disks\n3,"x\ny"\n# "\n4,5\n'
    for read in every_cut(data, Csv(null_values=(), comment="#")):
        assert read.values == [["1", "2"], ["3", "x\ny"], ["4", "5"]]
        assert read.whole


def test_blanks_are_dropped_behind_delimiters_and_nowhere_else() -> None:
    data = b'a,  b\n  1,   "2, 3" \n" x",4 5 \n   ,\n'
    for read in every_cut(data, Csv(null_values=(), skip_initial_space=True)):
        assert read.names == ("a", "b")
        assert read.values == [["1", "2, 3 "], [" x", "4 5 "], ["", ""]]


def test_a_line_of_blanks_is_a_row_of_one_column() -> None:
    for read in every_cut(b"a\n  \n\n 1\n ", Csv(null_values=(), skip_initial_space=True)):
        assert read.values == [[""], ["1"], [""]]


def test_only_surplus_fields_that_are_empty_are_dropped() -> None:
    data = b'a,b\n1,2,,\n3,,\n4,5,"",\n6,7,,x\n8,9,, \n\n0\n,,,,\n'
    for read in every_cut(data, Csv(null_values=(), surplus_fields="DropEmpty")):
        assert read.values == [["1", "2"], ["3", ""], ["4", "5"], ["", ""]]
        assert [(reject.reason, reject.raw) for reject in read.rejects] == [
            ("expected 2 fields, found 4", b"6,7,,x"),
            ("expected 2 fields, found 4", b"8,9,, "),
            ("expected 2 fields, found 1", b"0"),
        ]
    assert len(read_cut(data, 5, 64, Csv(null_values=())).rejects) == 7


def test_a_row_of_one_column_and_empty_surplus_fields_is_a_row() -> None:
    for read in every_cut(b'a\n,\n1,,\n"",""\n,x\n', Csv(null_values=(), surplus_fields="DropEmpty")):
        assert read.values == [[""], ["1"], [""]]
        assert len(read.rejects) == 1


def test_missing_value_can_be_spelled_with_an_escape_character() -> None:
    dialect = Csv(quote="", delimiter="\t", null_values=("\\N",), skip_initial_space=True, **PYTHON)
    data = b"a\tb\n\\N\tN\n \\N\t\\Nx\n\\M\tx\\N\n1\\\t\\N\t\\N"
    for cut in range(1, len(data)):
        read = read_cut(data, cut, 5, dialect)
        assert read.values == [[None, "N"], [None, "Nx"], ["M", "xN"], ["1\tN", None]]


def test_quotes_are_text_where_no_field_is_quoted() -> None:
    data = b'a,b\n"1","2\n\'3\',""\n'
    for read in every_cut(data, Csv(null_values=(), quote="")):
        assert read.values == [['"1"', '"2'], ["'3'", '""']]
        assert not read.whole


def test_bad_rows_of_other_dialects_are_set_aside_with_their_own_text() -> None:
    data = b'a,b\n# c\n"\\"1\\"", 2,\n\\x\n\xff, 3\n#\n 4,"\x00"\n 5, 6,,\n'
    dialect = Csv(null_values=(), comment="#", skip_initial_space=True, surplus_fields="DropEmpty", **SPARK)
    for cut in range(1, len(data)):
        read = read_cut(data, cut, 7, dialect)
        assert read.values == [['"1"', "2"], ["5", "6"]]
        assert [(reject.offset, reject.raw) for reject in read.rejects] == [
            (data.index(raw), raw) for raw in (b"\\x", b"\xff, 3", b' 4,"\x00"')
        ]
        for reject in read.rejects:
            earlier = sum(tally.lines for tally in read.tallies[: reject.offset // cut])
            assert earlier + reject.line == data[: reject.offset].count(b"\n")
