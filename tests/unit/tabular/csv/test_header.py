from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoremill.errors import InputError
from scoremill.spec import Csv
from scoremill.tabular.csv import Header, header_line, read_header
from scoremill.tabular.rows import BytesSource


def header(data: bytes, dialect: Csv | None = None) -> Header | None:
    return read_header(BytesSource(data, "s3://b/file.csv"), dialect or Csv())


@pytest.mark.parametrize("data", [b"", b"\n\r\n", b"\xef\xbb\xbf"])
def test_a_file_without_a_header_row_has_none_and_is_no_error(data: bytes) -> None:
    assert header(data) is None


@pytest.mark.parametrize(
    ("data", "names", "data_start"),
    [
        (b"a,b", ("a", "b"), 3),
        (b"a,b\n1,2\n", ("a", "b"), 4),
        (b"a,b\r\n1,2\r\n", ("a", "b"), 5),
        (b"a,b\r1,2\r", ("a", "b"), 4),
        (b"\r\n\na,b\n1,2", ("a", "b"), 7),
        (b"\xef\xbb\xbfa,b\n1,2", ("a", "b"), 7),
        (b'\xef\xbb\xbf"a","b"\n1,2', ("a", "b"), 11),
        (b'"x ""y""\nz, w",b\n1,2', ('x "y"\nz, w', "b"), 17),
        (b" a ,b \n1,2", (" a ", "b "), 7),
        (b",b,\n1,2,3", ("Unnamed: 0", "b", "Unnamed: 2"), 4),
    ],
)
def test_names_and_where_the_data_begin(data: bytes, names: tuple[str, ...], data_start: int) -> None:
    found = header(data)
    assert found is not None
    assert (found.names, found.data_start) == (names, data_start)


def test_files_without_a_header_take_the_names_that_are_given() -> None:
    dialect = Csv(header=False, columns=("a", "b"))
    assert header(b"1,2\n", dialect) == Header(("a", "b"), 0, 0)
    assert header(b"\xef\xbb\xbf1,2\n", dialect) == Header(("a", "b"), 3, 3)
    assert header(b"", dialect) is None


@pytest.mark.parametrize(
    ("data", "dialect", "names", "data_start"),
    [
        (b'it is 5" long\n\na,b\n1,2', {"skip_rows": 2}, ("a", "b"), 19),
        (b"\xef\xbb\xbfx\r\na,b\r\n1,2", {"skip_rows": 1}, ("a", "b"), 11),
        (b"#x\n\n# y\na,b\n#1,2", {"comment": "#"}, ("a", "b"), 12),
        (b"x\n#y\na,b\n1,2", {"comment": "#", "skip_rows": 1}, ("a", "b"), 9),
        (b'a,  "b, c"\n', {"skip_initial_space": True}, ("a", "b, c"), 11),
        (b'"a \\"b\\"",c\\d\n', {"escape": "\\"}, ('a "b"', "c\\d"), 14),
        (b"a\\,b,c\\\nd\n", {"escape": "\\", "escape_unquoted": True}, ("a,b", "c\nd"), 10),
        (b'"a",b"\n', {"quote": ""}, ('"a"', 'b"'), 7),
    ],
)
def test_names_in_other_dialects(data: bytes, dialect: dict[str, Any], names: tuple[str, ...], data_start: int) -> None:
    found = header(data, Csv(**dialect))
    assert found is not None
    assert (found.names, found.data_start) == (names, data_start)


@pytest.mark.parametrize("data", [b"x\ny\n", b"x", b"x\n#y\n\n", b"\n\n\n"])
def test_a_file_of_skipped_lines_and_comments_has_no_header_and_is_no_error(data: bytes) -> None:
    assert header(data, Csv(skip_rows=2 - data.count(b"#"), comment="#")) is None


def test_skipped_lines_longer_than_the_first_read() -> None:
    preamble = b"x" * 100_000 + b"\n" + b"y\n" * 50_000
    found = header(preamble + b"a,b\n1,2\n", Csv(skip_rows=50_001))
    assert found is not None
    assert (found.names, found.data_start) == (("a", "b"), len(preamble) + 4)


@pytest.mark.parametrize(
    ("line", "flags"),
    [
        (b"sep=;\r\n", '{"skipRows": 1, "delimiter": ";"}'),
        (b'"sep=,"\n', '{"skipRows": 1, "delimiter": ","}'),
        (b"\xef\xbb\xbfSEP=\t\n", r'{"skipRows": 1, "delimiter": "\t"}'),
    ],
)
def test_the_line_in_which_excel_names_the_delimiter_is_refused_with_the_flags_that_skip_it(
    line: bytes, flags: str
) -> None:
    data = line + b"a;b\n1;2\n"
    with pytest.raises(InputError, match="an instruction to Excel") as caught:
        header(data)
    assert flags in str(caught.value.hint)
    assert header(data, Csv(skip_rows=1, delimiter=";")) is not None


names = st.lists(
    st.text(st.sampled_from(list('ab ,\\"#\t\r\n|é')), min_size=1, max_size=6), min_size=1, max_size=4, unique=True
)


@settings(max_examples=300, deadline=None)
@given(
    names,
    st.sampled_from(["utf-8", "latin-1"]),
    st.sampled_from(
        [
            {},
            {"escape": "\\"},
            {"escape": "\\", "escape_unquoted": True},
            {"quote": "", "escape": "\\", "escape_unquoted": True},
        ]
    ),
    st.booleans(),
)
def test_a_header_that_is_written_is_read_as_it_was(
    names: list[str], encoding: str, escape: dict[str, Any], skips_blanks: bool
) -> None:
    dialect = Csv(encoding=encoding, comment="#", skip_initial_space=skips_blanks, **escape)
    found = header(header_line(names, dialect) + b"\n", dialect)
    assert found is not None
    assert found.names == tuple(names)


def test_a_header_longer_than_the_first_read_is_whole() -> None:
    names = tuple(f"column_{i}" for i in range(30_000))
    data = ",".join(names).encode() + b"\n1\n"
    found = header(data)
    assert found is not None
    assert (found.names, found.data_start) == (names, len(data) - 2)


def test_a_name_that_is_there_twice_is_named_with_the_file() -> None:
    with pytest.raises(InputError, match=r's3://b/file\.csv.*"b", "c" twice') as caught:
        header(b"a,b,c,b,c\n")
    assert caught.value.hint


@pytest.mark.parametrize("mark", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_recognized_by_its_mark(mark: str) -> None:
    with pytest.raises(InputError, match="is UTF-16"):
        header("\ufeffa,b\n".encode(mark))


def test_the_mark_of_utf_8_contradicts_another_encoding() -> None:
    with pytest.raises(InputError, match="said to be latin-1"):
        header(b"\xef\xbb\xbfa,b\n", Csv(encoding="latin-1"))


def test_names_in_another_encoding() -> None:
    found = header("größe;b\n".encode("latin-1"), Csv(encoding="latin-1", delimiter=";"))
    assert found is not None
    assert found.names == ("größe", "b")
    with pytest.raises(InputError, match="not utf-8"):
        header("größe;b\n".encode("latin-1"))


def test_a_header_that_never_ends_is_a_mistake_not_a_row() -> None:
    with pytest.raises(InputError, match="does not end within 8 MiB"):
        header(b'a,"b\n' + b"1,2\n" * 2_500_000)
