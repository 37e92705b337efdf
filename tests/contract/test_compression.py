"""Compression is detected from the content of objects on every store, not from names or headers."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import boto3
import pytest
import zstandard

from scoremill import score, verify
from scoremill.errors import InputError, StorageError
from scoremill.storage.filesystem import Store
from tests.contract.oracle.oracle import difference, staged, written
from tests.support.gcs import Bucket as GcsBucket
from tests.support.jobs import make_job, pipeline, trips
from tests.support.proxy import proxy
from tests.support.s3 import Bucket as S3Bucket

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}
CSV = trips(400).to_csv(index=False).encode()
SPEC = {"input": {"partitionBytes": "4KiB"}, "output": {"keep": ["id"]}}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    frame = trips(500)
    return staged(pipeline(frame), tmp_path_factory.mktemp("bundle") / "trips", frame)


def scores(bundle: str, inputs: str, output: Path) -> dict[str, list[object]]:
    score(make_job(bundle, inputs, str(output), **SPEC), cluster="in-process")
    assert verify(str(output)).totals.rejected == 0
    return written(output)


@pytest.fixture
def truth(bundle: str, tmp_path: Path) -> dict[str, list[object]]:
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "a.csv").write_bytes(CSV)
    return scores(bundle, str(tmp_path / "plain" / "*"), tmp_path / "truth")


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("name", ["a.csv", "a", "a.csv.gz"])
def test_compressed_file_with_any_name_is_scored(bundle, truth, kind, name, tmp_path):
    (tmp_path / name).write_bytes(PACKERS[kind](CSV))
    assert difference(scores(bundle, str(tmp_path / name), tmp_path / "out"), truth) is None


def test_plain_file_with_a_name_of_a_compressed_one_is_scored_in_partitions(bundle, truth, tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(CSV)
    assert difference(scores(bundle, str(tmp_path / "a.csv.gz"), tmp_path / "out"), truth) is None
    assert len(list((tmp_path / "out").glob("part-*"))) == len(list((tmp_path / "truth").glob("part-*"))) > 1


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_s3_object_with_a_content_encoding_is_scored(bundle, truth, kind, s3: S3Bucket, tmp_path):
    put(s3, "a.csv", PACKERS[kind](CSV), ContentEncoding=kind)
    assert difference(scores(bundle, s3.uri("*.csv"), tmp_path / "out"), truth) is None


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_gcs_object_with_a_content_encoding_is_scored(bundle, truth, name, gcs: GcsBucket, tmp_path):
    put_encoded(gcs, name, gzip.compress(CSV))
    assert difference(scores(bundle, gcs.uri(name), tmp_path / "out"), truth) is None


def test_gcs_object_with_a_content_encoding_is_read_as_stored(gcs: GcsBucket):
    packed = gzip.compress(bytes(range(256)) * 4)
    put_encoded(gcs, "a.csv", packed)
    store = Store(gcs.uri())
    assert store.read("a.csv") == packed
    assert store.read("a.csv", 5, 25) == packed[5:25]
    assert store.read("a.csv", len(packed), len(packed) + 5) == b""
    with store.open("a.csv") as file:
        assert file.read() == packed
    with pytest.raises(StorageError, match="no such object"):
        store.read("b.csv")


def many(folder: Path, compressed: int, content: bytes) -> str:
    """Write 150 files, more than are sampled, with `content` compressed in one of them, and return their glob."""
    folder.mkdir()
    for at in range(150):
        (folder / f"{at:03}.csv").write_bytes(
            gzip.compress(content) if at == compressed else b"id,distance,payment,passengers\n" + b"%d,1,cash,2\n" % at
        )
    return str(folder / "*.csv")


UNSAMPLED = 7
"""Number of a file among the 150 that is not sampled, as its tests assert."""


def test_small_compressed_file_that_was_not_sampled_is_scored(bundle, tmp_path):
    inputs = many(tmp_path / "in", UNSAMPLED, b"id,distance,payment,passengers\n1000,1,cash,2\n1001,1,cash,2\n")
    job = make_job(bundle, inputs, str(tmp_path / "out"), output={"keep": ["id"]})
    assert not shows(job, UNSAMPLED)
    score(job, cluster="in-process")
    assert written(tmp_path / "out")["id"] == [*range(UNSAMPLED), 1000, 1001, *range(UNSAMPLED + 1, 150)]


def test_compressed_file_that_was_cut_unsampled_is_an_error_whose_hint_works(bundle, tmp_path):
    inputs = many(tmp_path / "in", UNSAMPLED, CSV)
    job = make_job(bundle, inputs, str(tmp_path / "out"), **{**SPEC, "input": {"partitionBytes": "1KiB"}})
    assert not shows(job, UNSAMPLED)
    with pytest.raises(InputError, match=r"007\.csv is compressed with gzip, which its name does not say"):
        score(job, cluster="in-process")
    found = tmp_path / "in" / f"{UNSAMPLED:03}.csv"
    alone = scores(bundle, str(found), tmp_path / "alone")
    found.rename(found.with_suffix(".csv.gz"))
    assert scores(bundle, str(found.with_suffix(".csv.gz")), tmp_path / "renamed") == alone
    renamed = make_job(bundle, str(tmp_path / "in" / "*"), str(tmp_path / "all"), **SPEC)
    score(renamed, cluster="in-process")
    assert len(written(tmp_path / "all")["id"]) == 149 + 400


def shows(job, number: int) -> bool:
    from scoremill.discovery.discover import chosen, discover

    sources = discover(job.spec.input, job.spec.input_storage).sources
    return sources[number] in chosen(sources)


def test_planning_reads_sampled_objects_only(bundle, s3: S3Bucket, tmp_path, monkeypatch):
    from scoremill.execute.coordinator.prepare import prepare

    for at in range(100):
        put(s3, f"{at:03}.csv{'.gz' * (at % 2)}", gzip.compress(CSV) if at % 2 else CSV)
    with proxy(s3.endpoint) as through:
        monkeypatch.setenv("AWS_ENDPOINT_URL", through.endpoint)
        job = make_job(bundle, s3.uri("*.csv*"), str(tmp_path / "out"), **SPEC)
        assert prepare(job).plan.errors == []
    read = {request.path for request in through.requests if re.search(r"/\d{3}\.csv", request.path)}
    assert len(read) == 64


def put(s3: S3Bucket, name: str, data: bytes, **about: str) -> None:
    boto3.client("s3", endpoint_url=s3.endpoint).put_object(Bucket=s3.bucket, Key=name, Body=data, **about)


def put_encoded(gcs: GcsBucket, name: str, data: bytes) -> None:
    """Store `data` with `Content-Encoding: gzip`, as `gcloud storage cp --gzip-local-all` does."""
    about = f'{{"name": "{name}", "contentEncoding": "gzip", "contentType": "text/csv"}}'.encode()
    parts = b"--x\nContent-Type: application/json\n\n%b\n--x\nContent-Type: text/csv\n\n%b\n--x--" % (about, data)
    address = f"{gcs.endpoint}/upload/storage/v1/b/{quote(gcs.bucket)}/o?uploadType=multipart"
    request = urllib.request.Request(address, parts, {"Content-Type": "multipart/related; boundary=x"})
    with urllib.request.urlopen(request):
        pass
