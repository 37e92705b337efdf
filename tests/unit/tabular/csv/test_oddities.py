"""The oddities that collections of hostile CSVs agree on, each with what becomes of it.

Where Python's csv module reads them as rows of the right width, so do we, whatever the cut.
"""

from __future__ import annotations

import pytest

from scoremill.spec import Csv
from tests.unit.tabular.csv.reading import PLAIN, read_cut
from tests.unit.tabular.csv.test_cuts import check

ODDITIES: list[tuple[str, bytes, list[list[str]]]] = [
    ("the last newline is missing", b"a,b\n1,2", [["1", "2"]]),
    ("only a header", b"a,b\n", []),
    ("only a header without a newline", b"a,b", []),
    ("newlines are CRLF", b"a,b\r\n1,2\r\n", [["1", "2"]]),
    ("newlines are CR", b"a,b\r1,2\r3,4", [["1", "2"], ["3", "4"]]),
    ("newlines are mixed", b"a,b\n1,2\r\n3,4\r5,6\n", [["1", "2"], ["3", "4"], ["5", "6"]]),
    ("newlines are LF CR", b"a,b\n\r1,2\n\r", [["1", "2"]]),
    ("a byte order mark", b"\xef\xbb\xbfa,b\n1,2\n", [["1", "2"]]),
    ("a byte order mark before a quoted name", b'\xef\xbb\xbf"a",b\n1,2\n', [["1", "2"]]),
    (
        "a byte order mark in the middle is data",
        "a,b\n\ufeff1,2\n\ufeff,\ufeff\n".encode(),
        [["\ufeff1", "2"], ["\ufeff"] * 2],
    ),
    ("blank lines everywhere", b"\n\na,b\n\n1,2\n\n\n3,4\n\n", [["1", "2"], ["3", "4"]]),
    ("a blank line of one column is no row", b"a\n1\n\n2\n", [["1"], ["2"]]),
    ("an empty quoted field of one column is a row", b'a\n1\n""\n2\n', [["1"], [""], ["2"]]),
    ("a row of blanks of one column is a row", b"a\n1\n  \n2\n", [["1"], ["  "], ["2"]]),
    ("all fields are empty", b"a,b\n,\n,\n", [["", ""], ["", ""]]),
    ("all fields are empty and quoted", b'a,b\n"",""\n', [["", ""]]),
    ("a quoted delimiter", b'a,b\n"1,2",3\n', [["1,2", "3"]]),
    ("a quoted newline of each kind", b'a,b\n"1\n2","3\r\n4"\n"5\r6",7\n', [["1\n2", "3\r\n4"], ["5\r6", "7"]]),
    ("a doubled quote", b'a,b\n"say ""hi""",2\n', [['say "hi"', "2"]]),
    ("only a doubled quote", b'a,b\n"""",""""""\n', [['"', '""']]),
    ("a quoted newline is all of a field", b'a,b\n"\n","\n\n"\n', [["\n", "\n\n"]]),
    ("quoted numbers", b'a,b\n"1","2.5"\n', [["1", "2.5"]]),
    ("blanks around fields are data", b"a,b\n 1 , 2 \n", [[" 1 ", " 2 "]]),
    ("a blank before a quote leaves it a character", b'a,b\n1, "2"\n', [["1", ' "2"']]),
    ("a blank behind a quote is data", b'a,b\n"1" ,2\n', [["1 ", "2"]]),
    ("a quote within a field", b'a,b\n5" disk,6 ft 2" tall\n', [['5" disk', '6 ft 2" tall']]),
    ("a quote at the end of a field", b'a,b\n5",2\n', [['5"', "2"]]),
    ("text behind a closing quote", b'a,b\n"1"x"y",2\n', [['1x"y"', "2"]]),
    ("a quote never closed", b'a,b\n1,"2\n3,4\n', [["1", "2\n3,4\n"]]),
    ("a lone quote at the end", b'a,b\n1,"', [["1", ""]]),
    ("backslashes escape nothing", b'a,b\n\\n,"\\"\n1\\,2\n', [["\\n", "\\"], ["1\\", "2"]]),
    ("single quotes are characters", b"a,b\n'1,2'\n", [["'1", "2'"]]),
    ("comment signs are characters", b"a,b\n#1,2\n//,--\n", [["#1", "2"], ["//", "--"]]),
    ("formulas are characters", b"a,b\n=1+1,@x\n", [["=1+1", "@x"]]),
    ("control characters are data", b"a,b\n\x01,\x1a\n\x0b,\x0c\x7f\n", [["\x01", "\x1a"], ["\x0b", "\x0c\x7f"]]),
    (
        "the other newlines of Unicode are data",
        "a,b\n\u2028,\u2029\n\x85,\x1c\n".encode(),
        [["\u2028", "\u2029"], ["\x85", "\x1c"]],
    ),
    ("right to left and combining characters", "a,b\nשלום,é\n".encode(), [["שלום", "é"]]),
    ("characters of four bytes", "a,b\n😀,👩‍👩‍👧\n".encode(), [["😀", "👩‍👩‍👧"]]),
    ("a header that is repeated is a row", b"a,b\n1,2\na,b\n3,4\n", [["1", "2"], ["a", "b"], ["3", "4"]]),
    ("a header over several lines", b'"a\nb",c\n1,2\n', [["1", "2"]]),
    ("wide rows", b",".join(b"c%d" % i for i in range(60)) + b"\n" + b",".join([b"1"] * 60), [["1"] * 60]),
]


