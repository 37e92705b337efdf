"""Many small objects in a bucket are fetched ahead; their rows, their order and their errors stay those of single reads."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest

from scoremill import score
from scoremill.storage.filesystem import Store
from tests.support.jobs import make_job, objects, trip_bundle, trips

OBJECTS = 40


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("bundle") / "trips")


def write_all(uri: str) -> None:
    """Write CSV and compressed CSV objects, an empty one, and one that is too large to be fetched ahead."""
    store = Store(uri)
    for number in range(OBJECTS):
        frame = trips(12_000 if number == 20 else 5 + number, seed=number)
        text = frame.to_csv(index=False).encode()
        if number == 11:
            text = b""
        store.write(f"in/{number:03d}.csv", gzip.compress(text) if number % 3 == 1 else text)


def write_parquet(uri: str) -> None:
    for number in range(OBJECTS):
        buffer = io.BytesIO()
        trips(5 + number, seed=number).to_parquet(buffer, row_group_size=7)
        Store(uri).write(f"in/{number:03d}.parquet", buffer.getvalue())


@pytest.mark.parametrize("write", [write_all, write_parquet])
def test_small_objects_of_a_bucket_score_as_files_do(s3, bundle: str, tmp_path: Path, write) -> None:
    uris = s3.uri(), str(tmp_path)
    for uri in uris:
        write(uri)
        score(make_job(bundle, f"{uri}/in/*", f"{uri}/out"), cluster="in-process")
    remote, local = (sorted(objects(f"{uri}/out").values()) for uri in uris)
    assert remote == local
