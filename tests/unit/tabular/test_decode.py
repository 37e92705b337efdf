from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tracemalloc

import pytest
import zstandard

from scoremill.errors import InputError
from scoremill.spec import Csv
from scoremill.storage.compression import MAGIC_BYTES, SUFFIXES, compression_by_name, compression_of
from scoremill.tabular.csv import CsvReader, Range, read_header
from scoremill.tabular.decode import DecodedSource, open_decoded

DATA = b"a,b\n" + b"".join(b'%d,"x\n%d"\n' % (i, i) for i in range(50_000))
PACK = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstandard.ZstdCompressor().compress}


@pytest.mark.parametrize("kind", PACK)
def test_the_rows_of_a_compressed_file(kind: str) -> None:
    with DecodedSource(io.BytesIO(PACK[kind](DATA)), f"f.csv.{kind}") as source:
        header = read_header(source, Csv())
        assert header is not None
        reader = CsvReader(source, Range(0, 2**62), header, Csv(), ["a"], block_bytes=10_000)
        values = [value for rows in reader for value in rows.table["a"].to_pylist()]
    assert values == [str(i) for i in range(50_000)]
    assert (reader.tally.rows, reader.tally.bytes, reader.tally.quotes) == (50_000, len(DATA), 100_000)


def test_a_compressed_file_of_irregular_quotes_is_read_once() -> None:
    data = b'a,b\n5" disk,1\n"x\ny",2\n' * 3
    source = DecodedSource(io.BytesIO(gzip.compress(data)), "f.csv.gz")
    header = read_header(source, Csv())
    assert header is not None
    reader = CsvReader(source, Range(0, 2**62), header, Csv(), ["a"], block_bytes=10)
    values = [value for rows in reader for value in rows.table["a"].to_pylist()]
    assert values == ['5" disk', "x\ny", *(["a", '5" disk', "x\ny"] * 2)]
    assert not reader.tally.irregular


@pytest.mark.parametrize("kind", PACK)
def test_members_one_behind_the_other_are_one_file(kind: str) -> None:
    packed = PACK[kind](DATA[:1000]) + PACK[kind](DATA[1000:])
    assert DecodedSource(io.BytesIO(packed), f"F.CSV.{kind.upper()}").read(0, len(DATA) + 1) == DATA


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("part", [0.3, 0.9, 0.999])
def test_a_truncated_file_is_named_and_never_taken_for_a_whole_one(kind: str, part: float) -> None:
    packed = PACK[kind](DATA)
    source = DecodedSource(io.BytesIO(packed[: int(len(packed) * part)]), f"s3://b/f.csv.{kind}")
    with pytest.raises(InputError, match=rf"s3://b/f\.csv\.{kind} is truncated or damaged"):
        source.read(0, len(DATA) + 1)


@pytest.mark.parametrize("kind", PACK)
def test_a_file_is_what_its_content_is_whatever_its_name_says(kind: str) -> None:
    plain = DecodedSource(io.BytesIO(DATA), f"f.csv.{kind}")
    assert (plain.read(0, len(DATA) + 1), plain.compression) == (DATA, None)
    for name in ("f.csv", "f", *(f"f.csv.{other}" for other in PACK)):
        packed = DecodedSource(io.BytesIO(PACK[kind](DATA)), name)
        assert (packed.read(0, len(DATA) + 1), packed.compression) == (DATA, SUFFIXES[f".{kind}"])


@pytest.mark.parametrize("kind", PACK)
def test_empty_compressed_file_is_recognized_by_its_first_bytes(kind: str) -> None:
    assert compression_of(PACK[kind](b"")[:MAGIC_BYTES]) == SUFFIXES[f".{kind}"]


def test_zstandard_file_can_start_with_a_frame_to_skip() -> None:
    packed = b"\x50\x2a\x4d\x18\x04\x00\x00\x00note" + PACK["zst"](DATA)
    assert DecodedSource(io.BytesIO(packed), "f.csv").read(0, len(DATA) + 1) == DATA


@pytest.mark.parametrize("text", [b"", b"\x1f", b"BZh9,a\n1,2\n", b"P*M,x\n", b"(\xb5/,a\n", b"7zXZ\n"])
def test_text_that_begins_like_a_compressed_file_is_text(text: bytes) -> None:
    assert compression_of(text) is None


@pytest.mark.parametrize("name", ["a.csv", "gz", "a.gz.csv", "a.gz/b"])
def test_names_that_say_nothing_about_compression(name: str) -> None:
    assert compression_by_name(name) is None


@pytest.mark.parametrize("kind", PACK)
def test_seeking_back_decodes_again(kind: str) -> None:
    source = DecodedSource(io.BytesIO(PACK[kind](DATA)), f"f.csv.{kind}")
    assert source.read(100_000, 100_010) == DATA[100_000:100_010]
    assert source.read(3, 20) == DATA[3:20]
    assert source.read(len(DATA) - 5, len(DATA) + 5) == DATA[-5:]
    assert source.read(len(DATA) + 5, len(DATA) + 9) == b""


def test_a_fault_of_the_store_is_no_fault_of_the_file() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise ConnectionResetError(104, "reset by peer")

    with pytest.raises(ConnectionResetError):
        DecodedSource(Broken(), "f.csv.gz").read(0, 10)


def test_what_is_not_compressed_is_left_as_it_is() -> None:
    file = io.BytesIO(DATA)
    assert open_decoded(file, None) is file


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_a_file_that_holds_far_more_than_its_size_is_read_in_bounded_pieces(kind: str) -> None:
    bomb = PACK[kind](bytes(2**28))
    tracemalloc.start()
    try:
        with DecodedSource(io.BytesIO(bomb), f"f.csv.{kind}") as source:
            assert source.read(0, 2**20) == bytes(2**20)
            _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**27
