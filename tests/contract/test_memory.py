"""Promise 5: memory depends on the batch, not on the size of partitions or files."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from scoremill.ledger import Ledger
from scoremill.storage.filesystem import Store
from scoremill.units import MIB
from tests.support.bombs import write_bomb
from tests.support.jobs import run, trip_bundle, trips

ROWS, TIMES = 50_000, 10
NOTE = "n" * 300


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return trip_bundle(tmp_path_factory.mktemp("bundle") / "trips")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small file and one with ten times as many rows, about 160 MB, plain and compressed."""
    folder = tmp_path_factory.mktemp("large")
    header, body = trips(ROWS).assign(note=NOTE).to_csv(index=False).encode().split(b"\n", 1)
    for name, times in (("small", 1), ("large", TIMES)):
        data = header + b"\n" + body * times
        (folder / f"{name}.csv").write_bytes(data)
        with gzip.open(folder / f"{name}.csv.gz", "wb", compresslevel=1) as file:
            file.write(data)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
@pytest.mark.parametrize("more", [[], ["--where", "id == 3"], ["--keep", "*"]], ids=["all", "few", "kept"])
def test_partition_with_ten_times_as_many_rows_needs_no_more_memory(bundle, folder, tmp_path, suffix, more):
    peaks = {}
    for name in ("small", "large"):
        code, _, err = run(
            "score",
            "--model",
            bundle,
            "--input",
            folder / f"{name}.{suffix}",
            "--output",
            tmp_path / name,
            "--cluster",
            "in-process",
            "--set",
            "spec.input.partitionBytes=1GiB",
            "--set",
            "spec.model.batchRows=10000",
            *more,
        )
        assert code == 0, err
        (receipt,) = Ledger(Store(str(tmp_path / name))).receipts()
        peaks[name] = receipt.peak_memory
    assert peaks["large"] < peaks["small"] + 64 * MIB


def test_highly_compressed_row_group_is_refused_by_name_and_kills_no_worker(bundle, tmp_path):
    write_bomb(tmp_path / "bomb.parquet", "dictionary")
    code, _, err = run(
        "score",
        "--model",
        bundle,
        "--input",
        tmp_path / "bomb.parquet",
        "--output",
        tmp_path / "out",
        "--keep",
        "note",
        "--workers",
        1,
        "--memory",
        "256MiB",
    )
    assert code == 6
    assert f"{tmp_path}/bomb.parquet: row group 1: a batch of its rows needs more than the" in err
    assert "killed" not in err and "died" not in err
