from __future__ import annotations

import pytest

from scoremill.errors import InputError
from scoremill.spec import Csv
from scoremill.storage.csv import Header, read_header
from scoremill.storage.rows import BytesSource


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


def test_a_header_longer_than_the_first_read_is_whole() -> None:
    names = tuple(f"column_{i}" for i in range(30_000))
    data = ",".join(names).encode() + b"\n1\n"
    found = header(data)
    assert found is not None
    assert (found.names, found.data_start) == (names, len(data) - 2)


def test_a_name_that_is_there_twice_is_named_with_the_file() -> None:
    with pytest.raises(InputError, match=r"s3://b/file\.csv.*'b', 'c' twice") as caught:
        header(b"a,b,c,b,c\n")
    assert caught.value.mend


@pytest.mark.parametrize("mark", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_told_by_its_mark(mark: str) -> None:
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
