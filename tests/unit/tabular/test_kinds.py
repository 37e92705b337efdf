"""Files that are no text in which a newline is one byte are named as what they are, with a way to get a CSV from them."""

from __future__ import annotations

import gzip
import io
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.orc
import pyarrow.parquet as pq
import pytest

from scoremill.errors import InputError
from scoremill.spec import Csv
from scoremill.tabular.csv import read_header
from scoremill.tabular.decode import DecodedSource
from scoremill.tabular.kinds import CompressedError
from scoremill.tabular.rows import BytesSource

TEXT = "a,b\n1,é\n"
TABLE = pa.table({"a": list(range(1000)), "b": ["x"] * 1000})


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, TEXT)
    return out.getvalue()


def tarred() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo("out.csv")
        member.size = len(TEXT.encode())
        archive.addfile(member, io.BytesIO(TEXT.encode()))
    return out.getvalue()


def written(write: Callable[[pa.Table, io.BytesIO], None]) -> bytes:
    out = io.BytesIO()
    write(TABLE, out)
    return out.getvalue()


KINDS: dict[str, bytes] = {
    "a zip archive": zipped("out.csv"),
    "an Excel workbook": zipped("[Content_Types].xml", "_rels/.rels", "xl/workbook.xml", "xl/worksheets/sheet1.xml"),
    "an Excel workbook of the old format (.xls)": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504),
    "a tar archive": tarred(),
    "a Parquet file": written(pq.write_table),
    "an ORC file": written(pyarrow.orc.write_table),
    "an Arrow (Feather) file": written(pyarrow.feather.write_feather),
    "an Avro file": b"Obj\x01\x04\x16avro.schema",
}


def refusal(data: bytes, dialect: Csv | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        read_header(BytesSource(data, "s3://b/in.csv"), dialect or Csv())
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dialect", [Csv(), Csv(encoding="latin-1"), Csv(header=False, columns=("a",))])
def test_a_file_of_another_kind_is_named(kind: str, dialect: Csv) -> None:
    assert refusal(KINDS[kind], dialect).message == f"s3://b/in.csv is {kind}, not a CSV"


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [("utf-16", ""), ("utf-32", ""), *((f"utf-16-{end}", mark) for end in ("le", "be") for mark in ("", "\ufeff"))],
)
def test_wide_encodings_are_named_and_the_command_converts_them(encoding: str, mark: str, tmp_path: Path) -> None:
    data = (mark + TEXT).encode(encoding)
    error = refusal(data)
    assert error.message.endswith("in which a newline is not one byte")
    (tmp_path / "in.csv").write_bytes(data)
    subprocess.run(follow(error), shell=True, cwd=tmp_path, check=True)
    assert (tmp_path / "out.csv").read_text().removeprefix("\ufeff") == TEXT


@pytest.mark.parametrize(("kind", "file"), [("a zip archive", "in.zip"), ("a tar archive", "in.tar")])
def test_the_command_that_extracts_an_archive_works(kind: str, file: str, tmp_path: Path) -> None:
    (tmp_path / file).write_bytes(KINDS[kind])
    subprocess.run(follow(refusal(KINDS[kind])), shell=True, cwd=tmp_path, check=True)
    assert (tmp_path / "out.csv").read_text() == TEXT


@pytest.mark.parametrize(("kind", "file"), [("an ORC file", "in.orc"), ("an Arrow (Feather) file", "in.feather")])
def test_the_call_that_converts_to_parquet_works(kind: str, file: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(file).write_bytes(KINDS[kind])
    exec(f"import pyarrow.feather, pyarrow.orc, pyarrow.parquet\n{follow(refusal(KINDS[kind]))}")
    assert pq.read_table("out.parquet").equals(TABLE)


def test_an_archive_in_a_compressed_file_is_named_too(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a tar archive"):
        read_header(DecodedSource(io.BytesIO(gzip.compress(KINDS["a tar archive"])), "a.tar.gz"), Csv())
    with pytest.raises(InputError, match="is compressed twice, at last with gzip"):
        read_header(DecodedSource(io.BytesIO(gzip.compress(gzip.compress(b"a,b\n"))), "a.csv.gz"), Csv())


def test_compressed_file_that_was_taken_for_a_plain_one_is_recognized() -> None:
    with pytest.raises(CompressedError, match="is compressed with gzip, which its name does not say"):
        read_header(BytesSource(gzip.compress(b"a,b\n")), Csv())


@pytest.mark.parametrize(
    "text", ["PAR1,b\n", "ORC,b\n", "PK,b\n", "Obj,b\n", "ARROW1,b\n", "a,b\n" + "x" * 257 + "ustar"]
)
def test_text_that_begins_like_another_kind_is_text(text: str) -> None:
    assert read_header(BytesSource(text.encode()), Csv()) is not None


@pytest.mark.parametrize("text", [b"a\0,b\n1,2\n", b"\0", b"a,b\n" + b"\0x" * 2])
def test_text_with_a_few_nuls_is_text(text: bytes) -> None:
    assert read_header(BytesSource(text), Csv()) is not None


def follow(error: InputError) -> str:
    """The command in a hint: what is between the first colon and the next sentence."""
    command = str(error.hint).partition(": ")[2].partition(". ")[0]
    assert command
    return command