@pytest.mark.parametrize(("data", "rows"), [o[1:] for o in ODDITIES], ids=[o[0] for o in ODDITIES])
def test_rows_are_right_whatever_the_cut(data: bytes, rows: list[list[str]]) -> None:
    for cut in (1, 2, 3, 5, 8, 13):
        assert check(data, cut, 3).values == rows
    assert check(data, len(data), 4096).values == rows


@pytest.mark.parametrize(
    "text",
    [
        b"a,b\n1,2,\n3,4\n",
        b"a,b\n1\n3,4\n",
        b"a,b\n1,2,3,4\n3,4\n",
        b"a,b\n   \n3,4\n",
        b'a,b\n"1,2"\n3,4\n',
        b"a,b\n\x1a\n3,4",
    ],
    ids=[
        "a delimiter too many",
        "one too few",
        "many too many",
        "a line of blanks",
        "all of it quoted",
        "an end of DOS",
    ],
)
def test_a_row_of_another_width_is_set_aside_alone(text: bytes) -> None:
    read = check(text, 5, 3)
    assert read.values == [["3", "4"]]
    assert len(read.rejects) == 1


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " ", ":", "\x01", "~"])
def test_any_ascii_delimiter(delimiter: str) -> None:
    data = f'a{delimiter}b\n"1{delimiter}2"{delimiter}3\n{delimiter}\n'.encode()
    read = check(data, 4, 3, Csv(delimiter=delimiter, null_values=()))
    assert read.values == [[f"1{delimiter}2", "3"], ["", ""]]


@pytest.mark.parametrize("quote", ["'", "|", "$"])
def test_any_ascii_quote_and_then_the_usual_one_is_a_character(quote: str) -> None:
    data = f'a,b\n{quote}1,2{quote},3"\n{quote}{quote}{quote}x{quote},"\n'.encode()
    read = check(data, 4, 3, Csv(quote=quote, null_values=()))
    assert read.values == [["1,2", '3"'], [f"{quote}x", '"']]
    assert not read.whole


def test_a_file_of_the_wrong_delimiter_has_one_column() -> None:
    assert check(b"a;b\n1;2\n", 3, 3, PLAIN).names == ("a;b",)


def test_zero_bytes_hold_no_rows_and_no_error() -> None:
    assert read_cut(b"").rows == []
